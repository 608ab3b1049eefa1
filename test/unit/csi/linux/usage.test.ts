import { rm } from 'node:fs/promises';
import { assert } from 'chai';
import { dataDisks, deleteDisk } from '../../../../csi/linux/scsi.ts';
import type { Disk } from '../../../../csi/linux/scsi.ts';
import { deviceBinds, usesOf } from '../../../../csi/linux/usage.ts';
import { DISK_BYTES, FakeMachine } from '../node/fake-machine.ts';
import { failureOf, patient } from '../node/requests.ts';

const mount = (device: string, root: string, point: string) => ({
  device,
  root,
  point,
  readOnly: false,
  fileSystemReadOnly: false,
  fileSystem: 'ext4',
  source: '/dev/x',
});

describe('the uses of a disk', () => {
  let machine: FakeMachine;
  let disk: Disk;

  beforeEach(async () => {
    machine = await FakeMachine.boot();
    await machine.addDisk('disk1', DISK_BYTES);
    await machine.plug(1, 'disk1');
    await machine.discover(1);
    [disk] = (await dataDisks(await host())) as [Disk];
  });
  afterEach(() => machine.stop());

  const host = async () => (await machine.service()).host;
  it('are none for an idle disk, and each mount and bind for one in use', async () => {
    const root = mount('8:1', '/', '/');
    assert.deepEqual(await usesOf(disk, [root]), []);
    const image = `${machine.home}/disks/disk1/image`;
    const mounts = [
      root,
      mount(disk.number, '/', '/data'),
      mount('8:1', image, '/pod'),
      mount('8:1', `${image}2`, '/x'),
    ];
    assert.deepEqual(await usesOf(disk, mounts), ['mounted at /data', 'bound at /pod']);
    assert.lengthOf(await deviceBinds(disk, mounts), 1);
  });

  it('are not known without its device node: that is doubt, not idleness', async () => {
    await rm(disk.node);
    assert.match(await failureOf(usesOf(disk, [])), /^FAILED_PRECONDITION: .*needs the host's \/dev/);
  });

  it('are none for a disk that leaves while it is looked at, and to delete it is no error', async () => {
    await machine.remove(1);
    assert.deepEqual(await usesOf(disk, []), []);
    await deleteDisk(await host(), disk, patient);
  });
});
