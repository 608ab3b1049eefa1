import type { DeleteOptions } from './deletion.ts';
import { type ListRequest, parseVersion } from './list.ts';
import { at, isObject, type Json, type JsonObject, textAt } from './objects.ts';
import type { Resource } from './resources.ts';
import type { Route } from './routes.ts';
import { type Matches, parseFieldSelector, parseLabelSelector } from './selectors.ts';
import { field, refuse } from './status.ts';
import type { WatchRequest } from './watch.ts';

/** A watch without `timeoutSeconds` lasts this long, and up to twice as long (kube-apiserver's `--min-request-timeout`). */
const WATCH_TIMEOUT_MS = 1_800_000;

/** An HTTP request as far as the verbs care. */
export interface ApiRequest {
  readonly method: string;
  /** Of the content type, without parameters; `''` if there is none. */
  readonly mediaType: string;
  readonly query: URLSearchParams;
  readonly body: string;
}

/** @throws StatusError 400 with a message that begins with `prefix`. */
export function parseJson(text: string, prefix: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    throw refuse.badRequest(prefix + (error as Error).message);
  }
}

/** The object that a POST or PUT sends. @throws StatusError 400 or 415. */
export function readObject({ mediaType, body }: ApiRequest, { kind }: Pick<Resource, 'kind'>): JsonObject {
  if (!['', 'application/json'].includes(mediaType)) throw refuse.unsupportedMediaType(['application/json']);
  const prefix = `the object provided is unrecognized (must be of type ${kind}): couldn't get version/kind; json parse error: `;
  const object = parseJson(body, prefix);
  if (!isObject(object)) throw refuse.badRequest(`${prefix}it is no JSON object`);
  return object;
}

/** Options of a DELETE: those of the body, else those of the query. @throws StatusError 400 or 422. */
export function deleteOptions(query: URLSearchParams, body: string): DeleteOptions {
  const sent = body === '' ? {} : parseJson(body, "couldn't get version/kind; json parse error: ");
  const kind = textAt(sent, 'kind');
  if (!['', 'DeleteOptions'].includes(kind)) throw refuse.badRequest(`no kind "${kind}" is registered for DELETE`);
  const graceSeconds = at(sent, 'gracePeriodSeconds') ?? integer(query, 'gracePeriodSeconds');
  const propagationPolicy = textAt(sent, 'propagationPolicy') || query.get('propagationPolicy') || undefined;
  const policies = ['Foreground', 'Background', 'Orphan'];
  if (propagationPolicy !== undefined && !policies.includes(propagationPolicy)) {
    const error = field.unsupported('propagationPolicy', propagationPolicy, [...policies, 'nil']);
    throw refuse.invalidOptions('DeleteOptions', error);
  }
  return {
    gracePeriodSeconds: typeof graceSeconds === 'number' ? graceSeconds : undefined,
    uid: textAt(sent, 'preconditions', 'uid') || undefined,
    resourceVersion: textAt(sent, 'preconditions', 'resourceVersion') || undefined,
    propagationPolicy,
  };
}

/** @throws StatusError 400. */
export function listRequest({ resource, namespace }: Route, query: URLSearchParams): ListRequest {
  const text = (name: string): string => query.get(name) ?? '';
  return {
    resource,
    namespace,
    matches: selectors(resource, query),
    selective: text('labelSelector') !== '' || text('fieldSelector') !== '',
    limit: integer(query, 'limit') ?? 0,
    continueFrom: text('continue'),
    resourceVersion: text('resourceVersion'),
    resourceVersionMatch: text('resourceVersionMatch'),
  };
}

export function isWatch({ name }: Route, method: string, query: URLSearchParams): boolean {
  return name === '' && method === 'GET' && isTrue(query.get('watch'));
}

/** @throws StatusError 400 or 422. */
export function watchRequest(
  { resource, namespace }: Route,
  query: URLSearchParams,
  random: () => number,
): WatchRequest {
  const version = query.get('resourceVersion') ?? '';
  const fromNow = version === '' || version === '0';
  const streaming = query.get('sendInitialEvents');
  const match = query.get('resourceVersionMatch') ?? '';
  if (streaming === null && match !== '') {
    throw forbiddenMatch('resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided');
  }
  if (streaming !== null && match !== 'NotOlderThan') {
    throw forbiddenMatch('sendInitialEvents requires setting resourceVersionMatch to NotOlderThan');
  }
  const seconds = integer(query, 'timeoutSeconds') ?? 0;
  return {
    resource,
    namespace,
    matches: selectors(resource, query),
    from: fromNow ? undefined : parseVersion(version),
    initialEvents: streaming === null ? fromNow : isTrue(streaming),
    bookmarks: isTrue(query.get('allowWatchBookmarks')),
    timeoutMs: seconds > 0 ? seconds * 1000 : WATCH_TIMEOUT_MS * (1 + random()),
  };
}

function forbiddenMatch(why: string): Error {
  return refuse.invalidOptions('ListOptions', field.forbidden('resourceVersionMatch', why));
}

function selectors({ fields }: Resource, query: URLSearchParams): Matches {
  const byLabel = parseLabelSelector(query.get('labelSelector') ?? '');
  const byField = parseFieldSelector(query.get('fieldSelector') ?? '', fields);
  return (object) => byLabel(object) && byField(object);
}

/** A boolean of a query as the API machinery reads it: only `0` and `false` mean no. */
function isTrue(text: string | null): boolean {
  return text !== null && !['0', 'false'].includes(text.toLowerCase());
}

function integer(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name) ?? '';
  if (text === '') return undefined;
  if (/^-?\d+$/.test(text)) return Number(text);
  throw refuse.badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
}
