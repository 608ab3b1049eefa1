import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { status } from '@grpc/grpc-js';
import type { NodeStageVolumeRequest__Output } from '../../proto/gen/csi/v1/NodeStageVolumeRequest.ts';
import { fileSystemUuid, leastBytesOf, planContent } from '../linux/content.ts';
import type { ContentPlan } from '../linux/content.ts';
import { makeExt4, prepareExt4 } from '../linux/ext4.ts';
import { isReadOnly } from '../linux/mountinfo.ts';
import type { Mount } from '../linux/mountinfo.ts';
import { clearDeadMount, mountExt4, mountsAtPath } from '../linux/mounts.ts';
import { readSignature, readsAsZeros, sizeOfNode } from '../linux/probe.ts';
import { StageRecords } from '../linux/record.ts';
import type { StageRecord } from '../linux/record.ts';
import { deleteDisk, diskController, diskInSlot, faultOf, parseDevicePath, untilDisk } from '../linux/scsi.ts';
import type { Disk } from '../linux/scsi.ts';
import { usesOf } from '../linux/usage.ts';
import { RpcError } from '../rpc-error.ts';
import { invalid, mountFlagsOf, required, requiredPath } from './request.ts';
import { bootIdOf, holdSlot, requireQuiet, slotClaim } from './service.ts';
import type { NodeService } from './service.ts';

/** A volume to be staged, as the request says it. */
export interface StageWish {
  readonly volumeId: string;
  readonly path: string;
  readonly slot: number;
  readonly mountFlags: readonly string[];
  /** `''` = not told: attached by the Go driver (docs/reference/csi.md C.1). */
  readonly volumeUniqueId: string;
  /** At the time of the attach, so a lower bound; undefined = not told. */
  readonly sizeGB: number | undefined;
}

/**
 * NodeStageVolume: afterwards the file system of the volume's disk is mounted at the staging path.
 *
 * The rules that keep data safe are in `planStage` (is this the right disk?) and `planContent` (may it be formatted?).
 */
export async function nodeStageVolume(
  service: NodeService,
  request: NodeStageVolumeRequest__Output,
  signal: AbortSignal,
): Promise<Record<string, never>> {
  const wish = stageWish(request);
  await service.locks.hold(wish.volumeId, () => holdSlot(service, wish.slot, () => stage(service, wish, signal)));
  return {};
}

function stageWish(request: NodeStageVolumeRequest__Output): StageWish {
  const volumeId = required('volume_id', request.volume_id);
  const path = requiredPath('staging_target_path', request.staging_target_path);
  const mountFlags = mountFlagsOf(request.volume_capability);
  StageRecords.requireVolumeId(volumeId);
  const { devicePath = '', volumeUniqueId = '', sizeGB = '' } = request.publish_context;
  const slot = parseDevicePath(devicePath);
  if (slot === undefined) {
    throw invalid(`publish_context devicePath is ${JSON.stringify(devicePath)}, not "SCSI (0:N)" of a data disk`);
  }
  if (!/^([1-9]\d{0,6})?$/.test(sizeGB)) throw invalid(`publish_context sizeGB is ${JSON.stringify(sizeGB)}`);
  return { volumeId, path, slot, mountFlags, volumeUniqueId, sizeGB: sizeGB === '' ? undefined : Number(sizeGB) };
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
  /** The record of this volume, if it was made since the machine booted. */
  readonly record: StageRecord | undefined;
  /** The record of another volume that is staged in the slot. */
  readonly claim: StageRecord | undefined;
}

export type StagePlan =
  /** Staged already. `adopt` = not by this driver (the Go driver before it), so a record is still to be made. */
  | { readonly do: 'nothing' | 'adopt' }
  /** Discover the disk, and mount it. First forget what the kernel has in the slot, so that it can't be a ghost. */
  | { readonly do: 'bring-up'; readonly forget: Disk | undefined }
  | { readonly do: 'refuse'; readonly code: status; readonly reason: string };

/** How a volume comes to its staging path, from what was seen. Pure. */
export function planStage(wish: StageWish, view: StageView): StagePlan {
  const { mounted, disk, claim } = view;
  if (mounted !== undefined) return planMounted(wish, mounted, view);
  if (claim !== undefined) {
    return unmet(`SCSI slot ${wish.slot} holds volume ${claim.volumeId}, which is staged; unstage that first`);
  }
  if (disk !== undefined && view.uses.length > 0) {
    return unmet(`disk ${disk.name} in SCSI slot ${wish.slot} is in use: ${view.uses.join(', ')}`);
  }
  return { do: 'bring-up', forget: disk };
}

function planMounted(wish: StageWish, mounted: Mount, { disk, fault, record }: StageView): StagePlan {
  if (disk === undefined || disk.number !== mounted.device) {
    const inSlot = disk === undefined ? 'empty' : `${disk.name} (${disk.number})`;
    return unmet(
      `${mounted.source} (${mounted.device}) is mounted at the staging path, but SCSI slot ${wish.slot} is ${inSlot}: ` +
        'the disk was detached while in use; delete the pods that use the volume',
    );
  }
  if (fault !== undefined) return unmet(`disk ${disk.name} is staged and does not work: ${fault}`);
  if (record?.number !== disk.number) return { do: 'adopt' };
  if (record.volumeUniqueId !== '' && wish.volumeUniqueId !== '' && record.volumeUniqueId !== wish.volumeUniqueId) {
    return unmet(`disk ${record.volumeUniqueId} is staged as this volume, not ${wish.volumeUniqueId}`);
  }
  if (record.mountFlags.join('\n') !== wish.mountFlags.join('\n')) {
    const reason = `the volume is staged with other mount flags: ${record.mountFlags.join(' ') || 'none'}`;
    return { do: 'refuse', code: status.ALREADY_EXISTS, reason };
  }
  return { do: 'nothing' };
}

function unmet(reason: string): StagePlan {
  return { do: 'refuse', code: status.FAILED_PRECONDITION, reason };
}

async function stage(service: NodeService, wish: StageWish, signal: AbortSignal): Promise<void> {
  const { host, records } = service;
  await clearDeadMount(host, wish.path);
  const controller = await diskController(host);
  const bootId = await bootIdOf(host);
  const disk = await diskInSlot(host, controller, wish.slot);
  const record = await records.get(wish.volumeId);
  if (record !== undefined && disk !== undefined) await requireQuiet(service, record, disk);
  const { mounts, layers } = await mountsAtPath(host, wish.path);
  const mounted = layers.at(-1);
  const plan = planStage(wish, {
    mounted,
    disk,
    fault: disk === undefined ? undefined : await faultOf(disk),
    uses: disk === undefined || mounted !== undefined ? [] : await usesOf(disk, mounts),
    record: record?.bootId === bootId ? record : undefined,
    claim: slotClaim(await records.all(), wish.slot, bootId, wish.volumeId),
  });
  switch (plan.do) {
    case 'nothing':
      return;
    case 'refuse':
      throw new RpcError(plan.code, `volume ${wish.volumeId} is not staged: ${plan.reason}`);
    case 'adopt':
      if (disk !== undefined) await records.save(newRecord(wish, disk, bootId));
      return;
    case 'bring-up': {
      if (plan.forget !== undefined) await deleteDisk(host, plan.forget, signal);
      const leastBytes = wish.sizeGB === undefined ? 1 : leastBytesOf(wish.sizeGB);
      const found = await untilDisk(host, controller, wish.slot, leastBytes, signal);
      await bringUp(service, wish, found, { bootId, formatBegun: isFormatBegun(record, wish) }, signal);
    }
  }
}

/**
 * Whether we began to format this very disk, in this very place. Without a unique id nothing tells that it is the same
 * one; in another slot it has been detached since, and what is on it now may be somebody's.
 */
function isFormatBegun(record: StageRecord | undefined, wish: StageWish): boolean {
  if (record === undefined || !record.formatting || record.slot !== wish.slot) return false;
  return wish.volumeUniqueId !== '' && record.volumeUniqueId === wish.volumeUniqueId;
}

function newRecord(wish: StageWish, disk: Disk, bootId: string): StageRecord {
  return {
    volumeId: wish.volumeId,
    slot: wish.slot,
    device: disk.name,
    number: disk.number,
    bootId,
    volumeUniqueId: wish.volumeUniqueId,
    sizeGB: wish.sizeGB ?? 0,
    mountFlags: wish.mountFlags,
    formatting: false,
    unfinishedReadOnly: [],
  };
}

async function bringUp(
  service: NodeService,
  wish: StageWish,
  { disk, sizeBytes }: { readonly disk: Disk; readonly sizeBytes: number },
  { bootId, formatBegun }: { readonly bootId: string; readonly formatBegun: boolean },
  signal: AbortSignal,
): Promise<void> {
  const { host, records } = service;
  const lockFile = records.lockFile(wish.volumeId);
  const readOnly = isReadOnly(wish.mountFlags);
  const record = newRecord(wish, disk, bootId);
  const context = { volumeId: wish.volumeId, disk: disk.name, slot: wish.slot, sizeBytes };

  const plan = await contentPlan(wish, disk, { sizeBytes, formatBegun, readOnly });
  signal.throwIfAborted();
  switch (plan.do) {
    case 'refuse':
      throw new RpcError(
        status.FAILED_PRECONDITION,
        `disk ${disk.name} of volume ${wish.volumeId} in SCSI slot ${wish.slot} is not used: ${plan.reason}`,
      );
    case 'mount':
      if (plan.note !== undefined) host.logger.info(plan.note, context);
      break;
    case 'format': {
      // Before the first byte is written: a crash from here on leaves something that is neither empty nor a file
      // system.
      await records.save({ ...record, formatting: true });
      const uuid = wish.volumeUniqueId === '' ? randomUUID() : fileSystemUuid(wish.volumeUniqueId);
      await makeExt4(lockFile, disk.node, uuid);
      host.logger.info('Disk formatted', { ...context, uuid });
    }
  }
  await records.save(record);
  try {
    signal.throwIfAborted();
    if (!readOnly) await prepareExt4(host, lockFile, disk.node, sizeBytes);
    signal.throwIfAborted();
    await mkdir(wish.path, { recursive: true, mode: 0o750 });
    await mountExt4(disk.node, wish.path, wish.mountFlags);
  } catch (error) {
    // By the table: a mount command that failed may still have mounted. What is not staged claims no slot.
    if ((await mountsAtPath(host, wish.path)).layers.length === 0) await records.remove(wish.volumeId);
    throw error;
  }
  const mounted = (await mountsAtPath(host, wish.path)).layers.at(-1);
  if (mounted?.device !== disk.number) {
    const reason = `${mounted?.device ?? 'nothing'} is mounted at ${wish.path} and not ${disk.number}`;
    throw new RpcError(status.INTERNAL, `volume ${wish.volumeId} is not staged: ${reason}`);
  }
  host.logger.info('Volume staged', context);
}

/** Looks at the disk's content as far as is needed to decide. */
async function contentPlan(
  wish: StageWish,
  disk: Disk,
  seen: { readonly sizeBytes: number; readonly formatBegun: boolean; readonly readOnly: boolean },
): Promise<ContentPlan> {
  const nodeBytes = await sizeOfNode(disk.node);
  if (nodeBytes !== seen.sizeBytes) {
    return { do: 'refuse', reason: `${disk.node} has ${nodeBytes} bytes, sysfs says ${seen.sizeBytes}` };
  }
  const signature = await readSignature(disk.node);
  const zeros = signature.kind === 'none' ? await readsAsZeros(disk.node, seen.sizeBytes) : undefined;
  const { volumeUniqueId, sizeGB } = wish;
  return planContent(
    { signature, zeros, sizeBytes: seen.sizeBytes, formatBegun: seen.formatBegun },
    { fileSystem: 'ext4', readOnly: seen.readOnly, volumeUniqueId, sizeGB },
  );
}
