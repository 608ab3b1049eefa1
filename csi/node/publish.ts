import { constants } from 'node:fs';
import { lstat, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { status } from '@grpc/grpc-js';
import type { NodePublishVolumeRequest__Output } from '../../proto/gen/csi/v1/NodePublishVolumeRequest.ts';
import { isSamePlace, mountsAt } from '../linux/mountinfo.ts';
import type { Mount } from '../linux/mountinfo.ts';
import { bindMount, clearDeadMount, makeReadOnly, mountPointOf, mountsAtPath } from '../linux/mounts.ts';
import type { StageRecord } from '../linux/record.ts';
import { dataDisks, faultOf, parseDevicePath } from '../linux/scsi.ts';
import type { Disk } from '../linux/scsi.ts';
import { deviceBinds, nodePlace } from '../linux/usage.ts';
import { RpcError } from '../rpc-error.ts';
import { parseCapability } from '../volume-capability.ts';
import type { Capability } from '../volume-capability.ts';
import { required, requiredPath } from './request.ts';
import { bootIdOf, claimOn, mindingMount, stagedDisk } from './service.ts';
import type { NodeService } from './service.ts';
import { recordOfThisBoot } from './volume-at.ts';

/**
 * NodePublishVolume: afterwards the staged file system, or the device node of the staged disk, is also at the target path, read-only
 * if wanted.
 *
 * Mount flags are those of the stage. Any number of targets, unless the volume is for one pod only: two pods of a node may share a
 * ReadWriteOnce claim (docs/reference/csi.md B.2).
 */
export async function nodePublishVolume(
  service: NodeService,
  request: NodePublishVolumeRequest__Output,
): Promise<Record<string, never>> {
  const volumeId = required('volume_id', request.volume_id);
  const target = requiredPath('target_path', request.target_path);
  const { access, accessMode } = parseCapability(request.volume_capability);
  if (request.staging_target_path === '') {
    throw new RpcError(status.FAILED_PRECONDITION, 'staging_target_path is empty: volumes are staged first');
  }
  const staging = requiredPath('staging_target_path', request.staging_target_path);
  const slot = parseDevicePath(request.publish_context['devicePath'] ?? '');
  const wish = { volumeId, staging, target, readOnly: request.readonly, access, accessMode, slot };
  await service.locks.hold(volumeId, () => mindingMount(service, target, () => publish(service, wish)));
  return {};
}

/** A volume to be published, as the request says it. */
export interface PublishWish {
  readonly volumeId: string;
  readonly staging: string;
  readonly target: string;
  readonly readOnly: boolean;
  readonly access: Capability['access'];
  readonly accessMode: Capability['accessMode'];
  /** Where the disk was attached; undefined = not told. */
  readonly slot: number | undefined;
}

/** What a publishing is decided on. */
export interface PublishView {
  /** What is to be bound: the file system at the staging path, or the disk's device node. Undefined = it is not there. */
  readonly source: Mount | undefined;
  /** What is visible at the target path. */
  readonly published: Mount | undefined;
  /** Where else the volume is on this node: the targets of other pods. */
  readonly others: readonly string[];
  /** What is wrong with the disk of a block volume. */
  readonly fault: string | undefined;
  readonly record: StageRecord | undefined;
}

export type PublishPlan =
  | { readonly do: 'nothing' | 'bind' | 'finish-read-only' }
  | { readonly do: 'refuse'; readonly code: status; readonly reason: string };

/**
 * How a volume comes to a target path, from what was seen. Pure.
 *
 * While anything is at the target, what stands in the way is UNAVAILABLE: after a final code the kubelet would take the target for
 * free, and never unpublish it. ALREADY_EXISTS is final too, but the specification demands it.
 */
export function planPublish(wish: PublishWish, view: PublishView): PublishPlan {
  const { source, published, others, record, fault } = view;
  const unmet = (reason: string): PublishPlan => {
    return { do: 'refuse', code: published === undefined ? status.FAILED_PRECONDITION : status.UNAVAILABLE, reason };
  };
  if (published !== undefined && source !== undefined && !isSamePlace(published, source)) {
    return existing(`${published.source} (${published.device} ${published.root}) is mounted at ${wish.target}`);
  }
  if (record !== undefined && record.access !== wish.access) {
    return unmet(`it is staged for ${record.access} access, not for ${wish.access}`);
  }
  if (source === undefined) {
    return unmet(wish.access === 'mount' ? `nothing is staged at ${wish.staging}` : 'its disk is not staged');
  }
  if (wish.access === 'mount' && record !== undefined && record.number !== source.device) {
    return unmet(`${source.device} is mounted at ${wish.staging}, the volume was staged from ${record.number}`);
  }
  if (fault !== undefined) return unmet(`its disk does not work: ${fault}`);
  if (published === undefined) {
    if (wish.accessMode !== 'SINGLE_NODE_SINGLE_WRITER' || others.length === 0) return { do: 'bind' };
    return unmet(`only one pod may use it (${wish.accessMode}), and it is at ${others.join(', ')}`);
  }
  const readOnly = wish.readOnly || source.readOnly;
  if (published.readOnly === readOnly) return { do: 'nothing' };
  if (readOnly && record?.unfinishedReadOnly.includes(wish.target) === true) return { do: 'finish-read-only' };
  return existing(`it is at ${wish.target} already, ${published.readOnly ? 'read-only' : 'writable'}`);
}

function existing(reason: string): PublishPlan {
  return { do: 'refuse', code: status.ALREADY_EXISTS, reason };
}

async function publish(service: NodeService, wish: PublishWish): Promise<void> {
  const { records } = service;
  await clearDeadMount(service, wish.target);
  const record = await recordOfThisBoot(service, wish.volumeId);
  const { from, view } = await look(service, wish, record);
  const plan = planPublish(wish, view);
  if (plan.do === 'refuse') throw new RpcError(plan.code, `volume ${wish.volumeId} is not published: ${plan.reason}`);
  if (plan.do === 'bind' && wish.readOnly && record !== undefined) {
    // Two mount calls: if we die in between, the record tells the next one that the target was meant to be read-only.
    await records.save({ ...record, unfinishedReadOnly: [...new Set([...record.unfinishedReadOnly, wish.target])] });
  }
  if (plan.do === 'bind') await makeTarget(wish);
  if (plan.do !== 'nothing') await mountTarget(service, wish, plan.do === 'bind' ? from : undefined, view.source);
  await forgetUnfinished(service, wish.volumeId, wish.target);
}

/** Takes a target off the record that is read-only now, or gone. */
export async function forgetUnfinished({ records }: NodeService, volumeId: string, target: string): Promise<void> {
  const record = await records.get(volumeId);
  if (record?.unfinishedReadOnly.includes(target) !== true) return;
  await records.save({ ...record, unfinishedReadOnly: record.unfinishedReadOnly.filter((one) => one !== target) });
}

/**
 * Binds over the target, unless that is done, and makes it read-only if wanted. The mount table decides whether that went well: a
 * mount command that failed may still have mounted.
 * @param from the path that is to be bound; undefined = it is bound
 * @throws RpcError UNAVAILABLE when the target is mounted, but not as it should be.
 */
async function mountTarget(
  { host }: NodeService,
  { volumeId, target, readOnly }: PublishWish,
  from: string | undefined,
  source: Mount | undefined,
): Promise<void> {
  let failure: unknown;
  try {
    if (from !== undefined) await bindMount(from, target);
    // Of a device node this says only what was asked for: Linux writes to devices on read-only mounts. It is the kubelet that
    // gives a container no right to write to it.
    if (readOnly) await makeReadOnly(target);
  } catch (error) {
    failure = error;
  }
  const now = (await mountsAtPath(host, target)).layers.at(-1);
  if (now === undefined) {
    throw failure ?? new RpcError(status.INTERNAL, `volume ${volumeId} is not at ${target} after its mount`);
  }
  if (source !== undefined && isSamePlace(now, source) && (now.readOnly || !readOnly)) return;
  throw new RpcError(status.UNAVAILABLE, `volume ${volumeId} is not at ${target} as it should be`, { cause: failure });
}

/** What there is to decide on, and the path that is to be bound. */
async function look(
  service: NodeService,
  wish: PublishWish,
  record: StageRecord | undefined,
): Promise<{ readonly from: string; readonly view: PublishView }> {
  const { mounts, layers } = await mountsAtPath(service.host, wish.target);
  const published = layers.at(-1);
  const target = await mountPointOf(wish.target);
  const elsewhere = (rows: readonly Mount[], ...but: readonly (string | undefined)[]): readonly string[] =>
    rows.map(({ point }) => point).filter((point) => point !== target && !but.includes(point));
  if (wish.access === 'block') {
    const disk = await blockDisk(service, wish, record);
    const source = disk && (await nodePlace(disk, mounts));
    const others = disk === undefined ? [] : elsewhere(await deviceBinds(disk, mounts));
    const fault = disk && (await faultOf(disk));
    return { from: disk?.node ?? '', view: { source, published, others, fault, record } };
  }
  const staging = await mountPointOf(wish.staging);
  const source = mountsAt(mounts, staging ?? '').at(-1);
  const sameDisk = mounts.filter(({ device }) => device === source?.device);
  const others = elsewhere(sameDisk, staging);
  return { from: wish.staging, view: { source, published, others, fault: undefined, record } };
}

/**
 * The disk of a block volume: the one of the record. The Go driver keeps none, and finds the disk anew by the slot; so is done with
 * the volumes that it has staged, unless the slot is another's.
 */
async function blockDisk(
  service: NodeService,
  { volumeId, slot }: PublishWish,
  record: StageRecord | undefined,
): Promise<Disk | undefined> {
  const { host, records } = service;
  if (record !== undefined) {
    // Attached anew in another slot, it has to be staged from there: what is in this one now may be another volume's.
    return slot === undefined || slot === record.slot ? stagedDisk(service, record) : undefined;
  }
  const disk = (await dataDisks(host)).find((one) => one.slot === slot);
  const claim = disk && claimOn(await records.all(), disk, await bootIdOf(host), volumeId);
  return claim === undefined ? disk : undefined;
}

/** Makes what is bound over: a folder for a file system, an empty file for a device node. One that is there is taken as it is. */
async function makeTarget({ target, access }: PublishWish): Promise<void> {
  if (access === 'mount') {
    await mkdir(target, { recursive: true, mode: 0o750 });
    // Through a link something else would be covered, and at the target nothing would be seen of it.
    if ((await lstat(target)).isDirectory()) return;
    throw new RpcError(status.INTERNAL, `target_path ${target} is a link`);
  }
  await mkdir(dirname(target), { recursive: true, mode: 0o750 });
  // Not through a link, and not for writing: it may be there, and be something else than expected.
  const flags = constants.O_CREAT | constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  await (await open(target, flags, 0o660)).close();
}
