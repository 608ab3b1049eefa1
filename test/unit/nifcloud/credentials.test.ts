import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { credentialSource, type CredentialSource } from '../../../nifcloud/credentials.ts';
import { FakeClock } from '../../fake-clock.ts';

const pair = (name: string): { accessKeyId: string; secretAccessKey: string } => ({
  accessKeyId: `${name}-id`,
  secretAccessKey: `${name}-secret`,
});

describe('keys', () => {
  let folder: string;
  let clock: FakeClock;
  let logged: string[];
  let generation: number;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'nifcloud-keys-'));
    clock = new FakeClock();
    logged = [];
    generation = 0;
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** Replaces both files at once, as the kubelet does with a mounted Secret. */
  function swap(name: string | undefined): void {
    const data = `..data-${(generation += 1)}`;
    mkdirSync(join(folder, data));
    if (name !== undefined) {
      write(`${data}/id`, `${name}-id\n`);
      write(`${data}/secret`, `${name}-secret\n`);
    }
    symlinkSync(data, join(folder, '..data_tmp'));
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
  }

  function write(file: string, text: string): void {
    writeFileSync(join(folder, file), text);
  }

  const note = (message: string): void => void logged.push(message);

  function inFiles(accessKeyIdFile = '..data/id', secretAccessKeyFile = '..data/secret'): CredentialSource {
    return credentialSource(
      { accessKeyIdFile: join(folder, accessKeyIdFile), secretAccessKeyFile: join(folder, secretAccessKeyFile) },
      { clock, logger: { info: note, warn: note } },
    );
  }

  /** What requests are signed with that are sent in the course of some seconds. */
  async function used(keys: CredentialSource, seconds: number): Promise<string[]> {
    const names: string[] = [];
    for (let second = 0; second < seconds; second++) {
      const { accessKeyId, secretAccessKey } = keys();
      names.push(`${accessKeyId} ${secretAccessKey}`);
      await clock.advance(1_000);
    }
    return names;
  }

  it('that are given directly stay as they are', () => {
    const keys = credentialSource(pair('given'), { clock, logger: { info: () => {}, warn: () => {} } });
    expect(keys()).to.deep.equal(pair('given'));
    expect(keys(pair('given'))).to.deep.equal(pair('given'));
  });

  it('in files are read without the blanks around them', () => {
    swap('old');
    expect(inFiles()()).to.deep.equal(pair('old'));
  });

  for (const [what, prepare] of [
    ['missing', () => undefined],
    ['empty', () => (write('id', 'x'), write('secret', ' \n'))],
  ] as const) {
    it(`in files that are ${what} at the start are an error that names the file`, () => {
      prepare();
      expect(() => inFiles('id', 'secret')).to.throw(Error, folder);
    });
  }

  it('that are rotated in files come into use within a few seconds, both at once', async () => {
    swap('old');
    const keys = inFiles();
    expect(await used(keys, 3)).to.deep.equal(Array(3).fill('old-id old-secret'));
    swap('new');
    const after = await used(keys, 6);
    expect(new Set(after)).to.deep.equal(new Set(['old-id old-secret', 'new-id new-secret']));
    expect(after.slice(-2)).to.deep.equal(Array(2).fill('new-id new-secret'));
    expect(logged).to.deep.equal(['The NIFCLOUD keys were rotated']);
  });

  it('that were refused give way to what the files hold at that moment', async () => {
    swap('old');
    const keys = inFiles();
    swap('new');
    expect(keys(pair('old'))).to.deep.equal(pair('new'));
    expect(keys()).to.deep.equal(pair('new'));
  });

  it('that were refused stay, when the files hold no others', () => {
    swap('old');
    const keys = inFiles();
    expect(keys(pair('old'))).to.deep.equal(pair('old'));
    expect(logged).to.deep.equal([]);
  });

  it('that were refused a while ago do not take the place of newer ones', () => {
    swap('old');
    const keys = inFiles();
    swap('new');
    keys(pair('old'));
    swap('newest');
    expect(keys(pair('old'))).to.deep.equal(pair('new'));
  });

  it('are never a mixture, nor half of one, while files are written one after the other', async () => {
    write('id', 'old-id');
    write('secret', 'old-secret');
    const keys = inFiles('id', 'secret');
    const seen: string[] = [];
    for (const [file, text] of [
      ['id', ''],
      ['id', 'new'],
      ['id', 'new-id'],
      ['secret', 'new-s'],
      ['secret', 'new-secret'],
    ] as const) {
      write(file, text);
      seen.push(...(await used(keys, 2)));
    }
    expect(new Set(seen)).to.deep.equal(new Set(['old-id old-secret']));
    seen.push(...(await used(keys, 4)));
    expect(seen.at(-1)).to.equal('new-id new-secret');
  });

  it('stay in use while a file is missing, which is said once, and are looked for again', async () => {
    swap('old');
    const keys = inFiles();
    for (const next of ['new', 'newest']) {
      const before = keys();
      swap(undefined);
      await used(keys, 20);
      expect(keys()).to.deep.equal(before);
      swap(next);
      await used(keys, 6);
      expect(keys()).to.deep.equal(pair(next));
    }
    const missing = 'The NIFCLOUD keys cannot be read, the last ones stay in use';
    const rotated = 'The NIFCLOUD keys were rotated';
    expect(logged).to.deep.equal([missing, rotated, missing, rotated]);
  });
});
