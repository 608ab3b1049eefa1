import { expect } from 'chai';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, open as openFile, readdir, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { promisify } from 'node:util';
import { createLogger } from '../../daemon/logger.ts';
import { createHosts, type Hosts } from '../../simulator/nifcloud/hosts/hosts.ts';
import { parseFleet } from '../../simulator/nifcloud/world/fleet.ts';
import { eventually } from '../eventually.ts';
import { startCloud } from '../unit/simulator/nifcloud/raw-client.ts';

const MIB = 1024 ** 2;

/** Real loop devices and file systems. Without root the first step fails and says so. */
describe('simulated hosts on loop devices', () => {
  let folder: string;
  let log: PassThrough;
  let hosts: Hosts;
  let root: string;
  let target: string;

  beforeEach(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'hosts ボ-system-')));
    log = new PassThrough();
    const logger = createLogger({ format: 'text', verbosity: 0, secrets: () => [], stream: log });
    target = join(folder, 'mounted here');
    await mkdir(target);
    hosts = await createHosts({ mode: 'loop', stateDir: join(folder, 'state'), logger });
    root = await hosts.addServer({ name: 'node1', uniqueId: 'i-0001' });
  });

  afterEach(async () => {
    for (const { point } of (await mountsIn(folder)).toReversed()) await run('umount', point);
    await hosts?.stop();
    expect(await boundLoops(folder), 'loop devices left behind').to.deep.equal([]);
    await rm(folder, { recursive: true });
  });

  /** A new disk in slot 1 of node1, found: sdb. */
  const plugIn = async (volume: string): Promise<string> => {
    await hosts.createDisk(volume, 64 * MIB);
    await hosts.attach('i-0001', 1, volume);
    return find(root, 1);
  };

  it('refuses to start without root, saying what works instead', async () => {
    // Not in this process: it could not become root again.
    const script = `import { createHosts } from ${JSON.stringify(HOSTS_MODULE)};
      process.setuid(65534);
      await createHosts({ mode: 'loop', stateDir: '/nonexistent', logger: console });`;
    const failure = await failureOf(run(process.execPath, '--input-type=module', '-e', script));
    expect(failure).to.include('--disks=loop needs root; --disks=file works on plain files');
  });

  it('carries a file system with its data from one server to another', async () => {
    const disk = await plugIn('vol-1');
    await run('mkfs.ext4', '-q', '-F', '-m0', disk);
    await run('mount', '-t', 'ext4', disk, target);
    await writeFile(join(target, 'greeting'), 'hello');
    const number = await sysfs(root, 'sdb/dev');
    expect(await mountsIn(target)).to.deep.equal([{ number, point: target }]);
    const node = await stat(disk);
    expect(node.isBlockDevice()).to.be.true;
    await run('umount', target);
    await remove(root, 1);
    await hosts.detach('i-0001', 1);

    const other = await hosts.addServer({ name: 'node2', uniqueId: 'i-0002' });
    await hosts.attach('i-0002', 4, 'vol-1');
    const found = await find(other, 4);
    expect(await sysfs(other, 'sdb/dev')).to.not.equal(number);
    await run('mount', '-t', 'ext4', found, target);
    expect(await readFile(join(target, 'greeting'), 'utf8')).to.equal('hello');
  });

  it('shows growth to the device only after a rescan', async () => {
    const disk = await plugIn('vol-1');
    await run('mkfs.ext4', '-q', '-F', '-m0', disk);
    await hosts.grow('vol-1', 128 * MIB);
    expect(await run('blockdev', '--getsize64', disk)).to.equal(`${64 * MIB}\n`);
    await writeFile(join(root, 'sys/class/block/sdb/device/rescan'), '1');
    await eventually(async () => Number(await sysfs(root, 'sdb/size')) * 512 === 128 * MIB);
    expect(await run('blockdev', '--getsize64', disk)).to.equal(`${128 * MIB}\n`);
    await run('e2fsck', '-f', '-p', disk);
    await run('resize2fs', disk);
    expect(await run('dumpe2fs', '-h', disk)).to.match(/^Block count: +131072$/m);
  });

  it('leaves a ghost that has its size and cannot be read, until it is deleted', async () => {
    const disk = await plugIn('vol-1');
    await hosts.detach('i-0001', 1);
    expect(await sysfs(root, 'sdb/device/state')).to.equal('running');
    expect(await run('blockdev', '--getsize64', disk)).to.equal(`${64 * MIB}\n`);
    for (const flags of [[], ['iflag=direct']]) {
      expect(await failureOf(run('dd', `if=${disk}`, 'bs=1M', 'count=4', ...flags))).to.include('Input/output error');
    }
    expect(await failureOf(run('mkfs.ext4', '-F', disk))).to.not.equal('');

    await hosts.createDisk('vol-2', 32 * MIB);
    await hosts.attach('i-0001', 1, 'vol-2');
    await remove(root, 1);
    expect(await run('blockdev', '--getsize64', await find(root, 1))).to.equal(`${32 * MIB}\n`);
  });

  it('gives a mounted file system I/O errors when its disk is pulled out, and the next server what was synced', async () => {
    const disk = await plugIn('vol-1');
    await run('mkfs.ext4', '-q', '-F', '-m0', disk);
    await run('mount', '-t', 'ext4', disk, target);
    await writeFile(join(target, 'synced'), 'kept', { flush: true });
    await hosts.detach('i-0001', 1);
    expect(await failureOf(writeFile(join(target, 'late'), 'lost', { flush: true }))).to.match(/EIO|EROFS/);
    expect(String(log.read())).to.include('A disk left a server that had it in use');

    const other = await hosts.addServer({ name: 'node2', uniqueId: 'i-0002' });
    await hosts.attach('i-0002', 1, 'vol-1');
    const found = await find(other, 1);
    await run('umount', target);
    await run('mount', '-t', 'ext4', found, target);
    expect((await readdir(target)).sort()).to.deep.equal(['lost+found', 'synced']);
    expect(await readFile(join(target, 'synced'), 'utf8')).to.equal('kept');
  });

  const makeFileSystem = async (disk: string): Promise<void> => {
    await run('mkfs.ext4', '-q', '-F', '-m0', disk);
    // No commit by itself while a test runs.
    await run('mount', '-t', 'ext4', '-o', 'commit=300', disk, target);
  };

  /** The names and contents of the files on the disk in slot 1, after the server is on again. */
  const filesAfterBoot = async (): Promise<Record<string, string>> => {
    await hosts.powerOn('i-0001');
    await run('mount', '-t', 'ext4', join(root, 'dev/sdb'), target);
    const names = (await readdir(target)).filter((name) => name !== 'lost+found').sort();
    const contents = names.map(async (name) => [name, await readFile(join(target, name), 'utf8')] as const);
    return Object.fromEntries(await Promise.all(contents));
  };

  it('keeps over a power cut what was synced and nothing else, and ends the mount', async () => {
    await makeFileSystem(await plugIn('vol-1'));
    await writeFile(join(target, 'synced'), 'kept', { flush: true });
    await writeFile(join(target, 'late'), 'lost');
    const number = await sysfs(root, 'sdb/dev');
    await hosts.powerOff('i-0001', { clean: false });
    expect(await mountsIn(target)).to.deep.equal([]);
    expect(await readdir(join(root, 'sys/class/scsi_device'))).to.deep.equal([]);
    expect(await boundLoops(folder)).to.deep.equal([]);

    expect(await filesAfterBoot()).to.deep.equal({ synced: 'kept' });
    expect(await sysfs(root, 'sdb/dev')).to.not.equal(number);
  });

  it('keeps over a shutdown all that was written, also by somebody who has a file open still', async () => {
    await makeFileSystem(await plugIn('vol-1'));
    await writeFile(join(target, 'late'), 'kept');
    const open = await openFile(join(target, 'open'), 'w');
    try {
      await open.write('kept');
      await hosts.powerOff('i-0001', { clean: true });
      expect(await mountsIn(target)).to.deep.equal([]);
      const tooLate = open.write('lost').then(() => open.sync());
      expect(await failureOf(tooLate)).to.match(/EIO|EROFS/);
      expect(await filesAfterBoot()).to.deep.equal({ late: 'kept', open: 'kept' });
    } finally {
      await open.close();
    }
  });

  it('keeps over a power cut under load every write that was acknowledged', async () => {
    await makeFileSystem(await plugIn('vol-1'));
    const script = `const fs = require('node:fs');
      const file = fs.openSync(process.argv[1], 'w');
      for (let n = 1; ; n++) {
        try { fs.writeSync(file, '.'); fs.fsyncSync(file); } catch { break; }
        console.log(n);
      }`;
    const writer = promisify(execFile)(process.execPath, ['-e', script, join(target, 'log')]);
    await eventually(async () => (await readFile(join(target, 'log'), 'utf8').catch(() => '')).length > 20);
    await hosts.powerOff('i-0001', { clean: false });
    const acknowledged = (await writer).stdout.trim().split('\n').length;
    const files = await filesAfterBoot();
    expect(files['log']?.length).to.be.within(acknowledged, acknowledged + 1);
  });

  it('says of a disk that is pulled out whether it was mounted, open, or neither', async () => {
    await hosts.createDisk('vol-2', 64 * MIB);
    await hosts.attach('i-0001', 2, 'vol-2');
    await hosts.createDisk('vol-3', 64 * MIB);
    await hosts.attach('i-0001', 3, 'vol-3');
    await makeFileSystem(await plugIn('vol-1'));
    const open = await openFile(await find(root, 2), 'r');
    await find(root, 3);
    expect(await hosts.detach('i-0001', 1)).to.be.true;
    expect(await hosts.detach('i-0001', 2)).to.be.true;
    expect(await hosts.detach('i-0001', 3)).to.be.false;
    await open.close();
  });

  it('has after a power cycle neither ghosts nor old sizes', async () => {
    await plugIn('vol-1');
    await hosts.createDisk('vol-2', 64 * MIB);
    await hosts.attach('i-0001', 2, 'vol-2');
    await find(root, 2);
    await hosts.detach('i-0001', 1);
    await hosts.grow('vol-2', 128 * MIB);
    await hosts.powerOff('i-0001', { clean: true });
    await hosts.powerOn('i-0001');
    expect((await readdir(join(root, 'sys/class/scsi_device'))).sort()).to.deep.equal(['2:0:0:0', '2:0:2:0']);
    expect(await run('blockdev', '--getsize64', join(root, 'dev/sdb'))).to.equal(`${128 * MIB}\n`);
  });

  it('takes a mounted disk from a server that is removed, and gives the next one what was synced', async () => {
    await makeFileSystem(await plugIn('vol-1'));
    await writeFile(join(target, 'synced'), 'kept', { flush: true });
    const other = await hosts.addServer({ name: 'node2', uniqueId: 'i-0002' });
    const removed = hosts.removeServer('i-0001');
    await hosts.attach('i-0002', 1, 'vol-1');
    await removed;
    expect(await mountsIn(target)).to.deep.equal([]);
    await run('mount', '-t', 'ext4', await find(other, 1), target);
    expect(await readFile(join(target, 'synced'), 'utf8')).to.equal('kept');
  });

  it('gives out garbage that no tool takes for anything', async () => {
    await hosts.createDisk('vol-1', 64 * MIB, { zeroed: false });
    await hosts.attach('i-0001', 1, 'vol-1');
    const disk = await find(root, 1);
    const probe: unknown = await run('blkid', '-p', disk).catch((error: unknown) => error);
    expect(probe).to.have.property('code', 2);
    expect(await run('wipefs', '-n', disk)).to.equal('');
  });

  it('takes kept disks from what is left of a run that was killed', async () => {
    const stateDir = join(folder, 'kept');
    const script = `import { createHosts } from ${JSON.stringify(HOSTS_MODULE)};
      const hosts = await createHosts({ mode: 'loop', stateDir: ${JSON.stringify(stateDir)}, keep: true, logger: console });
      await hosts.addServer({ name: 'node1', uniqueId: 'i-0001' });
      await hosts.createDisk('vol-1', ${64 * MIB});
      await hosts.attach('i-0001', 1, 'vol-1');
      await hosts.powerOn('i-0001');
      process.kill(process.pid, 'SIGKILL');`;
    expect(await failureOf(run(process.execPath, '--input-type=module', '-e', script))).to.not.equal('');
    await makeFileSystem(join(stateDir, 'servers/i-0001/dev/sdb'));
    await writeFile(join(target, 'synced'), 'kept', { flush: true });

    const logger = createLogger({ format: 'text', verbosity: 0, secrets: () => [], stream: log });
    const next = await createHosts({ mode: 'loop', stateDir, keep: true, logger });
    try {
      expect(await failureOf(writeFile(join(target, 'late'), 'lost', { flush: true }))).to.match(/EIO|EROFS/);
      await run('umount', target);
      const host = await next.addServer({ name: 'node1', uniqueId: 'i-0001' });
      await next.attach('i-0001', 1, 'vol-1');
      await run('mount', '-t', 'ext4', await find(host, 1), target);
      expect(await readFile(join(target, 'synced'), 'utf8')).to.equal('kept');
      await run('umount', target);
    } finally {
      await next.stop();
    }
    expect(await readdir(join(stateDir, 'disks'))).to.deep.equal(['vol-1']);
  });

  it('makes the cloud show a server as `warning` that loses a mounted disk', async () => {
    const fleet = parseFleet(
      '{ zones: [east-11], servers: [{ name: node1, uniqueId: i-00000001, zone: east-11 }] }',
      '',
    );
    const logger = createLogger({ format: 'text', verbosity: 0, secrets: () => [], stream: log });
    const stateDir = join(folder, 'cloud');
    const ownHosts = await createHosts({ mode: 'loop', stateDir, logger });
    const { simulator, client } = await startCloud({ fleet, hosts: ownHosts, transition: '0', logger });
    try {
      const settled = (id: string): Promise<true> =>
        eventually(async () => {
          const volume = simulator.state().volumes.find((one) => one.id === id);
          return volume?.transition === null;
        });
      await client.done('CreateVolume', { VolumeId: 'vol1', Size: 100, InstanceId: 'node1' });
      await settled('vol1');
      const host = simulator.state().servers[0]?.hostRoot ?? '';
      await makeFileSystem(await find(host, 1));
      await client.done('DetachVolume', { VolumeId: 'vol1', Agreement: 'true' });
      await settled('vol1');
      expect(simulator.state().servers[0]?.state).to.equal('warning');
      await client.done('RebootInstances', { 'InstanceId.1': 'node1' });
      await eventually(async () => simulator.state().servers[0]?.state === 'running');
      expect(await mountsIn(target)).to.deep.equal([]);
      expect(await readdir(join(host, 'sys/class/scsi_device'))).to.deep.equal(['2:0:0:0']);
    } finally {
      await simulator.stop();
    }
  });

  it('keeps a mount whose SCSI device was deleted away from the disk, which the next scan finds again', async () => {
    const disk = await plugIn('vol-1');
    await run('mkfs.ext4', '-q', '-F', '-m0', disk);
    await run('mount', '-t', 'ext4', disk, target);
    await remove(root, 1);
    await find(root, 1);
    expect(await failureOf(writeFile(join(target, 'late'), 'lost', { flush: true }))).to.match(/EIO|EROFS/);
  });

  it('works where device nodes do not, on a file system mounted nodev', async () => {
    await run('mount', '-t', 'tmpfs', '-o', 'nodev,size=64m', 'none', target);
    const logger = createLogger({ format: 'text', verbosity: 0, secrets: () => [], stream: log });
    const nodev = await createHosts({ mode: 'loop', stateDir: target, logger });
    try {
      const host = await nodev.addServer({ name: 'node3', uniqueId: 'i-0003' });
      await nodev.createDisk('vol-1', 64 * MIB);
      await nodev.attach('i-0003', 1, 'vol-1');
      const disk = await find(host, 1);
      expect(await run('blockdev', '--getsize64', disk)).to.equal(`${64 * MIB}\n`);
      await nodev.detach('i-0003', 1);
      const read = await run('dd', `if=${disk}`, 'bs=1M', 'count=4').catch(() => '');
      expect(read).to.equal('');
    } finally {
      await nodev.stop();
    }
  });

  it('frees at stop what is idle at once and what is mounted when it is unmounted', async () => {
    const disk = await plugIn('vol-1');
    await run('mkfs.ext4', '-q', '-F', '-m0', disk);
    await run('mount', '-t', 'ext4', disk, target);
    await hosts.stop();
    expect(await boundLoops(folder)).to.have.length(1);
    expect(String(log.read())).to.include('A disk is still in use');
    expect(await readdir(join(folder, 'state'))).to.deep.equal([]);
    await run('umount', target);
    await eventually(async () => (await boundLoops(folder)).length === 0);
  });

  it('does not remove its folder while something is mounted in it', async () => {
    const disk = await plugIn('vol-1');
    await run('mkfs.ext4', '-q', '-F', '-m0', disk);
    const inside = join(root, 'mnt');
    await mkdir(inside);
    await run('mount', '-t', 'ext4', disk, inside);
    await writeFile(join(inside, 'precious'), '');
    await hosts.stop();
    expect(await readdir(inside)).to.include('precious');
    await run('umount', inside);
  });
});

const HOSTS_MODULE = new URL('../../simulator/nifcloud/hosts/hosts.ts', import.meta.url).href;

/** Scans for a unit and returns the path of its node. */
async function find(root: string, unit: number): Promise<string> {
  const folder = join(root, `sys/class/scsi_device/2:0:${unit}:0/device/block`);
  await writeFile(join(root, 'sys/class/scsi_host/host2/scan'), `0 ${unit} 0`);
  await eventually(async () => (await readdir(folder).catch(() => [])).length === 1);
  const [name = ''] = await readdir(folder);
  return join(root, 'dev', name);
}

async function remove(root: string, unit: number): Promise<void> {
  const entry = join(root, `sys/class/scsi_device/2:0:${unit}:0`);
  await writeFile(join(entry, 'device/delete'), '1');
  await eventually(async () => (await stat(entry).catch(() => undefined)) === undefined);
}

async function sysfs(root: string, path: string): Promise<string> {
  return (await readFile(join(root, 'sys/class/block', path), 'utf8')).trim();
}

async function run(tool: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(tool, args, { env: { ...process.env, LC_ALL: 'C' } });
  return stdout;
}

async function failureOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => '',
    (error: Error) => error.message,
  );
}

/** What is mounted at or below a path, oldest first. */
async function mountsIn(folder: string): Promise<readonly { readonly number: string; readonly point: string }[]> {
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').map((line) => line.split(' '));
  const mounts = lines.map(([, , number = '', , point = '']) => ({ number, point: point.replaceAll('\\040', ' ') }));
  return mounts.filter(({ point }) => point === folder || point.startsWith(`${folder}/`));
}

/** The loop devices whose image is, or was, in a folder. */
async function boundLoops(folder: string): Promise<string[]> {
  const bound: string[] = [];
  for (const name of await readdir('/sys/block')) {
    const file = await readFile(`/sys/block/${name}/loop/backing_file`, 'utf8').catch(() => '');
    if (file.startsWith(folder)) bound.push(name);
  }
  return bound;
}
