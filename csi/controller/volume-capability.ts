import { status } from '@grpc/grpc-js';
import type { VolumeCapability__Output } from '../../proto/gen/csi/v1/VolumeCapability.ts';
import { RpcError } from '../rpc-error.ts';

/** What volumes can be used as so far. '' = the default, ext4. */
const FILE_SYSTEMS: readonly string[] = ['', 'ext4'];

/** Why a capability is not supported; `undefined` = it is. */
export function whyUnsupported(capability: VolumeCapability__Output): string | undefined {
  const mode = capability.access_mode?.mode ?? 'UNKNOWN';
  if (mode !== 'SINGLE_NODE_WRITER') {
    return `access mode ${mode} is not supported: a disk is attached to one server, so only SINGLE_NODE_WRITER (ReadWriteOnce) is`;
  }
  // proto-loader leaves the member of a oneof out that was not chosen.
  if (capability.block) return 'raw block volumes are not supported yet: use volumeMode Filesystem';
  if (!capability.mount) return 'the capability says neither mount nor block';
  const { fs_type: fsType } = capability.mount;
  if (!FILE_SYSTEMS.includes(fsType)) {
    return `file system ${JSON.stringify(fsType)} is not supported yet: ext4 is`;
  }
  return undefined;
}

/** @throws RpcError INVALID_ARGUMENT when one is missing or not supported. */
export function requireSupported(capabilities: readonly (VolumeCapability__Output | null)[]): void {
  if (capabilities.length === 0) throw new RpcError(status.INVALID_ARGUMENT, 'volume_capabilities are empty');
  for (const capability of capabilities) {
    if (capability === null) throw new RpcError(status.INVALID_ARGUMENT, 'volume_capability is missing');
    const reason = whyUnsupported(capability);
    if (reason !== undefined) throw new RpcError(status.INVALID_ARGUMENT, reason);
  }
}
