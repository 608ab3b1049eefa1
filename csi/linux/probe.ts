import { LOOK_TIMEOUT_MS, requireTool, runPiped, runTool, toolFailure } from './tools.ts';
import type { Command } from './tools.ts';

const MIB = 1024 * 1024;

/** How much of a disk's start and end must be zeros before it counts as empty (docs/reference/csi.md D.2). */
const HEAD_MIB = 4;
const TAIL_MIB = 1;

/** SHA-256 of so many zeros. */
const HEAD_ZEROS = 'bb9f8df61474d25e71fa00722318cd387396ca1736605e1248821cc0de3d3af8 ';
const TAIL_ZEROS = '30e14955ebf1352266dc2ff8067e68104607e750abb9d3b36582b8af909fcb58 ';

/** What blkid recognises on a disk. */
export type Signature =
  | { readonly kind: 'file-system'; readonly type: string; /** `''` = it has none. */ readonly uuid: string }
  | { readonly kind: 'partitions'; readonly table: string }
  /** Signatures that contradict each other. */
  | { readonly kind: 'ambivalent' }
  /**
   * Nothing recognised. That is no proof of emptiness: the answer is the same for random data and for a disk that can't
   * be read.
   */
  | { readonly kind: 'none' };

/**
 * Reads the answer of `blkid -p -o export` (docs/reference/csi.md D.2). Undefined for an exit code that says nothing
 * about the disk (4: wrong usage), and for an answer that names neither a type nor a table.
 */
export function parseBlkid(exitCode: number, stdout: string): Signature | undefined {
  if (exitCode === 2) return { kind: 'none' };
  if (exitCode === 8) return { kind: 'ambivalent' };
  if (exitCode !== 0) return undefined;
  const tags = new Map(stdout.split('\n').map((line) => [line.split('=', 1)[0], line.slice(line.indexOf('=') + 1)]));
  const [type, table] = [tags.get('TYPE'), tags.get('PTTYPE')];
  if (table !== undefined) return { kind: 'partitions', table };
  return type === undefined ? undefined : { kind: 'file-system', type, uuid: tags.get('UUID') ?? '' };
}

/** What is recognised on the disk right now, read from the disk itself and not from a cache. */
export async function readSignature(node: string): Promise<Signature> {
  const args = ['-p', '-s', 'TYPE', '-s', 'PTTYPE', '-s', 'UUID', '-o', 'export', node];
  const result = await runTool('blkid', args, { timeoutMs: LOOK_TIMEOUT_MS });
  const signature = parseBlkid(result.exitCode, result.stdout);
  if (signature === undefined) throw toolFailure(result);
  return signature;
}

/**
 * Whether the first 4 MiB and the last MiB of the disk itself are zeros, past all caches.
 * @throws ToolError when they can't be read to the last byte.
 */
export async function readsAsZeros(node: string, sizeBytes: number): Promise<boolean> {
  const digestOf = (count: number, skip: number): Promise<string> =>
    readDisk([`if=${node}`, 'bs=1M', `skip=${skip}`, 'iflag=direct,skip_bytes'], count, ['sha256sum']);
  const head = await digestOf(HEAD_MIB, 0);
  const tail = await digestOf(TAIL_MIB, sizeBytes - TAIL_MIB * MIB);
  return head.startsWith(HEAD_ZEROS) && tail.startsWith(TAIL_ZEROS);
}

/**
 * A few bytes of the disk itself, past all caches, out of one block of 4 KiB.
 * @throws ToolError when they can't be read.
 */
export async function readBytes(node: string, offset: number, count: number): Promise<Buffer> {
  const ddArgs = [`if=${node}`, 'bs=4096', `skip=${Math.floor(offset / 4096)}`, 'iflag=direct'];
  const text = await readDisk(ddArgs, 1, ['od', '-An', '-tx1', `-N${count}`, `-j${offset % 4096}`]);
  return Buffer.from(text.replaceAll(/\s/g, ''), 'hex');
}

/**
 * What a tool makes of a part of the disk.
 * @param count how many blocks of `bs` there are to be read
 */
async function readDisk(ddArgs: readonly string[], count: number, reader: Command): Promise<string> {
  const [dd, read] = await runPiped(['dd', ...ddArgs, `count=${count}`], reader, { timeoutMs: LOOK_TIMEOUT_MS });
  // A disk that ends too early is no error to dd.
  const isWhole = dd.stderr.split('\n').includes(`${count}+0 records in`);
  if (dd.exitCode !== 0 || !isWhole) throw toolFailure(dd);
  if (read.exitCode !== 0) throw toolFailure(read);
  return read.stdout;
}

/** The size of the disk in bytes as its opened device node tells it, for comparison with sysfs. */
export async function sizeOfNode(node: string): Promise<number> {
  const { stdout } = await requireTool('blockdev', ['--getsize64', node], { timeoutMs: LOOK_TIMEOUT_MS });
  return Number(stdout.trim());
}
