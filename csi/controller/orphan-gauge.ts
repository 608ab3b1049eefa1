import { Gauge, type Registry } from 'prom-client';

/** Registers the metric of disks that no PersistentVolume knows; see `watchOrphans`. */
export function orphanGauge(registry: Registry): Gauge {
  return new Gauge({
    name: 'nifcloud_csi_orphan_disks',
    help: 'Disks that were provisioned and have no PersistentVolume in this cluster; in an account of several clusters also free disks of the others',
    registers: [registry],
  });
}
