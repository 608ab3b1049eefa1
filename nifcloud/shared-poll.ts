import { isAuthFailure } from './errors.ts';
import type { Clock } from './surroundings.ts';
import { newWaiter } from './waiter.ts';

/** Looks in a row that may fail before a waiter is given the error; each has been repeated by the transport already. Our choice. */
const FAILED_LOOKS_TO_GIVE_UP = 3;

/** Reads the named things; what is missing in the answer does not exist. */
type Look<T> = (names: readonly string[], signal: AbortSignal) => Promise<ReadonlyMap<string, T>>;

interface PollWaiter<T> {
  readonly name: string;
  see(item: T | undefined): void;
  fail(error: unknown): void;
}

/**
 * One ticker for all who wait until something of a kind has reached a state.
 *
 * - One look a tick serves all waiters, whatever they wait for and however many they are.
 * - The ticker starts with the first waiter and looks `intervalMs` later, then every `intervalMs`; looks never overlap.
 * - A waiter that joins a running ticker is served from the next look on: one that is sent after it joined (so it is true for it),
 *   at most `intervalMs` later, and that is made anyway (a look of its own would cost a call).
 * - A failed look says nothing: waiters stay for the next one. They get the error when credentials were refused, or after
 *   `FAILED_LOOKS_TO_GIVE_UP` failed looks in a row.
 * - A waiter's abort, or an exception of its `accept`, ends its own wait and no other.
 * - When nobody waits any more, a look in progress is aborted and no timer is left.
 */
export class SharedPoll<T> {
  readonly #look: Look<T>;
  readonly #clock: Clock;
  readonly #intervalMs: number;
  readonly #waiters = new Set<PollWaiter<T>>();
  #ticker: AbortController | undefined;

  constructor(look: Look<T>, clock: Clock, intervalMs: number) {
    this.#look = look;
    this.#clock = clock;
    this.#intervalMs = intervalMs;
  }

  /**
   * Waits until `accept` returns something.
   *
   * @param accept is shown what each look saw, `undefined` = it does not exist; it may throw to give up
   * @throws what `accept` throws, the error of the looks (see above), or the signal's reason
   */
  async until<R>(name: string, accept: (item: T | undefined) => R | undefined, signal: AbortSignal): Promise<R> {
    let failedLooks = 0;
    const promised = newWaiter<R>(signal, () => this.#leave(waiter));
    const waiter: PollWaiter<T> = {
      name,
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
    let delayMs = this.#intervalMs;
    while (!stop.aborted) {
      try {
        await this.#clock.sleep(delayMs, stop);
      } catch {
        return; // stopped
      }
      const startedAtMs = this.#clock.monotonicMs();
      await this.#serve([...this.#waiters], stop);
      delayMs = this.#intervalMs - ((this.#clock.monotonicMs() - startedAtMs) % this.#intervalMs);
    }
  }

  async #serve(waiters: readonly PollWaiter<T>[], stop: AbortSignal): Promise<void> {
    let show: (waiter: PollWaiter<T>) => void;
    try {
      const seen = await this.#look([...new Set(waiters.map(({ name }) => name))], stop);
      show = (waiter) => waiter.see(seen.get(waiter.name));
    } catch (error) {
      show = (waiter) => waiter.fail(error);
    }
    for (const waiter of waiters) if (this.#waiters.has(waiter)) show(waiter);
  }
}
