import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CsiClient } from '../../demo/csi-client.ts';
import { Stage, writeKubeconfig } from '../../demo/stage.ts';
import type { Environment } from '../../demo/stage.ts';
import { startApiServer } from '../../simulator/kubernetes/server.ts';
import type { ApiServer } from '../../simulator/kubernetes/server.ts';
import { startSimulator } from '../../simulator/nifcloud/simulator.ts';
import type { Simulator } from '../../simulator/nifcloud/simulator.ts';

/** A simulated cloud and an embedded Kubernetes API in this process, for daemons that run as processes of their own. */
export class World {
  readonly cloud: Simulator;
  readonly api: ApiServer;
  readonly stage: Stage;

  private constructor(cloud: Simulator, api: ApiServer, folder: string) {
    this.cloud = cloud;
    this.api = api;
    this.stage = new Stage(folder);
  }

  static async start(): Promise<World> {
    const cloud = await startSimulator({ latencyMs: 0, transition: '0ms' });
    return new World(cloud, await startApiServer(), await mkdtemp(join(tmpdir(), 'nk-')));
  }

  async stop(): Promise<void> {
    await this.stage.stop();
    await this.api.stop();
    await this.cloud.stop();
    await rm(this.stage.folder, { recursive: true, force: true });
  }

  /** The environment of a daemon, with what a test replaces in it. */
  environment(replaced: Environment = {}): Environment {
    return {
      NIFCLOUD_ENDPOINT: new URL(this.cloud.url).origin,
      NIFCLOUD_REGION: this.cloud.state().region,
      NIFCLOUD_ACCESS_KEY_ID: this.cloud.credentials.accessKeyId,
      NIFCLOUD_SECRET_ACCESS_KEY: this.cloud.credentials.secretAccessKey,
      ...replaced,
    };
  }

  async kubeconfig(): Promise<string> {
    const file = join(this.stage.folder, 'kubeconfig');
    await writeKubeconfig(file, this.api.url, 'test');
    return `--kubeconfig=${file}`;
  }

  /** Starts the CCM; answers the port of its health pages. */
  async startCcm(env: Environment): Promise<number> {
    const port = await freePort();
    const args = [
      '--cloud-provider=nifcloud',
      '--leader-elect=false',
      '--bind-address=127.0.0.1',
      `--secure-port=${port}`,
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
    const headers = { 'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json' };
    const init = body === undefined ? { method } : { method, headers, body: JSON.stringify(body) };
    const response = await fetch(new URL(path, this.api.url), init);
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
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

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
