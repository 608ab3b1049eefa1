import { expect } from 'chai';
import { RouteTables, type RouteTable } from '../../../nifcloud/route-tables.ts';
import { FakeClock } from '../../fake-clock.ts';
import { errorOf, listed, RecordedApi } from './recorded-api.ts';

const never = new AbortController().signal;

// Shape of docs/reference/nifcloud-api.md §7.
const TABLE = `<item><routeTableId>rtb-1</routeTableId>
  <routeSet><item><destinationCidrBlock>10.244.1.0/24</destinationCidrBlock><ipAddress>192.168.0.11</ipAddress><networkId/><networkName/>
   <origin>CreateRoute</origin><state>active</state></item>
   <item><destinationCidrBlock>0.0.0.0/0</destinationCidrBlock><ipAddress/><networkId>net-COMMON_GLOBAL</networkId><networkName/>
   <origin>EnableVgwRoutePropagation</origin><state/></item></routeSet>
  <associationSet><item><main>true</main><routeTableAssociationId>rtbassoc-1</routeTableAssociationId><routeTableId>rtb-1</routeTableId>
   <routerId>router-1</routerId><routerName>r1</routerName></item></associationSet>
  <elasticLoadBalancerAssociationSet><item><elasticLoadBalancerId>elb-1</elasticLoadBalancerId><elasticLoadBalancerName>lb1</elasticLoadBalancerName>
   <routeTableAssociationId>rtbassoc-2</routeTableAssociationId></item></elasticLoadBalancerAssociationSet>
  <propagatingVgwSet/><tagSet/></item>`;

const list = (tables: string): Promise<readonly RouteTable[]> =>
  listed(`<routeTableSet>${tables}</routeTableSet>`, (api, clock) => new RouteTables(api, clock).list(never));

describe('route tables', () => {
  it('are read as the cloud describes them', async () => {
    expect(await list(TABLE)).to.deep.equal([
      {
        id: 'rtb-1',
        routes: [
          {
            destination: '10.244.1.0/24',
            address: '192.168.0.11',
            networkId: '',
            networkName: '',
            origin: 'CreateRoute',
            state: 'active',
          },
          {
            destination: '0.0.0.0/0',
            address: '',
            networkId: 'net-COMMON_GLOBAL',
            networkName: '',
            origin: 'EnableVgwRoutePropagation',
            state: '',
          },
        ],
        routers: [{ associationId: 'rtbassoc-1', routerId: 'router-1', routerName: 'r1', isMain: true }],
        elasticLoadBalancers: [{ associationId: 'rtbassoc-2', loadBalancerId: 'elb-1' }],
      },
    ]);
  });

  it('may be empty', async () => {
    const empty = '<item><routeTableId>rtb-2</routeTableId><routeSet/><associationSet/></item>';
    expect(await list(empty)).to.deep.equal([{ id: 'rtb-2', routes: [], routers: [], elasticLoadBalancers: [] }]);
  });

  it('are not known at all when an entry lacks its id, or a route its destination', async () => {
    expect(String(await errorOf(list(TABLE.replace('>rtb-1<', '><'))))).to.contain('<routeTableId>');
    expect(String(await errorOf(list(TABLE.replace('>0.0.0.0/0<', '><'))))).to.contain('<destinationCidrBlock>');
  });

  const ROUTE = { RouteTableId: 'rtb-1', DestinationCidrBlock: '10.244.1.0/24' };
  const calls: [
    what: string,
    call: (tables: RouteTables) => Promise<unknown>,
    action: string,
    sent: Record<string, string>,
  ][] = [
    [
      'create a route to a next hop',
      (tables) => tables.createRoute('rtb-1', '10.244.1.0/24', { address: '192.168.0.11' }, never),
      'CreateRoute',
      { ...ROUTE, IpAddress: '192.168.0.11' },
    ],
    [
      'create a route into a network by id',
      (tables) => tables.createRoute('rtb-1', '10.244.1.0/24', { networkId: 'net-1' }, never),
      'CreateRoute',
      { ...ROUTE, NetworkId: 'net-1' },
    ],
    [
      'replace a route',
      (tables) => tables.replaceRoute('rtb-1', '10.244.1.0/24', { networkName: 'lan1' }, never),
      'ReplaceRoute',
      { ...ROUTE, NetworkName: 'lan1' },
    ],
    ['delete a route', (tables) => tables.deleteRoute('rtb-1', '10.244.1.0/24', never), 'DeleteRoute', ROUTE],
    ['create a table', (tables) => tables.create(never), 'CreateRouteTable', {}],
    ['delete a table', (tables) => tables.delete('rtb-1', never), 'DeleteRouteTable', { RouteTableId: 'rtb-1' }],
    [
      'associate a router',
      (tables) => tables.associate('rtb-1', 'router-1', { dropBackup: false }, never),
      'AssociateRouteTable',
      { RouteTableId: 'rtb-1', RouterId: 'router-1', Agreement: 'false' },
    ],
    [
      'replace the table of a router',
      (tables) => tables.replaceAssociation('rtbassoc-1', 'rtb-2', { dropBackup: true }, never),
      'ReplaceRouteTableAssociation',
      { AssociationId: 'rtbassoc-1', RouteTableId: 'rtb-2', Agreement: 'true' },
    ],
    [
      'disassociate a router',
      (tables) => tables.disassociate('rtbassoc-1', { dropBackup: false }, never),
      'DisassociateRouteTable',
      { AssociationId: 'rtbassoc-1', Agreement: 'false' },
    ],
  ];
  const IDS = `<routeTable><routeTableId>rtb-9</routeTableId></routeTable><associationId>rtbassoc-8</associationId>
    <newAssociationId>rtbassoc-9</newAssociationId>`;
  for (const [what, call, action, sent] of calls) {
    it(`are changed by calls that ${what}`, async () => {
      const api = new RecordedApi(() => IDS);
      await call(new RouteTables(api, new FakeClock()));
      expect(api.calls).to.deep.equal([{ kind: 'mutate', action, sent }]);
    });
  }

  it('answer with the ids of what was made', async () => {
    const tables = new RouteTables(new RecordedApi(() => IDS), new FakeClock());
    const keep = { dropBackup: false };
    expect(await tables.create(never)).to.deep.equal({ id: 'rtb-9' });
    expect(await tables.associate('rtb-1', 'r', keep, never)).to.deep.equal({ associationId: 'rtbassoc-8' });
    expect(await tables.replaceAssociation('a', 'rtb-1', keep, never)).to.deep.equal({ associationId: 'rtbassoc-9' });
  });
});
