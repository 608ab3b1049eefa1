import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

interface Instruction {
  readonly word: string;
  readonly rest: string;
}

interface BuildStage {
  readonly image: string;
  readonly name: string;
  readonly instructions: readonly Instruction[];
}

/** The stages of the Dockerfile, continued lines joined, comments dropped. */
async function stages(): Promise<readonly BuildStage[]> {
  const text = (await readFile(join(ROOT, 'Dockerfile'), 'utf8')).replaceAll(/^#.*\n/gm, '').replaceAll('\\\n', ' ');
  const all: { image: string; name: string; instructions: Instruction[] }[] = [];
  for (const line of text.split('\n').filter((one) => one.trim() !== '')) {
    const [, word = '', rest = ''] = /^(\S+)\s+(.*)$/.exec(line) ?? [];
    if (word === 'FROM') {
      const [image = '', , name = ''] = rest.split(/\s+/);
      all.push({ image, name, instructions: [] });
    } else all.at(-1)?.instructions.push({ word, rest });
  }
  return all;
}

/** What `docker build` would send: files that git knows or would take, less .dockerignore. */
async function context(): Promise<readonly string[]> {
  const ignored = (await readFile(join(ROOT, '.dockerignore'), 'utf8')).split('\n').filter((line) => line !== '');
  const { stdout } = await run('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: ROOT });
  return stdout
    .split('\n')
    .filter((file) => file !== '' && !ignored.some((one) => file === one || file.startsWith(`${one}/`)));
}

async function copyIn(files: readonly string[], sources: readonly string[], into: string): Promise<void> {
  for (const source of sources) {
    for (const file of files) {
      const inFolder = source === '.' || file.startsWith(`${source.replace(/\/$/, '')}/`);
      if (!inFolder && file !== source) continue;
      const place = join(into, inFolder && source !== '.' ? file.slice(source.replace(/\/$/, '').length) : file);
      await mkdir(dirname(place), { recursive: true });
      await cp(join(ROOT, file), place);
    }
  }
}

describe('Dockerfile', () => {
  let folder: string;
  before(async () => (folder = await mkdtemp(join(tmpdir(), 'image-'))));
  after(() => rm(folder, { recursive: true, force: true }));

  it("builds: its build stage's commands run on the files it copies, and each program's image starts it", async () => {
    const [build, programs, ...images] = await stages();
    expect([build?.name, programs?.name]).to.deep.equal(['build', 'programs']);
    const source = join(folder, 'src');
    const files = await context();
    await mkdir(source);
    for (const { word, rest } of build?.instructions ?? []) {
      const words = rest.split(/\s+/);
      if (word === 'COPY') await copyIn(files, words.slice(0, -1), join(source, words.at(-1) ?? ''));
      if (word === 'RUN') await run('sh', ['-c', rest], { cwd: source, maxBuffer: 2 ** 26 });
    }
    for (const { word, rest } of programs?.instructions ?? []) {
      const copied = /^--from=build \/src\/(\S+) (\S+)$/.exec(word === 'COPY' ? rest : '');
      if (copied !== null)
        await cp(join(source, copied[1] ?? ''), join(folder, 'app', copied[2] ?? ''), { recursive: true });
    }
    expect(images.map(({ name }) => name)).to.have.members([
      'nifcloud-cloud-controller-manager',
      'nifcloud-additional-storage-csi-driver',
      'nifcloud-simulator',
    ]);
    for (const { image, name: program, instructions } of images) {
      expect({ image, instructions }).to.deep.equal({
        image: 'programs',
        instructions: [{ word: 'ENTRYPOINT', rest: `["/bin/${program}"]` }],
      });
      const start = (await readFile(join(ROOT, 'image/bin', program), 'utf8')).replaceAll('/app/', `${folder}/app/`);
      // The node server is started with flags of Node of its own.
      for (const flags of program.endsWith('csi-driver') ? [['--mode=node'], ['--mode=controller']] : [[]]) {
        const { stdout, stderr } = await run('sh', ['-c', start, program, ...flags, '--help'], { cwd: folder });
        expect(stdout).to.contain(`Usage: ${program} [flags]`);
        expect(stderr).to.equal('');
      }
    }
  });
});
