import { status } from '@grpc/grpc-js';
import type { ControllerPublishVolumeRequest__Output } from '../../proto/gen/csi/v1/ControllerPublishVolumeRequest.ts';
import type { ControllerPublishVolumeResponse } from '../../proto/gen/csi/v1/ControllerPublishVolumeResponse.ts';
import { asUnfinished } from '../disks/cloud-error.ts';
import type { ServerRef, Volume } from '../disks/cloud.ts';
import type { ClusterNode } from '../disks/cluster.ts';
import type { Disks } from '../disks/disks.ts';
import { UNIQUE_ID_KEY } from '../disks/disks.ts';
import { planPublish } from '../disks/plan.ts';
import { isSameServer, serverOf } from '../disks/state.ts';
import { RpcError } from '../rpc-error.ts';
import { parseCapability } from '../volume-capability.ts';
import type { VolumeLocks } from '../volume-locks.ts';
import { requireText } from './request.ts';

/**
 * ControllerPublishVolume: afterwards the disk is attached to the node's server. What is so already is found by two reads.
 *
 * The server is the one whose unique id stands in the Node's provider id; a name alone may have changed hands.
 */
export async function controllerPublishVolume(
  request: ControllerPublishVolumeRequest__Output,
  { disks, locks }: { readonly disks: Disks; readonly locks: VolumeLocks },
  signal: AbortSignal,
): Promise<ControllerPublishVolumeResponse> {
  const volumeId = requireText(request, 'volume_id');
  const nodeId = requireText(request, 'node_id');
  parseCapability(request.volume_capability);
  if (request.readonly) throw new RpcError(status.INVALID_ARGUMENT, 'readonly: a disk cannot be attached read-only');
  return locks.hold(volumeId, async () => {
    const [found, node] = await Promise.all([
      disks.find(volumeId, request.volume_context[UNIQUE_ID_KEY] || undefined, signal),
      disks.node(nodeId, signal),
    ]);
    const settled = found && (await disks.settle(found, signal));
    if (settled === undefined) throw new RpcError(status.NOT_FOUND, `volume ${volumeId} does not exist`);
    const holder = serverOf(settled.volume);
    if (holder !== undefined && isSameServer(holder, { name: nodeId, uniqueId: node?.serverUniqueId ?? '' })) {
      disks.adopt(settled.volume);
      return publishContext(settled.volume, holder, disks, signal);
    }
    const server = await serverOfNode(nodeId, node, disks, signal);
    const attached = await disks.apply(settled, planPublish(await disks.see(settled, signal), server), signal);
    if (attached === undefined) throw new RpcError(status.ABORTED, `volume ${volumeId} vanished; try again`);
    return publishContext(attached, server, disks, signal);
  });
}

/** The server to attach to, under its present name. */
async function serverOfNode(
  nodeId: string,
  node: ClusterNode | undefined,
  disks: Disks,
  signal: AbortSignal,
): Promise<ServerRef> {
  const servers = await disks.servers(signal);
  const named = servers.find(({ name }) => name === nodeId);
  const expected = node?.serverUniqueId;
  const server = expected === undefined ? named : servers.find(({ uniqueId }) => uniqueId === expected);
  if (server !== undefined) return { name: server.name, uniqueId: server.uniqueId };
  if (named === undefined) throw new RpcError(status.NOT_FOUND, `no server is called ${nodeId}`);
  throw new RpcError(
    status.FAILED_PRECONDITION,
    `node ${nodeId} runs on server ${expected} by its provider id, but the server called ${nodeId} is ${named.uniqueId}`,
  );
}

/** Begins with what the Go driver gives. `sizeGB` is a lower bound: the disk may grow later. */
async function publishContext(
  volume: Volume,
  server: ServerRef,
  disks: Disks,
  signal: AbortSignal,
): Promise<ControllerPublishVolumeResponse> {
  const slot = await disks.slot(volume, server, signal).catch((error: unknown) => {
    // The disk is attached: no error may say otherwise.
    throw asUnfinished(error, `publishing volume ${volume.id}`);
  });
  return {
    publish_context: {
      devicePath: `SCSI (0:${slot})`,
      [UNIQUE_ID_KEY]: volume.uniqueId,
      sizeGB: String(volume.sizeGB),
    },
  };
}
