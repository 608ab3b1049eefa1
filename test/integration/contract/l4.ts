import { each, type Facts, type Parameters, type Row, type Step } from './row.ts';

const KEY = { LoadBalancerName: 'front', LoadBalancerPort: 80, InstancePort: 30_080 } as const;
const HTTPS = { LoadBalancerName: 'front', LoadBalancerPort: 443, InstancePort: 30_443 } as const;
const NO_NAME = { ...KEY, LoadBalancerName: 'nothing' } as const;
const NO_PORT = { ...KEY, InstancePort: 30_081 } as const;

const key = { name: 'front', loadBalancerPort: 80, instancePort: 30_080 };
const https = { name: 'front', loadBalancerPort: 443, instancePort: 30_443 };
const noName = { ...key, name: 'nothing' };
const noPort = { ...key, instancePort: 30_081 };

/** Each listener has the wrong load balancer, or the wrong ports (§1.6). */
const STRANGERS = [
  [NO_NAME, noName, 'Client.InvalidParameterNotFound.LoadBalancer'],
  [NO_PORT, noPort, 'Client.InvalidParameterNotFound.LoadBalancerPort'],
] as const;

/** What is changed in the first listener of `front`; its second stays. */
function listener(facts: Facts): Facts {
  return { ports: [facts, { loadBalancerPort: 443 }] };
}

const LIST = 'DescribeLoadBalancersResult.LoadBalancerDescriptions.member';
const FILTER = 'SetFilterForLoadBalancerResult.Filter';

const ports = (loadBalancerPort: number, instancePort: number): Parameters => ({
  'Listeners.member.1.LoadBalancerPort': loadBalancerPort,
  'Listeners.member.1.InstancePort': instancePort,
});
const NEW = { LoadBalancerName: 'new1', ...ports(8080, 30_808) };
const wanted = { name: 'new1', listener: { loadBalancerPort: 8080, instancePort: 30_808 } };
const ONE_MORE: Step = ['RegisterPortWithLoadBalancer', { LoadBalancerName: 'front', ...ports(21, 30_021) }];

const CHECK = { 'HealthCheck.Target': 'ICMP', 'HealthCheck.Interval': 5, 'HealthCheck.UnhealthyThreshold': 1 } as const;
const check = { target: 'ICMP', intervalSeconds: 5, unhealthyThreshold: 1 };

const CALLS_ON_LISTENERS: readonly (readonly [string, Parameters, (one: typeof key) => Row['typed']])[] = [
  [
    'ConfigureHealthCheck',
    CHECK,
    (one) =>
      ({ l4LoadBalancers }, signal) =>
        l4LoadBalancers.configureHealthCheck(one, check, signal),
  ],
  [
    'RegisterInstancesWithLoadBalancer',
    { 'Instances.member.1.InstanceId': 'node02' },
    (one) =>
      ({ l4LoadBalancers }, signal) =>
        l4LoadBalancers.registerTargets(one, ['node02'], signal),
  ],
  [
    'DeregisterInstancesFromLoadBalancer',
    { 'Instances.member.1.InstanceId': 'node01' },
    (one) =>
      ({ l4LoadBalancers }, signal) =>
        l4LoadBalancers.deregisterTargets(one, ['node01'], signal),
  ],
  [
    'SetFilterForLoadBalancer',
    { FilterType: 2 },
    (one) =>
      ({ l4LoadBalancers }, signal) =>
        l4LoadBalancers.setFilter(one, { type: 'deny', add: [], remove: [] }, signal),
  ],
  [
    'UpdateLoadBalancerOption',
    { 'SessionStickinessPolicyUpdate.Enable': false },
    (one) =>
      ({ l4LoadBalancers }, signal) =>
        l4LoadBalancers.setOptions(one, { stickiness: 'off' }, signal),
  ],
  [
    'ClearLoadBalancerSession',
    {},
    (one) =>
      ({ l4LoadBalancers }, signal) =>
        l4LoadBalancers.clearSessions(one, signal),
  ],
  [
    'DeleteLoadBalancer',
    {},
    (one) =>
      ({ l4LoadBalancers }, signal) =>
        l4LoadBalancers.deleteListener(one, signal),
  ],
  [
    'DescribeInstanceHealth',
    {},
    (one) =>
      ({ l4LoadBalancers }, signal) =>
        l4LoadBalancers.targetHealth(one, signal),
  ],
  [
    'SetLoadBalancerListenerSSLCertificate',
    { SSLCertificateId: 'cert1' },
    (one) =>
      ({ l4LoadBalancers }, signal) =>
        l4LoadBalancers.setCertificate(one, 'cert1', signal),
  ],
  [
    'UnsetLoadBalancerListenerSSLCertificate',
    {},
    (one) =>
      ({ l4LoadBalancers }, signal) =>
        l4LoadBalancers.unsetCertificate(one, signal),
  ],
  [
    'NiftySetLoadBalancerSSLPoliciesOfListener',
    { SSLPolicyId: '3' },
    (one) =>
      ({ l4LoadBalancers }, signal) =>
        l4LoadBalancers.setSslPolicy(one, '3', signal),
  ],
  [
    'NiftyUnsetLoadBalancerSSLPoliciesOfListener',
    {},
    (one) =>
      ({ l4LoadBalancers }, signal) =>
        l4LoadBalancers.unsetSslPolicy(one, signal),
  ],
];

/** docs/reference/nifcloud-api.md §4. */
export const L4: readonly Row[] = [
  {
    rule: 'a load balancer is made with its first port: no targets, everyone let in, and an address (§4.3)',
    action: 'CreateLoadBalancer',
    parameters: NEW,
    answer: { 'CreateLoadBalancerResult.DNSName': /^127\.100\.0\.\d$/ },
    typed: ({ l4LoadBalancers }, signal) => l4LoadBalancers.create(wanted, signal),
    returns: { vip: /^127\.100\.0\.\d$/ },
    now: {
      'loadBalancers.new1': {
        vip: /^127\.100\.0\.\d$/,
        networkVolumeMbps: 10,
        policyType: 'standard',
        ports: [
          {
            loadBalancerPort: 8080,
            instancePort: 30_808,
            balancingType: 1,
            targets: [],
            filter: { type: 'allow', addresses: [] },
          },
        ],
      },
    },
  },
  {
    rule: 'with everything that can be said at once (§4.1, §4.3)',
    action: 'CreateLoadBalancer',
    parameters: {
      ...NEW,
      'Listeners.member.1.BalancingType': 2,
      AccountingType: '1',
      NetworkVolume: 2000,
      PolicyType: 'ats',
      IpVersion: 'v4',
    },
    typed: ({ l4LoadBalancers }, signal) =>
      l4LoadBalancers.create(
        {
          name: 'new1',
          listener: { ...wanted.listener, balancingType: 2 },
          accountingType: '1',
          networkVolumeMbps: 2000,
          policyType: 'ats',
          ipVersion: 'v4',
        },
        signal,
      ),
    returns: { vip: /./ },
    now: {
      'loadBalancers.new1': {
        networkVolumeMbps: 2000,
        policyType: 'ats',
        ipVersion: 'v4',
        accountingType: '1',
        ports: [{ balancingType: 2 }],
      },
    },
  },
  ...each<[Parameters, number, string]>(
    [
      [{ Protocol: 'HTTP' }, 80, 'HTTP'],
      [{ Protocol: 'HTTPS' }, 443, 'HTTPS'],
      [{ Protocol: 'FTP' }, 21, 'FTP'],
      [{ Protocol: 'HTTP', LoadBalancerPort: 70 }, 70, ''],
      [{ Protocol: 'HTTPS', LoadBalancerPort: 80 }, 80, 'HTTP'],
      [{ LoadBalancerPort: 80 }, 80, 'HTTP'],
    ],
    ([sent, port]) => ({
      rule: `${JSON.stringify(sent)} makes a listener of ${port}/${port} (§4.2)`,
      action: 'CreateLoadBalancer',
      parameters: {
        LoadBalancerName: 'new1',
        ...Object.fromEntries(Object.entries(sent).map(([name, value]) => [`Listeners.member.1.${name}`, value])),
      },
      now: { 'loadBalancers.new1': { ports: [{ loadBalancerPort: port, instancePort: port }] } },
    }),
  ),
  ...each<[string, Parameters, RegExp]>(
    [
      ['HTTP', { 'Listeners.member.1.Protocol': 'HTTP' }, /^HTTP$/i],
      [
        'HTTP, though HTTPS was sent',
        { 'Listeners.member.1.Protocol': 'HTTPS', 'Listeners.member.1.LoadBalancerPort': 80 },
        /^HTTP$/i,
      ],
      ['FTP', { 'Listeners.member.1.LoadBalancerPort': 21 }, /^FTP$/i],
      [
        'custom or empty',
        { 'Listeners.member.1.Protocol': 'HTTP', 'Listeners.member.1.LoadBalancerPort': 70 },
        /^(custom|)$/i,
      ],
    ],
    ([label, sent, fits]) => ({
      rule: `the label follows the port: ${label} (§4.2)`,
      given: [['CreateLoadBalancer', { LoadBalancerName: 'new1', ...sent }]],
      action: 'DescribeLoadBalancers',
      parameters: { 'LoadBalancerNames.member.1': 'new1' },
      answer: { [`${LIST}.0.ListenerDescriptions.member.0.Listener.Protocol`]: fits },
    }),
  ),
  {
    rule: 'a listener needs a protocol or a port (§4.2)',
    action: 'CreateLoadBalancer',
    parameters: { LoadBalancerName: 'new1', 'Listeners.member.1.BalancingType': 1 },
    refused: 'Client.InvalidParameterRequired.LoadBalancerPort',
  },
  {
    rule: 'one listener for each call (§4.3)',
    action: 'CreateLoadBalancer',
    parameters: { ...NEW, 'Listeners.member.2.LoadBalancerPort': 90 },
    refused: 'Client.InvalidParameterIllegalInput.Listeners',
  },
  {
    rule: 'a name is used once (§1.6)',
    action: 'CreateLoadBalancer',
    parameters: { ...NEW, LoadBalancerName: 'front' },
    typed: ({ l4LoadBalancers }, signal) => l4LoadBalancers.create({ ...wanted, name: 'front' }, signal),
    refused: 'Client.InvalidParameterDuplicate.LoadBalancer',
  },
  ...each(['sixteenletters16', 'my-lb'], (name) => ({
    rule: `a name has 1–15 letters and digits, unlike ${name} (§4.1)`,
    action: 'CreateLoadBalancer',
    parameters: { ...NEW, LoadBalancerName: name },
    typed: ({ l4LoadBalancers }, signal) => l4LoadBalancers.create({ ...wanted, name }, signal),
    unsent: true as const,
    refused: 'Client.InvalidParameterIllegalInput.LoadBalancerName',
  })),
  ...each([0, 15, 50, 250, 2100], (networkVolumeMbps) => ({
    rule: `a bandwidth is 10, 20, 30, 40, 100, 200 … 2000, not ${networkVolumeMbps} (§4.1)`,
    action: 'CreateLoadBalancer',
    parameters: { ...NEW, NetworkVolume: networkVolumeMbps },
    typed: ({ l4LoadBalancers }, signal) => l4LoadBalancers.create({ ...wanted, networkVolumeMbps }, signal),
    refused: 'Client.InvalidParameterIllegalInput.NetworkVolume',
  })),
  {
    rule: 'the policy ats is for IPv4 alone (§4.1)',
    action: 'CreateLoadBalancer',
    parameters: { ...NEW, PolicyType: 'ats', IpVersion: 'v6' },
    typed: ({ l4LoadBalancers }, signal) =>
      l4LoadBalancers.create({ ...wanted, policyType: 'ats', ipVersion: 'v6' }, signal),
    refused: 'Client.InvalidParameterIllegalInput.PolicyType',
  },
  {
    rule: 'a region has 6 load balancers for each zone (§4.1)',
    fleet: {
      zones: ['east-11'],
      networks: [],
      routers: [],
      routeTables: [],
      groups: [],
      servers: [],
      disks: [],
      elasticLoadBalancers: [],
      l4LoadBalancers: [1, 2, 3, 4, 5, 6].map((at) => ({ name: `lb${at}`, ports: [{ port: 80 }] })),
    },
    action: 'CreateLoadBalancer',
    parameters: NEW,
    typed: ({ l4LoadBalancers }, signal) => l4LoadBalancers.create(wanted, signal),
    refused: 'Client.Inoperable.LoadBalancer.LimitExceeded',
  },

  {
    rule: 'a further port; the answer echoes it (§4.3)',
    action: 'RegisterPortWithLoadBalancer',
    parameters: { LoadBalancerName: 'front', ...ports(8080, 30_808), 'Listeners.member.1.BalancingType': 2 },
    answer: {
      'RegisterPortWithLoadBalancerResult.Listeners.member.0.LoadBalancerPort': '8080',
      'RegisterPortWithLoadBalancerResult.Listeners.member.0.InstancePort': '30808',
      'RegisterPortWithLoadBalancerResult.Listeners.member.0.BalancingType': '2',
    },
    typed: ({ l4LoadBalancers }, signal) =>
      l4LoadBalancers.registerPort({ name: 'front', listener: { ...wanted.listener, balancingType: 2 } }, signal),
    now: {
      'loadBalancers.front': {
        ports: [
          { loadBalancerPort: 80 },
          { loadBalancerPort: 443 },
          { loadBalancerPort: 8080, instancePort: 30_808, balancingType: 2, targets: [] },
        ],
      },
    },
  },
  {
    rule: 'a listen port is used once (§1.6)',
    action: 'RegisterPortWithLoadBalancer',
    parameters: { LoadBalancerName: 'front', ...ports(443, 30_999) },
    typed: ({ l4LoadBalancers }, signal) =>
      l4LoadBalancers.registerPort(
        { name: 'front', listener: { loadBalancerPort: 443, instancePort: 30_999 } },
        signal,
      ),
    refused: 'Client.Inoperable.LoadBalancerPort.AlreadyExists',
  },
  {
    rule: 'three ports are all (§4.1)',
    given: [ONE_MORE],
    action: 'RegisterPortWithLoadBalancer',
    parameters: { LoadBalancerName: 'front', ...ports(8080, 30_808) },
    typed: ({ l4LoadBalancers }, signal) => l4LoadBalancers.registerPort({ ...wanted, name: 'front' }, signal),
    refused: 'Client.Inoperable.LoadBalancerPort.LimitExceeded',
  },
  {
    rule: 'a port of a load balancer that does not exist (§1.6)',
    action: 'RegisterPortWithLoadBalancer',
    parameters: { LoadBalancerName: 'nothing', ...ports(8080, 30_808) },
    typed: ({ l4LoadBalancers }, signal) => l4LoadBalancers.registerPort({ ...wanted, name: 'nothing' }, signal),
    refused: 'Client.InvalidParameterNotFound.LoadBalancer',
  },

  {
    rule: 'one member for each port, which repeats what the load balancer has (§4.3)',
    action: 'DescribeLoadBalancers',
    parameters: {},
    answer: {
      [`${LIST}.0.LoadBalancerName`]: 'front',
      [`${LIST}.0.DNSName`]: '127.100.7.1',
      [`${LIST}.0.NetworkVolume`]: '20',
      [`${LIST}.0.PolicyType`]: 'standard',
      [`${LIST}.0.AccountingType`]: '2',
      [`${LIST}.0.NextMonthAccountingType`]: '2',
      [`${LIST}.0.CreatedTime`]: '2025-01-02T12:04:05.000+09:00',
      [`${LIST}.0.AvailabilityZones.member.0`]: 'east-11',
      [`${LIST}.0.ListenerDescriptions.member.0.Listener.LoadBalancerPort`]: '80',
      [`${LIST}.0.ListenerDescriptions.member.0.Listener.InstancePort`]: '30080',
      [`${LIST}.0.ListenerDescriptions.member.0.Listener.BalancingType`]: '2',
      [`${LIST}.0.ListenerDescriptions.member.1`]: undefined,
      [`${LIST}.0.HealthCheck.Target`]: 'TCP:30080',
      [`${LIST}.0.HealthCheck.Interval`]: '10',
      [`${LIST}.0.HealthCheck.UnhealthyThreshold`]: '2',
      [`${LIST}.0.HealthCheck.HealthyThreshold`]: '1',
      [`${LIST}.0.HealthCheck.InstanceStates.member.0.InstanceId`]: 'node01',
      [`${LIST}.0.HealthCheck.InstanceStates.member.0.State`]: /^(InService|OutOfService)$/,
      [`${LIST}.0.Instances.member.0.InstanceId`]: 'node01',
      [`${LIST}.0.Instances.member.0.InstanceUniqueId`]: 'i-0abc0001',
      [`${LIST}.0.Filter.FilterType`]: '1',
      [`${LIST}.0.Filter.IPAddresses.member.0.IPAddress`]: '192.0.2.1',
      [`${LIST}.0.Filter.IPAddresses.member.1.IPAddress`]: '198.51.100.0/24',
      [`${LIST}.1.LoadBalancerName`]: 'front',
      [`${LIST}.1.DNSName`]: '127.100.7.1',
      [`${LIST}.1.ListenerDescriptions.member.0.Listener.LoadBalancerPort`]: '443',
      [`${LIST}.1.ListenerDescriptions.member.0.Listener.SSLCertificateId`]: 'cert1',
      [`${LIST}.1.ListenerDescriptions.member.0.Listener.SSLPolicy.SSLPolicyId`]: '3',
      [`${LIST}.1.Filter.FilterType`]: '2',
      [`${LIST}.1.Option.SessionStickinessPolicy.Enabled`]: 'true',
      [`${LIST}.1.Option.SessionStickinessPolicy.ExpirationPeriod`]: '5',
      [`${LIST}.2`]: undefined,
    },
    typed: ({ l4LoadBalancers }, signal) => l4LoadBalancers.list(signal),
    returns: [
      {
        name: 'front',
        vip: '127.100.7.1',
        networkVolumeMbps: 20,
        accountingType: '2',
        nextMonthAccountingType: '2',
        policyType: 'standard',
        zones: ['east-11'],
        listeners: [
          {
            loadBalancerPort: 80,
            instancePort: 30_080,
            balancingType: 2,
            healthCheck: { target: 'TCP:30080', intervalSeconds: 10, unhealthyThreshold: 2 },
            targets: [{ serverName: 'node01', serverUniqueId: 'i-0abc0001' }],
            filter: { type: 'allow', addresses: ['192.0.2.1', '198.51.100.0/24'] },
            stickiness: undefined,
            sorryPage: undefined,
            certificateId: '',
            sslPolicyId: '',
          },
          {
            loadBalancerPort: 443,
            filter: { type: 'deny', addresses: ['192.0.2.66'] },
            targets: [],
            stickiness: { periodMinutes: 5 },
            certificateId: 'cert1',
            sslPolicyId: '3',
          },
        ],
      },
    ],
  },
  {
    rule: 'a filter without entries holds *.*.*.* (§4.3)',
    given: [['CreateLoadBalancer', NEW]],
    action: 'DescribeLoadBalancers',
    parameters: { 'LoadBalancerNames.member.1': 'new1' },
    answer: {
      [`${LIST}.0.Filter.FilterType`]: '1',
      [`${LIST}.0.Filter.IPAddresses.member.0.IPAddress`]: '*.*.*.*',
      [`${LIST}.0.Filter.IPAddresses.member.1`]: undefined,
      [`${LIST}.0.Instances`]: '',
      [`${LIST}.1`]: undefined,
    },
  },
  {
    rule: 'no load balancers at all (§1.5)',
    fleet: { l4LoadBalancers: [] },
    action: 'DescribeLoadBalancers',
    parameters: {},
    answer: { 'DescribeLoadBalancersResult.LoadBalancerDescriptions': '' },
    typed: ({ l4LoadBalancers }, signal) => l4LoadBalancers.list(signal),
    returns: [],
  },
  {
    rule: 'with a name all of its ports (§1.4, §4.3)',
    given: [['CreateLoadBalancer', NEW]],
    action: 'DescribeLoadBalancers',
    parameters: { 'LoadBalancerNames.member.1': 'front' },
    answer: { [`${LIST}.1.LoadBalancerName`]: 'front', [`${LIST}.2`]: undefined },
  },
  {
    rule: 'with a name and its ports in parallel lists that port (§1.4, §4.3)',
    given: [['CreateLoadBalancer', NEW]],
    action: 'DescribeLoadBalancers',
    parameters: {
      'LoadBalancerNames.member.1': 'new1',
      'LoadBalancerNames.LoadBalancerPort.1': 8080,
      'LoadBalancerNames.InstancePort.1': 30_808,
      'LoadBalancerNames.member.2': 'front',
      'LoadBalancerNames.LoadBalancerPort.2': 443,
      'LoadBalancerNames.InstancePort.2': 30_443,
    },
    answer: {
      [`${LIST}.0.LoadBalancerName`]: 'new1',
      [`${LIST}.1.LoadBalancerName`]: 'front',
      [`${LIST}.1.ListenerDescriptions.member.0.Listener.LoadBalancerPort`]: '443',
      [`${LIST}.2`]: undefined,
    },
  },
  {
    rule: 'an unknown name (§1.6)',
    action: 'DescribeLoadBalancers',
    parameters: { 'LoadBalancerNames.member.1': 'nothing' },
    refused: 'Client.InvalidParameterNotFound.LoadBalancer',
  },
  {
    rule: 'a pair of ports that the load balancer has not, though it has each of the two (§1.6)',
    action: 'DescribeLoadBalancers',
    parameters: {
      'LoadBalancerNames.member.1': 'front',
      'LoadBalancerNames.LoadBalancerPort.1': 80,
      'LoadBalancerNames.InstancePort.1': 30_443,
    },
    refused: 'Client.InvalidParameterNotFound.LoadBalancerPort',
  },
  ...each<[string, Facts]>(
    [
      ['self', { [`${LIST}.1.LoadBalancerName`]: 'front' }],
      ['all', { [`${LIST}.1.LoadBalancerName`]: 'front' }],
      ['other', { 'DescribeLoadBalancersResult.LoadBalancerDescriptions': '' }],
    ],
    ([owner, answer]) => ({
      rule: `those of Owner ${owner} (§4.3)`,
      action: 'DescribeLoadBalancers',
      parameters: { Owner: owner },
      answer,
    }),
  ),

  ...CALLS_ON_LISTENERS.flatMap(([action, parameters, typed]) =>
    each(STRANGERS, ([names, one, refused]) => ({
      rule: `a listener that does not exist (${refused.split('.').at(-1)}, §1.6)`,
      action,
      parameters: { ...names, ...parameters },
      typed: typed(one)!,
      refused,
    })),
  ),

  ...each(['ICMP', 'TCP:30080', 'TCP:9'], (target) => ({
    rule: `a check by ${target}; the answer echoes it (§4.1, §4.3)`,
    action: 'ConfigureHealthCheck',
    parameters: {
      ...KEY,
      'HealthCheck.Target': target,
      'HealthCheck.Interval': 300,
      'HealthCheck.UnhealthyThreshold': 10,
    },
    answer: {
      'ConfigureHealthCheckResult.HealthCheck.Target': target,
      'ConfigureHealthCheckResult.HealthCheck.Interval': '300',
      'ConfigureHealthCheckResult.HealthCheck.UnhealthyThreshold': '10',
      'ConfigureHealthCheckResult.HealthCheck.HealthyThreshold': '1',
    },
    typed: ({ l4LoadBalancers }, signal) =>
      l4LoadBalancers.configureHealthCheck(key, { target, intervalSeconds: 300, unhealthyThreshold: 10 }, signal),
    now: {
      'loadBalancers.front': listener({
        loadBalancerPort: 80,
        healthCheck: { target, intervalSeconds: 300, unhealthyThreshold: 10 },
      }),
    },
  })),
  ...each<[string, Parameters, Partial<typeof check>]>(
    [
      ['Target', { 'HealthCheck.Target': 'HTTP:80' }, { target: 'HTTP:80' }],
      ['Target', { 'HealthCheck.Target': 'TCP' }, { target: 'TCP' }],
      ['Interval', { 'HealthCheck.Interval': 4 }, { intervalSeconds: 4 }],
      ['Interval', { 'HealthCheck.Interval': 301 }, { intervalSeconds: 301 }],
      ['UnhealthyThreshold', { 'HealthCheck.UnhealthyThreshold': 0 }, { unhealthyThreshold: 0 }],
      ['UnhealthyThreshold', { 'HealthCheck.UnhealthyThreshold': 11 }, { unhealthyThreshold: 11 }],
    ],
    ([what, parameters, other]) => ({
      rule: `no check with ${JSON.stringify(parameters)} (§4.1)`,
      action: 'ConfigureHealthCheck',
      parameters: { ...KEY, ...CHECK, ...parameters },
      typed: ({ l4LoadBalancers }, signal) => l4LoadBalancers.configureHealthCheck(key, { ...check, ...other }, signal),
      unsent: true,
      refused: `Client.InvalidParameterIllegalInput.${what}`,
    }),
  ),
  {
    rule: 'HealthyThreshold is 1 (§4.1)',
    action: 'ConfigureHealthCheck',
    parameters: { ...KEY, ...CHECK, 'HealthCheck.HealthyThreshold': 2 },
    refused: 'Client.InvalidParameterIllegalInput.HealthyThreshold',
  },

  {
    rule: 'targets are of any zone and in any settled state; the answer echoes those of the call (§4.1, §4.3)',
    action: 'RegisterInstancesWithLoadBalancer',
    parameters: { ...KEY, 'Instances.member.1.InstanceId': 'node02', 'Instances.member.2.InstanceId': 'node03' },
    answer: {
      'RegisterInstancesWithLoadBalancerResult.Instances.member.0.InstanceId': 'node02',
      'RegisterInstancesWithLoadBalancerResult.Instances.member.0.InstanceUniqueId': 'i-0abc0002',
      'RegisterInstancesWithLoadBalancerResult.Instances.member.1.InstanceId': 'node03',
      'RegisterInstancesWithLoadBalancerResult.Instances.member.2': undefined,
    },
    typed: ({ l4LoadBalancers }, signal) => l4LoadBalancers.registerTargets(key, ['node02', 'node03'], signal),
    now: {
      'loadBalancers.front': {
        ports: [
          { targets: [{ serverName: 'node01' }, { serverName: 'node02' }, { serverName: 'node03' }] },
          { targets: [] },
        ],
      },
    },
  },
  ...each(
    [
      ['node01', 'Client.Inoperable.LoadBalancer.HavingRegisteredInstance', 'registered already'],
      ['nobody', 'Client.InvalidParameterNotFound.Instance', 'unknown'],
      ['i-0abc0003', 'Client.InvalidParameterNotFound.Instance', 'named by its unique id'],
      ['busy01', 'Server.ResourceIncorrectState.Instance.Processing', 'busy'],
    ],
    ([name = '', refused = '', what]) => ({
      rule: `a server that is ${what} fails the registration of all (§4.3, §1.6)`,
      action: 'RegisterInstancesWithLoadBalancer',
      parameters: { ...KEY, 'Instances.member.1.InstanceId': 'node03', 'Instances.member.2.InstanceId': name },
      typed: ({ l4LoadBalancers }, signal) => l4LoadBalancers.registerTargets(key, ['node03', name], signal),
      refused,
    }),
  ),
  {
    rule: 'targets are taken off; the answer echoes those of the call (§4.3)',
    action: 'DeregisterInstancesFromLoadBalancer',
    parameters: { ...KEY, 'Instances.member.1.InstanceId': 'node01' },
    answer: {
      'DeregisterInstancesFromLoadBalancerResult.Instances.member.0.InstanceId': 'node01',
      'DeregisterInstancesFromLoadBalancerResult.Instances.member.0.InstanceUniqueId': 'i-0abc0001',
    },
    typed: ({ l4LoadBalancers }, signal) => l4LoadBalancers.deregisterTargets(key, ['node01'], signal),
    now: { 'loadBalancers.front': listener({ targets: [] }) },
  },
  ...each(['node03', 'nobody'], (name) => ({
    rule: `${name}, which is not registered, fails the deregistration of all (§4.3, §1.6)`,
    action: 'DeregisterInstancesFromLoadBalancer',
    parameters: { ...KEY, 'Instances.member.1.InstanceId': 'node01', 'Instances.member.2.InstanceId': name },
    typed: ({ l4LoadBalancers }, signal) => l4LoadBalancers.deregisterTargets(key, ['node01', name], signal),
    refused: 'Client.InvalidParameterNotFound.Instance',
  })),
  {
    rule: 'targets are those of a port, not of the load balancer (§4.3)',
    action: 'DeregisterInstancesFromLoadBalancer',
    parameters: { ...HTTPS, 'Instances.member.1.InstanceId': 'node01' },
    typed: ({ l4LoadBalancers }, signal) => l4LoadBalancers.deregisterTargets(https, ['node01'], signal),
    refused: 'Client.InvalidParameterNotFound.Instance',
  },

  {
    rule: 'a filter grows and shrinks by single entries; the answer has it whole (§4.3)',
    action: 'SetFilterForLoadBalancer',
    parameters: {
      ...KEY,
      FilterType: 1,
      'IPAddresses.member.1.IPAddress': '203.0.113.7',
      'IPAddresses.member.1.AddOnFilter': true,
      'IPAddresses.member.2.IPAddress': '192.0.2.1',
      'IPAddresses.member.2.AddOnFilter': false,
    },
    answer: {
      [`${FILTER}.FilterType`]: '1',
      [`${FILTER}.IPAddresses.member.0.IPAddress`]: '198.51.100.0/24',
      [`${FILTER}.IPAddresses.member.1.IPAddress`]: '203.0.113.7',
      [`${FILTER}.IPAddresses.member.2`]: undefined,
    },
    typed: ({ l4LoadBalancers }, signal) =>
      l4LoadBalancers.setFilter(key, { type: 'allow', add: ['203.0.113.7'], remove: ['192.0.2.1'] }, signal),
    now: { 'loadBalancers.front': listener({ filter: { addresses: ['198.51.100.0/24', '203.0.113.7'] } }) },
  },
  {
    rule: 'AddOnFilter defaults to true; FilterType defaults to 1, which makes a deny list an allow list (§4.3)',
    action: 'SetFilterForLoadBalancer',
    parameters: { ...HTTPS, 'IPAddresses.member.1.IPAddress': '2001:db8::1' },
    answer: { [`${FILTER}.FilterType`]: '1' },
    now: {
      'loadBalancers.front': {
        ports: [{}, { filter: { type: 'allow', addresses: ['192.0.2.66', '2001:db8::1'] } }],
      },
    },
  },
  {
    rule: 'the type is set without addresses (§4.3)',
    action: 'SetFilterForLoadBalancer',
    parameters: { ...KEY, FilterType: 2 },
    typed: ({ l4LoadBalancers }, signal) =>
      l4LoadBalancers.setFilter(key, { type: 'deny', add: [], remove: [] }, signal),
    now: {
      'loadBalancers.front': listener({ filter: { type: 'deny', addresses: ['192.0.2.1', '198.51.100.0/24'] } }),
    },
  },
  {
    rule: 'a filter that loses its last entry shows *.*.*.* (§4.3, §11 no. 19)',
    action: 'SetFilterForLoadBalancer',
    parameters: {
      ...HTTPS,
      FilterType: 2,
      'IPAddresses.member.1.IPAddress': '192.0.2.66',
      'IPAddresses.member.1.AddOnFilter': false,
    },
    answer: { [`${FILTER}.IPAddresses.member.0.IPAddress`]: '*.*.*.*', [`${FILTER}.IPAddresses.member.1`]: undefined },
    typed: ({ l4LoadBalancers }, signal) =>
      l4LoadBalancers.setFilter(https, { type: 'deny', add: [], remove: ['192.0.2.66'] }, signal),
    now: { 'loadBalancers.front': { ports: [{}, { filter: { type: 'deny', addresses: [] } }] } },
  },
  ...each<[string, { add: readonly string[]; remove: readonly string[] }, string]>(
    [
      ['an address that is there is not added', { add: ['192.0.2.1'], remove: [] }, 'Duplicate'],
      ['an address that is not there is not removed', { add: [], remove: ['192.0.2.9'] }, 'NotFound'],
    ],
    ([rule, change, family]) => ({
      rule: `${rule} (§1.6)`,
      action: 'SetFilterForLoadBalancer',
      parameters: {
        ...KEY,
        FilterType: 1,
        'IPAddresses.member.1.IPAddress': [...change.add, ...change.remove].join(','),
        'IPAddresses.member.1.AddOnFilter': change.add.length > 0,
      },
      typed: ({ l4LoadBalancers }, signal) => l4LoadBalancers.setFilter(key, { type: 'allow', ...change }, signal),
      refused: `Client.InvalidParameter${family}.IpAddress`,
    }),
  ),
  ...each([28, 29], (count) => ({
    rule: `a filter of 2 takes ${count} more: 30 are ${count === 28 ? 'possible' : 'all'} (§4.1)`,
    action: 'SetFilterForLoadBalancer',
    parameters: {
      ...KEY,
      FilterType: 1,
      ...Object.fromEntries(
        Array.from({ length: count }, (_, at) => [
          [`IPAddresses.member.${at + 1}.IPAddress`, `203.0.113.${at}`],
          [`IPAddresses.member.${at + 1}.AddOnFilter`, true],
        ]).flat(),
      ),
    },
    typed: ({ l4LoadBalancers }, signal) =>
      l4LoadBalancers.setFilter(
        key,
        { type: 'allow', add: Array.from({ length: count }, (_, at) => `203.0.113.${at}`), remove: [] },
        signal,
      ),
    ...(count === 28
      ? { now: { 'loadBalancers.front': {} } }
      : { refused: 'Client.Inoperable.IpAddress.LimitExceeded' }),
  })),
  {
    rule: 'an entry is an address or a CIDR (§4.1)',
    action: 'SetFilterForLoadBalancer',
    parameters: { ...KEY, FilterType: 1, 'IPAddresses.member.1.IPAddress': 'example.com' },
    refused: 'Client.InvalidParameterIllegalInput.IPAddress',
  },

  {
    rule: 'name, bandwidth and next month’s accounting of the whole (§4.1, §4.3)',
    action: 'UpdateLoadBalancer',
    parameters: {
      LoadBalancerName: 'front',
      LoadBalancerNameUpdate: 'front2',
      NetworkVolumeUpdate: 100,
      AccountingTypeUpdate: '1',
    },
    typed: ({ l4LoadBalancers }, signal) =>
      l4LoadBalancers.update('front', { newName: 'front2', networkVolumeMbps: 100, accountingType: '1' }, signal),
    now: {
      'loadBalancers.front': null,
      'loadBalancers.front2': {
        vip: '127.100.7.1',
        networkVolumeMbps: 100,
        accountingType: '2',
        nextMonthAccountingType: '1',
      },
    },
  },
  {
    rule: 'ports and balancing of a listener (§4.3)',
    action: 'UpdateLoadBalancer',
    parameters: {
      LoadBalancerName: 'front',
      'ListenerUpdate.LoadBalancerPort': 80,
      'ListenerUpdate.InstancePort': 30_080,
      'ListenerUpdate.Listener.LoadBalancerPort': 8080,
      'ListenerUpdate.Listener.InstancePort': 30_081,
      'ListenerUpdate.Listener.BalancingType': 1,
    },
    typed: ({ l4LoadBalancers }, signal) =>
      l4LoadBalancers.updateListener(key, { loadBalancerPort: 8080, instancePort: 30_081, balancingType: 1 }, signal),
    now: {
      'loadBalancers.front': listener({ loadBalancerPort: 8080, instancePort: 30_081, balancingType: 1 }),
    },
  },
  {
    rule: 'a listener does not move to a port that is used (§1.6)',
    action: 'UpdateLoadBalancer',
    parameters: {
      LoadBalancerName: 'front',
      'ListenerUpdate.LoadBalancerPort': 80,
      'ListenerUpdate.InstancePort': 30_080,
      'ListenerUpdate.Listener.LoadBalancerPort': 443,
      'ListenerUpdate.Listener.InstancePort': 30_080,
    },
    typed: ({ l4LoadBalancers }, signal) => l4LoadBalancers.updateListener(key, { loadBalancerPort: 443 }, signal),
    refused: 'Client.Inoperable.LoadBalancerPort.AlreadyExists',
  },
  {
    rule: 'a listener that does not exist is not changed (§1.6)',
    action: 'UpdateLoadBalancer',
    parameters: {
      LoadBalancerName: 'front',
      'ListenerUpdate.LoadBalancerPort': 80,
      'ListenerUpdate.InstancePort': 30_081,
      'ListenerUpdate.Listener.LoadBalancerPort': 80,
      'ListenerUpdate.Listener.InstancePort': 30_082,
    },
    typed: ({ l4LoadBalancers }, signal) => l4LoadBalancers.updateListener(noPort, { instancePort: 30_082 }, signal),
    refused: 'Client.InvalidParameterNotFound.LoadBalancerPort',
  },
  {
    rule: 'a load balancer that does not exist is not changed (§1.6)',
    action: 'UpdateLoadBalancer',
    parameters: { LoadBalancerName: 'nothing', NetworkVolumeUpdate: 100 },
    typed: ({ l4LoadBalancers }, signal) => l4LoadBalancers.update('nothing', { networkVolumeMbps: 100 }, signal),
    refused: 'Client.InvalidParameterNotFound.LoadBalancer',
  },
  {
    rule: 'a new name is not another’s (§1.6)',
    given: [['CreateLoadBalancer', NEW]],
    action: 'UpdateLoadBalancer',
    parameters: { LoadBalancerName: 'front', LoadBalancerNameUpdate: 'new1' },
    typed: ({ l4LoadBalancers }, signal) => l4LoadBalancers.update('front', { newName: 'new1' }, signal),
    refused: 'Client.InvalidParameterDuplicate.LoadBalancer',
  },

  {
    rule: 'stickiness and a sorry page; requests say Enable (§4.3)',
    action: 'UpdateLoadBalancerOption',
    parameters: {
      ...KEY,
      'SessionStickinessPolicyUpdate.Enable': true,
      'SessionStickinessPolicyUpdate.ExpirationPeriod': 30,
      'SorryPageUpdate.Enable': true,
      'SorryPageUpdate.StatusCode': 503,
    },
    typed: ({ l4LoadBalancers }, signal) =>
      l4LoadBalancers.setOptions(key, { stickiness: { periodMinutes: 30 }, sorryPage: { statusCode: 503 } }, signal),
    now: {
      'loadBalancers.front': listener({
        stickiness: { enabled: true, periodMinutes: 30 },
        sorryPage: { enabled: true, statusCode: 503 },
      }),
    },
  },
  {
    rule: '… answers Enabled (§4.3)',
    given: [
      ['UpdateLoadBalancerOption', { ...KEY, 'SorryPageUpdate.Enable': true, 'SorryPageUpdate.StatusCode': 200 }],
    ],
    action: 'DescribeLoadBalancers',
    parameters: {},
    answer: {
      [`${LIST}.0.Option.SorryPage.Enabled`]: 'true',
      [`${LIST}.0.Option.SorryPage.StatusCode`]: '200',
      [`${LIST}.0.Option.SessionStickinessPolicy.Enabled`]: 'false',
    },
  },
  {
    rule: 'stickiness ends, the rest stays (§4.3)',
    action: 'UpdateLoadBalancerOption',
    parameters: { ...HTTPS, 'SessionStickinessPolicyUpdate.Enable': false },
    typed: ({ l4LoadBalancers }, signal) => l4LoadBalancers.setOptions(https, { stickiness: 'off' }, signal),
    now: { 'loadBalancers.front': { ports: [{}, { stickiness: { enabled: false } }] } },
  },
  {
    rule: 'a sorry page needs listen port 80 (§4.3)',
    action: 'UpdateLoadBalancerOption',
    parameters: { ...HTTPS, 'SorryPageUpdate.Enable': true, 'SorryPageUpdate.StatusCode': 200 },
    typed: ({ l4LoadBalancers }, signal) =>
      l4LoadBalancers.setOptions(https, { sorryPage: { statusCode: 200 } }, signal),
    refused: 'Client.InvalidParameterIllegalInput.Enable',
  },
  {
    rule: 'a sorry page has 200 or 503 (§4.3)',
    action: 'UpdateLoadBalancerOption',
    parameters: { ...KEY, 'SorryPageUpdate.Enable': true, 'SorryPageUpdate.StatusCode': 404 },
    typed: ({ l4LoadBalancers }, signal) => l4LoadBalancers.setOptions(key, { sorryPage: { statusCode: 404 } }, signal),
    unsent: true,
    refused: 'Client.InvalidParameterIllegalInput.StatusCode',
  },
  ...each([2, 61], (periodMinutes) => ({
    rule: `stickiness lasts 3–60 minutes, not ${periodMinutes} (§4.3)`,
    action: 'UpdateLoadBalancerOption',
    parameters: {
      ...KEY,
      'SessionStickinessPolicyUpdate.Enable': true,
      'SessionStickinessPolicyUpdate.ExpirationPeriod': periodMinutes,
    },
    typed: ({ l4LoadBalancers }, signal) => l4LoadBalancers.setOptions(key, { stickiness: { periodMinutes } }, signal),
    refused: 'Client.InvalidParameterIllegalInput.ExpirationPeriod',
  })),
  {
    rule: 'sessions are forgotten, settings stay (§4.3)',
    action: 'ClearLoadBalancerSession',
    parameters: { ...HTTPS },
    typed: ({ l4LoadBalancers }, signal) => l4LoadBalancers.clearSessions(https, signal),
    now: { 'loadBalancers.front': { ports: [{}, { stickiness: { enabled: true, periodMinutes: 5 } }] } },
  },

  {
    rule: 'a certificate ends TLS at a listener (§4.3)',
    action: 'SetLoadBalancerListenerSSLCertificate',
    parameters: { ...HTTPS, SSLCertificateId: 'cert2' },
    typed: ({ l4LoadBalancers }, signal) => l4LoadBalancers.setCertificate(https, 'cert2', signal),
    now: { 'loadBalancers.front': { ports: [{}, { sslCertificateId: 'cert2' }] } },
  },
  {
    rule: 'a certificate exists (§1.6)',
    action: 'SetLoadBalancerListenerSSLCertificate',
    parameters: { ...HTTPS, SSLCertificateId: 'nothing' },
    typed: ({ l4LoadBalancers }, signal) => l4LoadBalancers.setCertificate(https, 'nothing', signal),
    refused: 'Client.InvalidParameterNotFound.SslCertificate',
  },
  {
    rule: 'a listener loses its certificate (§4.3)',
    action: 'UnsetLoadBalancerListenerSSLCertificate',
    parameters: { ...HTTPS },
    typed: ({ l4LoadBalancers }, signal) => l4LoadBalancers.unsetCertificate(https, signal),
    now: { 'loadBalancers.front': { ports: [{}, { sslCertificateId: '' }] } },
  },
  {
    rule: 'a TLS policy by its id (§4.3)',
    action: 'NiftySetLoadBalancerSSLPoliciesOfListener',
    parameters: { ...HTTPS, SSLPolicyId: '4' },
    typed: ({ l4LoadBalancers }, signal) => l4LoadBalancers.setSslPolicy(https, '4', signal),
    now: { 'loadBalancers.front': { ports: [{}, { sslPolicyId: '4' }] } },
  },
  {
    rule: '… or by its name (§4.3)',
    given: [['NiftySetLoadBalancerSSLPoliciesOfListener', { ...HTTPS, SSLPolicyName: 'Standard Ciphers A' }]],
    action: 'DescribeLoadBalancers',
    parameters: {},
    answer: { [`${LIST}.1.ListenerDescriptions.member.0.Listener.SSLPolicy.SSLPolicyName`]: 'Standard Ciphers A' },
  },
  {
    rule: 'a listener loses its TLS policy (§4.3)',
    action: 'NiftyUnsetLoadBalancerSSLPoliciesOfListener',
    parameters: { ...HTTPS },
    typed: ({ l4LoadBalancers }, signal) => l4LoadBalancers.unsetSslPolicy(https, signal),
    now: { 'loadBalancers.front': { ports: [{}, { sslPolicyId: '' }] } },
  },

  {
    rule: 'a port goes with all it has; the other stays (§4.3)',
    action: 'DeleteLoadBalancer',
    parameters: { ...KEY },
    answer: { DeleteLoadBalancerResult: '' },
    typed: ({ l4LoadBalancers }, signal) => l4LoadBalancers.deleteListener(key, signal),
    now: { 'loadBalancers.front': { ports: [{ loadBalancerPort: 443 }] } },
  },
  {
    rule: 'with the last port the load balancer goes (§4.3)',
    given: [['DeleteLoadBalancer', { ...KEY }]],
    action: 'DeleteLoadBalancer',
    parameters: { ...HTTPS },
    typed: ({ l4LoadBalancers }, signal) => l4LoadBalancers.deleteListener(https, signal),
    now: { 'loadBalancers.front': null },
  },
  {
    rule: '… and is then not found (§4.3)',
    given: [
      ['DeleteLoadBalancer', { ...KEY }],
      ['DeleteLoadBalancer', { ...HTTPS }],
    ],
    action: 'DescribeLoadBalancers',
    parameters: { 'LoadBalancerNames.member.1': 'front' },
    refused: 'Client.InvalidParameterNotFound.LoadBalancer',
  },

  {
    rule: 'health of all targets of a port (§4.3)',
    action: 'DescribeInstanceHealth',
    parameters: { ...KEY },
    answer: {
      'DescribeInstanceHealthResult.InstanceStates.member.0.InstanceId': 'node01',
      'DescribeInstanceHealthResult.InstanceStates.member.0.InstanceUniqueId': 'i-0abc0001',
      'DescribeInstanceHealthResult.InstanceStates.member.0.State': /^(InService|OutOfService)$/,
      'DescribeInstanceHealthResult.InstanceStates.member.0.ReasonCode': /^(ELB|N\/A|)$/,
      'DescribeInstanceHealthResult.InstanceStates.member.1': undefined,
    },
    typed: ({ l4LoadBalancers }, signal) => l4LoadBalancers.targetHealth(key, signal),
    returns: [{ serverName: 'node01', serverUniqueId: 'i-0abc0001', state: /^(InService|OutOfService)$/ }],
  },
  {
    rule: '… of one that has none (§1.5)',
    action: 'DescribeInstanceHealth',
    parameters: { ...HTTPS },
    answer: { 'DescribeInstanceHealthResult.InstanceStates': '' },
    typed: ({ l4LoadBalancers }, signal) => l4LoadBalancers.targetHealth(https, signal),
    returns: [],
  },
  {
    rule: '… of named ones, which must be registered (§4.3, §1.6)',
    action: 'DescribeInstanceHealth',
    parameters: { ...KEY, 'Instances.member.1.InstanceId': 'node03' },
    typed: ({ l4LoadBalancers }, signal) => l4LoadBalancers.targetHealth(key, signal, ['node03']),
    refused: 'Client.InvalidParameterNotFound.Instance',
  },
];
