import { createServer, type Server } from 'node:http';
import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { KubeClient } from '../../kube/rest.ts';
import type { Programs } from './components.ts';
import { API_ADDRESS } from './control-plane.ts';
import type { Container, Pod } from './objects.ts';
import { Program } from './program.ts';

const ACCOUNT_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';
const RESTART_AFTER_MS = 1_000;

/** Where a played node is on this machine. */
export interface PlayedHost {
  readonly name: string;
  /** What is `/var/lib/kubelet` there: a mount that is shared. */
  readonly kubeletFolder: string;
  /** Those of all other nodes. */
  readonly otherKubeletFolders: readonly string[];
  /** Holds what pods need besides. */
  readonly folder: string;
  readonly programs: Programs;
  /** Holds `dist/` with the bundled programs. */
  readonly app: string;
  readonly authorityFile: string;
  readonly kube: KubeClient;
  /** The next port that nobody has: all played nodes have the network in common. */
  readonly freePort: () => number;
}

/**
 * A pod on a played node. Containers of images that are programs of this project, or sidecars of its manifests, are processes in a mount
 * namespace of their own: with the container's command line and environment, and in it the pod's volumes and the token of its service
 * account at their places. They see the machine's root otherwise, as root. Other containers are not there; a port that one names answers
 * HTTP with the pod's name.
 */
export class PlayedPod {
  readonly #pod: Pod;
  readonly #host: PlayedHost;
  readonly #folder: string;
  readonly #programs = new Map<string, Program>();
  readonly #servers: Server[] = [];
  #stopping = false;
  /** How often a program ended by itself. */
  restarts = 0;

  constructor(pod: Pod, host: PlayedHost) {
    this.#pod = pod;
    this.#host = host;
    this.#folder = join(host.folder, pod.metadata.uid ?? '');
  }

  /** Goes on where it failed, when it is called again. */
  async start(address: string): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    await this.#writeAccount();
    const { containers } = this.#pod.spec;
    for (const container of containers) {
      const command = commandOf(container, this.#host);
      if (command !== undefined && !this.#programs.has(container.name)) await this.#run(container, command);
    }
    const others = containers.filter((one) => commandOf(one, this.#host) === undefined && !isStandIn(one));
    for (const { ports = [] } of others) for (const { containerPort } of ports) this.#answer(address, containerPort);
  }

  /** Ends all containers as a kubelet does: preStop hooks first, SIGTERM then, SIGKILL when the grace period is over. */
  async stop(): Promise<void> {
    const { containers, terminationGracePeriodSeconds = 30 } = this.#pod.spec;
    this.#stopping = true;
    const deadlineMs = performance.now() + terminationGracePeriodSeconds * 1_000;
    for (const container of containers) await this.#runPreStop(container, deadlineMs);
    const leftMs = Math.max(2_000, deadlineMs - performance.now());
    await Promise.all([...this.#programs.values()].map((program) => program.end(leftMs)));
    await this.#close();
  }

  async killContainer(name: string): Promise<void> {
    this.restarts -= 1; // it does not end by itself
    await this.#programs.get(name)?.kill();
  }

  /** As when the machine loses its power. */
  async kill(): Promise<void> {
    this.#stopping = true;
    await Promise.all([...this.#programs.values()].map((program) => program.kill()));
    await this.#close();
  }

  async #close(): Promise<void> {
    for (const server of this.#servers) server.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  #answer(address: string, port: number): void {
    const server = createServer((_request, response) => {
      response.setHeader('connection', 'close');
      response.end(this.#pod.metadata.name);
    });
    server.on('error', () => undefined); // nobody answers then
    server.listen(port, address);
    this.#servers.push(server);
  }

  async #run(container: Container, command: readonly string[]): Promise<void> {
    const [args, env] = [this.#args(container), await this.#environment(container)];
    const start = async (): Promise<void> => {
      const program = await this.#launch(container, [...command, ...args], env);
      this.#programs.set(container.name, program);
      void program.ended.then(async () => {
        if (this.#stopping) return;
        this.restarts += 1;
        await pause(RESTART_AFTER_MS);
        if (!this.#stopping) await start();
      });
    };
    await start();
  }

  async #launch(
    container: Container,
    words: readonly string[],
    env: Readonly<Record<string, string>>,
  ): Promise<Program> {
    const { metadata } = this.#pod;
    const logFile = join(this.#host.folder, `${metadata.name}-${container.name}.log`);
    return new Program({
      command: 'unshare',
      args: [
        '--uts',
        '--mount',
        '--propagation',
        'unchanged',
        'bash',
        '-euc',
        await this.#mounts(container),
        'pod',
        ...words,
      ],
      env,
      logFile,
    });
  }

  /** A script that puts everything at its place in the container's mount namespace, and becomes the container. */
  async #mounts(container: Container): Promise<string> {
    const { kubeletFolder, otherKubeletFolders } = this.#host;
    const { metadata, spec } = this.#pod;
    const lines = [
      // By it sidecars tell each other apart when they elect a leader.
      `hostname ${spec.hostNetwork === true ? this.#host.name : metadata.name}`,
      // The kubelet folder of this node takes the place of all others. Slaves, so that nothing is unmounted in the nodes themselves.
      ...otherKubeletFolders.map((folder) => `mount --make-rslave ${folder}; umount --recursive --lazy ${folder}`),
      `mount --move ${kubeletFolder} /var/lib/kubelet`,
      `mkdir -p ${ACCOUNT_FOLDER}`,
      `mount --bind ${join(this.#folder, 'account')} ${ACCOUNT_FOLDER}`,
    ];
    for (const { name, mountPath } of container.volumeMounts ?? []) {
      if (mountPath === '/tmp') continue; // the machine's own does, and may be where all this lies
      const volume = spec.volumes?.find((one) => one.name === name);
      if (volume?.emptyDir !== undefined) {
        const source = join(this.#folder, name);
        await mkdir(source, { recursive: true });
        lines.push(`mkdir -p ${mountPath}`, `mount --bind ${source} ${mountPath}`);
      } else if (volume?.hostPath !== undefined && volume.hostPath.path !== mountPath) {
        lines.push(
          `mkdir -p ${volume.hostPath.path} ${mountPath}`,
          `mount --bind ${volume.hostPath.path} ${mountPath}`,
        );
      }
    }
    return [...lines, 'exec "$@"'].join('\n');
  }

  async #runPreStop(container: Container, deadlineMs: number): Promise<void> {
    const { lifecycle } = container;
    const [program, ...args] = lifecycle?.preStop?.exec?.command ?? [];
    const command = program === undefined ? undefined : ownProgram(program, this.#host.app);
    if (command === undefined) return;
    const hook = await this.#launch(container, [...command, ...args], await this.#environment(container));
    const timer = setTimeout(() => void hook.kill(), Math.max(0, deadlineMs - performance.now()));
    await hook.ended;
    clearTimeout(timer);
  }

  #args({ args = [], env = [] }: Container): readonly string[] {
    const values = new Map(env.map((one) => [one.name, one.value ?? this.#field(one.valueFrom?.fieldRef?.fieldPath)]));
    return args
      .map((arg) => arg.replaceAll(/\$\((\w+)\)/g, (text, name: string) => values.get(name) ?? text))
      .flatMap((arg) => {
        // One network for all nodes: the ports of the others are taken.
        if (arg.startsWith('--http-endpoint=')) return [`--http-endpoint=:${this.#host.freePort()}`];
        return arg.startsWith('--cloud-provider=') ? [arg, `--secure-port=${this.#host.freePort()}`] : [arg];
      });
  }

  async #environment({ env = [] }: Container): Promise<Readonly<Record<string, string>>> {
    const all: Record<string, string> = {
      KUBERNETES_SERVICE_HOST: API_ADDRESS,
      KUBERNETES_SERVICE_PORT: '443',
      HOSTNAME: this.#pod.metadata.name,
    };
    for (const { name, value, valueFrom } of env) {
      const secret = valueFrom?.secretKeyRef;
      all[name] =
        value ??
        (secret && (await this.#secret(secret.name, secret.key))) ??
        this.#field(valueFrom?.fieldRef?.fieldPath);
    }
    return all;
  }

  #field(path: string | undefined): string {
    if (path === 'spec.nodeName') return this.#host.name;
    return path === 'metadata.name' ? this.#pod.metadata.name : '';
  }

  async #secret(name: string, key: string): Promise<string> {
    const path = `/api/v1/namespaces/${this.#pod.metadata.namespace}/secrets/${name}`;
    const { data } = await this.#host.kube.get<{ data: Record<string, string> }>(path, { signal: soon() });
    return Buffer.from(data[key] ?? '', 'base64').toString();
  }

  async #writeAccount(): Promise<void> {
    const { metadata, spec } = this.#pod;
    const folder = join(this.#folder, 'account');
    await mkdir(folder, { recursive: true });
    const account = `/api/v1/namespaces/${metadata.namespace}/serviceaccounts/${spec.serviceAccountName ?? 'default'}`;
    // Bound to the pod, as kubelet asks for it: so it names the Node.
    const boundObjectRef = { apiVersion: 'v1', kind: 'Pod', name: metadata.name, uid: metadata.uid };
    const { status } = await this.#host.kube.create<{ status: { token: string } }>(
      `${account}/token`,
      {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: { expirationSeconds: 3607, boundObjectRef },
      },
      { signal: soon() },
    );
    await writeFile(join(folder, 'token'), status.token);
    await writeFile(join(folder, 'namespace'), metadata.namespace ?? '');
    await copyFile(this.#host.authorityFile, join(folder, 'ca.crt'));
  }
}

function soon(): AbortSignal {
  return AbortSignal.timeout(10_000);
}

/** The registrar and the liveness probe: whoever plays the kubelet does without them. */
function isStandIn({ image }: Container): boolean {
  return /csi-node-driver-registrar|livenessprobe/.test(image);
}

function commandOf(container: Container, { programs, app }: PlayedHost): readonly string[] | undefined {
  const name = /([^/:]+)(?::[^/]*)?$/.exec(container.image)?.[1] ?? '';
  if (name === 'csi-provisioner' || name === 'csi-attacher' || name === 'csi-resizer') return [programs[name]];
  const isNode = container.args?.includes('--mode=node') ?? false;
  return ownProgram(name, app, isNode ? ['--max-old-space-size=48', '--single-threaded'] : []);
}

/** As image/bin starts it. */
function ownProgram(path: string, app: string, heap: readonly string[] = []): readonly string[] | undefined {
  const name = /nifcloud-(?:cloud-controller-manager|additional-storage-csi-driver|simulator)$/.exec(path)?.[0];
  return name === undefined
    ? undefined
    : [process.execPath, '--max-semi-space-size=1', ...heap, join(app, 'dist', `${name}.js`)];
}
