import { Refusal } from './refusal.ts';

/** The namespace of success bodies; error bodies have none (docs/reference/nifcloud-api.md §1.1, §1.6). */
const NAMESPACE = 'https://computing.api.nifcloud.com/api/';

/** How an action writes its answer: flat with `requestId`, or with a `…Result` and `ResponseMetadata` (nifcloud-api.md §1.5). */
export type AnswerStyle = 'ec2' | 'elb';

/** A value of an answer; `undefined` is written as an empty element, which is how the cloud says "not set". */
export type Xml = string | number | boolean | undefined | CData | XmlFields;

/** A text that is written as CDATA, also when it is empty: descriptions of elastic load balancers (nifcloud-api.md §1.5). */
export class CData {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** Elements in the order in which they are written; an array repeats its element. */
export interface XmlFields {
  readonly [element: string]: Xml | readonly Xml[];
}

/** The body of an answer. Without `fields` an ELB-like answer has no `…Result` (UpdateLoadBalancer). */
export function successBody(
  action: string,
  style: AnswerStyle,
  fields: XmlFields | undefined,
  requestId: string,
): string {
  const content: XmlFields =
    style === 'ec2'
      ? { requestId, ...fields }
      : {
          ...(fields === undefined ? {} : { [`${action}Result`]: fields }),
          ResponseMetadata: { RequestId: requestId },
        };
  return `<${action}Response xmlns="${NAMESPACE}">${elements(content)}</${action}Response>`;
}

/** The body of a refusal: no namespace, no declaration, `RequestID` with capital ID (nifcloud-api.md §1.6). */
export function errorBody(code: string, message: string, requestId: string): string {
  return elements({ Response: { Errors: { Error: { Code: code, Message: message } }, RequestID: requestId } });
}

/** `2024-06-13T14:02:53.000+09:00`: with milliseconds, in Japan's time (nifcloud-api.md §1.5). */
export function timestamp(atMs: number): string {
  return new Date(atMs + 9 * 3_600_000).toISOString().replace('Z', '+09:00');
}

/** `2024-06-17T14:03:29+09:00`: without milliseconds, as elastic load balancers have it (nifcloud-api.md §1.5). */
export function timestampInSeconds(atMs: number): string {
  return timestamp(atMs).replace(/\.\d{3}/, '');
}

function elements(fields: XmlFields): string {
  let text = '';
  for (const [name, value] of Object.entries(fields)) {
    text += Array.isArray(value) ? repeated(name, value as readonly Xml[]) : element(name, value as Xml);
  }
  return text;
}

/** Elements that become one text at a time: a long answer in small pieces until its end takes many times its size. */
const BATCH = 50;

function repeated(name: string, values: readonly Xml[]): string {
  if (values.length <= BATCH) return values.map((value) => element(name, value)).join('');
  const batches: string[] = [];
  for (let at = 0; at < values.length; at += BATCH) batches.push(repeated(name, values.slice(at, at + BATCH)));
  return batches.join('');
}

function element(name: string, value: Xml): string {
  if (value === undefined || value === '') return `<${name}/>`;
  if (value instanceof CData) {
    // The only thing that CDATA can not hold is its own end.
    return `<${name}><![CDATA[${expressible(value.text).replaceAll(']]>', ']]]]><![CDATA[>')}]]></${name}>`;
  }
  return `<${name}>${typeof value === 'object' ? elements(value) : escapeText(String(value))}</${name}>`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/** What most texts are made of: names, numbers, times, addresses. */
const PLAIN = /^[\w .,:;()+/*-]*$/;

function escapeText(text: string): string {
  if (PLAIN.test(text)) return text; // the other way is five times as long, and answers have up to 100,000 texts
  return expressible(text).replaceAll(/[&<>"']/g, (c) => ENTITIES[c] ?? c);
}

/** Without the control characters that XML 1.0 can not express at all. */
function expressible(text: string): string {
  return text.replaceAll(/[^\P{Cc}\t\n\r]/gu, '');
}

/**
 * The parameters of one call, by their literal keys.
 *
 * - An empty value is an absent parameter: SDKs send unset strings and empty lists that way (nifcloud-api.md §1.4).
 * - Every getter throws `Client.InvalidParameterIllegalInput.<name>` for a value that it can not read, and the `required…`
 *   ones `Client.InvalidParameterRequired.<name>` for an absent one.
 * - It remembers what was asked for, so that a key nobody knows can be reported.
 */
export class Parameters {
  readonly #values: ReadonlyMap<string, string>;
  readonly #empty: readonly string[];
  readonly #asked = new Set<string>();

  constructor(entries: Iterable<readonly [string, string]>) {
    const all = [...entries];
    this.#values = new Map(all.filter(([, value]) => value !== ''));
    this.#empty = all.filter(([, value]) => value === '').map(([name]) => name);
  }

  text(name: string): string | undefined {
    this.#asked.add(name);
    return this.#values.get(name);
  }

  requiredText(name: string): string {
    return this.#required(name, this.text(name));
  }

  integer(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    if (!/^\d{1,9}$/.test(text)) throw illegal(name, `${text} is not a whole number`);
    return Number(text);
  }

  requiredInteger(name: string): number {
    return this.#required(name, this.integer(name));
  }

  boolean(name: string): boolean | undefined {
    const text = this.choice(name, ['true', 'false']);
    return text === undefined ? undefined : text === 'true';
  }

  choice<C extends string>(name: string, allowed: readonly C[]): C | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const found = allowed.find((one) => one === text);
    if (found === undefined) throw illegal(name, `${text} is not one of ${allowed.join(', ')}`);
    return found;
  }

  /** The numbers N for which a key `prefix.N` or `prefix.N.…` was sent, ascending. */
  indexes(prefix: string): readonly number[] {
    const found = new Set<number>();
    for (const name of this.#values.keys()) {
      const index = name.startsWith(`${prefix}.`) ? /^\d+/.exec(name.slice(prefix.length + 1))?.[0] : undefined;
      if (index !== undefined) found.add(Number(index));
    }
    return [...found].sort((a, b) => a - b);
  }

  /** The values of `prefix.1`, `prefix.2`, … */
  list(prefix: string): readonly string[] {
    return this.indexes(prefix)
      .map((index) => this.text(`${prefix}.${index}`))
      .filter((value) => value !== undefined);
  }

  /** Whether a list was sent that has no values: `prefix=` or `prefix.1=`. */
  isEmptyList(prefix: string): boolean {
    const isEntry = (name: string): boolean => name.startsWith(prefix) && /^(\.\d+)?$/.test(name.slice(prefix.length));
    return this.list(prefix).length === 0 && this.#empty.some(isEntry);
  }

  /** Keys that no getter asked for. */
  unasked(): readonly string[] {
    return [...this.#values.keys()].filter((name) => !this.#asked.has(name));
  }

  #required<T>(name: string, value: T | undefined): T {
    if (value === undefined)
      throw new Refusal(`Client.InvalidParameterRequired.${subject(name)}`, `${name} is required`);
    return value;
  }
}

/** The refusal of a parameter's value. */
export function illegal(name: string, reason: string): Refusal {
  return new Refusal(`Client.InvalidParameterIllegalInput.${subject(name)}`, `${name}: ${reason}`);
}

/** What an error code calls a parameter: `Listeners.member.1.InstancePort` → `InstancePort`. */
function subject(name: string): string {
  return name.split('.').findLast((part) => part !== 'member' && !/^\d+$/.test(part)) ?? name;
}
