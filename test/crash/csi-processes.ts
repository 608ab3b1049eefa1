import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, realpath, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { status } from '@grpc/grpc-js';
import { CsiClient, type CsiError } from '../../demo/csi-client.ts';
import { chooseDisks, releaseDisks } from '../../demo/disks.ts';
import { startApiServer, type ApiServer } from '../../simulator/kubernetes/server.ts';
import { createHosts } from '../../simulator/nifcloud/hosts/hosts.ts';
import { startSimulator, type Simulator } from '../../simulator/nifcloud/simulator.ts';
import { cloudEnvironment } from '../cloud-environment.ts';
import { eventually } from '../eventually.ts';
import type { Moment } from './crash-world.ts';
import { CsiCluster, csiFleet } from './csi-cluster.ts';
import { disksIn, type LifeWorld, type Step } from './csi-life.ts';
import type { Answer } from './csi-program.ts';
import { Gate, type Call } from './gate.ts';
import { isLong, ToolGate } from './tool-gate.ts';

const PROGRAM = fileURLToPath(new URL('../../csi/main.ts', import.meta.url));
const HURRIED_CLOCK = fileURLToPath(new URL('../hurried-clock.ts', import.meta.url));

/** What the node server calls for an ext4 volume; `flock` runs one of these. */
const TOOLS = [
  'blkid',
  'blockdev',
  'dd',
  'dumpe2fs',
  'e2fsck',
  'mkfs.ext4',
  'mount',
  'resize2fs',
  'stat',
  'sync',
  'umount',
];

/** The exit code of who was killed with SIGKILL. */
const KILLED = 137;

type Service = Step['service'];

/** How a process is started. */
interface Program {
  readonly socket: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

interface Process {
  readonly child: ChildProcess;
  readonly client: CsiClient;
}

/**
 * Controller and node server of the CSI driver as processes, on a simulated cloud: with real disks for root, else with demo/shims. Time is
 * real, and passes ten times as fast for the processes.
 */
export class ProcessWorld implements LifeWorld {
  /** Told of each moment of the processes' calls and commands. @returns whether the process is killed */
  onMoment: (side: Moment['side'], call: Call) => boolean = () => false;
  readonly cloud: Simulator;
  readonly cluster: CsiCluster;
  /** Whether disks are real ones. */
  readonly hasRealDisks: boolean;
  readonly #folder: string;
  readonly #api: ApiServer;
  readonly #gates: (Gate | ToolGate)[] = [];
  readonly #programs = new Map<Service, Program>();
  readonly #processes = new Map<Service, Process>();
  #lives = 0;
  #logs = '';

  private constructor(folder: string, cloud: Simulator, api: ApiServer, hasRealDisks: boolean) {
    this.#folder = folder;
    this.cloud = cloud;
    this.#api = api;
    this.hasRealDisks = hasRealDisks;
    this.cluster = new CsiCluster(api.store, csiFleet());
  }

  static async start(): Promise<ProcessWorld> {
    const folder = await realpath(await mkdtemp(join(tmpdir(), 'csi-crash-')));
    const { mode, path } = await chooseDisks(false);
    const logger = { info() {}, warn() {}, error() {}, debug() {} };
    const hosts = await createHosts({ mode, stateDir: join(folder, 'hosts'), logger });
    const cloud = await startSimulator({ fleet: csiFleet(), hosts, latencyMs: 0, transition: '60ms' });
    const world = new ProcessWorld(folder, cloud, await startApiServer(), mode === 'loop');
    await world.#prepare(path);
    return world;
  }

  async #prepare(path: string): Promise<void> {
    const { origin } = new URL(this.cloud.url);
    const passes = (service: Service, side: 'before' | 'after') => (call: Call) =>
      call.isAside || !this.#isEnd(service, side, call);
    const watchman = {
      leaves: passes('Controller', 'before'),
      returns: passes('Controller', 'after'),
      moved: () => {},
    };
    const cloud = await Gate.open('cloud', origin, watchman);
    const kubernetes = await Gate.open('kubernetes', this.#api.url, watchman);
    const tools = await ToolGate.open(join(this.#folder, 'tools'), TOOLS, {
      leaves: async (call) => {
        if (this.#isEnd('Node', 'before', call)) return KILLED;
        if (isLong(call) && this.#isEnd('Node', 'midway', call)) return 'cut';
        if (call.mutating) this.#isEnd('Node', 'during', call);
        return 'run';
      },
      returns: async (call, exitCode) => (this.#isEnd('Node', 'after', call) ? KILLED : exitCode),
    });
    this.#gates.push(cloud, kubernetes, tools);
    const hostRoot = this.#hostRoot;
    const common = { PATH: path, NODE_NAME: 'node01', NODE_OPTIONS: `--import=${HURRIED_CLOCK}` };
    this.#addProgram('Controller', [`--master=${kubernetes.url}`], {
      ...common,
      ...cloudEnvironment(this.cloud, cloud.url),
    });
    this.#addProgram('Node', [`--host-root=${hostRoot}`, `--state-dir=${this.#stateDir}`], {
      ...common,
      ...tools.environment,
      PATH: `${tools.folder}:${path}`,
      NIFCLOUD_ZONE: 'east-11',
      NIFCLOUD_DEMO_HOST_ROOT: hostRoot,
    });
    await mkdir(this.#stateDir);
  }

  async stop(): Promise<void> {
    for (const service of this.#processes.keys()) this.kill(service);
    for (const gate of this.#gates) gate.close();
    await releaseDisks(this.#folder);
    await Promise.all([this.cloud.stop(), this.#api.stop()]);
    await rm(this.#folder, { recursive: true });
  }

  /** What the processes have logged, for those who look for what went wrong. */
  get logs(): string {
    return this.#logs;
  }

  /** What `/var/lib/kubelet` is on a real node, new for each life. */
  get kubelet(): string {
    return join(this.#folder, 'kubelets', String(this.#lives));
  }

  get #stateDir(): string {
    return join(this.#folder, 'state');
  }

  async beginLife(): Promise<void> {
    this.#lives += 1;
    await mkdir(this.kubelet, { recursive: true });
  }

  // ---- processes

  /** One call; the process is started if none runs. */
  async call(service: Service, rpc: string, request: object): Promise<Answer> {
    const { client } = this.#processes.get(service) ?? (await this.#start(service));
    try {
      return { code: status.OK, text: '', response: await client.call(service, rpc, request) };
    } catch (error) {
      const { code, details } = error as CsiError;
      return { code, text: details };
    }
  }

  /** SIGKILL. */
  kill(service: Service): void {
    const process = this.#processes.get(service);
    this.#processes.delete(service);
    process?.child.kill('SIGKILL');
    process?.client.close();
  }

  #addProgram(service: Service, flags: readonly string[], env: Program['env']): void {
    const socket = join(this.#folder, `${service}.sock`);
    const args = [PROGRAM, `--mode=${service.toLowerCase()}`, `--endpoint=unix://${socket}`, ...flags];
    this.#programs.set(service, { socket, args, env });
  }

  async #start(service: Service): Promise<Process> {
    const { socket, args, env } = this.#programs.get(service) as Program;
    await rm(socket, { force: true });
    const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr.on('data', (chunk: Buffer) => (this.#logs += chunk.toString()));
    const client = new CsiClient(socket);
    const started = { child, client };
    this.#processes.set(service, started);
    const ended = once(child, 'exit').then(() => 'ended' as const);
    await eventually(async () => {
      if (child.exitCode !== null) throw new Error(`the ${service} server ended by itself:\n${this.#logs}`);
      return (await Promise.race([ended, client.ready()])) !== false;
    });
    return started;
  }

  #isEnd(service: Service, side: Moment['side'], call: Call): boolean {
    if (!this.#processes.has(service)) return side !== 'after'; // it came from one that was killed
    if (!this.onMoment(side, call)) return false;
    this.kill(service);
    return true;
  }

  // ---- what is there

  async write(target: string, _diskUniqueId: string): Promise<void> {
    await writeFile(join(this.kubelet, target, 'data'), 'precious');
  }

  async isWritten(target: string, _diskUniqueId: string): Promise<boolean> {
    return (await readFile(join(this.kubelet, target, 'data'), 'utf8')) === 'precious';
  }

  /** Nothing else is mounted there. */
  isMounted(_diskUniqueId: string): boolean {
    return this.#mounts().length > 0;
  }

  /** What there is after a step, as lines. */
  async state(): Promise<readonly string[]> {
    const records = readdirSync(this.#stateDir).filter((file) => file.endsWith('.json'));
    const mounts = this.#mounts().map(async ({ point, access }) => {
      const { blocks, bsize } = await statfs(point);
      const size = this.hasRealDisks ? `, ${blocks * bsize} bytes` : '';
      return `mount at ${point.slice(this.kubelet.length)}, ${access}${size}`;
    });
    return [
      ...disksIn(this.cloud.state()),
      ...(await Promise.all(mounts)),
      ...readdirSync(join(this.#hostRoot, 'sys/class/scsi_device')).map((device) => `device ${device}`),
      ...records.map((file) => `record ${file}`),
      ...readdirSync(this.kubelet, { encoding: 'utf8', recursive: true })
        .filter((path) => !path.includes('mount/'))
        .map((path) => `path ${path}`),
    ].toSorted();
  }
  get #hostRoot(): string {
    return this.cloud.state().servers.find(({ name }) => name === 'node01')?.hostRoot ?? '';
  }

  #mounts(): readonly { readonly point: string; readonly access: string }[] {
    const rows = readFileSync(join(this.#hostRoot, 'proc/self/mountinfo'), 'utf8').split('\n');
    const mounts = rows.map((row) => row.split(' '));
    const ours = mounts.filter(([, , , , point]) => point?.startsWith(`${this.kubelet}/`) === true);
    return ours.map(([, , , , point = '', options = '']) => ({ point, access: options.split(',')[0] ?? '' }));
  }
}
