import { readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { RpcError } from '../rpc-error.ts';
import { errorCode } from './host.ts';
import type { Host } from './host.ts';
import { mountsAt, parseMountinfo } from './mountinfo.ts';
import type { Mount } from './mountinfo.ts';
import { MOUNT_TIMEOUT_MS, requireTool, runTool, toolWords } from './tools.ts';

/**
 * A table that changes while it is read may lack rows, so it is read until two readings agree (as mount-utils does).
 */
const READINGS_MAX = 10;

/** What stat says of a mount whose file system or server has died (list of mount-utils; docs/reference/csi.md D.3). */
const DEAD_MOUNT: ReadonlySet<string | undefined> = new Set([
  'ENOTCONN',
  'ESTALE',
  'EIO',
  'EACCES',
  'EHOSTDOWN',
  'EAGAIN',
  'ENODEV',
]);

/**
 * Where a path of a request stands in the mount table; undefined when its folder does not exist, so nothing is mounted
 * there.
 */
export async function mountPointOf(path: string): Promise<string | undefined> {
  try {
    // Not the path itself: what is mounted there may be dead, or (in the demo without root) a link to what is mounted.
    return join(await realpath(dirname(path)), basename(path));
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** The mounts of this process's namespace. */
export async function readMounts(host: Host): Promise<readonly Mount[]> {
  const path = join(host.root, 'proc/self/mountinfo');
  let text = await readFile(path, 'utf8');
  for (let reading = 1; reading < READINGS_MAX; reading++) {
    const again = await readFile(path, 'utf8');
    if (again === text) return parseMountinfo(text);
    text = again;
  }
  throw new RpcError(status.UNAVAILABLE, `${path} changed at each of ${READINGS_MAX} readings`);
}

/** All mounts of the machine, and those at `path` among them, the visible one last. */
export async function mountsAtPath(
  host: Host,
  path: string,
): Promise<{ readonly mounts: readonly Mount[]; readonly layers: readonly Mount[] }> {
  const point = await mountPointOf(path);
  const mounts = await readMounts(host);
  return { mounts, layers: point === undefined ? [] : mountsAt(mounts, point) };
}

/** Mounts an ext4 disk. `flags` are passed on as they are: quoted ones (`context="…,…"`) hold commas of their own. */
export async function mountExt4(node: string, target: string, flags: readonly string[]): Promise<void> {
  const options = flags.length === 0 ? 'defaults' : flags.join(',');
  await requireTool('mount', ['-t', 'ext4', '-o', options, node, target], { timeoutMs: MOUNT_TIMEOUT_MS });
}

/** Makes a mounted folder appear at a second place. */
export async function bindMount(source: string, target: string): Promise<void> {
  await requireTool('mount', ['--bind', source, target], { timeoutMs: MOUNT_TIMEOUT_MS });
}

/** Makes a bind mount read-only; other mounts of the file system stay as they are. */
export async function makeReadOnly(target: string): Promise<void> {
  await requireTool('mount', ['-o', 'remount,bind,ro', target], { timeoutMs: MOUNT_TIMEOUT_MS });
}

/**
 * Writes all that is cached of the mounted file system to its disk. A failure is logged: a dead disk must still be
 * unmounted.
 */
export async function syncFileSystem(host: Host, path: string): Promise<void> {
  const result = await runTool('sync', ['-f', path], { timeoutMs: MOUNT_TIMEOUT_MS });
  if (result.exitCode !== 0) host.logger.warn('A file system could not be synced', { path, output: toolWords(result) });
}

/**
 * Takes off everything that is mounted at a path, layer by layer. Nothing there is fine.
 * @throws RpcError INTERNAL when a layer stays.
 */
export async function unmountAll(host: Host, path: string): Promise<void> {
  let { layers } = await mountsAtPath(host, path);
  while (layers.length > 0) {
    const result = await runTool('umount', [path], { timeoutMs: MOUNT_TIMEOUT_MS });
    const { layers: left } = await mountsAtPath(host, path);
    // By the table, not by the exit code, which is the same for "busy" and "not mounted" (docs/reference/csi.md D.3).
    if (left.length >= layers.length) {
      throw new RpcError(status.INTERNAL, `${path} can't be unmounted: ${toolWords(result)}`);
    }
    layers = left;
  }
}

/**
 * Unmounts what is mounted at a path if it is dead, so that the path can be used again (docs/reference/csi.md D.3).
 * @param look rejects, as `stat` does, when the path is dead.
 */
export async function clearDeadMount(
  host: Host,
  path: string,
  look: (path: string) => Promise<unknown> = stat,
): Promise<void> {
  const { layers } = await mountsAtPath(host, path);
  if (layers.length === 0) return;
  try {
    await look(path);
  } catch (error) {
    if (!DEAD_MOUNT.has(errorCode(error))) throw error;
    host.logger.warn('A dead mount is taken off', { path, code: errorCode(error) });
    await unmountAll(host, path);
  }
}
