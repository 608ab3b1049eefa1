import { constants } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { RpcError } from '../rpc-error.ts';
import { errorCode } from './host.ts';
import type { Host } from './host.ts';
import { isSamePlace, placeOf } from './mountinfo.ts';
import type { Mount } from './mountinfo.ts';
import { isThere } from './scsi.ts';
import type { Disk } from './scsi.ts';
import { attribute, entries } from './sysfs.ts';

/**
 * Errors of opening a disk that has left or is broken. The kernel looks for other users before it asks the driver
 * (bd_prepare_to_claim in block/bdev.c), so they also mean that nobody has claimed the disk.
 */
const DEAD_DISK: ReadonlySet<string | undefined> = new Set(['ENXIO', 'ENODEV', 'EIO', 'ENOMEDIUM']);

/**
 * What a disk is used for, in words; empty = nobody uses it, so its device may be deleted.
 *
 * Besides what can be seen here (mounts of the disk and its partitions, bind mounts of its device node, device-mapper and
 * RAID on top), the kernel is asked: an exclusive open fails while the disk or a partition is mounted in *any* mount
 * namespace, swapped on, or under mkfs or e2fsck. Someone who has the device open in the ordinary way is not seen.
 * @throws RpcError FAILED_PRECONDITION when that can't be found out: doubt is not idleness.
 */
export async function usesOf(disk: Disk, mounts: readonly Mount[]): Promise<readonly string[]> {
  const parts = await partitionsOf(disk);
  const numbers = new Set([disk.number, ...parts.map((part) => part.number)]);
  const uses = mounts.filter((mount) => numbers.has(mount.device)).map((mount) => `mounted at ${mount.point}`);
  for (const bind of await deviceBinds(disk, mounts)) uses.push(`bound at ${bind.point}`);
  for (const folder of [disk.blockFolder, ...parts.map((part) => part.folder)]) {
    for (const holder of await entries(join(folder, 'holders'))) uses.push(`held by ${holder}`);
  }
  if (uses.length === 0 && (await isClaimed(disk))) uses.push('claimed by a mount elsewhere, swap or a running tool');
  return uses;
}

/** Where the device node of a disk is bound: the targets of a published block volume, whoever published it. */
export async function deviceBinds(disk: Disk, mounts: readonly Mount[]): Promise<readonly Mount[]> {
  const node = await nodePlace(disk, mounts);
  return node === undefined ? [] : bindsOf(node, mounts);
}

/** Whether the device node of this name is bound anywhere, or in doubt; also the one of a device that has left, which Linux marks. */
export async function isNodeBound(host: Host, name: string, mounts: readonly Mount[]): Promise<boolean> {
  const path = join(host.root, 'dev', name);
  const node = placeOf(mounts, await realpath(path).catch(() => path));
  if (node === undefined) return true;
  const shows = mounts.map((mount) => ({ ...mount, root: mount.root.replace(/\/\/deleted$/, '') }));
  return bindsOf(node, shows).length > 0;
}

/** Where else a place is mounted. */
function bindsOf(place: Mount, mounts: readonly Mount[]): readonly Mount[] {
  return mounts.filter((mount) => isSamePlace(mount, place) && mount.point !== place.point);
}

/** The device node of a disk, as a bind mount of it is listed. Undefined when it is not there. */
export async function nodePlace(disk: Disk, mounts: readonly Mount[]): Promise<Mount | undefined> {
  try {
    return placeOf(mounts, await realpath(disk.node));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function partitionsOf(disk: Disk): Promise<readonly { readonly number: string; readonly folder: string }[]> {
  const parts: { number: string; folder: string }[] = [];
  for (const name of await entries(disk.blockFolder)) {
    const folder = join(disk.blockFolder, name);
    if (!name.startsWith(disk.name) || (await attribute(join(folder, 'partition'))) === undefined) continue;
    parts.push({ number: (await attribute(join(folder, 'dev'))) ?? '', folder });
  }
  return parts;
}

async function isClaimed(disk: Disk): Promise<boolean> {
  try {
    // On a block device O_EXCL without O_CREAT means "if nobody else has claimed it" (open(2)).
    await (await open(disk.node, constants.O_RDONLY | constants.O_EXCL)).close();
    return false;
  } catch (error) {
    if (errorCode(error) === 'EBUSY') return true;
    if (DEAD_DISK.has(errorCode(error)) || !(await isThere(disk))) return false;
    const doubt = `whether disk ${disk.name} is in use is not known: ${disk.node} can't be opened`;
    throw new RpcError(status.FAILED_PRECONDITION, `${doubt}; the node server needs the host's /dev`, { cause: error });
  }
}
