import { expect } from 'chai';
import { Cidr, clusterCidrs } from '../../../../ccm/cloud/cidr.ts';

const cidr = (text: string): Cidr => Cidr.parse(text)!;

describe('a range of addresses', () => {
  const holds: [range: string, other: string, result: boolean][] = [
    ['10.244.0.0/16', '10.244.1.0/24', true],
    ['10.244.0.0/16', '10.244.0.0/16', true],
    ['10.244.0.0/16', '10.244.0.0/15', false],
    ['10.244.0.0/16', '10.245.0.0/24', false],
    ['10.244.77.1/16', '10.244.255.255', true],
    ['0.0.0.0/0', '10.244.1.0/24', true],
    ['0.0.0.0/0', '::/0', false],
    ['fd00:10:244::/56', 'fd00:10:244:0:1::/80', true],
    ['fd00:10:244::/56', 'fd00:10:245::/64', false],
    ['::/0', '10.0.0.0/8', false],
  ];
  for (const [range, other, result] of holds) {
    it(`${range} ${result ? 'holds' : 'does not hold'} ${other}`, () => {
      expect(cidr(range).holds(cidr(other))).to.equal(result);
    });
  }

  const canonical: [text: string, result: string][] = [
    ['10.244.1.9/24', '10.244.1.0/24'],
    ['10.244.1.1', '10.244.1.1/32'],
    ['fd00:0:0:0::1/64', 'fd00::/64'],
    ['FD00::A', 'fd00::a/128'],
  ];
  for (const [text, result] of canonical) {
    it(`is the same as ${result} when it is written ${text}`, () => {
      expect(cidr(text).canonical).to.equal(result);
    });
  }

  for (const text of [
    '',
    '10.0.0.0/33',
    'fd00::/129',
    '10.0.0/8',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    'fe80::1%eth0/64',
    'a/8',
  ]) {
    it(`is not ${JSON.stringify(text)}`, () => {
      expect(Cidr.parse(text)).to.equal(undefined);
    });
  }
});

describe('--cluster-cidr', () => {
  it('is one range, or one of each family', () => {
    expect(clusterCidrs('10.244.0.0/16')?.map(({ text }) => text)).to.deep.equal(['10.244.0.0/16']);
    expect(clusterCidrs('10.244.0.0/16,fd00::/56')?.map(({ family }) => family)).to.deep.equal(['ipv4', 'ipv6']);
  });
  for (const text of [
    '',
    '10.244.0.0',
    '10.0.0.0/8,11.0.0.0/8',
    'fd00::/8,fe00::/8',
    '10.0.0.0/8,fd00::/8,fe00::/8',
    '10.0.0.0/8,',
  ]) {
    it(`is not ${JSON.stringify(text)}`, () => {
      expect(clusterCidrs(text)).to.equal(undefined);
    });
  }
});
