import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { releaseDisks } from '../../demo/disks.ts';
import { Stage } from '../../demo/stage.ts';
import { createHosts } from '../../simulator/nifcloud/hosts/hosts.ts';
import { startSimulator, type Simulator } from '../../simulator/nifcloud/simulator.ts';
import { parseFleet } from '../../simulator/nifcloud/world/fleet.ts';
import { startCsi } from '../csi-programs.ts';
import { quiet } from '../quiet.ts';
import { csiSanity } from './csi-sanity.ts';
import { complaints, specsOf } from './report.ts';

const GIB = 2 ** 30;

/** One zone: when the first server is full of published volumes, the second still has room for one to be born. */
const FLEET = { zones: ['east-11'], servers: ['node01', 'node02'].map((name) => ({ name, zone: 'east-11' })) };

/** Of a VolumeAttributesClass; not the default. */
const ACCOUNTING = { accountingType: 'monthly' };

/** What csi-sanity is told of where the driver listens. */
type Endpoints = readonly string[];

/** How the driver can be run. The Kubernetes API has no part in it: csi-sanity makes no objects there. */
const LAYOUTS: Readonly<Record<string, (stage: Stage, cloud: Simulator) => Promise<Endpoints>>> = {
  'in one process': async (stage, cloud) => {
    const { socket } = await startCsi(stage, cloud, { name: 'all', mode: 'all', server: serverOf(cloud) });
    return [`--csi.endpoint=${socket}`];
  },
  'as controller and node server': async (stage, cloud) => {
    const [server, name] = [serverOf(cloud), 'controller'];
    const node = await startCsi(stage, cloud, { name: 'node', mode: 'node', server });
    const controller = await startCsi(stage, cloud, { name, mode: 'controller', server });
    return [`--csi.endpoint=${node.socket}`, `--csi.controllerendpoint=${controller.socket}`];
  },
};

function serverOf(cloud: Simulator) {
  const server = cloud.state().servers.find(({ name }) => name === 'node01');
  if (server === undefined) throw new Error('the fleet has no node01');
  return server;
}

describe('csi-sanity', () => {
  let sanity: string;
  let folder: string;
  let cloud: Simulator | undefined;
  let stage: Stage;
  let run: ChildProcess | undefined;

  before(async function () {
    if (process.getuid?.() !== 0) throw new Error('test:conformance works on loop devices and mounts: run it as root');
    this.timeout(900_000); // Go may have to build everything that csi-sanity is made of
    sanity = await csiSanity();
  });

  beforeEach(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'ns-')));
    stage = new Stage(folder);
    const hosts = await createHosts({ mode: 'loop', stateDir: join(folder, 'cloud'), logger: quiet });
    const fleet = parseFleet(JSON.stringify(FLEET), 'the fleet');
    cloud = await startSimulator({ latencyMs: 1, transition: '20ms', fleet, hosts });
  });

  afterEach(async () => {
    if (run?.exitCode === null) {
      run.kill();
      await once(run, 'exit');
    }
    await stage.stop();
    await cloud?.stop();
    await releaseDisks(folder);
    await rm(folder, { recursive: true, force: true });
  });

  for (const accessType of ['mount', 'block']) {
    for (const [layout, start] of Object.entries(LAYOUTS)) {
      it(`finds nothing to complain about: ${accessType} volumes, ${layout}`, async () => {
        const parameters = join(folder, 'parameters.yaml');
        await writeFile(parameters, JSON.stringify(ACCOUNTING)); // JSON is YAML
        const report = join(folder, 'report.json');
        const args = [
          ...(await start(stage, cloud!)),
          `--csi.testvolumeaccesstype=${accessType}`,
          // Disks come in steps of 100 GiB (docs/reference/csi.md B.4).
          `--csi.testvolumesize=${100 * GIB}`,
          `--csi.testvolumeexpandsize=${200 * GIB}`,
          `--csi.testvolumemutableparameters=${parameters}`,
          '--csi.testnodevolumeattachlimit',
          // Both are made and removed for every spec.
          `--csi.mountdir=${join(folder, 'mount')}`,
          `--csi.stagingdir=${join(folder, 'staging')}`,
          `--ginkgo.json-report=${report}`,
        ];
        run = spawn(sanity, args, { stdio: ['ignore', 'pipe', 'inherit'] });
        let printed = '';
        run.stdout?.on('data', (chunk: Buffer) => (printed += chunk.toString()));
        await once(run, 'close');
        const specs = specsOf(
          await readFile(report, 'utf8').catch((cause: unknown) => {
            throw new Error(`csi-sanity has not reported: ${printed.slice(-2_000)}`, { cause });
          }),
        );
        const wrong = complaints(specs);
        if (wrong.length > 0) expect.fail(`csi-sanity's report:\n${wrong.join('\n')}`);
        expect(specs.filter(({ outcome }) => outcome === 'passed')).to.have.length.above(60);
        const { volumes } = cloud!.state();
        expect(volumes, 'disks left behind').to.deep.equal([]);
        expect(await readFile('/proc/self/mountinfo', 'utf8'), 'mounts left behind').not.to.contain(folder);
        const records = (await readdir(folder)).filter((name) => name.endsWith('.state'));
        for (const state of records) {
          expect(await recordsIn(join(folder, state)), 'records left behind').to.deep.equal([]);
        }
      });
    }
  }
});

async function recordsIn(folder: string): Promise<readonly string[]> {
  return (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.json'));
}
