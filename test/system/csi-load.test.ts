import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { status } from '@grpc/grpc-js';
import { expect } from 'chai';
import type { CsiError } from '../../demo/csi-client.ts';
import { startCsiCluster, type CsiCluster } from '../csi-cluster.ts';
import { inFlight, volumeName } from '../csi-sidecars.ts';

/** Data disks that a server can have (docs/reference/csi.md C.1). */
const SLOTS = 14;
const IN_FLIGHT = 20;
const ROUNDS = 10;
const VOLUMES_PER_ROUND = 20;

/** What a program may have more after the last round than after the second, in MB: garbage that was not collected. */
const GARBAGE_MB = 20;

describe('the CSI driver under load', () => {
  let cluster: CsiCluster;

  beforeEach(async () => {
    cluster = await startCsiCluster(['node01', 'node02', 'node03', 'node04']);
  });
  afterEach(() => cluster?.stop());

  it(`brings ${ROUNDS * VOLUMES_PER_ROUND} volumes through their lives, ${IN_FLIGHT} at a time, and keeps nothing of them`, async () => {
    const { sidecars, machines, controller, nodes } = cluster;
    const programs = [controller, ...nodes];
    const usages: (readonly Usage[])[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const lives = Array.from({ length: VOLUMES_PER_ROUND }, (_, n) => async () => {
        await sidecars.live(volumeName(round * VOLUMES_PER_ROUND + n), machines[n % machines.length]!);
      });
      await inFlight(IN_FLIGHT, lives);
      usages.push(await Promise.all(programs.map(({ pid }) => usageOf(pid))));
    }
    await expectNothingLeft();
    const history = JSON.stringify(usages);
    for (const at of programs.keys()) {
      const [second, last] = [usages[1]![at]!, usages.at(-1)![at]!];
      expect(last.privateMB, history).to.be.below(second.privateMB + GARBAGE_MB);
      // Idle connections to the cloud come and go.
      const before = Math.max(...usages.slice(0, ROUNDS / 2).map((round) => round[at]!.openFiles));
      expect(last.openFiles, history).to.be.below(before + 5);
    }
  }).timeout(110_000);

  it('fills a server and empties it again, all volumes at once', async () => {
    const { sidecars, machines } = cluster;
    const machine = machines[0]!;
    const volumes = await Promise.all(
      Array.from({ length: SLOTS }, async (_, n) => {
        const volume = await sidecars.create(volumeName(n), machine.zone);
        await sidecars.stage(volume, await sidecars.attach(volume, machine), machine);
        return volume;
      }),
    );
    const mounts = await readFile('/proc/self/mountinfo', 'utf8');
    expect(mounts.split(machine.kubeletFolder)).to.have.lengthOf(SLOTS + 1);

    const extra = await sidecars.create(volumeName(SLOTS), machine.zone);
    const refusal = await sidecars.attach(extra, machine).then(String, ({ cause }: Error) => cause as CsiError);
    expect(refusal).to.have.property('code', status.RESOURCE_EXHAUSTED);

    await Promise.all(
      volumes.map(async (volume) => {
        await sidecars.unstage(volume, machine);
        await sidecars.detach(volume, machine);
        await sidecars.delete(volume);
      }),
    );
    await sidecars.detach(extra, machine);
    await sidecars.delete(extra);
    await expectNothingLeft();
  });

  async function expectNothingLeft(): Promise<void> {
    const { world, folder, machines } = cluster;
    const { volumes, servers } = world.cloud.state();
    expect(volumes, 'disks').to.deep.equal([]);
    expect(await readFile('/proc/self/mountinfo', 'utf8'), 'mounts').not.to.contain(folder);
    for (const { hostRoot } of servers) {
      expect(await readdir(join(hostRoot, 'sys/class/scsi_device')), 'devices').to.deep.equal(['2:0:0:0']);
    }
    const { stdout } = await promisify(execFile)('losetup', ['--list', '--noheadings', '--output', 'BACK-FILE']);
    const images = stdout.split('\n').filter((image) => image.includes(`${folder}/`) && !image.includes('/system-of-'));
    expect(images, 'loop devices').to.deep.equal([]);
    for (const machine of machines) {
      const state = await readdir(join(world.stage.folder, `${machine.name}.state`));
      expect(
        state.filter((file) => file.endsWith('.json')),
        'records',
      ).to.deep.equal([]);
    }
  }
});

interface Usage {
  readonly privateMB: number;
  readonly openFiles: number;
}

async function usageOf(pid: number): Promise<Usage> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8');
  const kB = Number(/^RssAnon:\s*(\d+) kB/m.exec(text)?.[1]);
  return { privateMB: Math.round((kB * 1_024) / 1e6), openFiles: (await readdir(`/proc/${pid}/fd`)).length };
}
