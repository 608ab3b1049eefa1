import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { CsiClient } from '../demo/csi-client.ts';
import { chooseDisks, releaseDisks } from '../demo/disks.ts';
import { startApiServer, type ApiServer } from '../simulator/kubernetes/server.ts';
import { createHosts } from '../simulator/nifcloud/hosts/hosts.ts';
import { startSimulator, type Simulator } from '../simulator/nifcloud/simulator.ts';
import { parseFleet } from '../simulator/nifcloud/world/fleet.ts';
import { cloudEnvironment } from '../test/cloud-environment.ts';
import { inFlight, Sidecars, volumeName, type Machine } from '../test/csi-sidecars.ts';
import { quiet } from '../test/quiet.ts';
import { imageCommand, imageEnvironment, memoryMB, type Memory } from './built-program.ts';
import { median, type Figure } from './figure.ts';

const PROGRAM = 'nifcloud-additional-storage-csi-driver';

const ZONE = 'east-11';
const SERVERS = ['node01', 'node02'];
const FLEET = { zones: [ZONE], servers: SERVERS.map((name) => ({ name, zone: ZONE })) };

const STARTS = 5;
const VOLUMES = 100;
const VOLUMES_AT_ONCE = 20;
/** Of each program: what a liveness probe asks in some hours. */
const PROBES = 3_000;

const PREFIX = 'CSI driver as built';

/**
 * How soon the built programs of the CSI driver serve and what memory they take, started with the image's own flags: at rest, and after
 * 100 volumes were created, attached, staged, unstaged, detached and deleted. It takes one to two minutes.
 */
export async function csiProcessFigures(): Promise<readonly Figure[]> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'bc-')));
  const disks = await chooseDisks(false);
  const hosts = await createHosts({ mode: disks.mode, stateDir: join(folder, 'cloud'), logger: quiet });
  const fleet = parseFleet(JSON.stringify(FLEET), 'the fleet');
  const cloud = await startSimulator({ fleet, hosts, latencyMs: 1, transition: '20ms' });
  const api = await startApiServer();
  const programs: Program[] = [];
  try {
    const command = await imageCommand(folder, PROGRAM, 'csi/main.ts');
    const start = async (mode: Mode, { name, hostRoot }: Server): Promise<Program> => {
      const state = join(folder, `${name}.state`);
      const args = [`--mode=${mode}`, `--master=${api.url}`, `--host-root=${hostRoot}`, `--state-dir=${state}`];
      const keys = mode === 'controller' ? cloudEnvironment(cloud) : {};
      const env = { PATH: disks.path, NODE_NAME: name, NIFCLOUD_DEMO_HOST_ROOT: hostRoot, ...keys };
      const program = await Program.start(command, args, env, join(folder, `${mode}-${name}.sock`));
      programs.push(program);
      return program;
    };
    const { servers } = cloud.state();
    for (const server of servers) await send(api, 'POST', '/api/v1/nodes', nodeOf(server));
    const [first, second] = servers;
    if (first === undefined || second === undefined) throw new Error('the fleet has two servers');

    const startsMs = {
      controller: await medianStartMs(() => start('controller', first)),
      node: await medianStartMs(() => start('node', first)),
    };
    const controller = await start('controller', first);
    const node = await start('node', first);
    const otherNode = await start('node', second);
    // As kubelet asks at registration: the node server looks up its zone.
    for (const { client } of [node, otherNode]) await client.call('Node', 'NodeGetInfo');
    await pause(1_000);
    const atRest = { controller: await memoryMB(controller.pid), node: await memoryMB(node.pid) };

    const sidecars = new Sidecars(controller.client, (method, path, body) => send(api, method, path, body));
    const machine = ({ name }: Server, { client }: Program): Machine => {
      return { name, zone: ZONE, client, kubeletFolder: join(folder, name) };
    };
    const machines = [machine(first, node), machine(second, otherNode)] as const;
    const lives = Array.from(
      { length: VOLUMES },
      (_, n) => () => sidecars.live(volumeName(n), machines[n % 2] ?? machines[0]),
    );
    await inFlight(VOLUMES_AT_ONCE, lives);
    for (const { client } of [controller, node, otherNode]) {
      const probes = Array.from({ length: PROBES }, () => () => client.call('Identity', 'Probe'));
      await inFlight(10, probes);
    }
    const loaded = { controller: await memoryMB(controller.pid), node: await memoryMB(node.pid) };
    return [
      { what: `${PREFIX}: from start to socket`, unit: 'ms', values: startsMs },
      ...memoryFigures('at rest', atRest),
      ...memoryFigures(`after ${VOLUMES} volumes`, loaded),
    ];
  } finally {
    for (const program of programs) await program.stop();
    await api.stop();
    await cloud.stop();
    await releaseDisks(folder);
    await rm(folder, { recursive: true, force: true });
  }
}

type Mode = 'controller' | 'node';

function memoryFigures(when: string, { controller, node }: Readonly<Record<Mode, Memory>>): readonly Figure[] {
  const figure = (what: string, kind: 'rss' | 'private'): Figure => ({
    what: `${PREFIX}: ${what} ${when}`,
    unit: 'MB',
    values: { controller: controller[kind], node: node[kind] },
  });
  return [figure('memory (RSS)', 'rss'), figure('private memory', 'private')];
}

/** The median of several starts. */
async function medianStartMs(start: () => Promise<Program>): Promise<number> {
  const all: number[] = [];
  for (let nth = 0; nth < STARTS; nth++) {
    const program = await start();
    all.push(program.startMs);
    await program.stop();
  }
  return median(all);
}

type Server = ReturnType<Simulator['state']>['servers'][number];

class Program {
  readonly client: CsiClient;
  readonly pid: number;
  /** From the start until somebody could connect. */
  readonly startMs: number;
  readonly stop: () => Promise<void>;

  private constructor(client: CsiClient, pid: number, startMs: number, stop: () => Promise<void>) {
    this.client = client;
    this.pid = pid;
    this.startMs = startMs;
    this.stop = stop;
  }

  static async start(
    command: string,
    args: readonly string[],
    env: Readonly<Record<string, string>>,
    socket: string,
  ): Promise<Program> {
    const begunMs = performance.now();
    const child = spawn(command, [...args, `--endpoint=unix://${socket}`], {
      env: imageEnvironment(env),
      stdio: 'ignore',
    });
    const ended = once(child, 'exit');
    while (!(await isServed(socket))) {
      if (child.exitCode !== null) throw new Error(`${command} ended by itself`);
      await pause(2);
    }
    const startMs = performance.now() - begunMs;
    const client = new CsiClient(socket);
    return new Program(client, child.pid ?? 0, startMs, async () => {
      client.close();
      child.kill();
      await ended;
    });
  }
}

function isServed(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(socket, () => {
      connection.destroy();
      resolve(true);
    });
    connection.once('error', () => resolve(false));
  });
}

function nodeOf({ name, zone, uniqueId }: Server): object {
  const labels = { 'topology.kubernetes.io/zone': zone };
  const spec = { providerID: `nifcloud:///${zone}/${uniqueId}`, taints: [] };
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, labels }, spec };
}

async function send(api: ApiServer, method: string, path: string, body?: object): Promise<void> {
  const init = { method, headers: { 'content-type': 'application/json' }, ...(body && { body: JSON.stringify(body) }) };
  const response = await fetch(new URL(path, api.url), init);
  if (!response.ok) throw new Error(`${method} ${path}: ${await response.text()}`);
}
