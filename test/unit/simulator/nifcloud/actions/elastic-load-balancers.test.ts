import { expect } from 'chai';
import { ElasticCloud, fullCode, LISTENER, listenerOf, NEW, WEB, withoutHealth } from './elastic-cloud.ts';
import type { Sent } from './elastic-cloud.ts';

const MEMBERS = 'NiftyDescribeElasticLoadBalancersResult.ElasticLoadBalancerDescriptions.member';
const LISTENERS = 'ElasticLoadBalancerListenerDescriptions.member';
/** The private LAN of the zone, as an interface. */
const LAN = {
  'NetworkInterface.1.NetworkId': 'net-aaaa1111',
  'NetworkInterface.1.IpAddress': '192.168.1.10',
  'NetworkInterface.1.SystemIpAddresses.1.SystemIpAddress': '192.168.1.11',
  'NetworkInterface.1.SystemIpAddresses.2.SystemIpAddress': '192.168.1.12',
};
const GLOBAL_TOO = { 'NetworkInterface.2.NetworkId': 'net-COMMON_GLOBAL' };

describe('Elastic load balancers', () => {
  let cloud: ElasticCloud;

  beforeEach(async () => {
    cloud = await ElasticCloud.start();
  });
  afterEach(() => cloud.simulator.stop());

  const describeAll = (parameters: Sent = {}) => cloud.client.done('NiftyDescribeElasticLoadBalancers', parameters);
  const namesShown = async (parameters: Sent): Promise<unknown[]> =>
    (await describeAll(parameters)).each(MEMBERS, 'ElasticLoadBalancerName');

  it('are created with all that belongs to their first listener, and then described', async () => {
    const made = await cloud.client.done('NiftyCreateElasticLoadBalancer', {
      ...NEW,
      ...listenerOf({
        Protocol: 'HTTPS',
        BalancingType: 2,
        Description: 'a < b ]]> c',
        SSLCertificateId: 'cert1',
        'Instances.member.1.InstanceId': 'a',
        'Instances.member.2.InstanceUniqueId': 'i-bbbbbbbb',
        'HealthCheck.Target': 'HTTP:8080',
        'HealthCheck.Interval': 10,
        'HealthCheck.UnhealthyThreshold': 3,
        'HealthCheck.Path': '/healthz',
        'HealthCheck.Expectation.member.1.HttpCode': '2xx',
        'HealthCheck.Expectation.member.2.HttpCode': '3xx',
        'Session.StickinessPolicy.Enable': 'true',
        'Session.StickinessPolicy.Method': 2,
        'Session.StickinessPolicy.ExpirationPeriod': 1440,
        'SorryPage.Enable': 'true',
        'SorryPage.RedirectUrl': 'https://sorry.example/',
      }),
      AccountingType: 1,
      NetworkVolume: 500,
    });
    expect(made.body).to.contain(
      '<NiftyCreateElasticLoadBalancerResult><DNSName/></NiftyCreateElasticLoadBalancerResult>',
    );
    const answer = await describeAll();
    expect(answer.at(`${MEMBERS}.0.State`)).to.equal('pending');
    expect(answer.body).to.contain('<Description><![CDATA[]]></Description>');
    const { ElasticLoadBalancerId, ...shown } = answer.at(`${MEMBERS}.0`) as Record<string, unknown>;
    expect(ElasticLoadBalancerId).to.match(/^elb-[0-9a-z]{8}$/);
    const noState = { State: '', ReasonCode: '', Description: '' };
    const [a, b] = [
      { InstanceId: 'a', InstanceUniqueId: 'i-aaaaaaaa' },
      { InstanceId: 'b', InstanceUniqueId: 'i-bbbbbbbb' },
    ];
    expect(shown).to.deep.equal({
      ElasticLoadBalancerName: 'web',
      DNSName: '127.100.8.1',
      NetworkVolume: '500',
      State: 'pending',
      AccountingType: '1',
      NextMonthAccountingType: '1',
      ElasticLoadBalancerListenerDescriptions: {
        member: [
          {
            Listener: {
              Protocol: 'HTTPS',
              ElasticLoadBalancerPort: '18080',
              InstancePort: '30080',
              BalancingType: '2',
              Description: 'a < b ]]> c',
              SSLCertificateId: 'cert1',
              SessionStickinessPolicy: { Enabled: 'true', Method: '2', ExpirationPeriod: '1440' },
              SorryPage: { Enabled: 'true', RedirectUrl: 'https://sorry.example/' },
              Instances: { member: [a, b] },
              HealthCheck: {
                Target: 'HTTP:8080',
                Interval: '10',
                UnhealthyThreshold: '3',
                Path: '/healthz',
                Expectation: { member: [{ HttpCode: '2xx' }, { HttpCode: '3xx' }] },
                InstanceStates: {
                  member: [
                    { ...a, ...noState },
                    { ...b, ...noState },
                  ],
                },
              },
            },
          },
        ],
      },
      AvailabilityZones: { member: ['east-11'] },
      NetworkInterfaces: {
        member: [
          {
            NetworkId: 'net-COMMON_GLOBAL',
            NetworkName: '',
            DeviceIndex: '1',
            IpAddress: '127.100.8.1',
            IsVipNetwork: 'true',
            Description: '',
            SystemIpAddresses: { member: [{ SystemIpAddress: '127.100.8.2' }, { SystemIpAddress: '127.100.8.3' }] },
          },
        ],
      },
      RouteTableId: '',
      RouteTableAssociationId: '',
      VersionInformation: { IsLatest: 'true', Version: 'v2.0' },
      CreatedTime: '2025-01-02T12:04:05+09:00',
    });
    await cloud.settled();
    expect((await describeAll()).at(`${MEMBERS}.0.State`)).to.equal('available');
  });

  it('have defaults for all that may be left out, also where it is sent empty', async () => {
    await cloud.change('NiftyCreateElasticLoadBalancer', {
      'AvailabilityZones.member.1': 'east-11',
      ElasticLoadBalancerName: '',
      NetworkVolume: '',
      'Listeners.member.1.Protocol': 'UDP',
      'Listeners.member.1.ElasticLoadBalancerPort': 18_053,
      'Listeners.member.1.InstancePort': '',
      'Listeners.member.1.SSLCertificateId': '',
      'Listeners.member.1.HealthCheck.Expectation.member': '',
      'Listeners.member.1.SorryPage.Enable': 'false',
      'Listeners.member.1.SorryPage.RedirectUrl': '',
      'NetworkInterface.1.NetworkId': 'net-COMMON_PRIVATE',
      'NetworkInterface.1.IpAddress': '',
      'NetworkInterface.1.SystemIpAddresses': '',
    });
    expect(cloud.only.name).to.match(/^[0-9a-z]{8}$/);
    expect(cloud.only).to.include({ networkVolumeMbps: 10, accountingType: '2', vip: '127.100.8.1' });
    expect(cloud.only.interfaces[0]).to.include({ networkId: 'net-COMMON_PRIVATE', isVip: true });
    const { listensAt, ...listener } = cloud.only.listeners[0] ?? {};
    expect(listener).to.deep.equal({
      protocol: 'UDP',
      loadBalancerPort: 18_053,
      instancePort: 18_053,
      balancingType: 1,
      description: '',
      healthCheck: { target: 'ICMP', intervalSeconds: 5, unhealthyThreshold: 1, path: '', httpCodes: [] },
      filter: { type: 'allow', addresses: [], emptied: false },
      stickiness: { enabled: false, method: 1, periodMinutes: 0 },
      sessionsClearedAtMs: 0,
      sorryPage: { enabled: false, statusCode: 0, redirectUrl: '' },
      sslCertificateId: '',
      sslPolicyId: '',
      targets: [],
    });
    expect(listensAt).to.be.a('string');
  });

  for (const [what, parameters, vip, interfaces] of [
    ['a private LAN by its id', LAN, '192.168.1.10', ['192.168.1.10/192.168.1.11,192.168.1.12']],
    [
      'a private LAN by its name',
      { ...LAN, 'NetworkInterface.1.NetworkId': '', 'NetworkInterface.1.NetworkName': 'lan' },
      '192.168.1.10',
      ['192.168.1.10/192.168.1.11,192.168.1.12'],
    ],
    [
      'a private LAN, with the VIP on the global network',
      {
        ...LAN,
        ...GLOBAL_TOO,
        'NetworkInterface.1.IsVipNetwork': 'false',
        'NetworkInterface.2.IsVipNetwork': 'true',
        'NetworkInterface.2.IpAddress': '',
        'NetworkInterface.2.SystemIpAddresses': '',
      },
      '127.100.8.1',
      ['192.168.1.10/192.168.1.11,192.168.1.12', '127.100.8.1/127.100.8.2,127.100.8.3'],
    ],
    [
      'the global network, with the VIP in a private LAN',
      { ...LAN, ...GLOBAL_TOO },
      '192.168.1.10',
      ['192.168.1.10/192.168.1.11,192.168.1.12', '127.100.8.1/127.100.8.2,127.100.8.3'],
    ],
  ] as const) {
    it(`can be in ${what}`, async () => {
      await cloud.create(parameters);
      expect(cloud.only.vip).to.equal(vip);
      expect(cloud.only.interfaces.map((one) => `${one.ipAddress}/${one.systemIpAddresses.join(',')}`)).to.deep.equal(
        interfaces,
      );
    });
  }

  it('are created one after another in a private LAN', async () => {
    const other = {
      ...LAN,
      ...listenerOf(),
      'AvailabilityZones.member.1': 'east-11',
      ElasticLoadBalancerName: 'other',
    };
    await cloud.client.done('NiftyCreateElasticLoadBalancer', { ...NEW, ...listenerOf(), ...LAN });
    const refused = await cloud.client.call('NiftyCreateElasticLoadBalancer', other);
    expect(refused.code).to.equal('Server.ResourceIncorrectState.Network.Processing');
    await cloud.settled();
    await cloud.client.done('NiftyCreateElasticLoadBalancer', other);
    expect(cloud.simulator.state().elasticLoadBalancers.map(({ name }) => name)).to.deep.equal(['web', 'other']);
  });

  it('are at most five in each zone', async () => {
    for (let n = 1; n <= 5; n++) await cloud.create({ ElasticLoadBalancerName: `lb${n}` });
    const sixth = { ...NEW, ...listenerOf(), ElasticLoadBalancerName: 'lb6' };
    expect((await cloud.client.call('NiftyCreateElasticLoadBalancer', sixth)).code).to.equal(
      'Client.Inoperable.ElasticLoadBalancer.LimitExceeded',
    );
    await cloud.create({ ElasticLoadBalancerName: 'lb6', 'AvailabilityZones.member.1': 'east-12' });
  });

  it('are described by names, ids and ports in parallel lists, also by GET', async () => {
    await cloud.create();
    await cloud.change('NiftyRegisterPortWithElasticLoadBalancer', {
      ElasticLoadBalancerName: 'web',
      ...listenerOf({ Protocol: 'UDP' }),
    });
    await cloud.create({ ElasticLoadBalancerName: 'other' });
    const [web] = cloud.simulator.state().elasticLoadBalancers;
    const byId = { 'ElasticLoadBalancers.ElasticLoadBalancerId.1': web?.uniqueId ?? '' };
    expect(await namesShown({})).to.deep.equal(['web', 'other']);
    expect(await namesShown({ 'ElasticLoadBalancers.ElasticLoadBalancerName.1': 'other' })).to.deep.equal(['other']);
    // The id counts.
    expect(await namesShown({ ...byId, 'ElasticLoadBalancers.ElasticLoadBalancerName.1': 'nobody' })).to.deep.equal([
      'web',
    ]);
    expect((await describeAll(byId)).at(`${MEMBERS}.0.${LISTENERS}.length`)).to.equal(2);
    const one = await cloud.client.call(
      'NiftyDescribeElasticLoadBalancers',
      {
        ...byId,
        'ElasticLoadBalancers.Protocol.1': 'UDP',
        'ElasticLoadBalancers.ElasticLoadBalancerPort.1': 18_080,
        'ElasticLoadBalancers.InstancePort.1': 30_080,
      },
      { method: 'GET' },
    );
    expect(one.each(`${MEMBERS}.0.${LISTENERS}`, 'Listener.Protocol')).to.deep.equal(['UDP']);
  });

  for (const [filter, value, names] of [
    ['availability-zone', 'east-12', ['other']],
    ['state', 'available', ['web']],
    ['state', 'pending', ['other']],
    ['elastic-loadbalancer-name', 'web', ['web']],
    ['elastic-loadbalancer-name', 'we*', []],
    ['description', 'the shop', ['web']],
    ['accounting-type', '1', ['other']],
    ['ip-address', '127.100.8.1', ['web']],
    ['version', 'v2.0', ['web', 'other']],
  ] as const) {
    it(`are filtered by the ${filter} ${value}`, async () => {
      await cloud.create({}, { Description: 'the shop' });
      await cloud.client.done('NiftyCreateElasticLoadBalancer', {
        ...NEW,
        ...listenerOf(),
        ElasticLoadBalancerName: 'other',
        'AvailabilityZones.member.1': 'east-12',
        AccountingType: 1,
      });
      expect(await namesShown({ 'Filter.1.Name': filter, 'Filter.1.Value.1': value })).to.deep.equal(names);
    });
  }

  it('are renamed and changed as a whole, and processing until then', async () => {
    await cloud.create();
    const answer = await cloud.client.done('NiftyUpdateElasticLoadBalancer', {
      ElasticLoadBalancerId: cloud.only.uniqueId,
      ElasticLoadBalancerNameUpdate: 'site',
      NetworkVolumeUpdate: 20,
      AccountingTypeUpdate: 1,
    });
    expect(answer.body).to.match(/^<NiftyUpdateElasticLoadBalancerResponse[^>]*><ResponseMetadata>/);
    expect((await describeAll()).each(MEMBERS, 'State')).to.deep.equal(['processing']);
    expect(cloud.only).to.include({
      name: 'site',
      networkVolumeMbps: 20,
      accountingType: '2',
      nextMonthAccountingType: '1',
    });
    await cloud.settled();
    expect(await namesShown({ 'ElasticLoadBalancers.ElasticLoadBalancerName.1': 'site' })).to.deep.equal(['site']);
  });

  it('lose a listener at the end of its deletion, and are gone with the last', async () => {
    await cloud.create();
    const second = { Protocol: 'HTTP', ElasticLoadBalancerPort: 18_081, InstancePort: 30_081 };
    await cloud.change('NiftyRegisterPortWithElasticLoadBalancer', {
      ElasticLoadBalancerName: 'web',
      ...listenerOf(second),
    });
    await cloud.client.done('NiftyDeleteElasticLoadBalancer', WEB);
    expect(cloud.only.listeners).to.have.length(2);
    expect((await describeAll()).at(`${MEMBERS}.0.State`)).to.equal('processing');
    await cloud.settled();
    expect(cloud.only.listeners.map(({ protocol }) => protocol)).to.deep.equal(['HTTP']);
    await cloud.change('NiftyDeleteElasticLoadBalancer', { ElasticLoadBalancerName: 'web', ...second });
    const gone = await cloud.client.call('NiftyDescribeElasticLoadBalancers', {
      'ElasticLoadBalancers.ElasticLoadBalancerName.1': 'web',
    });
    expect(gone.code).to.equal('Client.InvalidParameterNotFound.ElasticLoadBalancer');
    expect(cloud.simulator.state().elasticLoadBalancers).to.deep.equal([]);
  });

  it('get the latest version, and other system addresses in their private LAN', async () => {
    await cloud.create(LAN);
    await cloud.change('NiftyReplaceElasticLoadBalancerLatestVersion', {
      ElasticLoadBalancerName: 'web',
      'NetworkInterface.1.NetworkId': 'net-aaaa1111',
      'NetworkInterface.1.SystemIpAddresses.1.SystemIpAddress': '192.168.1.21',
      'NetworkInterface.1.SystemIpAddresses.2.SystemIpAddress': '192.168.1.22',
    });
    expect(cloud.only.interfaces[0]?.systemIpAddresses).to.deep.equal(['192.168.1.21', '192.168.1.22']);
    expect(cloud.only.interfaces[0]?.ipAddress).to.equal('192.168.1.10');
  });

  it('have a route table, another, and none', async () => {
    await cloud.create();
    const tables = async (): Promise<unknown[]> =>
      (await cloud.client.done('DescribeRouteTables')).each('routeTableSet.item', 'elasticLoadBalancerAssociationSet');
    const answer = await cloud.change('NiftyAssociateRouteTableWithElasticLoadBalancer', {
      ElasticLoadBalancerId: cloud.only.uniqueId,
      RouteTableId: 'rtb-aaaa1111',
    });
    expect(answer.at('return')).to.equal('true');
    const first = cloud.only.routeTableAssociationId;
    expect(first).to.match(/^rtbassoc-[0-9a-z]{8}$/);
    expect((await describeAll()).at(`${MEMBERS}.0`)).to.include({
      RouteTableId: 'rtb-aaaa1111',
      RouteTableAssociationId: first,
    });
    await cloud.change('NiftyReplaceRouteTableAssociationWithElasticLoadBalancer', {
      AssociationId: first,
      RouteTableId: 'rtb-bbbb2222',
    });
    expect(cloud.only.routeTableId).to.equal('rtb-bbbb2222');
    expect(cloud.only.routeTableAssociationId).not.to.equal(first);
    expect((await tables())[0]).to.equal('');
    await cloud.change('NiftyDisassociateRouteTableFromElasticLoadBalancer', {
      AssociationId: cloud.only.routeTableAssociationId,
    });
    expect(cloud.only).to.include({ routeTableId: '', routeTableAssociationId: '' });
    expect(await tables()).to.deep.equal(['', '']);
  });

  const CREATION: Sent = { ...NEW, ...listenerOf(), ElasticLoadBalancerName: 'new' };
  const create = 'NiftyCreateElasticLoadBalancer';
  const updated = { ElasticLoadBalancerName: 'web', NetworkVolumeUpdate: 20 };
  const byName = 'ElasticLoadBalancers.ElasticLoadBalancerName.1';
  // There is `web` with one listener, and nothing else. What creation needs besides is added.
  for (const [action, parameters, code] of [
    [create, { ElasticLoadBalancerName: 'web' }, 'Client.InvalidParameterDuplicate.ElasticLoadBalancer'],
    [create, { ElasticLoadBalancerName: 'a-b' }, 'IllegalInput.ElasticLoadBalancerName'],
    [create, { ElasticLoadBalancerName: 'x'.repeat(16) }, 'IllegalInput.ElasticLoadBalancerName'],
    [create, { 'AvailabilityZones.member.1': '' }, 'Required.AvailabilityZones'],
    [create, { 'AvailabilityZones.member.2': 'east-12' }, 'IllegalInput.AvailabilityZones'],
    [create, { 'AvailabilityZones.member.1': 'east-13' }, 'NotFound.AvailabilityZone'],
    [create, { NetworkVolume: 600 }, 'IllegalInput.NetworkVolume'],
    [create, { AccountingType: 3 }, 'IllegalInput.AccountingType'],
    [create, { 'NetworkInterface.1.NetworkId': '' }, 'Required.NetworkId'],
    [create, { 'NetworkInterface.1.NetworkId': '', 'NetworkInterface.1.IsVipNetwork': '' }, 'Required.NetworkId'],
    [create, { 'NetworkInterface.1.NetworkId': 'net-cccc3333' }, 'NotFound.NetworkId'],
    [create, { 'NetworkInterface.1.NetworkName': 'lan' }, 'IllegalInput.NetworkName'],
    [create, { 'NetworkInterface.1.NetworkId': '', 'NetworkInterface.1.NetworkName': 'no' }, 'NotFound.PrivateLanName'],
    [create, { 'NetworkInterface.1.IpAddress': '192.168.1.10' }, 'IllegalInput.IpAddress'],
    [
      create,
      { 'NetworkInterface.1.SystemIpAddresses.1.SystemIpAddress': '192.168.1.11' },
      'IllegalInput.SystemIpAddresses',
    ],
    [create, { 'NetworkInterface.1.IsVipNetwork': 'false' }, 'IllegalInput.IsVipNetwork'],
    [create, { ...LAN, ...GLOBAL_TOO, 'NetworkInterface.2.IsVipNetwork': 'true' }, 'IllegalInput.IsVipNetwork'],
    [create, { ...LAN, ...GLOBAL_TOO, 'NetworkInterface.1.IsVipNetwork': '' }, 'IllegalInput.IsVipNetwork'],
    [create, { ...GLOBAL_TOO }, 'IllegalInput.NetworkId'],
    [
      create,
      { ...LAN, ...GLOBAL_TOO, 'NetworkInterface.3.NetworkId': 'net-COMMON_PRIVATE' },
      'IllegalInput.NetworkInterface',
    ],
    [create, { ...LAN, 'NetworkInterface.1.IpAddress': '' }, 'Required.IpAddress'],
    [create, { ...LAN, 'NetworkInterface.1.IpAddress': '192.168.2.10' }, 'IllegalInput.IpAddress'],
    [create, { ...LAN, 'NetworkInterface.1.IpAddress': '192.168.1.x' }, 'IllegalInput.IpAddress'],
    [create, { ...LAN, 'NetworkInterface.1.IpAddress': '192.168.1.11' }, 'IllegalInput.SystemIpAddresses'],
    [
      create,
      { ...LAN, 'NetworkInterface.1.SystemIpAddresses.2.SystemIpAddress': '' },
      'IllegalInput.SystemIpAddresses',
    ],
    [
      create,
      { ...LAN, 'NetworkInterface.1.SystemIpAddresses.2.SystemIpAddress': '192.168.1.11' },
      'IllegalInput.SystemIpAddresses',
    ],
    [
      create,
      { ...LAN, 'NetworkInterface.1.SystemIpAddresses.3.SystemIpAddress': '192.168.1.13' },
      'IllegalInput.SystemIpAddresses',
    ],
    [
      create,
      {
        ...LAN,
        'NetworkInterface.1.SystemIpAddresses.1.SystemIpAddress': '',
        'NetworkInterface.1.SystemIpAddresses.2.SystemIpAddress': '',
      },
      'Required.SystemIpAddress',
    ],
    [create, { ...LAN, 'NetworkInterface.1.NetworkId': 'net-bbbb2222' }, 'Client.Inoperable.Network.DifferentZone'],
    ['NiftyDescribeElasticLoadBalancers', { [byName]: 'nobody' }, 'NotFound.ElasticLoadBalancer'],
    [
      'NiftyDescribeElasticLoadBalancers',
      { 'ElasticLoadBalancers.ElasticLoadBalancerId.1': 'elb-00000000' },
      'NotFound.ElasticLoadBalancer',
    ],
    [
      'NiftyDescribeElasticLoadBalancers',
      { [byName]: 'web', 'ElasticLoadBalancers.Protocol.1': 'HTTP' },
      'NotFound.Protocol.or.ElasticLoadBalancerPort',
    ],
    [
      'NiftyDescribeElasticLoadBalancers',
      { [byName]: 'web', 'ElasticLoadBalancers.ElasticLoadBalancerPort.1': 1 },
      'NotFound.ElasticLoadBalancerPort',
    ],
    [
      'NiftyDescribeElasticLoadBalancers',
      { [byName]: 'web', 'ElasticLoadBalancers.Protocol.2': 'TCP' },
      'Required.ElasticLoadBalancerName',
    ],
    ['NiftyDescribeElasticLoadBalancers', { 'Filter.1.Name': 'name', 'Filter.1.Value.1': 'x' }, 'IllegalInput.Name'],
    ['NiftyUpdateElasticLoadBalancer', { NetworkVolumeUpdate: 20 }, 'Required.ElasticLoadBalancerName'],
    [
      'NiftyUpdateElasticLoadBalancer',
      { ...updated, ElasticLoadBalancerId: 'elb-00000000' },
      'NotFound.ElasticLoadBalancerId',
    ],
    ['NiftyUpdateElasticLoadBalancer', { ...updated, ElasticLoadBalancerName: 'no' }, 'NotFound.ElasticLoadBalancer'],
    [
      'NiftyUpdateElasticLoadBalancer',
      { ...updated, ElasticLoadBalancerNameUpdate: 'web' },
      'Client.InvalidParameterDuplicate.ElasticLoadBalancer',
    ],
    ['NiftyUpdateElasticLoadBalancer', { ...updated, NetworkVolumeUpdate: 2000 }, 'IllegalInput.NetworkVolumeUpdate'],
    ['NiftyDeleteElasticLoadBalancer', { ...WEB, Protocol: '' }, 'Required.Protocol'],
    ['NiftyDeleteElasticLoadBalancer', { ...WEB, InstancePort: 1 }, 'NotFound.Protocol.or.ElasticLoadBalancerPort'],
    ['NiftyDeleteElasticLoadBalancer', { ElasticLoadBalancerName: 'no', ...LISTENER }, 'NotFound.ElasticLoadBalancer'],
    [
      'NiftyReplaceElasticLoadBalancerLatestVersion',
      { ElasticLoadBalancerName: 'web', 'NetworkInterface.1.NetworkId': 'net-aaaa1111' },
      'IllegalInput.NetworkId',
    ],
    [
      'NiftyAssociateRouteTableWithElasticLoadBalancer',
      { ElasticLoadBalancerId: 'elb-00000000', RouteTableId: 'rtb-aaaa1111' },
      'NotFound.ElasticLoadBalancerId',
    ],
    [
      'NiftyReplaceRouteTableAssociationWithElasticLoadBalancer',
      { AssociationId: 'rtbassoc-00000000', RouteTableId: 'rtb-aaaa1111' },
      'NotFound.AssociationId',
    ],
    ['NiftyDisassociateRouteTableFromElasticLoadBalancer', {}, 'Required.AssociationId'],
  ] as const) {
    it(`refuse ${action} of ${JSON.stringify(parameters)} and stay as they are`, async () => {
      await cloud.create();
      const before = cloud.simulator.state();
      const sent = action === create ? { ...CREATION, ...parameters } : parameters;
      expect((await cloud.client.call(action, sent)).code).to.equal(fullCode(code));
      expect(withoutHealth(cloud.simulator.state())).to.deep.equal(withoutHealth(before));
    });
  }

  it('refuse a route table that does not exist, and a second one', async () => {
    await cloud.create();
    const associate = async (RouteTableId: string): Promise<string | undefined> =>
      (
        await cloud.client.call('NiftyAssociateRouteTableWithElasticLoadBalancer', {
          ElasticLoadBalancerId: cloud.only.uniqueId,
          RouteTableId,
        })
      ).code;
    expect(await associate('rtb-00000000')).to.equal('Client.InvalidParameterNotFound.RouteTableId');
    expect(await associate('rtb-aaaa1111')).to.equal(undefined);
    await cloud.settled();
    expect(await associate('rtb-bbbb2222')).to.equal('Client.ResourceAssociated.ElasticLoadBalancer');
  });
});

describe('Elastic load balancers that are being created or changed', () => {
  let cloud: ElasticCloud;

  beforeEach(async () => {
    cloud = await ElasticCloud.start();
  });
  afterEach(() => cloud.simulator.stop());

  const CHECK = { 'HealthCheck.Target': 'ICMP', 'HealthCheck.Interval': 5, 'HealthCheck.UnhealthyThreshold': 1 };
  for (const [action, parameters] of [
    ['NiftyUpdateElasticLoadBalancer', { ElasticLoadBalancerName: 'web', NetworkVolumeUpdate: 20 }],
    ['NiftyDeleteElasticLoadBalancer', WEB],
    ['NiftyReplaceElasticLoadBalancerLatestVersion', { ElasticLoadBalancerName: 'web' }],
    [
      'NiftyRegisterPortWithElasticLoadBalancer',
      { ElasticLoadBalancerName: 'web', ...listenerOf({ Protocol: 'UDP' }) },
    ],
    ['NiftyConfigureElasticLoadBalancerHealthCheck', { ...WEB, ...CHECK }],
    ['NiftyRegisterInstancesWithElasticLoadBalancer', { ...WEB, 'Instances.member.1.InstanceId': 'b' }],
    ['NiftyDeregisterInstancesFromElasticLoadBalancer', { ...WEB, 'Instances.member.1.InstanceId': 'a' }],
    ['NiftyModifyElasticLoadBalancerAttributes', WEB],
    [
      'NiftyReplaceElasticLoadBalancerListenerSSLCertificate',
      { ...WEB, Protocol: 'HTTPS', ElasticLoadBalancerPort: 18_443, SSLCertificateId: 'cert2' },
    ],
    ['NiftyAssociateRouteTableWithElasticLoadBalancer', { RouteTableId: 'rtb-aaaa1111' }],
  ] as const) {
    it(`refuse ${action}, and accept it once they are available`, async () => {
      const sent = (): Sent =>
        action === 'NiftyAssociateRouteTableWithElasticLoadBalancer'
          ? { ...parameters, ElasticLoadBalancerId: cloud.only.uniqueId }
          : parameters;
      const isHttps = 'SSLCertificateId' in parameters;
      await cloud.client.done('NiftyCreateElasticLoadBalancer', {
        ...NEW,
        ...listenerOf({
          'Instances.member.1.InstanceId': 'a',
          ...(isHttps ? { Protocol: 'HTTPS', ElasticLoadBalancerPort: 18_443, SSLCertificateId: 'cert1' } : {}),
        }),
      });
      const refuse = async (): Promise<void> => {
        expect((await cloud.client.call(action, sent())).code).to.equal(
          'Server.ResourceIncorrectState.ElasticLoadBalancer.Processing',
        );
      };
      await refuse();
      await cloud.settled();
      await cloud.client.done('NiftyUpdateElasticLoadBalancer', { ElasticLoadBalancerName: 'web' });
      await refuse();
      await cloud.settled();
      await cloud.client.done(action, sent());
      expect(cloud.only.transition?.kind).to.equal('elastic-change');
      await refuse();
    });
  }
});
