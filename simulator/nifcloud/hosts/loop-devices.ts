import { open, readFile, rename, rm, symlink, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { UsageError } from '../../../daemon/flags.ts';
import type { Logger } from '../../../daemon/logger.ts';
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
export async function loopDevices(imageFolder: string, logger: Logger): Promise<BlockDevices> {
  const nodesWork = await deviceNodesWork(imageFolder);
  let nextNumber = FIRST_NUMBER;
  return {
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
        return new LoopDevice({ name, number: await attribute(name, 'dev'), image, imageFolder, nodesWork }, logger);
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
}

class LoopDevice implements BlockDevice {
  readonly number: string;
  readonly #loop: Loop;
  readonly #path: string;
  readonly #logger: Logger;

  constructor(loop: Loop, logger: Logger) {
    this.number = loop.number;
    this.#loop = loop;
    this.#path = `/dev/${loop.name}`;
    this.#logger = logger;
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

  async sever(): Promise<void> {
    const sizeBytes = await this.sizeBytes();
    if (await this.close()) await this.#bindToNothing(sizeBytes);
    else await this.#cutOff();
  }

  /** What was written through the device is in the image then: Linux writes a block device's cache out at its last close. */
  async close(): Promise<boolean> {
    if (await this.#isBound()) await runTool('losetup', '-d', this.#path);
    return !(await this.#isBound());
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
   * Takes the disk from a mounted file system, which gets I/O errors from now on, as from a disk that was pulled out.
   * A loop device can't change its image, so the disk moves to a copy and the old file is emptied. A write during the copy may be torn.
   */
  async #cutOff(): Promise<void> {
    const { image } = this.#loop;
    this.#logger.warn('A disk left a server that had it in use', { device: this.#path, image });
    const old = await open(image, 'r+');
    try {
      await runTool('cp', '--sparse=always', '--reflink=auto', image, `${image}.copy`);
      await rename(`${image}.copy`, image);
      await old.truncate(0);
      if (await this.#isBound()) await this.rescan();
    } finally {
      await old.close();
    }
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
