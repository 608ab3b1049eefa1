import { isDeepStrictEqual } from 'node:util';

/** A JSON value as it came over the wire. */
export type Json = null | boolean | number | string | Json[] | JsonObject;
export interface JsonObject {
  [key: string]: Json;
}

export interface ObjectMeta extends JsonObject {
  name: string;
  /** Absent on cluster-scoped objects. */
  namespace?: string;
  uid: string;
  /** Decimal; rises with every change of any object. */
  resourceVersion: string;
  /** RFC 3339, seconds. */
  creationTimestamp: string;
  /** When the object is, or for a pod will be, due to go; once set it never goes back. */
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  generation?: number;
  finalizers?: string[];
  labels?: { [key: string]: string };
  annotations?: { [key: string]: string };
}

/** A stored object. Never changed in place: every write makes a new one, so that histories and answers may share it. */
export interface KubeObject extends JsonObject {
  kind: string;
  apiVersion: string;
  metadata: ObjectMeta;
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value at a path of keys, `undefined` where any of them is missing. */
export function at(value: Json | undefined, ...path: readonly string[]): Json | undefined {
  let here = value;
  for (const key of path) here = isObject(here) && Object.hasOwn(here, key) ? here[key] : undefined;
  return here;
}

/** The text at a path, `''` where there is none. */
export function textAt(value: Json | undefined, ...path: readonly string[]): string {
  const found = at(value, ...path);
  return typeof found === 'string' ? found : '';
}

/** The objects of a list, none where there is no list. */
export function objectsIn(list: Json | undefined): JsonObject[] {
  return Array.isArray(list) ? list.filter(isObject) : [];
}

export function textsIn(list: Json | undefined): string[] {
  return Array.isArray(list) ? list.filter((item) => typeof item === 'string') : [];
}

export function equal(a: Json | undefined, b: Json | undefined): boolean {
  return isDeepStrictEqual(a, b);
}

/**
 * A copy without nulls, empty lists and empty maps of labels and annotations.
 * The real server's types leave those out, and whether a write changes anything is decided after that.
 */
export function compact(object: JsonObject): JsonObject {
  const copy: JsonObject = {};
  for (const [key, value] of Object.entries(object)) {
    if (value === null || (Array.isArray(value) && value.length === 0)) continue;
    if ((key === 'labels' || key === 'annotations') && isObject(value) && Object.keys(value).length === 0) continue;
    copy[key] = compactValue(value);
  }
  return copy;
}

function compactValue(value: Json): Json {
  if (Array.isArray(value)) return value.map(compactValue);
  return isObject(value) ? compact(value) : value;
}

/** The object's entries of these keys. */
export function only(object: JsonObject, keys: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([key]) => keys.includes(key)));
}

export function without(object: JsonObject, keys: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([key]) => !keys.includes(key)));
}

/** Sets each default whose key is absent. */
export function fill(object: JsonObject, defaults: JsonObject): void {
  for (const [key, value] of Object.entries(defaults)) {
    if (!Object.hasOwn(object, key)) object[key] = structuredClone(value);
  }
}

/** The object at `key`, made if there is none. */
export function section(object: JsonObject, key: string): JsonObject {
  const found = object[key];
  if (isObject(found)) return found;
  return (object[key] = {});
}

/** RFC 3339 with seconds, as metav1.Time is written. */
export function timestamp(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 19)}Z`;
}
