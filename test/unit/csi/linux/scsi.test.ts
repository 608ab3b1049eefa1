import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assert } from 'chai';
import { systemClock } from '../../../../daemon/clock.ts';
import { diskController, diskInSlot, parseDevicePath } from '../../../../csi/linux/scsi.ts';
import { memoryLogger } from '../node/fake-machine.ts';

describe('parseDevicePath', () => {
  const cases: Readonly<Record<string, number | undefined>> = {
    'SCSI (0:1)': 1,
    'SCSI(0:15)': 15,
    'SCSI  (0:8)': 8,
    'SCSI (0:0)': undefined,
    'SCSI (0:16)': undefined,
    'SCSI (1:1)': undefined,
    'SCSI (0:1) ': undefined,
    'scsi (0:1)': undefined,
    '/dev/sdb': undefined,
    '': undefined,
  };
  for (const [text, slot] of Object.entries(cases)) {
    it(`takes ${JSON.stringify(text)} as ${slot}`, () => assert.equal(parseDevicePath(text), slot));
  }
});

describe('diskController', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'scsi-'));
    await mkdir(join(root, 'sys/class/scsi_host'), { recursive: true });
  });
  afterEach(() => rm(root, { recursive: true }));

  const host = () => ({ root, clock: systemClock, logger: memoryLogger() });
  const addController = async (number: number, driver: string, pci: string): Promise<void> => {
    const folder = join(root, 'sys/devices/pci0000:00', pci, `host${number}`);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'proc_name'), `${driver}\n`);
    await symlink(folder, join(root, `sys/class/scsi_host/host${number}`));
  };
  const addDisk = async (controller: number, slot: number, name: string): Promise<void> => {
    await mkdir(join(root, `sys/class/scsi_device/${controller}:0:${slot}:0/device/block`, name), { recursive: true });
    await mkdir(join(root, 'sys/class/block', name), { recursive: true });
    await writeFile(join(root, 'sys/class/block', name, 'dev'), '8:0\n');
  };

  it('is the one with the system disk, though another has the lower number and address', async () => {
    await addController(1, 'vmw_pvscsi', '0000:03:00.0');
    await addController(30, 'vmw_pvscsi', '0000:0b:00.0');
    await addDisk(30, 0, 'sda');
    assert.equal(await diskController(host()), 30);
  });

  it('is the first by PCI address, whose digits are hex, when that does not tell', async () => {
    await addController(2, 'vmw_pvscsi', '0000:0b:00.0');
    await addController(10, 'mptspi', '0000:03:00.0');
    assert.equal(await diskController(host()), 10);
    await addDisk(2, 0, 'sda');
    await addDisk(10, 0, 'sdb');
    assert.equal(await diskController(host()), 10);
  });

  it('is never that of a CD-ROM drive', async () => {
    await addController(0, 'ata_piix', '0000:00:07.1');
    await addDisk(0, 0, 'sr0');
    const failure = await diskController(host()).then(String, String);
    assert.match(failure, /no SCSI disk controller/);
  });

  it('finds a disk by slot, and no disk where the kernel has only a SCSI device', async () => {
    await addController(2, 'vmw_pvscsi', '0000:03:00.0');
    await addDisk(2, 3, 'sdd');
    await mkdir(join(root, 'sys/class/scsi_device/2:0:4:0/device'), { recursive: true });
    assert.deepInclude(await diskInSlot(host(), 2, 3), { name: 'sdd', slot: 3, node: join(root, 'dev/sdd') });
    assert.isUndefined(await diskInSlot(host(), 2, 4));
    assert.isUndefined(await diskInSlot(host(), 2, 5));
  });
});
