import { expect } from 'chai';
import { nextLook } from '../../../ccm/service-work.ts';
import { FakeClock } from '../../fake-clock.ts';

describe('the periodic comparison of load balancers', () => {
  const resyncPeriodMs = 600_000;

  it('comes for all Services at the same moment, whenever each was done', async () => {
    const clock = new FakeClock();
    const dueMs = (): number => clock.monotonicMs() + (nextLook({ clock, resyncPeriodMs }).requeueAfterMs ?? NaN);
    await clock.advance(10);
    const first = dueMs();
    await clock.advance(resyncPeriodMs / 2);
    expect(dueMs()).to.equal(first);
    await clock.advance(resyncPeriodMs);
    expect(dueMs()).to.equal(first + resyncPeriodMs);
  });

  it('never comes where it is switched off', () => {
    expect(nextLook({ clock: new FakeClock(), resyncPeriodMs: 0 })).to.deep.equal({});
  });
});
