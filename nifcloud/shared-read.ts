import type { Clock } from './surroundings.ts';
import { newWaiter, type Waiter } from './waiter.ts';

/** How long askers are gathered, in ms: what arrives in one burst of work shares one request, and nobody notices the delay. */
const GATHER_MS = 5;

interface Request<T> {
  readonly askers: Set<Waiter<T>>;
  readonly abandoned: AbortController;
}

/**
 * One request for all who want to read the same thing at the same moment.
 *
 * - Askers are gathered for `gatherMs` from the first one on; then one request serves them all.
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
  readonly #gatherMs: number;
  #gathering: Request<T> | undefined;

  constructor(read: (signal: AbortSignal) => Promise<T>, clock: Clock, gatherMs: number = GATHER_MS) {
    this.#read = read;
    this.#clock = clock;
    this.#gatherMs = gatherMs;
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
    await this.#clock.sleep(this.#gatherMs, request.abandoned.signal);
    this.#gathering = undefined; // who asks from here on gets a later request
    return this.#read(request.abandoned.signal);
  }
}
