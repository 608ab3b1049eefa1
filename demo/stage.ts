import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../daemon/clock.ts';

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

/** Everything the demo starts, each a process of its own, with one folder for what they write. */
export class Stage {
  readonly folder: string;
  readonly #processes: { name: string; child: ChildProcess }[] = [];

  constructor(folder: string) {
    this.folder = folder;
  }

  /** The file that a program's log goes to. */
  logFile(name: string): string {
    return join(this.folder, `${name}.log`);
  }

  /** Starts a program that prints one line of JSON when it is ready; answers that. */
  async startAnnouncing<T>(name: string, program: string, args: readonly string[], env: Environment = {}): Promise<T> {
    const child = await this.#spawn(name, program, args, env);
    let printed = '';
    child.stdout?.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    await this.#until(name, child, () => Promise.resolve(printed.includes('\n')));
    return JSON.parse(printed.slice(0, printed.indexOf('\n'))) as T;
  }

  /** Starts a program and waits until `ready` says so. */
  async start(
    name: string,
    program: string,
    args: readonly string[],
    env: Environment,
    ready: () => Promise<boolean>,
  ): Promise<void> {
    await this.#until(name, await this.#spawn(name, program, args, env), ready);
  }

  async #spawn(name: string, program: string, args: readonly string[], env: Environment): Promise<ChildProcess> {
    await mkdir(this.folder, { recursive: true });
    const child = spawn(process.execPath, [join(ROOT, program), ...args], {
      // Nothing of the caller's environment but where to find tools: the programs get what is documented and no more.
      env: { PATH: process.env['PATH'], ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stderr.pipe(createWriteStream(this.logFile(name)));
    this.#processes.push({ name, child });
    return child;
  }

  async #until(name: string, child: ChildProcess, ready: () => Promise<boolean>): Promise<void> {
    const deadlineMs = performance.now() + READY_TIMEOUT_MS;
    while (!(await ready())) {
      if (child.exitCode !== null || child.signalCode !== null)
        throw await this.#failure(name, 'ended before it was ready');
      if (performance.now() > deadlineMs)
        throw await this.#failure(name, `was not ready within ${READY_TIMEOUT_MS / 1000} s`);
      await systemClock.sleep(20);
    }
  }

  async #failure(name: string, what: string): Promise<Error> {
    const log = await readFile(this.logFile(name), 'utf8').catch(() => '');
    return new Error(`${name} ${what}. The end of its log:\n${log.split('\n').slice(-15).join('\n')}`);
  }

  /** Names of the programs that have ended by themselves. */
  ended(): readonly string[] {
    return this.#processes
      .filter(({ child }) => child.exitCode !== null || child.signalCode !== null)
      .map(({ name }) => name);
  }

  /** Asks every program to stop, the last started first, and waits for each. */
  async stop(): Promise<void> {
    for (const { child } of this.#processes.toReversed()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      const kill = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await gone;
      clearTimeout(kill);
    }
  }
}

export type Environment = Readonly<Record<string, string>>;

/** A kubeconfig for the embedded API; the token says who is calling. */
export async function writeKubeconfig(file: string, server: string, user: string): Promise<void> {
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'demo',
    clusters: [{ name: 'demo', cluster: { server } }],
    users: [{ name: user, user: { token: `demo-${user}` } }],
    contexts: [{ name: 'demo', context: { cluster: 'demo', user } }],
  };
  // JSON is YAML.
  await writeFile(file, `${JSON.stringify(config, undefined, 2)}\n`);
}
