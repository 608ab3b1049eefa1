import { readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { RpcError } from '../rpc-error.ts';
import type { FileSystem } from '../volume-capability.ts';
import { errorCode } from './host.ts';
import type { Host } from './host.ts';
import type { BoundedLooks } from './bounded-looks.ts';
import { mountsAt, parseMountinfo } from './mountinfo.ts';
import type { Mount } from './mountinfo.ts';
import { deviceNumber } from './scsi.ts';
import { MOUNT_TIMEOUT_MS, requireTool, runTool, toolFailure, toolWords } from './tools.ts';

/**
 * A table that changes while it is read may lack rows, so it is read until two readings agree (as mount-utils does).
 */
const READINGS_MAX = 10;

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
    if (again === text) return Promise.all(parseMountinfo(text).map(withDiskNumber));
    text = again;
  }
  throw new RpcError(status.UNAVAILABLE, `${path} changed at each of ${READINGS_MAX} readings`);
}

/**
 * btrfs mounts bear a number of their own, which no device has. In its place comes that of the disk, so that mounts of all kinds are
 * found by it. Its name is all that the table tells, and is that of the time of the mount.
 */
async function withDiskNumber(mount: Mount): Promise<Mount> {
  if (mount.fileSystem !== 'btrfs') return mount;
  const node = await stat(mount.source).catch(() => undefined);
  return node?.isBlockDevice() === true ? { ...mount, device: deviceNumber(node.rdev) } : mount;
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

/** Mounts a disk. `flags` are passed on as they are: quoted ones (`context="…,…"`) hold commas of their own. */
export async function mountDisk(
  fileSystem: FileSystem,
  node: string,
  target: string,
  flags: readonly string[],
): Promise<void> {
  const options = flags.length === 0 ? 'defaults' : flags.join(',');
  const args = ['-t', fileSystem, '-o', options, node, target];
  // Mount flags may hold passwords (CSI specification, VolumeCapability).
  await requireTool('mount', args, { timeoutMs: MOUNT_TIMEOUT_MS, hidden: options });
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
 *
 * Dead is what `stat` fails at, whatever the error: for root there is no other reason to at a path that is in the mount table. Any
 * other exit code than its 1 is of something else, such as the loading of its libraries where memory is short.
 * @throws ToolError when it could not be looked at.
 * @throws RpcError UNAVAILABLE when it does not answer, where unmounting would hang as well, and when it can't be taken off.
 */
export async function clearDeadMount(
  { host, looks }: { readonly host: Host; readonly looks: BoundedLooks },
  path: string,
): Promise<void> {
  const { layers } = await mountsAtPath(host, path);
  if (layers.length === 0) return;
  const found = await looks.look('stat', '-L', '-c', '%d', path);
  if (found === undefined) {
    throw new RpcError(status.UNAVAILABLE, `what is mounted at ${path} does not answer: its disk is stuck or gone`);
  }
  if (found.exitCode === 0) return;
  if (found.exitCode !== 1) throw toolFailure(found);
  host.logger.warn('A dead mount is taken off', { path, reason: toolWords(found) });
  try {
    await unmountAll(host, path);
  } catch (cause) {
    throw new RpcError(status.UNAVAILABLE, `what is mounted at ${path} is dead`, { cause });
  }
}
