import type { Clock } from '../daemon/clock.ts';

/** A point in the order in which things happen: two are never the same, which times can be. 0 = before everything. */
export type Moment = number;

/** For how long what was begun serves those who look at many things together, in ms. Our choice. */
export const TOGETHER_MS = 10_000;

/**
 * The newest of some looks at the cloud, for all to whom it is new enough. Who looks at the same time as others shares what they read,
 * however few of them are at work at once; nobody is shown what was read before he asked, or before he changed something.
 */
export class Recent<T> {
  readonly #begin: (begun: Moment) => T;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #last: Moment = 0;
  #newest: { readonly begun: Moment; readonly atMs: number; readonly look: T } | undefined;

  constructor(begin: (begun: Moment) => T, clock: Pick<Clock, 'monotonicMs'>) {
    this.#begin = begin;
    this.#clock = clock;
  }

  /** Now: what is begun later is newer. */
  mark(): Moment {
    return ++this.#last;
  }

  /** A look that was begun after `since` and no more than `maxAgeMs` ago. */
  get(since: Moment, maxAgeMs: number): T {
    const nowMs = this.#clock.monotonicMs();
    const newest = this.#newest;
    if (newest !== undefined && newest.begun > since && nowMs - newest.atMs <= maxAgeMs) return newest.look;
    const begun = this.mark();
    const look = this.#begin(begun);
    this.#newest = { begun, atMs: nowMs, look };
    return look;
  }
}

export type Read<T> = (signal: AbortSignal) => Promise<T>;

/**
 * Reads when first asked, and only then. All who ask have to work until the same abort: the read ends with the signal of the first one.
 * A failure reaches all who wait for that read, and nobody who asks later: for him it is read again.
 */
export function once<T>(read: Read<T>): Read<T> {
  let answer: Promise<T> | undefined;
  return (signal) => {
    answer ??= read(signal).catch((error: unknown) => {
      answer = undefined;
      throw error;
    });
    return answer;
  };
}
