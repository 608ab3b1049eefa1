import { status } from '@grpc/grpc-js';
import { describeError } from '../../daemon/logger.ts';
import { readMounts } from '../linux/mounts.ts';
import { deleteDisk, faultOf, isThere, wrongNode } from '../linux/scsi.ts';
import type { Disk } from '../linux/scsi.ts';
import { usesOf } from '../linux/usage.ts';
import { RpcError } from '../rpc-error.ts';
import { bootIdOf, claimOn, holdSlot } from './service.ts';
import type { NodeService } from './service.ts';
import { diskCensus } from './strangers.ts';

/** Dead devices do no harm but to the log and to the count of disks: a staging removes the one in its own slot. Our choice. */
const SWEEP_EVERY_MS = 600_000;

/** A disk that is just being plugged in may not answer yet, so a dead one is looked at again. Our choice. */
const CONFIRM_AFTER_MS = 5_000;

/** Sweeps at once and then now and then, until the signal aborts. Never rejects. */
export async function sweepUntil(service: NodeService, signal: AbortSignal): Promise<void> {
  const { clock, logger } = service.host;
  let told = '';
  while (!signal.aborted) {
    try {
      await sweep(service, signal);
    } catch (error) {
      // Once: where there is no SCSI controller it stays like that.
      if (!signal.aborted && told !== describeError(error)) logger.error('Dead disks could not be looked for', error);
      told = describeError(error);
    }
    await clock.sleep(SWEEP_EVERY_MS, signal).catch(() => undefined);
  }
}

/**
 * Makes the kernel forget the disks that have left: the creation and the growth of volumes plug them in here for a moment, and leave
 * their devices behind (docs/reference/csi.md D.1, "ghost device").
 *
 * Only one that nobody uses (`usesOf`), that is no staged volume, and that is dead twice in a row.
 */
export async function sweep(service: NodeService, signal: AbortSignal): Promise<void> {
  const { host } = service;
  const suspects = await deadDisks(service);
  if (suspects.size === 0) return;
  await host.clock.sleep(CONFIRM_AFTER_MS, signal);
  for (const [number, { disk, fault }] of await deadDisks(service)) {
    signal.throwIfAborted();
    if (suspects.get(number)?.disk.slot !== disk.slot) continue;
    try {
      await holdSlot(service, disk.slot, () => forget(service, disk, signal));
      host.logger.info('A disk that has left was removed from the kernel', { disk: disk.name, slot: disk.slot, fault });
    } catch (error) {
      if (error instanceof RpcError && error.code === status.ABORTED) continue;
      host.logger.error('A disk that has left stays', error, { disk: disk.name, slot: disk.slot });
    }
  }
}

/** Idle disks that do not work, by device number. */
async function deadDisks(service: NodeService): Promise<Map<string, { readonly disk: Disk; readonly fault: string }>> {
  const dead = new Map<string, { disk: Disk; fault: string }>();
  for (const { disk, uses } of (await diskCensus(service)).strangers) {
    const fault = uses.length === 0 ? await deathOf(service, disk) : undefined;
    if (fault !== undefined) dead.set(disk.number, { disk, fault });
  }
  return dead;
}

/** Why a disk counts as dead; undefined = it is not, or nothing is known. */
export async function deathOf({ looks }: NodeService, disk: Disk): Promise<string | undefined> {
  if ((await wrongNode(disk)) !== undefined) return undefined;
  const fault = await faultOf(disk);
  if (fault !== undefined) return fault;
  // Past all caches: those of a disk that has left still hold what was read from it.
  const read = await looks.look('dd', `if=${disk.node}`, 'bs=1M', 'count=1', 'iflag=direct', 'status=none');
  // Any other code is of something else, such as the loading of its libraries where memory is short.
  return read?.exitCode === 1 ? read.stderr.trim() : undefined;
}

async function forget(service: NodeService, disk: Disk, signal: AbortSignal): Promise<void> {
  const { host, records } = service;
  // Looked at again, now that nobody can begin to work in the slot.
  const claim = claimOn(await records.all(), disk, await bootIdOf(host), '');
  const uses = await usesOf(disk, await readMounts(host));
  if (claim !== undefined || uses.length > 0 || !(await isThere(disk)))
    throw new RpcError(status.ABORTED, `disk ${disk.name} is in use`);
  await deleteDisk(host, disk, signal);
}
