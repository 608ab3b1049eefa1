import { keyOf } from './reconcile.ts';
import { Reflector, type ReflectorStore } from './reflector.ts';
import type { KubeClient } from './rest.ts';
import type { Clock, Logger } from './surroundings.ts';
import type { KubeObject } from './types.ts';

/** The shortest resync period, in ms. Source: client-go, `minimumResyncPeriod`. */
const MIN_RESYNC_MS = 1_000;

/** Told of changes, one at a time. Its methods return soon (they put a key into a queue); what they throw is logged. */
export interface ChangeHandler<T extends KubeObject> {
  added?(object: T): void;
  /** With the very same object twice in a resync. */
  updated?(old: T, current: T): void;
  /**
   * @param last the object as it went, or, with `finalStateUnknown`, as it was last seen: it vanished while nobody watched,
   * and may have changed before, even into another object of the same name.
   */
  deleted?(last: T, finalStateUnknown: boolean): void;
  /** Hand in all objects this often as updated, in ms; at least 1 s. Default: never. */
  readonly resyncMs?: number;
}

export interface InformerOptions {
  readonly client: Pick<KubeClient, 'get' | 'watch'>;
  /** The collection, e.g. `/api/v1/services` (of all namespaces). */
  readonly path: string;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random?: () => number;
}

/**
 * A copy of a collection of the API that keeps itself up to date, and tells of changes (docs/reference/ccm.md B1).
 *
 * - Handlers see the changes of an object in the order in which they happened, each from what they were told last to what
 *   is now; versions may be left out, the last one never. When they are told, the store has it already.
 * - An object that vanished unseen, e.g. while the API server was away, is reported as deleted, with a mark.
 * - An unchanged resourceVersion is no change: it reaches nobody but in a resync.
 * - `synced` resolves when the first list is in the store and was handed to every handler.
 * - A handler that throws does not keep a change from the others.
 * - Objects are shared: they must not be changed. They carry apiVersion and kind.
 */
export class Informer<T extends KubeObject> {
  /** Resolves after the first list. Rejects with the signal's reason when `run` is aborted before. */
  readonly synced: Promise<void>;
  readonly #settleSynced: { resolve(): void; reject(reason: unknown): void };
  readonly #options: InformerOptions;
  readonly #handlers: ChangeHandler<T>[] = [];
  #objects = new Map<string, T>();
  #started = false;
  #hasSynced = false;

  constructor(options: InformerOptions) {
    this.#options = options;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.synced = promise;
    this.#settleSynced = { resolve, reject };
    promise.catch(() => undefined); // nobody has to wait for it
  }

  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  /** @param key `namespace/name`, or `name` for cluster-scoped objects. */
  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  /** All objects, as they are now. */
  list(): readonly T[] {
    return [...this.#objects.values()];
  }

  /** @throws after `run`: a handler that comes later would miss the objects that are there. */
  onChange(handler: ChangeHandler<T>): void {
    if (this.#started) throw new Error(`the informer of ${this.#options.path} runs: handlers come before`);
    this.#handlers.push(handler);
  }

  /** Resolves after the signal's abort; no failure of the API ends it. */
  async run(signal: AbortSignal): Promise<void> {
    if (this.#started) throw new Error(`the informer of ${this.#options.path} runs already`);
    this.#started = true;
    const store: ReflectorStore<T> = {
      replace: (objects) => this.#replace(objects),
      set: (object) => this.#set(object),
      remove: (object) => this.#remove(object, false),
    };
    const reflector = new Reflector<T>({ ...this.#options, store });
    await Promise.all([reflector.run(signal), ...this.#handlers.map((handler) => this.#resync(handler, signal))]);
    this.#settleSynced.reject(signal.reason);
  }

  #replace(objects: readonly T[]): void {
    const vanished = new Map(this.#objects);
    for (const object of objects) {
      vanished.delete(keyOf(object));
      this.#set(object);
    }
    for (const object of vanished.values()) this.#remove(object, true);
    this.#hasSynced = true;
    this.#settleSynced.resolve();
  }

  #set(object: T): void {
    const key = keyOf(object);
    const old = this.#objects.get(key);
    this.#objects.set(key, object);
    if (old === undefined) this.#tell(object, (handler) => handler.added?.(object));
    else if (old.metadata.resourceVersion !== object.metadata.resourceVersion) {
      this.#tell(object, (handler) => handler.updated?.(old, object));
    }
  }

  #remove(last: T, finalStateUnknown: boolean): void {
    if (!this.#objects.delete(keyOf(last))) return;
    this.#tell(last, (handler) => handler.deleted?.(last, finalStateUnknown));
  }

  async #resync(handler: ChangeHandler<T>, signal: AbortSignal): Promise<void> {
    if (handler.resyncMs === undefined) return;
    const periodMs = Math.max(MIN_RESYNC_MS, handler.resyncMs);
    try {
      for (;;) {
        await this.#options.clock.sleep(periodMs, signal);
        for (const object of this.list()) this.#call(handler, object, () => handler.updated?.(object, object));
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  #tell(object: T, what: (handler: ChangeHandler<T>) => void): void {
    for (const handler of this.#handlers) this.#call(handler, object, what);
  }

  #call(handler: ChangeHandler<T>, object: T, what: (handler: ChangeHandler<T>) => void): void {
    try {
      what(handler);
    } catch (error) {
      this.#options.logger.error('Handler of a change failed', error, {
        path: this.#options.path,
        key: keyOf(object),
      });
    }
  }
}
