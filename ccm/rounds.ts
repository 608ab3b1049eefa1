import type { Clock } from '../daemon/clock.ts';
import type { Logger } from '../daemon/logger.ts';

/** When the next round comes: so long after the one before has ended, or has begun (then at once if that took longer). In ms. */
export type Pace = { readonly afterEndMs: number } | { readonly afterStartMs: number };

/**
 * Does a round now and again and again, until the signal is aborted; never two at once. One that fails is logged, and the next one
 * comes as if nothing had happened.
 * @param what stands in the log when a round fails
 */
export async function inRounds(
  what: string,
  pace: Pace,
  round: (signal: AbortSignal) => Promise<void>,
  { clock, logger, signal }: { readonly clock: Clock; readonly logger: Logger; readonly signal: AbortSignal },
): Promise<void> {
  while (!signal.aborted) {
    const startedAtMs = clock.monotonicMs();
    try {
      await round(signal);
    } catch (error) {
      if (signal.aborted) return;
      logger.error(what, error);
    }
    const pauseMs = 'afterEndMs' in pace ? pace.afterEndMs : pace.afterStartMs - (clock.monotonicMs() - startedAtMs);
    await clock.sleep(Math.max(0, pauseMs), signal).catch(() => undefined); // aborted
  }
}

/** Does `work` for each item, for `workers` of them at once. @throws what `work` throws, which also ends the others' next steps */
export async function forEachAtOnce<T>(
  items: readonly T[],
  workers: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const left = items.values();
  const take = async (): Promise<void> => {
    for (const item of left) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(workers, items.length) }, take));
}
