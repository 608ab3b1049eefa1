import type { Clock } from '../../daemon/clock.ts';
import type { Logger } from '../../daemon/logger.ts';
import { watchOrphans as watchAny } from '../../daemon/orphans.ts';
import type { PersistentVolume } from '../../kube/types.ts';
import type { Cloud, Volume } from './cloud.ts';
import type { Cluster, ClusterNode } from './cluster.ts';
import { UNIQUE_ID_KEY } from './disks.ts';
import { isProvisionedName } from './identity.ts';
import { serverOf } from './state.ts';

/** How often it is looked: one listing each of disks, Nodes and PersistentVolumes. Our choice. */
const LOOK_MS = 10 * 60_000;

export interface OrphanWatchOptions {
  readonly cloud: Cloud;
  readonly cluster: Pick<Cluster, 'nodes' | 'persistentVolumes'>;
  /** Told after every look. */
  readonly count: (orphans: number) => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Disks that a provisioner asked for and no PersistentVolume of this cluster knows: they cost money and nobody will delete them.
 * Nor does the driver; it names them. In an account with several clusters the free disks of the others are among them: nothing in the
 * cloud tells whose they are.
 */
export function watchOrphans(options: OrphanWatchOptions, signal: AbortSignal): Promise<never> {
  const { cloud, cluster, count, clock, logger } = options;
  const look = async (until: AbortSignal): Promise<ReadonlyMap<string, string>> => {
    const [volumes, nodes] = await Promise.all([cloud.volumes.list(until), cluster.nodes(until)]);
    // After the disks, so that one whose disk was just listed is seen.
    const orphans = orphansAmong(volumes, await cluster.persistentVolumes(until), nodes);
    return new Map(orphans.map(({ uniqueId, id }) => [uniqueId, id]));
  };
  const said = { what: 'Disks without a PersistentVolume', key: 'disks' };
  return watchAny({ look, pauseMs: () => LOOK_MS, count, ...said, clock, logger }, signal);
}

/** The disks that no PersistentVolume of this driver knows. Attached elsewhere, they are somebody's. Pure. */
export function orphansAmong(
  volumes: readonly Volume[],
  persistentVolumes: readonly PersistentVolume[],
  nodes: readonly ClusterNode[],
): readonly Volume[] {
  const known = new Set(
    persistentVolumes.flatMap(({ spec }) => [spec?.csi?.volumeHandle, spec?.csi?.volumeAttributes?.[UNIQUE_ID_KEY]]),
  );
  const ours = new Set(nodes.flatMap(({ name, serverUniqueId }) => [name, serverUniqueId ?? name]));
  return volumes.filter((volume) => {
    if (!isProvisionedName(volume.description) || known.has(volume.id) || known.has(volume.uniqueId)) return false;
    const server = serverOf(volume);
    return server === undefined || ours.has(server.uniqueId === '' ? server.name : server.uniqueId);
  });
}
