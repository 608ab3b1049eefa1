import { join } from 'node:path';
import type { NodeGetVolumeStatsRequest__Output } from '../../proto/gen/csi/v1/NodeGetVolumeStatsRequest.ts';
import type { NodeGetVolumeStatsResponse } from '../../proto/gen/csi/v1/NodeGetVolumeStatsResponse.ts';
import type { VolumeUsage } from '../../proto/gen/csi/v1/VolumeUsage.ts';
import { isReadOnly } from '../linux/mountinfo.ts';
import { faultOf, sizeOf } from '../linux/scsi.ts';
import { attribute } from '../linux/sysfs.ts';
import { toolFailure, toolWords } from '../linux/tools.ts';
import { required } from './request.ts';
import type { NodeService } from './service.ts';
import { volumeAt } from './volume-at.ts';
import type { VolumeAt } from './volume-at.ts';

/** Block size, blocks, free and available blocks, inodes, free inodes: stat(1), `--file-system`. */
const USAGE_FORMAT = '%S %b %f %a %c %d';

/**
 * NodeGetVolumeStats: how full a volume is, and whether it is well.
 *
 * The kubelet asks for every volume every minute, so this takes no lock and never waits for a disk that does not answer. Then the
 * usage is no more than the size: without any, the kubelet would not look at the condition (docs/reference/csi.md D.4).
 */
export async function nodeGetVolumeStats(
  service: NodeService,
  request: NodeGetVolumeStatsRequest__Output,
): Promise<NodeGetVolumeStatsResponse> {
  const volumeId = required('volume_id', request.volume_id);
  const path = required('volume_path', request.volume_path);
  const volume = await volumeAt(service, volumeId, path);
  const faults = await faultsOf(service, volume);
  const silence = volume.access === 'mount' ? await silenceOf(service, path) : undefined;
  if (silence !== undefined) faults.push(silence);
  const usage =
    volume.access === 'mount' && silence === undefined ? await usageOf(service, path) : await sizeOnly(volume);
  return {
    usage: [...usage],
    volume_condition: { abnormal: faults.length > 0, message: faults.join('; ') || 'nothing is known to be wrong' },
  };
}

/** What is known to be wrong with a volume, without asking its disk. */
async function faultsOf({ host }: NodeService, { disk, mount, record }: VolumeAt): Promise<string[]> {
  if (disk === undefined) return ['its disk has left the server while it was in use'];
  const faults: string[] = [];
  const fault = await faultOf(disk);
  if (fault !== undefined) faults.push(fault);
  const errors = await attribute(join(host.root, 'sys/fs/ext4', disk.name, 'errors_count'));
  if (Number(errors ?? 0) > 0) {
    faults.push(`${errors} errors in its file system since the last check; a check is made when it is staged`);
  }
  if (mount.fileSystemReadOnly && record?.access === 'mount' && !isReadOnly(record.mountFlags)) {
    faults.push('its file system is read-only, which the kernel does after errors');
  }
  return faults;
}

/** Why nothing can be learnt from what is mounted at a path; undefined = it answers. */
async function silenceOf({ looks }: NodeService, path: string): Promise<string | undefined> {
  const answer = await looks.look('stat', '-L', '-c', '%d', path);
  if (answer === undefined) return 'its file system does not answer';
  return answer.exitCode === 0 ? undefined : `its file system does not work: ${toolWords(answer)}`;
}

async function usageOf({ looks }: NodeService, path: string): Promise<readonly VolumeUsage[]> {
  const answer = await looks.look('stat', '-f', '-c', USAGE_FORMAT, path);
  if (answer === undefined) throw new Error(`the usage of ${path} is not known: it has just stopped to answer`);
  const usage = parseUsage(answer.stdout);
  if (answer.exitCode !== 0 || usage === undefined) throw toolFailure(answer);
  return usage;
}

/**
 * Usage in bytes and inodes from the six numbers of `stat -f`. A file system that makes inodes as it needs them says that it has
 * none (btrfs): then nothing is said. Undefined for any other text.
 */
export function parseUsage(text: string): readonly VolumeUsage[] | undefined {
  if (!/^\d+( \d+){5}$/.test(text.trim())) return undefined;
  const [blockBytes = 0n, blocks = 0n, free = 0n, available = 0n, inodes = 0n, freeInodes = 0n] = text
    .trim()
    .split(' ')
    .map(BigInt);
  const bytes: VolumeUsage = {
    unit: 'BYTES',
    total: String(blocks * blockBytes),
    used: String((blocks - free) * blockBytes),
    available: String(available * blockBytes),
  };
  if (inodes === 0n) return [bytes];
  return [
    bytes,
    { unit: 'INODES', total: String(inodes), used: String(inodes - freeInodes), available: String(freeInodes) },
  ];
}

async function sizeOnly({ disk }: VolumeAt): Promise<readonly VolumeUsage[]> {
  return [{ unit: 'BYTES', total: String(disk === undefined ? 0 : await sizeOf(disk)) }];
}
