import { Lru } from './lru.ts';
import type { Clock } from './surroundings.ts';
import { TokenBucket } from './token-bucket.ts';
import type { Event } from './types.ts';

/* The numbers are client-go's, `tools/record/events_cache.go`; so is the order: aggregate, count, filter. */

/** Keys remembered for each of the three purposes. */
const REMEMBERED = 4096;

/** From this many different messages on, each within the time of the one before, similar events become one. */
const SIMILAR_MESSAGES = 10;
const SIMILAR_WITHIN_MS = 600_000;
const COMBINED_PREFIX = '(combined from similar events): ';

/** Events about one object, of one type: this many at once, then one in 300 s. */
const SPAM_BURST = 25;
const SPAM_PER_SECOND = 1 / 300;

/** What is to be sent: a new event, or one whose count went up. */
export interface CorrelatedEvent {
  readonly event: Event;
  readonly repeated: boolean;
}

interface Sent {
  readonly metadata: Event['metadata'];
  readonly firstTimestamp: string;
  readonly count: number;
}

/**
 * Keeps a controller that fails over and over from flooding the API server (docs/reference/ccm.md B5).
 *
 * - An event that says the same as one before becomes a higher count of that one.
 * - Many events of one reason about one object that differ in their message only become one, which shows the newest message.
 * - More than 25 about one object are dropped, all but one in 300 s.
 */
export class EventCorrelator {
  readonly #clock: Clock;
  readonly #similar = new Lru<{ readonly messages: Set<string>; lastAtMs: number }>(REMEMBERED);
  readonly #sent = new Lru<Sent>(REMEMBERED);
  readonly #allowances = new Lru<TokenBucket>(REMEMBERED);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What to send for the event; undefined = nothing, there were too many. */
  correlate(event: Event): CorrelatedEvent | undefined {
    const [aggregated, key] = this.#aggregate(event);
    const correlated = this.#count(aggregated, key);
    return this.#allowance(event).take() ? correlated : undefined;
  }

  #aggregate(event: Event): readonly [Event, string] {
    const { kind, namespace, name, uid, apiVersion } = event.involvedObject;
    const key = joined(event.source.component, kind, namespace, name, uid, apiVersion, event.type, event.reason);
    const nowMs = this.#clock.monotonicMs();
    let similar = this.#similar.get(key);
    if (similar === undefined || nowMs - similar.lastAtMs > SIMILAR_WITHIN_MS) {
      similar = { messages: new Set(), lastAtMs: nowMs };
      this.#similar.set(key, similar);
    }
    similar.lastAtMs = nowMs;
    similar.messages.add(event.message);
    if (similar.messages.size < SIMILAR_MESSAGES) return [event, joined(key, event.message)];
    for (const any of similar.messages) {
      similar.messages.delete(any); // one below the limit, so that the next one is over it again
      break;
    }
    return [{ ...event, message: COMBINED_PREFIX + event.message }, key];
  }

  #count(event: Event, key: string): CorrelatedEvent {
    const before = this.#sent.get(key);
    const counted: Event =
      before === undefined
        ? event
        : {
            ...event,
            metadata: before.metadata,
            firstTimestamp: before.firstTimestamp,
            count: before.count + 1,
          };
    this.#sent.set(key, counted);
    return { event: counted, repeated: before !== undefined };
  }

  #allowance(event: Event): TokenBucket {
    const { kind, namespace, name, uid, apiVersion } = event.involvedObject;
    const key = joined(event.source.component, kind, namespace, name, uid, apiVersion, event.type);
    let allowance = this.#allowances.get(key);
    if (allowance === undefined) {
      allowance = new TokenBucket({ perSecond: SPAM_PER_SECOND, burst: SPAM_BURST, clock: this.#clock });
      this.#allowances.set(key, allowance);
    }
    return allowance;
  }
}

/** One key of several texts, none of which can hold the separator. */
function joined(...parts: readonly (string | undefined)[]): string {
  return parts.map((part) => part ?? '').join('\0');
}
