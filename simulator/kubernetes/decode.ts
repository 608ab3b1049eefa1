import {
  at,
  compact,
  isObject,
  type Json,
  type JsonObject,
  type KubeObject,
  type ObjectMeta,
  only,
  textAt,
  without,
} from './objects.ts';
import { apiVersionOf, type Resource } from './resources.ts';
import { refuse, type StatusError } from './status.ts';
import { microTime } from './validation.ts';

/** What a write may change: the object without its status, or the status. */
export type Part = 'main' | 'status';

/** Makes the error of a body or a patch that yields no object of the kind. */
type Refusal = (why: string, sentKind?: string) => StatusError;

export function unreadable({ kind, version }: Resource): Refusal {
  return (why, sentKind = kind) =>
    refuse.badRequest(`${sentKind} in version "${version}" cannot be handled as a ${kind}: ${why}`);
}

/** A private copy of what a client sent, in the form in which it is stored. */
export function decode(resource: Resource, body: JsonObject, refusal: Refusal): KubeObject {
  const { kind } = resource;
  const apiVersion = apiVersionOf(resource);
  const [sentKind, sentVersion] = [textAt(body, 'kind') || kind, textAt(body, 'apiVersion') || apiVersion];
  if (sentKind !== kind || sentVersion !== apiVersion) throw refusal(`it is a ${sentKind} of ${sentVersion}`, sentKind);
  const { metadata = {}, ...content } = compact(without(body, ['kind', 'apiVersion']));
  if (!isObject(metadata) || !hasRightTypes(metadata)) throw refusal('its metadata has values of the wrong type');
  const object = { kind, apiVersion, metadata, ...content } as KubeObject;
  for (const path of resource.microTimes) {
    const parent = at(object, ...path.slice(0, -1));
    const key = path.at(-1) ?? '';
    const value = at(parent, key);
    if (!isObject(parent) || value === undefined) continue;
    const time = microTime(typeof value === 'string' ? value : JSON.stringify(value));
    if ('fault' in time) throw refusal(time.fault);
    parent[key] = time.utc;
  }
  return object;
}

const isText = (value: Json): boolean => typeof value === 'string';

/** Whether what the rules read of metadata is what Go's types would hold: a label `5` is refused, not kept. */
function hasRightTypes(metadata: JsonObject): boolean {
  const { labels = {}, annotations = {}, finalizers = [], ...rest } = metadata;
  return (
    [labels, annotations].every((map) => isObject(map) && Object.values(map).every(isText)) &&
    Array.isArray(finalizers) &&
    finalizers.every(isText) &&
    Object.values(only(rest, ['name', 'generateName', 'namespace', 'uid', 'resourceVersion'])).every(isText)
  );
}

/** Puts an object into the namespace of the URL. @throws StatusError 400 when it names another one. */
export function placeIn(object: KubeObject, namespace: string): void {
  const stated = textAt(object, 'metadata', 'namespace');
  if (stated !== '' && stated !== namespace) {
    throw refuse.badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  if (namespace === '') delete object.metadata.namespace;
  else object.metadata.namespace = namespace;
}

/**
 * What a write means: to the object's own path all of it but the status, to the status subresource the status and the
 * metadata, except what the kind keeps there. What only the server sets stays in either case.
 */
export function partOf(part: Part, object: KubeObject, current: KubeObject, resource: Resource): KubeObject {
  const keep = [...SERVER_METADATA, ...(part === 'status' ? resource.statusKeeps : [])];
  const metadata = { ...without(object.metadata, keep), ...only(current.metadata, keep) } as ObjectMeta;
  if (!resource.hasStatus) return { ...object, metadata };
  const [content, status] = part === 'status' ? [current, object] : [object, current];
  return { ...without(content, ['status']), ...only(status, ['status']), metadata } as KubeObject;
}

/** Metadata that no write changes. */
const SERVER_METADATA = [
  'uid',
  'resourceVersion',
  'creationTimestamp',
  'generation',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
] as const;
