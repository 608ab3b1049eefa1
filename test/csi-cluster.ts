import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { releaseDisks } from '../demo/disks.ts';
import { createHosts } from '../simulator/nifcloud/hosts/hosts.ts';
import { parseFleet } from '../simulator/nifcloud/world/fleet.ts';
import { startCsi, type CsiProgram, type CsiProgramOptions } from './csi-programs.ts';
import { Sidecars, type Machine } from './csi-sidecars.ts';
import { World } from './integration/world.ts';
import { quiet } from './quiet.ts';

const ZONE = 'east-11';

/** A cluster of one zone with real loop devices: the CSI controller and a node server for each of its servers, as processes. */
export interface CsiCluster {
  readonly world: World;
  readonly controller: CsiProgram;
  /** By server. */
  readonly nodes: readonly CsiProgram[];
  readonly machines: readonly Machine[];
  readonly sidecars: Sidecars;
  /** Holds all that the cluster has made. */
  readonly folder: string;
  stop(): Promise<void>;
}

/** @param servers their names */
export async function startCsiCluster(servers: readonly string[]): Promise<CsiCluster> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'nc-')));
  const hosts = await createHosts({ mode: 'loop', stateDir: join(folder, 'cloud'), logger: quiet });
  const fleet = parseFleet(
    JSON.stringify({ zones: [ZONE], servers: servers.map((name) => ({ name, zone: ZONE })) }),
    'the fleet',
  );
  const world = await World.start({ cloud: { latencyMs: 1, transition: '20ms', hosts } }, fleet);
  const programs: CsiProgram[] = [];
  const stop = async (): Promise<void> => {
    for (const { client } of programs) client.close();
    await world.stop();
    await releaseDisks(folder);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    for (const { name, zone, uniqueId } of world.cloud.state().servers) {
      await world.kube('POST', '/api/v1/nodes', {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name },
        spec: { providerID: `nifcloud:///${zone}/${uniqueId}`, taints: [] },
        status: { conditions: [{ type: 'Ready', status: 'True' }] },
      });
    }
    const { stage, cloud } = world;
    const flags = [await world.kubeconfig()];
    const [first, ...others] = cloud.state().servers;
    if (first === undefined) throw new Error('a cluster has at least one server');
    const start = async (options: CsiProgramOptions): Promise<CsiProgram> => {
      const program = await startCsi(stage, cloud, options);
      programs.push(program);
      return program;
    };
    const controller = await start({ name: 'controller', mode: 'controller', server: first, flags });
    const nodes: CsiProgram[] = [];
    for (const server of [first, ...others]) nodes.push(await start({ name: server.name, mode: 'node', server }));
    const machines = nodes.map(({ client }, at) => {
      const name = servers[at] ?? '';
      return { name, zone: ZONE, client, kubeletFolder: join(folder, name) };
    });
    const sidecars = new Sidecars(controller.client, (...request) => world.kube(...request));
    return { world, controller, nodes, machines, sidecars, folder, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
