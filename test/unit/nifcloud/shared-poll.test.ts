import { expect } from 'chai';
import { NifcloudError } from '../../../nifcloud/errors.ts';
import { eager, SharedPoll, steady } from '../../../nifcloud/shared-poll.ts';
import { FakeClock } from '../../fake-clock.ts';
import { errorOf } from './recorded-api.ts';

const never = new AbortController().signal;
const EVERY_MS = 3_000;

describe('SharedPoll', () => {
  let clock: FakeClock;
  let states: Map<string, string>;
  let looks: { readonly atMs: number; readonly names: readonly string[] }[];
  let latencyMs: number;
  let failure: Error | undefined;
  let poll: SharedPoll<string>;

  beforeEach(() => {
    clock = new FakeClock();
    states = new Map();
    looks = [];
    latencyMs = 0;
    failure = undefined;
    poll = new SharedPoll(
      async (names, signal) => {
        looks.push({ atMs: clock.monotonicMs(), names });
        const seen = new Map(states);
        if (latencyMs > 0) await clock.sleep(latencyMs, signal);
        if (failure !== undefined) throw failure;
        return seen;
      },
      clock,
      steady(EVERY_MS),
    );
  });

  const untilState = (name: string, state: string, signal = never): Promise<string> =>
    poll.until(name, (seen) => (seen === state ? `${name} is ${state}` : undefined), signal);

  it('looks first one interval after the first waiter came, then every interval', async () => {
    const waiting = untilState('a', 'done');
    await clock.advance(2_999);
    expect(looks).to.have.length(0);
    await clock.advance(6_001);
    states.set('a', 'done');
    await clock.advance(3_000);
    expect(await waiting).to.equal('a is done');
    expect(looks.map(({ atMs }) => atMs)).to.deep.equal([3_000, 6_000, 9_000, 12_000]);
  });

  it('serves fifty waiters with one look a tick, which names each thing once', async () => {
    const waiting = Array.from({ length: 50 }, (_, index) => untilState(`v${index % 25}`, 'done'));
    await clock.advance(3_000);
    expect(looks).to.have.length(1);
    expect(looks[0]!.names).to.have.length(25);
    for (let index = 0; index < 25; index++) states.set(`v${index}`, 'done');
    await clock.advance(3_000);
    await Promise.all(waiting);
    expect(looks).to.have.length(2);
  });

  it('serves who joins a running ticker with its next look, at no extra call', async () => {
    states.set('b', 'done');
    void untilState('a', 'done');
    await clock.advance(2_000);
    const joined = untilState('b', 'done');
    await clock.advance(1_000);
    expect(await joined).to.equal('b is done');
    expect(looks.map(({ atMs }) => atMs)).to.deep.equal([3_000]);
  });

  it('never shows a waiter what was looked at before it joined', async () => {
    latencyMs = 500;
    void untilState('a', 'done');
    await clock.advance(3_000);
    states.set('b', 'done');
    let seen = 0;
    const joined = poll.until('b', (state) => ((seen += 1), state), never); // the look under way still saw no b
    await clock.advance(500);
    expect(seen).to.equal(0);
    await clock.advance(3_000);
    expect(await joined).to.equal('done');
  });

  it('keeps its rhythm when answers take time, and never overlaps looks', async () => {
    latencyMs = 500;
    void untilState('a', 'done');
    await clock.advance(6_000);
    latencyMs = 4_000;
    await clock.advance(9_000);
    expect(looks.map(({ atMs }) => atMs)).to.deep.equal([3_000, 6_000, 9_000, 15_000]);
  });

  it('shows undefined for what does not exist', async () => {
    const waiting = poll.until('a', (state) => (state === undefined ? 'gone' : undefined), never);
    await clock.advance(3_000);
    expect(await waiting).to.equal('gone');
  });

  it('rides out failed looks', async () => {
    const waiting = untilState('a', 'done');
    failure = new Error('lost');
    await clock.advance(6_000);
    failure = undefined;
    await clock.advance(3_000);
    failure = new Error('lost again');
    await clock.advance(6_000);
    failure = undefined;
    states.set('a', 'done');
    await clock.advance(3_000);
    expect(await waiting).to.equal('a is done');
  });

  it('gives up on the third failed look in a row', async () => {
    const waiting = errorOf(untilState('a', 'done'));
    failure = new Error('lost');
    await clock.advance(9_000);
    expect(await waiting).to.equal(failure);
    expect(clock.sleeping).to.equal(0);
  });

  it('gives up at once when the credentials are refused', async () => {
    const waiting = errorOf(untilState('a', 'done'));
    failure = new NifcloudError({ action: 'A', code: 'Client.AuthFailure', detail: '', outcome: 'refused' });
    await clock.advance(3_000);
    expect(await waiting).to.equal(failure);
  });

  it('ends the wait of one whose accept throws, and of no other', async () => {
    const throwing = errorOf(
      poll.until(
        'a',
        () => {
          throw new Error('renamed');
        },
        never,
      ),
    );
    const other = untilState('b', 'done');
    await clock.advance(3_000);
    expect(String(await throwing)).to.equal('Error: renamed');
    states.set('b', 'done');
    await clock.advance(3_000);
    expect(await other).to.equal('b is done');
  });

  it('ends a wait with the reason of its signal, and names that thing no more', async () => {
    const abort = new AbortController();
    const leaving = errorOf(untilState('a', 'done', abort.signal));
    void untilState('b', 'done');
    abort.abort(new Error('deadline'));
    expect(String(await leaving)).to.equal('Error: deadline');
    await clock.advance(3_000);
    expect(looks[0]!.names).to.deep.equal(['b']);
  });

  it('shows nothing to who left during the look', async () => {
    latencyMs = 500;
    const abort = new AbortController();
    let shown = 0;
    const leaving = errorOf(poll.until('a', () => void (shown += 1), abort.signal));
    void untilState('b', 'done');
    await clock.advance(3_000);
    abort.abort();
    await leaving;
    await clock.advance(500);
    expect(looks[0]!.names).to.deep.equal(['a', 'b']);
    expect(shown).to.equal(0);
  });

  it('aborts the look and leaves no timer when nobody waits any more, and starts anew with the next', async () => {
    latencyMs = 500;
    const abort = new AbortController();
    const leaving = errorOf(untilState('a', 'done', abort.signal));
    await clock.advance(3_000);
    expect(clock.sleeping).to.equal(1); // the look
    abort.abort();
    await leaving;
    await clock.advance(0);
    expect(clock.sleeping).to.equal(0);

    latencyMs = 0;
    states.set('b', 'done');
    const next = untilState('b', 'done');
    await clock.advance(3_000);
    expect(await next).to.equal('b is done');
    await clock.advance(60_000);
    expect(looks).to.have.length(2);
    expect(clock.sleeping).to.equal(0);
  });

  describe('with an eager rhythm', () => {
    beforeEach(() => {
      poll = new SharedPoll(
        async (names) => {
          looks.push({ atMs: clock.monotonicMs(), names });
          if (failure !== undefined) throw failure;
          return states;
        },
        clock,
        eager(3_000),
      );
    });

    it('looks often once what usually takes so long should be over, and seldom at what takes very long', async () => {
      void untilState('a', 'done');
      await clock.advance(4_200);
      expect(looks.map(({ atMs }) => atMs)).to.deep.equal([3_000, 3_500, 4_000]);
      await clock.advance(60_000);
      looks.length = 0;
      await clock.advance(30_000);
      expect(looks).to.have.length(10);
    });

    it('lets nobody wait for much longer than it takes', async () => {
      for (const takesMs of [2_000, 3_200, 5_000, 9_000, 40_000]) {
        states.clear();
        const startedAtMs = clock.monotonicMs();
        let sawAtMs = Number.NaN;
        void untilState('a', 'done').then(() => (sawAtMs = clock.monotonicMs()));
        await clock.advance(takesMs);
        states.set('a', 'done');
        await clock.advance(10_000);
        expect(sawAtMs - startedAtMs, `${takesMs} ms`).to.be.at.most(
          Math.max(3_000, takesMs + Math.max(500, takesMs / 8)),
        );
      }
    });

    it('looks for a hundred who wait no more often than for a few', async () => {
      for (let index = 0; index < 100; index++) {
        void untilState(`v${index}`, 'done');
        await clock.advance(37);
      }
      looks.length = 0;
      await clock.advance(1_000);
      expect(looks).to.have.length(4);
    });

    it('does not look for those who have left', async () => {
      const abort = new AbortController();
      const leaving = errorOf(untilState('a', 'done', abort.signal));
      await clock.advance(1_000);
      void untilState('b', 'done');
      abort.abort();
      await leaving;
      await clock.advance(3_000);
      expect(looks.map(({ atMs }) => atMs)).to.deep.equal([4_000]);
    });

    it('gives an outage as much time to pass as with a steady one', async () => {
      const waiting = errorOf(untilState('a', 'done'));
      failure = new Error('lost');
      await clock.advance(9_000);
      expect(await waiting).to.equal(failure);
      expect(looks.map(({ atMs }) => atMs)).to.deep.equal([3_000, 6_000, 9_000]);
    });
  });
});
