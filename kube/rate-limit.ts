import type { Clock } from './surroundings.ts';
import { TokenBucket } from './token-bucket.ts';

/** Says how long a key must wait before its next try. */
export interface RateLimiter {
  /** Counts a try and answers the pause before it, in ms. */
  next(key: string): number;
  /** The key succeeded: its next pause is the shortest again. */
  forget(key: string): void;
}

/** For each key `baseMs` × 2^(its failures so far), at most `maxMs`. */
export function exponentialPerKey(baseMs: number, maxMs: number): RateLimiter {
  const failures = new Map<string, number>();
  return {
    next(key) {
      const count = failures.get(key) ?? 0;
      failures.set(key, count + 1);
      return Math.min(maxMs, baseMs * 2 ** count); // 2 ** 1024 is Infinity, which min copes with
    },
    forget(key) {
      failures.delete(key);
    },
  };
}

/** All keys together: `perSecond`, after `burst` at once. Nobody is dropped; whoever comes too early waits for a turn. */
export function bucketForAll(perSecond: number, burst: number, clock: Clock): RateLimiter {
  const bucket = new TokenBucket({ perSecond, burst, clock });
  return { next: () => bucket.reserve(), forget: () => undefined };
}

/** The longest of the pauses. */
export function maxOf(...limiters: readonly RateLimiter[]): RateLimiter {
  return {
    next: (key) => Math.max(...limiters.map((limiter) => limiter.next(key))),
    forget(key) {
      for (const limiter of limiters) limiter.forget(key);
    },
  };
}

/** 5 ms … 1000 s for each key, ten a second in all. Source: client-go, `DefaultTypedControllerRateLimiter`. */
export function defaultRateLimiter(clock: Clock): RateLimiter {
  return maxOf(exponentialPerKey(5, 1_000_000), bucketForAll(10, 100, clock));
}
