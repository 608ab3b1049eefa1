/**
 * A command line or environment that can't be used. The message is one line: what, where, what is allowed;
 * `runDaemon` prints it and exits with 1.
 */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** How one flag is read and shown. `T` is the type of its value. */
export interface FlagSpec<T> {
  readonly help: string;
  /** What stands for the value in `--help`; empty for a boolean, which needs none. */
  readonly placeholder: string;
  /** The default as `--help` shows it; empty = not shown. */
  readonly defaultText: string;
  /** `undefined`: the flag is optional and has no value unless given. */
  readonly default: T;
  /** A list takes all its occurrences together; of any other flag the last one counts. */
  readonly accumulates: boolean;
  /** @throws UsageError's message as a plain string when `text` is not allowed. */
  readonly parse: (text: string) => T;
}

export type FlagSpecs = Readonly<Record<string, FlagSpec<unknown>>>;

/** The value of each flag of `S`. */
export type FlagValues<S extends FlagSpecs> = {
  readonly [Name in keyof S]: S[Name] extends FlagSpec<infer T> ? T : never;
};

/** Units of Go's durations (`time.ParseDuration`), in ms. */
const DURATION_UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** `strconv.ParseBool` of Go. */
const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ...['1', 't', 'T', 'true', 'TRUE', 'True'].map((text) => [text, true] as const),
  ...['0', 'f', 'F', 'false', 'FALSE', 'False'].map((text) => [text, false] as const),
]);

/** `1h30m`, `5m0s`, `100ms` → ms; `undefined` when it is no such text. Go notation, as all Kubernetes flags. */
export function parseDurationMs(text: string): number | undefined {
  if (text === '0') return 0;
  if (!/^((\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined;
  let totalMs = 0;
  for (const [, amount, unit] of text.matchAll(/([\d.]+)(ns|us|µs|ms|s|m|h)/g)) {
    totalMs += Number(amount) * (DURATION_UNIT_MS[unit ?? ''] ?? 0);
  }
  return totalMs;
}

function refuse(allowed: string): never {
  throw new UsageError(allowed);
}

function numeric(options: { min?: number; max?: number }, whole: boolean): (text: string) => number {
  const { min = -Infinity, max = Infinity } = options;
  const range = `${Number.isFinite(min) ? ` from ${min}` : ''}${Number.isFinite(max) ? ` up to ${max}` : ''}`;
  return (text) => {
    const value = Number(text);
    const fits =
      text.trim() !== '' &&
      (whole ? /^[+-]?\d+$/.test(text) && Number.isSafeInteger(value) : Number.isFinite(value)) &&
      value >= min &&
      value <= max;
    return fits ? value : refuse(`${whole ? 'a whole number' : 'a number'}${range}`);
  };
}

/** `D` is `undefined` for a flag without a default, which then has no value unless given. */
interface Options<D> {
  readonly help: string;
  readonly default?: D;
}

function spec<T, D>(
  options: Options<D>,
  placeholder: string,
  parse: (text: string) => T,
  show: (value: NonNullable<D>) => string = String,
): FlagSpec<T | D> {
  const preset = options.default;
  const isShown = preset !== undefined && preset !== null && preset !== false;
  return {
    help: options.help,
    placeholder,
    default: preset as D,
    defaultText: isShown ? show(preset) : '',
    accumulates: false,
    parse,
  };
}

/** ms in Go's notation: `200ms`, `1.5s`, `5m0s`, `1h0m0s`. */
export function durationText(totalMs: number): string {
  if (totalMs > 0 && totalMs < 1000) return `${totalMs}ms`;
  const minutes = Math.floor(totalMs / 60_000);
  const [h, m, s] = [Math.floor(minutes / 60), minutes % 60, (totalMs % 60_000) / 1000];
  return `${h > 0 ? `${h}h` : ''}${minutes > 0 ? `${m}m` : ''}${s}s`;
}

function listItems(text: string): readonly string[] {
  return text.split(',').filter((item) => item !== '');
}

function trueOrFalse(text: string): boolean {
  return BOOLEANS.get(text) ?? refuse('true or false');
}

function oneOf<C extends string>(text: string, allowed: readonly C[]): C {
  return allowed.find((one) => one === text) ?? refuse(`one of ${shown(allowed).join(', ')}`);
}

/** An empty choice stands for the default and is not worth showing. */
function shown(choices: readonly string[]): readonly string[] {
  return choices.filter((one) => one !== '');
}

function gate(text: string): string {
  const [, name, value = ''] = /^\s*(\w+)\s*=\s*(\w+)\s*$/.exec(text) ?? [];
  return name !== undefined && BOOLEANS.has(value)
    ? `${name}=${trueOrFalse(value)}`
    : refuse('Name=true or Name=false');
}

/** The kinds of flag. */
export const flag = {
  text: <D extends string | undefined = undefined>(options: Options<D> & { value?: string }) =>
    spec(options, options.value ?? 'TEXT', (text): string => text),
  integer: <D extends number | undefined = undefined>(options: Options<D> & { min?: number; max?: number }) =>
    spec(options, 'N', numeric(options, true)),
  number: <D extends number | undefined = undefined>(options: Options<D> & { min?: number; max?: number }) =>
    spec(options, 'NUMBER', numeric(options, false)),
  durationMs: <D extends number | undefined = undefined>(options: Options<D>) =>
    spec(
      options,
      'DURATION',
      (text) => parseDurationMs(text) ?? refuse('a duration such as 300ms, 10s, 5m0s or 1h30m'),
      durationText,
    ),
  boolean: (options: Options<boolean>) => spec({ default: false, ...options }, '', trueOrFalse),
  /** @param options.of what each item may be; anything if absent */
  list: <D extends readonly string[] | undefined = undefined>(
    options: Options<D> & { value?: string; of?: readonly string[] },
  ) => ({
    ...spec(options, `${options.value ?? 'TEXT'},…`, (text): readonly string[] =>
      listItems(text).map((item) => (options.of === undefined ? item : oneOf(item, options.of))),
    ),
    accumulates: true,
  }),
  /** `Name=true,Other=false`, as `--feature-gates`. */
  gates: (options: { readonly help: string }): FlagSpec<readonly string[]> => ({
    ...spec({ ...options, default: [] }, 'NAME=BOOL,…', (text): readonly string[] => listItems(text).map(gate)),
    accumulates: true,
  }),
  choice: <C extends string, D extends C | undefined = undefined>(options: Options<D> & { of: readonly C[] }) =>
    spec(options, shown(options.of).join('|'), (text) => oneOf(text, options.of)),
};

/**
 * Reads a command line in the notation of Go's pflag: `--name=value`, `--name value`, bare booleans, and `-v 4`, `-v=4` or `-v4`
 * for flags of one letter; `-h` is `--help`, and in names `_` is `-`, as in all Kubernetes components.
 * @throws UsageError for an unknown flag, a missing or refused value, or a positional argument.
 */
export function parseFlags<S extends FlagSpecs>(specs: S, argv: readonly string[]): FlagValues<S> {
  const values: Record<string, unknown> = {};
  for (const [name, one] of Object.entries(specs)) values[name] = one.default;
  const given = new Set<string>();
  for (let at = 0; at < argv.length; at++) {
    const argument = argv[at] ?? '';
    const match = /^-([A-Za-z])=?(\d+)$/.exec(argument) ?? /^--?([A-Za-z][A-Za-z0-9_-]*)(?:=(.*))?$/s.exec(argument);
    const name = argument === '-h' ? 'help' : match?.[1]?.replaceAll('_', '-');
    if (name === undefined)
      throw new UsageError(`unexpected argument ${JSON.stringify(argument)}: only flags are allowed; see --help`);
    const one = Object.hasOwn(specs, name) ? specs[name] : undefined;
    if (one === undefined)
      throw new UsageError(`unknown flag --${name}${nearest(name, Object.keys(specs))}; see --help`);
    let text = match?.[2];
    if (text === undefined) {
      if (one.placeholder === '') text = 'true';
      else if (at + 1 < argv.length) text = argv[++at] ?? '';
      else throw new UsageError(`--${name} needs a value: --${name}=${one.placeholder}`);
    }
    const value = parseValue(name, one, text);
    values[name] = one.accumulates && given.has(name) ? [values[name], value].flat() : value;
    given.add(name);
  }
  return values as FlagValues<S>;
}

function parseValue(name: string, one: FlagSpec<unknown>, text: string): unknown {
  try {
    return one.parse(text);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`--${name}=${text} is not allowed: it takes ${error.message}`);
  }
}

/** The likeliest thing meant by a mistyped name. */
function nearest(name: string, known: readonly string[]): string {
  const close = known.find((one) => one.startsWith(name) || name.startsWith(one) || sameLetters(one, name));
  return close === undefined ? '' : ` (did you mean --${close}?)`;
}

function sameLetters(a: string, b: string): boolean {
  return sortedLetters(a) === sortedLetters(b);
}

function sortedLetters(name: string): string {
  return name.replaceAll('-', '').split('').sort().join('');
}

export interface Manual {
  readonly program: string;
  readonly summary: string;
  /** Name and meaning of each variable that is read. */
  readonly environment: readonly (readonly [name: string, meaning: string])[];
  /** What is to be said at the end. */
  readonly notes?: readonly string[];
}

/** Flags under a title. */
export type FlagGroups = readonly (readonly [title: string, flags: FlagSpecs])[];

/** The text of `--help`. */
export function helpText(manual: Manual, flags: FlagSpecs | FlagGroups): string {
  const groups: FlagGroups = isGroups(flags) ? flags : [['Flags', flags]];
  const sections: [string, Rows][] = groups.map(([title, specs]) => [title, Object.entries(specs).map(row)]);
  if (manual.environment.length > 0) sections.push(['Environment', manual.environment]);
  const width = Math.max(...sections.flatMap(([, rows]) => rows.map(([left]) => left.length)), 0);
  // A line for a flag and one for its help, where a table would be too wide for a terminal.
  const lines = ([left, right]: Rows[number]): string[] =>
    width <= WIDEST_COLUMN ? [`  ${left.padEnd(width)}  ${right}`] : [`  ${left}`, `        ${right}`];
  return [
    manual.summary,
    '',
    `Usage: ${manual.program} [flags]`,
    ...sections.flatMap(([title, rows]) => ['', `${title}:`, ...rows.flatMap(lines)]),
    ...(manual.notes ?? []).flatMap((note) => ['', note]),
    '',
  ].join('\n');
}

/** Flags up to this length stand in one line with their help. */
const WIDEST_COLUMN = 50;

type Rows = readonly (readonly [left: string, right: string])[];

function isGroups(flags: FlagSpecs | FlagGroups): flags is FlagGroups {
  return Array.isArray(flags);
}

function row([name, one]: [string, FlagSpec<unknown>]): readonly [string, string] {
  const left = `${name.length === 1 ? '-' : '--'}${name}${one.placeholder === '' ? '' : `=${one.placeholder}`}`;
  return [left, one.defaultText === '' ? one.help : `${one.help} (default ${one.defaultText})`];
}
