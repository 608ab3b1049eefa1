import { expect } from 'chai';
import { L4LoadBalancers, type L4LoadBalancer } from '../../../nifcloud/l4-load-balancers.ts';
import { FakeClock } from '../../fake-clock.ts';
import { errorOf, RecordedApi } from './recorded-api.ts';

const never = new AbortController().signal;

/** One `<member>` of DescribeLoadBalancers: a port. Shape of docs/reference/nifcloud-api.md §4.3. */
function port(name: string, ports: string, more = ''): string {
  return `<member><LoadBalancerName>${name}</LoadBalancerName><DNSName>203.0.113.9</DNSName><NetworkVolume>20</NetworkVolume>
    <AccountingType>1</AccountingType><NextMonthAccountingType>2</NextMonthAccountingType><PolicyType>standard</PolicyType>
    <AvailabilityZones><member>east-11</member><member>east-12</member></AvailabilityZones>
    <CreatedTime>2024-06-13T14:02:53.000+09:00</CreatedTime>
    <ListenerDescriptions><member><Listener><Protocol>HTTP</Protocol>${ports}</Listener></member></ListenerDescriptions>${more}</member>`;
}

const ports = (listen: number, target: number): string =>
  `<LoadBalancerPort>${listen}</LoadBalancerPort><InstancePort>${target}</InstancePort><BalancingType>1</BalancingType>`;

const filter = (type: string, ...members: string[]): string =>
  `<Filter><FilterType>${type}</FilterType><IPAddresses>${members.map((member) => `<member>${member}</member>`).join('')}</IPAddresses></Filter>`;

async function list(...members: string[]): Promise<readonly L4LoadBalancer[]> {
  const clock = new FakeClock();
  const content = `<DescribeLoadBalancersResult><LoadBalancerDescriptions>${members.join('')}</LoadBalancerDescriptions></DescribeLoadBalancersResult>`;
  const listing = new L4LoadBalancers(new RecordedApi(() => content), clock).list(never);
  listing.catch(() => {});
  await clock.advance(5);
  return listing;
}

describe('L4 load balancers', () => {
  it('are read from one entry for each port, grouped by name', async () => {
    const rest = `<HealthCheck><Target>TCP:30080</Target><Interval>10</Interval><Timeout>11</Timeout><UnhealthyThreshold>2</UnhealthyThreshold>
      <HealthyThreshold>1</HealthyThreshold><InstanceStates/></HealthCheck>
      <Instances><member><InstanceId>node01</InstanceId><InstanceUniqueId>i-1</InstanceUniqueId></member>
      <member><InstanceId>node02</InstanceId><instanceUniqueId>i-2</instanceUniqueId></member></Instances>
      ${filter('1', '<IPAddress>192.0.2.1</IPAddress>', '<IPAddress>198.51.100.0/24</IPAddress>')}
      <Option><SessionStickinessPolicy><Enabled>true</Enabled><ExpirationPeriod>10</ExpirationPeriod></SessionStickinessPolicy>
      <SorryPage><Enabled>true</Enabled><StatusCode>503</StatusCode></SorryPage></Option>`;
    const tls = `<SSLCertificateId>cert-1</SSLCertificateId><SSLPolicy><SSLPolicyId>3</SSLPolicyId><SSLPolicyName>n</SSLPolicyName></SSLPolicy>`;
    const found = await list(
      port('lb1', ports(80, 30080) + tls, rest),
      port('other', ports(80, 30081)),
      port('lb1', ports(443, 30443)),
    );
    expect(
      found.map(({ name, listeners }) => [name, listeners.map(({ loadBalancerPort }) => loadBalancerPort)]),
    ).to.deep.equal([
      ['lb1', [80, 443]],
      ['other', [80]],
    ]);
    const { listeners, ...shared } = found[0]!;
    expect(shared).to.deep.equal({
      name: 'lb1',
      vip: '203.0.113.9',
      networkVolumeMbps: 20,
      accountingType: '1',
      nextMonthAccountingType: '2',
      policyType: 'standard',
      zones: ['east-11', 'east-12'],
      createdAt: '2024-06-13T14:02:53.000+09:00',
    });
    expect(listeners[0]).to.deep.equal({
      loadBalancerPort: 80,
      instancePort: 30080,
      balancingType: 1,
      healthCheck: { target: 'TCP:30080', intervalSeconds: 10, unhealthyThreshold: 2 },
      targets: [
        { serverName: 'node01', serverUniqueId: 'i-1' },
        { serverName: 'node02', serverUniqueId: 'i-2' },
      ],
      filter: { type: 'allow', addresses: ['192.0.2.1', '198.51.100.0/24'] },
      stickiness: { periodMinutes: 10 },
      sorryPage: { statusCode: 503 },
      certificateId: 'cert-1',
      sslPolicyId: '3',
    });
    expect(listeners[1]).to.deep.include({
      healthCheck: undefined,
      targets: [],
      filter: { type: 'allow', addresses: [] },
      stickiness: undefined,
      sorryPage: undefined,
      certificateId: '',
      sslPolicyId: '',
    });
  });

  it('read options that are switched off, whatever else stands there, as off', async () => {
    const option = `<Option><SessionStickinessPolicy><Enabled>false</Enabled><ExpirationPeriod>3</ExpirationPeriod></SessionStickinessPolicy>
      <SorryPage><Enabled/><StatusCode>200</StatusCode></SorryPage></Option>`;
    const [loadBalancer] = await list(port('lb1', ports(80, 30080), option));
    expect(loadBalancer!.listeners[0]).to.deep.include({ stickiness: undefined, sorryPage: undefined });
  });

  const filters: [what: string, xml: string, expected: L4LoadBalancer['listeners'][number]['filter']][] = [
    ['*.*.*.* as no entries', filter('1', '<IPAddress>*.*.*.*</IPAddress>'), { type: 'allow', addresses: [] }],
    ['a deny list', filter('2', '<IPAddress>192.0.2.1</IPAddress>'), { type: 'deny', addresses: ['192.0.2.1'] }],
    [
      'several addresses in one member',
      filter('1', '<IPAddress>192.0.2.1</IPAddress><IPAddress>192.0.2.2</IPAddress>'),
      { type: 'allow', addresses: ['192.0.2.1', '192.0.2.2'] },
    ],
    ['an empty list', '<Filter><FilterType/><IPAddresses/></Filter>', { type: 'allow', addresses: [] }],
  ];
  for (const [what, xml, expected] of filters) {
    it(`have a filter that reads ${what}`, async () => {
      expect((await list(port('lb1', ports(80, 30080), xml)))[0]!.listeners[0]!.filter).to.deep.equal(expected);
    });
  }

  it('read empty numbers as 0', async () => {
    const entry = port(
      'lb1',
      '<LoadBalancerPort>80</LoadBalancerPort><InstancePort>1</InstancePort><BalancingType/>',
      '<HealthCheck><Target>ICMP</Target><Interval/><UnhealthyThreshold/></HealthCheck>',
    );
    const [loadBalancer] = await list(entry.replace('<NetworkVolume>20<', '<NetworkVolume><'));
    expect(loadBalancer!.networkVolumeMbps).to.equal(0);
    expect(loadBalancer!.listeners[0]).to.deep.include({
      balancingType: 0,
      healthCheck: { target: 'ICMP', intervalSeconds: 0, unhealthyThreshold: 0 },
    });
  });

  it('are none in an answer without any', async () => {
    expect(await list()).to.deep.equal([]);
  });

  for (const [what, entry] of [
    ['a name', port('', ports(80, 30080))],
    ['a port', port('lb1', '<LoadBalancerPort>80</LoadBalancerPort><InstancePort/>')],
    ['its listener', port('lb1', '').replace(/<ListenerDescriptions>.*<\/ListenerDescriptions>/, '')],
  ] as const) {
    it(`are not known at all when an entry lacks ${what}: it might be any of them`, async () => {
      expect(String(await errorOf(list(port('lb2', ports(80, 30080)), entry)))).to.contain('lacks its');
    });
  }

  describe('are changed by calls that', () => {
    const key = { name: 'lb1', loadBalancerPort: 80, instancePort: 30080 };
    const KEY = { LoadBalancerName: 'lb1', LoadBalancerPort: '80', InstancePort: '30080' };

    const calls: [
      what: string,
      call: (cloud: L4LoadBalancers) => Promise<unknown>,
      action: string,
      sent: Record<string, string>,
    ][] = [
      [
        'create with everything',
        (cloud) =>
          cloud.create(
            {
              name: 'lb1',
              listener: { loadBalancerPort: 80, instancePort: 30080, balancingType: 2 },
              accountingType: '2',
              networkVolumeMbps: 100,
              policyType: 'ats',
              ipVersion: 'v4',
            },
            never,
          ),
        'CreateLoadBalancer',
        {
          LoadBalancerName: 'lb1',
          'Listeners.member.1.LoadBalancerPort': '80',
          'Listeners.member.1.InstancePort': '30080',
          'Listeners.member.1.BalancingType': '2',
          AccountingType: '2',
          NetworkVolume: '100',
          PolicyType: 'ats',
          IpVersion: 'v4',
        },
      ],
      [
        'register a port',
        (cloud) => cloud.registerPort({ name: 'lb1', listener: { loadBalancerPort: 443, instancePort: 30443 } }, never),
        'RegisterPortWithLoadBalancer',
        {
          LoadBalancerName: 'lb1',
          'Listeners.member.1.LoadBalancerPort': '443',
          'Listeners.member.1.InstancePort': '30443',
        },
      ],
      [
        'configure the health check',
        (cloud) =>
          cloud.configureHealthCheck(key, { target: 'TCP:30080', intervalSeconds: 5, unhealthyThreshold: 3 }, never),
        'ConfigureHealthCheck',
        {
          ...KEY,
          'HealthCheck.Target': 'TCP:30080',
          'HealthCheck.Interval': '5',
          'HealthCheck.UnhealthyThreshold': '3',
        },
      ],
      [
        'register targets',
        (cloud) => cloud.registerTargets(key, ['node01', 'node02'], never),
        'RegisterInstancesWithLoadBalancer',
        { ...KEY, 'Instances.member.1.InstanceId': 'node01', 'Instances.member.2.InstanceId': 'node02' },
      ],
      [
        'deregister targets',
        (cloud) => cloud.deregisterTargets(key, ['node01'], never),
        'DeregisterInstancesFromLoadBalancer',
        { ...KEY, 'Instances.member.1.InstanceId': 'node01' },
      ],
      [
        'add to a filter before they remove from it',
        (cloud) => cloud.setFilter(key, { type: 'deny', add: ['192.0.2.1'], remove: ['192.0.2.2'] }, never),
        'SetFilterForLoadBalancer',
        {
          ...KEY,
          FilterType: '2',
          'IPAddresses.member.1.IPAddress': '192.0.2.1',
          'IPAddresses.member.1.AddOnFilter': 'true',
          'IPAddresses.member.2.IPAddress': '192.0.2.2',
          'IPAddresses.member.2.AddOnFilter': 'false',
        },
      ],
      [
        'set the type of a filter alone',
        (cloud) => cloud.setFilter(key, { type: 'allow', add: [], remove: [] }, never),
        'SetFilterForLoadBalancer',
        { ...KEY, FilterType: '1' },
      ],
      [
        'change a listener in place',
        (cloud) => cloud.updateListener(key, { instancePort: 31000 }, never),
        'UpdateLoadBalancer',
        {
          LoadBalancerName: 'lb1',
          'ListenerUpdate.LoadBalancerPort': '80',
          'ListenerUpdate.InstancePort': '30080',
          'ListenerUpdate.Listener.LoadBalancerPort': '80',
          'ListenerUpdate.Listener.InstancePort': '31000',
        },
      ],
      [
        'change what all listeners share',
        (cloud) => cloud.update('lb1', { networkVolumeMbps: 200, accountingType: '1' }, never),
        'UpdateLoadBalancer',
        { LoadBalancerName: 'lb1', NetworkVolumeUpdate: '200', AccountingTypeUpdate: '1' },
      ],
      [
        'move a listener to another port',
        (cloud) => cloud.updateListener(key, { loadBalancerPort: 8080, balancingType: 2 }, never),
        'UpdateLoadBalancer',
        {
          LoadBalancerName: 'lb1',
          'ListenerUpdate.LoadBalancerPort': '80',
          'ListenerUpdate.InstancePort': '30080',
          'ListenerUpdate.Listener.LoadBalancerPort': '8080',
          'ListenerUpdate.Listener.InstancePort': '30080',
          'ListenerUpdate.Listener.BalancingType': '2',
        },
      ],
      [
        'rename',
        (cloud) => cloud.update('lb1', { newName: 'lb2' }, never),
        'UpdateLoadBalancer',
        { LoadBalancerName: 'lb1', LoadBalancerNameUpdate: 'lb2' },
      ],
      [
        'switch options on',
        (cloud) => cloud.setOptions(key, { stickiness: { periodMinutes: 5 }, sorryPage: { statusCode: 200 } }, never),
        'UpdateLoadBalancerOption',
        {
          ...KEY,
          'SessionStickinessPolicyUpdate.Enable': 'true',
          'SessionStickinessPolicyUpdate.ExpirationPeriod': '5',
          'SorryPageUpdate.Enable': 'true',
          'SorryPageUpdate.StatusCode': '200',
        },
      ],
      [
        'switch one option off and leave the other',
        (cloud) => cloud.setOptions(key, { stickiness: 'off' }, never),
        'UpdateLoadBalancerOption',
        { ...KEY, 'SessionStickinessPolicyUpdate.Enable': 'false' },
      ],
      ['clear sessions', (cloud) => cloud.clearSessions(key, never), 'ClearLoadBalancerSession', KEY],
      [
        'set a certificate',
        (cloud) => cloud.setCertificate(key, 'cert-1', never),
        'SetLoadBalancerListenerSSLCertificate',
        { ...KEY, SSLCertificateId: 'cert-1' },
      ],
      [
        'take a certificate away',
        (cloud) => cloud.unsetCertificate(key, never),
        'UnsetLoadBalancerListenerSSLCertificate',
        KEY,
      ],
      [
        'set a TLS policy',
        (cloud) => cloud.setSslPolicy(key, '3', never),
        'NiftySetLoadBalancerSSLPoliciesOfListener',
        { ...KEY, SSLPolicyId: '3' },
      ],
      [
        'take a TLS policy away',
        (cloud) => cloud.unsetSslPolicy(key, never),
        'NiftyUnsetLoadBalancerSSLPoliciesOfListener',
        KEY,
      ],
      ['delete a listener', (cloud) => cloud.deleteListener(key, never), 'DeleteLoadBalancer', KEY],
    ];
    for (const [what, call, action, sent] of calls) {
      it(what, async () => {
        const api = new RecordedApi();
        await call(new L4LoadBalancers(api, new FakeClock()));
        expect(api.calls).to.deep.equal([{ kind: 'mutate', action, sent }]);
      });
    }

    it('create: answer with the address', async () => {
      const api = new RecordedApi(
        () => '<CreateLoadBalancerResult><DNSName>203.0.113.9</DNSName></CreateLoadBalancerResult>',
      );
      const listener = { loadBalancerPort: 80, instancePort: 30080 };
      expect(await new L4LoadBalancers(api, new FakeClock()).create({ name: 'lb1', listener }, never)).to.deep.equal({
        vip: '203.0.113.9',
      });
    });

    const listener = { loadBalancerPort: 80, instancePort: 30080 };
    const check = { target: 'TCP:30080', intervalSeconds: 5, unhealthyThreshold: 3 };
    const refusals: [what: string, call: (cloud: L4LoadBalancers) => Promise<unknown>, message: RegExp][] = [
      ['a long name', (cloud) => cloud.create({ name: 'x'.repeat(16), listener }, never), /1 to 15 letters/],
      ['a hyphen in a new name', (cloud) => cloud.update('lb1', { newName: 'a-b' }, never), /letters.*"a-b"/],
      ['an empty new name', (cloud) => cloud.update('lb1', { newName: '' }, never), /1 to 15 letters/],
      [
        'port 0',
        (cloud) => cloud.registerPort({ name: 'lb1', listener: { ...listener, loadBalancerPort: 0 } }, never),
        /1 to 65535, not 0/,
      ],
      [
        'an unknown balancing type',
        (cloud) => cloud.updateListener(key, { balancingType: 3 }, never),
        /one of 1, 2, not 3/,
      ],
      [
        'an unknown policy',
        (cloud) => cloud.create({ name: 'lb1', listener, policyType: 'ATS' }, never),
        /standard, ats, not "ATS"/,
      ],
      [
        'a check by HTTP',
        (cloud) => cloud.configureHealthCheck(key, { ...check, target: 'HTTP:80' }, never),
        /TCP:<port> or ICMP, not "HTTP:80"/,
      ],
      [
        'an interval below 5 s',
        (cloud) => cloud.configureHealthCheck(key, { ...check, intervalSeconds: 4 }, never),
        /5 to 300, not 4/,
      ],
      [
        'a threshold over 10',
        (cloud) => cloud.configureHealthCheck(key, { ...check, unhealthyThreshold: 11 }, never),
        /1 to 10, not 11/,
      ],
      [
        'a sorry page of status 404',
        (cloud) => cloud.setOptions(key, { sorryPage: { statusCode: 404 } }, never),
        /200, 503, not 404/,
      ],
      ['an empty certificate id', (cloud) => cloud.setCertificate(key, '', never), /certificate is empty/],
    ];
    for (const [what, call, message] of refusals) {
      it(`are not sent with ${what}`, async () => {
        const api = new RecordedApi();
        expect(String(await errorOf(call(new L4LoadBalancers(api, new FakeClock()))))).to.match(message);
        expect(api.calls).to.deep.equal([]);
      });
    }

    it('are not sent for no targets', async () => {
      const api = new RecordedApi();
      const cloud = new L4LoadBalancers(api, new FakeClock());
      await cloud.registerTargets(key, [], never);
      await cloud.deregisterTargets(key, [], never);
      expect(api.calls).to.deep.equal([]);
    });
  });

  it('say how their targets are', async () => {
    const states = `<member><InstanceId>node01</InstanceId><instanceUniqueId>i-1</instanceUniqueId><State>InService</State>
        <ReasonCode>N/A</ReasonCode><Description/></member>
      <member><InstanceId>node02</InstanceId><InstanceUniqueId>i-2</InstanceUniqueId><State>OutOfService</State>
        <ReasonCode>ELB</ReasonCode><Description><![CDATA[no answer]]></Description></member>`;
    const api = new RecordedApi(
      () =>
        `<DescribeInstanceHealthResult><InstanceStates>${states}</InstanceStates></DescribeInstanceHealthResult>
         <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata>`,
    );
    const cloud = new L4LoadBalancers(api, new FakeClock());
    const key = { name: 'lb1', loadBalancerPort: 80, instancePort: 30080 };
    expect(await cloud.targetHealth(key, never)).to.deep.equal([
      { serverName: 'node01', serverUniqueId: 'i-1', state: 'InService', reason: 'N/A', description: '' },
      { serverName: 'node02', serverUniqueId: 'i-2', state: 'OutOfService', reason: 'ELB', description: 'no answer' },
    ]);
    await cloud.targetHealth(key, never, ['node02']);
    const KEY = { LoadBalancerName: 'lb1', LoadBalancerPort: '80', InstancePort: '30080' };
    expect(api.calls).to.deep.equal([
      { kind: 'read', action: 'DescribeInstanceHealth', sent: KEY },
      { kind: 'read', action: 'DescribeInstanceHealth', sent: { ...KEY, 'Instances.member.1.InstanceId': 'node02' } },
    ]);
  });
});
