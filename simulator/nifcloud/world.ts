import { createHash } from 'node:crypto';
import type { Fleet } from './fleet.ts';
import { Refusal } from './refusal.ts';

/**
 * The cloud of one region as plain data: what the actions read and change. Nothing in it runs; `transitions.ts` and
 * `data-plane.ts` follow it.
 */
export interface World {
  readonly region: string;
  readonly zones: readonly string[];
  readonly startedAtMs: number;
  /** By name. */
  readonly servers: Map<string, Server>;
  /** By unique id, which no rename changes. */
  readonly serversByUniqueId: Map<string, Server>;
  /** By VolumeId. */
  readonly volumes: Map<string, Volume>;
  /** By name. */
  readonly loadBalancers: Map<string, LoadBalancer>;
  /** By name. */
  readonly firewallGroups: Map<string, FirewallGroup>;
  /** The next address to be given out. None is given twice, so that a client that keeps a stale one is caught. */
  nextVip: string;
}

/** States that a server of the fleet may be in (docs/reference/nifcloud-api.md §2.3). */
export const SERVER_STATES = ['running', 'stopped', 'pending'] as const;

export interface Server {
  readonly name: string;
  readonly uniqueId: string;
  readonly zone: string;
  readonly type: string;
  readonly state: (typeof SERVER_STATES)[number];
  /** '' = none. */
  readonly privateAddress: string;
  /** '' = none. */
  readonly publicAddress: string;
  /** '' = none. */
  readonly firewallGroup: string;
}

export interface FirewallGroup {
  readonly name: string;
  readonly zone: string;
  readonly description: string;
}

/** What a disk may be in the middle of. */
export const TRANSITION_KINDS = ['create', 'attach', 'detach', 'extend', 'delete'] as const;
export type TransitionKind = (typeof TRANSITION_KINDS)[number];

/** An additional-storage disk. Its statuses are derived: see `volumes.ts`. */
export interface Volume {
  /** VolumeId: a name that its user chose and may change. */
  id: string;
  readonly uniqueId: string;
  sizeGB: number;
  /** The text of answers, not the code of requests. */
  readonly diskType: string;
  readonly zone: string;
  readonly accountingType: string;
  nextMonthAccountingType: string;
  description: string;
  readonly createdAtMs: number;
  /** Set from the first moment: a disk is born attached, and its slot is taken while it is being created. */
  attachment: Attachment | undefined;
  transition: { readonly kind: TransitionKind; readonly endsAtMs: number } | undefined;
}

export interface Attachment {
  readonly serverUniqueId: string;
  /** SCSI target. */
  readonly slot: number;
  readonly attachedAtMs: number;
}

/** An L4 load balancer. */
export interface LoadBalancer {
  name: string;
  readonly vip: string;
  readonly zones: readonly string[];
  networkVolumeMbps: number;
  readonly accountingType: string;
  nextMonthAccountingType: string;
  readonly policyType: string;
  readonly createdAtMs: number;
  readonly ports: Port[];
}

/** A port definition, addressed by its load balancer's name and its pair of ports. */
export interface Port {
  loadBalancerPort: number;
  instancePort: number;
  balancingType: (typeof BALANCING)[keyof typeof BALANCING];
  healthCheck: HealthCheck;
  filter: Filter;
  targets: readonly Target[];
}

/** `BalancingType`. */
export const BALANCING = { roundRobin: 1, leastConnection: 2 } as const;

interface HealthCheck {
  /** `TCP:<port>` or `ICMP`. */
  readonly target: string;
  readonly intervalSeconds: number;
  readonly unhealthyThreshold: number;
}

export interface Filter {
  readonly type: 'allow' | 'deny';
  /** IP addresses and CIDRs as they were written; empty = everyone may connect. */
  readonly addresses: readonly string[];
}

export interface Target {
  readonly serverUniqueId: string;
  /** OutOfService until a first check succeeds. */
  state: 'InService' | 'OutOfService';
}

/** A region with the servers of the fleet and nothing else in it. */
export function newWorld(fleet: Fleet, firstVip: string, nowMs: number): World {
  return {
    region: fleet.region,
    zones: fleet.zones,
    startedAtMs: nowMs,
    servers: new Map(fleet.servers.map((server) => [server.name, server])),
    serversByUniqueId: new Map(fleet.servers.map((server) => [server.uniqueId, server])),
    volumes: new Map(),
    loadBalancers: new Map(),
    firewallGroups: new Map(fleet.groups.map((group) => [group.name, group])),
    nextVip: firstVip,
  };
}

/** @throws Refusal when no server has this name */
export function serverNamed(world: World, name: string): Server {
  const server = world.servers.get(name);
  if (server === undefined) throw noSuchServer(name);
  return server;
}

/** The refusal for a server that does not exist, or is not where it was looked for. */
export function noSuchServer(name: string | undefined): Refusal {
  return new Refusal('Client.InvalidParameterNotFound.Instance', `there is no server ${name}`);
}

/** The server of an attachment or a target, which must exist: servers do not vanish yet. */
export function serverWithId(world: World, uniqueId: string): Server {
  const server = world.serversByUniqueId.get(uniqueId);
  if (server === undefined) throw new Error(`the world has no server ${uniqueId}`);
  return server;
}

/** @throws Refusal while the server is in transition, when the cloud changes nothing about it */
export function requireSettledServer(server: Server): void {
  if (server.state === 'pending') {
    throw new Refusal('Server.ResourceIncorrectState.Instance.Processing', `server ${server.name} is being processed`);
  }
}

/** `i-0k843qvm`: a prefix and 8 lower-case alphanumerics (nifcloud-api.md §2.1; `vol-` is a guess). */
export function issueUniqueId(prefix: 'i' | 'vol', seed: string): string {
  const digest = createHash('sha256').update(seed).digest();
  const letters = [...digest.subarray(0, 8)].map((byte) => (byte % 36).toString(36));
  return `${prefix}-${letters.join('')}`;
}
