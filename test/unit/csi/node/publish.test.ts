import { existsSync, lstatSync } from 'node:fs';
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { assert } from 'chai';
import * as fc from 'fast-check';
import type { StageRecord } from '../../../../csi/linux/record.ts';
import type { NodeHandlers } from '../../../../csi/node/node.ts';
import { planPublish } from '../../../../csi/node/publish.ts';
import type { PublishView, PublishWish } from '../../../../csi/node/publish.ts';
import { DISK_BYTES, FakeMachine } from './fake-machine.ts';
import {
  BLOCK_CAPABILITY,
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

  const unfinished = async () => (await (await machine.service()).records.get('vol1'))?.unfinishedReadOnly;
  const changeRecord = async (changes: Partial<StageRecord>): Promise<void> => {
    const { records } = await machine.service();
    const record = await records.get('vol1');
    await records.save({ ...record!, ...changes });
  };

  it('goes by the mount table when the mount command says that it failed', async () => {
    await writeFile(join(machine.home, 'bind-fails-late'), '');
    await publish();
    assert.deepEqual(await machine.mounts(), [STAGED, '8:32 kubelet/pods/pod1/mount rw']);
  });

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
      // Not a final code: after one the kubelet would never unpublish what is bound.
      assert.match(await failureOf(publish({ readonly: true })), /^UNAVAILABLE: .*remount/);
      await rm(join(machine.home, 'remount-fails'));
      node = await machine.nodeServer();
      await publish({ readonly: true });
      assert.deepEqual(await machine.mounts(), [STAGED, '8:32 kubelet/pods/pod1/mount ro']);
      assert.deepEqual(await unfinished(), []);
    });

    it('leaves no trace when the driver died before it took note that it was done', async () => {
      await publish({ readonly: true });
      await changeRecord({ unfinishedReadOnly: [targetPath(machine)] });
      await publish({ readonly: true });
      assert.deepEqual(await unfinished(), []);
      await changeRecord({ unfinishedReadOnly: [targetPath(machine)] });
      await unpublish();
      assert.deepEqual(await unfinished(), []);
    });

    it('notes a target once, however often its bind fails', async () => {
      await writeFile(join(machine.home, 'bind-fails'), '');
      await failureOf(publish({ readonly: true }));
      await failureOf(publish({ readonly: true }));
      assert.deepEqual(await unfinished(), [targetPath(machine)]);
    });

    it('is what a volume is everywhere that was staged read-only', async () => {
      await node.NodeUnstageVolume({ volume_id: 'vol1', staging_target_path: stagingPath(machine) }, patient);
      await node.NodeStageVolume(stageRequest(machine, { volume_capability: mountCapability('ro') }), patient);
      await publish();
      await publish();
      assert.lengthOf(await machine.mounts(), 2);
    });
  });

  describe('a volume for one pod only', () => {
    const forOnePod = {
      volume_capability: { ...mountCapability(), access_mode: { mode: 'SINGLE_NODE_SINGLE_WRITER' as const } },
    };
    const second = () => publish({ ...forOnePod, target_path: targetPath(machine, 'pod2') });

    it('comes to no second target while it is at the first', async () => {
      await publish(forOnePod);
      await publish(forOnePod);
      assert.match(await failureOf(second()), /^FAILED_PRECONDITION: .*one pod.*kubelet\/pods\/pod1\/mount/);
      assert.isFalse(existsSync(targetPath(machine, 'pod2')));
      await unpublish();
      await second();
      assert.deepEqual(await machine.mounts(), [STAGED, '8:32 kubelet/pods/pod2/mount rw']);
    });

    it('counts the subfolder that a pod still has of it', async () => {
      await machine.addMountRow(`50 1 8:32 /sub ${machine.home}/volume-subpaths/c/0 rw - ext4 /dev/sdb rw`);
      assert.match(await failureOf(second()), /^FAILED_PRECONDITION: .*volume-subpaths/);
    });

    it('comes to many targets when many writers on the node are asked for', async () => {
      const modes = { ...mountCapability(), access_mode: { mode: 'SINGLE_NODE_MULTI_WRITER' as const } };
      await publish({ volume_capability: modes });
      await publish({ volume_capability: modes, target_path: targetPath(machine, 'pod2') });
      assert.lengthOf(await machine.mounts(), 3);
    });
  });

  it('replaces what is dead at the target', async () => {
    await publish();
    await writeFile(join(machine.home, 'broken'), targetPath(machine));
    await publish();
    assert.deepEqual(await machine.mounts(), [STAGED, '8:32 kubelet/pods/pod1/mount rw']);
    assert.lengthOf(await machine.calls('umount'), 1);
  });

  it('ends with no final code while it is published: after one kubelet would never unpublish it', async () => {
    await publish();
    await writeFile(join(machine.stateDir, 'vol1.json'), 'nonsense');
    assert.match(await failureOf(publish()), /^UNAVAILABLE: .*vol1\.json can't be read/);
    assert.match(await failureOf(publish({ target_path: targetPath(machine, 'pod2') })), /^INTERNAL: /);
  });

  it('does not give out as a block volume what is staged as a file system', async () => {
    const asBlock = publish({ volume_capability: BLOCK_CAPABILITY });
    assert.match(await failureOf(asBlock), /^FAILED_PRECONDITION: .*staged for mount access/);
    assert.isFalse(existsSync(targetPath(machine)));
  });

  it('is ALREADY_EXISTS where another disk is mounted', async () => {
    await mkdir(targetPath(machine), { recursive: true });
    await machine.addMountRow(`50 1 8:99 / ${targetPath(machine)} rw - ext4 /dev/sdx rw`);
    assert.match(await failureOf(publish()), /^ALREADY_EXISTS: .*\/dev\/sdx \(8:99 \/\) is mounted/);
  });

  it('refuses when nothing, or another disk than was staged, is at the staging path', async () => {
    const elsewhere = { staging_target_path: stagingPath(machine, 'vol2') };
    assert.match(await failureOf(publish(elsewhere)), /^FAILED_PRECONDITION: .*nothing is staged/);
    await machine.addMountRow(`50 1 8:99 / ${stagingPath(machine)} rw - ext4 /dev/sdx rw`);
    assert.match(await failureOf(publish()), /^FAILED_PRECONDITION: .*8:99 is mounted/);
    assert.isFalse(existsSync(targetPath(machine)));
  });

  describe('of a volume that the Go driver has staged anew, after this driver had', () => {
    it('goes by what is mounted when the record is of before a reboot', async () => {
      await changeRecord({ number: '8:160', bootId: 'of before' });
      await publish();
      assert.deepEqual(await machine.mounts(), [STAGED, '8:32 kubelet/pods/pod1/mount rw']);
    });

    it('goes by what is mounted when the record tells of an mkfs only', async () => {
      await changeRecord({ device: '', number: '', formatting: true });
      await publish();
      assert.deepEqual(await machine.mounts(), [STAGED, '8:32 kubelet/pods/pod1/mount rw']);
    });
  });

  it('tells the missing field before the missing staging path', async () => {
    assert.match(await failureOf(publish({ volume_id: '' })), /^INVALID_ARGUMENT: volume_id/);
    assert.match(await failureOf(publish({ target_path: '' })), /^INVALID_ARGUMENT: target_path/);
    const bare = { volume_capability: null, staging_target_path: '' };
    assert.match(await failureOf(publish(bare)), /^INVALID_ARGUMENT: volume_capability/);
    assert.match(await failureOf(publish({ staging_target_path: '' })), /^FAILED_PRECONDITION: staging_target_path/);
  });

  it('never mounts through a link at the target: it would show elsewhere', async () => {
    await mkdir(join(machine.home, 'elsewhere'));
    await mkdir(join(targetPath(machine), '..'), { recursive: true });
    await symlink(join(machine.home, 'elsewhere'), targetPath(machine));
    assert.match(await failureOf(publish()), /^INTERNAL: .*is a link/);
    assert.deepEqual(await machine.mounts(), [STAGED]);
    await unpublish();
    assert.isTrue(existsSync(join(machine.home, 'elsewhere')));
    await publish();
    assert.lengthOf(await machine.mounts(), 2);
  });

  it('unpublishes though the record of the volume is broken', async () => {
    await publish();
    await writeFile(join(machine.stateDir, 'vol1.json'), 'nonsense');
    await unpublish();
    assert.deepEqual(await machine.mounts(), [STAGED]);
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

describe('NodePublishVolume and NodeUnpublishVolume of a raw block volume', () => {
  let machine: FakeMachine;
  let node: NodeHandlers;

  beforeEach(async () => {
    machine = await FakeMachine.boot();
    node = await machine.nodeServer();
    await machine.addDisk('disk1', DISK_BYTES);
    await machine.plug(1, 'disk1');
  });
  afterEach(() => machine.stop());

  const devicePath = 'SCSI (0:1)';
  const stage = (): Promise<unknown> =>
    node.NodeStageVolume(stageRequest(machine, { volume_capability: BLOCK_CAPABILITY }), patient);
  const publish = (changes: Parameters<typeof publishRequest>[1] = {}): Promise<unknown> =>
    node.NodePublishVolume(publishRequest(machine, { volume_capability: BLOCK_CAPABILITY, ...changes }), patient);
  const unpublish = (target = targetPath(machine)): Promise<unknown> =>
    node.NodeUnpublishVolume({ volume_id: 'vol1', target_path: target }, patient);
  const PUBLISHED = '8:1 kubelet/pods/pod1/mount rw';

  it('binds the device node over a file, once', async () => {
    await stage();
    await publish();
    await publish();
    assert.isTrue(lstatSync(targetPath(machine)).isFile());
    assert.deepEqual(await machine.mounts(), [PUBLISHED]);
    const [bind] = await machine.calls('mount');
    assert.deepEqual(bind, ['--bind', join(machine.root, 'dev/sdb'), targetPath(machine)]);
  });

  it('unbinds it and takes the file away, every layer of the Go driver too', async () => {
    await stage();
    await publish();
    const [row = ''] = (await machine.mountTable()).slice(-1);
    await machine.addMountRow(row);
    await unpublish();
    assert.deepEqual(await machine.mounts(), []);
    assert.isFalse(existsSync(targetPath(machine)));
    await unpublish();
  });

  it('can be told to be read-only, and is another publication then', async () => {
    await stage();
    await publish({ readonly: true });
    await publish({ readonly: true });
    assert.deepEqual(await machine.mounts(), ['8:1 kubelet/pods/pod1/mount ro']);
    assert.match(await failureOf(publish()), /^ALREADY_EXISTS: .*already, read-only/);
  });

  it('comes to no second target when it is for one pod', async () => {
    await stage();
    const onePod = { ...BLOCK_CAPABILITY, access_mode: { mode: 'SINGLE_NODE_SINGLE_WRITER' as const } };
    await publish({ volume_capability: onePod });
    const second = publish({ volume_capability: onePod, target_path: targetPath(machine, 'pod2') });
    assert.match(await failureOf(second), /^FAILED_PRECONDITION: .*one pod/);
  });

  it('is in use while it is published: its disk can be neither unstaged nor staged as another volume', async () => {
    await stage();
    await publish();
    const staged = { volume_id: 'vol1', staging_target_path: stagingPath(machine) };
    assert.match(await failureOf(node.NodeUnstageVolume(staged, patient)), /^FAILED_PRECONDITION: .*pods\/pod1/);
    const another = node.NodeStageVolume(stageRequest(machine, { volume_id: 'vol2' }), patient);
    assert.match(await failureOf(another), /^FAILED_PRECONDITION: .*slot 1 holds volume vol1/);
    assert.deepEqual(machine.devices(), { 1: 'sdb' });
    await unpublish();
    await node.NodeUnstageVolume(staged, patient);
    assert.deepEqual(machine.devices(), {});
  });

  it('is refused before it is staged, and after a reboot until it is staged again', async () => {
    assert.match(await failureOf(publish()), /^FAILED_PRECONDITION: .*not staged/);
    await stage();
    await mkdir(join(machine.root, 'proc/sys/kernel/random'), { recursive: true });
    await writeFile(join(machine.root, 'proc/sys/kernel/random/boot_id'), 'second\n');
    assert.match(await failureOf(publish()), /^FAILED_PRECONDITION: .*not staged/);
    assert.isFalse(existsSync(targetPath(machine)));
  });

  it('is refused when its disk does not work any more, with no final code where it is published already', async () => {
    await stage();
    await publish();
    await machine.setState(1, 'offline');
    assert.match(await failureOf(publish()), /^UNAVAILABLE: .*SCSI state is offline/);
    const second = publish({ target_path: targetPath(machine, 'pod2') });
    assert.match(await failureOf(second), /^FAILED_PRECONDITION: .*SCSI state is offline/);
  });

  it('goes on serving what the Go driver staged, of which there is no record', async () => {
    await machine.discover(1);
    await publish({ publish_context: { devicePath } });
    assert.deepEqual(await machine.mounts(), [PUBLISHED]);
  });

  it("never takes another volume's disk for it, though the attachment says so", async () => {
    await node.NodeStageVolume(stageRequest(machine, { volume_id: 'vol2' }), patient);
    const mixedUp = publish({ publish_context: { devicePath } });
    assert.match(await failureOf(mixedUp), /^FAILED_PRECONDITION: .*not staged/);
  });

  it('is not what is in the slot where it was staged before it was attached to another one', async () => {
    await stage();
    assert.match(
      await failureOf(publish({ publish_context: { devicePath: 'SCSI (0:2)' } })),
      /^FAILED_PRECONDITION: .*not staged/,
    );
    assert.deepEqual(await machine.mounts(), []);
  });

  it('is not bound over a folder, and a file with data in it is not deleted', async () => {
    await stage();
    await mkdir(targetPath(machine), { recursive: true });
    assert.match(await failureOf(publish()), /EISDIR/);
    await unpublish();
    await writeFile(targetPath(machine), 'precious');
    assert.match(await failureOf(unpublish()), /^INTERNAL: .*data; it is not deleted/);
    assert.isTrue(existsSync(targetPath(machine)));
  });
});

describe('planPublish', () => {
  const mount = {
    device: '8:16',
    root: '/',
    point: '',
    readOnly: false,
    fileSystemReadOnly: false,
    fileSystem: 'ext4',
    source: '/dev/sdb',
  };
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
  const mounts = fc.constantFrom(
    undefined,
    mount,
    { ...mount, readOnly: true },
    { ...mount, device: '8:32' },
    { ...mount, root: '/part' },
  );
  const views = fc.record({
    source: mounts,
    published: mounts,
    others: fc.constantFrom<(readonly string[])[]>([], ['/other']),
    fault: fc.constantFrom(undefined, 'dead'),
    record: fc.constantFrom(
      undefined,
      record,
      { ...record, unfinishedReadOnly: ['/t'] },
      { ...record, number: '8:48' },
      { ...record, access: 'block' as const, fileSystem: '' as const },
    ),
  });
  const wishes = fc.record({
    volumeId: fc.constant('v'),
    staging: fc.constant('/s'),
    target: fc.constant('/t'),
    readOnly: fc.boolean(),
    access: fc.constantFrom('mount' as const, 'block' as const),
    accessMode: fc.constantFrom(
      'SINGLE_NODE_WRITER' as const,
      'SINGLE_NODE_MULTI_WRITER' as const,
      'SINGLE_NODE_SINGLE_WRITER' as const,
    ),
    slot: fc.constant(1),
  });

  it('calls published only what is the staged disk, and read-only as was asked', () => {
    fc.assert(
      fc.property(wishes, views, (wish: PublishWish, view: PublishView) => {
        if (planPublish(wish, view).do !== 'nothing') return;
        assert.equal(view.published?.device, view.source?.device);
        assert.equal(view.published?.root, view.source?.root);
        assert.equal(view.published?.readOnly, wish.readOnly || view.source?.readOnly);
      }),
    );
  });

  it('mounts nothing over a mount, nothing that is not what was staged as it was staged, and nothing dead', () => {
    fc.assert(
      fc.property(wishes, views, (wish: PublishWish, view: PublishView) => {
        if (planPublish(wish, view).do !== 'bind') return;
        assert.isUndefined(view.published);
        assert.isDefined(view.source);
        assert.isUndefined(view.fault);
        assert.equal(view.record?.access ?? wish.access, wish.access);
        if (wish.access === 'mount') assert.equal(view.record?.number ?? view.source?.device, view.source?.device);
      }),
    );
  });

  it('ends with a final code only where nothing is at the target, or something else than is wanted', () => {
    fc.assert(
      fc.property(wishes, views, (wish: PublishWish, view: PublishView) => {
        const plan = planPublish(wish, view);
        if (plan.do !== 'refuse' || view.published === undefined) return;
        assert.include([status.UNAVAILABLE, status.ALREADY_EXISTS], plan.code);
      }),
    );
  });

  it('gives a volume for one pod to a second one never, and any other to as many as like', () => {
    fc.assert(
      fc.property(wishes, views, (wish: PublishWish, view: PublishView) => {
        const plan = planPublish(wish, view);
        const alone = planPublish(wish, { ...view, others: [] });
        if (wish.accessMode !== 'SINGLE_NODE_SINGLE_WRITER') assert.deepEqual(plan, alone);
        else if (view.others.length > 0) assert.notEqual(plan.do, 'bind');
      }),
    );
  });
});
