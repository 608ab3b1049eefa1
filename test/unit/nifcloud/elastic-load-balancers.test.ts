import { expect } from 'chai';
import { ElasticLoadBalancers, type ElasticLoadBalancer } from '../../../nifcloud/elastic-load-balancers.ts';
import type {
  ElasticHealthCheck,
  ElasticListenerKey,
  NewElasticLoadBalancer,
} from '../../../nifcloud/elastic-requests.ts';
import { FakeClock } from '../../fake-clock.ts';
import { errorOf, listed, RecordedApi } from './recorded-api.ts';

const never = new AbortController().signal;

const HTTPS = `<member><Listener><Protocol>https</Protocol><ElasticLoadBalancerPort>443</ElasticLoadBalancerPort>
  <InstancePort>30443</InstancePort><BalancingType>2</BalancingType><Description><![CDATA[a <b> & c]]></Description>
  <SSLCertificateId>cert-1</SSLCertificateId>
  <HealthCheck><Target>HTTP:30443</Target><Interval>10</Interval><UnhealthyThreshold>2</UnhealthyThreshold><Path>/healthz</Path>
   <Expectation><member><HttpCode>2xx</HttpCode></member><member><HttpCode>3xx</HttpCode></member></Expectation><InstanceStates/></HealthCheck>
  <Instances><member><InstanceId>node01</InstanceId><instanceUniqueId>i-1</instanceUniqueId></member></Instances>
  <SessionStickinessPolicy><Enabled>true</Enabled><Method>2</Method><ExpirationPeriod>30</ExpirationPeriod></SessionStickinessPolicy>
  <SorryPage><Enabled>true</Enabled><RedirectUrl>https://sorry.example/</RedirectUrl></SorryPage></Listener></member>`;

const UDP = `<member><Listener><Protocol>UDP</Protocol><ElasticLoadBalancerPort>53</ElasticLoadBalancerPort><InstancePort>30053</InstancePort>
  <BalancingType>1</BalancingType><Description><![CDATA[]]></Description><SSLCertificateId/><HealthCheck><Target>ICMP</Target>
  <Interval>5</Interval><UnhealthyThreshold>1</UnhealthyThreshold><Path/><Expectation/><InstanceStates/></HealthCheck>
  <Instances><member><InstanceId>node02</InstanceId><InstanceUniqueId>i-2</InstanceUniqueId></member></Instances>
  <SessionStickinessPolicy><Enabled>false</Enabled><Method/><ExpirationPeriod/></SessionStickinessPolicy>
  <SorryPage><Enabled>false</Enabled><RedirectUrl/></SorryPage></Listener></member>`;

/** One `<member>` of NiftyDescribeElasticLoadBalancers: a load balancer. Shape of docs/reference/nifcloud-api.md §5.4. */
const LB = `<member><ElasticLoadBalancerId>elb-0abc1def</ElasticLoadBalancerId><ElasticLoadBalancerName>lb1</ElasticLoadBalancerName>
  <DNSName>203.0.113.9</DNSName><State>available</State><NetworkVolume>100</NetworkVolume><AccountingType>1</AccountingType>
  <NextMonthAccountingType>2</NextMonthAccountingType><AvailabilityZones><member>east-11</member></AvailabilityZones>
  <CreatedTime>2024-06-17T14:03:29+09:00</CreatedTime><RouteTableId>rtb-1</RouteTableId><RouteTableAssociationId>rtbassoc-1</RouteTableAssociationId>
  <VersionInformation><Version>v2.0</Version><IsLatest>true</IsLatest></VersionInformation>
  <NetworkInterfaces><member><DeviceIndex>1</DeviceIndex><NetworkId>net-COMMON_GLOBAL</NetworkId><NetworkName/><IpAddress>203.0.113.9</IpAddress>
   <IsVipNetwork>true</IsVipNetwork><SystemIpAddresses><member><SystemIpAddress>203.0.113.10</SystemIpAddress></member>
   <member><SystemIpAddress>203.0.113.11</SystemIpAddress></member></SystemIpAddresses></member>
   <member><DeviceIndex>2</DeviceIndex><NetworkId>net-0abc1def</NetworkId><NetworkName>lan1</NetworkName><IpAddress>192.168.0.5</IpAddress>
   <IsVipNetwork>false</IsVipNetwork><SystemIpAddresses/></member></NetworkInterfaces>
  <ElasticLoadBalancerListenerDescriptions>${HTTPS}${UDP}</ElasticLoadBalancerListenerDescriptions></member>`;

const answer = (...members: string[]): string =>
  `<NiftyDescribeElasticLoadBalancersResult><ElasticLoadBalancerDescriptions>${members.join('')}</ElasticLoadBalancerDescriptions>
   </NiftyDescribeElasticLoadBalancersResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata>`;

const list = (...members: string[]): Promise<readonly ElasticLoadBalancer[]> =>
  listed(answer(...members), (api, clock) => new ElasticLoadBalancers(api, clock, 3_000).list(never));

describe('elastic load balancers', () => {
  it('are read as the cloud describes them', async () => {
    const [{ listeners, ...shared }] = (await list(LB)) as [ElasticLoadBalancer];
    expect(shared).to.deep.equal({
      id: 'elb-0abc1def',
      name: 'lb1',
      zone: 'east-11',
      vip: '203.0.113.9',
      state: 'available',
      networkVolumeMbps: 100,
      accountingType: '1',
      nextMonthAccountingType: '2',
      interfaces: [
        {
          networkId: 'net-COMMON_GLOBAL',
          networkName: '',
          address: '203.0.113.9',
          systemAddresses: ['203.0.113.10', '203.0.113.11'],
          isVip: true,
        },
        { networkId: 'net-0abc1def', networkName: 'lan1', address: '192.168.0.5', systemAddresses: [], isVip: false },
      ],
      routeTableId: 'rtb-1',
      routeTableAssociationId: 'rtbassoc-1',
      version: 'v2.0',
      isLatestVersion: true,
      createdAt: '2024-06-17T14:03:29+09:00',
    });
    expect(listeners[0]).to.deep.equal({
      protocol: 'HTTPS',
      loadBalancerPort: 443,
      instancePort: 30443,
      balancingType: 2,
      description: 'a <b> & c',
      certificateId: 'cert-1',
      healthCheck: {
        target: 'HTTP:30443',
        intervalSeconds: 10,
        unhealthyThreshold: 2,
        path: '/healthz',
        httpCodes: ['2xx', '3xx'],
      },
      targets: [{ serverName: 'node01', serverUniqueId: 'i-1' }],
      stickiness: { method: 'cookie', periodMinutes: 30 },
      sorryPage: { redirectUrl: 'https://sorry.example/' },
    });
  });

  it('have targets of their own at each listener, and nothing that is empty or switched off', async () => {
    const [loadBalancer] = await list(LB);
    expect(loadBalancer!.listeners[1]).to.deep.equal({
      protocol: 'UDP',
      loadBalancerPort: 53,
      instancePort: 30053,
      balancingType: 1,
      description: '',
      certificateId: '',
      healthCheck: { target: 'ICMP', intervalSeconds: 5, unhealthyThreshold: 1, path: '', httpCodes: [] },
      targets: [{ serverName: 'node02', serverUniqueId: 'i-2' }],
      stickiness: undefined,
      sorryPage: undefined,
    });
  });

  it('are read while they are made, without an address or listeners', async () => {
    const made = `<member><ElasticLoadBalancerId>elb-1</ElasticLoadBalancerId><ElasticLoadBalancerName>lb1</ElasticLoadBalancerName>
      <DNSName/><State>pending</State><NetworkVolume/><NetworkInterfaces/><ElasticLoadBalancerListenerDescriptions/></member>`;
    const [loadBalancer] = await list(made);
    expect(loadBalancer).to.deep.include({ vip: '', state: 'pending', networkVolumeMbps: 0, zone: '', listeners: [] });
  });

  it('are none in an answer without any', async () => {
    expect(await list()).to.deep.equal([]);
  });

  for (const [what, entry] of [
    ['its id', LB.replace('>elb-0abc1def<', '><')],
    ['its name', LB.replace('>lb1<', '><')],
    ["a listener's protocol", LB.replace('<Protocol>UDP</Protocol>', '')],
    ["a listener's port", LB.replace('<InstancePort>30053</InstancePort>', '<InstancePort/>')],
  ] as const) {
    it(`are not known at all when an entry lacks ${what}: it might be any of them`, async () => {
      expect(String(await errorOf(list(entry)))).to.contain('lacks its');
    });
  }

  describe('are changed by calls that', () => {
    const key = { id: 'elb-1', protocol: 'TCP', loadBalancerPort: 80, instancePort: 30080 };
    const KEY = {
      ElasticLoadBalancerId: 'elb-1',
      Protocol: 'TCP',
      ElasticLoadBalancerPort: '80',
      InstancePort: '30080',
    };
    const httpsKey = { ...key, protocol: 'HTTPS' };
    const check: ElasticHealthCheck = { target: 'TCP:30080', intervalSeconds: 10, unhealthyThreshold: 1 };
    const wanted: NewElasticLoadBalancer = {
      name: 'lb1',
      zone: 'east-11',
      listener: { protocol: 'TCP', loadBalancerPort: 80, instancePort: 30080 },
      interfaces: [{ networkId: 'net-COMMON_GLOBAL', isVip: true }],
    };
    const listener = wanted.listener;

    const calls: [
      what: string,
      call: (cloud: ElasticLoadBalancers) => Promise<unknown>,
      action: string,
      sent: Record<string, string>,
    ][] = [
      [
        'create with what is needed',
        (cloud) => cloud.create(wanted, never),
        'NiftyCreateElasticLoadBalancer',
        {
          ElasticLoadBalancerName: 'lb1',
          'AvailabilityZones.member.1': 'east-11',
          'Listeners.member.1.Protocol': 'TCP',
          'Listeners.member.1.ElasticLoadBalancerPort': '80',
          'Listeners.member.1.InstancePort': '30080',
          'NetworkInterface.1.NetworkId': 'net-COMMON_GLOBAL',
          'NetworkInterface.1.IsVipNetwork': 'true',
        },
      ],
      [
        'create with everything',
        (cloud) =>
          cloud.create(
            {
              ...wanted,
              listener: {
                protocol: 'HTTPS',
                loadBalancerPort: 443,
                instancePort: 30443,
                balancingType: 2,
                description: 'ours',
                certificateId: 'cert-1',
                healthCheck: {
                  target: 'HTTPS:30443',
                  intervalSeconds: 5,
                  unhealthyThreshold: 3,
                  path: '/ok',
                  httpCodes: ['2xx', '3xx'],
                },
                serverUniqueIds: ['i-1', 'i-2'],
                stickiness: { method: 'cookie', periodMinutes: 3 },
                sorryPage: { redirectUrl: 'http://sorry.example/' },
              },
              interfaces: [
                {
                  networkName: 'lan1',
                  isVip: false,
                  address: '192.168.0.5',
                  systemAddresses: ['192.168.0.6', '192.168.0.7'],
                },
                { networkId: 'net-COMMON_GLOBAL', isVip: true },
              ],
              accountingType: '2',
              networkVolumeMbps: 500,
            },
            never,
          ),
        'NiftyCreateElasticLoadBalancer',
        {
          ElasticLoadBalancerName: 'lb1',
          'AvailabilityZones.member.1': 'east-11',
          AccountingType: '2',
          NetworkVolume: '500',
          'Listeners.member.1.Protocol': 'HTTPS',
          'Listeners.member.1.ElasticLoadBalancerPort': '443',
          'Listeners.member.1.InstancePort': '30443',
          'Listeners.member.1.BalancingType': '2',
          'Listeners.member.1.Description': 'ours',
          'Listeners.member.1.SSLCertificateId': 'cert-1',
          'Listeners.member.1.HealthCheck.Target': 'HTTPS:30443',
          'Listeners.member.1.HealthCheck.Interval': '5',
          'Listeners.member.1.HealthCheck.UnhealthyThreshold': '3',
          'Listeners.member.1.HealthCheck.Path': '/ok',
          'Listeners.member.1.HealthCheck.Expectation.member.1.HttpCode': '2xx',
          'Listeners.member.1.HealthCheck.Expectation.member.2.HttpCode': '3xx',
          'Listeners.member.1.Instances.member.1.InstanceUniqueId': 'i-1',
          'Listeners.member.1.Instances.member.2.InstanceUniqueId': 'i-2',
          'Listeners.member.1.Session.StickinessPolicy.Enable': 'true',
          'Listeners.member.1.Session.StickinessPolicy.Method': '2',
          'Listeners.member.1.Session.StickinessPolicy.ExpirationPeriod': '3',
          'Listeners.member.1.SorryPage.Enable': 'true',
          'Listeners.member.1.SorryPage.RedirectUrl': 'http://sorry.example/',
          'NetworkInterface.1.NetworkName': 'lan1',
          'NetworkInterface.1.IsVipNetwork': 'false',
          'NetworkInterface.1.IpAddress': '192.168.0.5',
          'NetworkInterface.1.SystemIpAddresses.1.SystemIpAddress': '192.168.0.6',
          'NetworkInterface.1.SystemIpAddresses.2.SystemIpAddress': '192.168.0.7',
          'NetworkInterface.2.NetworkId': 'net-COMMON_GLOBAL',
          'NetworkInterface.2.IsVipNetwork': 'true',
        },
      ],
      [
        'register a port',
        (cloud) => cloud.registerPort({ id: 'elb-1' }, { ...listener, protocol: 'UDP', description: 'ours' }, never),
        'NiftyRegisterPortWithElasticLoadBalancer',
        {
          ElasticLoadBalancerId: 'elb-1',
          'Listeners.member.1.Protocol': 'UDP',
          'Listeners.member.1.ElasticLoadBalancerPort': '80',
          'Listeners.member.1.InstancePort': '30080',
          'Listeners.member.1.Description': 'ours',
        },
      ],
      [
        'configure the health check',
        (cloud) =>
          cloud.configureHealthCheck(key, { ...check, target: 'HTTP:30080', path: '/', httpCodes: ['2xx'] }, never),
        'NiftyConfigureElasticLoadBalancerHealthCheck',
        {
          ...KEY,
          'HealthCheck.Target': 'HTTP:30080',
          'HealthCheck.Interval': '10',
          'HealthCheck.UnhealthyThreshold': '1',
          'HealthCheck.Path': '/',
          'HealthCheck.Expectation.member.1.HttpCode': '2xx',
        },
      ],
      [
        'register targets by unique id',
        (cloud) => cloud.registerTargets(key, ['i-1', 'i-2'], never),
        'NiftyRegisterInstancesWithElasticLoadBalancer',
        { ...KEY, 'Instances.member.1.InstanceUniqueId': 'i-1', 'Instances.member.2.InstanceUniqueId': 'i-2' },
      ],
      [
        'deregister targets by unique id',
        (cloud) => cloud.deregisterTargets(key, ['i-1'], never),
        'NiftyDeregisterInstancesFromElasticLoadBalancer',
        { ...KEY, 'Instances.member.1.InstanceUniqueId': 'i-1' },
      ],
      [
        'change the attributes of a listener',
        (cloud) =>
          cloud.modifyListener(
            key,
            {
              protocol: 'HTTPS',
              loadBalancerPort: 443,
              instancePort: 30443,
              description: 'ours',
              balancingType: 2,
              certificateId: 'cert-1',
            },
            never,
          ),
        'NiftyModifyElasticLoadBalancerAttributes',
        Object.fromEntries([
          ...Object.entries(KEY),
          ...[
            ['protocol', 'HTTPS'],
            ['elasticLoadBalancerPort', '443'],
            ['instancePort', '30443'],
            ['description', 'ours'],
            ['balancingType', '2'],
            ['sslCertificateId', 'cert-1'],
          ].flatMap(([name, value], index) => [
            [`LoadBalancerAttributes.AdditionalAttributes.member.${index + 1}.Key`, name],
            [`LoadBalancerAttributes.AdditionalAttributes.member.${index + 1}.Value`, value],
          ]),
        ]) as Record<string, string>,
      ],
      [
        'change the options of a listener alone',
        (cloud) =>
          cloud.modifyListener(
            key,
            { stickiness: { method: 'source-ip', periodMinutes: 1440 }, sorryPage: 'off' },
            never,
          ),
        'NiftyModifyElasticLoadBalancerAttributes',
        {
          ...KEY,
          'LoadBalancerAttributes.Session.StickinessPolicy.Enable': 'true',
          'LoadBalancerAttributes.Session.StickinessPolicy.Method': '1',
          'LoadBalancerAttributes.Session.StickinessPolicy.ExpirationPeriod': '1440',
          'LoadBalancerAttributes.SorryPage.Enable': 'false',
        },
      ],
      [
        'replace a certificate',
        (cloud) => cloud.replaceCertificate(httpsKey, 'cert-2', never),
        'NiftyReplaceElasticLoadBalancerListenerSSLCertificate',
        { ...KEY, Protocol: 'HTTPS', SSLCertificateId: 'cert-2' },
      ],
      [
        'change what all listeners share',
        (cloud) => cloud.update({ id: 'elb-1' }, { newName: 'lb2', networkVolumeMbps: 20, accountingType: '1' }, never),
        'NiftyUpdateElasticLoadBalancer',
        {
          ElasticLoadBalancerId: 'elb-1',
          ElasticLoadBalancerNameUpdate: 'lb2',
          NetworkVolumeUpdate: '20',
          AccountingTypeUpdate: '1',
        },
      ],
      ['delete a listener', (cloud) => cloud.deleteListener(key, never), 'NiftyDeleteElasticLoadBalancer', KEY],
      [
        'bring the latest version',
        (cloud) =>
          cloud.replaceWithLatestVersion(
            { id: 'elb-1' },
            [{ networkId: 'net-1', systemAddresses: ['192.168.0.6', '192.168.0.7'] }],
            never,
          ),
        'NiftyReplaceElasticLoadBalancerLatestVersion',
        {
          ElasticLoadBalancerId: 'elb-1',
          'NetworkInterface.1.NetworkId': 'net-1',
          'NetworkInterface.1.SystemIpAddresses.1.SystemIpAddress': '192.168.0.6',
          'NetworkInterface.1.SystemIpAddresses.2.SystemIpAddress': '192.168.0.7',
        },
      ],
      [
        'associate a route table',
        (cloud) => cloud.associateRouteTable('elb-1', 'rtb-1', never),
        'NiftyAssociateRouteTableWithElasticLoadBalancer',
        { ElasticLoadBalancerId: 'elb-1', RouteTableId: 'rtb-1' },
      ],
      [
        'replace a route table',
        (cloud) => cloud.replaceRouteTable('rtbassoc-1', 'rtb-2', never),
        'NiftyReplaceRouteTableAssociationWithElasticLoadBalancer',
        { AssociationId: 'rtbassoc-1', RouteTableId: 'rtb-2' },
      ],
      [
        'disassociate a route table',
        (cloud) => cloud.disassociateRouteTable('rtbassoc-1', never),
        'NiftyDisassociateRouteTableFromElasticLoadBalancer',
        { AssociationId: 'rtbassoc-1' },
      ],
    ];
    for (const [what, call, action, sent] of calls) {
      it(what, async () => {
        const api = new RecordedApi();
        await call(new ElasticLoadBalancers(api, new FakeClock(), 3_000));
        expect(api.calls).to.deep.equal([{ kind: 'mutate', action, sent }]);
      });
    }

    it('address by the id alone where it is known, else by the name', async () => {
      const api = new RecordedApi();
      const cloud = new ElasticLoadBalancers(api, new FakeClock(), 3_000);
      const [seen] = await list(LB);
      await cloud.update(seen!, { networkVolumeMbps: 10 }, never);
      await cloud.update({ id: '', name: 'lb1' }, { networkVolumeMbps: 10 }, never);
      expect(api.calls.map(({ sent }) => sent)).to.deep.equal([
        { ElasticLoadBalancerId: 'elb-0abc1def', NetworkVolumeUpdate: '10' },
        { ElasticLoadBalancerName: 'lb1', NetworkVolumeUpdate: '10' },
      ]);
    });

    it('are not sent for no targets', async () => {
      const api = new RecordedApi();
      const cloud = new ElasticLoadBalancers(api, new FakeClock(), 3_000);
      await cloud.registerTargets(key, [], never);
      await cloud.deregisterTargets(key, [], never);
      expect(api.calls).to.deep.equal([]);
    });

    const create =
      (change: Partial<NewElasticLoadBalancer>) =>
      (cloud: ElasticLoadBalancers): Promise<void> =>
        cloud.create({ ...wanted, ...change }, never);
    const configure =
      (change: Partial<ElasticHealthCheck>) =>
      (cloud: ElasticLoadBalancers): Promise<void> =>
        cloud.configureHealthCheck(key, { ...check, ...change }, never);
    const modify =
      (change: Parameters<ElasticLoadBalancers['modifyListener']>[1], at: ElasticListenerKey = key) =>
      (cloud: ElasticLoadBalancers): Promise<void> =>
        cloud.modifyListener(at, change, never);
    const vip = { networkId: 'net-1', isVip: true };

    const refusals: [what: string, call: (cloud: ElasticLoadBalancers) => Promise<unknown>, message: RegExp][] = [
      ['a long name', create({ name: 'x'.repeat(16) }), /1 to 15 letters/],
      ['no interface', create({ interfaces: [] }), /1 to 2, not 0/],
      ['three interfaces', create({ interfaces: [vip, vip, vip] }), /1 to 2, not 3/],
      ['no way in', create({ interfaces: [{ ...vip, isVip: false }] }), /1 to 1, not 0/],
      ['two ways in', create({ interfaces: [vip, vip] }), /1 to 1, not 2/],
      ['an interface nowhere', create({ interfaces: [{ isVip: true }] }), /id or the name/],
      ['an interface in two networks', create({ interfaces: [{ ...vip, networkName: 'lan1' }] }), /and not both/],
      ['an unknown accounting type', create({ accountingType: 'hourly' }), /1, 2, not "hourly"/],
      ['HTTPS without certificate', create({ listener: { ...listener, protocol: 'HTTPS' } }), /certificate/],
      ['TCP with certificate', create({ listener: { ...listener, certificateId: 'c' } }), /it is TCP/],
      [
        'an unknown protocol',
        create({ listener: { ...listener, protocol: 'tcp' } }),
        /TCP, UDP, HTTP, HTTPS, not "tcp"/,
      ],
      ['port 65536', create({ listener: { ...listener, instancePort: 65_536 } }), /1 to 65535/],
      ['a long description', modify({ description: 'x'.repeat(501) }), /500/],
      ['an empty description', modify({ description: '' }), /description of a listener is empty/],
      ['an empty certificate', modify({ certificateId: '' }), /certificate is empty/],
      ['a check of UDP', configure({ target: 'UDP:53' }), /not "UDP:53"/],
      ['a path for TCP', configure({ path: '/' }), /HTTP and HTTPS, not TCP:30080/],
      ['codes for ICMP', configure({ target: 'ICMP', httpCodes: ['2xx'] }), /HTTP and HTTPS, not ICMP/],
      ['a path without slash', configure({ target: 'HTTP:80', path: 'x' }), /begins with \/, unlike "x"/],
      ['a path of 256', configure({ target: 'HTTP:80', path: `/${'x'.repeat(255)}` }), /255/],
      ['a single code', configure({ target: 'HTTP:80', httpCodes: ['200'] }), /1xx.*not "200"/],
      ['an interval of 301 s', configure({ intervalSeconds: 301 }), /5 to 300, not 301/],
      ['a threshold of 0', configure({ unhealthyThreshold: 0 }), /1 to 10, not 0/],
      ['stickiness of 2 min', modify({ stickiness: { method: 'cookie', periodMinutes: 2 } }), /3 to 1440, not 2/],
      ['a sorry page by FTP', modify({ sorryPage: { redirectUrl: 'ftp://x/' } }), /not "ftp/],
      ['a certificate for TCP', (cloud) => cloud.replaceCertificate(key, 'c', never), /HTTPS, not "TCP"/],
      ['neither id nor name', modify({ balancingType: 1 }, { ...key, id: '' }), /name of a load balancer is empty/],
    ];
    for (const [what, call, message] of refusals) {
      it(`are not sent with ${what}`, async () => {
        const api = new RecordedApi();
        const error = await errorOf(call(new ElasticLoadBalancers(api, new FakeClock(), 3_000)));
        expect(String(error)).to.match(message);
        expect(error instanceof RangeError || error instanceof TypeError).to.equal(true);
        expect(api.calls).to.deep.equal([]);
      });
    }
  });

  it('say how their targets are, when asked', async () => {
    const action = 'NiftyDescribeInstanceElasticLoadBalancerHealth';
    const api = new RecordedApi(
      () =>
        `<${action}Result><InstanceStates><member><InstanceId>node01</InstanceId><InstanceUniqueId>i-1</InstanceUniqueId>
         <State>OutOfService</State><ReasonCode>ELB</ReasonCode><Description/></member></InstanceStates></${action}Result>`,
    );
    const cloud = new ElasticLoadBalancers(api, new FakeClock(), 3_000);
    const key = { id: 'elb-1', protocol: 'UDP', loadBalancerPort: 53, instancePort: 30053 };
    expect(await cloud.targetHealth(key, never, ['i-1'])).to.deep.equal([
      { serverName: 'node01', serverUniqueId: 'i-1', state: 'OutOfService', reason: 'ELB', description: '' },
    ]);
    expect(api.calls).to.deep.equal([
      {
        kind: 'read',
        action,
        sent: {
          ElasticLoadBalancerId: 'elb-1',
          Protocol: 'UDP',
          ElasticLoadBalancerPort: '53',
          InstancePort: '30053',
          'Instances.member.1.InstanceUniqueId': 'i-1',
        },
      },
    ]);
  });

  it('are waited for by name or id, all in one unfiltered listing a tick', async () => {
    const clock = new FakeClock();
    let content = answer();
    const api = new RecordedApi(() => content);
    const cloud = new ElasticLoadBalancers(api, clock, 3_000);
    const made = cloud.until('lb1', (one) => (one?.state === 'available' ? one.id : undefined), never);
    const gone = cloud.until('elb-2', (one) => (one === undefined ? 'gone' : undefined), never);
    await clock.advance(3_005);
    expect(await gone).to.equal('gone');
    content = answer(LB);
    await clock.advance(3_005);
    expect(await made).to.equal('elb-0abc1def');
    expect(api.calls.map(({ action, sent }) => [action, sent])).to.deep.equal([
      ['NiftyDescribeElasticLoadBalancers', {}],
      ['NiftyDescribeElasticLoadBalancers', {}],
    ]);
  });
});
