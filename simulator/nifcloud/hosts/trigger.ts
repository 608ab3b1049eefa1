import { constants, open } from 'node:fs';
import { Socket } from 'node:net';
import { promisify } from 'node:util';
import { runTool } from './tool.ts';

/** A file that makes something happen when it is written, as sysfs has them (`scan`, `delete`, `rescan`). */
export interface Trigger {
  /** Stops listening. The file stays. */
  close(): void;
}

/**
 * Makes a FIFO at `path` and calls `onWrite` with what is written there.
 *
 * - A writer never blocks: the FIFO is held open for reading and writing, also while it is renamed.
 * - Unlike in sysfs the write returns before it has taken effect, and two writes may arrive in one call, one behind the other.
 */
export async function makeTrigger(path: string, onWrite: (text: string) => void): Promise<Trigger> {
  await runTool('mkfifo', '-m', '600', path);
  const fd = await promisify(open)(path, constants.O_RDWR | constants.O_NONBLOCK);
  // A socket, not a file stream: reads of a FIFO would each hold a thread of libuv's pool of four.
  const socket = new Socket({ fd, readable: true, writable: false });
  socket.setEncoding('latin1').on('data', onWrite);
  return { close: () => void socket.destroy() };
}
