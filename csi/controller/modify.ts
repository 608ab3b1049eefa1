import { status } from '@grpc/grpc-js';
import type { ControllerModifyVolumeRequest__Output } from '../../proto/gen/csi/v1/ControllerModifyVolumeRequest.ts';
import type { ControllerModifyVolumeResponse } from '../../proto/gen/csi/v1/ControllerModifyVolumeResponse.ts';
import type { Disks } from '../disks/disks.ts';
import { planModify } from '../disks/plan.ts';
import { RpcError } from '../rpc-error.ts';
import type { VolumeLocks } from '../volume-locks.ts';
import { parseMutableParameters } from './class-parameters.ts';
import { requireText } from './request.ts';

/**
 * ControllerModifyVolume: afterwards the disk is charged as its VolumeAttributesClass says, from next month on. That is one call of
 * the cloud, so nothing is ever half done.
 */
export async function controllerModifyVolume(
  request: ControllerModifyVolumeRequest__Output,
  { disks, locks }: { readonly disks: Disks; readonly locks: VolumeLocks },
  signal: AbortSignal,
): Promise<ControllerModifyVolumeResponse> {
  const volumeId = requireText(request, 'volume_id');
  const wanted = parseMutableParameters(request.mutable_parameters);
  return locks.hold(volumeId, async () => {
    const found = await disks.find(volumeId, undefined, signal);
    const settled = found && (await disks.settle(found, signal));
    if (settled === undefined) throw new RpcError(status.NOT_FOUND, `volume ${volumeId} does not exist`);
    const { nextMonthAccountingType, accountingType } = settled.volume;
    const steps = planModify(await disks.see(settled, signal), nextMonthAccountingType || accountingType, wanted);
    await disks.apply(settled, steps, signal);
    return {};
  });
}
