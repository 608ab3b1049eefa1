import { status } from '@grpc/grpc-js';
import type { NodeExpandVolumeRequest__Output } from '../../proto/gen/csi/v1/NodeExpandVolumeRequest.ts';
import type { NodeExpandVolumeResponse } from '../../proto/gen/csi/v1/NodeExpandVolumeResponse.ts';
import { leastBytesOf } from '../linux/content.ts';
import { growMountedExt4 } from '../linux/ext4.ts';
import { until } from '../linux/host.ts';
import { mountsAtPath } from '../linux/mounts.ts';
import { dataDisks, rescanDisk, sizeOf } from '../linux/scsi.ts';
import type { Disk } from '../linux/scsi.ts';
import { RpcError } from '../rpc-error.ts';
import { invalid, mountFlagsOf, required } from './request.ts';
import type { NodeService } from './service.ts';

const GIB = 2 ** 30;

/** How long a grown disk may take to show its size; it does at the first rescan once the cloud has done its part. */
const GROW_TIMEOUT_MS = 30_000;
const RESCAN_EVERY_MS = 1_000;

/**
 * NodeExpandVolume: afterwards the mounted file system is as large as its disk, and that is as large as was asked for.
 */
export async function nodeExpandVolume(
  service: NodeService,
  request: NodeExpandVolumeRequest__Output,
  signal: AbortSignal,
): Promise<NodeExpandVolumeResponse> {
  const volumeId = required('volume_id', request.volume_id);
  const path = required('volume_path', request.volume_path);
  if (request.volume_capability !== null) mountFlagsOf(request.volume_capability);
  const leastBytes = leastBytesWanted(request.capacity_range?.required_bytes ?? '0');
  const sizeBytes = await service.locks.hold(volumeId, () => expand(service, { volumeId, path, leastBytes }, signal));
  return { capacity_bytes: String(sizeBytes) };
}

/**
 * The fewest bytes that a disk for a request has: n GiB are asked for, the API calls that n GB, and those are at least
 * n·10⁹ bytes (docs/reference/csi.md C.1).
 */
export function leastBytesWanted(requiredBytes: string): number {
  const bytes = Number(requiredBytes);
  if (!Number.isSafeInteger(bytes) || bytes < 0) throw invalid(`required_bytes is ${requiredBytes}`);
  return leastBytesOf(Math.ceil(bytes / GIB));
}

interface ExpandWish {
  readonly volumeId: string;
  readonly path: string;
  readonly leastBytes: number;
}

async function expand(service: NodeService, wish: ExpandWish, signal: AbortSignal): Promise<number> {
  const { host, records } = service;
  const disk = await diskAtPath(service, wish);
  const timing = { timeoutMs: GROW_TIMEOUT_MS, everyMs: RESCAN_EVERY_MS };
  let sizeBytes = 0;
  const grown = await until(host.clock, timing, signal, async () => {
    await rescanDisk(disk);
    sizeBytes = await sizeOf(disk);
    return sizeBytes >= wish.leastBytes ? true : undefined;
  });
  if (grown === undefined) {
    const waited = `after ${GROW_TIMEOUT_MS / 1000} s of rescanning`;
    const sizes = `disk ${disk.name} has ${sizeBytes} bytes ${waited}, ${wish.leastBytes} are needed`;
    throw new RpcError(status.UNAVAILABLE, `volume ${wish.volumeId} is not expanded: ${sizes}`);
  }
  const complaint = await growMountedExt4(records.lockFile(wish.volumeId), disk.node, sizeBytes);
  // INTERNAL, so that the kubelet shows it as an event and tries again. To FAILED_PRECONDITION it would do neither,
  // until the detach (kubelet: volumeInUseErrorForExpansion).
  if (complaint !== undefined) {
    throw new RpcError(
      status.INTERNAL,
      `the disk of volume ${wish.volumeId} has grown to ${sizeBytes} bytes, its file system has not: Linux refused to ` +
        'grow it while it is mounted, which needs CAP_SYS_RESOURCE. The next NodeStageVolume grows it: restart the ' +
        `pods that use it. ${complaint}`,
    );
  }
  host.logger.info('Volume expanded', { volumeId: wish.volumeId, disk: disk.name, sizeBytes });
  return sizeBytes;
}

async function diskAtPath({ host, records }: NodeService, { volumeId, path }: ExpandWish): Promise<Disk> {
  const mounted = (await mountsAtPath(host, path)).layers.at(-1);
  if (mounted === undefined) throw new RpcError(status.NOT_FOUND, `volume ${volumeId} is not at ${path}`);
  const record = await records.get(volumeId);
  const disk = (await dataDisks(host)).find(({ number }) => number === mounted.device);
  if (disk === undefined || (record !== undefined && record.number !== disk.number)) {
    throw new RpcError(
      status.NOT_FOUND,
      `what is mounted at ${path} (${mounted.device}) is not the disk of ${volumeId}`,
    );
  }
  return disk;
}
