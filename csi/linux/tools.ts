import { spawn } from 'node:child_process';
import type { ChildProcess, StdioOptions } from 'node:child_process';
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
  /** For messages, without what is to be hidden. */
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
  /** An argument that may hold secrets: no message shows it. */
  readonly hidden?: string;
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
  return endOf(startTool(tool, args, ['ignore', 'pipe', 'pipe']), [tool, ...args], options);
}

/** A tool and its arguments. */
export type Command = readonly [tool: string, ...args: readonly string[]];

/**
 * Runs a tool whose output another one reads, both as `runTool` does. Nothing of it comes through this process, whose memory would
 * grow by as much.
 * @returns how each of them ended.
 */
export async function runPiped(
  from: Command,
  to: Command,
  options: ToolOptions,
): Promise<readonly [from: ToolResult, to: ToolResult]> {
  const [reader, ...readerArgs] = to;
  const reading = startTool(reader, readerArgs, ['pipe', 'pipe', 'pipe']);
  const read = endOf(reading, to, options);
  // It is there unless the reader could not be started.
  if (reading.stdin === null || reading.pid === undefined) return [await read, await read];
  const [writer, ...writerArgs] = from;
  const written = endOf(startTool(writer, writerArgs, ['ignore', reading.stdin, 'pipe']), from, options);
  // The writer has its own: with this one open, the reader would wait for more.
  reading.stdin.destroy();
  await Promise.allSettled([written, read]);
  return [await written, await read];
}

function startTool(tool: string, args: readonly string[], stdio: StdioOptions): ChildProcess {
  return spawn(tool, args, { env: toolEnvironment(), stdio });
}

function endOf(child: ChildProcess, [tool, ...args]: readonly string[], options: ToolOptions): Promise<ToolResult> {
  return new Promise((resolve, reject) => {
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout?.on('data', keepIn(stdout));
    child.stderr?.on('data', keepIn(stderr));
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill('SIGKILL');
    }, options.timeoutMs);
    child.on('error', (cause) => {
      clearTimeout(timer);
      reject(notStarted(tool ?? '', cause));
    });
    child.on('close', (exitCode, signalName) => {
      clearTimeout(timer);
      const commandLine = [tool, ...args.map((arg) => (arg === options.hidden ? '***' : arg))].join(' ');
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
    const exitCode = await endOfLocked(tool, flockArgs, output.fd);
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

/** `runLocked` of a tool that must end with exit code 0. */
export async function requireLocked(lockFile: string, tool: string, args: readonly string[]): Promise<void> {
  const result = await runLocked(lockFile, tool, args);
  if (result.exitCode !== 0) throw toolFailure(result);
}

/** A version as a number that can be compared. */
export function version(major: number, minor: number): number {
  return major * 1000 + minor;
}

/**
 * The version of a tool, by its own words.
 * @param flag `-V`, `--version`
 * @throws ToolError when it does not name one.
 */
export async function toolVersion(tool: string, flag: string): Promise<number> {
  const result = await requireTool(tool, [flag], { timeoutMs: LOOK_TIMEOUT_MS });
  const [, major, minor] = /\bv?(\d+)\.(\d+)/.exec(result.stdout) ?? [];
  if (major === undefined) throw toolFailure(result);
  return version(Number(major), Number(minor));
}

function endOfLocked(tool: string, flockArgs: readonly string[], outputFd: number): Promise<number> {
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
