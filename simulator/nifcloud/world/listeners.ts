import type { Transition } from './transition.ts';
import type { World } from './world.ts';

/** `Protocol` of a listener: of an L4 load balancer always TCP (its HTTP, HTTPS and FTP are labels of a port). */
export const PROTOCOLS = ['TCP', 'UDP', 'HTTP', 'HTTPS'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/** `BalancingType`. */
export const BALANCING = { roundRobin: 1, leastConnection: 2 } as const;
export type BalancingType = (typeof BALANCING)[keyof typeof BALANCING];

/**
 * A port of a load balancer of either kind; what only one kind has is at its "nothing" in the other. The object is the
 * listener's identity: its ports may change, it stays the same.
 */
export interface Listener {
  protocol: Protocol;
  loadBalancerPort: number;
  instancePort: number;
  balancingType: BalancingType;
  /** Elastic only. */
  description: string;
  healthCheck: HealthCheck;
  /** L4 only. */
  filter: Filter;
  stickiness: Stickiness;
  /** L4 only: when ClearLoadBalancerSession last ended all sessions; 0 = never. */
  sessionsClearedAtMs: number;
  sorryPage: SorryPage;
  /** '' = none. */
  sslCertificateId: string;
  /** L4 only: the id (digits) or the name that it was set by. '' = none. */
  sslPolicyId: string;
  targets: readonly Target[];
}

export interface HealthCheck {
  /** `ICMP`, `TCP:<port>`; elastic also `HTTP:<port>`, `HTTPS:<port>`. */
  readonly target: string;
  readonly intervalSeconds: number;
  readonly unhealthyThreshold: number;
  /** Of HTTP(S) targets; '' = none was set. */
  readonly path: string;
  /** Classes that count as success, such as `2xx`; empty = none were set. */
  readonly httpCodes: readonly string[];
}

export interface Filter {
  readonly type: 'allow' | 'deny';
  /** IP addresses and CIDRs as they were written. What an empty list means is the switch `emptied-filter`. */
  readonly addresses: readonly string[];
  /** Addresses were removed until none was left (a new port's filter is open in any case). */
  readonly emptied: boolean;
}

export interface Stickiness {
  readonly enabled: boolean;
  /** 1 source address (all that L4 has), 2 cookie. */
  readonly method: 1 | 2;
  readonly periodMinutes: number;
}

/** What clients of HTTP get when no target is in service. */
export interface SorryPage {
  readonly enabled: boolean;
  /** L4: 200 or 503; 0 = not set. */
  readonly statusCode: number;
  /** Elastic; '' = not set. */
  readonly redirectUrl: string;
}

export interface Target {
  readonly serverUniqueId: string;
  /** OutOfService until a first check succeeds. */
  state: 'InService' | 'OutOfService';
}

/** An L4 load balancer: each port definition is addressed by its name and the pair of ports. */
export interface L4LoadBalancer {
  name: string;
  readonly vip: string;
  readonly ipVersion: 'v4' | 'v6';
  readonly zones: readonly string[];
  networkVolumeMbps: number;
  readonly accountingType: string;
  nextMonthAccountingType: string;
  readonly policyType: string;
  readonly createdAtMs: number;
  readonly ports: Listener[];
}

/** What names a listener of an elastic load balancer. */
type ElasticListenerKey = Pick<Listener, 'protocol' | 'loadBalancerPort' | 'instancePort'>;

/** An elastic load balancer ("multi load balancer"). */
export interface ElasticLoadBalancer {
  name: string;
  /** `elb-…`, never changes. */
  readonly uniqueId: string;
  readonly zone: string;
  /** The address of the interface with `isVip`. */
  readonly vip: string;
  networkVolumeMbps: number;
  readonly accountingType: string;
  nextMonthAccountingType: string;
  readonly createdAtMs: number;
  /** One or two, in the order of the request. */
  interfaces: readonly ElasticInterface[];
  readonly listeners: Listener[];
  /** '' = none. */
  routeTableId: string;
  /** '' = none. */
  routeTableAssociationId: string;
  version: string;
  /** `deletes`: the listener that goes at the end, and with the last one the load balancer. */
  transition: (Transition & { readonly deletes?: ElasticListenerKey }) | undefined;
}

export interface ElasticInterface {
  /** `net-COMMON_GLOBAL`, `net-COMMON_PRIVATE` or the id of a private LAN. */
  readonly networkId: string;
  /** Of a private LAN only, else ''. */
  readonly networkName: string;
  readonly ipAddress: string;
  /** Where traffic and probes to the servers come from besides `ipAddress`. */
  readonly systemIpAddresses: readonly string[];
  readonly isVip: boolean;
}

/** `State` of an elastic load balancer (docs/reference/nifcloud-api.md §5.2). */
export function elasticState({ transition }: ElasticLoadBalancer): 'pending' | 'processing' | 'available' {
  if (transition === undefined) return 'available';
  return transition.kind === 'elastic-create' ? 'pending' : 'processing';
}

/** A listener with the addresses that it works with. */
export interface ServingListener {
  readonly listener: Listener;
  readonly vip: string;
  readonly sources: Sources;
}

/** Where what a load balancer sends to servers comes from, as their firewalls see it; empty = no firewall asks. */
export interface Sources {
  readonly traffic: readonly string[];
  readonly probes: readonly string[];
}

/** Nothing has to be opened for L4 load balancers (docs/reference/nifcloud-api.md §4.1). */
const L4_SOURCES: Sources = { traffic: [], probes: [] };

/** The listeners that should be at work. An elastic load balancer serves from the end of its creation on (invented). */
export function servingListeners(world: World): readonly ServingListener[] {
  const l4 = [...world.loadBalancers.values()].flatMap(({ vip, ports }) =>
    ports.map((listener) => ({ listener, vip, sources: L4_SOURCES })),
  );
  const elastic = [...world.elasticLoadBalancers.values()]
    .filter((loadBalancer) => elasticState(loadBalancer) !== 'pending')
    .flatMap((loadBalancer) => {
      const { vip, listeners } = loadBalancer;
      const sources = sourcesOf(loadBalancer);
      return listeners.map((listener) => ({ listener, vip, sources }));
    });
  return [...l4, ...elastic];
}

/**
 * One-arm: the VIP, for checks also the system addresses; two-arm: the same of the interface that is not the VIP's
 * (nifcloud-api.md §5.3).
 */
function sourcesOf({ vip, interfaces }: ElasticLoadBalancer): Sources {
  const serverSide = interfaces.find(({ isVip }) => !isVip);
  const traffic = [serverSide?.ipAddress || vip];
  const systemIpAddresses = (serverSide ?? interfaces[0])?.systemIpAddresses ?? [];
  return { traffic, probes: [...traffic, ...systemIpAddresses] };
}
