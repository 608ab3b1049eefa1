import { isIP } from 'node:net';
import { Refusal } from '../api/refusal.ts';
import type { Transition } from './transition.ts';
import type { World } from './world.ts';

/** The two networks that every account has. */
export const COMMON_NETWORKS = { global: 'net-COMMON_GLOBAL', private: 'net-COMMON_PRIVATE' } as const;

export interface PrivateLan {
  /** `net-` and 8 letters and digits. */
  readonly id: string;
  readonly name: string;
  readonly zone: string;
  readonly cidr: string;
}

export interface Router {
  /** `rtr-` and 8 letters and digits (the prefix is a guess). */
  readonly id: string;
  readonly name: string;
  readonly zone: string;
  /** Ids of private LANs or common networks, with the router's address in each. */
  readonly interfaces: readonly { readonly networkId: string; readonly ipAddress: string }[];
  /** '' = none. */
  routeTableId: string;
  /** '' = none. */
  routeTableAssociationId: string;
  transition: Transition | undefined;
}

export interface RouteTable {
  /** `rtb-` and 8 letters and digits (the prefix is a guess). */
  readonly id: string;
  routes: readonly Route[];
}

/** Exactly one of `ipAddress` and `networkId` is set. */
export interface Route {
  /** Address or CIDR as written; only one route of a table has it. */
  readonly destinationCidr: string;
  /** The next hop; '' = `networkId` is the target. */
  readonly ipAddress: string;
  readonly networkId: string;
  /** Of a private LAN only, else ''. */
  readonly networkName: string;
}

/** `10.0.0.1` or `10.0.0.0/8`, of IPv4 or IPv6. */
export function isAddressOrRange(text: string): boolean {
  const [address = '', prefix, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128));
}

/** A network as routes and interfaces name it; only private LANs have a name, of others it is ''. */
export type Network = Pick<PrivateLan, 'id' | 'name'>;

/** @throws Refusal when it is neither a private LAN nor a common network */
export function networkWithId(world: World, id: string): Network {
  const network = commonNetwork(id) ?? world.privateLans.get(id);
  if (network === undefined) throw noSuchNetwork(id);
  return network;
}

/**
 * By the name of a private LAN, or the id of a common network, which serves as its name (docs/reference/nifcloud-api.md §7).
 * @throws Refusal when there is none
 */
export function networkNamed(world: World, name: string): Network {
  const network = commonNetwork(name) ?? privateLanNamed(world, name);
  if (network === undefined) throw noSuchPrivateLanName(name);
  return network;
}

function commonNetwork(id: string): Network | undefined {
  return Object.values<string>(COMMON_NETWORKS).includes(id) ? { id, name: '' } : undefined;
}

export function privateLanNamed(world: World, name: string): PrivateLan | undefined {
  return [...world.privateLans.values()].find((lan) => lan.name === name);
}

export function routerNamed(world: World, name: string): Router | undefined {
  return [...world.routers.values()].find((router) => router.name === name);
}

/** @throws Refusal when no route table has this id */
export function routeTableWithId(world: World, id: string): RouteTable {
  const table = world.routeTables.get(id);
  if (table === undefined) throw noSuchRouteTable(id);
  return table;
}

export function noSuchNetwork(id: string): Refusal {
  return new Refusal('Client.InvalidParameterNotFound.NetworkId', `there is no network ${id}`);
}

export function noSuchPrivateLanName(name: string): Refusal {
  return new Refusal('Client.InvalidParameterNotFound.PrivateLanName', `there is no private LAN ${name}`);
}

export function noSuchRouterId(id: string): Refusal {
  return new Refusal('Client.InvalidParameterNotFound.RouterId', `there is no router ${id}`);
}

export function noSuchRouterName(name: string): Refusal {
  return new Refusal('Client.InvalidParameterNotFound.RouterName', `there is no router ${name}`);
}

export function noSuchRouteTable(id: string): Refusal {
  return new Refusal('Client.InvalidParameterNotFound.RouteTableId', `there is no route table ${id}`);
}
