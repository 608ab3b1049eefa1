import type { CredentialSource } from './credentials.ts';
import { isAuthFailure, isInternalError, isMaintenance, isThrottled, NifcloudError } from './errors.ts';
import type { Limiter, RequestKind } from './limiter.ts';
import type { Parameters } from './parameters.ts';
import { sameCredentials, type Credentials } from './sign.ts';
import type { Clock, Logger, RequestMetrics } from './surroundings.ts';
import type { Call, Wire } from './wire.ts';
import type { XmlElement } from './xml.ts';

/** How often a request is sent at most, and the longest first delay in between, in ms; each further one is twice as long. Our choice. */
const RETRIES = {
  /** An outage of a second goes unnoticed. */
  mayPass: { attempts: 4, backoffMs: 200 },
  /** Up to half a minute, in which the limiter slows everything down too. */
  throttled: { attempts: 7, backoffMs: 500 },
} as const;

const LONGEST_BACKOFF_MS = 10_000;

/** What the resources need of the transport. */
export interface Api {
  /**
   * A call that changes nothing.
   *
   * @param parse makes the result of the answer; may throw UnreadableAnswer
   * @param unread elements that `parse` does not look into, by their names in lower case
   */
  read<T>(
    action: string,
    parameters: Parameters,
    parse: (answer: XmlElement) => T,
    signal: AbortSignal,
    unread?: readonly string[],
  ): Promise<T>;
  /** A call that changes something. */
  mutate<T>(action: string, parameters: Parameters, parse: (answer: XmlElement) => T, signal: AbortSignal): Promise<T>;
}

/** Whether the cloud can be reached, by the newest request that says something about it; `sinceMs` is the first failure in a row. */
export type Reachability =
  | { readonly ok: true }
  | { readonly ok: false; readonly error: NifcloudError; readonly sinceMs: number };

export interface TransportOptions {
  readonly wire: Pick<Wire, 'exchange'>;
  readonly credentials: CredentialSource;
  readonly limiter: Limiter;
  readonly logger: Logger;
  readonly clock: Clock;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  readonly metrics?: RequestMetrics | undefined;
}

/**
 * Sends requests as often as is safe (docs/reference/nifcloud-api.md §1.7).
 *
 * - A read is repeated, with jittered back-off, when its outcome is unknown, when nothing was sent, and on the cloud's
 *   "internal error" and "maintenance".
 * - A mutation is repeated only when nothing can have been done: it was throttled, or no connection came about.
 * - Either is repeated, once and at once, when the cloud refused keys that have been rotated since it was signed.
 * - A call ends with its signal's reason as soon as that aborts: in the limiter, between attempts and during a request.
 */
export class Transport implements Api {
  readonly #options: TransportOptions;
  #failure: { readonly error: NifcloudError; readonly sinceMs: number } | undefined;

  constructor(options: TransportOptions) {
    this.#options = options;
  }

  /** See `Nifcloud.reachability`. */
  get reachability(): Reachability {
    return this.#failure === undefined ? { ok: true } : { ok: false, ...this.#failure };
  }

  read<T>(
    action: string,
    parameters: Parameters,
    parse: (answer: XmlElement) => T,
    signal: AbortSignal,
    unread: readonly string[] = [],
  ): Promise<T> {
    return this.#send('read', { action, parameters, parse, unread }, signal);
  }

  mutate<T>(action: string, parameters: Parameters, parse: (answer: XmlElement) => T, signal: AbortSignal): Promise<T> {
    return this.#send('mutation', { action, parameters, parse }, signal);
  }

  async #send<T>(kind: RequestKind, call: Call<T>, signal: AbortSignal): Promise<T> {
    const { credentials, clock, random, logger } = this.#options;
    let isRotated = false;
    for (let attempt = 1; ; attempt++) {
      const keys = await this.#granted(kind, signal);
      try {
        return await this.#attempt(call, keys, signal);
      } catch (error) {
        if (!isRotated && isAuthFailure(error) && !sameCredentials(keys, credentials(keys))) {
          isRotated = true;
          continue;
        }
        const retry = retryOf(error, kind);
        if (retry === undefined || attempt >= retry.attempts) throw error;
        const longestMs = Math.min(LONGEST_BACKOFF_MS, retry.backoffMs * 2 ** (attempt - 1));
        const delayMs = longestMs * (0.5 + random() / 2);
        logger.debug(2, 'Cloud request is sent again', { action: call.action, attempt, delayMs, err: String(error) });
        await clock.sleep(delayMs, signal);
      }
    }
  }

  /** Waits for the right to send one request. @returns the keys of that moment, to sign it with */
  async #granted(kind: RequestKind, signal: AbortSignal): Promise<Credentials> {
    const { limiter, credentials } = this.#options;
    await limiter.take(kind, signal);
    try {
      return credentials();
    } catch (error) {
      limiter.ended();
      throw error;
    }
  }

  async #attempt<T>(call: Call<T>, keys: Credentials, signal: AbortSignal): Promise<T> {
    const { wire, limiter, clock } = this.#options;
    const sentAtMs = clock.monotonicMs();
    try {
      const result = await wire.exchange(call, keys, signal);
      this.#record(call.action, sentAtMs, undefined);
      return result;
    } catch (error) {
      // Anything else is the caller's abort: it says nothing about the cloud.
      if (error instanceof NifcloudError) {
        if (isThrottled(error)) limiter.throttled(sentAtMs);
        this.#record(call.action, sentAtMs, error);
      }
      throw error;
    } finally {
      limiter.ended();
    }
  }

  #record(action: string, sentAtMs: number, error: NifcloudError | undefined): void {
    const { clock, logger, metrics } = this.#options;
    const outcome = error === undefined ? 'ok' : isThrottled(error) ? 'throttled' : 'error';
    const tookMs = clock.monotonicMs() - sentAtMs;
    metrics?.observe(action, tookMs / 1000, outcome);
    if (error === undefined) logger.debug(4, 'Cloud request', { action, tookMs });
    else logger.debug(2, 'Cloud request failed', { action, tookMs, requestId: error.requestId, err: error.message });

    const answered = error === undefined || error.outcome === 'refused';
    const lost = error !== undefined && (!answered || isAuthFailure(error));
    this.#failure = lost ? { error, sinceMs: this.#failure?.sinceMs ?? clock.now() } : undefined;
  }
}

function retryOf(
  error: unknown,
  kind: RequestKind,
): { readonly attempts: number; readonly backoffMs: number } | undefined {
  if (!(error instanceof NifcloudError)) return undefined;
  if (isThrottled(error)) return RETRIES.throttled;
  if (error.outcome === 'not-sent') return RETRIES.mayPass;
  const mayPass = error.outcome === 'unknown' || isInternalError(error) || isMaintenance(error);
  return kind === 'read' && mayPass ? RETRIES.mayPass : undefined;
}
