import { createHash } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import { RpcError } from '../rpc-error.ts';
import type { Volume } from './cloud.ts';

/** The cloud keeps no more of a Description (docs/reference/nifcloud-api.md §3.1). */
const DESCRIPTION_MAX_CHARACTERS = 40;

/** Longest VolumeId: letters and digits only. */
const VOLUME_ID_CHARACTERS = 32;

/** The name that external-provisioner gives to a volume, and Kubernetes to its PersistentVolume. */
const PROVISIONED_NAME = /^pvc-([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})$/;

/** Whether a Description says that external-provisioner asked for the disk. */
export function isProvisionedName(description: string): boolean {
  return PROVISIONED_NAME.test(description);
}

/**
 * The VolumeId of a CreateVolume name: the same at every try, so that two tries cannot make two disks. The UUID of a
 * `pvc-<uuid>` has just the right length; any other name gives a digest.
 */
export function volumeIdOf(name: string): string {
  const uuid = PROVISIONED_NAME.exec(name);
  return uuid === null
    ? createHash('sha256').update(name).digest('hex').slice(0, VOLUME_ID_CHARACTERS)
    : uuid.slice(1).join('');
}

/** The Description of a disk: its name, cut, as the Go driver writes it. */
export function descriptionOf(name: string): string {
  return Array.from(name).slice(0, DESCRIPTION_MAX_CHARACTERS).join('');
}

/** The PersistentVolume that a handle made from `pvc-<uuid>` belongs to, if it is one. */
export function persistentVolumeNameOf(volumeId: string): string | undefined {
  const parts = /^([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/.exec(volumeId);
  return parts === null ? undefined : `pvc-${parts.slice(1).join('-')}`;
}

/**
 * Disks that a CreateVolume of this name made: by VolumeId, or by Description as the Go driver did. Oldest first. A name that
 * does not fit into a Description proves nothing there: another one may begin alike.
 */
export function disksNamed(name: string, volumes: readonly Volume[]): readonly Volume[] {
  const id = volumeIdOf(name);
  const description = descriptionOf(name) === name ? name : undefined;
  return volumes
    .filter((volume) => volume.id === id || (description !== undefined && volume.description === description))
    .sort((a, b) => ageOf(a) - ageOf(b) || a.id.localeCompare(b.id));
}

/** An unreadable date is the youngest. */
function ageOf(volume: Volume): number {
  const createdAtMs = Date.parse(volume.createdAt);
  return Number.isNaN(createdAtMs) ? Number.MAX_SAFE_INTEGER : createdAtMs;
}

/**
 * The disk that a volume handle means. Disks can be renamed: the unique id decides where it is known.
 * @param uniqueId `volumeUniqueId` of the volume's context; `undefined` for volumes of the Go driver
 * @throws RpcError FAILED_PRECONDITION when the name belongs to another disk now.
 */
export function findDisk(
  volumes: readonly Volume[],
  volumeId: string,
  uniqueId: string | undefined,
): Volume | undefined {
  const named = volumes.find((volume) => volume.id === volumeId);
  if (uniqueId === undefined || named?.uniqueId === uniqueId) return named;
  const same = volumes.find((volume) => volume.uniqueId === uniqueId);
  if (same === undefined && named !== undefined) {
    throw new RpcError(
      status.FAILED_PRECONDITION,
      `volume ${volumeId} was the disk ${uniqueId}; a disk of that name exists, but it is another one, ${named.uniqueId}`,
    );
  }
  return same;
}
