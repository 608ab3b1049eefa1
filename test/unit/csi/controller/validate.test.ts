import { expect } from 'chai';
import { ControllerWorld, mount } from './controller-world.ts';

const ID = '0c1d2e3f4a5b6c7d8e9fa0b1c2d3e4f5';

describe('ValidateVolumeCapabilities', () => {
  it('confirms what it was asked about, in one call of the cloud', async () => {
    const world = new ControllerWorld();
    const { uniqueId } = world.cloud.addVolume(ID);
    const volume_context = { volumeUniqueId: uniqueId };
    const parameters = { type: 'standard-flash' };
    const mutable_parameters = { accountingType: 'hourly' };
    const request = { volume_id: ID, volume_context, parameters, mutable_parameters };
    const calls = await world.callsOf(async () => {
      expect(await world.call('ValidateVolumeCapabilities', request)).to.deep.equal({
        confirmed: { volume_capabilities: [mount], volume_context, parameters, mutable_parameters },
      });
    });
    expect(calls).to.deep.equal(['DescribeVolumes']);
  });

  it('confirms raw block, other file systems and a disk of any type, where no class is named', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID, { diskType: 'Flash Storage', accountingType: '1' });
    const volume_capabilities = [
      { block: {}, access_mode: { mode: 'SINGLE_NODE_WRITER' } },
      { ...mount, mount: { ...mount.mount, fs_type: 'xfs' } },
    ];
    const { confirmed } = await world.call('ValidateVolumeCapabilities', { volume_id: ID, volume_capabilities });
    expect(confirmed).to.deep.include({ volume_capabilities });
  });

  for (const [what, text, request] of [
    [
      'one of its capabilities',
      'MULTI_NODE_MULTI_WRITER',
      { volume_capabilities: [mount, { ...mount, access_mode: { mode: 'MULTI_NODE_MULTI_WRITER' } }] },
    ],
    ['a type that the disk is not of', 'Standard Flash Storage A', { parameters: { type: 'flash' } }],
    ['an accounting that the disk has not', 'charged hourly', { mutable_parameters: { accountingType: 'monthly' } }],
    ['an unknown parameter', 'speed', { parameters: { speed: '1' } }],
    ['a mutable parameter', 'iops', { mutable_parameters: { iops: '1' } }],
  ] as const) {
    it(`says why it does not confirm ${what}`, async () => {
      const world = new ControllerWorld();
      world.cloud.addVolume(ID);
      const answer = await world.call('ValidateVolumeCapabilities', { volume_id: ID, ...request });
      expect(answer.confirmed).to.equal(undefined);
      expect(answer.message).to.contain(text);
    });
  }

  for (const [what, code, request] of [
    ['no volume', 'INVALID_ARGUMENT', { volume_id: '' }],
    ['no capabilities', 'INVALID_ARGUMENT', { volume_capabilities: [] }],
    ['an unknown volume', 'NOT_FOUND', { volume_id: 'fake-vol-id' }],
  ] as const) {
    it(`refuses ${what}: ${code}`, async () => {
      const world = new ControllerWorld();
      world.cloud.addVolume(ID);
      const refusal = await world.refusal('ValidateVolumeCapabilities', { volume_id: ID, ...request });
      expect(refusal.code).to.equal(code);
    });
  }
});

describe('ControllerGetCapabilities', () => {
  it('promises what is served and nothing else', async () => {
    const world = new ControllerWorld();
    const { capabilities } = await world.call('ControllerGetCapabilities', {});
    expect(capabilities.map(({ rpc }) => rpc.type)).to.have.members([
      'CREATE_DELETE_VOLUME',
      'PUBLISH_UNPUBLISH_VOLUME',
      'LIST_VOLUMES',
      'LIST_VOLUMES_PUBLISHED_NODES',
      'EXPAND_VOLUME',
      'GET_VOLUME',
      'VOLUME_CONDITION',
      'SINGLE_NODE_MULTI_WRITER',
      'MODIFY_VOLUME',
    ]);
  });
});
