import type { KubeObject } from './objects.ts';
import { refuse } from './status.ts';

/** One change of one object. */
export interface Change {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  /** The global version that the change made. */
  readonly version: number;
  /** After the change; of a deleted object its last state, with the version of its deletion. */
  readonly object: KubeObject;
  readonly before: KubeObject | undefined;
}

/** Objects of one resource, by key, and its newest changes. */
interface Collection {
  readonly objects: Map<string, KubeObject>;
  readonly history: Change[];
  /** The version of the newest change that is no longer in the history. */
  forgotten: number;
  readonly listeners: Set<(change: Change) => void>;
}

/** `namespace/name`, or `/name`; the order of keys is the order of lists. */
export function keyOf(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}

/** How many changes of each resource are remembered for watches and for pages of a list. Our choice. */
const HISTORY_LIMIT = 1000;

/**
 * What exists, and what happened to it lately. It outlives the server that serves it: hand it to the next one.
 *
 * - One version counts all changes of all resources, and every change makes exactly one.
 * - Listeners are told of a change before the call that made it returns, in the order of versions.
 * - Objects handed in belong to the store; nobody changes them afterwards.
 */
export class Store {
  readonly #historyLimit: number;
  readonly #collections = new Map<string, Collection>();
  #version = 0;

  constructor(historyLimit = HISTORY_LIMIT) {
    this.#historyLimit = historyLimit;
  }

  /** The version of the newest change. */
  get version(): number {
    return this.#version;
  }

  get(resource: string, key: string): KubeObject | undefined {
    return this.#collection(resource).objects.get(key);
  }

  /** All objects of a resource, in no order. */
  values(resource: string): Iterable<KubeObject> {
    return this.#collection(resource).objects.values();
  }

  /** All objects of a resource, in the order of their keys. */
  list(resource: string): KubeObject[] {
    return inOrder(this.#collection(resource).objects);
  }

  /** As `list` was at an earlier version, or `undefined` when the history does not reach back that far. */
  listAt(resource: string, version: number): KubeObject[] | undefined {
    const { objects, history, forgotten } = this.#collection(resource);
    if (version < forgotten) return undefined;
    const then = new Map(objects);
    for (const change of history.toReversed()) {
      if (change.version <= version) break;
      const key = keyOfObject(change.object);
      if (change.before === undefined) then.delete(key);
      else then.set(key, change.before);
    }
    return inOrder(then);
  }

  /** The changes after a version, oldest first. @throws StatusError 410 when some of them are forgotten. */
  changesSince(resource: string, version: number): readonly Change[] {
    const { history, forgotten } = this.#collection(resource);
    if (version < forgotten) throw refuse.expired(`too old resource version: ${version} (${forgotten})`);
    return history.filter((change) => change.version > version);
  }

  /** Adds or replaces an object; the answer carries its new version. */
  put(resource: string, object: KubeObject): KubeObject {
    const { objects } = this.#collection(resource);
    const stored = this.#nextVersionOf(object);
    const before = objects.get(keyOfObject(stored));
    objects.set(keyOfObject(stored), stored);
    this.#record(resource, { type: before === undefined ? 'ADDED' : 'MODIFIED', object: stored, before });
    return stored;
  }

  /** Takes an object away; the answer is its last state with the version of its deletion. */
  remove(resource: string, key: string): KubeObject | undefined {
    const { objects } = this.#collection(resource);
    const before = objects.get(key);
    if (before === undefined) return undefined;
    const object = this.#nextVersionOf(before);
    objects.delete(key);
    this.#record(resource, { type: 'DELETED', object, before });
    return object;
  }

  /** Calls `listener` at each change of a resource from now on, until the returned function is called. */
  listen(resource: string, listener: (change: Change) => void): () => void {
    const { listeners } = this.#collection(resource);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  #nextVersionOf(object: KubeObject): KubeObject {
    this.#version += 1;
    return { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#version) } };
  }

  #record(resource: string, what: Omit<Change, 'version'>): void {
    const collection = this.#collection(resource);
    const change = { ...what, version: this.#version };
    collection.history.push(change);
    if (collection.history.length > this.#historyLimit) {
      collection.forgotten = collection.history.shift()?.version ?? collection.forgotten;
    }
    for (const listener of collection.listeners) listener(change);
  }

  #collection(resource: string): Collection {
    let collection = this.#collections.get(resource);
    if (collection === undefined) {
      collection = { objects: new Map(), history: [], forgotten: 0, listeners: new Set() };
      this.#collections.set(resource, collection);
    }
    return collection;
  }
}

function keyOfObject(object: KubeObject): string {
  return keyOf(object.metadata.namespace ?? '', object.metadata.name);
}

function inOrder(objects: ReadonlyMap<string, KubeObject>): KubeObject[] {
  return [...objects].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
}
