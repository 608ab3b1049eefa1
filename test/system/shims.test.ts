import { expect } from 'chai';
import { execFile } from 'node:child_process';
import { mkdtemp, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createLogger } from '../../daemon/logger.ts';
import { createHosts } from '../../simulator/nifcloud/hosts/hosts.ts';

const SHIMS = fileURLToPath(new URL('../../demo/shims', import.meta.url));
const UUID = '6e696663-0000-8000-8000-0123456789ab';

/** Keeps the stand-ins honest: what they write is what the real tools take for it, and the other way round. */
describe('stand-ins for the disk tools beside the real ones', () => {
  let folder: string;
  let root: string;
  let stop: () => Promise<void>;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'shims-system-'));
    const logger = createLogger({ format: 'text', verbosity: 0, secrets: () => [] });
    const hosts = await createHosts({ mode: 'file', stateDir: folder, logger });
    root = await hosts.addServer({ name: 'node1', uniqueId: 'i-0001' });
    stop = () => hosts.stop();
  });

  afterEach(async () => {
    await stop();
    await rm(folder, { recursive: true });
  });

  const run = async (tool: string, ...args: readonly string[]): Promise<string> => {
    const env = { ...process.env, LC_ALL: 'C', NIFCLOUD_DEMO_HOST_ROOT: root };
    return (await promisify(execFile)(tool, args, { env })).stdout;
  };

  it('agree with them about a file system that either has made', async () => {
    const disk = join(root, 'dev/sda');
    const probe = ['-p', '-s', 'TYPE', '-s', 'PTTYPE', '-s', 'UUID', '-o', 'export', disk];
    for (const mkfs of [join(SHIMS, 'mkfs.ext4'), 'mkfs.ext4']) {
      await run('truncate', '-s', '0', await readlink(disk));
      await run('truncate', '-s', '1G', await readlink(disk));
      await run(mkfs, '-F', '-m0', '-U', UUID, disk);
      const found = await run('blkid', ...probe);
      expect(found, mkfs).to.equal(`DEVNAME=${disk}\nUUID=${UUID}\nTYPE=ext4\n`);
      expect(await run(join(SHIMS, 'blkid'), ...probe), mkfs).to.equal(found);
    }
    const said = await run('dumpe2fs', '-h', disk);
    for (const line of (await run(join(SHIMS, 'dumpe2fs'), '-h', disk)).trim().split('\n'))
      expect(said).to.include(line);
  });
});
