import { expect } from 'chai';
import { Limiter, type RequestKind } from '../../../nifcloud/limiter.ts';
import { FakeClock } from '../../fake-clock.ts';
import { errorOf } from './recorded-api.ts';

const never = new AbortController().signal;

describe('rate limiter', () => {
  let clock: FakeClock;
  let limiter: Limiter;
  let granted: string[];

  beforeEach(() => {
    clock = new FakeClock();
    limiter = new Limiter({ clock, qps: 20, burst: 40 });
    granted = [];
  });

  function ask(kind: RequestKind, count: number, signal = never): void {
    for (let index = 0; index < count; index++)
      void limiter.take(kind, signal).then(() => granted.push(`${kind} ${index}`));
  }

  /** Uses up the burst. */
  async function drain(): Promise<void> {
    ask('read', 40);
    await clock.advance(0);
    granted = [];
  }

  it('lets a burst through at once and then 20 a second', async () => {
    ask('read', 100);
    await clock.advance(0);
    expect(granted).to.have.length(40);
    await clock.advance(1_000);
    expect(granted).to.have.length(60);
    await clock.advance(2_000);
    expect(granted).to.have.length(100);
    expect(clock.sleeping).to.equal(0);
  });

  it('saves up no more than a burst', async () => {
    await drain();
    await clock.advance(3_600_000);
    ask('read', 100);
    await clock.advance(0);
    expect(granted).to.have.length(40);
  });

  it('serves mutations before reads, and each kind in order', async () => {
    await drain();
    ask('read', 2);
    await clock.advance(10);
    ask('mutation', 2);
    await clock.advance(1_000);
    expect(granted).to.deep.equal(['mutation 0', 'mutation 1', 'read 0', 'read 1']);
  });

  it('halves the rate and drops the saved-up burst when a request is throttled', async () => {
    limiter.throttled(clock.monotonicMs());
    expect(limiter.rate).to.equal(10);
    ask('read', 100);
    await clock.advance(0);
    expect(granted).to.have.length(0);
    await clock.advance(1_000);
    expect(granted).to.have.length(10);
  });

  it('halves it once for a burst that is throttled as a whole', async () => {
    const sentAtMs = clock.monotonicMs();
    await clock.advance(100);
    for (let index = 0; index < 40; index++) limiter.throttled(sentAtMs);
    expect(limiter.rate).to.equal(10);
    limiter.throttled(clock.monotonicMs());
    expect(limiter.rate).to.equal(5);
  });

  it('never falls below 2 requests a second', async () => {
    for (let index = 0; index < 10; index++) limiter.throttled(clock.monotonicMs());
    expect(limiter.rate).to.equal(2);
    ask('read', 10);
    await clock.advance(2_000);
    expect(granted.length).to.be.within(4, 5);
  });

  it('never falls below its own full rate if that is less than 2', () => {
    const slow = new Limiter({ clock, qps: 1, burst: 1 });
    slow.throttled(clock.monotonicMs());
    expect(slow.rate).to.equal(1);
  });

  it('recovers a halving within a minute, and no further than to its full rate', async () => {
    limiter.throttled(clock.monotonicMs());
    await clock.advance(30_000);
    expect(limiter.rate).to.be.closeTo(15, 0.01);
    await clock.advance(30_000);
    expect(limiter.rate).to.be.closeTo(20, 0.01);
    await clock.advance(600_000);
    expect(limiter.rate).to.equal(20);
  });

  describe('with answers that take long', () => {
    beforeEach(() => {
      limiter = new Limiter({ clock, qps: 1_000, burst: 1_000 });
    });

    it('lets 100 reads be under way, and as many more as end', async () => {
      ask('read', 300);
      await clock.advance(10_000);
      expect(granted).to.have.length(100);
      expect(clock.sleeping).to.equal(0);
      limiter.ended();
      limiter.ended();
      await clock.advance(0);
      expect(granted.slice(100)).to.deep.equal(['read 100', 'read 101']);
      for (let index = 0; index < 100; index++) limiter.ended();
      await clock.advance(0);
      expect(granted).to.have.length(202);
    });

    it('lets 20 mutations more be sent while reads hang', async () => {
      ask('read', 101);
      ask('mutation', 21);
      await clock.advance(10_000);
      expect(granted.slice(100)).to.deep.equal(Array.from({ length: 20 }, (_, index) => `mutation ${index}`));
      expect(clock.sleeping).to.equal(0);
      limiter.ended();
      await clock.advance(0);
      expect(granted.slice(120)).to.deep.equal(['mutation 20']);
      for (let index = 0; index < 21; index++) limiter.ended();
      await clock.advance(0);
      expect(granted.slice(121)).to.deep.equal(['read 100']);
    });

    it('lets an asker go that aborts meanwhile', async () => {
      ask('read', 100);
      await clock.advance(0);
      const abort = new AbortController();
      const asking = errorOf(limiter.take('read', abort.signal));
      abort.abort(new Error('deadline'));
      expect(String(await asking)).to.equal('Error: deadline');
      limiter.ended();
      await clock.advance(0);
      ask('read', 1);
      await clock.advance(0);
      expect(granted).to.have.length(101);
    });

    it('keeps within its rate also when many requests end at once', async () => {
      limiter = new Limiter({ clock, qps: 20, burst: 100 });
      ask('read', 200);
      await clock.advance(0);
      for (let index = 0; index < 100; index++) limiter.ended();
      await clock.advance(1_000);
      expect(granted).to.have.length(120);
    });
  });

  it('lets an asker go at once when it aborts, without a token and without a timer', async () => {
    await drain();
    const abort = new AbortController();
    const asking = errorOf(limiter.take('mutation', abort.signal));
    expect(clock.sleeping).to.equal(1);
    abort.abort(new Error('shutting down'));
    expect(String(await asking)).to.equal('Error: shutting down');
    expect(clock.sleeping).to.equal(0);
    ask('read', 1);
    await clock.advance(50);
    expect(granted).to.have.length(1);
  });

  it('refuses an asker that has aborted already', async () => {
    const reason = new Error('too late');
    expect(await errorOf(limiter.take('read', AbortSignal.abort(reason)))).to.equal(reason);
  });
});
