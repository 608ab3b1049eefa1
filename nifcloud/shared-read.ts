import type { Clock } from './surroundings.ts';
import { newWaiter, type Waiter } from './waiter.ts';

/** How long askers are gathered, in ms: what arrives in one burst of work shares one request, and nobody notices the delay. */
const GATHER_MS = 5;

/**
 * A request that has been under way for so long, in ms, holds up the next one no longer: its connection may be dead. Within the time limit
 * of a request (60 s) this makes 12 at most, and less than half of what the limiter still lets through under throttling.
 */
const SLOW_MS = 5_000;

interface Request<T> {
  readonly askers: Set<Waiter<T>>;
  readonly abandoned: AbortController;
}

/**
 * One request for all who want to read the same thing at the same moment.
 *
 * - Askers are gathered for 5 ms from the first one on, and while an earlier request is under way; then one request serves them all.
 *   So requests do not overlap, however many askers there are and however slow the cloud is, except that none waits for an earlier one
 *   for more than 5 s.
 * - An asker always gets an answer whose request was sent after it asked, never an older one.
 * - An asker that aborts leaves at once, with its signal's reason; the others still get their answer.
 * - When all askers of a request have aborted, the request is aborted.
 * - An error reaches all askers of that request and no later ones.
 *
 * All askers get the same object: treat it as read-only.
 */
export class SharedRead<T> {
  readonly #read: (signal: AbortSignal) => Promise<T>;
  readonly #clock: Clock;
  #gathering: Request<T> | undefined;
  /** Aborts when the newest request that was sent has ended. */
  #newestEnded: AbortSignal = AbortSignal.abort();

  constructor(read: (signal: AbortSignal) => Promise<T>, clock: Clock) {
    this.#read = read;
    this.#clock = clock;
  }

  /** @throws what the read throws, or the signal's reason */
  async get(signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    const request = (this.#gathering ??= this.#open());
    const asker = newWaiter<T>(signal, () => {
      request.askers.delete(asker);
      if (request.askers.size > 0) return;
      if (this.#gathering === request) this.#gathering = undefined;
      request.abandoned.abort(signal.reason);
    });
    request.askers.add(asker);
    return asker.promise;
  }

  #open(): Request<T> {
    const request: Request<T> = { askers: new Set(), abandoned: new AbortController() };
    this.#serve(request).then(
      (answer) => request.askers.forEach((asker) => asker.resolve(answer)),
      (error: unknown) => request.askers.forEach((asker) => asker.reject(error)),
    );
    return request;
  }

  async #serve(request: Request<T>): Promise<T> {
    const { signal } = request.abandoned;
    await this.#clock.sleep(GATHER_MS, signal);
    await this.#clock.sleep(SLOW_MS, AbortSignal.any([signal, this.#newestEnded])).catch(() => signal.throwIfAborted());
    this.#gathering = undefined; // who asks from here on gets a later request
    const ended = new AbortController();
    this.#newestEnded = ended.signal;
    return this.#read(signal).finally(() => ended.abort());
  }
}
