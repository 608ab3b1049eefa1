import { realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { RpcError } from '../rpc-error.ts';
import { errorCode, until } from './host.ts';
import type { Host } from './host.ts';
import { attribute, entries, isAbsence, trigger } from './sysfs.ts';

/** Drivers of the controllers that a VMware guest's disks hang on; CD-ROMs have others (docs/reference/csi.md D.1). */
const DISK_DRIVERS: ReadonlySet<string | undefined> = new Set(['vmw_pvscsi', 'mptspi', 'mptsas']);

/** The slot of the system disk. It is never ours. */
const SYSTEM_SLOT = 0;

/** Slots of data disks are 1 to 15; 7 is the controller itself (docs/reference/nifcloud-api.md §2.4). */
const LAST_SLOT = 15;

/** Data disks that a server can have. */
export const DATA_SLOTS = 14;

/** How long a disk may take to appear after the attach, with repeated scans (docs/reference/csi.md D.1). */
const APPEAR_TIMEOUT_MS = 30_000;

/** How often sysfs is looked at while something is awaited. */
const LOOK_EVERY_MS = 250;

/** A scan that comes before the hypervisor has plugged the disk in finds nothing, so it is repeated. */
const SCAN_EVERY_MS = 3_000;

/** How long a deleted device may take to leave sysfs; Linux does it before the write to `delete` returns. */
const DELETE_TIMEOUT_MS = 10_000;

/** A disk that the kernel knows of, found by its SCSI address. */
export interface Disk {
  /** N of `SCSI (0:N)`. */
  readonly slot: number;
  /** `sdb` */
  readonly name: string;
  /** `major:minor`, as in mountinfo. */
  readonly number: string;
  /** Path of the device node, under the host's root. */
  readonly node: string;
  /** sysfs folder of the SCSI device: `state`, `delete`, `rescan`. */
  readonly scsiFolder: string;
  /** sysfs folder of the block device: `size`, `holders`, partitions. */
  readonly blockFolder: string;
}

/**
 * The slot in a `devicePath` of publish_context: `SCSI (0:3)`, or without the blank (docs/reference/nifcloud-api.md
 * §2.4). Undefined for any other text, and for a slot that no data disk can have.
 */
export function parseDevicePath(devicePath: string): number | undefined {
  const match = /^SCSI\s*\((\d+):(\d+)\)$/.exec(devicePath);
  const slot = Number(match?.[2]);
  return match?.[1] === '0' && slot > SYSTEM_SLOT && slot <= LAST_SLOT ? slot : undefined;
}

/**
 * The number H of the SCSI host that the API calls controller 0: the first disk controller that has a disk in slot 0
 * (the system disk), by PCI address. H itself depends on which drivers were loaded first.
 * @throws RpcError FAILED_PRECONDITION when there is no disk controller.
 */
export async function diskController(host: Host): Promise<number> {
  const folder = join(host.root, 'sys/class/scsi_host');
  const controllers: { number: number; pciAddress: string; hasSystemDisk: boolean }[] = [];
  for (const name of await entries(folder)) {
    const number = Number(/^host(\d+)$/.exec(name)?.[1] ?? Number.NaN);
    if (Number.isNaN(number) || !DISK_DRIVERS.has(await attribute(join(folder, name, 'proc_name')))) continue;
    const hasSystemDisk = (await diskInSlot(host, number, SYSTEM_SLOT)) !== undefined;
    controllers.push({ number, pciAddress: pciAddressIn(await realpath(join(folder, name))), hasSystemDisk });
  }
  controllers.sort(
    (a, b) =>
      Number(b.hasSystemDisk) - Number(a.hasSystemDisk) ||
      compareTexts(a.pciAddress, b.pciAddress) ||
      a.number - b.number,
  );
  if (controllers[0] !== undefined) return controllers[0].number;
  throw new RpcError(
    status.FAILED_PRECONDITION,
    `no SCSI disk controller (${[...DISK_DRIVERS].join(', ')}) in ${folder}`,
  );
}

/** The last PCI address of a sysfs path: fixed width and lower-case hex, so that text order is bus order. */
function pciAddressIn(path: string): string {
  return path.match(/(?<=\/)[\da-f]{4}:[\da-f]{2}:[\da-f]{2}\.[\da-f](?=\/)/g)?.at(-1) ?? '';
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

/** The disk in a slot as the kernel knows it: it may be a ghost, that is, one that has been detached. */
export async function diskInSlot(host: Host, controller: number, slot: number): Promise<Disk | undefined> {
  const scsiFolder = join(host.root, 'sys/class/scsi_device', `${controller}:0:${slot}:0`, 'device');
  const [name] = await entries(join(scsiFolder, 'block'));
  if (name === undefined) return undefined;
  const blockFolder = join(host.root, 'sys/class/block', name);
  const number = await attribute(join(blockFolder, 'dev'));
  if (number === undefined) return undefined;
  return { slot, name, number, node: join(host.root, 'dev', name), scsiFolder, blockFolder };
}

/** All data disks of the machine: those in the slots that the API gives out. The system disk is not among them. */
export async function dataDisks(host: Host): Promise<readonly Disk[]> {
  const controller = await diskController(host);
  const disks: Disk[] = [];
  for (let slot = SYSTEM_SLOT + 1; slot <= LAST_SLOT; slot++) {
    const disk = await diskInSlot(host, controller, slot);
    if (disk !== undefined) disks.push(disk);
  }
  return disks;
}

/**
 * The size in bytes that the kernel knows, which may be out of date until `rescanDisk`; 0 for a disk that is not ready
 * or gone.
 */
export async function sizeOf(disk: Disk): Promise<number> {
  // sysfs counts in 512 bytes, whatever the disk's own sector is.
  return Number((await attribute(join(disk.blockFolder, 'size'))) ?? 0) * 512;
}

/** What is wrong with the device itself; undefined = nothing that the kernel knows of. */
export async function faultOf(disk: Disk): Promise<string | undefined> {
  const state = await attribute(join(disk.scsiFolder, 'state'));
  return state === undefined || state === 'running' ? undefined : `its SCSI state is ${state}`;
}

/** Makes the kernel ask the disk for its size. It tells nobody when that has happened. */
export async function rescanDisk(disk: Disk): Promise<void> {
  await trigger(join(disk.scsiFolder, 'rescan'), '1');
}

/**
 * The disk in a slot, once the kernel has it with at least `leastBytes`.
 * @throws RpcError UNAVAILABLE when no disk appears within 30 s, FAILED_PRECONDITION when the one that does can't be
 *   used.
 */
export async function untilDisk(
  host: Host,
  controller: number,
  slot: number,
  leastBytes: number,
  signal: AbortSignal,
): Promise<{ readonly disk: Disk; readonly sizeBytes: number }> {
  let scanDueMs = host.clock.monotonicMs();
  let fault: RpcError | undefined;
  const found = await until(host.clock, { timeoutMs: APPEAR_TIMEOUT_MS, everyMs: LOOK_EVERY_MS }, signal, async () => {
    const disk = await diskInSlot(host, controller, slot);
    const due = host.clock.monotonicMs() >= scanDueMs;
    if (due) scanDueMs = host.clock.monotonicMs() + SCAN_EVERY_MS;
    if (disk === undefined) {
      // Channel, target, LUN: nothing else on the controller is disturbed.
      const scan = join(host.root, `sys/class/scsi_host/host${controller}/scan`);
      if (due) await trigger(scan, `0 ${slot} 0`);
      return undefined;
    }
    const sizeBytes = await sizeOf(disk);
    fault = await unusable(disk, sizeBytes, leastBytes);
    if (fault === undefined) return { disk, sizeBytes };
    // A disk may show 0 bytes at first (docs/reference/csi.md D.1). One that has left meanwhile is looked for again.
    if (due && sizeBytes < leastBytes) await rescanDisk(disk).catch(() => undefined);
    return undefined;
  });
  if (found !== undefined) return found;
  const waited = `after ${APPEAR_TIMEOUT_MS / 1000} s of scanning`;
  throw fault ?? new RpcError(status.UNAVAILABLE, `no disk appeared in SCSI slot ${slot} ${waited}`);
}

async function unusable(disk: Disk, sizeBytes: number, leastBytes: number): Promise<RpcError | undefined> {
  const reason =
    (await faultOf(disk)) ??
    (sizeBytes < leastBytes ? `it has ${sizeBytes} bytes, the volume at least ${leastBytes}` : await wrongNode(disk));
  if (reason === undefined) return undefined;
  return new RpcError(
    status.FAILED_PRECONDITION,
    `disk ${disk.name} in SCSI slot ${disk.slot} can't be used: ${reason}`,
  );
}

/**
 * Why a disk's node is not its device; undefined = it is. In a container without the host's /dev, a node of the same name may be missing,
 * or be another device.
 */
export async function wrongNode(disk: Disk): Promise<string | undefined> {
  const problem = `${disk.node} is not the device ${disk.number}; the node server needs the host's /dev`;
  try {
    const node = await stat(disk.node);
    return node.isBlockDevice() && deviceNumber(node.rdev) !== disk.number ? problem : undefined;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return problem;
    throw error;
  }
}

/** `major:minor` from a `dev_t` in the encoding of stat(2) (makedev(3), majors under 4096). */
export function deviceNumber(rdev: number): string {
  return `${(rdev >>> 8) & 0xfff}:${(rdev & 0xff) | ((rdev >>> 12) & 0xfff00)}`;
}

/** Whether the kernel still has this very device. */
export async function isThere(disk: Disk): Promise<boolean> {
  const left = (await entries(join(disk.scsiFolder, 'block'))).includes(disk.name);
  return left && (await attribute(join(disk.blockFolder, 'dev'))) === disk.number;
}

/**
 * Makes the kernel forget a disk and waits until it has. Only for a disk that nobody uses: what is cached is lost. One that is leaving
 * already is fine.
 * @throws RpcError UNAVAILABLE when the device stays.
 */
export async function deleteDisk(host: Host, disk: Disk, signal: AbortSignal): Promise<void> {
  try {
    await trigger(join(disk.scsiFolder, 'delete'), '1');
  } catch (error) {
    // It is leaving: an earlier deletion was not waited for to its end.
    if (!(error instanceof Error) || !isAbsence(error.cause)) throw error;
  }
  const timing = { timeoutMs: DELETE_TIMEOUT_MS, everyMs: LOOK_EVERY_MS };
  const gone = await until(host.clock, timing, signal, async () => ((await isThere(disk)) ? undefined : true));
  if (gone === undefined) {
    throw new RpcError(
      status.UNAVAILABLE,
      `disk ${disk.name} is still there ${DELETE_TIMEOUT_MS / 1000} s after its deletion`,
    );
  }
}
