import { Counter, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

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
