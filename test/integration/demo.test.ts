import { expect } from 'chai';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually } from '../eventually.ts';

const DEMO = fileURLToPath(new URL('../../demo/demo.ts', import.meta.url));

describe('a demo that does not come to its end', () => {
  let temporary: string;
  let demo: ChildProcess;
  let printed: string;

  beforeEach(async () => {
    temporary = await realpath(await mkdtemp(join(tmpdir(), 'nd-')));
    printed = '';
    // A process group of its own, as a shell makes one for each command line.
    demo = spawn(process.execPath, [DEMO, '--shims'], { env: { ...process.env, TMPDIR: temporary }, detached: true });
    for (const stream of [demo.stdout, demo.stderr]) stream?.on('data', (chunk: Buffer) => (printed += String(chunk)));
    await eventually(() => printed.includes('\n▶ nodes register'));
  });

  afterEach(async () => {
    if (demo.kill('SIGTERM')) await once(demo, 'exit');
    await rm(temporary, { recursive: true });
  });

  const expectEnd = async (code: number, lastWords: string): Promise<void> => {
    if (demo.exitCode === null) await once(demo, 'exit');
    expect(printed).to.contain(`\ndemo: ${lastWords}`).and.not.to.contain('    at ');
    expect(demo.exitCode).to.equal(code);
    expect(await readdir(temporary)).to.deep.equal([]);
    expect(await programsIn(temporary)).to.deep.equal([]);
  };

  it('leaves nothing behind after Ctrl-C, which a terminal sends to the whole process group', async () => {
    process.kill(-(demo.pid ?? 0), 'SIGINT');
    await expectEnd(1, 'interrupted\n');
  });

  it('leaves nothing behind when nobody reads what it prints', async () => {
    demo.stdout?.destroy();
    await expectEnd(1, 'the terminal, or the reader of what is printed, has gone\n');
  });

  it('says which program ended by itself, and leaves nothing behind', async () => {
    const ccm = await eventually(async () => (await programsIn(temporary, 'ccm/main.ts'))[0]);
    process.kill(ccm, 'SIGKILL');
    await expectEnd(1, 'ccm ended by itself (SIGKILL). The end of its log:\n');
  });
});

/** The processes whose command line names this folder, and a program. */
async function programsIn(folder: string, program = 'main.ts'): Promise<readonly number[]> {
  const found: number[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (commandLine.includes(folder) && commandLine.includes(program)) found.push(Number(pid));
  }
  return found;
}
