import { expect } from 'chai';
import { parseFleet } from '../../../../../simulator/nifcloud/world/fleet.ts';
import type { Simulator } from '../../../../../simulator/nifcloud/simulator.ts';
import { startCloud } from '../raw-client.ts';
import type { RawClient } from '../raw-client.ts';

const FLEET = parseFleet(
  `
zones: [east-11, east-12]
networks:
  - { id: net-lan00001, name: pods, zone: east-11, cidr: 10.0.0.0/24 }
  - { id: net-lan00002, name: far, zone: east-12, cidr: 10.0.1.0/24 }
routeTables:
  - { id: rtb-aaaaaaaa }
routers:
  - { id: rtr-aaaaaaaa, name: router1, zone: east-11, routeTable: rtb-aaaaaaaa, interfaces: [{ network: net-COMMON_GLOBAL, ipAddress: 203.0.113.1 }, { network: pods, ipAddress: 10.0.0.1 }] }
  - { id: rtr-bbbbbbbb, name: router2, zone: east-12 }
servers:
  - { name: a, uniqueId: i-aaaaaaaa, zone: east-11, privateNetwork: pods, privateAddress: 10.0.0.11 }
  - { name: b, uniqueId: i-bbbbbbbb, zone: east-11, privateAddress: 10.0.0.12 }
elasticLoadBalancers:
  - name: elastic
    zone: east-11
    interfaces:
      - { network: net-COMMON_GLOBAL, vip: true }
      - { network: pods, ipAddress: 10.0.0.2, systemIpAddresses: [10.0.0.3, 10.0.0.4] }
    listeners: [{ protocol: TCP, port: 80, instancePort: 30080 }, { protocol: UDP, port: 53, instancePort: 30053 }]
`,
  'fleet',
);

describe('networks', () => {
  let simulator: Simulator;
  let client: RawClient;

  before(async () => {
    ({ simulator, client } = await startCloud({ fleet: FLEET }));
  });
  after(() => simulator.stop());

  it('are listed with all that is on them', async () => {
    const answer = await client.done('NiftyDescribePrivateLans', { 'NetworkId.1': 'net-lan00001' });
    expect(answer.at('privateLanSet.item.0')).to.deep.equal({
      networkId: 'net-lan00001',
      privateLanName: 'pods',
      state: 'available',
      cidrBlock: '10.0.0.0/24',
      availabilityZone: 'east-11',
      description: '',
      accountingType: '2',
      nextMonthAccountingType: '2',
      sharingStatus: '',
      instancesSet: {
        item: [{ instanceId: 'a', instanceUniqueId: 'i-aaaaaaaa', ipAddress: '10.0.0.11', deviceIndex: '1' }],
      },
      routerSet: {
        item: [{ routerId: 'rtr-aaaaaaaa', routerName: 'router1', ipAddress: '10.0.0.1', deviceIndex: '1' }],
      },
      elasticLoadBalancingSet: {
        item: [
          { elasticLoadBalancerName: 'elastic', protocol: 'TCP', elasticLoadBalancerPort: '80', instancePort: '30080' },
          { elasticLoadBalancerName: 'elastic', protocol: 'UDP', elasticLoadBalancerPort: '53', instancePort: '30053' },
        ],
      },
      networkInterfaceSet: '',
      vpnGatewaySet: '',
      remoteAccessVpnGatewaySet: '',
      tagSet: '',
    });
  });

  it('are joined by routers, which show their interfaces and their route table', async () => {
    const answer = await client.done('NiftyDescribeRouters', { 'RouterName.1': 'router1' });
    const router = answer.at('routerSet.item.0') as Record<string, unknown>;
    expect(router['routeTableAssociationId']).to.match(/^rtbassoc-[0-9a-z]{8}$/);
    const none = { description: '', dhcp: 'false', dhcpConfigId: '', dhcpOptionsId: '' };
    expect(router).to.deep.equal({
      routerId: 'rtr-aaaaaaaa',
      routerName: 'router1',
      state: 'available',
      type: 'small',
      availabilityZone: 'east-11',
      description: '',
      accountingType: '2',
      nextMonthAccountingType: '2',
      groupSet: '',
      networkInterfaceSet: {
        item: [
          {
            networkId: 'net-COMMON_GLOBAL',
            networkName: '',
            deviceIndex: '0',
            ipAddress: '203.0.113.1',
            cidrBlock: '',
            ...none,
          },
          {
            networkId: 'net-lan00001',
            networkName: 'pods',
            deviceIndex: '1',
            ipAddress: '10.0.0.1',
            cidrBlock: '10.0.0.0/24',
            ...none,
          },
        ],
      },
      routeTableId: 'rtb-aaaaaaaa',
      routeTableAssociationId: router['routeTableAssociationId'],
      natTableId: '',
      natTableAssociationId: '',
      versionInformation: { version: '1.0', isLatest: 'true' },
      backupInformation: { isBackup: 'false' },
      tagSet: '',
    });
  });

  const ROUTERS = ['NiftyDescribeRouters', 'routerSet.item', 'routerName'] as const;
  const LANS = ['NiftyDescribePrivateLans', 'privateLanSet.item', 'privateLanName'] as const;
  for (const [[action, path, key], filter, value, names] of [
    [ROUTERS, 'availability-zone', 'east-12', ['router2']],
    [ROUTERS, 'state', 'available', ['router1', 'router2']],
    [ROUTERS, 'state', 'pending', []],
    [ROUTERS, 'router-id', 'rtr-bbbbbbbb', ['router2']],
    [ROUTERS, 'router-name', 'router*', ['router1', 'router2']],
    [ROUTERS, 'router-name', '?outer2', ['router2']],
    [ROUTERS, 'description', 'x*', []],
    [ROUTERS, 'accountingType', '2', ['router1', 'router2']],
    [ROUTERS, 'type', 'large', []],
    [ROUTERS, 'ip-address', '10.0.0.1', ['router1']],
    [ROUTERS, 'version', '1.0', ['router1', 'router2']],
    [ROUTERS, 'latest-version-information', 'false', []],
    [LANS, 'availabilityZone', 'east-12', ['far']],
    [LANS, 'availability-zone', 'east-11', ['pods']],
    [LANS, 'cidrBlock', '10.0.0.0/24', ['pods']],
    [LANS, 'cidr', '10.0.1.0/24', ['far']],
    [LANS, 'cidr-block', '10.0.1.0/24', ['far']],
    [LANS, 'state', 'available', ['pods', 'far']],
    [LANS, 'network-id', 'net-lan00002', ['far']],
    [LANS, 'private-lan-name', 'p?d*', ['pods']],
    [LANS, 'accountingType', '1', []],
    [LANS, 'description', '?', []],
  ] as const) {
    it(`are found by ${action} with ${filter} ${value}`, async () => {
      const answer = await client.done(action, { 'Filter.1.Name': filter, 'Filter.1.Value.1': value });
      expect(answer.each(path, key)).to.deep.equal(names);
    });
  }

  it('must fit both a list of ids and a list of names', async () => {
    const both = { 'RouterId.1': 'rtr-aaaaaaaa', 'RouterName.1': 'router1', 'RouterName.2': 'router2' };
    const answer = await client.done('NiftyDescribeRouters', both);
    expect(answer.each('routerSet.item', 'routerName')).to.deep.equal(['router1']);
  });

  for (const [action, parameters, subject] of [
    ['NiftyDescribeRouters', { 'RouterId.1': 'router1' }, 'NotFound.RouterId'],
    ['NiftyDescribeRouters', { 'RouterName.1': 'rtr-aaaaaaaa' }, 'NotFound.RouterName'],
    ['NiftyDescribePrivateLans', { 'NetworkId.1': 'net-COMMON_GLOBAL' }, 'NotFound.NetworkId'],
    ['NiftyDescribePrivateLans', { 'PrivateLanName.1': 'net-lan00001' }, 'NotFound.PrivateLanName'],
    ['NiftyDescribeRouters', { 'Filter.1.Name': 'color', 'Filter.1.Value.1': 'x' }, 'IllegalInput.Name'],
    ['NiftyDescribePrivateLans', { 'Filter.1.Name': 'color', 'Filter.1.Value.1': 'x' }, 'IllegalInput.Name'],
  ] as const) {
    it(`refuse ${action} of ${JSON.stringify(parameters)}`, async () => {
      expect((await client.call(action, parameters)).code).to.equal(`Client.InvalidParameter${subject}`);
    });
  }
});
