import type { Call } from './call.ts';
import type { Refusal } from './refusal.ts';

/** The things of one kind that a call can describe, and how it names them. */
export interface Describable<T> {
  readonly all: Iterable<T>;
  readonly find: (name: string) => T | undefined;
  /** `undefined`: a name that is left out in any case. */
  readonly unknown: (name: string) => Refusal | undefined;
}

/**
 * What a describe call is about: everything, or what its list of names (`prefix.1`, `prefix.2`, …) says, in that order and each
 * thing once. The switch `unknown-names` decides about one unknown name of several, `empty-names` about a list that was sent
 * empty (docs/reference/nifcloud-api.md §1.4, §11 no. 13).
 * @throws Refusal for an unknown name; when names are to be skipped, only if the call names nothing that exists
 */
export function describedBy<T>(
  { world, parameters }: Pick<Call, 'world' | 'parameters'>,
  prefix: string,
  { all, find, unknown }: Describable<T>,
): readonly T[] {
  const names = [...new Set(parameters.list(prefix))];
  if (names.length === 0) {
    return parameters.isEmptyList(prefix) && world.switches['empty-names'] === 'none' ? [] : [...all];
  }
  const found: T[] = [];
  const refusals: Refusal[] = [];
  for (const name of names) {
    const one = find(name);
    if (one !== undefined) {
      found.push(one);
      continue;
    }
    const refusal = unknown(name);
    if (refusal !== undefined) refusals.push(refusal);
  }
  const [refusal] = refusals;
  const skips = world.switches['unknown-names'] === 'skip' && found.length > 0;
  if (refusal !== undefined && !skips) throw refusal;
  return found;
}
