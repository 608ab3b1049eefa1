import { execFile } from 'node:child_process';
import { mkdir, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Taint } from '../../kube/types.ts';
import type { Programs } from './components.ts';
import type { ControlPlane } from './control-plane.ts';
import { Program } from './program.ts';
import { until } from './wait.ts';

const run = promisify(execFile);

/** Of overlayfs (statfs(2)), on which no overlay can lie. */
const OVERLAYFS_MAGIC = 0x794c7630;

export interface RealNodeOptions {
  readonly name: string;
  readonly address: string;
  /** Those that it registers with, besides the one for the cloud-controller-manager. */
  readonly taints: readonly Taint[];
  /** A new one, for what they write. */
  readonly folder: string;
  /** A short path: names of sockets are. */
  readonly runFolder: string;
  readonly programs: Programs;
  readonly controlPlane: ControlPlane;
}

/**
 * This machine as a node: containerd and kubelet, with a pod network of its own. It registers as a node of a cluster with an external
 * cloud provider does.
 */
export class RealNode {
  readonly name: string;
  readonly #options: RealNodeOptions;
  readonly #socket: string;
  readonly #running: Program[] = [];

  constructor(options: RealNodeOptions) {
    this.name = options.name;
    this.#options = options;
    this.#socket = join(options.runFolder, 'containerd.sock');
  }

  /** @param archives of images, all that there will be */
  async start(archives: readonly string[]): Promise<void> {
    const { folder } = this.#options;
    for (const part of ['containerd', 'cni', 'pki', 'pods']) await mkdir(join(folder, part), { recursive: true });
    await mkdir(this.#options.runFolder, { recursive: true });
    await this.#startContainerd();
    for (const archive of archives) await this.#ctr('images', 'import', archive);
    await this.#startKubelet();
  }

  async #startContainerd(): Promise<void> {
    const { folder, runFolder } = this.#options;
    const network = {
      cniVersion: '0.4.0',
      name: 'pods',
      plugins: [
        {
          type: 'ptp',
          ipam: {
            type: 'host-local',
            ranges: [[{ subnet: '10.251.0.0/24' }]],
            routes: [{ dst: '0.0.0.0/0' }],
            dataDir: join(folder, 'addresses'),
          },
        },
      ],
    };
    await writeFile(join(folder, 'cni/10-pods.conflist'), JSON.stringify(network));
    const { type } = await statfs(folder);
    const config = `
version = 2
root = "${folder}/containerd"
state = "${runFolder}/containerd"
[grpc]
  address = "${this.#socket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "${folder}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "e2e.local/pause:1"
  # Root may lack the right to choose who is killed last.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${folder}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "${type === OVERLAYFS_MAGIC ? 'native' : 'overlayfs'}"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
`;
    await writeFile(join(folder, 'containerd.toml'), config);
    const args = ['--config', join(folder, 'containerd.toml')];
    const containerd = new Program({ command: 'containerd', args, logFile: join(folder, 'containerd.log') });
    this.#running.push(containerd);
    await until('containerd to answer', async () => {
      containerd.assertRunning();
      await this.#ctr('version');
      return true;
    });
  }

  async #startKubelet(): Promise<void> {
    const { folder, name, address, taints, programs, controlPlane } = this.#options;
    const kubeconfig = await controlPlane.userKubeconfig(`node-${name}`, `CN=system:node:${name}, O=system:nodes`);
    const config = {
      apiVersion: 'kubelet.config.k8s.io/v1beta1',
      kind: 'KubeletConfiguration',
      failCgroupV1: false,
      cgroupDriver: 'cgroupfs',
      containerRuntimeEndpoint: `unix://${this.#socket}`,
      address,
      healthzPort: 0,
      authentication: {
        anonymous: { enabled: false },
        webhook: { enabled: false },
        x509: { clientCAFile: controlPlane.authorityFile },
      },
      authorization: { mode: 'AlwaysAllow' },
      failSwapOn: false,
      oomScoreAdj: 0,
      makeIPTablesUtilChains: false,
      imageGCHighThresholdPercent: 100,
      evictionHard: {
        'memory.available': '10Mi',
        'nodefs.available': '1%',
        'nodefs.inodesFree': '0%',
        'imagefs.available': '1%',
      },
      podLogsDir: join(folder, 'pods'),
      volumePluginDir: join(folder, 'volume-plugins'),
      nodeStatusUpdateFrequency: '3s',
      nodeStatusReportFrequency: '3s',
      syncFrequency: '2s',
    };
    await writeFile(join(folder, 'kubelet.json'), JSON.stringify(config));
    const kubelet = new Program({
      command: programs.kubelet,
      args: [
        `--config=${join(folder, 'kubelet.json')}`,
        `--kubeconfig=${kubeconfig}`,
        '--root-dir=/var/lib/kubelet',
        `--cert-dir=${join(folder, 'pki')}`,
        `--hostname-override=${name}`,
        '--cloud-provider=external',
        `--node-ip=${address}`,
        `--register-with-taints=${taints.map(({ key, effect }) => `${key}=:${effect}`).join(',')}`,
      ],
      logFile: join(folder, 'kubelet.log'),
    });
    this.#running.push(kubelet);
    await until(`node ${name}`, async () => {
      kubelet.assertRunning();
      await controlPlane.get(`/api/v1/nodes/${name}`);
      return true;
    });
  }

  /** @param id of the container, as containerd has it */
  async killContainer(id: string): Promise<void> {
    await this.#ctr('tasks', 'kill', '--signal', 'SIGKILL', id);
  }

  /** Ends containers, kubelet and containerd. */
  async end(): Promise<void> {
    const [containerd, kubelet] = this.#running;
    await kubelet?.kill();
    if (containerd?.isRunning === true) {
      for (const [kind, ...words] of [
        ['tasks', 'rm', '--force'],
        ['containers', 'rm'],
      ] as const) {
        const { stdout } = await this.#ctr(kind, 'ls', '-q').catch(() => ({ stdout: '' }));
        for (const id of stdout.split('\n').filter((one) => one !== '')) {
          await this.#ctr(kind, ...words, id).catch(() => undefined);
        }
      }
    }
    await containerd?.end();
  }

  async #ctr(...words: readonly string[]): Promise<{ readonly stdout: string }> {
    return await run('ctr', ['--address', this.#socket, '--namespace', 'k8s.io', ...words]);
  }
}
