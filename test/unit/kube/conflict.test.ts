import { expect } from 'chai';
import { CONFLICT_POLICIES, retryOnConflict, type ConflictPolicy } from '../../../kube/conflict.ts';
import { KubeError } from '../../../kube/errors.ts';
import { FakeClock } from '../../fake-clock.ts';
import { failure } from './api-server.ts';

describe('retryOnConflict', () => {
  const conflict = new KubeError({ code: 409, reason: 'Conflict' });

  /** When a write that always meets a conflict is tried, in ms from the start. */
  async function triesOf(policy: ConflictPolicy, random: () => number): Promise<readonly number[]> {
    const clock = new FakeClock();
    const triedAtMs: number[] = [];
    const write = (): Promise<never> => {
      triedAtMs.push(clock.monotonicMs());
      return Promise.reject(conflict);
    };
    const done = failure(retryOnConflict(policy, write, { clock, signal: new AbortController().signal, random }));
    await clock.advance(10_000);
    expect(await done).to.equal(conflict);
    return triedAtMs;
  }

  it('tries as often as the policy says, with pauses that do not grow, then throws the conflict', async () => {
    const tries = await triesOf(CONFLICT_POLICIES.nodeInitialisation, () => 0);
    expect(tries).to.deep.equal(Array.from({ length: 20 }, (_, i) => i * 50));
  });

  it('adds the jitter to each pause', async () => {
    expect(await triesOf(CONFLICT_POLICIES.nodeUpdate, () => 0.5)).to.deep.equal([0, 150, 300, 450, 600]);
    expect(await triesOf(CONFLICT_POLICIES.default, () => 0.5)).to.deep.equal([0, 10.5, 21, 31.5, 42]);
  });

  it('answers what the write answers once it meets no conflict', async () => {
    const clock = new FakeClock();
    const answers = [Promise.reject(conflict), Promise.resolve('written')];
    const done = retryOnConflict(CONFLICT_POLICIES.default, () => answers.shift() ?? Promise.reject(conflict), {
      clock,
      signal: new AbortController().signal,
    });
    await clock.advance(11);
    expect(await done).to.equal('written');
  });

  for (const error of [
    new KubeError({ code: 409, reason: 'AlreadyExists' }),
    new KubeError({ code: 404, reason: 'NotFound' }),
    new Error('lost'),
  ]) {
    it(`throws anything else at once: ${error.message}`, async () => {
      const clock = new FakeClock();
      const signal = new AbortController().signal;
      const done = retryOnConflict(CONFLICT_POLICIES.default, () => Promise.reject(error), { clock, signal });
      expect(await failure(done)).to.equal(error);
    });
  }

  it('an abort ends the pause with its reason', async () => {
    const clock = new FakeClock();
    const abort = new AbortController();
    const done = failure(
      retryOnConflict(CONFLICT_POLICIES.default, () => Promise.reject(conflict), { clock, signal: abort.signal }),
    );
    await clock.advance(0);
    abort.abort(new Error('enough'));
    expect(await done).to.have.property('message', 'enough');
  });
});
