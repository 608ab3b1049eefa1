import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { startSimulator } from '../../simulator/nifcloud/simulator.ts';
import { clientMethods } from './cloud-client.ts';

const ROOT = new URL('../../', import.meta.url);

describe('the README of the cloud client', () => {
  let readme: string;
  before(async () => {
    readme = await readFile(new URL('nifcloud/README.md', ROOT), 'utf8');
  });

  it('has an example that works', async () => {
    const example = /```ts\n(.*?)```/s.exec(readme)![1]!;
    const runnable = example
      .replaceAll(/from '\.\/(.*?)'/g, (_, path: string) => `from '${new URL(path, ROOT).href}'`)
      .replace('pollIntervalMs: 3_000', 'pollIntervalMs: 5');
    const folder = await mkdtemp(join(tmpdir(), 'nk-readme-'));
    const simulator = await startSimulator({ latencyMs: 0, transition: '0ms' });
    try {
      await writeFile(join(folder, 'example.mts'), runnable);
      const { stdout } = await promisify(execFile)(process.execPath, [join(folder, 'example.mts')], {
        env: {
          NIFCLOUD_ENDPOINT: new URL(simulator.url).origin,
          NIFCLOUD_ACCESS_KEY_ID: simulator.credentials.accessKeyId,
          NIFCLOUD_SECRET_ACCESS_KEY: simulator.credentials.secretAccessKey,
        },
      });
      expect(stdout).to.match(/^example1: 100 GB at SCSI ?\(0:1\)\nexample1: 200 GB\nexample1 is gone\n$/);
    } finally {
      await simulator.stop();
      await rm(folder, { recursive: true, force: true });
    }
  });

  it('names every method of every resource', () => {
    const missing = clientMethods().filter(({ resource, method }) => {
      const section = readme.split(/^### /m).find((one) => one.split('\n')[0]!.includes(`\`${resource}\``)) ?? '';
      return !section.includes(`${method}(`);
    });
    expect(missing).to.deep.equal([]);
  });
});
