import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../daemon/clock.ts';
import { Mismatch } from './expect.ts';

/** A server of the simulated cloud, as the simulator announces it. */
export interface Server {
  readonly name: string;
  readonly uniqueId: string;
  readonly zone: string;
  readonly privateAddress: string;
  /** The folder that is this server's root for disks: sys, dev, proc. */
  readonly hostRoot: string;
}

/** What the simulator prints when it is ready. */
export interface SimulatorInfo {
  readonly listening: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
  readonly servers: readonly Server[];
}

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** How long a program may take to say that it is ready, in ms; a cold start on a busy machine takes some 3 s. */
const READY_TIMEOUT_MS = 30_000;

/** What a program is once it is built; the embedded Kubernetes API never is. */
const BUNDLES: Readonly<Record<string, string>> = {
  'ccm/main.ts': 'dist/nifcloud-cloud-controller-manager.js',
  'csi/main.ts': 'dist/nifcloud-additional-storage-csi-driver.js',
  'simulator/main.ts': 'dist/nifcloud-simulator.js',
};

/**
 * Everything the demo starts, each a process of its own, with one folder for what they write. They are in process groups
 * of their own: Ctrl-C in a terminal reaches the demo alone, which stops them in order.
 */
export class Stage {
  readonly folder: string;
  /** Aborts when the demo is to end: with the caller's reason, or with a Mismatch when a program ended by itself. */
  readonly signal: AbortSignal;
  readonly #broken = new AbortController();
  readonly #processes: ChildProcess[] = [];
  readonly #programs: Readonly<Record<string, string>>;
  #stopping = false;

  /**
   * @param folder exists
   * @param built runs what `npm run build` has made, in place of the sources
   */
  constructor(folder: string, signal?: AbortSignal, built = false) {
    this.folder = folder;
    this.#programs = built ? BUNDLES : {};
    this.signal = AbortSignal.any([this.#broken.signal, ...(signal === undefined ? [] : [signal])]);
  }

  /** The file that a program's log goes to. */
  logFile(name: string): string {
    return join(this.folder, `${name}.log`);
  }

  /** Starts a program that prints one line of JSON when it is ready; answers that. */
  async startAnnouncing<T>(name: string, program: string, args: readonly string[], env: Environment = {}): Promise<T> {
    const child = this.#spawn(name, program, args, env);
    let printed = '';
    child.stdout?.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    await this.#until(name, () => Promise.resolve(printed.includes('\n')));
    return JSON.parse(printed.slice(0, printed.indexOf('\n'))) as T;
  }

  /**
   * Starts a program and waits until `ready` says so.
   * @returns its process id
   */
  async start(
    name: string,
    program: string,
    args: readonly string[],
    env: Environment,
    ready: () => Promise<boolean>,
  ): Promise<number> {
    const child = this.#spawn(name, program, args, env);
    await this.#until(name, ready);
    return child.pid ?? 0; // there is one: it was ready
  }

  #spawn(name: string, program: string, args: readonly string[], env: Environment): ChildProcess {
    this.signal.throwIfAborted();
    if (this.#stopping) throw new Error(`${name} is not started any more`);
    const log = openSync(this.logFile(name), 'a');
    const child = spawn(process.execPath, [resolve(ROOT, this.#programs[program] ?? program), ...args], {
      // Nothing of the caller's environment but where to find tools: the programs get what is documented and no more.
      env: { PATH: process.env['PATH'], ...env },
      stdio: ['ignore', 'pipe', log],
      detached: true,
    });
    closeSync(log);
    const endWithDemo = (): boolean => child.kill();
    process.once('exit', endWithDemo);
    child.once('exit', (code, signal) => {
      process.off('exit', endWithDemo);
      if (this.#stopping) return;
      const how = `${name} ended by itself (${signal ?? `exit code ${code}`})`;
      this.#broken.abort(new Mismatch(`${how}. The end of its log:\n${endOf(this.logFile(name))}`));
    });
    this.#processes.push(child);
    return child;
  }

  async #until(name: string, ready: () => Promise<boolean>): Promise<void> {
    const deadlineMs = performance.now() + READY_TIMEOUT_MS;
    while (!(await ready())) {
      if (performance.now() > deadlineMs)
        throw new Mismatch(`${name} was not ready within ${READY_TIMEOUT_MS / 1000} s`);
      await systemClock.sleep(20, this.signal);
    }
  }

  /** Asks every program to stop, the last started first, and waits for each. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const child of this.#processes.toReversed()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      const kill = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await gone;
      clearTimeout(kill);
    }
  }
}

/** The last lines of a log. */
export function endOf(logFile: string): string {
  return readFileSync(logFile, 'utf8').trim().split('\n').slice(-15).join('\n');
}

export type Environment = Readonly<Record<string, string>>;

/**
 * A kubeconfig; the token says who is calling.
 * @param authority the file with who signed the server's certificate; none for the embedded API
 */
export async function writeKubeconfig(file: string, server: string, user: string, authority?: string): Promise<void> {
  const cluster = { server, ...(authority !== undefined && { 'certificate-authority': authority }) };
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'demo',
    clusters: [{ name: 'demo', cluster }],
    users: [{ name: user, user: { token: `demo-${user}` } }],
    contexts: [{ name: 'demo', context: { cluster: 'demo', user } }],
  };
  // JSON is YAML.
  await writeFile(file, `${JSON.stringify(config, undefined, 2)}\n`);
}
