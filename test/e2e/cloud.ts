import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createHosts } from '../../simulator/nifcloud/hosts/hosts.ts';
import { DEMO_CREDENTIALS, startSimulator, type Simulator } from '../../simulator/nifcloud/simulator.ts';
import { parseFleet } from '../../simulator/nifcloud/world/fleet.ts';
import { quiet } from '../quiet.ts';

const run = promisify(execFile);

/** The manifests' NIFCLOUD_ENDPOINT. */
const ADDRESS = '10.250.0.1';
const PORT = 8480;

/** The servers of the cluster. node01 is this machine, the others are played; the last two join later. */
export const SERVERS = [
  { name: 'node01', zone: 'east-11', privateAddress: '10.250.0.11' },
  { name: 'node02', zone: 'east-11', privateAddress: '10.250.0.12' },
  { name: 'node03', zone: 'east-12', privateAddress: '10.250.0.13' },
  { name: 'node04', zone: 'east-13', privateAddress: '10.250.0.14' },
  { name: 'node05', zone: 'east-13', privateAddress: '10.250.0.15' },
  { name: 'node06', zone: 'east-12', privateAddress: '10.250.0.16' },
].map((server) => ({ ...server, uniqueId: `i-00${server.name}` }));

/** A disk that the Go driver has made, for static import; it stays. */
export const GO_DISK = 'abcd1234';
const GO_DISK_UNIQUE_ID = 'vol-0godisk1';

/** @param folder an empty one, for what it keeps; the servers' machines are in `cloud/servers` */
export async function startCloud(folder: string): Promise<Simulator> {
  const hosts = await createHosts({ mode: 'loop', stateDir: join(folder, 'cloud'), keep: true, logger: quiet });
  const zones = ['east-11', 'east-12', 'east-13'];
  const groups = zones.map((zone) => ({ name: `nodes${zone.slice(-2)}`, zone }));
  const servers = SERVERS.map((server) => ({ ...server, firewallGroup: `nodes${server.zone.slice(-2)}` }));
  const disks = [{ id: GO_DISK, uniqueId: GO_DISK_UNIQUE_ID, zone: 'east-11', description: 'pvc-0a1b2c3d' }];
  await formatGoDisk(folder);
  return await startSimulator({
    host: ADDRESS,
    port: PORT,
    fleet: parseFleet(JSON.stringify({ region: 'jp-east-1', zones, groups, servers, disks }), 'the fleet'),
    credentials: DEMO_CREDENTIALS,
    hosts,
    latencyMs: 20,
    transition: '300ms',
    timeScale: 10,
    callLog: join(folder, 'calls.jsonl'),
  });
}

/** As the Go driver formats: with the tool's defaults. */
async function formatGoDisk(folder: string): Promise<void> {
  const [content, image] = [join(folder, 'content'), join(folder, 'cloud/disks', GO_DISK_UNIQUE_ID)];
  await mkdir(content);
  await writeFile(join(content, 'notes'), 'written under the Go driver\n');
  await run('truncate', ['--size=100G', image]);
  await run('mkfs.ext4', ['-q', '-F', '-d', content, image]);
}
