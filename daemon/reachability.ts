import type { Clock } from './clock.ts';
import type { Check } from './health.ts';
import { describeError } from './logger.ts';
import type { Logger } from './logger.ts';

/** How often a cloud that can't be used is tried again and complained about, in ms. */
const PERIOD_MS = 60_000;

/** What is needed of a client of the cloud. */
export interface CloudReach {
  /** How the newest call went: whether the cloud was reached, and took us for its customer. */
  reachability(): { readonly ok: true } | { readonly ok: false; readonly error: Error };
}

/** Fails while the cloud can't be reached or refuses our signature. */
export function cloudCheck(cloud: CloudReach): Check {
  return {
    name: 'cloud',
    failure: () => {
      const state = cloud.reachability();
      return state.ok ? undefined : describeError(state.error);
    },
  };
}

/**
 * Asks the cloud once at the start, so that wrong keys show at once, and then each minute while it can't be used: a log line each
 * time, and readiness comes back by itself where nothing else asks the cloud. Until the signal is aborted.
 *
 * @param ask any call that is cheap; what it throws is in `reachability`
 */
export async function watchCloud(
  cloud: CloudReach,
  ask: (signal: AbortSignal) => Promise<unknown>,
  { logger, clock }: { readonly logger: Logger; readonly clock: Clock },
  signal: AbortSignal,
): Promise<void> {
  for (let first = true; !signal.aborted; first = false) {
    if (first || !cloud.reachability().ok) await ask(signal).catch(() => undefined);
    if (signal.aborted) return;
    const state = cloud.reachability();
    if (!state.ok) logger.error('The NIFCLOUD API cannot be used, nothing is changed until it can', state.error);
    await clock.sleep(PERIOD_MS, signal).catch(() => undefined);
  }
}
