import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assert } from 'chai';
import { BoundedLooks } from '../../../../csi/linux/bounded-looks.ts';
import { eventually } from '../../../eventually.ts';

describe('BoundedLooks', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'looks-'));
    await writeFile(join(folder, 'mute'), '');
  });
  afterEach(() => rm(folder, { recursive: true }));

  /** Writes its process id, and ends when the file `mute` is gone. */
  const HANG = 'echo $$ >> "$0/started"; while [ -e "$0/mute" ]; do sleep 0.02; done';
  const hang = (looks: BoundedLooks) => looks.look('sh', '-c', HANG, folder);
  const started = async (): Promise<number> =>
    (await readFile(join(folder, 'started'), 'utf8')).trim().split('\n').length;

  it('says how a tool ended, and what it said', async () => {
    const answer = await new BoundedLooks().look('sh', '-c', 'echo seen; exit 3');
    assert.deepInclude(answer, { exitCode: 3, stdout: 'seen\n' });
  });

  it('gives up on what hangs, and starts nothing more while it does', async () => {
    const looks = new BoundedLooks(60);
    assert.deepEqual(await Promise.all([hang(looks), hang(looks)]), [undefined, undefined]);
    assert.isUndefined(await hang(looks));
    assert.equal(await started(), 1);
  });

  it('still looks at other things meanwhile', async () => {
    const looks = new BoundedLooks(1_000);
    const hanging = hang(looks);
    assert.equal((await looks.look('sh', '-c', 'exit 0'))?.exitCode, 0);
    await rm(join(folder, 'mute'));
    assert.equal((await hanging)?.exitCode, 0);
  });

  it('looks anew once what hung has ended', async () => {
    const looks = new BoundedLooks(60);
    assert.isUndefined(await hang(looks));
    await rm(join(folder, 'mute'));
    await eventually(async () => (await hang(looks))?.exitCode === 0);
  });

  it('does not take a missing tool for a dead disk', async () => {
    const failure = await new BoundedLooks().look('no-such-tool').then(String, String);
    assert.match(failure, /no-such-tool can't be started/);
  });
});
