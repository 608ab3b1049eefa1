import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { assert } from 'chai';
import type { NodeService } from '../../../../csi/node/service.ts';
import { sweep, sweepUntil } from '../../../../csi/node/sweep.ts';
import { DISK_BYTES, FakeMachine } from './fake-machine.ts';
import { BLOCK_CAPABILITY, patient, publishRequest, stageRequest, stagingPath, targetPath } from './requests.ts';

describe('the sweep of dead disks', () => {
  let machine: FakeMachine;
  let service: NodeService;

  beforeEach(async () => {
    machine = await FakeMachine.boot();
    service = await machine.service();
  });
  afterEach(() => machine.stop());

  const plug = async (slot: number): Promise<string> => {
    await machine.addDisk(`disk${slot}`, DISK_BYTES);
    await machine.plug(slot, `disk${slot}`);
    return machine.discover(slot);
  };
  /** A device whose disk has left, as the creation of a volume leaves it behind. */
  const ghost = async (slot: number): Promise<string> => {
    const name = await plug(slot);
    await machine.unplug(slot);
    return name;
  };

  it('makes the kernel forget a disk that has left', async () => {
    await ghost(1);
    await ghost(15);
    await sweep(service, patient);
    assert.deepEqual(machine.devices(), {});
  });

  it('forgets one that the kernel has taken offline', async () => {
    await plug(3);
    await machine.setState(3, 'offline');
    await sweep(service, patient);
    assert.deepEqual(machine.devices(), {});
  });

  it('leaves an idle disk that works: somebody may be about to use it', async () => {
    await plug(1);
    await sweep(service, patient);
    assert.deepEqual(machine.devices(), { 1: 'sdb' });
  });

  it('leaves a disk that answers at the second look: it was just being plugged in', async () => {
    await plug(1);
    await machine.change('disk1', { dead: '' });
    machine.later(3_000, () => machine.change('disk1', { dead: undefined }));
    await sweep(service, patient);
    assert.deepEqual(machine.devices(), { 1: 'sdb' });
  });

  it('leaves a disk of which nothing is known, as the tool that reads it does not start for want of memory', async () => {
    await plug(1);
    await machine.change('disk1', { 'dd-exit': '127' });
    await sweep(service, patient);
    assert.deepEqual(machine.devices(), { 1: 'sdb' });
  });

  it('leaves a disk that does not answer at all: Linux itself will give it up', async () => {
    await plug(1);
    await machine.change('disk1', { 'dd-hangs': '' });
    await sweep(service, patient);
    await machine.change('disk1', { 'dd-hangs': undefined });
    assert.deepEqual(machine.devices(), { 1: 'sdb' });
  });

  const IN_USE: Readonly<Record<string, (name: string, number: string) => Promise<unknown>>> = {
    'is mounted': (name, number) => machine.addMountRow(`50 1 ${number} / /data rw - ext4 /dev/${name} rw`),
    'is held': (name) => writeFile(machine.attributePath(name, 'holders/dm-0'), ''),
    'is bound': () => machine.addMountRow(`50 1 8:1 ${machine.home}/disks/disk2/image /k/pod rw - ext4 /dev/sda1 rw`),
  };
  for (const [how, use] of Object.entries(IN_USE)) {
    it(`never touches a dead disk that ${how}`, async () => {
      const name = await plug(2);
      await use(name, (await machine.numberOf(name)) ?? '');
      await machine.setState(2, 'offline');
      await sweep(service, patient);
      assert.deepEqual(machine.devices(), { 2: 'sdb' });
    });
  }

  it('never touches a staged volume whose disk has died, mounted or raw', async () => {
    const node = await machine.nodeServer();
    await plug(1);
    await node.NodeStageVolume(stageRequest(machine), patient);
    await plug(2);
    const context = { devicePath: 'SCSI (0:2)', volumeUniqueId: 'u2', sizeGB: '100' };
    const raw = { volume_id: 'vol2', volume_capability: BLOCK_CAPABILITY };
    await node.NodeStageVolume(stageRequest(machine, { ...raw, context }), patient);
    for (const slot of [1, 2]) await machine.setState(slot, 'offline');
    await sweep(service, patient);
    assert.lengthOf(Object.keys(machine.devices()), 2);
  });

  it("never touches the Go driver's volumes, of which there is no record", async () => {
    const node = await machine.nodeServer();
    await plug(1);
    const raw = { volume_capability: BLOCK_CAPABILITY };
    await node.NodeStageVolume(stageRequest(machine, raw), patient);
    await node.NodePublishVolume(publishRequest(machine, { ...raw, target_path: targetPath(machine) }), patient);
    await rm(join(machine.stateDir, 'vol1.json'));
    await machine.setState(1, 'offline');
    await sweep(service, patient);
    assert.lengthOf(Object.keys(machine.devices()), 1);
  });

  it('never touches the system disk, nor a slot in which a volume is being staged', async () => {
    await ghost(4);
    await machine.setState(0, 'offline');
    await service.slots.hold('in SCSI slot 4', () => sweep(service, patient));
    assert.lengthOf(Object.keys(machine.devices()), 1);
    assert.equal(await readFile(machine.attributePath('sda', 'dev'), 'utf8'), '8:0\n');
  });

  it('does not take for dead what another device node says, where the host has lent no /dev', async () => {
    const name = await ghost(1);
    await rm(join(machine.root, 'dev', name));
    await sweep(service, patient);
    assert.lengthOf(Object.keys(machine.devices()), 1);
  });

  it('leaves nothing to do for the stage that finds the slot swept', async () => {
    await ghost(1);
    await sweep(service, patient);
    await machine.addDisk('new', DISK_BYTES);
    await machine.plug(1, 'new');
    await (await machine.nodeServer()).NodeStageVolume(stageRequest(machine), patient);
    assert.match((await machine.mounts()).join(), new RegExp(stagingPath(machine).replace(`${machine.home}/`, '')));
  });

  it('comes at the start and every now and then, and goes on after a failure, until it is stopped', async () => {
    const stop = new AbortController();
    const controller = join(machine.root, 'sys/class/scsi_host/host2');
    await rename(controller, join(machine.home, 'host2'));
    machine.later(500_000, () => rename(join(machine.home, 'host2'), controller));
    machine.later(500_000, async () => void (await ghost(5)));
    machine.later(1_300_000, async () => stop.abort());
    await sweepUntil(service, stop.signal);
    assert.deepEqual(machine.devices(), {});
    assert.isAbove(machine.monotonicMs(), 1_200_000);
    assert.include(machine.logger.lines, 'Dead disks could not be looked for');
  });
});
