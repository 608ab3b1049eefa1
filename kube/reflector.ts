import { isConnectionFault, isConnectionRefused, isGone, isTooManyRequests, isVersionTooLarge } from './errors.ts';
import type { KubeClient } from './rest.ts';
import type { Clock, Logger } from './surroundings.ts';
import type { KubeList, KubeObject, WatchEvent } from './types.ts';

/** Objects in one page of a list that is not answered from the API server's cache. Source: client-go, `pager.defaultPageSize`. */
const PAGE_SIZE = 500;

/** A watch is asked to end after this long, drawn from [min, 2 × min), in s. Source: client-go, `minWatchTimeout`. */
const MIN_WATCH_SECONDS = 300;

/** A watch that ends sooner than this, in ms, without an event, has failed. Source: client-go, `VeryShortWatchError`. */
const VERY_SHORT_WATCH_MS = 1_000;

/** Pauses after failures: doubled each time, each drawn from [d, 2d). Source: client-go, `NewReflectorWithOptions`. */
const FIRST_PAUSE_MS = 800;
const MAX_PAUSE_MS = 30_000;
/** After this long without a pause, in ms, they start short again. */
const PAUSE_RESET_MS = 120_000;

/** What receives the objects. Its methods must not throw. */
export interface ReflectorStore<T extends KubeObject> {
  /** These are all objects there are. */
  replace(objects: readonly T[]): void;
  /** This one is new, or is like this now. */
  set(object: T): void;
  /** This one is gone; so it was when it went. */
  remove(object: T): void;
}

export interface ReflectorOptions<T extends KubeObject> {
  readonly client: Pick<KubeClient, 'get' | 'watch'>;
  /** The collection, e.g. `/api/v1/nodes`. */
  readonly path: string;
  readonly store: ReflectorStore<T>;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random?: () => number;
}

/**
 * Keeps a store equal to a collection of the API: lists it once, then watches it (docs/reference/ccm.md B1).
 *
 * - Time never goes back: each list and each watch asks for at least the newest version seen, of lists, events and bookmarks.
 *   Only where the server no longer has that version (410), or not yet, is it asked for its newest.
 * - No change is missed: where a watch cannot have told everything, the collection is listed again.
 * - The server is not worn out: a watch that ends in order, or goes dead, is opened again at its last version without a list;
 *   so is one that is refused with 429 or finds nobody listening, after a pause; every list but the first comes after a pause.
 *   Pauses start at 0.8 to 1.6 s, double up to 30 to 60 s, and start short again after two quiet minutes.
 */
export class Reflector<T extends KubeObject> {
  readonly #client: Pick<KubeClient, 'get' | 'watch'>;
  readonly #path: string;
  readonly #store: ReflectorStore<T>;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #random: () => number;
  #version = ''; // the newest seen; '' = none yet
  #kind: string | undefined; // of the objects; known from the first list
  #nextPauseMs = FIRST_PAUSE_MS;
  #pausedAtMs = -Infinity;

  constructor(options: ReflectorOptions<T>) {
    this.#client = options.client;
    this.#path = options.path;
    this.#store = options.store;
    this.#logger = options.logger;
    this.#clock = options.clock;
    this.#random = options.random ?? Math.random;
  }

  /** Resolves after the signal's abort; no failure ends it. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      for (;;) {
        await this.#cycle(signal);
        await this.#pause(signal);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** List, then watch until only another list helps. */
  async #cycle(signal: AbortSignal): Promise<void> {
    try {
      this.#store.replace(await this.#list(signal));
      for (;;) await this.#watch(signal);
    } catch (error) {
      signal.throwIfAborted();
      const fields = { path: this.#path, resourceVersion: this.#version };
      if (isGone(error)) this.#logger.debug(2, 'Watched version is no longer kept, listing again', fields);
      else this.#logger.error('List or watch failed, listing again', error, fields);
    }
  }

  async #list(signal: AbortSignal): Promise<readonly T[]> {
    try {
      // '0': anything in the server's cache is new enough to begin with.
      return await this.#listAt(this.#version || '0', signal);
    } catch (error) {
      if (!isGone(error) && !isVersionTooLarge(error)) throw error;
      return await this.#listAt('', signal);
    }
  }

  async #listAt(resourceVersion: string, signal: AbortSignal): Promise<readonly T[]> {
    // A list at a certain version is answered from the cache, which does not page.
    const limit = resourceVersion === '' || resourceVersion === '0' ? PAGE_SIZE : undefined;
    const objects: T[] = [];
    let query: Record<string, string | number | undefined> = { resourceVersion: resourceVersion || undefined, limit };
    for (;;) {
      const page = await this.#client.get<KubeList<T>>(this.#path, { query, signal });
      const kind = page.kind?.replace(/List$/, '');
      // A list names its items' kind only once.
      for (const item of page.items ?? []) objects.push({ apiVersion: page.apiVersion, kind, ...item });
      if (!page.metadata.continue) {
        this.#kind = kind;
        this.#version = page.metadata.resourceVersion ?? '';
        return objects;
      }
      query = { continue: page.metadata.continue, limit };
    }
  }

  /** One watch; returns where the next may be opened at the last version. @throws where another list is needed. */
  async #watch(signal: AbortSignal): Promise<void> {
    const openedAtMs = this.#clock.monotonicMs();
    let events = 0;
    try {
      const query = {
        resourceVersion: this.#version,
        allowWatchBookmarks: true,
        timeoutSeconds: Math.floor(MIN_WATCH_SECONDS * (1 + this.#random())),
      };
      for await (const event of this.#client.watch<T>(this.#path, query, signal)) {
        events += 1;
        this.#take(event);
      }
    } catch (error) {
      if (isConnectionFault(error) && error.code === 'QUIET') {
        this.#logger.info('Watch went silent, opening it again', { path: this.#path });
        return;
      }
      if (!isConnectionRefused(error) && !isTooManyRequests(error)) throw error;
      this.#logger.debug(2, 'Watch refused, opening it again after a pause', {
        path: this.#path,
        reason: (error as Error).message,
      });
      await this.#pause(signal);
      return;
    }
    if (events === 0 && this.#clock.monotonicMs() - openedAtMs < VERY_SHORT_WATCH_MS) {
      throw new Error(`the watch ended within ${VERY_SHORT_WATCH_MS} ms and without an event`);
    }
  }

  #take({ type, object }: WatchEvent<T>): void {
    if (this.#kind !== undefined && object.kind !== undefined && object.kind !== this.#kind) {
      this.#logger.warn('Watch event of another kind ignored', { path: this.#path, type, kind: object.kind });
      return;
    }
    if (type === 'ADDED' || type === 'MODIFIED') this.#store.set(object);
    else if (type === 'DELETED') this.#store.remove(object);
    else if (type !== 'BOOKMARK') this.#logger.warn('Watch event of unknown type ignored', { path: this.#path, type });
    this.#version = object.metadata?.resourceVersion ?? this.#version;
  }

  async #pause(signal: AbortSignal): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#pausedAtMs > PAUSE_RESET_MS) this.#nextPauseMs = FIRST_PAUSE_MS;
    const pauseMs = this.#nextPauseMs * (1 + this.#random());
    this.#nextPauseMs = Math.min(MAX_PAUSE_MS, this.#nextPauseMs * 2);
    this.#pausedAtMs = nowMs;
    await this.#clock.sleep(pauseMs, signal);
  }
}
