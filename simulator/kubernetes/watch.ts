import type { Clock } from '../../daemon/clock.ts';
import { isWanted } from './list.ts';
import type { JsonObject, KubeObject } from './objects.ts';
import { apiVersionOf, collectionOf, type Resource } from './resources.ts';
import type { Matches } from './selectors.ts';
import { StatusError } from './status.ts';
import type { Change, Store } from './store.ts';

/** Time between two bookmarks, as the real server. */
const BOOKMARK_INTERVAL_MS = 60_000;
/** The last bookmark comes this long before the end of the watch, as the real server. */
const LAST_BOOKMARK_MS = 2_000;

/** What a watch is asked for, from its query. */
export interface WatchRequest {
  readonly resource: Resource;
  /** `''` = all namespaces. */
  readonly namespace: string;
  readonly matches: Matches;
  /** The version after which changes are wanted; `undefined`: from now on. */
  readonly from: number | undefined;
  /** Begin with an ADDED event for each object that there is. */
  readonly initialEvents: boolean;
  readonly bookmarks: boolean;
  readonly timeoutMs: number;
}

/** One line of a watch. */
export interface WatchEvent {
  readonly type: Change['type'] | 'BOOKMARK' | 'ERROR';
  readonly object: JsonObject;
}

/**
 * Sends what happens to the wanted objects until the time is up or the signal aborts.
 *
 * - Every change after the start is sent exactly once, in the order of versions.
 * - An object that enters the selector is ADDED, one that leaves it DELETED (as it was before, with the new version).
 * - A start that the history does not reach is one ERROR event with a Status 410, and the watch ends.
 * - A bookmark's version covers all that was sent before it; the one after the initial events says so in an annotation.
 */
export async function watch(
  store: Store,
  request: WatchRequest,
  clock: Clock,
  signal: AbortSignal,
  send: (event: WatchEvent) => void,
): Promise<void> {
  const collection = collectionOf(request.resource);
  const sendChange = (change: Change): void => {
    const event = eventFor(change, request);
    if (event !== undefined && change.version > (request.from ?? 0)) send(event);
  };
  try {
    if (request.initialEvents) {
      for (const object of store.list(collection)) if (isWanted(object, request)) send({ type: 'ADDED', object });
      if (request.bookmarks) send(bookmark(request.resource, store.version, { 'k8s.io/initial-events-end': 'true' }));
    } else if (request.from !== undefined) {
      for (const change of store.changesSince(collection, request.from)) sendChange(change);
    }
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    send({ type: 'ERROR', object: error.body });
    return;
  }
  const stopListening = store.listen(collection, sendChange);
  try {
    const endMs = clock.monotonicMs() + request.timeoutMs;
    for (;;) {
      const leftMs = endMs - clock.monotonicMs();
      if (!request.bookmarks || leftMs <= LAST_BOOKMARK_MS) return await clock.sleep(Math.max(leftMs, 0), signal);
      await clock.sleep(Math.min(BOOKMARK_INTERVAL_MS, leftMs - LAST_BOOKMARK_MS), signal);
      send(bookmark(request.resource, store.version));
    }
  } catch (error) {
    if (error !== signal.reason) throw error;
  } finally {
    stopListening();
  }
}

function eventFor(change: Change, request: WatchRequest): WatchEvent | undefined {
  const { before, object, type } = change;
  const was = before !== undefined && isWanted(before, request);
  const is = type !== 'DELETED' && isWanted(object, request);
  if (is) return { type: was ? 'MODIFIED' : 'ADDED', object };
  if (!was) return undefined;
  const { resourceVersion } = object.metadata;
  return {
    type: 'DELETED',
    object: { ...before, metadata: { ...before.metadata, resourceVersion } } satisfies KubeObject,
  };
}

function bookmark(resource: Resource, version: number, annotations?: Record<string, string>): WatchEvent {
  const metadata = { resourceVersion: String(version), ...(annotations === undefined ? {} : { annotations }) };
  return { type: 'BOOKMARK', object: { kind: resource.kind, apiVersion: apiVersionOf(resource), metadata } };
}
