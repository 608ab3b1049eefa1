import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';

/** Where a careful driver looks before it formats: at the first 4 MiB and the last 1 MiB (docs/reference/csi.md D.2). */
const HEAD_BYTES = 4 * 1024 ** 2;
const TAIL_BYTES = 1024 ** 2;

/** A new sparse file; each part is written at its position. @throws EEXIST */
export async function makeImage(
  path: string,
  sizeBytes: number,
  parts: readonly { readonly bytes: Buffer; readonly position: number }[] = [],
): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.truncate(sizeBytes);
    for (const { bytes, position } of parts) await file.write(bytes, 0, bytes.length, position);
  } finally {
    await file.close();
  }
}

/** What somebody else may have left at the two ends of a disk: the same for the same seed, never zero, and no signature of anything. */
export function garbage(
  seed: string,
  sizeBytes: number,
): readonly { readonly bytes: Buffer; readonly position: number }[] {
  const head = Math.min(HEAD_BYTES, sizeBytes);
  const tail = Math.min(TAIL_BYTES, sizeBytes - head);
  const bytes = createHash('shake256', { outputLength: head + tail })
    .update(seed)
    .digest();
  // 0x80 to 0xbf: no signature that blkid knows is made of these bytes alone.
  for (let at = 0; at < bytes.length; at++) bytes[at] = 0x80 | ((bytes[at] ?? 0) & 0x3f);
  return [
    { bytes: bytes.subarray(0, head), position: 0 },
    { bytes: bytes.subarray(head), position: sizeBytes - tail },
  ];
}
