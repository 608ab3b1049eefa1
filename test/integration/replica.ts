import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:https';
import type { RequestOptions } from 'node:https';
import { fileURLToPath } from 'node:url';
import type { Environment } from '../../demo/stage.ts';
import { eventually } from '../eventually.ts';
import { freePort } from './free-port.ts';

const CCM = fileURLToPath(new URL('../../ccm/main.ts', import.meta.url));

export interface Page {
  readonly status: number;
  readonly body: string;
}

/** A cloud-controller-manager that a test may end as it likes. */
export class Replica {
  readonly port: number;
  readonly #process: ChildProcess;
  readonly #exit: Promise<number | null>;
  #log = '';

  private constructor(port: number, process: ChildProcess) {
    this.port = port;
    this.#process = process;
    process.stderr?.on('data', (chunk: Buffer) => (this.#log += chunk.toString()));
    this.#exit = once(process, 'close').then(([code]) => code as number | null);
  }

  static async start(args: readonly string[], env: Environment): Promise<Replica> {
    const port = await freePort();
    const all = ['--cloud-provider=nifcloud', '--bind-address=127.0.0.1', `--secure-port=${port}`, ...args];
    return new Replica(port, spawn(process.execPath, [CCM, ...all], { env, stdio: ['ignore', 'ignore', 'pipe'] }));
  }

  /** What it has logged so far. */
  get log(): string {
    return this.#log;
  }

  get isRunning(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Who it is in the lease; undefined while it does not hold it. */
  get heldAs(): string | undefined {
    return /"Holds the lease".* identity="([^"]+)"/.exec(this.#log)?.[1];
  }

  /** Waits until it holds the lease. */
  async untilLeading(): Promise<void> {
    await eventually(() => {
      this.#assertRunning();
      return this.heldAs;
    });
  }

  /** Its exit code, once its log is complete; `null` where a signal ended it. */
  async ended(): Promise<number | null> {
    return await this.#exit;
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process.kill(signal);
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> {
    if (this.isRunning) this.#process.kill(signal);
    return await this.#exit;
  }

  async page(path: string, options: RequestOptions = {}): Promise<Page> {
    return await new Promise((resolve, reject) => {
      const where = { host: '127.0.0.1', port: this.port, path, rejectUnauthorized: false, agent: false };
      request({ ...where, ...options }, (response) => {
        let body = '';
        response.on('data', (chunk: Buffer) => (body += chunk.toString()));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      })
        .on('error', reject)
        .end();
    });
  }

  /** Waits until a page answers with this status. */
  async until(path: string, status: number, options: RequestOptions = {}): Promise<string> {
    return await eventually(async () => {
      this.#assertRunning();
      const page = await this.page(path, options).catch(() => undefined);
      return page?.status === status ? page.body : undefined;
    });
  }

  #assertRunning(): void {
    if (!this.isRunning) throw new Error(`it ended by itself:\n${this.#log}`);
  }
}
