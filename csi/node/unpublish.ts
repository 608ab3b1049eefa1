import { lstat, rmdir, unlink } from 'node:fs/promises';
import { status } from '@grpc/grpc-js';
import type { NodeUnpublishVolumeRequest__Output } from '../../proto/gen/csi/v1/NodeUnpublishVolumeRequest.ts';
import { errorCode } from '../linux/host.ts';
import { unmountAll } from '../linux/mounts.ts';
import { RpcError } from '../rpc-error.ts';
import { forgetUnfinished } from './publish.ts';
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
    await removeTarget(target);
    try {
      await forgetUnfinished(service, volumeId, target);
    } catch (error) {
      // What is wrong with a record is mended once the volume is off.
      service.host.logger.error('The record of a volume could not be changed', error, { volumeId });
    }
  });
  return {};
}

/**
 * Takes away what a mount was put over: an empty folder, or an empty file (block volumes). Never anything that holds data: if the
 * volume were still mounted here, that would erase it.
 */
async function removeTarget(target: string): Promise<void> {
  try {
    const found = await lstat(target);
    if (found.isDirectory()) await rmdir(target);
    else if (!found.isFile() || found.size === 0) await unlink(target);
    else throw new RpcError(status.INTERNAL, `${target} is no mount point, but a file with data; it is not deleted`);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT' && errorCode(error) !== 'ENOTDIR') throw error;
  }
}
