import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { assert } from 'chai';
import * as fc from 'fast-check';
import type { StageRecord } from '../../../../csi/linux/record.ts';
import { isRecordOf } from '../../../../csi/node/service.ts';
import { planUnstage } from '../../../../csi/node/unstage.ts';
import type { NodeHandlers } from '../../../../csi/node/node.ts';
import { DISK_BYTES, FakeMachine } from './fake-machine.ts';
import {
  BLOCK_CAPABILITY,
  failureOf,
  patient,
  publishRequest,
  stageRequest,
  stagingPath,
  targetPath,
} from './requests.ts';

describe('NodeUnstageVolume', () => {
  let machine: FakeMachine;
  let node: NodeHandlers;

  beforeEach(async () => {
    machine = await FakeMachine.boot();
    node = await machine.nodeServer();
    await machine.addDisk('disk1', DISK_BYTES);
    await machine.plug(1, 'disk1');
    await node.NodeStageVolume(stageRequest(machine), patient);
  });
  afterEach(() => machine.stop());

  const unstage = (volumeId = 'vol1', path = stagingPath(machine, volumeId)): Promise<unknown> =>
    node.NodeUnstageVolume({ volume_id: volumeId, staging_target_path: path }, patient);

  it('leaves nothing: no mount, no device, no record', async () => {
    await unstage();
    assert.deepEqual(await machine.mounts(), []);
    assert.deepEqual(machine.devices(), {});
    assert.deepEqual(await machine.records(), []);
  });

  it('writes everything to the disk before the device goes', async () => {
    await unstage();
    assert.deepEqual(await machine.calls('sync'), [['-f', stagingPath(machine)]]);
    const flushes = (await machine.calls('blockdev')).filter(([option]) => option === '--flushbufs');
    assert.deepEqual(flushes, [['--flushbufs', join(machine.root, 'dev/sdb')]]);
  });

  it('is fine when repeated, and for a volume that was never staged', async () => {
    await unstage();
    await unstage();
    await unstage('fake-vol-id');
    await unstage('vol9', '/no/such/path');
  });

  it('ends what a crash between unmount and deletion of the device left', async () => {
    // The unmount has happened, by the table; the record and the device are still there.
    await writeFile(join(machine.root, 'proc/self/mountinfo'), '22 1 8:1 / / rw - ext4 /dev/sda1 rw\n');
    node = await machine.nodeServer();
    await unstage();
    assert.deepEqual(machine.devices(), {});
    assert.deepEqual(await machine.records(), []);
  });

  it('takes off every layer that is mounted at the path', async () => {
    await machine.addMountRow(`41 1 8:32 / ${stagingPath(machine)} rw - ext4 /dev/sdb rw`);
    await unstage();
    assert.deepEqual(await machine.mounts(), []);
  });

  it('refuses while the volume is published, and changes nothing', async () => {
    await node.NodePublishVolume(publishRequest(machine), patient);
    assert.match(await failureOf(unstage()), /^FAILED_PRECONDITION: .*still mounted at .*pod1/);
    assert.lengthOf(await machine.mounts(), 2);
    assert.deepEqual(machine.devices(), { 1: 'sdb' });
    await node.NodeUnpublishVolume({ volume_id: 'vol1', target_path: targetPath(machine) }, patient);
    await unstage();
    assert.deepEqual(machine.devices(), {});
  });

  it('keeps the device of a disk that something is built on, and the record to try again', async () => {
    await writeFile(machine.attributePath('sdb', 'holders/dm-0'), '');
    assert.match(await failureOf(unstage()), /^FAILED_PRECONDITION: .*still in use: held by dm-0/);
    assert.deepEqual(machine.devices(), { 1: 'sdb' });
    assert.deepEqual(await machine.records(), ['vol1']);
  });

  it('waits for the kernel to let go of the disk', async () => {
    const holder = machine.attributePath('sdb', 'holders/dm-0');
    await writeFile(holder, '');
    machine.later(3_000, () => rm(holder));
    await unstage();
    assert.deepEqual(machine.devices(), {});
  });

  it('fails while the path is busy, and keeps everything', async () => {
    await writeFile(join(machine.home, 'busy'), '');
    assert.match(await failureOf(unstage()), /^INTERNAL: .*target is busy/);
    assert.lengthOf(await machine.mounts(), 1);
    assert.deepEqual(machine.devices(), { 1: 'sdb' });
  });

  it('leaves a device alone that is no longer the one that was staged', async () => {
    await machine.unplug(1);
    await machine.addDisk('disk2', DISK_BYTES);
    await writeFile(join(machine.root, 'proc/self/mountinfo'), '22 1 8:1 / / rw - ext4 /dev/sda1 rw\n');
    const scsi = join(machine.root, 'sys/class/scsi_device/2:0:1:0/device');
    await writeFile(join(scsi, 'delete'), '1');
    await machine.sleep(1);
    await machine.plug(1, 'disk2');
    const name = await machine.discover(1);
    await unstage();
    assert.deepEqual(machine.devices(), { 1: name });
    assert.deepEqual(await machine.records(), []);
  });

  it('deletes the device although the record of another one names its slot: the Go driver leaves them behind', async () => {
    const record = await readFile(join(machine.stateDir, 'vol1.json'), 'utf8');
    await writeFile(join(machine.stateDir, 'vol2.json'), record.replace('vol1', 'vol2').replace('8:32', '8:160'));
    await unstage();
    assert.deepEqual(machine.devices(), {});
  });

  it('does not delete the device under the mkfs of a driver that has died', async () => {
    await writeFile(join(machine.root, 'proc/self/mountinfo'), '22 1 8:1 / / rw - ext4 /dev/sda1 rw\n');
    const tool = spawn('flock', [join(machine.stateDir, 'vol1.lock'), 'cat'], { stdio: ['pipe', 'pipe', 'ignore'] });
    tool.stdin.write('locked\n');
    await once(tool.stdout, 'data');
    assert.match(await failureOf(unstage()), /^ABORTED/);
    assert.deepEqual(machine.devices(), { 1: 'sdb' });
    tool.stdin.end();
    await once(tool, 'close');
    await unstage();
    assert.deepEqual(machine.devices(), {});
  });

  it('deletes the device of a volume that the Go driver staged', async () => {
    await unstage();
    const name = await machine.discover(1);
    const number = (await readFile(machine.attributePath(name, 'dev'), 'utf8')).trim();
    await machine.addMountRow(`41 1 ${number} / ${stagingPath(machine)} rw - ext4 /dev/${name} rw`);
    await unstage();
    assert.deepEqual(machine.devices(), {});
    assert.deepEqual(await machine.mounts(), []);
  });

  const stagedByGoDriver: Record<string, (record: string) => string | undefined> = {
    'for the first time': () => undefined,
    'after a reboot': (record) => record.replace(/"bootId":"[^"]*"/, '"bootId":"before"'),
    'after this one began to format it': (record) => record.replace('8:32', '').replace('false', 'true'),
  };
  for (const [when, change] of Object.entries(stagedByGoDriver)) {
    it(`keeps in mind what the Go driver staged ${when}, until nobody uses its disk: detached before, it would lose data`, async () => {
      const path = join(machine.stateDir, 'vol1.json');
      const record = change(await readFile(path, 'utf8'));
      if (record === undefined) await rm(path);
      else await writeFile(path, record);
      await writeFile(machine.attributePath('sdb', 'holders/dm-0'), '');
      for (let time = 0; time < 2; time++) {
        assert.match(await failureOf(unstage()), /^FAILED_PRECONDITION: .*still in use: held by dm-0/);
      }
      node = await machine.nodeServer();
      assert.match(await failureOf(unstage()), /^FAILED_PRECONDITION: .*still in use: held by dm-0/);
      await rm(machine.attributePath('sdb', 'holders/dm-0'));
      await unstage();
      assert.deepEqual(machine.devices(), {});
      assert.deepEqual(await machine.records(), []);
    });
  }

  describe('of a raw block volume', () => {
    beforeEach(async () => {
      await unstage();
      await node.NodeStageVolume(stageRequest(machine, { volume_capability: BLOCK_CAPABILITY }), patient);
    });

    it('leaves nothing: all is written to the disk, the device goes, and so does the record', async () => {
      await unstage();
      const flushes = (await machine.calls('blockdev')).filter(([option]) => option === '--flushbufs');
      assert.lengthOf(flushes, 2);
      assert.deepEqual(machine.devices(), {});
      assert.deepEqual(await machine.records(), []);
      await unstage();
    });

    it('refuses while it is published, and changes nothing', async () => {
      const image = join(machine.home, 'disks/disk1/image');
      await machine.addMountRow(`41 1 8:1 ${image} ${targetPath(machine)} rw - ext4 /dev/sda1 rw`);
      assert.match(await failureOf(unstage()), /^FAILED_PRECONDITION: .*still mounted at .*pod1/);
      assert.deepEqual(machine.devices(), { 1: 'sdb' });
      assert.deepEqual(await machine.records(), ['vol1']);
    });

    it('does not touch the disk of another one that came into the slot', async () => {
      const record = await readFile(join(machine.stateDir, 'vol1.json'), 'utf8');
      await unstage();
      await machine.addDisk('disk2', DISK_BYTES);
      await machine.plug(1, 'disk2');
      const other = { volume_id: 'vol2', volume_capability: BLOCK_CAPABILITY };
      await node.NodeStageVolume(stageRequest(machine, other), patient);
      // The same name and number, as the kernel may give them again; the record of the first has come back.
      const number = (await readFile(machine.attributePath('sdb', 'dev'), 'utf8')).trim();
      await writeFile(join(machine.stateDir, 'vol1.json'), record.replace(/"number":"[^"]*"/, `"number":"${number}"`));
      await unstage();
      assert.deepEqual(machine.devices(), { 1: 'sdb' });
      assert.deepEqual(await machine.records(), ['vol2']);
    });
  });

  it('says which field is missing', async () => {
    assert.match(await failureOf(unstage('', '/x')), /^INVALID_ARGUMENT: volume_id is empty/);
    assert.match(await failureOf(unstage('vol1', '')), /^INVALID_ARGUMENT: staging_target_path is empty/);
  });
});

describe('planUnstage', () => {
  const numbers = ['8:16', '8:32'];
  const disks = numbers.map((number, index) => ({
    slot: index + 1,
    name: `sd${'bc'[index]}`,
    number,
    node: '',
    scsiFolder: '',
    blockFolder: '',
  }));
  const mounts = fc.array(
    fc.record({
      device: fc.constantFrom(...numbers, '8:1'),
      root: fc.constant('/'),
      point: fc.constantFrom('/stage', '/pod'),
      readOnly: fc.boolean(),
      fileSystemReadOnly: fc.boolean(),
      fileSystem: fc.constant('ext4'),
      source: fc.constant(''),
    }),
    { maxLength: 3 },
  );
  const record = fc.record<StageRecord>({
    volumeId: fc.constantFrom('v', 'w'),
    access: fc.constantFrom('mount' as const, 'block' as const),
    fileSystem: fc.constant('ext4' as const),
    slot: fc.constantFrom(1, 2, 3),
    device: fc.constantFrom('sdb', 'sdc'),
    number: fc.constantFrom(...numbers),
    bootId: fc.constantFrom('now', 'before'),
    volumeUniqueId: fc.constant('u'),
    sizeGB: fc.constant(100),
    mountFlags: fc.constant([]),
    formatting: fc.boolean(),
    unfinishedReadOnly: fc.constant([]),
  });
  const views = fc.record({
    volumeId: fc.constant('v'),
    point: fc.constantFrom<string | undefined>('/stage', undefined),
    mounts,
    disks: fc.constant(disks),
    records: fc.uniqueArray(record, { selector: ({ volumeId }) => volumeId }),
    bootId: fc.constant('now'),
  });

  it('never forgets a disk that is mounted elsewhere, staged for another volume, or not tied to this one', () => {
    fc.assert(
      fc.property(views, (view) => {
        const plan = planUnstage(view);
        if (plan.do === 'refuse') return;
        for (const disk of plan.forget) {
          assert.isFalse(view.mounts.some(({ device, point }) => device === disk.number && point !== view.point));
          const others = view.records.filter(({ volumeId, bootId }) => volumeId !== 'v' && bootId === 'now');
          assert.isFalse(others.some((other) => isRecordOf(other, disk) && !other.formatting));
          const staged = view.mounts.some(({ device, point }) => device === disk.number && point === view.point);
          const recorded = view.records.some((r) => r.volumeId === 'v' && isRecordOf(r, disk) && r.bootId === 'now');
          assert.isTrue(staged || recorded);
        }
      }),
    );
  });
});
