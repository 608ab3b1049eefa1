import { status } from '@grpc/grpc-js';
import type { Clock } from '../../daemon/clock.ts';
import { NifcloudError } from '../../nifcloud/errors.ts';
import { letEnd } from '../continued-calls.ts';
import { RpcError } from '../rpc-error.ts';
import { isSurelyNotDone } from './cloud-error.ts';
import type { Cloud, Volume } from './cloud.ts';
import { UNBEGUN_MS, isSettled, serverOf } from './state.ts';

/** No disk is extended in this time after the process began: an earlier process's call may not show yet. Our choice. */
const FIRST_EXTEND_AFTER_MS = 20_000;

/** After a call of ours that does not show, another is sent only when the disk has not changed for this long. Our choice. */
const UNSEEN_EXTEND_MS = 60_000;

/** A call whose effect has not been seen. */
interface Unseen {
  /** The disk's size when it was sent. */
  readonly fromGB: number;
  /** When sending it ended, whatever came of it, or the disk was last seen in transition, by the monotonic clock. */
  unchangedSinceMs: number;
  /** The disk has been seen in transition since. */
  hasBegun: boolean;
}

/** A call that was sent, and why it is not known whether it was accepted, if it is not. */
interface Sent {
  readonly unseen: Unseen;
  readonly lost: unknown;
}

type Operate = <S, T>(send: () => Promise<S>, ended: (sent: S) => Promise<T>) => Promise<T>;

/** What has become of a disk; `undefined` = it is gone. */
interface Change {
  readonly now: Volume | undefined;
}

/**
 * Grows disks by 100 GB. The call adds, it names no size, so a call too many is paid for ever (docs/reference/nifcloud-api.md §3.6):
 *
 * - Only a disk of exactly the size that was planned with is extended, by a look just before.
 * - None in the first 20 s of the process's life.
 * - A call whose effect was not seen (lost answer, impatient caller) is waited for: 60 s without a change before the next.
 */
export class Growth {
  readonly #volumes: Pick<Cloud['volumes'], 'extend' | 'list' | 'until'>;
  readonly #clock: Clock;
  readonly #startedAtMs: number;
  /** By unique id of the disk. */
  readonly #unseen = new Map<string, Unseen>();

  constructor(volumes: Pick<Cloud['volumes'], 'extend' | 'list' | 'until'>, clock: Clock) {
    this.#volumes = volumes;
    this.#clock = clock;
    this.#startedAtMs = clock.monotonicMs();
  }

  /**
   * Makes `volume`, which is attached and settled, larger than it is, unless it has changed meanwhile.
   * @param operate sends the request when that may be done, again where that is safe, and waits until it has been done
   * @returns the disk as it was seen last, perhaps unchanged in size; `undefined` = it is gone
   */
  async extend(volume: Volume, operate: Operate, signal: AbortSignal): Promise<Volume | undefined> {
    const youthMs = this.#startedAtMs + FIRST_EXTEND_AFTER_MS - this.#clock.monotonicMs();
    if (youthMs > 0) await this.#clock.sleep(youthMs, signal);
    await this.#untilUnseenIsOld(volume, signal);
    const { now } = await operate(
      () => this.#sendUnlessChanged(volume, signal),
      (sent) => ('now' in sent ? Promise.resolve(sent) : this.#untilGrown(volume, sent, signal)),
    );
    this.#unseen.delete(volume.uniqueId);
    return now;
  }

  /**
   * Read just before, each time that the call is sent: others may have taken their turn first, and what the cloud was "processing"
   * may have been this very growth, ordered by another process.
   * @returns the disk, if it is no longer as planned with; then nothing was sent.
   */
  async #sendUnlessChanged(volume: Volume, signal: AbortSignal): Promise<Change | Sent> {
    const { id, uniqueId, sizeGB: fromGB } = volume;
    const now = (await this.#volumes.list(signal)).find((one) => one.uniqueId === uniqueId);
    const isSame = now?.id === id && now.sizeGB === fromGB && isSettled(now) && serverOf(now) !== undefined;
    if (!isSame) return { now };
    const unseen = { fromGB, unchangedSinceMs: this.#clock.monotonicMs(), hasBegun: false };
    this.#unseen.set(uniqueId, unseen);
    try {
      await letEnd((until) => this.#volumes.extend(id, until), signal);
      return { unseen, lost: undefined };
    } catch (error) {
      if (isSurelyNotDone(error)) this.#unseen.delete(uniqueId);
      else if (error instanceof NifcloudError) return { unseen, lost: error }; // only the disk can tell
      throw error;
    } finally {
      unseen.unchangedSinceMs = this.#clock.monotonicMs(); // a lost call took a minute, in which it may have been on its way
    }
  }

  /**
   * @throws when the disk has not changed for so long that it was not done: what got the answer lost; RpcError ABORTED when it was
   *   accepted, to which more patience is given until it begins
   */
  #untilGrown({ id }: Volume, { unseen, lost }: Sent, signal: AbortSignal): Promise<Change> {
    return this.#volumes.until(
      id,
      (seen) => {
        const change = this.#grown(seen, unseen);
        const patienceMs = lost === undefined && !unseen.hasBegun ? UNBEGUN_MS : UNSEEN_EXTEND_MS;
        if (change !== undefined || !this.#isOld(unseen, patienceMs)) return change;
        throw lost ?? new RpcError(status.ABORTED, `volume ${id} did not grow, though the cloud had accepted that`);
      },
      signal,
    );
  }

  /** Waits until an earlier call of ours has shown after all, or will not any more. */
  async #untilUnseenIsOld(volume: Volume, signal: AbortSignal): Promise<void> {
    const unseen = this.#unseen.get(volume.uniqueId);
    if (unseen?.fromGB !== volume.sizeGB) return;
    await this.#volumes.until(
      volume.id,
      (seen) => this.#grown(seen, unseen) ?? (this.#isOld(unseen) ? { now: seen } : undefined),
      signal,
    );
  }

  #isOld({ unchangedSinceMs }: Unseen, patienceMs = UNSEEN_EXTEND_MS): boolean {
    return this.#clock.monotonicMs() - unchangedSinceMs >= patienceMs;
  }

  /** Whether the effect of a call is there; notes a disk in transition, which is a change. */
  #grown(now: Volume | undefined, sent: Unseen): Change | undefined {
    if (now === undefined) return { now };
    if (!isSettled(now)) {
      sent.unchangedSinceMs = this.#clock.monotonicMs();
      sent.hasBegun = true;
    }
    return isSettled(now) && now.sizeGB > sent.fromGB ? { now } : undefined;
  }
}
