import { illegal } from './wire.ts';
import type { Parameters } from './wire.ts';

/** The texts of a thing that a filter looks at, and how it compares them with its values. */
export interface FilterKey<T> {
  readonly texts: (thing: T) => readonly string[];
  readonly by: (text: string, value: string) => boolean;
}

/** Compares texts as a whole. */
export const equal: FilterKey<unknown>['by'] = (text, value) => text === value;

/** Compares the starts of texts. */
export const startsWith: FilterKey<unknown>['by'] = (text, value) => text.startsWith(value);

/** Compares by a pattern: `*` stands for any characters, `?` for one, `\` takes its meaning from the next (nifcloud-api.md §7). */
export const wildcard: FilterKey<unknown>['by'] = (text, value) => {
  const parts = value.match(/\\?[^]/g) ?? [];
  const pattern = parts.map((part) => WILDCARDS.get(part) ?? literal(part.at(-1) ?? ''));
  return new RegExp(`^${pattern.join('')}$`, 's').test(text);
};

const WILDCARDS: ReadonlyMap<string, string> = new Map([
  ['*', '.*'],
  ['?', '.'],
]);

function literal(character: string): string {
  return /[\\^$.*+?()[\]{}|]/.test(character) ? `\\${character}` : character;
}

/**
 * `Filter.N.Name` with `Filter.N.Value.M`: a thing passes when for every filter one of its texts fits one of the values (as in
 * EC2; no source says it for this cloud).
 * @throws Refusal for a name that is none of the keys
 */
export function readFilters<T>(
  parameters: Parameters,
  keys: Readonly<Record<string, FilterKey<T>>>,
): (thing: T) => boolean {
  const filters = parameters.indexes('Filter').map((index) => {
    const name = parameters.choice(`Filter.${index}.Name`, Object.keys(keys));
    const key = name === undefined ? undefined : keys[name];
    if (key === undefined)
      throw illegal(`Filter.${index}.Name`, `a filter needs one of ${Object.keys(keys).join(', ')}`);
    return { ...key, values: parameters.list(`Filter.${index}.Value`) };
  });
  return (thing) =>
    filters.every(({ texts, by, values }) => texts(thing).some((text) => values.some((value) => by(text, value))));
}
