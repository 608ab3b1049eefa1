import { each, type Facts, type Parameters, type Row, type Step } from './row.ts';
import type { FirewallRule } from '../../../nifcloud/firewall-groups.ts';

const GROUP = { GroupName: 'empty11' } as const;
const PROCESSING = 'Server.ResourceIncorrectState.SecurityGroup.Processing';

const SSH = {
  'IpPermissions.1.IpProtocol': 'TCP',
  'IpPermissions.1.InOut': 'IN',
  'IpPermissions.1.FromPort': 22,
  'IpPermissions.1.IpRanges.1.CidrIp': '198.51.100.7',
} as const;
const ssh = { direction: 'in', protocol: 'TCP', fromPort: 22, cidr: '198.51.100.7' } as const;

const AUTHORIZE: Step = ['AuthorizeSecurityGroupIngress', { ...GROUP, ...SSH }];

const INFO = 'securityGroupInfo.item';
const RULES = `${INFO}.0.ipPermissions.item`;

/** Rules as the client has them, on the wire, and in the world. */
const GOOD: readonly (readonly [FirewallRule, Parameters, Facts])[] = [
  [
    { direction: 'in', protocol: 'TCP', fromPort: 80, cidr: '192.0.2.1', description: 'ours' },
    { InOut: 'IN', IpProtocol: 'TCP', FromPort: 80, 'IpRanges.1.CidrIp': '192.0.2.1', Description: 'ours' },
    { protocol: 'TCP', fromPort: 80, toPort: 80, description: 'ours' },
  ],
  [
    { direction: 'out', protocol: 'UDP', fromPort: 1, toPort: 65_535, group: 'nodes11' },
    { InOut: 'OUT', IpProtocol: 'UDP', FromPort: 1, ToPort: 65_535, 'Groups.1.GroupName': 'nodes11' },
    { protocol: 'UDP', fromPort: 1, toPort: 65_535 },
  ],
  ...['ANY', 'ICMP', 'SSH', 'HTTP', 'HTTPS', 'RDP', 'GRE', 'ESP', 'AH', 'VRRP', 'L2TP', 'ICMPv6-all'].map(
    (protocol) =>
      [
        { direction: 'in', protocol, cidr: '0.0.0.0/0' },
        { InOut: 'IN', IpProtocol: protocol, 'IpRanges.1.CidrIp': '0.0.0.0/0' },
        { protocol },
      ] as const,
  ),
];

const BAD: readonly (readonly [what: string, FirewallRule, Parameters, field: string])[] = [
  [
    'TCP without a port',
    { direction: 'in', protocol: 'TCP', cidr: '192.0.2.1' },
    { InOut: 'IN', IpProtocol: 'TCP', 'IpRanges.1.CidrIp': '192.0.2.1' },
    'Required.FromPort',
  ],
  [
    'ICMP with a port',
    { direction: 'in', protocol: 'ICMP', fromPort: 80, cidr: '192.0.2.1' },
    { InOut: 'IN', IpProtocol: 'ICMP', FromPort: 80, 'IpRanges.1.CidrIp': '192.0.2.1' },
    'IllegalInput.FromPort',
  ],
  [
    'a range that ends before it starts',
    { direction: 'in', protocol: 'TCP', fromPort: 80, toPort: 79, cidr: '192.0.2.1' },
    { InOut: 'IN', IpProtocol: 'TCP', FromPort: 80, ToPort: 79, 'IpRanges.1.CidrIp': '192.0.2.1' },
    'IllegalInput.ToPort',
  ],
  [
    'another protocol',
    { direction: 'in', protocol: 'SCTP', cidr: '192.0.2.1' },
    { InOut: 'IN', IpProtocol: 'SCTP', 'IpRanges.1.CidrIp': '192.0.2.1' },
    'IllegalInput.IpProtocol',
  ],
];

function permission(fields: Parameters): Parameters {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [`IpPermissions.1.${name}`, value]));
}

/** docs/reference/nifcloud-api.md §6. */
export const FIREWALL: readonly Row[] = [
  {
    rule: 'groups with their rules and members (§6)',
    action: 'DescribeSecurityGroups',
    parameters: {},
    answer: {
      [`${INFO}.0.groupName`]: 'nodes11',
      [`${INFO}.0.groupDescription`]: 'the nodes',
      [`${INFO}.0.groupStatus`]: 'applied',
      [`${INFO}.0.availabilityZone`]: 'east-11',
      [`${INFO}.0.groupRuleLimit`]: '100',
      [`${INFO}.0.instancesSet.item.0.instanceId`]: 'node01',
      [`${INFO}.0.instanceUniqueIdsSet.item.0.instanceUniqueId`]: 'i-0abc0001',
      [`${RULES}.0.ipProtocol`]: 'TCP',
      [`${RULES}.0.inOut`]: 'IN',
      [`${RULES}.0.fromPort`]: '30000',
      [`${RULES}.0.toPort`]: '32767',
      [`${RULES}.0.ipRanges.item.0.cidrIp`]: '192.0.2.0/24',
      [`${RULES}.0.description`]: 'node ports',
      // A single port has both ends; an address has no /32.
      [`${RULES}.1.fromPort`]: '22',
      [`${RULES}.1.toPort`]: '22',
      [`${RULES}.1.ipRanges.item.0.cidrIp`]: '198.51.100.7',
      [`${RULES}.2.ipProtocol`]: 'ICMP',
      [`${RULES}.2.fromPort`]: undefined,
      [`${RULES}.2.toPort`]: undefined,
      [`${RULES}.3.inOut`]: 'OUT',
      [`${RULES}.3.groups.item.0.groupName`]: 'nodes11',
      [`${RULES}.4`]: undefined,
      [`${INFO}.1.ipPermissions`]: '',
      [`${INFO}.1.instancesSet`]: '',
      [`${INFO}.3`]: undefined,
    },
    typed: ({ firewallGroups }, signal) => firewallGroups.list(signal),
    returns: [
      {
        name: 'nodes11',
        description: 'the nodes',
        zone: 'east-11',
        status: 'applied',
        ruleLimit: 100,
        serverNames: ['node01'],
        serverUniqueIds: ['i-0abc0001'],
        rules: [
          {
            direction: 'in',
            protocol: 'TCP',
            fromPort: 30_000,
            toPort: 32_767,
            cidr: '192.0.2.0/24',
            description: 'node ports',
          },
          { direction: 'in', protocol: 'TCP', fromPort: 22, toPort: 22, cidr: '198.51.100.7', description: '' },
          { direction: 'in', protocol: 'ICMP', fromPort: undefined, toPort: undefined, cidr: '0.0.0.0/0' },
          { direction: 'out', protocol: 'ANY', group: 'nodes11' },
        ],
      },
      { name: 'empty11', rules: [], serverNames: [] },
      { name: 'nodes12', zone: 'east-12', serverNames: ['node03'] },
    ],
  },
  ...each<[string, Parameters, string]>(
    [
      ['name', { 'GroupName.1': 'nodes12' }, 'nodes12'],
      ['the beginning of its name', { 'Filter.1.Name': 'group-name', 'Filter.1.Value.1': 'empty' }, 'empty11'],
      ['its description', { 'Filter.1.Name': 'description', 'Filter.1.Value.1': 'the nodes' }, 'nodes11'],
    ],
    ([what, parameters, name]) => ({
      rule: `a group by ${what} (§6)`,
      action: 'DescribeSecurityGroups',
      parameters,
      answer: { [`${INFO}.0.groupName`]: name, [`${INFO}.1`]: undefined },
    }),
  ),
  {
    rule: 'a group that does not exist (§1.6)',
    action: 'DescribeSecurityGroups',
    parameters: { 'GroupName.1': 'nothing' },
    refused: 'Client.InvalidParameterNotFound.SecurityGroup',
  },

  ...each(GOOD, ([rule, wire, facts]) => ({
    rule: `a rule of ${rule.protocol}: accepted, applied after a while (§6)`,
    action: 'AuthorizeSecurityGroupIngress',
    parameters: { ...GROUP, ...permission(wire) },
    answer: { return: 'true' },
    typed: ({ firewallGroups }, signal) => firewallGroups.authorize('empty11', [rule], signal),
    now: { 'firewallGroups.empty11': {} },
    later: { 'firewallGroups.empty11': { rules: [facts] } },
  })),
  {
    rule: '… processing meanwhile (§6)',
    underway: [AUTHORIZE],
    action: 'DescribeSecurityGroups',
    parameters: { 'GroupName.1': 'empty11' },
    answer: { [`${INFO}.0.groupStatus`]: 'processing' },
  },
  {
    rule: '… applied in the end, and as it was sent (§6)',
    given: [AUTHORIZE],
    action: 'DescribeSecurityGroups',
    parameters: { 'GroupName.1': 'empty11' },
    answer: {
      [`${INFO}.0.groupStatus`]: 'applied',
      [`${RULES}.0.ipRanges.item.0.cidrIp`]: '198.51.100.7',
      [`${RULES}.0.addDatetime`]: /^\d{4}-.*\+09:00$/,
    },
  },
  {
    rule: 'several rules in a call (§6)',
    action: 'AuthorizeSecurityGroupIngress',
    parameters: {
      ...GROUP,
      ...SSH,
      'IpPermissions.2.IpProtocol': 'ICMP',
      'IpPermissions.2.InOut': 'OUT',
      'IpPermissions.2.IpRanges.1.CidrIp': '0.0.0.0/0',
    },
    typed: ({ firewallGroups }, signal) =>
      firewallGroups.authorize('empty11', [ssh, { direction: 'out', protocol: 'ICMP', cidr: '0.0.0.0/0' }], signal),
    now: { 'firewallGroups.empty11': {} },
    later: { 'firewallGroups.empty11': { rules: [{ protocol: 'TCP' }, { protocol: 'ICMP' }] } },
  },
  {
    rule: 'the direction defaults to IN (§6)',
    given: [
      [
        'AuthorizeSecurityGroupIngress',
        { ...GROUP, 'IpPermissions.1.IpProtocol': 'ANY', 'IpPermissions.1.IpRanges.1.CidrIp': '10.0.0.0/8' },
      ],
    ],
    action: 'DescribeSecurityGroups',
    parameters: { 'GroupName.1': 'empty11' },
    answer: { [`${RULES}.0.inOut`]: 'IN' },
  },
  ...each(BAD, ([what, rule, wire, field]) => ({
    rule: `no rule of ${what} (§6)`,
    action: 'AuthorizeSecurityGroupIngress',
    parameters: { ...GROUP, ...permission(wire) },
    typed: ({ firewallGroups }, signal) => firewallGroups.authorize('empty11', [rule], signal),
    unsent: true,
    refused: `Client.InvalidParameter${field}`,
  })),
  {
    rule: 'UserId keys are unusable (§6)',
    action: 'AuthorizeSecurityGroupIngress',
    parameters: { ...GROUP, ...SSH, UserId: 'ABC12345' },
    refused: 'Client.InvalidParameterIllegalInput.UserId',
  },
  {
    rule: 'a rule that is there is not added (§1.6, §6)',
    action: 'AuthorizeSecurityGroupIngress',
    parameters: { GroupName: 'nodes11', ...SSH },
    typed: ({ firewallGroups }, signal) => firewallGroups.authorize('nodes11', [ssh], signal),
    refused: 'Client.InvalidParameterDuplicate.SecurityGroup',
  },
  {
    rule: 'a rule of a group that does not exist (§1.6)',
    action: 'AuthorizeSecurityGroupIngress',
    parameters: { GroupName: 'nothing', ...SSH },
    typed: ({ firewallGroups }, signal) => firewallGroups.authorize('nothing', [ssh], signal),
    refused: 'Client.InvalidParameterNotFound.SecurityGroup',
  },
  {
    rule: 'a group has 100 rules (§6)',
    fleet: {
      groups: [
        {
          name: 'empty11',
          zone: 'east-11',
          rules: Array.from({ length: 100 }, (_, at) => ({ protocol: 'TCP', fromPort: 1000 + at, cidr: '192.0.2.1' })),
        },
        { name: 'nodes11', zone: 'east-11' },
        { name: 'nodes12', zone: 'east-12' },
      ],
    },
    action: 'AuthorizeSecurityGroupIngress',
    parameters: { ...GROUP, ...SSH },
    typed: ({ firewallGroups }, signal) => firewallGroups.authorize('empty11', [ssh], signal),
    refused: 'Client.Inoperable.SecurityGroupIngress.LimitExceeded',
  },

  {
    rule: 'a rule is revoked, after a while (§6)',
    action: 'RevokeSecurityGroupIngress',
    parameters: { GroupName: 'nodes11', ...SSH },
    answer: { return: 'true' },
    typed: ({ firewallGroups }, signal) =>
      firewallGroups.revoke('nodes11', [{ ...ssh, toPort: 22, description: '' }], signal),
    now: { 'firewallGroups.nodes11': {} },
    later: { 'firewallGroups.nodes11': { rules: [{ fromPort: 30_000 }, { protocol: 'ICMP' }, { protocol: 'ANY' }] } },
  },
  ...each(
    [
      { ...ssh, cidr: '198.51.100.8' },
      { ...ssh, fromPort: 23 },
    ],
    (rule) => ({
      rule: `a rule that is not there is not revoked: ${JSON.stringify(rule)} (§1.6)`,
      action: 'RevokeSecurityGroupIngress',
      parameters: {
        GroupName: 'nodes11',
        ...SSH,
        'IpPermissions.1.FromPort': rule.fromPort,
        'IpPermissions.1.IpRanges.1.CidrIp': rule.cidr,
      },
      typed: ({ firewallGroups }, signal) => firewallGroups.revoke('nodes11', [rule], signal),
      refused: 'Client.InvalidParameterNotFound.SecurityGroupIngress',
    }),
  ),
  {
    rule: 'a rule of a group that does not exist (§1.6)',
    action: 'RevokeSecurityGroupIngress',
    parameters: { GroupName: 'nothing', ...SSH },
    typed: ({ firewallGroups }, signal) => firewallGroups.revoke('nothing', [ssh], signal),
    refused: 'Client.InvalidParameterNotFound.SecurityGroup',
  },

  {
    rule: 'a new group of a zone (§6)',
    action: 'CreateSecurityGroup',
    parameters: { GroupName: 'new1', GroupDescription: 'a new one', 'Placement.AvailabilityZone': 'east-12' },
    typed: ({ firewallGroups }, signal) =>
      firewallGroups.create({ name: 'new1', description: 'a new one', zone: 'east-12' }, signal),
    now: { 'firewallGroups.new1': { zone: 'east-12', description: 'a new one', rules: [] } },
  },
  {
    rule: '… of the default zone, unless it is said (§6, §7)',
    action: 'CreateSecurityGroup',
    parameters: { GroupName: 'new1' },
    typed: ({ firewallGroups }, signal) => firewallGroups.create({ name: 'new1' }, signal),
    now: { 'firewallGroups.new1': { zone: 'east-11' } },
  },
  ...each(
    [
      ['nodes11', 'Client.InvalidParameterDuplicate.SecurityGroup'],
      ['sixteenletters16', 'Client.InvalidParameterIllegalInput.GroupName'],
      ['fire-wall', 'Client.InvalidParameterIllegalInput.GroupName'],
    ],
    ([name = '', refused = '']) => ({
      rule: `no group of the name ${name} (§6)`,
      action: 'CreateSecurityGroup',
      parameters: { GroupName: name },
      typed: ({ firewallGroups }, signal) => firewallGroups.create({ name }, signal),
      refused,
    }),
  ),
  {
    rule: 'name, description and limit change; its servers follow (§6)',
    action: 'UpdateSecurityGroup',
    parameters: {
      GroupName: 'empty11',
      GroupNameUpdate: 'full11',
      GroupDescriptionUpdate: 'filled',
      GroupRuleLimitUpdate: 200,
    },
    typed: ({ firewallGroups }, signal) =>
      firewallGroups.update('empty11', { newName: 'full11', description: 'filled', ruleLimit: 200 }, signal),
    now: { 'firewallGroups.empty11': null, 'firewallGroups.full11': {} },
    later: { 'firewallGroups.empty11': null, 'firewallGroups.full11': { description: 'filled', ruleLimit: 200 } },
  },
  {
    rule: 'what is logged (§6)',
    action: 'UpdateSecurityGroup',
    parameters: {
      GroupName: 'empty11',
      GroupLogLimitUpdate: 100_000,
      GroupLogFilterNetBios: true,
      GroupLogFilterBroadcast: true,
    },
    now: { 'firewallGroups.empty11': {} },
    later: { 'firewallGroups.empty11': { logLimit: 100_000, logFilterNetBios: true, logFilterBroadcast: true } },
  },
  {
    rule: 'the log has 1000 or 100000 entries (§6)',
    action: 'UpdateSecurityGroup',
    parameters: { GroupName: 'empty11', GroupLogLimitUpdate: 2000 },
    refused: 'Client.InvalidParameterIllegalInput.GroupLogLimitUpdate',
  },
  {
    rule: 'a group that does not exist (§1.6)',
    action: 'UpdateSecurityGroup',
    parameters: { GroupName: 'nothing', GroupRuleLimitUpdate: 200 },
    typed: ({ firewallGroups }, signal) => firewallGroups.update('nothing', { ruleLimit: 200 }, signal),
    refused: 'Client.InvalidParameterNotFound.SecurityGroup',
  },
  {
    rule: 'a group goes, after a while (§6)',
    action: 'DeleteSecurityGroup',
    parameters: { GroupName: 'empty11' },
    typed: ({ firewallGroups }, signal) => firewallGroups.delete('empty11', signal),
    now: { 'firewallGroups.empty11': {} },
    later: { 'firewallGroups.empty11': null },
  },
  {
    rule: '… but not while servers use it (§1.6)',
    action: 'DeleteSecurityGroup',
    parameters: { GroupName: 'nodes11' },
    typed: ({ firewallGroups }, signal) => firewallGroups.delete('nodes11', signal),
    refused: 'Client.Inoperable.SecurityGroup.InUse',
  },
  {
    rule: '… nor one that does not exist (§1.6)',
    action: 'DeleteSecurityGroup',
    parameters: { GroupName: 'nothing' },
    typed: ({ firewallGroups }, signal) => firewallGroups.delete('nothing', signal),
    refused: 'Client.InvalidParameterNotFound.SecurityGroup',
  },
  {
    rule: 'a server is put into a group (§6)',
    action: 'RegisterInstancesWithSecurityGroup',
    parameters: { GroupName: 'empty11', 'InstanceId.1': 'node02' },
    typed: ({ firewallGroups }, signal) => firewallGroups.registerServers('empty11', ['node02'], signal),
    now: { 'firewallGroups.empty11': {}, 'servers.node02': {} },
    later: { 'servers.node02': { firewallGroup: 'empty11' } },
  },
  {
    rule: 'a server is taken out of a group (§6)',
    action: 'DeregisterInstancesFromSecurityGroup',
    parameters: { GroupName: 'nodes11', 'InstanceId.1': 'node01' },
    typed: ({ firewallGroups }, signal) => firewallGroups.deregisterServers('nodes11', ['node01'], signal),
    now: { 'firewallGroups.nodes11': {}, 'servers.node01': {} },
    later: { 'servers.node01': { firewallGroup: '' } },
  },
  ...each(
    [
      ['nothing', 'node01', 'Client.InvalidParameterNotFound.SecurityGroup'],
      ['empty11', 'nobody', 'Client.InvalidParameterNotFound.Instance'],
    ],
    ([group = '', server = '', refused = '']) => ({
      rule: `a server into a group: ${server} into ${group} (§1.6)`,
      action: 'RegisterInstancesWithSecurityGroup',
      parameters: { GroupName: group, 'InstanceId.1': server },
      typed: ({ firewallGroups }, signal) => firewallGroups.registerServers(group, [server], signal),
      refused,
    }),
  ),
  {
    rule: 'a group is of a zone (§6)',
    action: 'RegisterInstancesWithSecurityGroup',
    parameters: { GroupName: 'empty11', 'InstanceId.1': 'node03' },
    typed: ({ firewallGroups }, signal) => firewallGroups.registerServers('empty11', ['node03'], signal),
    refused: 'Client.Inoperable.SecurityGroup.DifferentZone',
  },

  ...each<[string, Parameters, NonNullable<Row['typed']>]>(
    [
      [
        'AuthorizeSecurityGroupIngress',
        {
          ...GROUP,
          'IpPermissions.1.IpProtocol': 'ANY',
          'IpPermissions.1.InOut': 'IN',
          'IpPermissions.1.IpRanges.1.CidrIp': '::/0',
        },
        ({ firewallGroups }, signal) =>
          firewallGroups.authorize('empty11', [{ direction: 'in', protocol: 'ANY', cidr: '::/0' }], signal),
      ],
      [
        'RevokeSecurityGroupIngress',
        { ...GROUP, ...SSH },
        ({ firewallGroups }, signal) => firewallGroups.revoke('empty11', [ssh], signal),
      ],
      [
        'UpdateSecurityGroup',
        { ...GROUP, GroupRuleLimitUpdate: 200 },
        ({ firewallGroups }, signal) => firewallGroups.update('empty11', { ruleLimit: 200 }, signal),
      ],
      ['DeleteSecurityGroup', GROUP, ({ firewallGroups }, signal) => firewallGroups.delete('empty11', signal)],
      [
        'RegisterInstancesWithSecurityGroup',
        { ...GROUP, 'InstanceId.1': 'node02' },
        ({ firewallGroups }, signal) => firewallGroups.registerServers('empty11', ['node02'], signal),
      ],
      [
        'DeregisterInstancesFromSecurityGroup',
        { ...GROUP, 'InstanceId.1': 'node02' },
        ({ firewallGroups }, signal) => firewallGroups.deregisterServers('empty11', ['node02'], signal),
      ],
    ],
    ([action, parameters, typed]) => ({
      rule: 'one change of a group at a time (§1.8, §6)',
      underway: [AUTHORIZE],
      action,
      parameters,
      typed,
      refused: PROCESSING,
    }),
  ),
];
