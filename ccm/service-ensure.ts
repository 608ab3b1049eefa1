import { describeError } from '../daemon/logger.ts';
import { keyOf, RetryAfterError, type Result } from '../kube/reconcile.ts';
import type { Service } from '../kube/types.ts';
import { isBusy } from '../nifcloud/errors.ts';
import { TYPE_ANNOTATION, type LoadBalancerKind } from './cloud/annotations.ts';
import { loadBalancerName, readRequest, RefusedRequest, type Request } from './cloud/load-balancer.ts';
import { KIND_TEXTS, type Found, type Gate, type Hosts, type Kind, type Order, type Progress } from './kind.ts';
import type { Listings } from './listings.ts';
import { CLEANUP_FINALIZER } from './service-change.ts';
import { foreignText, isOurs } from './service-owner.ts';
import { describeSteps, someOf, type Cause, type Warning } from './service-report.ts';
import { ingressOf, isPublished, isReplacing, StaleService } from './service-status.ts';
import {
  failureOf,
  nextLook,
  retryOf,
  untilTick,
  type Memory,
  type Replacement,
  type ServiceWork,
} from './service-work.ts';

/** One pass for a Service that wants a load balancer. */
export class ServiceEnsurer {
  readonly #work: ServiceWork;

  constructor(work: ServiceWork) {
    this.#work = work;
  }

  async ensure(
    service: Service,
    memory: Memory,
    cause: Cause,
    listings: Listings,
    signal: AbortSignal,
  ): Promise<Result> {
    const { fingerprint } = listings.nodes;
    if (cause === 'nodes' && memory.nodes === fingerprint) return nextLook(this.#work);
    delete memory.nodes;
    try {
      return await this.#measured(cause, () => new Pass(this.#work, service, memory, cause, listings).run(signal));
    } catch (error) {
      if (error instanceof StaleService) throw error;
      throw new Error('failed to ensure load balancer', { cause: error });
    }
  }

  /** Only what is due to nodes counts, as in the framework. */
  async #measured<T>(cause: Cause, work: () => Promise<T>): Promise<T> {
    const { metrics, clock } = this.#work;
    if (cause !== 'nodes' || metrics === undefined) return await work();
    const startMs = clock.monotonicMs();
    let outcome: 'ok' | 'error' = 'error';
    try {
      const result = await work();
      outcome = 'ok';
      return result;
    } finally {
      metrics.hostsUpdated((clock.monotonicMs() - startMs) / 1_000, outcome);
    }
  }
}

/** One pass for one Service: what it wants now, and what is written to it on the way. */
class Pass {
  readonly #work: ServiceWork;
  readonly #memory: Memory;
  readonly #cause: Cause;
  readonly #order: Order;
  readonly #owner: string;
  readonly #held: string | undefined;
  /** What would be done, where nothing may be. */
  readonly #plans: string[] = [];
  /** The Service after the writes of this pass. */
  #current: Service;
  /** A load balancer of the kind that is not asked for, and that is the Service's. */
  #other: Found | undefined;

  constructor(work: ServiceWork, service: Service, memory: Memory, cause: Cause, listings: Listings) {
    this.#work = work;
    this.#memory = memory;
    this.#cause = cause;
    this.#current = service;
    this.#owner = work.ownerOf(service);
    this.#held = work.heldBy(service);
    this.#order = {
      service,
      name: loadBalancerName(service),
      listings,
      request: readRequest(service, memory.settledKind),
      owner: this.#owner,
      nodes: listings.nodes.fingerprint,
      hosts: () => Promise.resolve({ targets: undefined, servers: [] }),
    };
  }

  async run(signal: AbortSignal): Promise<Result> {
    const { kinds } = this.#work;
    const { service } = this.#order;
    const request = await this.#request(signal);
    // With an address there may be a load balancer, whose targets have to be served whatever else is wrong.
    if (request.problems.length > 0 && ingressOf(service).length === 0) throw new RefusedRequest(request.problems);
    const kind = kinds[request.kind];
    const other = kinds[request.kind === 'l4' ? 'elastic' : 'l4'];
    const replacement = this.#takeReplacement(other);
    this.#other = replacement?.other ?? (await this.#findOther(other, kind.kind, signal));
    if (replacement?.vip !== undefined) return await this.#finish(other, replacement.vip, false, signal);

    this.#warn('request', request.advice.map(asWarning('LoadBalancerAdvice')));
    const order = { ...this.#order, request, hosts: () => this.#hosts(signal) };
    let progress: Progress;
    try {
      progress = await kind.ensure(order, this.#gate(signal), signal);
    } catch (error) {
      if (error instanceof StaleService) throw error;
      return await this.#endServing(other, order, Promise.reject(error), signal);
    }
    const { vip, serves, isDone, refusals } = progress;
    if (this.#held !== undefined) return await this.#hold(other, vip, this.#held, signal);

    if (isDone) this.#current = await this.#work.status.claim(this.#current, signal);
    // While another one serves, clients go on using that until this one is complete.
    const shown = vip !== '' && (isDone || (this.#other === undefined && (serves || refusals.length > 0)));
    const isNews = shown && (await this.#publish(vip, signal));
    if (refusals.length > 0) return await this.#endServing(other, order, this.#retryOf(refusals), signal);
    if (isDone) return await this.#finish(other, vip, isNews, signal);
    return this.#waitWith(undefined, progress);
  }

  /**
   * Ends a pass in which what is asked for failed. Until that serves, clients go on using the one of the other kind, which follows
   * nodes and Service meanwhile.
   * @param end what comes of the failure by itself
   */
  async #endServing(other: Kind, order: Order, end: Promise<Result>, signal: AbortSignal): Promise<Result> {
    const vip = this.#other?.vip;
    const isUsed = vip !== undefined && ingressOf(this.#current).some(({ ip }) => ip === vip);
    if (!isUsed || this.#held !== undefined || signal.aborted) return await end;
    const [ended, served] = await Promise.allSettled([end, this.#serve(other, order, signal)]);
    signal.throwIfAborted();
    if (served.status === 'rejected') {
      throw ended.status === 'rejected' ? failureOf([ended.reason, served.reason]) : served.reason;
    }
    const { requeueAfterMs } = served.value;
    if (ended.status === 'fulfilled') return requeueAfterMs === undefined ? ended.value : served.value;
    // What it waits for comes before the pause that is due to the failure.
    throw requeueAfterMs === undefined
      ? ended.reason
      : new RetryAfterError(describeError(ended.reason), requeueAfterMs);
  }

  /** A pass for `#other` as if its kind were asked for; it is never made anew. @returns when to go on; nothing = it is as it should be */
  async #serve(other: Kind, order: Order, signal: AbortSignal): Promise<Result> {
    const { clock, tickMs } = this.#work;
    const gate: Gate = {
      ...this.#gate(signal, 'service'), // what fails is not the update of its hosts
      mayTouch: (found) => Promise.resolve(found !== undefined && isOurs(found, this.#current, this.#owner)),
      skipped: () => {}, // nobody asks for this kind any more
    };
    const asItIs = { ...order, request: readRequest(asking(other.kind, order.service)) };
    const { isDone, hasBegun, refusals } = await other.ensure(asItIs, gate, signal);
    if (refusals.length > 0) return await this.#retryOf(refusals);
    return isDone ? {} : { requeueAfterMs: untilTick(clock, tickMs, hasBegun) };
  }

  async #retryOf(refusals: readonly Error[]): Promise<Result> {
    return retryOf(refusals, this.#work.logger, this.#order.service);
  }

  /** With what was asked for complete: takes away what it replaces. */
  async #finish(other: Kind, vip: string, isNews: boolean, signal: AbortSignal): Promise<Result> {
    // Of one that somebody deleted there may be firewall rules.
    if (this.#other !== undefined || isReplacing(this.#current)) {
      const removal = await this.#removeOther(other, vip, signal);
      if (!removal.isDone) return this.#waitWith(vip, removal);
    }
    this.#memory.report.ensured(this.#order.service, this.#cause, isNews);
    return this.#rest();
  }

  /** Ends a pass that waits for the cloud. @param vip of what is complete */
  #waitWith(vip: string | undefined, { hasBegun }: Progress): Result {
    const { clock, tickMs } = this.#work;
    const version = this.#current.metadata.resourceVersion;
    if (this.#other !== undefined) {
      this.#memory.replacement = { other: this.#other, vip, version, nodes: this.#order.nodes };
    }
    return { requeueAfterMs: untilTick(clock, tickMs, hasBegun) };
  }

  /** What the last pass found, if that waited for the cloud, and Service and nodes are as they were. */
  #takeReplacement(other: Kind): Replacement | undefined {
    const { replacement } = this.#memory;
    delete this.#memory.replacement;
    const { version, nodes } = replacement ?? {};
    const isSame = version === this.#current.metadata.resourceVersion && nodes === this.#order.nodes;
    return isSame && replacement?.other.kind === other.kind ? replacement : undefined;
  }

  /** Where the kind that is asked for is nothing that exists, that which is there goes on being served. */
  async #request(signal: AbortSignal): Promise<Request> {
    const { service, name, listings, request } = this.#order;
    const isOdd = request.problems.some((one) => one.field === TYPE_ANNOTATION);
    if (!isOdd || ingressOf(service).length === 0) return request;
    const elastic = await this.#work.kinds.elastic.find(name, listings, signal);
    return elastic !== undefined && isOurs(elastic, service, this.#owner) ? readRequest(service, 'elastic') : request;
  }

  /** Looks for what an earlier `type` left. Where it is not known to be the Service's, that is said and nothing more. */
  async #findOther(other: Kind, asked: LoadBalancerKind, signal: AbortSignal): Promise<Found | undefined> {
    const service = this.#current;
    const isFresh = ingressOf(service).length === 0 && !service.metadata.finalizers?.includes(CLEANUP_FINALIZER);
    if (this.#memory.settledKind === asked) return undefined;
    delete this.#memory.settledKind;
    const found = isFresh ? undefined : await other.find(this.#order.name, this.#order.listings, signal);
    if (found !== undefined && isOurs(found, service, this.#owner)) return found;
    if (found !== undefined) {
      const message =
        `${KIND_TEXTS[found.kind]} ${found.name} (${found.vip}) is there although ${TYPE_ANNOTATION} asks for the other ` +
        `kind, and was not made under the present settings: it is left as it is; delete it in the control panel if nobody needs it`;
      this.#warn('other', [{ reason: 'OtherLoadBalancerLeft', message }]);
    }
    this.#memory.settledKind = asked;
    return undefined;
  }

  #gate(signal: AbortSignal, cause = this.#cause): Gate {
    const { status, logger } = this.#work;
    const { service, name } = this.#order;
    return {
      mayTouch: async (found) => {
        const ours = found === undefined || isOurs(found, this.#current, this.#owner, this.#other);
        if (found === undefined || !ours) await status.assertFresh(this.#current, signal);
        if (found !== undefined && !ours) throw new Error(foreignText(found, this.#owner));
        return true;
      },
      permit: async (found, steps) => {
        if (this.#held !== undefined) {
          this.#plans.push(...describeSteps(steps));
          return false;
        }
        logger.info('Changing load balancer', { service: keyOf(service), name, steps: steps.map(({ kind }) => kind) });
        this.#memory.report.ensuring(service, cause);
        this.#current = await (found === undefined
          ? status.claimAnew(this.#current, this.#other, signal)
          : status.claim(this.#current, signal));
        return true;
      },
      skipped: (messages) => this.#warn('skipped', messages.map(asWarning('LoadBalancerSettingSkipped'))),
    };
  }

  async #hosts(signal: AbortSignal): Promise<Hosts> {
    const { listings } = this.#order;
    if (listings.nodes.nodes.length === 0) {
      this.#warn('nodes', [asWarning('UnAvailableLoadBalancer')('There are no available nodes for LoadBalancer')]);
      return { targets: undefined, servers: [] };
    }
    const { servers, targets, unlisted } = await listings.hosts(signal);
    const message = `The cloud lists no server for these nodes, they are left as they are: ${someOf(unlisted)}`;
    this.#warn('nodes', unlisted.length === 0 ? [] : [asWarning('NodesNotInCloud')(message)]);
    return { targets, servers };
  }

  /** @returns whether there was anything to write */
  async #publish(vip: string, signal: AbortSignal): Promise<boolean> {
    const others = this.#other === undefined || this.#other.vip === '' ? [] : [this.#other.vip];
    const vips = [vip, ...others];
    if (isPublished(this.#current, vips)) return false;
    this.#current = await this.#work.status.publish(this.#current, vips, false, signal);
    return true;
  }

  /** Done = it is gone, and its address as well. */
  async #removeOther(other: Kind, vip: string, signal: AbortSignal): Promise<Progress> {
    const { service, name, listings } = this.#order;
    const { report } = this.#memory;
    const gate: Gate = {
      mayTouch: (found) => Promise.resolve(found === undefined || isOurs(found, this.#current, this.#owner)),
      permit: (found, steps) => {
        if (this.#held !== undefined) this.#plans.push(...describeSteps(steps));
        else if (found !== undefined) report.deletingOther(service, found);
        return Promise.resolve(this.#held === undefined);
      },
      skipped: () => {},
    };
    const progress = await other.remove({ service, name, listings }, gate, signal);
    const { isDone, refusals } = progress;
    if (refusals.length > 0 && !refusals.every(isBusy)) throw failureOf(refusals);
    if (!isDone || this.#held !== undefined) return progress;
    other.forget(name);
    report.deletedOther();
    this.#other = undefined;
    this.#memory.settledKind = other.kind === 'l4' ? 'elastic' : 'l4';
    this.#current = await this.#work.status.publish(this.#current, [vip], true, signal);
    return progress;
  }

  /** Ends a pass that was to change nothing: says what it would have done. */
  async #hold(other: Kind, vip: string, why: string, signal: AbortSignal): Promise<Result> {
    if (this.#other !== undefined) await this.#removeOther(other, vip, signal);
    if (this.#plans.length === 0 && vip !== '' && !isPublished(this.#current, [vip])) {
      this.#plans.push(`publish address=${vip}`);
    }
    // What others do meanwhile is not to include what this one waited for before it was held.
    for (const kind of Object.values(this.#work.kinds)) kind.forget(this.#order.name);
    this.#memory.report.planned(this.#order.service, this.#plans, why);
    return this.#rest();
  }

  /** Ends a pass after which nothing is left to be done. */
  #rest(): Result {
    this.#memory.nodes = this.#order.nodes;
    return nextLook(this.#work);
  }

  #warn(topic: string, warnings: readonly Warning[]): void {
    this.#memory.report.warn(this.#order.service, topic, warnings);
  }
}

/** The Service, if it asked for this kind. */
function asking(kind: LoadBalancerKind, service: Service): Service {
  const annotations = { ...service.metadata.annotations, [TYPE_ANNOTATION]: kind === 'l4' ? 'lb' : 'elb' };
  return { ...service, metadata: { ...service.metadata, annotations } };
}

function asWarning(reason: string): (message: string) => Warning {
  return (message) => ({ reason, message });
}
