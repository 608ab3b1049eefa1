import type { KubeObject } from './types.ts';

/** Names an object among those of its kind. */
export interface Key {
  /** '' for cluster-scoped objects. */
  readonly namespace: string;
  readonly name: string;
}

/** `namespace/name`, or `name` for cluster-scoped objects: the form in which stores and queues hold keys. */
export function keyOf(object: KubeObject): string {
  const { namespace, name } = object.metadata;
  return namespace ? `${namespace}/${name}` : name;
}

/** The inverse of `keyOf`. */
export function parseKey(text: string): Key {
  const slash = text.indexOf('/');
  return { namespace: text.slice(0, Math.max(slash, 0)), name: text.slice(slash + 1) };
}

export interface Result {
  /** Look at the object again after this long, in ms, although nothing failed. */
  readonly requeueAfterMs?: number;
}

/**
 * Makes the world fit one object, from what it reads now, whatever the change was that led here (level-based).
 *
 * It is called for one key at a time, never twice at once for the same key, again after each change, and at any other time:
 * it must be safe to run twice.
 * - It returns: the key's failures are forgotten; with `requeueAfterMs` it is called again after that time.
 * - It throws RetryAfterError, or an error caused by one: called again after exactly that time; failures stay as counted.
 * - It throws anything else: logged, called again after the queue's rate-limited pause, longer with each failure.
 */
export interface Reconciler {
  reconcile(key: Key, signal: AbortSignal): Promise<Result>;
}

/** Thrown by a reconciler that cannot go on yet and knows when it will. The pause stands also if other errors wrap it. */
export class RetryAfterError extends Error {
  override readonly name = 'RetryAfterError';
  readonly retryAfterMs: number;

  constructor(message: string, retryAfterMs: number, options?: ErrorOptions) {
    super(message, options);
    this.retryAfterMs = retryAfterMs;
  }
}

/** The pause asked for by the error or one of its causes, in ms. */
export function requestedPauseMs(error: unknown): number | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (at instanceof RetryAfterError) return at.retryAfterMs;
  }
  return undefined;
}
