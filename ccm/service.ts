import type { Clock } from '../daemon/clock.ts';
import type { Logger } from '../daemon/logger.ts';
import type { EventRecorder } from '../kube/events.ts';
import type { Informer } from '../kube/informer.ts';
import { runWorkers, WorkQueue } from '../kube/queue.ts';
import { exponentialPerKey } from '../kube/rate-limit.ts';
import { keyOf, type Key, type Reconciler, type Result } from '../kube/reconcile.ts';
import type { KubeClient } from '../kube/rest.ts';
import type { QueueMetrics } from '../kube/surroundings.ts';
import { TokenBucket } from '../kube/token-bucket.ts';
import type { Node, Service } from '../kube/types.ts';
import type { Servers } from '../nifcloud/servers.ts';
import { ANNOTATION_PREFIX } from './cloud/annotations.ts';
import type { ElasticCalls } from './cloud/elastic-apply.ts';
import { ownerText } from './cloud/elastic-owner.ts';
import type { L4Calls } from './cloud/l4-apply.ts';
import type { FirewallCalls } from './cloud/firewall-apply.ts';
import { readRequest } from './cloud/load-balancer.ts';
import { ElasticKind } from './kind-elastic.ts';
import { L4Kind } from './kind-l4.ts';
import type { Found } from './kind.ts';
import type { ServiceMetrics } from './metrics.ts';
import { Listings } from './listings.ts';
import { concernsLoadBalancers, PresentNodeSet } from './node-set.ts';
import { watchOrphans } from './orphans.ts';
import { Recent, TOGETHER_MS, type Moment } from './recent.ts';
import { needsCleanup, needsUpdate, wantsLoadBalancer } from './service-change.ts';
import { ServiceCleaner } from './service-cleanup.ts';
import { ServiceEnsurer } from './service-ensure.ts';
import { ServiceReport, type Cause } from './service-report.ts';
import { ingressOf, ServiceStatus, StaleService } from './service-status.ts';
import type { Memory, ServiceWork } from './service-work.ts';

/** Pauses after failures of one Service, in ms. Source: cloud-provider v0.36, `minRetryDelay` and `maxRetryDelay`. */
const MIN_RETRY_MS = 5_000;
const MAX_RETRY_MS = 300_000;

/** When a cache that lags behind has caught up, in ms; its change then comes as an event anyway. Our choice. */
const STALE_RETRY_MS = 1_000;

/** How often the cloud is asked for what is waited for, in ms: as the cloud client polls. */
const TICK_MS = 3_000;

/** When nodes change one after the other: so many changes are followed at once, then one round over all Services comes each tick. Our choice. */
const NODE_ROUNDS_AT_ONCE = 3;

/** Why a key is in the queue. */
interface Due {
  readonly cause: Cause;
  /** Nothing that is older will do. */
  readonly since: Moment;
}

/** The end of a Service's last pass. */
interface PassEnd {
  readonly at: Moment;
  readonly atMs: number;
}

/** What this controller needs of its surroundings. */
export interface ServiceControllerOptions {
  readonly services: Pick<Informer<Service>, 'get' | 'list' | 'onChange'>;
  readonly nodes: Pick<Informer<Node>, 'list' | 'onChange'>;
  readonly kube: Pick<KubeClient, 'get' | 'patch'>;
  readonly servers: Pick<Servers, 'list'>;
  readonly loadBalancers: L4Calls;
  readonly elasticLoadBalancers: ElasticCalls;
  readonly firewallGroups: FirewallCalls;
  readonly events: Pick<EventRecorder, 'event'>;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly metrics?: ServiceMetrics;
  readonly queueMetrics?: QueueMetrics;
  /** Stands in what is written on elastic load balancers and firewall rules. */
  readonly clusterName: string;
  /** Services of this `loadBalancerClass` are served too; `''` = none. */
  readonly loadBalancerClass: string;
  /** Plans are logged and sent as events, and nothing is changed, here or there. */
  readonly dryRun: boolean;
  /** How often each load balancer is compared with what is wanted although nothing changed, in ms; 0 = never. */
  readonly resyncPeriodMs: number;
}

/**
 * service-lb-controller: gives each Service of type LoadBalancer a load balancer, L4 or elastic (`docs/reference/ccm.md` A5).
 *
 * - Ensuring, node changes and deletion of one Service never overlap: they are one key of one queue.
 * - What is right already causes no call but reads, no event and no write. Services that are looked at together share the reads.
 * - Only a load balancer that is known to be the Service's is ever touched (`isOurs`).
 * - Making and deleting rest on the Service as the API server has it, not on the cache.
 * - No worker waits for the cloud: what takes long is looked at again at the next tick.
 */
export class ServiceController implements Reconciler {
  readonly #options: ServiceControllerOptions;
  readonly #queue: WorkQueue;
  readonly #kinds: ServiceWork['kinds'];
  readonly #ensurer: ServiceEnsurer;
  readonly #cleaner: ServiceCleaner;
  readonly #listings: Recent<Listings>;
  readonly #due = new Map<string, Due>(); // absent = it was to be looked at again
  readonly #ends = new Map<string, PassEnd>();
  readonly #memories = new Map<string, Memory>();
  readonly #nodeRounds: TokenBucket;
  #isRoundDue = false;
  #running: AbortSignal | undefined;
  readonly #gone = new Map<string, Service>(); // Services that went, as they were last; others may have come under their names

  constructor(options: ServiceControllerOptions) {
    this.#options = options;
    const nodeSet = new PresentNodeSet(options.nodes);
    const listings = new Recent((begun) => new Listings(begun, nodeSet.get(), options), options.clock);
    this.#listings = listings;
    this.#nodeRounds = new TokenBucket({
      perSecond: 1_000 / TICK_MS,
      burst: NODE_ROUNDS_AT_ONCE,
      clock: options.clock,
    });
    const work = workOf(options, listings);
    this.#kinds = work.kinds;
    this.#ensurer = new ServiceEnsurer(work);
    this.#cleaner = new ServiceCleaner(work);
    const limiter = exponentialPerKey(MIN_RETRY_MS, MAX_RETRY_MS);
    const { clock, queueMetrics: metrics } = options;
    this.#queue = new WorkQueue({ name: 'service', limiter, clock, ...(metrics && { metrics }) });
    options.services.onChange({
      added: (service) => {
        if (this.#wants(service) || needsCleanup(service)) this.#enqueue(service);
      },
      updated: (old, service) => {
        if (old.metadata.uid !== service.metadata.uid) this.#rememberGone(old);
        if (needsUpdate(old, service, options.loadBalancerClass) || needsCleanup(service)) this.#enqueue(service);
      },
      deleted: (service) => {
        this.#rememberGone(service);
        this.#enqueue(service);
      },
    });
    options.nodes.onChange({
      added: () => this.#followNodes(),
      updated: (old, node) => {
        if (concernsLoadBalancers(old, node)) this.#followNodes();
      },
      deleted: () => this.#followNodes(),
    });
  }

  /** Works until the signal is aborted. The caches have to be synced. */
  async run(workers: number, signal: AbortSignal): Promise<void> {
    this.#running = signal;
    const { services, clusterName, metrics, clock, logger } = this.#options;
    const orphans = watchOrphans(
      {
        list: (until) => this.#list(until),
        services: () => services.list(),
        clusterName,
        count: (found) => metrics?.orphans(found),
        clock,
        logger,
      },
      signal,
    );
    await Promise.all([runWorkers(this.#queue, workers, this, { logger, signal }), orphans.catch(() => undefined)]);
  }

  /** All load balancers, as passes of the same time have them listed. */
  async #list(signal: AbortSignal): Promise<readonly Found[]> {
    const listings = this.#listings.get(0, TOGETHER_MS);
    const all = await Promise.all(Object.values(this.#kinds).map((kind) => kind.list(listings, signal)));
    return all.flat();
  }

  async reconcile({ namespace, name }: Key, signal: AbortSignal): Promise<Result> {
    const key = `${namespace}/${name}`;
    try {
      return await this.#pass(key, signal);
    } finally {
      const ended = { at: this.#listings.mark(), atMs: this.#options.clock.monotonicMs() };
      if (this.#memories.has(key)) this.#ends.set(key, ended);
      else this.#ends.delete(key);
    }
  }

  async #pass(key: string, signal: AbortSignal): Promise<Result> {
    const due = this.#due.get(key);
    this.#due.delete(key);
    const listings = this.#listingsFor(key, due);
    const gone = await this.#cleanUpGone(key, listings, signal);
    if (gone !== undefined) return gone;
    const service = this.#options.services.get(key);
    if (service === undefined) {
      this.#memories.delete(key);
      return {};
    }
    const memory = this.#memory(key);
    // New hosts are news only where something serves.
    const cause = due?.cause === 'nodes' && ingressOf(service).length > 0 ? 'nodes' : 'service';
    try {
      if (needsCleanup(service)) {
        const result = await this.#cleaner.cleanUp(service, memory, listings, signal);
        if (memory.isLetGo === true) this.#memories.delete(key);
        return result;
      }
      memory.isLetGo = false;
      memory.isWithoutL4 = false;
      // One on its way out without our finalizer has nothing of ours, and can't be given the finalizer any more.
      if (this.#wants(service) && service.metadata.deletionTimestamp === undefined) {
        return await this.#ensurer.ensure(service, memory, cause, listings, signal);
      }
      this.#memories.delete(key);
      return {};
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof StaleService) return { requeueAfterMs: STALE_RETRY_MS };
      const names = listings.nodes.nodes.map((node) => node.metadata.name);
      memory.report.failed(service, cause, error, names);
      throw error;
    }
  }

  /** @returns `undefined` once nothing is left of a Service that went without being let go */
  async #cleanUpGone(key: string, listings: Listings, signal: AbortSignal): Promise<Result | undefined> {
    const service = this.#gone.get(key);
    if (service === undefined) return undefined;
    const memory = this.#memory(key);
    try {
      const result = await this.#cleaner.cleanUpAfter(service, memory, listings, signal);
      if (result.requeueAfterMs !== undefined) return result;
    } catch (error) {
      signal.throwIfAborted();
      memory.report.failedToDelete(service, error);
      throw error;
    }
    this.#gone.delete(key);
    this.#memories.delete(key);
    return undefined;
  }

  #rememberGone(service: Service): void {
    const key = keyOf(service);
    // What was let go is not remembered any more, and of what never was worked on nothing can be there.
    const memory = this.#memories.get(key);
    if (memory !== undefined && memory.isLetGo !== true && !this.#gone.has(key)) this.#gone.set(key, service);
  }

  #wants(service: Service): boolean {
    return wantsLoadBalancer(service, this.#options.loadBalancerClass);
  }

  /**
   * What a pass is planned from: newer than what it is due to and than the pass before. Who was to wait before he looks again is shown
   * nothing that was begun in the first half of that time: it may be what he saw already.
   */
  #listingsFor(key: string, due: Due | undefined): Listings {
    const end = this.#ends.get(key);
    if (due === undefined && end === undefined) return this.#listings.get(this.#listings.mark(), 0);
    const since = Math.max(due?.since ?? 0, end?.at ?? 0);
    const pausedMs = due !== undefined || end === undefined ? Infinity : this.#options.clock.monotonicMs() - end.atMs;
    return this.#listings.get(since, Math.min(TOGETHER_MS, pausedMs / 2));
  }

  #enqueue(service: Service): void {
    this.#due.set(keyOf(service), { cause: 'service', since: this.#listings.mark() });
    this.#queue.add(keyOf(service));
  }

  /** At once, unless many nodes change: then in rounds. */
  #followNodes(): void {
    if (this.#isRoundDue) return;
    const delayMs = this.#running === undefined ? 0 : this.#nodeRounds.reserve();
    if (delayMs === 0) {
      this.#enqueueAll();
      return;
    }
    this.#isRoundDue = true;
    this.#options.clock.sleep(delayMs, this.#running).then(
      () => {
        this.#isRoundDue = false;
        this.#enqueueAll();
      },
      () => {}, // the end
    );
  }

  #enqueueAll(): void {
    const since = this.#listings.mark();
    for (const service of this.#options.services.list()) {
      if (!this.#wants(service)) continue;
      const key = keyOf(service);
      this.#due.set(key, { cause: this.#due.get(key)?.cause ?? 'nodes', since });
      this.#queue.add(key);
    }
  }

  #memory(key: string): Memory {
    const { events, logger } = this.#options;
    const memory = this.#memories.get(key) ?? { report: new ServiceReport(events, logger) };
    this.#memories.set(key, memory);
    return memory;
  }
}

function workOf(options: ServiceControllerOptions, listings: Recent<Listings>): ServiceWork {
  const { clock, clusterName, dryRun } = options;
  return {
    ...options,
    kinds: {
      l4: new L4Kind(options.loadBalancers),
      elastic: new ElasticKind({ ...options, listings, tickMs: TICK_MS }),
    },
    status: new ServiceStatus(options.kube, clock),
    clock,
    tickMs: TICK_MS,
    ownerOf: (service) => ownerText(clusterName, service),
    heldBy: (service) => {
      if (dryRun) return '--dry-run';
      return readRequest(service).isPaused ? `annotation ${ANNOTATION_PREFIX}paused` : undefined;
    },
  };
}
