import type { Clock } from '../../daemon/clock.ts';
import type { Logger } from '../../daemon/logger.ts';

/** The machine that the node server runs on, and what is needed to work with it. */
export interface Host {
  /** Folder under which the host's `sys`, `dev` and `proc` are found; `/` on a real node. */
  readonly root: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Looks at once and then every `everyMs`, until `look` finds something.
 * @returns what it found; undefined when `timeoutMs` have passed without.
 * @throws the signal's reason when it is aborted first.
 */
export async function until<T>(
  clock: Clock,
  { timeoutMs, everyMs }: { readonly timeoutMs: number; readonly everyMs: number },
  signal: AbortSignal,
  look: () => Promise<T | undefined>,
): Promise<T | undefined> {
  const endMs = clock.monotonicMs() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (clock.monotonicMs() >= endMs) return undefined;
    await clock.sleep(everyMs, signal);
  }
}

/** The `code` of a Node system error, such as `ENOENT`; undefined for any other error. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
