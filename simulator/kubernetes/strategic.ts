import { equal, isObject, type Json, type JsonObject } from './objects.ts';
import { refuse } from './status.ts';
import type { Shape } from './merge-keys.ts';

const ORDER = '$setElementOrder/';
const DELETE_VALUES = '$deleteFromPrimitiveList/';

/**
 * A strategic merge patch, as kube-apiserver applies it; neither input is changed.
 *
 * - Objects merge key by key, `null` deletes a key, lists merge as their shape says.
 * - `$patch: replace` puts the patch in the place of the object, or of the whole list if an element says so;
 *   `$patch: delete` empties the object, or takes the element with that merge key out of its list.
 * - `$retainKeys` drops every other key of the object.
 * - `$deleteFromPrimitiveList/x` takes values out of the set `x`; `$setElementOrder/x` sets the order of the list `x`.
 *   Elements that neither names keep their place among themselves; without an order, those of the patch come first.
 *
 * @throws StatusError 400 or 500 for directives that make no sense, as the real server.
 */
export function strategicMerge(original: JsonObject, patch: JsonObject, shape: Shape): JsonObject {
  const directive = patch['$patch'];
  if (directive === 'replace') return fresh(patch);
  if (directive === 'delete') return {};
  if (directive !== undefined) throw refuse.internal(`unknown patch type: ${JSON.stringify(directive)} in map`);

  const merged = retained(original, patch);
  for (const key of new Set(Object.keys(patch).map(fieldOf))) {
    if (key.startsWith('$')) continue;
    const value = mergeField(merged[key], patch, key, shape.fields?.[key] ?? {});
    if (value === undefined) delete merged[key];
    else merged[key] = value;
  }
  return merged;
}

/** The field that a key of a patch is about. */
function fieldOf(key: string): string {
  const prefix = [ORDER, DELETE_VALUES].find((one) => key.startsWith(one)) ?? '';
  return key.slice(prefix.length);
}

function retained(original: JsonObject, patch: JsonObject): JsonObject {
  const keep = patch['$retainKeys'];
  if (keep === undefined) return { ...original };
  if (!Array.isArray(keep)) throw refuse.badRequest('$retainKeys is no list');
  const stray = Object.keys(patch).find((key) => !key.startsWith('$') && !keep.includes(key));
  if (stray !== undefined) throw refuse.badRequest(`$retainKeys does not name ${stray}, which the patch sets`);
  return Object.fromEntries(Object.entries(original).filter(([key]) => keep.includes(key)));
}

/** The new value of one field, from all that a patch says of it; `undefined`: the field goes. */
function mergeField(original: Json | undefined, patch: JsonObject, key: string, shape: Shape): Json | undefined {
  const value = patch[key];
  if (value === null) return undefined;
  const isList = shape.mergeKey !== undefined || shape.set === true;
  if (isList && (value === undefined || Array.isArray(value))) {
    return mergeList(original, value ?? [], patch[ORDER + key], patch[DELETE_VALUES + key], shape);
  }
  if (value === undefined) return original;
  if (isObject(original) && isObject(value) && shape.replace !== true) return strategicMerge(original, value, shape);
  return freshValue(value);
}

function mergeList(
  original: Json | undefined,
  patch: readonly Json[],
  order: Json | undefined,
  deleted: Json | undefined,
  shape: Shape,
): Json | undefined {
  if (original === undefined && order === undefined) return patch.length === 0 ? undefined : freshValue([...patch]);
  const old = Array.isArray(original) ? original : [];
  const plain = patch.filter((item) => !isObject(item) || item['$patch'] === undefined);
  if (plain.length < patch.length && directives(patch).includes('replace')) return plain.map(freshValue);

  const same = sameElement(shape.mergeKey);
  let merged = [...old];
  for (const item of patch) {
    const place = merged.findIndex((one) => same(one, item));
    const found = merged[place];
    if (isObject(item) && item['$patch'] === 'delete') merged = merged.filter((one) => !same(one, item));
    else if (found === undefined) merged.push(freshValue(item));
    else if (isObject(found) && isObject(item))
      merged[place] = strategicMerge(found, item, { fields: shape.fields ?? {} });
  }
  if (Array.isArray(order)) checkOrder(plain, order, same);
  merged = arrange(merged, Array.isArray(order) ? order : plain, old, same);
  if (Array.isArray(deleted)) merged = merged.filter((one) => !deleted.some((gone) => equal(one, gone)));
  return original === undefined && merged.length === 0 ? undefined : merged;
}

function directives(list: readonly Json[]): Json[] {
  return list.filter(isObject).flatMap((item) => item['$patch'] ?? []);
}

type Same = (a: Json, b: Json) => boolean;

function sameElement(mergeKey: string | undefined): Same {
  if (mergeKey === undefined) return equal;
  const keyOf = (item: Json): Json => {
    const key = isObject(item) ? item[mergeKey] : undefined;
    if (key === undefined) {
      throw refuse.internal(`map: ${JSON.stringify(item)} does not contain declared merge key: ${mergeKey}`);
    }
    return key;
  };
  return (a, b) => equal(keyOf(a), keyOf(b));
}

/** What a patch sets must be named in its order, in the same sequence. */
function checkOrder(patch: readonly Json[], order: readonly Json[], same: Same): void {
  let next = 0;
  for (const item of patch) {
    const place = order.findIndex((one, at) => at >= next && same(one, item));
    if (place < 0) {
      throw refuse.internal(
        `The order in patch list:\n${JSON.stringify(patch)}\n doesn't match $setElementOrder list:\n${JSON.stringify(order)}\n`,
      );
    }
    next = place + 1;
  }
}

/**
 * Elements named in `order` come in that order, the others in that of `old`. Where the two sequences meet, an element of
 * `old` goes first only before a named one that stood behind it in `old`.
 */
function arrange(merged: readonly Json[], order: readonly Json[], old: readonly Json[], same: Same): Json[] {
  const named = order.flatMap((wanted) => merged.filter((one) => same(one, wanted)).slice(0, 1));
  const others = merged.filter((one) => !named.includes(one));
  const oldPlace = (item: Json): number => old.findIndex((one) => same(one, item));
  const arranged: Json[] = [];
  for (const item of named) {
    const place = oldPlace(item);
    while (others[0] !== undefined && oldPlace(others[0]) < place) arranged.push(...others.splice(0, 1));
    arranged.push(item);
  }
  return [...arranged, ...others];
}

/** A value of a patch that meets nothing to merge with: without directives and nulls. */
function fresh(patch: JsonObject): JsonObject {
  const kept = Object.entries(patch).filter(([key, value]) => !key.startsWith('$') && value !== null);
  return Object.fromEntries(kept.map(([key, value]) => [key, freshValue(value)]));
}

function freshValue(value: Json): Json {
  if (Array.isArray(value)) {
    return value.filter((item) => !isObject(item) || item['$patch'] === undefined).map(freshValue);
  }
  if (!isObject(value)) return value;
  return value['$patch'] === 'delete' ? {} : fresh(value);
}
