import type { Clock } from '../daemon/clock.ts';
import { durationText } from '../daemon/flags.ts';
import { describeError, type Logger } from '../daemon/logger.ts';
import type { EventRecorder } from '../kube/events.ts';
import type { Informer } from '../kube/informer.ts';
import { conditionSet } from '../kube/patches.ts';
import type { KubeClient } from '../kube/rest.ts';
import type { Node } from '../kube/types.ts';
import type { RouteTables } from '../nifcloud/route-tables.ts';
import type { Servers } from '../nifcloud/servers.ts';
import type { Cidr } from './cloud/cidr.ts';
import { ownUniqueId } from './cloud/nodes.ts';
import { networkCondition, nextHops, planRoutes, wantedRoutes, type RouteStep } from './cloud/routes.ts';
import type { RouteMetrics } from './metrics.ts';
import { inRounds } from './rounds.ts';

/** Which routes are configured. */
export interface RouteSettings {
  /** Of the route table, such as `rtb-0abc1def`. */
  readonly tableId: string;
  /** Only routes to these are looked at. */
  readonly clusterCidrs: readonly Cidr[];
}

/** What this controller needs of its surroundings. */
export interface RouteControllerOptions extends RouteSettings {
  readonly nodes: Pick<Informer<Node>, 'list'>;
  readonly kube: Pick<KubeClient, 'patch'>;
  readonly servers: Pick<Servers, 'list'>;
  readonly routeTables: Pick<RouteTables, 'list' | 'createRoute' | 'replaceRoute' | 'deleteRoute'>;
  readonly events: Pick<EventRecorder, 'event'>;
  readonly metrics?: RouteMetrics;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Between the starts of two rounds, in ms. */
  readonly periodMs: number;
  /** Only log what would be done. */
  readonly dryRun: boolean;
}

interface Hops {
  readonly of: string;
  readonly addresses: readonly string[];
}

/**
 * node-route-controller: keeps a route to the pods of each node in one route table of the cloud, so that routers and elastic load
 * balancers reach pods (`docs/reference/ccm.md` A6).
 *
 * - A round in which nothing has changed costs one call of the cloud; where nodes are new or have other addresses, one more.
 * - Without nodes, or without the table, nothing is done: neither is a reason to take a route away.
 * - Routes to pods of nodes that are not ours, or of which nothing is known at the moment, stay as they are.
 */
export class RouteController {
  readonly #options: RouteControllerOptions;
  /** By the UID of a Node: what is asked anew only when the Node has changed. */
  #hops = new Map<string, Hops>();
  #isTableMissing = false;

  constructor(options: RouteControllerOptions) {
    this.#options = options;
  }

  /** Works until the signal is aborted. The cache has to be synced. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger, periodMs } = this.#options;
    const pace = { afterStartMs: periodMs };
    await inRounds('Routes are not looked at', pace, (until) => this.#round(until), { clock, logger, signal });
  }

  async #round(signal: AbortSignal): Promise<void> {
    const { clusterCidrs, dryRun, logger, metrics, nodes, routeTables, tableId } = this.#options;
    try {
      const present = nodes.list();
      if (present.length === 0) return;
      const table = (await routeTables.list(signal)).find(({ id }) => id === tableId);
      if (table === undefined) {
        this.#tellTableIsMissing(present);
        return;
      }
      this.#isTableMissing = false;
      await this.#learnHops(present, signal);
      const wanted = wantedRoutes(present, (node) => this.#hopsOf(node), clusterCidrs);
      const steps = planRoutes(table.routes, wanted, clusterCidrs);
      if (dryRun) {
        if (steps.length > 0) logger.info('Routes are not changed because of --dry-run', { steps: steps.map(textOf) });
        return;
      }
      const failed = new Set<Node>();
      for (const { node, cidr, reason } of wanted.unroutable) {
        failed.add(node);
        this.#tellFailure(node, cidr, 0, reason);
      }
      for (const step of steps) await this.#apply(step, failed, signal);
      const served = new Set([...wanted.routes.map(({ node }) => node), ...failed]);
      for (const node of served) await this.#setCondition(node, !failed.has(node), signal);
    } finally {
      metrics?.routesSynced();
    }
  }

  /** Asks for the servers if a Node of ours is new or has other addresses. */
  async #learnHops(nodes: readonly Node[], signal: AbortSignal): Promise<void> {
    const routed = nodes.filter(hasPodsOfOurs);
    const uids = new Set(routed.map((node) => node.metadata.uid));
    this.#hops = new Map([...this.#hops].filter(([uid]) => uids.has(uid)));
    const changed = routed.filter((node) => this.#hops.get(node.metadata.uid ?? '')?.of !== fingerprint(node));
    if (changed.length === 0) return;
    const { servers, logger } = this.#options;
    try {
      const byUniqueId = new Map((await servers.list(signal)).map((server) => [server.uniqueId, server]));
      for (const node of changed) {
        const server = byUniqueId.get(ownUniqueId(node) ?? '');
        if (server === undefined) continue;
        this.#hops.set(node.metadata.uid ?? '', { of: fingerprint(node), addresses: nextHops(node, server) });
      }
    } catch (error) {
      signal.throwIfAborted();
      logger.error('Addresses of nodes for routes are not known', error);
    }
  }

  #hopsOf(node: Node): readonly string[] | undefined {
    return this.#hops.get(node.metadata.uid ?? '')?.addresses;
  }

  async #apply(step: RouteStep, failed: Set<Node>, signal: AbortSignal): Promise<void> {
    const { clock, logger, routeTables, tableId } = this.#options;
    const { destination } = step;
    const startedAtMs = clock.monotonicMs();
    try {
      if (step.kind === 'delete') await routeTables.deleteRoute(tableId, destination, signal);
      else {
        const target = { address: step.wanted.address };
        if (step.kind === 'create') await routeTables.createRoute(tableId, destination, target, signal);
        else await routeTables.replaceRoute(tableId, destination, target, signal);
      }
      logger.info('Changed a route', { step: textOf(step) });
    } catch (error) {
      signal.throwIfAborted();
      logger.error('A route is not changed, will be tried again', error, { step: textOf(step) });
      if (step.kind === 'delete') return;
      const { node, cidr } = step.wanted;
      failed.add(node);
      this.#tellFailure(node, cidr.text, clock.monotonicMs() - startedAtMs, describeError(error));
    }
  }

  /** The text is the framework's; in the place of a name hint it has the node's UID. */
  #tellFailure(node: Node, cidr: string, tookMs: number, reason: string): void {
    const { name, uid = '' } = node.metadata;
    const took = durationText(Math.round(tookMs));
    const message = `Could not create route ${uid} ${cidr} for node ${name} after ${took}: ${reason}`;
    this.#options.events.event(node, 'Warning', 'FailedToCreateRoute', message);
  }

  /** Once, until it is there again. */
  #tellTableIsMissing(nodes: readonly Node[]): void {
    if (this.#isTableMissing) return;
    this.#isTableMissing = true;
    const { events, logger, tableId } = this.#options;
    const reason = `the cloud lists no route table ${tableId} (NIFCLOUD_ROUTE_TABLE_ID)`;
    logger.warn('Routes are not looked at', { reason });
    for (const node of nodes) {
      if (node.spec?.podCIDRs !== undefined)
        events.event(node, 'Warning', 'RouteTableNotFound', `No route is changed: ${reason}`);
    }
  }

  async #setCondition(node: Node, hasRoutes: boolean, signal: AbortSignal): Promise<void> {
    const { clock, kube, logger } = this.#options;
    const patch = conditionSet(node, networkCondition(hasRoutes), clock.now());
    if (patch === undefined) return;
    try {
      await kube.patch(`/api/v1/nodes/${node.metadata.name}/status`, patch, 'strategic', { signal });
    } catch (error) {
      signal.throwIfAborted();
      logger.error('The condition NetworkUnavailable is not updated', error, { node: node.metadata.name });
    }
  }
}

function hasPodsOfOurs(node: Node): boolean {
  return (node.spec?.podCIDRs ?? []).length > 0 && ownUniqueId(node) !== undefined;
}

/** Equal while the next hops of a node are the same, as far as its Node tells. */
function fingerprint({ spec, status }: Node): string {
  return JSON.stringify([spec?.providerID, status?.addresses]);
}

function textOf(step: RouteStep): string {
  return step.kind === 'delete'
    ? `delete ${step.destination}`
    : `${step.kind} ${step.destination} to ${step.wanted.address} for node ${step.wanted.node.metadata.name}`;
}
