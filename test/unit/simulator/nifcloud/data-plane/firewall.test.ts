import { expect } from 'chai';
import { admits, reaches } from '../../../../../simulator/nifcloud/data-plane/firewall.ts';
import type { Packet } from '../../../../../simulator/nifcloud/data-plane/firewall.ts';
import type { FirewallRule } from '../../../../../simulator/nifcloud/world/firewall-groups.ts';
import { aRule, aWorld, serverOf } from './rig.ts';

const tcp = (port: number, source = '10.0.0.1'): Packet => ({ protocol: 'TCP', port, source });
const udp = (port: number): Packet => ({ protocol: 'UDP', port, source: '10.0.0.1' });
const icmp: Packet = { protocol: 'ICMP', port: 0, source: '10.0.0.1' };
const noPorts = { fromPort: 0, toPort: 0 };

describe('the firewall of a server', () => {
  const cases: readonly (readonly [string, Partial<FirewallRule>, Packet, boolean])[] = [
    ['a port alone lets that port in', { fromPort: 80, toPort: 80 }, tcp(80), true],
    ['a port alone keeps the next one out', { fromPort: 80, toPort: 80 }, tcp(81), false],
    ['a range lets its first port in', { fromPort: 80, toPort: 90 }, tcp(80), true],
    ['a range lets its last port in', { fromPort: 80, toPort: 90 }, tcp(90), true],
    ['a range keeps what is below out', { fromPort: 80, toPort: 90 }, tcp(79), false],
    ['TCP is not UDP', { fromPort: 80, toPort: 80 }, udp(80), false],
    ['UDP is UDP', { protocol: 'UDP', fromPort: 53, toPort: 53 }, udp(53), true],
    ['TCP is not ICMP', {}, icmp, false],
    ['ICMP has no ports', { protocol: 'ICMP', ...noPorts }, icmp, true],
    ['ICMP of IPv6 is another', { protocol: 'ICMPv6-all', ...noPorts }, icmp, false],
    ['ANY lets TCP in', { protocol: 'ANY', ...noPorts }, tcp(80), true],
    ['ANY lets UDP in', { protocol: 'ANY', ...noPorts }, udp(53), true],
    ['ANY lets ICMP in', { protocol: 'ANY', ...noPorts }, icmp, true],
    ['SSH is TCP 22', { protocol: 'SSH', ...noPorts }, tcp(22), true],
    ['SSH is nothing else', { protocol: 'SSH', ...noPorts }, tcp(23), false],
    ['HTTP is TCP 80', { protocol: 'HTTP', ...noPorts }, tcp(80), true],
    ['HTTPS is TCP 443', { protocol: 'HTTPS', ...noPorts }, tcp(443), true],
    ['HTTPS is not UDP', { protocol: 'HTTPS', ...noPorts }, udp(443), false],
    ['RDP is TCP 3389', { protocol: 'RDP', ...noPorts }, tcp(3389), true],
    ['L2TP is UDP 1701', { protocol: 'L2TP', ...noPorts }, udp(1701), true],
    ['GRE has nothing to do with it', { protocol: 'GRE', ...noPorts }, tcp(80), false],
    ['a rule for OUT lets nothing in', { direction: 'OUT' }, tcp(80), false],
    ['an address is itself', { cidr: '10.0.0.1' }, tcp(80), true],
    ['an address is no other', { cidr: '10.0.0.2' }, tcp(80), false],
    ['a network holds its addresses', { cidr: '10.0.0.0/8' }, tcp(80, '10.255.0.1'), true],
    ['a network holds no others', { cidr: '10.0.0.0/8' }, tcp(80, '11.0.0.1'), false],
    ['a network of IPv6 holds no address of IPv4', { cidr: '::/0' }, tcp(80), false],
    ['a group as the peer holds no load balancer', { cidr: '', group: 'lbs' }, tcp(80), false],
    ['an unknown source is in no network', {}, tcp(80, ''), false],
  ];
  for (const [name, rule, packet, expected] of cases) {
    it(name, () => expect(admits({ rules: [aRule(rule)] }, packet)).to.equal(expected));
  }

  it('denies everything without rules, and any of several rules is enough', () => {
    expect(admits({ rules: [] }, tcp(80))).to.equal(false);
    expect(admits({ rules: [aRule({ cidr: '10.0.0.2' }), aRule({})] }, tcp(80))).to.equal(true);
  });

  it('must let all sources in, and without a group lets everything in', () => {
    const world = aWorld();
    const server = serverOf(world, 'a');
    const sources = ['10.0.0.1', '10.0.0.2'];
    expect(reaches(world, server, sources, tcp(80)), 'no group').to.equal(true);
    server.firewallGroup = 'gone';
    expect(reaches(world, server, sources, tcp(80)), 'a group that is gone').to.equal(true);
    server.firewallGroup = 'closed';
    expect(reaches(world, server, [], tcp(80)), 'no sources').to.equal(true);
    expect(reaches(world, server, sources, tcp(80)), 'no rule').to.equal(false);
    const group = world.firewallGroups.get('closed')!;
    world.firewallGroups.set('closed', { ...group, rules: [aRule({ cidr: '10.0.0.1' })] });
    expect(reaches(world, server, sources, tcp(80)), 'one of two').to.equal(false);
    world.firewallGroups.set('closed', { ...group, rules: [aRule({ cidr: '10.0.0.0/30' })] });
    expect(reaches(world, server, sources, tcp(80)), 'both').to.equal(true);
  });
});
