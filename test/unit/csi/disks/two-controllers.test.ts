import { expect } from 'chai';
import { ControllerWorld, range } from '../controller/controller-world.ts';

const PV = 'pvc-0c1d2e3f-4a5b-6c7d-8e9f-a0b1c2d3e4f5';
const ID = '0c1d2e3f4a5b6c7d8e9fa0b1c2d3e4f5';

const CALLS = {
  create: ['CreateVolume', { name: PV }],
  publish: ['ControllerPublishVolume', { volume_id: ID, node_id: 'node01' }],
  unpublish: ['ControllerUnpublishVolume', { volume_id: ID, node_id: 'node01' }],
  grow: ['ControllerExpandVolume', { volume_id: ID, capacity_range: range(300) }],
  delete: ['DeleteVolume', { volume_id: ID }],
} as const;

/** The disk before, what the two are asked for, and the server and size after all have been repeated; `undefined` = it is gone. */
const PAIRS: readonly [
  object | undefined,
  keyof typeof CALLS,
  keyof typeof CALLS,
  readonly [string, number] | undefined,
][] = [
  [undefined, 'create', 'create', ['', 100]],
  [{}, 'publish', 'publish', ['node01', 100]],
  [{ on: 'node01' }, 'unpublish', 'unpublish', ['', 100]],
  [{}, 'grow', 'grow', ['', 300]],
  [{ on: 'node01' }, 'grow', 'unpublish', ['', 300]],
  [{}, 'grow', 'publish', ['node01', 300]],
  [{}, 'delete', 'delete', undefined],
  [{}, 'create', 'publish', ['node01', 100]],
];

/** As long as a step of any of them takes, in ms. */
const HEAD_STARTS_MS = [0, 1, 500, 3_000, 3_500, 6_000, 9_500];

describe('Two controllers at once', () => {
  for (const [disk, one, other, end] of PAIRS) {
    it(`come to the same end as one: ${one} and ${other}`, async () => {
      for (const headStartMs of HEAD_STARTS_MS) {
        const world = new ControllerWorld();
        const beside = new ControllerWorld({ beside: world });
        if (disk !== undefined) world.cloud.addVolume(ID, disk);
        if (one === 'publish' || other === 'publish') world.kube?.addVolumeAttachment(ID, 'node01', PV);
        // As the sidecars do it: what is to be repeated is repeated, a second later.
        const insist = async (process: ControllerWorld, name: keyof typeof CALLS): Promise<void> => {
          const [rpc, request] = CALLS[name];
          for (let tries = 0; ; tries += 1) {
            const refusal = await process.call(rpc, request).then(
              () => undefined,
              (error: unknown) => error as { readonly code: number; readonly message: string },
            );
            if (refusal === undefined) return;
            expect(refusal.code, `${refusal.message}, after ${headStartMs} ms`).to.be.oneOf([10, 14]); // ABORTED, UNAVAILABLE
            expect(tries, refusal.message).to.be.below(30);
            await world.clock.sleep(1_000);
          }
        };
        await Promise.all([insist(world, one), world.clock.sleep(headStartMs).then(() => insist(beside, other))]);
        const [found] = world.cloud.settledState();
        const reached = found && [world.cloud.serverOf(ID), found.sizeGB];
        expect(reached, `${headStartMs} ms`).to.deep.equal(end);
        expect(world.cloud.settledState().length).to.equal(end === undefined ? 0 : 1);
      }
    });
  }

  it('attach a disk that both want on different nodes to one of them, and say so to the other', async () => {
    const world = new ControllerWorld();
    const beside = new ControllerWorld({ beside: world });
    world.cloud.addVolume(ID);
    for (const node of ['node01', 'node02']) world.kube?.addVolumeAttachment(ID, node, PV);
    const outcomes = await Promise.allSettled([
      world.call('ControllerPublishVolume', { volume_id: ID, node_id: 'node01' }),
      beside.call('ControllerPublishVolume', { volume_id: ID, node_id: 'node02' }),
    ]);
    const winner = world.cloud.serverOf(ID);
    expect(outcomes.map(({ status }) => status).sort()).to.deep.equal(['fulfilled', 'rejected']);
    expect(outcomes[winner === 'node01' ? 0 : 1]?.status).to.equal('fulfilled');
    const loser = winner === 'node01' ? 'node02' : 'node01';
    const again = await world.refusal('ControllerPublishVolume', { volume_id: ID, node_id: loser });
    expect(again.code).to.equal('FAILED_PRECONDITION');
    expect(again.message).to.contain(winner);
  });
});
