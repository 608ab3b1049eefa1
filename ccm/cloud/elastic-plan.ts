import type { ElasticLoadBalancer } from '../../nifcloud/elastic-load-balancers.ts';
import type {
  ElasticChange,
  ElasticHealthCheck,
  ElasticListenerChange,
  ElasticSorryPage,
  ElasticStickiness,
  NewElasticListener,
  NewElasticLoadBalancer,
} from '../../nifcloud/elastic-requests.ts';
import { readOwner } from './elastic-owner.ts';
import { DEFAULT_HEALTH_CHECK, DEFAULT_STICKY_MINUTES, sameServerIn, type WantedTarget } from './l4-plan.ts';

type ElasticProtocol = 'TCP' | 'UDP' | 'HTTP' | 'HTTPS';

/** An elastic load balancer as it is wanted; `undefined` = not stated, to be left as it is. */
export interface WantedElastic {
  /** Obeyed at creation only. */
  readonly zone: string;
  /** Obeyed at creation only. */
  readonly interfaces: NewElasticLoadBalancer['interfaces'];
  readonly networkVolumeMbps: number | undefined;
  /** Accounting can only be changed for the next month. */
  readonly nextMonthAccountingType: string | undefined;
  /** 1 to 3. */
  readonly listeners: readonly WantedElasticListener[];
}

export interface WantedElasticListener {
  readonly protocol: ElasticProtocol;
  /** `false`: a listener that is there may as well speak another protocol over TCP. */
  readonly isProtocolStated: boolean;
  readonly loadBalancerPort: number;
  readonly instancePort: number;
  readonly balancingType: number | undefined;
  /** Whose it is. Written when the listener is made or changed for another reason, never for its own sake. */
  readonly description: string;
  /** Stated where `protocol` is HTTPS. */
  readonly certificateId: string | undefined;
  readonly healthCheck: {
    /** `TCP:<port>`, `HTTP:<port>`, `HTTPS:<port>` or `ICMP`. */
    readonly target: string;
    readonly intervalSeconds: number | undefined;
    readonly unhealthyThreshold: number | undefined;
    readonly path: string | undefined;
    readonly httpCodes: readonly string[] | undefined;
  };
  /** Cookies are for HTTP and HTTPS; a listener of another protocol is left as it is. */
  readonly stickiness: Partial<ElasticStickiness> | 'off' | undefined;
  /** For HTTP and HTTPS; a listener of another protocol is left as it is. */
  readonly sorryPage: ElasticSorryPage | 'off' | undefined;
  /** `undefined` where nobody knows: nothing is registered or deregistered. */
  readonly targets: readonly WantedTarget[] | undefined;
}

/** What names a listener of a load balancer. */
interface ElasticKey {
  readonly protocol: string;
  readonly loadBalancerPort: number;
  readonly instancePort: number;
}

/** One call. The load balancer is busy afterwards, so that the next one is sent after another look. */
export type ElasticStep =
  | ({ readonly kind: 'create' } & Omit<NewElasticLoadBalancer, 'name'>)
  | { readonly kind: 'register-port'; readonly listener: NewElasticListener }
  | { readonly kind: 'modify-listener'; readonly key: ElasticKey; readonly change: ElasticListenerChange }
  | { readonly kind: 'configure-health-check'; readonly key: ElasticKey; readonly healthCheck: ElasticHealthCheck }
  | {
      readonly kind: 'register-targets' | 'deregister-targets';
      readonly key: ElasticKey;
      readonly serverUniqueIds: readonly string[];
    }
  | { readonly kind: 'update'; readonly change: ElasticChange }
  | {
      readonly kind: 'delete-listener';
      readonly key: ElasticKey;
      /**
       * Whether the firewall rules for this listener have to be gone before: it is the last record of them, because it is the last
       * listener, or because it is of the Go program, whose rules are told by the ports of listeners alone.
       */
      readonly rulesFirst: boolean;
    };

type Listener = ElasticLoadBalancer['listeners'][number];
type Seen = Pick<ElasticLoadBalancer, 'networkVolumeMbps' | 'accountingType' | 'nextMonthAccountingType' | 'listeners'>;

/** What a check has where neither the user nor the cloud says more. The rest is as in the Go program. Codes as a kubelet's probes take them. */
const DEFAULT_HTTP_CHECK = { ...DEFAULT_HEALTH_CHECK, path: '/', httpCodes: ['2xx', '3xx'] } as const;

/** Of clients that stick to a server without more being said. */
const DEFAULT_STICKINESS: ElasticStickiness = { method: 'source-ip', periodMinutes: DEFAULT_STICKY_MINUTES };

/**
 * The steps from what is seen towards what is wanted, in the order in which to send them; none once they agree.
 * `wanted === undefined`: it shall go.
 *
 * - The plan is as whole as it can be, also for a load balancer that is yet to be made. What the cloud keeps when a listener changes is
 *   for the next look to say.
 * - Every step is safe after others were refused. Without what comes before it for the same listener it may be in vain.
 * - A listener that changes is changed in place, with its targets, and the last one is never deleted: the address stays. Only when all
 *   shall go it is, after the targets and the firewall rules.
 * - The last target of a listener is never deregistered before another one is registered.
 */
export function planElastic(wanted: WantedElastic | undefined, seen: Seen | undefined): readonly ElasticStep[] {
  if (wanted === undefined) return seen === undefined ? [] : deletionSteps(seen.listeners);
  if (seen === undefined) return creationSteps(wanted);
  const { pairs, missing, surplus } = match(wanted.listeners, seen.listeners);
  const changes = pairs.map(([one, present]) => listenerSteps(one, present));
  return [
    ...changes.flatMap(({ serving }) => serving),
    ...changes.flatMap(({ moving }) => moving),
    ...(pairs.length === 0 ? [] : surplus.map((one) => deleteListener(one))),
    ...missing.flatMap(registrationSteps),
    ...changes.flatMap(({ tuning }) => tuning),
    ...updateSteps(wanted, seen),
  ];
}

type Pair = readonly [wanted: WantedElasticListener, seen: Listener];

/** Which listener becomes which. Those of no use any more stand in for those that are missing, rather than going. */
function match(
  wanted: readonly WantedElasticListener[],
  seen: readonly Listener[],
): {
  readonly pairs: readonly Pair[];
  readonly missing: readonly WantedElasticListener[];
  readonly surplus: readonly Listener[];
} {
  const pairs: Pair[] = [];
  let missing = wanted;
  let surplus = seen;
  const likenesses: readonly ((one: WantedElasticListener, other: Listener) => boolean)[] = [
    (one, other) => isSameTransport(one, other) && one.loadBalancerPort === other.loadBalancerPort,
    (one, other) => isSameTransport(one, other) && one.instancePort === other.instancePort,
    isSameTransport,
    () => true,
  ];
  for (const isAlike of likenesses) {
    for (const one of missing) {
      const present = surplus.find((other) => isAlike(one, other));
      if (present === undefined) continue;
      // A stranger that stands in is as good as new: nobody tuned it for this port.
      const isStranger = one.loadBalancerPort !== present.loadBalancerPort && one.instancePort !== present.instancePort;
      pairs.push([isStranger || !isSameTransport(one, present) ? asNew(one) : one, present]);
      missing = missing.filter((other) => other !== one);
      surplus = surplus.filter((other) => other !== present);
    }
  }
  return { pairs, missing, surplus };
}

/** With everything stated that the cloud makes so by default. */
function asNew(wanted: WantedElasticListener): WantedElasticListener {
  return {
    ...wanted,
    isProtocolStated: true,
    balancingType: wanted.balancingType ?? 1,
    stickiness: wanted.stickiness ?? 'off',
    sorryPage: wanted.sorryPage ?? 'off',
  };
}

function creationSteps(wanted: WantedElastic): readonly ElasticStep[] {
  const [first] = wanted.listeners;
  if (first === undefined) return [];
  const { zone, interfaces, networkVolumeMbps, nextMonthAccountingType } = wanted;
  const made = asMade(first);
  const [healthCheck] = checksToSet(first.healthCheck, undefined);
  const { stickiness, sorryPage } = optionsToSet(first, first.protocol, made);
  const options = {
    healthCheck,
    stickiness: stickiness === 'off' ? undefined : stickiness,
    sorryPage: sorryPage === 'off' ? undefined : sorryPage,
  };
  const stated = { networkVolumeMbps, accountingType: nextMonthAccountingType };
  const create: ElasticStep = {
    kind: 'create',
    zone,
    interfaces,
    listener: { ...newListener(first), ...options },
    ...stated,
  };
  // Without targets, which need firewall rules, which need the addresses that it gets.
  const { networkVolumeMbps: volume = 0, accountingType = '' } = stated;
  const listeners = [{ ...made, ...options }];
  const created = { networkVolumeMbps: volume, accountingType, nextMonthAccountingType: accountingType, listeners };
  return [create, ...planElastic(wanted, created)];
}

/** Listeners of ours go at once, with their targets; the last one and those of the Go program stay until their rules are gone. */
function deletionSteps(listeners: readonly Listener[]): readonly ElasticStep[] {
  const deletions = listeners.map((one, index) => ({ one, step: deleteListener(one, index === listeners.length - 1) }));
  const emptied = deletions.filter(({ step }) => step.rulesFirst);
  return [
    ...deletions.flatMap(({ step }) => (step.rulesFirst ? [] : [step])),
    ...emptied.flatMap(({ one }) => targetStep('deregister-targets', keyOf(one), one.targets)),
    ...emptied.map(({ step }) => step),
  ];
}

/** What a listener needs: without a change of its key, with one, and at leisure. */
function listenerSteps(
  wanted: WantedElasticListener,
  seen: Listener,
): Record<'serving' | 'moving' | 'tuning', readonly ElasticStep[]> {
  const staysAsItIs = !wanted.isProtocolStated && isSameTransport(wanted, seen);
  const key = { ...keyOf(wanted), protocol: staysAsItIs ? seen.protocol : wanted.protocol };
  const moved = {
    ...(key.protocol === seen.protocol ? {} : { protocol: key.protocol }),
    ...(key.loadBalancerPort === seen.loadBalancerPort ? {} : { loadBalancerPort: key.loadBalancerPort }),
    ...(key.instancePort === seen.instancePort ? {} : { instancePort: key.instancePort }),
  };
  const isHttps = key.protocol === 'HTTPS' && wanted.certificateId !== undefined;
  const certificate =
    isHttps && wanted.certificateId !== seen.certificateId ? { certificateId: wanted.certificateId } : {};
  const becomesHttps = isHttps && seen.protocol !== 'HTTPS';
  const options = optionsToSet(wanted, key.protocol, seen);
  // The owner is written along with the first change.
  const owner = seen.description === '' ? { description: wanted.description } : {};
  const modify = (from: ElasticKey, change: ElasticListenerChange, rest = {}): readonly ElasticStep[] =>
    isEmpty(change) ? [] : [{ kind: 'modify-listener', key: from, change: { ...change, ...rest } }];

  const serving = [...checkSteps(key, wanted, seen), ...targetSteps(key, wanted, seen)];
  if (isEmpty(moved)) {
    // A certificate by itself: what else is to be done must not wait for one that the cloud does not take.
    const tuning = [...modify(key, options, owner), ...modify(key, certificate, isEmpty(options) ? owner : {})];
    return { serving, moving: [], tuning };
  }
  const change = { ...moved, ...options, ...(becomesHttps ? certificate : {}) };
  return {
    serving: [],
    moving: [...modify(keyOf(seen), change, owner), ...serving],
    tuning: becomesHttps ? [] : modify(key, certificate),
  };
}

function registrationSteps(wanted: WantedElasticListener): readonly ElasticStep[] {
  const { serving, tuning } = listenerSteps(wanted, asMade(wanted));
  return [{ kind: 'register-port', listener: newListener(wanted) }, ...serving, ...tuning];
}

/** What NewElasticListener becomes. What a new port is checked by, if by anything, is not to be relied on. */
function asMade(wanted: WantedElasticListener): Listener {
  const { balancingType = 1, certificateId = '', description } = newListener(wanted);
  return {
    ...keyOf(wanted),
    balancingType,
    description,
    certificateId,
    healthCheck: undefined,
    targets: [],
    stickiness: undefined,
    sorryPage: undefined,
  };
}

function updateSteps(wanted: WantedElastic, seen: Seen): readonly ElasticStep[] {
  const { networkVolumeMbps, nextMonthAccountingType } = wanted;
  const accounting = seen.nextMonthAccountingType || seen.accountingType;
  const change: ElasticChange = {
    ...(differs(networkVolumeMbps, seen.networkVolumeMbps) ? { networkVolumeMbps } : {}),
    ...(differs(nextMonthAccountingType, accounting) ? { accountingType: nextMonthAccountingType } : {}),
  };
  return isEmpty(change) ? [] : [{ kind: 'update', change }];
}

/** What differs of balancing, stickiness and sorry page. @param protocol the listener's, after its change */
function optionsToSet(
  wanted: WantedElasticListener,
  protocol: string,
  seen: Listener,
): Pick<ElasticListenerChange, 'balancingType'> & {
  readonly stickiness?: ElasticStickiness | 'off';
  readonly sorryPage?: ElasticSorryPage | 'off';
} {
  const { balancingType, sorryPage } = wanted;
  const isHttp = protocol === 'HTTP' || protocol === 'HTTPS';
  const stickiness = stickinessToSet(wanted.stickiness, isHttp, seen.stickiness);
  const url = sorryPage === 'off' ? undefined : sorryPage?.redirectUrl;
  const sorryDiffers = isHttp && sorryPage !== undefined && url !== seen.sorryPage?.redirectUrl;
  return {
    ...(differs(balancingType, seen.balancingType) ? { balancingType } : {}),
    ...(stickiness === undefined ? {} : { stickiness }),
    ...(sorryDiffers ? { sorryPage } : {}),
  };
}

function stickinessToSet(
  wanted: WantedElasticListener['stickiness'],
  isHttp: boolean,
  seen: Listener['stickiness'],
): ElasticStickiness | 'off' | undefined {
  if (wanted === undefined || (wanted !== 'off' && wanted.method === 'cookie' && !isHttp)) return undefined;
  if (wanted === 'off') return seen === undefined ? undefined : 'off';
  const method = wanted.method ?? seen?.method ?? DEFAULT_STICKINESS.method;
  const periodMinutes = wanted.periodMinutes ?? (seen?.periodMinutes || DEFAULT_STICKINESS.periodMinutes);
  const isAsSeen = seen?.method === method && seen.periodMinutes === periodMinutes;
  return isAsSeen ? undefined : { method, periodMinutes };
}

function checkSteps(key: ElasticKey, wanted: WantedElasticListener, seen: Listener): readonly ElasticStep[] {
  const checks = checksToSet(wanted.healthCheck, seen.healthCheck);
  return checks.map((healthCheck) => ({ kind: 'configure-health-check', key, healthCheck }));
}

/** The check to be set; none where it is as wanted. */
function checksToSet(
  wanted: WantedElasticListener['healthCheck'],
  seen: Listener['healthCheck'],
): readonly ElasticHealthCheck[] {
  const { target } = wanted;
  const isHttp = target.startsWith('HTTP');
  // With a wrong target the rest was not tuned by anybody either: the listener is half-made, or its node port changed.
  const base = seen?.target.toUpperCase() === target ? seen : undefined;
  const { intervalSeconds, unhealthyThreshold, path = '', httpCodes = [] } = base ?? DEFAULT_HTTP_CHECK;
  const check = {
    target,
    intervalSeconds: (wanted.intervalSeconds ?? intervalSeconds) || DEFAULT_HEALTH_CHECK.intervalSeconds,
    unhealthyThreshold: (wanted.unhealthyThreshold ?? unhealthyThreshold) || DEFAULT_HEALTH_CHECK.unhealthyThreshold,
    ...(isHttp ? { path: wanted.path ?? path, httpCodes: wanted.httpCodes ?? httpCodes } : {}),
  };
  const isAsSeen =
    base !== undefined &&
    (wanted.intervalSeconds ?? base.intervalSeconds) === base.intervalSeconds &&
    (wanted.unhealthyThreshold ?? base.unhealthyThreshold) === base.unhealthyThreshold &&
    (!isHttp || ((wanted.path ?? path) === path && isSameSet(wanted.httpCodes ?? httpCodes, httpCodes)));
  return isAsSeen ? [] : [check];
}

function targetSteps(key: ElasticKey, wanted: WantedElasticListener, seen: Listener): readonly ElasticStep[] {
  const { targets } = wanted;
  if (targets === undefined) return [];
  const [isSeen, isWanted] = [sameServerIn(seen.targets), sameServerIn(targets)];
  const coming = targets.filter((one) => one.listed && !isSeen(one));
  const leaving = seen.targets.filter((one) => !isWanted(one));
  const register = targetStep('register-targets', key, coming);
  // Where none of the present servers stays, a new one must be seen there before the old ones go.
  if (leaving.length === seen.targets.length) return register;
  return [...targetStep('deregister-targets', key, leaving), ...register];
}

/** By unique id: the name of a server may be another one's by the time of the call. */
function targetStep(
  kind: 'register-targets' | 'deregister-targets',
  key: ElasticKey,
  targets: Listener['targets'],
): readonly ElasticStep[] {
  const serverUniqueIds = [...new Set(targets.map((one) => one.serverUniqueId))].filter((id) => id !== '');
  return serverUniqueIds.length === 0 ? [] : [{ kind, key, serverUniqueIds }];
}

function deleteListener(seen: Listener, isLast = false): Extract<ElasticStep, { kind: 'delete-listener' }> {
  return { kind: 'delete-listener', key: keyOf(seen), rulesFirst: isLast || readOwner(seen.description) === undefined };
}

function newListener(wanted: WantedElasticListener): NewElasticListener & { readonly description: string } {
  const { balancingType, description, certificateId } = wanted;
  return {
    ...keyOf(wanted),
    description,
    ...(balancingType === undefined ? {} : { balancingType }),
    ...(wanted.protocol === 'HTTPS' && certificateId !== undefined ? { certificateId } : {}),
  };
}

function keyOf({ protocol, loadBalancerPort, instancePort }: ElasticKey): ElasticKey {
  return { protocol, loadBalancerPort, instancePort };
}

function isSameTransport(one: ElasticKey, other: ElasticKey): boolean {
  return isUdp(one) === isUdp(other);
}

function isUdp({ protocol }: { readonly protocol: string }): boolean {
  return protocol === 'UDP';
}

function isEmpty(change: object): boolean {
  return Object.keys(change).length === 0;
}

function isSameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.every((one) => b.includes(one)) && b.every((one) => a.includes(one));
}

function differs<T>(wanted: T | undefined, seen: T): wanted is T {
  return wanted !== undefined && wanted !== seen;
}
