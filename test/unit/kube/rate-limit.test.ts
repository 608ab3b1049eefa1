import { expect } from 'chai';
import { bucketForAll, defaultRateLimiter, exponentialPerKey, maxOf } from '../../../kube/rate-limit.ts';
import { TokenBucket } from '../../../kube/token-bucket.ts';
import { FakeClock } from '../../fake-clock.ts';

describe('rate limiters', () => {
  it('exponentialPerKey doubles for each key from the base to the cap', () => {
    const limiter = exponentialPerKey(5_000, 300_000);
    const pauses = [1, 2, 3, 4, 5, 6, 7, 8].map(() => limiter.next('a'));
    expect(pauses).to.deep.equal([5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]);
    expect(limiter.next('b')).to.equal(5_000);
    limiter.forget('a');
    expect(limiter.next('a')).to.equal(5_000);
  });

  it('exponentialPerKey stays at the cap however often a key fails', () => {
    const limiter = exponentialPerKey(5, 1_000);
    for (let i = 0; i < 2_000; i += 1) limiter.next('a');
    expect(limiter.next('a')).to.equal(1_000);
  });

  it('bucketForAll lets a burst through, then gives each its turn whatever the key', async () => {
    const clock = new FakeClock();
    const limiter = bucketForAll(10, 3, clock);
    expect(['a', 'b', 'c', 'd', 'e'].map((key) => limiter.next(key))).to.deep.equal([0, 0, 0, 100, 200]);
    await clock.advance(250);
    expect(limiter.next('f')).to.be.closeTo(50, 1e-6);
    await clock.advance(3_600_000);
    expect([1, 2, 3, 4].map(() => limiter.next('a'))).to.deep.equal([0, 0, 0, 100]);
  });

  it('maxOf takes the longest pause and forgets in all', () => {
    const limiter = maxOf(exponentialPerKey(1, 100), exponentialPerKey(3, 3));
    expect([1, 2, 3].map(() => limiter.next('a'))).to.deep.equal([3, 3, 4]);
    limiter.forget('a');
    expect(limiter.next('a')).to.equal(3);
  });

  it('the default is 5 ms for each key, and ten a second after a hundred', () => {
    const limiter = defaultRateLimiter(new FakeClock());
    for (let i = 0; i < 100; i += 1) expect(limiter.next(`key-${i}`)).to.equal(5);
    expect(limiter.next('another')).to.be.closeTo(100, 1e-6);
  });
});

describe('TokenBucket', () => {
  it('take refuses when it is empty, and fills up again', async () => {
    const clock = new FakeClock();
    const bucket = new TokenBucket({ perSecond: 1 / 300, burst: 2, clock });
    expect([bucket.take(), bucket.take(), bucket.take()]).to.deep.equal([true, true, false]);
    await clock.advance(300_000);
    expect([bucket.take(), bucket.take()]).to.deep.equal([true, false]);
  });
});
