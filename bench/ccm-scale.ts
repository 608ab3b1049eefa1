import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { loadBalancerName } from '../ccm/cloud/load-balancer.ts';
import type { Logger } from '../daemon/logger.ts';
import type { Node, Service } from '../kube/types.ts';
import { startApiServer, type ApiServer } from '../simulator/kubernetes/server.ts';
import { countByAction } from '../simulator/nifcloud/api/call-log.ts';
import { startSimulator, type Simulator } from '../simulator/nifcloud/simulator.ts';
import { parseFleet } from '../simulator/nifcloud/world/fleet.ts';
import { cloudEnvironment } from '../test/cloud-environment.ts';
import { imageCommand, imageEnvironment, memoryMB } from './built-program.ts';
import type { Figure } from './figure.ts';
import { fleetFile } from './simulator-fleet.ts';

interface Size {
  readonly nodes: number;
  readonly services: number;
}

const SIZES: Readonly<Record<string, Size>> = {
  n: { nodes: 50, services: 20 },
  '10 n': { nodes: 500, services: 200 },
};
const WHAT_N_IS = 'n = 50 nodes and 20 Services';

/** Stands for every period of the program; what happens in an hour at its defaults happens in so many of these. */
const PERIOD_MS = 5_000;
const PERIODS = 3;
const FLAGS = [
  '--cloud-provider=nifcloud',
  '--leader-elect=false',
  '--secure-port=0',
  `--node-monitor-period=${PERIOD_MS}ms`,
  `--node-status-update-frequency=${PERIOD_MS}ms`,
  `--load-balancer-resync-period=${PERIOD_MS}ms`,
  // At the default of 20 the events of the nodes alone would take the longest.
  '--kube-api-qps=200',
  '--kube-api-burst=200',
];

const SERVICES = '/api/v1/namespaces/default/services';

/** How long the program may take until all is as it should be, in ms. */
const PATIENCE_MS = 180_000;
/** No change for so long, in ms, and all is done. */
const QUIET_MS = 3_000;

/**
 * What the built program costs on a large cluster: from its first start until every node is initialised and every load balancer has
 * every node, and then in steady state. It takes one to two minutes.
 *
 * An account may have no more than 6 L4 load balancers in a zone (docs/reference/nifcloud-api.md §4.1): they are there from the
 * start, with one open port and no targets, as a program that was killed leaves them, and their Services have their addresses.
 */
export async function ccmScaleFigures(): Promise<readonly Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-ccm-'));
  try {
    const program = await imageCommand(folder, 'nifcloud-cloud-controller-manager', 'ccm/main.ts');
    const measured: [string, Measures][] = [];
    for (const [name, size] of Object.entries(SIZES)) measured.push([name, await measure(program, size)]);
    const lines = new Map<string, string>();
    for (const [, measures] of measured) for (const [what, { unit }] of measures) lines.set(what, unit);
    return [...lines].map(([what, unit]) => ({
      what: `CCM, ${WHAT_N_IS}: ${what}`,
      unit,
      values: Object.fromEntries(measured.map(([name, measures]) => [name, measures.get(what)?.value ?? 0])),
    }));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

type Measures = Map<string, { readonly unit: string; readonly value: number }>;

async function measure(program: string, size: Size): Promise<Measures> {
  const measures: Measures = new Map();
  const put = (what: string, unit: string, value: number): unknown => measures.set(what, { unit, value });
  const asked = new KubernetesCalls();
  const api = await startApiServer({ logger: asked });
  const fleet = parseFleet(await clusterFleet(api, size), 'the fleet');
  // Nobody waits for health checks here.
  const cloud = await startSimulator({ fleet, latencyMs: 50, transition: '0ms', timeScale: 0.001 });
  await tellAddresses(api, cloud);
  asked.take();
  const startMs = performance.now();
  const child = spawn(program, [...FLAGS, `--master=${api.url}`], {
    env: imageEnvironment(cloudEnvironment(cloud)),
    stdio: 'ignore',
  });
  const ended = once(child, 'exit');
  try {
    const endMs = await converged(cloud, api, size, () => child.exitCode);
    put('cold start until all is done', 's', (endMs - startMs) / 1_000);
    for (const [action, count] of entries(countByAction(cloud.calls(0)))) put(`cold start, ${action}`, 'calls', count);
    for (const [what, count] of entries(asked.take())) put(`cold start, Kubernetes ${what}`, 'calls', count);
    put('cold start, processor time', 's', await processorSeconds(child.pid));
    put('cold start, most memory', 'MB', (await memoryMB(child.pid)).peak);

    const mark = cloud.mark();
    await pause(PERIODS * PERIOD_MS);
    const calls = cloud.calls(mark);
    put(`${PERIODS} steady periods, changes of the cloud`, 'calls', calls.filter(({ mutating }) => mutating).length);
    for (const [action, count] of entries(countByAction(calls))) {
      put(`${PERIODS} steady periods, ${action}`, 'calls', count);
    }
    for (const [what, count] of entries(asked.take())) {
      put(`${PERIODS} steady periods, Kubernetes ${what}`, 'calls', count);
    }
    put('steady, memory', 'MB', (await memoryMB(child.pid)).rss);
    put('until the end, processor time', 's', await processorSeconds(child.pid));
    return measures;
  } finally {
    child.kill();
    await ended;
    await api.stop();
    await cloud.stop();
  }
}

function entries(counts: Readonly<Record<string, number>>): readonly [string, number][] {
  return Object.entries(counts).toSorted(([one], [other]) => one.localeCompare(other));
}

/** Makes the nodes and the Services. Answers a fleet with their servers and load balancers. */
async function clusterFleet(api: ApiServer, { nodes, services }: Size): Promise<string> {
  const fleet = JSON.parse(fleetFile({ servers: nodes, disks: 0, loadBalancers: 0 })) as {
    readonly servers: readonly { readonly name: string }[];
  };
  const taints = [{ key: 'node.cloudprovider.kubernetes.io/uninitialized', value: 'true', effect: 'NoSchedule' }];
  for (const { name } of fleet.servers) {
    const status = { conditions: [{ type: 'Ready', status: 'True' }] };
    const node = { apiVersion: 'v1', kind: 'Node', metadata: { name }, spec: { taints }, status };
    await send(api, 'POST', '/api/v1/nodes', node);
  }
  const l4LoadBalancers: object[] = [];
  for (let at = 0; at < services; at += 1) {
    const nodePort = 30_000 + at;
    const spec = { type: 'LoadBalancer', ports: [{ port: 80, nodePort }] };
    const body = { apiVersion: 'v1', kind: 'Service', metadata: { name: `web${at}` }, spec };
    const service = await send<Service>(api, 'POST', SERVICES, body);
    l4LoadBalancers.push({ name: loadBalancerName(service), ports: [{ port: 80, instancePort: nodePort }] });
  }
  return JSON.stringify({ ...fleet, l4LoadBalancers });
}

/** Writes what a CCM knows its load balancers by. */
async function tellAddresses(api: ApiServer, cloud: Simulator): Promise<void> {
  const vips = new Map(cloud.state().loadBalancers.map(({ name, vip }) => [name, vip]));
  for (const service of api.store.list('services')) {
    const ip = vips.get(loadBalancerName(service));
    const status = { loadBalancer: { ingress: [{ ip }] } };
    if (ip !== undefined) await send(api, 'PATCH', `${SERVICES}/${service.metadata.name}/status`, { status });
  }
}

async function send<T>(api: ApiServer, method: string, path: string, body: object): Promise<T> {
  const headers = { 'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json' };
  const response = await fetch(new URL(path, api.url), { method, headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${method} ${path}: ${await response.text()}`);
  return (await response.json()) as T;
}

/** @returns when the last change was made */
async function converged(
  cloud: Simulator,
  { store }: ApiServer,
  { nodes }: Size,
  exitCode: () => number | null,
): Promise<number> {
  const isDone = (): boolean =>
    [...store.values('nodes')].every((node) => (node as Node).spec?.providerID !== undefined) &&
    cloud.state().loadBalancers.every(({ ports }) => ports.every(({ targets }) => targets.length === nodes));
  const givenUpAtMs = performance.now() + PATIENCE_MS;
  for (let [last, lastMs] = [store.version, performance.now()]; ;) {
    if (exitCode() !== null) throw new Error('the program ended by itself');
    if (performance.now() > givenUpAtMs) throw new Error(`the cluster is not as it should be after ${PATIENCE_MS} ms`);
    await pause(250);
    if (store.version !== last) [last, lastMs] = [store.version, performance.now()];
    else if (performance.now() - lastMs > QUIET_MS && isDone()) return lastMs;
  }
}

/** A logger that counts what a Kubernetes API is asked for, by method and kind of object. */
class KubernetesCalls implements Logger {
  #counts: Record<string, number> = {};

  debug(_level: number, message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    if (message !== 'Request') return;
    const { method, path } = fields as { readonly method: string; readonly path: string };
    const kind = /(events|services|nodes|[a-z]+reviews)(?:\/|\?|$)/.exec(path)?.[1] ?? 'other';
    const what = `${method} ${kind}`;
    this.#counts[what] = (this.#counts[what] ?? 0) + 1;
  }

  info(): void {}
  warn(): void {}
  error(): void {}

  /** What was counted since the last time. */
  take(): Readonly<Record<string, number>> {
    const counts = this.#counts;
    this.#counts = {};
    return counts;
  }
}

/** What a process has used of a processor, by the kernel's count of hundredths of a second: fields 14 and 15 of proc(5). */
async function processorSeconds(pid: number | undefined): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
