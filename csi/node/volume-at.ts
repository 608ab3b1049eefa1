import { isAbsolute } from 'node:path';
import { status } from '@grpc/grpc-js';
import { isSamePlace } from '../linux/mountinfo.ts';
import type { Mount } from '../linux/mountinfo.ts';
import { mountsAtPath } from '../linux/mounts.ts';
import { isStaged } from '../linux/record.ts';
import type { StageRecord } from '../linux/record.ts';
import { dataDisks } from '../linux/scsi.ts';
import type { Disk } from '../linux/scsi.ts';
import { nodePlace } from '../linux/usage.ts';
import { RpcError } from '../rpc-error.ts';
import { bootIdOf } from './service.ts';
import type { NodeService } from './service.ts';

/** What of a volume is at a path. */
export interface VolumeAt {
  readonly access: 'mount' | 'block';
  /** The visible mount. */
  readonly mount: Mount;
  readonly mounts: readonly Mount[];
  /** Undefined: it is mounted, but the kernel has the disk no more. */
  readonly disk: Disk | undefined;
  /** Undefined: staged by the Go driver. */
  readonly record: StageRecord | undefined;
}

/**
 * Looks up a volume at a path where it is staged or published, without touching what is mounted there.
 * @throws RpcError NOT_FOUND when something else is there, or nothing: an answer would be about the machine's own disk.
 */
export async function volumeAt(service: NodeService, volumeId: string, path: string): Promise<VolumeAt> {
  const { host } = service;
  const { mounts, layers } = isAbsolute(path) ? await mountsAtPath(host, path) : { mounts: [], layers: [] };
  const mount = layers.at(-1);
  if (mount === undefined) throw new RpcError(status.NOT_FOUND, `volume ${volumeId} is not at ${path}`);
  const record = await recordOfThisBoot(service, volumeId);
  const { access, disk } = await diskOf(await dataDisks(host), mount, mounts);
  const isIt = record === undefined ? disk !== undefined : record.number === (disk?.number ?? mount.device);
  if (isIt) return { access, mount, mounts, disk, record };
  const reason = `what is mounted at ${path} (${disk?.number ?? mount.device}) is not the disk of ${volumeId}`;
  throw new RpcError(status.NOT_FOUND, reason);
}

/** After a reboot a record tells nothing about what is where, and that of an mkfs that did not end never does. */
export async function recordOfThisBoot(service: NodeService, volumeId: string): Promise<StageRecord | undefined> {
  const record = await service.records.get(volumeId);
  if (record === undefined || !isStaged(record)) return undefined;
  return record.bootId === (await bootIdOf(service.host)) ? record : undefined;
}

async function diskOf(
  disks: readonly Disk[],
  mount: Mount,
  mounts: readonly Mount[],
): Promise<Pick<VolumeAt, 'access' | 'disk'>> {
  for (const disk of disks) {
    if (disk.number === mount.device) return { access: 'mount', disk };
    const node = await nodePlace(disk, mounts);
    if (node !== undefined && isSamePlace(node, mount)) return { access: 'block', disk };
  }
  return { access: 'mount', disk: undefined };
}
