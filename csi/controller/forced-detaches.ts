import { Counter, type Registry } from 'prom-client';

/** Registers the metric of detaches that were forced. A module of its own: a bundle has no named exports for a lazily imported prom-client. */
export function forcedDetachCounter(registry: Registry): Counter {
  return new Counter({
    name: 'nifcloud_csi_forced_detaches_total',
    help: 'Disks that were detached as ordered while their node still reported them in use',
    registers: [registry],
  });
}
