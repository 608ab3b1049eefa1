import { existsSync } from 'node:fs';
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { assert } from 'chai';
import * as fc from 'fast-check';
import type { StageRecord } from '../../../../csi/linux/record.ts';
import type { NodeHandlers } from '../../../../csi/node/node.ts';
import { planPublish } from '../../../../csi/node/publish.ts';
import type { PublishView, PublishWish } from '../../../../csi/node/publish.ts';
import { DISK_BYTES, FakeMachine } from './fake-machine.ts';
import {
  failureOf,
  mountCapability,
  patient,
  publishRequest,
  stageRequest,
  stagingPath,
  targetPath,
} from './requests.ts';

describe('NodePublishVolume and NodeUnpublishVolume', () => {
  let machine: FakeMachine;
  let node: NodeHandlers;

  const STAGED = '8:32 kubelet/plugins/kubernetes.io/csi/vol1/globalmount rw';

  beforeEach(async () => {
    machine = await FakeMachine.boot();
    node = await machine.nodeServer();
    await machine.addDisk('disk1', DISK_BYTES);
    await machine.plug(1, 'disk1');
    await node.NodeStageVolume(stageRequest(machine), patient);
  });
  afterEach(() => machine.stop());

  const publish = (changes: Parameters<typeof publishRequest>[1] = {}): Promise<unknown> =>
    node.NodePublishVolume(publishRequest(machine, changes), patient);
  const unpublish = (target = targetPath(machine), volumeId = 'vol1'): Promise<unknown> =>
    node.NodeUnpublishVolume({ volume_id: volumeId, target_path: target }, patient);

  it('makes the target and binds the staged volume to it', async () => {
    await publish();
    assert.deepEqual(await machine.mounts(), [STAGED, '8:32 kubelet/pods/pod1/mount rw']);
  });

  it('stacks nothing when repeated', async () => {
    await publish();
    await publish();
    assert.lengthOf(await machine.mounts(), 2);
  });

  it('serves two pods of the node', async () => {
    await publish();
    await publish({ target_path: targetPath(machine, 'pod2') });
    assert.lengthOf(await machine.mounts(), 3);
    await unpublish();
    assert.deepEqual(await machine.mounts(), [STAGED, '8:32 kubelet/pods/pod2/mount rw']);
  });

  it('accepts paths with blanks and letters of any script', async () => {
    const target = join(machine.home, 'pods/データ 1/mount');
    await publish({ target_path: target });
    await publish({ target_path: target });
    assert.lengthOf(await machine.mounts(), 2);
    await unpublish(target);
    assert.isFalse(existsSync(target));
  });

  it('finds a target that is reached through a link', async () => {
    await mkdir(join(machine.home, 'real'));
    await symlink(join(machine.home, 'real'), join(machine.home, 'link'));
    await publish({ target_path: join(machine.home, 'link/mount') });
    await publish({ target_path: join(machine.home, 'link/mount') });
    assert.deepEqual(await machine.mounts(), [STAGED, '8:32 real/mount rw']);
    await unpublish(join(machine.home, 'link/mount'));
    assert.deepEqual(await machine.mounts(), [STAGED]);
  });

  describe('read-only', () => {
    it('makes only the target read-only', async () => {
      await publish({ readonly: true });
      assert.deepEqual(await machine.mounts(), [STAGED, '8:32 kubelet/pods/pod1/mount ro']);
      await publish({ readonly: true });
      assert.lengthOf(await machine.calls('mount'), 3);
    });

    it('is ALREADY_EXISTS where the volume is writable, and the other way round', async () => {
      await publish();
      assert.match(await failureOf(publish({ readonly: true })), /^ALREADY_EXISTS: .*already, writable/);
      const other = { target_path: targetPath(machine, 'pod2') };
      await publish({ ...other, readonly: true });
      assert.match(await failureOf(publish(other)), /^ALREADY_EXISTS: .*already, read-only/);
    });

    it('is completed after a crash between the bind and the remount', async () => {
      await writeFile(join(machine.home, 'remount-fails'), '');
      assert.match(await failureOf(publish({ readonly: true })), /remount/);
      await rm(join(machine.home, 'remount-fails'));
      node = await machine.nodeServer();
      await publish({ readonly: true });
      assert.deepEqual(await machine.mounts(), [STAGED, '8:32 kubelet/pods/pod1/mount ro']);
    });

    it('is what a volume is everywhere that was staged read-only', async () => {
      await node.NodeUnstageVolume({ volume_id: 'vol1', staging_target_path: stagingPath(machine) }, patient);
      await node.NodeStageVolume(stageRequest(machine, { volume_capability: mountCapability('ro') }), patient);
      await publish();
      await publish();
      assert.lengthOf(await machine.mounts(), 2);
    });
  });

  it('is ALREADY_EXISTS where another disk is mounted', async () => {
    await mkdir(targetPath(machine), { recursive: true });
    await machine.addMountRow(`50 1 8:99 / ${targetPath(machine)} rw - ext4 /dev/sdx rw`);
    assert.match(await failureOf(publish()), /^ALREADY_EXISTS: .*\/dev\/sdx \(8:99\) is mounted/);
  });

  it('refuses when nothing, or another disk than was staged, is at the staging path', async () => {
    const elsewhere = { staging_target_path: stagingPath(machine, 'vol2') };
    assert.match(await failureOf(publish(elsewhere)), /^FAILED_PRECONDITION: .*nothing is staged/);
    await machine.addMountRow(`50 1 8:99 / ${stagingPath(machine)} rw - ext4 /dev/sdx rw`);
    assert.match(await failureOf(publish()), /^FAILED_PRECONDITION: .*8:99 is mounted/);
    assert.isFalse(existsSync(targetPath(machine)));
  });

  it('tells the missing field before the missing staging path', async () => {
    assert.match(await failureOf(publish({ volume_id: '' })), /^INVALID_ARGUMENT: volume_id/);
    assert.match(await failureOf(publish({ target_path: '' })), /^INVALID_ARGUMENT: target_path/);
    const bare = { volume_capability: null, staging_target_path: '' };
    assert.match(await failureOf(publish(bare)), /^INVALID_ARGUMENT: volume_capability/);
    assert.match(await failureOf(publish({ staging_target_path: '' })), /^FAILED_PRECONDITION: staging_target_path/);
  });

  it('unpublishes what was published, and takes the target away', async () => {
    await publish();
    await unpublish();
    assert.deepEqual(await machine.mounts(), [STAGED]);
    assert.isFalse(existsSync(targetPath(machine)));
  });

  it('unpublishes every layer that the Go driver stacked', async () => {
    await publish();
    await machine.addMountRow(`50 1 8:32 / ${targetPath(machine)} rw - ext4 /dev/sdb rw`);
    await unpublish();
    assert.deepEqual(await machine.mounts(), [STAGED]);
  });

  it('is fine to unpublish what is not mounted, and what never was', async () => {
    await mkdir(targetPath(machine), { recursive: true });
    await unpublish();
    assert.isFalse(existsSync(targetPath(machine)));
    await unpublish();
    await unpublish('/no/such/folder/mount', 'fake-vol-id');
  });

  it('never deletes files: a target that is not empty is an error', async () => {
    await mkdir(targetPath(machine), { recursive: true });
    await writeFile(join(targetPath(machine), 'precious'), '');
    assert.match(await failureOf(unpublish()), /ENOTEMPTY/);
    assert.isTrue(existsSync(join(targetPath(machine), 'precious')));
  });

  it('does not touch the target while the mount stays', async () => {
    await publish();
    await writeFile(join(machine.home, 'busy'), '');
    assert.match(await failureOf(unpublish()), /^INTERNAL: .*target is busy/);
    assert.isTrue(existsSync(targetPath(machine)));
  });
});

describe('planPublish', () => {
  const mount = { device: '8:16', root: '/', point: '', readOnly: false, fileSystem: 'ext4', source: '/dev/sdb' };
  const record: StageRecord = {
    volumeId: 'v',
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
  const mounts = fc.constantFrom(
    undefined,
    mount,
    { ...mount, readOnly: true },
    { ...mount, device: '8:32' },
    { ...mount, root: '/part' },
  );
  const views = fc.record({
    staged: mounts,
    published: mounts,
    record: fc.constantFrom(
      undefined,
      record,
      { ...record, unfinishedReadOnly: ['/t'] },
      { ...record, number: '8:48' },
    ),
  });
  const wishes = fc.record({
    volumeId: fc.constant('v'),
    staging: fc.constant('/s'),
    target: fc.constant('/t'),
    readOnly: fc.boolean(),
  });

  it('calls published only what is the staged disk, and read-only as was asked', () => {
    fc.assert(
      fc.property(wishes, views, (wish: PublishWish, { staged, published, record: known }: PublishView) => {
        if (planPublish(wish, { staged, published, record: known }).do !== 'nothing') return;
        assert.equal(published?.device, staged?.device);
        assert.equal(published?.readOnly, wish.readOnly || staged?.readOnly);
      }),
    );
  });

  it('mounts nothing over a mount, and nothing that is not the disk that was staged', () => {
    fc.assert(
      fc.property(wishes, views, (wish: PublishWish, { staged, published, record: known }: PublishView) => {
        if (planPublish(wish, { staged, published, record: known }).do !== 'bind') return;
        assert.isUndefined(published);
        assert.isDefined(staged);
        assert.isTrue(known === undefined || known.number === staged?.device);
      }),
    );
  });
});
