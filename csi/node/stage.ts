import { basename, dirname, join } from 'node:path';
import { status } from '@grpc/grpc-js';
import type { NodeStageVolumeRequest__Output } from '../../proto/gen/csi/v1/NodeStageVolumeRequest.ts';
import { leastBytesOf } from '../linux/content.ts';
import type { Mount } from '../linux/mountinfo.ts';
import { clearDeadMount, mountPointOf, mountsAtPath, readMounts } from '../linux/mounts.ts';
import { StageRecords } from '../linux/record.ts';
import type { StageRecord } from '../linux/record.ts';
import { deleteDisk, diskController, diskInSlot, faultOf, parseDevicePath, sizeOf, untilDisk } from '../linux/scsi.ts';
import type { Disk } from '../linux/scsi.ts';
import { deviceBinds, isNodeBound, usesOf } from '../linux/usage.ts';
import { RpcError } from '../rpc-error.ts';
import { parseCapability } from '../volume-capability.ts';
import type { Capability } from '../volume-capability.ts';
import { invalid, required, requiredPath } from './request.ts';
import { askAttached, bootIdOf, claimOn, holdSlot, isRecordOf, mindingMount, requireQuiet } from './service.ts';
import type { NodeService } from './service.ts';
import { growStaged, requireWholeNode, stageFileSystem } from './stage-file-system.ts';

/** A volume to be staged, as the request says it. */
export interface StageWish extends Pick<Capability, 'access' | 'fileSystem' | 'mountFlags'> {
  readonly volumeId: string;
  readonly path: string;
  readonly slot: number;
  /** `''` = not told: made and attached by the Go driver (docs/reference/csi.md C.1). */
  readonly volumeUniqueId: string;
  /** At the time of the attach, so a lower bound; undefined = not told. */
  readonly sizeGB: number | undefined;
}

/**
 * NodeStageVolume: afterwards the volume's disk is discovered and recorded, and, unless it is a raw block volume, its file system
 * is mounted at the staging path.
 *
 * The rules that keep data safe are in `planStage` (is this the right disk?) and `planContent` (may it be formatted?).
 */
export async function nodeStageVolume(
  service: NodeService,
  request: NodeStageVolumeRequest__Output,
  signal: AbortSignal,
): Promise<Record<string, never>> {
  const wish = stageWish(request);
  await service.locks.hold(wish.volumeId, () =>
    holdSlot(service, wish.slot, () => mindingMount(service, wish.path, () => stage(service, wish, signal))),
  );
  return {};
}

function stageWish(request: NodeStageVolumeRequest__Output): StageWish {
  const volumeId = required('volume_id', request.volume_id);
  const path = requiredPath('staging_target_path', request.staging_target_path);
  const { access, fileSystem, mountFlags } = parseCapability(request.volume_capability);
  StageRecords.requireVolumeId(volumeId);
  const { devicePath = '', volumeUniqueId: attached = '', sizeGB: size = '' } = request.publish_context;
  const volumeUniqueId = attached || (request.volume_context['volumeUniqueId'] ?? '');
  const slot = parseDevicePath(devicePath);
  if (slot === undefined) {
    throw invalid(`publish_context devicePath is ${JSON.stringify(devicePath)}, not "SCSI (0:N)" of a data disk`);
  }
  if (!/^([1-9]\d{0,6})?$/.test(size)) throw invalid(`publish_context sizeGB is ${JSON.stringify(size)}`);
  const sizeGB = size === '' ? undefined : Number(size);
  return { volumeId, path, access, fileSystem, mountFlags, slot, volumeUniqueId, sizeGB };
}

/** What a staging is decided on. */
export interface StageView {
  /** What is visible at the staging path. */
  readonly mounted: Mount | undefined;
  /** What the kernel has in the slot: the disk, or a ghost. */
  readonly disk: Disk | undefined;
  /** What is wrong with that disk. */
  readonly fault: string | undefined;
  /** What it is used for. */
  readonly uses: readonly string[];
  /** Its device node is bound at targets of this very volume, and nowhere else. */
  readonly published: boolean;
  /** The record of this volume, if it was made since the machine booted. */
  readonly record: StageRecord | undefined;
  /** The record of another volume that is staged on that disk. */
  readonly claim: StageRecord | undefined;
}

export type StagePlan =
  /** Staged already. `adopt` = not by this driver (the Go driver before it), so a record is still to be made. */
  | { readonly do: 'nothing' | 'adopt'; readonly disk: Disk }
  /** Discover the disk, and mount it. First forget what the kernel has in the slot, so that it can't be a ghost. */
  | { readonly do: 'bring-up'; readonly forget: Disk | undefined }
  | { readonly do: 'refuse'; readonly code: status; readonly reason: string };

/** How a volume comes to its staging path, from what was seen. Pure. */
export function planStage(wish: StageWish, view: StageView): StagePlan {
  const { mounted, disk, claim, record } = view;
  if (mounted !== undefined) return planMounted(wish, mounted, view);
  if (claim !== undefined && isStanding(claim, view.uses)) return claimed(wish, claim);
  if (disk === undefined) return { do: 'bring-up', forget: undefined };
  if (record?.access === 'block' && isRecordOf(record, disk)) return planStaged(wish, disk, view);
  if (wish.access === 'block' && view.published) return planStaged(wish, disk, view);
  if (view.uses.length > 0) {
    const reason = `disk ${disk.name} in SCSI slot ${wish.slot} is in use: ${view.uses.join(', ')}`;
    return record !== undefined && isRecordOf(record, disk) ? stuck(reason) : unmet(reason);
  }
  return { do: 'bring-up', forget: disk };
}

/**
 * Whether the volume of a record is still staged. The Go driver leaves the records alone when it unstages; then nobody has the disk
 * mounted any more, or it is another one to which Linux has given the same name.
 */
function isStanding(claim: StageRecord, uses: readonly string[]): boolean {
  return claim.access === 'block' || uses.length > 0;
}

function claimed({ slot }: StageWish, { volumeId }: StageRecord): StagePlan & { readonly do: 'refuse' } {
  return unmet(`SCSI slot ${slot} holds volume ${volumeId}, which is staged; unstage that first`);
}

function planMounted(wish: StageWish, mounted: Mount, view: StageView): StagePlan {
  const { disk } = view;
  if (disk === undefined || disk.number !== mounted.device) {
    const inSlot = disk === undefined ? 'empty' : `${disk.name} (${disk.number})`;
    return stuck(
      `${mounted.source} (${mounted.device}) is mounted at the staging path, but SCSI slot ${wish.slot} is ${inSlot}: ` +
        'the disk was detached while in use; delete the pods that use the volume',
    );
  }
  if (mounted.fileSystem !== wish.fileSystem) return existing(`with file system ${mounted.fileSystem}`);
  return planStaged(wish, disk, view);
}

/** What is left to do for a volume that is staged from the disk in its slot. */
function planStaged(wish: StageWish, disk: Disk, { fault, record }: StageView): StagePlan {
  if (fault !== undefined) return stuck(`disk ${disk.name} is staged and does not work: ${fault}`);
  if (record === undefined || !isRecordOf(record, disk)) return { do: 'adopt', disk };
  if (record.volumeUniqueId !== '' && wish.volumeUniqueId !== '' && record.volumeUniqueId !== wish.volumeUniqueId) {
    return stuck(`disk ${record.volumeUniqueId} is staged as this volume, not ${wish.volumeUniqueId}`);
  }
  if (record.access !== wish.access) return existing(`for ${record.access} access`);
  if (record.mountFlags.join('\n') !== wish.mountFlags.join('\n')) {
    return existing('with other mount flags');
  }
  // What is staged is no unfinished mkfs any more: the Go driver has ended it.
  return { do: record.formatting ? 'adopt' : 'nothing', disk };
}

function unmet(reason: string): StagePlan & { readonly do: 'refuse' } {
  return { do: 'refuse', code: status.FAILED_PRECONDITION, reason };
}

/**
 * Something is staged, or not yet unstaged, and is of no use. Kubelet takes FAILED_PRECONDITION for "nothing is staged" (its
 * `isFinalError`): it would never unstage it when the pods have gone, and have the disk detached from under its users.
 */
function stuck(reason: string): StagePlan {
  return { do: 'refuse', code: status.UNAVAILABLE, reason };
}

function existing(how: string): StagePlan {
  return { do: 'refuse', code: status.ALREADY_EXISTS, reason: `it is staged ${how}; unstage it first` };
}

async function stage(service: NodeService, wish: StageWish, signal: AbortSignal): Promise<void> {
  const { host, records } = service;
  const files = wish.fileSystem === '' ? undefined : { ...wish, fileSystem: wish.fileSystem };
  await clearDeadMount(service, wish.path);
  const controller = await diskController(host);
  const bootId = await bootIdOf(host);
  await forgetLeftBehind(service, wish, bootId, signal);
  const disk = await diskInSlot(host, controller, wish.slot);
  const record = await records.get(wish.volumeId);
  if (record !== undefined && disk !== undefined) await requireQuiet(service, record, disk);
  const { mounts, layers } = await mountsAtPath(host, wish.path);
  const mounted = await checkedMount(layers.at(-1), disk);
  const plan = planStage(wish, {
    mounted,
    disk,
    fault: disk === undefined ? undefined : await faultOf(disk),
    uses: disk === undefined || mounted !== undefined ? [] : await usesOf(disk, mounts),
    published: disk !== undefined && (await isPublished(wish, disk, mounts)),
    record: record?.bootId === bootId ? record : undefined,
    claim: disk && claimOn(await records.all(), disk, bootId, wish.volumeId),
  });
  switch (plan.do) {
    case 'refuse':
      throw refusal(wish, plan);
    case 'nothing':
    case 'adopt':
      if (plan.do === 'adopt') await records.save(newRecord(wish, plan.disk, bootId));
      // The driver may have died between the mount and this.
      if (files !== undefined && mounted?.readOnly === false) {
        await growStaged(service, files, plan.disk, await sizeOf(plan.disk));
      }
      return;
    case 'bring-up': {
      if (plan.forget !== undefined) await deleteDisk(host, plan.forget, signal);
      const leastBytes = wish.sizeGB === undefined ? 1 : leastBytesOf(wish.sizeGB);
      const found = await untilDisk(host, controller, wish.slot, leastBytes, signal);
      await requireWholeNode(found.disk, found.sizeBytes);
      // Only now it has a name, maybe that of a disk which has left.
      const claim = claimOn(await records.all(), found.disk, bootId, wish.volumeId);
      if (claim !== undefined && isStanding(claim, [])) throw refusal(wish, claimed(wish, claim));
      if (claim !== undefined) await records.remove(claim.volumeId);
      const fresh = { ...found, record: newRecord(wish, found.disk, bootId), formatBegun: isFormatBegun(record, wish) };
      if (files === undefined) await records.save(fresh.record);
      else await stageFileSystem(service, files, fresh, signal);
      host.logger.info('Volume staged', { volumeId: wish.volumeId, disk: found.disk.name, slot: wish.slot });
    }
  }
}

/**
 * Removes the records that raw block volumes have left behind in the slot: when kubelet restarts between the last unpublishing and the
 * unstaging, it forgets to unstage. Such a one is not attached, by a list that is new enough to have the volume which is in the slot now,
 * and no pod has its device node.
 */
async function forgetLeftBehind(
  service: NodeService,
  { volumeId, slot }: StageWish,
  bootId: string,
  signal: AbortSignal,
): Promise<void> {
  const { host, records } = service;
  const others = async (): Promise<readonly StageRecord[]> =>
    (await records.all()).filter(
      (one) => one.access === 'block' && one.slot === slot && one.bootId === bootId && one.volumeId !== volumeId,
    );
  if ((await others()).length === 0) return;
  const attached = await askAttached(service, signal);
  if (attached?.has(volumeId) !== true) return;
  const mounts = await readMounts(host);
  for (const other of await others()) {
    if (attached.has(other.volumeId) || (await isNodeBound(host, other.device, mounts))) continue;
    await records.remove(other.volumeId);
    host.logger.warn('A volume was never unstaged; its record is removed', { volumeId: other.volumeId, slot });
  }
}

function refusal({ volumeId }: StageWish, { code, reason }: StagePlan & { readonly do: 'refuse' }): RpcError {
  return new RpcError(code, `volume ${volumeId} is not staged: ${reason}`);
}

/**
 * A mount, which is another device's if it is not known to be the disk's. A btrfs mount is listed by the name that its device had
 * at the time of the mount: it may be the disk's now, while the device has gone. A disk that nobody has claimed is mounted nowhere.
 */
async function checkedMount(mounted: Mount | undefined, disk: Disk | undefined): Promise<Mount | undefined> {
  if (mounted?.fileSystem !== 'btrfs' || disk === undefined || mounted.device !== disk.number) return mounted;
  return (await usesOf(disk, [])).length > 0 ? mounted : { ...mounted, device: 'of a disk that is gone' };
}

/**
 * Whether the disk is in the hands of pods as this block volume, by the paths of kubelet: `…/volumeDevices/staging/PV`,
 * `…/volumeDevices/publish/PV/POD`, and `…/volumeDevices/PV/dev/POD`, where kubelet itself binds what is published. So it is found when
 * the Go driver has published it, which records nothing.
 */
async function isPublished(wish: StageWish, disk: Disk, mounts: readonly Mount[]): Promise<boolean> {
  const point = await mountPointOf(wish.path);
  if (wish.access !== 'block' || point === undefined) return false;
  const [devices, pv] = [dirname(dirname(point)), basename(point)];
  const folders = [join(devices, 'publish', pv), join(devices, pv, 'dev')];
  const binds = await deviceBinds(disk, mounts);
  return binds.length > 0 && binds.every((bind) => folders.includes(dirname(bind.point)));
}

/**
 * Whether we began to format this very disk. Without a unique id nothing tells that it is the same one; the slot may be another
 * one, since the record outlives an unstaging.
 */
function isFormatBegun(record: StageRecord | undefined, wish: StageWish): boolean {
  return record?.formatting === true && wish.volumeUniqueId !== '' && record.volumeUniqueId === wish.volumeUniqueId;
}

/** The record of a volume that is staged on a disk. */
export function newRecord(wish: Omit<StageWish, 'path' | 'slot'>, disk: Disk, bootId: string): StageRecord {
  const { volumeId, access, fileSystem, volumeUniqueId, mountFlags } = wish;
  return {
    volumeId,
    access,
    fileSystem,
    slot: disk.slot,
    device: disk.name,
    number: disk.number,
    bootId,
    volumeUniqueId,
    sizeGB: wish.sizeGB ?? 0,
    mountFlags,
    formatting: false,
    unfinishedReadOnly: [],
  };
}
