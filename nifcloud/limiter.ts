import type { Clock } from './surroundings.ts';
import { newWaiter, type Waiter } from './waiter.ts';

/** The rate is never cut below this, in requests/s: progress goes on while the cloud throttles. */
const LEAST_QPS = 2;

/** A rate of 0 would be back at its full value after so long, in ms: one cut in half is made good within a minute. */
const RECOVERY_MS = 120_000;

export type RequestKind = 'mutation' | 'read';

/**
 * Token bucket for requests to the cloud that adapts to throttling.
 *
 * - At most `burst` requests at once, `qps` a second in the long run.
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
  #pump: AbortController | undefined;

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

  /** Waits for the right to send one request. @throws the signal's reason */
  async take(kind: RequestKind, signal: AbortSignal): Promise<void> {
    const queue = this.#queues[kind];
    const waiter = newWaiter<void>(signal, () => {
      queue.delete(waiter);
      this.#stopIfIdle();
    });
    queue.add(waiter);
    if (this.#pump === undefined) {
      this.#pump = new AbortController();
      void this.#grantAll(this.#pump.signal);
    }
    return waiter.promise;
  }

  /** The cloud throttled a request. @param sentAtMs when that was sent, by the clock's `monotonicMs` */
  throttled(sentAtMs: number): void {
    if (sentAtMs < this.#cutAtMs) return;
    this.#refill();
    this.#cutAtMs = this.#clock.monotonicMs();
    this.#rate = Math.max(Math.min(LEAST_QPS, this.#qps), this.#rate / 2);
    this.#tokens = 0;
  }

  async #grantAll(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      this.#refill();
      if (this.#tokens < 1) {
        try {
          await this.#clock.sleep(Math.ceil(((1 - this.#tokens) / this.#rate) * 1000), stop);
        } catch {
          return; // nobody waits any more
        }
        continue;
      }
      this.#tokens -= 1;
      const queue = this.#queues.mutation.size > 0 ? this.#queues.mutation : this.#queues.read;
      for (const waiter of queue) {
        queue.delete(waiter);
        waiter.resolve();
        break;
      }
      this.#stopIfIdle();
    }
  }

  #stopIfIdle(): void {
    if (this.#queues.mutation.size + this.#queues.read.size > 0) return;
    this.#pump?.abort();
    this.#pump = undefined;
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
