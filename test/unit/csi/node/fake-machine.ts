import { mkdir, mkdtemp, readFile, readdir, realpath, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../../../daemon/clock.ts';
import type { Logger } from '../../../../daemon/logger.ts';
import { BoundedLooks } from '../../../../csi/linux/bounded-looks.ts';
import { StageRecords } from '../../../../csi/linux/record.ts';
import { createNodeService } from '../../../../csi/node/node.ts';
import type { NodeHandlers, NodeOptions } from '../../../../csi/node/node.ts';
import type { NodeService } from '../../../../csi/node/service.ts';
import { VolumeLocks } from '../../../../csi/volume-locks.ts';

/** What the API calls 100 GB, by the smaller meaning. */
export const DISK_BYTES = 100e9;

/** H of the machine's disk controller. */
const CONTROLLER = 2;

const PCI = 'sys/devices/pci0000:00/0000:00:15.0/0000:03:00.0';

interface Device {
  readonly name: string;
  /** Undefined: the disk has gone, the device is a ghost. */
  readonly disk: string | undefined;
}

/** A logger that keeps its lines. */
export function memoryLogger(): Logger & { readonly lines: string[] } {
  const lines: string[] = [];
  const keep = (message: string): void => void lines.push(message);
  return { lines, info: keep, warn: keep, error: keep, debug: () => undefined };
}

/**
 * A machine whose sysfs, device nodes and mount table are plain files, and whose disk tools are stand-ins (tools/).
 *
 * Its kernel acts while somebody sleeps on its clock: that is when writes to `scan`, `delete` and `rescan` take effect
 * and disks that were announced with `later` arrive. Sleeping takes no real time.
 */
export class FakeMachine implements Clock {
  readonly home: string;
  /** The host's root. */
  readonly root: string;
  readonly stateDir: string;
  readonly logger = memoryLogger();
  readonly #plugged = new Map<number, string>(); // disk by slot
  readonly #devices = new Map<number, Device>(); // by slot
  readonly #events: { atMs: number; happen: () => Promise<void> }[] = [];
  readonly #path = process.env['PATH'] ?? '';
  #elapsedMs = 0;
  #minor = 0;

  private constructor(home: string) {
    this.home = home;
    this.root = join(home, 'host');
    this.stateDir = join(home, 'state');
  }

  static async boot(): Promise<FakeMachine> {
    const machine = new FakeMachine(await realpath(await mkdtemp(join(tmpdir(), 'node-'))));
    const { root, home } = machine;
    for (const folder of ['sys/class/scsi_host', 'sys/class/scsi_device', 'sys/class/block', 'dev', 'proc/self']) {
      await mkdir(join(root, folder), { recursive: true });
    }
    await mkdir(join(home, 'disks'));
    await writeFile(join(root, 'proc/self/mountinfo'), '22 1 8:1 / / rw - ext4 /dev/sda1 rw\n');
    await writeFile(join(home, 'calls'), '');
    await machine.addController(0, 'ata_piix', 'sys/devices/pci0000:00/0000:00:07.1');
    await machine.addController(CONTROLLER, 'vmw_pvscsi', PCI);
    await machine.addDisk('system', 1e9);
    await machine.plug(0, 'system');
    await machine.#discover(0);
    process.env['PATH'] = `${join(import.meta.dirname, 'tools')}:${machine.#path}`;
    process.env['FAKE_MACHINE'] = home;
    return machine;
  }

  async stop(): Promise<void> {
    process.env['PATH'] = this.#path;
    delete process.env['FAKE_MACHINE'];
    await rm(this.home, { recursive: true });
  }

  /** A node server on this machine. A second one is what starts after a crash of the first. */
  nodeServer(
    locks = new VolumeLocks(),
    options: Partial<Pick<NodeOptions, 'formatNonzero' | 'attachedVolumes'>> = {},
  ): Promise<NodeHandlers> {
    return createNodeService({
      nodeName: 'worker1',
      hostRoot: this.root,
      stateDir: this.stateDir,
      zone: () => Promise.resolve('east-11'),
      logger: this.logger,
      clock: this,
      locks,
      formatNonzero: false,
      ...options,
    });
  }

  /** What a node server works with, for those parts of it that no RPC starts. It loses patience with hanging tools soon. */
  async service(): Promise<NodeService> {
    const host = { root: this.root, clock: this, logger: this.logger };
    const records = await StageRecords.open(this.stateDir, this.logger);
    const [locks, slots, looks] = [new VolumeLocks(), new VolumeLocks(), new BoundedLooks(150)];
    return { host, records, locks, slots, looks, formatNonzero: false, attachedVolumes: undefined };
  }

  // ---- the machine's room

  async addController(number: number, driver: string, pciFolder: string): Promise<void> {
    const folder = join(this.root, pciFolder, `host${number}`);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'proc_name'), `${driver}\n`);
    await writeFile(join(folder, 'scan'), '');
    await symlink(folder, join(this.root, `sys/class/scsi_host/host${number}`));
  }

  /** A disk of zeros, in no machine. */
  async addDisk(disk: string, sizeBytes: number): Promise<void> {
    await mkdir(join(this.home, 'disks', disk));
    await this.change(disk, { size: String(sizeBytes), 'known-size': String(sizeBytes), image: '' });
  }

  /** What a disk holds and how it behaves: see the tools. `undefined` takes a trait away. */
  async change(disk: string, traits: Readonly<Record<string, string | undefined>>): Promise<void> {
    for (const [trait, value] of Object.entries(traits)) {
      const path = join(this.home, 'disks', disk, trait);
      if (value === undefined) await rm(path, { force: true });
      else await writeFile(path, value);
    }
  }

  /** A trait of a disk, such as `type`. */
  async trait(disk: string, trait: string): Promise<string | undefined> {
    return readFile(join(this.home, 'disks', disk, trait), 'utf8').catch(() => undefined);
  }

  /** Attaches a disk; the kernel sees it at the next scan. */
  async plug(slot: number, disk: string): Promise<void> {
    this.#plugged.set(slot, disk);
  }

  /** Detaches a disk; a device that the kernel has for it stays as a ghost. */
  async unplug(slot: number): Promise<void> {
    this.#plugged.delete(slot);
    const device = this.#devices.get(slot);
    if (device === undefined) return;
    this.#devices.set(slot, { ...device, disk: undefined });
    await mkdir(join(this.home, 'disks', `ghost-${device.name}`), { recursive: true });
    await this.change(`ghost-${device.name}`, { dead: '', image: '' });
    await this.#connect(device.name, `ghost-${device.name}`);
  }

  later(afterMs: number, happen: () => Promise<void>): void {
    this.#events.push({ atMs: this.#elapsedMs + afterMs, happen });
  }

  // ---- the kernel

  /** Finds a disk in a slot without being asked (hot-plug). */
  async discover(slot: number): Promise<string> {
    await this.#discover(slot);
    return this.#devices.get(slot)?.name ?? '';
  }

  /** The names of the kernel's data disks by slot, ghosts included. */
  devices(): Record<number, string> {
    return Object.fromEntries(
      [...this.#devices].filter(([slot]) => slot > 0).map(([slot, { name }]) => [slot, name] as const),
    );
  }

  async mounts(): Promise<readonly string[]> {
    return (await this.mountTable()).slice(1).map((row) => {
      const [, , number, , point, options] = row.split(' ');
      const name = point?.replaceAll('\\040', ' ').replace(`${this.home}/`, '');
      return `${number} ${name} ${options?.split(',')[0]}`;
    });
  }

  async addMountRow(row: string): Promise<void> {
    await writeFile(join(this.root, 'proc/self/mountinfo'), `${row}\n`, { flag: 'a' });
  }

  /** All rows of the mount table, the system disk's first. */
  async mountTable(): Promise<readonly string[]> {
    return (await readFile(join(this.root, 'proc/self/mountinfo'), 'utf8')).trim().split('\n');
  }

  /** Deletes the device in a slot, whose disk leaves too. */
  async remove(slot: number): Promise<void> {
    this.#plugged.delete(slot);
    const device = this.#devices.get(slot);
    if (device !== undefined) await this.#forget(slot, device.name);
  }

  /** `major:minor` of a device. */
  async numberOf(name: string): Promise<string> {
    return (await readFile(this.attributePath(name, 'dev'), 'utf8')).trim();
  }

  /** Changes the SCSI state of the device in a slot. */
  async setState(slot: number, state: string): Promise<void> {
    const folder = join(this.root, 'sys/class/scsi_device', `${CONTROLLER}:0:${slot}:0`, 'device');
    await writeFile(join(folder, 'state'), `${state}\n`);
  }

  attributePath(name: string, attribute: string): string {
    return join(this.root, 'sys/class/block', name, attribute);
  }

  async #discover(slot: number): Promise<void> {
    const disk = this.#plugged.get(slot);
    if (disk === undefined || this.#devices.has(slot)) return;
    const taken = new Set([...this.#devices.values()].map(({ name }) => name));
    const name = 'abcdefghijklmnop'
      .split('')
      .map((letter) => `sd${letter}`)
      .find((candidate) => !taken.has(candidate));
    if (name === undefined) throw new Error('no free name');
    const scsi = join(this.root, 'sys/class/scsi_device', `${CONTROLLER}:0:${slot}:0`, 'device');
    const block = join(this.root, 'sys/class/block', name);
    await mkdir(join(block, 'holders'), { recursive: true });
    await writeFile(join(block, 'dev'), `8:${(this.#minor++ + slot) * 16}\n`);
    this.#devices.set(slot, { name, disk });
    await this.#takeSize(name, disk);
    await this.#connect(name, disk);
    await mkdir(join(scsi, 'block', name), { recursive: true });
    await writeFile(join(scsi, 'state'), `${(await this.trait(disk, 'state')) ?? 'running'}\n`);
    for (const command of ['delete', 'rescan']) await writeFile(join(scsi, command), '');
  }

  /** Makes a device node for a disk, and tells the tools which one it is. */
  async #connect(name: string, disk: string): Promise<void> {
    const folder = join(this.home, 'disks', disk);
    await rm(join(this.root, 'dev', name), { force: true });
    if ((await this.trait(disk, 'no-node')) === undefined) {
      await symlink(join(folder, 'image'), join(this.root, 'dev', name));
    }
    await writeFile(join(this.root, 'sys/class/block', name, 'disk'), `${folder}\n`);
  }

  async #takeSize(name: string, disk: string): Promise<void> {
    const bytes = Number(await this.trait(disk, 'size'));
    await this.change(disk, { 'known-size': String(bytes) });
    await writeFile(join(this.root, 'sys/class/block', name, 'size'), `${bytes / 512}\n`);
  }

  async #forget(slot: number, name: string): Promise<void> {
    await rm(join(this.root, 'sys/class/scsi_device', `${CONTROLLER}:0:${slot}:0`), { recursive: true });
    await rm(join(this.root, 'sys/class/block', name), { recursive: true });
    await unlink(join(this.root, 'dev', name));
    this.#devices.delete(slot);
  }

  async #react(): Promise<void> {
    for (const due of this.#events.filter(({ atMs }) => atMs <= this.#elapsedMs)) {
      this.#events.splice(this.#events.indexOf(due), 1);
      await due.happen();
    }
    for (const [slot, { name, disk }] of this.#devices) {
      const folder = join(this.root, 'sys/class/scsi_device', `${CONTROLLER}:0:${slot}:0`, 'device');
      if ((await take(join(folder, 'rescan'))) !== '' && disk !== undefined) await this.#takeSize(name, disk);
      if ((await take(join(folder, 'delete'))) !== '') await this.#forget(slot, name);
    }
    const request = /^0 (\d+) 0$/.exec(await take(join(this.root, `sys/class/scsi_host/host${CONTROLLER}/scan`)));
    if (request !== null) await this.#discover(Number(request[1]));
  }

  // ---- what happened

  /** The calls of a tool so far, each as its arguments. */
  async calls(tool: string): Promise<readonly (readonly string[])[]> {
    const lines = (await readFile(join(this.home, 'calls'), 'utf8')).split('\n').map((line) => line.split('\t'));
    return lines.filter(([name]) => name === tool).map(([, ...args]) => args);
  }

  /** The volumes that have a record. */
  async records(): Promise<readonly string[]> {
    const files = await readdir(this.stateDir);
    return files
      .filter((file) => file.endsWith('.json'))
      .map((file) => file.slice(0, -5))
      .sort();
  }

  // ---- the clock

  now(): number {
    return this.#elapsedMs;
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  async sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.#elapsedMs += delayMs;
    await this.#react();
    signal?.throwIfAborted();
  }
}

/** What was written to a file of sysfs since the last time. */
async function take(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch(() => '');
  if (text !== '') await writeFile(path, '');
  return text;
}
