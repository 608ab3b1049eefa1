import { systemClock } from '../daemon/clock.ts';

/** The demo found something else than it should. */
export class Mismatch extends Error {
  override readonly name = 'Mismatch';
}

/** @throws Mismatch that says what is seen, unless it holds. */
export function expect(holds: boolean, seen: string): asserts holds {
  if (!holds) throw new Mismatch(seen);
}

/** Longer than any step takes that nothing hinders; a health check that failed once alone takes 10 s. */
const PATIENCE_MS = 30_000;

/**
 * Waits for a state of the world that the daemons bring about by themselves.
 * @throws Mismatch after 30 s; the signal's reason when it aborts
 */
export async function eventually<T>(what: string, signal: AbortSignal, look: () => Promise<T | undefined>): Promise<T> {
  const deadlineMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const seen = await look();
    if (seen !== undefined) return seen;
    if (performance.now() > deadlineMs) throw new Mismatch(`${what}: not within ${PATIENCE_MS / 1000} s`);
    await systemClock.sleep(50, signal);
  }
}
