import { equal, readFilters, wildcard } from '../api/filters.ts';
import { describedBy } from '../api/names.ts';
import { Refusal } from '../api/refusal.ts';
import { illegal } from '../api/wire.ts';
import {
  isAddressOrRange,
  networkNamed,
  networkWithId,
  noSuchRouteTable,
  noSuchRouterId,
  noSuchRouterName,
  routerNamed,
  routeTableWithId,
} from '../world/networks.ts';
import { issueUniqueId } from '../world/world.ts';
import type { Call, Handler } from '../api/call.ts';
import type { FilterKey } from '../api/filters.ts';
import type { Parameters, XmlFields } from '../api/wire.ts';
import type { ElasticLoadBalancer } from '../world/listeners.ts';
import type { Route, Router, RouteTable } from '../world/networks.ts';
import type { World } from '../world/world.ts';

/** How a route came about, and that it works: both are guesses (docs/reference/nifcloud-api.md §7). */
const ORIGIN = 'CreateRoute';
const ROUTE_STATE = 'active';

/** DescribeRouteTables. */
export const describeRouteTables: Handler = (call) => {
  const { world, parameters } = call;
  const passes = readFilters(parameters, filterKeys(world));
  const tables = describedBy(call, 'RouteTableId', {
    all: world.routeTables.values(),
    find: (id) => world.routeTables.get(id),
    unknown: noSuchRouteTable,
  });
  return { routeTableSet: { item: tables.filter(passes).map((table) => describe(world, table)) } };
};

/** Every filter of the model (nifcloud-api.md §7). There are no gateways and no peerings, which their filters therefore never find. */
function filterKeys(world: World): Readonly<Record<string, FilterKey<RouteTable>>> {
  const ofRouters = (text: (router: Router) => string, by = equal): FilterKey<RouteTable> => ({
    texts: (table) => routersOf(world, table).map(text),
    by,
  });
  return {
    'association.route-table-association-id': ofRouters((router) => router.routeTableAssociationId),
    'association.route-table-id': ofRouters((router) => router.routeTableId),
    'association.router-id': ofRouters((router) => router.id),
    'association.router-name': ofRouters((router) => router.name, wildcard),
    'association.main': ofRouters(() => 'false'),
    'route-table-id': { texts: ({ id }) => [id], by: equal },
    'route.destination-cidr-block': ofRoutes((route) => route.destinationCidr, wildcard),
    'route.gateway-id': { texts: () => [], by: equal },
    'route.vpc-peering-connection-id': { texts: () => [], by: equal },
    'route.origin': ofRoutes(() => ORIGIN),
    'route.state': ofRoutes(() => ROUTE_STATE),
    'route.ip-address': ofRoutes((route) => route.ipAddress, wildcard),
    'route.network-id': ofRoutes((route) => route.networkId),
  };
}

function ofRoutes(text: (route: Route) => string, by = equal): FilterKey<RouteTable> {
  return { texts: ({ routes }) => routes.map(text), by };
}

function describe(world: World, table: RouteTable): XmlFields {
  return {
    routeTableId: table.id,
    routeSet: {
      item: table.routes.map((route) => ({
        destinationCidrBlock: route.destinationCidr,
        ipAddress: route.ipAddress,
        networkId: route.networkId,
        // Terraform's provider sends the ids of common networks as names, and expects them back.
        networkName: route.networkName || route.networkId,
        origin: ORIGIN,
        state: ROUTE_STATE,
        priority: undefined,
        vpcPeeringConnectionId: undefined,
      })),
    },
    associationSet: {
      item: routersOf(world, table).map((router) => ({
        ...association(table, router.routeTableAssociationId),
        routerId: router.id,
        routerName: router.name,
      })),
    },
    elasticLoadBalancerAssociationSet: {
      item: elasticLoadBalancersOf(world, table).map((one) => ({
        ...association(table, one.routeTableAssociationId),
        elasticLoadBalancerId: one.uniqueId,
        elasticLoadBalancerName: one.name,
      })),
    },
    propagatingVgwSet: undefined,
    tagSet: undefined,
  };
}

function association(table: RouteTable, routeTableAssociationId: string): XmlFields {
  return { routeTableAssociationId, routeTableId: table.id, main: false };
}

/** CreateRouteTable: an empty one. */
export const createRouteTable: Handler = ({ world, nowMs, random }) => {
  const id = issueUniqueId('rtb', `${nowMs} ${random()} ${world.routeTables.size}`);
  world.routeTables.set(id, { id, routes: [] });
  return {
    routeTable: {
      routeTableId: id,
      associationSet: undefined,
      elasticLoadBalancerAssociationSet: undefined,
      tagSet: undefined,
    },
  };
};

/** DeleteRouteTable: only one that no router and no load balancer uses. */
export const deleteRouteTable: Handler = ({ world, parameters }) => {
  const table = routeTableWithId(world, parameters.requiredText('RouteTableId'));
  if (routersOf(world, table).length + elasticLoadBalancersOf(world, table).length > 0) {
    throw new Refusal('Client.ResourceAssociated.RouteTable', `the route table ${table.id} is associated`);
  }
  world.routeTables.delete(table.id);
  return { return: true };
};

/** CreateRoute: it holds at once, also while the table is in use. */
export const createRoute: Handler = (call) => {
  const { table, destinationCidr, known } = readPlace(call);
  if (known !== undefined) {
    throw new Refusal(
      'Client.InvalidParameterDuplicate.DestinationCidrBlock',
      `the route table ${table.id} has a route to ${destinationCidr} already`,
    );
  }
  table.routes = [...table.routes, { destinationCidr, ...readTarget(call) }];
  return { return: true };
};

/** ReplaceRoute: another target for a destination. */
export const replaceRoute: Handler = (call) => {
  const { table, destinationCidr, known } = readPlace(call);
  if (known === undefined) throw noSuchRoute(table, destinationCidr);
  const route = { destinationCidr, ...readTarget(call) };
  table.routes = table.routes.map((one) => (one === known ? route : one));
  return { return: true };
};

/** DeleteRoute. */
export const deleteRoute: Handler = (call) => {
  const { table, destinationCidr, known } = readPlace(call);
  if (known === undefined) throw noSuchRoute(table, destinationCidr);
  table.routes = table.routes.filter((one) => one !== known);
  return { return: true };
};

/** What names a route: its table and its destination, as that was written (nifcloud-api.md §7). */
function readPlace({ world, parameters }: Call): {
  readonly table: RouteTable;
  readonly destinationCidr: string;
  readonly known: Route | undefined;
} {
  const table = routeTableWithId(world, parameters.requiredText('RouteTableId'));
  const destinationCidr = parameters.requiredText('DestinationCidrBlock');
  if (!isAddressOrRange(destinationCidr)) {
    throw illegal('DestinationCidrBlock', `${destinationCidr} is neither an IP address nor a CIDR`);
  }
  return { table, destinationCidr, known: table.routes.find((route) => route.destinationCidr === destinationCidr) };
}

/** Exactly one of IpAddress, NetworkId and NetworkName; the common networks go by their ids in both (nifcloud-api.md §7). */
function readTarget({ world, parameters }: Call): Omit<Route, 'destinationCidr'> {
  const [key, value] = onlyOne(parameters, ['IpAddress', 'NetworkId', 'NetworkName']);
  if (key === 'IpAddress') {
    if (!isAddressOrRange(value) || value.includes('/')) throw illegal(key, `${value} is not an IP address`);
    return { ipAddress: value, networkId: '', networkName: '' };
  }
  const network = key === 'NetworkId' ? networkWithId(world, value) : networkNamed(world, value);
  return { ipAddress: '', networkId: network.id, networkName: network.name };
}

/** AssociateRouteTable with a router, which is `pending` meanwhile; Agreement matters only to routers with a backup (nifcloud-api.md §7). */
export const associateRouteTable: Handler = (call) => {
  const { world, parameters } = call;
  const table = routeTableWithId(world, parameters.requiredText('RouteTableId'));
  parameters.boolean('Agreement');
  const [key, value] = onlyOne(parameters, ['RouterId', 'RouterName']);
  const router = key === 'RouterId' ? world.routers.get(value) : routerNamed(world, value);
  if (router === undefined) throw key === 'RouterId' ? noSuchRouterId(value) : noSuchRouterName(value);
  requireSettledRouter(router);
  if (router.routeTableId !== '') {
    throw new Refusal('Client.ResourceAssociated.Router', `router ${router.name} has the table ${router.routeTableId}`);
  }
  return { associationId: associate(call, router, table) };
};

/** DisassociateRouteTable from a router. */
export const disassociateRouteTable: Handler = (call) => {
  const router = associatedRouter(call);
  router.routeTableId = '';
  router.routeTableAssociationId = '';
  router.transition = call.transition('router');
  return { return: true };
};

/** ReplaceRouteTableAssociation: another table for the router of an association. */
export const replaceRouteTableAssociation: Handler = (call) => {
  const { world, parameters } = call;
  const router = associatedRouter(call);
  const table = routeTableWithId(world, parameters.requiredText('RouteTableId'));
  return { newAssociationId: associate(call, router, table) };
};

function associate(call: Call, router: Router, table: RouteTable): string {
  router.routeTableId = table.id;
  router.routeTableAssociationId = issueUniqueId('rtbassoc', `${table.id} ${router.id} ${call.nowMs} ${call.random()}`);
  router.transition = call.transition('router');
  return router.routeTableAssociationId;
}

/** The settled router that AssociationId is about. */
function associatedRouter({ world, parameters }: Call): Router {
  const id = parameters.requiredText('AssociationId');
  parameters.boolean('Agreement');
  const router = [...world.routers.values()].find(({ routeTableAssociationId }) => routeTableAssociationId === id);
  if (router === undefined) {
    throw new Refusal('Client.InvalidParameterNotFound.AssociationId', `no router has the association ${id}`);
  }
  requireSettledRouter(router);
  return router;
}

function requireSettledRouter(router: Router): void {
  if (router.transition === undefined) return;
  throw new Refusal('Server.ResourceIncorrectState.Router.Processing', `router ${router.name} is being processed`);
}

/** The one of the parameters that the call has. */
function onlyOne<K extends string>(
  parameters: Parameters,
  keys: readonly [K, ...K[]],
): readonly [key: K, value: string] {
  const [first = keys[0], second] = keys.filter((key) => parameters.text(key) !== undefined);
  if (second !== undefined) throw illegal(second, `${first} is given as well`);
  return [first, parameters.requiredText(first)];
}

function noSuchRoute(table: RouteTable, destinationCidr: string): Refusal {
  return new Refusal(
    'Client.InvalidParameterNotFound.DestinationCidrBlock',
    `the route table ${table.id} has no route to ${destinationCidr}`,
  );
}

function routersOf(world: World, table: RouteTable): readonly Router[] {
  return [...world.routers.values()].filter(({ routeTableId }) => routeTableId === table.id);
}

function elasticLoadBalancersOf(world: World, table: RouteTable): readonly ElasticLoadBalancer[] {
  return [...world.elasticLoadBalancers.values()].filter(({ routeTableId }) => routeTableId === table.id);
}
