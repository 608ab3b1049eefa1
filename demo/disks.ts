import { execFile } from 'node:child_process';
import { access, constants, mkdtemp, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parseMountinfo } from '../csi/linux/mountinfo.ts';

const run = promisify(execFile);

/** What the node server (csi/linux) and the simulator's loop devices call. */
const TOOLS = [
  'mount',
  'umount',
  'blkid',
  'blockdev',
  'dd',
  'dumpe2fs',
  'e2fsck',
  'flock',
  'losetup',
  'mkfs.ext4',
  'mknod',
  'resize2fs',
  'sha256sum',
  'stat',
  'sync',
];

const SHIMS = fileURLToPath(new URL('shims', import.meta.url));

/** How the demo's disks are made. */
export interface Disks {
  /** The simulator's `--disks`. */
  readonly mode: 'loop' | 'file';
  /** Why they are not real; empty when they are. */
  readonly shimmedBecause: string;
  /** PATH of the node servers. */
  readonly path: string;
}

/** Real loop devices wherever they work; else the shims, which need neither root nor any tool. */
export async function chooseDisks(forceShims: boolean): Promise<Disks> {
  // Tools for administrators are often not in a user's PATH.
  const path = [process.env['PATH'] ?? '', '/usr/local/sbin', '/usr/sbin', '/sbin'].join(delimiter);
  const shimmedBecause = forceShims ? '--shims was given' : await whyNotReal(path);
  if (shimmedBecause === '') return { mode: 'loop', shimmedBecause, path };
  return { mode: 'file', shimmedBecause, path: [SHIMS, path].join(delimiter) };
}

async function whyNotReal(path: string): Promise<string> {
  if (process.platform !== 'linux') return `this is ${process.platform}, not Linux`;
  if (process.getuid?.() !== 0) return 'not root';
  for (const tool of TOOLS) if (!(await inPath(path, tool))) return `there is no ${tool}`;
  return await whyNoLoopMount(path);
}

async function inPath(path: string, tool: string): Promise<boolean> {
  for (const folder of path.split(delimiter)) {
    const found = await access(join(folder, tool), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return true;
  }
  return false;
}

/** Root in a container may lack loop devices or mount: only trying tells. */
async function whyNoLoopMount(path: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'nifcloud-probe-'));
  const image = join(folder, 'image');
  const env = { PATH: path, LC_ALL: 'C' };
  let device = '';
  try {
    await writeFile(image, '');
    await truncate(image, 16 * 2 ** 20);
    device = (await run('losetup', ['--find', '--show', image], { env })).stdout.trim();
    await run('mkfs.ext4', ['-q', '-F', device], { env });
    await run('mount', ['-t', 'ext4', device, folder], { env });
    await run('umount', [folder], { env });
    return '';
  } catch (error) {
    return `loop devices do not work here (${(error as Error).message.split('\n')[0]})`;
  } finally {
    if (device !== '') await run('losetup', ['--detach', device], { env }).catch(() => undefined);
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Unmounts and frees what a failed run has left of its disks, before its folder is removed: also mounts that are in use,
 * as a recursive delete would go through them.
 */
export async function releaseDisks(folder: string): Promise<void> {
  if (process.platform !== 'linux') return;
  const isOurs = (path: string): boolean => path.startsWith(`${folder}/`);
  const mounts = parseMountinfo(await readFile('/proc/self/mountinfo', 'utf8'));
  for (const { point } of mounts.toReversed()) {
    if (isOurs(point)) await run('umount', ['--lazy', point]);
  }
  // Only a simulator that was killed has not freed its loop devices.
  for (const device of await readdir('/sys/block')) {
    const image = await readFile(`/sys/block/${device}/loop/backing_file`, 'utf8').catch(() => '');
    if (isOurs(image)) await run('losetup', ['--detach', `/dev/${device}`]);
  }
}
