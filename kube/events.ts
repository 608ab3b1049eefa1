import { isAlreadyExists, isConnectionFault, isNotFound } from './errors.ts';
import { EventCorrelator, type CorrelatedEvent } from './event-correlator.ts';
import type { KubeClient } from './rest.ts';
import type { Clock, Logger } from './surroundings.ts';
import type { Event, KubeObject } from './types.ts';

/** Events that may wait for delivery; what comes on top is dropped. Source: client-go, `maxQueuedEvents`. */
const QUEUE_LENGTH = 1000;

/** Tries for one event while the API server cannot be reached, and the pause between them, in ms. Source: client-go, `maxTriesPerEvent`. */
const MAX_TRIES = 12;
const RETRY_PAUSE_MS = 10_000;

/** What an event's name has to look like (RFC 1123 subdomain). */
const VALID_NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const MAX_NAME_LENGTH = 253;

export interface EventRecorderOptions {
  readonly client: Pick<KubeClient, 'create' | 'patch'>;
  /** The controller's name: source and reporting component of its events. */
  readonly component: string;
  readonly logger: Logger;
  readonly clock: Clock;
  /** After its abort nothing is delivered any more. */
  readonly signal: AbortSignal;
  readonly random?: () => number;
}

/**
 * Records events about objects, for people to see in `kubectl describe` (docs/reference/ccm.md B5).
 *
 * - `event` never blocks and never throws: delivery goes on behind, one at a time, in order, and a lost event is only logged.
 * - Repetitions are counted, similar events combined, floods cut off (EventCorrelator).
 * - An event waits for an API server that cannot be reached: 12 tries, 10 s apart. Any answer of the server ends the tries.
 */
export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #random: () => number;
  readonly #correlator: EventCorrelator;
  readonly #queue: CorrelatedEvent[] = [];
  #delivering: Promise<void> | undefined;
  #lastNameNs = 0n;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
    this.#correlator = new EventCorrelator(options.clock);
  }

  /** @param object with apiVersion and kind, as informers hand them out. */
  event(object: KubeObject, type: Event['type'], reason: string, message: string): void {
    const { logger, signal } = this.#options;
    const correlated = this.#correlator.correlate(this.#newEvent(object, type, reason, message));
    if (correlated === undefined || signal.aborted) return;
    if (this.#queue.length >= QUEUE_LENGTH) {
      logger.warn('Event dropped, too many are waiting', { reason, object: object.metadata.name });
      return;
    }
    this.#queue.push(correlated);
    this.#delivering ??= this.#deliverAll();
  }

  /** Resolves when nothing waits for delivery any more; soon after the recorder's signal is aborted. */
  async flush(): Promise<void> {
    await this.#delivering;
  }

  #newEvent(object: KubeObject, type: Event['type'], reason: string, message: string): Event {
    const { component, clock } = this.#options;
    const { name, namespace, uid, resourceVersion } = object.metadata;
    const nowMs = clock.now();
    const timestamp = new Date(nowMs).toISOString().replace(/\.\d+Z$/, 'Z');
    return {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: this.#eventName(name, nowMs), namespace: namespace ?? 'default' },
      involvedObject: {
        ...(object.apiVersion === undefined ? {} : { apiVersion: object.apiVersion }),
        ...(object.kind === undefined ? {} : { kind: object.kind }),
        ...(namespace === undefined ? {} : { namespace }),
        name,
        ...(uid === undefined ? {} : { uid }),
        ...(resourceVersion === undefined ? {} : { resourceVersion }),
      },
      reason,
      message,
      type,
      source: { component },
      reportingComponent: component,
      count: 1,
      firstTimestamp: timestamp,
      lastTimestamp: timestamp,
    };
  }

  /** `<object>.<time in ns, hex>`; the time is moved on where two would be the same. */
  #eventName(objectName: string, nowMs: number): string {
    const nowNs = BigInt(Math.trunc(nowMs)) * 1_000_000n;
    this.#lastNameNs = nowNs > this.#lastNameNs ? nowNs : this.#lastNameNs + 1n;
    const suffix = this.#lastNameNs.toString(16);
    const name = `${objectName}.${suffix}`;
    if (name.length <= MAX_NAME_LENGTH && VALID_NAME.test(name)) return name;
    return `${Math.trunc(this.#random() * 2 ** 48).toString(16)}.${suffix}`;
  }

  async #deliverAll(): Promise<void> {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) await this.#deliver(next);
    this.#delivering = undefined; // in the same moment as the queue is seen empty: an event that comes next starts anew
  }

  async #deliver({ event, repeated }: CorrelatedEvent): Promise<void> {
    const { clock, logger, signal } = this.#options;
    try {
      for (let tries = 1; ; tries += 1) {
        try {
          await (repeated ? this.#raiseCount(event) : this.#create(event));
          return;
        } catch (error) {
          // Any answer is the last word; an earlier try, whose answer was lost, may have made it.
          if (isAlreadyExists(error)) return;
          if (!isConnectionFault(error) || tries >= MAX_TRIES) throw error;
        }
        // The first pause is random, so that many processes do not come back at once when the API server does.
        await clock.sleep(tries === 1 ? RETRY_PAUSE_MS * this.#random() : RETRY_PAUSE_MS, signal);
      }
    } catch (error) {
      if (signal.aborted) return;
      logger.error('Event not recorded', error, { reason: event.reason, object: event.involvedObject.name });
    }
  }

  async #raiseCount(event: Event): Promise<void> {
    const { count, lastTimestamp, message, metadata } = event;
    const path = `${eventsPath(event)}/${metadata.name}`;
    try {
      const patch = { count, lastTimestamp, message };
      await this.#options.client.patch(path, patch, 'strategic', { signal: this.#options.signal });
    } catch (error) {
      if (!isNotFound(error)) throw error;
      await this.#create(event); // it has expired (by default after an hour), or was never made
    }
  }

  async #create(event: Event): Promise<void> {
    await this.#options.client.create(eventsPath(event), event, { signal: this.#options.signal });
  }
}

function eventsPath(event: Event): string {
  return `/api/v1/namespaces/${event.metadata.namespace}/events`;
}
