import { expect } from 'chai';
import { parseFleet } from '../../../../../simulator/nifcloud/world/fleet.ts';
import type { Simulator } from '../../../../../simulator/nifcloud/simulator.ts';
import { FakeClock } from '../../../../fake-clock.ts';
import { startCloud } from '../raw-client.ts';
import type { RawClient } from '../raw-client.ts';

const FLEET = parseFleet(
  `
zones: [east-11]
networks:
  - { id: net-lan00001, name: pods, zone: east-11, cidr: 10.0.0.0/24 }
routeTables:
  - { id: rtb-used0001, routes: [{ destination: 10.1.0.0/24, ipAddress: 10.0.0.11 }, { destination: 10.2.0.0/24, network: pods }] }
  - { id: rtb-elb00001 }
  - { id: rtb-free0001, routes: [{ destination: 172.16.0.1, network: net-COMMON_PRIVATE }] }
routers:
  - { id: rtr-used0001, name: router1, zone: east-11, routeTable: rtb-used0001, interfaces: [{ network: pods, ipAddress: 10.0.0.1 }] }
  - { id: rtr-free0001, name: router2, zone: east-11 }
elasticLoadBalancers:
  - name: elastic
    uniqueId: elb-aaaaaaaa
    zone: east-11
    routeTable: rtb-elb00001
    listeners: [{ protocol: TCP, port: 80, instancePort: 30080 }]
`,
  'fleet',
);

describe('route tables', () => {
  let clock: FakeClock;
  let simulator: Simulator;
  let client: RawClient;

  beforeEach(async () => {
    clock = new FakeClock();
    ({ simulator, client } = await startCloud({ clock, fleet: FLEET }));
  });
  afterEach(() => simulator.stop());

  async function associationOf(router: string): Promise<string> {
    const answer = await client.done('NiftyDescribeRouters', { 'RouterName.1': router });
    return answer.at('routerSet.item.0.routeTableAssociationId') as string;
  }

  /** Routes of a table in words: destination, next hop, network's id and name. */
  async function routes(id: string): Promise<unknown[]> {
    const answer = await client.done('DescribeRouteTables', { 'RouteTableId.1': id });
    const set = 'routeTableSet.item.0.routeSet.item';
    return answer
      .each(set, 'destinationCidrBlock')
      .map((destination, at) =>
        [destination, ...['ipAddress', 'networkId', 'networkName'].map((key) => answer.at(`${set}.${at}.${key}`))].join(
          ' ',
        ),
      );
  }

  it('are described with their routes and associations', async () => {
    const answer = await client.done('DescribeRouteTables');
    const route = { origin: 'CreateRoute', state: 'active', priority: '', vpcPeeringConnectionId: '' };
    expect(answer.at('routeTableSet.item.0')).to.deep.equal({
      routeTableId: 'rtb-used0001',
      routeSet: {
        item: [
          { destinationCidrBlock: '10.1.0.0/24', ipAddress: '10.0.0.11', networkId: '', networkName: '', ...route },
          {
            destinationCidrBlock: '10.2.0.0/24',
            ipAddress: '',
            networkId: 'net-lan00001',
            networkName: 'pods',
            ...route,
          },
        ],
      },
      associationSet: {
        item: [
          {
            routeTableAssociationId: await associationOf('router1'),
            routeTableId: 'rtb-used0001',
            main: 'false',
            routerId: 'rtr-used0001',
            routerName: 'router1',
          },
        ],
      },
      elasticLoadBalancerAssociationSet: '',
      propagatingVgwSet: '',
      tagSet: '',
    });
    const elastic = 'routeTableSet.item.1.elasticLoadBalancerAssociationSet.item.0';
    expect(answer.at(`${elastic}.elasticLoadBalancerId`)).to.equal('elb-aaaaaaaa');
    expect(answer.at(`${elastic}.elasticLoadBalancerName`)).to.equal('elastic');
    expect(answer.at(`${elastic}.routeTableId`)).to.equal('rtb-elb00001');
    expect(answer.at('routeTableSet.item.1.associationSet')).to.equal('');
  });

  for (const [name, value, ids] of [
    ['association.route-table-id', 'rtb-used0001', ['used']],
    ['association.router-id', 'rtr-used0001', ['used']],
    ['association.router-name', 'router?', ['used']],
    ['association.router-name', 'r*1', ['used']],
    ['association.router-name', 'router\\?', []],
    ['association.router-name', 'router2', []],
    ['association.main', 'false', ['used']],
    ['association.main', 'true', []],
    ['route-table-id', 'rtb-free0001', ['free']],
    ['route-table-id', 'rtb-*', []],
    ['route.destination-cidr-block', '10.*', ['used']],
    ['route.destination-cidr-block', '10.2.0.0/24', ['used']],
    ['route.destination-cidr-block', '1??.16.0.1', ['free']],
    ['route.destination-cidr-block', '10.2', []],
    ['route.gateway-id', '*', []],
    ['route.vpc-peering-connection-id', '*', []],
    ['route.origin', 'CreateRoute', ['used', 'free']],
    ['route.state', 'active', ['used', 'free']],
    ['route.ip-address', '10.0.0.1?', ['used']],
    ['route.ip-address', '10.0.0.1', []],
    ['route.network-id', 'net-COMMON_PRIVATE', ['free']],
    ['route.network-id', 'net-lan*', []],
  ] as const) {
    it(`are found by ${name} ${value}`, async () => {
      const answer = await client.done('DescribeRouteTables', { 'Filter.1.Name': name, 'Filter.1.Value.1': value });
      expect(answer.each('routeTableSet.item', 'routeTableId')).to.deep.equal(ids.map((id) => `rtb-${id}0001`));
    });
  }

  it('are found by the id of an association', async () => {
    const filter = {
      'Filter.1.Name': 'association.route-table-association-id',
      'Filter.1.Value.1': await associationOf('router1'),
    };
    const answer = await client.done('DescribeRouteTables', filter);
    expect(answer.each('routeTableSet.item', 'routeTableId')).to.deep.equal(['rtb-used0001']);
  });

  it('get routes to a next hop, a private LAN or a common network, which hold at once', async () => {
    const table = { RouteTableId: 'rtb-elb00001' };
    for (const [destination, target] of [
      ['10.5.0.0/24', { IpAddress: '10.0.0.15', NetworkId: '', NetworkName: '' }],
      ['10.6.0.0/24', { NetworkId: 'net-lan00001' }],
      ['10.7.0.7', { NetworkName: 'pods' }],
      ['0.0.0.0/0', { NetworkName: 'net-COMMON_GLOBAL' }],
      ['10.8.0.0/16', { NetworkId: 'net-COMMON_PRIVATE' }],
    ] as const) {
      const answer = await client.done('CreateRoute', { ...table, DestinationCidrBlock: destination, ...target });
      expect(answer.at('return')).to.equal('true');
    }
    expect(await routes('rtb-elb00001')).to.deep.equal([
      '10.5.0.0/24 10.0.0.15  ',
      '10.6.0.0/24  net-lan00001 pods',
      '10.7.0.7  net-lan00001 pods',
      '0.0.0.0/0  net-COMMON_GLOBAL net-COMMON_GLOBAL',
      '10.8.0.0/16  net-COMMON_PRIVATE net-COMMON_PRIVATE',
    ]);
  });

  it('have routes replaced and deleted by their destinations, also in use', async () => {
    const place = { RouteTableId: 'rtb-used0001', DestinationCidrBlock: '10.1.0.0/24' };
    expect((await client.done('ReplaceRoute', { ...place, IpAddress: '10.0.0.99' })).at('return')).to.equal('true');
    const second = '10.2.0.0/24  net-lan00001 pods';
    expect(await routes('rtb-used0001')).to.deep.equal(['10.1.0.0/24 10.0.0.99  ', second]);
    expect((await client.done('DeleteRoute', place)).at('return')).to.equal('true');
    expect(await routes('rtb-used0001')).to.deep.equal([second]);
  });

  it('are created empty and deleted', async () => {
    const answer = await client.done('CreateRouteTable');
    const id = answer.at('routeTable.routeTableId') as string;
    expect(id).to.match(/^rtb-[0-9a-z]{8}$/);
    expect(answer.at('routeTable.associationSet')).to.equal('');
    expect(await routes(id)).to.deep.equal([]);
    expect((await client.done('DeleteRouteTable', { RouteTableId: id })).at('return')).to.equal('true');
    expect((await client.call('DescribeRouteTables', { 'RouteTableId.1': id })).code).to.equal(
      'Client.InvalidParameterNotFound.RouteTableId',
    );
  });

  it('are associated with a router, which is pending meanwhile', async () => {
    const router = async (): Promise<unknown[]> => {
      const answer = await client.done('NiftyDescribeRouters', { 'RouterId.1': 'rtr-free0001' });
      return ['state', 'routeTableId', 'routeTableAssociationId'].map((key) => answer.at(`routerSet.item.0.${key}`));
    };
    expect(await router()).to.deep.equal(['available', '', '']);
    const first = await client.done('AssociateRouteTable', { RouteTableId: 'rtb-free0001', RouterName: 'router2' });
    const id = first.at('associationId') as string;
    expect(id).to.match(/^rtbassoc-[0-9a-z]{8}$/);
    expect(await router()).to.deep.equal(['pending', 'rtb-free0001', id]);
    const busy = 'Server.ResourceIncorrectState.Router.Processing';
    const change = { AssociationId: id, RouteTableId: 'rtb-elb00001', Agreement: 'false' };
    expect((await client.call('ReplaceRouteTableAssociation', change)).code).to.equal(busy);
    expect((await client.call('DisassociateRouteTable', { AssociationId: id })).code).to.equal(busy);
    await clock.advance(3000);
    expect(await router()).to.deep.equal(['available', 'rtb-free0001', id]);

    const second = (await client.done('ReplaceRouteTableAssociation', change)).at('newAssociationId') as string;
    expect(second).not.to.equal(id);
    expect(await router()).to.deep.equal(['pending', 'rtb-elb00001', second]);
    await clock.advance(3000);

    const left = await client.done('DisassociateRouteTable', { AssociationId: second, Agreement: 'true' });
    expect(left.at('return')).to.equal('true');
    expect(await router()).to.deep.equal(['pending', '', '']);
    await clock.advance(3000);
    expect(await router()).to.deep.equal(['available', '', '']);
    await client.done('AssociateRouteTable', { RouteTableId: 'rtb-used0001', RouterId: 'rtr-free0001' });
  });

  const NOT_FOUND = 'Client.InvalidParameterNotFound';
  const ILLEGAL = 'Client.InvalidParameterIllegalInput';
  const REQUIRED = 'Client.InvalidParameterRequired';
  const NEW = { RouteTableId: 'rtb-used0001', DestinationCidrBlock: '10.9.0.0/24' };
  for (const [action, parameters, code] of [
    [
      'DescribeRouteTables',
      { 'RouteTableId.1': 'rtb-used0001', 'RouteTableId.2': 'rtb-x' },
      `${NOT_FOUND}.RouteTableId`,
    ],
    ['DescribeRouteTables', { 'Filter.1.Name': 'color', 'Filter.1.Value.1': 'x' }, `${ILLEGAL}.Name`],
    ['CreateRoute', { ...NEW, RouteTableId: '' }, `${REQUIRED}.RouteTableId`],
    ['CreateRoute', { ...NEW, RouteTableId: 'rtb-x', IpAddress: '10.0.0.1' }, `${NOT_FOUND}.RouteTableId`],
    ['CreateRoute', { ...NEW, DestinationCidrBlock: '', IpAddress: '10.0.0.1' }, `${REQUIRED}.DestinationCidrBlock`],
    ['CreateRoute', { ...NEW, DestinationCidrBlock: '10/8', IpAddress: '10.0.0.1' }, `${ILLEGAL}.DestinationCidrBlock`],
    [
      'CreateRoute',
      { ...NEW, DestinationCidrBlock: '10.1.0.0/24', NetworkName: 'pods' },
      'Client.InvalidParameterDuplicate.DestinationCidrBlock',
    ],
    ['CreateRoute', NEW, `${REQUIRED}.IpAddress`],
    ['CreateRoute', { ...NEW, GatewayId: 'gw' }, `${REQUIRED}.IpAddress`],
    ['CreateRoute', { ...NEW, IpAddress: '10.0.0.1', NetworkName: 'pods' }, `${ILLEGAL}.NetworkName`],
    ['CreateRoute', { ...NEW, NetworkId: 'net-lan00001', NetworkName: 'pods' }, `${ILLEGAL}.NetworkName`],
    ['CreateRoute', { ...NEW, IpAddress: '10.0.0.0/24' }, `${ILLEGAL}.IpAddress`],
    ['CreateRoute', { ...NEW, NetworkId: 'net-x' }, `${NOT_FOUND}.NetworkId`],
    ['CreateRoute', { ...NEW, NetworkId: 'pods' }, `${NOT_FOUND}.NetworkId`],
    ['CreateRoute', { ...NEW, NetworkName: 'net-lan00001' }, `${NOT_FOUND}.PrivateLanName`],
    ['ReplaceRoute', { ...NEW, IpAddress: '10.0.0.1' }, `${NOT_FOUND}.DestinationCidrBlock`],
    ['ReplaceRoute', { ...NEW, DestinationCidrBlock: '10.1.0.0/24' }, `${REQUIRED}.IpAddress`],
    ['DeleteRoute', NEW, `${NOT_FOUND}.DestinationCidrBlock`],
    ['DeleteRoute', { ...NEW, RouteTableId: 'rtb-x' }, `${NOT_FOUND}.RouteTableId`],
    ['DeleteRouteTable', { RouteTableId: 'rtb-x' }, `${NOT_FOUND}.RouteTableId`],
    ['DeleteRouteTable', { RouteTableId: 'rtb-used0001' }, 'Client.ResourceAssociated.RouteTable'],
    ['DeleteRouteTable', { RouteTableId: 'rtb-elb00001' }, 'Client.ResourceAssociated.RouteTable'],
    ['AssociateRouteTable', { RouterName: 'router2' }, `${REQUIRED}.RouteTableId`],
    ['AssociateRouteTable', { RouteTableId: 'rtb-x', RouterName: 'router2' }, `${NOT_FOUND}.RouteTableId`],
    ['AssociateRouteTable', { RouteTableId: 'rtb-free0001' }, `${REQUIRED}.RouterId`],
    [
      'AssociateRouteTable',
      { RouteTableId: 'rtb-free0001', RouterId: 'rtr-free0001', RouterName: 'router2' },
      `${ILLEGAL}.RouterName`,
    ],
    ['AssociateRouteTable', { RouteTableId: 'rtb-free0001', RouterId: 'router2' }, `${NOT_FOUND}.RouterId`],
    ['AssociateRouteTable', { RouteTableId: 'rtb-free0001', RouterName: 'rtr-free0001' }, `${NOT_FOUND}.RouterName`],
    [
      'AssociateRouteTable',
      { RouteTableId: 'rtb-free0001', RouterName: 'router1' },
      'Client.ResourceAssociated.Router',
    ],
    [
      'AssociateRouteTable',
      { RouteTableId: 'rtb-free0001', RouterName: 'router2', Agreement: 'yes' },
      `${ILLEGAL}.Agreement`,
    ],
    ['DisassociateRouteTable', {}, `${REQUIRED}.AssociationId`],
    ['DisassociateRouteTable', { AssociationId: 'rtbassoc-x' }, `${NOT_FOUND}.AssociationId`],
    [
      'ReplaceRouteTableAssociation',
      { AssociationId: 'rtbassoc-x', RouteTableId: 'rtb-free0001' },
      `${NOT_FOUND}.AssociationId`,
    ],
    ['ReplaceRouteTableAssociation', { AssociationId: 'router1', RouteTableId: 'rtb-x' }, `${NOT_FOUND}.RouteTableId`],
  ] as const) {
    it(`refuse ${action} of ${JSON.stringify(parameters)} and stay as they are`, async () => {
      const before = simulator.state();
      const sent: Record<string, string> = { ...parameters };
      // A test can not know the id before it runs.
      if (sent['AssociationId'] === 'router1') sent['AssociationId'] = await associationOf('router1');
      expect((await client.call(action, sent)).code).to.equal(code);
      expect(simulator.state()).to.deep.equal(before);
    });
  }
});
