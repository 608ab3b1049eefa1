import { status } from '@grpc/grpc-js';
import { readMounts } from '../linux/mounts.ts';
import { dataDisks } from '../linux/scsi.ts';
import type { Disk } from '../linux/scsi.ts';
import { deviceBinds, usesOf } from '../linux/usage.ts';
import { RpcError } from '../rpc-error.ts';
import { bootIdOf, holdSlot, isRecordOf } from './service.ts';
import type { NodeService } from './service.ts';

/** Part of every path where kubelet stages volumes or publishes raw block volumes, those of the Go driver included. */
const KUBELET_STAGING = '/plugins/kubernetes.io/csi/';

/** The data disks of the machine, by what this driver has to do with them. */
export interface DiskCensus {
  /** How many are volumes that are staged: by a record, or by kubelet's paths (Go driver). */
  readonly staged: number;
  /** All others, with what they are used for; idle ones are used for nothing. */
  readonly strangers: readonly { readonly disk: Disk; readonly uses: readonly string[] }[];
}

/**
 * Counts the disks. One in whose slot a volume is being staged or unstaged is left out, and so is one of which it can't be found
 * out whether it is in use.
 */
export async function diskCensus(service: NodeService): Promise<DiskCensus> {
  const { host, records } = service;
  const bootId = await bootIdOf(host);
  const recorded = (await records.all()).filter((one) => one.bootId === bootId);
  const strangers: { disk: Disk; uses: readonly string[] }[] = [];
  let staged = 0;
  for (const disk of await dataDisks(host)) {
    const mounts = await readMounts(host);
    const shows = [...mounts.filter(({ device }) => device === disk.number), ...(await deviceBinds(disk, mounts))];
    if (
      recorded.some((record) => isRecordOf(record, disk)) ||
      shows.some(({ point }) => point.includes(KUBELET_STAGING))
    ) {
      staged++;
      continue;
    }
    try {
      // Asking takes the disk for a moment: a mount of it would fail then.
      strangers.push({ disk, uses: await holdSlot(service, disk.slot, () => usesOf(disk, mounts)) });
    } catch (error) {
      if (error instanceof RpcError && error.code === status.ABORTED) continue;
      host.logger.warn('Whether a disk is in use is not known', { disk: disk.name, slot: disk.slot, error });
    }
  }
  return { staged, strangers };
}
