import { status } from '@grpc/grpc-js';
import type { NodeUnstageVolumeRequest__Output } from '../../proto/gen/csi/v1/NodeUnstageVolumeRequest.ts';
import { until } from '../linux/host.ts';
import type { Mount } from '../linux/mountinfo.ts';
import { mountPointOf, mountsAtPath, readMounts, syncFileSystem, unmountAll } from '../linux/mounts.ts';
import { readSignature, readsAsZeros } from '../linux/probe.ts';
import type { StageRecord } from '../linux/record.ts';
import { dataDisks, deleteDisk, isThere, sizeOf } from '../linux/scsi.ts';
import type { Disk } from '../linux/scsi.ts';
import { LOOK_TIMEOUT_MS, runTool, toolWords } from '../linux/tools.ts';
import { deviceBinds, usesOf } from '../linux/usage.ts';
import { RpcError } from '../rpc-error.ts';
import { required, requiredPath } from './request.ts';
import { bootIdOf, claimOn, holdSlot, isRecordOf, requireQuiet } from './service.ts';
import type { NodeService } from './service.ts';
import { newRecord } from './stage.ts';

/**
 * The kernel may still be letting go of a file system when umount has returned (its last user was another namespace).
 */
const IDLE_TIMEOUT_MS = 10_000;
const LOOK_EVERY_MS = 250;

/**
 * NodeUnstageVolume: afterwards nothing of the volume is left on this node: not mounted, all data on the disk, the SCSI
 * device forgotten (so that the detach that follows leaves no ghost), no record but that of an mkfs which did not end. A volume
 * that is not staged is fine.
 */
export async function nodeUnstageVolume(
  service: NodeService,
  request: NodeUnstageVolumeRequest__Output,
  signal: AbortSignal,
): Promise<Record<string, never>> {
  const volumeId = required('volume_id', request.volume_id);
  const path = requiredPath('staging_target_path', request.staging_target_path);
  await service.locks.hold(volumeId, () => unstage(service, volumeId, path, signal));
  return {};
}

/** What is not known of a volume that the Go driver has staged. */
const GO_STAGED = { access: 'mount', fileSystem: '', mountFlags: [], volumeUniqueId: '', sizeGB: undefined } as const;

/** What an unstaging is decided on. */
export interface UnstageView {
  readonly volumeId: string;
  /** The staging path, as the mount table has it; undefined = its folder does not exist. */
  readonly point: string | undefined;
  /** Those of device nodes, the targets of raw block volumes, with the number of the disk. */
  readonly mounts: readonly Mount[];
  readonly disks: readonly Disk[];
  readonly records: readonly StageRecord[];
  readonly bootId: string;
}

export type UnstagePlan =
  | { readonly do: 'refuse'; readonly reason: string }
  /** Unmount what is at the staging path, then forget the disk that it came from. */
  | { readonly do: 'unstage'; readonly unmount: boolean; readonly forget: readonly Disk[] };

/**
 * What is to be undone, from what was seen. Pure.
 *
 * The disk is the one that is mounted at the staging path, or else the one of the record (after a crash between unmount
 * and deletion), if the kernel still has that very device and no other volume is staged on it.
 */
export function planUnstage(view: UnstageView): UnstagePlan {
  const layers = view.mounts.filter((mount) => mount.point === view.point);
  const record = view.records.find(({ volumeId }) => volumeId === view.volumeId);
  const forget = view.disks.filter(
    (disk) =>
      claimOn(view.records, disk, view.bootId, view.volumeId) === undefined &&
      (layers.some((layer) => layer.device === disk.number) || wasStagedOn(record, disk, view.bootId)),
  );
  const devices = new Set([...layers.map(({ device }) => device), ...forget.map(({ number }) => number)]);
  const elsewhere = view.mounts.filter((mount) => devices.has(mount.device) && mount.point !== view.point);
  if (elsewhere.length > 0) {
    const points = elsewhere.map((mount) => mount.point).join(', ');
    return { do: 'refuse', reason: `it is still mounted at ${points}` };
  }
  return { do: 'unstage', unmount: layers.length > 0, forget };
}

function wasStagedOn(record: StageRecord | undefined, disk: Disk, bootId: string): boolean {
  return record?.bootId === bootId && isRecordOf(record, disk);
}

async function unstage(service: NodeService, volumeId: string, path: string, signal: AbortSignal): Promise<void> {
  const { host, records } = service;
  const point = await mountPointOf(path);
  const known = await records.get(volumeId);
  if (known === undefined && (await mountsAtPath(host, path)).layers.length === 0) return;
  const mounts = await readMounts(host);
  const disks = await dataDisks(host);
  const bootId = await bootIdOf(host);
  const binds: Mount[] = [];
  for (const disk of disks) {
    for (const bind of await deviceBinds(disk, mounts)) binds.push({ ...bind, device: disk.number });
  }
  const view = { volumeId, point, mounts: [...mounts, ...binds], disks, records: await records.all(), bootId };
  const plan = planUnstage(view);
  if (plan.do === 'refuse') {
    throw new RpcError(status.FAILED_PRECONDITION, `volume ${volumeId} is not unstaged: ${plan.reason}`);
  }
  if (known !== undefined) for (const disk of plan.forget) await requireQuiet(service, known, disk);
  if (plan.unmount) {
    await syncFileSystem(host, path);
    signal.throwIfAborted();
    await unmountAll(host, path);
  }
  for (const disk of plan.forget) {
    if (!wasStagedOn(known, disk, bootId)) {
      // The Go driver has staged it: nothing else tells the next call that there is a disk, should somebody still use it.
      await records.save(newRecord({ ...GO_STAGED, volumeId }, disk, bootId));
    }
    await holdSlot(service, disk.slot, async () => {
      // Meanwhile another volume may have been staged there; a raw block volume does not show in the uses of its disk.
      const claim = claimOn(await records.all(), disk, bootId, volumeId);
      if (claim !== undefined || !(await isThere(disk))) return;
      await forgetDisk(service, volumeId, disk, signal);
    });
  }
  await records.unstage(volumeId);
  host.logger.info('Volume unstaged', { volumeId, disks: plan.forget.map(({ name }) => name) });
}

async function forgetDisk(service: NodeService, volumeId: string, disk: Disk, signal: AbortSignal): Promise<void> {
  const { host } = service;
  const flushed = await runTool('blockdev', ['--flushbufs', disk.node], { timeoutMs: LOOK_TIMEOUT_MS });
  if (flushed.exitCode !== 0) {
    host.logger.warn('A disk could not be flushed', { volumeId, disk: disk.name, output: toolWords(flushed) });
  }
  let uses: readonly string[] = [];
  const idle = await until(host.clock, { timeoutMs: IDLE_TIMEOUT_MS, everyMs: LOOK_EVERY_MS }, signal, async () => {
    uses = await usesOf(disk, await readMounts(host));
    return uses.length === 0 ? true : undefined;
  });
  if (idle === undefined) {
    throw new RpcError(
      status.FAILED_PRECONDITION,
      `volume ${volumeId} is unmounted, but its disk ${disk.name} is still in use: ${uses.join(', ')}`,
    );
  }
  const record = await service.records.get(volumeId);
  if (record?.formatting === true && (await needsNoRecord(service, disk))) {
    await service.records.save({ ...record, formatting: false });
  }
  await deleteDisk(host, disk, signal);
}

/**
 * Whether a staging can tell by the disk alone what to do about our mkfs that was not seen to end: something is recognised, or nothing is
 * written. Then another node may fill the disk, and should it lose its superblock there, a record would have it formatted here.
 */
async function needsNoRecord({ host }: NodeService, disk: Disk): Promise<boolean> {
  try {
    const isRecognised = (await readSignature(disk.node)).kind !== 'none';
    return isRecognised || (await readsAsZeros(disk.node, await sizeOf(disk)));
  } catch (error) {
    host.logger.warn('What an mkfs has left on a disk is not known', { disk: disk.name, error });
    return false;
  }
}
