import type { ElasticListenerKey } from '../../../nifcloud/elastic-requests.ts';
import { each, type Parameters, type Row, type Step } from './row.ts';

const REFERENCE = { ElasticLoadBalancerId: 'elb-0abc1def' } as const;
const PORTS = { Protocol: 'HTTP', ElasticLoadBalancerPort: 80, InstancePort: 30_080 } as const;
const KEY = { ...REFERENCE, ...PORTS } as const;
const HTTPS = { ...REFERENCE, Protocol: 'HTTPS', ElasticLoadBalancerPort: 443, InstancePort: 30_443 } as const;
const UDP = {
  ElasticLoadBalancerName: 'outer',
  Protocol: 'UDP',
  ElasticLoadBalancerPort: 53,
  InstancePort: 30_053,
} as const;
const NOTHING = 'elb-0nothing';

const key = { id: 'elb-0abc1def', protocol: 'HTTP', loadBalancerPort: 80, instancePort: 30_080 };
const https = { ...key, protocol: 'HTTPS', loadBalancerPort: 443, instancePort: 30_443 };
const udp = { name: 'outer', protocol: 'UDP', loadBalancerPort: 53, instancePort: 30_053 };
const { id: _, ...ports } = key;

const NO_LISTENER = 'Client.InvalidParameterNotFound.Protocol.or.ElasticLoadBalancerPort';

/** What is not there: a name, an id, or any part of what names a listener (§1.6). */
const STRANGERS = [
  [
    { ...PORTS, ElasticLoadBalancerName: 'nothing' },
    { ...ports, name: 'nothing' },
    'Client.InvalidParameterNotFound.ElasticLoadBalancer',
  ],
  [
    { ...PORTS, ElasticLoadBalancerId: NOTHING },
    { ...ports, id: NOTHING },
    'Client.InvalidParameterNotFound.ElasticLoadBalancerId',
  ],
  [{ ...KEY, Protocol: 'TCP' }, { ...key, protocol: 'TCP' }, NO_LISTENER],
  [{ ...KEY, ElasticLoadBalancerPort: 81 }, { ...key, loadBalancerPort: 81 }, NO_LISTENER],
  [{ ...KEY, InstancePort: 30_443 }, { ...key, instancePort: 30_443 }, NO_LISTENER],
] as const;

/** Whatever it is that changes: not while another change is under way (§5.2, §10). */
const PROCESSING = 'Server.ResourceIncorrectState.ElasticLoadBalancer.Processing';
const UPDATE: Step = ['NiftyUpdateElasticLoadBalancer', { ...REFERENCE, NetworkVolumeUpdate: 30 }];

const CHECK = { 'HealthCheck.Target': 'ICMP', 'HealthCheck.Interval': 5, 'HealthCheck.UnhealthyThreshold': 1 } as const;
const check = { target: 'ICMP', intervalSeconds: 5, unhealthyThreshold: 1 };

const DESCRIPTION = 'LoadBalancerAttributes.AdditionalAttributes.member.1';

/** All that changes a listener that there is, or tells of it. */
const CALLS_ON_LISTENERS: readonly (readonly [string, Parameters, (one: ElasticListenerKey) => Row['typed']])[] = [
  [
    'NiftyConfigureElasticLoadBalancerHealthCheck',
    CHECK,
    (one) =>
      ({ elasticLoadBalancers }, signal) =>
        elasticLoadBalancers.configureHealthCheck(one, check, signal),
  ],
  [
    'NiftyRegisterInstancesWithElasticLoadBalancer',
    { 'Instances.member.1.InstanceUniqueId': 'i-0abc0002' },
    (one) =>
      ({ elasticLoadBalancers }, signal) =>
        elasticLoadBalancers.registerTargets(one, ['i-0abc0002'], signal),
  ],
  [
    'NiftyDeregisterInstancesFromElasticLoadBalancer',
    { 'Instances.member.1.InstanceUniqueId': 'i-0abc0001' },
    (one) =>
      ({ elasticLoadBalancers }, signal) =>
        elasticLoadBalancers.deregisterTargets(one, ['i-0abc0001'], signal),
  ],
  [
    'NiftyModifyElasticLoadBalancerAttributes',
    { [`${DESCRIPTION}.Key`]: 'description', [`${DESCRIPTION}.Value`]: 'x' },
    (one) =>
      ({ elasticLoadBalancers }, signal) =>
        elasticLoadBalancers.modifyListener(one, { description: 'x' }, signal),
  ],
  [
    'NiftyDeleteElasticLoadBalancer',
    {},
    (one) =>
      ({ elasticLoadBalancers }, signal) =>
        elasticLoadBalancers.deleteListener(one, signal),
  ],
];

const NEW = {
  ElasticLoadBalancerName: 'new1',
  'AvailabilityZones.member.1': 'east-11',
  'Listeners.member.1.Protocol': 'TCP',
  'Listeners.member.1.ElasticLoadBalancerPort': 8080,
  'Listeners.member.1.InstancePort': 30_808,
  'NetworkInterface.1.NetworkId': 'net-COMMON_GLOBAL',
  'NetworkInterface.1.IsVipNetwork': true,
} as const;
const wanted = {
  name: 'new1',
  zone: 'east-11',
  listener: { protocol: 'TCP', loadBalancerPort: 8080, instancePort: 30_808 },
  interfaces: [{ networkId: 'net-COMMON_GLOBAL', isVip: true }],
};

const LAN = {
  'NetworkInterface.1.NetworkId': 'net-0abc1def',
  'NetworkInterface.1.IpAddress': '192.168.0.30',
  'NetworkInterface.1.SystemIpAddresses.1.SystemIpAddress': '192.168.0.31',
  'NetworkInterface.1.SystemIpAddresses.2.SystemIpAddress': '192.168.0.32',
} as const;
const lan = {
  networkId: 'net-0abc1def',
  isVip: true,
  address: '192.168.0.30',
  systemAddresses: ['192.168.0.31', '192.168.0.32'],
};

const NEW_PORT = {
  ...REFERENCE,
  'Listeners.member.1.Protocol': 'UDP',
  'Listeners.member.1.ElasticLoadBalancerPort': 53,
  'Listeners.member.1.InstancePort': 30_053,
} as const;
const newPort = { protocol: 'UDP', loadBalancerPort: 53, instancePort: 30_053 };

const LIST = 'NiftyDescribeElasticLoadBalancersResult.ElasticLoadBalancerDescriptions.member';
const LISTENERS = `${LIST}.0.ElasticLoadBalancerListenerDescriptions.member`;
const HEALTH = 'NiftyDescribeInstanceElasticLoadBalancerHealthResult.InstanceStates';

function without(parameters: Parameters, ...names: readonly string[]): Parameters {
  return Object.fromEntries(Object.entries(parameters).filter(([name]) => !names.includes(name)));
}

/** docs/reference/nifcloud-api.md §5. */
export const ELASTIC: readonly Row[] = [
  {
    rule: 'a load balancer is made in its time: pending, then available; its address is not in the answer (§5.2, §5.4)',
    action: 'NiftyCreateElasticLoadBalancer',
    parameters: NEW,
    answer: { 'NiftyCreateElasticLoadBalancerResult.DNSName': '' },
    typed: ({ elasticLoadBalancers }, signal) => elasticLoadBalancers.create(wanted, signal),
    now: { 'elasticLoadBalancers.new1': { uniqueId: /^elb-[0-9a-z]{8}$/, zone: 'east-11', networkVolumeMbps: 10 } },
    later: {
      'elasticLoadBalancers.new1': {
        vip: /^127\.100\.0\.\d+$/,
        accountingType: /^[12]$/,
        listeners: [{ protocol: 'TCP', loadBalancerPort: 8080, instancePort: 30_808, balancingType: 1, targets: [] }],
      },
    },
  },
  {
    rule: '… pending meanwhile (§5.2)',
    underway: [['NiftyCreateElasticLoadBalancer', NEW]],
    action: 'NiftyDescribeElasticLoadBalancers',
    parameters: { 'ElasticLoadBalancers.ElasticLoadBalancerName.1': 'new1' },
    answer: { [`${LIST}.0.State`]: 'pending' },
  },
  {
    rule: '… available in the end (§5.2)',
    given: [['NiftyCreateElasticLoadBalancer', NEW]],
    action: 'NiftyDescribeElasticLoadBalancers',
    parameters: { 'ElasticLoadBalancers.ElasticLoadBalancerName.1': 'new1' },
    answer: {
      [`${LIST}.0.State`]: 'available',
      [`${LIST}.0.DNSName`]: /^127\./,
      // The global interface has system addresses too, of the cloud's choice (§5.4).
      [`${LIST}.0.NetworkInterfaces.member.0.SystemIpAddresses.member.0.SystemIpAddress`]: /./,
    },
  },
  {
    rule: 'two arms, with health check, targets, stickiness and sorry page from the start (§5.1, §5.4)',
    action: 'NiftyCreateElasticLoadBalancer',
    parameters: {
      ElasticLoadBalancerName: 'new1',
      'AvailabilityZones.member.1': 'east-11',
      'Listeners.member.1.Protocol': 'HTTPS',
      'Listeners.member.1.ElasticLoadBalancerPort': 443,
      'Listeners.member.1.InstancePort': 30_443,
      'Listeners.member.1.BalancingType': 2,
      'Listeners.member.1.Description': 'web',
      'Listeners.member.1.SSLCertificateId': 'cert1',
      'Listeners.member.1.HealthCheck.Target': 'HTTPS:30443',
      'Listeners.member.1.HealthCheck.Interval': 7,
      'Listeners.member.1.HealthCheck.UnhealthyThreshold': 3,
      'Listeners.member.1.HealthCheck.Path': '/healthz',
      'Listeners.member.1.HealthCheck.Expectation.member.1.HttpCode': '2xx',
      'Listeners.member.1.HealthCheck.Expectation.member.2.HttpCode': '3xx',
      'Listeners.member.1.Instances.member.1.InstanceUniqueId': 'i-0abc0001',
      'Listeners.member.1.Session.StickinessPolicy.Enable': true,
      'Listeners.member.1.Session.StickinessPolicy.Method': '2',
      'Listeners.member.1.Session.StickinessPolicy.ExpirationPeriod': 1440,
      'Listeners.member.1.SorryPage.Enable': true,
      'Listeners.member.1.SorryPage.RedirectUrl': 'https://sorry.example/',
      ...LAN,
      'NetworkInterface.1.IsVipNetwork': false,
      'NetworkInterface.2.NetworkId': 'net-COMMON_GLOBAL',
      'NetworkInterface.2.IsVipNetwork': true,
      AccountingType: '1',
      NetworkVolume: 500,
    },
    typed: ({ elasticLoadBalancers }, signal) =>
      elasticLoadBalancers.create(
        {
          name: 'new1',
          zone: 'east-11',
          listener: {
            protocol: 'HTTPS',
            loadBalancerPort: 443,
            instancePort: 30_443,
            balancingType: 2,
            description: 'web',
            certificateId: 'cert1',
            healthCheck: {
              target: 'HTTPS:30443',
              intervalSeconds: 7,
              unhealthyThreshold: 3,
              path: '/healthz',
              httpCodes: ['2xx', '3xx'],
            },
            serverUniqueIds: ['i-0abc0001'],
            stickiness: { method: 'cookie', periodMinutes: 1440 },
            sorryPage: { redirectUrl: 'https://sorry.example/' },
          },
          interfaces: [
            { ...lan, isVip: false },
            { networkId: 'net-COMMON_GLOBAL', isVip: true },
          ],
          accountingType: '1',
          networkVolumeMbps: 500,
        },
        signal,
      ),
    now: { 'elasticLoadBalancers.new1': {} },
    later: {
      'elasticLoadBalancers.new1': {
        networkVolumeMbps: 500,
        accountingType: '1',
        interfaces: [
          {
            networkId: 'net-0abc1def',
            ipAddress: '192.168.0.30',
            systemIpAddresses: ['192.168.0.31', '192.168.0.32'],
            isVip: false,
          },
          { networkId: 'net-COMMON_GLOBAL', isVip: true },
        ],
        listeners: [
          {
            protocol: 'HTTPS',
            description: 'web',
            balancingType: 2,
            sslCertificateId: 'cert1',
            healthCheck: {
              target: 'HTTPS:30443',
              intervalSeconds: 7,
              unhealthyThreshold: 3,
              path: '/healthz',
              httpCodes: ['2xx', '3xx'],
            },
            targets: [{ serverName: 'node01' }],
            stickiness: { enabled: true, method: 2, periodMinutes: 1440 },
            sorryPage: { enabled: true, redirectUrl: 'https://sorry.example/' },
          },
        ],
      },
    },
  },
  {
    rule: 'a private LAN by its name; targets by names (§5.1, §5.4)',
    action: 'NiftyCreateElasticLoadBalancer',
    parameters: {
      ...without({ ...NEW, ...LAN }, 'NetworkInterface.1.NetworkId'),
      'NetworkInterface.1.NetworkName': 'lan1',
      'Listeners.member.1.Instances.member.1.InstanceId': 'node01',
    },
    now: { 'elasticLoadBalancers.new1': {} },
    later: {
      'elasticLoadBalancers.new1': {
        vip: '192.168.0.30',
        interfaces: [{ networkId: 'net-0abc1def', networkName: 'lan1' }],
        listeners: [{ targets: [{ serverName: 'node01' }] }],
      },
    },
  },
  {
    rule: 'a name is used once (§1.6)',
    action: 'NiftyCreateElasticLoadBalancer',
    parameters: { ...NEW, ElasticLoadBalancerName: 'inner' },
    typed: ({ elasticLoadBalancers }, signal) => elasticLoadBalancers.create({ ...wanted, name: 'inner' }, signal),
    refused: 'Client.InvalidParameterDuplicate.ElasticLoadBalancer',
  },
  ...each(['sixteenletters16', 'my-elb'], (name) => ({
    rule: `a name has 1–15 letters and digits, unlike ${name} (§5.1)`,
    action: 'NiftyCreateElasticLoadBalancer',
    parameters: { ...NEW, ElasticLoadBalancerName: name },
    typed: ({ elasticLoadBalancers }, signal) => elasticLoadBalancers.create({ ...wanted, name }, signal),
    unsent: true as const,
    refused: 'Client.InvalidParameterIllegalInput.ElasticLoadBalancerName',
  })),
  ...each([50, 600], (networkVolumeMbps) => ({
    rule: `a bandwidth is 10, 20, 30, 40, 100, 200 … 500, not ${networkVolumeMbps} (§5.1)`,
    action: 'NiftyCreateElasticLoadBalancer',
    parameters: { ...NEW, NetworkVolume: networkVolumeMbps },
    typed: ({ elasticLoadBalancers }, signal) => elasticLoadBalancers.create({ ...wanted, networkVolumeMbps }, signal),
    refused: 'Client.InvalidParameterIllegalInput.NetworkVolume',
  })),
  ...each<[string, Parameters, string]>(
    [
      [
        'without an address in a private LAN',
        without({ ...NEW, ...LAN }, 'NetworkInterface.1.IpAddress'),
        'Client.InvalidParameterRequired.IpAddress',
      ],
      [
        'with one system address in a private LAN: two are needed',
        without({ ...NEW, ...LAN }, 'NetworkInterface.1.SystemIpAddresses.2.SystemIpAddress'),
        'Client.InvalidParameterIllegalInput.SystemIpAddresses',
      ],
      [
        'with three',
        { ...NEW, ...LAN, 'NetworkInterface.1.SystemIpAddresses.3.SystemIpAddress': '192.168.0.33' },
        'Client.InvalidParameterIllegalInput.SystemIpAddresses',
      ],
      [
        'with an address in the global network',
        { ...NEW, 'NetworkInterface.1.IpAddress': '203.0.113.5' },
        'Client.InvalidParameterIllegalInput.IpAddress',
      ],
      [
        'with both id and name of a network',
        { ...NEW, ...LAN, 'NetworkInterface.1.NetworkName': 'lan1' },
        'Client.InvalidParameterIllegalInput.NetworkName',
      ],
      [
        'in a network that does not exist',
        { ...NEW, 'NetworkInterface.1.NetworkId': 'net-0nothing' },
        'Client.InvalidParameterNotFound.NetworkId',
      ],
      [
        'with the address of clients in two networks',
        {
          ...NEW,
          ...LAN,
          'NetworkInterface.2.NetworkId': 'net-COMMON_GLOBAL',
          'NetworkInterface.2.IsVipNetwork': true,
        },
        'Client.InvalidParameterIllegalInput.IsVipNetwork',
      ],
      [
        'of HTTPS without a certificate',
        { ...NEW, 'Listeners.member.1.Protocol': 'HTTPS' },
        'Client.InvalidParameterRequired.SSLCertificateId',
      ],
      [
        'of TCP with a certificate',
        { ...NEW, 'Listeners.member.1.SSLCertificateId': 'cert1' },
        'Client.InvalidParameterIllegalInput.SSLCertificateId',
      ],
      [
        'with a certificate that does not exist',
        { ...NEW, 'Listeners.member.1.Protocol': 'HTTPS', 'Listeners.member.1.SSLCertificateId': 'nothing' },
        'Client.InvalidParameterNotFound.SslCertificate',
      ],
      [
        'with a target that does not exist',
        { ...NEW, 'Listeners.member.1.Instances.member.1.InstanceId': 'nobody' },
        'Client.InvalidParameterNotFound.Instance',
      ],
      [
        'in two zones',
        { ...NEW, 'AvailabilityZones.member.2': 'east-12' },
        'Client.InvalidParameterIllegalInput.AvailabilityZones',
      ],
      [
        'in a zone that does not exist',
        { ...NEW, 'AvailabilityZones.member.1': 'east-99' },
        'Client.InvalidParameterNotFound.AvailabilityZone',
      ],
      [
        'with a sorry page for TCP',
        {
          ...NEW,
          'Listeners.member.1.SorryPage.Enable': true,
          'Listeners.member.1.SorryPage.RedirectUrl': 'https://sorry.example/',
        },
        'Client.InvalidParameterIllegalInput.Enable',
      ],
    ],
    ([what, parameters, refused]) => ({
      rule: `no load balancer ${what} (§5.1)`,
      action: 'NiftyCreateElasticLoadBalancer',
      parameters,
      refused,
    }),
  ),
  {
    rule: 'load balancers of a private LAN are made one after another (§1.8, §10)',
    underway: [['NiftyCreateElasticLoadBalancer', { ...NEW, ...LAN }]],
    action: 'NiftyCreateElasticLoadBalancer',
    parameters: {
      ...NEW,
      ElasticLoadBalancerName: 'new2',
      'NetworkInterface.1.NetworkId': 'net-0abc1def',
      'NetworkInterface.1.IpAddress': '192.168.0.40',
      'NetworkInterface.1.SystemIpAddresses.1.SystemIpAddress': '192.168.0.41',
      'NetworkInterface.1.SystemIpAddresses.2.SystemIpAddress': '192.168.0.42',
    },
    typed: ({ elasticLoadBalancers }, signal) =>
      elasticLoadBalancers.create(
        {
          ...wanted,
          name: 'new2',
          interfaces: [{ ...lan, address: '192.168.0.40', systemAddresses: ['192.168.0.41', '192.168.0.42'] }],
        },
        signal,
      ),
    refused: 'Server.ResourceIncorrectState.Network.Processing',
  },
  {
    rule: 'a zone has 5 (§5.1)',
    fleet: {
      routeTables: [],
      routers: [],
      elasticLoadBalancers: [1, 2, 3, 4, 5].map((at) => ({
        name: `elb${at}`,
        zone: 'east-11',
        listeners: [{ port: 80 }],
      })),
    },
    action: 'NiftyCreateElasticLoadBalancer',
    parameters: NEW,
    typed: ({ elasticLoadBalancers }, signal) => elasticLoadBalancers.create(wanted, signal),
    refused: 'Client.Inoperable.ElasticLoadBalancer.LimitExceeded',
  },

  {
    rule: 'one member for each load balancer, with its listeners (§5.4)',
    action: 'NiftyDescribeElasticLoadBalancers',
    parameters: {},
    answer: {
      [`${LIST}.0.ElasticLoadBalancerId`]: 'elb-0abc1def',
      [`${LIST}.0.ElasticLoadBalancerName`]: 'inner',
      [`${LIST}.0.DNSName`]: '192.168.0.20',
      [`${LIST}.0.State`]: 'available',
      [`${LIST}.0.NetworkVolume`]: '20',
      [`${LIST}.0.AvailabilityZones.member.0`]: 'east-11',
      [`${LIST}.0.RouteTableId`]: 'rtb-0abc1def',
      [`${LIST}.0.RouteTableAssociationId`]: /./,
      [`${LIST}.0.CreatedTime`]: '2025-01-02T12:04:05+09:00',
      [`${LIST}.0.VersionInformation.Version`]: /^v\d/,
      [`${LIST}.0.VersionInformation.IsLatest`]: /^(true|false)$/,
      [`${LIST}.0.NetworkInterfaces.member.0.DeviceIndex`]: '1',
      [`${LIST}.0.NetworkInterfaces.member.0.IsVipNetwork`]: 'true',
      [`${LIST}.0.NetworkInterfaces.member.0.NetworkId`]: 'net-0abc1def',
      [`${LIST}.0.NetworkInterfaces.member.0.NetworkName`]: 'lan1',
      [`${LIST}.0.NetworkInterfaces.member.0.IpAddress`]: '192.168.0.20',
      [`${LIST}.0.NetworkInterfaces.member.0.SystemIpAddresses.member.1.SystemIpAddress`]: '192.168.0.22',
      [`${LISTENERS}.0.Listener.Protocol`]: 'HTTP',
      [`${LISTENERS}.0.Listener.Instances.member.0.InstanceUniqueId`]: 'i-0abc0001',
      [`${LISTENERS}.0.Listener.HealthCheck.Path`]: '/healthz',
      [`${LISTENERS}.0.Listener.HealthCheck.Expectation.member.1.HttpCode`]: '3xx',
      [`${LISTENERS}.0.Listener.SessionStickinessPolicy.Method`]: '2',
      [`${LISTENERS}.0.Listener.SorryPage.RedirectUrl`]: 'https://sorry.example/',
      [`${LISTENERS}.1.Listener.Protocol`]: 'HTTPS',
      [`${LISTENERS}.1.Listener.SSLCertificateId`]: 'cert1',
      [`${LISTENERS}.1.Listener.Instances`]: '',
      [`${LISTENERS}.1.Listener.HealthCheck.InstanceStates`]: '',
      [`${LIST}.1.ElasticLoadBalancerName`]: 'outer',
      [`${LIST}.2`]: undefined,
    },
    typed: ({ elasticLoadBalancers }, signal) => elasticLoadBalancers.list(signal),
    returns: [
      {
        id: 'elb-0abc1def',
        name: 'inner',
        zone: 'east-11',
        vip: '192.168.0.20',
        state: 'available',
        networkVolumeMbps: 20,
        routeTableId: 'rtb-0abc1def',
        routeTableAssociationId: /./,
        interfaces: [
          {
            networkId: 'net-0abc1def',
            networkName: 'lan1',
            address: '192.168.0.20',
            systemAddresses: ['192.168.0.21', '192.168.0.22'],
            isVip: true,
          },
        ],
        listeners: [
          {
            protocol: 'HTTP',
            loadBalancerPort: 80,
            instancePort: 30_080,
            balancingType: 1,
            description: 'web',
            certificateId: '',
            healthCheck: {
              target: 'HTTP:30080',
              intervalSeconds: 5,
              unhealthyThreshold: 1,
              path: '/healthz',
              httpCodes: ['2xx', '3xx'],
            },
            targets: [{ serverName: 'node01', serverUniqueId: 'i-0abc0001' }],
            stickiness: { method: 'cookie', periodMinutes: 60 },
            sorryPage: { redirectUrl: 'https://sorry.example/' },
          },
          { protocol: 'HTTPS', certificateId: 'cert1', targets: [], stickiness: undefined, sorryPage: undefined },
        ],
      },
      { id: 'elb-0abc2def', name: 'outer', listeners: [{ protocol: 'UDP' }], routeTableId: '' },
    ],
  },
  ...each<[string, Parameters]>(
    [
      ['name', { 'ElasticLoadBalancers.ElasticLoadBalancerName.1': 'outer' }],
      ['id', { 'ElasticLoadBalancers.ElasticLoadBalancerId.1': 'elb-0abc2def' }],
      ['filter by name', { 'Filter.1.Name': 'elastic-loadbalancer-name', 'Filter.1.Value.1': 'outer' }],
      ['filter by id', { 'Filter.1.Name': 'elastic-loadbalancer-id', 'Filter.1.Value.1': 'elb-0abc2def' }],
      [
        'two filters',
        {
          'Filter.1.Name': 'state',
          'Filter.1.Value.1': 'available',
          'Filter.2.Name': 'elastic-loadbalancer-name',
          'Filter.2.Value.1': 'other',
          'Filter.2.Value.2': 'outer',
        },
      ],
    ],
    ([what, parameters]) => ({
      rule: `one by ${what} (§5.4)`,
      action: 'NiftyDescribeElasticLoadBalancers',
      parameters,
      answer: { [`${LIST}.0.ElasticLoadBalancerName`]: 'outer', [`${LIST}.1`]: undefined },
    }),
  ),
  {
    rule: 'a listener by parallel lists (§1.4)',
    action: 'NiftyDescribeElasticLoadBalancers',
    parameters: {
      'ElasticLoadBalancers.ElasticLoadBalancerName.1': 'inner',
      'ElasticLoadBalancers.Protocol.1': 'HTTPS',
      'ElasticLoadBalancers.ElasticLoadBalancerPort.1': 443,
      'ElasticLoadBalancers.InstancePort.1': 30_443,
    },
    answer: { [`${LIST}.0.ElasticLoadBalancerName`]: 'inner', [`${LIST}.1`]: undefined },
  },
  ...each<[string, Parameters, string]>(
    [
      [
        'a name',
        { 'ElasticLoadBalancers.ElasticLoadBalancerName.1': 'nothing' },
        'Client.InvalidParameterNotFound.ElasticLoadBalancer',
      ],
      [
        'an id',
        { 'ElasticLoadBalancers.ElasticLoadBalancerId.1': NOTHING },
        'Client.InvalidParameterNotFound.ElasticLoadBalancer',
      ],
      [
        'a listener',
        {
          'ElasticLoadBalancers.ElasticLoadBalancerName.1': 'inner',
          'ElasticLoadBalancers.Protocol.1': 'TCP',
          'ElasticLoadBalancers.ElasticLoadBalancerPort.1': 80,
          'ElasticLoadBalancers.InstancePort.1': 30_080,
        },
        NO_LISTENER,
      ],
      [
        'a port, of no protocol',
        {
          'ElasticLoadBalancers.ElasticLoadBalancerName.1': 'inner',
          'ElasticLoadBalancers.ElasticLoadBalancerPort.1': 81,
          'ElasticLoadBalancers.InstancePort.1': 30_080,
        },
        'Client.InvalidParameterNotFound.ElasticLoadBalancerPort',
      ],
    ],
    ([what, parameters, refused]) => ({
      rule: `${what} that does not exist (§1.6)`,
      action: 'NiftyDescribeElasticLoadBalancers',
      parameters,
      refused,
    }),
  ),

  ...CALLS_ON_LISTENERS.flatMap(([action, parameters, typed]) => [
    ...each(STRANGERS, ([names, one, refused]) => ({
      rule: `a listener that does not exist: ${JSON.stringify(names)} (§1.6)`,
      action,
      parameters: { ...names, ...parameters },
      typed: typed(one)!,
      refused,
    })),
    {
      rule: 'one change at a time (§5.2, §10)',
      underway: [UPDATE],
      action,
      parameters: { ...KEY, ...parameters },
      typed: typed(key)!,
      refused: PROCESSING,
    },
  ]),
  ...each(STRANGERS, ([names, one, refused]) => ({
    rule: `no health of a listener that does not exist: ${JSON.stringify(names)} (§1.6)`,
    action: 'NiftyDescribeInstanceElasticLoadBalancerHealth',
    parameters: { ...names },
    typed: ({ elasticLoadBalancers }, signal) => elasticLoadBalancers.targetHealth(one, signal),
    refused,
  })),

  {
    rule: 'the id counts if both name and id are sent (§5.1)',
    action: 'NiftyUpdateElasticLoadBalancer',
    parameters: { ...REFERENCE, ElasticLoadBalancerName: 'outer', NetworkVolumeUpdate: 40 },
    now: { 'elasticLoadBalancers.inner': { networkVolumeMbps: 40 } },
  },
  {
    rule: 'a further listener: processing, then available; the answer echoes it (§5.2, §5.4)',
    action: 'NiftyRegisterPortWithElasticLoadBalancer',
    parameters: { ...NEW_PORT, 'Listeners.member.1.BalancingType': 2, 'Listeners.member.1.Description': 'dns' },
    answer: {
      'NiftyRegisterPortWithElasticLoadBalancerResult.Listeners.member.0.Protocol': 'UDP',
      'NiftyRegisterPortWithElasticLoadBalancerResult.Listeners.member.0.ElasticLoadBalancerPort': '53',
      'NiftyRegisterPortWithElasticLoadBalancerResult.Listeners.member.0.InstancePort': '30053',
      'NiftyRegisterPortWithElasticLoadBalancerResult.Listeners.member.0.BalancingType': '2',
      'NiftyRegisterPortWithElasticLoadBalancerResult.Listeners.member.0.Description': 'dns',
    },
    typed: ({ elasticLoadBalancers }, signal) =>
      elasticLoadBalancers.registerPort({ id: key.id }, { ...newPort, balancingType: 2, description: 'dns' }, signal),
    now: { 'elasticLoadBalancers.inner': {} },
    later: {
      'elasticLoadBalancers.inner': {
        listeners: [{}, {}, { protocol: 'UDP', loadBalancerPort: 53, description: 'dns', balancingType: 2 }],
      },
    },
  },
  {
    rule: '… processing meanwhile (§5.2)',
    underway: [['NiftyRegisterPortWithElasticLoadBalancer', NEW_PORT]],
    action: 'NiftyDescribeElasticLoadBalancers',
    parameters: {},
    answer: { [`${LIST}.0.State`]: 'processing', [`${LIST}.1.State`]: 'available' },
  },
  ...each(['HTTP', 'HTTPS'], (protocol) => ({
    rule: `a protocol and listen port are used once: ${protocol} (§1.6)`,
    action: 'NiftyRegisterPortWithElasticLoadBalancer',
    parameters: {
      ...REFERENCE,
      'Listeners.member.1.Protocol': protocol,
      'Listeners.member.1.ElasticLoadBalancerPort': protocol === 'HTTP' ? 80 : 443,
      'Listeners.member.1.InstancePort': 30_999,
      ...(protocol === 'HTTP' ? {} : { 'Listeners.member.1.SSLCertificateId': 'cert2' }),
    },
    refused: 'Client.InvalidParameterDuplicate.Protocol.and.ElasticLoadBalancerPort',
  })),
  {
    rule: '… as the client sees it (§1.6)',
    action: 'NiftyRegisterPortWithElasticLoadBalancer',
    parameters: {
      ElasticLoadBalancerName: 'outer',
      'Listeners.member.1.Protocol': 'UDP',
      'Listeners.member.1.ElasticLoadBalancerPort': 53,
      'Listeners.member.1.InstancePort': 30_054,
    },
    typed: ({ elasticLoadBalancers }, signal) =>
      elasticLoadBalancers.registerPort({ name: 'outer' }, { ...newPort, instancePort: 30_054 }, signal),
    refused: 'Client.InvalidParameterDuplicate.Protocol.and.ElasticLoadBalancerPort',
  },
  {
    rule: 'three listeners are all (§5.1)',
    given: [['NiftyRegisterPortWithElasticLoadBalancer', NEW_PORT]],
    action: 'NiftyRegisterPortWithElasticLoadBalancer',
    parameters: { ...NEW_PORT, 'Listeners.member.1.ElasticLoadBalancerPort': 54 },
    typed: ({ elasticLoadBalancers }, signal) =>
      elasticLoadBalancers.registerPort({ id: key.id }, { ...newPort, loadBalancerPort: 54 }, signal),
    refused: 'Client.Inoperable.ElasticLoadBalancerPort.LimitExceeded',
  },
  {
    rule: 'one change at a time (§5.2, §10)',
    underway: [UPDATE],
    action: 'NiftyRegisterPortWithElasticLoadBalancer',
    parameters: NEW_PORT,
    typed: ({ elasticLoadBalancers }, signal) => elasticLoadBalancers.registerPort({ id: key.id }, newPort, signal),
    refused: PROCESSING,
  },

  {
    rule: 'a check with path and codes; the answer echoes it (§5.1, §5.4)',
    action: 'NiftyConfigureElasticLoadBalancerHealthCheck',
    parameters: {
      ...KEY,
      'HealthCheck.Target': 'HTTP:8080',
      'HealthCheck.Interval': 300,
      'HealthCheck.UnhealthyThreshold': 10,
      'HealthCheck.Path': '/ready',
      'HealthCheck.Expectation.member.1.HttpCode': '4xx',
    },
    answer: {
      'NiftyConfigureElasticLoadBalancerHealthCheckResult.HealthCheck.Target': 'HTTP:8080',
      'NiftyConfigureElasticLoadBalancerHealthCheckResult.HealthCheck.Interval': '300',
      'NiftyConfigureElasticLoadBalancerHealthCheckResult.HealthCheck.UnhealthyThreshold': '10',
      'NiftyConfigureElasticLoadBalancerHealthCheckResult.HealthCheck.Path': '/ready',
      'NiftyConfigureElasticLoadBalancerHealthCheckResult.HealthCheck.Expectation.member.0.HttpCode': '4xx',
    },
    typed: ({ elasticLoadBalancers }, signal) =>
      elasticLoadBalancers.configureHealthCheck(
        key,
        { target: 'HTTP:8080', intervalSeconds: 300, unhealthyThreshold: 10, path: '/ready', httpCodes: ['4xx'] },
        signal,
      ),
    now: { 'elasticLoadBalancers.inner': {} },
    later: {
      'elasticLoadBalancers.inner': {
        listeners: [{ healthCheck: { target: 'HTTP:8080', path: '/ready', httpCodes: ['4xx'] } }, {}],
      },
    },
  },
  ...each<[string, Parameters, Partial<typeof check> & { path?: string; httpCodes?: readonly string[] }]>(
    [
      ['Target', { 'HealthCheck.Target': 'UDP:53' }, { target: 'UDP:53' }],
      ['Interval', { 'HealthCheck.Interval': 4 }, { intervalSeconds: 4 }],
      ['Interval', { 'HealthCheck.Interval': 301 }, { intervalSeconds: 301 }],
      ['UnhealthyThreshold', { 'HealthCheck.UnhealthyThreshold': 11 }, { unhealthyThreshold: 11 }],
      ['Path', { 'HealthCheck.Path': '/' }, { path: '/' }],
      ['Path', { 'HealthCheck.Target': 'HTTP:80', 'HealthCheck.Path': 'x' }, { target: 'HTTP:80', path: 'x' }],
      [
        'HttpCode',
        { 'HealthCheck.Target': 'HTTP:80', 'HealthCheck.Expectation.member.1.HttpCode': '200' },
        { target: 'HTTP:80', httpCodes: ['200'] },
      ],
    ],
    ([what, parameters, other]) => ({
      rule: `no check of ICMP or HTTP with ${JSON.stringify(parameters)} (§5.1)`,
      action: 'NiftyConfigureElasticLoadBalancerHealthCheck',
      parameters: { ...KEY, ...CHECK, ...parameters },
      typed: ({ elasticLoadBalancers }, signal) =>
        elasticLoadBalancers.configureHealthCheck(key, { ...check, ...other }, signal),
      unsent: true,
      refused: `Client.InvalidParameterIllegalInput.${what}`,
    }),
  ),

  ...each<[string, Parameters]>(
    [
      ['unique id', { 'Instances.member.1.InstanceUniqueId': 'i-0abc0002' }],
      ['name', { 'Instances.member.1.InstanceId': 'node02' }],
    ],
    ([what, parameters]) => ({
      rule: `targets by ${what}; the answer says nothing (§5.4)`,
      action: 'NiftyRegisterInstancesWithElasticLoadBalancer',
      parameters: { ...KEY, ...parameters },
      answer: { NiftyRegisterInstancesWithElasticLoadBalancerResult: '' },
      ...(what === 'name'
        ? {}
        : {
            typed: ({ elasticLoadBalancers }, signal) =>
              elasticLoadBalancers.registerTargets(key, ['i-0abc0002'], signal),
          }),
      now: { 'elasticLoadBalancers.inner': {} },
      later: {
        'elasticLoadBalancers.inner': {
          listeners: [{ targets: [{ serverName: 'node01' }, { serverName: 'node02' }] }, { targets: [] }],
        },
      },
    }),
  ),
  ...each(
    [
      ['i-0abc0001', 'Client.Inoperable.ElasticLoadBalancer.HavingRegisteredInstance', 'registered already'],
      ['i-0nothing', 'Client.InvalidParameterNotFound.Instance', 'unknown'],
      ['i-0abc0009', 'Server.ResourceIncorrectState.Instance.Processing', 'busy'],
    ],
    ([id = '', refused = '', what]) => ({
      rule: `a server that is ${what} fails the registration of all (§1.6)`,
      action: 'NiftyRegisterInstancesWithElasticLoadBalancer',
      parameters: {
        ...KEY,
        'Instances.member.1.InstanceUniqueId': 'i-0abc0002',
        'Instances.member.2.InstanceUniqueId': id,
      },
      typed: ({ elasticLoadBalancers }, signal) =>
        elasticLoadBalancers.registerTargets(key, ['i-0abc0002', id], signal),
      refused,
    }),
  ),
  {
    rule: 'targets are taken off; the answer says nothing (§5.4)',
    action: 'NiftyDeregisterInstancesFromElasticLoadBalancer',
    parameters: { ...KEY, 'Instances.member.1.InstanceUniqueId': 'i-0abc0001' },
    answer: { NiftyDeregisterInstancesFromElasticLoadBalancerResult: '' },
    typed: ({ elasticLoadBalancers }, signal) => elasticLoadBalancers.deregisterTargets(key, ['i-0abc0001'], signal),
    now: { 'elasticLoadBalancers.inner': {} },
    later: { 'elasticLoadBalancers.inner': { listeners: [{ targets: [] }, {}] } },
  },
  {
    rule: 'a server that is not registered is not taken off (§1.6)',
    action: 'NiftyDeregisterInstancesFromElasticLoadBalancer',
    parameters: { ...HTTPS, 'Instances.member.1.InstanceUniqueId': 'i-0abc0001' },
    typed: ({ elasticLoadBalancers }, signal) => elasticLoadBalancers.deregisterTargets(https, ['i-0abc0001'], signal),
    refused: 'Client.InvalidParameterNotFound.Instance',
  },
  {
    rule: 'health of the targets (§5.4)',
    action: 'NiftyDescribeInstanceElasticLoadBalancerHealth',
    parameters: { ...KEY },
    answer: {
      [`${HEALTH}.member.0.InstanceId`]: 'node01',
      [`${HEALTH}.member.0.InstanceUniqueId`]: 'i-0abc0001',
      [`${HEALTH}.member.0.State`]: /^(InService|OutOfService)$/,
      [`${HEALTH}.member.1`]: undefined,
    },
    typed: ({ elasticLoadBalancers }, signal) => elasticLoadBalancers.targetHealth(key, signal),
    returns: [{ serverName: 'node01', serverUniqueId: 'i-0abc0001', state: /^(InService|OutOfService)$/ }],
  },
  {
    rule: '… also while a change is under way (§5.2)',
    underway: [UPDATE],
    action: 'NiftyDescribeInstanceElasticLoadBalancerHealth',
    parameters: { ...KEY, 'Instances.member.1.InstanceUniqueId': 'i-0abc0001' },
    answer: { [`${HEALTH}.member.0.InstanceId`]: 'node01' },
    typed: ({ elasticLoadBalancers }, signal) => elasticLoadBalancers.targetHealth(key, signal, ['i-0abc0001']),
    returns: [{ serverName: 'node01' }],
  },

  {
    rule: 'everything of a listener changes (§5.4)',
    action: 'NiftyModifyElasticLoadBalancerAttributes',
    parameters: {
      ...KEY,
      [`${DESCRIPTION}.Key`]: 'protocol',
      [`${DESCRIPTION}.Value`]: 'HTTPS',
      'LoadBalancerAttributes.AdditionalAttributes.member.2.Key': 'elasticLoadBalancerPort',
      'LoadBalancerAttributes.AdditionalAttributes.member.2.Value': '8443',
      'LoadBalancerAttributes.AdditionalAttributes.member.3.Key': 'instancePort',
      'LoadBalancerAttributes.AdditionalAttributes.member.3.Value': '30081',
      'LoadBalancerAttributes.AdditionalAttributes.member.4.Key': 'description',
      'LoadBalancerAttributes.AdditionalAttributes.member.4.Value': 'the web',
      'LoadBalancerAttributes.AdditionalAttributes.member.5.Key': 'balancingType',
      'LoadBalancerAttributes.AdditionalAttributes.member.5.Value': '2',
      'LoadBalancerAttributes.AdditionalAttributes.member.6.Key': 'sslCertificateId',
      'LoadBalancerAttributes.AdditionalAttributes.member.6.Value': 'cert2',
      'LoadBalancerAttributes.Session.StickinessPolicy.Enable': true,
      'LoadBalancerAttributes.Session.StickinessPolicy.Method': '1',
      'LoadBalancerAttributes.Session.StickinessPolicy.ExpirationPeriod': 3,
      'LoadBalancerAttributes.SorryPage.Enable': false,
    },
    typed: ({ elasticLoadBalancers }, signal) =>
      elasticLoadBalancers.modifyListener(
        key,
        {
          protocol: 'HTTPS',
          loadBalancerPort: 8443,
          instancePort: 30_081,
          description: 'the web',
          balancingType: 2,
          certificateId: 'cert2',
          stickiness: { method: 'source-ip', periodMinutes: 3 },
          sorryPage: 'off',
        },
        signal,
      ),
    now: { 'elasticLoadBalancers.inner': {} },
    later: {
      'elasticLoadBalancers.inner': {
        listeners: [
          {
            protocol: 'HTTPS',
            loadBalancerPort: 8443,
            instancePort: 30_081,
            description: 'the web',
            balancingType: 2,
            sslCertificateId: 'cert2',
            targets: [{ serverName: 'node01' }],
            stickiness: { enabled: true, method: 1, periodMinutes: 3 },
            sorryPage: { enabled: false },
          },
          { loadBalancerPort: 443 },
        ],
      },
    },
  },
  {
    rule: 'a description has up to 500 characters (§5.1)',
    action: 'NiftyModifyElasticLoadBalancerAttributes',
    parameters: { ...KEY, [`${DESCRIPTION}.Key`]: 'description', [`${DESCRIPTION}.Value`]: 'あ'.repeat(501) },
    typed: ({ elasticLoadBalancers }, signal) =>
      elasticLoadBalancers.modifyListener(key, { description: 'あ'.repeat(501) }, signal),
    unsent: true,
    refused: 'Client.InvalidParameterIllegalInput.Value',
  },
  ...each([2, 1441], (periodMinutes) => ({
    rule: `stickiness lasts 3–1440 minutes, not ${periodMinutes} (§5.1)`,
    action: 'NiftyModifyElasticLoadBalancerAttributes',
    parameters: {
      ...KEY,
      'LoadBalancerAttributes.Session.StickinessPolicy.Enable': true,
      'LoadBalancerAttributes.Session.StickinessPolicy.Method': '1',
      'LoadBalancerAttributes.Session.StickinessPolicy.ExpirationPeriod': periodMinutes,
    },
    typed: ({ elasticLoadBalancers }, signal) =>
      elasticLoadBalancers.modifyListener(key, { stickiness: { method: 'source-ip', periodMinutes } }, signal),
    unsent: true as const,
    refused: 'Client.InvalidParameterIllegalInput.ExpirationPeriod',
  })),
  {
    rule: 'a sorry page is for HTTP and HTTPS (§5.1)',
    action: 'NiftyModifyElasticLoadBalancerAttributes',
    parameters: {
      ...UDP,
      'LoadBalancerAttributes.SorryPage.Enable': true,
      'LoadBalancerAttributes.SorryPage.RedirectUrl': 'https://sorry.example/',
    },
    typed: ({ elasticLoadBalancers }, signal) =>
      elasticLoadBalancers.modifyListener(udp, { sorryPage: { redirectUrl: 'https://sorry.example/' } }, signal),
    refused: 'Client.InvalidParameterIllegalInput.Enable',
  },
  {
    rule: 'a listener that becomes HTTPS needs a certificate (§5.1)',
    action: 'NiftyModifyElasticLoadBalancerAttributes',
    parameters: { ...KEY, [`${DESCRIPTION}.Key`]: 'protocol', [`${DESCRIPTION}.Value`]: 'HTTPS' },
    typed: ({ elasticLoadBalancers }, signal) =>
      elasticLoadBalancers.modifyListener(key, { protocol: 'HTTPS' }, signal),
    refused: 'Client.InvalidParameterRequired.sslCertificateId',
  },
  {
    rule: 'a listener does not move to a port that is used (§1.6)',
    action: 'NiftyModifyElasticLoadBalancerAttributes',
    parameters: { ...KEY, [`${DESCRIPTION}.Key`]: 'elasticLoadBalancerPort', [`${DESCRIPTION}.Value`]: '443' },
    typed: ({ elasticLoadBalancers }, signal) =>
      elasticLoadBalancers.modifyListener(key, { loadBalancerPort: 443 }, signal),
    refused: 'Client.InvalidParameterDuplicate.Protocol.and.ElasticLoadBalancerPort',
  },

  {
    rule: 'another certificate for HTTPS (§5.4)',
    action: 'NiftyReplaceElasticLoadBalancerListenerSSLCertificate',
    parameters: { ...HTTPS, SSLCertificateId: 'cert2' },
    typed: ({ elasticLoadBalancers }, signal) => elasticLoadBalancers.replaceCertificate(https, 'cert2', signal),
    now: { 'elasticLoadBalancers.inner': {} },
    later: { 'elasticLoadBalancers.inner': { listeners: [{}, { sslCertificateId: 'cert2' }] } },
  },
  {
    rule: '… for HTTPS only (§5.4)',
    action: 'NiftyReplaceElasticLoadBalancerListenerSSLCertificate',
    parameters: { ...KEY, SSLCertificateId: 'cert2' },
    typed: ({ elasticLoadBalancers }, signal) => elasticLoadBalancers.replaceCertificate(key, 'cert2', signal),
    unsent: true,
    refused: 'Client.InvalidParameterIllegalInput.Protocol',
  },
  {
    rule: '… which exists (§1.6)',
    action: 'NiftyReplaceElasticLoadBalancerListenerSSLCertificate',
    parameters: { ...HTTPS, SSLCertificateId: 'nothing' },
    typed: ({ elasticLoadBalancers }, signal) => elasticLoadBalancers.replaceCertificate(https, 'nothing', signal),
    refused: 'Client.InvalidParameterNotFound.SslCertificate',
  },

  {
    rule: 'name, bandwidth and next month’s accounting of the whole (§5.4)',
    action: 'NiftyUpdateElasticLoadBalancer',
    parameters: {
      ElasticLoadBalancerName: 'outer',
      ElasticLoadBalancerNameUpdate: 'outer2',
      NetworkVolumeUpdate: 100,
      AccountingTypeUpdate: '1',
    },
    typed: ({ elasticLoadBalancers }, signal) =>
      elasticLoadBalancers.update(
        { name: 'outer' },
        { newName: 'outer2', networkVolumeMbps: 100, accountingType: '1' },
        signal,
      ),
    now: { 'elasticLoadBalancers.outer': null, 'elasticLoadBalancers.outer2': { uniqueId: 'elb-0abc2def' } },
    later: {
      'elasticLoadBalancers.outer': null,
      'elasticLoadBalancers.outer2': { networkVolumeMbps: 100, accountingType: '2', nextMonthAccountingType: '1' },
    },
  },
  {
    rule: 'a new name is not another’s (§1.6)',
    action: 'NiftyUpdateElasticLoadBalancer',
    parameters: { ...REFERENCE, ElasticLoadBalancerNameUpdate: 'outer' },
    typed: ({ elasticLoadBalancers }, signal) =>
      elasticLoadBalancers.update({ id: key.id }, { newName: 'outer' }, signal),
    refused: 'Client.InvalidParameterDuplicate.ElasticLoadBalancer',
  },
  {
    rule: 'one change at a time (§5.2, §10)',
    underway: [UPDATE],
    action: 'NiftyUpdateElasticLoadBalancer',
    parameters: { ...REFERENCE, NetworkVolumeUpdate: 40 },
    typed: ({ elasticLoadBalancers }, signal) =>
      elasticLoadBalancers.update({ id: key.id }, { networkVolumeMbps: 40 }, signal),
    refused: PROCESSING,
  },

  {
    rule: 'a listener goes; the others stay (§5.4)',
    action: 'NiftyDeleteElasticLoadBalancer',
    parameters: { ...KEY },
    answer: { NiftyDeleteElasticLoadBalancerResult: '' },
    typed: ({ elasticLoadBalancers }, signal) => elasticLoadBalancers.deleteListener(key, signal),
    now: { 'elasticLoadBalancers.inner': {} },
    later: { 'elasticLoadBalancers.inner': { listeners: [{ loadBalancerPort: 443 }] } },
  },
  {
    rule: 'with the last listener the load balancer goes (§5.4)',
    action: 'NiftyDeleteElasticLoadBalancer',
    parameters: { ...UDP },
    typed: ({ elasticLoadBalancers }, signal) => elasticLoadBalancers.deleteListener(udp, signal),
    now: { 'elasticLoadBalancers.outer': {} },
    later: { 'elasticLoadBalancers.outer': null },
  },
  {
    rule: '… and is then not found (§5.2)',
    given: [['NiftyDeleteElasticLoadBalancer', { ...UDP }]],
    action: 'NiftyDescribeElasticLoadBalancers',
    parameters: { 'ElasticLoadBalancers.ElasticLoadBalancerName.1': 'outer' },
    refused: 'Client.InvalidParameterNotFound.ElasticLoadBalancer',
  },

  {
    rule: 'the latest version takes a while (§5.4)',
    action: 'NiftyReplaceElasticLoadBalancerLatestVersion',
    parameters: {
      ...REFERENCE,
      'NetworkInterface.1.NetworkId': 'net-0abc1def',
      'NetworkInterface.1.SystemIpAddresses.1.SystemIpAddress': '192.168.0.51',
      'NetworkInterface.1.SystemIpAddresses.2.SystemIpAddress': '192.168.0.52',
    },
    answer: { NiftyReplaceElasticLoadBalancerLatestVersionResult: '' },
    typed: ({ elasticLoadBalancers }, signal) =>
      elasticLoadBalancers.replaceWithLatestVersion(
        { id: key.id },
        [{ networkId: 'net-0abc1def', systemAddresses: ['192.168.0.51', '192.168.0.52'] }],
        signal,
      ),
    now: { 'elasticLoadBalancers.inner': {} },
    later: {
      'elasticLoadBalancers.inner': {
        interfaces: [{ ipAddress: '192.168.0.20', systemIpAddresses: ['192.168.0.51', '192.168.0.52'] }],
      },
    },
  },
  {
    rule: 'of a load balancer that does not exist (§1.6)',
    action: 'NiftyReplaceElasticLoadBalancerLatestVersion',
    parameters: { ElasticLoadBalancerName: 'nothing' },
    typed: ({ elasticLoadBalancers }, signal) =>
      elasticLoadBalancers.replaceWithLatestVersion({ name: 'nothing' }, [], signal),
    refused: 'Client.InvalidParameterNotFound.ElasticLoadBalancer',
  },

  {
    rule: 'a route table; the new association must be read (§5.4)',
    action: 'NiftyAssociateRouteTableWithElasticLoadBalancer',
    parameters: { ElasticLoadBalancerId: 'elb-0abc2def', RouteTableId: 'rtb-0abc2def' },
    answer: { return: 'true', associationId: undefined },
    typed: ({ elasticLoadBalancers }, signal) =>
      elasticLoadBalancers.associateRouteTable('elb-0abc2def', 'rtb-0abc2def', signal),
    now: { 'elasticLoadBalancers.outer': {} },
    later: { 'elasticLoadBalancers.outer': { routeTableId: 'rtb-0abc2def', routeTableAssociationId: /./ } },
  },
  ...each(
    [
      [NOTHING, 'rtb-0abc2def', 'Client.InvalidParameterNotFound.ElasticLoadBalancerId'],
      ['elb-0abc2def', 'rtb-0nothing', 'Client.InvalidParameterNotFound.RouteTableId'],
    ],
    ([id = '', tableId = '', refused = '']) => ({
      rule: `of ${id} and ${tableId} (§1.6)`,
      action: 'NiftyAssociateRouteTableWithElasticLoadBalancer',
      parameters: { ElasticLoadBalancerId: id, RouteTableId: tableId },
      typed: ({ elasticLoadBalancers }, signal) => elasticLoadBalancers.associateRouteTable(id, tableId, signal),
      refused,
    }),
  ),
  {
    rule: 'another route table (§5.4)',
    action: 'NiftyReplaceRouteTableAssociationWithElasticLoadBalancer',
    parameters: { AssociationId: '$inner', RouteTableId: 'rtb-0abc2def' },
    answer: { return: 'true', newAssociationId: undefined },
    typed: ({ elasticLoadBalancers }, signal, associationOf) =>
      elasticLoadBalancers.replaceRouteTable(associationOf('inner'), 'rtb-0abc2def', signal),
    now: { 'elasticLoadBalancers.inner': {} },
    later: { 'elasticLoadBalancers.inner': { routeTableId: 'rtb-0abc2def', routeTableAssociationId: /./ } },
  },
  {
    rule: '… of an association that does not exist (§1.6)',
    action: 'NiftyReplaceRouteTableAssociationWithElasticLoadBalancer',
    parameters: { AssociationId: 'rtbassoc-0nothing', RouteTableId: 'rtb-0abc2def' },
    typed: ({ elasticLoadBalancers }, signal) =>
      elasticLoadBalancers.replaceRouteTable('rtbassoc-0nothing', 'rtb-0abc2def', signal),
    refused: 'Client.InvalidParameterNotFound.AssociationId',
  },
  {
    rule: 'no route table any more (§5.4)',
    action: 'NiftyDisassociateRouteTableFromElasticLoadBalancer',
    parameters: { AssociationId: '$inner' },
    answer: { return: 'true' },
    typed: ({ elasticLoadBalancers }, signal, associationOf) =>
      elasticLoadBalancers.disassociateRouteTable(associationOf('inner'), signal),
    now: { 'elasticLoadBalancers.inner': {} },
    later: { 'elasticLoadBalancers.inner': { routeTableId: '', routeTableAssociationId: '' } },
  },
  ...each(['rtbassoc-0nothing', '$gateway'], (association) => ({
    rule: `an association of a load balancer, unlike ${association} (§1.6)`,
    action: 'NiftyDisassociateRouteTableFromElasticLoadBalancer',
    parameters: { AssociationId: association },
    typed: ({ elasticLoadBalancers }, signal, associationOf) =>
      elasticLoadBalancers.disassociateRouteTable(
        association.startsWith('$') ? associationOf('gateway') : association,
        signal,
      ),
    refused: 'Client.InvalidParameterNotFound.AssociationId',
  })),
];
