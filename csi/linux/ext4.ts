import { status } from '@grpc/grpc-js';
import { RpcError } from '../rpc-error.ts';
import type { Host } from './host.ts';
import { LOOK_TIMEOUT_MS, runLocked, runTool, toolFailure, toolWords } from './tools.ts';

/**
 * Every feature by name, none by default: what newer versions of mkfs or /etc/mke2fs.conf switch on (1.47: orphan_file,
 * metadata_csum_seed) may be unknown to the node's kernel or its e2fsck. This is the set of e2fsprogs 1.43 to 1.46;
 * Linux 4.4 mounts it.
 */
const FEATURES =
  'none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_file,' +
  'dir_nlink,extra_isize,metadata_csum';

/**
 * A file system that falls short of its device by less than this is as large as it gets: resize2fs leaves out a last
 * block group that is too small. One block group of 4 KiB blocks; disks grow by 100 GB.
 */
const SHORTFALL_BYTES = 128 * 1024 * 1024;

/** Bits of e2fsck's exit code (e2fsck(8); docs/reference/csi.md D.2). */
const FSCK_UNCORRECTED = 4;
const FSCK_DOUBTFUL = 8 | 16 | 32;
/**
 * No code of e2fsck's own lies between its 32s and 128; flock's do (64 to 78), and 128 and more mean a missing library
 * or a kill.
 */
const FSCK_LARGEST = 63;

/** Makes a file system. The disk's content is lost. */
export async function makeExt4(lockFile: string, node: string, uuid: string): Promise<void> {
  const result = await runLocked(lockFile, 'mkfs.ext4', ['-F', '-m0', '-U', uuid, '-O', FEATURES, node]);
  if (result.exitCode !== 0) throw toolFailure(result);
}

/** What e2fsck's exit code means for the mount: go on, go on and say so, or don't. */
export function fsckVerdict(exitCode: number): 'clean' | 'doubtful' | 'broken' {
  if (exitCode > FSCK_LARGEST || (exitCode & FSCK_UNCORRECTED) !== 0) return 'broken';
  return (exitCode & FSCK_DOUBTFUL) === 0 ? 'clean' : 'doubtful';
}

/**
 * Makes an unmounted file system fit for a mount: replays the journal, repairs what is safe to repair without asking,
 * and grows it to its device if that has become larger (before the mount, since a mounted one grows only with
 * CAP_SYS_RESOURCE).
 * @throws RpcError FAILED_PRECONDITION when only a person may repair it, or when it is larger than its device.
 */
export async function prepareExt4(host: Host, lockFile: string, node: string, sizeBytes: number): Promise<void> {
  await checkExt4(host, lockFile, node, ['-p']);
  const growth = planGrowth(await ext4Bytes(node), sizeBytes);
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
  await checkExt4(host, lockFile, node, ['-f', '-p']);
  const result = await runLocked(lockFile, 'resize2fs', [node]);
  if (result.exitCode !== 0) throw toolFailure(result);
  host.logger.info('File system grown before its mount', { node, sizeBytes });
}

async function checkExt4(host: Host, lockFile: string, node: string, options: readonly string[]): Promise<void> {
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
 * Grows a mounted file system to its device.
 * @returns undefined when it is as large as its device now; else what resize2fs said.
 */
export async function growMountedExt4(lockFile: string, node: string, sizeBytes: number): Promise<string | undefined> {
  if (planGrowth(await ext4Bytes(node), sizeBytes) === 'none') return undefined;
  const result = await runLocked(lockFile, 'resize2fs', [node]);
  // By the state, not by the exit code or its words.
  if (planGrowth(await ext4Bytes(node), sizeBytes) === 'none') return undefined;
  return toolFailure(result).message;
}

/** Whether a file system is to be grown to its device. @param fileSystemBytes undefined = not known */
export function planGrowth(
  fileSystemBytes: number | undefined,
  deviceBytes: number,
): 'none' | 'grow' | 'truncated' | 'unknown' {
  if (fileSystemBytes === undefined) return 'unknown';
  if (fileSystemBytes > deviceBytes) return 'truncated';
  return deviceBytes - fileSystemBytes < SHORTFALL_BYTES ? 'none' : 'grow';
}

/** The size of the file system on a disk; undefined when dumpe2fs does not tell. */
async function ext4Bytes(node: string): Promise<number | undefined> {
  const { exitCode, stdout } = await runTool('dumpe2fs', ['-h', node], { timeoutMs: LOOK_TIMEOUT_MS });
  return exitCode === 0 ? parseExt4Bytes(stdout) : undefined;
}

/** Block count times block size in the words of `dumpe2fs -h`. */
export function parseExt4Bytes(text: string): number | undefined {
  const [count, size] = ['Block count', 'Block size'].map((name) =>
    Number(new RegExp(`^${name}:\\s+(\\d+)$`, 'm').exec(text)?.[1] ?? Number.NaN),
  );
  const bytes = (count ?? Number.NaN) * (size ?? Number.NaN);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
