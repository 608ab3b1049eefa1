import { status } from '@grpc/grpc-js';
import { RpcError } from '../rpc-error.ts';
import type { ServerRef } from './cloud.ts';
import { isSameServer } from './state.ts';

/**
 * Why a server has the disk. Only a temporary attachment may be ended by the driver's own decision.
 *
 * - `temporary`: a node of this cluster without a VolumeAttachment (a birth or a growth that died), or one that this process made
 * - `claimed`: a VolumeAttachment wants it there
 * - `foreign`: not a node of this cluster, perhaps somebody's rescue machine; or nobody can tell (no Kubernetes API)
 */
export type Standing = 'temporary' | 'claimed' | 'foreign';

export interface Holder extends ServerRef {
  readonly standing: Standing;
}

/** A disk that is in no transition, as far as plans care. */
export interface Seen {
  readonly sizeGB: number;
  readonly holder: Holder | undefined;
}

/** One change of the world. Applying it includes waiting until the cloud has done it. */
export type Step =
  /** Makes the disk, attached to a host that is chosen then. */
  | { readonly kind: 'create' }
  /** Attaches it to a host that is chosen then, because a disk grows only while attached. */
  | { readonly kind: 'attach-to-host' }
  | { readonly kind: 'attach'; readonly server: ServerRef }
  /** Ends a temporary attachment, if it still is one: to this server, or to the host that an earlier step chose. */
  | { readonly kind: 'release'; readonly server: ServerRef | 'host' }
  | { readonly kind: 'detach'; readonly server: ServerRef }
  /** Adds 100 GB to a disk of exactly this size. */
  | { readonly kind: 'extend'; readonly fromGB: number }
  /** From next month on: `1` monthly, `2` hourly. */
  | { readonly kind: 'set-accounting'; readonly accountingType: string }
  | { readonly kind: 'delete' };

/** Disks come and grow in steps of this size (docs/reference/nifcloud-api.md §3.6). */
export const STEP_GB = 100;

/** The steps after which the disk exists and no birth or growth holds it. `undefined` = it does not exist. */
export function planCreate(seen: Seen | undefined): readonly Step[] {
  if (seen === undefined) return [{ kind: 'create' }, { kind: 'release', server: 'host' }];
  return releaseSteps(seen);
}

/**
 * The steps after which `server` has the disk.
 * @throws RpcError FAILED_PRECONDITION when another server has it for good.
 */
export function planPublish(seen: Seen, server: ServerRef): readonly Step[] {
  if (isSameServer(seen.holder, server)) return [];
  refuseKept(seen, 'the disk is attached elsewhere');
  return [...releaseSteps(seen), { kind: 'attach', server }];
}

/**
 * The steps after which `server` no longer has the disk; `'any'` = whichever has it. An order is obeyed, whatever the standing of
 * the attachment. `undefined` = nobody has it.
 */
export function planUnpublish(holder: ServerRef | undefined, server: ServerRef | 'any'): readonly Step[] {
  if (holder === undefined || (server !== 'any' && !isSameServer(holder, server))) return [];
  return [{ kind: 'detach', server: holder }];
}

/** The steps after which the disk has at least `wantedGB`, and is attached only if it was so for good before. */
export function planGrowth(seen: Seen, wantedGB: number): readonly Step[] {
  const growth: Step[] = [];
  for (let fromGB = seen.sizeGB; fromGB < wantedGB; fromGB += STEP_GB) growth.push({ kind: 'extend', fromGB });
  if (seen.holder !== undefined) return [...growth, ...releaseSteps(seen)];
  if (growth.length === 0) return [];
  return [{ kind: 'attach-to-host' }, ...growth, { kind: 'release', server: 'host' }];
}

/** The steps after which the disk is charged as wanted from next month on, and no birth or growth holds it. */
export function planModify(seen: Seen, nextAccountingType: string, wanted: string | undefined): readonly Step[] {
  if (wanted === undefined || wanted === nextAccountingType) return releaseSteps(seen);
  return [{ kind: 'set-accounting', accountingType: wanted }, ...releaseSteps(seen)];
}

/**
 * The steps after which the disk is gone. `undefined` = it is.
 * @throws RpcError FAILED_PRECONDITION when a server has it for good.
 */
export function planDelete(seen: Seen | undefined): readonly Step[] {
  if (seen === undefined) return [];
  refuseKept(seen, 'the disk is in use');
  return [...releaseSteps(seen), { kind: 'delete' }];
}

function releaseSteps({ holder }: Seen): readonly Step[] {
  if (holder?.standing !== 'temporary') return [];
  return [{ kind: 'release', server: { name: holder.name, uniqueId: holder.uniqueId } }];
}

const KEPT_BY = {
  claimed: 'which has a VolumeAttachment for it',
  foreign: 'which is no node known to this driver; detach it there if it is not needed',
} as const;

function refuseKept({ holder }: Seen, complaint: string): void {
  if (holder === undefined || holder.standing === 'temporary') return;
  const by = `${holder.name} (${holder.uniqueId}), ${KEPT_BY[holder.standing]}`;
  throw new RpcError(status.FAILED_PRECONDITION, `${complaint}: it is attached to server ${by}`);
}
