import { createHmac } from 'node:crypto';
import { XMLParser } from 'fast-xml-parser';
import { startSimulator } from '../../../../simulator/nifcloud/simulator.ts';
import type { Simulator, SimulatorOptions } from '../../../../simulator/nifcloud/simulator.ts';

const PARSER = new XMLParser({
  parseTagValue: false,
  ignoreAttributes: true,
  isArray: (name) => name === 'item' || name === 'member',
});

/** How a call is sent; the default is a POST as the SDKs make it. */
export interface Form {
  readonly method?: 'GET' | 'POST';
  readonly signatureMethod?: 'HmacSHA256' | 'HmacSHA1';
  readonly withoutVersion?: boolean;
  readonly secret?: string;
  /** '' = none is sent. */
  readonly timestamp?: string;
  /** The host that is signed; default: that of the URL. */
  readonly host?: string;
  readonly contentType?: string;
  /** Applied to the encoded form after signing. */
  readonly tamper?: (form: string) => string;
}

/** An answer by the paths of its elements: `volumeSet.item.0.status`. */
export class Answer {
  readonly status: number;
  readonly body: string;
  readonly #tree: unknown;

  constructor(status: number, body: string) {
    this.status = status;
    this.body = body;
    this.#tree = Object.values(PARSER.parse(body) as Record<string, unknown>)[0];
  }

  /** The refusal's code; undefined = the call succeeded. */
  get code(): string | undefined {
    return this.at('Errors.Error.Code') as string | undefined;
  }

  /** All that is in the root element. */
  get root(): unknown {
    return this.#tree;
  }

  at(path: string): unknown {
    let node = this.#tree;
    for (const step of path.split('.')) node = (node as Record<string, unknown> | undefined)?.[step];
    return node;
  }

  /** Of each element of the list at `path` the text at `within`. */
  each(path: string, within: string): unknown[] {
    const list = (this.at(path) ?? []) as unknown[];
    return list.map((_, index) => this.at(`${path}.${index}.${within}`));
  }
}

/** A client of the API that shares nothing with the simulator or the real client: its own signer, its own parser. */
export class RawClient {
  readonly #url: URL;
  readonly #keys: { readonly accessKeyId: string; readonly secretAccessKey: string };

  constructor(url: string, keys: { readonly accessKeyId: string; readonly secretAccessKey: string }) {
    this.#url = new URL(url);
    this.#keys = keys;
  }

  async call(action: string, parameters: Record<string, string | number> = {}, form: Form = {}): Promise<Answer> {
    const response = await this.send(action, parameters, form);
    return new Answer(response.status, await response.text());
  }

  /** A call whose answer may be anything. */
  send(
    action: string,
    parameters: Record<string, string | number> = {},
    form: Form = {},
    signal?: AbortSignal,
  ): Promise<Response> {
    const { method = 'POST' } = form;
    const text = this.form(action, parameters, form);
    const giveUp = signal === undefined ? {} : { signal };
    if (method === 'GET') return fetch(`${this.#url.href}?${text}`, giveUp);
    return fetch(this.#url, {
      method,
      headers: { 'content-type': form.contentType ?? 'application/x-www-form-urlencoded' },
      body: text,
      ...giveUp,
    });
  }

  /** The signed and encoded form of a call. */
  form(action: string, parameters: Record<string, string | number> = {}, form: Form = {}): string {
    const sent: Record<string, string> = {
      Action: action,
      AccessKeyId: this.#keys.accessKeyId,
      SignatureVersion: '2',
      SignatureMethod: form.signatureMethod ?? 'HmacSHA256',
      Timestamp: form.timestamp ?? '2025-01-02T03:04:05Z',
      ...(form.withoutVersion === true ? {} : { Version: '3.0' }),
    };
    if (sent['Timestamp'] === '') delete sent['Timestamp'];
    for (const [name, value] of Object.entries(parameters)) sent[name] = String(value);
    const canonical = Object.keys(sent)
      .sort()
      .map((name) => `${escape3986(name)}=${escape3986(sent[name] ?? '')}`)
      .join('&');
    const signature = createHmac(
      form.signatureMethod === 'HmacSHA1' ? 'sha1' : 'sha256',
      form.secret ?? this.#keys.secretAccessKey,
    )
      .update(`${form.method ?? 'POST'}\n${form.host ?? this.#url.host}\n/api/\n${canonical}`)
      .digest('base64');
    const encoded = `${canonical}&Signature=${escape3986(signature)}`;
    return form.tamper?.(encoded) ?? encoded;
  }

  /** A call that must succeed. */
  async done(action: string, parameters: Record<string, string | number> = {}): Promise<Answer> {
    const answer = await this.call(action, parameters);
    if (answer.status !== 200) throw new Error(`${action} was refused: ${answer.body}`);
    return answer;
  }
}

function escape3986(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** A simulator for one test file, and a client of it. Calls have no latency unless asked for. */
export async function startCloud(options: SimulatorOptions = {}): Promise<{ simulator: Simulator; client: RawClient }> {
  const simulator = await startSimulator({ latencyMs: 0, ...options });
  return { simulator, client: new RawClient(simulator.url, simulator.credentials) };
}

/** Waits for what real sockets bring about. */
export async function until<T>(look: () => T | undefined | false | Promise<T | undefined | false>): Promise<T> {
  const deadlineMs = Date.now() + 10_000;
  while (Date.now() < deadlineMs) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  throw new Error(`not within 10 s: ${look.toString()}`);
}
