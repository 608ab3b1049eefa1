import { FILE_SYSTEMS } from '../volume-capability.ts';
import type { FileSystem } from '../volume-capability.ts';
import { BTRFS, hasBtrfsBackup } from './btrfs.ts';
import { extTools, hasExtBackup } from './ext.ts';
import type { Host } from './host.ts';
import { hasXfsBackup, XFS } from './xfs.ts';

/** A disk whose content a tool changes. */
interface WorkedDisk {
  /** Path of the device node. */
  readonly node: string;
  /** Held by the tool until it ends: see `runLocked`. */
  readonly lockFile: string;
}

interface UnmountedDisk extends WorkedDisk {
  readonly sizeBytes: number;
}

interface MountedDisk extends UnmountedDisk {
  /** A path at which the file system is mounted, whole or in part. */
  readonly point: string;
}

/** What differs between file systems. */
export interface FileSystemTools {
  /**
   * Makes a file system with this UUID and with features that Linux 5.4 can mount, whatever a newer mkfs would choose. The
   * disk's content is lost.
   * @throws ToolError
   */
  make(disk: WorkedDisk, uuid: string): Promise<void>;
  /**
   * Whether what is recognised on the disk is but the beginning of a file system, left by an mkfs that did not end: Linux has
   * never mounted it. Absent: such a thing is not recognised, since mkfs writes last what is looked for.
   */
  isUnfinished?(node: string): Promise<boolean>;
  /**
   * Makes it fit for a writable mount: checks and grows it, as far as that is done to an unmounted one.
   * @throws RpcError FAILED_PRECONDITION when only a person may repair it, or when it is larger than its device.
   */
  prepare(host: Host, disk: UnmountedDisk): Promise<void>;
  /** It grows while it is mounted and only then, so a staging has to do it after the mount. */
  readonly growsMountedOnly: boolean;
  /**
   * Grows it to its device.
   * @returns undefined when it is as large as its device now; else what the tool said.
   */
  growMounted(disk: MountedDisk): Promise<string | undefined>;
  /** Options for mount(8) that come before those of the volume. */
  readonly mountOptions: readonly string[];
}

/** The tools of each file system that a volume can have. */
export const TOOLS_OF: Readonly<Record<FileSystem, FileSystemTools>> = {
  ext2: extTools('ext2'),
  ext3: extTools('ext3'),
  ext4: extTools('ext4'),
  xfs: XFS,
  btrfs: BTRFS,
};

/** Whether a copy of the superblock of any of them is there: then a file system was, and has lost its beginning. */
export async function hasBackupSuperblock(node: string, sizeBytes: number): Promise<boolean> {
  return (await hasExtBackup(node)) || (await hasXfsBackup(node, sizeBytes)) || (await hasBtrfsBackup(node));
}

/** Whether a name, such as that of a mount, is that of a file system which a volume can have. */
export function isFileSystem(name: string): name is FileSystem {
  return FILE_SYSTEMS.some((one) => one === name);
}
