import { expect } from 'chai';
import { ControllerWorld, GIB, ZONE_KEY, mount, range } from './controller-world.ts';

/** As the cloud issued it; ours have 32 characters. */
const ID = 'ab12cd34';
const PV = 'pvc-0c1d2e3f-4a5b-6c7d-8e9f-a0b1c2d3e4f5';

/** Empty by the Go driver; the provisioner adds this. */
const volume_context = { 'storage.kubernetes.io/csiProvisionerIdentity': '1700000000000-1234-additional-storage' };

const capability = { ...mount, mount: { ...mount.mount, fs_type: 'xfs' } };

/** A disk as the Go driver made it for a PersistentVolume, which knows nothing of unique ids. */
function inherited(on?: string): ControllerWorld {
  const world = new ControllerWorld();
  world.cloud.addVolume(ID, { description: PV, ...(on === undefined ? {} : { on }) });
  world.kube?.addPersistentVolume(PV, ID, volume_context);
  if (on !== undefined) world.kube?.addVolumeAttachment(ID, on, PV);
  return world;
}

describe('a volume of the Go driver', () => {
  it('is found by CreateVolume, under its own handle', async () => {
    const world = inherited();
    const { volume } = await world.call('CreateVolume', { name: PV });
    expect(volume).to.include({ volume_id: ID, capacity_bytes: String(100 * GIB) });
    expect(volume.accessible_topology).to.deep.equal([{ segments: { [ZONE_KEY]: 'east-11' } }]);
    expect(world.cloud.count('CreateVolume')).to.equal(0);
  });

  it('is published, and the node is told the device as it was', async () => {
    const world = inherited();
    const request = { volume_id: ID, node_id: 'node01', volume_capability: capability, volume_context };
    const { publish_context } = await world.call('ControllerPublishVolume', request);
    expect(publish_context['devicePath']).to.equal('SCSI (0:1)');
    expect(world.cloud.serverOf(ID)).to.equal('node01');
  });

  it('stays published where the Go driver published it, with no change to the cloud', async () => {
    const world = inherited('node01');
    const request = { volume_id: ID, node_id: 'node01', volume_capability: capability, volume_context };
    const calls = await world.callsOf(() => world.call('ControllerPublishVolume', request));
    expect(calls).to.deep.equal(['DescribeVolumes', 'DescribeInstanceAttribute']);
  });

  it('is unpublished', async () => {
    const world = inherited('node01');
    await world.call('ControllerUnpublishVolume', { volume_id: ID, node_id: 'node01' });
    expect(world.cloud.serverOf(ID)).to.equal('');
  });

  it('grows, attached or not', async () => {
    for (const on of ['node01', undefined]) {
      const world = inherited(on);
      const answer = await world.call('ControllerExpandVolume', { volume_id: ID, capacity_range: range(150) });
      expect(answer.capacity_bytes).to.equal(String(200 * GIB));
      expect(world.cloud.serverOf(ID)).to.equal(on ?? '');
    }
  });

  it('is charged otherwise', async () => {
    const world = inherited('node01');
    const mutable_parameters = { accountingType: 'monthly' };
    await world.call('ControllerModifyVolume', { volume_id: ID, mutable_parameters });
    expect(world.cloud.settledState()[0]?.nextMonthAccountingType).to.equal('1');
  });

  it('is confirmed, shown and listed', async () => {
    const world = inherited('node01');
    const request = { volume_id: ID, volume_capabilities: [capability], volume_context };
    expect((await world.call('ValidateVolumeCapabilities', request)).confirmed).to.deep.include({ volume_context });
    const shown = await world.call('ControllerGetVolume', { volume_id: ID });
    expect([shown.volume.volume_id, shown.status.published_node_ids]).to.deep.equal([ID, ['node01']]);
    expect((await world.call('ListVolumes', {})).entries).to.deep.equal([shown]);
  });

  it('is deleted', async () => {
    const world = inherited();
    await world.call('DeleteVolume', { volume_id: ID });
    expect(world.cloud.settledState()).to.deep.equal([]);
  });
});
