import { open, readdir, readFile, rename, rm, symlink, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { UsageError } from '../../../daemon/flags.ts';
import type { BlockDevice, BlockDevices } from './block-device.ts';
import { runTool } from './tool.ts';

/** The first loop device used: far above those that people and their tools get as "the first free one". */
const FIRST_NUMBER = 1000;

/**
 * Real block devices, for real mkfs and mount.
 *
 * - Numbers count up and are never used twice in a run, so that a stale node or mount can't mean a later disk.
 * - Devices that are not ours are left alone, also where ours had the number once.
 *
 * @param imageFolder resolved path of the folder that holds all images and nothing of anybody else
 */
export async function loopDevices(imageFolder: string): Promise<BlockDevices> {
  await releaseLeftovers(imageFolder);
  const nodesWork = await deviceNodesWork(imageFolder);
  const cutOff = new Set<LoopDevice>();
  let nextNumber = FIRST_NUMBER;
  return {
    stop: async () => {
      for (const device of cutOff) await device.emptyCut();
    },
    open: async (image) => {
      for (;;) {
        const name = `loop${nextNumber++}`;
        if ((await backingFile(name)) !== undefined) continue;
        try {
          await runTool('losetup', `/dev/${name}`, image);
        } catch (error) {
          // Another simulator of this machine was faster.
          if ((await backingFile(name)) !== undefined) continue;
          throw error;
        }
        const number = await attribute(name, 'dev');
        return new LoopDevice({ name, number, image, imageFolder, nodesWork, cutOff });
      }
    },
  };
}

/** @throws where loop devices can't be had, saying what is missing. */
export async function requireLoopDevices(): Promise<void> {
  const hint = '--disks=file works on plain files';
  if (process.getuid?.() !== 0) throw new UsageError(`--disks=loop needs root; ${hint}`);
  try {
    await runTool('losetup', '--version');
  } catch (cause) {
    throw new UsageError(`--disks=loop needs losetup (util-linux); ${hint}`, { cause });
  }
}

/**
 * Gives up the devices of an earlier run that was killed. A mount that is left of it loses its disk: two devices must never
 * write to one image.
 */
async function releaseLeftovers(imageFolder: string): Promise<void> {
  const left = (await readdir(imageFolder)).map((name) => join(imageFolder, name));
  if (left.length > 0) await setImmutable(false, ...left);
  for (const path of left) {
    const image = path.replace(CUT, '');
    // Killed before there was a copy.
    if (image !== path && !left.includes(image)) await rename(path, image);
    else if (image !== path || /\.(copy|ghost)$/.test(path)) await rm(path);
  }
  for (const name of await readdir('/sys/block')) {
    const image = await backingFile(name);
    if (image?.startsWith(`${imageFolder}/`) !== true) continue;
    const device = new LoopDevice({ name, number: '', image, imageFolder, nodesWork: false, cutOff: new Set() });
    if ((await device.close()) || image.endsWith(' (deleted)')) continue;
    await device.cutOff();
    await device.emptyCut();
  }
}

/** What is added to the name of an image that was taken from a device. */
const CUT = /\.loop\d+\.cut$/;

/** Does nothing where the file system can't: tmpfs before Linux 6.6, for one. */
async function setImmutable(on: boolean, ...paths: readonly string[]): Promise<void> {
  await runTool('chattr', on ? '+i' : '-i', ...paths).catch(() => undefined);
}

/** False on a file system mounted `nodev` and where device nodes may not be made. Tried with a second /dev/null. */
async function deviceNodesWork(folder: string): Promise<boolean> {
  const path = join(folder, 'null');
  try {
    await runTool('mknod', path, 'c', '1', '3');
    await (await open(path)).close();
    return true;
  } catch {
    return false;
  } finally {
    await rm(path, { force: true });
  }
}

interface Loop {
  readonly name: string;
  readonly number: string;
  readonly image: string;
  readonly imageFolder: string;
  readonly nodesWork: boolean;
  /** Those that `emptyCut` waits for. */
  readonly cutOff: Set<LoopDevice>;
}

class LoopDevice implements BlockDevice {
  readonly number: string;
  readonly #loop: Loop;
  readonly #path: string;

  constructor(loop: Loop) {
    this.number = loop.number;
    this.#loop = loop;
    this.#path = `/dev/${loop.name}`;
  }

  async makeNode(path: string): Promise<void> {
    if (this.#loop.nodesWork) await runTool('mknod', '-m', '660', path, 'b', ...this.number.split(':'));
    else await symlink(this.#path, path);
  }

  async sizeBytes(): Promise<number> {
    return Number(await attribute(this.#loop.name, 'size')) * 512;
  }

  async rescan(): Promise<void> {
    await runTool('losetup', '-c', this.#path);
  }

  async sever(): Promise<boolean> {
    const sizeBytes = await this.sizeBytes();
    if (await this.close()) {
      await this.#bindToNothing(sizeBytes);
      return false;
    }
    await this.cutOff();
    await this.emptyCut();
    return true;
  }

  async flush(): Promise<void> {
    await runTool('blockdev', '--flushbufs', this.#path);
  }

  /** What was written through the device is in the image then: Linux writes a block device's cache out at its last close. */
  async close(): Promise<boolean> {
    if (await this.#isBound()) await runTool('losetup', '-d', this.#path);
    const isClosed = !(await this.#isBound());
    if (isClosed) await this.emptyCut();
    return isClosed;
  }

  /** While a device is mounted, losetup only marks it to be freed later; after that, somebody else may take its number. */
  async #isBound(): Promise<boolean> {
    return (await backingFile(this.#loop.name))?.startsWith(`${this.#loop.imageFolder}/`) ?? false;
  }

  /** A device of the old size that can be opened but never read: its file is cut to nothing behind the loop driver's back. */
  async #bindToNothing(sizeBytes: number): Promise<void> {
    const nothing = join(this.#loop.imageFolder, `${this.#loop.name}.ghost`);
    await (await open(nothing, 'wx')).close();
    await truncate(nothing, sizeBytes);
    await runTool('losetup', '--read-only', this.#path, nothing);
    await runTool('losetup', '--direct-io=on', this.#path).catch(() => undefined);
    await truncate(nothing, 0);
    // Without direct I/O, which not every file system has, such reads would give zeros; at size 0 they end at once.
    if ((await attribute(this.#loop.name, 'loop/dio')) !== '1') await this.rescan();
    await rm(nothing);
  }

  /**
   * A loop device can't change its image, so the disk moves to a copy. The old file is made immutable first, and stays so: what
   * fails from then on was never acknowledged as written, and what was acknowledged before is in the copy. Where that can't be
   * done, a write during the copy may be torn.
   */
  async cutOff(): Promise<void> {
    const { image, cutOff } = this.#loop;
    const cut = this.#cutPath();
    await rename(image, cut);
    cutOff.add(this);
    await setImmutable(true, cut);
    await runTool('cp', '--sparse=always', '--reflink=auto', cut, `${image}.copy`);
    await rename(`${image}.copy`, image);
  }

  /** Of a device that was cut off: reads fail as well, from now on, and the old file is gone. */
  async emptyCut(): Promise<void> {
    const { cutOff } = this.#loop;
    if (!cutOff.delete(this)) return;
    const cut = this.#cutPath();
    await setImmutable(false, cut);
    await truncate(cut, 0);
    if (await this.#isBound()) await this.rescan();
    await rm(cut);
  }

  #cutPath(): string {
    return `${this.#loop.image}.${this.#loop.name}.cut`;
  }
}

/** The file behind a loop device; undefined when the device is free or was never made. */
async function backingFile(name: string): Promise<string | undefined> {
  try {
    return await attribute(name, 'loop/backing_file');
  } catch {
    return undefined;
  }
}

async function attribute(name: string, path: string): Promise<string> {
  return (await readFile(`/sys/block/${name}/${path}`, 'utf8')).trim();
}
