import type { Call } from '../api/call.ts';
import { Refusal } from '../api/refusal.ts';

/**
 * What a describe call of load balancers is about: names and ports stand in parallel lists, matched by index
 * (docs/reference/nifcloud-api.md §1.4). The switches `unknown-names` and `empty-names` decide as for plain lists of names.
 * @param find what the entry at an index names
 * @returns undefined = everything
 * @throws Refusal what `find` throws; entries that name nothing can be skipped as long as others name something
 */
export function describedEntries<T>(
  { world, parameters }: Pick<Call, 'world' | 'parameters'>,
  lists: readonly string[],
  find: (index: number) => T,
): readonly T[] | undefined {
  const indexes = [...new Set(lists.flatMap((list) => parameters.indexes(list)))].sort((a, b) => a - b);
  if (indexes.length === 0) {
    const sentEmpty = lists.some((list) => parameters.isEmptyList(list));
    return sentEmpty && world.switches['empty-names'] === 'none' ? [] : undefined;
  }
  const found: T[] = [];
  let notFound: Refusal | undefined;
  for (const index of indexes) {
    try {
      found.push(find(index));
    } catch (error) {
      if (!(error instanceof Refusal) || !error.code.startsWith('Client.InvalidParameterNotFound.')) throw error;
      notFound ??= error;
    }
  }
  const skips = world.switches['unknown-names'] === 'skip' && found.length > 0;
  if (notFound !== undefined && !skips) throw notFound;
  return found;
}
