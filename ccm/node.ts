import type { Clock } from '../daemon/clock.ts';
import { describeError, type Logger } from '../daemon/logger.ts';
import { CONFLICT_POLICIES, retryOnConflict } from '../kube/conflict.ts';
import type { EventRecorder } from '../kube/events.ts';
import type { Informer } from '../kube/informer.ts';
import { addressesReplaced, labelsSet } from '../kube/patches.ts';
import { runWorkers, WorkQueue } from '../kube/queue.ts';
import { defaultRateLimiter } from '../kube/rate-limit.ts';
import { keyOf, type Key, type Reconciler, type Result } from '../kube/reconcile.ts';
import type { KubeClient } from '../kube/rest.ts';
import type { QueueMetrics } from '../kube/surroundings.ts';
import type { Node } from '../kube/types.ts';
import { isAuthFailure, NifcloudError } from '../nifcloud/errors.ts';
import type { Server, Servers } from '../nifcloud/servers.ts';
import { addressesToSet, initialized, isUninitialized, KnownServers, staleLabels } from './cloud/nodes.ts';
import type { NodeMetrics } from './metrics.ts';
import { once, Recent, TOGETHER_MS, type Moment, type Read } from './recent.ts';
import { forEachAtOnce, inRounds } from './rounds.ts';

/** What this controller needs of its surroundings. */
export interface NodeControllerOptions {
  readonly nodes: Pick<Informer<Node>, 'get' | 'list' | 'onChange'>;
  readonly kube: Pick<KubeClient, 'get' | 'replace' | 'patch'>;
  readonly servers: Pick<Servers, 'list'>;
  /** Such as `jp-east-1`; the region label of all nodes. */
  readonly region: string;
  readonly events: Pick<EventRecorder, 'event'>;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: () => number;
  readonly metrics?: NodeMetrics;
  readonly queueMetrics?: QueueMetrics;
  /** Between the end of one round over all addresses and the start of the next, in ms. */
  readonly addressPeriodMs: number;
  /** How many nodes are looked at in a round at once. */
  readonly addressWorkers: number;
}

/**
 * cloud-node-controller: gives a new Node its provider id, labels and addresses and takes the taint that keeps pods off it;
 * keeps labels and addresses right from then on (`docs/reference/ccm.md` A3).
 *
 * - A node keeps the taint until everything else is written, however long the cloud can't be asked.
 * - Nodes that join together cost one call of the cloud, however few are worked on at once; a round over all addresses costs one.
 */
export class NodeController implements Reconciler {
  readonly #options: NodeControllerOptions;
  readonly #queue: WorkQueue;
  readonly #servers: Recent<Read<KnownServers>>;
  /** Since when nodes wait to be initialised, or to be tried again. */
  readonly #waiting = new Map<string, Moment>();

  constructor(options: NodeControllerOptions) {
    this.#options = options;
    const { clock, queueMetrics: metrics } = options;
    this.#queue = new WorkQueue({
      name: 'Nodes',
      limiter: defaultRateLimiter(clock),
      clock,
      ...(metrics && { metrics }),
    });
    const list = async (signal: AbortSignal): Promise<KnownServers> =>
      new KnownServers(await options.servers.list(signal));
    this.#servers = new Recent(() => once(list), clock);
    const enqueue = (node: Node): void => {
      const { name } = node.metadata;
      if (isUninitialized(node) && !this.#waiting.has(name)) this.#waiting.set(name, this.#servers.mark());
      this.#queue.add(keyOf(node));
    };
    options.nodes.onChange({
      added: enqueue,
      updated: (_, node) => enqueue(node),
      deleted: (node) => this.#waiting.delete(node.metadata.name),
    });
  }

  /** Works until the signal is aborted. The cache has to be synced. */
  async run(workers: number, signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#options;
    const pace = { afterEndMs: this.#options.addressPeriodMs };
    await Promise.all([
      runWorkers(this.#queue, workers, this, { logger, signal }),
      inRounds('Addresses of nodes are not looked at', pace, (until) => this.#refreshAddresses(until), {
        clock,
        logger,
        signal,
      }),
    ]);
  }

  async reconcile({ name }: Key, signal: AbortSignal): Promise<Result> {
    const node = this.#options.nodes.get(name);
    if (node === undefined) return {};
    if (isUninitialized(node)) await this.#initialize(node, signal);
    else await this.#repairLabels(node, signal);
    return {};
  }

  async #initialize(node: Node, signal: AbortSignal): Promise<void> {
    const { events, metrics, clock } = this.#options;
    const { name } = node.metadata;
    const createdAtMs = Date.parse(node.metadata.creationTimestamp ?? '') || clock.now();
    const ageSeconds = (): number => (clock.now() - createdAtMs) / 1_000;
    const since = this.#waiting.get(name) ?? this.#servers.mark();
    this.#waiting.delete(name);
    try {
      const servers = await this.#servers.get(since, TOGETHER_MS)(signal);
      const written = await this.#removeTaint(node, servers, signal);
      if (written === undefined) return;
      metrics?.taintRemoved(ageSeconds());
      await this.#setAddresses(written, servers, signal);
    } catch (error) {
      signal.throwIfAborted();
      this.#waiting.set(name, this.#servers.mark());
      events.event(node, 'Warning', 'SyncNodeFailed', `Node stays tainted: ${describeError(error)}${adviceOn(error)}`);
      throw error;
    }
    events.event(node, 'Normal', 'Synced', 'Node synced successfully');
    metrics?.initialSyncDone(ageSeconds());
  }

  /** @returns `undefined` when the taint was gone already */
  async #removeTaint(node: Node, servers: KnownServers, signal: AbortSignal): Promise<Node | undefined> {
    const { clock, kube, random } = this.#options;
    let base: Node | undefined = node;
    const write = async (): Promise<Node | undefined> => {
      const current: Node = base ?? (await kube.get<Node>(pathOf(node), { signal }));
      base = undefined; // after a conflict the cache may still hold what was refused
      const wanted = initialized(current, this.#serverOf(current, servers), this.#options.region);
      return wanted === current ? undefined : await kube.replace<Node>(pathOf(node), wanted, { signal });
    };
    return await retryOnConflict(CONFLICT_POLICIES.nodeInitialisation, write, { clock, signal, random });
  }

  #serverOf(node: Node, servers: KnownServers): Server {
    const server = servers.of(node);
    if (server !== undefined) return server;
    const { region } = this.#options;
    const id = node.spec?.providerID;
    throw new Error(
      id === undefined || id === ''
        ? `region ${region} has no server named ${node.metadata.name}; a node must have the name of its server`
        : `region ${region} has no server with the unique id in ${id}`,
    );
  }

  /** A failure is only logged, as in the framework: the node is of use without, and the next round tries again. */
  async #setAddresses(node: Node, servers: KnownServers, signal: AbortSignal): Promise<void> {
    try {
      const addresses = addressesToSet(node, this.#serverOf(node, servers));
      const patch = addresses && addressesReplaced(node, addresses);
      if (patch === undefined) return;
      await this.#options.kube.patch(`${pathOf(node)}/status`, patch, 'strategic', { signal });
    } catch (error) {
      signal.throwIfAborted();
      this.#options.logger.error('Addresses of a node are not updated', error, { node: node.metadata.name });
    }
  }

  async #repairLabels(node: Node, signal: AbortSignal): Promise<void> {
    const patch = labelsSet(node, staleLabels(node));
    if (patch !== undefined) await this.#options.kube.patch(pathOf(node), patch, 'strategic', { signal });
  }

  async #refreshAddresses(signal: AbortSignal): Promise<void> {
    const { addressWorkers, nodes } = this.#options;
    const initialised = nodes.list().filter((node) => !isUninitialized(node));
    if (initialised.length === 0) return;
    const servers = await this.#servers.get(this.#servers.mark(), 0)(signal);
    await forEachAtOnce(initialised, addressWorkers, (node) => this.#setAddresses(node, servers, signal));
  }
}

/** What an operator can do about a cloud that can't be asked. */
function adviceOn(error: unknown): string {
  if (isAuthFailure(error)) return '; check access key, secret key, region and the clock of this machine';
  if (error instanceof NifcloudError && error.outcome !== 'refused') {
    return '; check that this machine reaches the Computing API (network, proxy, NIFCLOUD_ENDPOINT)';
  }
  return '';
}

function pathOf(node: Node): string {
  return `/api/v1/nodes/${node.metadata.name}`;
}
