import { mkdir, mkdtemp, readFile, realpath, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UsageError } from '../../../daemon/flags.ts';
import type { Logger } from '../../../daemon/logger.ts';
import { garbage, makeImage } from './disk-images.ts';
import { fileDevices } from './file-devices.ts';
import { Host } from './host.ts';
import { loopDevices, requireLoopDevices } from './loop-devices.ts';
import { machineMounts, recordedMounts } from './mounts.ts';

/** Size of a server's own disk, which only has to be there: the driver must tell it from the others. Sparse. */
const SYSTEM_DISK_BYTES = 1024 ** 3;

/**
 * The disks of all simulated servers as the Linux of each sees them. Sizes are in bytes.
 *
 * What may be done when (a disk in one server only, slots, sizes) is the cloud's business: a call that can't be is an error of the caller.
 */
export interface Hosts {
  /**
   * Makes a server's folder, boots the server and resolves to the folder: the `--host-root` of a node server; `''` where there
   * are no disks.
   */
  addServer(server: { readonly name: string; readonly uniqueId: string }): Promise<string>;
  /** Boots: all disks that are plugged in are found, under new device numbers. On a server that is on it is a scan. */
  powerOn(serverUniqueId: string): Promise<void>;
  /**
   * Takes a server's power: all its devices vanish, with their mounts. `clean`: what was written is on the disks; else, as in a
   * power cut, only what was synced (loop devices; plain files lose nothing). Disks may be plugged in and out meanwhile.
   */
  powerOff(serverUniqueId: string, how: { readonly clean: boolean }): Promise<void>;
  /** A server ends, as by a power cut; its disks are in no server then. */
  removeServer(serverUniqueId: string): Promise<void>;
  /** Whether there is a disk: one that was made, or kept from an earlier run. */
  hasDisk(volumeUniqueId: string): Promise<boolean>;
  /**
   * Makes a disk. It takes no space until it is written. `zeroed` (the default): it reads as zeros; else there is garbage at its
   * two ends, which is no signature of anything.
   */
  createDisk(volumeUniqueId: string, sizeBytes: number, content?: { readonly zeroed: boolean }): Promise<void>;
  /** Plugs a disk into a slot (1 to 15). Its Linux sees it after a scan. */
  attach(serverUniqueId: string, slot: number, volumeUniqueId: string): Promise<void>;
  /**
   * Pulls a disk out. A device that its Linux has for it stays as a ghost; if it is mounted, the mount gets I/O errors (loop
   * devices only). Resolves to whether Linux still used it: mounted, open, or held by another device (plain files: mounted).
   */
  detach(serverUniqueId: string, slot: number): Promise<boolean>;
  /** Makes a disk larger. Linux sees it after a rescan of the device. */
  grow(volumeUniqueId: string, sizeBytes: number): Promise<void>;
  /** Destroys a disk that is in no server. It may be gone already. */
  deleteDisk(volumeUniqueId: string): Promise<void>;
  /** Frees all devices (those still mounted: when that ends) and removes all that this run has made, but for kept disks. */
  stop(): Promise<void>;
}

export interface HostsOptions {
  /**
   * `loop`: loop devices, real file systems and mounts; root only. `file`: the device nodes are links to the disks' images, for tools
   * that work on those (demo/shims). `none`: no disks, every call does nothing.
   */
  readonly mode: 'loop' | 'file' | 'none';
  /** Where the images and the servers' folders are, each run in a folder of its own unless `keep`. Made if missing. */
  readonly stateDir: string;
  /** The disks stay in `stateDir` at the end, in the folder `disks`, and those that are there are disks of this run. */
  readonly keep?: boolean;
  readonly logger: Logger;
}

/**
 * The hosts of one simulator.
 * @throws UsageError when loop devices are wanted but there is no root or no losetup, or something is mounted in a kept folder
 */
export async function createHosts(options: HostsOptions): Promise<Hosts> {
  if (options.mode === 'none') return NO_HOSTS;
  const { mode, logger } = options;
  if (mode === 'loop') await requireLoopDevices();
  await mkdir(options.stateDir, { recursive: true });
  const folder = await (options.keep === true
    ? keptFolder(options.stateDir)
    : mkdtemp(join(await realpath(options.stateDir), 'nifcloud-hosts-')));
  const [images, servers, scratch] = [join(folder, 'disks'), join(folder, 'servers'), join(folder, 'scratch')];
  for (const part of [images, servers, scratch]) await mkdir(part, { recursive: true });
  const blockDevices = await (mode === 'loop' ? loopDevices(images) : fileDevices());
  const hosts = new Map<string, Host>(); // by the server's unique id
  /** A disk that is taken from those who use it moves to another file: nothing else may be done with disks until that is over. */
  let lastChange: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(change: () => Promise<T>): Promise<T> => {
    const done = lastChange.then(change);
    lastChange = done.catch(() => undefined);
    return done;
  };

  const image = (volumeUniqueId: string): string => join(images, volumeUniqueId);
  const systemImage = (serverUniqueId: string): string => image(`system-of-${serverUniqueId}`);
  const host = (serverUniqueId: string): Host => {
    const found = hosts.get(serverUniqueId);
    if (found === undefined) throw new Error(`no server ${serverUniqueId}`);
    return found;
  };
  /** A recursive delete goes through mounts: it would erase what is on the disks of others. */
  const remove = async (path: string): Promise<void> => {
    if (await holdsMountPoint(path))
      logger.warn('Something is mounted in a folder of the hosts: it is not removed', { folder: path });
    else await rm(path, { recursive: true, force: true });
  };

  return {
    addServer: async ({ uniqueId }) => {
      // Not by name: servers are renamed, and names come back.
      const root = join(servers, uniqueId);
      await mkdir(root);
      if (mode === 'loop') await symlink('/proc', join(root, 'proc'));
      else await mkdir(join(root, 'proc/self'), { recursive: true });
      const mountInfo = join(root, 'proc/self/mountinfo');
      if (mode === 'file') await writeFile(mountInfo, '');
      const mounts = mode === 'loop' ? machineMounts() : recordedMounts(mountInfo);
      const added = new Host(root, { scratch, blockDevices, mounts, logger });
      hosts.set(uniqueId, added);
      await rm(systemImage(uniqueId), { force: true }); // of an earlier run
      await makeImage(systemImage(uniqueId), SYSTEM_DISK_BYTES, [{ bytes: Buffer.from([0x55, 0xaa]), position: 510 }]);
      await added.make();
      await added.attach(0, systemImage(uniqueId));
      await added.powerOn();
      return root;
    },
    powerOn: async (serverUniqueId) => {
      const starting = host(serverUniqueId);
      await inTurn(() => starting.powerOn());
    },
    powerOff: async (serverUniqueId, how) => {
      const leaving = host(serverUniqueId);
      await inTurn(() => leaving.powerOff(how));
    },
    removeServer: async (serverUniqueId) => {
      const leaving = host(serverUniqueId);
      hosts.delete(serverUniqueId);
      await inTurn(async () => {
        await leaving.powerOff({ clean: false });
        await leaving.stop();
        await remove(join(servers, serverUniqueId));
        await rm(systemImage(serverUniqueId));
      });
    },
    hasDisk: (volumeUniqueId) =>
      stat(image(volumeUniqueId)).then(
        () => true,
        () => false,
      ),
    createDisk: (volumeUniqueId, sizeBytes, content = { zeroed: true }) =>
      makeImage(image(volumeUniqueId), sizeBytes, content.zeroed ? [] : garbage(volumeUniqueId, sizeBytes)),
    attach: async (serverUniqueId, slot, volumeUniqueId) => {
      const to = host(serverUniqueId);
      await inTurn(async () => {
        await stat(image(volumeUniqueId));
        await to.attach(slot, image(volumeUniqueId));
      });
    },
    detach: async (serverUniqueId, slot) => {
      const from = host(serverUniqueId);
      return inTurn(() => from.detach(slot));
    },
    grow: (volumeUniqueId, sizeBytes) =>
      inTurn(async () => {
        const { size } = await stat(image(volumeUniqueId));
        if (sizeBytes < size)
          throw new Error(`disk ${volumeUniqueId} has ${size} bytes and can't shrink to ${sizeBytes}`);
        await truncate(image(volumeUniqueId), sizeBytes);
      }),
    deleteDisk: (volumeUniqueId) =>
      inTurn(async () => {
        await rm(image(volumeUniqueId), { force: true });
        await rm(`${image(volumeUniqueId)}.fs`, { recursive: true, force: true }); // of demo/shims
      }),
    stop: async () => {
      await lastChange;
      for (const [uniqueId, stopping] of hosts) {
        await stopping.stop();
        await rm(systemImage(uniqueId), { force: true });
      }
      hosts.clear();
      await blockDevices.stop();
      if (options.keep !== true) return remove(folder);
      for (const part of [servers, scratch]) await remove(part);
    },
  };
}

/** What an earlier run left there besides the disks is in the way. */
async function keptFolder(stateDir: string): Promise<string> {
  const folder = await realpath(stateDir);
  if (await holdsMountPoint(folder)) throw new UsageError(`${folder}: something is mounted in it; unmount that first`);
  for (const part of ['servers', 'scratch']) await rm(join(folder, part), { recursive: true, force: true });
  return folder;
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
  powerOn: nothing,
  powerOff: nothing,
  removeServer: nothing,
  hasDisk: async () => true,
  createDisk: nothing,
  attach: nothing,
  detach: async () => false,
  grow: nothing,
  deleteDisk: nothing,
  stop: nothing,
};
