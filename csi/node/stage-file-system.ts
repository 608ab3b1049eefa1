import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { status } from '@grpc/grpc-js';
import { fileSystemUuid, planContent } from '../linux/content.ts';
import type { ContentPlan } from '../linux/content.ts';
import { hasBackupSuperblock, TOOLS_OF } from '../linux/file-systems.ts';
import { isReadOnly } from '../linux/mountinfo.ts';
import { mountDisk, mountsAtPath } from '../linux/mounts.ts';
import { readSignature, readsAsZeros, sizeOfNode } from '../linux/probe.ts';
import type { Host } from '../linux/host.ts';
import type { StageRecord } from '../linux/record.ts';
import type { Disk } from '../linux/scsi.ts';
import { RpcError } from '../rpc-error.ts';
import type { FileSystem } from '../volume-capability.ts';
import type { NodeService } from './service.ts';

/** A file system to be staged. */
export interface FileSystemWish {
  readonly volumeId: string;
  readonly path: string;
  readonly fileSystem: FileSystem;
  readonly mountFlags: readonly string[];
  readonly volumeUniqueId: string;
  readonly sizeGB: number | undefined;
}

/** The disk that it is on, or is to be on. */
export interface FoundDisk {
  readonly disk: Disk;
  readonly sizeBytes: number;
  /** The record of the volume once it is staged. */
  readonly record: StageRecord;
  /** A record says that we began to format this very disk and had not ended. */
  readonly formatBegun: boolean;
}

/** Brings a disk's file system to the staging path: looks, formats if that may be, checks, mounts, grows. */
export async function stageFileSystem(
  service: NodeService,
  wish: FileSystemWish,
  found: FoundDisk,
  signal: AbortSignal,
): Promise<void> {
  const { host, records } = service;
  const { disk, sizeBytes, record } = found;
  const readOnly = isReadOnly(wish.mountFlags);
  const tools = TOOLS_OF[wish.fileSystem];
  const worked = { node: disk.node, lockFile: records.lockFile(wish.volumeId), sizeBytes };
  const context = { volumeId: wish.volumeId, disk: disk.name, slot: disk.slot, sizeBytes, fileSystem: wish.fileSystem };

  const plan = await contentPlan(service, wish, found, readOnly);
  signal.throwIfAborted();
  switch (plan.do) {
    case 'refuse':
      throw new RpcError(
        status.FAILED_PRECONDITION,
        `disk ${disk.name} of volume ${wish.volumeId} in SCSI slot ${disk.slot} is not used: ${plan.reason}`,
      );
    case 'mount':
      if (plan.note !== undefined) host.logger.info(plan.note, context);
      break;
    case 'format': {
      // Before the first byte is written: a crash from here on leaves something that is neither empty nor a file
      // system.
      await records.save({ ...record, formatting: true });
      const uuid = wish.volumeUniqueId === '' ? randomUUID() : fileSystemUuid(wish.volumeUniqueId);
      await tools.make(worked, uuid);
      host.logger.info('Disk formatted', { ...context, uuid });
    }
  }
  await records.save(record);
  try {
    signal.throwIfAborted();
    if (!readOnly) await tools.prepare(host, worked);
    signal.throwIfAborted();
    await mkdir(wish.path, { recursive: true, mode: 0o750 });
    await mount(host, disk, wish);
  } catch (error) {
    // What is not staged claims no slot.
    if ((await mountsAtPath(host, wish.path)).layers.length === 0) await records.remove(wish.volumeId);
    throw error;
  }
  if (!readOnly) await growStaged(service, wish, disk, sizeBytes);
}

/**
 * Mounts the disk. What counts is the mount table: a command that failed may have mounted before.
 * @throws RpcError UNAVAILABLE when something else is there: not a final code, since it would tell kubelet that nothing is to be
 *   unstaged (its `isFinalError`). Otherwise what `mount` throws.
 */
async function mount(host: Host, disk: Disk, { path, fileSystem, mountFlags }: FileSystemWish): Promise<void> {
  const flags = [...TOOLS_OF[fileSystem].mountOptions, ...mountFlags];
  const failure = await mountDisk(fileSystem, disk.node, path, flags).catch((error: unknown) => ({ error }));
  const mounted = (await mountsAtPath(host, path)).layers.at(-1);
  if (mounted === undefined && failure !== undefined) throw failure.error;
  if (mounted?.device === disk.number) {
    if (failure !== undefined) {
      host.logger.warn('The disk is mounted, although mount failed', { path, reason: String(failure.error) });
    }
    return;
  }
  const found = mounted === undefined ? 'nothing' : `${mounted.source} (${mounted.device})`;
  throw new RpcError(status.UNAVAILABLE, `${found} is mounted at ${path} and not ${disk.name} (${disk.number})`);
}

/**
 * Grows a staged file system to its disk, if it is of the kind that grows mounted only. If that fails it is logged: what is there
 * can be used as it is, and NodeExpandVolume will say it to whoever waits for the growth.
 */
export async function growStaged(
  { host, records }: NodeService,
  { volumeId, path, fileSystem }: FileSystemWish,
  disk: Disk,
  sizeBytes: number,
): Promise<void> {
  const tools = TOOLS_OF[fileSystem];
  if (!tools.growsMountedOnly) return;
  const lockFile = records.lockFile(volumeId);
  const complaint = await tools.growMounted({ node: disk.node, lockFile, point: path, sizeBytes }).catch(String);
  if (complaint !== undefined) host.logger.warn('A file system is not grown to its disk', { volumeId, complaint });
}

/**
 * Makes sure that the device node leads to the disk that sysfs shows.
 * @throws RpcError FAILED_PRECONDITION
 */
export async function requireWholeNode(disk: Disk, sizeBytes: number): Promise<void> {
  const nodeBytes = await sizeOfNode(disk.node);
  if (nodeBytes === sizeBytes) return;
  throw new RpcError(
    status.FAILED_PRECONDITION,
    `disk ${disk.name} in SCSI slot ${disk.slot} is not used: ${disk.node} has ${nodeBytes} bytes, sysfs says ${sizeBytes}`,
  );
}

/** Looks at the disk's content as far as is needed to decide. */
async function contentPlan(
  { formatNonzero }: NodeService,
  wish: FileSystemWish,
  { disk, sizeBytes, formatBegun }: FoundDisk,
  readOnly: boolean,
): Promise<ContentPlan> {
  const signature = await readSignature(disk.node);
  const zeros = signature.kind === 'none' ? await readsAsZeros(disk.node, sizeBytes) : undefined;
  const hasBackup = formatNonzero && zeros === false && (await hasBackupSuperblock(disk.node, sizeBytes));
  const isWanted = signature.kind === 'file-system' && signature.type === wish.fileSystem;
  const unfinished = isWanted && ((await TOOLS_OF[wish.fileSystem].isUnfinished?.(disk.node)) ?? false);
  const { fileSystem, volumeUniqueId, sizeGB } = wish;
  return planContent(
    { signature, zeros, hasBackup, unfinished, sizeBytes, formatBegun },
    { fileSystem, readOnly, volumeUniqueId, sizeGB, formatNonzero },
  );
}
