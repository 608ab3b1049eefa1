import { expect } from 'chai';
import * as fc from 'fast-check';
import type { ServerRef } from '../../../../csi/disks/cloud.ts';
import { planCreate, planDelete, planGrowth, planPublish, planUnpublish } from '../../../../csi/disks/plan.ts';
import type { Holder, Seen, Standing, Step } from '../../../../csi/disks/plan.ts';
import { RpcError } from '../../../../csi/rpc-error.ts';

const node01: ServerRef = { name: 'node01', uniqueId: 'i-1' };
const node02: ServerRef = { name: 'node02', uniqueId: 'i-2' };
const host: ServerRef = { name: 'host', uniqueId: 'i-9' };

const on = (server: ServerRef, standing: Standing): Holder => ({ ...server, standing });
const disk = (sizeGB: number, holder?: Holder): Seen => ({ sizeGB, holder });

/** What a step does to the world. Refuses what the cloud would refuse. */
function after(seen: Seen | undefined, step: Step): Seen | undefined {
  if (step.kind === 'create') {
    if (seen !== undefined) throw new Error('made twice');
    return disk(100, on(host, 'temporary'));
  }
  if (seen === undefined) throw new Error(`${step.kind} of a disk that does not exist`);
  switch (step.kind) {
    case 'attach-to-host':
    case 'attach': {
      if (seen.holder !== undefined) throw new Error('attached twice');
      const holder = step.kind === 'attach' ? on(step.server, 'claimed') : on(host, 'temporary');
      return { ...seen, holder };
    }
    case 'release':
    case 'detach': {
      const server = step.kind === 'release' && step.server === 'host' ? host : (step.server as ServerRef);
      if (server.name === '') throw new Error('detached from everybody');
      if (seen.holder?.uniqueId !== server.uniqueId) throw new Error('detached from a server that does not have it');
      if (step.kind === 'release' && seen.holder.standing !== 'temporary') throw new Error('took a disk away');
      return { ...seen, holder: undefined };
    }
    case 'extend':
      if (seen.holder === undefined) throw new Error('extended while detached');
      if (seen.sizeGB !== step.fromGB) throw new Error('extended from another size');
      return { ...seen, sizeGB: seen.sizeGB + 100 };
    default:
      if (seen.holder !== undefined) throw new Error('deleted while attached');
      return undefined;
  }
}

interface Journey {
  readonly plan: (seen: Seen | undefined) => readonly Step[];
  readonly reached: (before: Seen | undefined, now: Seen | undefined) => boolean;
}

const isKept = (seen: Seen | undefined): boolean => seen?.holder !== undefined && seen.holder.standing !== 'temporary';

const journeys: Readonly<Record<string, Journey>> = {
  create: {
    plan: planCreate,
    reached: (before, now) => now !== undefined && (isKept(before) || now.holder === undefined),
  },
  publish: {
    plan: (seen) => (seen === undefined ? [] : planPublish(seen, node01)),
    reached: (before, now) => before === undefined || now?.holder?.uniqueId === node01.uniqueId,
  },
  unpublish: {
    plan: (seen) => planUnpublish(seen?.holder, node01),
    reached: (_before, now) => now?.holder?.uniqueId !== node01.uniqueId,
  },
  unpublishAnywhere: {
    plan: (seen) => planUnpublish(seen?.holder, 'any'),
    reached: (_before, now) => now?.holder === undefined,
  },
  grow: {
    plan: (seen) => (seen === undefined ? [] : planGrowth(seen, 400)),
    reached: (before, now) =>
      now === undefined ||
      (now.sizeGB === Math.max(400, before?.sizeGB ?? 0) &&
        now.holder?.name === (isKept(before) ? before?.holder?.name : undefined)),
  },
  delete: { plan: planDelete, reached: (_before, now) => now === undefined },
};

const holders = fc.record({
  server: fc.constantFrom(node01, node02, host),
  standing: fc.constantFrom<Standing>('temporary', 'claimed', 'foreign'),
});
const worlds: fc.Arbitrary<Seen | undefined> = fc.option(
  fc.record({
    sizeGB: fc.integer({ min: 1, max: 8 }).map((n) => n * 100),
    holder: fc.option(
      holders.map(({ server, standing }) => on(server, standing)),
      { nil: undefined },
    ),
  }),
  { nil: undefined },
);

describe('a plan for a disk', () => {
  for (const [name, { plan, reached }] of Object.entries(journeys)) {
    /** The plan, or undefined where it is refused. */
    const planned = (seen: Seen | undefined): readonly Step[] | undefined => {
      try {
        return plan(seen);
      } catch (error) {
        expect(error).to.be.an.instanceOf(RpcError);
        expect(isKept(seen), 'only a disk that is kept is refused').to.equal(true);
        return undefined;
      }
    };

    it(`to ${name}: reaches its goal in one pass, and a second plan is empty`, () => {
      fc.assert(
        fc.property(worlds, (seen) => {
          const steps = planned(seen);
          if (steps === undefined) return;
          const now = steps.reduce(after, seen);
          expect(reached(seen, now)).to.equal(true);
          expect(plan(now)).to.deep.equal([]);
        }),
      );
    });

    it(`to ${name}: reaches the same goal when it is killed after any step`, () => {
      fc.assert(
        fc.property(worlds, fc.nat(10), (seen, killedAfter) => {
          const steps = planned(seen);
          if (steps === undefined) return;
          const half = steps.slice(0, killedAfter).reduce(after, seen);
          const now = plan(half).reduce(after, half);
          expect(reached(seen, now)).to.equal(true);
        }),
      );
    });
  }

  it('never extends a disk that is large enough', () => {
    fc.assert(
      fc.property(worlds, fc.integer({ min: 1, max: 8 }), (seen, hundreds) => {
        if (seen === undefined) return;
        const sizes = planGrowth(seen, hundreds * 100).flatMap((step) => (step.kind === 'extend' ? [step.fromGB] : []));
        expect(sizes.every((fromGB) => fromGB >= seen.sizeGB && fromGB < hundreds * 100)).to.equal(true);
        expect(new Set(sizes).size).to.equal(sizes.length);
      }),
    );
  });

  it('never extends a disk whose size is not known', () => {
    expect(planGrowth(disk(Number.NaN, on(node01, 'claimed')), 400)).to.deep.equal([]);
  });
});
