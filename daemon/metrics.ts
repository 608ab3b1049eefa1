import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

/** How a call of the cloud API ended, for the metrics of `docs/reference/ccm.md` A10. */
export type RequestOutcome = 'ok' | 'error' | 'throttled';

/** What the cloud client tells of each call. */
export interface RequestMetrics {
  observe(action: string, tookSeconds: number, outcome: RequestOutcome): void;
}

/** A registry of its own with the process's default metrics, so that two daemons in one test do not share counters. */
export function newRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return registry;
}

/** The cloud API metrics under the names that the Go programs register (`docs/reference/ccm.md` A10, E1). */
export function cloudRequestMetrics(registry: Registry): RequestMetrics {
  const duration = new Histogram({
    name: 'cloudprovider_nifcloud_api_request_duration_seconds',
    help: 'Latency of a NIFCLOUD API call',
    labelNames: ['request'] as const,
    registers: [registry],
  });
  const errors = new Counter({
    name: 'cloudprovider_nifcloud_api_request_errors',
    help: 'NIFCLOUD API calls that ended in an error',
    labelNames: ['request'] as const,
    registers: [registry],
  });
  const throttled = new Counter({
    name: 'cloudprovider_nifcloud_api_throttled_requests_total',
    help: 'NIFCLOUD API calls that the cloud throttled',
    labelNames: ['request'] as const,
    registers: [registry],
  });
  return {
    observe: (request, tookSeconds, outcome) => {
      duration.observe({ request }, tookSeconds);
      if (outcome === 'error') errors.inc({ request });
      if (outcome === 'throttled') throttled.inc({ request });
    },
  };
}

/** Buckets of component-base: of durations in s, of sizes in bytes, and 10 ns … 10 s for queues. */
const REQUEST_SECONDS = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60];
const REQUEST_BYTES = [64, 256, 512, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216];
const QUEUE_SECONDS = Array.from({ length: 10 }, (_, power) => Number(`1e${power - 8}`));

/** What the Kubernetes client tells of its requests. */
export interface KubeRequestMetrics {
  throttled(verb: string, host: string, seconds: number): void;
  answered(verb: string, host: string, code: string): void;
  retried(verb: string, host: string, code: string): void;
  finished(verb: string, host: string, seconds: number): void;
  sent(verb: string, host: string, bytes: number): void;
  received(verb: string, host: string, bytes: number): void;
}

/** The Kubernetes API metrics under the names of client-go (`docs/reference/ccm.md` A10). */
export function kubeRequestMetrics(registry: Registry): KubeRequestMetrics {
  const registers = [registry];
  const histogram = (name: string, help: string, buckets: number[]): Histogram<'verb' | 'host'> =>
    new Histogram({ name, help, buckets, labelNames: ['verb', 'host'] as const, registers });
  const requests = new Counter({
    name: 'rest_client_requests_total',
    help: 'Tries of requests to the Kubernetes API, by HTTP status; <error> = no answer',
    labelNames: ['code', 'method', 'host'] as const,
    registers,
  });
  const retries = new Counter({
    name: 'rest_client_request_retries_total',
    help: 'Requests to the Kubernetes API that were sent again',
    labelNames: ['code', 'verb', 'host'] as const,
    registers,
  });
  const duration = histogram(
    'rest_client_request_duration_seconds',
    'Latency of a request to the Kubernetes API with all its tries',
    REQUEST_SECONDS,
  );
  const limiter = histogram(
    'rest_client_rate_limiter_duration_seconds',
    "Time that a request waited for the client's own rate limit",
    REQUEST_SECONDS,
  );
  const sent = histogram('rest_client_request_size_bytes', 'Size of the body of a request', REQUEST_BYTES);
  const received = histogram('rest_client_response_size_bytes', 'Size of the body of an answer', REQUEST_BYTES);
  return {
    throttled: (verb, host, seconds) => limiter.observe({ verb, host }, seconds),
    answered: (method, host, code) => requests.inc({ code, method, host }),
    retried: (verb, host, code) => retries.inc({ code, verb, host }),
    finished: (verb, host, seconds) => duration.observe({ verb, host }, seconds),
    sent: (verb, host, bytes) => sent.observe({ verb, host }, bytes),
    received: (verb, host, bytes) => received.observe({ verb, host }, bytes),
  };
}

interface QueueState {
  readonly depth: number;
  readonly unfinishedSeconds: number;
  readonly longestSeconds: number;
}

/** What work queues tell of themselves. */
export interface QueueMetrics {
  register(queue: string, state: () => QueueState): void;
  added(queue: string): void;
  retried(queue: string): void;
  taken(queue: string, waitedSeconds: number): void;
  done(queue: string, workedSeconds: number): void;
}

/** The metrics of work queues under the names of client-go (`docs/reference/ccm.md` A10). Gauges are as they are at the scrape. */
export function queueMetrics(registry: Registry): QueueMetrics {
  const states = new Map<string, () => QueueState>();
  const common = { labelNames: ['name'] as const, registers: [registry] };
  const gauge = (name: string, help: string, key: keyof QueueState): void => {
    const metric: Gauge<'name'> = new Gauge({
      ...common,
      name,
      help,
      collect: () => {
        for (const [queue, state] of states) metric.set({ name: queue }, state()[key]);
      },
    });
  };
  gauge('workqueue_depth', 'Keys that wait to be worked on', 'depth');
  gauge('workqueue_unfinished_work_seconds', 'How long all work under way has taken so far', 'unfinishedSeconds');
  gauge('workqueue_longest_running_processor_seconds', 'How long the longest of it has taken so far', 'longestSeconds');
  const adds = new Counter({ ...common, name: 'workqueue_adds_total', help: 'Keys that were added' });
  const retries = new Counter({
    ...common,
    name: 'workqueue_retries_total',
    help: 'Keys that were added with a delay',
  });
  const histogram = (name: string, help: string): Histogram<'name'> =>
    new Histogram({ ...common, name, help, buckets: QUEUE_SECONDS });
  const waited = histogram('workqueue_queue_duration_seconds', 'How long a key waited to be worked on');
  const worked = histogram('workqueue_work_duration_seconds', 'How long the work on a key took');
  return {
    register: (queue, state) => {
      states.set(queue, state);
      for (const counter of [adds, retries]) counter.inc({ name: queue }, 0); // there from the start, as in Go
    },
    added: (name) => adds.inc({ name }),
    retried: (name) => retries.inc({ name }),
    taken: (name, seconds) => waited.observe({ name }, seconds),
    done: (name, seconds) => worked.observe({ name }, seconds),
  };
}

/** What leader election tells of itself. */
export interface ElectionMetrics {
  leading(lease: string, leads: boolean): void;
  slowPath(lease: string): void;
}

/** The metrics of leader election under the names of client-go (`docs/reference/ccm.md` A10). */
export function electionMetrics(registry: Registry): ElectionMetrics {
  const common = { labelNames: ['name'] as const, registers: [registry] };
  const status = new Gauge({
    ...common,
    name: 'leader_election_master_status',
    help: '1 while this process holds the lease, else 0',
  });
  const slowPath = new Counter({
    ...common,
    name: 'leader_election_slowpath_total',
    help: 'Renewals that had to read the lease first',
  });
  return {
    leading: (name, leads) => status.set({ name }, leads ? 1 : 0),
    slowPath: (name) => slowPath.inc({ name }),
  };
}
