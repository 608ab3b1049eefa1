import type { Clock } from '../daemon/clock.ts';

interface Sleeper {
  readonly dueMs: number;
  wake(): void;
}

/**
 * A clock that moves only when a test says so.
 *
 * - `advance` wakes the sleepers that fall due in the order of their due times (ties: the order in which they fell asleep),
 *   and lets everything that follows from one wake-up run before the next.
 * - While a sleeper wakes, the clock shows its due time; sleeps that it starts are served by the same `advance`.
 * - Work that waits for real I/O is not waited for: only promises and callbacks that are ready run.
 */
export class FakeClock implements Clock {
  readonly #startMs: number;
  #elapsedMs = 0;
  readonly #sleepers = new Set<Sleeper>();

  constructor(startMs: number = Date.UTC(2025, 0, 2, 3, 4, 5)) {
    this.#startMs = startMs;
  }

  now(): number {
    return this.#startMs + this.#elapsedMs;
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  /** How many sleepers wait; 0 = nothing would ever wake by time alone (no timer has leaked). */
  get sleeping(): number {
    return this.#sleepers.size;
  }

  /** When the next sleeper falls due, by `monotonicMs`; undefined = nobody sleeps. */
  get nextDueMs(): number | undefined {
    return this.#next(Infinity)?.dueMs;
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason as Error);
        return;
      }
      const onAbort = (): void => {
        this.#sleepers.delete(sleeper);
        reject(signal?.reason as Error);
      };
      const sleeper: Sleeper = {
        dueMs: this.#elapsedMs + Math.max(0, delayMs),
        wake: () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Moves time forward by `ms`; `advance(0)` only lets ready work run (and wakes those that sleep for 0 ms). */
  async advance(ms: number): Promise<void> {
    const targetMs = this.#elapsedMs + ms;
    await readyWork();
    for (let next = this.#next(targetMs); next !== undefined; next = this.#next(targetMs)) {
      this.#elapsedMs = Math.max(this.#elapsedMs, next.dueMs);
      this.#sleepers.delete(next);
      next.wake();
      await readyWork();
    }
    this.#elapsedMs = targetMs;
  }

  #next(targetMs: number): Sleeper | undefined {
    let next: Sleeper | undefined;
    for (const sleeper of this.#sleepers) {
      if (sleeper.dueMs <= targetMs && (next === undefined || sleeper.dueMs < next.dueMs)) next = sleeper;
    }
    return next;
  }
}

/** A turn of the event loop: all promise callbacks that are ready, and those that they make ready, have run. */
function readyWork(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
