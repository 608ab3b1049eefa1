import { equal, isObject, type Json, type JsonObject } from './objects.ts';
import { refuse } from './status.ts';
import { strategicMerge } from './strategic.ts';
import type { Shape } from './merge-keys.ts';

export type PatchType = 'json' | 'merge' | 'strategic';

/** By media type. Server-side apply is not among them. */
export const PATCH_TYPES: Readonly<Record<string, PatchType>> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
};

/**
 * The object after the patch; neither input is changed.
 * @throws StatusError 400 for a patch of the wrong form, 422 for a JSON patch that does not fit the object,
 *   500 for a directive of a strategic merge patch that makes no sense.
 */
export function applyPatch(type: PatchType, original: JsonObject, patch: Json, shape: Shape): Json {
  if (type === 'json') return jsonPatch(original, patch);
  if (!isObject(patch)) throw refuse.badRequest('error decoding patch: it is no JSON object');
  return type === 'merge' ? mergePatch(original, patch) : strategicMerge(original, patch, shape);
}

/** RFC 7386. */
export function mergePatch(original: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return patch;
  const merged: JsonObject = isObject(original) ? { ...original } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = mergePatch(merged[key], value);
  }
  return merged;
}

/**
 * RFC 6902, with one leniency of the real server's library: `replace` of an absent key of an object adds it.
 * All operations take effect or none.
 */
export function jsonPatch(original: Json, patch: Json): Json {
  if (!Array.isArray(patch)) throw refuse.badRequest('error decoding patch: it is no JSON array');
  let document = structuredClone(original);
  for (const operation of patch) {
    if (!isObject(operation)) throw refuse.badRequest('error decoding patch: an operation is no JSON object');
    document = applyOperation(document, operation);
  }
  return document;
}

function applyOperation(document: Json, { op, path, from, value }: JsonObject): Json {
  const to = pointer(path);
  switch (op) {
    case 'add':
      return put(document, to, required(value), true);
    case 'replace':
      return put(document, to, required(value), false);
    case 'remove':
      return take(document, to);
    case 'test':
      if (!equal(find(document, to) ?? null, value ?? null)) throw refuse.unprocessable();
      return document;
    case 'copy':
      return put(document, to, structuredClone(required(find(document, pointer(from)))), true);
    case 'move': {
      const moved = required(find(document, pointer(from)));
      return put(take(document, pointer(from)), to, moved, true);
    }
    default:
      throw refuse.unprocessable();
  }
}

function required(value: Json | undefined): Json {
  if (value === undefined) throw refuse.unprocessable();
  return value;
}

/** RFC 6901. */
function pointer(text: Json | undefined): string[] {
  if (typeof text !== 'string' || (text !== '' && !text.startsWith('/'))) throw refuse.unprocessable();
  return text
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function find(document: Json, path: readonly string[]): Json | undefined {
  let here: Json | undefined = document;
  for (const key of path) {
    if (Array.isArray(here)) here = here[index(here, key)];
    else here = isObject(here) && Object.hasOwn(here, key) ? here[key] : undefined;
  }
  return here;
}

function put(document: Json, path: readonly string[], value: Json, insert: boolean): Json {
  const key = path.at(-1);
  if (key === undefined) return value;
  const parent = find(document, path.slice(0, -1));
  if (Array.isArray(parent)) {
    if (insert) parent.splice(key === '-' ? parent.length : index(parent, key, parent.length), 0, value);
    else parent[index(parent, key)] = value;
  } else if (isObject(parent)) {
    parent[key] = value;
  } else {
    throw refuse.unprocessable();
  }
  return document;
}

function take(document: Json, path: readonly string[]): Json {
  const key = path.at(-1);
  const parent = find(document, path.slice(0, -1));
  if (key !== undefined && Array.isArray(parent)) parent.splice(index(parent, key), 1);
  else if (key !== undefined && isObject(parent) && Object.hasOwn(parent, key)) delete parent[key];
  else throw refuse.unprocessable();
  return document;
}

function index(list: readonly Json[], key: string, last = list.length - 1): number {
  const found = /^(0|[1-9]\d*)$/.test(key) ? Number(key) : Infinity;
  if (found > last) throw refuse.unprocessable();
  return found;
}
