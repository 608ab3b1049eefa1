import { expect } from 'chai';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstat, mkdir, mkdtemp, open, readdir, readFile, readlink, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createLogger } from '../../../daemon/logger.ts';
import { createHosts, type Hosts } from '../../../simulator/nifcloud/hosts/hosts.ts';
import { eventually } from '../../eventually.ts';

const SHIMS = fileURLToPath(new URL('../../../demo/shims', import.meta.url));
const GIB = 1024 ** 3;
const UUID = '6e696663-0000-8000-8000-0123456789ab';

interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

describe('stand-ins for the disk tools', () => {
  let folder: string;
  let hosts: Hosts;
  let root: string;
  let disk: string;

  beforeEach(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'shims-test-')));
    const logger = createLogger({ format: 'text', verbosity: 0, secrets: () => [] });
    hosts = await createHosts({ mode: 'file', stateDir: join(folder, 'state'), logger });
    root = await hosts.addServer({ name: 'node1', uniqueId: 'i-0001' });
    await hosts.createDisk('vol-1', 100 * GIB);
    disk = await plugIn('i-0001', root, 1, 'vol-1');
    for (const name of ['staging', 'target', 'other']) await mkdir(join(folder, name));
  });

  afterEach(async () => {
    await hosts.stop();
    await rm(folder, { recursive: true });
  });

  const at = (name: string): string => join(folder, name);

  const lock = (): readonly string[] => ['--nonblock', '--conflict-exit-code', '75', at('lock')];

  const run = (tool: string, ...args: readonly string[]): Promise<Result> => runOn(root, tool, ...args);

  const succeed = async (tool: string, ...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await run(tool, ...args);
    expect(code, `${tool} ${args.join(' ')}: ${stderr}`).to.equal(0);
    return stdout;
  };

  const plugIn = async (serverUniqueId: string, host: string, slot: number, volume: string): Promise<string> => {
    await hosts.attach(serverUniqueId, slot, volume);
    const names = join(host, `sys/class/scsi_device/2:0:${slot}:0/device/block`);
    await writeFile(join(host, 'sys/class/scsi_host/host2/scan'), `0 ${slot} 0`);
    await eventually(async () => (await readdir(names).catch(() => [])).length === 1);
    await eventually(async () => (await lstat(byPath(host, slot)).catch(() => undefined)) !== undefined);
    return join(host, 'dev', (await readdir(names))[0]!);
  };

  const unplug = async (serverUniqueId: string, host: string, slot: number): Promise<void> => {
    const entry = join(host, `sys/class/scsi_device/2:0:${slot}:0`);
    await writeFile(join(entry, 'device/delete'), '1');
    await eventually(async () => (await lstat(entry).catch(() => undefined)) === undefined);
    await hosts.detach(serverUniqueId, slot);
  };

  const growTo = async (sizeBytes: number): Promise<void> => {
    await hosts.grow('vol-1', sizeBytes);
    await writeFile(join(root, 'sys/class/block/sdb/device/rescan'), '1');
    await eventually(async () => (await succeed('blockdev', '--getsize64', disk)) === `${sizeBytes}\n`);
  };

  const mountInfo = async (): Promise<string[]> =>
    (await readFile(join(root, 'proc/self/mountinfo'), 'utf8')).split('\n').slice(0, -1);

  const probe = (device: string): Promise<Result> =>
    run('blkid', '-p', '-s', 'TYPE', '-s', 'PTTYPE', '-s', 'UUID', '-o', 'export', device);

  it('carry data through mkfs, mount, bind, unmount and detach to another server', async () => {
    const [staging, target] = [at('globalmount of pv'), at('target')];
    await mkdir(staging);
    await succeed('mkfs.ext4', '-F', '-m0', '-U', UUID, '-O', '^metadata_csum_seed', '-E', 'nodiscard', disk);
    await succeed('e2fsck', '-p', disk);
    await succeed('fsck', '-a', disk);
    await succeed('mount', '-t', 'ext4', '-o', 'defaults,noatime,data=ordered', disk, staging);
    await succeed('mount', '--bind', staging, target);
    await succeed('mount', '-o', 'remount,bind,ro', target);
    await writeFile(join(target, 'greeting'), 'hello');
    await succeed('sync', '-f', staging);
    await succeed('blockdev', '--flushbufs', disk);

    const number = (await readFile(join(root, 'sys/class/block/sdb/dev'), 'utf8')).trim();
    const escaped = `${folder}/globalmount\\040of\\040pv`;
    expect(await mountInfo()).to.deep.equal([
      `100 1 ${number} / ${escaped} rw,noatime - ext4 ${disk} rw,data=ordered`,
      `101 1 ${number} / ${target} ro,noatime - ext4 ${disk} rw,data=ordered`,
    ]);

    await succeed('umount', target);
    expect(await readdir(target)).to.deep.equal([]);
    expect(await mountInfo()).to.have.length(1);
    await succeed('umount', staging);
    expect((await lstat(staging)).isDirectory()).to.be.true;
    expect(await mountInfo()).to.deep.equal([]);
    await unplug('i-0001', root, 1);

    const other = await hosts.addServer({ name: 'node2', uniqueId: 'i-0002' });
    const found = await plugIn('i-0002', other, 3, 'vol-1');
    expect((await runOn(other, 'mount', '-t', 'ext4', '-o', 'defaults', found, staging)).code).to.equal(0);
    expect(await readFile(join(staging, 'greeting'), 'utf8')).to.equal('hello');
    expect(await mountInfo(), 'the first server').to.deep.equal([]);
  });

  it('see a disk by any link to its node', async () => {
    await succeed('mkfs.ext4', '-F', '-m0', byPath(root, 1));
    await succeed('mount', '-t', 'ext4', byPath(root, 1), at('staging'));
    expect((await mountInfo())[0]).to.include(` - ext4 ${disk} rw`);
  });

  it('bind a folder of a mounted disk with its path in the file system', async () => {
    await succeed('mkfs.ext4', '-F', '-m0', disk);
    await succeed('mount', '-t', 'ext4', disk, at('staging'));
    await mkdir(at('staging/sub'));
    await succeed('mount', '--bind', at('staging/sub'), at('target'));
    expect((await mountInfo())[1]).to.match(/^101 1 259:\d+ \/sub /);
    await succeed('umount', at('staging'));
    await writeFile(at('target/file'), 'through the bind');
    expect(await readdir(at('target'))).to.deep.equal(['file']);
  });

  it('tell a blank disk from a formatted one, by probe and by content', async () => {
    const zeros = Buffer.alloc(4 * 1024 ** 2).toString('latin1');
    const head = ['dd', `if=${disk}`, 'bs=1M', 'count=4', 'iflag=direct', 'status=none'] as const;
    const skip = `skip=${100 * GIB - 1024 ** 2}`;
    const tail = ['dd', `if=${disk}`, 'bs=1M', 'count=1', skip, 'iflag=direct,skip_bytes', 'status=none'] as const;
    expect(await probe(disk)).to.deep.equal({ code: 2, stdout: '', stderr: '' });
    expect((await succeed(...head)) === zeros).to.be.true;

    await succeed('mkfs.ext4', '-F', '-m0', '-U', UUID, disk);
    expect(await probe(disk)).to.deep.equal({
      code: 0,
      stdout: `DEVNAME=${disk}\nUUID=${UUID}\nTYPE=ext4\n`,
      stderr: '',
    });
    const written = await succeed(...head);
    expect(written).to.have.length(4 * 1024 ** 2);
    expect(written === zeros).to.be.false;
    expect((await succeed(...tail)) === zeros.slice(0, 1024 ** 2)).to.be.true;
  });

  it('recognise what others put on a disk, and do not choose between two', async () => {
    await write(disk, 510, '\x55\xaa');
    expect((await probe(disk)).stdout).to.include('PTTYPE=dos');
    await write(disk, 0, 'XFSB');
    expect((await probe(disk)).code).to.equal(8);
    await write(disk, 510, '\0\0');
    expect((await probe(disk)).stdout).to.include('TYPE=xfs');
    expect((await probe(join(root, 'dev/sda'))).stdout, 'the system disk').to.include('PTTYPE=dos');
  });

  it('grow a file system to the size that the server has noticed', async () => {
    await succeed('mkfs.ext4', '-F', '-m0', disk);
    expect(await succeed('dumpe2fs', '-h', disk)).to.match(/^Block count: {14}26214400\nBlock size: {15}4096$/m);
    await hosts.grow('vol-1', 200 * GIB);
    expect(await succeed('resize2fs', disk)).to.include('Nothing to do');

    await growTo(200 * GIB);
    await succeed('mount', '-t', 'ext4', disk, at('staging'));
    await succeed('resize2fs', disk);
    expect(await succeed('dumpe2fs', '-h', disk)).to.include('Block count:              52428800\n');
  });

  it('ask for a forced check before an unmounted file system that was in use is grown', async () => {
    await succeed('mkfs.ext4', '-F', '-m0', disk);
    await write(disk, 1024 + 0x40, '\x01\0\0\0'); // checked in 1970
    await succeed('mount', '-t', 'ext4', disk, at('staging'));
    await succeed('umount', at('staging'));
    await growTo(200 * GIB);
    await succeed('e2fsck', '-p', disk);
    expect(await run('resize2fs', disk)).to.deep.include({
      code: 1,
      stderr: `Please run 'e2fsck -f ${disk}' first.\n`,
    });
    await succeed('e2fsck', '-f', '-p', disk);
    await succeed('resize2fs', disk);
  });

  it('empty the disk that they format', async () => {
    await succeed('mkfs.ext4', '-F', '-m0', disk);
    await succeed('mount', '-t', 'ext4', disk, at('staging'));
    await writeFile(at('staging/file'), '');
    await succeed('umount', at('staging'));
    await succeed('mkfs.ext4', '-F', '-m0', disk);
    await succeed('mount', '-t', 'ext4', disk, at('staging'));
    expect(await readdir(at('staging'))).to.deep.equal(['lost+found']);
  });

  it('keep off a disk that is mounted', async () => {
    await succeed('mkfs.ext4', '-F', '-m0', disk);
    await succeed('mount', '-t', 'ext4', disk, at('staging'));
    const message = `${disk} is mounted; will not make a filesystem here!\n`;
    expect(await run('mkfs.ext4', '-F', '-m0', disk)).to.deep.include({ code: 1, stderr: message });
    expect((await run('e2fsck', '-p', disk)).code).to.equal(8);
  });

  it('refuse to mount as mount does', async () => {
    const [staging, target] = [at('staging'), at('target')];
    const cases: (readonly [why: string, ...args: string[]])[] = [
      ['special device /dev/none does not exist.', '-t', 'ext4', '/dev/none', staging],
      ['wrong fs type, bad option, bad superblock', '-t', 'ext4', disk, staging],
      ['mount point not mounted or bad option.', '-o', 'remount,bind,ro', staging],
      [`special device ${at('none')} does not exist.`, '--bind', at('none'), target],
      [`${staging} is on no mounted disk`, '--bind', staging, target],
    ];
    for (const [why, ...args] of cases) {
      const { code, stderr } = await run('mount', ...args);
      expect({ code, stderr }, args.join(' ')).to.deep.include({ code: 32 });
      expect(stderr).to.include(`mount: ${args.at(-1)}: ${why}`);
    }
    await succeed('mkfs.ext4', '-F', '-m0', disk);
    for (const missing of [at('none'), at('none/none')]) {
      const { code, stderr } = await run('mount', '-t', 'ext4', disk, missing);
      expect({ code, stderr }).to.deep.equal({ code: 32, stderr: `mount: ${missing}: mount point does not exist.\n` });
    }
    await succeed('mount', '-t', 'ext4', disk, staging);
    expect((await run('mount', '-t', 'ext4', disk, staging)).stderr).to.include('already mounted');
    await writeFile(at('target/file'), 'not hidden');
    expect((await run('mount', '--bind', staging, target)).code).to.equal(32);
    expect(await readFile(at('target/file'), 'utf8')).to.equal('not hidden');
    expect(await mountInfo()).to.have.length(1);
  });

  it('refuse to unmount what is not mounted', async () => {
    expect(await run('umount', at('staging'))).to.deep.include({
      code: 32,
      stderr: `umount: ${at('staging')}: not mounted.\n`,
    });
    expect((await run('umount', at('none'))).code).to.equal(32);
  });

  it('fail on a disk that is missing', async () => {
    const missing = join(root, 'dev/sdz');
    const codes: Record<string, number> = {};
    codes['blkid'] = (await probe(missing)).code;
    codes['dd'] = (await run('dd', `if=${missing}`, 'bs=1M', 'count=4', 'iflag=direct', 'status=none')).code;
    codes['blockdev'] = (await run('blockdev', '--getsize64', missing)).code;
    for (const tool of ['mkfs.ext4', 'e2fsck', 'resize2fs', 'dumpe2fs']) codes[tool] = (await run(tool, missing)).code;
    expect(codes).to.deep.equal({
      blkid: 2,
      dd: 1,
      blockdev: 1,
      'mkfs.ext4': 1,
      e2fsck: 8,
      resize2fs: 1,
      dumpe2fs: 1,
    });
  });

  it('fail on a ghost, which still has its size', async () => {
    await succeed('mkfs.ext4', '-F', '-m0', disk);
    await hosts.detach('i-0001', 1);
    expect(await succeed('blockdev', '--getsize64', disk)).to.equal(`${100 * GIB}\n`);
    const read = await run('dd', `if=${disk}`, 'bs=1M', 'count=4', 'iflag=direct', 'status=none');
    expect(read).to.deep.equal({ code: 1, stdout: '', stderr: `dd: error reading '${disk}': Input/output error\n` });
    expect((await probe(disk)).code).to.equal(2);
    expect((await run('mkfs.ext4', '-F', '-m0', disk)).code).to.equal(1);
    expect((await run('mount', '-t', 'ext4', disk, at('staging'))).code).to.equal(32);
  });

  it('keep every mount when many are made at once', async () => {
    await succeed('mkfs.ext4', '-F', '-m0', disk);
    await succeed('mount', '-t', 'ext4', disk, at('staging'));
    const targets = Array.from({ length: 8 }, (_, n) => at(`pod-${n}`));
    await Promise.all(targets.map((target) => mkdir(target)));
    await Promise.all(targets.map((target) => succeed('mount', '--bind', at('staging'), target)));
    expect((await mountInfo()).map((line) => line.split(' ')[4])).to.have.members([...targets, at('staging')]);
    expect(new Set((await mountInfo()).map((line) => line.split(' ')[0])).size).to.equal(9);
    await Promise.all(targets.map((target) => succeed('umount', target)));
    expect(await mountInfo()).to.have.length(1);
  });

  it('mend the traces of a mount that was killed half-way', async () => {
    await succeed('mkfs.ext4', '-F', '-m0', disk);
    await succeed('mount', '-t', 'ext4', disk, at('staging'));
    await writeFile(join(root, 'proc/self/mountinfo'), '');
    await succeed('mount', '-t', 'ext4', disk, at('staging'));
    expect(await readlink(at('staging'))).to.match(/vol-1\.fs$/);
    expect(await mountInfo()).to.have.length(1);
  });

  it('refuse a call that they were not made for', async () => {
    for (const [tool, ...args] of [
      ['mount', '-t', 'xfs', disk, at('staging')],
      ['mount', disk, at('staging')],
      ['umount', '-l', at('staging')],
      ['mkfs.ext4', '-t', 'small', disk],
      ['dd', `if=${disk}`, `of=${disk}`, 'bs=1M', 'count=1'],
      ['blkid', disk, '--wipe'],
      ['flock', at('lock'), 'true'],
    ] as const) {
      const { code, stderr } = await run(tool, ...args);
      expect(code, tool).to.not.equal(0);
      expect(stderr, tool).to.include(`${tool}: the demo's stand-in for this tool does not understand: `);
    }
  });

  it('say what is missing without a host', async () => {
    const failure = await runOn('', 'blockdev', '--getsize64', disk);
    expect(failure.code).to.equal(1);
    expect(failure.stderr).to.include('NIFCLOUD_DEMO_HOST_ROOT');
  });

  describe('flock', () => {
    const holders: number[] = [];

    /** Starts a command that holds the lock until it is released. */
    const hold = async (): Promise<{ flock: ChildProcess; release(): void }> => {
      const command = [...lock(), 'sh', '-c', 'echo $$; exec sleep 60'];
      const flock = spawn(join(SHIMS, 'flock'), command, { stdio: ['ignore', 'pipe', 'inherit'] });
      const [line] = (await once(flock.stdout, 'data')) as [Buffer];
      holders.push(Number(line));
      return { flock, release: () => void process.kill(Number(line)) };
    };

    afterEach(() => {
      for (const pid of holders.splice(0)) {
        try {
          process.kill(pid);
        } catch {
          // released by the test
        }
      }
    });

    it('runs the command with its output and exit code', async () => {
      expect(await run('flock', ...lock(), 'sh', '-c', 'echo out; exit 7')).to.deep.include({
        code: 7,
        stdout: 'out\n',
      });
    });

    it('ends with the conflict code while somebody has the lock, and not afterwards', async () => {
      const holder = await hold();
      expect(await run('flock', ...lock(), 'true')).to.deep.equal({ code: 75, stdout: '', stderr: '' });
      holder.release();
      await once(holder.flock, 'exit');
      expect((await run('flock', ...lock(), 'true')).code).to.equal(0);
    });

    it('leaves the lock with the command when it is killed itself', async () => {
      const holder = await hold();
      holder.flock.kill('SIGKILL');
      await once(holder.flock, 'exit');
      expect((await run('flock', ...lock(), 'true')).code).to.equal(75);
      holder.release();
      await eventually(async () => (await run('flock', ...lock(), 'true')).code === 0);
    });

    it('fails as flock does when there is no such folder or no such command', async () => {
      expect((await run('flock', '--nonblock', '--conflict-exit-code', '75', at('none/lock'), 'true')).code).to.equal(
        66,
      );
      expect((await run('flock', ...lock(), 'no-such-command')).code).to.equal(69);
    });
  });
});

function runOn(root: string, tool: string, ...args: readonly string[]): Promise<Result> {
  const env = { ...process.env, NIFCLOUD_DEMO_HOST_ROOT: root };
  return new Promise((resolve) => {
    execFile(
      join(SHIMS, tool),
      args,
      { env, encoding: 'latin1', maxBuffer: 8 * 1024 ** 2 },
      (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
      },
    );
  });
}

function byPath(root: string, slot: number): string {
  return join(root, `dev/disk/by-path/pci-0000:03:00.0-scsi-0:0:${slot}:0`);
}

async function write(disk: string, position: number, text: string): Promise<void> {
  const file = await open(disk, 'r+');
  await file.write(Buffer.from(text, 'latin1'), 0, text.length, position);
  await file.close();
}
