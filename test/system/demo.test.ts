import { expect } from 'chai';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const DEMO = fileURLToPath(new URL('../../demo/demo.ts', import.meta.url));

describe('a demo on real disks', () => {
  it('leaves no mount and no loop device behind when it is interrupted, wherever its folder is', async () => {
    const base = await mkdtemp(join(tmpdir(), 'nd-'));
    // The mount table has neither links nor blanks as they are.
    const [folder, link] = [join(base, 'a folder'), join(base, 'link')];
    await mkdir(folder);
    await symlink(folder, link);
    const demo = spawn(process.execPath, [DEMO], { env: { ...process.env, TMPDIR: link } });
    const ended = once(demo, 'exit');
    let mounted = '';
    for await (const chunk of demo.stdout as AsyncIterable<Buffer>) {
      if (mounted !== '' || !chunk.includes('the pod writes')) continue;
      mounted = await readFile('/proc/self/mountinfo', 'utf8');
      demo.kill('SIGINT');
    }
    await ended;

    expect(mounted, 'while it ran').to.contain(`${base}/a\\040folder/nk-`);
    expect(await readFile('/proc/self/mountinfo', 'utf8')).not.to.contain(base);
    expect((await promisify(execFile)('losetup', ['--list', '--output', 'BACK-FILE'])).stdout).not.to.contain(base);
    expect(await readdir(folder)).to.deep.equal([]);
    await rm(base, { recursive: true });
  });
});
