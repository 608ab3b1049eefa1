import type { Status, StatusDetails } from './types.ts';

/** The API server (or a proxy before it) answered with a refusal. The message is the server's own sentence. */
export class KubeError extends Error {
  override readonly name = 'KubeError';
  /** The HTTP status, also where the refusal came as an ERROR event inside a watch. */
  readonly status: number;
  /** `Status.reason`; '' where the answer was no Status object. */
  readonly reason: string;
  readonly details: StatusDetails;
  /** The integer `Retry-After` header of the answer, in seconds. */
  readonly retryAfterSeconds: number | undefined;

  constructor(status: Status, retryAfterSeconds?: number) {
    const code = status.code ?? 500;
    super(status.message || status.reason || `HTTP ${code}`);
    this.status = code;
    this.reason = status.reason ?? '';
    this.details = status.details ?? {};
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** No usable answer came: refused, reset, timed out, cut off, unparsable. Whether a write took effect is unknown. */
export class KubeConnectionError extends Error {
  override readonly name = 'KubeConnectionError';
  /**
   * A system error code (`ECONNREFUSED`, `ECONNRESET` …), or `TIMEOUT` (no answer in time), `QUIET` (a watch that was
   * silent for too long), `MALFORMED` (not JSON, or cut off), `UNKNOWN`.
   */
  readonly code: string;

  constructor(message: string, code: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.code = code;
  }
}

export function isConnectionFault(error: unknown): error is KubeConnectionError {
  return error instanceof KubeConnectionError;
}

/** Nothing listened: nothing was sent, and trying again is cheap. */
export function isConnectionRefused(error: unknown): boolean {
  return isConnectionFault(error) && error.code === 'ECONNREFUSED';
}

export function isNotFound(error: unknown): boolean {
  return hasStatus(error, 404);
}

/** The object changed since it was read. Not the other 409, which says that the name is taken. */
export function isConflict(error: unknown): boolean {
  return hasStatus(error, 409) && error.reason !== 'AlreadyExists';
}

/** A create met an object of that name. */
export function isAlreadyExists(error: unknown): boolean {
  return hasStatus(error, 409) && error.reason === 'AlreadyExists';
}

export function isForbidden(error: unknown): boolean {
  return hasStatus(error, 403);
}

/** The resourceVersion asked for is no longer kept (reasons `Expired`, `Gone`). */
export function isGone(error: unknown): boolean {
  return hasStatus(error, 410);
}

export function isTooManyRequests(error: unknown): boolean {
  return hasStatus(error, 429);
}

/** This API server's cache has not reached the resourceVersion asked for, e.g. after a restore of etcd. */
export function isVersionTooLarge(error: unknown): boolean {
  return (
    error instanceof KubeError &&
    error.details.causes?.some((cause) => cause.reason === 'ResourceVersionTooLarge') === true
  );
}

function hasStatus(error: unknown, status: number): error is KubeError {
  return error instanceof KubeError && error.status === status;
}
