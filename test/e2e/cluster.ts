import { execFile } from 'node:child_process';
import { cp, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { systemClock } from '../../daemon/clock.ts';
import { releaseDisks } from '../../demo/disks.ts';
import { Informer } from '../../kube/informer.ts';
import type { KubeList, KubeObject, Node, Service, Taint } from '../../kube/types.ts';
import type { Simulator } from '../../simulator/nifcloud/simulator.ts';
import { quiet } from '../quiet.ts';
import { SERVERS, startCloud } from './cloud.ts';
import type { Programs } from './components.ts';
import { ControlPlane } from './control-plane.ts';
import { makeImages } from './images.ts';
import { DRIVER } from './names.ts';
import { NodePorts } from './node-ports.ts';
import { isReady, type EndpointSlice, type Pod } from './objects.ts';
import { PlayedNode } from './played-node.ts';
import { RealNode } from './real-node.ts';
import { until } from './wait.ts';
import { storageClass } from './workloads.ts';

const run = promisify(execFile);

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Where manifests say that servers see their disks; each run has a folder of its own. */
const SIMULATOR_FOLDER = '/var/lib/nifcloud-simulator';

const CONTROL_PLANE = { 'node-role.kubernetes.io/control-plane': '' };
/** Every node joins with it: `kubelet --register-with-taints`. */
const STARTUP_TAINT: Taint = { key: `${DRIVER}/agent-not-ready`, effect: 'NoExecute' };

/** A cluster with everything in it, on a simulated cloud. */
export class Cluster {
  readonly cloud: Simulator;
  readonly controlPlane: ControlPlane;
  readonly folder: string;
  readonly programs: Programs;
  readonly real: RealNode;
  readonly pods: Informer<Pod>;
  readonly #played = new Map<string, PlayedNode>();
  readonly #cleanup: AsyncDisposableStack;
  /** Of the manifests, for kubectl. */
  readonly workloads = [
    'daemonset/nifcloud-cloud-controller-manager',
    'deployment/nifcloud-additional-storage-csi-controller',
    'daemonset/nifcloud-additional-storage-csi-node',
  ];
  readonly #foreignRights: { fromMs: number; toMs: number }[] = [];
  #nextPort = 21_000;
  #nextPodAddress = 2;

  /** The one cluster of a test run, started when it is first needed. */
  static get(): Promise<Cluster> {
    Cluster.#started ??= Cluster.#start();
    return Cluster.#started;
  }

  static async end(): Promise<void> {
    const cluster = await Cluster.#started?.catch(() => undefined);
    await cluster?.cleanUp();
  }

  static #started: Promise<Cluster> | undefined;

  static async #start(): Promise<Cluster> {
    const cleanup = new AsyncDisposableStack();
    try {
      const cluster = await Cluster.#build(cleanup);
      await cluster.#fill();
      return cluster;
    } catch (error) {
      await cleanup.disposeAsync();
      throw error;
    }
  }

  static async #build(cleanup: AsyncDisposableStack): Promise<Cluster> {
    const { E2E_PROGRAMS, E2E_FOLDER: folder } = process.env;
    if (E2E_PROGRAMS === undefined || folder === undefined) throw new Error('npm run test:e2e starts these tests');
    const programs = JSON.parse(E2E_PROGRAMS) as Programs;
    // As in the images: the programs look for the other beside their folder.
    await run(process.execPath, ['scripts/build.ts', join(folder, 'app/dist')], { cwd: ROOT });
    await cp(join(ROOT, 'proto'), join(folder, 'app/proto'), { recursive: true });
    cleanup.defer(() => unmount(folder));
    await mkdir(join(folder, 'cloud'));
    for (const { name } of SERVERS) await shareKubeletFolder(join(folder, name), name === 'node01');
    const cloud = await startCloud(folder);
    cleanup.defer(() => cloud.stop());
    cleanup.defer(() => keepLogs(folder));
    const controlPlane = await ControlPlane.start(join(folder, 'control-plane'), programs);
    cleanup.defer(() => controlPlane.stop());
    return new Cluster({ cloud, controlPlane, folder, programs, cleanup });
  }

  private constructor(
    parts: Pick<Cluster, 'cloud' | 'controlPlane' | 'folder' | 'programs'> & { cleanup: AsyncDisposableStack },
  ) {
    this.cloud = parts.cloud;
    this.controlPlane = parts.controlPlane;
    this.folder = parts.folder;
    this.programs = parts.programs;
    this.#cleanup = parts.cleanup;
    const watched = { client: this.controlPlane.kube, logger: quiet, clock: systemClock };
    const ending = new AbortController();
    this.#cleanup.defer(() => ending.abort(new Error('the tests are over')));
    const follow = <T extends KubeObject>(path: string): Informer<T> => {
      const informer = new Informer<T>({ ...watched, path });
      void informer.run(ending.signal);
      return informer;
    };
    this.pods = follow<Pod>('/api/v1/pods');
    const ports = new NodePorts({
      services: follow<Service>('/api/v1/services'),
      slices: follow<EndpointSlice>('/apis/discovery.k8s.io/v1/endpointslices'),
      addresses: SERVERS.map(({ privateAddress }) => privateAddress),
    });
    this.#cleanup.defer(() => ports.stop());
    this.real = new RealNode({
      name: 'node01',
      address: '10.250.0.11',
      taints: [STARTUP_TAINT],
      folder: join(this.folder, 'real'),
      runFolder: join(this.folder, 'run'),
      programs: this.programs,
      controlPlane: this.controlPlane,
    });
    this.#cleanup.defer(() => this.real.end());
  }

  /** Installs what the manifests say, and lets the nodes join. */
  async #fill(): Promise<void> {
    await this.pods.synced;
    const manifests = await this.rendered('test/e2e/kustomize');
    await this.apply(manifests);
    const later = await this.rendered('test/e2e/simulator');
    const references = [...`${manifests}${later}`.matchAll(/^ *image: (\S+)$/gm)].map(
      ([, reference = '']) => reference,
    );
    const folder = join(this.folder, 'real');
    await mkdir(folder);
    const images = makeImages(folder, { programs: this.programs, app: join(this.folder, 'app'), references });
    await Promise.all([
      images.then((archives) => this.real.start(archives)),
      ...['node02', 'node03', 'node04'].map((name) => this.join(name)),
    ]);
    // As kubeadm labels it; a kubelet may not do that itself (NodeRestriction).
    await this.kubectl('label', 'node', 'node01', 'node-role.kubernetes.io/control-plane=');
    for (const one of [
      storageClass('ext4'),
      storageClass('xfs', { fstype: 'xfs' }),
      storageClass('retained', { reclaimPolicy: 'Retain' }),
    ]) {
      await this.apply(`${JSON.stringify(one)}\n`);
    }
    await this.untilInstalled();
  }

  /** Starts a node that is played. */
  async join(name: string): Promise<PlayedNode> {
    const server = SERVERS.find((one) => one.name === name);
    if (server === undefined) throw new Error(`no server ${name}`);
    const folders = SERVERS.map((one) => join(this.folder, one.name));
    const folder = join(this.folder, `${name}.pods`);
    await mkdir(folder, { recursive: true });
    const kubeletFolder = join(this.folder, name);
    const node = new PlayedNode({
      host: {
        name,
        kubeletFolder,
        otherKubeletFolders: ['/var/lib/kubelet', ...folders.slice(1).filter((one) => one !== kubeletFolder)],
        folder,
        programs: this.programs,
        app: join(this.folder, 'app'),
        authorityFile: this.controlPlane.authorityFile,
        kube: this.controlPlane.kube,
        freePort: () => this.#nextPort++,
      },
      address: server.privateAddress,
      labels: name === 'node02' ? CONTROL_PLANE : {},
      taints: [STARTUP_TAINT],
      pods: this.pods,
      podAddress: () => `10.250.1.${this.#nextPodAddress++}`,
      say: (line) => this.say(line),
    });
    this.#played.set(name, node);
    this.#cleanup.defer(() => node.end());
    await node.start();
    return node;
  }

  #playedNode(name: string): PlayedNode {
    const node = this.#played.get(name);
    if (node === undefined) throw new Error(`${name} is not played`);
    return node;
  }

  /** The server of a played node no longer exists. */
  async terminate(name: string): Promise<void> {
    await Promise.all([this.#playedNode(name).crash(), this.cloud.incidents.remove(name)]);
    this.#played.delete(name);
  }

  /** A played node is taken out of the cluster. Nothing may run there but what is on every node. */
  async leave(name: string): Promise<void> {
    await this.#playedNode(name).crash();
    this.#played.delete(name);
    await this.kubectl('delete', 'node', name);
  }

  /** Shows a folder of this run at a place where containers look for it. */
  async bind(folder: string, place: string): Promise<void> {
    await mount('--bind', join(this.folder, folder), place);
    this.#cleanup.defer(async () => void (await run('umount', ['--lazy', place])));
  }

  /** A played node loses its power. */
  async powerOff(name: string): Promise<void> {
    await Promise.all([this.#playedNode(name).crash(), this.cloud.incidents.crash(name)]);
  }

  async powerOn(name: string): Promise<void> {
    await this.cloud.incidents.start(name);
    await until('the server to run', async () =>
      this.cloud.state().servers.some((server) => server.name === name && server.state === 'running'),
    );
    await this.#playedNode(name).start();
  }

  /** From now on the programs have other rights than those of the manifests. */
  beginForeignRights(): void {
    this.#foreignRights.push({ fromMs: Date.now(), toMs: Infinity });
  }

  endForeignRights(): void {
    const last = this.#foreignRights.at(-1);
    if (last !== undefined) last.toMs = Date.now();
  }

  hadForeignRights(atMs: number): boolean {
    return this.#foreignRights.some(({ fromMs, toMs }) => atMs >= fromMs && atMs <= toMs);
  }

  /** What is `/var/lib/kubelet` on a node, on this machine. */
  kubeletFolder(node: string): string {
    return node === this.real.name ? '/var/lib/kubelet' : join(this.folder, node);
  }

  /** How often programs of played pods ended by themselves. */
  restarts(): number {
    return [...this.#played.values()].reduce((sum, { restarts }) => sum + restarts, 0);
  }

  nodeNames(): readonly string[] {
    return [this.real.name, ...this.#played.keys()];
  }

  /** Ends a container without a word, as for want of memory. It is started again. */
  async killContainer(pod: Pod, container: string): Promise<void> {
    const node = pod.spec.nodeName ?? '';
    if (node !== this.real.name) return await this.#playedNode(node).killContainer(pod, container);
    const { containerID = '' } = pod.status?.containerStatuses?.find(({ name }) => name === container) ?? {};
    await this.real.killContainer(containerID.replace('containerd://', ''));
  }

  async logOf(pod: Pod, container: string): Promise<string> {
    const { name, namespace = '' } = pod.metadata;
    const node = pod.spec.nodeName ?? '';
    if (node !== this.real.name)
      return await readFile(join(this.folder, `${node}.pods`, `${name}-${container}.log`), 'utf8');
    return (await this.kubectl('logs', '--namespace', namespace, name, '--container', container)).stdout;
  }

  /** All of the manifests runs, and every node can take pods. */
  async untilInstalled(): Promise<void> {
    await until(
      'everything to be installed',
      async () => {
        const nodes = await this.list<Node>('/api/v1/nodes');
        const unfit = nodes.filter(
          (node) => !isReady(node) || !isRegistered(node) || (node.spec?.taints ?? []).length > 0,
        );
        const pods = (await this.list<Pod>('/api/v1/namespaces/kube-system/pods')).filter((pod) => !isReady(pod));
        if (unfit.length + pods.length === 0) return true;
        throw new Error(`not ready: ${[...unfit, ...pods].map(({ metadata }) => metadata.name).join(', ')}`);
      },
      120_000,
    );
  }

  async cleanUp(): Promise<void> {
    await this.#cleanup.disposeAsync();
  }

  /** What players have to tell, for whoever looks into a failure. */
  say(line: string): void {
    if (process.env['E2E_VERBOSE'] !== undefined) process.stderr.write(`    ${line}\n`);
  }

  async list<T extends KubeObject>(path: string): Promise<readonly T[]> {
    return (await this.controlPlane.get<KubeList<T>>(path)).items;
  }

  async node(name: string): Promise<Node | undefined> {
    return (await this.list<Node>('/api/v1/nodes')).find(({ metadata }) => metadata.name === name);
  }

  /** As an administrator, from the project's folder. */
  async kubectl(...args: readonly string[]): Promise<{ readonly stdout: string; readonly stderr: string }> {
    const env = { PATH: process.env['PATH'], KUBECONFIG: this.controlPlane.kubeconfig, HOME: this.folder };
    return await run(this.programs.kubectl, [...args], { cwd: ROOT, env, maxBuffer: 2 ** 26 });
  }

  /** @param manifest a file, or YAML */
  async apply(manifest: string, ...flags: readonly string[]): Promise<void> {
    if (!manifest.includes('\n')) return void (await this.kubectl('apply', '-f', manifest, ...flags));
    const child = this.kubectlWithInput(['apply', '-f', '-', ...flags], manifest);
    await child;
  }

  async kubectlWithInput(args: readonly string[], input: string): Promise<string> {
    const env = { PATH: process.env['PATH'], KUBECONFIG: this.controlPlane.kubeconfig, HOME: this.folder };
    const running = run(this.programs.kubectl, [...args], { cwd: ROOT, env, maxBuffer: 2 ** 26 });
    running.child.stdin?.end(input);
    return (await running).stdout;
  }

  /** The objects of a folder with a kustomization, with this run's folder in place of the simulator's. */
  async rendered(folder: string): Promise<string> {
    const { stdout } = await this.kubectl('kustomize', folder);
    return stdout.replaceAll(SIMULATOR_FOLDER, join(this.folder, 'cloud'));
  }
}

/** Kubelet knows the driver: it has put its zone on the Node. */
function isRegistered({ metadata }: Node): boolean {
  return metadata.labels?.[`topology.${DRIVER}/zone`] !== undefined;
}

async function unmount(folder: string): Promise<void> {
  for (const place of ['/var/lib/kubelet', folder]) await releaseDisks(place);
  for (const place of ['/var/lib/kubelet', ...SERVERS.slice(1).map(({ name }) => join(folder, name))]) {
    await run('umount', ['--lazy', place]).catch(() => undefined);
  }
}

/** A folder that is a mount which nodes and their pods share; the real one is where kubelet wants it. */
async function shareKubeletFolder(folder: string, isReal: boolean): Promise<void> {
  await mkdir(folder);
  const place = isReal ? '/var/lib/kubelet' : folder;
  await mount('--bind', folder, place);
  await mount('--make-shared', place);
  for (const part of ['plugins', 'plugins_registry']) await mkdir(join(place, part));
}

async function mount(...args: readonly string[]): Promise<void> {
  await run('mount', [...args]);
}

/** For a look after a failure: `E2E_LOGS` names a folder for them. */
async function keepLogs(folder: string): Promise<void> {
  const { E2E_LOGS: to = '' } = process.env;
  if (to === '') return;
  await mkdir(to, { recursive: true });
  const { stdout } = await run('find', [
    folder,
    '-xdev',
    '(',
    '-name',
    '*.log',
    '-o',
    '-name',
    'calls.jsonl',
    ')',
    '-not',
    '-path',
    '*/rootfs/*',
  ]);
  for (const file of stdout.split('\n').filter((one) => one !== '')) {
    await run('cp', ['-L', file, join(to, file.slice(folder.length + 1).replaceAll('/', '_'))]).catch(() => undefined);
  }
}
