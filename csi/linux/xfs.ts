import type { FileSystemTools } from './file-systems.ts';
import { STEP_GB } from './content.ts';
import { growToDevice } from './growth.ts';
import { readBytes } from './probe.ts';
import { LOOK_TIMEOUT_MS, requireLocked, runLocked, runTool, toolVersion, version } from './tools.ts';

/**
 * The features of a new file system: those of xfsprogs' own `lts_5.4.conf`. What mkfs.xfs makes by default grows from version to
 * version, and an older one refuses names that it does not know. So each is named from a version on that knows it and does not
 * yet make it by default (big timestamps and inode counts: default in 5.15; large extent counts: 6.5; exchange-range and parent
 * pointers: 6.18).
 */
const FEATURES: readonly (readonly [since: number, option: string, value: string])[] = [
  [0, '-m', 'crc=1,finobt=1,reflink=1,rmapbt=0'],
  [0, '-i', 'sparse=1'],
  [version(5, 15), '-m', 'bigtime=0,inobtcount=0'],
  [version(6, 1), '-i', 'nrext64=0'],
  [version(6, 12), '-i', 'exchange=0'],
  [version(6, 12), '-n', 'parent=0'],
];

/** `sb_inprogress` (fs/xfs/libxfs/xfs_format.h, struct xfs_dsb). */
const IN_PROGRESS_OFFSET = 126;

/** What a superblock begins with. */
const MAGIC = 'XFSB';

/** Of mkfs.xfs's default. */
const BLOCK_BYTES = 4096;

export const XFS: FileSystemTools = {
  async make({ node, lockFile }, uuid) {
    const features = xfsFeatures(await toolVersion('mkfs.xfs', '-V'));
    // Not discarded (-K): a new disk has nothing to discard, and the kubelet does not wait long.
    await requireLocked(lockFile, 'mkfs.xfs', ['-f', '-K', '-m', `uuid=${uuid}`, ...features, node]);
  },
  // mkfs.xfs writes the superblock first, and takes this mark out of it at its end.
  isUnfinished: async (node) => (await readBytes(node, IN_PROGRESS_OFFSET, 1))[0] !== 0,
  // The mount replays the log; fsck.xfs does nothing (docs/reference/csi.md D.2).
  prepare: async () => undefined,
  growsMountedOnly: true,
  growMounted: ({ lockFile, point, sizeBytes }) =>
    growToDevice(
      sizeBytes,
      () => xfsBytes(point),
      () => runLocked(lockFile, 'xfs_growfs', ['-d', point]),
    ),
  // Else it could not be mounted while the kernel still holds the mount of the same disk from before it was pulled out.
  mountOptions: ['nouuid'],
};

/**
 * Whether the copy of a superblock is where mkfs.xfs puts one: it parts a disk into four, and each part begins with a copy. The disk may
 * have grown by whole steps since.
 */
export async function hasXfsBackup(node: string, sizeBytes: number): Promise<boolean> {
  const sizes = [sizeBytes];
  for (const step of [STEP_GB * 1e9, STEP_GB * 2 ** 30]) {
    for (let size = step; size < sizeBytes; size += step) sizes.push(size);
  }
  for (const size of sizes) {
    const offset = Math.ceil(size / 4 / BLOCK_BYTES) * BLOCK_BYTES;
    if ((await readBytes(node, offset, MAGIC.length)).toString('latin1') === MAGIC) return true;
  }
  return false;
}

/** The options of a version of mkfs.xfs that make a file system for Linux 5.4. */
export function xfsFeatures(mkfsVersion: number): readonly string[] {
  return FEATURES.filter(([since]) => since <= mkfsVersion).flatMap(([, option, value]) => [option, value]);
}

/** The size of a mounted file system; undefined when xfs_growfs does not tell. `-n` changes nothing. */
async function xfsBytes(point: string): Promise<number | undefined> {
  const { exitCode, stdout } = await runTool('xfs_growfs', ['-n', point], { timeoutMs: LOOK_TIMEOUT_MS });
  return exitCode === 0 ? parseXfsBytes(stdout) : undefined;
}

/** Block size times block count of the data section in the words of `xfs_growfs -n`. */
export function parseXfsBytes(text: string): number | undefined {
  const [, size, count] = /^data\s+=\s+bsize=(\d+)\s+blocks=(\d+)/m.exec(text) ?? [];
  return size === undefined ? undefined : Number(size) * Number(count);
}
