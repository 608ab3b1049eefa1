import { isAuthFailure } from './errors.ts';
import type { Clock } from './surroundings.ts';
import { newWaiter } from './waiter.ts';

/** Looks in a row that may fail before a waiter is given the error; each has been repeated by the transport already. Our choice. */
const FAILED_LOOKS_TO_GIVE_UP = 3;

/** Reads the named things; what is missing in the answer does not exist. */
type Look<T> = (names: readonly string[], signal: AbortSignal) => Promise<ReadonlyMap<string, T>>;

/** When who waits is due for a look. No wait between two looks may be longer than that for the first. */
export interface Rhythm {
  /** From the beginning of a wait to its first look. */
  readonly firstMs: number;
  /** From the start of a look to the next one, for a wait that was so old at that look. */
  readonly nextMs: (waitedMs: number) => number;
  /** Between the starts of any two looks at least, whoever they are for. */
  readonly gapMs: number;
}

/** A look every so often. */
export function steady(intervalMs: number): Rhythm {
  return { firstMs: intervalMs, nextMs: () => intervalMs, gapMs: intervalMs };
}

/**
 * The first look after `firstMs`, when what usually takes that long is over; then often, so that who waited for so long does not wait
 * much longer than needed: after an eighth of the time that has passed, at least a sixth of `firstMs`, at most `firstMs`.
 */
export function eager(firstMs: number): Rhythm {
  const nextMs = (waitedMs: number): number => Math.min(firstMs, Math.max(firstMs / 6, waitedMs / 8));
  return { firstMs, nextMs, gapMs: firstMs / 12 };
}

interface PollWaiter<T> {
  readonly name: string;
  readonly beganAtMs: number;
  dueAtMs: number;
  see(item: T | undefined): void;
  fail(error: unknown): void;
}

/**
 * One ticker for all who wait until something of a kind has reached a state.
 *
 * - One look a tick serves all waiters, whatever they wait for and however many they are.
 * - There is a look whenever somebody is due by the rhythm, but never sooner after another than its gap; looks never overlap.
 * - A waiter is served by every look that is sent after it joined (so it is true for it), whoever it is made for. With a steady rhythm
 *   these are the only ones: its first comes at most one interval after it joined.
 * - A failed look says nothing: waiters stay for the next one. They get the error when credentials were refused, or after
 *   `FAILED_LOOKS_TO_GIVE_UP` failed looks in a row.
 * - A waiter's abort, or an exception of its `accept`, ends its own wait and no other.
 * - When nobody waits any more, a look in progress is aborted and no timer is left.
 */
export class SharedPoll<T> {
  readonly #look: Look<T>;
  readonly #clock: Clock;
  readonly #rhythm: Rhythm;
  readonly #waiters = new Set<PollWaiter<T>>();
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #ticker: AbortController | undefined;

  constructor(look: Look<T>, clock: Clock, rhythm: Rhythm) {
    this.#look = look;
    this.#clock = clock;
    this.#rhythm = rhythm;
  }

  /**
   * Waits until `accept` returns something.
   *
   * @param accept is shown what each look saw, `undefined` = it does not exist; it may throw to give up
   * @throws what `accept` throws, the error of the looks (see above), or the signal's reason
   */
  async until<R>(name: string, accept: (item: T | undefined) => R | undefined, signal: AbortSignal): Promise<R> {
    let failedLooks = 0;
    const beganAtMs = this.#clock.monotonicMs();
    const promised = newWaiter<R>(signal, () => this.#leave(waiter));
    const waiter: PollWaiter<T> = {
      name,
      beganAtMs,
      dueAtMs: beganAtMs + this.#rhythm.firstMs,
      see: (item) => {
        failedLooks = 0;
        try {
          const result = accept(item);
          if (result === undefined) return;
          promised.resolve(result);
        } catch (error) {
          promised.reject(error);
        }
        this.#leave(waiter);
      },
      fail: (error) => {
        failedLooks += 1;
        if (!isAuthFailure(error) && failedLooks < FAILED_LOOKS_TO_GIVE_UP) return;
        promised.reject(error);
        this.#leave(waiter);
      },
    };
    this.#waiters.add(waiter);
    if (this.#ticker === undefined) {
      this.#ticker = new AbortController();
      void this.#tick(this.#ticker.signal);
    }
    return promised.promise;
  }

  #leave(waiter: PollWaiter<T>): void {
    this.#waiters.delete(waiter);
    if (this.#waiters.size > 0) return;
    this.#ticker?.abort();
    this.#ticker = undefined;
  }

  async #tick(stop: AbortSignal): Promise<void> {
    try {
      for (;;) {
        await this.#clock.sleep(Math.max(0, this.#nextLookAtMs() - this.#clock.monotonicMs()), stop);
        // Who was due may have left.
        if (this.#nextLookAtMs() <= this.#clock.monotonicMs()) await this.#serve([...this.#waiters], stop);
        stop.throwIfAborted();
      }
    } catch (error) {
      if (!stop.aborted) throw error;
    }
  }

  #nextLookAtMs(): number {
    const dueAtMs = Math.min(...[...this.#waiters].map((waiter) => waiter.dueAtMs));
    return Math.max(dueAtMs, this.#lookedAtMs + this.#rhythm.gapMs);
  }

  async #serve(waiters: readonly PollWaiter<T>[], stop: AbortSignal): Promise<void> {
    const lookedAtMs = this.#clock.monotonicMs();
    this.#lookedAtMs = lookedAtMs;
    let nextMs = this.#rhythm.nextMs;
    let show: (waiter: PollWaiter<T>) => void;
    try {
      const seen = await this.#look([...new Set(waiters.map(({ name }) => name))], stop);
      show = (waiter) => waiter.see(seen.get(waiter.name));
    } catch (error) {
      show = (waiter) => waiter.fail(error);
      nextMs = () => this.#rhythm.firstMs; // an outage is given time to pass
    }
    const tookMs = this.#clock.monotonicMs() - lookedAtMs;
    for (const waiter of waiters) {
      if (!this.#waiters.has(waiter)) continue;
      if (waiter.dueAtMs <= lookedAtMs) {
        const everyMs = nextMs(lookedAtMs - waiter.beganAtMs);
        waiter.dueAtMs = lookedAtMs + everyMs * Math.max(1, Math.ceil(tookMs / everyMs)); // a slow look is no reason to hurry
      }
      show(waiter);
    }
  }
}
