import { status } from '@grpc/grpc-js';
import type { VolumeCapability__Output } from '../proto/gen/csi/v1/VolumeCapability.ts';
import { RpcError } from './rpc-error.ts';

/** What a volume can be formatted with; the Go driver's list and btrfs (docs/reference/csi.md C.1). */
export const FILE_SYSTEMS = ['ext2', 'ext3', 'ext4', 'xfs', 'btrfs'] as const;

export type FileSystem = (typeof FILE_SYSTEMS)[number];

/** For a capability that names none, as with the Go driver. */
const DEFAULT_FILE_SYSTEM: FileSystem = 'ext4';

/**
 * Access modes of a disk, which one server at a time can have. The last two are what the sidecars ask for in place of the first
 * where SINGLE_NODE_MULTI_WRITER is promised: ReadWriteOncePod and ReadWriteOnce (docs/reference/csi.md B.2).
 */
const ACCESS_MODES = ['SINGLE_NODE_WRITER', 'SINGLE_NODE_SINGLE_WRITER', 'SINGLE_NODE_MULTI_WRITER'] as const;

/** A way to use a volume that this driver serves. */
export interface Capability {
  readonly access: 'mount' | 'block';
  /** `''` for block access. */
  readonly fileSystem: FileSystem | '';
  /** Options for mount(8), none of them empty; they may hold secrets. None for block access. */
  readonly mountFlags: readonly string[];
  /** `SINGLE_NODE_SINGLE_WRITER` = one pod only (ReadWriteOncePod); the other two mean the same, any number of pods of a node. */
  readonly accessMode: (typeof ACCESS_MODES)[number];
}

/**
 * Reads the capability of a request, for the controller and for the node server alike.
 * @throws RpcError INVALID_ARGUMENT when it is missing or not served; it says what is.
 */
export function parseCapability(capability: VolumeCapability__Output | null): Capability {
  if (capability === null) throw invalid('volume_capability is missing');
  const { mount, block } = capability; // proto-loader leaves the member of a oneof out that was not chosen
  const accessMode = parseAccessMode(capability);
  if (block) return { access: 'block', fileSystem: '', mountFlags: [], accessMode };
  if (!mount) throw invalid('volume_capability says neither mount nor block');
  if (mount.volume_mount_group !== '') throw invalid('volume_mount_group is not supported: kubelet applies fsGroup');
  return {
    access: 'mount',
    fileSystem: parseFileSystem(mount.fs_type),
    mountFlags: mount.mount_flags.filter((flag) => flag !== ''),
    accessMode,
  };
}

/** @throws RpcError INVALID_ARGUMENT unless there are some, and all are served. */
export function requireCapabilities(capabilities: readonly VolumeCapability__Output[]): void {
  if (capabilities.length === 0) throw invalid('volume_capabilities are empty');
  for (const capability of capabilities) parseCapability(capability);
}

function parseAccessMode({ access_mode: wanted }: VolumeCapability__Output): Capability['accessMode'] {
  const mode = ACCESS_MODES.find((one) => one === wanted?.mode);
  if (mode !== undefined) return mode;
  throw invalid(
    `access mode ${wanted?.mode ?? 'UNKNOWN'} is not supported, as a disk is attached to one server: ` +
      `${ACCESS_MODES.join(', ')} are (ReadWriteOnce, ReadWriteOncePod)`,
  );
}

function parseFileSystem(fsType: string): FileSystem {
  const fileSystem = fsType === '' ? DEFAULT_FILE_SYSTEM : FILE_SYSTEMS.find((one) => one === fsType);
  if (fileSystem !== undefined) return fileSystem;
  throw invalid(`file system ${JSON.stringify(fsType)} is not supported: ${FILE_SYSTEMS.join(', ')} are`);
}

function invalid(message: string): RpcError {
  return new RpcError(status.INVALID_ARGUMENT, message);
}
