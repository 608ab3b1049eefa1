import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { DRIVER_NAME, ZONE_KEY } from '../csi/names.ts';
import { CsiClient } from '../demo/csi-client.ts';
import { startApiServer } from '../simulator/kubernetes/server.ts';
import type { ApiServer } from '../simulator/kubernetes/server.ts';
import type { CallRecord } from '../simulator/nifcloud/api/call-log.ts';
import type { Snapshot } from '../simulator/nifcloud/world/snapshot.ts';
import { print } from './figure.ts';
import type { Figure } from './figure.ts';

const SIMULATOR = fileURLToPath(new URL('../simulator/main.ts', import.meta.url));
const DRIVER = fileURLToPath(new URL('../csi/main.ts', import.meta.url));
const ZONE = 'east-11';
const GIB = 1024 ** 3;

/** A driver grows nothing in the first 20 s of its life; that is not what is measured. */
const GROWS_AFTER_MS = 21_000;

/** A cloud to measure on; each call is answered after 200 ms. */
interface Setting {
  readonly what: string;
  /** Volumes of each journey, all at once. */
  readonly volumes: number;
  /** Nodes in the one zone: where disks are born. */
  readonly nodes: number;
  /** Those that volumes are published on, the same number on each. */
  readonly publishedOn: number;
  /** In the notation of the simulator's flag. */
  readonly transition?: string;
  readonly switches?: string;
  /** What the cloud lets through; more is answered with 429. */
  readonly callsPerSecond?: number;
  /** What is measured there. Default: everything. */
  readonly journeys?: readonly string[];
}

const CHANGES = ['create', 'publish', 'unpublish', 'delete'];

const SHORT: readonly Setting[] = [
  { what: '1 volume', volumes: 1, nodes: 3, publishedOn: 1 },
  { what: '20 volumes', volumes: 20, nodes: 3, publishedOn: 2 },
];

const ALL: readonly Setting[] = [
  ...SHORT,
  { what: '100 volumes', volumes: 100, nodes: 12, publishedOn: 10 },
  { what: '1 volume, 2–5 s', volumes: 1, nodes: 3, publishedOn: 1, transition: '2s..5s' },
  { what: '20 volumes, 2–5 s', volumes: 20, nodes: 3, publishedOn: 2, transition: '2s..5s' },
  { what: '100 volumes, 2–5 s', volumes: 100, nodes: 12, publishedOn: 10, transition: '2s..5s' },
  {
    what: '20 volumes, servers block',
    volumes: 20,
    nodes: 3,
    publishedOn: 2,
    switches: 'disk-lock=server',
    journeys: CHANGES,
  },
  { what: '10 volumes, 5 calls/s', volumes: 10, nodes: 3, publishedOn: 2, callsPerSecond: 5, journeys: CHANGES },
];

/** What the life of a volume costs: time, calls of the cloud, those that change something, and those that were refused. */
export async function csiFigures(): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  for await (const figure of measure(ALL)) figures.push(figure);
  return figures;
}

async function* measure(settings: readonly Setting[]): AsyncGenerator<Figure> {
  for (const setting of settings) {
    const bench = await Bench.start(setting);
    try {
      for (const { what, before, run } of journeys(bench)) {
        if (setting.journeys?.includes(what) === false) continue;
        await before?.();
        yield { what: `CSI, ${setting.what}: ${what}`, unit: 'n', values: await bench.measured(run) };
      }
    } finally {
      await bench.stop();
    }
  }
}

interface Journey {
  readonly what: string;
  /** Not measured. */
  readonly before?: () => Promise<void>;
  readonly run: () => Promise<unknown>;
}

function journeys(bench: Bench): readonly Journey[] {
  const each = (rpc: string, requestOf: (volume: Claimed) => object) => () =>
    Promise.all(bench.volumes.map((volume) => bench.call(rpc, requestOf(volume))));
  const create = (): Promise<unknown> => Promise.all(bench.volumes.map((volume) => bench.create(volume)));
  const publish = each('ControllerPublishVolume', ({ id, node, context }) => ({
    volume_id: id,
    node_id: node,
    volume_capability: CAPABILITY,
    volume_context: context,
  }));
  const unpublish = each('ControllerUnpublishVolume', ({ id, node }) => ({ volume_id: id, node_id: node }));
  const grow = (sizeGB: number): (() => Promise<unknown>) =>
    each('ControllerExpandVolume', ({ id }) => ({ volume_id: id, ...ofSize(sizeGB), volume_capability: CAPABILITY }));
  return [
    { what: 'create', run: create },
    { what: 'create again', run: create },
    { what: 'publish', before: () => bench.claimed(), run: publish },
    { what: 'publish again', run: publish },
    { what: 'grow from 100 to 200', before: () => bench.mayGrow(), run: grow(200) },
    { what: 'grow from 200 to 400', run: grow(400) },
    { what: 'grow to the size that it has', run: grow(400) },
    { what: 'list', run: () => bench.call('ListVolumes', {}) },
    { what: 'unpublish', run: unpublish },
    { what: 'unpublish again', run: unpublish },
    { what: 'grow while detached, from 400 to 500', before: () => bench.released(), run: grow(500) },
    { what: 'delete', run: each('DeleteVolume', ({ id }) => ({ volume_id: id })) },
  ];
}

/** A volume, from the provisioner's and the attacher's point of view. */
interface Claimed {
  readonly name: string;
  readonly node: string;
  /** From its creation on as that answered. */
  id: string;
  context: object;
}

const CAPABILITY = { mount: { fs_type: 'ext4' }, access_mode: { mode: 'SINGLE_NODE_WRITER' } };

function ofSize(sizeGB: number): object {
  return { capacity_range: { required_bytes: String(sizeGB * GIB) } };
}

/** The controller and the simulator as processes, and a Kubernetes API. */
class Bench {
  readonly volumes: readonly Claimed[];
  readonly #cloud: string;
  readonly #api: ApiServer;
  readonly #driver: CsiClient;
  readonly #gate: Gate | undefined;
  readonly #end: () => Promise<void>;
  readonly #startedAtMs = performance.now();
  #failed = 0;

  private constructor(
    volumes: readonly Claimed[],
    ends: {
      readonly cloud: string;
      readonly api: ApiServer;
      readonly driver: CsiClient;
      readonly gate: Gate | undefined;
    },
    end: () => Promise<void>,
  ) {
    this.volumes = volumes;
    this.#cloud = ends.cloud;
    this.#api = ends.api;
    this.#driver = ends.driver;
    this.#gate = ends.gate;
    this.#end = end;
  }

  static async start(setting: Setting): Promise<Bench> {
    const folder = await mkdtemp(join(tmpdir(), 'bench-csi-'));
    const children: ChildProcess[] = [];
    const start = (main: string, flags: readonly string[], env: NodeJS.ProcessEnv): ChildProcess => {
      const child = spawn(process.execPath, [main, ...flags], {
        stdio: ['ignore', 'pipe', process.env['BENCH_LOG'] === undefined ? 'ignore' : 'inherit'],
        env: { PATH: process.env['PATH'], ...env },
      });
      children.push(child);
      return child;
    };
    const names = Array.from({ length: setting.nodes }, (_, at) => `node${String(at).padStart(2, '0')}`);
    const fleet = join(folder, 'fleet.json');
    const servers = names.map((name, at) => ({ name, zone: ZONE, privateAddress: `127.11.1.${at + 1}` }));
    await writeFile(fleet, JSON.stringify({ zones: [ZONE], servers }));
    const simulator = start(SIMULATOR, [`--fleet=${fleet}`, '--control', ...simulatorFlags(setting)], {});
    const [line] = (await once(simulator.stdout ?? simulator, 'data')) as [Buffer];
    const { listening, accessKeyId, secretAccessKey } = JSON.parse(String(line)) as Record<string, string>;
    const cloud = new URL(listening ?? '').origin;
    const gate = setting.callsPerSecond === undefined ? undefined : await startGate(cloud, setting.callsPerSecond);
    const api = await startApiServer();
    const state = (await (await fetch(`${cloud}/control/state`)).json()) as Snapshot;
    for (const { name, uniqueId } of state.servers) {
      const spec = { providerID: `nifcloud:///${ZONE}/${uniqueId}` };
      await make(api, '/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name }, spec });
    }
    const socket = join(folder, 'csi.sock');
    start(DRIVER, ['--mode=controller', `--endpoint=unix://${socket}`, `--master=${api.url}`], {
      NIFCLOUD_ENDPOINT: gate?.url ?? cloud,
      NIFCLOUD_REGION: 'jp-east-1',
      NIFCLOUD_ACCESS_KEY_ID: accessKeyId,
      NIFCLOUD_SECRET_ACCESS_KEY: secretAccessKey,
    });
    const driver = new CsiClient(socket);
    while (!(await driver.ready())) await pause(100);
    await pause(1_000); // it has asked the cloud whether its keys are good
    const volumes = Array.from({ length: setting.volumes }, (_, at) => ({
      name: `pvc-00000000-0000-0000-0000-${String(at).padStart(12, '0')}`,
      node: names[at % setting.publishedOn] ?? '',
      id: '',
      context: {},
    }));
    return new Bench(volumes, { cloud, api, driver, gate }, async () => {
      driver.close();
      for (const child of children) child.kill();
      await Promise.all([...children.map((child) => once(child, 'close')), gate?.stop(), api.stop()]);
      await rm(folder, { recursive: true });
    });
  }

  stop(): Promise<void> {
    return this.#end();
  }

  async create(volume: Claimed): Promise<void> {
    const answer = await this.call<{ volume: { volume_id: string; volume_context: object } }>('CreateVolume', {
      name: volume.name,
      ...ofSize(100),
      volume_capabilities: [CAPABILITY],
      accessibility_requirements: { preferred: [{ segments: { [ZONE_KEY]: ZONE } }] },
    });
    volume.id = answer.volume.volume_id;
    volume.context = answer.volume.volume_context;
  }

  /** A PersistentVolume and a VolumeAttachment for each, as the provisioner and the attach-detach controller make them. */
  async claimed(): Promise<void> {
    for (const { name, id, node, context } of this.volumes) {
      await make(this.#api, '/api/v1/persistentvolumes', {
        apiVersion: 'v1',
        kind: 'PersistentVolume',
        metadata: { name },
        spec: { csi: { driver: DRIVER_NAME, volumeHandle: id, volumeAttributes: context } },
      });
      await make(this.#api, ATTACHMENTS, {
        apiVersion: 'storage.k8s.io/v1',
        kind: 'VolumeAttachment',
        metadata: { name: attachmentName(id, node) },
        spec: { attacher: DRIVER_NAME, nodeName: node, source: { persistentVolumeName: name } },
      });
    }
  }

  /** The VolumeAttachments are gone, as after an unpublish. */
  async released(): Promise<void> {
    for (const { id, node } of this.volumes) {
      await fetch(new URL(`${ATTACHMENTS}/${attachmentName(id, node)}`, this.#api.url), { method: 'DELETE' });
    }
  }

  /** Lasts until the driver is old enough to grow disks. */
  async mayGrow(): Promise<void> {
    await pause(Math.max(0, this.#startedAtMs + GROWS_AFTER_MS - performance.now()));
  }

  /** As the sidecars call: what fails is called again, a second later. */
  async call<T>(rpc: string, request: object): Promise<T> {
    for (;;) {
      try {
        return await this.#driver.call<T>('Controller', rpc, request);
      } catch (error) {
        if (process.env['BENCH_LOG'] !== undefined) process.stderr.write(`${rpc}: ${String(error)}\n`);
        this.#failed += 1;
        await pause(1_000);
      }
    }
  }

  /** What a journey costs. */
  async measured(journey: () => Promise<unknown>): Promise<Readonly<Record<string, number>>> {
    const { mark } = await this.#calls(0);
    const refusedBefore = this.#gate?.refused() ?? 0;
    this.#failed = 0;
    const startMs = performance.now();
    await journey();
    const endMs = performance.now();
    const { calls } = await this.#calls(mark);
    const changes = calls.filter(({ mutating }) => mutating);
    const throttled = (this.#gate?.refused() ?? 0) - refusedBefore;
    return {
      s: (endMs - startMs) / 1_000,
      calls: calls.length + throttled,
      changes: changes.length,
      refused: changes.filter(({ outcome }) => outcome !== 'ok').length + throttled,
      'failed RPCs': this.#failed,
    };
  }

  async #calls(since: number): Promise<{ readonly mark: number; readonly calls: readonly CallRecord[] }> {
    const response = await fetch(`${this.#cloud}/control/calls?since=${since}`);
    return (await response.json()) as { readonly mark: number; readonly calls: readonly CallRecord[] };
  }
}

const ATTACHMENTS = '/apis/storage.k8s.io/v1/volumeattachments';

function simulatorFlags({ transition = '3s', switches }: Setting): readonly string[] {
  const flags = ['--latency=200ms', `--transition=${transition}`];
  return switches === undefined ? flags : [...flags, `--switch=${switches}`];
}

/** As the attach-detach controller names it (docs/reference/csi.md E.3). */
function attachmentName(volumeId: string, node: string): string {
  return `csi-${createHash('sha256').update(`${volumeId}${DRIVER_NAME}${node}`).digest('hex')}`;
}

async function make(api: ApiServer, path: string, object: object): Promise<void> {
  const response = await fetch(new URL(path, api.url), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(object),
  });
  if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
}

interface Gate {
  readonly url: string;
  /** Calls that did not pass. */
  refused(): number;
  stop(): Promise<void>;
}

/** Lets so many calls a second through to a cloud, and answers the others with 429. */
async function startGate(cloud: string, callsPerSecond: number): Promise<Gate> {
  let refused = 0;
  let tokens = callsPerSecond;
  let filledAtMs = performance.now();
  const gate = createServer((asked, answer) => {
    const nowMs = performance.now();
    tokens = Math.min(callsPerSecond, tokens + ((nowMs - filledAtMs) / 1_000) * callsPerSecond);
    filledAtMs = nowMs;
    if (tokens < 1) {
      refused += 1;
      asked.resume().once('end', () => answer.writeHead(429).end());
      return;
    }
    tokens -= 1;
    const { method = '', url = '', headers } = asked;
    const passed = httpRequest(new URL(url, cloud), { method, headers }, (from) => {
      answer.writeHead(from.statusCode ?? 500, from.headers);
      from.pipe(answer);
    });
    asked.pipe(passed);
  });
  gate.listen(0, '127.0.0.1');
  await once(gate, 'listening');
  return {
    url: `http://127.0.0.1:${(gate.address() as AddressInfo).port}`,
    refused: () => refused,
    stop: async () => {
      gate.closeAllConnections();
      gate.close();
      await once(gate, 'close');
    },
  };
}

/** Alone: 1 and 20 volumes, in two minutes; with words as arguments, the settings that have one of them. */
if (import.meta.main) {
  const words = process.argv.slice(2);
  const chosen = words.length === 0 ? SHORT : ALL.filter(({ what }) => words.some((word) => what.includes(word)));
  for await (const figure of measure(chosen)) print(figure);
}
