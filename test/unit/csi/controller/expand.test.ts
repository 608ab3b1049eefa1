import { expect } from 'chai';
import { Crash, lost, refused } from '../disks/model-cloud.ts';
import { ControllerWorld, GIB, mount, range } from './controller-world.ts';

const ID = '0c1d2e3f4a5b6c7d8e9fa0b1c2d3e4f5';
const PV = 'pvc-0c1d2e3f-4a5b-6c7d-8e9f-a0b1c2d3e4f5';
const to300 = { volume_id: ID, capacity_range: range(300) };

function sizeOf(world: ControllerWorld): number | undefined {
  return world.cloud.settledState().find(({ id }) => id === ID)?.sizeGB;
}

describe('ControllerExpandVolume', () => {
  it('grows a disk in use step by step, where it is', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID, { on: 'node01' });
    world.kube?.addVolumeAttachment(ID, 'node01', PV);
    const answer = await world.call('ControllerExpandVolume', to300);
    expect(answer).to.deep.equal({ capacity_bytes: String(300 * GIB), node_expansion_required: true });
    expect([sizeOf(world), world.cloud.serverOf(ID)]).to.deep.equal([300, 'node01']);
    expect(world.cloud.count('ExtendVolumeSize')).to.equal(2);
    expect(world.cloud.count('DetachVolume')).to.equal(0);
  });

  it('grows a free disk on a host of its zone, and frees it again', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID, { zone: 'east-12' });
    await world.call('ControllerExpandVolume', to300);
    expect([sizeOf(world), world.cloud.serverOf(ID)]).to.deep.equal([300, '']);
    expect(world.notices).to.deep.equal([]);
  });

  it('asks nothing of a disk that is large enough', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID, { sizeGB: 300, on: 'node01' });
    world.kube?.addVolumeAttachment(ID, 'node01', PV);
    for (const size of [150, 210, 300]) {
      const request = { volume_id: ID, capacity_range: range(size) };
      const calls = await world.callsOf(async () => {
        const answer = await world.call('ControllerExpandVolume', request);
        expect(answer.capacity_bytes).to.equal(String(300 * GIB));
      });
      expect(calls).to.deep.equal(['DescribeVolumes']);
    }
  });

  it('grows a disk on a stranger’s server and leaves it there', async () => {
    const world = new ControllerWorld();
    world.cloud.addServer('rescue');
    world.cloud.addVolume(ID, { on: 'rescue' });
    await world.call('ControllerExpandVolume', to300);
    expect([sizeOf(world), world.cloud.serverOf(ID)]).to.deep.equal([300, 'rescue']);
  });

  it('without a Kubernetes, leaves a disk where somebody else attached it first', async () => {
    const world = new ControllerWorld({ withKube: false });
    world.cloud.addVolume(ID);
    world.cloud.fault = (action, moment) => {
      if (action === 'AttachVolume' && moment === 'before') world.cloud.addVolume(ID, { on: 'node01' });
    };
    expect((await world.refusal('ControllerExpandVolume', to300)).code).to.equal('ABORTED');
    await world.call('ControllerExpandVolume', to300);
    expect([sizeOf(world), world.cloud.serverOf(ID)]).to.deep.equal([300, 'node01']);
  });

  it('ends what an earlier growth left behind, also when there is nothing more to grow', async () => {
    for (const sizeGB of [100, 300]) {
      const world = new ControllerWorld();
      world.cloud.addVolume(ID, { sizeGB, on: 'node02' });
      await world.call('ControllerExpandVolume', to300);
      expect([sizeOf(world), world.cloud.serverOf(ID)]).to.deep.equal([300, '']);
      expect(world.notices[0]).to.include({ reason: 'TemporaryAttachmentEnded' });
    }
  });

  it('leaves the disk to a publish that came meanwhile', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID);
    let host: string | undefined;
    world.cloud.fault = (action, moment) => {
      if (action !== 'ExtendVolumeSize' || moment !== 'after') return;
      host = world.cloud.serverOf(ID);
      world.kube?.addVolumeAttachment(ID, host ?? '', PV);
    };
    await world.call('ControllerExpandVolume', to300);
    expect([sizeOf(world), world.cloud.serverOf(ID)]).to.deep.equal([300, host]);
  });

  it('leaves the disk to a publish that came while the server was too busy to let it go', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID);
    let host: string | undefined;
    world.cloud.fault = (action, moment) => {
      if (action !== 'DetachVolume' || moment !== 'before' || host !== undefined) return;
      host = world.cloud.serverOf(ID);
      world.kube?.addVolumeAttachment(ID, host ?? '', PV);
      throw refused(action, 'Server.ResourceIncorrectState.Instance.Processing');
    };
    await world.call('ControllerExpandVolume', to300);
    expect([sizeOf(world), world.cloud.serverOf(ID)]).to.deep.equal([300, host]);
  });

  it('gives the slot on the host back when the cloud refuses the growth for good', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID);
    world.cloud.fault = (action, moment) => {
      if (action === 'ExtendVolumeSize' && moment === 'before') throw refused(action, 'Client.Inoperable.Volume.Limit');
    };
    expect((await world.refusal('ControllerExpandVolume', to300)).code).to.equal('RESOURCE_EXHAUSTED');
    expect([sizeOf(world), world.cloud.serverOf(ID)]).to.deep.equal([100, '']);
  });

  it('ends at the wanted size and no larger when two processes are asked at the same time', async () => {
    for (const on of [undefined, 'node01']) {
      const world = new ControllerWorld();
      const other = new ControllerWorld({ beside: world });
      world.cloud.addVolume(ID, on === undefined ? {} : { on });
      if (on !== undefined) world.kube?.addVolumeAttachment(ID, on, PV);
      await Promise.allSettled([world, other].map((one) => one.call('ControllerExpandVolume', to300)));
      await world.call('ControllerExpandVolume', to300);
      expect([sizeOf(world), world.cloud.serverOf(ID)]).to.deep.equal([300, on ?? '']);
    }
  });

  it('ends at the wanted size and no larger, wherever the process is killed', async () => {
    for (const on of [undefined, 'node01']) {
      for (let callNumber = 1; callNumber <= 12; callNumber += 1) {
        for (const moment of ['before', 'after'] as const) {
          const world = new ControllerWorld();
          world.cloud.addVolume(ID, on === undefined ? {} : { on });
          if (on !== undefined) world.kube?.addVolumeAttachment(ID, on, PV);
          world.cloud.fault = (_action, when, n) => {
            if (n === callNumber && when === moment) throw new Crash();
          };
          await world.call('ControllerExpandVolume', to300).catch(() => undefined);
          world.cloud.fault = () => undefined;
          world.restart();
          await world.call('ControllerExpandVolume', to300);
          const reached = [sizeOf(world), world.cloud.serverOf(ID)];
          expect(reached, `${moment} call ${callNumber}, on ${on}`).to.deep.equal([300, on ?? '']);
        }
      }
    }
  });

  it('grows no disk twice for one order whose answer was lost, however late the cloud shows its effect', async () => {
    for (const lateMs of [0, 10_000, 50_000]) {
      const world = new ControllerWorld();
      world.cloud.addVolume(ID, { on: 'node01' });
      world.kube?.addVolumeAttachment(ID, 'node01', PV);
      const extend = world.cloud.volumes.extend.bind(world.cloud.volumes);
      let isLost = false;
      world.cloud.volumes.extend = async (id, signal) => {
        if (isLost) return extend(id, signal);
        isLost = true;
        const showAtMs = world.clock.nowMs + lateMs;
        world.cloud.fault = (_action, moment) => {
          if (moment !== 'before' || world.clock.nowMs < showAtMs) return;
          world.cloud.fault = () => undefined;
          void extend(id, signal);
        };
        throw lost('ExtendVolumeSize');
      };
      await world.call('ControllerExpandVolume', { volume_id: ID, capacity_range: range(200) });
      expect(sizeOf(world), `${lateMs} ms late`).to.equal(200);
    }
  });

  it('grows no disk twice for one order that hung for a minute, and whose effect came half a minute later', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID, { on: 'node01' });
    world.kube?.addVolumeAttachment(ID, 'node01', PV);
    const extend = world.cloud.volumes.extend.bind(world.cloud.volumes);
    let isHung = false;
    world.cloud.volumes.extend = async (id, signal) => {
      if (isHung) return extend(id, signal);
      isHung = true;
      void world.clock.sleep(90_000).then(() => extend(id, signal));
      await world.clock.sleep(60_000);
      throw lost('ExtendVolumeSize');
    };
    const request = { volume_id: ID, capacity_range: range(200) };
    await world.call('ControllerExpandVolume', request).catch(() => undefined);
    await world.call('ControllerExpandVolume', request);
    await world.clock.sleep(90_000);
    expect(sizeOf(world)).to.equal(200);
  });

  it('tries again after a minute without a change when the order was lost on its way', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID, { on: 'node01' });
    world.kube?.addVolumeAttachment(ID, 'node01', PV);
    let isLost = false;
    world.cloud.fault = (action, moment) => {
      if (action !== 'ExtendVolumeSize' || moment !== 'before' || isLost) return;
      isLost = true;
      throw lost(action);
    };
    const request = { volume_id: ID, capacity_range: range(200) };
    const sentAtMs = world.clock.nowMs;
    expect((await world.refusal('ControllerExpandVolume', request)).code).to.equal('UNAVAILABLE');
    await world.call('ControllerExpandVolume', request);
    expect(sizeOf(world)).to.equal(200);
    expect(world.clock.nowMs - sentAtMs).to.be.within(60_000, 75_000);
  });

  it('does not wait for an order that the cloud refused', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID, { on: 'node01' });
    world.kube?.addVolumeAttachment(ID, 'node01', PV);
    world.cloud.fault = (action, moment) => {
      if (action === 'ExtendVolumeSize' && moment === 'before') throw refused(action, 'Client.Inoperable.Volume.Limit');
    };
    const request = { volume_id: ID, capacity_range: range(200) };
    expect((await world.refusal('ControllerExpandVolume', request)).code).to.equal('RESOURCE_EXHAUSTED');
    world.cloud.fault = () => undefined;
    const beganAtMs = world.clock.nowMs;
    await world.call('ControllerExpandVolume', request);
    expect(world.clock.nowMs - beganAtMs).to.be.below(10_000);
  });

  it('sends no order in the first 20 s of the process, when an earlier one’s may not show yet', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID, { on: 'node01' });
    world.kube?.addVolumeAttachment(ID, 'node01', PV);
    world.restart();
    const startedAtMs = world.clock.nowMs;
    let sentAtMs = 0;
    world.cloud.fault = (action, moment) => {
      if (action === 'ExtendVolumeSize' && moment === 'before') sentAtMs ||= world.clock.nowMs;
    };
    await world.call('ControllerExpandVolume', to300);
    expect(sentAtMs - startedAtMs).to.be.within(20_000, 21_000);
    expect(sizeOf(world)).to.equal(300);
  });

  it('stops at once when its caller gives up, and is finished by the next call', async () => {
    const world = new ControllerWorld();
    world.cloud.addVolume(ID);
    const caller = new AbortController();
    world.cloud.fault = (action, moment) => {
      if (action === 'ExtendVolumeSize' && moment === 'after') caller.abort(new Error('the deadline has passed'));
    };
    await world.call('ControllerExpandVolume', to300, caller.signal).catch(() => undefined);
    expect(world.cloud.count('ExtendVolumeSize')).to.equal(1);
    await world.call('ControllerExpandVolume', to300);
    expect([sizeOf(world), world.cloud.serverOf(ID)]).to.deep.equal([300, '']);
  });

  for (const [what, code, request] of [
    ['no volume', 'INVALID_ARGUMENT', { volume_id: '' }],
    ['no range', 'INVALID_ARGUMENT', { capacity_range: null }],
    ['a range without a disk in it', 'OUT_OF_RANGE', { capacity_range: range(110, 190) }],
    ['a limit below what the disk has', 'OUT_OF_RANGE', { capacity_range: range(100, 100) }],
    ['a capability that is not supported', 'INVALID_ARGUMENT', { volume_capability: { ...mount, mount: null } }],
    ['an unknown volume', 'NOT_FOUND', { volume_id: 'fake-vol-id' }],
  ] as const) {
    it(`refuses ${what}: ${code}`, async () => {
      const world = new ControllerWorld();
      world.cloud.addVolume(ID, { sizeGB: 200 });
      expect((await world.refusal('ControllerExpandVolume', { ...to300, ...request })).code).to.equal(code);
      expect(sizeOf(world)).to.equal(200);
    });
  }
});
