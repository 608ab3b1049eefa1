import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';

export interface ProgramOptions {
  readonly command: string;
  readonly args: readonly string[];
  /** All of its environment besides PATH. */
  readonly env?: Readonly<Record<string, string>>;
  readonly logFile: string;
}

// Each removes its own when it ends.
process.setMaxListeners(0);

/** A process of the cluster, in a process group of its own. */
export class Program {
  readonly #process: ChildProcess;
  readonly #logFile: string;
  readonly ended: Promise<void>;

  constructor({ command, args, env = {}, logFile }: ProgramOptions) {
    this.#logFile = logFile;
    const log = openSync(logFile, 'a');
    this.#process = spawn(command, args, {
      env: { PATH: process.env['PATH'], ...env },
      stdio: ['ignore', log, log],
      detached: true,
    });
    closeSync(log);
    const endToo = (): void => this.#kill('SIGKILL');
    process.once('exit', endToo);
    this.ended = once(this.#process, 'exit').then(() => void process.off('exit', endToo));
  }

  get isRunning(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** @throws Error with the end of its log when it has ended */
  assertRunning(): void {
    if (this.isRunning) return;
    const { spawnfile, exitCode, signalCode } = this.#process;
    throw new Error(`${spawnfile} ended (${signalCode ?? exitCode}):\n${this.#endOfLog()}`);
  }

  #endOfLog(): string {
    return readFileSync(this.#logFile, 'utf8').trim().split('\n').slice(-15).join('\n');
  }

  /** Ends it, by force when it takes longer. */
  async end(patienceMs = 2_000): Promise<void> {
    this.#kill('SIGTERM');
    const force = setTimeout(() => this.#kill('SIGKILL'), patienceMs);
    await this.ended;
    clearTimeout(force);
  }

  /** Without a word. */
  async kill(): Promise<void> {
    this.#kill('SIGKILL');
    await this.ended;
  }

  #kill(signal: NodeJS.Signals): void {
    if (this.isRunning && this.#process.pid !== undefined) process.kill(-this.#process.pid, signal);
  }
}
