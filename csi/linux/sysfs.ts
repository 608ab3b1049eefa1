import { constants } from 'node:fs';
import { open, readFile, readdir } from 'node:fs/promises';
import { status } from '@grpc/grpc-js';
import { RpcError } from '../rpc-error.ts';
import { errorCode } from './host.ts';

/** What reading says when the object is not there, or leaves while it is read. Anything else is doubt, not absence. */
const ABSENT: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ENOTDIR', 'ENODEV', 'ENXIO']);

/** Whether a failure says that the object is not there, or is just leaving. */
export function isAbsence(error: unknown): boolean {
  return ABSENT.has(errorCode(error));
}

/** The trimmed text of a sysfs file; undefined when it is not there. */
export async function attribute(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
}

/** The names in a sysfs folder, sorted; none when it is not there. */
export async function entries(path: string): Promise<readonly string[]> {
  try {
    return (await readdir(path)).sort();
  } catch (error) {
    if (isAbsence(error)) return [];
    throw error;
  }
}

/**
 * Writes to a file that makes the kernel act (`scan`, `delete`, `rescan`). One write, one string: that is one command.
 *
 * Non-blocking: where a FIFO stands for the file and its reader has gone, this fails instead of holding a thread for
 * ever.
 * @throws RpcError INTERNAL when the file can't be written.
 */
export async function trigger(path: string, command: string): Promise<void> {
  try {
    const file = await open(path, constants.O_WRONLY | constants.O_NONBLOCK);
    try {
      await file.write(command);
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw new RpcError(status.INTERNAL, `${path} can't be written: the node server needs the host's /sys, writable`, {
      cause,
    });
  }
}
