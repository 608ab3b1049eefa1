import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';

/**
 * A server's /sys, /dev and /proc as Linux on a VMware guest has them (docs/reference/csi.md D.1): what a CSI driver reads, not more.
 *
 * As in Linux, everything under sys/class and sys/block is a link into sys/devices. A disk appears from the inside out and vanishes from
 * the outside in, so that whatever a reader finds leads to all the rest: by-path link → SCSI device → block device → node.
 */

/** The SCSI controllers of a server: a CD-ROM drive's, and the one that has the disks (PVSCSI). */
const ADAPTERS = [
  { host: 0, driver: 'ata_piix', folder: 'sys/devices/pci0000:00/0000:00:07.1/ata1/host0' },
  { host: 2, driver: 'vmw_pvscsi', folder: 'sys/devices/pci0000:00/0000:00:15.0/0000:03:00.0/host2' },
] as const;

const DISK_HOST = 2;
const DISK_HOST_FOLDER = ADAPTERS[1].folder;
const DISK_HOST_PCI = '0000:03:00.0';

/** A disk in the tree: SCSI address 2:0:`unit`:0, block device `name`. */
export interface TreeDisk {
  readonly unit: number;
  /** `sdb` */
  readonly name: string;
  /** `major:minor` */
  readonly number: string;
}

/** Makes something at a path: the tree decides where, the caller what (a FIFO, a device node). */
type Make = (path: string) => Promise<unknown>;

/** Makes the tree of a server without disks. `makeScan` is called for the `scan` file of each SCSI host. */
export async function makeHostTree(
  root: string,
  makeScan: (path: string, host: number) => Promise<unknown>,
): Promise<void> {
  const folders = ['sys/class/scsi_host', 'sys/class/scsi_device', 'sys/class/block', 'sys/block', 'sys/dev/block'];
  for (const folder of [...folders, 'dev/block', 'dev/disk/by-path'])
    await mkdir(join(root, folder), { recursive: true });
  for (const { host, driver, folder } of ADAPTERS) {
    const attributes = join(root, folder, 'scsi_host', `host${host}`);
    await mkdir(attributes, { recursive: true });
    await writeFile(join(attributes, 'proc_name'), `${driver}\n`);
    await makeScan(join(attributes, 'scan'), host);
    await link(join(attributes, 'device'), join(root, folder));
    await link(join(root, 'sys/class/scsi_host', `host${host}`), attributes);
  }
}

/** True if a write to this host's `scan` finds disks. */
export function hasDisks(host: number): boolean {
  return host === DISK_HOST;
}

/** Shows a disk. `make` supplies the files that do something, made before anybody can see the disk. */
export async function showDisk(
  root: string,
  scratch: string,
  disk: TreeDisk,
  sizeBytes: number,
  make: { node: Make; delete: Make; rescan: Make },
): Promise<void> {
  const address = scsiAddress(disk);
  const draft = await mkdtemp(join(scratch, 'target-'));
  const device = join(draft, address);
  const block = join(device, 'block', disk.name);
  await mkdir(join(block, 'holders'), { recursive: true });
  await mkdir(join(device, 'scsi_device', address), { recursive: true });
  await link(join(device, 'scsi_device', address, 'device'), device);
  await link(join(block, 'device'), device);
  // The SCSI texts are padded to the lengths of an INQUIRY answer, as sysfs prints them.
  const attributes = { state: 'running', type: '0', vendor: 'VMware'.padEnd(8), model: 'Virtual disk'.padEnd(16) };
  for (const [name, text] of Object.entries(attributes)) await writeFile(join(device, name), `${text}\n`);
  for (const [name, text] of Object.entries({ dev: disk.number, ro: '0', size: sectors(sizeBytes) })) {
    await writeFile(join(block, name), `${text}\n`);
  }
  await make.delete(join(device, 'delete'));
  await make.rescan(join(device, 'rescan'));
  await make.node(nodePath(root, disk));
  await rename(draft, targetPath(root, disk));
  for (const [from, to] of links(root, disk)) await link(from, to);
}

/** Removes a disk. */
export async function hideDisk(root: string, scratch: string, disk: TreeDisk): Promise<void> {
  for (const [from] of links(root, disk).toReversed()) await rm(from, { force: true });
  const draft = await mkdtemp(join(scratch, 'target-'));
  await rename(targetPath(root, disk), draft);
  await rm(nodePath(root, disk), { force: true });
  await rm(draft, { recursive: true });
}

/** Changes the size that sysfs shows, at one stroke. */
export async function showSize(root: string, scratch: string, disk: TreeDisk, sizeBytes: number): Promise<void> {
  const draft = join(await mkdtemp(join(scratch, 'size-')), 'size');
  await writeFile(draft, `${sectors(sizeBytes)}\n`);
  await rename(draft, join(targetPath(root, disk), scsiAddress(disk), 'block', disk.name, 'size'));
  await rm(dirname(draft), { recursive: true });
}

/** Where a disk's node is. */
export function nodePath(root: string, disk: TreeDisk): string {
  return join(root, 'dev', disk.name);
}

/** All links to a disk and what they lead to, in the order in which they appear. */
function links(root: string, disk: TreeDisk): readonly (readonly [from: string, to: string])[] {
  const device = join(targetPath(root, disk), scsiAddress(disk));
  const block = join(device, 'block', disk.name);
  return [
    [join(root, 'sys/dev/block', disk.number), block],
    [join(root, 'sys/class/block', disk.name), block],
    [join(root, 'sys/block', disk.name), block],
    [join(root, 'sys/class/scsi_device', scsiAddress(disk)), join(device, 'scsi_device', scsiAddress(disk))],
    // Of udev. Its first number is the host's among those of the same PCI function, so always 0.
    [join(root, 'dev/block', disk.number), nodePath(root, disk)],
    [join(root, 'dev/disk/by-path', `pci-${DISK_HOST_PCI}-scsi-0:0:${disk.unit}:0`), nodePath(root, disk)],
  ];
}

function scsiAddress(disk: TreeDisk): string {
  return `${DISK_HOST}:0:${disk.unit}:0`;
}

function targetPath(root: string, disk: TreeDisk): string {
  return join(root, DISK_HOST_FOLDER, `target${DISK_HOST}:0:${disk.unit}`);
}

/** sysfs counts in 512 bytes, whatever the device's own sector is. */
function sectors(sizeBytes: number): string {
  return String(Math.floor(sizeBytes / 512));
}

/** Relative, as in sysfs, so that the tree means the same from wherever it is looked at. */
async function link(from: string, to: string): Promise<void> {
  await symlink(relative(dirname(from), to), from);
}
