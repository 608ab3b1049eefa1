import { isAbsolute } from 'node:path';
import { status } from '@grpc/grpc-js';
import type { VolumeCapability__Output } from '../../proto/gen/csi/v1/VolumeCapability.ts';
import { RpcError } from '../rpc-error.ts';

/** The error for a request that can never succeed as it is. */
export function invalid(message: string): RpcError {
  return new RpcError(status.INVALID_ARGUMENT, message);
}

/** @throws RpcError INVALID_ARGUMENT when the field is empty. */
export function required(field: string, value: string): string {
  if (value === '') throw invalid(`${field} is empty`);
  return value;
}

/** @throws RpcError INVALID_ARGUMENT unless the field is an absolute path. */
export function requiredPath(field: string, value: string): string {
  if (!isAbsolute(required(field, value))) throw invalid(`${field} ${JSON.stringify(value)} is not an absolute path`);
  return value;
}

/**
 * The mount flags of a capability that this driver can serve: a mounted ext4 volume, written to by one node.
 * @throws RpcError INVALID_ARGUMENT for any other, saying what can be served.
 */
export function mountFlagsOf(capability: VolumeCapability__Output | null): readonly string[] {
  if (capability === null) throw invalid('volume_capability is missing');
  const { mount } = capability;
  if (mount === null || mount === undefined) throw invalid('only mounted volumes are served, no raw block volumes');
  if (mount.fs_type !== '' && mount.fs_type !== 'ext4') {
    throw invalid(`fs_type ${JSON.stringify(mount.fs_type)} is not served; ext4 is`);
  }
  const mode = capability.access_mode?.mode;
  if (mode !== 'SINGLE_NODE_WRITER') throw invalid(`access mode ${mode} is not served; SINGLE_NODE_WRITER is`);
  return mount.mount_flags.filter((flag) => flag !== '');
}
