import { COMMON_NETWORKS } from '../networks.ts';
import { issueUniqueId } from '../world.ts';
import { NAME, uniqueIds } from './fields.ts';
import type { Fields } from './fields.ts';
import type { PrivateLan, Route, Router, RouteTable } from '../networks.ts';

/** A network as entries of the file refer to it: by its id, or a private LAN by its name. */
export interface Network {
  readonly id: string;
  /** '' = not a private LAN. */
  readonly name: string;
  /** '' = in every zone. */
  readonly zone: string;
}

export const NETWORK_KEYS = ['id', 'name', 'zone', 'cidr'];
export const ROUTE_TABLE_KEYS = ['id', 'routes'];
export const ROUTER_KEYS = ['id', 'name', 'zone', 'interfaces', 'routeTable'];

/** An entry of `networks`. */
export function readPrivateLan(fields: Fields, zones: readonly string[]): PrivateLan {
  const name = fields.matching('name', NAME);
  const cidr = fields.addressOrRange('cidr');
  if (!/^[\d.]+\/\d+$/.test(cidr)) throw fields.refused('cidr', cidr, 'an IPv4 range such as 192.168.1.0/24');
  return {
    id: fields.matching('id', uniqueIds('net'), issueUniqueId('net', name)),
    name,
    zone: fields.oneOf('zone', zones),
    cidr,
  };
}

/** The networks of the account by the names that they can be referred to with. */
export function networksByName(lans: readonly PrivateLan[]): ReadonlyMap<string, Network> {
  const common = Object.values(COMMON_NETWORKS).map((id) => ({ id, name: '', zone: '' }));
  return new Map<string, Network>([
    ...common.map((network) => [network.id, network] as const),
    ...lans.flatMap((lan) => [[lan.id, lan] as const, [lan.name, lan] as const]),
  ]);
}

/**
 * The network that `key` names, which must be reachable from `zone`.
 * @throws UsageError
 */
export function readNetwork(
  fields: Fields,
  key: string,
  networks: ReadonlyMap<string, Network>,
  zone: string,
): Network {
  const network = fields.one(key, networks);
  if (network.zone === '' || network.zone === zone) return network;
  throw fields.refused(key, `${network.name} in ${network.zone}`, `the common networks and private LANs of ${zone}`);
}

/** An entry of `routeTables`. */
export function readRouteTable(fields: Fields, networks: ReadonlyMap<string, Network>): RouteTable {
  const routes = fields
    .list('routes', ['destination', 'ipAddress', 'network'])
    .map((route) => readRoute(route, networks));
  fields.once(
    'routes',
    routes.map((route) => route.destinationCidr),
    'each destination',
  );
  return { id: fields.matching('id', uniqueIds('rtb')), routes };
}

function readRoute(fields: Fields, networks: ReadonlyMap<string, Network>): Route {
  const destinationCidr = fields.addressOrRange('destination');
  if (destinationCidr === '') throw fields.refused('destination', 'missing', 'an IP address or a CIDR');
  const ipAddress = fields.address('ipAddress');
  if (fields.has('network') === (ipAddress !== '')) {
    throw fields.refused('network', '', 'exactly one of network and ipAddress');
  }
  const network = ipAddress === '' ? fields.one('network', networks) : { id: '', name: '' };
  return { destinationCidr, ipAddress, networkId: network.id, networkName: network.name };
}

/** An entry of `routers`. */
export function readRouter(
  fields: Fields,
  zones: readonly string[],
  networks: ReadonlyMap<string, Network>,
  routeTables: ReadonlyMap<string, RouteTable>,
): Router {
  const name = fields.matching('name', NAME);
  const zone = fields.oneOf('zone', zones);
  const interfaces = fields.list('interfaces', ['network', 'ipAddress']).map((one) => ({
    networkId: readNetwork(one, 'network', networks, zone).id,
    ipAddress: one.address('ipAddress'),
  }));
  fields.once(
    'interfaces',
    interfaces.map(({ networkId }) => networkId),
    'each network',
  );
  const id = fields.matching('id', uniqueIds('rtr'), issueUniqueId('rtr', name));
  return { id, name, zone, interfaces, ...readAssociation(fields, id, routeTables), transition: undefined };
}

/** The route table that `routeTable` names, or none. */
export function readAssociation(
  fields: Fields,
  associated: string,
  routeTables: ReadonlyMap<string, RouteTable>,
): { routeTableId: string; routeTableAssociationId: string } {
  if (!fields.has('routeTable')) return { routeTableId: '', routeTableAssociationId: '' };
  const { id } = fields.one('routeTable', routeTables);
  return { routeTableId: id, routeTableAssociationId: issueUniqueId('rtbassoc', `${id} ${associated}`) };
}
