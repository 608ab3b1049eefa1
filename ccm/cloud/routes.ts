import { isIPv4, isIPv6 } from 'node:net';
import type { Condition, Node } from '../../kube/types.ts';
import type { RouteTable } from '../../nifcloud/route-tables.ts';
import type { Server } from '../../nifcloud/servers.ts';
import { Cidr } from './cidr.ts';
import { isOnPrivateLan } from './nodes.ts';

/** Routes that a VPN gateway has put into a table (`docs/reference/nifcloud-api.md` §7). */
const GATEWAY_ORIGIN = 'EnableVgwRoutePropagation';

type Route = RouteTable['routes'][number];

/** A route to the pods of a node. */
interface WantedRoute {
  readonly node: Node;
  readonly cidr: Cidr;
  /** The next hop. */
  readonly address: string;
}

/** A range of a node's pods that can't have a route, and why. */
interface Unroutable {
  readonly node: Node;
  readonly cidr: string;
  readonly reason: string;
}

/** What nodes ask of a route table. */
export interface Wanted {
  readonly routes: readonly WantedRoute[];
  readonly unroutable: readonly Unroutable[];
  /** Ranges that belong to a node which nothing can be said about; routes to them are nobody's business. */
  readonly spared: readonly Cidr[];
}

/** Deletions first, so that what is added later meets nothing in its way. */
export type RouteStep =
  | { readonly kind: 'delete'; readonly destination: string }
  | { readonly kind: 'replace' | 'create'; readonly destination: string; readonly wanted: WantedRoute };

/**
 * The addresses by which a router reaches a server: those in private LANs; as the node prefers them, if it names them. An address
 * that the guest alone knows counts if no other network accounts for it (`docs/reference/nifcloud-api.md` §11, 15).
 */
export function nextHops(node: Node, server: Server): readonly string[] {
  const lans = server.interfaces.filter(isOnPrivateLan);
  if (lans.length === 0) return [];
  const known = lans.map(({ privateAddress }) => privateAddress).filter((address) => address !== '');
  const elsewhere = server.interfaces.filter((one) => !isOnPrivateLan(one)).map((one) => one.privateAddress);
  const internal = (node.status?.addresses ?? [])
    .filter(({ type }) => type === 'InternalIP')
    .map(({ address }) => address);
  const isKnown = (address: string): boolean => known.includes(address);
  const guests = known.length === lans.length ? [] : internal.filter((address) => !elsewhere.includes(address));
  return [...new Set([...internal.filter(isKnown), ...known, ...guests])];
}

/**
 * What nodes ask of the route table.
 * @param hopsOf the next hops of a node; `undefined` = not known, or not our node
 */
export function wantedRoutes(
  nodes: readonly Node[],
  hopsOf: (node: Node) => readonly string[] | undefined,
  clusterCidrs: readonly Cidr[],
): Wanted {
  const routes = new Map<string, WantedRoute>();
  const unroutable: Unroutable[] = [];
  const spared: Cidr[] = [];
  const byName = nodes.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  for (const node of byName) {
    const hops = hopsOf(node);
    for (const text of node.spec?.podCIDRs ?? []) {
      const cidr = Cidr.parse(text);
      const address = hops?.find(cidr?.family === 'ipv4' ? isIPv4 : isIPv6);
      const taken = cidr && routes.get(cidr.canonical);
      const refuse = (reason: string): void => void unroutable.push({ node, cidr: text, reason });
      if (hops === undefined) spared.push(...(cidr === undefined ? [] : [cidr]));
      else if (cidr === undefined) refuse('it is not a CIDR');
      else if (!clusterCidrs.some((cluster) => cluster.holds(cidr))) refuse('it is outside of --cluster-cidr');
      else if (taken !== undefined) refuse(`node ${taken.node.metadata.name} has the same`);
      else if (address !== undefined) routes.set(cidr.canonical, { node, cidr, address });
      else {
        spared.push(cidr);
        refuse('its server has no address of that family in a private LAN; a router does not reach it elsewhere');
      }
    }
  }
  return { routes: [...routes.values()], unroutable, spared };
}

/**
 * The steps that make a table as wanted; none once it is. Touched are only routes that lie in the cluster's ranges as a whole and
 * that no VPN gateway has made. A blackhole that leads where it should is kept: it comes alive with the server.
 */
export function planRoutes(
  routes: readonly Route[],
  { routes: wanted, spared }: Pick<Wanted, 'routes' | 'spared'>,
  clusterCidrs: readonly Cidr[],
): readonly RouteStep[] {
  const deletions: RouteStep[] = [];
  const changes: RouteStep[] = [];
  const served = new Set<WantedRoute>();
  const byCidr = new Map(wanted.map((one) => [one.cidr.canonical, one]));
  const untouched = new Set(spared.map((one) => one.canonical));
  const own: { route: Route; target: WantedRoute | undefined }[] = [];
  for (const route of routes) {
    const cidr = Cidr.parse(route.destination);
    if (cidr === undefined || route.origin === GATEWAY_ORIGIN) continue;
    if (!clusterCidrs.some((cluster) => cluster.holds(cidr)) || untouched.has(cidr.canonical)) continue;
    own.push({ route, target: byCidr.get(cidr.canonical) });
  }
  const kept = new Set<Route>();
  for (const { route, target } of own) {
    if (target === undefined || served.has(target) || !leadsTo(route, target)) continue;
    served.add(target);
    kept.add(route);
  }
  for (const { route, target } of own) {
    const { destination } = route;
    if (kept.has(route)) continue;
    if (target === undefined || served.has(target)) deletions.push({ kind: 'delete', destination });
    else {
      served.add(target);
      changes.push({ kind: 'replace', destination, wanted: target });
    }
  }
  const missing = wanted.filter((one) => !served.has(one));
  const additions = missing.map((one): RouteStep => ({ kind: 'create', destination: one.cidr.text, wanted: one }));
  return [...deletions, ...changes, ...additions];
}

/** What the Node says about its routes (`docs/reference/ccm.md` A6). */
export function networkCondition(hasRoutes: boolean): Condition {
  return {
    type: 'NetworkUnavailable',
    status: hasRoutes ? 'False' : 'True',
    reason: hasRoutes ? 'RouteCreated' : 'NoRouteCreated',
    message: hasRoutes ? 'RouteController created a route' : 'RouteController failed to create a route',
  };
}

function leadsTo(route: Route, { address }: WantedRoute): boolean {
  return route.address === address || Cidr.parse(route.address)?.canonical === Cidr.parse(address)?.canonical;
}
