import { status } from '@grpc/grpc-js';
import type { NodeGetInfoResponse } from '../../proto/gen/csi/v1/NodeGetInfoResponse.ts';
import { readMounts } from '../linux/mounts.ts';
import { dataDisks } from '../linux/scsi.ts';
import { usesOf } from '../linux/usage.ts';
import { ZONE_KEY } from '../names.ts';
import { RpcError } from '../rpc-error.ts';
import type { NodeService } from './service.ts';

/** Data disks that a server can have (docs/reference/csi.md C.1). */
const SLOTS = 14;

/** Part of every path where kubelet stages volumes, those of the Go driver included. */
const KUBELET_STAGING = '/plugins/kubernetes.io/csi/';

/**
 * NodeGetInfo. The zone is asked for each time, since it may become known later.
 * @throws RpcError UNAVAILABLE when it is not known.
 */
export async function nodeGetInfo(
  service: NodeService,
  options: { readonly nodeName: string; readonly zone: (signal?: AbortSignal) => Promise<string> },
  signal: AbortSignal,
): Promise<NodeGetInfoResponse> {
  return {
    node_id: options.nodeName,
    // 0 would mean "no limit".
    max_volumes_per_node: Math.max(1, SLOTS - (await foreignDisks(service))),
    accessible_topology: { segments: { [ZONE_KEY]: await zoneOf(options.zone, signal) } },
  };
}

async function zoneOf(zone: (signal?: AbortSignal) => Promise<string>, signal: AbortSignal): Promise<string> {
  try {
    return await zone(signal);
  } catch (cause) {
    if (cause instanceof RpcError) throw cause;
    throw new RpcError(status.UNAVAILABLE, 'the zone of this node is not known yet', { cause });
  }
}

/**
 * Slots that somebody else's disks take: those in use, and neither recorded nor staged by kubelet. An idle disk is not
 * counted: it may be a volume that is about to be staged, one that is being created on this server, or a ghost. Too
 * high a limit only lets an attach fail, too low a one keeps pods from starting.
 */
async function foreignDisks({ host, records }: NodeService): Promise<number> {
  try {
    const ours = new Set((await records.all()).map(({ slot }) => slot));
    const mounts = await readMounts(host);
    const staged = new Set(mounts.filter(({ point }) => point.includes(KUBELET_STAGING)).map(({ device }) => device));
    let count = 0;
    for (const disk of await dataDisks(host)) {
      if (ours.has(disk.slot) || staged.has(disk.number)) continue;
      if ((await usesOf(disk, mounts)).length > 0) count++;
    }
    return count;
  } catch (error) {
    host.logger.error('The disks of this node could not be counted; none is taken off the limit of volumes', error);
    return 0;
  }
}
