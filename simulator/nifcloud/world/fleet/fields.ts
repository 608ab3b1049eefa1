import { isIPv4 } from 'node:net';
import { UsageError } from '../../../../daemon/flags.ts';
import { isAddressOrRange } from '../networks.ts';
import type { IdPrefix } from '../world.ts';

/** What a text must look like, and how that is said. */
export type Pattern = readonly [pattern: RegExp, allowed: string];

/** Names of servers, load balancers, routers and private LANs. */
export const NAME: Pattern = [/^[0-9A-Za-z]{1,15}$/, '1 to 15 letters and digits'];

/** Ids such as `i-0abc1def`. */
export function uniqueIds(prefix: IdPrefix): Pattern {
  return [new RegExp(`^${prefix}-[0-9a-z]{8}$`), `${prefix}- and 8 of a-z 0-9`];
}

/** Names listed when one is unknown; of more it says how many there are. */
const SHOWN_NAMES = 20;

/** One mapping of the file. Every getter throws a UsageError that names its place. */
export class Fields {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #source: string;
  readonly #path: string;

  constructor(data: unknown, source: string, path: string, keys: readonly string[]) {
    this.#source = source;
    this.#path = path;
    if (typeof data !== 'object' || data === null || Array.isArray(data)) {
      throw this.refused('', JSON.stringify(data), `a mapping with the keys ${keys.join(', ')}`);
    }
    this.#values = data as Record<string, unknown>;
    const stray = Object.keys(data).find((key) => !keys.includes(key));
    if (stray !== undefined) throw this.refused(stray, '', `one of the keys ${keys.join(', ')}`);
  }

  /** Whether the key is there at all. */
  has(key: string): boolean {
    return (this.#values[key] ?? undefined) !== undefined;
  }

  /** `fallback` stands for a missing key; without one the key is required. So in all getters. */
  text(key: string, fallback?: string): string {
    const value = this.#values[key] ?? fallback;
    if (typeof value !== 'string') throw this.refused(key, JSON.stringify(value) ?? 'missing', 'a text');
    return value;
  }

  /** @param max in characters of any width */
  shortText(key: string, max: number): string {
    const value = this.text(key, '');
    if (Array.from(value).length > max) throw this.refused(key, value, `at most ${max} characters`);
    return value;
  }

  matching(key: string, [pattern, allowed]: Pattern, fallback?: string): string {
    const value = this.text(key, fallback);
    if (!pattern.test(value)) throw this.refused(key, value, allowed);
    return value;
  }

  oneOf<T extends string>(key: string, allowed: readonly T[], fallback?: T): T {
    const value = this.text(key, fallback);
    const found = allowed.find((one) => one === value);
    if (found === undefined) throw this.refused(key, value, named(allowed.filter((one) => one !== '')));
    return found;
  }

  /** The thing that the value names. */
  one<T>(key: string, known: ReadonlyMap<string, T>): T {
    return this.#known(key, this.text(key), known);
  }

  integer(key: string, { min, max, step = 1 }: Range, fallback?: number): number {
    const value = this.#values[key] ?? fallback;
    if (typeof value === 'number' && value >= min && value <= max && value % step === 0) return value;
    const numbers = step === 1 ? 'a whole number' : `a multiple of ${step}`;
    throw this.refused(key, JSON.stringify(value) ?? 'missing', `${numbers} from ${min} to ${max}`);
  }

  boolean(key: string, fallback: boolean): boolean {
    const value = this.#values[key] ?? fallback;
    if (typeof value !== 'boolean') throw this.refused(key, JSON.stringify(value), 'true, false');
    return value;
  }

  /** An IPv4 address; '' for a missing one. */
  address(key: string): string {
    const value = this.text(key, '');
    if (value !== '' && !isIPv4(value)) throw this.refused(key, value, 'an IPv4 address, or nothing');
    return value;
  }

  /** An address or CIDR as written; '' for a missing one. */
  addressOrRange(key: string): string {
    const value = this.text(key, '');
    return value === '' ? value : this.#addressOrRange(key, value);
  }

  /** Missing: empty. */
  texts(key: string): readonly string[] {
    return this.#array(key).map((item) => {
      if (typeof item !== 'string') throw this.refused(key, JSON.stringify(item), 'a list of texts');
      return item;
    });
  }

  /** Each of them once. */
  textsMatching(key: string, [pattern, allowed]: Pattern): readonly string[] {
    const values = this.texts(key);
    for (const value of values) if (!pattern.test(value)) throw this.refused(key, value, allowed);
    return this.once(key, values, 'each value');
  }

  /** Each of them once. */
  addressesOrRanges(key: string): readonly string[] {
    const values = this.texts(key).map((value) => this.#addressOrRange(key, value));
    return this.once(key, values, 'each address');
  }

  /** The things that the values name, each of them once. */
  many<T>(key: string, known: ReadonlyMap<string, T>): readonly T[] {
    return this.once(key, this.texts(key), 'each name').map((value) => this.#known(key, value, known));
  }

  /** @throws UsageError naming the first value that is there twice */
  once(key: string, values: readonly string[], what: string): readonly string[] {
    const seen = new Set<string>();
    for (const value of values) {
      if (seen.has(value)) throw this.refused(key, value, `${what} only once`);
      seen.add(value);
    }
    return values;
  }

  /** A mapping within this one; a missing one is empty. */
  inner(key: string, keys: readonly string[]): Fields {
    return new Fields(this.#values[key] ?? {}, this.#source, this.#placeOf(key), keys);
  }

  /** Missing: empty. */
  list(key: string, keys: readonly string[]): readonly Fields[] {
    return this.#array(key).map((item, at) => new Fields(item, this.#source, `${this.#placeOf(key)}[${at}]`, keys));
  }

  refused(key: string, value: string, allowed: string): UsageError {
    const place = this.#placeOf(key);
    return new UsageError(
      `${this.#source}: ${place === '' ? '' : `${place}: `}${value || 'this'} is not allowed; allowed: ${allowed}`,
    );
  }

  #known<T>(key: string, value: string, known: ReadonlyMap<string, T>): T {
    const found = known.get(value);
    if (found === undefined) throw this.refused(key, value, named([...known.keys()]));
    return found;
  }

  #addressOrRange(key: string, value: string): string {
    if (!isAddressOrRange(value)) throw this.refused(key, value, 'IP addresses and CIDRs');
    return value;
  }

  #array(key: string): readonly unknown[] {
    const value = this.#values[key] ?? [];
    if (!Array.isArray(value)) throw this.refused(key, JSON.stringify(value), 'a list');
    return value as unknown[];
  }

  #placeOf(key: string): string {
    return [this.#path, key].filter((part) => part !== '').join('.');
  }
}

/** Whole numbers. */
interface Range {
  readonly min: number;
  readonly max: number;
  readonly step?: number;
}

function named(names: readonly string[]): string {
  if (names.length === 0) return 'nothing';
  const more = names.length > SHOWN_NAMES ? `, … (${names.length} in all)` : '';
  return `${names.slice(0, SHOWN_NAMES).join(', ')}${more}`;
}
