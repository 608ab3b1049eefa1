import type { Clock } from '../daemon/clock.ts';
import { UsageError } from '../daemon/flags.ts';
import type { Check } from '../daemon/health.ts';
import { describeError, type Logger } from '../daemon/logger.ts';
import type { EventRecorder } from '../kube/events.ts';
import { Informer } from '../kube/informer.ts';
import type { KubeClient } from '../kube/rest.ts';
import type { QueueMetrics } from '../kube/surroundings.ts';
import { within } from '../kube/transport.ts';
import type { Node, Service } from '../kube/types.ts';
import type { Nifcloud } from '../nifcloud/nifcloud.ts';
import type { Clients } from './clients.ts';
import type { ControllerMetrics } from './metrics.ts';
import { NodeController } from './node.ts';
import { NodeLifecycleController } from './node-lifecycle.ts';
import { CONTROLLERS, type ControllerName, type Options } from './options.ts';
import { RouteController } from './route.ts';
import { ServiceController } from './service.ts';

/** How long an API server that is not healthy is waited for, in ms, and between looks. Source: `docs/reference/ccm.md` A1. */
const API_PATIENCE_MS = 10_000;
const API_PERIOD_MS = 1_000;
/** One that does not answer within this, in ms, is not healthy. Our choice. */
const API_TIMEOUT_MS = 5_000;

/** What controllers work with. */
export interface Workshop {
  readonly options: Options;
  readonly cloud: Nifcloud;
  readonly clients: Clients;
  /** A recorder that speaks as this component, with this client. */
  readonly recorder: (component: string, client: KubeClient) => EventRecorder;
  readonly metrics: ControllerMetrics;
  readonly queueMetrics: QueueMetrics;
  /** Gets one check for each controller that has started. */
  readonly healthChecks: Check[];
  /** Gets one check for each cache. */
  readonly readyChecks: Check[];
  readonly logger: Logger;
  readonly clock: Clock;
}

/** The caches that all controllers share. */
interface Caches {
  readonly nodes: Informer<Node>;
  readonly services: Informer<Service>;
}

/** A controller's work, until the signal is aborted. The caches are synced when it begins. */
type Work = (signal: AbortSignal) => Promise<void>;

/**
 * Runs the enabled controllers until the signal is aborted; resolves when all of them have stopped. One that fails stops the others.
 * @throws UsageError when the API server is not healthy within 10 s
 */
export async function runControllers(workshop: Workshop, signal: AbortSignal): Promise<void> {
  const { options, clients, logger, clock } = workshop;
  await untilHealthy(clients, { logger, clock }, signal);
  const client = { client: clients.shared, logger, clock };
  const caches: Caches = {
    nodes: new Informer({ ...client, path: '/api/v1/nodes' }),
    services: new Informer({ ...client, path: '/api/v1/services' }),
  };
  // All are made before the caches fill, since nobody is told of what came before.
  const controllers = [...options.controllers].map((name) => [name, MAKERS[name](workshop, caches)] as const);
  // Without the service controller nobody needs Services, nor a permission to read them.
  const filled = options.controllers.has('service') ? [caches.nodes, caches.services] : [caches.nodes];
  workshop.readyChecks.push(cacheCheck('nodes', caches.nodes));
  if (filled.includes(caches.services)) workshop.readyChecks.push(cacheCheck('services', caches.services));
  await together(
    [
      ...filled.map((cache) => (until: AbortSignal) => cache.run(until)),
      async (until) => {
        await Promise.all(filled.map((cache) => cache.synced));
        await startOneByOne(workshop, controllers, until);
      },
    ],
    signal,
  );
}

type Maker = (workshop: Workshop, caches: Caches) => Work;

const MAKERS: Readonly<Record<ControllerName, Maker>> = {
  node: ({ options, cloud, clients, recorder, metrics, queueMetrics, logger, clock }, { nodes }) => {
    const { flags, region } = options;
    const { work: kube, events } = clients.ofController('node');
    const controller = new NodeController({
      nodes,
      kube,
      servers: cloud.servers,
      region,
      events: recorder('cloud-node-controller', events),
      metrics: metrics.node,
      queueMetrics,
      logger,
      clock,
      random: Math.random,
      addressPeriodMs: flags['node-status-update-frequency'],
      addressWorkers: flags['concurrent-node-status-updates'] || flags['concurrent-node-syncs'],
    });
    return (signal) => controller.run(flags['concurrent-node-syncs'], signal);
  },
  'node-lifecycle': ({ options, cloud, clients, recorder, logger, clock }, { nodes }) => {
    const { flags } = options;
    const { work: kube, events } = clients.ofController('node-lifecycle');
    const controller = new NodeLifecycleController({
      nodes,
      kube,
      servers: cloud.servers,
      events: recorder('cloud-node-lifecycle-controller', events),
      logger,
      clock,
      random: Math.random,
      periodMs: flags['node-monitor-period'],
      minAgeMs: flags['node-deletion-min-age'],
    });
    return (signal) => controller.run(signal);
  },
  service: ({ options, cloud, clients, recorder, metrics, queueMetrics, logger, clock }, { nodes, services }) => {
    const { flags } = options;
    const { work: kube, events } = clients.ofController('service');
    const controller = new ServiceController({
      services,
      nodes,
      kube,
      servers: cloud.servers,
      loadBalancers: cloud.l4LoadBalancers,
      elasticLoadBalancers: cloud.elasticLoadBalancers,
      firewallGroups: cloud.firewallGroups,
      events: recorder('service-controller', events),
      metrics: metrics.service,
      queueMetrics,
      logger,
      clock,
      clusterName: flags['cluster-name'],
      loadBalancerClass: flags['load-balancer-class'],
      dryRun: flags['dry-run'],
      resyncPeriodMs: flags['load-balancer-resync-period'],
    });
    return (signal) => controller.run(flags['concurrent-service-syncs'], signal);
  },
  route: ({ options, cloud, clients, recorder, metrics, logger, clock }, { nodes }) => {
    const { flags, routes } = options;
    if (typeof routes === 'string') throw new Error(`there is no route controller: ${routes}`);
    const { work: kube, events } = clients.ofController('route');
    const controller = new RouteController({
      ...routes,
      nodes,
      kube,
      servers: cloud.servers,
      routeTables: cloud.routeTables,
      events: recorder('route_controller', events),
      metrics: metrics.route,
      logger,
      clock,
      periodMs: flags['route-reconciliation-period'],
      dryRun: flags['dry-run'],
    });
    return (signal) => controller.run(signal);
  },
};

/** With a pause of `--controller-start-interval` × [1, 2) after each, as the framework. */
async function startOneByOne(
  { options, metrics, healthChecks, logger, clock }: Workshop,
  controllers: readonly (readonly [ControllerName, Work])[],
  signal: AbortSignal,
): Promise<void> {
  const intervalMs = options.flags['controller-start-interval'];
  const delayMs = (): number => intervalMs * (1 + Math.random());
  let startsInMs = 0;
  await together(
    controllers.map(([name, work]) => {
      const { canonical, alias } = CONTROLLERS[name];
      const waitMs = startsInMs;
      startsInMs += delayMs();
      return async (until) => {
        if (waitMs > 0) await clock.sleep(waitMs, until);
        logger.info('Started controller', { controller: canonical });
        healthChecks.push({ name: canonical, failure: () => undefined });
        metrics.running(alias, true);
        try {
          await work(until);
        } finally {
          metrics.running(alias, false);
        }
      };
    }),
    signal,
  );
}

/** Runs all tasks; when one fails, the others are told to stop and waited for. @throws what failed first */
async function together(tasks: readonly Work[], signal: AbortSignal): Promise<void> {
  const failed = new AbortController();
  const until = AbortSignal.any([signal, failed.signal]);
  const runs = tasks.map(async (task) => {
    try {
      await task(until);
    } catch (error) {
      failed.abort(error);
      throw error;
    }
  });
  await Promise.allSettled(runs);
  if (failed.signal.aborted) throw failed.signal.reason;
}

/** Looks once a second, for 10 s, whether the API server says that it is well. @throws UsageError */
async function untilHealthy(
  clients: Clients,
  { logger, clock }: { readonly logger: Logger; readonly clock: Clock },
  signal: AbortSignal,
): Promise<void> {
  const givenUpAtMs = clock.monotonicMs() + API_PATIENCE_MS;
  for (;;) {
    try {
      await within(API_TIMEOUT_MS, clock, signal, (until) => clients.shared.text('/healthz', { signal: until }));
      return;
    } catch (error) {
      signal.throwIfAborted();
      if (clock.monotonicMs() >= givenUpAtMs) {
        throw new UsageError(
          `the Kubernetes API at ${clients.server} was not healthy within ${API_PATIENCE_MS / 1000} s: ` +
            `${describeError(error)}; ending, so that another replica, or this one anew, may try`,
          { cause: error },
        );
      }
      logger.debug(2, 'The Kubernetes API is not healthy yet', { reason: describeError(error) });
      await clock.sleep(API_PERIOD_MS, signal);
    }
  }
}

function cacheCheck(name: string, informer: { readonly hasSynced: boolean }): Check {
  return {
    name: `cache-${name}`,
    failure: () => (informer.hasSynced ? undefined : 'not read from the API server yet'),
  };
}
