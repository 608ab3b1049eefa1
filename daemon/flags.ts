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
const DURATION_UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** `1h30m`, `5m0s`, `100ms` → ms; `undefined` when it is no such text. Go notation, as all Kubernetes flags. */
export function parseDurationMs(text: string): number | undefined {
  if (text === '0') return 0;
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) return undefined;
  let totalMs = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) {
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
      (whole ? Number.isSafeInteger(value) : Number.isFinite(value)) &&
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

/** ms in Go's notation: `200ms`, `3s`, `5m0s`, `1h0m0s`. */
function durationText(totalMs: number): string {
  if (totalMs % 1000 !== 0) return `${totalMs}ms`;
  const seconds = totalMs / 1000;
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return `${h > 0 ? `${h}h` : ''}${seconds >= 60 ? `${m}m` : ''}${s}s`;
}

function listItems(text: string): readonly string[] {
  return text.split(',').filter((item) => item !== '');
}

function trueOrFalse(text: string): boolean {
  if (text === 'true') return true;
  return text === 'false' ? false : refuse('true or false');
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
  list: <D extends readonly string[] | undefined = undefined>(options: Options<D> & { value?: string }) => ({
    ...spec(options, `${options.value ?? 'TEXT'},…`, listItems),
    accumulates: true,
  }),
  choice: <C extends string, D extends C | undefined = undefined>(options: Options<D> & { of: readonly C[] }) =>
    spec(
      options,
      options.of.join('|'),
      (text) => options.of.find((one) => one === text) ?? refuse(`one of ${options.of.join(', ')}`),
    ),
};

/**
 * Reads a command line in the notation of Go's pflag: `--name=value`, `--name value`, bare booleans, and `-v 4` or `-v=4`
 * for flags of one letter.
 * @throws UsageError for an unknown flag, a missing or refused value, or a positional argument.
 */
export function parseFlags<S extends FlagSpecs>(specs: S, argv: readonly string[]): FlagValues<S> {
  const values: Record<string, unknown> = {};
  for (const [name, one] of Object.entries(specs)) values[name] = one.default;
  const given = new Set<string>();
  for (let at = 0; at < argv.length; at++) {
    const argument = argv[at] ?? '';
    const match = /^--?([A-Za-z][A-Za-z0-9-]*)(?:=(.*))?$/s.exec(argument);
    const name = match?.[1];
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
}

/** The text of `--help`. */
export function helpText(manual: Manual, specs: FlagSpecs): string {
  const rows = Object.entries(specs).map(([name, one]): [string, string] => {
    const shown = `${name.length === 1 ? '-' : '--'}${name}${one.placeholder === '' ? '' : `=${one.placeholder}`}`;
    return [shown, one.defaultText === '' ? one.help : `${one.help} (default ${one.defaultText})`];
  });
  return [
    manual.summary,
    '',
    `Usage: ${manual.program} [flags]`,
    '',
    'Flags:',
    ...columns(rows),
    ...(manual.environment.length === 0 ? [] : ['', 'Environment:', ...columns(manual.environment)]),
    '',
  ].join('\n');
}

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}
