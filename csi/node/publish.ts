import { mkdir } from 'node:fs/promises';
import { status } from '@grpc/grpc-js';
import type { NodePublishVolumeRequest__Output } from '../../proto/gen/csi/v1/NodePublishVolumeRequest.ts';
import type { Mount } from '../linux/mountinfo.ts';
import { bindMount, clearDeadMount, makeReadOnly, mountsAtPath } from '../linux/mounts.ts';
import type { StageRecord } from '../linux/record.ts';
import { RpcError } from '../rpc-error.ts';
import { mountFlagsOf, required, requiredPath } from './request.ts';
import type { NodeService } from './service.ts';

/**
 * NodePublishVolume: afterwards the staged file system is also at the target path, read-only if wanted.
 *
 * Mount flags are those of the stage. Any number of targets: two pods of a node may share a ReadWriteOnce claim
 * (docs/reference/csi.md B.2).
 */
export async function nodePublishVolume(
  service: NodeService,
  request: NodePublishVolumeRequest__Output,
): Promise<Record<string, never>> {
  const volumeId = required('volume_id', request.volume_id);
  const target = requiredPath('target_path', request.target_path);
  mountFlagsOf(request.volume_capability);
  if (request.staging_target_path === '') {
    throw new RpcError(status.FAILED_PRECONDITION, 'staging_target_path is empty: volumes are staged first');
  }
  const staging = requiredPath('staging_target_path', request.staging_target_path);
  await service.locks.hold(volumeId, () => publish(service, { volumeId, staging, target, readOnly: request.readonly }));
  return {};
}

/** A volume to be published, as the request says it. */
export interface PublishWish {
  readonly volumeId: string;
  readonly staging: string;
  readonly target: string;
  readonly readOnly: boolean;
}

/** What a publishing is decided on. */
export interface PublishView {
  /** What is visible at the staging path. */
  readonly staged: Mount | undefined;
  /** What is visible at the target path. */
  readonly published: Mount | undefined;
  readonly record: StageRecord | undefined;
}

export type PublishPlan =
  | { readonly do: 'nothing' | 'bind' | 'finish-read-only' }
  | { readonly do: 'refuse'; readonly code: status; readonly reason: string };

/** How a volume comes to a target path, from what was seen. Pure. */
export function planPublish(wish: PublishWish, { staged, published, record }: PublishView): PublishPlan {
  if (staged === undefined) {
    return { do: 'refuse', code: status.FAILED_PRECONDITION, reason: `nothing is staged at ${wish.staging}` };
  }
  if (record !== undefined && record.number !== staged.device) {
    const reason = `${staged.device} is mounted at ${wish.staging}, the volume was staged from ${record.number}`;
    return { do: 'refuse', code: status.FAILED_PRECONDITION, reason };
  }
  if (published === undefined) return { do: 'bind' };
  if (published.device !== staged.device || published.root !== staged.root) {
    const reason = `${published.source} (${published.device}) is mounted at ${wish.target}`;
    return { do: 'refuse', code: status.ALREADY_EXISTS, reason };
  }
  const readOnly = wish.readOnly || staged.readOnly;
  if (published.readOnly === readOnly) return { do: 'nothing' };
  if (readOnly && record?.unfinishedReadOnly.includes(wish.target) === true) return { do: 'finish-read-only' };
  const reason = `it is at ${wish.target} already, ${published.readOnly ? 'read-only' : 'writable'}`;
  return { do: 'refuse', code: status.ALREADY_EXISTS, reason };
}

async function publish(service: NodeService, wish: PublishWish): Promise<void> {
  const { host, records } = service;
  await clearDeadMount(host, wish.target);
  const staged = (await mountsAtPath(host, wish.staging)).layers.at(-1);
  const published = (await mountsAtPath(host, wish.target)).layers.at(-1);
  const record = await records.get(wish.volumeId);
  const plan = planPublish(wish, { staged, published, record });
  if (plan.do === 'refuse') throw new RpcError(plan.code, `volume ${wish.volumeId} is not published: ${plan.reason}`);
  if (plan.do === 'nothing') return;
  // Two mount calls: if we die in between, the record tells the next one that the target was meant to be read-only.
  const unfinished = record?.unfinishedReadOnly.filter((target) => target !== wish.target) ?? [];
  if (plan.do === 'bind') {
    if (wish.readOnly && record !== undefined) {
      await records.save({ ...record, unfinishedReadOnly: [...unfinished, wish.target] });
    }
    await mkdir(wish.target, { recursive: true, mode: 0o750 });
    await bindMount(wish.staging, wish.target);
  }
  if (wish.readOnly) await makeReadOnly(wish.target);
  const now = (await mountsAtPath(host, wish.target)).layers.at(-1);
  if (now === undefined || now.device !== staged?.device || (wish.readOnly && !now.readOnly)) {
    throw new RpcError(status.INTERNAL, `volume ${wish.volumeId} is not at ${wish.target} after its mount`);
  }
  if (wish.readOnly && record !== undefined) await records.save({ ...record, unfinishedReadOnly: unfinished });
}
