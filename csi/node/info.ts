import { status } from '@grpc/grpc-js';
import type { NodeGetInfoResponse } from '../../proto/gen/csi/v1/NodeGetInfoResponse.ts';
import { ZONE_KEY } from '../names.ts';
import { RpcError } from '../rpc-error.ts';
import type { VolumeLimit } from './volume-limit.ts';

/**
 * NodeGetInfo. The zone is asked for each time, since it may become known later; the limit changes with the disks of the server.
 * @throws RpcError UNAVAILABLE when the zone is not known.
 */
export async function nodeGetInfo(
  options: { readonly nodeName: string; readonly zone: (signal?: AbortSignal) => Promise<string> },
  limit: VolumeLimit,
  signal: AbortSignal,
): Promise<NodeGetInfoResponse> {
  return {
    node_id: options.nodeName,
    max_volumes_per_node: await limit.volumes(signal),
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
