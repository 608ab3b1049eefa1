/**
 * What became of a request that gave no result.
 *
 * - `refused`: the cloud answered with an error; what was asked for was not done, unless that is `isProcessingFailure` or
 *   `isInternalError`, which leave it open.
 * - `not-sent`: no connection came about; the cloud knows nothing of it.
 * - `unknown`: sent, but no usable answer came; it may have been done. Read before sending it again.
 */
export type Outcome = 'refused' | 'not-sent' | 'unknown';

/** Codes of ours, where no `<Code>` of the cloud is to be had; failed connections carry the system's (`ECONNRESET`, …). */
export const OWN_CODES = {
  /** No answer within the time limit of a request. */
  timeout: 'Timeout',
  /** An answer that says success but is no well-formed answer to this action. */
  unreadable: 'UnreadableAnswer',
  /** An HTTP error without a `<Code>`: a gateway's page, a truncated body. */
  noCode: 'NoErrorCode',
} as const;

/** Thrown when a call to the Computing API fails, for whatever reason other than its caller's abort. */
export class NifcloudError extends Error {
  override readonly name = 'NifcloudError';
  /** API action, such as `AttachVolume`. */
  readonly action: string;
  /** The cloud's `<Code>`, one of `OWN_CODES`, or the code of a system error. Decide by the predicates below. */
  readonly code: string;
  readonly outcome: Outcome;
  /** The cloud's id of the request, for its support; empty = it gave none. It is in the log, not in the message. */
  readonly requestId: string;
  /** 0 = no HTTP answer. It decides nothing but throttling: the cloud sends 500 with permanent errors (§1.6). */
  readonly httpStatus: number;

  constructor(fields: {
    readonly action: string;
    readonly code: string;
    readonly detail: string;
    readonly outcome: Outcome;
    readonly requestId?: string;
    readonly httpStatus?: number;
    readonly cause?: Error;
  }) {
    const { action, code, requestId = '', httpStatus = 0, cause } = fields;
    const detail = fields.detail || meaningOf(code);
    // Without the request id: equal faults have equal messages, so that Kubernetes counts one event instead of making many.
    super(detail === '' ? `${action}: ${code}` : `${action}: ${code}: ${detail}`, cause === undefined ? {} : { cause });
    this.action = action;
    this.code = code;
    this.outcome = fields.outcome;
    this.requestId = requestId;
    this.httpStatus = httpStatus;
  }
}

interface CodeFamily {
  readonly codes: RegExp;
  /** For people; it stands in the message where the cloud gave no text of its own. */
  readonly meaning: string;
}

/** The codes that anything depends on. Source, unless noted: the catalogue in docs/reference/nifcloud-api.md §1.6. */
const FAMILIES = {
  notFound: {
    codes: /^Client\.InvalidParameterNotFound\.(?<resource>.+)$/,
    meaning: 'it does not exist, or is not registered there',
  },
  duplicate: {
    codes:
      /^Client\.(?:InvalidParameterDuplicate\.(?<resource>.+)|Inoperable\.(?<owner>\w+)\.(?:AlreadyExists|HavingRegisteredInstance))$/,
    meaning: 'it exists or is registered there already',
  },
  // One code for this server and any other: only the volume's attachments tell which (§11, 5).
  alreadyAttached: {
    codes: /^(?:Client|Server)\.Inoperable\.Volume\.AlreadyAttached$/,
    meaning: 'the volume is attached to some server already',
  },
  notAttached: {
    codes: /^(?:Client|Server)\.Inoperable\.Volume\.DetachedFromInstance$/,
    meaning: 'the volume is not attached to this server',
  },
  busy: {
    codes: /^(?:Client|Server)\.ResourceIncorrectState\.(?:.+\.)?Processing$/,
    meaning: 'another operation on it is still running; it can be sent again once that has ended',
  },
  inUse: {
    codes: /^(?:Client|Server)\.(?:ResourceAssociated\.(?<resource>.+)|Inoperable\.(?<owner>\w+)\.InUse)$/,
    meaning: 'something else still uses it',
  },
  processingFailure: {
    codes: /^(?:Client|Server)\.ProcessingFailure\.(?<resource>\w+)/,
    meaning: 'the cloud began with it and failed; look at its state before anything else',
  },
  // No code of the cloud's own is known; these are the common names in APIs of this family (§1.7).
  throttled: {
    codes:
      /(?:^|\.)(?:RequestLimitExceeded|RequestThrottled\w*|Throttl\w*|TooManyRequests\w*|SlowDown|BandwidthLimitExceeded)(?:\.|$)/,
    meaning: 'too many requests; nothing was done',
  },
  authFailure: {
    codes: /^(?:Client|Server)\.AuthFailure/,
    meaning: 'the access key, its secret or its rights were refused; check the credentials, the region and the clock',
  },
  maintenance: {
    codes: /^Server\.Maintenance(?:\.|$)/,
    meaning: 'the cloud is under maintenance',
  },
  internal: {
    codes: /^Server\.InternalError(?:\.|$)/,
    meaning: 'an internal error of the cloud; try again later',
  },
} as const satisfies Record<string, CodeFamily>;

/** HTTP statuses that mean "not done, too many requests" whatever the body says (§1.7). */
export const THROTTLED_STATUSES: readonly number[] = [429, 509];

/**
 * Something named in the request does not exist.
 *
 * @param resource only this kind, such as `Volume`; the code may spell it `Volume`, `VolumeName` or `VolumeId` (§11, 34), and may
 *   name several: a missing listener of an elastic load balancer is `Protocol.or.ElasticLoadBalancerPort`
 */
export function isNotFound(error: unknown, resource?: string): boolean {
  return names(match(error, FAMILIES.notFound), resource);
}

/** What was to be made or registered is there already. @param resource only this kind, such as `IpAddress` */
export function isDuplicate(error: unknown, resource?: string): boolean {
  return names(match(error, FAMILIES.duplicate), resource);
}

/** It cannot go (or change) because something else uses it. @param resource only this kind, such as `SecurityGroup` */
export function isInUse(error: unknown, resource?: string): boolean {
  return names(match(error, FAMILIES.inUse), resource);
}

/**
 * The cloud began with what was asked and failed. How far it got only the resource's state tells; one client goes on polling after
 * a failed StopInstances, since the server may stop all the same.
 */
export function isProcessingFailure(error: unknown): boolean {
  return match(error, FAMILIES.processingFailure) !== undefined;
}

/** AttachVolume: the volume has an attachment, to this server *or another*. */
export function isAlreadyAttached(error: unknown): boolean {
  return match(error, FAMILIES.alreadyAttached) !== undefined;
}

/** DetachVolume: the volume is not attached to that server. */
export function isNotAttached(error: unknown): boolean {
  return match(error, FAMILIES.notAttached) !== undefined;
}

/** `….Processing`: poll the resource, then send again. */
export function isBusy(error: unknown): boolean {
  return match(error, FAMILIES.busy) !== undefined;
}

/** Too many requests: nothing was done, it may be sent again later. */
export function isThrottled(error: unknown): boolean {
  if (!(error instanceof NifcloudError)) return false;
  return THROTTLED_STATUSES.includes(error.httpStatus) || FAMILIES.throttled.codes.test(error.code);
}

/** Key, signature or rights were refused: repeating does not help. */
export function isAuthFailure(error: unknown): boolean {
  return match(error, FAMILIES.authFailure) !== undefined;
}

export function isMaintenance(error: unknown): boolean {
  return match(error, FAMILIES.maintenance) !== undefined;
}

/** The cloud's "try again later" without a reason. */
export function isInternalError(error: unknown): boolean {
  return match(error, FAMILIES.internal) !== undefined;
}

/** It may or may not have been done: read the resource before anything else. */
export function isUnknownOutcome(error: unknown): boolean {
  return error instanceof NifcloudError && error.outcome === 'unknown';
}

function match(error: unknown, family: CodeFamily): RegExpExecArray | undefined {
  return error instanceof NifcloudError ? (family.codes.exec(error.code) ?? undefined) : undefined;
}

/** Whether a code speaks of this kind of resource; any kind when none is asked for. */
function names(found: RegExpExecArray | undefined, resource: string | undefined): boolean {
  if (found === undefined || resource === undefined) return found !== undefined;
  const named = (found.groups?.['resource'] ?? found.groups?.['owner'] ?? '').split(/\.(?:or|and)\./);
  return [resource, `${resource}Name`, `${resource}Id`].some((spelling) => named.includes(spelling));
}

function meaningOf(code: string): string {
  return Object.values(FAMILIES).find((family) => family.codes.test(code))?.meaning ?? '';
}
