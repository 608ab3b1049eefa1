import type { FileSystemTools } from './file-systems.ts';
import { growToDevice } from './growth.ts';
import { readBytes } from './probe.ts';
import { LOOK_TIMEOUT_MS, requireLocked, runLocked, runTool, toolVersion, version } from './tools.ts';

/** mkfs.btrfs makes a block group tree by default from this version on; Linux 5.4 can't mount it for writing. */
const BLOCK_GROUP_TREE_SINCE = version(6, 19);

/** In the second superblock, which is at 64 MiB (btrfs(5); fs/btrfs/disk-io.h, `btrfs_sb_offset`). */
const BACKUP_MAGIC_OFFSET = 64 * 2 ** 20 + 0x40;
const MAGIC = '_BHRfS_M';

export const BTRFS: FileSystemTools = {
  async make({ node, lockFile }, uuid) {
    const features = btrfsFeatures(await toolVersion('mkfs.btrfs', '--version'));
    // Not discarded (-K): a new disk has nothing to discard, and the kubelet does not wait long.
    await requireLocked(lockFile, 'mkfs.btrfs', ['-f', '-K', '-U', uuid, ...features, node]);
  },
  // Checksums and copies are checked as they are read; `btrfs check` is for people.
  prepare: async () => undefined,
  growsMountedOnly: true,
  growMounted: ({ lockFile, point, sizeBytes }) =>
    growToDevice(
      sizeBytes,
      () => btrfsBytes(point),
      () => runLocked(lockFile, 'btrfs', ['filesystem', 'resize', 'max', point]),
    ),
  mountOptions: [],
};

/**
 * The options of a version of mkfs.btrfs that make a file system for Linux 5.4: two copies of metadata, as versions before 5.15
 * do not make on an SSD. Their other defaults (from 5.15 on: no holes, free space tree) are older than Linux 5.4.
 */
export function btrfsFeatures(mkfsVersion: number): readonly string[] {
  const profiles = ['-m', 'dup', '-d', 'single'];
  return mkfsVersion < BLOCK_GROUP_TREE_SINCE ? profiles : [...profiles, '-O', '^block-group-tree'];
}

/** Whether the copy of a superblock is there. */
export async function hasBtrfsBackup(node: string): Promise<boolean> {
  return (await readBytes(node, BACKUP_MAGIC_OFFSET, MAGIC.length)).toString('latin1') === MAGIC;
}

/** The size of a mounted file system; undefined when it does not tell. */
async function btrfsBytes(point: string): Promise<number | undefined> {
  // With one disk and single data this is all of it (fs/btrfs/super.c, btrfs_statfs).
  const args = ['--file-system', '--format=%b %S', point];
  const { exitCode, stdout } = await runTool('stat', args, { timeoutMs: LOOK_TIMEOUT_MS });
  const [blocks = Number.NaN, blockSize = Number.NaN] = stdout.trim().split(' ').map(Number);
  return exitCode === 0 ? blocks * blockSize : undefined;
}
