import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CsiClient } from '../../demo/csi-client.ts';
import { Stage, writeKubeconfig } from '../../demo/stage.ts';
import type { Environment } from '../../demo/stage.ts';
import type { Identities } from '../../simulator/kubernetes/reviews.ts';
import { startSimulator } from '../../simulator/nifcloud/simulator.ts';
import type { Simulator, SimulatorOptions } from '../../simulator/nifcloud/simulator.ts';
import { defaultFleet, type Fleet } from '../../simulator/nifcloud/world/fleet.ts';
import { freePort } from './free-port.ts';
import { startKubernetesApi, type KubernetesApi } from './kubernetes-api.ts';
import { cloudEnvironment } from '../cloud-environment.ts';

/**
 * A simulated cloud and an embedded Kubernetes API in this process, for daemons that run as processes of their own. With
 * `KUBEBUILDER_ASSETS`, a folder with etcd and kube-apiserver, the API is a real one.
 */
export class World {
  readonly cloud: Simulator;
  readonly api: KubernetesApi;
  readonly stage: Stage;

  private constructor(cloud: Simulator, api: KubernetesApi, folder: string) {
    this.cloud = cloud;
    this.api = api;
    this.stage = new Stage(folder);
  }

  static async start(
    options: { readonly identities?: Identities; readonly cloud?: SimulatorOptions } = {},
    fleet: Fleet = defaultFleet(),
  ): Promise<World> {
    const folder = await mkdtemp(join(tmpdir(), 'nk-'));
    const assets = process.env['KUBEBUILDER_ASSETS'];
    const api = await startKubernetesApi(join(folder, 'kubernetes'), assets, options.identities);
    const cloud = await startSimulator({ latencyMs: 0, transition: '0ms', fleet, ...options.cloud });
    return new World(cloud, api, folder);
  }

  async stop(): Promise<void> {
    await this.stage.stop();
    await this.api.stop();
    await this.cloud.stop();
    await rm(this.stage.folder, { recursive: true, force: true });
  }

  /** The environment of a daemon, with what a test replaces in it. */
  environment(replaced: Environment = {}): Environment {
    return { ...cloudEnvironment(this.cloud), ...replaced };
  }

  async kubeconfig(): Promise<string> {
    const file = join(this.stage.folder, 'kubeconfig');
    await writeKubeconfig(file, this.api.url, 'test', this.api.authority);
    return `--kubeconfig=${file}`;
  }

  /** Starts the CCM; answers the port of its health pages. */
  async startCcm(env: Environment, flags: readonly string[] = []): Promise<number> {
    const port = await freePort();
    const args = [
      '--cloud-provider=nifcloud',
      '--leader-elect=false',
      '--bind-address=127.0.0.1',
      `--secure-port=${port}`,
      ...flags,
    ];
    await this.stage.start('ccm', 'ccm/main.ts', [...args, await this.kubeconfig()], env, () => Promise.resolve(true));
    return port;
  }

  /** Starts the controller of the CSI driver and connects to it. */
  async startCsiController(name: string, env: Environment): Promise<CsiClient> {
    const socket = join(this.stage.folder, `${name}.sock`);
    const client = new CsiClient(socket);
    const args = ['--mode=controller', `--endpoint=unix://${socket}`, await this.kubeconfig()];
    await this.stage.start(name, 'csi/main.ts', args, env, () => client.ready());
    return client;
  }

  /** A request of the Kubernetes API, with plain JSON. */
  async kube<T = unknown>(method: string, path: string, body?: object): Promise<T> {
    const { status, text } = await this.api.request(method, path, body);
    if (status >= 300) throw new Error(`${method} ${path}: ${status} ${text}`);
    return JSON.parse(text) as T;
  }

  /** The events about an object, as `Type Reason: message`. */
  async events(kind: string, name: string): Promise<readonly string[]> {
    const { items } = await this.kube<{ items: readonly Event[] }>('GET', '/api/v1/events');
    return items
      .filter(({ involvedObject }) => involvedObject.kind === kind && involvedObject.name === name)
      .map(({ type, reason, message }) => `${type} ${reason}: ${message}`);
  }
}

interface Event {
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  readonly involvedObject: { readonly kind: string; readonly name: string };
}
