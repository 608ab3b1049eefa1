import { spawn } from 'node:child_process';
import { open, unlink } from 'node:fs/promises';
import { basename } from 'node:path';
import { status } from '@grpc/grpc-js';
import { RpcError } from '../rpc-error.ts';

/** Enough for what is parsed (`dumpe2fs -h` prints 3 kB) and for the end of what is reported. */
const KEPT_BYTES = 64 * 1024;

/** Tool output in an error travels as an HTTP/2 trailer and ends up in events (docs/reference/csi.md G.2). */
const REPORTED_CHARACTERS = 2_048;

/** Time for a tool that only reads a few blocks: far over the 30 s after which Linux gives up a SCSI command. */
export const LOOK_TIMEOUT_MS = 60_000;

/**
 * Time for mount, umount and sync, which write back what is cached or replay a journal. The caller's deadline comes
 * first.
 */
export const MOUNT_TIMEOUT_MS = 600_000;

/** `--conflict-exit-code` of flock. None of the tools that run under it ends with this code. */
const LOCKED_EXIT_CODE = 75;

/** How a tool ended. */
export interface ToolResult {
  /** For messages. Holds no secrets: none is ever given to a tool. */
  readonly commandLine: string;
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Thrown when a tool can't be started, is killed, or ends with a code that is not expected. Its output is in the
 * message.
 */
export class ToolError extends Error {
  constructor(message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = 'ToolError';
  }
}

/** The error that says how a tool ended, in its own words. */
export function toolFailure(result: ToolResult): ToolError {
  return new ToolError(`${result.commandLine} ended with exit code ${result.exitCode}: ${toolWords(result)}`);
}

/** What the tool said, cut to its end, for an error or a log line. */
export function toolWords({ stdout, stderr }: ToolResult): string {
  const words = [stderr.trim(), stdout.trim()].filter((text) => text !== '').join('\n');
  return words === '' ? 'it said nothing' : words.slice(-REPORTED_CHARACTERS);
}

export interface ToolOptions {
  /** After this it is killed (SIGKILL) and counts as failed. */
  readonly timeoutMs: number;
  /** Takes the output as it comes; `stdout` of the result is then empty. */
  readonly onStdout?: (chunk: Buffer) => void;
}

/**
 * Runs a tool that only looks, or whose work is done by the kernel in one go (mount, umount, sync).
 *
 * - Found by PATH, started without a shell, with English messages.
 * - Settles only when the child has really ended, so that whoever holds a lock keeps it until then: a child in an
 *   uninterruptible wait outlives its kill.
 * @throws ToolError when it can't be started or is killed; any exit code is a result.
 */
export function runTool(tool: string, args: readonly string[], options: ToolOptions): Promise<ToolResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(tool, args, { env: toolEnvironment(), stdio: ['ignore', 'pipe', 'pipe'] });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on('data', options.onStdout ?? keepIn(stdout));
    child.stderr.on('data', keepIn(stderr));
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill('SIGKILL');
    }, options.timeoutMs);
    child.on('error', (cause) => {
      clearTimeout(timer);
      reject(notStarted(tool, cause));
    });
    child.on('close', (exitCode, signalName) => {
      clearTimeout(timer);
      const commandLine = [tool, ...args].join(' ');
      if (timedOut) reject(new ToolError(`${commandLine} did not end within ${options.timeoutMs / 1000} s`));
      else if (exitCode === null) reject(new ToolError(`${commandLine} was killed by ${signalName}`));
      else resolve({ commandLine, exitCode, stdout: textOf(stdout), stderr: textOf(stderr) });
    });
  });
}

/** Runs a tool that must end with exit code 0. */
export async function requireTool(tool: string, args: readonly string[], options: ToolOptions): Promise<ToolResult> {
  const result = await runTool(tool, args, options);
  if (result.exitCode !== 0) throw toolFailure(result);
  return result;
}

/**
 * Runs a tool that changes what is on a disk (mkfs, e2fsck, resize2fs) under an exclusive lock on `lockFile`.
 *
 * - It is never ended halfway, neither by a timeout nor with us: it has a session of its own, and writes to a file,
 *   since a pipe whose reader has died would kill it at its next word.
 * - The kernel holds the lock until the tool itself has ended, whoever started it: a later driver sees a dead one's
 *   mkfs.
 * @throws RpcError ABORTED when another tool holds the lock; ToolError when it can't be started or is killed.
 */
export async function runLocked(lockFile: string, tool: string, args: readonly string[]): Promise<ToolResult> {
  const outputFile = `${lockFile}.output`;
  const output = await open(outputFile, 'w+');
  try {
    await unlink(outputFile); // it lives as long as somebody writes to it
    const flockArgs = ['--nonblock', '--conflict-exit-code', String(LOCKED_EXIT_CODE), lockFile, tool, ...args];
    const exitCode = await endOf(tool, flockArgs, output.fd);
    if (exitCode === LOCKED_EXIT_CODE) {
      throw new RpcError(
        status.ABORTED,
        `an earlier mkfs, e2fsck or resize2fs still works on the disk of ${basename(lockFile)}`,
      );
    }
    const words = Buffer.alloc(KEPT_BYTES);
    const { bytesRead } = await output.read(words, 0, KEPT_BYTES, 0);
    const stdout = words.toString('utf8', 0, bytesRead);
    return { commandLine: [tool, ...args].join(' '), exitCode, stdout, stderr: '' };
  } finally {
    await output.close();
  }
}

function endOf(tool: string, flockArgs: readonly string[], outputFd: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const stdio: ['ignore', number, number] = ['ignore', outputFd, outputFd];
    const child = spawn('flock', flockArgs, { env: toolEnvironment(), stdio, detached: true });
    child.on('error', (cause) => reject(notStarted('flock', cause)));
    child.on('close', (exitCode, signalName) => {
      if (exitCode === null) reject(new ToolError(`${tool} was killed by ${signalName}`));
      else resolve(exitCode);
    });
  });
}

function toolEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, LC_ALL: 'C' };
}

function notStarted(tool: string, cause: Error): ToolError {
  return new ToolError(`${tool} can't be started; is it installed and in PATH?`, { cause });
}

function keepIn(chunks: Buffer[]): (chunk: Buffer) => void {
  let keptBytes = 0;
  return (chunk) => {
    if (keptBytes < KEPT_BYTES) chunks.push(chunk.subarray(0, KEPT_BYTES - keptBytes));
    keptBytes += chunk.length;
  };
}

function textOf(chunks: readonly Buffer[]): string {
  return Buffer.concat(chunks).toString('utf8');
}
