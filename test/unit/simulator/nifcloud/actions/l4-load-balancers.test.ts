import { expect } from 'chai';
import { parseFleet } from '../../../../../simulator/nifcloud/world/fleet.ts';
import type { Simulator } from '../../../../../simulator/nifcloud/simulator.ts';
import { FakeClock } from '../../../../fake-clock.ts';
import { startCloud } from '../raw-client.ts';
import type { RawClient } from '../raw-client.ts';

const FLEET = parseFleet(
  `
zones: [east-11, east-12]
servers:
  - { name: a, uniqueId: i-aaaaaaaa, zone: east-11, privateAddress: 127.11.7.1 }
  - { name: b, uniqueId: i-bbbbbbbb, zone: east-12, privateAddress: 127.12.7.1 }
  - { name: busy, uniqueId: i-11111111, zone: east-11, state: pending }
`,
  'fleet',
);
const WEB = { LoadBalancerName: 'web', LoadBalancerPort: 18_080, InstancePort: 30_080 };

describe('L4 load balancers', () => {
  let simulator: Simulator;
  let client: RawClient;

  beforeEach(async () => {
    ({ simulator, client } = await startCloud({ clock: new FakeClock(), fleet: FLEET, vipRange: '127.100.7.255' }));
  });
  afterEach(() => simulator.stop());

  const create = (name: string, port = 18_080, instancePort = 30_080, more = {}): Promise<unknown> =>
    client.done('CreateLoadBalancer', {
      LoadBalancerName: name,
      'Listeners.member.1.LoadBalancerPort': port,
      'Listeners.member.1.InstancePort': instancePort,
      ...more,
    });
  const registerPort = (port: number, instancePort: number): Promise<unknown> =>
    client.done('RegisterPortWithLoadBalancer', {
      LoadBalancerName: 'web',
      'Listeners.member.1.LoadBalancerPort': port,
      'Listeners.member.1.InstancePort': instancePort,
    });

  /** The listen ports that DescribeLoadBalancers answers with. */
  const portsShown = async (parameters: Record<string, string | number>): Promise<unknown[]> =>
    (await client.done('DescribeLoadBalancers', parameters)).each(
      'DescribeLoadBalancersResult.LoadBalancerDescriptions.member',
      'ListenerDescriptions.member.0.Listener.LoadBalancerPort',
    );
  /** The filter that SetFilterForLoadBalancer answers with. */
  const set = async (parameters: Record<string, string | number>): Promise<unknown> =>
    (await client.done('SetFilterForLoadBalancer', { ...WEB, ...parameters })).at(
      'SetFilterForLoadBalancerResult.Filter',
    );

  it('are described by one member for each port, open and without targets at first', async () => {
    const made = await client.done('CreateLoadBalancer', {
      LoadBalancerName: 'web',
      'Listeners.member.1.LoadBalancerPort': 18_080,
      'Listeners.member.1.InstancePort': 30_080,
      'Listeners.member.1.BalancingType': 2,
      NetworkVolume: 100,
      AccountingType: 1,
      PolicyType: 'ats',
      IpVersion: 'v4',
    });
    expect(made.at('CreateLoadBalancerResult.DNSName')).to.equal('127.100.7.255');
    await registerPort(18_443, 30_443);
    const members = 'DescribeLoadBalancersResult.LoadBalancerDescriptions.member';
    const answer = await client.done('DescribeLoadBalancers');
    expect(answer.each(members, 'LoadBalancerName')).to.deep.equal(['web', 'web']);
    expect(answer.each(members, 'ListenerDescriptions.member.length')).to.deep.equal([1, 1]);
    expect(answer.at(`${members}.0`)).to.deep.equal({
      LoadBalancerName: 'web',
      DNSName: '127.100.7.255',
      NetworkVolume: '100',
      ListenerDescriptions: {
        member: [
          {
            Listener: {
              Protocol: 'custom',
              LoadBalancerPort: '18080',
              InstancePort: '30080',
              BalancingType: '2',
              SSLCertificateId: '',
              SSLPolicy: { SSLPolicyId: '', SSLPolicyName: '' },
            },
          },
        ],
      },
      Policies: { AppCookieStickinessPolicies: '', LBCookieStickinessPolicies: '' },
      AvailabilityZones: { member: ['east-11'] },
      Instances: '',
      HealthCheck: {
        Target: 'ICMP',
        Interval: '5',
        UnhealthyThreshold: '1',
        HealthyThreshold: '1',
        Timeout: '5',
        InstanceStates: '',
      },
      Filter: { FilterType: '1', IPAddresses: { member: [{ IPAddress: '*.*.*.*' }] } },
      CreatedTime: '2025-01-02T12:04:05.000+09:00',
      AccountingType: '1',
      NextMonthAccountingType: '1',
      Option: {
        SessionStickinessPolicy: { Enabled: 'false', ExpirationPeriod: '' },
        SorryPage: { Enabled: 'false' },
      },
      PolicyType: 'ats',
    });
  });

  it('get addresses that count up and are never given twice', async () => {
    await create('web');
    await client.done('DeleteLoadBalancer', WEB);
    await create('web');
    expect(simulator.state().loadBalancers[0]?.vip).to.equal('127.100.8.0');
  });

  it('of IPv6 get an address that no machine has, and that something stands in for', async () => {
    await create('web', 18_080, 30_080, { IpVersion: 'v6' });
    await create('next');
    const [web, next] = simulator.state().loadBalancers;
    expect(web).to.include({ ipVersion: 'v6', vip: '2001:db8::7f64:7ff' });
    expect(web?.ports[0]?.listensAt).to.match(/^127\.0\.0\.1:/);
    expect(next).to.include({ ipVersion: 'v4', vip: '127.100.8.0' });
  });

  it('are found by names and ports in parallel lists', async () => {
    await create('web');
    await registerPort(18_443, 30_443);
    await create('other', 18_081);
    expect(await portsShown({})).to.deep.equal(['18080', '18443', '18081']);
    expect(await portsShown({ 'LoadBalancerNames.member.1': 'web' })).to.deep.equal(['18080', '18443']);
    expect(
      await portsShown({
        'LoadBalancerNames.member.1': 'other',
        'LoadBalancerNames.member.2': 'web',
        'LoadBalancerNames.LoadBalancerPort.2': 18_443,
        'LoadBalancerNames.InstancePort.2': 30_443,
      }),
    ).to.deep.equal(['18081', '18443']);
    expect(await portsShown({ Owner: 'other' })).to.deep.equal([]);
  });

  for (const [listener, port, protocol, instancePort] of [
    [{ Protocol: 'HTTP' }, '80', 'HTTP', '80'],
    [{ Protocol: 'HTTPS' }, '443', 'HTTPS', '443'],
    [{ Protocol: 'FTP', InstancePort: 30_021 }, '21', 'FTP', '30021'],
    [{ Protocol: 'HTTP', LoadBalancerPort: 70 }, '70', 'custom', '70'],
    [{ Protocol: 'HTTPS', LoadBalancerPort: 80 }, '80', 'HTTP', '80'],
    [{ LoadBalancerPort: 80, InstancePort: 30_080 }, '80', 'HTTP', '30080'],
  ] as const) {
    it(`take the listener ${JSON.stringify(listener)} for ${protocol} ${port} to ${instancePort}`, async () => {
      const sent = Object.entries(listener).map(([key, value]) => [`Listeners.member.1.${key}`, String(value)]);
      await client.done('CreateLoadBalancer', {
        LoadBalancerName: 'web',
        ...(Object.fromEntries(sent) as Record<string, string>),
      });
      const answer = await client.done('DescribeLoadBalancers');
      expect(
        answer.at(
          'DescribeLoadBalancersResult.LoadBalancerDescriptions.member.0.ListenerDescriptions.member.0.Listener',
        ),
      ).to.include({ LoadBalancerPort: port, Protocol: protocol, InstancePort: instancePort });
    });
  }

  it('answer a registered port with its label in lower case', async () => {
    await create('web');
    const answer = await client.done('RegisterPortWithLoadBalancer', {
      LoadBalancerName: 'web',
      'Listeners.member.1.Protocol': 'HTTPS',
    });
    expect(answer.at('RegisterPortWithLoadBalancerResult.Listeners.member.0')).to.include({
      Protocol: 'https',
      LoadBalancerPort: '443',
      BalancingType: '1',
    });
  });

  it('register and deregister servers of any zone for one port, echoing those of the call', async () => {
    await create('web');
    const first = await client.done('RegisterInstancesWithLoadBalancer', {
      ...WEB,
      'Instances.member.1.InstanceId': 'a',
    });
    expect(first.at('RegisterInstancesWithLoadBalancerResult.Instances.member')).to.deep.equal([
      { InstanceId: 'a', InstanceUniqueId: 'i-aaaaaaaa' },
    ]);
    const second = await client.done('RegisterInstancesWithLoadBalancer', {
      ...WEB,
      'Instances.member.1.InstanceId': 'b',
    });
    expect(second.each('RegisterInstancesWithLoadBalancerResult.Instances.member', 'InstanceId')).to.deep.equal(['b']);
    const servers = await client.done('DescribeInstances', { 'InstanceId.1': 'b' });
    expect(servers.at('reservationSet.item.0.instancesSet.item.0.loadbalancing.item.0')).to.include({
      loadBalancerName: 'web',
      loadBalancerPort: '18080',
      instancePort: '30080',
    });
    const gone = await client.done('DeregisterInstancesFromLoadBalancer', {
      ...WEB,
      'Instances.member.1.InstanceId': 'a',
    });
    expect(gone.each('DeregisterInstancesFromLoadBalancerResult.Instances.member', 'InstanceId')).to.deep.equal(['a']);
    expect(simulator.state().loadBalancers[0]?.ports[0]?.targets.map(({ serverName }) => serverName)).to.deep.equal([
      'b',
    ]);
  });

  it('have a health check of their own for each port', async () => {
    await create('web');
    await registerPort(18_443, 30_443);
    const answer = await client.done('ConfigureHealthCheck', {
      ...WEB,
      'HealthCheck.Target': 'TCP:30080',
      'HealthCheck.Interval': 10,
      'HealthCheck.UnhealthyThreshold': 3,
    });
    expect(answer.at('ConfigureHealthCheckResult.HealthCheck')).to.deep.equal({
      Target: 'TCP:30080',
      Interval: '10',
      UnhealthyThreshold: '3',
      HealthyThreshold: '1',
    });
    expect(simulator.state().loadBalancers[0]?.ports.map(({ healthCheck }) => healthCheck.target)).to.deep.equal([
      'TCP:30080',
      'ICMP',
    ]);
  });

  it('change their filter by additions and removals; emptied, it lets everyone in', async () => {
    await create('web');
    expect(
      await set({ 'IPAddresses.member.1.IPAddress': '192.0.2.1', 'IPAddresses.member.2.IPAddress': '198.51.100.0/24' }),
    ).to.deep.equal(filter('1', '192.0.2.1', '198.51.100.0/24'));
    expect(
      await set({
        FilterType: 2,
        'IPAddresses.member.1.IPAddress': '203.0.113.9',
        'IPAddresses.member.1.AddOnFilter': 'true',
        'IPAddresses.member.2.IPAddress': '192.0.2.1',
        'IPAddresses.member.2.AddOnFilter': 'false',
      }),
    ).to.deep.equal(filter('2', '198.51.100.0/24', '203.0.113.9'));
    // Without FilterType a deny list becomes an allow list.
    expect(await set({})).to.deep.equal(filter('1', '198.51.100.0/24', '203.0.113.9'));
    expect(
      await set({
        'IPAddresses.member.1.IPAddress': '203.0.113.9',
        'IPAddresses.member.1.AddOnFilter': 'false',
        'IPAddresses.member.2.IPAddress': '198.51.100.0/24',
        'IPAddresses.member.2.AddOnFilter': 'false',
      }),
    ).to.deep.equal(filter('1', '*.*.*.*'));
  });

  it('hold 30 filter addresses and not one more', async () => {
    await create('web');
    await client.done('SetFilterForLoadBalancer', { ...WEB, ...entries(30, 1) });
    const refused = await client.call('SetFilterForLoadBalancer', { ...WEB, ...entries(1, 99) });
    expect(refused.code).to.equal('Client.Inoperable.IpAddress.LimitExceeded');
    expect(simulator.state().loadBalancers[0]?.ports[0]?.filter.addresses).to.have.length(30);
  });

  it('are updated: bandwidth, next month, name, and one listener, which keeps what belongs to it', async () => {
    await create('web');
    await client.done('RegisterInstancesWithLoadBalancer', { ...WEB, 'Instances.member.1.InstanceId': 'a' });
    await client.done('SetFilterForLoadBalancer', { ...WEB, 'IPAddresses.member.1.IPAddress': '192.0.2.1' });
    const answer = await client.done('UpdateLoadBalancer', {
      LoadBalancerName: 'web',
      LoadBalancerNameUpdate: 'site',
      NetworkVolumeUpdate: 2000,
      AccountingTypeUpdate: 1,
      'ListenerUpdate.LoadBalancerPort': 18_080,
      'ListenerUpdate.InstancePort': 30_080,
      'ListenerUpdate.Listener.InstancePort': 30_081,
      'ListenerUpdate.Listener.BalancingType': 2,
    });
    expect(answer.body).to.match(/^<UpdateLoadBalancerResponse[^>]*><ResponseMetadata><RequestId>/);
    const [loadBalancer] = simulator.state().loadBalancers;
    expect(loadBalancer).to.include({
      name: 'site',
      networkVolumeMbps: 2000,
      accountingType: '2',
      nextMonthAccountingType: '1',
    });
    const port = loadBalancer?.ports[0];
    expect(port).to.include({ loadBalancerPort: 18_080, instancePort: 30_081, balancingType: 2 });
    expect(port?.filter.addresses).to.deep.equal(['192.0.2.1']);
    expect(port?.targets.map(({ serverName }) => serverName)).to.deep.equal(['a']);
    expect((await client.call('DescribeLoadBalancers', { 'LoadBalancerNames.member.1': 'web' })).code).to.equal(
      'Client.InvalidParameterNotFound.LoadBalancer',
    );
  });

  it('are deleted port by port, and are gone with the last', async () => {
    await create('web');
    await registerPort(18_443, 30_443);
    await client.done('DeleteLoadBalancer', WEB);
    expect(simulator.state().loadBalancers.map(({ ports }) => ports.length)).to.deep.equal([1]);
    await client.done('DeleteLoadBalancer', {
      LoadBalancerName: 'web',
      LoadBalancerPort: 18_443,
      InstancePort: 30_443,
    });
    expect((await client.call('DescribeLoadBalancers', { 'LoadBalancerNames.member.1': 'web' })).code).to.equal(
      'Client.InvalidParameterNotFound.LoadBalancer',
    );
  });

  it('have no more than three ports, and there are no more than six for each zone', async () => {
    await create('web');
    await registerPort(18_081, 30_081);
    await registerPort(18_082, 30_082);
    const port = { LoadBalancerName: 'web', 'Listeners.member.1.LoadBalancerPort': 18_083 };
    expect((await client.call('RegisterPortWithLoadBalancer', port)).code).to.equal(
      'Client.Inoperable.LoadBalancerPort.LimitExceeded',
    );
    for (let n = 2; n <= 12; n++) await create(`lb${n}`);
    const next = await client.call('CreateLoadBalancer', {
      LoadBalancerName: 'lb13',
      'Listeners.member.1.LoadBalancerPort': 80,
    });
    expect(next.code).to.equal('Client.Inoperable.LoadBalancer.LimitExceeded');
  });

  const LISTENER = { 'Listeners.member.1.LoadBalancerPort': 18_081 };
  const CHECK = {
    ...WEB,
    'HealthCheck.Target': 'TCP:30080',
    'HealthCheck.Interval': 10,
    'HealthCheck.UnhealthyThreshold': 1,
  };
  const FILTERED = { ...WEB, 'IPAddresses.member.1.IPAddress': '192.0.2.1' };
  // `web` has one port, with server `a` and a filter that allows 192.0.2.1.
  for (const [action, parameters, code] of [
    ['CreateLoadBalancer', LISTENER, 'Client.InvalidParameterRequired.LoadBalancerName'],
    ['CreateLoadBalancer', { ...LISTENER, LoadBalancerName: 'web' }, 'Client.InvalidParameterDuplicate.LoadBalancer'],
    [
      'CreateLoadBalancer',
      { ...LISTENER, LoadBalancerName: 'web-1' },
      'Client.InvalidParameterIllegalInput.LoadBalancerName',
    ],
    [
      'CreateLoadBalancer',
      { ...LISTENER, LoadBalancerName: 'x'.repeat(16) },
      'Client.InvalidParameterIllegalInput.LoadBalancerName',
    ],
    ['CreateLoadBalancer', { LoadBalancerName: 'new' }, 'Client.InvalidParameterRequired.LoadBalancerPort'],
    [
      'CreateLoadBalancer',
      { ...LISTENER, LoadBalancerName: 'new', 'Listeners.member.2.LoadBalancerPort': 82 },
      'Client.InvalidParameterIllegalInput.Listeners',
    ],
    [
      'CreateLoadBalancer',
      { LoadBalancerName: 'new', 'Listeners.member.1.LoadBalancerPort': 70_000 },
      'Client.InvalidParameterIllegalInput.LoadBalancerPort',
    ],
    [
      'CreateLoadBalancer',
      { LoadBalancerName: 'new', 'Listeners.member.1.Protocol': 'UDP' },
      'Client.InvalidParameterIllegalInput.Protocol',
    ],
    [
      'CreateLoadBalancer',
      { ...LISTENER, LoadBalancerName: 'new', NetworkVolume: 50 },
      'Client.InvalidParameterIllegalInput.NetworkVolume',
    ],
    [
      'CreateLoadBalancer',
      { ...LISTENER, LoadBalancerName: 'new', PolicyType: 'none' },
      'Client.InvalidParameterIllegalInput.PolicyType',
    ],
    [
      'CreateLoadBalancer',
      { ...LISTENER, LoadBalancerName: 'new', IpVersion: 'v6', PolicyType: 'ats' },
      'Client.InvalidParameterIllegalInput.PolicyType',
    ],
    [
      'CreateLoadBalancer',
      { ...LISTENER, LoadBalancerName: 'new', 'AvailabilityZones.member.1': 'west-11' },
      'Client.InvalidParameterNotFound.AvailabilityZone',
    ],
    [
      'RegisterPortWithLoadBalancer',
      { ...LISTENER, LoadBalancerName: 'nobody' },
      'Client.InvalidParameterNotFound.LoadBalancer',
    ],
    [
      'RegisterPortWithLoadBalancer',
      { LoadBalancerName: 'web', 'Listeners.member.1.LoadBalancerPort': 18_080 },
      'Client.Inoperable.LoadBalancerPort.AlreadyExists',
    ],
    [
      'DescribeLoadBalancers',
      { 'LoadBalancerNames.member.1': 'web', 'LoadBalancerNames.member.2': 'nobody' },
      'Client.InvalidParameterNotFound.LoadBalancer',
    ],
    [
      'DescribeLoadBalancers',
      { 'LoadBalancerNames.member.1': 'web', 'LoadBalancerNames.LoadBalancerPort.1': 1 },
      'Client.InvalidParameterNotFound.LoadBalancerPort',
    ],
    [
      'DescribeLoadBalancers',
      { 'LoadBalancerNames.member.1': 'web', 'LoadBalancerNames.LoadBalancerPort.2': 18_080 },
      'Client.InvalidParameterRequired.LoadBalancerNames',
    ],
    [
      'DescribeLoadBalancers',
      { 'LoadBalancerNames.member.1': 'ABC12345.web' },
      'Client.InvalidParameterNotFound.LoadBalancer',
    ],
    ['ConfigureHealthCheck', { ...CHECK, InstancePort: 1 }, 'Client.InvalidParameterNotFound.LoadBalancerPort'],
    ['ConfigureHealthCheck', { ...CHECK, LoadBalancerName: 'nobody' }, 'Client.InvalidParameterNotFound.LoadBalancer'],
    [
      'ConfigureHealthCheck',
      { ...CHECK, 'HealthCheck.Target': 'HTTP:80' },
      'Client.InvalidParameterIllegalInput.Target',
    ],
    ['ConfigureHealthCheck', { ...CHECK, 'HealthCheck.Target': 'TCP:0' }, 'Client.InvalidParameterIllegalInput.Target'],
    ['ConfigureHealthCheck', { ...CHECK, 'HealthCheck.Interval': 4 }, 'Client.InvalidParameterIllegalInput.Interval'],
    [
      'ConfigureHealthCheck',
      { ...CHECK, 'HealthCheck.UnhealthyThreshold': 11 },
      'Client.InvalidParameterIllegalInput.UnhealthyThreshold',
    ],
    [
      'ConfigureHealthCheck',
      { ...CHECK, 'HealthCheck.HealthyThreshold': 2 },
      'Client.InvalidParameterIllegalInput.HealthyThreshold',
    ],
    ['RegisterInstancesWithLoadBalancer', WEB, 'Client.InvalidParameterRequired.InstanceId'],
    [
      'RegisterInstancesWithLoadBalancer',
      { ...WEB, 'Instances.member.1.InstanceId': 'b', 'Instances.member.2.InstanceId': 'nobody' },
      'Client.InvalidParameterNotFound.Instance',
    ],
    [
      'RegisterInstancesWithLoadBalancer',
      { ...WEB, 'Instances.member.1.InstanceId': 'b', 'Instances.member.2.InstanceId': 'a' },
      'Client.Inoperable.LoadBalancer.HavingRegisteredInstance',
    ],
    [
      'RegisterInstancesWithLoadBalancer',
      { ...WEB, 'Instances.member.1.InstanceId': 'busy' },
      'Server.ResourceIncorrectState.Instance.Processing',
    ],
    ['DeregisterInstancesFromLoadBalancer', WEB, 'Client.InvalidParameterRequired.InstanceId'],
    [
      'DeregisterInstancesFromLoadBalancer',
      { ...WEB, 'Instances.member.1.InstanceId': 'a', 'Instances.member.2.InstanceId': 'b' },
      'Client.InvalidParameterNotFound.Instance',
    ],
    [
      'DescribeInstanceHealth',
      { ...WEB, 'Instances.member.1.InstanceId': 'b' },
      'Client.InvalidParameterNotFound.Instance',
    ],
    ['SetFilterForLoadBalancer', FILTERED, 'Client.InvalidParameterDuplicate.IpAddress'],
    [
      'SetFilterForLoadBalancer',
      { ...WEB, 'IPAddresses.member.1.IPAddress': '192.0.2.2', 'IPAddresses.member.1.AddOnFilter': 'false' },
      'Client.InvalidParameterNotFound.IpAddress',
    ],
    [
      'SetFilterForLoadBalancer',
      { ...WEB, 'IPAddresses.member.1.IPAddress': '192.0.2.2', 'IPAddresses.member.2.IPAddress': '192.0.2.1' },
      'Client.InvalidParameterDuplicate.IpAddress',
    ],
    [
      'SetFilterForLoadBalancer',
      { ...WEB, 'IPAddresses.member.1.IPAddress': '*.*.*.*' },
      'Client.InvalidParameterIllegalInput.IPAddress',
    ],
    [
      'SetFilterForLoadBalancer',
      { ...WEB, 'IPAddresses.member.1.IPAddress': '10.0.0.0/33' },
      'Client.InvalidParameterIllegalInput.IPAddress',
    ],
    ['SetFilterForLoadBalancer', { ...WEB, FilterType: 3 }, 'Client.InvalidParameterIllegalInput.FilterType'],
    [
      'UpdateLoadBalancer',
      { LoadBalancerName: 'nobody', NetworkVolumeUpdate: 20 },
      'Client.InvalidParameterNotFound.LoadBalancer',
    ],
    [
      'UpdateLoadBalancer',
      { LoadBalancerName: 'web', NetworkVolumeUpdate: 20, LoadBalancerNameUpdate: 'web' },
      'Client.InvalidParameterDuplicate.LoadBalancer',
    ],
    [
      'UpdateLoadBalancer',
      { LoadBalancerName: 'web', NetworkVolumeUpdate: 20, 'ListenerUpdate.Listener.InstancePort': 1 },
      'Client.InvalidParameterRequired.LoadBalancerPort',
    ],
    [
      'UpdateLoadBalancer',
      {
        LoadBalancerName: 'web',
        'ListenerUpdate.LoadBalancerPort': 1,
        'ListenerUpdate.InstancePort': 1,
        'ListenerUpdate.Listener.InstancePort': 2,
      },
      'Client.InvalidParameterNotFound.LoadBalancerPort',
    ],
    [
      'DeleteLoadBalancer',
      { LoadBalancerName: 'web', LoadBalancerPort: 18_080 },
      'Client.InvalidParameterRequired.InstancePort',
    ],
    ['DeleteLoadBalancer', { ...WEB, LoadBalancerPort: 18_081 }, 'Client.InvalidParameterNotFound.LoadBalancerPort'],
  ] as const) {
    it(`refuse ${action} of ${JSON.stringify(parameters)} and stay as they are`, async () => {
      await create('web');
      await client.done('SetFilterForLoadBalancer', FILTERED);
      await client.done('RegisterInstancesWithLoadBalancer', { ...WEB, 'Instances.member.1.InstanceId': 'a' });
      const before = simulator.state();
      expect((await client.call(action, parameters)).code).to.equal(code);
      expect(withoutHealth(simulator.state())).to.deep.equal(withoutHealth(before));
    });
  }
});

function filter(FilterType: string, ...addresses: string[]): unknown {
  return { FilterType, IPAddresses: { member: addresses.map((IPAddress) => ({ IPAddress })) } };
}

/** Parameters that add `count` addresses to a filter. */
function entries(count: number, from: number): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: count }, (_, n) => [`IPAddresses.member.${n + 1}.IPAddress`, `192.0.2.${from + n}`]),
  );
}

/** Health checks really run meanwhile. */
function withoutHealth(state: unknown): unknown {
  return JSON.parse(JSON.stringify(state, (key, value: unknown) => (key === 'state' ? undefined : value)));
}
