import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { startApiServer, type ApiServer } from '../simulator/kubernetes/server.ts';
import { startSimulator, type Simulator } from '../simulator/nifcloud/simulator.ts';
import { parseFleet } from '../simulator/nifcloud/world/fleet.ts';
import { freePort } from '../test/integration/free-port.ts';
import { cloudEnvironment } from '../test/cloud-environment.ts';
import { imageCommand, imageEnvironment, memoryMB } from './built-program.ts';
import { median, type Figure } from './figure.ts';
import { fleetFile } from './simulator-fleet.ts';

const PROGRAM = 'nifcloud-cloud-controller-manager';
const SERVICES = '/api/v1/namespaces/default/services';
const NODES = '/api/v1/nodes';

const LATENCY_MS = 200;
const STARTS = 5;
const FEW = 3;
const MANY = 50;
/** Services that are made at once and deleted again: an account may have 6 L4 load balancers in a zone. */
const SERVICES_AT_ONCE = 5;
const ROUNDS = 20;

/** How long anything may take here, in ms. */
const PATIENCE_MS = 60_000;

/**
 * How soon the built program serves and works, what memory it takes with the image's own flags, and how soon new nodes are initialised,
 * with the defaults of all flags (20 requests a second to the Kubernetes API). It takes a minute.
 */
export async function ccmProcessFigures(): Promise<readonly Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-ccm-'));
  try {
    const command = await imageCommand(folder, PROGRAM, 'ccm/main.ts');
    return [
      await startFigure(command),
      ...(await nodeFigures(command, FEW)),
      ...(await nodeFigures(command, MANY)),
      ...(await memoryFigures(command)),
    ];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function startFigure(command: string): Promise<Figure> {
  const serving: number[] = [];
  const working: number[] = [];
  for (let nth = 0; nth < STARTS; nth++) {
    await inWorld(FEW, command, async ({ program, startMs, cluster }) => {
      serving.push(program.servingMs);
      await cluster.addNodes(1);
      await cluster.untilInitialised(1);
      working.push(performance.now() - startMs);
    });
  }
  const values = { 'healthz answers': median(serving), 'first node initialised': median(working) };
  return { what: 'CCM as built: from start', unit: 'ms', values };
}

async function nodeFigures(command: string, count: number): Promise<readonly Figure[]> {
  return await inWorld(count, command, async ({ program, cluster, cloud }) => {
    await program.until('/readyz', 200);
    await pause(1_000);
    const mark = cloud.mark();
    const startMs = performance.now();
    await cluster.addNodes(count);
    await cluster.untilInitialised(count);
    const values = { s: (performance.now() - startMs) / 1_000, calls: cloud.calls(mark).length };
    return [{ what: `CCM as built: ${count} nodes join at once`, unit: 'n', values }];
  });
}

async function memoryFigures(command: string): Promise<readonly Figure[]> {
  return await inWorld(MANY, command, async ({ program, cluster }) => {
    await program.until('/readyz', 200);
    await pause(1_000);
    const atRest = await memoryMB(program.pid);
    await cluster.addNodes(MANY);
    await cluster.untilInitialised(MANY);
    for (let round = 0; round < ROUNDS; round++) await cluster.liveAndDie(`round${round}`);
    const loaded = await memoryMB(program.pid);
    const what = `after ${MANY} nodes and ${ROUNDS * SERVICES_AT_ONCE} Services`;
    return [
      { what: 'CCM as built: memory (RSS)', unit: 'MB', values: { 'at rest': atRest.rss, [what]: loaded.rss } },
      {
        what: 'CCM as built: of it private',
        unit: 'MB',
        values: { 'at rest': atRest.private, [what]: loaded.private },
      },
    ];
  });
}

interface Stage {
  readonly cloud: Simulator;
  readonly cluster: Cluster;
  readonly program: Program;
  /** When the program was started. */
  readonly startMs: number;
}

async function inWorld<T>(servers: number, command: string, measure: (stage: Stage) => Promise<T>): Promise<T> {
  const fleet = parseFleet(fleetFile({ servers, disks: 0, loadBalancers: 0 }), 'the fleet');
  const cloud = await startSimulator({ fleet, latencyMs: LATENCY_MS });
  const api = await startApiServer();
  const startMs = performance.now();
  const program = await Program.start(command, [`--master=${api.url}`], cloudEnvironment(cloud));
  try {
    return await measure({ cloud, cluster: new Cluster(api), program, startMs });
  } finally {
    await program.stop();
    await api.stop();
    await cloud.stop();
  }
}

class Program {
  readonly pid: number;
  /** From the start until `/healthz` was answered. */
  readonly servingMs: number;
  readonly stop: () => Promise<void>;
  readonly #port: number;

  private constructor(pid: number, port: number, servingMs: number, stop: () => Promise<void>) {
    this.pid = pid;
    this.#port = port;
    this.servingMs = servingMs;
    this.stop = stop;
  }

  static async start(
    command: string,
    args: readonly string[],
    env: Readonly<Record<string, string>>,
  ): Promise<Program> {
    const port = await freePort();
    const all = ['--cloud-provider=nifcloud', '--bind-address=127.0.0.1', `--secure-port=${port}`, ...args];
    const begunMs = performance.now();
    const child = spawn(command, all, { env: imageEnvironment(env), stdio: 'ignore' });
    const ended = once(child, 'exit');
    const stop = async (): Promise<void> => {
      child.kill();
      await ended;
    };
    try {
      await until(async () => {
        if (child.exitCode !== null) throw new Error(`${command} ended by itself`);
        return (await statusOf(port, '/healthz')) === 200;
      });
    } catch (error) {
      await stop();
      throw error;
    }
    return new Program(child.pid ?? 0, port, performance.now() - begunMs, stop);
  }

  async until(path: string, status: number): Promise<void> {
    await until(async () => (await statusOf(this.#port, path)) === status);
  }
}

/** What people and kubelets do. */
class Cluster {
  readonly #api: ApiServer;

  constructor(api: ApiServer) {
    this.#api = api;
  }

  async addNodes(count: number): Promise<void> {
    const taints = [{ key: 'node.cloudprovider.kubernetes.io/uninitialized', value: 'true', effect: 'NoSchedule' }];
    const status = { conditions: [{ type: 'Ready', status: 'True' }] };
    const nodes = Array.from({ length: count }, (_, at) => ({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: `node${at}` },
      spec: { taints },
      status,
    }));
    await Promise.all(nodes.map((node) => this.#send('POST', NODES, node)));
  }

  /** Without the taint, and with addresses, which come last. */
  async untilInitialised(count: number): Promise<void> {
    await until(() => {
      const nodes = this.#api.store.list('nodes') as readonly Node[];
      const isDone = ({ spec, status }: Node): boolean =>
        (spec?.taints ?? []).length === 0 && (status?.addresses ?? []).length > 0;
      return nodes.filter(isDone).length === count;
    });
  }

  /** Makes Services with L4 load balancers, waits for these, and deletes them. */
  async liveAndDie(name: string): Promise<void> {
    const names = Array.from({ length: SERVICES_AT_ONCE }, (_, n) => `${name}-${n}`);
    const spec = { type: 'LoadBalancer', ports: [{ port: 80 }] };
    await Promise.all(
      names.map((one) =>
        this.#send('POST', SERVICES, { apiVersion: 'v1', kind: 'Service', metadata: { name: one }, spec }),
      ),
    );
    const find = (one: string): Service | undefined =>
      this.#api.store.get('services', `default/${one}`) as Service | undefined;
    await until(() => names.every((one) => find(one)?.status?.loadBalancer?.ingress?.length === 1));
    await Promise.all(names.map((one) => this.#send('DELETE', `${SERVICES}/${one}`)));
    await until(() => names.every((one) => find(one) === undefined));
  }

  async #send(method: string, path: string, body?: object): Promise<void> {
    const init = {
      method,
      headers: { 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    };
    const response = await fetch(new URL(path, this.#api.url), init);
    if (!response.ok) throw new Error(`${method} ${path}: ${await response.text()}`);
  }
}

interface Node {
  readonly spec?: { readonly taints?: readonly unknown[] };
  readonly status?: { readonly addresses?: readonly unknown[] };
}

interface Service {
  readonly status?: { readonly loadBalancer?: { readonly ingress?: readonly unknown[] } };
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const givenUpAtMs = performance.now() + PATIENCE_MS;
  while (!(await isSo())) {
    if (performance.now() > givenUpAtMs) throw new Error(`not so after ${PATIENCE_MS} ms: ${isSo.toString()}`);
    await pause(5);
  }
}

/** Of a page; `undefined` while nothing answers. */
function statusOf(port: number, path: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    request({ host: '127.0.0.1', port, path, rejectUnauthorized: false, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on('error', () => resolve(undefined))
      .end();
  });
}
