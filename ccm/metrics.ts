import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/*
 * The metrics of the framework, under its names (`docs/reference/ccm.md` A10), so that dashboards go on working, and one of ours.
 * Controllers get the interface of theirs alone; what the Kubernetes client and the cloud client measure is registered elsewhere.
 */

/** What the node controller records. Delays count from the Node's creation, in seconds. */
export interface NodeMetrics {
  /** The taint `uninitialized` was taken off. */
  taintRemoved(delaySeconds: number): void;
  /** The first sync that succeeded is over. */
  initialSyncDone(delaySeconds: number): void;
}

/** What the service controller records. */
export interface ServiceMetrics {
  /** A load balancer was compared with a changed set of nodes (not: with a changed Service). */
  hostsUpdated(tookSeconds: number, outcome: 'ok' | 'error'): void;
  /** So many load balancers have no Service; see `watchOrphans`. */
  orphans(count: number): void;
}

/** What the route controller records. */
export interface RouteMetrics {
  /** A comparison of the routes in the cloud with the nodes is over, well or not. */
  routesSynced(): void;
}

export interface ControllerMetrics {
  readonly node: NodeMetrics;
  readonly service: ServiceMetrics;
  readonly route: RouteMetrics;
  /** @param name as `running_managed_controllers` has it (`docs/reference/ccm.md` A2) */
  running(name: string, isRunning: boolean): void;
}

const NODE_BUCKETS_SECONDS = [1, 4, 16, 64, 256, 1024];
/** 1, 2, 4 … 16384. */
const SERVICE_BUCKETS_SECONDS = Array.from({ length: 15 }, (_, power) => 2 ** power);

/** Registers them all. */
export function controllerMetrics(registry: Registry): ControllerMetrics {
  const registers = [registry];
  const histogram = (name: string, help: string, buckets: number[]): Histogram =>
    new Histogram({ name, help, buckets, registers });
  const counter = (name: string, help: string): Counter => new Counter({ name, help, registers });

  const taintRemoval = histogram(
    'node_controller_cloud_provider_taint_removal_delay_seconds',
    'Seconds from the creation of a node until its cloud-provider taint was removed',
    NODE_BUCKETS_SECONDS,
  );
  const initialSync = histogram(
    'node_controller_initial_node_sync_delay_seconds',
    'Seconds from the creation of a node until its first sync was done',
    NODE_BUCKETS_SECONDS,
  );
  const hostSyncs = counter(
    'service_controller_loadbalancer_sync_total',
    'Load balancers that were compared with changed nodes',
  );
  const hostErrors = counter(
    'service_controller_nodesync_error_total',
    'Load balancers whose comparison with changed nodes failed',
  );
  // One Service is one sync here, so that both measure the same; dashboards use either.
  const hostLatencies = [
    histogram(
      'service_controller_nodesync_latency_seconds',
      'Seconds that a comparison with changed nodes took',
      SERVICE_BUCKETS_SECONDS,
    ),
    histogram(
      'service_controller_update_loadbalancer_host_latency_seconds',
      'Seconds that the hosts of one load balancer took',
      SERVICE_BUCKETS_SECONDS,
    ),
  ];
  const orphans = new Gauge({
    name: 'cloudprovider_nifcloud_orphan_load_balancers',
    help:
      'Load balancers without a Service of this cluster, as the leader counts them; in an account of several clusters also those of ' +
      'the others on which nothing says whose they are: all L4 ones, and elastic ones of the Go program',
    registers,
  });
  const routeSyncs = counter('route_controller_route_sync_total', 'Comparisons of routes with nodes');
  const running = new Gauge({
    name: 'running_managed_controllers',
    help: 'Whether a controller of this program is running',
    labelNames: ['name', 'manager'] as const,
    registers,
  });
  return {
    node: {
      taintRemoved: (delaySeconds) => taintRemoval.observe(delaySeconds),
      initialSyncDone: (delaySeconds) => initialSync.observe(delaySeconds),
    },
    service: {
      hostsUpdated: (tookSeconds, outcome) => {
        hostSyncs.inc();
        if (outcome === 'error') hostErrors.inc();
        for (const latency of hostLatencies) latency.observe(tookSeconds);
      },
      orphans: (count) => orphans.set(count),
    },
    route: { routesSynced: () => routeSyncs.inc() },
    running: (name, isRunning) => running.set({ name, manager: 'cloud-controller-manager' }, isRunning ? 1 : 0),
  };
}

/** `kubernetes_build_info`, which tells dashboards what runs where. */
export function buildInfo(registry: Registry, version: string): void {
  const [major = '', minor = ''] = version.split('.');
  const labels = {
    major,
    minor,
    git_version: `v${version}`,
    go_version: '',
    platform: `${process.platform}/${process.arch}`,
  };
  const gauge = new Gauge({
    name: 'kubernetes_build_info',
    help: 'The constant 1, with the version of this program',
    labelNames: Object.keys(labels),
    registers: [registry],
  });
  gauge.set(labels, 1);
}
