import { expect } from 'chai';
import {
  FirewallGroups,
  isSameRule,
  type FirewallGroup,
  type FirewallRule,
} from '../../../nifcloud/firewall-groups.ts';
import { FakeClock } from '../../fake-clock.ts';
import { errorOf, listed, RecordedApi } from './recorded-api.ts';

const never = new AbortController().signal;

const permission = (protocol: string, ports: string, peers: string, more = ''): string =>
  `<item><ipProtocol>${protocol}</ipProtocol>${ports}${peers}${more}</item>`;

const ports = (from: number | '', to: number | ''): string => `<fromPort>${from}</fromPort><toPort>${to}</toPort>`;
const ranges = (...cidrs: string[]): string =>
  `<groups/><ipRanges>${cidrs.map((cidr) => `<item><cidrIp>${cidr}</cidrIp></item>`).join('')}</ipRanges>`;

/** Shape of docs/reference/nifcloud-api.md §6. */
const group = (name: string, permissions = '', more = ''): string =>
  `<item><ownerId/><groupName>${name}</groupName><groupDescription>the nodes</groupDescription><groupStatus>applied</groupStatus>
   <availabilityZone>east-11</availabilityZone><groupRuleLimit>100</groupRuleLimit><groupLogLimit>1000</groupLogLimit>
   <ipPermissions>${permissions}</ipPermissions>${more}</item>`;

const answer = (...groups: string[]): string => `<securityGroupInfo>${groups.join('')}</securityGroupInfo>`;

const list = (...groups: string[]): Promise<readonly FirewallGroup[]> =>
  listed(answer(...groups), (api, clock) => new FirewallGroups(api, clock, 3_000).list(never));

async function rulesOf(permissions: string): Promise<readonly FirewallRule[]> {
  return (await list(group('g', permissions)))[0]!.rules;
}

describe('firewall groups', () => {
  it('are read as the cloud describes them', async () => {
    const members = `<instancesSet><item><instanceId>node01</instanceId></item><item><instanceId>node02</instanceId></item></instancesSet>
      <instanceUniqueIdsSet><item><instanceUniqueId>i-2</instanceUniqueId></item><item><instanceUniqueId>i-1</instanceUniqueId></item></instanceUniqueIdsSet>
      <routerSet/><vpnGatewaySet/>`;
    const http = permission(
      'TCP',
      ports(30080, 30080),
      ranges('192.168.0.10'),
      '<inOut>IN</inOut><description>ours</description><addDatetime>2024-06-13T14:02:53.000+09:00</addDatetime>',
    );
    expect(await list(group('nodes11', http, members))).to.deep.equal([
      {
        name: 'nodes11',
        description: 'the nodes',
        zone: 'east-11',
        status: 'applied',
        rules: [
          {
            direction: 'in',
            protocol: 'TCP',
            fromPort: 30080,
            toPort: 30080,
            cidr: '192.168.0.10',
            description: 'ours',
          },
        ],
        ruleLimit: 100,
        serverNames: ['node01', 'node02'],
        serverUniqueIds: ['i-2', 'i-1'],
      },
    ]);
  });

  it('have a rule for each peer of an entry, address or group', async () => {
    const groups = '<groups><item><groupName>lb</groupName><userId/></item></groups>';
    const both = `${groups}<ipRanges><item><cidrIp>10.0.0.0/8</cidrIp></item><item><cidrIp>192.0.2.1</cidrIp></item></ipRanges>`;
    const rules = await rulesOf(permission('UDP', ports(1, 9), both, '<inOut>OUT</inOut>'));
    expect(rules.map(({ direction, cidr, group: peer }) => [direction, cidr, peer])).to.deep.equal([
      ['out', '10.0.0.0/8', undefined],
      ['out', '192.0.2.1', undefined],
      ['out', undefined, 'lb'],
    ]);
  });

  it('have rules without ports where the protocol has none', async () => {
    const [rule] = await rulesOf(permission('ICMP', ports('', ''), ranges('192.0.2.1')));
    expect(rule).to.deep.include({ direction: 'in', protocol: 'ICMP', fromPort: undefined, toPort: undefined });
  });

  it('keep a rule that names no peer: it is one of the hundred', async () => {
    expect(await rulesOf(permission('ANY', '', '<groups/><ipRanges/>'))).to.have.length(1);
  });

  it('are not known at all when an entry lacks its name, or a rule its protocol', async () => {
    expect(String(await errorOf(list(group('a'), group(''))))).to.contain('<groupName>');
    expect(String(await errorOf(rulesOf(permission('', '', ranges('192.0.2.1')))))).to.contain('<ipProtocol>');
  });

  it('are none in an answer without any, as after a deletion', async () => {
    expect(await list()).to.deep.equal([]);
  });

  const rule: FirewallRule = { direction: 'in', protocol: 'TCP', fromPort: 80, cidr: '192.0.2.1' };
  const comparisons: [what: string, a: FirewallRule, b: FirewallRule, same: boolean][] = [
    ['a single port and a range of it', rule, { ...rule, toPort: 80 }, true],
    ['an address and its /32', rule, { ...rule, cidr: '192.0.2.1/32' }, true],
    ['an IPv6 address and its /128', { ...rule, cidr: '2001:DB8::1' }, { ...rule, cidr: '2001:db8::1/128' }, true],
    ['rules that differ in description alone', rule, { ...rule, description: 'ours' }, true],
    ['protocols in other capitals', { ...rule, protocol: 'tcp' }, rule, true],
    ['what was not set and what is empty', rule, { ...rule, group: '' }, true],
    [
      'no ports and port 0',
      { direction: 'in', protocol: 'ICMP', cidr: '192.0.2.1', fromPort: 0, toPort: 0 },
      { direction: 'in', protocol: 'ICMP', cidr: '192.0.2.1' },
      true,
    ],
    ['an address and a network', rule, { ...rule, cidr: '192.0.2.1/24' }, false],
    [
      'an IPv6 network that looks like a host',
      { ...rule, cidr: '2001:db8::/32' },
      { ...rule, cidr: '2001:db8::' },
      false,
    ],
    ['a port and a range', rule, { ...rule, toPort: 81 }, false],
    ['in and out', rule, { ...rule, direction: 'out' }, false],
    ['TCP and UDP', rule, { ...rule, protocol: 'UDP' }, false],
    ['SSH and TCP 22', { direction: 'in', protocol: 'SSH', cidr: '192.0.2.1' }, { ...rule, fromPort: 22 }, false],
    [
      'an address and a group of that name',
      { direction: 'in', protocol: 'ANY', cidr: 'x' },
      { direction: 'in', protocol: 'ANY', group: 'x' },
      false,
    ],
  ];
  for (const [what, a, b, same] of comparisons) {
    it(`${same ? 'take' : 'never take'} for the same: ${what}`, () => {
      expect(isSameRule(a, b)).to.equal(same);
      expect(isSameRule(b, a)).to.equal(same);
    });
  }

  describe('are changed by calls that', () => {
    const calls: [
      what: string,
      call: (groups: FirewallGroups) => Promise<unknown>,
      action: string,
      sent: Record<string, string>,
    ][] = [
      [
        'authorize several rules, a single port by its start alone',
        (groups) =>
          groups.authorize(
            'g',
            [
              { ...rule, toPort: 80, description: 'ours' },
              { direction: 'out', protocol: 'UDP', fromPort: 1, toPort: 9, group: 'lb' },
              { direction: 'in', protocol: 'ICMP', cidr: '10.0.0.0/8' },
            ],
            never,
          ),
        'AuthorizeSecurityGroupIngress',
        {
          'IpPermissions.1.IpProtocol': 'TCP',
          'IpPermissions.1.InOut': 'IN',
          'IpPermissions.1.FromPort': '80',
          'IpPermissions.1.IpRanges.1.CidrIp': '192.0.2.1',
          'IpPermissions.1.Description': 'ours',
          'IpPermissions.2.IpProtocol': 'UDP',
          'IpPermissions.2.InOut': 'OUT',
          'IpPermissions.2.FromPort': '1',
          'IpPermissions.2.ToPort': '9',
          'IpPermissions.2.Groups.1.GroupName': 'lb',
          'IpPermissions.3.IpProtocol': 'ICMP',
          'IpPermissions.3.InOut': 'IN',
          'IpPermissions.3.IpRanges.1.CidrIp': '10.0.0.0/8',
        },
      ],
      [
        'revoke a rule as it was written, without its description',
        (groups) => groups.revoke('g', [{ ...rule, toPort: 80, cidr: '192.0.2.1/32', description: 'ours' }], never),
        'RevokeSecurityGroupIngress',
        {
          'IpPermissions.1.IpProtocol': 'TCP',
          'IpPermissions.1.InOut': 'IN',
          'IpPermissions.1.FromPort': '80',
          'IpPermissions.1.IpRanges.1.CidrIp': '192.0.2.1/32',
        },
      ],
      [
        'create',
        (groups) => groups.create({ name: 'g', zone: 'east-11', description: 'the nodes' }, never),
        'CreateSecurityGroup',
        { GroupDescription: 'the nodes', 'Placement.AvailabilityZone': 'east-11' },
      ],
      [
        'update',
        (groups) => groups.update('g', { newName: 'h', description: 'd', ruleLimit: 200 }, never),
        'UpdateSecurityGroup',
        { GroupNameUpdate: 'h', GroupDescriptionUpdate: 'd', GroupRuleLimitUpdate: '200' },
      ],
      ['delete', (groups) => groups.delete('g', never), 'DeleteSecurityGroup', {}],
      [
        'register servers',
        (groups) => groups.registerServers('g', ['node01', 'node02'], never),
        'RegisterInstancesWithSecurityGroup',
        { 'InstanceId.1': 'node01', 'InstanceId.2': 'node02' },
      ],
      [
        'deregister servers',
        (groups) => groups.deregisterServers('g', ['node01'], never),
        'DeregisterInstancesFromSecurityGroup',
        { 'InstanceId.1': 'node01' },
      ],
    ];
    for (const [what, call, action, sent] of calls) {
      it(what, async () => {
        const api = new RecordedApi(() => '<return>true</return>');
        await call(new FirewallGroups(api, new FakeClock(), 3_000));
        expect(api.calls).to.deep.equal([{ kind: 'mutate', action, sent: { GroupName: 'g', ...sent } }]);
      });
    }

    it('are not sent for nothing', async () => {
      const api = new RecordedApi();
      const groups = new FirewallGroups(api, new FakeClock(), 3_000);
      await groups.authorize('g', [], never);
      await groups.revoke('g', [], never);
      await groups.registerServers('g', [], never);
      await groups.deregisterServers('g', [], never);
      expect(api.calls).to.deep.equal([]);
    });

    const refusals: [what: string, rule: FirewallRule, message: RegExp][] = [
      ['an unknown protocol', { ...rule, protocol: 'SCTP' }, /ANY, TCP.*not "SCTP"/],
      ['TCP without a port', { ...rule, fromPort: undefined }, /it is TCP/],
      ['ICMP with a port', { ...rule, protocol: 'ICMP' }, /it is ICMP/],
      ['SSH with a last port', { ...rule, protocol: 'SSH', fromPort: undefined, toPort: 22 }, /it is SSH/],
      ['port 0', { ...rule, fromPort: 0 }, /1 to 65535, not 0/],
      ['a range that ends before it starts', { ...rule, toPort: 79 }, /80 to 65535, not 79/],
      ['no peer', { ...rule, cidr: '' }, /one peer/],
      ['two peers', { ...rule, group: 'lb' }, /one peer/],
    ];
    for (const [what, wrong, message] of refusals) {
      it(`are not sent with ${what}, nor for the other rules`, async () => {
        const api = new RecordedApi();
        const groups = new FirewallGroups(api, new FakeClock(), 3_000);
        expect(String(await errorOf(groups.authorize('g', [rule, wrong], never)))).to.match(message);
        expect(api.calls).to.deep.equal([]);
      });
    }

    it('are not sent with an empty name or description, which would change nothing', async () => {
      const api = new RecordedApi();
      const groups = new FirewallGroups(api, new FakeClock(), 3_000);
      expect(await errorOf(groups.update('g', { newName: '' }, never))).to.be.instanceOf(TypeError);
      expect(await errorOf(groups.update('g', { description: '' }, never))).to.be.instanceOf(TypeError);
      expect(api.calls).to.deep.equal([]);
    });
  });

  it('are waited for, all in one unfiltered listing a tick', async () => {
    const clock = new FakeClock();
    let content = answer(group('a').replace('applied', 'processing'), group('b'));
    const api = new RecordedApi(() => content);
    const groups = new FirewallGroups(api, clock, 3_000);
    const applied = groups.until('a', (one) => (one?.status === 'applied' ? 'applied' : undefined), never);
    const gone = groups.until('b', (one) => (one === undefined ? 'gone' : undefined), never);
    await clock.advance(3_005);
    content = answer(group('a'));
    await clock.advance(3_005);
    expect(await Promise.all([applied, gone])).to.deep.equal(['applied', 'gone']);
    expect(api.calls.map(({ sent }) => sent)).to.deep.equal([{}, {}]);
  });
});
