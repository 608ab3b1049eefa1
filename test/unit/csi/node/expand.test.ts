import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { assert } from 'chai';
import { leastBytesWanted } from '../../../../csi/node/expand.ts';
import type { NodeHandlers } from '../../../../csi/node/node.ts';
import { DISK_BYTES, FakeMachine } from './fake-machine.ts';
import {
  BLOCK_CAPABILITY,
  expandRequest,
  failureOf,
  formattedWith,
  mountCapability,
  patient,
  publishRequest,
  stageRequest,
  stagingPath,
  targetPath,
} from './requests.ts';

describe('NodeExpandVolume', () => {
  let machine: FakeMachine;
  let node: NodeHandlers;

  const GROWN_BLOCKS = String((2 * DISK_BYTES) / 4096);

  beforeEach(async () => {
    machine = await FakeMachine.boot();
    node = await machine.nodeServer();
    await machine.addDisk('disk1', DISK_BYTES);
    await machine.plug(1, 'disk1');
    await node.NodeStageVolume(stageRequest(machine), patient);
  });
  afterEach(() => machine.stop());

  const expand = (changes: Parameters<typeof expandRequest>[1] = {}): ReturnType<NodeHandlers['NodeExpandVolume']> =>
    node.NodeExpandVolume(expandRequest(machine, changes), patient);
  const grow = (): Promise<void> => machine.change('disk1', { size: String(2 * DISK_BYTES) });

  it('notices the new size and grows the file system', async () => {
    await grow();
    assert.deepEqual(await expand(), { capacity_bytes: String(2 * DISK_BYTES) });
    assert.equal(await machine.trait('disk1', 'blocks'), GROWN_BLOCKS);
  });

  it('works at a publish path, without a range', async () => {
    await node.NodePublishVolume(publishRequest(machine), patient);
    const answer = await expand({ volume_path: targetPath(machine), capacity_range: null });
    assert.deepEqual(answer, { capacity_bytes: String(DISK_BYTES) });
  });

  it('waits for the disk to show its new size', async () => {
    machine.later(12_000, grow);
    await expand();
    assert.equal(await machine.trait('disk1', 'blocks'), GROWN_BLOCKS);
  });

  it('is UNAVAILABLE when the disk stays small, and leaves the file system alone', async () => {
    assert.match(await failureOf(expand()), /^UNAVAILABLE: .*100000000000 bytes after 30 s .*200000000000 are needed/);
    assert.deepEqual(await machine.calls('resize2fs'), []);
  });

  it('writes no file for an id that no volume can have, though such a volume is mounted', async () => {
    await grow();
    const odd = { volume_id: '../elsewhere' };
    assert.match(await failureOf(expand(odd)), /^INVALID_ARGUMENT: .*not the id of a volume/);
    assert.isFalse(existsSync(join(machine.home, 'elsewhere.lock')));
  });

  it('does nothing when there is nothing to grow', async () => {
    await grow();
    await expand();
    await expand();
    assert.lengthOf(await machine.calls('resize2fs'), 1);
  });

  describe('where the kernel refuses', () => {
    beforeEach(async () => {
      await machine.change('disk1', { 'resize-refused': '' });
      await grow();
    });
    it('says so, and the next stage grows it', async () => {
      assert.match(await failureOf(expand()), /^INTERNAL: .*next NodeStageVolume.*Permission denied to resize/s);
      await node.NodeUnstageVolume({ volume_id: 'vol1', staging_target_path: stagingPath(machine) }, patient);
      await node.NodeStageVolume(stageRequest(machine), patient);
      assert.equal(await machine.trait('disk1', 'blocks'), GROWN_BLOCKS);
      assert.deepEqual(await expand(), { capacity_bytes: String(2 * DISK_BYTES) });
    });

    it('blames the missing capability if it is missing, and only then', async () => {
      const process = join(machine.root, 'proc/self/status');
      await writeFile(process, 'CapPrm:\t000001ffffffffff\nCapEff:\t000001fffeffffff\n');
      assert.match(await failureOf(expand()), /^INTERNAL: .*CAP_SYS_RESOURCE, which the node server lacks/);
      await writeFile(process, 'CapEff:\t000001ffffffffff\n');
      assert.notMatch(await failureOf(expand()), /CAP_SYS_RESOURCE/);
    });
  });

  it('leaves the file system of a read-only volume alone: the next writable stage grows it', async () => {
    await node.NodeUnstageVolume({ volume_id: 'vol1', staging_target_path: stagingPath(machine) }, patient);
    await node.NodeStageVolume(stageRequest(machine, { volume_capability: mountCapability('ro') }), patient);
    await grow();
    assert.deepEqual(await expand(), { capacity_bytes: String(2 * DISK_BYTES) });
    assert.deepEqual(await machine.calls('resize2fs'), []);
  });

  it('grows a file system that has to be named by a mount point at one that is writable', async () => {
    await machine.addDisk('disk2', DISK_BYTES);
    await machine.plug(2, 'disk2');
    const xfs = { volume_id: 'vol2', volume_capability: formattedWith('xfs') };
    const context = { devicePath: 'SCSI (0:2)', volumeUniqueId: 'u2', sizeGB: '100' };
    await node.NodeStageVolume(stageRequest(machine, { ...xfs, context }), patient);
    await node.NodePublishVolume(publishRequest(machine, { ...xfs, readonly: true }), patient);
    await machine.change('disk2', { size: String(2 * DISK_BYTES) });
    const answer = await expand({ volume_id: 'vol2', volume_path: targetPath(machine) });
    assert.deepEqual(answer, { capacity_bytes: String(2 * DISK_BYTES) });
    const grown = (await machine.calls('xfs_growfs')).filter(([option]) => option === '-d');
    assert.deepEqual(grown, [['-d', stagingPath(machine, 'vol2')]]);
  });

  describe('a raw block volume', () => {
    const devicePath = 'SCSI (0:2)';
    const vol2 = { volume_id: 'vol2', volume_capability: BLOCK_CAPABILITY };
    beforeEach(async () => {
      await machine.addDisk('disk2', DISK_BYTES);
      await machine.plug(2, 'disk2');
      const context = { devicePath, volumeUniqueId: 'u2', sizeGB: '100' };
      await node.NodeStageVolume(stageRequest(machine, { ...vol2, context }), patient);
      await node.NodePublishVolume(publishRequest(machine, vol2), patient);
      await mkdir(stagingPath(machine, 'vol2'), { recursive: true });
      await machine.change('disk2', { size: String(2 * DISK_BYTES) });
    });

    it('is as large as its disk, at a target and at the staging path', async () => {
      for (const path of [targetPath(machine), stagingPath(machine, 'vol2')]) {
        const answer = await expand({ volume_id: 'vol2', volume_path: path });
        assert.deepEqual(answer, { capacity_bytes: String(2 * DISK_BYTES) });
      }
    });

    it('is NOT_FOUND where no path is, and once it is not staged', async () => {
      const nowhere = { volume_id: 'vol2', volume_path: '/no/such/path' };
      assert.match(await failureOf(expand(nowhere)), /^NOT_FOUND/);
      await node.NodeUnpublishVolume({ volume_id: 'vol2', target_path: targetPath(machine) }, patient);
      const staged = { volume_id: 'vol2', staging_target_path: stagingPath(machine, 'vol2') };
      await node.NodeUnstageVolume(staged, patient);
      assert.match(await failureOf(expand({ ...nowhere, volume_path: machine.home })), /^NOT_FOUND/);
    });
  });

  it('is NOT_FOUND for a path that is not mounted, and for another volume', async () => {
    assert.match(await failureOf(expand({ volume_path: 'some/path' })), /^NOT_FOUND/);
    assert.match(await failureOf(expand({ volume_path: machine.home })), /^NOT_FOUND/);
    await machine.addMountRow(`50 1 8:1 / ${machine.home} rw - ext4 /dev/sda1 rw`);
    assert.match(await failureOf(expand({ volume_path: machine.home })), /^NOT_FOUND: .*not the disk of vol1/);
  });

  it('does not grow the disk of another volume', async () => {
    await machine.addDisk('disk2', DISK_BYTES);
    await machine.plug(2, 'disk2');
    const context = { devicePath: 'SCSI (0:2)', volumeUniqueId: 'u2', sizeGB: '100' };
    await node.NodeStageVolume(stageRequest(machine, { volume_id: 'vol2', context }), patient);
    const mixedUp = { volume_path: stagingPath(machine, 'vol2') };
    assert.match(await failureOf(expand(mixedUp)), /^NOT_FOUND: .*not the disk of vol1/);
  });

  it('refuses a range that has no size', async () => {
    const range = { required_bytes: String(200 * 2 ** 30), limit_bytes: String(100 * 2 ** 30) };
    assert.match(await failureOf(expand({ capacity_range: range })), /^OUT_OF_RANGE: limit_bytes/);
  });

  it('says which field is missing', async () => {
    assert.match(await failureOf(expand({ volume_id: '' })), /^INVALID_ARGUMENT: volume_id/);
    assert.match(await failureOf(expand({ volume_path: '' })), /^INVALID_ARGUMENT: volume_path/);
  });
});

describe('leastBytesWanted', () => {
  const GIB = 2 ** 30;
  const cases: readonly (readonly [string, number])[] = [
    ['0', 0],
    ['1', 1e9],
    [String(10 * GIB), 10e9],
    [String(200 * GIB), 200e9],
    [String(200 * GIB + 1), 201e9],
  ];
  for (const [requiredBytes, least] of cases) {
    it(`takes ${requiredBytes} bytes as ${least / 1e9} GB`, () => assert.equal(leastBytesWanted(requiredBytes), least));
  }
  it('refuses what is no size', () => {
    for (const text of ['-1', 'x', '9223372036854775807'])
      assert.throws(() => leastBytesWanted(text), /required_bytes/);
  });
});
