import type { Clock } from '../../daemon/clock.ts';
import { NifcloudError, isBusy } from '../../nifcloud/errors.ts';
import { newWaiter } from '../../nifcloud/waiter.ts';
import type { Waiter } from '../../nifcloud/waiter.ts';

/** A server that said "processing" is treated serially for so long after it last said so, in ms. Our choice. */
const SERIAL_FOR_MS = 10 * 60_000;

/** A server or disk that others keep busy is asked again after this long, in ms: as often as the Go driver polls. */
export const BUSY_PAUSE_MS = 3_000;

/** A minute of patience; then the sidecar's own back-off is the better one. */
export const BUSY_TRIES = 20;

/** The operations of this process that concern one server. */
interface Line {
  serialUntilMs: number;
  underWay: number;
  readonly waiting: Set<Waiter<void>>;
}

/**
 * When operations on the disks of a server may begin. Whether the cloud lets several of them overlap no source says.
 *
 * - They overlap, as long as the server takes them.
 * - A server that answers "processing" is treated serially from then on: an operation begins when the one before has been seen to
 *   end, in the order of asking. Ten minutes after the last such answer they overlap again.
 * - One that was refused because of another one of this process takes its turn after it. Where this process has nothing under way,
 *   somebody else has: then it is sent again every 3 s, as often as the caller allows.
 */
export class Turns {
  readonly #clock: Clock;
  readonly #lines = new Map<string, Line>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Runs an operation: `send` when it may begin, again whenever the server is busy, then `ended`, which lasts until it has ended.
   * @param tries how often it is sent to a server that others keep busy
   * @throws what `send` and `ended` throw, or the signal's reason
   */
  async run<S, T>(
    serverUniqueId: string,
    send: () => Promise<S>,
    ended: (sent: S) => Promise<T>,
    { tries, signal }: { readonly tries: number; readonly signal: AbortSignal },
  ): Promise<T> {
    const line = this.#line(serverUniqueId);
    for (let left = tries; ;) {
      await this.#enter(line, signal);
      try {
        return await ended(await send());
      } catch (error) {
        if (!isServerBusy(error)) throw error;
        line.serialUntilMs = this.#clock.monotonicMs() + SERIAL_FOR_MS;
        if (line.underWay === 1) {
          left -= 1;
          if (left <= 0) throw error;
          await this.#clock.sleep(BUSY_PAUSE_MS, signal); // nobody else's would be taken now: so the turn is kept
        }
      } finally {
        this.#leave(serverUniqueId, line);
      }
    }
  }

  #line(serverUniqueId: string): Line {
    const line = this.#lines.get(serverUniqueId) ?? { serialUntilMs: 0, underWay: 0, waiting: new Set() };
    this.#lines.set(serverUniqueId, line);
    return line;
  }

  async #enter(line: Line, signal: AbortSignal): Promise<void> {
    const waiter = newWaiter<void>(signal, () => line.waiting.delete(waiter));
    line.waiting.add(waiter);
    this.#admit(line);
    if (!line.waiting.has(waiter)) return waiter.promise;
    const entered = new AbortController();
    void this.#admitWhenSerialEnds(line, waiter, AbortSignal.any([signal, entered.signal]));
    return waiter.promise.finally(() => entered.abort());
  }

  /** An operation that never ends holds up the others no longer than that. */
  async #admitWhenSerialEnds(line: Line, waiter: Waiter<void>, signal: AbortSignal): Promise<void> {
    while (line.waiting.has(waiter)) {
      const leftMs = line.serialUntilMs - this.#clock.monotonicMs();
      if (leftMs > 0) await this.#clock.sleep(leftMs, signal).catch(() => undefined);
      if (signal.aborted) return;
      this.#admit(line);
    }
  }

  #admit(line: Line): void {
    for (const waiter of line.waiting) {
      if (line.underWay > 0 && this.#clock.monotonicMs() < line.serialUntilMs) return;
      line.waiting.delete(waiter);
      line.underWay += 1;
      waiter.resolve();
    }
  }

  #leave(serverUniqueId: string, line: Line): void {
    line.underWay -= 1;
    this.#admit(line);
    const isIdle = line.underWay === 0 && this.#clock.monotonicMs() >= line.serialUntilMs;
    if (isIdle && this.#lines.get(serverUniqueId) === line) this.#lines.delete(serverUniqueId);
  }
}

/** The server is in the middle of something, not the disk. */
export function isServerBusy(error: unknown): boolean {
  return isBusy(error) && error instanceof NifcloudError && /\.Instance\./.test(error.code);
}
