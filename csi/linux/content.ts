import { createHash } from 'node:crypto';
import type { FileSystem } from '../volume-capability.ts';
import type { Signature } from './probe.ts';

const GB = 1e9;
const GIB = 2 ** 30;

/** First 32 bits of the UUIDs of our file systems: "nifc". */
const OUR_PREFIX = '6e696663';

/**
 * The UUID of the file system that we make on a disk: version 8 (RFC 9562, 5.8), "nifc", then a digest of the disk's
 * unique id. So a disk that turns up in the place of another one is recognised by what is on it.
 */
export function fileSystemUuid(volumeUniqueId: string): string {
  const digest = createHash('sha256').update(volumeUniqueId).digest('hex');
  const digits = (from: number, to: number): string => digest.slice(from, to);
  // RFC 9562: the 13th digit is the version, the top two bits of the 17th are 10.
  const variant = '89ab'[Number.parseInt(digits(7, 8), 16) & 3];
  return `${OUR_PREFIX}-${digits(0, 4)}-8${digits(4, 7)}-${variant}${digits(8, 11)}-${digits(11, 23)}`;
}

/** Whether a file system was made by this driver, on whatever disk. */
export function isOurUuid(uuid: string): boolean {
  return new RegExp(`^${OUR_PREFIX}-[\\da-f]{4}-8[\\da-f]{3}-[89ab][\\da-f]{3}-[\\da-f]{12}$`).test(uuid.toLowerCase());
}

/**
 * The fewest bytes of a disk that the API calls n GB (docs/reference/csi.md C.1; nobody could see whether GB is 10⁹ or
 * 2³⁰).
 */
export function leastBytesOf(sizeGB: number): number {
  return sizeGB * GB;
}

/** Disks grow in steps of this size (docs/reference/nifcloud-api.md §3.6). */
export const STEP_GB = 100;

/**
 * Whether a device is a disk that had n GB when it was attached: it may have grown by whole steps since, before it was ever
 * staged. Anything from n·10⁹ to n·2³⁰ bytes is n GB by some meaning of "GB". (Above 1300 GB the ranges of neighbouring sizes
 * touch; emptiness is proved by the content, never by the size.)
 */
export function isDiskOf(sizeGB: number, sizeBytes: number): boolean {
  const steps = Math.max(0, Math.floor((sizeBytes / GB - sizeGB) / STEP_GB));
  const nowGB = sizeGB + steps * STEP_GB;
  return sizeBytes >= nowGB * GB && sizeBytes <= nowGB * GIB;
}

/** What is known of a disk before anything is done to it. */
export interface DiskContent {
  readonly signature: Signature;
  /** The start and the end of the disk read as zeros; undefined = they were not read. */
  readonly zeros: boolean | undefined;
  /** The backup of a superblock was looked for, and is there. */
  readonly hasBackup: boolean;
  /** What is recognised is but the beginning of a file system, and was never mounted. */
  readonly unfinished: boolean;
  readonly sizeBytes: number;
  /** A record says that we began to format this very disk and had not ended. */
  readonly formatBegun: boolean;
}

/** What the disk is to be. */
export interface WantedContent {
  readonly fileSystem: FileSystem;
  readonly readOnly: boolean;
  /** `''` = not known: attached by the Go driver. */
  readonly volumeUniqueId: string;
  /** Undefined = not known: attached by the Go driver. */
  readonly sizeGB: number | undefined;
  /** New disks of this cloud are not zeros, so that proof is not asked for (`--format-nonzero-new-disks`). */
  readonly formatNonzero: boolean;
}

export type ContentPlan =
  | { readonly do: 'format' }
  | { readonly do: 'mount'; /** What an operator should know. */ readonly note?: string }
  | { readonly do: 'refuse'; readonly reason: string };

/**
 * Whether a disk is formatted, mounted or left alone. Pure.
 *
 * - Only a disk that is provably empty, and of a size that fits the order, is ever formatted (docs/reference/csi.md
 *   D.2).
 * - An interrupted mkfs of our own may be repeated without the proof, but only while no complete file system is recognised
 *   on the disk: that one may meanwhile have been used on another node.
 * - A file system of ours that belongs to another disk is refused; any other one is taken as it is (Go driver, `tune2fs
 *   -U`).
 */
export function planContent(seen: DiskContent, wanted: WantedContent): ContentPlan {
  const { signature } = seen;
  switch (signature.kind) {
    case 'ambivalent':
      return refuse('several signatures on it contradict each other (blkid exit 8); see `wipefs --no-act`');
    case 'partitions':
      return refuse(`it holds a partition table (${signature.table})`);
    case 'file-system':
      return seen.unfinished
        ? planUnfinished(signature.type, signature.uuid, seen, wanted)
        : planMount(signature.type, signature.uuid, wanted);
    default:
      return planFormat(seen, wanted);
  }
}

function planMount(type: string, uuid: string, wanted: WantedContent): ContentPlan {
  if (type !== wanted.fileSystem) return refuse(`it holds ${type}, not ${wanted.fileSystem}`);
  if (!isOurUuid(uuid)) return { do: 'mount', note: 'The file system was not made by this driver' };
  if (wanted.volumeUniqueId === '') return { do: 'mount', note: 'Whose file system it is could not be checked' };
  const expected = fileSystemUuid(wanted.volumeUniqueId);
  if (uuid.toLowerCase() === expected) return { do: 'mount' };
  return refuse(`its file system ${uuid} belongs to another disk; that of ${wanted.volumeUniqueId} is ${expected}`);
}

/** Its UUID tells whose mkfs it was, and of which disk, on whatever node: it is as good as a record. */
function planUnfinished(type: string, uuid: string, seen: DiskContent, wanted: WantedContent): ContentPlan {
  const isOurs = wanted.volumeUniqueId !== '' && uuid.toLowerCase() === fileSystemUuid(wanted.volumeUniqueId);
  if (isOurs) return planFormat({ ...seen, formatBegun: true }, wanted);
  return refuse(`an mkfs of ${type} did not end on it, and it was not this driver's for this disk`);
}

function planFormat(seen: DiskContent, wanted: WantedContent): ContentPlan {
  const { sizeGB } = wanted;
  if (wanted.readOnly) return refuse('it holds no file system, and the mount is read-only');
  if (sizeGB !== undefined && !isDiskOf(sizeGB, seen.sizeBytes)) {
    return refuse(
      `it holds no file system, and is not formatted since it has ${seen.sizeBytes} bytes, not ${sizeGB} GB or whole steps of ${STEP_GB} GB more`,
    );
  }
  if (seen.formatBegun || seen.zeros === true) return { do: 'format' };
  // Without a size that fits, nothing at all would speak for a new disk.
  if (wanted.formatNonzero && seen.zeros === false && sizeGB !== undefined) return planNonzero(seen);
  return refuse(
    'no file system is recognised on it, but it is not empty: its first 4 MiB and last 1 MiB are not all zeros. ' +
      'It is not formatted, since that could destroy data. If nothing on it is needed, overwrite these parts with zeros. ' +
      'If new disks of this cloud are not zeros, start the node server with --format-nonzero-new-disks',
  );
}

/** A new disk may hold anything where new disks are not zeros, but a file system that has lost its beginning is no new disk. */
function planNonzero({ hasBackup }: DiskContent): ContentPlan {
  if (!hasBackup) return { do: 'format' };
  return refuse(
    'no file system is recognised on it, but the backup of a superblock is: `e2fsck -b 32768` (ext), `xfs_repair` or ' +
      '`btrfs rescue super-recover` may bring it back',
  );
}

function refuse(reason: string): ContentPlan {
  return { do: 'refuse', reason };
}
