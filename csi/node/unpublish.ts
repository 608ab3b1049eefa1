import { rmdir } from 'node:fs/promises';
import type { NodeUnpublishVolumeRequest__Output } from '../../proto/gen/csi/v1/NodeUnpublishVolumeRequest.ts';
import { errorCode } from '../linux/host.ts';
import { unmountAll } from '../linux/mounts.ts';
import { required, requiredPath } from './request.ts';
import type { NodeService } from './service.ts';

/**
 * NodeUnpublishVolume: afterwards nothing is mounted at the target path and the path does not exist. If so already,
 * fine.
 */
export async function nodeUnpublishVolume(
  service: NodeService,
  request: NodeUnpublishVolumeRequest__Output,
): Promise<Record<string, never>> {
  const volumeId = required('volume_id', request.volume_id);
  const target = requiredPath('target_path', request.target_path);
  await service.locks.hold(volumeId, async () => {
    await unmountAll(service.host, target);
    try {
      // Never recursively: if something were still mounted here, that would erase the volume.
      await rmdir(target);
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error;
    }
  });
  return {};
}
