import { systemClock } from '../daemon/clock.ts';

/**
 * To be loaded before a program (`--import`): its clock runs ten times as fast, so that it looks at the cloud every 300 ms instead of
 * every 3 s. Time limits shrink with it: what a program waits for must come in a tenth of the time.
 */
const FASTER = 10;

const real = { ...systemClock };
const hurried: Partial<typeof systemClock> = {
  monotonicMs: () => real.monotonicMs() * FASTER,
  sleep: (delayMs, signal) => real.sleep(delayMs / FASTER, signal),
};
Object.assign(systemClock, hurried);
