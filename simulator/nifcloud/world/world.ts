import { createHash } from 'node:crypto';
import type { FirewallGroup } from './firewall-groups.ts';
import type { Fleet } from './fleet.ts';
import type { ElasticInterface, ElasticLoadBalancer, L4LoadBalancer } from './listeners.ts';
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
  /** Names of firewall groups that were deleted (switch `deleted-group`). */
  readonly deletedFirewallGroups: Set<string>;
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
  const disks = fleet.disks.map((disk): Volume => ({
    ...disk,
    createdAtMs: nowMs,
    attachment: disk.attachment && { ...disk.attachment, attachedAtMs: nowMs },
  }));
  const world: World = {
    region: fleet.region,
    zones: fleet.zones,
    switches,
    servers: new Map(fleet.servers.map((server) => [server.name, server])),
    serversByUniqueId: new Map(fleet.servers.map((server) => [server.uniqueId, server])),
    volumes: new Map(disks.map((disk) => [disk.id, disk])),
    loadBalancers: new Map(fleet.l4LoadBalancers.map((one) => [one.name, { ...one, createdAtMs: nowMs }])),
    elasticLoadBalancers: new Map(fleet.elasticLoadBalancers.map((one) => [one.name, { ...one, createdAtMs: nowMs }])),
    firewallGroups: new Map(
      fleet.groups.map((group) => [
        group.name,
        { ...group, rules: group.rules.map((rule) => ({ ...rule, addedAtMs: nowMs })) },
      ]),
    ),
    deletedFirewallGroups: new Set(),
    privateLans: new Map(fleet.networks.map((network) => [network.id, network])),
    routers: new Map(fleet.routers.map((router) => [router.id, router])),
    routeTables: new Map(fleet.routeTables.map((table) => [table.id, table])),
    certificates: new Set(fleet.certificates),
    nextVip: firstVip,
  };
  for (const [name, one] of world.loadBalancers) {
    if (one.vip === '') world.loadBalancers.set(name, { ...one, vip: takeVip(world) });
  }
  for (const [name, one] of world.elasticLoadBalancers) {
    world.elasticLoadBalancers.set(name, { ...one, ...withAddresses(world, one.interfaces) });
  }
  return world;
}

/** Gives addresses to the interfaces that chose none (in private LANs all do), the VIP before all others. */
export function withAddresses(
  world: World,
  interfaces: readonly ElasticInterface[],
): Pick<ElasticLoadBalancer, 'interfaces' | 'vip'> {
  const complete = new Map(
    interfaces
      .toSorted((a, b) => Number(b.isVip) - Number(a.isVip))
      .map((one) => {
        const ipAddress = one.ipAddress || takeVip(world);
        const { systemIpAddresses } = one;
        const isAssigned = systemIpAddresses.length === 0;
        return [
          one,
          { ...one, ipAddress, systemIpAddresses: isAssigned ? [takeVip(world), takeVip(world)] : systemIpAddresses },
        ];
      }),
  );
  return {
    interfaces: interfaces.map((one) => complete.get(one) ?? one),
    vip: [...complete.values()].find(({ isVip }) => isVip)?.ipAddress ?? '',
  };
}

/** Takes the next address for a load balancer; those that the fleet has given out itself are passed over. */
export function takeVip(world: World): string {
  let vip = world.nextVip;
  while (isTaken(world, vip)) vip = following(vip);
  world.nextVip = following(vip);
  return vip;
}

function isTaken(world: World, address: string): boolean {
  for (const { vip } of world.loadBalancers.values()) if (vip === address) return true;
  for (const { interfaces } of world.elasticLoadBalancers.values()) {
    if (interfaces.some((one) => one.ipAddress === address || one.systemIpAddresses.includes(address))) return true;
  }
  return false;
}

function following(address: string): string {
  const number = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0) + 1;
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.');
}

/** Prefixes of ids; `vol`, `rtr`, `rtb` and the two of associations are guesses (docs/reference/nifcloud-api.md §2.1, §10). */
export type IdPrefix = 'i' | 'vol' | 'elb' | 'net' | 'rtr' | 'rtb' | 'rtbassoc' | 'reservation';

/** `i-0k843qvm`: a prefix and 8 lower-case alphanumerics (nifcloud-api.md §2.1). The same seed gives the same id. */
export function issueUniqueId(prefix: IdPrefix, seed: string): string {
  const digest = createHash('sha256').update(seed).digest();
  const letters = [...digest.subarray(0, 8)].map((byte) => (byte % 36).toString(36));
  return `${prefix}-${letters.join('')}`;
}
