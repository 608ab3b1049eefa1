import { rename, stat, symlink } from 'node:fs/promises';
import type { BlockDevice, BlockDevices } from './block-device.ts';

/** Linux gives the numbers of this major to disks beyond `sdp` (block/genhd.c, "blkext"): no real SCSI disk of a machine is meant by them. */
const MAJOR = 259;

/**
 * What the node of a ghost leads to: a file that opens and whose first page can't be read (EIO), as a SCSI disk that has left.
 * An empty file would read as "nothing there", which is not what Linux says.
 */
const UNREADABLE = '/proc/self/mem';

/** Block devices without root: the node is a link to the image, for tools that work on files (demo/shims). */
export function fileDevices(): BlockDevices {
  let nextMinor = 0;
  return {
    open: async (image) => fileDevice(image, `${MAJOR}:${nextMinor++}`),
    stop: async () => undefined,
  };
}

function fileDevice(image: string, number: string): BlockDevice {
  return {
    number,
    makeNode: (path) => symlink(image, path),
    sizeBytes: async () => (await stat(image)).size,
    rescan: async () => undefined,
    sever: async (nodePath) => {
      await symlink(UNREADABLE, `${image}.ghost`);
      await rename(`${image}.ghost`, nodePath);
      return false; // tools have it open for moments only
    },
    flush: async () => undefined,
    close: async () => true,
    cutOff: async () => undefined,
  };
}
