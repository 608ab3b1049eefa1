import { join, relative } from 'node:path';

/** The last two are of ext4 since Linux 6.15, where it stays `rw` when errors have made it read-only (fs/ext4/super.c). */
const FILE_SYSTEM_READ_ONLY = ['ro', 'emergency_ro', 'shutdown'];

/** A row of /proc/self/mountinfo (proc(5); docs/reference/csi.md D.3). */
export interface Mount {
  /**
   * `major:minor` of what is mounted: the one thing that identifies the disk. `source` is text from the time of the
   * mount.
   */
  readonly device: string;
  /** The folder of the file system that is mounted: `/`, or a part of it that was bound. */
  readonly root: string;
  readonly point: string;
  /** Nothing can be written here: the mount or the whole file system is read-only. */
  readonly readOnly: boolean;
  /** Nothing can be written anywhere in the file system: it was mounted so, or has been made so by the kernel after errors. */
  readonly fileSystemReadOnly: boolean;
  readonly fileSystem: string;
  readonly source: string;
}

/**
 * The mounts in the order of the file: of several on one mount point the last one is visible.
 * @throws Error at a line that is not understood: a mount that was overlooked is a disk that looks idle.
 */
export function parseMountinfo(text: string): readonly Mount[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map(parseLine);
}

/** `id parent major:minor root point options [optional fields…] - type source superoptions` */
function parseLine(line: string): Mount {
  const fields = line.split(' ');
  const separator = fields.indexOf('-', 6);
  const [, , device, root, point, options] = fields;
  const [fileSystem, source, superOptions] = fields.slice(separator + 1);
  if (separator < 0 || device === undefined || !/^\d+:\d+$/.test(device) || fileSystem === undefined) {
    throw new Error(`mountinfo has a line that is not understood: ${line}`);
  }
  return {
    device,
    root: unescape(root ?? ''),
    point: unescape(point ?? ''),
    readOnly: isListed('ro', options) || isListed('ro', superOptions),
    fileSystemReadOnly: FILE_SYSTEM_READ_ONLY.some((option) => isListed(option, superOptions)),
    fileSystem: unescape(fileSystem),
    source: unescape(source ?? ''),
  };
}

function isListed(option: string, list: string | undefined): boolean {
  return list?.split(',').includes(option) ?? false;
}

/** The kernel writes blank, tab, newline, backslash and `#` as three octal digits, all else as it is. */
function unescape(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/** The mounts at exactly this point, the visible one last. */
export function mountsAt(mounts: readonly Mount[], point: string): readonly Mount[] {
  return mounts.filter((mount) => mount.point === point);
}

/**
 * Where a file or folder is, as a bind mount of it is listed: the file system, and the path in it. So `/dev/sdb`, bound anywhere,
 * is a row with the device number of devtmpfs and the root `/sdb` (docs/reference/csi.md D.3).
 * @param path absolute, without links
 */
export function placeOf(mounts: readonly Mount[], path: string): Mount | undefined {
  const above = mounts.filter(({ point }) => point === path || path.startsWith(point.replace(/\/?$/, '/')));
  const deepest = Math.max(...above.map(({ point }) => point.length));
  const mount = above.findLast(({ point }) => point.length === deepest);
  return mount && { ...mount, point: path, root: join(mount.root, relative(mount.point, path)) };
}

/** Whether two mounts show the same file or folder. */
export function isSamePlace(one: Mount, other: Mount): boolean {
  return one.device === other.device && one.root === other.root;
}

/**
 * Whether mount flags make the whole mount read-only. A flag may itself be a list; of `ro` and `rw` the last one
 * counts.
 */
export function isReadOnly(flags: readonly string[]): boolean {
  const words = flags.flatMap((flag) => flag.replaceAll(/"[^"]*"/g, '').split(','));
  return words.findLast((word) => word === 'ro' || word === 'rw') === 'ro';
}
