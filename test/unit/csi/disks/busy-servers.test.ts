import { expect } from 'chai';
import { ControllerWorld, range } from '../controller/controller-world.ts';

const DISKS = 12;
const TRANSITION_MS = 3_000;
const ids = Array.from({ length: DISKS }, (_, n) => `volume${n}`);

/** The time that it takes, and the calls that the cloud refused. */
async function cost(world: ControllerWorld, work: () => Promise<unknown>): Promise<{ ms: number; refusals: number }> {
  const startedAtMs = world.clock.nowMs;
  const before = world.cloud.refusals;
  await work();
  return { ms: world.clock.nowMs - startedAtMs, refusals: world.cloud.refusals - before };
}

for (const code of [
  'Server.ResourceIncorrectState.Instance.Processing',
  'Client.ResourceIncorrectState.Instance.Processing',
]) {
  describe(`Servers that take one operation at a time and refuse others with ${code}`, () => {
    let world: ControllerWorld;

    beforeEach(() => {
      world = new ControllerWorld();
      world.cloud.blockedWith = code;
    });

    it('give birth to many disks, one after another on each, with hardly a refusal and no error', async () => {
      const { ms, refusals } = await cost(world, () =>
        Promise.all(ids.map((name) => world.call('CreateVolume', { name }))),
      );
      expect(world.cloud.settledState().map(({ status }) => status)).to.deep.equal(ids.map(() => 'available'));
      expect(world.cloud.count('CreateVolume') - refusals).to.equal(DISKS);
      expect(refusals).to.be.below(DISKS);
      // Half of them on each of two servers; each is born and freed.
      expect(ms).to.be.within(DISKS * TRANSITION_MS, DISKS * TRANSITION_MS + 2_000);
    });

    it('get, grow and lose many disks one after another, without an error', async () => {
      for (const id of ids) world.cloud.addVolume(id);
      const each = (rpc: string, request: object) => (): Promise<unknown> =>
        Promise.all(ids.map((volume_id) => world.call(rpc, { volume_id, ...request })));
      const attach = await cost(world, each('ControllerPublishVolume', { node_id: 'node01' }));
      expect(attach.ms).to.be.within(DISKS * TRANSITION_MS, DISKS * TRANSITION_MS + 2_000);
      expect(attach.refusals).to.be.below(DISKS);
      for (const id of ids) world.kube?.addVolumeAttachment(id, 'node01', `pv-${id}`);
      const grow = await cost(world, each('ControllerExpandVolume', { capacity_range: range(200) }));
      expect(grow.refusals).to.equal(0);
      const detach = await cost(world, each('ControllerUnpublishVolume', { node_id: 'node01' }));
      expect(detach.refusals).to.equal(0);
      expect(world.cloud.settledState().map(({ status, sizeGB }) => [status, sizeGB])).to.deep.equal(
        ids.map(() => ['available', 200]),
      );
    });

    it('are waited for when others keep all of them busy', async () => {
      for (const server of ['node01', 'node02']) world.cloud.refusing.set(server, code);
      const creating = world.call('CreateVolume', { name: 'volume0' });
      await world.clock.sleep(20_000);
      world.cloud.refusing.clear();
      await creating;
      expect(world.cloud.settledState().map(({ status }) => status)).to.deep.equal(['available']);
    });

    it('are given up after a minute, with ABORTED', async () => {
      for (const server of ['node01', 'node02']) world.cloud.refusing.set(server, code);
      const { ms } = await cost(world, async () => {
        expect((await world.refusal('CreateVolume', { name: 'volume0' })).code).to.equal('ABORTED');
      });
      expect(ms).to.be.within(55_000, 70_000);
    });
  });
}

describe('Servers that take operations of several disks at a time', () => {
  it('get, grow and lose many disks in the time of one', async () => {
    const world = new ControllerWorld();
    for (const id of ids) world.cloud.addVolume(id);
    for (const [rpc, request] of [
      ['ControllerPublishVolume', { node_id: 'node01' }],
      ['ControllerExpandVolume', { capacity_range: range(200) }],
      ['ControllerUnpublishVolume', { node_id: 'node01' }],
    ] as const) {
      const { ms } = await cost(world, () =>
        Promise.all(ids.map((volume_id) => world.call(rpc, { volume_id, ...request }))),
      );
      expect(ms, rpc).to.be.below(TRANSITION_MS + 1_000);
      for (const id of ids) world.kube?.addVolumeAttachment(id, 'node01', `pv-${id}`);
    }
    expect(world.cloud.refusals).to.equal(0);
  });
});
