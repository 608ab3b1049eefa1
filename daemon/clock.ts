/** Time as a parameter: tests hand in a clock that they step themselves, so that none of them sleeps. */
export interface Clock {
  /** Wall-clock time in ms since the epoch. */
  now(): number;
  /** A clock that never jumps, in ms since an arbitrary origin: for measuring and for deadlines. */
  monotonicMs(): number;
  /**
   * Resolves after `delayMs`.
   * @throws the signal's reason when it is aborted first.
   */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

/** The longest delay that a timer of Node can hold, in ms (some 24 days); with a longer one it fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The machine's own clock. A sleep keeps the process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: async (delayMs, signal) => {
    let leftMs = delayMs;
    for (; leftMs > LONGEST_TIMER_MS; leftMs -= LONGEST_TIMER_MS) await nap(LONGEST_TIMER_MS, signal);
    await nap(leftMs, signal);
  },
};

function nap(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason as Error);
      return;
    }
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, delayMs);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
