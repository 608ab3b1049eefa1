import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fleetFile } from './simulator-fleet.ts';
import type { Figure } from './figure.ts';
import type { FleetSize } from './simulator-fleet.ts';

const MAIN = fileURLToPath(new URL('../simulator/main.ts', import.meta.url));

/** Ten times the smaller one is what the simulator is made for. */
const SIZES: Readonly<Record<string, FleetSize>> = {
  n: { servers: 200, disks: 1_000, loadBalancers: 50 },
  '10 n': { servers: 2_000, disks: 10_000, loadBalancers: 500 },
};
const WHAT_N_IS = 'n = 200 servers, 1,000 disks, 50 load balancers';

/** How long each action is called. */
const MEASURED_MS = 1_000;
/** Calls under way at once. */
const CALLERS = 8;

type Parameters = Readonly<Record<string, string>>;

/** What is called; `turn` makes each call of a change another one. */
const CALLS: Readonly<Record<string, (turn: number) => Parameters>> = {
  DescribeVolumes: () => ({ Action: 'DescribeVolumes' }),
  DescribeInstances: () => ({ Action: 'DescribeInstances' }),
  DescribeLoadBalancers: () => ({ Action: 'DescribeLoadBalancers' }),
  NiftyDescribeElasticLoadBalancers: () => ({ Action: 'NiftyDescribeElasticLoadBalancers' }),
  'DescribeVolumes of one disk': (turn) => ({ Action: 'DescribeVolumes', 'VolumeId.1': `disk${turn % 1_000}` }),
  ModifyVolumeAttribute: (turn) => ({
    Action: 'ModifyVolumeAttribute',
    VolumeId: `disk${turn % 1_000}`,
    Attribute: 'description',
    Value: `turn ${turn}`,
  }),
};

/** What the simulator's program can do, at two sizes. It takes less than a minute. */
export async function simulatorFigures(): Promise<readonly Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-simulator-'));
  try {
    const measured = new Map<string, Map<string, number>>();
    for (const [name, size] of Object.entries(SIZES)) {
      const fleet = join(folder, `${size.servers}.json`);
      await writeFile(fleet, fleetFile(size));
      measured.set(
        name,
        new Map([...(await measure(['--fleet', fleet], CALLS)), ...(await measureState(fleet, folder))]),
      );
    }
    const lines = [...(measured.get('n')?.keys() ?? [])];
    return lines.map((line) => {
      const [what = '', unit = ''] = line.split(' | ');
      const values = [...measured].map(([name, figures]) => [name, figures.get(line) ?? NaN]);
      return { what: `simulator: ${what} (${WHAT_N_IS})`, unit, values: Object.fromEntries(values) };
    });
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The change again, with a world that is kept in a file. */
async function measureState(fleet: string, folder: string): Promise<Map<string, number>> {
  const { ModifyVolumeAttribute: change } = CALLS;
  if (change === undefined) return new Map();
  const figures = await measure(['--fleet', fleet, '--state', join(folder, 'state.json')], {
    'change with --state': change,
  });
  await rm(join(folder, 'state.json'));
  return new Map([...figures].filter(([line]) => line.startsWith('change')));
}

/** Runs the program and calls it. The keys of the result are `what | unit`. */
async function measure(flags: readonly string[], calls: typeof CALLS): Promise<Map<string, number>> {
  const figures = new Map<string, number>();
  const startedMs = performance.now();
  const child = spawn(process.execPath, [MAIN, '--latency=0s', ...flags], { stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    const client = new Client(await ready(child));
    figures.set('start | ms', Math.round(performance.now() - startedMs));
    figures.set('memory after the start | MB', await residentMB(child, 'VmRSS'));
    for (const [what, call] of Object.entries(calls)) {
      const { callsPerSecond, bytes } = await hammer(client, call);
      figures.set(`${what} | calls/s`, callsPerSecond);
      if (bytes > 10_000) figures.set(`${what}, answer | kB`, Math.round(bytes / 1_000));
    }
    client.close();
    figures.set('memory at its highest | MB', await residentMB(child, 'VmHWM'));
    return figures;
  } finally {
    child.kill();
    await once(child, 'close');
  }
}

interface Ready {
  readonly listening: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

async function ready(child: ChildProcess): Promise<Ready> {
  let line = '';
  for await (const chunk of child.stdout ?? []) {
    line += String(chunk);
    if (line.endsWith('}\n')) return JSON.parse(line) as Ready;
  }
  throw new Error(`the simulator ended before it was ready: ${line}`);
}

/** Of Linux alone. */
async function residentMB(child: ChildProcess, field: 'VmRSS' | 'VmHWM'): Promise<number> {
  const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
  return Math.round(Number(new RegExp(`${field}:\\s*(\\d+) kB`).exec(status)?.[1]) / 1_000);
}

async function hammer(
  client: Client,
  call: (turn: number) => Parameters,
): Promise<{ readonly callsPerSecond: number; readonly bytes: number }> {
  let turn = 0;
  let bytes = 0;
  const startedMs = performance.now();
  const caller = async (): Promise<void> => {
    while (performance.now() < startedMs + MEASURED_MS) bytes = await client.call(call(turn++));
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  return { callsPerSecond: round((turn * 1_000) / (performance.now() - startedMs)), bytes };
}

function round(value: number): number {
  return value < 100 ? Math.round(value * 10) / 10 : Math.round(value);
}

/** As little as a client can be, so that the simulator is what is measured: it signs, sends and counts bytes. */
class Client {
  readonly #agent = new Agent({ keepAlive: true });
  readonly #url: URL;
  readonly #keys: Ready;

  constructor(keys: Ready) {
    this.#url = new URL(keys.listening);
    this.#keys = keys;
  }

  /** Resolves to the size of the answer. @throws when it is not 200 */
  call(parameters: Parameters): Promise<number> {
    const body = this.#signed(parameters);
    return new Promise((resolve, reject) => {
      const options = {
        agent: this.#agent,
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body) },
      };
      const sent = request(this.#url, options, (answer) => {
        let bytes = 0;
        answer.on('data', (chunk: Buffer) => (bytes += chunk.length));
        answer.on('error', reject);
        answer.on('end', () => {
          if (answer.statusCode === 200) resolve(bytes);
          else reject(new Error(`${parameters['Action']} is answered with ${answer.statusCode}`));
        });
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Signature version 2 (docs/reference/nifcloud-api.md §1.3). */
  #signed(parameters: Parameters): string {
    const all: Parameters = {
      ...parameters,
      AccessKeyId: this.#keys.accessKeyId,
      SignatureMethod: 'HmacSHA256',
      SignatureVersion: '2',
      Timestamp: new Date().toISOString(),
    };
    const query = Object.keys(all)
      .sort()
      .map((name) => `${name}=${encodeURIComponent(all[name] ?? '')}`)
      .join('&');
    const signature = createHmac('sha256', this.#keys.secretAccessKey)
      .update(`POST\n${this.#url.host}\n${this.#url.pathname}\n${query}`)
      .digest('base64');
    return `${query}&Signature=${encodeURIComponent(signature)}`;
  }
}
