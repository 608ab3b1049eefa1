import { expect } from 'chai';
import { once, Recent } from '../../../ccm/recent.ts';
import { FakeClock } from '../../fake-clock.ts';

function aLook(): { readonly clock: FakeClock; readonly recent: Recent<number> } {
  const clock = new FakeClock();
  let looks = 0;
  return { clock, recent: new Recent(() => ++looks, clock) };
}

describe('a look at the cloud that many share', () => {
  it('serves all who asked before it was begun, as long as it is young enough for them', async () => {
    const { clock, recent } = aLook();
    const [one, other] = [recent.mark(), recent.mark()];
    expect(recent.get(one, 10_000)).to.equal(1);
    await clock.advance(10_000);
    expect(recent.get(other, 10_000)).to.equal(1);
    expect(recent.get(other, 9_999)).to.equal(2);
  });

  it('is begun anew for whoever asks later, or changed something later, even in the same millisecond', () => {
    const { recent } = aLook();
    expect(recent.get(0, 10_000)).to.equal(1);
    const later = recent.mark();
    expect(recent.get(later, 10_000)).to.equal(2);
    expect(recent.get(0, 10_000)).to.equal(2);
  });
});

describe('what is read once', () => {
  const { signal } = new AbortController();

  it('is read when first asked for, and for all', async () => {
    let reads = 0;
    const read = once(() => Promise.resolve(++reads));
    expect(reads).to.equal(0);
    expect(await Promise.all([read(signal), read(signal)])).to.deep.equal([1, 1]);
    expect(await read(signal)).to.equal(1);
  });

  it('fails for those who wait for it, and is read again for who asks later', async () => {
    let reads = 0;
    const read = once(() => (++reads === 1 ? Promise.reject(new Error('down')) : Promise.resolve(reads)));
    const outcomes = await Promise.allSettled([read(signal), read(signal)]);
    expect(outcomes.map(({ status }) => status)).to.deep.equal(['rejected', 'rejected']);
    expect(await read(signal)).to.equal(2);
  });
});
