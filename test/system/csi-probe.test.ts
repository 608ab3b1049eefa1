import { mkdtemp, open, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assert } from 'chai';
import { readBytes, readsAsZeros } from '../../csi/linux/probe.ts';
import { run } from './node-lab.ts';

const MIB = 1024 * 1024;
const SIZE = 9 * MIB;

/** On a loop device, since not every file system lets files be read past the caches. */
describe('the proof that a disk is empty', () => {
  let folder: string;
  let device: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'csi-probe-'));
    const image = join(folder, 'image');
    await writeFile(image, '');
    await truncate(image, SIZE);
    device = (await run('losetup', '--find', '--show', image)).trim();
  });
  afterEach(async () => {
    await run('losetup', '--detach', device);
    await rm(folder, { recursive: true });
  });

  const put = async (position: number): Promise<void> => {
    const disk = await open(device, 'r+');
    await disk.write('x', position);
    await disk.sync();
    await disk.close();
  };

  it('holds for one on which nothing was written', async () => assert.isTrue(await readsAsZeros(device, SIZE)));

  for (const position of [0, 4 * MIB - 1, 8 * MIB, SIZE - 1]) {
    it(`does not hold when there is one byte at ${position}`, async () => {
      await put(position);
      assert.isFalse(await readsAsZeros(device, SIZE));
    });
  }

  it('is not given for a disk that ends too early', async () => {
    assert.match(await readsAsZeros(device, SIZE + MIB).then(String, String), /dd .*0\+0 records in/s);
    await truncate(join(folder, 'image'), 3 * MIB);
    await run('losetup', '--set-capacity', device);
    assert.match(await readsAsZeros(device, SIZE).then(String, String), /dd .*3\+0 records in/s);
  });

  it('is not needed to see a few bytes, such as the mark that mkfs.xfs leaves until its end', async () => {
    for (const position of [126, 8 * MIB + 126]) {
      await put(position);
      assert.equal((await readBytes(device, position - 1, 3)).toString('latin1'), '\0x\0');
    }
  });
});
