import { Agent, type IncomingMessage, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { createInterface } from 'node:readline';
import type { Json } from '../../../simulator/kubernetes/objects.ts';

export interface Answer {
  readonly code: number;
  readonly contentType: string;
  /** Parsed, or the text if it is no JSON. */
  readonly body: Json;
}

/** A certificate, for a real server. */
export interface Tls {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export const JSON_PATCH = 'application/json-patch+json';
export const MERGE_PATCH = 'application/merge-patch+json';
export const STRATEGIC_PATCH = 'application/strategic-merge-patch+json';

/** HTTP as any client could speak it: it knows nothing of Kubernetes. */
export class RawClient {
  readonly #url: string;
  readonly #tls: Tls | undefined;
  readonly #agent = new Agent({ keepAlive: true });

  constructor(url: string, tls?: Tls) {
    this.#url = url;
    this.#tls = tls;
  }

  /** A `body` that is text goes out as it is, anything else as JSON. */
  async call(method: string, path: string, body?: unknown, contentType = 'application/json'): Promise<Answer> {
    const response = await this.#send(method, path, body, contentType);
    const chunks: Buffer[] = [];
    for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    return {
      code: response.statusCode ?? 0,
      contentType: response.headers['content-type'] ?? '',
      body: parse(text),
    };
  }

  get = (path: string): Promise<Answer> => this.call('GET', path);
  post = (path: string, body: unknown): Promise<Answer> => this.call('POST', path, body);
  put = (path: string, body: unknown): Promise<Answer> => this.call('PUT', path, body);
  patch = (path: string, body: unknown, type = STRATEGIC_PATCH): Promise<Answer> =>
    this.call('PATCH', path, body, type);
  delete = (path: string, options?: unknown): Promise<Answer> => this.call('DELETE', path, options);

  /** Opens a watch; the answer's head has come when the promise resolves. */
  async watch(path: string): Promise<RawWatch> {
    return new RawWatch(await this.#send('GET', path, undefined, ''));
  }

  close(): void {
    this.#agent.destroy();
  }

  #send(method: string, path: string, body: unknown, contentType: string): Promise<IncomingMessage> {
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    const headers = {
      accept: 'application/json',
      // Node sends the body of a DELETE unframed unless its length is stated.
      ...(text === undefined ? {} : { 'content-type': contentType, 'content-length': Buffer.byteLength(text) }),
    };
    return new Promise((resolve, reject) => {
      const request =
        this.#tls === undefined
          ? httpRequest(this.#url + path, { method, headers, agent: this.#agent })
          : httpsRequest(this.#url + path, { method, headers, ...this.#tls });
      request.once('response', resolve).once('error', reject).end(text);
    });
  }
}

/** The lines of a watch. */
export class RawWatch {
  readonly code: number;
  readonly #response: IncomingMessage;
  readonly #lines: AsyncIterator<string>;

  constructor(response: IncomingMessage) {
    this.code = response.statusCode ?? 0;
    this.#response = response;
    response.on('error', () => {});
    this.#lines = createInterface({ input: response })[Symbol.asyncIterator]();
  }

  /** The next event, `undefined` at the end of the stream. */
  async next(): Promise<Json | undefined> {
    const { done, value } = await this.#lines.next();
    return done === true ? undefined : (JSON.parse(value) as Json);
  }

  async take(count: number): Promise<Json[]> {
    const events: Json[] = [];
    while (events.length < count) events.push((await this.next()) ?? null);
    return events;
  }

  close(): void {
    this.#response.destroy();
  }
}

function parse(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}
