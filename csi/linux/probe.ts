import { LOOK_TIMEOUT_MS, requireTool, runTool, toolFailure } from './tools.ts';

const MIB = 1024 * 1024;

/** How much of a disk's start and end must be zeros before it counts as empty (docs/reference/csi.md D.2). */
const HEAD_MIB = 4;
const TAIL_MIB = 1;

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
  const head = [`if=${node}`, 'bs=1M', `count=${HEAD_MIB}`, 'iflag=direct', 'status=none'];
  const skip = `skip=${sizeBytes - TAIL_MIB * MIB}`;
  const tail = [`if=${node}`, 'bs=1M', `count=${TAIL_MIB}`, skip, 'iflag=direct,skip_bytes', 'status=none'];
  return (await isZero(head, HEAD_MIB * MIB)) && (await isZero(tail, TAIL_MIB * MIB));
}

async function isZero(ddArgs: readonly string[], wantedBytes: number): Promise<boolean> {
  let readBytes = 0;
  let zero = true;
  const onStdout = (chunk: Buffer): void => {
    readBytes += chunk.length;
    zero &&= chunk.equals(Buffer.alloc(chunk.length));
  };
  const result = await requireTool('dd', ddArgs, { timeoutMs: LOOK_TIMEOUT_MS, onStdout });
  if (readBytes !== wantedBytes) {
    throw toolFailure({ ...result, stderr: `${readBytes} of ${wantedBytes} bytes were read. ${result.stderr}` });
  }
  return zero;
}

/** The size of the disk in bytes as its opened device node tells it, for comparison with sysfs. */
export async function sizeOfNode(node: string): Promise<number> {
  const { stdout } = await requireTool('blockdev', ['--getsize64', node], { timeoutMs: LOOK_TIMEOUT_MS });
  return Number(stdout.trim());
}
