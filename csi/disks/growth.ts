import type { Clock } from '../../daemon/clock.ts';
import { NifcloudError, isInternalError, isMaintenance } from '../../nifcloud/errors.ts';
import type { Cloud, Volume } from './cloud.ts';
import { isSettled } from './state.ts';

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

/**
 * Grows disks by 100 GB. The call adds, it names no size, so a call too many is paid for ever (docs/reference/nifcloud-api.md §3.6):
 *
 * - Only a disk of exactly the size that was planned with is extended.
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
    send: (request: () => Promise<unknown>) => Promise<unknown>,
    signal: AbortSignal,
  ): Promise<Volume | undefined> {
    const { id, uniqueId, sizeGB: fromGB } = volume;
    const changed = (await this.#afterYouth(volume, signal)) ?? (await this.#afterUnseen(volume, signal));
    if (changed !== undefined) {
      this.#unseen.delete(uniqueId);
      return changed.now;
    }
    const sent: Unseen = { fromGB, unchangedSinceMs: this.#clock.monotonicMs() };
    this.#unseen.set(uniqueId, sent);
    try {
      await send(() => this.#volumes.extend(id, signal));
    } catch (error) {
      if (isSurelyNotDone(error)) this.#unseen.delete(uniqueId);
      throw error;
    }
    const { now } = await this.#volumes.until(id, (seen) => this.#grown(seen, sent), signal);
    this.#unseen.delete(uniqueId);
    return now;
  }

  /** The disk, if it is no longer as planned with after waiting until the process is old enough. */
  async #afterYouth(volume: Volume, signal: AbortSignal): Promise<{ now: Volume | undefined } | undefined> {
    const missingMs = this.#startedAtMs + FIRST_EXTEND_AFTER_MS - this.#clock.monotonicMs();
    if (missingMs <= 0) return undefined;
    await this.#clock.sleep(missingMs, signal);
    const now = (await this.#volumes.list(signal)).find(({ uniqueId }) => uniqueId === volume.uniqueId);
    return now !== undefined && now.sizeGB === volume.sizeGB && isSettled(now) ? undefined : { now };
  }

  /** The disk, if an earlier call has shown after all. */
  async #afterUnseen(volume: Volume, signal: AbortSignal): Promise<{ now: Volume | undefined } | undefined> {
    const unseen = this.#unseen.get(volume.uniqueId);
    if (unseen?.fromGB !== volume.sizeGB) return undefined;
    const { now } = await this.#volumes.until(
      volume.id,
      (seen) => {
        const grown = this.#grown(seen, unseen);
        const isOld = this.#clock.monotonicMs() - unseen.unchangedSinceMs >= UNSEEN_EXTEND_MS;
        return grown ?? (isOld ? { now: seen } : undefined);
      },
      signal,
    );
    return now !== undefined && now.sizeGB === volume.sizeGB ? undefined : { now };
  }

  /** Whether the effect of a call is there; notes a disk in transition, which is a change. */
  #grown(now: Volume | undefined, sent: Unseen): { now: Volume | undefined } | undefined {
    if (now === undefined) return { now };
    if (!isSettled(now)) sent.unchangedSinceMs = this.#clock.monotonicMs();
    return isSettled(now) && now.sizeGB > sent.fromGB ? { now } : undefined;
  }
}

/** The cloud said no, for a reason that leaves no doubt. "Internal error" does: it may come after the effect. */
function isSurelyNotDone(error: unknown): boolean {
  return (
    error instanceof NifcloudError && error.outcome !== 'unknown' && !isInternalError(error) && !isMaintenance(error)
  );
}
