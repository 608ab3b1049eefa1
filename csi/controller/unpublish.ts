import type { ControllerUnpublishVolumeRequest__Output } from '../../proto/gen/csi/v1/ControllerUnpublishVolumeRequest.ts';
import type { ControllerUnpublishVolumeResponse } from '../../proto/gen/csi/v1/ControllerUnpublishVolumeResponse.ts';
import type { ServerRef } from '../disks/cloud.ts';
import type { Disks } from '../disks/disks.ts';
import { planUnpublish } from '../disks/plan.ts';
import { serverOf } from '../disks/state.ts';
import { DRIVER_NAME } from '../names.ts';
import type { VolumeLocks } from '../volume-locks.ts';
import { requireText } from './request.ts';

export interface UnpublishSurroundings {
  readonly disks: Disks;
  readonly locks: VolumeLocks;
  /** Counts detaches of disks that their node still reported in use. */
  readonly forcedDetaches: { inc(): void };
}

/**
 * ControllerUnpublishVolume: afterwards the node's server no longer has the disk. The order is obeyed even if the node still uses
 * it: the attach-detach controller has its reasons (docs/reference/csi.md E.3).
 *
 * The disk decides what there is to do. A server that is not to be found proves nothing: servers can be renamed.
 */
export async function controllerUnpublishVolume(
  request: ControllerUnpublishVolumeRequest__Output,
  { disks, locks, forcedDetaches }: UnpublishSurroundings,
  signal: AbortSignal,
): Promise<ControllerUnpublishVolumeResponse> {
  const volumeId = requireText(request, 'volume_id');
  const { node_id: nodeId } = request;
  return locks.hold(volumeId, async () => {
    const found = await disks.findLeft(volumeId, signal);
    if (found === undefined || serverOf(found.volume) === undefined) return {};
    const node = nodeId === '' ? undefined : await disks.node(nodeId, signal);
    const server: ServerRef | 'any' = nodeId === '' ? 'any' : { name: nodeId, uniqueId: node?.serverUniqueId ?? '' };
    // Whoever else has it is none of this call's business, in transition or not.
    if (planUnpublish(serverOf(found.volume), server).length === 0) return {};
    const settled = await disks.settle(found, signal);
    if (settled === undefined) return {};
    const steps = planUnpublish(serverOf(settled.volume), server);
    await disks.apply(settled, steps, signal);
    if (steps.length > 0 && node?.volumesInUse.includes(`kubernetes.io/csi/${DRIVER_NAME}^${volumeId}`)) {
      forcedDetaches.inc();
      disks.notices.warn(
        { kind: 'Node', name: nodeId },
        'ForcedDetach',
        `disk ${volumeId} was detached as ordered while the node still reported it in use`,
      );
    }
    return {};
  });
}
