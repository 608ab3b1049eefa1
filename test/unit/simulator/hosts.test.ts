import { expect } from 'chai';
import { constants } from 'node:fs';
import {
  lstat,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  readlink,
  realpath,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { PassThrough } from 'node:stream';
import { createLogger } from '../../../daemon/logger.ts';
import { createHosts, type Hosts } from '../../../simulator/nifcloud/hosts/hosts.ts';
import { eventually } from '../../eventually.ts';

const GB = 10 ** 9;
const logger = createLogger({ format: 'text', verbosity: 0, secrets: () => [], stream: new PassThrough().resume() });

describe('simulated hosts on plain files', () => {
  let stateDir: string;
  let hosts: Hosts;
  let root: string;

  beforeEach(async () => {
    stateDir = await mkdtemp(join(tmpdir(), 'hosts-test-'));
    hosts = await createHosts({ mode: 'file', stateDir, logger });
    root = await hosts.addServer({ name: 'node1', uniqueId: 'i-0001' });
  });

  afterEach(async () => {
    await hosts.stop();
    await rm(stateDir, { recursive: true });
  });

  const scsiDevices = async (host = root): Promise<string[]> =>
    (await readdir(join(host, 'sys/class/scsi_device'))).sort();
  const attribute = async (path: string, host = root): Promise<string> =>
    (await readFile(join(host, 'sys/class', path), 'utf8')).trim();
  const sizeBytes = async (name: string): Promise<number> => Number(await attribute(`block/${name}/size`)) * 512;

  /** Scans and comes back when the scan is over: a disk that this function plugs in behind all others has appeared. */
  const scan = async (request = '- - -', host = root, uniqueId = 'i-0001'): Promise<void> => {
    await writeFile(join(host, 'sys/class/scsi_host/host2/scan'), request);
    await hosts.createDisk('marker', 512);
    await hosts.attach(uniqueId, 15, 'marker');
    await writeFile(join(host, 'sys/class/scsi_host/host2/scan'), '0 15 0');
    await eventually(async () => (await scsiDevices(host)).includes('2:0:15:0'));
    await writeFile(join(host, 'sys/class/scsi_device/2:0:15:0/device/delete'), '1');
    await eventually(async () => !(await scsiDevices(host)).includes('2:0:15:0'));
    await hosts.detach(uniqueId, 15);
    await hosts.deleteDisk('marker');
  };

  /** Which bytes there are: zeros (true), others (false), both. */
  const zeros = async (name: string, position: number, length: number): Promise<Set<boolean>> => {
    const node = await open(join(root, 'dev', name));
    const { buffer } = await node.read(Buffer.alloc(length), 0, length, position);
    await node.close();
    return new Set([...buffer].map((byte) => byte === 0));
  };

  /** Deletes a device. Its node is the last that goes. */
  const remove = async (unit: number): Promise<void> => {
    const device = join(root, `sys/class/scsi_device/2:0:${unit}:0/device`);
    const [name = ''] = await readdir(join(device, 'block'));
    await writeFile(join(device, 'delete'), '1');
    await eventually(async () => (await lstat(join(root, 'dev', name)).catch(() => undefined)) === undefined);
  };

  it('has a CD-ROM host, a PVSCSI host and the system disk at unit 0', async () => {
    expect(await attribute('scsi_host/host0/proc_name')).to.equal('ata_piix');
    expect(await attribute('scsi_host/host2/proc_name')).to.equal('vmw_pvscsi');
    expect(await scsiDevices()).to.deep.equal(['2:0:0:0']);
    expect(await readdir(join(root, 'sys/class/scsi_device/2:0:0:0/device/block'))).to.deep.equal(['sda']);
    expect(await readFile(join(root, 'proc/self/mountinfo'), 'utf8')).to.equal('');
    await expectConsistent(root);
  });

  it('numbers hosts by PCI addresses that can be read from their paths, as in Linux', async () => {
    expect(await realpath(join(root, 'sys/class/scsi_host/host2/device'))).to.match(
      /\/sys\/devices\/pci0000:00\/0000:00:15\.0\/0000:03:00\.0\/host2$/,
    );
    expect(await realpath(join(root, 'sys/class/block/sda'))).to.match(/\/host2\/target2:0:0\/2:0:0:0\/block\/sda$/);
  });

  it('shows an attached disk after a scan, not before', async () => {
    await hosts.createDisk('vol-1', 100 * GB);
    await hosts.attach('i-0001', 1, 'vol-1');
    expect(await scsiDevices()).to.deep.equal(['2:0:0:0']);

    await scan();
    expect(await scsiDevices()).to.deep.equal(['2:0:0:0', '2:0:1:0']);
    expect(await sizeBytes('sdb')).to.equal(100 * GB);
    expect(await attribute('scsi_device/2:0:1:0/device/state')).to.equal('running');
    expect(await readFile(join(root, 'sys/class/scsi_device/2:0:1:0/device/model'), 'utf8')).to.equal(
      'Virtual disk    \n',
    );
    expect(await readlink(join(root, 'dev/disk/by-path/pci-0000:03:00.0-scsi-0:0:1:0'))).to.equal('../../sdb');
    await expectConsistent(root);
  });

  it('finds with a targeted scan only the disk that is named', async () => {
    for (const slot of [1, 2, 3]) {
      await hosts.createDisk(`vol-${slot}`, GB);
      await hosts.attach('i-0001', slot, `vol-${slot}`);
    }
    await scan('0 2 0');
    expect(await scsiDevices()).to.deep.equal(['2:0:0:0', '2:0:2:0']);
    await scan('0 3 00 1 0\n'); // two writes that arrive as one
    expect(await scsiDevices()).to.deep.equal(['2:0:0:0', '2:0:1:0', '2:0:2:0', '2:0:3:0']);
  });

  it('finds nothing by a scan of the CD-ROM host or one that names no disk', async () => {
    await hosts.createDisk('vol-1', GB);
    await hosts.attach('i-0001', 1, 'vol-1');
    await writeFile(join(root, 'sys/class/scsi_host/host0/scan'), '- - -');
    await scan('0 1 7');
    expect(await scsiDevices()).to.deep.equal(['2:0:0:0']);
  });

  it('shows growth after a rescan of the device, not after a scan of the host', async () => {
    await hosts.createDisk('vol-1', 100 * GB);
    await hosts.attach('i-0001', 1, 'vol-1');
    await scan();
    await hosts.grow('vol-1', 200 * GB);
    await scan();
    expect(await sizeBytes('sdb')).to.equal(100 * GB);

    await writeFile(join(root, 'sys/class/block/sdb/device/rescan'), '1');
    await eventually(async () => (await sizeBytes('sdb')) === 200 * GB);
    await expectConsistent(root);
  });

  it('keeps an unplugged disk as a ghost that looks alive and cannot be read', async () => {
    await hosts.createDisk('vol-1', 100 * GB);
    await hosts.attach('i-0001', 1, 'vol-1');
    await scan();
    await hosts.detach('i-0001', 1);
    await hosts.deleteDisk('vol-1');
    await scan();

    expect(await scsiDevices()).to.deep.equal(['2:0:0:0', '2:0:1:0']);
    expect(await attribute('scsi_device/2:0:1:0/device/state')).to.equal('running');
    expect(await sizeBytes('sdb')).to.equal(100 * GB);
    await expectConsistent(root);
    const node = await open(join(root, 'dev/sdb'));
    const failure: unknown = await node.read(Buffer.alloc(4096), 0, 4096, 0).catch((error: unknown) => error);
    await node.close();
    expect(failure).to.have.property('code', 'EIO');
  });

  it('hides a new disk behind a ghost in its slot until the ghost is deleted and a scan done', async () => {
    await hosts.createDisk('old', 100 * GB);
    await hosts.createDisk('new', 300 * GB);
    await hosts.attach('i-0001', 1, 'old');
    await scan();
    await hosts.detach('i-0001', 1);
    await hosts.attach('i-0001', 1, 'new');
    await hosts.grow('old', 200 * GB);
    await scan();
    await writeFile(join(root, 'sys/class/block/sdb/device/rescan'), '1');
    await scan();
    expect(await sizeBytes('sdb')).to.equal(100 * GB);

    await remove(1);
    expect(await scsiDevices()).to.deep.equal(['2:0:0:0']);
    await expectConsistent(root);
    await scan();
    expect(await sizeBytes('sdb')).to.equal(300 * GB);
    await expectConsistent(root);
  });

  it('finds a deleted disk that is still plugged in again, under another number', async () => {
    await hosts.createDisk('vol-1', GB);
    await hosts.attach('i-0001', 1, 'vol-1');
    await scan();
    const number = await attribute('block/sdb/dev');
    await remove(1);
    await scan();
    expect(await attribute('block/sdb/dev')).to.not.equal(number);
  });

  it('gives a disk the lowest free letter', async () => {
    for (const slot of [5, 6, 8]) {
      await hosts.createDisk(`vol-${slot}`, GB);
      await hosts.attach('i-0001', slot, `vol-${slot}`);
    }
    await scan();
    await remove(5);
    await hosts.createDisk('vol-9', GB);
    await hosts.attach('i-0001', 9, 'vol-9');
    await scan('0 9 0');
    expect(await readdir(join(root, 'sys/class/scsi_device/2:0:9:0/device/block'))).to.deep.equal(['sdb']);
    expect((await readdir(join(root, 'sys/class/block'))).sort()).to.deep.equal(['sda', 'sdb', 'sdc', 'sdd']);
  });

  it('carries what was written from one server to another', async () => {
    const other = await hosts.addServer({ name: 'node2', uniqueId: 'i-0002' });
    await hosts.createDisk('vol-1', GB);
    await hosts.attach('i-0001', 1, 'vol-1');
    await scan();
    const node = await open(join(root, 'dev/sdb'), 'r+');
    await node.write('hello', 4096);
    await node.close();
    await remove(1);
    await hosts.detach('i-0001', 1);
    await hosts.attach('i-0002', 4, 'vol-1');
    await scan('- - -', other, 'i-0002');

    expect(await scsiDevices()).to.deep.equal(['2:0:0:0']);
    expect(await scsiDevices(other)).to.deep.equal(['2:0:0:0', '2:0:4:0']);
    const found = await open(join(other, 'dev/sdb'));
    const { buffer } = await found.read(Buffer.alloc(5), 0, 5, 4096);
    await found.close();
    expect(buffer.toString()).to.equal('hello');
    await expectConsistent(other);
  });

  it('never blocks a writer, with nobody reading and again and again', async () => {
    for (let n = 0; n < 3; n++) {
      const scanFile = await open(join(root, 'sys/class/scsi_host/host2/scan'), constants.O_WRONLY);
      expect((await scanFile.stat()).isFIFO()).to.be.true;
      await scanFile.write('- - -\n');
      await scanFile.close();
    }
  });

  it('is whole at every moment: whatever a reader finds leads to all the rest', async () => {
    await hosts.createDisk('vol-1', GB);
    await hosts.attach('i-0001', 1, 'vol-1');
    const life = new AbortController();
    let seen = 0;
    const reader = (async () => {
      while (!life.signal.aborted) {
        const names = await readdir(join(root, 'sys/class/scsi_device/2:0:1:0/device/block')).catch(() => []);
        if (names.length > 0) seen += await expectWhole(root, '2:0:1:0');
        else await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    try {
      for (let n = 0; n < 20; n++) {
        await writeFile(join(root, 'sys/class/scsi_host/host2/scan'), '0 1 0');
        await eventually(async () => (await scsiDevices()).includes('2:0:1:0'));
        const before = seen;
        await Promise.race([eventually(async () => seen > before), reader]);
        await remove(1);
      }
    } finally {
      life.abort();
      await reader;
    }
  });

  it('loses all devices with its power, ghosts too, and finds what is plugged in when it is on again, under new numbers', async () => {
    for (const slot of [1, 2]) {
      await hosts.createDisk(`vol-${slot}`, GB);
      await hosts.attach('i-0001', slot, `vol-${slot}`);
    }
    await scan();
    const numbers = [await attribute('block/sda/dev'), await attribute('block/sdb/dev')];
    await hosts.detach('i-0001', 1);
    await hosts.powerOff('i-0001', { clean: true });
    expect(await scsiDevices()).to.deep.equal([]);
    await expectConsistent(root);
    await writeFile(join(root, 'sys/class/scsi_host/host2/scan'), '- - -');

    await hosts.detach('i-0001', 2);
    await hosts.grow('vol-1', 2 * GB);
    await hosts.attach('i-0001', 6, 'vol-1');
    expect(await scsiDevices()).to.deep.equal([]);
    await hosts.powerOn('i-0001');
    expect(await scsiDevices()).to.deep.equal(['2:0:0:0', '2:0:6:0']);
    expect(await sizeBytes('sdb')).to.equal(2 * GB);
    for (const name of ['sda', 'sdb']) expect(numbers).to.not.include(await attribute(`block/${name}/dev`));
    await expectConsistent(root);
  });

  it('says whether a disk that is pulled out was mounted, and ends its mounts with the power', async () => {
    const point = join(stateDir, 'mount point');
    const mountInfo = join(root, 'proc/self/mountinfo');
    for (const slot of [1, 2]) {
      await hosts.createDisk(`vol-${slot}`, GB);
      await hosts.attach('i-0001', slot, `vol-${slot}`);
    }
    await scan();
    const number = await attribute('block/sdc/dev');
    await symlink('/vol-2.fs', point);
    const line = `100 99 ${number} / ${point.replaceAll(' ', String.raw`\040`)} rw,relatime - ext4 /dev/sdc rw\n`;
    await writeFile(mountInfo, line);
    expect(await hosts.detach('i-0001', 1)).to.be.false;
    expect(await hosts.detach('i-0001', 2)).to.be.true;
    expect(await readFile(mountInfo, 'utf8')).to.equal(line);

    await hosts.powerOff('i-0001', { clean: false });
    expect(await readFile(mountInfo, 'utf8')).to.equal('');
    expect((await lstat(point)).isDirectory()).to.be.true;
  });

  it('is gone when it is removed, and its disks can be used by another server', async () => {
    const other = await hosts.addServer({ name: 'node2', uniqueId: 'i-0002' });
    await hosts.createDisk('vol-1', GB);
    await hosts.attach('i-0001', 1, 'vol-1');
    await scan();
    const removed = hosts.removeServer('i-0001');
    await expectRejected(hosts.attach('i-0001', 2, 'vol-1'), 'no server i-0001');
    await hosts.attach('i-0002', 1, 'vol-1');
    await removed;
    expect(await stat(root).catch(() => undefined)).to.equal(undefined);
    await scan('- - -', other, 'i-0002');
    expect(await scsiDevices(other)).to.deep.equal(['2:0:0:0', '2:0:1:0']);
  });

  it('gives out disks of zeros, or with garbage where a careful driver looks and nowhere else', async () => {
    const [head, tail] = [4 * 1024 ** 2, 1024 ** 2];
    await hosts.createDisk('zeros', GB, { zeroed: true });
    await hosts.createDisk('garbage', GB, { zeroed: false });
    for (const [slot, disk] of [
      [1, 'zeros'],
      [2, 'garbage'],
    ] as const) {
      await hosts.attach('i-0001', slot, disk);
    }
    await scan();
    for (const [position, length] of [
      [0, head],
      [GB - tail, tail],
    ] as const) {
      expect(await zeros('sdb', position, length)).to.deep.equal(new Set([true]));
      expect(await zeros('sdc', position, length)).to.deep.equal(new Set([false]));
    }
    expect(await zeros('sdc', head, 4096)).to.deep.equal(new Set([true]));
  });

  it('refuses what a cloud would never do', async () => {
    await hosts.createDisk('vol-1', 2 * GB);
    await hosts.attach('i-0001', 1, 'vol-1');
    await expectRejected(hosts.attach('i-0001', 1, 'vol-1'), 'slot 1 is taken');
    await expectRejected(hosts.detach('i-0001', 2), 'slot 2 is empty');
    await expectRejected(hosts.attach('i-0009', 1, 'vol-1'), 'no server i-0009');
    await expectRejected(hosts.attach('i-0001', 2, 'vol-9'), 'ENOENT');
    await expectRejected(hosts.createDisk('vol-1', GB), 'EEXIST');
    await expectRejected(hosts.grow('vol-1', GB), "can't shrink");
  });

  it('takes no space for a disk that was not written', async () => {
    await hosts.createDisk('vol-1', 2000 * GB);
    await hosts.attach('i-0001', 1, 'vol-1');
    await scan();
    expect((await stat(join(root, 'dev/sdb'))).blocks).to.be.lessThan(100);
  });

  it('leaves nothing in the state folder when it stops, and what was there before alone', async () => {
    await writeFile(join(stateDir, 'kept'), 'x');
    await hosts.createDisk('vol-1', GB);
    await hosts.attach('i-0001', 1, 'vol-1');
    await scan();
    await hosts.stop();
    expect(await readdir(stateDir)).to.deep.equal(['kept']);
  });

  it('finds kept disks again in the next run, with what is on them, and nothing else of the run before', async () => {
    const folder = join(stateDir, 'kept');
    const start = (): Promise<Hosts> => createHosts({ mode: 'file', stateDir: folder, keep: true, logger });
    const first = await start();
    await first.addServer({ name: 'node1', uniqueId: 'i-0001' });
    await first.createDisk('vol-1', GB);
    await writeFile(join(folder, 'disks/vol-1'), 'mine', { flag: 'r+' });
    await first.stop();
    expect(await readdir(folder)).to.deep.equal(['disks']);
    expect(await readdir(join(folder, 'disks'))).to.deep.equal(['vol-1']);
    // What a run leaves that was killed.
    await mkdir(join(folder, 'servers/i-0001'), { recursive: true });
    await writeFile(join(folder, 'disks/system-of-i-0001'), '');

    const second = await start();
    try {
      expect([await second.hasDisk('vol-1'), await second.hasDisk('vol-2')]).to.deep.equal([true, false]);
      await expectRejected(second.createDisk('vol-1', GB), 'EEXIST');
      const host = await second.addServer({ name: 'node1', uniqueId: 'i-0001' });
      await second.attach('i-0001', 1, 'vol-1');
      await second.powerOn('i-0001');
      expect(await readHead(join(host, 'dev/sdb'), 4)).to.equal('mine');
    } finally {
      await second.stop();
    }
  });
});

describe('simulated hosts without disks', () => {
  it('have no folder and do nothing', async () => {
    const hosts = await createHosts({ mode: 'none', stateDir: '/nonexistent/never-made', logger });
    expect(await hosts.addServer({ name: 'node1', uniqueId: 'i-0001' })).to.equal('');
    await hosts.createDisk('vol-1', GB);
    await hosts.attach('i-0001', 1, 'vol-1');
    expect(await hosts.detach('i-0001', 1)).to.be.false;
    await hosts.powerOff('i-0001', { clean: false });
    await hosts.powerOn('i-0001');
    await hosts.removeServer('i-0001');
    await hosts.stop();
  });
});

async function readHead(path: string, length: number): Promise<string> {
  const file = await open(path);
  const { buffer } = await file.read(Buffer.alloc(length), 0, length, 0);
  await file.close();
  return buffer.toString();
}

/** Every disk has all its parts, and no part is without a disk. */
async function expectConsistent(root: string): Promise<void> {
  const addresses = await readdir(join(root, 'sys/class/scsi_device'));
  for (const address of addresses) expect(await expectWhole(root, address)).to.equal(1);
  for (const folder of ['sys/class/block', 'sys/block', 'sys/dev/block', 'dev/block', 'dev/disk/by-path']) {
    expect(await readdir(join(root, folder)), folder).to.have.length(addresses.length);
  }
  const nodes = (await readdir(join(root, 'dev'))).filter((name) => name.startsWith('sd'));
  expect(nodes).to.have.length(addresses.length);
}

/**
 * Follows every way from a SCSI address to its disk. 1: all lead to the same; 0: the disk vanished meanwhile.
 * @throws when the disk is there and a way is broken.
 */
async function expectWhole(root: string, address: string): Promise<number> {
  const entry = join(root, 'sys/class/scsi_device', address);
  // The time tells one appearance of the disk from the next.
  const since = async (): Promise<bigint | undefined> =>
    (await lstat(entry, { bigint: true }).catch(() => undefined))?.ctimeNs;
  const found = await since();
  try {
    const device = await realpath(join(entry, 'device'));
    const [name = ''] = await readdir(join(device, 'block'));
    const block = join(device, 'block', name);
    const number = (await readFile(join(block, 'dev'), 'utf8')).trim();
    expect(Number(await readFile(join(block, 'size'), 'utf8'))).to.be.greaterThan(0);
    expect(await readFile(join(block, 'ro'), 'utf8')).to.equal('0\n');
    expect(await readdir(join(block, 'holders'))).to.deep.equal([]);
    for (const file of ['delete', 'rescan']) expect((await stat(join(device, file))).isFIFO(), file).to.be.true;
    for (const way of [`sys/class/block/${name}`, `sys/block/${name}`, `sys/dev/block/${number}`]) {
      expect(await realpath(join(root, way)), way).to.equal(block);
    }
    expect(await realpath(join(block, 'device'))).to.equal(device);
    expect(basename(device)).to.equal(address);
    await lstat(join(root, 'dev', name));
    return 1;
  } catch (error) {
    if (found !== undefined && (await since()) === found) throw error;
    return 0;
  }
}

async function expectRejected(call: Promise<unknown>, message: string): Promise<void> {
  const failure: unknown = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(failure).to.be.an('error');
  expect((failure as Error).message).to.include(message);
}
