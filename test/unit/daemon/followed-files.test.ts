import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { followFiles, readTexts } from '../../../daemon/followed-files.ts';
import { eventually } from '../../eventually.ts';
import { FakeClock } from '../../fake-clock.ts';

describe('followed files', () => {
  let folder: string;
  let files: [string, string];
  let clock: FakeClock;
  let ending: AbortController;
  let errors: number;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nk-'));
    files = [join(folder, 'tls.crt'), join(folder, 'tls.key')];
    await Promise.all(files.map((file) => writeFile(file, 'old')));
    clock = new FakeClock();
    ending = new AbortController();
    errors = 0;
  });
  afterEach(async () => {
    ending.abort(new Error('the test is over'));
    await rm(folder, { recursive: true });
  });

  const logger = {
    info: () => undefined,
    warn: () => undefined,
    debug: () => undefined,
    error: () => void (errors += 1),
  };

  /** Lets one period pass, and waits until the files were looked at: the next sleep has begun. */
  const look = async (): Promise<void> => {
    await clock.advance(10_000);
    await eventually(() => clock.sleeping === 1);
  };

  it('are handed over all together when one has changed, and only then', async () => {
    const seen: (readonly string[])[] = [];
    const running = followFiles(
      files,
      await readTexts(files),
      (texts) => void seen.push(texts),
      { clock, logger },
      ending.signal,
    );
    await look();
    expect(seen).to.deep.equal([]);
    await writeFile(files[1], 'new');
    await look();
    await look();
    expect(seen).to.deep.equal([['old', 'new']]);
    ending.abort(new Error('over'));
    await running;
    expect(clock.sleeping).to.equal(0);
  });

  it('that are missing for a while, or of no use, leave what was before, and cause one line in the log', async () => {
    const seen: (readonly string[])[] = [];
    const use = (texts: readonly string[]): void => {
      if (texts.includes('broken')) throw new Error('no certificate');
      seen.push(texts);
    };
    void followFiles(files, await readTexts(files), use, { clock, logger }, ending.signal);
    await writeFile(files[0], 'broken');
    await look();
    await look();
    expect(errors).to.equal(1);
    await rm(files[0]);
    await look();
    await look();
    expect(errors).to.equal(2);
    await writeFile(files[0], 'new');
    await look();
    expect(seen).to.deep.equal([['new', 'old']]);
  });
});
