import { expect } from 'chai';
import { Crash, lost } from '../disks/model-cloud.ts';
import { ControllerWorld } from './controller-world.ts';

const ID = '0c1d2e3f4a5b6c7d8e9fa0b1c2d3e4f5';
const PV = 'pvc-0c1d2e3f-4a5b-6c7d-8e9f-a0b1c2d3e4f5';

describe('DeleteVolume', () => {
  it('is done when the disk is gone, after three calls of the cloud', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID);
    const calls = await world.callsOf(() => world.call('DeleteVolume', { volume_id: ID }));
    expect(calls).to.deep.equal(['DescribeVolumes', 'DeleteVolume', 'DescribeVolumes']);
    expect(world.cloud.settledState()).to.deep.equal([]);
  });

  it('succeeds for a disk that does not exist, whatever the id looks like', async () => {
    const world = new ControllerWorld();
    await world.call('DeleteVolume', { volume_id: 'fake-vol-id' });
    expect(world.cloud.calls).to.deep.equal(['DescribeVolumes']);
  });

  it('ends what a birth or growth left behind, then deletes', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID, { on: 'node02' });
    await world.call('DeleteVolume', { volume_id: ID });
    expect(world.cloud.settledState()).to.deep.equal([]);
    expect(world.notices[0]).to.include({ about: 'Node/node02', reason: 'TemporaryAttachmentEnded' });
  });

  it('refuses a disk in use, by a VolumeAttachment or by somebody it does not know', async () => {
    for (const server of ['node01', 'rescue']) {
      const world = new ControllerWorld();
      world.cloud.addServer('rescue');
      world.cloud.addVolume(ID, { on: server });
      world.kube?.addVolumeAttachment(ID, 'node01', PV);
      const { code, message } = await world.refusal('DeleteVolume', { volume_id: ID });
      expect(code).to.equal('FAILED_PRECONDITION');
      expect(message).to.contain(server);
      expect(world.cloud.serverOf(ID)).to.equal(server);
    }
  });

  it('is done when its disk is gone, and never deletes another one that took the name', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID);
    world.kube?.addPersistentVolume(PV, ID, { volumeUniqueId: 'vol-original' });
    await world.call('DeleteVolume', { volume_id: ID });
    expect(world.cloud.serverOf(ID)).to.equal('');
    expect(world.cloud.calls).to.deep.equal(['DescribeVolumes']);
  });

  it('deletes the disk that was meant, although it was renamed and another took its name', async () => {
    const world = new ControllerWorld();
    const { uniqueId } = world.cloud.addVolume(ID);
    world.cloud.renameVolume(ID, 'renamed');
    world.cloud.addVolume(ID);
    world.kube?.addPersistentVolume(PV, ID, { volumeUniqueId: uniqueId });
    await world.call('DeleteVolume', { volume_id: ID });
    expect(world.cloud.settledState().map(({ id }) => id)).to.deep.equal([ID]);
  });

  it('works for a disk that the Go driver made', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume('ab12cd34', { description: PV });
    world.kube?.addPersistentVolume(PV, 'ab12cd34');
    await world.call('DeleteVolume', { volume_id: 'ab12cd34' });
    expect(world.cloud.settledState()).to.deep.equal([]);
  });

  it('ends deleted, wherever the process is killed and whatever answer is lost', async () => {
    for (let callNumber = 1; callNumber <= 5; callNumber += 1) {
      for (const [moment, fault] of [
        ['before', new Crash()],
        ['after', new Crash()],
        ['before', lost('any')],
        ['after', lost('any')],
      ] as const) {
        const world = new ControllerWorld();
        world.cloud.addVolume(ID, { on: 'node02' });
        world.cloud.fault = (_action, when, n) => {
          if (n === callNumber && when === moment) throw fault;
        };
        await world.call('DeleteVolume', { volume_id: ID }).catch(() => undefined);
        world.cloud.fault = () => undefined;
        world.restart();
        await world.call('DeleteVolume', { volume_id: ID });
        expect(world.cloud.settledState()).to.deep.equal([]);
      }
    }
  });

  it('needs a volume', async () => {
    expect((await new ControllerWorld().refusal('DeleteVolume', {})).code).to.equal('INVALID_ARGUMENT');
  });
});
