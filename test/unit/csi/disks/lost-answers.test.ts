import { expect } from 'chai';
import { NifcloudError } from '../../../../nifcloud/errors.ts';
import { ControllerWorld, range } from '../controller/controller-world.ts';
import { lost, refused } from './model-cloud.ts';

const PV = 'pvc-0c1d2e3f-4a5b-6c7d-8e9f-a0b1c2d3e4f5';
const ID = '0c1d2e3f4a5b6c7d8e9fa0b1c2d3e4f5';

/** Every mutation, in a call that needs it. */
const MUTATIONS: readonly { mutation: string; disk?: object; claimed?: boolean; rpc: string; request: object }[] = [
  { mutation: 'CreateVolume', rpc: 'CreateVolume', request: { name: PV } },
  { mutation: 'DetachVolume', rpc: 'CreateVolume', request: { name: PV } },
  {
    mutation: 'AttachVolume',
    disk: {},
    rpc: 'ControllerPublishVolume',
    request: { volume_id: ID, node_id: 'node01' },
  },
  {
    mutation: 'DetachVolume',
    disk: { on: 'node02' },
    rpc: 'ControllerPublishVolume',
    request: { volume_id: ID, node_id: 'node01' },
  },
  {
    mutation: 'DetachVolume',
    disk: { on: 'node01' },
    rpc: 'ControllerUnpublishVolume',
    request: { volume_id: ID, node_id: 'node01' },
  },
  {
    mutation: 'ExtendVolumeSize',
    disk: { on: 'node01' },
    claimed: true,
    rpc: 'ControllerExpandVolume',
    request: { volume_id: ID, capacity_range: range(200) },
  },
  {
    mutation: 'AttachVolume',
    disk: {},
    rpc: 'ControllerExpandVolume',
    request: { volume_id: ID, capacity_range: range(200) },
  },
  { mutation: 'DeleteVolume', disk: {}, rpc: 'DeleteVolume', request: { volume_id: ID } },
];

const FAULTS: readonly ((action: string) => Error)[] = [
  lost,
  (action) => refused(action, 'Server.InternalError'),
  (action) => refused(action, 'Server.Maintenance'),
  (action) => refused(action, 'Server.ProcessingFailure.Volume.Failed'),
  (action) => refused(action, 'Client.ProcessingFailure.Volume.Failed'),
];

function worldOf({ disk, claimed }: (typeof MUTATIONS)[number]): ControllerWorld {
  const world = new ControllerWorld();
  if (disk !== undefined) world.cloud.addVolume(ID, disk);
  if (claimed === true) world.kube?.addVolumeAttachment(ID, 'node01', PV);
  return world;
}

/** What the world comes to without a fault. */
async function endOf(one: (typeof MUTATIONS)[number]): Promise<object> {
  const world = worldOf(one);
  await world.call(one.rpc, one.request);
  return stateOf(world);
}

function stateOf(world: ControllerWorld): object {
  return world.cloud.settledState().map(({ id, status, sizeGB, attachments }) => ({
    id,
    status,
    sizeGB,
    servers: attachments.map(({ serverName }) => serverName),
  }));
}

describe('When the answer to a change gets lost', () => {
  for (const one of MUTATIONS) {
    const { mutation, rpc, request } = one;

    it(`${rpc} goes by the disk and orders no second ${mutation}`, async () => {
      for (const fault of FAULTS) {
        const world = worldOf(one);
        world.cloud.fault = (action, moment) => {
          if (action === mutation && moment === 'after') throw fault(action);
        };
        await world.call(rpc, request);
        expect(world.cloud.count(mutation)).to.equal(1);
        expect(stateOf(world)).to.deep.equal(await endOf(one));
      }
    });

    it(`${rpc} asks to be called again when ${mutation} was not done, and is finished then`, async () => {
      for (const fault of FAULTS) {
        const world = worldOf(one);
        let isStruck = false;
        world.cloud.fault = (action, moment) => {
          if (action !== mutation || moment !== 'before' || isStruck) return;
          isStruck = true;
          throw fault(action);
        };
        expect((await world.refusal(rpc, request)).code).to.equal('UNAVAILABLE');
        await world.call(rpc, request);
        expect(stateOf(world)).to.deep.equal(await endOf(one));
      }
    });

    it(`${rpc} asks to be called again when the cloud throttles ${mutation} for long, and is finished then`, async () => {
      const world = worldOf(one);
      world.cloud.fault = (action, moment) => {
        if (action !== mutation || moment !== 'before') return;
        const fields = { action, code: 'NoErrorCode', detail: '', outcome: 'refused', httpStatus: 429 } as const;
        throw new NifcloudError(fields);
      };
      expect((await world.refusal(rpc, request)).code).to.equal('UNAVAILABLE');
      world.cloud.fault = () => undefined;
      await world.call(rpc, request);
      expect(stateOf(world)).to.deep.equal(await endOf(one));
    });
  }

  it('no growth is ordered again because the disk can’t be looked at any more', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID, { on: 'node01' });
    world.kube?.addVolumeAttachment(ID, 'node01', PV);
    const request = { volume_id: ID, capacity_range: range(200) };
    world.cloud.fault = (action) => {
      if (action !== 'DescribeVolumes' || world.cloud.count('ExtendVolumeSize') === 0) return;
      throw refused(action, 'Client.AuthFailure');
    };
    expect((await world.refusal('ControllerExpandVolume', request)).code).to.equal('UNAVAILABLE');
    world.cloud.fault = () => undefined;
    await world.call('ControllerExpandVolume', request);
    expect(world.cloud.count('ExtendVolumeSize')).to.equal(1);
  });
});

describe('When the cloud accepts a change and drops it', () => {
  for (const one of MUTATIONS) {
    const { mutation, rpc, request } = one;

    it(`${rpc} waits for ${mutation} some minutes at most, asks to be called again, and is finished then`, async () => {
      for (const fate of ['undone', 'unbegun'] as const) {
        const world = worldOf(one);
        world.cloud.fate = (action) => (action === mutation ? fate : 'done');
        const sentAtMs = world.clock.nowMs;
        expect((await world.refusal(rpc, request)).code).to.equal('ABORTED');
        expect(world.clock.nowMs - sentAtMs).to.be.below(fate === 'undone' ? 90_000 : 330_000);
        world.cloud.fate = () => 'done';
        await world.call(rpc, request);
        expect(stateOf(world)).to.deep.equal(await endOf(one));
      }
    });
  }

  it('no growth is ordered again within a minute after it began', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID, { on: 'node01' });
    world.kube?.addVolumeAttachment(ID, 'node01', PV);
    const request = { volume_id: ID, capacity_range: range(200) };
    world.cloud.fate = () => 'undone';
    const sentAtMs = world.clock.nowMs;
    expect((await world.refusal('ControllerExpandVolume', request)).code).to.equal('ABORTED');
    world.cloud.fate = () => 'done';
    await world.call('ControllerExpandVolume', request);
    expect(world.cloud.count('ExtendVolumeSize')).to.equal(2);
    expect(world.clock.nowMs - sentAtMs).to.be.above(60_000);
  });
});
