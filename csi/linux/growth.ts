import { toolFailure } from './tools.ts';
import type { ToolResult } from './tools.ts';

/**
 * A file system that falls short of its device by less than this is as large as it gets: ext4 leaves out a last block group
 * that is too small, xfs an allocation group. One block group of 4 KiB blocks; disks grow by 100 GB.
 */
const SHORTFALL_BYTES = 128 * 1024 * 1024;

/** Whether a file system is to be grown to its device. @param fileSystemBytes undefined = not known */
export function planGrowth(
  fileSystemBytes: number | undefined,
  deviceBytes: number,
): 'none' | 'grow' | 'truncated' | 'unknown' {
  if (fileSystemBytes === undefined) return 'unknown';
  if (fileSystemBytes > deviceBytes) return 'truncated';
  return deviceBytes - fileSystemBytes < SHORTFALL_BYTES ? 'none' : 'grow';
}

/**
 * Grows a file system to its device, unless it is as large already.
 * @param measure the bytes that it has; undefined = not known
 * @returns undefined when it is as large as its device now; else what the tool said.
 */
export async function growToDevice(
  deviceBytes: number,
  measure: () => Promise<number | undefined>,
  resize: () => Promise<ToolResult>,
): Promise<string | undefined> {
  if (planGrowth(await measure(), deviceBytes) === 'none') return undefined;
  const result = await resize();
  // By the state, not by the exit code or its words.
  return planGrowth(await measure(), deviceBytes) === 'none' ? undefined : toolFailure(result).message;
}
