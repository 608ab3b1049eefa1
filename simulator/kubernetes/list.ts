import { type JsonObject, type KubeObject, without } from './objects.ts';
import { apiVersionOf, collectionOf, type Resource } from './resources.ts';
import type { Matches } from './selectors.ts';
import { field, refuse } from './status.ts';
import { keyOf, type Store } from './store.ts';

/** What a list is asked for, from its query. */
export interface ListRequest {
  readonly resource: Resource;
  /** `''` = all namespaces. */
  readonly namespace: string;
  readonly matches: Matches;
  /** There is a selector, so what remains after a page is not counted. */
  readonly selective: boolean;
  /** Objects in a page, 0 = all. */
  readonly limit: number;
  /** The token of the page before, `''` = first page. */
  readonly continueFrom: string;
  /** `''` and `'0'`: as it is now. */
  readonly resourceVersion: string;
  readonly resourceVersionMatch: string;
}

/** Where the next page starts: all pages show the state of the first one. */
interface Continue {
  readonly v: 'meta.k8s.io/v1';
  /** Version of the first page. */
  readonly rv: number;
  /** The first key that is not yet shown. */
  readonly start: string;
}

/**
 * The answer to a list.
 * @throws StatusError 410 when the version of a page is forgotten, 504 when the version does not exist yet, 400 or 422 for
 *   options that make no sense.
 */
export function list(store: Store, request: ListRequest): JsonObject {
  const { resource, limit } = request;
  const page = request.continueFrom === '' ? undefined : decodeContinue(request.continueFrom);
  const version = page?.rv ?? versionToShow(store, request);
  const objects = objectsAt(store, resource, version, page !== undefined);
  const wanted = objects.filter((object) => isWanted(object, request) && position(object) >= (page?.start ?? ''));
  const shown = limit > 0 ? wanted.slice(0, limit) : wanted;
  const last = shown.at(-1);
  const remaining = wanted.length - shown.length;
  const more = remaining > 0 && last !== undefined;
  return {
    kind: `${resource.kind}List`,
    apiVersion: apiVersionOf(resource),
    metadata: {
      resourceVersion: String(version),
      ...(more ? { continue: encodeContinue(version, last) } : {}),
      ...(more && !request.selective ? { remainingItemCount: remaining } : {}),
    },
    // Items do not repeat their kind and apiVersion.
    items: shown.map((object) => without(object, ['kind', 'apiVersion'])),
  };
}

/** Whether a list or watch of this namespace and these selectors shows the object. */
export function isWanted(object: KubeObject, request: Pick<ListRequest, 'namespace' | 'matches'>): boolean {
  return (request.namespace === '' || object.metadata.namespace === request.namespace) && request.matches(object);
}

/** A resourceVersion as a number. @throws StatusError 400. */
export function parseVersion(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  const syntax = `strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`;
  throw refuse.badRequest(
    `invalid resource version: resourceVersion: Invalid value: ${JSON.stringify(text)}: ${syntax}`,
  );
}

function versionToShow(store: Store, { resourceVersion, resourceVersionMatch }: ListRequest): number {
  if (resourceVersionMatch !== '' && resourceVersion === '') {
    const why = 'resourceVersionMatch is forbidden unless resourceVersion is provided';
    throw refuse.invalidOptions('ListOptions', field.forbidden('resourceVersionMatch', why));
  }
  const asked = resourceVersion === '' ? 0 : parseVersion(resourceVersion);
  if (asked > store.version) throw refuse.fromTheFuture(asked, store.version);
  return resourceVersionMatch === 'Exact' ? asked : store.version;
}

function objectsAt(store: Store, resource: Resource, version: number, paged: boolean): KubeObject[] {
  const objects = store.listAt(collectionOf(resource), version);
  if (objects !== undefined) return objects;
  throw refuse.expired(
    paged
      ? 'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.'
      : 'The resourceVersion for the provided list is too old.',
  );
}

function position({ metadata }: KubeObject): string {
  return keyOf(metadata.namespace ?? '', metadata.name);
}

function encodeContinue(version: number, last: KubeObject): string {
  // The smallest key after that of the last object shown.
  const token: Continue = { v: 'meta.k8s.io/v1', rv: version, start: `${position(last)}\0` };
  return Buffer.from(JSON.stringify(token)).toString('base64url');
}

function decodeContinue(text: string): Continue {
  try {
    const token = JSON.parse(Buffer.from(text, 'base64url').toString()) as Partial<Continue>;
    const { v, rv, start } = token;
    if (v === 'meta.k8s.io/v1' && typeof rv === 'number' && typeof start === 'string') return { v, rv, start };
  } catch {
    // Refused below.
  }
  throw refuse.badRequest('invalid continue token: continue key is not valid');
}
