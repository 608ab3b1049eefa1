import { status } from '@grpc/grpc-js';
import type { ControllerGetVolumeRequest__Output } from '../../proto/gen/csi/v1/ControllerGetVolumeRequest.ts';
import type { ControllerGetVolumeResponse } from '../../proto/gen/csi/v1/ControllerGetVolumeResponse.ts';
import type { Disks } from '../disks/disks.ts';
import { RpcError } from '../rpc-error.ts';
import { requireText } from './request.ts';
import { volumeMessage } from './volume-message.ts';
import { volumeStatus } from './volume-status.ts';

/** ControllerGetVolume: one volume as ListVolumes would show it, under the handle that it was asked for by. */
export async function controllerGetVolume(
  request: ControllerGetVolumeRequest__Output,
  { disks }: { readonly disks: Disks },
  signal: AbortSignal,
): Promise<ControllerGetVolumeResponse> {
  const volumeId = requireText(request, 'volume_id');
  const [found, nodes] = await Promise.all([disks.find(volumeId, undefined, signal), disks.nodes(signal)]);
  if (found === undefined) throw new RpcError(status.NOT_FOUND, `volume ${volumeId} does not exist`);
  return { volume: volumeMessage(found.volume, volumeId), status: volumeStatus(found.volume, nodes) };
}
