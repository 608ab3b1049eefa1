import type { Clock } from '../daemon/clock.ts';
import { describeError, type Logger } from '../daemon/logger.ts';
import type { EventRecorder } from '../kube/events.ts';
import type { Informer } from '../kube/informer.ts';
import { runWorkers, WorkQueue } from '../kube/queue.ts';
import { exponentialPerKey } from '../kube/rate-limit.ts';
import { keyOf, type Key, type Reconciler, type Result } from '../kube/reconcile.ts';
import type { KubeClient } from '../kube/rest.ts';
import type { Node, Service } from '../kube/types.ts';
import { isBusy } from '../nifcloud/errors.ts';
import type { L4LoadBalancer } from '../nifcloud/l4-load-balancers.ts';
import type { Servers } from '../nifcloud/servers.ts';
import { TYPE_ANNOTATION } from './cloud/annotations.ts';
import { settle, type L4Calls, type Settled } from './cloud/l4-apply.ts';
import { planL4, type Step, type WantedTarget } from './cloud/l4-plan.ts';
import { loadBalancerName, readRequest, RefusedRequest, wantedL4 } from './cloud/load-balancer.ts';
import { targetsOf } from './cloud/nodes.ts';
import { concernsLoadBalancers, fingerprint, nodeSet } from './node-set.ts';
import { CLEANUP_FINALIZER, needsCleanup, needsUpdate, wantsLoadBalancer } from './service-change.ts';
import { ingressOf, isOurs, ServiceStatus, StaleService } from './service-status.ts';

/** Pauses after failures of one Service, in ms. Source: cloud-provider v0.36, `minRetryDelay` and `maxRetryDelay`. */
const MIN_RETRY_MS = 5_000;
const MAX_RETRY_MS = 300_000;

/** When to look again at what the cloud is still processing, in ms: a backup of a server takes minutes. Our choice. */
const BUSY_RETRY_MS = 15_000;

/** When a cache that lags behind has caught up, in ms; its change then comes as an event anyway. Our choice. */
const STALE_RETRY_MS = 1_000;

/** Share by which the periodic look at a Service is moved at random, so that they do not all come at once. */
const RESYNC_JITTER = 0.1;

/** Names in an event. Source: cloud-provider v0.36, `maxNodeNamesToLog`. */
const MAX_NAMES = 20;

/** What this controller needs of its surroundings. */
export interface ServiceControllerOptions {
  readonly services: Pick<Informer<Service>, 'get' | 'list' | 'onChange'>;
  readonly nodes: Pick<Informer<Node>, 'list' | 'onChange'>;
  readonly kube: Pick<KubeClient, 'get' | 'patch'>;
  readonly servers: Pick<Servers, 'list'>;
  readonly loadBalancers: L4Calls;
  readonly events: Pick<EventRecorder, 'event'>;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: () => number;
  /** How often each load balancer is compared with what is wanted although nothing changed, in ms; 0 = never. */
  readonly resyncPeriodMs: number;
}

/** What is known of a Service between two looks at it. Lost at a restart, which only repeats events. */
interface Memory {
  /** The node set that was looked at last. */
  nodes?: string;
  /** `EnsuringLoadBalancer` was sent, and nothing after it. */
  announced: boolean;
  /** Warnings that stand in events. */
  said: ReadonlySet<string>;
}

interface Warning {
  readonly reason: string;
  readonly message: string;
}

/**
 * service-lb-controller: gives each Service of type LoadBalancer an L4 load balancer (`docs/reference/ccm.md` A5).
 *
 * - Ensuring, node changes and deletion of one Service never overlap: they are one key of one queue.
 * - What is right already causes no call but reads, no event and no write.
 * - Only a load balancer whose address the Service has, or that was made for it under its finalizer, is ever touched.
 * - Making and deleting rest on the Service as the API server has it, not on the cache.
 */
export class ServiceController implements Reconciler {
  readonly #options: ServiceControllerOptions;
  readonly #status: ServiceStatus;
  readonly #queue: WorkQueue;
  readonly #due = new Map<string, 'service' | 'nodes'>(); // why a key is in the queue; absent = to be compared anyway
  readonly #memories = new Map<string, Memory>();

  constructor(options: ServiceControllerOptions) {
    this.#options = options;
    this.#status = new ServiceStatus(options.kube);
    const limiter = exponentialPerKey(MIN_RETRY_MS, MAX_RETRY_MS);
    this.#queue = new WorkQueue({ name: 'service', limiter, clock: options.clock });
    options.services.onChange({
      added: (service) => {
        if (wantsLoadBalancer(service) || needsCleanup(service)) this.#enqueue(service);
      },
      updated: (old, service) => {
        if (needsUpdate(old, service) || needsCleanup(service)) this.#enqueue(service);
      },
      deleted: (service) => this.#enqueue(service),
    });
    options.nodes.onChange({
      added: () => this.#enqueueAll(),
      updated: (old, node) => {
        if (concernsLoadBalancers(old, node)) this.#enqueueAll();
      },
      deleted: () => this.#enqueueAll(),
    });
  }

  /** Works until the signal is aborted. The caches have to be synced. */
  async run(workers: number, signal: AbortSignal): Promise<void> {
    await runWorkers(this.#queue, workers, this, { logger: this.#options.logger, signal });
  }

  async reconcile({ namespace, name }: Key, signal: AbortSignal): Promise<Result> {
    const key = `${namespace}/${name}`;
    const due = this.#due.get(key);
    this.#due.delete(key);
    const service = this.#options.services.get(key);
    if (service === undefined) {
      this.#memories.delete(key);
      return {};
    }
    // New hosts are news only where something serves.
    const cause = due === 'nodes' && ingressOf(service).length > 0 ? 'nodes' : 'service';
    try {
      if (needsCleanup(service)) return await this.#cleanUp(service, signal);
      // One on its way out without our finalizer has nothing of ours, and can't be given the finalizer any more.
      if (!wantsLoadBalancer(service) || service.metadata.deletionTimestamp !== undefined) return {};
      return await this.#ensure(service, cause, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof StaleService) return { requeueAfterMs: STALE_RETRY_MS };
      this.#reportFailure(service, cause, error);
      throw error;
    }
  }

  #enqueue(service: Service): void {
    this.#due.set(keyOf(service), 'service');
    this.#queue.add(keyOf(service));
  }

  #enqueueAll(): void {
    for (const service of this.#options.services.list().filter(wantsLoadBalancer)) {
      const key = keyOf(service);
      if (!this.#due.has(key)) this.#due.set(key, 'nodes');
      this.#queue.add(key);
    }
  }

  async #ensure(service: Service, cause: 'service' | 'nodes', signal: AbortSignal): Promise<Result> {
    const memory = this.#memory(service);
    const nodes = nodeSet(this.#options.nodes.list());
    const nodesNow = fingerprint(nodes);
    if (cause === 'nodes' && memory.nodes === nodesNow) return this.#nextLook();
    memory.nodes = nodesNow;
    try {
      const { current, refusals, seen } = await this.#settle(service, nodes, cause, signal);
      const published = seen !== undefined && (await this.#status.publish(current, seen.vip, signal));
      if (refusals.length > 0) return this.#retry(service, refusals);
      if (memory.announced || published) this.#reportSuccess(service, cause);
      memory.announced = false;
      return this.#nextLook();
    } catch (error) {
      if (error instanceof StaleService) throw error;
      throw new Error('failed to ensure load balancer', { cause: error });
    }
  }

  /** Makes the load balancer as the Service wants it. `current` is the Service after the writes that this took. */
  async #settle(
    service: Service,
    nodes: readonly Node[],
    cause: 'service' | 'nodes',
    signal: AbortSignal,
  ): Promise<Settled & { readonly current: Service }> {
    const { loadBalancers, logger } = this.#options;
    const memory = this.#memory(service);
    const request = readRequest(service);
    // With an address there may be a load balancer, whose targets have to be served whatever else is wrong.
    if (request.problems.length > 0 && ingressOf(service).length === 0) throw new RefusedRequest(request.problems);
    const { targets, warnings } = await this.#targets(nodes, signal);
    const name = loadBalancerName(service);
    let current = service;

    const decide = async (
      seen: L4LoadBalancer | undefined,
      unmovable: ReadonlySet<number>,
    ): Promise<readonly Step[]> => {
      if (seen === undefined || !isOurs(seen, current)) await this.#status.assertFresh(current, signal);
      if (seen !== undefined && !isOurs(seen, current)) throw new Error(foreign(seen));
      const { wanted, skipped } = wantedL4(request, targets, seen);
      this.#warn(service, [
        ...warnings,
        ...request.advice.map((message) => ({ reason: 'LoadBalancerAdvice', message })),
        ...skipped.map((message) => ({ reason: 'LoadBalancerSettingSkipped', message })),
      ]);
      const steps = planL4(wanted, seen, unmovable);
      if (steps.length === 0) return steps;
      logger.info('Changing load balancer', { service: keyOf(service), name, steps: steps.map((step) => step.kind) });
      if (cause === 'service' && !memory.announced) {
        this.#options.events.event(service, 'Normal', 'EnsuringLoadBalancer', 'Ensuring load balancer');
      }
      memory.announced = true;
      current = await (seen === undefined
        ? this.#status.claimAnew(current, signal)
        : this.#status.claim(current, signal));
      return steps;
    };
    const settled = await settle(loadBalancers, name, decide, signal);
    current = await this.#status.claim(current, signal);
    return { ...settled, current };
  }

  async #targets(
    nodes: readonly Node[],
    signal: AbortSignal,
  ): Promise<{ readonly targets: readonly WantedTarget[] | undefined; readonly warnings: readonly Warning[] }> {
    if (nodes.length === 0) {
      const message = 'There are no available nodes for LoadBalancer';
      return { targets: undefined, warnings: [{ reason: 'UnAvailableLoadBalancer', message }] };
    }
    const { targets, unlisted } = targetsOf(nodes, await this.#options.servers.list(signal));
    if (unlisted.length === 0) return { targets, warnings: [] };
    const message = `The cloud lists no server for these nodes, they are left as they are: ${someOf(unlisted)}`;
    return { targets, warnings: [{ reason: 'NodesNotInCloud', message }] };
  }

  async #cleanUp(service: Service, signal: AbortSignal): Promise<Result> {
    const { events, loadBalancers } = this.#options;
    await this.#status.assertFresh(service, signal); // it may have become a LoadBalancer again
    let found = false;
    const decide = (seen: L4LoadBalancer | undefined): Promise<readonly Step[]> => {
      if (seen === undefined) return Promise.resolve([]);
      if (!isOurs(seen, service)) {
        if (seen.vip === '')
          throw new Error(`the cloud names no address of load balancer ${seen.name}, which says whose it is`);
        this.#warn(service, [{ reason: 'LoadBalancerNotDeleted', message: foreign(seen) }]);
        return Promise.resolve([]);
      }
      if (!found) events.event(service, 'Normal', 'DeletingLoadBalancer', 'Deleting load balancer');
      found = true;
      return Promise.resolve(planL4(undefined, seen));
    };
    try {
      const { refusals } = await settle(loadBalancers, loadBalancerName(service), decide, signal);
      if (refusals.length > 0) return this.#retry(service, refusals);
    } catch (cause) {
      throw new Error('failed to delete load balancer', { cause });
    }
    if (!found && service.metadata.annotations?.[TYPE_ANNOTATION] === 'elb') {
      throw new Error(
        `failed to delete load balancer: elastic load balancers (${TYPE_ANNOTATION}=elb) are not built yet; ` +
          `delete ${loadBalancerName(service)} by hand, then remove the finalizer ${CLEANUP_FINALIZER}`,
      );
    }
    await this.#status.release(service, signal);
    events.event(service, 'Normal', 'DeletedLoadBalancer', 'Deleted load balancer');
    this.#memories.delete(keyOf(service));
    return {};
  }

  /** After calls that the cloud refused: soon if it is only busy; else that is the failure. */
  #retry(service: Service, refusals: readonly Error[]): Result {
    if (!refusals.every(isBusy)) {
      throw new AggregateError(refusals, refusals.map((refusal) => describeError(refusal)).join('; '));
    }
    this.#options.logger.debug(2, 'The cloud is busy with parts of a load balancer', { service: keyOf(service) });
    return { requeueAfterMs: BUSY_RETRY_MS };
  }

  #reportSuccess(service: Service, cause: 'service' | 'nodes'): void {
    const { events } = this.#options;
    if (cause === 'service') events.event(service, 'Normal', 'EnsuredLoadBalancer', 'Ensured load balancer');
    else events.event(service, 'Normal', 'UpdatedLoadBalancer', 'Updated load balancer with new hosts');
  }

  #reportFailure(service: Service, cause: 'service' | 'nodes', error: unknown): void {
    const { events } = this.#options;
    const text = describeError(error);
    if (cause === 'nodes') {
      const names = nodeSet(this.#options.nodes.list()).map((node) => node.metadata.name);
      const message =
        `Error updating load balancer with new hosts ${someOf(names)} ` +
        `[node names limited, total number of nodes: ${names.length}], error: ${text}`;
      events.event(service, 'Warning', 'UpdateLoadBalancerFailed', message);
    } else {
      events.event(service, 'Warning', 'SyncLoadBalancerFailed', `Error syncing load balancer: ${text}`);
    }
  }

  /** Says each thing once, and again after it was not so in between. */
  #warn(service: Service, warnings: readonly Warning[]): void {
    const memory = this.#memory(service);
    for (const { reason, message } of warnings) {
      if (!memory.said.has(message)) this.#options.events.event(service, 'Warning', reason, message);
    }
    memory.said = new Set(warnings.map((warning) => warning.message));
  }

  #memory(service: Service): Memory {
    const key = keyOf(service);
    const memory = this.#memories.get(key) ?? { announced: false, said: new Set() };
    this.#memories.set(key, memory);
    return memory;
  }

  #nextLook(): Result {
    const { random, resyncPeriodMs } = this.#options;
    if (resyncPeriodMs === 0) return {};
    return { requeueAfterMs: resyncPeriodMs * (1 + RESYNC_JITTER * (2 * random() - 1)) };
  }
}

function foreign(seen: L4LoadBalancer): string {
  return `load balancer ${seen.name} (${seen.vip}) is not this Service's, which has another address: it is left as it is`;
}

/** As Go prints a list: `[a b c]`. */
function someOf(names: readonly string[]): string {
  const rest = names.length - MAX_NAMES;
  return `[${[...names.slice(0, MAX_NAMES), ...(rest > 0 ? [`<${rest} more>`] : [])].join(' ')}]`;
}
