import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { assert } from 'chai';
import * as fc from 'fast-check';
import type { NodeHandlers } from '../../../../csi/node/node.ts';
import { nodeGetVolumeStats, parseUsage } from '../../../../csi/node/stats.ts';
import type { NodeGetVolumeStatsResponse } from '../../../../proto/gen/csi/v1/NodeGetVolumeStatsResponse.ts';
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

const request = (volumePath: string, volumeId = 'vol1') => ({
  volume_id: volumeId,
  volume_path: volumePath,
  staging_target_path: '',
});

describe('NodeGetVolumeStats', () => {
  let machine: FakeMachine;
  let node: NodeHandlers;

  const USAGE = [
    { unit: 'BYTES', total: '400000', used: '100000', available: '280000' },
    { unit: 'INODES', total: '50', used: '10', available: '40' },
  ];
  const SIZE_ONLY = [{ unit: 'BYTES', total: String(DISK_BYTES) }];

  beforeEach(async () => {
    machine = await FakeMachine.boot();
    node = await machine.nodeServer();
    await machine.addDisk('disk1', DISK_BYTES);
    await machine.plug(1, 'disk1');
    await writeFile(join(machine.home, 'usage'), '1000 400 300 280 50 40\n');
  });
  afterEach(() => machine.stop());

  const stats = (path = targetPath(machine), volumeId = 'vol1'): Promise<NodeGetVolumeStatsResponse> =>
    node.NodeGetVolumeStats(request(path, volumeId), patient);
  const condition = async (path?: string): Promise<string> => {
    const { volume_condition: found } = await stats(path);
    return `${found?.abnormal ? 'abnormal' : 'normal'}: ${found?.message}`;
  };
  const stageAndPublish = async (...flags: readonly string[]): Promise<void> => {
    const volume_capability = mountCapability(...flags);
    await node.NodeStageVolume(stageRequest(machine, { volume_capability }), patient);
    await node.NodePublishVolume(publishRequest(machine, { volume_capability }), patient);
  };

  it('tells bytes and inodes, at a target and at the staging path', async () => {
    await stageAndPublish();
    for (const path of [targetPath(machine), stagingPath(machine)]) {
      const answer = await stats(path);
      assert.deepEqual(answer.usage, USAGE as typeof answer.usage);
      assert.isFalse(answer.volume_condition?.abnormal);
    }
  });

  it('answers while another operation on the volume is running', async () => {
    await stageAndPublish();
    const service = await machine.service();
    await service.locks.hold('vol1', async () => {
      assert.lengthOf((await nodeGetVolumeStats(service, request(targetPath(machine)))).usage ?? [], 2);
    });
  });

  it('tells the size of a block volume, and nothing else', async () => {
    await node.NodeStageVolume(stageRequest(machine, { volume_capability: BLOCK_CAPABILITY }), patient);
    await node.NodePublishVolume(publishRequest(machine, { volume_capability: BLOCK_CAPABILITY }), patient);
    assert.deepEqual((await stats()).usage, SIZE_ONLY as NodeGetVolumeStatsResponse['usage']);
    assert.match(await condition(), /^normal/);
    assert.deepEqual(await machine.calls('stat'), []);
  });

  it('is NOT_FOUND where the volume is not: no answer is about the disk of the machine', async () => {
    assert.match(await failureOf(stats('some/path')), /^NOT_FOUND/);
    assert.match(await failureOf(stats('/no/such/path')), /^NOT_FOUND/);
    assert.match(await failureOf(stats(machine.home)), /^NOT_FOUND/);
    await stageAndPublish();
    assert.match(await failureOf(stats(machine.home)), /^NOT_FOUND/);
    await machine.addMountRow(`50 1 8:1 /x ${machine.home} rw - ext4 /dev/sda1 rw`);
    assert.match(await failureOf(stats(machine.home)), /^NOT_FOUND: .*8:1\) is not the disk of vol1/);
    assert.match(await failureOf(stats(machine.home, 'never-staged')), /^NOT_FOUND/);
  });

  it('serves what the Go driver staged, of which there is no record', async () => {
    await stageAndPublish();
    await rm(join(machine.stateDir, 'vol1.json'));
    assert.lengthOf((await stats()).usage ?? [], 2);
  });

  describe('says that a volume is not well', () => {
    it('when its file system does not answer, without waiting for it', async () => {
      await stageAndPublish();
      await writeFile(join(machine.home, 'mute'), targetPath(machine));
      const service = await machine.service();
      const [one, two] = await Promise.all([
        nodeGetVolumeStats(service, request(targetPath(machine))),
        nodeGetVolumeStats(service, request(targetPath(machine))),
      ]);
      await rm(join(machine.home, 'mute'));
      assert.deepEqual(one, two);
      assert.deepEqual(one.usage, SIZE_ONLY as typeof one.usage);
      assert.match(one.volume_condition?.message ?? '', /does not answer/);
      assert.lengthOf(await machine.calls('stat'), 1);
    });

    it('when its file system answers with errors', async () => {
      await stageAndPublish();
      await writeFile(join(machine.home, 'broken'), targetPath(machine));
      assert.match(await condition(), /^abnormal: .*Input\/output error/);
      assert.deepEqual((await stats()).usage, SIZE_ONLY as NodeGetVolumeStatsResponse['usage']);
    });

    it('when its device is not running', async () => {
      await stageAndPublish();
      await machine.setState(1, 'offline');
      assert.match(await condition(), /^abnormal: .*SCSI state is offline/);
    });

    it('when its disk has left', async () => {
      await stageAndPublish();
      await rm(join(machine.root, 'sys/class/scsi_device/2:0:1:0'), { recursive: true });
      assert.match(await condition(), /^abnormal: .*has left/);
    });

    it('when its file system has counted errors', async () => {
      await stageAndPublish();
      const counter = join(machine.root, 'sys/fs/ext4/sdb/errors_count');
      await mkdir(dirname(counter), { recursive: true });
      await writeFile(counter, '0\n');
      assert.match(await condition(), /^normal/);
      await writeFile(counter, '3\n');
      assert.match(await condition(), /^abnormal: 3 errors/);
    });

    it('when the kernel has made its file system read-only', async () => {
      await stageAndPublish();
      await machine.addMountRow(`60 1 8:32 / ${targetPath(machine)} rw - ext4 /dev/sdb ro`);
      assert.match(await condition(), /^abnormal: .*read-only/);
    });

    it('but not when it was staged read-only, or published so', async () => {
      await stageAndPublish();
      const path = targetPath(machine, 'reader');
      await node.NodePublishVolume(publishRequest(machine, { target_path: path, readonly: true }), patient);
      assert.match(await condition(path), /^normal/);
      for (const target of [path, targetPath(machine)]) {
        await node.NodeUnpublishVolume({ volume_id: 'vol1', target_path: target }, patient);
      }
      await node.NodeUnstageVolume({ volume_id: 'vol1', staging_target_path: stagingPath(machine) }, patient);
      await stageAndPublish('ro');
      assert.match(await condition(), /^normal/);
    });
  });

  it('says which field is missing', async () => {
    assert.match(await failureOf(stats('/x', '')), /^INVALID_ARGUMENT: volume_id/);
    assert.match(await failureOf(stats('')), /^INVALID_ARGUMENT: volume_path/);
  });
});

describe('parseUsage', () => {
  it('leaves out inodes where a file system counts none', () => {
    assert.deepEqual(
      parseUsage('4096 100 50 40 0 0\n')?.map(({ unit }) => unit),
      ['BYTES'],
    );
  });

  it('is exact for any disk: more than a double can hold', () => {
    const [bytes] = parseUsage('4096 9007199254740993 1 0 0 0') ?? [];
    assert.equal(bytes?.total, '36893488147419107328');
  });

  it('adds up, and takes no other text for an answer', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), fc.nat(), (blocks, free, inodes) => {
        const usage = parseUsage(`512 ${blocks + free} ${free} ${free} ${inodes + 1} 1`) ?? [];
        assert.equal(usage[0]?.used, String(BigInt(blocks) * 512n));
        assert.equal(usage[1]?.used, String(inodes));
      }),
    );
    for (const text of ['', '1 2 3 4 5', '1 2 3 4 5 x', '-1 2 3 4 5 6']) assert.isUndefined(parseUsage(text));
  });
});
