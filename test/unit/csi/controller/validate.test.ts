import { expect } from 'chai';
import { ControllerWorld, mount } from './controller-world.ts';

const ID = '0c1d2e3f4a5b6c7d8e9fa0b1c2d3e4f5';

describe('ValidateVolumeCapabilities', () => {
  it('confirms what it was asked about, in one call of the cloud', async () => {
    const world = new ControllerWorld();
    const { uniqueId } = world.cloud.addVolume(ID);
    const volume_context = { volumeUniqueId: uniqueId };
    const parameters = { type: 'flash' };
    const calls = await world.callsOf(async () => {
      const answer = await world.call('ValidateVolumeCapabilities', { volume_id: ID, volume_context, parameters });
      expect(answer).to.deep.equal({ confirmed: { volume_capabilities: [mount], volume_context, parameters } });
    });
    expect(calls).to.deep.equal(['DescribeVolumes']);
  });

  for (const [what, text, request] of [
    ['a block volume', 'raw block', { volume_capabilities: [mount, { ...mount, mount: null, block: {} }] }],
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
    expect(capabilities.map(({ rpc }) => rpc.type)).to.deep.equal([
      'CREATE_DELETE_VOLUME',
      'PUBLISH_UNPUBLISH_VOLUME',
      'EXPAND_VOLUME',
    ]);
  });
});
