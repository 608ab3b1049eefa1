import { expect } from 'chai';
import * as fc from 'fast-check';
import { runWorkers, WorkQueue } from '../../../kube/queue.ts';
import { exponentialPerKey } from '../../../kube/rate-limit.ts';
import { RetryAfterError, type Key, type Result } from '../../../kube/reconcile.ts';
import type { QueueState } from '../../../kube/surroundings.ts';
import { FakeClock } from '../../fake-clock.ts';
import { memoryLogger } from './api-server.ts';

describe('WorkQueue', () => {
  let clock: FakeClock;
  let queue: WorkQueue;

  const newQueue = (): WorkQueue => new WorkQueue({ name: 'test', limiter: exponentialPerKey(5_000, 300_000), clock });

  beforeEach(() => {
    clock = new FakeClock();
    queue = newQueue();
  });

  /** What can be taken now, without `done`. */
  async function taken(): Promise<string[]> {
    const keys: string[] = [];
    queue.shutDown();
    for (let key = await queue.get(); key !== undefined; key = await queue.get()) keys.push(key);
    return keys;
  }

  it('fair: keys come out in the order in which they were added', async () => {
    for (const key of ['b', 'a', 'c']) queue.add(key);
    expect(await taken()).to.deep.equal(['b', 'a', 'c']);
  });

  it('stingy: a key that is added many times before it is taken comes out once', async () => {
    for (const key of ['a', 'b', 'a', 'a']) queue.add(key);
    expect(await taken()).to.deep.equal(['a', 'b']);
  });

  it('stingy: a key that is added many times while it runs comes out exactly once more, after done', async () => {
    queue.add('a');
    const key = await queue.get();
    queue.add('a');
    queue.add('a');
    const waiting = queue.get();
    queue.add('b');
    expect(await waiting).to.equal('b');
    queue.done(key ?? '');
    expect(await taken()).to.deep.equal(['a']);
  });

  it('a getter that came first is served first', async () => {
    const getters = [queue.get(), queue.get()];
    queue.add('a');
    queue.add('b');
    expect(await Promise.all(getters)).to.deep.equal(['a', 'b']);
  });

  it('of several delayed adds the earliest counts, whichever came first', async () => {
    for (const delays of [
      [100, 300],
      [300, 100],
    ]) {
      queue = newQueue();
      for (const delayMs of delays) queue.addAfter('a', delayMs);
      const got = queue.get();
      await clock.advance(99);
      expect(clock.sleeping).to.equal(1);
      await clock.advance(1);
      expect(await got).to.equal('a');
      queue.done('a');
      await clock.advance(1_000);
      expect(await taken()).to.deep.equal([]);
    }
  });

  it('a delay that is not positive is no delay', async () => {
    queue.addAfter('a', 0);
    queue.addAfter('b', -1);
    expect(await taken()).to.deep.equal(['a', 'b']);
  });

  it('an add without delay leaves a delayed one waiting', async () => {
    queue.addAfter('a', 100);
    queue.add('a');
    queue.done((await queue.get()) ?? '');
    const again = queue.get();
    await clock.advance(100);
    expect(await again).to.equal('a');
  });

  it('rate-limited adds wait longer each time, until the key is forgotten', async () => {
    const cameAtMs: number[] = [];
    const worker = (async () => {
      for (let key = await queue.get(); key !== undefined; key = await queue.get()) {
        cameAtMs.push(clock.monotonicMs());
        queue.done(key);
        if (cameAtMs.length === 3) queue.forget(key);
        queue.addRateLimited(key);
      }
    })();
    queue.addRateLimited('a');
    await clock.advance(45_000);
    queue.shutDown();
    await worker;
    expect(cameAtMs).to.deep.equal([5_000, 15_000, 35_000, 40_000]);
  });

  it('after shutDown adds are ignored, delayed ones dropped, what is queued comes out, then undefined', async () => {
    queue.add('a');
    const running = await queue.get();
    queue.add('a');
    queue.add('b');
    queue.addAfter('c', 10);
    queue.shutDown();
    queue.add('d');
    queue.addAfter('e', 10);
    expect(clock.sleeping).to.equal(0);
    expect(await queue.get()).to.equal('b');
    queue.done(running ?? '');
    expect(await queue.get()).to.equal('a');
    expect(await queue.get()).to.equal(undefined);
  });

  it('shutDown ends those who wait', async () => {
    const getters = [queue.get(), queue.get()];
    queue.shutDown();
    expect(await Promise.all(getters)).to.deep.equal([undefined, undefined]);
  });

  it('tells what it is like and what happens, as client-go does', async () => {
    const told: string[] = [];
    let state: (() => QueueState) | undefined;
    queue = new WorkQueue({
      name: 'test',
      limiter: exponentialPerKey(5_000, 300_000),
      clock,
      metrics: {
        register: (name, ask) => {
          told.push(`register ${name}`);
          state = ask;
        },
        added: (name) => void told.push(`added ${name}`),
        retried: (name) => void told.push(`retried ${name}`),
        taken: (name, seconds) => void told.push(`taken ${name} ${seconds}`),
        done: (name, seconds) => void told.push(`done ${name} ${seconds}`),
      },
    });
    queue.add('a');
    queue.add('a');
    queue.add('b');
    expect(state?.()).to.deep.equal({ depth: 2, unfinishedSeconds: 0, longestSeconds: 0 });
    await clock.advance(1_000);
    await queue.get();
    await clock.advance(2_000);
    await queue.get();
    queue.add('a'); // while it runs: it waits to be taken again
    await clock.advance(3_000);
    expect(state?.()).to.deep.equal({ depth: 1, unfinishedSeconds: 8, longestSeconds: 5 });
    queue.done('a');
    queue.addRateLimited('b');
    queue.addAfter('a', 0);
    expect(state?.()).to.deep.equal({ depth: 1, unfinishedSeconds: 3, longestSeconds: 3 });
    expect(told).to.deep.equal([
      'register test',
      'added test',
      'added test',
      'taken test 1',
      'taken test 3',
      'added test',
      'done test 5',
      'retried test',
      'retried test',
    ]);
    queue.shutDown();
  });

  const adds = fc.array(
    fc.record({
      atMs: fc.integer({ min: 0, max: 100 }),
      key: fc.constantFrom('a', 'b', 'c'),
      delayMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 60 })),
    }),
    { maxLength: 25 },
  );

  it('property: a key never runs twice at once, no change is missed, and none causes more than one run', async () => {
    const runTimes = fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(adds, runTimes, fc.integer({ min: 1, max: 3 }), async (changes, tookMs, workers) => {
        clock = new FakeClock();
        queue = newQueue();
        const log: { readonly key: string; readonly what: 'add' | 'start' | 'end' }[] = [];
        let runs = 0;
        const reconcile = async ({ name: key }: Key): Promise<Result> => {
          log.push({ key, what: 'start' });
          const ms = tookMs[runs++ % tookMs.length] ?? 0;
          if (ms > 0) await clock.sleep(ms);
          log.push({ key, what: 'end' });
          return {};
        };
        const done = runWorkers(queue, workers, { reconcile }, { logger: memoryLogger(), signal: never });
        for (const { atMs, key } of changes) {
          void clock.sleep(atMs).then(() => {
            log.push({ key, what: 'add' });
            queue.add(key);
          });
        }
        await clock.advance(2_000);
        queue.shutDown();
        await done;

        for (const key of ['a', 'b', 'c']) {
          let changed = false;
          let running = false;
          for (const { what } of log.filter((entry) => entry.key === key)) {
            if (what === 'start') expect({ changed, running }).to.deep.equal({ changed: true, running: false });
            changed = what === 'add' || (changed && what === 'end');
            running = what === 'start' || (running && what === 'add');
          }
          expect({ changed, running }, 'in the end').to.deep.equal({ changed: false, running: false });
        }
      }),
      { numRuns: 60 },
    );
  });

  it('property: the earlier of two delayed adds wins', async () => {
    await fc.assert(
      fc.asyncProperty(adds, async (changes) => {
        clock = new FakeClock();
        queue = newQueue();
        const seen: string[] = [];
        const worker = (async () => {
          for (let key = await queue.get(); key !== undefined; key = await queue.get()) {
            seen.push(`${clock.monotonicMs()} ${key}`);
            queue.done(key);
          }
        })();
        for (const { atMs, key, delayMs } of changes) {
          void clock.sleep(atMs).then(() => queue.addAfter(key, delayMs + 0.5));
        }
        await clock.advance(2_000);
        queue.shutDown();
        await worker;

        const expected: string[] = [];
        for (const key of ['a', 'b', 'c']) {
          let due = -1;
          const own = changes.filter((change) => change.key === key).sort((x, y) => x.atMs - y.atMs);
          for (const { atMs, delayMs } of own) {
            if (due >= 0 && due <= atMs) {
              expected.push(`${due} ${key}`);
              due = -1;
            }
            due = due < 0 ? atMs + delayMs + 0.5 : Math.min(due, atMs + delayMs + 0.5);
          }
          if (due >= 0) expected.push(`${due} ${key}`);
        }
        expect(seen.sort()).to.deep.equal(expected.sort());
      }),
      { numRuns: 60 },
    );
  });
});

const never = new AbortController().signal;

/** Runs one worker over `ns/a` for a minute with these outcomes, one for each run; answers when the runs were, in ms. */
async function runsOf(outcomes: readonly (Result | Error)[]): Promise<readonly number[]> {
  const clock = new FakeClock();
  const queue = new WorkQueue({ name: 'test', limiter: exponentialPerKey(5_000, 300_000), clock });
  const atMs: number[] = [];
  const reconcile = (key: Key): Promise<Result> => {
    expect(key).to.deep.equal({ namespace: 'ns', name: 'a' });
    const outcome = outcomes[atMs.push(clock.monotonicMs()) - 1] ?? {};
    return outcome instanceof Error ? Promise.reject(outcome) : Promise.resolve(outcome);
  };
  const done = runWorkers(queue, 1, { reconcile }, { logger: memoryLogger(), signal: never });
  queue.add('ns/a');
  await clock.advance(60_000);
  queue.shutDown();
  await done;
  return atMs;
}

describe('runWorkers', () => {
  const failed = new Error('failed');
  const later = new RetryAfterError('not yet', 1_000);
  const cases: readonly [string, readonly (Result | Error)[], readonly number[]][] = [
    ['success is the end', [{}], [0]],
    ['an error is tried again with growing pauses', [failed, failed, failed, {}], [0, 5_000, 15_000, 35_000]],
    ['success forgets the failures', [failed, { requeueAfterMs: 1 }, failed, {}], [0, 5_000, 5_001, 10_001]],
    ['a result that asks for it comes back after exactly its time', [{ requeueAfterMs: 1_234 }, {}], [0, 1_234]],
    ['RetryAfterError comes back after exactly its time', [later, later, {}], [0, 1_000, 2_000]],
    [
      'RetryAfterError counts also when wrapped',
      [new Error('a', { cause: new Error('b', { cause: later }) }), {}],
      [0, 1_000],
    ],
    ['RetryAfterError neither raises nor clears the failures', [failed, later, failed, {}], [0, 5_000, 6_000, 16_000]],
  ];
  for (const [name, outcomes, expected] of cases) {
    it(name, async () => {
      expect(await runsOf(outcomes)).to.deep.equal(expected);
    });
  }

  it('runs as many keys at once as it has workers', async () => {
    const clock = new FakeClock();
    const queue = new WorkQueue({ name: 'test', limiter: exponentialPerKey(1, 1), clock });
    let running = 0;
    let most = 0;
    const reconcile = async (): Promise<Result> => {
      most = Math.max(most, (running += 1));
      await clock.sleep(10);
      running -= 1;
      return {};
    };
    const done = runWorkers(queue, 3, { reconcile }, { logger: memoryLogger(), signal: never });
    for (let i = 0; i < 10; i += 1) queue.add(`key-${i}`);
    await clock.advance(100);
    queue.shutDown();
    await done;
    expect(most).to.equal(3);
  });

  it('an abort waits for what runs, leaves what is queued, and logs nothing about it', async () => {
    const clock = new FakeClock();
    const logger = memoryLogger();
    const queue = new WorkQueue({ name: 'test', limiter: exponentialPerKey(1, 1), clock });
    const abort = new AbortController();
    const started: string[] = [];
    const reconcile = async (key: Key, signal: AbortSignal): Promise<Result> => {
      started.push(key.name);
      await clock.sleep(1_000, signal);
      return {};
    };
    const done = runWorkers(queue, 1, { reconcile }, { logger, signal: abort.signal });
    queue.add('a');
    queue.add('b');
    await clock.advance(1);
    abort.abort();
    await done;
    expect(started).to.deep.equal(['a']);
    expect(logger.lines).to.deep.equal([]);
    expect(clock.sleeping).to.equal(0);
  });

  it('starts nothing that comes together with the abort', async () => {
    const queue = new WorkQueue({ name: 'test', limiter: exponentialPerKey(1, 1), clock: new FakeClock() });
    const abort = new AbortController();
    const started: string[] = [];
    const reconcile = ({ name }: Key): Promise<Result> => {
      started.push(name);
      return Promise.resolve({});
    };
    const done = runWorkers(queue, 1, { reconcile }, { logger: memoryLogger(), signal: abort.signal });
    queue.add('a');
    abort.abort();
    await done;
    expect(started).to.deep.equal([]);
  });

  it('starts nothing when it was aborted before', async () => {
    const queue = new WorkQueue({ name: 'test', limiter: exponentialPerKey(1, 1), clock: new FakeClock() });
    queue.add('a');
    let runs = 0;
    const reconcile = (): Promise<Result> => {
      runs += 1;
      return Promise.resolve({});
    };
    await runWorkers(queue, 1, { reconcile }, { logger: memoryLogger(), signal: AbortSignal.abort() });
    expect(runs).to.equal(0);
  });
});
