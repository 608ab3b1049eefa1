import winston from 'winston';

/** Structured values of a log line. Units belong in the key: `tookMs`, `sizeGB`. */
type Fields = Readonly<Record<string, unknown>>;

/** A constant message, with everything that varies as fields (as klog's `InfoS` and `ErrorS`). */
export interface Logger {
  info(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  error(message: string, error: unknown, fields?: Fields): void;
  /** Written only with `-v` of at least `level`: 2 for what an operator may want, 4 for debugging. */
  debug(level: number, message: string, fields?: Fields): void;
}

/** `--logging-format`. */
export const LOG_FORMATS = ['text', 'json'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

export interface LoggerOptions {
  readonly format: LogFormat;
  /** `-v`. */
  readonly verbosity: number;
  /** Values that must never be printed (keys, tokens); asked at each line, since they may be rotated. */
  readonly secrets: () => readonly string[];
  /** Default: stderr, as klog. */
  readonly stream?: NodeJS.WritableStream;
}

/** klog's severities and the letter that opens its header. */
const SEVERITY = { info: 'I', warn: 'W', error: 'E' } as const;

interface Entry {
  readonly level: keyof typeof SEVERITY;
  readonly message: string;
  readonly atMs: number;
  readonly caller: string;
  readonly verbosity: number;
  readonly fields: Fields;
  readonly error?: unknown;
}

/** A logger whose text lines have klog's header and whose JSON lines have component-base's keys (ts, caller, msg, v, err). */
export function createLogger(options: LoggerOptions): Logger {
  const render = options.format === 'json' ? jsonLine : textLine;
  const sink = winston.createLogger({
    level: 'info',
    format: winston.format.printf((line) => redact(render(line['entry'] as Entry), options.secrets())),
    transports: [new winston.transports.Stream({ stream: options.stream ?? process.stderr, eol: '\n' })],
  });
  // `method` is the function that the program called; the line that called it is what the log names.
  const write = (
    method: Callable,
    level: Entry['level'],
    message: string,
    rest: Pick<Entry, 'fields'> & Partial<Entry>,
  ): void => {
    const entry: Entry = { level, message, atMs: Date.now(), caller: callerOf(method), verbosity: 0, ...rest };
    sink.log({ level, message, entry });
  };
  function info(message: string, fields: Fields = {}): void {
    write(info, 'info', message, { fields });
  }
  function warn(message: string, fields: Fields = {}): void {
    write(warn, 'warn', message, { fields });
  }
  function error(message: string, cause: unknown, fields: Fields = {}): void {
    write(error, 'error', message, { fields, error: cause });
  }
  function debug(level: number, message: string, fields: Fields = {}): void {
    if (level <= options.verbosity) write(debug, 'info', message, { fields, verbosity: level });
  }
  return { info, warn, error, debug };
}

/** `I1121 08:16:00.123456    4242 service.ts:57] "Message" key="value"`. */
function textLine(entry: Entry): string {
  const at = new Date(entry.atMs);
  const date = two(at.getMonth() + 1) + two(at.getDate());
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${String(at.getMilliseconds()).padStart(3, '0')}000`;
  const header = `${SEVERITY[entry.level]}${date} ${time} ${String(process.pid).padStart(7)} ${entry.caller}]`;
  const pairs = Object.entries(withError(entry)).map(([key, value]) => ` ${key}=${textValue(value)}`);
  return `${header} ${JSON.stringify(entry.message)}${pairs.join('')}`;
}

function two(n: number): string {
  return String(n).padStart(2, '0');
}

function textValue(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return JSON.stringify(value) ?? 'null';
}

function jsonLine(entry: Entry): string {
  return JSON.stringify({
    ts: entry.atMs,
    caller: entry.caller,
    msg: entry.message,
    ...(entry.level === 'info' ? { v: entry.verbosity } : {}),
    ...withError(entry),
  });
}

function withError(entry: Entry): Fields {
  return entry.error === undefined ? entry.fields : { err: describeError(entry.error), ...entry.fields };
}

/** The message of an error and of all its causes, joined as Go's wrapped errors print: `a: b: c`. */
export function describeError(error: unknown): string {
  const messages: string[] = [];
  for (let at: unknown = error; at !== undefined && messages.length < 10;) {
    messages.push(at instanceof Error ? at.message || at.name : typeof at === 'string' ? at : JSON.stringify(at));
    at = at instanceof Error ? at.cause : undefined;
  }
  return messages.join(': ');
}

function redact(line: string, secrets: readonly string[]): string {
  let clean = line;
  for (const secret of secrets) {
    if (secret === '') continue;
    // A secret inside a quoted value stands there escaped.
    for (const form of new Set([secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)])) {
      clean = clean.replaceAll(form, '***');
    }
  }
  return clean;
}

type Callable = (...parameters: never[]) => unknown;

/** `file.ts:line` of the code that called `method`. */
function callerOf(method: Callable): string {
  const holder: { stack?: string } = {};
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 1;
  Error.captureStackTrace(holder, method);
  Error.stackTraceLimit = limit;
  const place = /([^/\\() ]+):(\d+):\d+\)?$/.exec(holder.stack ?? '');
  return place === null ? 'unknown:0' : `${place[1]}:${place[2]}`;
}
