import { expect } from 'chai';
import { parseFleet } from '../../../../../simulator/nifcloud/world/fleet.ts';
import type { Simulator, SimulatorOptions } from '../../../../../simulator/nifcloud/simulator.ts';
import { FakeClock } from '../../../../fake-clock.ts';
import { startCloud } from '../raw-client.ts';
import type { Answer, RawClient } from '../raw-client.ts';

const FLEET = parseFleet(
  `
zones: [east-11, east-12]
groups:
  - { name: web, zone: east-11, description: the web }
  - { name: webfar, zone: east-12 }
  - { name: default(Linux), zone: east-11, description: given }
servers:
  - { name: a, uniqueId: i-aaaaaaaa, zone: east-11, firewallGroup: web }
  - { name: b, uniqueId: i-bbbbbbbb, zone: east-11, firewallGroup: web }
  - { name: c, uniqueId: i-cccccccc, zone: east-11 }
  - { name: far, uniqueId: i-ffffffff, zone: east-12 }
  - { name: busy, uniqueId: i-11111111, zone: east-11, state: pending }
`,
  'fleet',
);

const TCP80 = {
  'IpPermissions.1.IpProtocol': 'TCP',
  'IpPermissions.1.FromPort': '80',
  'IpPermissions.1.IpRanges.1.CidrIp': '192.168.0.10',
};
/** As `TCP80`, of a protocol without ports. */
const ICMP = { 'IpPermissions.1.IpProtocol': 'ICMP', 'IpPermissions.1.IpRanges.1.CidrIp': '192.168.0.20' };

describe('firewall groups', () => {
  let clock: FakeClock;
  let simulator: Simulator;
  let client: RawClient;

  async function start(options: SimulatorOptions = {}): Promise<void> {
    clock = new FakeClock();
    ({ simulator, client } = await startCloud({ clock, fleet: FLEET, ...options }));
  }

  beforeEach(() => start());
  afterEach(() => simulator.stop());

  /** A call whose group is `applied` afterwards. */
  async function applied(action: string, parameters: Record<string, string>): Promise<Answer> {
    const answer = await client.done(action, parameters);
    await clock.advance(3000);
    return answer;
  }

  /** A group as it is described; undefined = the answer is empty. */
  async function described(name: string): Promise<Record<string, unknown> | undefined> {
    const answer = await client.done('DescribeSecurityGroups', { 'GroupName.1': name });
    return answer.at('securityGroupInfo.item.0') as Record<string, unknown> | undefined;
  }

  /** Some elements of a group. */
  async function shown(name: string, ...elements: readonly string[]): Promise<unknown[]> {
    const group = await described(name);
    return elements.map((element) => group?.[element]);
  }

  /** The rules of a group in words. */
  async function rules(name: string): Promise<unknown[]> {
    const answer = await client.done('DescribeSecurityGroups', { 'GroupName.1': name });
    const items = answer.at('securityGroupInfo.item.0.ipPermissions.item') as unknown[] | undefined;
    return (items ?? []).map((_, index) => {
      const item = `securityGroupInfo.item.0.ipPermissions.item.${index}`;
      return ['inOut', 'ipProtocol', 'fromPort', 'toPort', 'ipRanges.item.0.cidrIp', 'groups.item.0.groupName']
        .map((path) => answer.at(`${item}.${path}`) as string | undefined)
        .filter((text) => text !== undefined)
        .join(' ');
    });
  }

  it('are described with all elements, and rules as in recorded answers', async () => {
    await applied('AuthorizeSecurityGroupIngress', {
      GroupName: 'web',
      ...TCP80,
      'IpPermissions.1.Description': 'from the balancer',
      'IpPermissions.2.IpProtocol': 'UDP',
      'IpPermissions.2.FromPort': '30000',
      'IpPermissions.2.ToPort': '31000',
      'IpPermissions.2.InOut': 'OUT',
      'IpPermissions.2.Groups.1.GroupName': 'webfar',
      'IpPermissions.3.IpProtocol': 'ICMP',
      'IpPermissions.3.FromPort': '0',
      'IpPermissions.3.IpRanges.1.CidrIp': '10.0.0.0/8',
    });
    const addDatetime = '2025-01-02T12:04:05.000+09:00';
    expect(await described('web')).to.deep.equal({
      ownerId: '',
      groupName: 'web',
      groupDescription: 'the web',
      groupStatus: 'applied',
      ipPermissions: {
        item: [
          {
            ipProtocol: 'TCP',
            fromPort: '80',
            toPort: '80',
            inOut: 'IN',
            ipRanges: { item: [{ cidrIp: '192.168.0.10' }] },
            description: 'from the balancer',
            addDatetime,
          },
          {
            ipProtocol: 'UDP',
            fromPort: '30000',
            toPort: '31000',
            inOut: 'OUT',
            groups: { item: [{ userId: '', groupName: 'webfar' }] },
            description: '',
            addDatetime,
          },
          {
            ipProtocol: 'ICMP',
            inOut: 'IN',
            ipRanges: { item: [{ cidrIp: '10.0.0.0/8' }] },
            description: '',
            addDatetime,
          },
        ],
      },
      instancesSet: { item: [{ instanceId: 'a' }, { instanceId: 'b' }] },
      instanceUniqueIdsSet: { item: [{ instanceUniqueId: 'i-aaaaaaaa' }, { instanceUniqueId: 'i-bbbbbbbb' }] },
      routerSet: '',
      vpnGatewaySet: '',
      groupRuleLimit: '100',
      groupLogLimit: '1000',
      groupLogFilterNetBios: 'false',
      groupLogFilterBroadcast: 'false',
      availabilityZone: 'east-11',
    });
  });

  for (const [filter, names] of [
    [{ 'Filter.1.Name': 'group-name', 'Filter.1.Value.1': 'web' }, ['web', 'webfar']],
    [{ 'Filter.1.Name': 'group-name', 'Filter.1.Value.1': 'eb' }, []],
    [
      { 'Filter.1.Name': 'description', 'Filter.1.Value.1': 'the', 'Filter.1.Value.2': 'given' },
      ['web', 'default(Linux)'],
    ],
    [
      {
        'Filter.1.Name': 'group-name',
        'Filter.1.Value.1': 'web',
        'Filter.2.Name': 'description',
        'Filter.2.Value.1': 'the',
      },
      ['web'],
    ],
    [{ 'GroupName.1': 'webfar', 'GroupName.2': 'web', 'GroupName.3': 'webfar' }, ['webfar', 'web']],
    [{ 'GroupName.1': 'web', 'Filter.1.Name': 'group-name', 'Filter.1.Value.1': 'webf' }, []],
  ] as const) {
    it(`are found by ${JSON.stringify(filter)}`, async () => {
      const answer = await client.done('DescribeSecurityGroups', filter);
      expect(answer.each('securityGroupInfo.item', 'groupName')).to.deep.equal(names);
    });
  }

  it('show added rules when their processing ends, and revoked ones until then', async () => {
    expect((await client.done('AuthorizeSecurityGroupIngress', { GroupName: 'web', ...TCP80 })).at('return')).to.equal(
      'true',
    );
    expect((await described('web'))?.['groupStatus']).to.equal('processing');
    expect(await rules('web')).to.deep.equal([]);
    await clock.advance(2999);
    expect(await rules('web')).to.deep.equal([]);
    await clock.advance(1);
    expect((await described('web'))?.['groupStatus']).to.equal('applied');
    expect(await rules('web')).to.deep.equal(['IN TCP 80 80 192.168.0.10']);
    const ask = { GroupName: 'web', ...TCP80, 'IpPermissions.1.ToPort': '80', 'IpPermissions.1.InOut': 'IN' };
    expect((await client.done('RevokeSecurityGroupIngress', ask)).at('return')).to.equal('true');
    expect((await described('web'))?.['groupStatus']).to.equal('processing');
    expect(await rules('web')).to.deep.equal(['IN TCP 80 80 192.168.0.10']);
    await clock.advance(3000);
    expect(await rules('web')).to.deep.equal([]);
  });

  it('make a rule of each peer of each permission, and revoke them one by one', async () => {
    const several = {
      ...TCP80,
      'IpPermissions.1.IpRanges.2.CidrIp': '2001:db8::/32',
      'IpPermissions.1.Groups.1.GroupName': 'default(Linux)',
      'IpPermissions.4.IpProtocol': 'ANY',
      'IpPermissions.4.Groups.1.GroupName': 'web',
    };
    await applied('AuthorizeSecurityGroupIngress', { GroupName: 'web', ...several });
    const all = [
      'IN TCP 80 80 192.168.0.10',
      'IN TCP 80 80 2001:db8::/32',
      'IN TCP 80 80 default(Linux)',
      'IN ANY web',
    ];
    expect(await rules('web')).to.deep.equal(all);
    await applied('RevokeSecurityGroupIngress', { GroupName: 'web', ...TCP80 });
    expect(await rules('web')).to.deep.equal(all.slice(1));
  });

  for (const protocol of [
    'ANY',
    'ICMP',
    'SSH',
    'HTTP',
    'HTTPS',
    'RDP',
    'GRE',
    'ESP',
    'AH',
    'VRRP',
    'L2TP',
    'ICMPv6-all',
  ]) {
    it(`have rules of ${protocol} without ports`, async () => {
      await applied('AuthorizeSecurityGroupIngress', {
        GroupName: 'web',
        ...ICMP,
        'IpPermissions.1.IpProtocol': protocol,
      });
      expect(await rules('web')).to.deep.equal([`IN ${protocol} 192.168.0.20`]);
    });
  }

  it('tell rules apart by direction, protocol, ports and the peer as it was written', async () => {
    for (const rule of [
      TCP80,
      { ...TCP80, 'IpPermissions.1.InOut': 'OUT' },
      { ...TCP80, 'IpPermissions.1.IpProtocol': 'UDP' },
      { ...TCP80, 'IpPermissions.1.ToPort': '81' },
      { ...TCP80, 'IpPermissions.1.IpRanges.1.CidrIp': '192.168.0.10/32' },
    ]) {
      await applied('AuthorizeSecurityGroupIngress', { GroupName: 'web', ...rule });
    }
    expect(await rules('web')).to.deep.equal([
      'IN TCP 80 80 192.168.0.10',
      'OUT TCP 80 80 192.168.0.10',
      'IN UDP 80 80 192.168.0.10',
      'IN TCP 80 81 192.168.0.10',
      'IN TCP 80 80 192.168.0.10/32',
    ]);
  });

  const BATCH = {
    GroupName: 'web',
    ...TCP80,
    'IpPermissions.2.IpProtocol': 'ICMP',
    'IpPermissions.2.IpRanges.1.CidrIp': '192.168.0.20',
  };
  for (const [value, code, left] of [
    ['all-or-none', 'Client.InvalidParameterDuplicate.SecurityGroup', ['IN TCP 80 80 192.168.0.10']],
    ['partial', undefined, ['IN TCP 80 80 192.168.0.10', 'IN ICMP 192.168.0.20']],
  ] as const) {
    it(`meet a duplicate among several rules by the switch batched-rules=${value}`, async () => {
      await simulator.stop();
      await start({ switches: `batched-rules=${value}` });
      await applied('AuthorizeSecurityGroupIngress', { GroupName: 'web', ...TCP80 });
      expect((await client.call('AuthorizeSecurityGroupIngress', BATCH)).code).to.equal(code);
      await clock.advance(3000);
      expect(await rules('web')).to.deep.equal(left);
      const again = await client.call('AuthorizeSecurityGroupIngress', { GroupName: 'web', ...TCP80 });
      expect(again.code).to.equal('Client.InvalidParameterDuplicate.SecurityGroup');
    });
  }

  it('hold as many rules as their limit, which can be raised', async () => {
    const peers = Array.from({ length: 100 }, (_, at) => [`IpPermissions.1.IpRanges.${at + 1}.CidrIp`, `10.0.0.${at}`]);
    const hundred = { ...ICMP, ...(Object.fromEntries(peers) as Record<string, string>) };
    await applied('AuthorizeSecurityGroupIngress', { GroupName: 'web', ...hundred });
    const one = { GroupName: 'web', ...TCP80 };
    expect((await client.call('AuthorizeSecurityGroupIngress', one)).code).to.equal(
      'Client.Inoperable.SecurityGroupIngress.LimitExceeded',
    );
    await applied('UpdateSecurityGroup', { GroupName: 'web', GroupRuleLimitUpdate: '101' });
    await applied('AuthorizeSecurityGroupIngress', one);
    expect((await rules('web')).length).to.equal(101);
    expect((await client.call('UpdateSecurityGroup', { GroupName: 'web', GroupRuleLimitUpdate: '100' })).code).to.equal(
      'Client.InvalidParameterIllegalInput.GroupRuleLimitUpdate',
    );
  });

  it('are created in a zone, processing at first', async () => {
    const answer = await client.done('CreateSecurityGroup', {
      GroupName: 'new',
      GroupDescription: 'mine',
      'Placement.AvailabilityZone': 'east-12',
    });
    expect(answer.at('return')).to.equal('true');
    const elements = ['groupStatus', 'groupDescription', 'availabilityZone', 'ipPermissions'];
    expect(await shown('new', ...elements)).to.deep.equal(['processing', 'mine', 'east-12', '']);
    await clock.advance(3000);
    expect(await shown('new', ...elements)).to.deep.equal(['applied', 'mine', 'east-12', '']);
    await applied('CreateSecurityGroup', { GroupName: 'plain' });
    expect(await shown('plain', ...elements)).to.deep.equal(['applied', '', 'east-11', '']);
  });

  for (const [switches, code] of [
    ['', undefined],
    ['deleted-group=refuse', 'Client.InvalidParameterNotFound.SecurityGroup'],
  ] as const) {
    it(`are gone when their deletion ends${switches === '' ? '' : `, with ${switches}`}`, async () => {
      await simulator.stop();
      await start({ switches });
      expect((await client.done('DeleteSecurityGroup', { GroupName: 'webfar' })).at('return')).to.equal('true');
      expect((await described('webfar'))?.['groupStatus']).to.equal('processing');
      await clock.advance(3000);
      const gone = await client.call('DescribeSecurityGroups', { 'GroupName.1': 'webfar' });
      expect([gone.code, gone.at('securityGroupInfo')]).to.deep.equal([code, code === undefined ? '' : undefined]);
      expect((await client.call('DescribeSecurityGroups', { 'GroupName.1': 'never' })).code).to.equal(
        'Client.InvalidParameterNotFound.SecurityGroup',
      );
      expect((await client.call('DeleteSecurityGroup', { GroupName: 'webfar' })).code).to.equal(
        'Client.InvalidParameterNotFound.SecurityGroup',
      );
      await applied('CreateSecurityGroup', { GroupName: 'webfar' });
      expect((await described('webfar'))?.['availabilityZone']).to.equal('east-11');
    });
  }

  it('are not deleted while servers or rules of other groups name them', async () => {
    const code = async (): Promise<unknown> => (await client.call('DeleteSecurityGroup', { GroupName: 'web' })).code;
    expect(await code()).to.equal('Client.Inoperable.SecurityGroup.InUse');
    const rule = { ...ICMP, 'IpPermissions.1.IpRanges.1.CidrIp': '', 'IpPermissions.1.Groups.1.GroupName': 'web' };
    await applied('AuthorizeSecurityGroupIngress', { GroupName: 'web', ...rule });
    await applied('DeregisterInstancesFromSecurityGroup', {
      GroupName: 'web',
      'InstanceId.1': 'a',
      'InstanceId.2': 'b',
    });
    await client.done('AuthorizeSecurityGroupIngress', { GroupName: 'webfar', ...rule });
    expect(await code()).to.equal('Client.Inoperable.SecurityGroup.InUse');
    await clock.advance(3000);
    expect(await code()).to.equal('Client.Inoperable.SecurityGroup.InUse');
    await applied('RevokeSecurityGroupIngress', { GroupName: 'webfar', ...rule });
    expect(await code()).to.equal(undefined);
  });

  it('are named by no new rule while they are being deleted', async () => {
    const rule = { ...ICMP, 'IpPermissions.1.IpRanges.1.CidrIp': '', 'IpPermissions.1.Groups.1.GroupName': 'webfar' };
    await client.done('DeleteSecurityGroup', { GroupName: 'webfar' });
    expect((await client.call('AuthorizeSecurityGroupIngress', { GroupName: 'web', ...rule })).code).to.equal(
      'Server.ResourceIncorrectState.SecurityGroup.Processing',
    );
  });

  it('are renamed with their servers and the rules that name them, also rules on their way', async () => {
    const rule = { 'IpPermissions.1.IpProtocol': 'ANY', 'IpPermissions.1.Groups.1.GroupName': 'web' };
    await applied('AuthorizeSecurityGroupIngress', { GroupName: 'web', ...rule });
    await client.done('AuthorizeSecurityGroupIngress', { GroupName: 'webfar', ...rule });
    await client.done('UpdateSecurityGroup', { GroupName: 'web', GroupNameUpdate: 'shop' });
    expect((await described('shop'))?.['groupStatus']).to.equal('processing');
    expect((await client.call('DescribeSecurityGroups', { 'GroupName.1': 'web' })).code).to.equal(
      'Client.InvalidParameterNotFound.SecurityGroup',
    );
    await clock.advance(3000);
    expect(await rules('shop')).to.deep.equal(['IN ANY shop']);
    expect(await rules('webfar')).to.deep.equal(['IN ANY shop']);
    const servers = await client.done('DescribeInstances', { 'InstanceId.1': 'a' });
    expect(servers.at('reservationSet.item.0.groupSet.item.0.groupId')).to.equal('shop');
  });

  it('are updated in what a call names, and stay as they are in the rest', async () => {
    const elements = [
      'groupDescription',
      'groupLogLimit',
      'groupRuleLimit',
      'groupLogFilterNetBios',
      'groupLogFilterBroadcast',
    ];
    await applied('UpdateSecurityGroup', { GroupName: 'web', GroupLogLimitUpdate: '100000' });
    expect(await shown('web', ...elements)).to.deep.equal(['the web', '100000', '100', 'false', 'false']);
    await applied('UpdateSecurityGroup', {
      GroupName: 'web',
      GroupDescriptionUpdate: 'other',
      GroupLogFilterNetBios: 'true',
      GroupLogFilterBroadcast: 'true',
    });
    expect(await shown('web', ...elements)).to.deep.equal(['other', '100000', '100', 'true', 'true']);
  });

  it('take servers in and let them go, a server being in one group', async () => {
    await applied('CreateSecurityGroup', { GroupName: 'new' });
    const members = async (name: string): Promise<unknown[]> => {
      const answer = await client.done('DescribeSecurityGroups', { 'GroupName.1': name });
      return answer.each('securityGroupInfo.item.0.instancesSet.item', 'instanceId');
    };
    const both = { GroupName: 'new', 'InstanceId.1': 'a', 'InstanceId.2': 'c' };
    const registered = await client.done('RegisterInstancesWithSecurityGroup', both);
    expect(registered.each('instancesSet.item', 'instanceId')).to.deep.equal(['a', 'c']);
    expect((await described('new'))?.['groupStatus']).to.equal('processing');
    expect([await members('new'), await members('web')]).to.deep.equal([['a', 'c'], ['b']]);
    await clock.advance(3000);
    const left = await applied('DeregisterInstancesFromSecurityGroup', { GroupName: 'new', 'InstanceId.1': 'a' });
    expect(left.each('instancesSet.item', 'instanceId')).to.deep.equal(['a']);
    expect(await members('new')).to.deep.equal(['c']);
  });

  it('refuse every change while they are processing', async () => {
    const mutations: readonly [string, Record<string, string>][] = [
      ['AuthorizeSecurityGroupIngress', TCP80],
      ['RevokeSecurityGroupIngress', TCP80],
      ['UpdateSecurityGroup', { GroupDescriptionUpdate: 'x' }],
      ['DeleteSecurityGroup', {}],
      ['RegisterInstancesWithSecurityGroup', { 'InstanceId.1': 'c' }],
      ['DeregisterInstancesFromSecurityGroup', { 'InstanceId.1': 'a' }],
    ];
    await client.done('UpdateSecurityGroup', { GroupName: 'web', GroupDescriptionUpdate: 'changed' });
    for (const [action, parameters] of mutations) {
      const { code } = await client.call(action, { GroupName: 'web', ...parameters });
      expect(code, action).to.equal('Server.ResourceIncorrectState.SecurityGroup.Processing');
    }
    await clock.advance(3000);
    await client.done('RegisterInstancesWithSecurityGroup', { GroupName: 'web', 'InstanceId.1': 'c' });
  });

  const ILLEGAL = 'Client.InvalidParameterIllegalInput';
  const REQUIRED = 'Client.InvalidParameterRequired';
  const AUTHORIZE = 'AuthorizeSecurityGroupIngress';
  // `web` has the rule TCP80.
  for (const [action, parameters, code] of [
    [AUTHORIZE, { ...TCP80 }, `${REQUIRED}.GroupName`],
    [AUTHORIZE, { GroupName: 'nobody', ...TCP80 }, 'Client.InvalidParameterNotFound.SecurityGroup'],
    [AUTHORIZE, { GroupName: 'web' }, `${REQUIRED}.IpPermissions`],
    [AUTHORIZE, { GroupName: 'web', ...TCP80 }, 'Client.InvalidParameterDuplicate.SecurityGroup'],
    [AUTHORIZE, { GroupName: 'web', ...ICMP, UserId: 'me' }, `${ILLEGAL}.UserId`],
    [
      AUTHORIZE,
      {
        GroupName: 'web',
        ...ICMP,
        'IpPermissions.1.Groups.1.GroupName': 'web',
        'IpPermissions.1.Groups.1.UserId': 'me',
      },
      `${ILLEGAL}.UserId`,
    ],
    [
      AUTHORIZE,
      { GroupName: 'web', ...ICMP, 'IpPermissions.1.Groups.1.GroupName': 'nobody' },
      'Client.InvalidParameterNotFound.SecurityGroup',
    ],
    [AUTHORIZE, { GroupName: 'web', 'IpPermissions.1.IpProtocol': 'ICMP' }, `${REQUIRED}.CidrIp`],
    [AUTHORIZE, { GroupName: 'web', ...ICMP, 'IpPermissions.1.IpProtocol': '' }, `${REQUIRED}.IpProtocol`],
    [AUTHORIZE, { GroupName: 'web', ...ICMP, 'IpPermissions.1.IpProtocol': 'tcp' }, `${ILLEGAL}.IpProtocol`],
    [AUTHORIZE, { GroupName: 'web', ...ICMP, 'IpPermissions.1.IpProtocol': 'TCP' }, `${REQUIRED}.FromPort`],
    [AUTHORIZE, { GroupName: 'web', ...ICMP, 'IpPermissions.1.FromPort': '80' }, `${ILLEGAL}.FromPort`],
    [AUTHORIZE, { GroupName: 'web', ...ICMP, 'IpPermissions.1.ToPort': '80' }, `${ILLEGAL}.ToPort`],
    [AUTHORIZE, { GroupName: 'web', ...TCP80, 'IpPermissions.1.FromPort': '0' }, `${ILLEGAL}.FromPort`],
    [AUTHORIZE, { GroupName: 'web', ...TCP80, 'IpPermissions.1.FromPort': '65536' }, `${ILLEGAL}.FromPort`],
    [AUTHORIZE, { GroupName: 'web', ...TCP80, 'IpPermissions.1.ToPort': '79' }, `${ILLEGAL}.ToPort`],
    [AUTHORIZE, { GroupName: 'web', ...TCP80, 'IpPermissions.1.ToPort': '65536' }, `${ILLEGAL}.ToPort`],
    [AUTHORIZE, { GroupName: 'web', ...ICMP, 'IpPermissions.1.InOut': 'UP' }, `${ILLEGAL}.InOut`],
    [AUTHORIZE, { GroupName: 'web', ...ICMP, 'IpPermissions.1.IpRanges.1.CidrIp': '10.0.0.0/33' }, `${ILLEGAL}.CidrIp`],
    [AUTHORIZE, { GroupName: 'web', ...ICMP, 'IpPermissions.1.IpRanges.1.CidrIp': 'web' }, `${ILLEGAL}.CidrIp`],
    [AUTHORIZE, { GroupName: 'web', ...ICMP, 'IpPermissions.1.Description': 'x'.repeat(41) }, `${ILLEGAL}.Description`],
    [
      'RevokeSecurityGroupIngress',
      { GroupName: 'web', ...ICMP },
      'Client.InvalidParameterNotFound.SecurityGroupIngress',
    ],
    ['RevokeSecurityGroupIngress', BATCH, 'Client.InvalidParameterNotFound.SecurityGroupIngress'],
    ['RevokeSecurityGroupIngress', { GroupName: 'nobody', ...TCP80 }, 'Client.InvalidParameterNotFound.SecurityGroup'],
    ['CreateSecurityGroup', {}, `${REQUIRED}.GroupName`],
    ['CreateSecurityGroup', { GroupName: 'sixteencharacters' }, `${ILLEGAL}.GroupName`],
    ['CreateSecurityGroup', { GroupName: 'default(Windows)' }, `${ILLEGAL}.GroupName`],
    ['CreateSecurityGroup', { GroupName: 'web' }, 'Client.InvalidParameterDuplicate.SecurityGroup'],
    ['CreateSecurityGroup', { GroupName: 'new', GroupDescription: 'x'.repeat(41) }, `${ILLEGAL}.GroupDescription`],
    [
      'CreateSecurityGroup',
      { GroupName: 'new', 'Placement.AvailabilityZone': 'east-13' },
      'Client.InvalidParameterNotFound.AvailabilityZone',
    ],
    ['DeleteSecurityGroup', { GroupName: 'nobody' }, 'Client.InvalidParameterNotFound.SecurityGroup'],
    ['DeleteSecurityGroup', { GroupName: 'web' }, 'Client.Inoperable.SecurityGroup.InUse'],
    ['UpdateSecurityGroup', { GroupName: 'nobody' }, 'Client.InvalidParameterNotFound.SecurityGroup'],
    [
      'UpdateSecurityGroup',
      { GroupName: 'web', GroupNameUpdate: 'webfar' },
      'Client.InvalidParameterDuplicate.SecurityGroup',
    ],
    ['UpdateSecurityGroup', { GroupName: 'web', GroupNameUpdate: 'a-b' }, `${ILLEGAL}.GroupNameUpdate`],
    ['UpdateSecurityGroup', { GroupName: 'web', GroupLogLimitUpdate: '2000' }, `${ILLEGAL}.GroupLogLimitUpdate`],
    ['UpdateSecurityGroup', { GroupName: 'web', GroupRuleLimitUpdate: '0' }, `${ILLEGAL}.GroupRuleLimitUpdate`],
    ['UpdateSecurityGroup', { GroupName: 'web', GroupLogFilterNetBios: 'yes' }, `${ILLEGAL}.GroupLogFilterNetBios`],
    ['RegisterInstancesWithSecurityGroup', { GroupName: 'web' }, `${REQUIRED}.InstanceId`],
    [
      'RegisterInstancesWithSecurityGroup',
      { GroupName: 'nobody', 'InstanceId.1': 'c' },
      'Client.InvalidParameterNotFound.SecurityGroup',
    ],
    [
      'RegisterInstancesWithSecurityGroup',
      { GroupName: 'web', 'InstanceId.1': 'c', 'InstanceId.2': 'nobody' },
      'Client.InvalidParameterNotFound.Instance',
    ],
    [
      'RegisterInstancesWithSecurityGroup',
      { GroupName: 'web', 'InstanceId.1': 'c', 'InstanceId.2': 'far' },
      'Client.Inoperable.SecurityGroup.DifferentZone',
    ],
    [
      'RegisterInstancesWithSecurityGroup',
      { GroupName: 'web', 'InstanceId.1': 'busy' },
      'Server.ResourceIncorrectState.Instance.Processing',
    ],
    [
      'DeregisterInstancesFromSecurityGroup',
      { GroupName: 'web', 'InstanceId.1': 'a', 'InstanceId.2': 'c' },
      'Client.InvalidParameterNotFound.Instance',
    ],
    ['DescribeSecurityGroups', { 'Filter.1.Name': 'color', 'Filter.1.Value.1': 'x' }, `${ILLEGAL}.Name`],
    ['DescribeSecurityGroups', { 'Filter.1.Value.1': 'x' }, `${ILLEGAL}.Name`],
  ] as const) {
    it(`refuse ${action} of ${JSON.stringify(parameters)} and stay as they are`, async () => {
      await applied(AUTHORIZE, { GroupName: 'web', ...TCP80 });
      const before = simulator.state();
      expect((await client.call(action, parameters)).code).to.equal(code);
      expect(simulator.state()).to.deep.equal(before);
    });
  }
});
