import { expect } from 'chai';
import { ControllerWorld } from './controller-world.ts';

const ID = '0c1d2e3f4a5b6c7d8e9fa0b1c2d3e4f5';
const PV = 'pvc-0c1d2e3f-4a5b-6c7d-8e9f-a0b1c2d3e4f5';

describe('ControllerGetVolume', () => {
  it('shows one volume as ListVolumes does, in one call of the cloud', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID, { on: 'node01', description: PV });
    world.cloud.addVolume('other');
    const { entries } = await world.call('ListVolumes', {});
    const calls = await world.callsOf(async () => {
      const answer = await world.call('ControllerGetVolume', { volume_id: ID });
      expect(answer).to.deep.equal(entries.find(({ volume }) => volume.volume_id === ID));
    });
    expect(calls).to.deep.equal(['DescribeVolumes']);
  });

  it('finds a disk that was renamed, and calls it what its caller does', async () => {
    const world = new ControllerWorld();
    const { uniqueId } = world.cloud.addVolume(ID);
    world.kube?.addPersistentVolume(PV, ID, { volumeUniqueId: uniqueId });
    world.cloud.renameVolume(ID, 'renamed');
    const { volume } = await world.call('ControllerGetVolume', { volume_id: ID });
    expect(volume.volume_id).to.equal(ID);
    expect(volume.volume_context).to.deep.equal({ volumeUniqueId: uniqueId });
  });

  it('refuses no id: INVALID_ARGUMENT, and an unknown one: NOT_FOUND', async () => {
    const world = new ControllerWorld();
    expect((await world.refusal('ControllerGetVolume', {})).code).to.equal('INVALID_ARGUMENT');
    expect((await world.refusal('ControllerGetVolume', { volume_id: 'fake-vol-id' })).code).to.equal('NOT_FOUND');
  });
});
