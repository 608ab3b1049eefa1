import type { Attachment, Volume, World } from './world.ts';

/**
 * SCSI targets that a data disk can have: 0 is the system disk, 7 the controller itself (docs/reference/nifcloud-api.md §2.4).
 * Their number is the limit of disks for a server.
 */
export const SLOTS: readonly number[] = [1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15];

/** Disks grow and are sold in steps of this (nifcloud-api.md §3.2, §3.6). */
export const STEP_GB = 100;
/** A disk and the attachment that it certainly has. */
export interface AttachedDisk {
  readonly volume: Volume;
  readonly attachment: Attachment;
}

/** The disks that take a slot of a server, in every transition. */
export function disksOf(world: World, serverUniqueId: string): readonly AttachedDisk[] {
  const disks: AttachedDisk[] = [];
  for (const volume of world.volumes.values()) {
    if (volume.attachment?.serverUniqueId === serverUniqueId) disks.push({ volume, attachment: volume.attachment });
  }
  return disks.sort((a, b) => a.attachment.slot - b.attachment.slot);
}

/**
 * `status` (nifcloud-api.md §3.4). No source names one for a disk that is being deleted: it goes on showing `available`
 * until it is gone.
 */
export function volumeStatus(volume: Volume): 'creating' | 'in-use' | 'available' {
  if (volume.transition?.kind === 'create') return 'creating';
  return volume.attachment === undefined ? 'available' : 'in-use';
}

/** `attachmentSet.status` (nifcloud-api.md §3.4): growing shows as `attaching`. */
export function attachmentStatus(volume: Volume): 'attaching' | 'attached' | 'detaching' {
  if (volume.transition === undefined) return 'attached';
  return volume.transition.kind === 'detach' ? 'detaching' : 'attaching';
}

/** The world after a disk's transition has ended. */
export function finishTransition(world: World, volume: Volume): void {
  const kind = volume.transition?.kind;
  volume.transition = undefined;
  if (kind === 'extend') volume.sizeGB += STEP_GB;
  if (kind === 'detach') volume.attachment = undefined;
  if (kind === 'delete') world.volumes.delete(volume.id);
}
