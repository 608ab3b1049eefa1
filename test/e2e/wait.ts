import { setTimeout as pause } from 'node:timers/promises';

/** Longer than anything takes that no timer of Kubernetes holds up, also on a busy machine. */
const PATIENCE_MS = 60_000;

/**
 * Looks again and again until it sees something. Errors count as not seen: API server and daemons may be away for a while.
 * @param what is waited for, for the error
 * @throws Error that says what was last seen
 */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false>,
  patienceMs = PATIENCE_MS,
): Promise<T> {
  const givenUpAtMs = performance.now() + patienceMs;
  let cause: unknown;
  for (;;) {
    try {
      const seen = await look();
      if (seen !== undefined && seen !== false) return seen;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (performance.now() > givenUpAtMs) {
      const why = cause === undefined ? '' : `: ${(cause as Error).message}`;
      throw new Error(`${what}: not within ${patienceMs / 1000} s${why}`, { cause });
    }
    await pause(250);
  }
}
