import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { describeError } from '../../daemon/logger.ts';
import type { BoundedLooks } from '../linux/bounded-looks.ts';
import type { Host } from '../linux/host.ts';
import { mountsAtPath } from '../linux/mounts.ts';
import type { StageRecord, StageRecords } from '../linux/record.ts';
import { dataDisks } from '../linux/scsi.ts';
import type { Disk } from '../linux/scsi.ts';
import { attribute } from '../linux/sysfs.ts';
import { runLocked } from '../linux/tools.ts';
import { RpcError } from '../rpc-error.ts';
import type { VolumeLocks } from '../volume-locks.ts';

/** What the RPCs of the node share. */
export interface NodeService {
  readonly host: Host;
  readonly records: StageRecords;
  readonly locks: VolumeLocks;
  /** One operation at a time in one slot, by `holdSlot`. */
  readonly slots: VolumeLocks;
  readonly looks: BoundedLooks;
  /** See `NodeOptions`. */
  readonly formatNonzero: boolean;
  /**
   * The ids of our volumes that Kubernetes has attached to this node, by `Node.status.volumesAttached`; undefined = there is no
   * Kubernetes to ask.
   */
  readonly attachedVolumes: ((signal: AbortSignal) => Promise<ReadonlySet<string> | undefined>) | undefined;
}

/**
 * Runs `work` while nobody else works in the slot: two volumes may name the same one, and what one deletes the other
 * may be using.
 * @throws RpcError ABORTED when somebody does.
 */
export function holdSlot<T>(service: NodeService, slot: number, work: () => Promise<T>): Promise<T> {
  return service.slots.hold(`in SCSI slot ${slot}`, work);
}

/** Time for the Kubernetes API to answer: kubelet waits meanwhile. Our choice. */
const ASK_TIMEOUT_MS = 10_000;

/** Which volumes Kubernetes has attached to this node; undefined = that is not known. */
export async function askAttached(
  { host, attachedVolumes }: NodeService,
  signal: AbortSignal,
): Promise<ReadonlySet<string> | undefined> {
  try {
    return await attachedVolumes?.(AbortSignal.any([signal, AbortSignal.timeout(ASK_TIMEOUT_MS)]));
  } catch (error) {
    signal.throwIfAborted();
    host.logger.warn('Which volumes are attached to this node is not known', { reason: describeError(error) });
    return undefined;
  }
}

/** Identifies the running kernel: device names and numbers mean something until it ends. `''` = not known. */
export async function bootIdOf(host: Host): Promise<string> {
  return (await attribute(join(host.root, 'proc/sys/kernel/random/boot_id'))) ?? '';
}

/** Whether a record tells of this very device, as far as names and numbers can: after a reboot they can't. */
export function isRecordOf({ slot, device, number }: StageRecord, disk: Disk): boolean {
  return slot === disk.slot && device === disk.name && number === disk.number;
}

/**
 * The volume that is staged, by the records, on a disk, other than `volumeId`. One that is only being formatted has no
 * claim (a running mkfs shows in the disk's uses), and one of before a reboot has lost it.
 */
export function claimOn(
  records: readonly StageRecord[],
  disk: Disk,
  bootId: string,
  volumeId: string,
): StageRecord | undefined {
  return records.find(
    (record) =>
      isRecordOf(record, disk) && record.bootId === bootId && !record.formatting && record.volumeId !== volumeId,
  );
}

/** The disk that a volume was staged from, if the kernel still has that very device. */
export async function stagedDisk({ host }: NodeService, record: StageRecord): Promise<Disk | undefined> {
  if (record.bootId !== (await bootIdOf(host))) return undefined;
  return (await dataDisks(host)).find((disk) => isRecordOf(record, disk));
}

/**
 * Makes sure that no tool of a driver that has died still works on a volume's disk. (Those for a disk that is not mounted start after
 * the record is saved, so without a record there is none.)
 * @throws RpcError ABORTED when one does.
 */
export async function requireQuiet(service: NodeService, record: StageRecord, disk: Disk): Promise<void> {
  // Any tool would do: the lock is what matters, so its exit code does not.
  await runLocked(service.records.lockFile(record.volumeId), 'blockdev', ['--getsize64', disk.node]);
}

/** Codes that leave open, for kubelet (its `isFinalError`), whether the call has done something. */
const NOT_FINAL: ReadonlySet<status> = new Set([
  status.CANCELLED,
  status.DEADLINE_EXCEEDED,
  status.UNAVAILABLE,
  status.RESOURCE_EXHAUSTED,
  status.ABORTED,
]);

/**
 * Runs the work of a call that mounts something at a path. While something is mounted there it does not end with a final code: after
 * one the kubelet would take the path for free, and never unmount it. ALREADY_EXISTS is final too, but the specification demands it.
 */
export async function mindingMount(service: NodeService, path: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (cause) {
    const code = cause instanceof RpcError ? cause.code : status.INTERNAL;
    if (NOT_FINAL.has(code) || code === status.ALREADY_EXISTS) throw cause;
    const isThere = await mountsAtPath(service.host, path).then(
      ({ layers }) => layers.length > 0,
      () => true,
    );
    if (!isThere) throw cause;
    throw new RpcError(status.UNAVAILABLE, `${path} stays mounted`, { cause });
  }
}
