import { expect } from 'chai';
import { RecentRead } from '../../../ccm/recent-read.ts';
import { FakeClock } from '../../fake-clock.ts';

function aListing(): { readonly clock: FakeClock; readonly recent: RecentRead<number> } {
  const clock = new FakeClock();
  let reads = 0;
  return { clock, recent: new RecentRead(() => Promise.resolve(++reads), clock, 1_500) };
}

describe('a listing for many who wait', () => {
  const { signal } = new AbortController();

  it('serves all who look at the same tick with one read', async () => {
    const { clock, recent } = aListing();
    await clock.advance(3_000);
    expect(await recent.get(1_000, signal)).to.equal(1);
    await clock.advance(200);
    expect(await recent.get(2_000, signal)).to.equal(1);
  });

  it('never shows somebody what was asked for before his last change was answered', async () => {
    const { clock, recent } = aListing();
    await recent.get(undefined, signal);
    await clock.advance(100);
    expect(await recent.get(50, signal)).to.equal(2);
    expect(await recent.get(100, signal)).to.equal(3);
  });

  it('is read anew for whoever has changed nothing yet, and at the next tick', async () => {
    const { clock, recent } = aListing();
    await recent.get(undefined, signal);
    expect(await recent.get(undefined, signal)).to.equal(2);
    await clock.advance(3_000);
    expect(await recent.get(1_000, signal)).to.equal(3);
  });
});
