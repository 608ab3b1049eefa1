import type { Clock } from '../daemon/clock.ts';

interface Answer<T> {
  readonly sentAtMs: number;
  readonly value: T;
}

/**
 * A listing for many who wait for the cloud. They look at the same tick but not at the same moment, as there are fewer workers: what
 * one of them was answered a moment ago serves the next, unless that one has changed something since.
 */
export class RecentRead<T> {
  readonly #read: (signal: AbortSignal) => Promise<T>;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #maxAgeMs: number;
  #newest: Answer<T> | undefined;

  /** @param maxAgeMs shorter than the time between two ticks */
  constructor(read: (signal: AbortSignal) => Promise<T>, clock: Pick<Clock, 'monotonicMs'>, maxAgeMs: number) {
    this.#read = read;
    this.#clock = clock;
    this.#maxAgeMs = maxAgeMs;
  }

  /** @param changedAtMs when the asker's last change was answered; `undefined` = only an answer that is asked for now will do */
  async get(changedAtMs: number | undefined, signal: AbortSignal): Promise<T> {
    const nowMs = this.#clock.monotonicMs();
    const newest = this.#newest;
    const isFresh = newest !== undefined && changedAtMs !== undefined && newest.sentAtMs > changedAtMs;
    if (isFresh && nowMs - newest.sentAtMs <= this.#maxAgeMs) return newest.value;
    const value = await this.#read(signal);
    if ((this.#newest?.sentAtMs ?? -Infinity) <= nowMs) this.#newest = { sentAtMs: nowMs, value };
    return value;
  }
}
