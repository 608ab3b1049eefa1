import { writeFile } from 'node:fs/promises';
import { assert } from 'chai';
import { foreignDisks, VolumeLimit } from '../../../../csi/node/volume-limit.ts';
import type { VolumeLimitOptions } from '../../../../csi/node/volume-limit.ts';
import type { NodeService } from '../../../../csi/node/service.ts';
import { DISK_BYTES, FakeMachine } from './fake-machine.ts';
import { patient, stageRequest } from './requests.ts';

const attached = (...ids: readonly string[]) => ({ attachedVolumes: () => Promise.resolve(new Set(ids)) });

describe('VolumeLimit', () => {
  let machine: FakeMachine;
  let service: NodeService;

  beforeEach(async () => {
    machine = await FakeMachine.boot();
    service = await machine.service();
  });
  afterEach(() => machine.stop());

  const limit = ({ attachedVolumes, ...options }: VolumeLimitOptions & Partial<NodeService> = {}): VolumeLimit =>
    new VolumeLimit({ ...service, attachedVolumes }, options);
  const plug = async (slot: number): Promise<string> => {
    await machine.addDisk(`disk${slot}`, DISK_BYTES);
    await machine.plug(slot, `disk${slot}`);
    return machine.discover(slot);
  };
  const hold = async (slot: number): Promise<void> =>
    writeFile(machine.attributePath(await plug(slot), 'holders/md0'), '');

  it('is all slots of a server that has no other disks', async () => {
    assert.equal(await limit().volumes(patient), 14);
  });

  it('is what the flags say, whatever is found', async () => {
    await hold(1);
    assert.equal(await limit({ volumeAttachLimit: 5 }).volumes(patient), 5);
    assert.equal(await limit({ reservedVolumeAttachments: 0 }).volumes(patient), 14);
    assert.equal(await limit({ reservedVolumeAttachments: 13 }).volumes(patient), 1);
  });

  it('is never 0, which would mean "no limit"', async () => {
    for (let slot = 1; slot <= 15; slot++) if (slot !== 7) await hold(slot);
    assert.equal(await limit().volumes(patient), 1);
  });

  it('counts neither a volume that is staged, by this driver or the Go driver, nor a raw block volume', async () => {
    const node = await machine.nodeServer();
    await plug(1);
    await node.NodeStageVolume(stageRequest(machine), patient);
    const number = '8:200';
    await writeFile(machine.attributePath(await plug(2), 'dev'), `${number}\n`);
    await machine.addMountRow(`50 1 ${number} / /k/plugins/kubernetes.io/csi/x/globalmount rw - ext4 /dev/sdc rw`);
    await plug(3);
    const target = '/k/plugins/kubernetes.io/csi/volumeDevices/publish/pv/pod';
    await machine.addMountRow(`51 1 8:1 ${machine.home}/disks/disk3/image ${target} rw - ext4 /dev/sda1 rw`);
    await hold(4);
    assert.equal(await limit().volumes(patient), 13);
  });

  describe('with an idle disk that is no volume of ours', () => {
    beforeEach(() => plug(1));

    it('takes it off only when it stays: at first it may be one that is being created or attached', async () => {
      const volumes = limit(attached());
      assert.equal(await volumes.volumes(patient), 14);
      await machine.sleep(60_000);
      assert.equal(await volumes.volumes(patient), 14);
      await machine.sleep(60_000);
      assert.equal(await volumes.volumes(patient), 13);
    });

    it('does not take off what comes and goes', async () => {
      const volumes = limit(attached());
      await volumes.volumes(patient);
      await machine.sleep(60_000);
      await machine.remove(1);
      await volumes.volumes(patient);
      await plug(2);
      await machine.sleep(60_000);
      assert.equal(await volumes.volumes(patient), 14);
    });

    it('does not take off what Kubernetes has attached, though no pod has come to use it', async () => {
      const volumes = limit(attached('vol1'));
      await volumes.volumes(patient);
      await machine.sleep(200_000);
      assert.equal(await volumes.volumes(patient), 14);
    });

    it('does not take off a disk that has left, nor any while Kubernetes can not be asked', async () => {
      const [dead, blind, failing] = [
        limit(attached()),
        limit({ attachedVolumes: () => Promise.resolve(undefined) }),
        limit({ attachedVolumes: () => Promise.reject(new Error('forbidden')) }),
      ];
      for (const volumes of [dead, blind, failing]) await volumes.volumes(patient);
      await machine.sleep(200_000);
      assert.equal(await blind.volumes(patient), 14);
      assert.equal(await failing.volumes(patient), 14);
      await machine.unplug(1);
      assert.equal(await dead.volumes(patient), 14);
    });

    it('leaves alone a disk whose slot somebody works in: to look would make the mount fail', async () => {
      const volumes = limit(attached());
      await volumes.volumes(patient);
      await machine.sleep(200_000);
      await service.slots.hold('in SCSI slot 1', async () => assert.equal(await volumes.volumes(patient), 14));
    });
  });
});

describe('foreignDisks', () => {
  const cases: readonly (readonly [what: string, seen: Parameters<typeof foreignDisks>[0], count: number])[] = [
    ['those in use', { staged: 3, inUse: 2, lasting: 0, attached: 3 }, 2],
    ['idle ones beyond what is attached', { staged: 1, inUse: 0, lasting: 3, attached: 2 }, 2],
    ['none that is attached', { staged: 0, inUse: 0, lasting: 3, attached: 5 }, 0],
    [
      'no less for volumes that are staged and not listed as attached',
      { staged: 4, inUse: 1, lasting: 1, attached: 0 },
      2,
    ],
    ['no idle one if nothing is known', { staged: 0, inUse: 1, lasting: 5, attached: undefined }, 1],
  ];
  for (const [what, seen, count] of cases) it(`counts ${what}`, () => assert.equal(foreignDisks(seen), count));
});
