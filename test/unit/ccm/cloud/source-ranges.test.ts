import { expect } from 'chai';
import { SOURCE_RANGES_ANNOTATION, sourceRanges } from '../../../../ccm/cloud/source-ranges.ts';

const inSpec = (...ranges: string[]): ReturnType<typeof sourceRanges> =>
  sourceRanges({ metadata: { name: 'web' }, spec: { loadBalancerSourceRanges: ranges } });

const inAnnotation = (text: string): ReturnType<typeof sourceRanges> =>
  sourceRanges({ metadata: { name: 'web', annotations: { [SOURCE_RANGES_ANNOTATION]: text } } });

describe('source ranges', () => {
  const normalised: [given: string[], entries: string[]][] = [
    [['192.0.2.0/24'], ['192.0.2.0/24']],
    [['192.0.2.77/24'], ['192.0.2.0/24']],
    [['255.255.255.255/1'], ['128.0.0.0/1']],
    [['192.0.2.7/32'], ['192.0.2.7']],
    [[' 192.0.2.7/32'], ['192.0.2.7']],
    [
      ['10.0.0.0/8', '192.0.2.1/32', '10.1.2.3/8'],
      ['10.0.0.0/8', '192.0.2.1'],
    ],
    [['2001:DB8:0:0:0:0:0:5/32'], ['2001:db8::/32']],
    [['2001:db8::1/128'], ['2001:db8::1']],
    [['0.0.0.0/0'], []],
    [['192.0.2.0/24', '0.0.0.0/0'], []],
    [['192.0.2.9/0'], []],
    [[], []],
  ];
  for (const [given, entries] of normalised) {
    it(`become filter entries: ${given.join(' ')} → ${entries.join(' ') || 'everyone'}`, () => {
      expect(inSpec(...given)).to.deep.equal(entries);
    });
  }

  it('come from the annotation where the spec has none', () => {
    expect(inAnnotation(' 192.0.2.0/24 , 198.51.100.1/32 ')).to.deep.equal(['192.0.2.0/24', '198.51.100.1']);
    expect(inAnnotation('')).to.deep.equal([]);
  });

  it('come from the spec where both are given', () => {
    const spec = { loadBalancerSourceRanges: ['192.0.2.0/24'] };
    const annotations = { [SOURCE_RANGES_ANNOTATION]: '10.0.0.0/8' };
    expect(sourceRanges({ metadata: { name: 'web', annotations }, spec })).to.deep.equal(['192.0.2.0/24']);
  });

  for (const text of [
    '192.0.2.1',
    '192.0.2.0/33',
    '192.0.2/24',
    '::/129',
    'office',
    '192.0.2.0/',
    '/24',
    'fe80::%1/64',
  ]) {
    it(`refuse ${text}, naming it`, () => {
      expect(inSpec('10.0.0.0/8', text)).to.deep.equal({
        field: 'spec.loadBalancerSourceRanges',
        value: text,
        allowed: 'allowed are CIDRs such as 192.0.2.0/24',
      });
      expect(inAnnotation(text)).to.include({ field: SOURCE_RANGES_ANNOTATION, value: text });
    });
  }

  it('are refused from the 31st on, counted after duplicates are gone (E7 #29)', () => {
    const thirty = Array.from({ length: 30 }, (_, n) => `192.0.2.${n}/32`);
    expect(inSpec(...thirty, '192.0.2.1/32')).to.have.length(30);
    expect(inSpec(...thirty, '192.0.2.30/32')).to.include({ value: '31 ranges' });
  });
});
