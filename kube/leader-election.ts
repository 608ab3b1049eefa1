import { CONFLICT_POLICIES, retryOnConflict } from './conflict.ts';
import { isAlreadyExists, isConflict, isNotFound } from './errors.ts';
import type { EventRecorder } from './events.ts';
import type { KubeClient } from './rest.ts';
import type { Clock, ElectionMetrics, Logger } from './surroundings.ts';
import { within } from './transport.ts';
import type { Lease } from './types.ts';

/** Pauses between tries to get the lease are drawn from [p, p × 2.2). Source: client-go, `JitterFactor`. */
const JITTER = 1.2;

/** A leader whose last renewal is older than a lease by more than this, in ms, is stuck. Source: docs/reference/ccm.md A8. */
const STUCK_AFTER_MS = 20_000;

/** What tells one record from the next. */
const RECORD = ['holderIdentity', 'leaseDurationSeconds', 'acquireTime', 'renewTime', 'leaseTransitions'] as const;

/** `requestTimeoutMs` for the client of an election: a request that hangs leaves time for another. Source: client-go, `NewFromKubeconfig`. */
export function electionRequestTimeoutMs(renewDeadlineMs: number): number {
  return Math.max(1_000, renewDeadlineMs / 2);
}

export interface LeaderElectionOptions {
  /** One of its own, so that other requests never hold up a renewal, with `electionRequestTimeoutMs`. */
  readonly client: Pick<KubeClient, 'get' | 'create' | 'replace'>;
  readonly lease: { readonly namespace: string; readonly name: string };
  /** Different for each process, e.g. `<hostname>_<uuid>`. */
  readonly identity: string;
  /** How long a lease that is not renewed keeps others away, in ms; whole seconds, at least one, are written. */
  readonly leaseDurationMs: number;
  /** How long a leader tries to renew before it gives up, in ms; less than a lease. */
  readonly renewDeadlineMs: number;
  /** Pause between tries, in ms; the renew deadline holds more than 1.2 of them. */
  readonly retryPeriodMs: number;
  readonly events: Pick<EventRecorder, 'event'>;
  readonly metrics: ElectionMetrics;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random?: () => number;
  /**
   * The work of the leader. Its signal is aborted when it has to stop, whatever the reason; while it comes to its end the lease
   * is renewed on, unless it is lost. It has to stop writing at once where the reason is a LeaseLostError.
   */
  onStartedLeading(signal: AbortSignal): Promise<void>;
}

/** The lease is another's, or may be: this process must not write any more, and should end. */
export class LeaseLostError extends Error {
  override readonly name = 'LeaseLostError';
}

/**
 * Has one of several processes do the work: the one that holds a Lease (docs/reference/ccm.md B4, after client-go).
 *
 * - One leader at a time: the work is told to stop before anybody else may take the lease, even when no request gets through.
 * - Wall clocks do not matter: a lease has run out when this process, by its own monotonic clock, saw no change of it for as long
 *   as it says. The times in the Lease are for people.
 * - Fields of the Lease that are not ours are kept.
 * - It is given up (others need not wait until it runs out) when the work has ended, not before.
 *
 * Apart from that last point there are two differences to client-go, both on the safe side: a leader that sees another holder stops at
 * once, not after the renew deadline; and the deadline is never later than the lease's end, counted from when the last renewal was sent.
 */
export class LeaderElection {
  /** As a check of a health page. */
  readonly name = 'leaderElection';
  readonly #options: LeaderElectionOptions;
  readonly #random: () => number;
  readonly #durationSeconds: number;
  /** As it was seen last, by whoever wrote it. */
  #seen: Lease | undefined;
  #seenAtMs = -Infinity;
  /** When the last write that succeeded was sent. */
  #wroteAtMs = -Infinity;
  #leading = false;
  /** Aborted with a LeaseLostError once this process leads no more. */
  readonly #over = new AbortController();

  /** @throws Error where the identity or the times can't work. */
  constructor(options: LeaderElectionOptions) {
    const { identity, leaseDurationMs, renewDeadlineMs, retryPeriodMs, lease, metrics } = options;
    if (identity === '') throw new Error('the identity is empty');
    if (leaseDurationMs < 1_000 || leaseDurationMs <= renewDeadlineMs) {
      throw new Error('the lease duration must be at least 1 s, and longer than the renew deadline');
    }
    if (retryPeriodMs < 1 || renewDeadlineMs <= JITTER * retryPeriodMs) {
      throw new Error(`the retry period must be at least 1 ms, and the renew deadline longer than ${JITTER} of it`);
    }
    this.#options = options;
    this.#random = options.random ?? Math.random;
    this.#durationSeconds = Math.floor(leaseDurationMs / 1_000);
    metrics.leading(lease.name, false);
  }

  /** Why this process, although it believes to lead, is stuck. */
  failure(): string | undefined {
    const { clock, leaseDurationMs, lease } = this.#options;
    if (!this.#leading || clock.monotonicMs() - this.#seenAtMs <= leaseDurationMs + STUCK_AFTER_MS) return undefined;
    return `failed election to renew leadership on lease ${lease.name}`;
  }

  /**
   * To be asked before something is changed: a process that was frozen goes on where it was before any timer tells it that it has
   * lost the lease meanwhile. The work is told to stop in the same moment.
   * @throws LeaseLostError when it leads by a lease that has run out, and when it has led; not while it waits for the lease
   */
  assertLease(): void {
    if (this.#leading && this.#leaseLeftMs() <= 0) this.#over.abort(new LeaseLostError('the lease has run out'));
    this.#over.signal.throwIfAborted();
  }

  /**
   * Waits for the lease, then does the work; resolves when that has ended and the lease is given up, or when the signal is
   * aborted before there was a lease.
   * @throws LeaseLostError at once, even if the work has not stopped yet; and what the work throws.
   */
  async run(signal: AbortSignal): Promise<void> {
    try {
      await this.#acquire(signal);
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
    const workEnded = new AbortController();
    const leading = AbortSignal.any([signal, this.#over.signal]);
    const work = this.#options.onStartedLeading(leading).finally(() => workEnded.abort());
    const renewing = this.#renew(workEnded.signal);
    const ended = Promise.race([work, renewing]).then(() => work); // the renewing ends well only once the work has ended
    await ended.catch(() => undefined);
    if (this.#over.signal.aborted) {
      work.catch(() => undefined); // nobody waits for it any more
      this.#stopLeading();
      throw this.#over.signal.reason;
    }
    await this.#release(renewing);
    await ended;
  }

  async #acquire(signal: AbortSignal): Promise<void> {
    const { clock, renewDeadlineMs, retryPeriodMs, lease, metrics, logger } = this.#options;
    logger.info('Waiting for the lease', this.#fields());
    for (;;) {
      // Bounded, because a request that the server puts off may wait for long.
      const got = within(renewDeadlineMs, clock, signal, (limited) => this.#attempt(limited));
      if (await got.catch(() => false)) break;
      await clock.sleep(retryPeriodMs * (1 + JITTER * this.#random()), signal);
    }
    this.#leading = true;
    metrics.leading(lease.name, true);
    logger.info('Holds the lease', this.#fields());
    this.#event('became leader');
  }

  /** Resolves after the signal's abort. @throws LeaseLostError */
  async #renew(signal: AbortSignal): Promise<void> {
    const { clock, renewDeadlineMs, retryPeriodMs, logger } = this.#options;
    const until = AbortSignal.any([signal, this.#over.signal]);
    try {
      for (;;) {
        await clock.sleep(retryPeriodMs, until);
        const limitMs = Math.min(renewDeadlineMs, Math.max(0, this.#leaseLeftMs()));
        await within(limitMs, clock, until, async (limited) => {
          while (!(await this.#attempt(limited))) {
            if (!this.#isHolder()) throw new Error(`the holder is ${this.#seen?.spec?.holderIdentity}`);
            await clock.sleep(retryPeriodMs, limited);
          }
        });
      }
    } catch (cause) {
      if (signal.aborted) return;
      logger.error('leaderelection lost', cause, this.#fields());
      this.#over.abort(new LeaseLostError('leaderelection lost', { cause }));
      throw this.#over.signal.reason;
    }
  }

  /** Gives the lease up. A failure is only logged: it runs out by itself. */
  async #release(renewing: Promise<void>): Promise<void> {
    const { clock, renewDeadlineMs, logger } = this.#options;
    // A renewal that loses the lease in the very moment in which the work ends has nothing left to stop.
    await renewing.catch(() => undefined);
    this.#stopLeading();
    const never = new AbortController().signal;
    const release = async (signal: AbortSignal): Promise<void> => {
      this.#see(await this.#get(signal));
      if (!this.#isHolder()) return;
      await this.#write({ holderIdentity: '', leaseDurationSeconds: 1, acquireTime: this.#now() }, signal);
      logger.info('Gave the lease up', this.#fields());
    };
    try {
      await within(renewDeadlineMs, clock, never, (signal) =>
        // A renewal that was under way may still arrive in between.
        retryOnConflict(CONFLICT_POLICIES.default, () => release(signal), { clock, signal, random: this.#random }),
      );
    } catch (error) {
      if (!isNotFound(error)) logger.error('The lease could not be given up, it will run out', error, this.#fields());
    }
  }

  #stopLeading(): void {
    this.#leading = false;
    this.#over.abort(new LeaseLostError('the lease was given up'));
    this.#options.metrics.leading(this.#options.lease.name, false);
    this.#event('stopped leading');
  }

  /** One try to get or to renew the lease. Says whether it is ours now. @throws only the signal's reason. */
  async #attempt(signal: AbortSignal): Promise<boolean> {
    const { lease, logger, metrics } = this.#options;
    try {
      if (this.#isHolder() && !this.#hasRunOut() && (await this.#renewedWithoutReading(signal))) return true;
      const found = await this.#get(signal).catch((error: unknown) => {
        if (isNotFound(error)) return undefined;
        throw error;
      });
      if (found === undefined) {
        await this.#create(signal);
        return true;
      }
      this.#see(found);
      if (this.#isHolder()) {
        metrics.slowPath(lease.name);
        await this.#write({}, signal);
        return true;
      }
      if (found.spec?.holderIdentity && !this.#hasRunOut()) return false;
      const leaseTransitions = (found.spec?.leaseTransitions ?? 0) + 1;
      await this.#write({ holderIdentity: this.#options.identity, acquireTime: this.#now(), leaseTransitions }, signal);
      return true;
    } catch (error) {
      signal.throwIfAborted();
      // Somebody was faster: nothing to worry about.
      if (isConflict(error) || isAlreadyExists(error)) logger.debug(2, 'Lease was written by another', this.#fields());
      else logger.error('Lease could not be read or written', error, this.#fields());
      return false;
    }
  }

  async #renewedWithoutReading(signal: AbortSignal): Promise<boolean> {
    try {
      await this.#write({}, signal);
      return true;
    } catch (error) {
      signal.throwIfAborted();
      this.#options.logger.debug(2, 'Lease could not be renewed, reading it', {
        ...this.#fields(),
        reason: error instanceof Error ? error.message : String(error),
      });
      return false;
    }
  }

  /** Takes note of a lease. Only a change starts its time anew. */
  #see(lease: Lease): void {
    const before = this.#seen?.spec ?? {};
    const spec = lease.spec ?? {};
    this.#seen = lease;
    if (RECORD.some((key) => spec[key] !== before[key])) this.#seenAtMs = this.#options.clock.monotonicMs();
    if (spec.holderIdentity !== before.holderIdentity && spec.holderIdentity && !this.#isHolder()) {
      this.#options.logger.info('Lease is held by another', { ...this.#fields(), holder: spec.holderIdentity });
    }
  }

  #isHolder(): boolean {
    return this.#seen?.spec?.holderIdentity === this.#options.identity;
  }

  #hasRunOut(): boolean {
    const durationMs = (this.#seen?.spec?.leaseDurationSeconds ?? 0) * 1_000;
    return this.#seenAtMs + durationMs <= this.#options.clock.monotonicMs();
  }

  /** How long nobody else takes the lease, in ms, counted from when the last renewal was sent. */
  #leaseLeftMs(): number {
    return this.#wroteAtMs + this.#durationSeconds * 1_000 - this.#options.clock.monotonicMs();
  }

  async #get(signal: AbortSignal): Promise<Lease> {
    const { namespace, name } = this.#options.lease;
    return await this.#options.client.get<Lease>(`${leasesPath(namespace)}/${name}`, { signal });
  }

  async #create(signal: AbortSignal): Promise<void> {
    const { lease, identity, client } = this.#options;
    const now = this.#now();
    const body: Lease = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: lease,
      spec: {
        holderIdentity: identity,
        leaseDurationSeconds: this.#durationSeconds,
        acquireTime: now,
        renewTime: now,
        leaseTransitions: 0,
      },
    };
    await this.#sent(() => client.create<Lease>(leasesPath(lease.namespace), body, { signal }));
  }

  /** Writes the lease as it was seen last, renewed and changed; a conflict if it is no longer like that. */
  async #write(change: NonNullable<Lease['spec']>, signal: AbortSignal): Promise<void> {
    const { client, lease } = this.#options;
    const body = {
      ...this.#seen,
      spec: {
        ...this.#seen?.spec,
        leaseDurationSeconds: this.#durationSeconds,
        renewTime: this.#now(),
        ...change,
      },
    };
    const path = `${leasesPath(lease.namespace)}/${lease.name}`;
    await this.#sent(() => client.replace<Lease>(path, body, { signal }));
  }

  async #sent(write: () => Promise<Lease>): Promise<void> {
    const sentAtMs = this.#options.clock.monotonicMs();
    this.#see(await write());
    this.#wroteAtMs = sentAtMs;
  }

  /** RFC 3339 with exactly six digits: API servers refuse a MicroTime with fewer (docs/reference/ccm.md B4, "Traps"). */
  #now(): string {
    return new Date(this.#options.clock.now()).toISOString().replace('Z', '000Z');
  }

  #event(what: string): void {
    const { events, identity, lease } = this.#options;
    const about = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: lease, ...this.#seen };
    events.event(about, 'Normal', 'LeaderElection', `${identity} ${what}`);
  }

  #fields(): Record<string, unknown> {
    const { lease, identity } = this.#options;
    return { lease: `${lease.namespace}/${lease.name}`, identity };
  }
}

function leasesPath(namespace: string): string {
  return `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;
}
