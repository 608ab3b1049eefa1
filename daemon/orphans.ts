import type { Clock } from './clock.ts';
import { describeError, type Logger } from './logger.ts';

export interface OrphanWatch {
  /** What is an orphan now: its name for the log, by what it keeps for good. */
  readonly look: (signal: AbortSignal) => Promise<ReadonlyMap<string, string>>;
  /** Until the next look, in ms. */
  readonly pauseMs: () => number;
  /** Told after every look. */
  readonly count: (orphans: number) => void;
  /** What it is, and under which key the log names it: `Disks without a PersistentVolume`, `disks`. */
  readonly what: string;
  readonly key: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Names and counts what costs money and belongs to nobody in the cluster; nothing is done with it. One counts from the second look on,
 * since at the first its owner may just be coming or going. The same set is named once.
 * @throws the signal's reason, and nothing else: what fails is looked for again.
 */
export async function watchOrphans(watch: OrphanWatch, signal: AbortSignal): Promise<never> {
  const { look, pauseMs, count, what, key, clock, logger } = watch;
  let suspects: ReadonlyMap<string, string> = new Map();
  let told = '';
  for (;;) {
    await clock.sleep(pauseMs(), signal);
    try {
      const found = await look(signal);
      const lasting = [...found].filter(([id]) => suspects.has(id)).map(([, name]) => name);
      const names = lasting.toSorted();
      suspects = found;
      count(names.length);
      if (names.length > 0 && names.join() !== told) {
        logger.warn(`${what} of this cluster; nothing is done with them`, { [key]: names });
      }
      told = names.join();
    } catch (error) {
      signal.throwIfAborted();
      logger.warn(`${what} are looked for again`, { reason: describeError(error) });
    }
  }
}
