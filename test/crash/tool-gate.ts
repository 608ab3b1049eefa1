import { mkdir, symlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { join } from 'node:path';
import type { Call } from './gate.ts';

const SCRIPT = join(import.meta.dirname, 'tool-gate.sh');

/** Commands that change something: a disk, or what is mounted. */
const CHANGES =
  /^(mkfs\.|e2fsck|fsck|resize2fs|xfs_growfs|xfs_repair|btrfs filesystem resize|mount|umount|sync|wipefs)/;

/** Commands that work on a disk for long, under a lock of their own that outlives who started them. */
export function isLong({ text }: Call): boolean {
  return /^(mkfs\.|e2fsck|resize2fs)/.test(text);
}

/** Who stands at the gate of a machine's commands; see `Watchman`. Either may take its time. */
export interface ToolWatchman {
  /** @returns `run`; `cut`, when it is to be killed after a moment; or the exit code with which the command ends without having run */
  leaves(call: Call): Promise<'run' | 'cut' | number>;
  /** The command has ended. @returns the exit code that its caller sees */
  returns(call: Call, exitCode: number): Promise<number>;
}

/**
 * Stands between a program and the commands of Linux that it finds by PATH: a folder that comes first there has a stand-in for each,
 * which asks before it runs the command of its name that comes later in PATH, and again when that has ended.
 */
export class ToolGate {
  /** To come first in the program's PATH. */
  readonly folder: string;
  /** To be set in the program's environment, too. */
  readonly environment: Readonly<Record<string, string>>;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(folder: string, server: Server) {
    this.folder = folder;
    this.#server = server;
    this.environment = { TOOL_GATE_PORT: String((server.address() as AddressInfo).port) };
  }

  /** @param folder made here @param tools their names */
  static async open(folder: string, tools: readonly string[], watchman: ToolWatchman): Promise<ToolGate> {
    await mkdir(folder, { recursive: true });
    for (const tool of tools) await symlink(SCRIPT, join(folder, tool));
    const server = createServer();
    const gate = await new Promise<ToolGate>((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve(new ToolGate(folder, server)));
    });
    server.on('connection', (socket) => {
      gate.#sockets.add(socket.on('error', () => undefined));
      socket.on('close', () => gate.#sockets.delete(socket));
      pass(socket, watchman).catch(() => socket.destroy());
    });
    return gate;
  }

  /** Commands that are still asking end, as if they had been killed. */
  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** Two messages end with a zero byte each: the words of the command line, then its exit code. */
async function pass(socket: Socket, watchman: ToolWatchman): Promise<void> {
  let call: Call | undefined;
  let heard = '';
  for await (const chunk of socket.setEncoding('utf8')) {
    heard += String(chunk);
    if (!heard.endsWith('\0')) continue;
    const message = heard.slice(0, -1);
    heard = '';
    if (call === undefined) {
      call = { api: 'linux', text: message, mutating: CHANGES.test(message), isAside: false };
      socket.write(`${await watchman.leaves(call)}\n`);
    } else {
      socket.end(`${await watchman.returns(call, Number(message))}\n`);
    }
  }
}
