import type { RateLimiter } from './rate-limit.ts';
import { parseKey, requestedPauseMs, type Reconciler } from './reconcile.ts';
import type { Clock, Logger, QueueMetrics, QueueState } from './surroundings.ts';

export interface WorkQueueOptions {
  /** Names the queue in logs and metrics. */
  readonly name: string;
  readonly limiter: RateLimiter;
  readonly clock: Clock;
  readonly metrics?: QueueMetrics;
}

interface Delayed {
  readonly dueMs: number;
  readonly cancel: AbortController;
}

/**
 * Keys that wait to be worked on, after client-go's `workqueue` (docs/reference/ccm.md B2).
 *
 * - Fair: keys come out in the order in which they were added.
 * - Stingy: a key never runs twice at once; added any number of times before it is taken it comes out once, and added any
 *   number of times while it runs it comes out exactly once more, after `done`.
 * - Of several delayed adds of a key the earliest counts; an add without delay leaves a delayed one waiting.
 * - After `shutDown` adds are ignored, delayed ones are dropped, what is queued (also by `done`) still comes out, then `get`
 *   answers undefined.
 */
export class WorkQueue {
  readonly name: string;
  readonly #limiter: RateLimiter;
  readonly #clock: Clock;
  readonly #metrics: QueueMetrics | undefined;
  readonly #queue: string[] = [];
  readonly #dirty = new Map<string, number>(); // to be worked on: queued, or added while it runs; since when, in ms
  readonly #processing = new Map<string, number>(); // since when, in ms
  readonly #delayed = new Map<string, Delayed>();
  readonly #getters: ((key: string | undefined) => void)[] = []; // they wait only while the queue is empty
  #shutDown = false;

  constructor(options: WorkQueueOptions) {
    this.name = options.name;
    this.#limiter = options.limiter;
    this.#clock = options.clock;
    this.#metrics = options.metrics;
    this.#metrics?.register(this.name, () => this.#state());
  }

  add(key: string): void {
    if (this.#shutDown || this.#dirty.has(key)) return;
    this.#dirty.set(key, this.#clock.monotonicMs());
    this.#metrics?.added(this.name);
    if (!this.#processing.has(key)) this.#append(key);
  }

  /** Adds the key once `delayMs` have passed; at once if that is not positive. */
  addAfter(key: string, delayMs: number): void {
    if (this.#shutDown) return;
    this.#metrics?.retried(this.name);
    if (delayMs <= 0) {
      this.add(key);
      return;
    }
    const dueMs = this.#clock.monotonicMs() + delayMs;
    const waiting = this.#delayed.get(key);
    if (waiting !== undefined) {
      if (waiting.dueMs <= dueMs) return;
      waiting.cancel.abort();
    }
    const cancel = new AbortController();
    this.#delayed.set(key, { dueMs, cancel });
    this.#clock.sleep(delayMs, cancel.signal).then(
      () => {
        this.#delayed.delete(key);
        this.add(key);
      },
      () => undefined, // an earlier add, or the end
    );
  }

  /** Adds the key after the limiter's pause, which grows until `forget`. */
  addRateLimited(key: string): void {
    this.addAfter(key, this.#limiter.next(key));
  }

  /** The key succeeded: its pauses start short again. A delayed add that waits goes on waiting. */
  forget(key: string): void {
    this.#limiter.forget(key);
  }

  /** The next key, which is the caller's until `done`; undefined once the queue is shut down and empty. */
  get(): Promise<string | undefined> {
    const key = this.#queue.shift();
    if (key !== undefined) return Promise.resolve(this.#take(key));
    if (this.#shutDown) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.#getters.push(resolve);
    });
  }

  /** The caller is through with the key, well or not. */
  done(key: string): void {
    const startedMs = this.#processing.get(key);
    if (startedMs !== undefined) this.#metrics?.done(this.name, this.#secondsSince(startedMs));
    this.#processing.delete(key);
    if (this.#dirty.has(key)) this.#append(key);
  }

  shutDown(): void {
    this.#shutDown = true;
    for (const { cancel } of this.#delayed.values()) cancel.abort();
    this.#delayed.clear();
    for (const getter of this.#getters.splice(0)) getter(undefined);
  }

  #append(key: string): void {
    const getter = this.#getters.shift();
    if (getter === undefined) this.#queue.push(key);
    else getter(this.#take(key));
  }

  #take(key: string): string {
    this.#metrics?.taken(this.name, this.#secondsSince(this.#dirty.get(key) ?? 0));
    this.#dirty.delete(key);
    this.#processing.set(key, this.#clock.monotonicMs());
    return key;
  }

  #state(): QueueState {
    let [unfinishedSeconds, longestSeconds] = [0, 0];
    for (const startedMs of this.#processing.values()) {
      const seconds = this.#secondsSince(startedMs);
      unfinishedSeconds += seconds;
      longestSeconds = Math.max(longestSeconds, seconds);
    }
    return { depth: this.#dirty.size, unfinishedSeconds, longestSeconds };
  }

  #secondsSince(ms: number): number {
    return (this.#clock.monotonicMs() - ms) / 1000;
  }
}

/**
 * Has `concurrency` workers reconcile the queue's keys, with the consequences that `Reconciler` states, until the queue is
 * shut down and empty, or the signal is aborted: then the queue is shut down, reconciles that run are waited for (they get the
 * signal), and what is queued is left.
 */
export async function runWorkers(
  queue: WorkQueue,
  concurrency: number,
  reconciler: Reconciler,
  { logger, signal }: { readonly logger: Logger; readonly signal: AbortSignal },
): Promise<void> {
  const onAbort = (): void => queue.shutDown();
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  try {
    await Promise.all(Array.from({ length: concurrency }, () => work(queue, reconciler, logger, signal)));
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

async function work(queue: WorkQueue, reconciler: Reconciler, logger: Logger, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const key = await queue.get();
    if (key === undefined || signal.aborted) return;
    try {
      const { requeueAfterMs } = await reconciler.reconcile(parseKey(key), signal);
      queue.forget(key);
      if (requeueAfterMs !== undefined) queue.addAfter(key, requeueAfterMs);
    } catch (error) {
      if (signal.aborted) return; // given up on request
      const pauseMs = requestedPauseMs(error);
      logger.error('Reconcile failed, will be tried again', error, { queue: queue.name, key });
      if (pauseMs === undefined) queue.addRateLimited(key);
      else queue.addAfter(key, pauseMs);
    } finally {
      queue.done(key);
    }
  }
}
