import type { ServerRef, Volume } from './cloud.ts';
import type { Cluster, ClusterNode } from './cluster.ts';
import { nodeOf } from './hosts.ts';
import type { Holder, Standing } from './plan.ts';
import { isSameServer, serverOf } from './state.ts';

/** Knows why a server has a disk (see `Standing`). */
export class Holders {
  readonly #cluster: Cluster | undefined;
  /** Name of a disk → the host that this process attached it to for a moment. Without Kubernetes it is all there is to go by. */
  readonly #made = new Map<string, ServerRef>();

  constructor(cluster: Cluster | undefined) {
    this.#cluster = cluster;
  }

  /** Notes that this process is about to attach the disk for a moment. */
  remember(volumeId: string, host: ServerRef): void {
    this.#made.set(volumeId, host);
  }

  /** Notes that the attachment has ended, or that somebody uses it now. */
  forget(volumeId: string): void {
    this.#made.delete(volumeId);
  }

  /**
   * Who has the disk, and why; `undefined` = nobody.
   * @param handle what VolumeAttachments call the disk
   * @throws RpcError UNAVAILABLE when Kubernetes does not say.
   */
  async holder(volume: Volume, handle: string, signal: AbortSignal): Promise<Holder | undefined> {
    const server = serverOf(volume);
    return server && { ...server, standing: await this.#standing(server, volume, handle, signal) };
  }

  async #standing(server: ServerRef, volume: Volume, handle: string, signal: AbortSignal): Promise<Standing> {
    const cluster = this.#cluster;
    if (cluster === undefined) {
      return isSameServer(this.#made.get(volume.id), server) ? 'temporary' : 'foreign';
    }
    const node = await nodeRunningOn(server, cluster, signal);
    if (node === undefined) return 'foreign';
    return (await cluster.hasVolumeAttachment(handle, node.name, signal)) ? 'claimed' : 'temporary';
  }
}

/** The one read by name is right unless the server was renamed. */
async function nodeRunningOn(
  server: ServerRef,
  cluster: Cluster,
  signal: AbortSignal,
): Promise<ClusterNode | undefined> {
  const named = await cluster.node(server.name, signal);
  return nodeOf(server, named === undefined ? [] : [named]) ?? nodeOf(server, await cluster.nodes(signal));
}
