import type { Logger } from '../../../daemon/logger.ts';
import type { BlockDevice, BlockDevices } from './block-device.ts';
import { hasDisks, hideDisk, makeHostTree, nodePath, showDisk, showSize, type TreeDisk } from './host-tree.ts';
import type { Mounts } from './mounts.ts';
import { makeTrigger, type Trigger } from './trigger.ts';

/** What a server's Linux has noticed of a disk. */
interface Device extends TreeDisk {
  readonly block: BlockDevice;
  readonly triggers: Trigger[];
  /** The disk has left the server, and Linux does not know. */
  ghost: boolean;
}

/**
 * One `channel target lun` as written to `scan`; `-` is all. Channel and LUN are 0 for every disk here.
 * Found also where two writes were read as one: `0 1 00 2 0`.
 */
const SCAN_REQUEST = /(?:-|0)\s+(-|\d+)\s+(?:-|0)/g;

/**
 * The disks of one server: what is plugged in, and what its Linux knows of that (docs/reference/csi.md D.1).
 *
 * - A plugged-in disk appears after a write to `scan`, under the lowest free letter.
 * - An unplugged one stays as a ghost, `state` still `running`, every read failing, until `delete` is written.
 * - A device in a slot, ghost or not, hides any other disk there; a scan changes nothing about it.
 * - Growth shows after a write to `rescan` of the device.
 * - A deleted device whose disk is still plugged in comes back with the next scan.
 * - Power off takes all devices, ghosts too, and all their mounts; power on finds all that is plugged in, under new numbers.
 *
 * Changes happen one after the other, in the order in which they were asked for.
 */
export class Host {
  readonly #root: string;
  readonly #scratch: string;
  readonly #blockDevices: BlockDevices;
  readonly #mounts: Mounts;
  readonly #logger: Logger;
  readonly #plugged = new Map<number, string>(); // image by slot
  readonly #devices = new Map<number, Device>(); // by slot
  readonly #scans: Trigger[] = [];
  #isOn = false;
  #lastChange: Promise<unknown> = Promise.resolve();

  /** @param scratch a folder on the file system of `root` */
  constructor(
    root: string,
    parts: {
      readonly scratch: string;
      readonly blockDevices: BlockDevices;
      readonly mounts: Mounts;
      readonly logger: Logger;
    },
  ) {
    this.#root = root;
    this.#scratch = parts.scratch;
    this.#blockDevices = parts.blockDevices;
    this.#mounts = parts.mounts;
    this.#logger = parts.logger;
  }

  /** Makes the server's /sys and /dev. The server is off. */
  async make(): Promise<void> {
    await makeHostTree(this.#root, async (path, host) => {
      const onWrite = (text: string): void => this.#react('scan', () => this.#scan(text));
      this.#scans.push(await makeTrigger(path, hasDisks(host) ? onWrite : () => undefined));
    });
  }

  /** Boots: all that is plugged in is found. */
  powerOn(): Promise<void> {
    return this.#inTurn(async () => {
      this.#isOn = true;
      await this.#scan('- - -');
    });
  }

  /** @param how `clean`: what was written is on the disks afterwards; else what was not synced is lost, as in a power cut */
  powerOff(how: { readonly clean: boolean }): Promise<void> {
    return this.#inTurn(async () => {
      this.#isOn = false;
      const devices = [...this.#devices.values()];
      if (how.clean) for (const device of devices) await this.#shutDown(device);
      // A power cut hits all disks at once.
      await Promise.all(devices.map((device) => this.#takeAway(device)));
      for (const device of devices) {
        await this.#mounts.end(device.number);
        await device.block.close();
        await this.#hide(device);
      }
    });
  }

  /** Plugs a disk in. */
  attach(slot: number, image: string): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#plugged.has(slot)) throw new Error(`slot ${slot} is taken`);
      this.#plugged.set(slot, image);
    });
  }

  /** Pulls a disk out. True: this Linux still used it (mounted, open, or held by another device). */
  detach(slot: number): Promise<boolean> {
    return this.#inTurn(async () => {
      if (!this.#plugged.delete(slot)) throw new Error(`slot ${slot} is empty`);
      const device = this.#devices.get(slot);
      if (device === undefined || device.ghost) return false;
      device.ghost = true;
      const isMounted = await this.#mounts.isMounted(device.number);
      const isOpen = await device.block.sever(nodePath(this.#root, device));
      if (!isMounted && !isOpen) return false;
      this.#logger.warn('A disk left a server that had it in use', { host: this.#root, name: device.name });
      return true;
    });
  }

  /** Stops reacting and gives all devices up; those still mounted go when that ends. */
  async stop(): Promise<void> {
    for (const scan of this.#scans) scan.close();
    await this.#inTurn(async () => {
      for (const device of this.#devices.values()) {
        for (const trigger of device.triggers) trigger.close();
        const { name, number } = device;
        try {
          if (await device.block.close()) continue;
          this.#logger.warn('A disk is still in use', { host: this.#root, name, number });
        } catch (error) {
          this.#logger.error('A device is left behind', error, { host: this.#root, name, number });
        }
      }
      this.#devices.clear();
    });
  }

  async #shutDown({ number, block, ghost }: Device): Promise<void> {
    if (ghost) return;
    await this.#mounts.sync(number);
    await this.#mounts.end(number);
    await block.flush();
  }

  /** Whoever still has the device gets I/O errors: what it writes must not reach a disk that a later scan, here or on another server, finds. */
  async #takeAway({ block, ghost }: Device): Promise<void> {
    if (!(await block.close()) && !ghost) await block.cutOff();
  }

  async #hide(device: Device): Promise<void> {
    for (const trigger of device.triggers) trigger.close();
    await hideDisk(this.#root, this.#scratch, device);
    this.#devices.delete(device.unit);
  }

  async #scan(text: string): Promise<void> {
    if (!this.#isOn) return;
    const units = [...text.matchAll(SCAN_REQUEST)].map((match) => match[1]);
    if (units.length === 0) this.#logger.warn('A write to scan names no disk', { host: this.#root, text });
    for (const [slot, image] of [...this.#plugged].sort(([a], [b]) => a - b)) {
      if (this.#devices.has(slot) || !units.some((unit) => unit === '-' || Number(unit) === slot)) continue;
      await this.#discover(slot, image);
    }
  }

  async #discover(slot: number, image: string): Promise<void> {
    const block = await this.#blockDevices.open(image);
    const device: Device = {
      unit: slot,
      name: this.#freeName(),
      number: block.number,
      block,
      triggers: [],
      ghost: false,
    };
    this.#devices.set(slot, device);
    const trigger = (name: string, act: () => Promise<void>) => async (path: string) => {
      device.triggers.push(await makeTrigger(path, () => this.#react(name, act)));
    };
    await showDisk(this.#root, this.#scratch, device, await block.sizeBytes(), {
      node: (path) => block.makeNode(path),
      delete: trigger('delete', () => this.#delete(device)),
      rescan: trigger('rescan', () => this.#rescan(device)),
    });
  }

  #freeName(): string {
    const taken = new Set([...this.#devices.values()].map((device) => device.name));
    // As many as a SCSI bus has addresses.
    for (const letter of 'abcdefghijklmnop') if (!taken.has(`sd${letter}`)) return `sd${letter}`;
    throw new Error('all device names are taken');
  }

  async #delete(device: Device): Promise<void> {
    if (this.#devices.get(device.unit) !== device) return; // written twice
    await this.#hide(device);
    await this.#takeAway(device);
  }

  async #rescan(device: Device): Promise<void> {
    if (this.#devices.get(device.unit) !== device || device.ghost) return;
    await device.block.rescan();
    await showSize(this.#root, this.#scratch, device, await device.block.sizeBytes());
  }

  /** What a write to a file of sysfs sets off. Nobody waits for it, so its failure is logged. */
  #react(file: string, change: () => Promise<void>): void {
    this.#inTurn(change).catch((error: unknown) => {
      this.#logger.error('A write to a file of sysfs failed', error, { host: this.#root, file });
    });
  }

  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const done = this.#lastChange.then(change);
    this.#lastChange = done.catch(() => undefined);
    return done;
  }
}
