import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import type { NodeExpandVolumeRequest__Output } from '../../proto/gen/csi/v1/NodeExpandVolumeRequest.ts';
import type { NodeExpandVolumeResponse } from '../../proto/gen/csi/v1/NodeExpandVolumeResponse.ts';
import { leastBytesOf } from '../linux/content.ts';
import { TOOLS_OF, isFileSystem } from '../linux/file-systems.ts';
import { until } from '../linux/host.ts';
import type { Host } from '../linux/host.ts';
import { isReadOnly } from '../linux/mountinfo.ts';
import { rescanDisk, sizeOf } from '../linux/scsi.ts';
import type { Disk } from '../linux/scsi.ts';
import { attribute } from '../linux/sysfs.ts';
import { RpcError } from '../rpc-error.ts';
import { parseCapability } from '../volume-capability.ts';
import { invalid, required } from './request.ts';
import { stagedDisk } from './service.ts';
import type { NodeService } from './service.ts';
import { recordOfThisBoot, volumeAt } from './volume-at.ts';
import type { VolumeAt } from './volume-at.ts';

const GIB = 2 ** 30;

/** How long a grown disk may take to show its size; it does at the first rescan once the cloud has done its part. */
const GROW_TIMEOUT_MS = 30_000;
const RESCAN_EVERY_MS = 1_000;

/** Number of CAP_SYS_RESOURCE (include/uapi/linux/capability.h). */
const CAP_SYS_RESOURCE = 24n;

/**
 * NodeExpandVolume: afterwards the disk, and the mounted file system on it, is as large as was asked for, or as it can be if nothing
 * was.
 */
export async function nodeExpandVolume(
  service: NodeService,
  request: NodeExpandVolumeRequest__Output,
  signal: AbortSignal,
): Promise<NodeExpandVolumeResponse> {
  const volumeId = required('volume_id', request.volume_id);
  const path = required('volume_path', request.volume_path);
  if (request.volume_capability !== null) parseCapability(request.volume_capability);
  const { required_bytes: least = '0', limit_bytes: most = '0' } = request.capacity_range ?? {};
  const leastBytes = leastBytesWanted(least);
  if (most !== '0' && Number(most) < Number(least)) {
    throw new RpcError(status.OUT_OF_RANGE, `limit_bytes ${most} is less than required_bytes ${least}`);
  }
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
  const { host } = service;
  const block = await blockDisk(service, wish);
  const volume = block === undefined ? await volumeAt(service, wish.volumeId, wish.path) : undefined;
  const disk = block ?? volume?.disk;
  if (disk === undefined) {
    throw new RpcError(status.INTERNAL, `the disk of volume ${wish.volumeId} has left the server while it was in use`);
  }
  const sizeBytes = await untilGrown(host, disk, wish, signal);
  if (volume?.access === 'mount') await growFileSystem(service, wish, volume, { disk, sizeBytes });
  host.logger.info('Volume expanded', { volumeId: wish.volumeId, disk: disk.name, sizeBytes });
  return sizeBytes;
}

/**
 * The disk of a volume that is staged for block access, which is at no path: kubelet names a target, or a device node. Undefined for
 * any other volume.
 * @throws RpcError NOT_FOUND when the path does not exist, or the disk is gone.
 */
async function blockDisk(service: NodeService, { volumeId, path }: ExpandWish): Promise<Disk | undefined> {
  const record = await recordOfThisBoot(service, volumeId);
  if (record?.access !== 'block') return undefined;
  const disk = await stagedDisk(service, record);
  const found = await lstat(path).catch(() => undefined);
  if (disk !== undefined && found !== undefined) return disk;
  throw new RpcError(status.NOT_FOUND, `volume ${volumeId} is not at ${path}`);
}

async function untilGrown(host: Host, disk: Disk, wish: ExpandWish, signal: AbortSignal): Promise<number> {
  const timing = { timeoutMs: GROW_TIMEOUT_MS, everyMs: RESCAN_EVERY_MS };
  let sizeBytes = 0;
  const grown = await until(host.clock, timing, signal, async () => {
    await rescanDisk(disk);
    sizeBytes = await sizeOf(disk);
    return sizeBytes >= wish.leastBytes ? true : undefined;
  });
  if (grown !== undefined) return sizeBytes;
  const waited = `after ${GROW_TIMEOUT_MS / 1000} s of rescanning`;
  const sizes = `disk ${disk.name} has ${sizeBytes} bytes ${waited}, ${wish.leastBytes} are needed`;
  throw new RpcError(status.UNAVAILABLE, `volume ${wish.volumeId} is not expanded: ${sizes}`);
}

async function growFileSystem(
  { host, records }: NodeService,
  { volumeId, path }: ExpandWish,
  { mount, mounts, record }: VolumeAt,
  { disk, sizeBytes }: { readonly disk: Disk; readonly sizeBytes: number },
): Promise<void> {
  // Nothing may be written; the next writable staging grows it.
  if (record !== undefined && isReadOnly(record.mountFlags)) return;
  const type = mount.fileSystem;
  if (!isFileSystem(type)) throw new RpcError(status.INTERNAL, `volume ${volumeId} holds ${type}, which is not grown`);
  const lockFile = records.lockFile(volumeId);
  // The path may be that of a read-only target.
  const writable = mounts.find((one) => one.device === disk.number && one.root === '/' && !one.readOnly);
  const point = writable?.point ?? path;
  const complaint = await TOOLS_OF[type].growMounted({ node: disk.node, lockFile, point, sizeBytes });
  if (complaint === undefined) return;
  const refused = type.startsWith('ext') && (await lacksCapability(host, CAP_SYS_RESOURCE));
  const why = refused ? `: Linux grows a mounted ${type} only with CAP_SYS_RESOURCE, which the node server lacks` : '';
  // INTERNAL, so that the kubelet shows it as an event and tries again. To FAILED_PRECONDITION it would do neither,
  // until the detach (kubelet: volumeInUseErrorForExpansion).
  throw new RpcError(
    status.INTERNAL,
    `the disk of volume ${volumeId} has grown to ${sizeBytes} bytes, its file system has not${why}. ` +
      `The next NodeStageVolume grows it: restart the pods that use it. ${complaint}`,
  );
}

/** Whether this process is known to lack a capability (proc(5), "CapEff"). */
async function lacksCapability(host: Host, capability: bigint): Promise<boolean> {
  const text = await attribute(join(host.root, 'proc/self/status'));
  const [, effective] = /^CapEff:\s*([\da-f]+)$/m.exec(text ?? '') ?? [];
  return effective !== undefined && ((BigInt(`0x${effective}`) >> capability) & 1n) === 0n;
}
