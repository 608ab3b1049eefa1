import type { Clock } from './clock.ts';

/** Answers that are kept; the oldest go first. Bounds memory when somebody tries many keys. */
const LIMIT = 4096;

interface Entry<V> {
  readonly answer: Promise<V>;
  /** On the monotonic clock; `Infinity` while the answer is awaited. */
  expiresAtMs: number;
}

/**
 * Remembers answers for a while.
 *
 * - Who asks for the same thing while it is looked up shares the look-up.
 * - A failure is handed to those who wait for it and forgotten.
 */
export class ExpiringCache<V> {
  readonly #clock: Clock;
  readonly #ttlMs: (value: V) => number;
  readonly #entries = new Map<string, Entry<V>>();

  /** @param ttlMs how long a value counts, in ms */
  constructor(clock: Clock, ttlMs: (value: V) => number) {
    this.#clock = clock;
    this.#ttlMs = ttlMs;
  }

  async get(key: string, lookUp: () => Promise<V>): Promise<V> {
    const known = this.#entries.get(key);
    if (known !== undefined && this.#clock.monotonicMs() < known.expiresAtMs) return await known.answer;
    const entry: Entry<V> = { answer: lookUp(), expiresAtMs: Infinity };
    this.#entries.delete(key); // so that it comes last in the order of age
    this.#entries.set(key, entry);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > LIMIT && oldest !== undefined) this.#entries.delete(oldest);
    try {
      const value = await entry.answer;
      entry.expiresAtMs = this.#clock.monotonicMs() + this.#ttlMs(value);
      return value;
    } catch (error) {
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
      throw error;
    }
  }
}
