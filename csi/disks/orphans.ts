import type { Clock } from '../../daemon/clock.ts';
import { describeError, type Logger } from '../../daemon/logger.ts';
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
 * Nor does the driver; it names them. A disk counts from the second look on, since its PersistentVolume comes after it. In an account
 * with several clusters the free disks of the others are among them: nothing in the cloud tells whose they are.
 */
export async function watchOrphans(options: OrphanWatchOptions, signal: AbortSignal): Promise<void> {
  const { clock, logger, count } = options;
  let suspects: ReadonlySet<string> = new Set();
  let told = '';
  for (;;) {
    await clock.sleep(LOOK_MS, signal);
    try {
      const found = await look(options, signal);
      const lasting = found.filter(({ uniqueId }) => suspects.has(uniqueId));
      suspects = new Set(found.map(({ uniqueId }) => uniqueId));
      count(lasting.length);
      const names = lasting.map(({ id }) => id).sort();
      if (names.length > 0 && names.join() !== told) {
        logger.warn('Disks without a PersistentVolume of this cluster; nothing is done with them', { disks: names });
      }
      told = names.join();
    } catch (error) {
      signal.throwIfAborted();
      logger.warn('Disks without a PersistentVolume are looked for again', { reason: describeError(error) });
    }
  }
}

async function look({ cloud, cluster }: OrphanWatchOptions, signal: AbortSignal): Promise<readonly Volume[]> {
  const [volumes, nodes] = await Promise.all([cloud.volumes.list(signal), cluster.nodes(signal)]);
  // After the disks, so that one whose disk was just listed is seen.
  return orphansAmong(volumes, await cluster.persistentVolumes(signal), nodes);
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
