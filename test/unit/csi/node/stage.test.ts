import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm, symlink, unlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { execFile } from 'node:child_process';
import { status } from '@grpc/grpc-js';
import { assert } from 'chai';
import * as fc from 'fast-check';
import { fileSystemUuid } from '../../../../csi/linux/content.ts';
import type { StageRecord } from '../../../../csi/linux/record.ts';
import { planStage } from '../../../../csi/node/stage.ts';
import type { StageView, StageWish } from '../../../../csi/node/stage.ts';
import type { NodeHandlers, NodeOptions } from '../../../../csi/node/node.ts';
import { DISK_BYTES, FakeMachine } from './fake-machine.ts';
import {
  BLOCK_CAPABILITY,
  failureOf,
  formattedWith,
  mountCapability,
  patient,
  publishRequest,
  stageRequest,
  stagingPath,
} from './requests.ts';

const UUID = fileSystemUuid('vol-unique1');

/** Lists a bind mount of the device node of disk1. */
async function bind(machine: FakeMachine, target: string): Promise<void> {
  const image = join(machine.home, 'disks/disk1/image');
  await machine.addMountRow(`41 1 8:1 ${image} ${join(machine.home, target)} rw - ext4 /dev/sda1 rw`);
}

describe('NodeStageVolume', () => {
  let machine: FakeMachine;
  let node: NodeHandlers;

  beforeEach(async () => {
    machine = await FakeMachine.boot();
    node = await machine.nodeServer();
    await machine.addDisk('disk1', DISK_BYTES);
    await machine.plug(1, 'disk1');
  });
  afterEach(() => machine.stop());

  const stage = (changes: Parameters<typeof stageRequest>[1] = {}): Promise<unknown> =>
    node.NodeStageVolume(stageRequest(machine, changes), patient);

  const unstage = (): Promise<unknown> =>
    node.NodeUnstageVolume({ volume_id: 'vol1', staging_target_path: stagingPath(machine) }, patient);

  const recordOf = async (): Promise<StageRecord | undefined> => (await machine.service()).records.get('vol1');

  const changeRecord = async (changes: Partial<StageRecord>): Promise<void> => {
    const record = await recordOf();
    await (await machine.service()).records.save({ ...record!, ...changes });
  };

  /** What a refusal must never change. */
  const untouched = async (disk = 'disk1'): Promise<void> => {
    assert.deepEqual(await machine.calls('mkfs.ext4'), []);
    assert.deepEqual(await machine.calls('mount'), []);
    assert.isUndefined(await machine.trait(disk, 'blocks'));
  };

  describe('of a new disk', () => {
    it('makes a file system that says whose it is, and mounts it', async () => {
      await stage();
      const point = 'kubelet/plugins/kubernetes.io/csi/vol1/globalmount';
      assert.deepEqual(await machine.mounts(), [`8:32 ${point} rw`]);
      assert.equal(await machine.trait('disk1', 'uuid'), UUID);
      assert.deepEqual(await machine.records(), ['vol1']);
    });

    it('asks mkfs for features by name only, so that no default of a newer mkfs gets in', async () => {
      await stage();
      const [args = []] = await machine.calls('mkfs.ext4');
      assert.deepEqual(args.slice(0, 4), ['-F', '-m0', '-U', UUID]);
      const features = args[args.indexOf('-O') + 1]?.split(',') ?? [];
      assert.equal(features[0], 'none');
      assert.includeMembers(features, ['extent', 'has_journal', 'metadata_csum']);
      for (const tooNew of ['orphan_file', 'metadata_csum_seed', 'casefold']) assert.notInclude(features, tooNew);
      assert.equal(args.at(-1), join(machine.root, 'dev/sdb'));
    });

    it('makes xfs with features by name and by the same UUID, and mounts it beside a mount of before that hangs on', async () => {
      await stage({ volume_capability: formattedWith('xfs', 'noatime') });
      const [, args = []] = await machine.calls('mkfs.xfs');
      const words = args.join(' ');
      assert.include(words, `-m uuid=${UUID} `);
      for (const feature of ['bigtime=0', 'nrext64=0', 'rmapbt=0', 'reflink=1']) assert.include(words, feature);
      assert.deepEqual(await machine.calls('mount'), [
        ['-t', 'xfs', '-o', 'nouuid,noatime', join(machine.root, 'dev/sdb'), stagingPath(machine)],
      ]);
    });

    it('passes mount flags as one list and leaves quoted commas alone', async () => {
      const context = 'context="system_u:object_r:container_file_t:s0:c1,c2"';
      await stage({ volume_capability: mountCapability('noatime', context) });
      assert.deepEqual(await machine.calls('mount'), [
        ['-t', 'ext4', '-o', `noatime,${context}`, join(machine.root, 'dev/sdb'), stagingPath(machine)],
      ]);
    });

    it('formats a disk that was grown between its attach and its first stage', async () => {
      await machine.change('disk1', { size: String(2 * DISK_BYTES) });
      await stage();
      assert.equal(await machine.trait('disk1', 'uuid'), UUID);
    });

    it('waits for a disk that appears after 20 s, scanning again and again', async () => {
      await machine.unplug(1);
      machine.later(20_000, () => machine.plug(1, 'disk1'));
      await stage();
      assert.isAtLeast(machine.monotonicMs(), 20_000);
      assert.isBelow(machine.monotonicMs(), 25_000);
    });

    it('gives up with UNAVAILABLE when none appears within 30 s, and leaves no record', async () => {
      await machine.unplug(1);
      assert.match(await failureOf(stage()), /^UNAVAILABLE: no disk appeared in SCSI slot 1 after 30 s/);
      assert.deepEqual(await machine.records(), []);
    });

    it('rescans a disk that shows 0 bytes at first', async () => {
      await machine.change('disk1', { size: '0' });
      machine.later(2_000, () => machine.change('disk1', { size: String(DISK_BYTES) }));
      await stage();
      assert.lengthOf(await machine.mounts(), 1);
    });

    it('stops waiting when the caller gives up', async () => {
      await machine.unplug(1);
      const caller = new AbortController();
      machine.later(5_000, async () => caller.abort(new Error('gave up')));
      const staging = node.NodeStageVolume(stageRequest(machine), caller.signal);
      assert.match(await failureOf(staging), /gave up/);
      assert.isBelow(machine.monotonicMs(), 6_000);
    });

    it('is formatted by the same proof when the Go driver attached it, with a UUID that claims nothing', async () => {
      await stage({ context: { devicePath: 'SCSI (0:1)' } });
      const uuid = (await machine.trait('disk1', 'uuid')) ?? '';
      assert.match(uuid, /^[\da-f]{8}-[\da-f]{4}-4/);
      assert.notMatch(uuid, /^6e696663/);
      assert.lengthOf(await machine.mounts(), 1);
    });

    it('is recognised by the unique id that its PersistentVolume has when the Go driver attached it', async () => {
      const context = { devicePath: 'SCSI (0:1)' };
      const known = { context, volume_context: { volumeUniqueId: 'vol-unique1' } };
      await stage(known);
      assert.equal(await machine.trait('disk1', 'uuid'), UUID);
      await unstage();
      await machine.change('disk1', { uuid: fileSystemUuid('vol-unique2') });
      assert.match(await failureOf(stage(known)), /^FAILED_PRECONDITION: .*belongs to another disk/);
    });

    it('accepts paths with blanks and letters of any script', async () => {
      const path = join(machine.home, 'kube let/ボリューム/mount');
      await stage({ staging_target_path: path });
      await stage({ staging_target_path: path });
      assert.deepEqual(await machine.mounts(), ['8:32 kube let/ボリューム/mount rw']);
    });

    it('accepts a path that leads through a link', async () => {
      await mkdir(join(machine.home, 'data'));
      await symlink('data', join(machine.home, 'kubelet'));
      await stage();
      await stage();
      assert.deepEqual(await machine.mounts(), ['8:32 data/plugins/kubernetes.io/csi/vol1/globalmount rw']);
      await unstage();
      assert.deepEqual(await machine.mounts(), []);
    });

    it('is formatted though it is not zeros, where the operator says that new disks are not', async () => {
      await machine.change('disk1', { 'noise-head': '' });
      node = await machine.nodeServer(undefined, { formatNonzero: true });
      await stage();
      assert.equal(await machine.trait('disk1', 'uuid'), UUID);
    });
  });

  describe('never formats', () => {
    it('a disk that is not zeros and has the backup of a superblock, though new disks may be anything', async () => {
      await machine.change('disk1', { 'noise-head': '', blocks: '1000' });
      node = await machine.nodeServer(undefined, { formatNonzero: true });
      assert.match(await failureOf(stage()), /^FAILED_PRECONDITION: .*e2fsck -b 32768/);
      assert.deepEqual(await machine.calls('mkfs.ext4'), []);
    });

    const lost: Record<string, readonly [file: string, begin: string]> = {
      xfs: [`block-${Math.ceil(DISK_BYTES / 4 / 4096)}`, 'XFSB'],
      'xfs that has grown': [`block-${Math.ceil(DISK_BYTES / 4 / 4096)}`, 'XFSB'],
      btrfs: ['block-16384', `${'x'.repeat(64)}_BHRfS_M`],
    };
    for (const [what, [block, begin]] of Object.entries(lost)) {
      it(`a disk of ${what} that has lost its beginning, though new disks may be anything`, async () => {
        const size = String(what.includes('grown') ? 3 * DISK_BYTES : DISK_BYTES);
        await machine.change('disk1', { 'noise-head': '', size, [block]: begin });
        node = await machine.nodeServer(undefined, { formatNonzero: true });
        assert.match(await failureOf(stage()), /^FAILED_PRECONDITION: .*xfs_repair.*super-recover/);
        await untouched();
      });
    }

    it('a disk with data but no signature that is known, and says what would make it do so', async () => {
      await machine.change('disk1', { 'noise-head': '' });
      assert.match(await failureOf(stage()), /^FAILED_PRECONDITION: .*not empty.*--format-nonzero-new-disks/);
      await untouched();
    });

    it('a disk whose start is empty and whose end is not', async () => {
      await machine.change('disk1', { 'noise-tail': '' });
      assert.match(await failureOf(stage()), /^FAILED_PRECONDITION: .*not empty/);
      await untouched();
    });

    it('a disk that is not read to the last byte', async () => {
      await machine.change('disk1', { 'short-read': '' });
      assert.match(await failureOf(stage()), /dd .*3\+1 records in/);
      await untouched();
    });

    it('a disk with contradicting signatures (blkid exit 8)', async () => {
      await machine.change('disk1', { ambivalent: '' });
      assert.match(await failureOf(stage()), /^FAILED_PRECONDITION: .*contradict/);
      await untouched();
    });

    it('a disk that the probe fails at', async () => {
      await machine.change('disk1', { 'blkid-fails': '' });
      assert.match(await failureOf(stage()), /blkid .*ended with exit code 4: blkid: probe failed/);
      await untouched();
    });

    it('a disk with a partition table', async () => {
      await machine.change('disk1', { table: 'gpt' });
      assert.match(await failureOf(stage()), /^FAILED_PRECONDITION: .*partition table \(gpt\)/);
      await untouched();
    });

    it('a disk with another file system', async () => {
      await machine.change('disk1', { type: 'xfs' });
      assert.match(await failureOf(stage()), /^FAILED_PRECONDITION: .*holds xfs, not ext4/);
      await untouched();
    });

    it('an empty disk of another size than was attached', async () => {
      await machine.change('disk1', { size: String(1.5 * DISK_BYTES) });
      assert.match(await failureOf(stage()), /^FAILED_PRECONDITION: .*150000000000 bytes, not 100 GB/);
      await untouched();
    });

    it('for a read-only mount', async () => {
      const flags = mountCapability('noatime,ro');
      assert.match(await failureOf(stage({ volume_capability: flags })), /^FAILED_PRECONDITION: .*read-only/);
      await untouched();
    });

    it('a disk that can no longer be read', async () => {
      await machine.change('disk1', { dead: '' });
      await failureOf(stage());
      await untouched();
    });
  });

  describe('of the right disk only', () => {
    const formatted = { type: 'ext4', uuid: UUID, blocks: String(Math.floor(DISK_BYTES / 4096)) };

    it('replaces a ghost in the slot, and uses the disk that is really there', async () => {
      await machine.addDisk('old', DISK_BYTES);
      await machine.plug(1, 'old');
      await machine.discover(1);
      await machine.unplug(1);
      await machine.plug(1, 'disk1');
      await stage();
      assert.equal(await machine.trait('disk1', 'uuid'), UUID);
      assert.deepEqual(machine.devices(), { 1: 'sdb' });
    });

    it('refuses a disk that is too small', async () => {
      await machine.change('disk1', { size: '99999999488' });
      assert.match(
        await failureOf(stage()),
        /^FAILED_PRECONDITION: .*99999999488 bytes, the volume at least 100000000000/,
      );
      await untouched();
    });

    it('refuses a disk that does not work', async () => {
      await machine.change('disk1', { state: 'offline' });
      assert.match(await failureOf(stage()), /^FAILED_PRECONDITION: .*SCSI state is offline/);
      await untouched();
    });

    it('refuses a disk without a device node, naming what the node server needs', async () => {
      await machine.change('disk1', { 'no-node': '' });
      assert.match(await failureOf(stage()), /^FAILED_PRECONDITION: .*needs the host's \/dev/);
      await untouched();
    });

    it('refuses a device node that is not the size of the disk', async () => {
      await machine.change('disk1', { 'node-size': '200000000000' });
      assert.match(await failureOf(stage()), /^FAILED_PRECONDITION: .*200000000000 bytes, sysfs says 100000000000/);
      await untouched();
    });

    it('refuses a file system of ours that belongs to another disk', async () => {
      await machine.change('disk1', { ...formatted, uuid: fileSystemUuid('vol-unique2') });
      assert.match(await failureOf(stage()), /^FAILED_PRECONDITION: .*belongs to another disk/);
      assert.deepEqual(await machine.calls('mount'), []);
      assert.equal(await machine.trait('disk1', 'uuid'), fileSystemUuid('vol-unique2'));
    });

    it("mounts the Go driver's file system, and says that it is not ours", async () => {
      await machine.change('disk1', { ...formatted, uuid: 'b5c2ad9b-7b1b-4a9e-8b0b-0123456789ab' });
      await stage();
      assert.lengthOf(await machine.mounts(), 1);
      assert.deepEqual(await machine.calls('mkfs.ext4'), []);
      assert.include(machine.logger.lines, 'The file system was not made by this driver');
    });

    it('refuses a disk in the slot that is mounted, and leaves it there', async () => {
      const name = await machine.discover(1);
      await machine.addMountRow('40 1 8:32 / /data rw - ext4 /dev/sdb rw');
      assert.match(await failureOf(stage()), /^FAILED_PRECONDITION: .*sdb in SCSI slot 1 is in use: mounted at \/data/);
      assert.deepEqual(machine.devices(), { 1: name });
      await untouched();
    });

    it('refuses a disk in the slot with a mounted partition', async () => {
      const name = await machine.discover(1);
      await mkdir(machine.attributePath(name, 'sdb1'));
      await writeFile(machine.attributePath(name, 'sdb1/partition'), '1\n');
      await writeFile(machine.attributePath(name, 'sdb1/dev'), '8:33\n');
      await machine.addMountRow('40 1 8:33 / /data rw - ext4 /dev/sdb1 rw');
      assert.match(await failureOf(stage()), /^FAILED_PRECONDITION: .*in use/);
      assert.deepEqual(machine.devices(), { 1: name });
    });

    it('refuses a disk in the slot that something is built on', async () => {
      const name = await machine.discover(1);
      await writeFile(machine.attributePath(name, 'holders/dm-0'), '');
      assert.match(await failureOf(stage()), /^FAILED_PRECONDITION: .*held by dm-0/);
      assert.deepEqual(machine.devices(), { 1: name });
    });

    it('takes a slot from a volume that only its record still has there: the Go driver has unstaged it', async () => {
      await stage();
      await writeFile(join(machine.root, 'proc/self/mountinfo'), '22 1 8:1 / / rw - ext4 /dev/sda1 rw\n');
      await machine.addDisk('disk2', DISK_BYTES);
      await machine.unplug(1);
      await machine.plug(1, 'disk2');
      await stage({ volume_id: 'vol2', context: { devicePath: 'SCSI (0:1)', volumeUniqueId: 'u2', sizeGB: '100' } });
      assert.equal(await machine.trait('disk2', 'uuid'), fileSystemUuid('u2'));
    });

    it('takes the name of a device from a volume that only its record still has it', async () => {
      await stage();
      await writeFile(join(machine.root, 'proc/self/mountinfo'), '22 1 8:1 / / rw - ext4 /dev/sda1 rw\n');
      await machine.remove(1);
      await changeRecord({ number: '8:48' }); // that of the next disk
      await machine.plug(1, 'disk1');
      await stage({ volume_id: 'vol2' });
      assert.equal(await machine.numberOf('sdb'), '8:48');
      assert.deepEqual(await machine.records(), ['vol2']);
      await node.NodeUnstageVolume({ volume_id: 'vol2', staging_target_path: stagingPath(machine, 'vol2') }, patient);
      assert.deepEqual(machine.devices(), {}, 'it would be left behind as a ghost');
    });

    it('ignores what was staged there before a reboot', async () => {
      const boot = join(machine.root, 'proc/sys/kernel/random');
      await mkdir(boot, { recursive: true });
      await writeFile(join(boot, 'boot_id'), 'first\n');
      await stage();
      await writeFile(join(boot, 'boot_id'), 'second\n');
      await writeFile(join(machine.root, 'proc/self/mountinfo'), '22 1 8:1 / / rw - ext4 /dev/sda1 rw\n');
      await machine.addDisk('disk2', DISK_BYTES);
      await machine.unplug(1);
      await machine.plug(1, 'disk2');
      await stage({ volume_id: 'vol2', context: { devicePath: 'SCSI (0:1)', volumeUniqueId: 'u2', sizeGB: '100' } });
      assert.equal(await machine.trait('disk2', 'uuid'), fileSystemUuid('u2'));
    });

    it('takes the controller that has the system disk, whatever its number and whoever else is there', async () => {
      await machine.addController(1, 'vmw_pvscsi', 'sys/devices/pci0000:00/0000:00:15.0/0000:02:00.0');
      await stage();
      assert.deepEqual(machine.devices(), { 1: 'sdb' });
    });
  });

  describe('of a disk that has a file system', () => {
    beforeEach(async () => {
      const blocks = String(Math.floor(DISK_BYTES / 4096));
      await machine.change('disk1', { type: 'ext4', uuid: UUID, blocks });
    });

    it('checks it before a writable mount', async () => {
      await stage();
      assert.deepEqual(await machine.calls('e2fsck'), [['-p', join(machine.root, 'dev/sdb')]]);
      assert.deepEqual(await machine.calls('resize2fs'), []);
    });

    it('neither checks nor grows it for a read-only mount', async () => {
      await machine.change('disk1', { blocks: '1000' });
      await stage({ volume_capability: mountCapability('ro') });
      assert.deepEqual(await machine.calls('e2fsck'), []);
      assert.deepEqual(await machine.mounts(), ['8:32 kubelet/plugins/kubernetes.io/csi/vol1/globalmount ro']);
    });

    it('refuses it when e2fsck leaves errors, with the words of e2fsck', async () => {
      await machine.change('disk1', { 'fsck-exit': '4' });
      assert.match(await failureOf(stage()), /^FAILED_PRECONDITION: .*UNEXPECTED INCONSISTENCY/s);
      assert.deepEqual(await machine.calls('mount'), []);
      assert.deepEqual(await machine.records(), []);
    });

    it('mounts it when e2fsck has repaired it, or could not run', async () => {
      for (const exitCode of ['1', '8']) {
        await machine.change('disk1', { 'fsck-exit': exitCode });
        await stage();
        await unstage();
      }
      assert.lengthOf(await machine.calls('mount'), 2);
    });

    it('grows it to its disk before the mount, after a full check', async () => {
      await machine.change('disk1', { size: String(2 * DISK_BYTES), 'resize-refused': '' });
      await stage();
      assert.deepEqual((await machine.calls('e2fsck')).at(-1)?.slice(0, 2), ['-f', '-p']);
      assert.equal(await machine.trait('disk1', 'blocks'), String((2 * DISK_BYTES) / 4096));
    });

    it('grows it when it comes back after a reboot, though it was smaller when it was attached', async () => {
      const boot = join(machine.root, 'proc/sys/kernel/random');
      await mkdir(boot, { recursive: true });
      await writeFile(join(boot, 'boot_id'), 'first\n');
      await stage();
      await machine.change('disk1', { size: String(2 * DISK_BYTES) });
      await writeFile(join(boot, 'boot_id'), 'second\n');
      await writeFile(join(machine.root, 'proc/self/mountinfo'), '22 1 8:1 / / rw - ext4 /dev/sda1 rw\n');
      await stage();
      assert.equal(await machine.trait('disk1', 'blocks'), String((2 * DISK_BYTES) / 4096));
      assert.deepEqual(await machine.calls('mkfs.ext4'), []);
      assert.lengthOf(await machine.mounts(), 1);
    });

    it('refuses it when it is larger than its disk', async () => {
      await machine.change('disk1', { blocks: String((2 * DISK_BYTES) / 4096) });
      assert.match(await failureOf(stage()), /^FAILED_PRECONDITION: .*larger than its/);
      assert.deepEqual(await machine.calls('mount'), []);
    });

    it('is staged when it is mounted, however mount ended', async () => {
      await machine.change('disk1', { 'mount-ends-badly': '' });
      await stage();
      await stage();
      assert.lengthOf(await machine.mounts(), 1);
      assert.deepEqual(await machine.records(), ['vol1']);
    });

    it('leaves no record when the mount fails, so that the slot is free for others', async () => {
      await machine.change('disk1', { 'mount-fails': '' });
      assert.match(await failureOf(stage()), /bad option/);
      assert.deepEqual(await machine.records(), []);
    });

    it('never tells the mount flags, which may hold passwords', async () => {
      await machine.change('disk1', { 'mount-fails': '' });
      const flags = { volume_capability: mountCapability('password=geheim') };
      assert.notInclude(await failureOf(stage(flags)), 'geheim');
      await machine.change('disk1', { 'mount-fails': undefined });
      await stage(flags);
      assert.notInclude(await failureOf(stage()), 'geheim');
    });
  });

  describe('of a disk that has xfs', () => {
    const xfs = { volume_capability: formattedWith('xfs') };
    const halfGrown = { blocks: String(DISK_BYTES / 4096), size: String(2 * DISK_BYTES) };
    beforeEach(() => machine.change('disk1', { type: 'xfs', uuid: UUID, blocks: String(DISK_BYTES / 4096) }));

    it('leaves it as it is', async () => {
      await stage(xfs);
      assert.deepEqual(await machine.calls('mkfs.xfs'), []);
      assert.deepEqual(await machine.calls('e2fsck'), []);
      assert.lengthOf(await machine.mounts(), 1);
    });

    it('grows it to its disk after the mount, unless that is read-only', async () => {
      await machine.change('disk1', halfGrown);
      await stage({ volume_capability: formattedWith('xfs', 'ro') });
      await unstage();
      assert.equal(await machine.trait('disk1', 'blocks'), halfGrown.blocks);
      await stage(xfs);
      assert.equal(await machine.trait('disk1', 'blocks'), String((2 * DISK_BYTES) / 4096));
    });

    it('grows it when it is repeated, after a crash between the mount and the growth', async () => {
      await stage(xfs);
      await machine.change('disk1', halfGrown);
      await writeFile(machine.attributePath('sdb', 'size'), `${(2 * DISK_BYTES) / 512}\n`);
      await machine.change('disk1', { 'known-size': halfGrown.size });
      node = await machine.nodeServer();
      await stage(xfs);
      assert.equal(await machine.trait('disk1', 'blocks'), String((2 * DISK_BYTES) / 4096));
    });

    it('mounts it also when it does not grow, and says so', async () => {
      await machine.change('disk1', { ...halfGrown, 'resize-refused': '' });
      await stage(xfs);
      assert.lengthOf(await machine.mounts(), 1);
      assert.include(machine.logger.lines, 'A file system is not grown to its disk');
    });
  });

  describe('of a raw block volume', () => {
    const block = { volume_capability: BLOCK_CAPABILITY };
    const staging = 'kubelet/plugins/kubernetes.io/csi/volumeDevices/staging/pv1';
    const target = 'kubelet/plugins/kubernetes.io/csi/volumeDevices/publish/pv1/pod1';
    const kubeletBind = 'kubelet/plugins/kubernetes.io/csi/volumeDevices/pv1/dev/pod1';
    const asKubelet = async () => {
      const path = join(machine.home, staging);
      await mkdir(path, { recursive: true });
      return { ...block, staging_target_path: path };
    };

    it('records which disk it is, and neither formats nor mounts', async () => {
      await machine.change('disk1', { 'noise-head': '' });
      await stage(block);
      await stage(block);
      await untouched();
      const record = JSON.parse(await readFile(join(machine.stateDir, 'vol1.json'), 'utf8')) as StageRecord;
      assert.deepInclude(record, { access: 'block', fileSystem: '', slot: 1, device: 'sdb', number: '8:32' });
    });

    it('replaces a ghost, but not the disk that it has staged', async () => {
      await machine.addDisk('old', DISK_BYTES);
      await machine.plug(1, 'old');
      await machine.discover(1);
      await machine.unplug(1);
      await machine.plug(1, 'disk1');
      await stage(block);
      const number = await readFile(machine.attributePath('sdb', 'dev'), 'utf8');
      assert.notEqual(number, '8:32\n');
      node = await machine.nodeServer();
      await stage(block);
      assert.equal(await readFile(machine.attributePath('sdb', 'dev'), 'utf8'), number);
    });

    it('refuses a disk that is too small, not the size of its node, or in use', async () => {
      await machine.change('disk1', { 'node-size': '200000000000' });
      assert.match(await failureOf(stage(block)), /^FAILED_PRECONDITION: .*200000000000 bytes, sysfs says/);
      await machine.change('disk1', { size: '99999999488', 'node-size': undefined });
      assert.match(await failureOf(stage(block)), /^FAILED_PRECONDITION: .*99999999488 bytes, the volume at least/);
      await writeFile(machine.attributePath('sdb', 'holders/dm-0'), '');
      assert.match(await failureOf(stage(block)), /^FAILED_PRECONDITION: .*held by dm-0/);
      assert.deepEqual(await machine.records(), []);
    });

    it('refuses a slot in which another one is staged, though nothing shows it but the record', async () => {
      await stage(block);
      assert.match(await failureOf(stage({ volume_id: 'vol2' })), /^FAILED_PRECONDITION: .*slot 1 holds volume vol1/);
      assert.deepEqual(machine.devices(), { 1: 'sdb' });
      await untouched();
    });

    it('notes where its disk is when that is another slot than it was staged in, whatever its number', async () => {
      await stage(block);
      await changeRecord({ slot: 3 });
      await stage(block);
      assert.equal((await recordOf())?.slot, 1);
    });

    it('refuses the name of a device that left while it was staged: its pod may still open it by that', async () => {
      await stage(block);
      await machine.remove(1);
      await changeRecord({ number: '8:48' }); // that of the next disk
      await machine.plug(1, 'disk1');
      assert.match(await failureOf(stage({ volume_id: 'vol2' })), /^FAILED_PRECONDITION: .*slot 1 holds volume vol1/);
      await untouched();
      await unstage();
      await stage({ volume_id: 'vol2' });
    });

    describe('whose record was left behind, as kubelet forgets to unstage it when it restarts in between', () => {
      const second = { volume_id: 'vol2', ...block };
      beforeEach(async () => {
        await stage(block);
        await machine.unplug(1);
        await machine.addDisk('disk2', DISK_BYTES);
        await machine.plug(1, 'disk2');
      });

      it('leaves the slot to the next one, once it is no longer attached', async () => {
        node = await machine.nodeServer(undefined, { attachedVolumes: () => Promise.resolve(new Set(['vol2'])) });
        await stage(second);
        assert.deepEqual(await machine.records(), ['vol2']);
        assert.notEqual(await machine.numberOf('sdb'), '8:32', 'it is the ghost of the first');
        await node.NodeUnstageVolume({ volume_id: 'vol2', staging_target_path: stagingPath(machine, 'vol2') }, patient);
        assert.deepEqual(machine.devices(), {});
      });

      const standing: Record<string, NodeOptions['attachedVolumes']> = {
        'it is attached': () => Promise.resolve(new Set(['vol1', 'vol2'])),
        'there is no Kubernetes to ask': () => Promise.resolve(undefined),
        'Kubernetes does not answer': () => Promise.reject(new Error('forbidden')),
        'Kubernetes lists not even the next one': () => Promise.resolve(new Set()),
      };
      for (const [when, attachedVolumes] of Object.entries(standing)) {
        it(`keeps the slot while ${when}`, async () => {
          node = await machine.nodeServer(undefined, { attachedVolumes });
          assert.match(await failureOf(stage(second)), /^FAILED_PRECONDITION: .*slot 1 holds volume vol1/);
          assert.deepEqual(await machine.records(), ['vol1']);
        });
      }

      for (const deleted of ['', '//deleted']) {
        it(`keeps the slot while its device node${deleted} is bound: its pod may be running`, async () => {
          node = await machine.nodeServer(undefined, { attachedVolumes: () => Promise.resolve(new Set(['vol2'])) });
          const place = `${join(machine.home, 'disks/ghost-sdb/image')}${deleted}`;
          await machine.addMountRow(`41 1 8:1 ${place} ${join(machine.home, target)} rw - ext4 /dev/sda1 rw`);
          assert.match(await failureOf(stage(second)), /^FAILED_PRECONDITION: .*slot 1 holds volume vol1/);
          assert.deepEqual(await machine.records(), ['vol1']);
        });
      }
    });

    it('is ALREADY_EXISTS for one that is staged with a file system, and the other way round', async () => {
      await stage(block);
      assert.match(await failureOf(stage()), /^ALREADY_EXISTS: .*staged for block access/);
      await untouched();
      await unstage();
      await stage();
      assert.match(await failureOf(stage(block)), /^ALREADY_EXISTS: .*staged with file system ext4/);
    });

    it('refuses the disk of another unique id', async () => {
      await stage(block);
      const other = { devicePath: 'SCSI (0:1)', volumeUniqueId: 'vol-unique2', sizeGB: '100' };
      assert.match(await failureOf(stage({ ...block, context: other })), /^UNAVAILABLE: .*not vol-unique2/);
    });

    for (const [when, binds] of Object.entries({
      'has published': [target],
      'has published, and kubelet has bound for its pod': [target, kubeletBind],
    })) {
      it(`makes a record for a volume that the Go driver ${when}, and lets its pod have the device`, async () => {
        const number = (await machine.discover(1)) && (await readFile(machine.attributePath('sdb', 'dev'), 'utf8'));
        for (const point of binds) await bind(machine, point);
        await stage({ ...(await asKubelet()), context: { devicePath: 'SCSI (0:1)' } });
        assert.deepEqual(await machine.records(), ['vol1']);
        assert.equal(await readFile(machine.attributePath('sdb', 'dev'), 'utf8'), number);
      });
    }

    it('takes a volume off that the Go driver has published, once kubelet has taken off its own bind', async () => {
      await machine.discover(1);
      for (const point of [target, kubeletBind]) {
        await mkdir(dirname(join(machine.home, point)), { recursive: true });
        await writeFile(join(machine.home, point), '');
        await bind(machine, point);
      }
      const context = { devicePath: 'SCSI (0:1)' };
      const staged = { ...(await asKubelet()), context };
      await stage(staged);
      const path = { staging_target_path: staged.staging_target_path, target_path: join(machine.home, target) };
      const publish = { ...path, publish_context: context, volume_capability: BLOCK_CAPABILITY };
      await node.NodePublishVolume(publishRequest(machine, publish), patient);
      assert.lengthOf(await machine.mounts(), 2);
      await node.NodeUnpublishVolume({ volume_id: 'vol1', ...path }, patient);
      const unstageAll = () => node.NodeUnstageVolume({ volume_id: 'vol1', ...path }, patient);
      assert.match(await failureOf(unstageAll()), /^FAILED_PRECONDITION: .*still mounted at .*pv1\/dev\/pod1/);
      await promisify(execFile)('umount', [join(machine.home, kubeletBind)]);
      await unstageAll();
      assert.deepEqual(machine.devices(), {});
      assert.deepEqual(await machine.records(), []);
    });

    it('does not take the device from the pod of another volume', async () => {
      await machine.discover(1);
      await bind(machine, kubeletBind.replace('pv1', 'pv2'));
      const wish = { ...(await asKubelet()), context: { devicePath: 'SCSI (0:1)' } };
      assert.match(await failureOf(stage(wish)), /^FAILED_PRECONDITION: .*in use: bound at .*pv2/);
      await bind(machine, target.replace('pv1', 'pv2'));
      assert.match(await failureOf(stage(wish)), /^FAILED_PRECONDITION: .*in use: bound at .*pv2/);
      await bind(machine, target);
      assert.match(await failureOf(stage(wish)), /^FAILED_PRECONDITION: .*in use: bound at/);
      assert.deepEqual(machine.devices(), { 1: 'sdb' });
    });
  });

  describe('repeated', () => {
    it('does nothing more', async () => {
      await stage();
      await stage();
      assert.lengthOf(await machine.mounts(), 1);
      assert.lengthOf(await machine.calls('mount'), 1);
      assert.lengthOf(await machine.calls('mkfs.ext4'), 1);
    });

    it('is ALREADY_EXISTS with other mount flags', async () => {
      await stage();
      const flags = mountCapability('noatime');
      assert.match(await failureOf(stage({ volume_capability: flags })), /^ALREADY_EXISTS: .*other mount flags/);
    });

    it('is ALREADY_EXISTS with another file system, also for a volume that the Go driver has staged', async () => {
      await stage();
      const xfs = { volume_capability: formattedWith('xfs') };
      assert.match(await failureOf(stage(xfs)), /^ALREADY_EXISTS: .*staged with file system ext4/);
      await unlink(join(machine.stateDir, 'vol1.json'));
      assert.match(await failureOf(stage(xfs)), /^ALREADY_EXISTS: .*staged with file system ext4/);
      assert.lengthOf(await machine.mounts(), 1);
    });

    it('makes a record for a volume that the Go driver has staged', async () => {
      await machine.discover(1);
      await machine.addMountRow(`40 1 8:32 / ${stagingPath(machine)} rw - ext4 /dev/sdb rw`);
      await mkdir(stagingPath(machine), { recursive: true });
      await stage({ context: { devicePath: 'SCSI(0:1)' } });
      assert.deepEqual(await machine.records(), ['vol1']);
      assert.lengthOf(await machine.mounts(), 1);
      assert.deepEqual(machine.devices(), { 1: 'sdb' });
    });

    it('takes a mounted disk for formatted, whoever ended it', async () => {
      await stage();
      await changeRecord({ formatting: true });
      await stage();
      assert.isFalse((await recordOf())?.formatting, 'without its superblock the disk would be formatted again');
    });

    it('ends with no final code while something is mounted: after one kubelet would never unstage it', async () => {
      await stage();
      await writeFile(join(machine.stateDir, 'vol1.json'), 'nonsense');
      assert.match(await failureOf(stage()), /^UNAVAILABLE: .*vol1\.json can't be read/);
      await unlink(join(machine.stateDir, 'vol1.json'));
      await unlink(join(machine.root, 'sys/class/scsi_host/host2'));
      assert.match(await failureOf(stage()), /^UNAVAILABLE: .*no SCSI disk controller/);
    });

    it('refuses when the mounted disk was detached under it and the slot has another', async () => {
      await stage();
      await machine.addDisk('disk2', DISK_BYTES);
      await machine.plug(2, 'disk2');
      const elsewhere = { devicePath: 'SCSI (0:2)', volumeUniqueId: 'vol-unique1', sizeGB: '100' };
      assert.match(await failureOf(stage({ context: elsewhere })), /^UNAVAILABLE: .*detached while in use/);
    });

    it('is refused while the device that is mounted does not work', async () => {
      await stage();
      await writeFile(join(machine.root, 'sys/class/scsi_device/2:0:1:0/device/state'), 'offline\n');
      assert.match(await failureOf(stage()), /^UNAVAILABLE: .*SCSI state is offline/);
    });
  });

  describe('after an mkfs that did not end', () => {
    it('formats again, since the record says that it was ours', async () => {
      await machine.change('disk1', { 'mkfs-dies': '' });
      assert.match(await failureOf(stage()), /mkfs\.ext4/);
      await machine.change('disk1', { 'mkfs-dies': undefined });
      node = await machine.nodeServer();
      await stage();
      assert.lengthOf(await machine.mounts(), 1);
      assert.equal(await machine.trait('disk1', 'uuid'), UUID);
    });

    it('formats again in another slot, after it was unstaged and detached meanwhile', async () => {
      await machine.change('disk1', { 'mkfs-fails': '' });
      await failureOf(stage());
      await unstage();
      assert.deepEqual(machine.devices(), {}, 'it would be left behind as a ghost');
      await machine.unplug(1);
      await machine.change('disk1', { 'mkfs-fails': undefined });
      await machine.plug(2, 'disk1');
      node = await machine.nodeServer();
      await stage({ context: { devicePath: 'SCSI (0:2)', volumeUniqueId: 'vol-unique1', sizeGB: '100' } });
      assert.lengthOf(await machine.mounts(), 1);
      await unstage();
      assert.deepEqual(await machine.records(), []);
    });

    const stale: Record<string, () => Promise<void>> = {
      'before it wrote anything': async () => {
        await machine.change('disk1', { 'mkfs-fails': '' });
        await failureOf(stage());
        await machine.change('disk1', { 'mkfs-fails': undefined, 'noise-head': undefined });
      },
      'when it was complete': async () => {
        await stage();
        await changeRecord({ formatting: true });
      },
    };
    for (const [when, end] of Object.entries(stale)) {
      it(`does not format what another node has made of the disk, though its own mkfs stopped ${when}`, async () => {
        await end();
        await unstage();
        assert.deepEqual(await machine.records(), []);
        await machine.unplug(1);
        // A file system of the other node, of which the start can't be read any more.
        await machine.change('disk1', { type: undefined, uuid: UUID, blocks: '1000', 'noise-head': '' });
        await machine.plug(1, 'disk1');
        const formats = (await machine.calls('mkfs.ext4')).length;
        assert.match(await failureOf(stage()), /^FAILED_PRECONDITION: .*not empty/);
        assert.lengthOf(await machine.calls('mkfs.ext4'), formats);
      });
    }

    it('is unstaged also from a disk that does not answer any more', async () => {
      await machine.change('disk1', { 'mkfs-fails': '' });
      await failureOf(stage());
      await machine.change('disk1', { 'blkid-fails': '' });
      await unstage();
      assert.deepEqual(machine.devices(), {});
      assert.deepEqual(await machine.records(), ['vol1']);
    });

    it('formats xfs again, of which mkfs writes the superblock first, on any node', async () => {
      const xfs = { volume_capability: formattedWith('xfs') };
      await machine.change('disk1', { 'mkfs-dies': '' });
      assert.match(await failureOf(stage(xfs)), /mkfs\.xfs/);
      await machine.change('disk1', { 'mkfs-dies': undefined });
      await rm(join(machine.stateDir, 'vol1.json'));
      await stage(xfs);
      assert.lengthOf(await machine.mounts(), 1);
      assert.isUndefined(await machine.trait('disk1', 'unfinished'));
    });

    it('does not format a disk of another unique id', async () => {
      await machine.change('disk1', { 'mkfs-fails': '' });
      assert.match(await failureOf(stage()), /Input\/output error/);
      await machine.change('disk1', { 'mkfs-fails': undefined });
      const other = { devicePath: 'SCSI (0:1)', volumeUniqueId: 'vol-unique2', sizeGB: '100' };
      assert.match(await failureOf(stage({ context: other })), /^FAILED_PRECONDITION: .*not empty/);
      await unstage();
      assert.match(await failureOf(stage({ context: other })), /^FAILED_PRECONDITION: .*not empty/);
      assert.match(
        await failureOf(stage({ context: { devicePath: 'SCSI (0:1)' } })),
        /^FAILED_PRECONDITION: .*not empty/,
      );
      assert.lengthOf(await machine.calls('mkfs.ext4'), 1);
    });

    it('does not keep the slot from other volumes', async () => {
      await machine.change('disk1', { 'mkfs-fails': '' });
      await failureOf(stage());
      await machine.unplug(1);
      await machine.addDisk('disk2', DISK_BYTES);
      await machine.plug(1, 'disk2');
      await stage({ volume_id: 'vol2', context: { devicePath: 'SCSI (0:1)', volumeUniqueId: 'u2', sizeGB: '100' } });
      assert.equal(await machine.trait('disk2', 'uuid'), fileSystemUuid('u2'));
    });

    it('never formats a file system that is recognised, whatever the record says', async () => {
      await machine.change('disk1', { 'mkfs-fails': '' });
      await failureOf(stage());
      // Meanwhile another node has formatted and used the disk.
      const blocks = String(Math.floor(DISK_BYTES / 4096));
      await machine.change('disk1', { type: 'ext4', uuid: UUID, blocks, 'fsck-exit': '4', 'mkfs-fails': undefined });
      assert.match(await failureOf(stage()), /^FAILED_PRECONDITION: .*e2fsck/);
      assert.lengthOf(await machine.calls('mkfs.ext4'), 1);
    });

    it('waits for the mkfs of a driver that has died', async () => {
      await machine.change('disk1', { 'mkfs-fails': '' });
      await failureOf(stage());
      await machine.change('disk1', { 'mkfs-fails': undefined });
      const number = await readFile(machine.attributePath('sdb', 'dev'), 'utf8');
      const lock = join(machine.stateDir, 'vol1.lock');
      const tool = spawn('flock', [lock, 'cat'], { stdio: ['pipe', 'pipe', 'ignore'] });
      tool.stdin.write('locked\n');
      await once(tool.stdout, 'data');
      node = await machine.nodeServer();
      assert.match(await failureOf(stage()), /^ABORTED: an earlier mkfs/);
      assert.equal(await readFile(machine.attributePath('sdb', 'dev'), 'utf8'), number, 'the device was deleted');
      tool.stdin.end();
      await once(tool, 'close');
      await stage();
      assert.lengthOf(await machine.mounts(), 1);
    });

    it('answers a caller that gives up, lets mkfs end, and refuses others until then', async () => {
      const gate = join(machine.home, 'disks/disk1/mkfs-waits');
      await promisify(execFile)('mkfifo', [gate]);
      const caller = new AbortController();
      const staging = node.NodeStageVolume(stageRequest(machine), caller.signal);
      while ((await machine.calls('mkfs.ext4')).length === 0) await new Promise(setImmediate);
      caller.abort(new Error('gave up'));
      assert.match(await failureOf(staging), /gave up/);
      assert.match(await failureOf(stage()), /^ABORTED/);
      await writeFile(gate, 'go\n');
      while ((await failureOf(stage())).startsWith('ABORTED')) await new Promise(setImmediate);
      assert.lengthOf(await machine.calls('mkfs.ext4'), 1);
      assert.lengthOf(await machine.mounts(), 1);
    });
  });

  it('keeps a record that says which disk is staged, and where', async () => {
    await stage();
    const record = JSON.parse(await readFile(join(machine.stateDir, 'vol1.json'), 'utf8')) as StageRecord;
    assert.deepInclude(record, { slot: 1, device: 'sdb', number: '8:32', volumeUniqueId: 'vol-unique1', sizeGB: 100 });
    assert.isFalse(record.formatting);
  });

  it('refuses two volumes that are staged in one slot at the same time', async () => {
    const outcomes = await Promise.all([failureOf(stage()), failureOf(stage({ volume_id: 'vol2' }))]);
    assert.match(outcomes.join('\n'), /ABORTED: another operation on volume in SCSI slot 1/);
    assert.lengthOf(await machine.mounts(), 1);
  });

  describe('refuses with INVALID_ARGUMENT', () => {
    const requests: Record<string, Parameters<typeof stageRequest>[1]> = {
      'no volume_id': { volume_id: '' },
      'a volume_id that is a path': { volume_id: '../vol1' },
      'no staging path': { staging_target_path: '' },
      'a relative staging path': { staging_target_path: 'globalmount' },
      'no capability': { volume_capability: null },
      'a file system that is not served': { volume_capability: formattedWith('zfs') },
      'several writers': {
        volume_capability: { ...mountCapability(), access_mode: { mode: 'MULTI_NODE_MULTI_WRITER' } },
      },
      'no devicePath': { context: { device: '/dev/mock' } },
      'the system disk': { context: { devicePath: 'SCSI (0:0)' } },
      'another controller': { context: { devicePath: 'SCSI (1:1)' } },
      'a size that is none': { context: { devicePath: 'SCSI (0:1)', sizeGB: '1e2' } },
    };
    for (const [what, request] of Object.entries(requests)) {
      it(what, async () => {
        assert.match(await failureOf(stage(request)), /^INVALID_ARGUMENT: /);
        await untouched();
      });
    }
  });

  it('does not take the staged disk from a published volume', async () => {
    await stage();
    await node.NodePublishVolume(publishRequest(machine), patient);
    // Somebody unmounted the staging path by hand; the pod still writes.
    await promisify(execFile)('umount', [stagingPath(machine)]);
    assert.match(await failureOf(stage()), /^UNAVAILABLE: .*in use: mounted at .*pod1/);
    assert.deepEqual(machine.devices(), { 1: 'sdb' });
  });

  it('ends with no final code while a failed unstaging has left its disk in use: after one it would be detached', async () => {
    await stage();
    const holder = machine.attributePath('sdb', 'holders/dm-0');
    await writeFile(holder, '');
    assert.match(await failureOf(unstage()), /^FAILED_PRECONDITION: .*still in use: held by dm-0/);
    assert.match(await failureOf(stage()), /^UNAVAILABLE: .*in use: held by dm-0/);
    await rm(holder);
    await stage();
    assert.lengthOf(await machine.mounts(), 1);
  });
});

describe('planStage', () => {
  const disk = { slot: 1, name: 'sdb', number: '8:16', node: '/dev/sdb', scsiFolder: '', blockFolder: '' };
  const mount = {
    device: '8:16',
    root: '/',
    point: '/s',
    readOnly: false,
    fileSystemReadOnly: false,
    fileSystem: 'ext4',
    source: '/dev/sdb',
  };
  const wish: StageWish = {
    volumeId: 'v',
    path: '/s',
    access: 'mount',
    fileSystem: 'ext4',
    slot: 1,
    mountFlags: [],
    volumeUniqueId: 'u',
    sizeGB: 100,
  };
  const blockWish: StageWish = { ...wish, access: 'block', fileSystem: '' };
  const wishes = fc.constantFrom(wish, blockWish);
  const record: StageRecord = {
    volumeId: 'v',
    access: 'mount',
    fileSystem: 'ext4',
    slot: 1,
    device: 'sdb',
    number: '8:16',
    bootId: '',
    volumeUniqueId: 'u',
    sizeGB: 100,
    mountFlags: [],
    formatting: false,
    unfinishedReadOnly: [],
  };
  const blockRecord: StageRecord = { ...record, access: 'block', fileSystem: '' };
  const views = fc.record({
    mounted: fc.constantFrom(undefined, mount, { ...mount, device: '8:32' }, { ...mount, fileSystem: 'xfs' }),
    disk: fc.constantFrom(undefined, disk),
    fault: fc.constantFrom(undefined, 'dead'),
    uses: fc.constantFrom<readonly string[]>([], ['mounted at /x']),
    published: fc.boolean(),
    record: fc.constantFrom(
      undefined,
      record,
      blockRecord,
      { ...record, volumeUniqueId: 'w' },
      { ...blockRecord, volumeUniqueId: 'w' },
      { ...blockRecord, number: '8:48' },
    ),
    claim: fc.constantFrom(undefined, { ...record, volumeId: 'w' }, { ...blockRecord, volumeId: 'w' }),
  });

  it('brings up only where nothing is at the path, nobody uses the device and no other volume is staged on it', () => {
    fc.assert(
      fc.property(wishes, views, (want, view: StageView) => {
        const plan = planStage(want, view);
        if (plan.do !== 'bring-up') return;
        assert.isUndefined(view.mounted);
        assert.isFalse(view.claim?.access === 'block' && view.claim.number === view.disk?.number, 'another is staged');
        if (plan.forget === undefined) return;
        assert.isEmpty(view.uses);
        assert.isFalse(view.record?.access === 'block' && view.record.number === plan.forget.number, 'it is staged');
      }),
    );
  });

  it('calls staged only what is mounted, recorded or published from the disk in the slot, as it is wanted', () => {
    fc.assert(
      fc.property(wishes, views, (want, view: StageView) => {
        const plan = planStage(want, view);
        if (plan.do !== 'nothing' && plan.do !== 'adopt') return;
        assert.strictEqual(plan.disk, view.disk);
        assert.isUndefined(view.fault);
        if (want.access === 'mount') {
          assert.deepInclude(view.mounted, { device: plan.disk.number, fileSystem: want.fileSystem });
        } else {
          assert.isUndefined(view.mounted);
          const recorded = view.record?.access === 'block' && view.record.number === plan.disk.number;
          assert.isTrue(recorded || view.published);
        }
        if (plan.do === 'nothing') assert.deepInclude(view.record, { access: want.access, volumeUniqueId: 'u' });
      }),
    );
  });

  it('refuses a path at which this volume was staged from a disk of another unique id', () => {
    const view = { mounted: mount, disk, fault: undefined, uses: [], published: false, record, claim: undefined };
    const plan = planStage({ ...wish, volumeUniqueId: 'w' }, view);
    assert.deepInclude(plan, { do: 'refuse', code: status.UNAVAILABLE });
  });
});
