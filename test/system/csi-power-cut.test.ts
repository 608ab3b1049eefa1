import { open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { startCsiCluster, type CsiCluster } from '../csi-cluster.ts';
import { volumeName } from '../csi-sidecars.ts';
import { eventually } from '../eventually.ts';

/** Long enough for the writer to be anywhere in its work when the power goes. */
const LINES_BEFORE_THE_CUT = 200;

describe('a volume whose server loses its power', () => {
  let cluster: CsiCluster;

  beforeEach(async () => {
    cluster = await startCsiCluster(['node01', 'node02']);
  });
  afterEach(() => cluster?.stop());

  it('has on the next server, and back on the first one, every line whose write was acknowledged', async () => {
    const { sidecars, world } = cluster;
    const [one, two] = [cluster.machines[0]!, cluster.machines[1]!];
    const volume = await sidecars.create(volumeName(1), one.zone);
    const staged = await sidecars.stage(volume, await sidecars.attach(volume, one), one);
    const journal = new Journal();
    const writing = journal.write(join(staged, 'journal'));
    await eventually(() => journal.acknowledged >= LINES_BEFORE_THE_CUT);
    await world.cloud.incidents.crash(one.name);
    await writing;

    await sidecars.detach(volume, one);
    const moved = await sidecars.stage(volume, await sidecars.attach(volume, two), two);
    const lines = (await readFile(join(moved, 'journal'), 'utf8')).split('\n').slice(0, journal.acknowledged);
    expect(lines).to.deep.equal(Array.from({ length: journal.acknowledged }, (_, n) => `line ${n}`));
    await writeFile(join(moved, 'second'), 'written there');
    await sidecars.unstage(volume, two);
    await sidecars.detach(volume, two);

    // What kubelet does first when its server is up again: it knows of the volume still.
    await world.cloud.incidents.start(one.name);
    await sidecars.unstage(volume, one);
    const back = await sidecars.stage(volume, await sidecars.attach(volume, one), one);
    expect(await readFile(join(back, 'second'), 'utf8')).to.equal('written there');
    expect((await readFile(join(back, 'journal'), 'utf8')).split('\n')).to.include.members(lines);
    await sidecars.unstage(volume, one);
    await sidecars.detach(volume, one);
    await sidecars.delete(volume);
  }).timeout(60_000);
});

/** Lines in a file, each synced before the next is written. */
class Journal {
  acknowledged = 0;

  /** Writes until it can't any more. */
  async write(path: string): Promise<void> {
    const file = await open(path, 'w');
    try {
      for (; ; this.acknowledged += 1) {
        await file.write(`line ${this.acknowledged}\n`);
        await file.datasync();
      }
    } catch {
      await file.close();
    }
  }
}
