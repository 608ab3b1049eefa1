import type { Clock } from '../../daemon/clock.ts';
import { isSurelyNotDone } from './cloud-error.ts';
import type { Cloud, Volume } from './cloud.ts';
import { isSettled, serverOf } from './state.ts';

/** No disk is extended in this time after the process began: an earlier process's call may not show yet. Our choice. */
const FIRST_EXTEND_AFTER_MS = 20_000;

/** After a call of ours that does not show, another is sent only when the disk has not changed for this long. Our choice. */
const UNSEEN_EXTEND_MS = 60_000;

/** A call whose effect has not been seen. */
interface Unseen {
  /** The disk's size when it was sent. */
  readonly fromGB: number;
  /** When it was sent or the disk last seen in transition, by the monotonic clock. */
  unchangedSinceMs: number;
}

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
   * @param send sends the request that it is given, again where that is safe
   * @returns the disk as it was seen last, perhaps unchanged in size; `undefined` = it is gone
   */
  async extend(
    volume: Volume,
    send: <T>(request: () => Promise<T>) => Promise<T>,
    signal: AbortSignal,
  ): Promise<Volume | undefined> {
    const { id, uniqueId } = volume;
    const youthMs = this.#startedAtMs + FIRST_EXTEND_AFTER_MS - this.#clock.monotonicMs();
    if (youthMs > 0) await this.#clock.sleep(youthMs, signal);
    await this.#untilUnseenIsOld(volume, signal);
    let changed: Change | undefined;
    try {
      changed = await send(() => this.#sendUnlessChanged(volume, signal));
    } catch (error) {
      if (isSurelyNotDone(error)) this.#unseen.delete(uniqueId);
      throw error;
    }
    const sent = this.#unseen.get(uniqueId);
    if (changed === undefined && sent !== undefined) {
      changed = await this.#volumes.until(id, (seen) => this.#grown(seen, sent), signal);
    }
    this.#unseen.delete(uniqueId);
    return changed?.now;
  }

  /**
   * Read just before, each time that the call is sent: others may have taken their turn first, and what the cloud was "processing"
   * may have been this very growth, ordered by another process.
   * @returns the disk, if it is no longer as planned with; then nothing was sent.
   */
  async #sendUnlessChanged(volume: Volume, signal: AbortSignal): Promise<Change | undefined> {
    const { id, uniqueId, sizeGB: fromGB } = volume;
    const now = (await this.#volumes.list(signal)).find((one) => one.uniqueId === uniqueId);
    const isSame = now?.id === id && now.sizeGB === fromGB && isSettled(now) && serverOf(now) !== undefined;
    if (!isSame) return { now };
    this.#unseen.set(uniqueId, { fromGB, unchangedSinceMs: this.#clock.monotonicMs() });
    await this.#volumes.extend(id, signal);
    return undefined;
  }

  /** Waits until an earlier call of ours has shown after all, or will not any more. */
  async #untilUnseenIsOld(volume: Volume, signal: AbortSignal): Promise<void> {
    const unseen = this.#unseen.get(volume.uniqueId);
    if (unseen?.fromGB !== volume.sizeGB) return;
    await this.#volumes.until(
      volume.id,
      (seen) => {
        const grown = this.#grown(seen, unseen);
        const isOld = this.#clock.monotonicMs() - unseen.unchangedSinceMs >= UNSEEN_EXTEND_MS;
        return grown ?? (isOld ? { now: seen } : undefined);
      },
      signal,
    );
  }

  /** Whether the effect of a call is there; notes a disk in transition, which is a change. */
  #grown(now: Volume | undefined, sent: Unseen): Change | undefined {
    if (now === undefined) return { now };
    if (!isSettled(now)) sent.unchangedSinceMs = this.#clock.monotonicMs();
    return isSettled(now) && now.sizeGB > sent.fromGB ? { now } : undefined;
  }
}
