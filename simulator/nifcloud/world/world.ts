import { createHash } from 'node:crypto';
import type { FirewallGroup } from './firewall-groups.ts';
import type { Fleet } from './fleet.ts';
import type { ElasticLoadBalancer, L4LoadBalancer } from './listeners.ts';
import type { PrivateLan, Router, RouteTable } from './networks.ts';
import type { Server } from './servers.ts';
import type { Switches } from './switches.ts';
import type { Volume } from './volumes.ts';

/**
 * The cloud of one region as plain data: what the actions read and change. Nothing in it runs; `transitions.ts` and the data
 * plane follow it.
 */
export interface World {
  readonly region: string;
  readonly zones: readonly string[];
  readonly switches: Switches;
  /** By name. */
  readonly servers: Map<string, Server>;
  /** By unique id, which no rename changes. */
  readonly serversByUniqueId: Map<string, Server>;
  /** By VolumeId. */
  readonly volumes: Map<string, Volume>;
  /** By name. */
  readonly loadBalancers: Map<string, L4LoadBalancer>;
  /** By name. */
  readonly elasticLoadBalancers: Map<string, ElasticLoadBalancer>;
  /** By name. */
  readonly firewallGroups: Map<string, FirewallGroup>;
  /** By id. */
  readonly privateLans: Map<string, PrivateLan>;
  /** By id. */
  readonly routers: Map<string, Router>;
  /** By id. */
  readonly routeTables: Map<string, RouteTable>;
  /** Ids of SSL certificates. */
  readonly certificates: Set<string>;
  /** The next address to be given out. None is given twice, so that a client that keeps a stale one is caught. */
  nextVip: string;
}

/** A region as its fleet file describes it. */
export function newWorld(
  seed: Fleet,
  { firstVip, switches, nowMs }: { readonly firstVip: string; readonly switches: Switches; readonly nowMs: number },
): World {
  const fleet = structuredClone(seed); // one fleet may serve several worlds
  for (const server of fleet.servers) server.launchedAtMs ||= nowMs;
  return {
    region: fleet.region,
    zones: fleet.zones,
    switches,
    servers: new Map(fleet.servers.map((server) => [server.name, server])),
    serversByUniqueId: new Map(fleet.servers.map((server) => [server.uniqueId, server])),
    volumes: new Map(),
    loadBalancers: new Map(),
    elasticLoadBalancers: new Map(),
    firewallGroups: new Map(fleet.groups.map((group) => [group.name, group])),
    privateLans: new Map(),
    routers: new Map(),
    routeTables: new Map(),
    certificates: new Set(),
    nextVip: firstVip,
  };
}

/** Takes the next address for a load balancer. */
export function takeVip(world: World): string {
  const vip = world.nextVip;
  const number = vip.split('.').reduce((sum, part) => sum * 256 + Number(part), 0) + 1;
  world.nextVip = [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.');
  return vip;
}

/** Prefixes of ids; `vol`, `rtr`, `rtb` and the two of associations are guesses (docs/reference/nifcloud-api.md §2.1, §10). */
export type IdPrefix = 'i' | 'vol' | 'elb' | 'net' | 'rtr' | 'rtb' | 'rtbassoc' | 'reservation';

/** `i-0k843qvm`: a prefix and 8 lower-case alphanumerics (nifcloud-api.md §2.1). The same seed gives the same id. */
export function issueUniqueId(prefix: IdPrefix, seed: string): string {
  const digest = createHash('sha256').update(seed).digest();
  const letters = [...digest.subarray(0, 8)].map((byte) => (byte % 36).toString(36));
  return `${prefix}-${letters.join('')}`;
}
