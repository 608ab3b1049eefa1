import { status } from '@grpc/grpc-js';
import { RpcError } from '../rpc-error.ts';
import type { FileSystemTools } from './file-systems.ts';
import { growToDevice, planGrowth } from './growth.ts';
import type { Host } from './host.ts';
import { LOOK_TIMEOUT_MS, requireLocked, runLocked, runTool, toolFailure, toolWords } from './tools.ts';

/**
 * Every feature by name, none by default: what newer versions of mkfs or /etc/mke2fs.conf switch on (1.47: orphan_file,
 * metadata_csum_seed) may be unknown to the node's kernel or its e2fsck. These are the sets of e2fsprogs 1.43 to 1.46;
 * Linux 4.4 mounts them.
 */
const EXT2_FEATURES = 'none,ext_attr,resize_inode,dir_index,filetype,sparse_super,large_file';
const FEATURES = {
  ext2: EXT2_FEATURES,
  ext3: `${EXT2_FEATURES},has_journal`,
  ext4: `${EXT2_FEATURES},has_journal,extent,64bit,flex_bg,huge_file,dir_nlink,extra_isize,metadata_csum`,
};

/** The block with the first backup of the superblock (mke2fs(8), `-b` of e2fsck(8)). */
const BACKUP_SUPERBLOCK = 32_768;

/** Bits of e2fsck's exit code (e2fsck(8); docs/reference/csi.md D.2). */
const FSCK_UNCORRECTED = 4;
const FSCK_DOUBTFUL = 8 | 16 | 32;
/**
 * No code of e2fsck's own lies between its 32s and 128; flock's do (64 to 78), and 128 and more mean a missing library
 * or a kill.
 */
const FSCK_LARGEST = 63;

/** The tools of ext2, ext3 and ext4, which are one program by three names. */
export function extTools(type: keyof typeof FEATURES): FileSystemTools {
  return {
    make: ({ node, lockFile }, uuid) =>
      requireLocked(lockFile, `mkfs.${type}`, ['-F', '-m0', '-U', uuid, '-O', FEATURES[type], node]),
    prepare: (host, { node, lockFile, sizeBytes }) => prepareExt(host, lockFile, node, sizeBytes),
    growsMountedOnly: false,
    growMounted: ({ node, lockFile, sizeBytes }) =>
      growToDevice(
        sizeBytes,
        () => extBytes(node),
        () => runLocked(lockFile, 'resize2fs', [node]),
      ),
    mountOptions: [],
  };
}

/** What e2fsck's exit code means for the mount: go on, go on and say so, or don't. */
export function fsckVerdict(exitCode: number): 'clean' | 'doubtful' | 'broken' {
  if (exitCode > FSCK_LARGEST || (exitCode & FSCK_UNCORRECTED) !== 0) return 'broken';
  return (exitCode & FSCK_DOUBTFUL) === 0 ? 'clean' : 'doubtful';
}

/**
 * Replays the journal, repairs what is safe to repair without asking, and grows the file system to its device if that has
 * become larger (before the mount, since a mounted one grows only with CAP_SYS_RESOURCE).
 */
async function prepareExt(host: Host, lockFile: string, node: string, sizeBytes: number): Promise<void> {
  await checkExt(host, lockFile, node, ['-p']);
  const growth = planGrowth(await extBytes(node), sizeBytes);
  if (growth === 'unknown') host.logger.warn('The size of a file system is not known; it is not grown', { node });
  if (growth === 'none' || growth === 'unknown') return;
  if (growth === 'truncated') {
    const reason = 'the disk is truncated, or another one';
    throw new RpcError(
      status.FAILED_PRECONDITION,
      `the file system on ${node} is larger than its ${sizeBytes} bytes: ${reason}`,
    );
  }
  // resize2fs insists on a full check of an unmounted file system.
  await checkExt(host, lockFile, node, ['-f', '-p']);
  await requireLocked(lockFile, 'resize2fs', [node]);
  host.logger.info('File system grown before its mount', { node, sizeBytes });
}

async function checkExt(host: Host, lockFile: string, node: string, options: readonly string[]): Promise<void> {
  const result = await runLocked(lockFile, 'e2fsck', [...options, node]);
  const verdict = fsckVerdict(result.exitCode);
  if (verdict === 'broken') {
    throw new RpcError(
      status.FAILED_PRECONDITION,
      `the file system on ${node} is not mounted: e2fsck failed, or found errors that need a person (e2fsck ${node})`,
      { cause: toolFailure(result) },
    );
  }
  if (verdict === 'doubtful') host.logger.warn('e2fsck could not do its work', { node, output: toolWords(result) });
}

/**
 * Whether the backup of a superblock is where mkfs puts the first one in blocks of 4 KiB: then a file system was there, and has lost its
 * beginning.
 */
export async function hasExtBackup(node: string): Promise<boolean> {
  const place = ['-o', `superblock=${BACKUP_SUPERBLOCK}`, '-o', 'blocksize=4096'];
  // Not by the exit code: more than the superblock may be damaged.
  const { stdout } = await runTool('dumpe2fs', ['-h', ...place, node], { timeoutMs: LOOK_TIMEOUT_MS });
  return parseExtBytes(stdout) !== undefined;
}

/** The size of the file system on a disk; undefined when dumpe2fs does not tell. */
async function extBytes(node: string): Promise<number | undefined> {
  const { exitCode, stdout } = await runTool('dumpe2fs', ['-h', node], { timeoutMs: LOOK_TIMEOUT_MS });
  return exitCode === 0 ? parseExtBytes(stdout) : undefined;
}

/** Block count times block size in the words of `dumpe2fs -h`. */
export function parseExtBytes(text: string): number | undefined {
  const [count, size] = ['Block count', 'Block size'].map((name) =>
    Number(new RegExp(`^${name}:\\s+(\\d+)$`, 'm').exec(text)?.[1] ?? Number.NaN),
  );
  const bytes = (count ?? Number.NaN) * (size ?? Number.NaN);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
