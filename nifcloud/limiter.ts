import type { Clock } from './surroundings.ts';
import { newWaiter, type Waiter } from './waiter.ts';

/** The rate is never cut below this, in requests/s: progress goes on while the cloud throttles. */
const LEAST_QPS = 2;

/** A rate of 0 would be back at its full value after so long, in ms: one cut in half is made good within a minute. */
const RECOVERY_MS = 120_000;

/**
 * Requests under way at once, and so connections. The default rate of 20/s is kept up to answers that take 5 s; memory and the 1024 open
 * files that many systems allow are not in danger.
 */
const MOST_UNDER_WAY = 100;

/** Mutations that may be sent beyond that, so that reads that hang (60 s each) don't hold up changes. */
const MORE_MUTATIONS = 20;

export type RequestKind = 'mutation' | 'read';

/**
 * Token bucket for requests to the cloud that adapts to throttling.
 *
 * - At most `burst` requests at once, `qps` a second in the long run.
 * - At most 100 are under way, and 20 more if they are mutations; who waits for one of them to end has not been sent, so its time limit
 *   does not run yet.
 * - Mutations go before reads; within each kind, who came first goes first.
 * - A throttling answer halves the rate and empties the bucket; requests that were under way when that happened say nothing new,
 *   so a burst that is throttled as a whole halves it once. The rate never falls below 2/s (or `qps` if that is less).
 * - The rate recovers steadily with time.
 * - Who aborts leaves the queue at once; when nobody waits, no timer is left.
 */
export class Limiter {
  readonly #clock: Clock;
  readonly #qps: number;
  readonly #burst: number;
  readonly #queues: Readonly<Record<RequestKind, Set<Waiter<void>>>> = { mutation: new Set(), read: new Set() };
  #rate: number;
  #tokens: number;
  #refilledAtMs: number;
  #cutAtMs = Number.NEGATIVE_INFINITY;
  #underWay = 0;
  /** Until there is a token for somebody who waits. */
  #sleep: AbortController | undefined;

  constructor(options: { readonly clock: Clock; readonly qps: number; readonly burst: number }) {
    this.#clock = options.clock;
    this.#qps = options.qps;
    this.#burst = Math.max(1, options.burst);
    this.#rate = this.#qps;
    this.#tokens = this.#burst;
    this.#refilledAtMs = this.#clock.monotonicMs();
  }

  /** The present rate, in requests/s. */
  get rate(): number {
    this.#refill();
    return this.#rate;
  }

  /** Waits for the right to send one request; `ended` gives it back. @throws the signal's reason, and then there is none */
  async take(kind: RequestKind, signal: AbortSignal): Promise<void> {
    const queue = this.#queues[kind];
    const waiter = newWaiter<void>(signal, () => {
      queue.delete(waiter);
      this.#grant();
    });
    queue.add(waiter);
    this.#grant();
    return waiter.promise;
  }

  /** A request that was granted by `take` is over, however it ended. */
  ended(): void {
    this.#underWay -= 1;
    this.#grant();
  }

  /** The cloud throttled a request. @param sentAtMs when that was sent, by the clock's `monotonicMs` */
  throttled(sentAtMs: number): void {
    if (sentAtMs < this.#cutAtMs) return;
    this.#refill();
    this.#cutAtMs = this.#clock.monotonicMs();
    this.#rate = Math.max(Math.min(LEAST_QPS, this.#qps), this.#rate / 2);
    this.#tokens = 0;
  }

  /** Grants what may be granted now, and sees to it that the rest is granted in time; if nobody waits for a token, no timer is left. */
  #grant(): void {
    this.#refill();
    let next = this.#next;
    for (; next !== undefined && this.#tokens >= 1; next = this.#next) {
      this.#tokens -= 1;
      this.#underWay += 1;
      for (const waiter of next) {
        next.delete(waiter);
        waiter.resolve();
        break;
      }
    }
    if (next === undefined) {
      this.#sleep?.abort();
      this.#sleep = undefined;
    } else if (this.#sleep === undefined) {
      this.#sleep = new AbortController();
      this.#clock.sleep(Math.ceil(((1 - this.#tokens) / this.#rate) * 1000), this.#sleep.signal).then(
        () => {
          this.#sleep = undefined;
          this.#grant();
        },
        () => {}, // nobody waits for a token any more
      );
    }
  }

  /** The queue whose first lacks nothing but a token. */
  get #next(): Set<Waiter<void>> | undefined {
    const { mutation, read } = this.#queues;
    if (mutation.size > 0) return this.#underWay < MOST_UNDER_WAY + MORE_MUTATIONS ? mutation : undefined;
    return read.size > 0 && this.#underWay < MOST_UNDER_WAY ? read : undefined;
  }

  #refill(): void {
    const nowMs = this.#clock.monotonicMs();
    const elapsedMs = nowMs - this.#refilledAtMs;
    const before = this.#rate;
    this.#refilledAtMs = nowMs;
    this.#rate = Math.min(this.#qps, before + (this.#qps * elapsedMs) / RECOVERY_MS);
    this.#tokens = Math.min(this.#burst, this.#tokens + (((before + this.#rate) / 2) * elapsedMs) / 1000);
  }
}
