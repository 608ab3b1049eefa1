import { setTimeout as pause } from 'node:timers/promises';

/** Longer than anything takes that a test waits for, also on a busy machine; shorter than mocha's time-out for a test. */
const PATIENCE_MS = 15_000;

/**
 * Looks again and again until it sees something: for what other processes or real I/O bring about without a word.
 * @param look answers `undefined` or `false` while there is nothing to be seen
 * @throws after 15 s, so that a failed test does not keep its process alive.
 */
export async function eventually<T>(look: () => T | Promise<T>): Promise<Exclude<T, undefined | false>> {
  const givenUpAtMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen as Exclude<T, undefined | false>;
    if (performance.now() > givenUpAtMs) throw new Error(`still not so after ${PATIENCE_MS} ms: ${look.toString()}`);
    await pause(5);
  }
}
