import { expect } from 'chai';
import { ExpiringCache } from '../../../daemon/expiring-cache.ts';
import { FakeClock } from '../../fake-clock.ts';

describe('an expiring cache', () => {
  const clock = new FakeClock();
  let lookUps: number;
  const answering = (value: string) => (): Promise<string> => {
    lookUps += 1;
    return Promise.resolve(value);
  };
  beforeEach(() => (lookUps = 0));

  it('remembers an answer as long as it counts', async () => {
    const cache = new ExpiringCache<string>(clock, (value) => (value === 'long' ? 100 : 10));
    for (const value of ['long', 'short']) await cache.get(value, answering(value));
    await clock.advance(10);
    for (const value of ['long', 'short']) expect(await cache.get(value, answering(value))).to.equal(value);
    expect(lookUps).to.equal(3);
  });

  it('shares a look-up among all who ask meanwhile, and hands its failure to all of them, once', async () => {
    const cache = new ExpiringCache<string>(clock, () => 10);
    const { promise, reject } = Promise.withResolvers<string>();
    const asking = [1, 2].map(() =>
      cache.get('key', () => {
        lookUps += 1;
        return promise;
      }),
    );
    reject(new Error('away'));
    const outcomes = await Promise.allSettled(asking);
    expect(outcomes.map(({ status }) => status)).to.deep.equal(['rejected', 'rejected']);
    expect(lookUps).to.equal(1);
    expect(await cache.get('key', answering('back'))).to.equal('back');
  });

  it('forgets the oldest when it is asked for very many things', async () => {
    const cache = new ExpiringCache<string>(clock, () => 1_000_000);
    for (let n = 0; n <= 4096; n += 1) await cache.get(`key ${n}`, answering('x'));
    lookUps = 0;
    await cache.get('key 4096', answering('x'));
    expect(lookUps).to.equal(0);
    await cache.get('key 0', answering('x'));
    expect(lookUps).to.equal(1);
  });
});
