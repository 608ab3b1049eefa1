import type { Transition } from './transition.ts';
import type { World } from './world.ts';

/**
 * SCSI targets that a data disk can have: 0 is the system disk, 7 the controller itself (docs/reference/nifcloud-api.md §2.4).
 * Their number is the limit of disks for a server.
 */
export const SLOTS: readonly number[] = [1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15];

/** Disks grow and are sold in steps of this (nifcloud-api.md §3.2, §3.6). */
export const STEP_GB = 100;

/** An additional-storage disk. */
export interface Volume {
  /** VolumeId: a name that its user chose and may change. Change it by `renameVolume` only. */
  id: string;
  readonly uniqueId: string;
  sizeGB: number;
  /** The text of answers, not the code of requests. */
  readonly diskType: string;
  readonly zone: string;
  readonly accountingType: string;
  nextMonthAccountingType: string;
  description: string;
  readonly createdAtMs: number;
  /** Set from the first moment: a disk is born attached, and its slot is taken while it is being created. */
  attachment: Attachment | undefined;
  transition: Transition | undefined;
}

export interface Attachment {
  readonly serverUniqueId: string;
  /** SCSI target. */
  readonly slot: number;
  readonly attachedAtMs: number;
}

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
 * until it is gone. `configuring` is never shown: attributes change at once (simulator/README.md, Rules).
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

/** Disk names are 1 to 32 letters and digits (nifcloud-api.md §3.1). */
export const VOLUME_NAME = /^[0-9A-Za-z]{1,32}$/;

/** Gives a disk a name that is free. */
export function renameVolume(world: World, volume: Volume, id: string): void {
  world.volumes.delete(volume.id);
  volume.id = id;
  world.volumes.set(id, volume);
}
