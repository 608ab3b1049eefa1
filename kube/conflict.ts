import { isConflict } from './errors.ts';
import type { Clock } from './surroundings.ts';

/** How often, and after which pause, a write that met a newer version is done again. The pause is `pauseMs` × [1, 1 + jitter). */
export interface ConflictPolicy {
  readonly tries: number;
  readonly pauseMs: number;
  readonly jitter: number;
}

/** What the framework does where (docs/reference/ccm.md B3). Pauses do not grow. */
export const CONFLICT_POLICIES = {
  nodeInitialisation: { tries: 20, pauseMs: 50, jitter: 1 },
  nodeUpdate: { tries: 5, pauseMs: 100, jitter: 1 },
  default: { tries: 5, pauseMs: 10, jitter: 0.1 },
} as const satisfies Record<string, ConflictPolicy>;

/**
 * Calls `write` until it meets no conflict. It has to read anew, apply and write each time; what it returns is returned.
 * @throws the last conflict when the tries are used up, and any other error at once.
 */
export async function retryOnConflict<R>(
  policy: ConflictPolicy,
  write: () => Promise<R>,
  surroundings: { readonly clock: Clock; readonly signal: AbortSignal; readonly random?: () => number },
): Promise<R> {
  const { clock, signal, random = Math.random } = surroundings;
  for (let tries = 1; ; tries += 1) {
    try {
      return await write();
    } catch (error) {
      if (!isConflict(error) || tries >= policy.tries) throw error;
      await clock.sleep(policy.pauseMs * (1 + policy.jitter * random()), signal);
    }
  }
}
