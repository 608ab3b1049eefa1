import { mkdir, mkdtemp, open, readFile, realpath, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../../../daemon/logger.ts';
import { fileDevices } from './file-devices.ts';
import { Host } from './host.ts';
import { loopDevices, requireLoopDevices } from './loop-devices.ts';

/** Size of a server's own disk, which only has to be there: the driver must tell it from the others. Sparse. */
const SYSTEM_DISK_BYTES = 1024 ** 3;

/**
 * The disks of all simulated servers as the Linux of each sees them. Sizes are in bytes.
 *
 * What may be done when (a disk in one server only, slots, sizes) is the cloud's business: a call that can't be is an error of the caller.
 */
export interface Hosts {
  /** Makes a server's folder and resolves to it: the `--host-root` of a node server; `''` where there are no disks. */
  addServer(server: { readonly name: string; readonly uniqueId: string }): Promise<string>;
  /** Makes a disk full of zeros. It takes no space until it is written. */
  createDisk(volumeUniqueId: string, sizeBytes: number): Promise<void>;
  /** Plugs a disk into a slot (1 to 15). Its Linux sees it after a scan. */
  attach(serverUniqueId: string, slot: number, volumeUniqueId: string): Promise<void>;
  /** Pulls a disk out. A device that its Linux has for it stays as a ghost; if it is mounted, the mount gets I/O errors (loop devices only). */
  detach(serverUniqueId: string, slot: number): Promise<void>;
  /** Makes a disk larger. Linux sees it after a rescan of the device. */
  grow(volumeUniqueId: string, sizeBytes: number): Promise<void>;
  /** Destroys a disk that is in no server. */
  deleteDisk(volumeUniqueId: string): Promise<void>;
  /** Frees all devices (those still mounted: when that ends) and removes all that this run has made. */
  stop(): Promise<void>;
}

export interface HostsOptions {
  /**
   * `loop`: loop devices, real file systems and mounts; root only. `file`: the device nodes are links to the disks' images, for tools
   * that work on those (demo/shims). `none`: no disks, every call does nothing.
   */
  readonly mode: 'loop' | 'file' | 'none';
  /** Where the images and the servers' folders are kept, each run in a folder of its own. Made if missing. */
  readonly stateDir: string;
  readonly logger: Logger;
}

/**
 * The hosts of one simulator.
 * @throws when loop devices are wanted but there is no root or no losetup.
 */
export async function createHosts(options: HostsOptions): Promise<Hosts> {
  if (options.mode === 'none') return NO_HOSTS;
  const { mode, logger } = options;
  if (mode === 'loop') await requireLoopDevices();
  await mkdir(options.stateDir, { recursive: true });
  const folder = await realpath(await mkdtemp(join(options.stateDir, 'nifcloud-hosts-')));
  const [images, servers, scratch] = [join(folder, 'disks'), join(folder, 'servers'), join(folder, 'scratch')];
  for (const part of [images, servers, scratch]) await mkdir(part);
  const blockDevices = await (mode === 'loop' ? loopDevices(images, logger) : fileDevices());
  const hosts = new Map<string, Host>(); // by the server's unique id

  const image = (volumeUniqueId: string): string => join(images, volumeUniqueId);
  const host = (serverUniqueId: string): Host => {
    const found = hosts.get(serverUniqueId);
    if (found === undefined) throw new Error(`no server ${serverUniqueId}`);
    return found;
  };

  return {
    addServer: async ({ uniqueId }) => {
      // Not by name: servers are renamed, and names come back.
      const root = join(servers, uniqueId);
      await mkdir(root);
      const added = new Host(root, scratch, blockDevices, logger);
      hosts.set(uniqueId, added);
      await makeImage(image(`system-of-${uniqueId}`), SYSTEM_DISK_BYTES, Buffer.from([0x55, 0xaa]), 510);
      await added.boot(image(`system-of-${uniqueId}`), mode === 'loop' ? 'of-this-machine' : 'empty');
      return root;
    },
    createDisk: (volumeUniqueId, sizeBytes) => makeImage(image(volumeUniqueId), sizeBytes),
    attach: async (serverUniqueId, slot, volumeUniqueId) => {
      await stat(image(volumeUniqueId));
      await host(serverUniqueId).attach(slot, image(volumeUniqueId));
    },
    detach: (serverUniqueId, slot) => host(serverUniqueId).detach(slot),
    grow: async (volumeUniqueId, sizeBytes) => {
      const { size } = await stat(image(volumeUniqueId));
      if (sizeBytes < size)
        throw new Error(`disk ${volumeUniqueId} has ${size} bytes and can't shrink to ${sizeBytes}`);
      await truncate(image(volumeUniqueId), sizeBytes);
    },
    deleteDisk: async (volumeUniqueId) => {
      await rm(image(volumeUniqueId));
      await rm(`${image(volumeUniqueId)}.fs`, { recursive: true, force: true }); // of demo/shims
    },
    stop: async () => {
      for (const stopping of hosts.values()) await stopping.stop();
      hosts.clear();
      // A recursive delete goes through mounts: it would erase what is on the disks of others.
      if (await holdsMountPoint(folder))
        logger.warn('Something is mounted in the folder of the hosts: it is not removed', { folder });
      else await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A new sparse file; `head` at `position` marks what is on it. */
async function makeImage(path: string, sizeBytes: number, head = Buffer.alloc(0), position = 0): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.truncate(sizeBytes);
    await file.write(head, 0, head.length, position);
  } finally {
    await file.close();
  }
}

/** By the fifth field of mountinfo (docs/reference/csi.md D.3). */
async function holdsMountPoint(folder: string): Promise<boolean> {
  const mounts = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  const start = `${folder.replaceAll(' ', String.raw`\040`)}/`;
  return mounts.split('\n').some((line) => line.split(' ')[4]?.startsWith(start));
}

const nothing = async (): Promise<void> => undefined;

const NO_HOSTS: Hosts = {
  addServer: async () => '',
  createDisk: nothing,
  attach: nothing,
  detach: nothing,
  grow: nothing,
  deleteDisk: nothing,
  stop: nothing,
};
