import type { L4Listener, L4LoadBalancer, L4SorryPage, L4Stickiness } from '../../nifcloud/l4-load-balancers.ts';
import type { Target } from '../../nifcloud/targets.ts';

/** Ports of one L4 load balancer. Source: docs/reference/nifcloud-api.md §4.1. */
export const MAX_LISTENERS = 3;

/** Entries in the filter of one port. Source: docs/reference/nifcloud-api.md §4.1. */
export const MAX_FILTER_ENTRIES = 30;

/** What the Go program sets where no annotation speaks (`docs/reference/ccm.md` E2). */
export const DEFAULT_HEALTH_CHECK = { intervalSeconds: 10, unhealthyThreshold: 1 } as const;

/** How long clients stick to a server where it is not said for how long. Our choice, of the values that all sources allow (§4.3). */
export const DEFAULT_STICKY_MINUTES = 5;

/**
 * An L4 load balancer as it is wanted: what can be seen of one, where `undefined` = not stated, to be left as it is
 * (and as the cloud makes it at creation).
 */
export interface WantedL4 {
  readonly networkVolumeMbps: number | undefined;
  /** Accounting can only be changed for the next month. */
  readonly nextMonthAccountingType: string | undefined;
  /** Obeyed at creation only: the API can't change it. */
  readonly policyType: string | undefined;
  readonly listeners: readonly WantedListener[];
}

export interface WantedListener {
  readonly loadBalancerPort: number;
  readonly instancePort: number;
  readonly balancingType: number | undefined;
  readonly healthCheck: {
    /** `TCP:<port>` or `ICMP`. */
    readonly target: string;
    readonly intervalSeconds: number | undefined;
    readonly unhealthyThreshold: number | undefined;
  };
  /** `undefined` where nobody knows: nothing is registered or deregistered. */
  readonly targets: readonly WantedTarget[] | undefined;
  /** Never `deny`. `undefined` where what is stated is no filter: such a port keeps what it has; none is made. */
  readonly filter: { readonly type: 'allow'; readonly addresses: readonly string[] } | undefined;
  readonly stickiness?: { readonly periodMinutes: number | undefined } | 'off' | undefined;
  /** Stated on port 80 only. */
  readonly sorryPage?: L4SorryPage | 'off' | undefined;
  readonly certificateId?: string | undefined;
}

export interface WantedTarget {
  readonly serverName: string;
  /** Empty when it is not known. */
  readonly serverUniqueId: string;
  /** `false` for a node whose server the cloud does not list: never registered, never deregistered. */
  readonly listed: boolean;
  /** Of the server; absent for one that the cloud does not list. */
  readonly zone?: string;
}

/** The two ports by which calls address a listener. */
export interface Ports {
  readonly loadBalancerPort: number;
  readonly instancePort: number;
}

interface NewListener extends Ports {
  readonly balancingType?: number;
}

/** One call, or the end of a pass: what follows can be planned only from what is seen then. */
export type Step =
  | {
      readonly kind: 'create';
      readonly listener: NewListener;
      readonly networkVolumeMbps?: number;
      readonly accountingType?: string;
      readonly policyType?: string;
    }
  | { readonly kind: 'register-port'; readonly ports: Ports; readonly listener: NewListener }
  | {
      readonly kind: 'update-listener';
      readonly ports: Ports;
      readonly change: { readonly instancePort?: number; readonly balancingType?: number };
    }
  | {
      readonly kind: 'set-filter';
      readonly ports: Ports;
      readonly type: 'allow';
      readonly add: readonly string[];
      readonly remove: readonly string[];
    }
  | {
      readonly kind: 'configure-health-check';
      readonly ports: Ports;
      readonly healthCheck: {
        readonly target: string;
        readonly intervalSeconds: number;
        readonly unhealthyThreshold: number;
      };
    }
  | TargetStep
  | {
      readonly kind: 'set-options';
      readonly ports: Ports;
      readonly change: { readonly stickiness?: L4Stickiness | 'off'; readonly sorryPage?: L4SorryPage | 'off' };
    }
  | { readonly kind: 'set-certificate'; readonly ports: Ports; readonly certificateId: string }
  | {
      readonly kind: 'update';
      readonly change: { readonly networkVolumeMbps?: number; readonly accountingType?: string };
    }
  | { readonly kind: 'delete-listener'; readonly ports: Ports }
  | { readonly kind: 'observe-again' };

/** As `attributeOf` says them. */
export type RefusedAttributes = ReadonlySet<string>;

/** What a listener has and the cloud may refuse to set, by the step that sets it. */
export type AttributeKind = 'update-listener' | 'set-filter' | 'configure-health-check';

export function attributeOf(kind: AttributeKind, { loadBalancerPort }: Pick<Ports, 'loadBalancerPort'>): string {
  return `${kind} ${loadBalancerPort}`;
}

interface TargetStep {
  readonly kind: 'register-targets' | 'deregister-targets';
  readonly ports: Ports;
  readonly serverNames: readonly string[];
}

/**
 * The next steps from what is seen towards what is wanted; none once they agree. `wanted === undefined`: it shall go.
 *
 * - Every step is safe after any prefix of the others was refused: nothing rests on the success of an earlier step, but for
 *   those of one listener, which stand in the order filter, health check, targets.
 * - A listener gets targets only while its filter lets in nobody beyond what it did before or shall do. One that serves gets them also
 *   where its check or its filter can't be set, unless it lets in everyone and shall not.
 * - A change whose result is not known for sure (of a port in place, since what UpdateLoadBalancer keeps is not documented), or on
 *   whose success the next step rests, ends the plan with `observe-again`. A new port is known: it lets in everyone and has no targets.
 * - The last listener is never deleted, because the load balancer and its address go with it; unless it shall go.
 * - The last target of a listener is never deregistered while another is wanted, unless the listener itself changes.
 *
 * @param refused attributes that the cloud refused to set: they stay as they are
 */
export function planL4(
  wanted: WantedL4 | undefined,
  seen: L4LoadBalancer | undefined,
  refused: RefusedAttributes = new Set(),
): readonly Step[] {
  if (wanted === undefined) return seen === undefined ? [] : deletionSteps(seen);
  if (seen === undefined) return creationSteps(wanted);

  const served: Step[] = [];
  const moves: Step[] = [];
  const missing: WantedListener[] = [];
  const kept = new Set<L4Listener>();
  for (const listener of wanted.listeners) {
    const present = seen.listeners.find((one) => one.loadBalancerPort === listener.loadBalancerPort);
    if (present === undefined) {
      if (listener.filter !== undefined) missing.push(listener);
      continue;
    }
    kept.add(present);
    const isMoved = isToBeMoved(listener, present) && !refused.has(attributeOf('update-listener', present));
    if (isMoved) moves.push(...moveSteps(listener, present));
    // With a wrong node port there is nothing to serve: what answers there is not this Service any more.
    else if (listener.instancePort === present.instancePort) served.push(...servingSteps(listener, present, refused));
  }
  const calls = served.filter((step) => step !== OBSERVE_AGAIN);
  // What moves serves nobody until it was seen again and has its targets, so that all else comes after.
  if (moves.length > 0) return [...calls, ...moves, OBSERVE_AGAIN];
  const surplus = seen.listeners.filter((one) => !kept.has(one));
  const replaced = replacementSteps(missing, surplus, seen.listeners.length, kept.size);
  const updates = updateSteps(wanted, seen);
  const isGradual = kept.size === 0 && surplus.length > 0 && replaced.length > 0;
  const isWhole = updates.length === 0 && calls.length === served.length && !isGradual;
  return [...calls, ...replaced, ...updates, ...(isWhole ? [] : [OBSERVE_AGAIN])];
}

const OBSERVE_AGAIN: Step = { kind: 'observe-again' };

function creationSteps(wanted: WantedL4): readonly Step[] {
  const [first, ...others] = wanted.listeners.filter((one) => one.filter !== undefined);
  if (first === undefined) return [];
  const { networkVolumeMbps, nextMonthAccountingType, policyType } = wanted;
  const create: Step = {
    kind: 'create',
    listener: newListener(first),
    ...(networkVolumeMbps === undefined ? {} : { networkVolumeMbps }),
    ...(nextMonthAccountingType === undefined ? {} : { accountingType: nextMonthAccountingType }),
    ...(policyType === undefined ? {} : { policyType }),
  };
  return [create, ...newListenerSteps(first), ...others.flatMap(registerPort)];
}

function deletionSteps(seen: L4LoadBalancer): readonly Step[] {
  return [...seen.listeners.map(deleteListener), OBSERVE_AGAIN];
}

/** Whether a listener needs UpdateLoadBalancer; for its balancing alone not where its filter could not be set again afterwards. */
function isToBeMoved(wanted: WantedListener, seen: L4Listener): boolean {
  if (wanted.instancePort !== seen.instancePort) return true;
  return wanted.filter !== undefined && differs(wanted.balancingType, seen.balancingType);
}

function moveSteps(wanted: WantedListener, seen: L4Listener): readonly Step[] {
  const ports = portsOf(seen);
  const change: Step = {
    kind: 'update-listener',
    ports,
    change: {
      ...(wanted.instancePort === seen.instancePort ? {} : { instancePort: wanted.instancePort }),
      ...(differs(wanted.balancingType, seen.balancingType) ? { balancingType: wanted.balancingType } : {}),
    },
  };
  // If the cloud drops the filter on the way, servers still behind the listener would be open to everyone until the next call,
  // or for as long as this process stays dead. A node port that changed has no traffic to lose any more.
  const filtered = !isOpen(seen.filter) && wanted.filter?.addresses.length !== 0;
  if (!filtered || seen.targets.length === 0) return [change];
  return [{ kind: 'deregister-targets', ports, serverNames: seen.targets.map((one) => one.serverName) }, change];
}

/** Removes listeners nobody wants and makes those that are missing. */
function replacementSteps(
  missing: readonly WantedListener[],
  surplus: readonly L4Listener[],
  present: number,
  kept: number,
): readonly Step[] {
  // One that stays holds the address, so none of the others is needed until a new one is there (which the cloud may refuse).
  if (kept > 0) return [...surplus.map(deleteListener), ...missing.flatMap(registerPort)];
  if (missing.length === 0) return [];
  const room = MAX_LISTENERS - present;
  if (room > 0) return missing.slice(0, room).flatMap(registerPort);
  // One at a time: were the new port refused, a second pass must not delete the next old one in vain.
  return [...surplus.slice(0, 1).map(deleteListener), ...missing.slice(0, 1).flatMap(registerPort)];
}

function registerPort(wanted: WantedListener): readonly Step[] {
  const register: Step = { kind: 'register-port', ports: portsOf(wanted), listener: newListener(wanted) };
  return [register, ...newListenerSteps(wanted)];
}

/** What a listener needs that was just made. */
function newListenerSteps(wanted: WantedListener): readonly Step[] {
  const none = { stickiness: undefined, sorryPage: undefined, certificateId: '' };
  const blank = { filter: { type: 'allow', addresses: [] }, healthCheck: undefined, targets: [], ...none } as const;
  const ports = portsOf(wanted);
  return [
    ...filterSteps(ports, wanted.filter?.addresses, blank.filter),
    ...healthCheckSteps(ports, wanted.healthCheck, blank.healthCheck),
    ...targetSteps(ports, wanted, blank),
    ...optionSteps(ports, wanted, blank),
  ];
}

function deleteListener(seen: L4Listener): Step {
  return { kind: 'delete-listener', ports: portsOf(seen) };
}

function updateSteps(wanted: WantedL4, seen: L4LoadBalancer): readonly Step[] {
  const accounting = seen.nextMonthAccountingType || seen.accountingType;
  const change = {
    ...(differs(wanted.networkVolumeMbps, seen.networkVolumeMbps)
      ? { networkVolumeMbps: wanted.networkVolumeMbps }
      : {}),
    ...(differs(wanted.nextMonthAccountingType, accounting) ? { accountingType: wanted.nextMonthAccountingType } : {}),
  };
  return Object.keys(change).length === 0 ? [] : [{ kind: 'update', change }];
}

/** What a listener needs that stands on the right ports. */
function servingSteps(wanted: WantedListener, seen: L4Listener, refused: RefusedAttributes): readonly Step[] {
  const ports = portsOf(seen);
  const isFilterRefused = refused.has(attributeOf('set-filter', ports));
  const isCheckRefused = refused.has(attributeOf('configure-health-check', ports));
  const isNarrow = wanted.filter?.addresses.length === 0 || (seen.filter.type === 'allow' && !isOpen(seen.filter));
  const takesNoMore = (isFilterRefused && !isNarrow) || (isCheckRefused && seen.targets.length === 0);
  return [
    ...(isFilterRefused ? [] : filterSteps(ports, wanted.filter?.addresses, seen.filter)),
    ...(isCheckRefused ? [] : healthCheckSteps(ports, wanted.healthCheck, seen.healthCheck)),
    ...targetSteps(ports, wanted, seen, takesNoMore),
    ...optionSteps(ports, wanted, seen),
  ];
}

/**
 * Never empty on the way (an empty list lets everyone in), never over the limit, and in between nothing but entries of the old
 * or the new list.
 */
function filterSteps(ports: Ports, wanted: readonly string[] | undefined, seen: L4Listener['filter']): readonly Step[] {
  if (wanted === undefined) return [];
  const call = (add: readonly string[], remove: readonly string[]): Step => ({
    kind: 'set-filter',
    ports,
    type: 'allow',
    add,
    remove,
  });
  const add = wanted.filter((one) => !seen.addresses.includes(one));
  const remove = seen.addresses.filter((one) => !wanted.includes(one));
  // Whoever was denied would be the only one allowed: list and type must turn over in one call.
  if (seen.type === 'deny') return [call(add, remove)];

  const steps: Step[] = [];
  let size = seen.addresses.length;
  while (add.length > 0) {
    const tooMany = Math.min(add.length + size - MAX_FILTER_ENTRIES, size - 1);
    if (size >= MAX_FILTER_ENTRIES) {
      const leaving = remove.splice(0, tooMany);
      size -= leaving.length;
      steps.push(call([], leaving));
    }
    const coming = add.splice(0, MAX_FILTER_ENTRIES - size);
    size += coming.length;
    steps.push(call(coming, []));
  }
  if (remove.length > 0) steps.push(call([], remove));
  return steps;
}

function healthCheckSteps(
  ports: Ports,
  wanted: WantedListener['healthCheck'],
  seen: L4Listener['healthCheck'],
): readonly Step[] {
  const { target } = wanted;
  // With a wrong target the rest was not tuned by anybody either: the listener is half-made, or its node port changed.
  const base = seen?.target.toUpperCase() === target ? seen : undefined;
  const { intervalSeconds, unhealthyThreshold } = base ?? DEFAULT_HEALTH_CHECK;
  const healthCheck = {
    target,
    intervalSeconds: wanted.intervalSeconds ?? intervalSeconds,
    unhealthyThreshold: wanted.unhealthyThreshold ?? unhealthyThreshold,
  };
  const asSeen =
    base?.intervalSeconds === healthCheck.intervalSeconds && base.unhealthyThreshold === healthCheck.unhealthyThreshold;
  return asSeen ? [] : [{ kind: 'configure-health-check', ports, healthCheck }];
}

function targetSteps(
  ports: Ports,
  wanted: WantedListener,
  seen: Pick<L4Listener, 'filter' | 'targets'>,
  takesNoMore = false,
): readonly Step[] {
  if (wanted.targets === undefined) return [];
  // A port that was never filtered, or lost its filter on the way, stays shut while what the filter shall be is not known.
  if (wanted.filter === undefined && isOpen(seen.filter) && seen.targets.length === 0) return [];
  const { targets } = wanted;
  const [isSeen, isWanted] = [sameServerIn(seen.targets), sameServerIn(targets)];
  const coming = takesNoMore ? [] : targets.filter((one) => one.listed && !isSeen(one));
  const leaving = seen.targets.filter((one) => !isWanted(one));
  const steps: Step[] = [];
  if (coming.length > 0) {
    steps.push({ kind: 'register-targets', ports, serverNames: coming.map((one) => one.serverName) });
  }
  if (leaving.length === 0) return steps;
  // Where none of the present servers stays, a new one must be seen there before the old ones go.
  if (leaving.length === seen.targets.length) return coming.length === 0 ? [] : [...steps, OBSERVE_AGAIN];
  return [...steps, { kind: 'deregister-targets', ports, serverNames: leaving.map((one) => one.serverName) }];
}

/** What a listener can do besides. It has no part in what a listener needs to serve, so it comes last. */
function optionSteps(
  ports: Ports,
  wanted: WantedListener,
  seen: Pick<L4Listener, 'stickiness' | 'sorryPage' | 'certificateId'>,
): readonly Step[] {
  const { sorryPage, certificateId } = wanted;
  const stickiness = stickinessToSet(wanted.stickiness, seen.stickiness);
  const statusCode = sorryPage === 'off' ? undefined : sorryPage?.statusCode;
  const change = {
    ...(stickiness === undefined ? {} : { stickiness }),
    ...(sorryPage !== undefined && statusCode !== seen.sorryPage?.statusCode ? { sorryPage } : {}),
  };
  return [
    ...(Object.keys(change).length === 0 ? [] : [{ kind: 'set-options' as const, ports, change }]),
    ...(differs(certificateId, seen.certificateId) ? [{ kind: 'set-certificate' as const, ports, certificateId }] : []),
  ];
}

function stickinessToSet(
  wanted: WantedListener['stickiness'],
  seen: L4Listener['stickiness'],
): L4Stickiness | 'off' | undefined {
  if (wanted === undefined) return undefined;
  if (wanted === 'off') return seen === undefined ? undefined : 'off';
  const periodMinutes = wanted.periodMinutes ?? (seen?.periodMinutes || DEFAULT_STICKY_MINUTES);
  return seen?.periodMinutes === periodMinutes ? undefined : { periodMinutes };
}

/**
 * Says whether a server is among some: by unique id where both sides know it (names can be changed and used again), else by name.
 * Clusters have hundreds of them, behind each of many load balancers.
 */
export function sameServerIn(servers: readonly Target[]): (server: Target) => boolean {
  const ids = new Set(servers.map((one) => one.serverUniqueId));
  const names = new Set(servers.map((one) => one.serverName));
  const namesWithoutId = new Set(servers.filter((one) => one.serverUniqueId === '').map((one) => one.serverName));
  return ({ serverName, serverUniqueId }) =>
    serverUniqueId === '' ? names.has(serverName) : ids.has(serverUniqueId) || namesWithoutId.has(serverName);
}

/** Whether a filter lets everyone in: allows nobody in particular, or denies nobody. */
function isOpen(filter: L4Listener['filter']): boolean {
  return filter.addresses.length === 0;
}

function differs<T>(wanted: T | undefined, seen: T): wanted is T {
  return wanted !== undefined && wanted !== seen;
}

function portsOf({ loadBalancerPort, instancePort }: Ports): Ports {
  return { loadBalancerPort, instancePort };
}

function newListener({ loadBalancerPort, instancePort, balancingType }: WantedListener): NewListener {
  return { loadBalancerPort, instancePort, ...(balancingType === undefined ? {} : { balancingType }) };
}
