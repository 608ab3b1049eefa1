import { execFile } from 'node:child_process';
import { access, chmod, constants, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What the node server calls on a real host (csi/linux). */
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
    await chmod(folder, 0o700);
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

/** Unmounts whatever a failed run has left mounted below its folder; loop devices are the simulator's to free. */
export async function unmountBelow(folder: string): Promise<void> {
  if (process.platform !== 'linux') return;
  const mountinfo = await readFile('/proc/self/mountinfo', 'utf8');
  const targets = mountinfo.split('\n').map((line) => line.split(' ')[4] ?? '');
  for (const target of targets.toReversed()) {
    if (target.startsWith(`${folder}/`)) await run('umount', [target]).catch(() => undefined);
  }
}
