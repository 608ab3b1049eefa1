import type { DeleteVolumeRequest__Output } from '../../proto/gen/csi/v1/DeleteVolumeRequest.ts';
import type { DeleteVolumeResponse } from '../../proto/gen/csi/v1/DeleteVolumeResponse.ts';
import type { Disks } from '../disks/disks.ts';
import { planDelete } from '../disks/plan.ts';
import type { VolumeLocks } from '../volume-locks.ts';
import { requireText } from './request.ts';

/** DeleteVolume: afterwards the disk is gone, and not merely going. One that is in use stays, with FAILED_PRECONDITION. */
export async function deleteVolume(
  request: DeleteVolumeRequest__Output,
  { disks, locks }: { readonly disks: Disks; readonly locks: VolumeLocks },
  signal: AbortSignal,
): Promise<DeleteVolumeResponse> {
  const volumeId = requireText(request, 'volume_id');
  return locks.hold(volumeId, async () => {
    const found = await disks.findLeft(volumeId, signal);
    const settled = found && (await disks.settle(found, signal));
    if (settled === undefined) return {};
    await disks.apply(settled, planDelete(await disks.see(settled, signal)), signal);
    return {};
  });
}
