import { status } from '@grpc/grpc-js';
import type { ControllerExpandVolumeRequest__Output } from '../../proto/gen/csi/v1/ControllerExpandVolumeRequest.ts';
import type { ControllerExpandVolumeResponse } from '../../proto/gen/csi/v1/ControllerExpandVolumeResponse.ts';
import type { Disks } from '../disks/disks.ts';
import { planGrowth } from '../disks/plan.ts';
import { RpcError } from '../rpc-error.ts';
import { parseCapability } from '../volume-capability.ts';
import type { VolumeLocks } from '../volume-locks.ts';
import { capacityBytes, isInRange, sizeInRange } from './capacity.ts';
import { requireText } from './request.ts';

/** ControllerExpandVolume: afterwards the disk is at least as large as asked for. One that is so already is not touched. */
export async function controllerExpandVolume(
  request: ControllerExpandVolumeRequest__Output,
  { disks, locks }: { readonly disks: Disks; readonly locks: VolumeLocks },
  signal: AbortSignal,
): Promise<ControllerExpandVolumeResponse> {
  const volumeId = requireText(request, 'volume_id');
  const { capacity_range: range, volume_capability: capability } = request;
  if (range === null) throw new RpcError(status.INVALID_ARGUMENT, 'capacity_range is missing');
  const wantedGB = sizeInRange(range);
  if (capability !== null) parseCapability(capability);
  return locks.hold(volumeId, async () => {
    const found = await disks.find(volumeId, undefined, signal);
    const settled = found && (await disks.settle(found, signal));
    if (settled === undefined) throw new RpcError(status.NOT_FOUND, `volume ${volumeId} does not exist`);
    const grown = await disks.apply(settled, planGrowth(await disks.see(settled, signal), wantedGB), signal);
    if (grown === undefined || !(grown.sizeGB >= wantedGB)) {
      throw new RpcError(status.ABORTED, `volume ${volumeId} changed while it grew; try again`);
    }
    if (!isInRange(grown.sizeGB, range)) {
      throw new RpcError(status.OUT_OF_RANGE, `volume ${volumeId} has ${grown.sizeGB} GiB already and cannot shrink`);
    }
    return { capacity_bytes: capacityBytes(grown.sizeGB), node_expansion_required: true };
  });
}
