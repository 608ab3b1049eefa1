import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { systemClock } from '../../daemon/clock.ts';
import { Nifcloud } from '../../nifcloud/nifcloud.ts';
import { startSimulator } from '../../simulator/nifcloud/simulator.ts';

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
    const cloud = new Nifcloud({
      region: 'jp-east-1',
      credentials: () => ({ accessKeyId: '', secretAccessKey: '' }),
      userAgent: 'test',
      clock: systemClock,
      logger: { info: () => {}, warn: () => {}, error: () => {}, debug: () => {} },
    });
    const missing = Object.entries(cloud)
      .filter(([, resource]) => typeof resource === 'object')
      .flatMap(([name, resource]) => {
        const section = readme.split(/^### /m).find((one) => one.split('\n')[0]!.includes(`\`${name}\``)) ?? '';
        const methods = Object.getOwnPropertyNames(Object.getPrototypeOf(resource)).filter(
          (one) => one !== 'constructor',
        );
        return methods.filter((method) => !section.includes(`${method}(`)).map((method) => `${name}.${method}`);
      });
    expect(missing).to.deep.equal([]);
  });
});
