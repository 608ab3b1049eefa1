import type { Clock } from '../../daemon/clock.ts';
import { SharedRead } from '../../nifcloud/shared-read.ts';

/** One shared read for each thing that is asked for, with the guarantees of SharedRead; kept only while somebody asks. */
export class KeyedReads<T> {
  readonly #read: (key: string, signal: AbortSignal) => Promise<T>;
  readonly #clock: Clock;
  readonly #reads = new Map<string, { readonly shared: SharedRead<T>; askers: number }>();

  constructor(read: (key: string, signal: AbortSignal) => Promise<T>, clock: Clock) {
    this.#read = read;
    this.#clock = clock;
  }

  /** @throws what the read throws, or the signal's reason */
  async get(key: string, signal: AbortSignal): Promise<T> {
    const read = this.#reads.get(key) ?? { shared: this.#newRead(key), askers: 0 };
    this.#reads.set(key, read);
    read.askers += 1;
    try {
      return await read.shared.get(signal);
    } finally {
      read.askers -= 1;
      if (read.askers === 0) this.#reads.delete(key);
    }
  }

  #newRead(key: string): SharedRead<T> {
    return new SharedRead((signal) => this.#read(key, signal), this.#clock);
  }
}
