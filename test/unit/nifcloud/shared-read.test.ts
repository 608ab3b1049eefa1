import { assert, expect } from 'chai';
import * as fc from 'fast-check';
import { SharedRead } from '../../../nifcloud/shared-read.ts';
import { FakeClock } from '../../fake-clock.ts';
import { errorOf } from './recorded-api.ts';

const never = new AbortController().signal;

describe('SharedRead', () => {
  let clock: FakeClock;
  let requests: {
    readonly sentAtMs: number;
    readonly signal: AbortSignal;
    readonly answer: PromiseWithResolvers<string>;
  }[];
  let read: SharedRead<string>;

  beforeEach(() => {
    clock = new FakeClock();
    requests = [];
    read = new SharedRead((signal) => {
      const answer = Promise.withResolvers<string>();
      requests.push({ sentAtMs: clock.monotonicMs(), signal, answer });
      return answer.promise;
    }, clock);
  });

  it('gathers askers for 5 ms and serves them with one request', async () => {
    const asking = [read.get(never)];
    await clock.advance(4);
    asking.push(read.get(never), read.get(never));
    expect(requests).to.have.length(0);
    await clock.advance(1);
    expect(requests).to.have.length(1);
    requests[0]!.answer.resolve('a');
    expect(await Promise.all(asking)).to.deep.equal(['a', 'a', 'a']);
  });

  it('gathers askers that come while a request is under way, and serves them with one that is sent when it ends', async () => {
    const early = read.get(never);
    await clock.advance(5);
    const late = [read.get(never)];
    for (let waitedMs = 0; waitedMs < 4_000; waitedMs += 100) {
      await clock.advance(100);
      late.push(read.get(never));
    }
    expect(requests).to.have.length(1);
    requests[0]!.answer.resolve('old');
    await clock.advance(0);
    expect(requests).to.have.length(2);
    requests[1]!.answer.resolve('new');
    expect(await early).to.equal('old');
    expect(new Set(await Promise.all(late))).to.deep.equal(new Set(['new']));
    expect(clock.sleeping).to.equal(0);
  });

  it('also sends the next request when the one under way fails, or is aborted by all its askers', async () => {
    const failing = errorOf(read.get(never));
    await clock.advance(5);
    const abort = new AbortController();
    const leaving = errorOf(read.get(abort.signal));
    await clock.advance(5);
    requests[0]!.answer.reject(new Error('lost'));
    await failing;
    await clock.advance(0);
    const next = read.get(never);
    await clock.advance(5);
    expect(requests).to.have.length(2);
    abort.abort();
    requests[1]!.answer.reject(new Error('aborted'));
    await leaving;
    await clock.advance(0);
    expect(requests).to.have.length(3);
    requests[2]!.answer.resolve('a');
    expect(await next).to.equal('a');
  });

  it('waits no longer than 5 s for a request under way, so that one that hangs holds up nobody else', async () => {
    const hanging = read.get(never);
    await clock.advance(5);
    const late = read.get(never);
    await clock.advance(5_004);
    expect(requests).to.have.length(1);
    await clock.advance(1);
    requests[1]!.answer.resolve('new');
    expect(await late).to.equal('new');
    requests[0]!.answer.resolve('old');
    expect(await hanging).to.equal('old');
  });

  it('sends no more requests than fit one after the other, however many ask, and however slow the cloud is', async () => {
    const time = new FakeClock();
    let underWay = 0;
    let sent = 0;
    const timed = new SharedRead(async () => {
      sent += 1;
      underWay += 1;
      expect(underWay).to.equal(1);
      await time.sleep(200);
      underWay -= 1;
    }, time);
    const asking: Promise<void>[] = [];
    for (let asked = 0; asked < 1_000; asked++) {
      asking.push(timed.get(never));
      await time.advance(1);
    }
    await time.advance(500);
    await Promise.all(asking);
    expect(sent).to.be.within(5, 6);
  });

  it('leaves nothing behind when an asker leaves while an earlier request is under way', async () => {
    const early = read.get(never);
    await clock.advance(5);
    const abort = new AbortController();
    const leaving = errorOf(read.get(abort.signal));
    await clock.advance(5);
    abort.abort(new Error('deadline'));
    expect(String(await leaving)).to.equal('Error: deadline');
    expect(clock.sleeping).to.equal(0);
    requests[0]!.answer.resolve('a');
    expect(await early).to.equal('a');
    expect(requests).to.have.length(1);
  });

  it('never answers with a request that was sent before the asker asked, nor from an answered one', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(12), { maxLength: 30 }), fc.nat(20), async (gapsMs, latencyMs) => {
        const time = new FakeClock();
        const timed = new SharedRead(async () => {
          const sentAtMs = time.monotonicMs();
          await time.sleep(latencyMs);
          return sentAtMs;
        }, time);
        const asking: Promise<void>[] = [];
        for (const gapMs of gapsMs) {
          await time.advance(gapMs);
          const askedAtMs = time.monotonicMs();
          asking.push(
            timed.get(never).then((sentAtMs) => assert(sentAtMs >= askedAtMs && sentAtMs <= askedAtMs + 5 + latencyMs)),
          );
        }
        await time.advance(100);
        await Promise.all(asking);
      }),
      { numRuns: 30 },
    );
  });

  it('lets an asker that aborts go at once, with its reason, and serves the others', async () => {
    const abort = new AbortController();
    const leaving = errorOf(read.get(abort.signal));
    const staying = read.get(never);
    await clock.advance(5);
    abort.abort(new Error('deadline'));
    expect(String(await leaving)).to.equal('Error: deadline');
    expect(requests[0]!.signal.aborted).to.equal(false);
    requests[0]!.answer.resolve('a');
    expect(await staying).to.equal('a');
  });

  it('aborts a request when all its askers have aborted', async () => {
    const aborts = [new AbortController(), new AbortController()];
    const leaving = aborts.map((abort) => errorOf(read.get(abort.signal)));
    await clock.advance(5);
    for (const abort of aborts) abort.abort();
    await Promise.all(leaving);
    expect(requests[0]!.signal.aborted).to.equal(true);
  });

  it('sends no request for askers that all left while being gathered, and one for who comes next', async () => {
    const abort = new AbortController();
    const leaving = errorOf(read.get(abort.signal));
    abort.abort();
    const next = read.get(never);
    await leaving;
    await clock.advance(5);
    expect(requests).to.have.length(1);
    requests[0]!.answer.resolve('a');
    expect(await next).to.equal('a');
    expect(clock.sleeping).to.equal(0);
  });

  it('gives an error to all askers of that request and to no later one', async () => {
    const failing = [errorOf(read.get(never)), errorOf(read.get(never))];
    await clock.advance(5);
    const later = read.get(never);
    await clock.advance(5);
    const error = new Error('lost');
    requests[0]!.answer.reject(error);
    expect(await Promise.all(failing)).to.deep.equal([error, error]);
    await clock.advance(0);
    requests[1]!.answer.resolve('fine');
    expect(await later).to.equal('fine');
  });

  it('refuses an asker that has aborted already, without a request', async () => {
    const reason = new Error('too late');
    expect(await errorOf(read.get(AbortSignal.abort(reason)))).to.equal(reason);
    expect(clock.sleeping).to.equal(0);
  });
});
