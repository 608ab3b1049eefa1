import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Readable } from 'node:stream';
import { create, isAxiosError, type AxiosInstance, type AxiosResponse, type CreateAxiosDefaults } from 'axios';
import { NifcloudError, OWN_CODES, THROTTLED_STATUSES } from './errors.ts';
import { sentParameters, type Parameters } from './parameters.ts';
import { signedBody, type Credentials } from './sign.ts';
import type { Clock } from './surroundings.ts';
import { LONGEST_REFUSAL, readAnswer, readRefusal, UnreadableAnswer, type XmlElement } from './xml.ts';

/**
 * Idle connections are closed after so long, in ms: longer than the gap between two polls (3 s), shorter than the 5 s after which
 * common servers close theirs. A request on a connection that the other side is just closing has an unknown outcome.
 */
const IDLE_CONNECTION_MS = 4_000;

/** Answers beyond this size, in bytes, are refused; a listing of 1000 servers has about 4 MB. */
const LARGEST_ANSWER = 64 * 1024 * 1024;

/** Longest text of others that goes into an error message, in characters. */
const LONGEST_DETAIL = 500;

/** A call of the API, and what makes its result of the answer; `parse` throws UnreadableAnswer when it cannot. */
export interface Call<T> {
  readonly action: string;
  readonly parameters: Parameters;
  readonly parse: (answer: XmlElement) => T;
  /** Elements of the answer that `parse` does not look into, by their names in lower case. */
  readonly unread?: readonly string[];
}

export interface WireOptions {
  readonly url: URL;
  readonly userAgent: string;
  /** From sending a request to the end of its answer, in ms. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`. */
  readonly proxyEnv: NodeJS.ProcessEnv;
}

/**
 * One signed request, and what its answer means.
 *
 * - Failure is decided by the `<Code>` in the body, not by the HTTP status (docs/reference/nifcloud-api.md §1.6).
 * - What is not certainly an answer or a refusal has an unknown outcome, unless no connection came about.
 * - No error holds the secret, the signature or the body of the request.
 */
export class Wire {
  readonly #options: WireOptions;
  readonly #http: AxiosInstance;

  constructor(options: WireOptions) {
    this.#options = options;
    this.#http = create({
      adapter: 'http',
      headers: { 'User-Agent': options.userAgent },
      maxContentLength: LARGEST_ANSWER,
      maxRedirects: 0, // a signature is for one host
      responseType: 'stream', // a listing may have 30 MB, which would be in memory twice
      transformRequest: (body: unknown) => body,
      transformResponse: (body: unknown) => body,
      validateStatus: () => true,
      ...connections(options),
    });
  }

  /** @throws NifcloudError, or the signal's reason as soon as it aborts */
  async exchange<T>(call: Call<T>, credentials: Credentials, signal: AbortSignal): Promise<T> {
    const { url, clock } = this.#options;
    const { action, unread = [] } = call;
    const parameters = sentParameters({ Action: action, ...call.parameters });
    const request = { authority: url.host, path: url.pathname, parameters };
    const { body, signature } = signedBody(request, credentials, clock.now());
    const hidden = [credentials.secretAccessKey, signature, encodeURIComponent(signature)];
    const fail = (failure: Failure): NifcloudError =>
      new NifcloudError({ ...failure, action, detail: concealed(failure.detail, hidden) });

    let answer: Answer;
    try {
      answer = await this.#post(body, signal, ({ status, data }) =>
        readStream(status, data, (chunks) => readAnswer(chunks, `${action}Response`, { signal, unread })),
      );
    } catch (error) {
      signal.throwIfAborted();
      throw fail(connectionFailure(error, hidden));
    }
    const { status, content, start } = answer;
    if (content === undefined) throw fail(refusalIn(start, status) ?? noCode(status));
    try {
      if (content instanceof UnreadableAnswer) throw content;
      return call.parse(content);
    } catch (error) {
      if (!(error instanceof UnreadableAnswer)) throw error;
      throw fail(refusalIn(start, status) ?? unreadable(error, status));
    }
  }

  /** @param take reads the answer to its end, which the time limit is for */
  async #post<T>(
    body: string,
    signal: AbortSignal,
    take: (response: AxiosResponse<Readable>) => Promise<T>,
  ): Promise<T> {
    const { url, clock, timeoutMs } = this.#options;
    const stop = new AbortController();
    const onAbort = (): void => stop.abort();
    signal.addEventListener('abort', onAbort, { once: true });
    const answered = new AbortController();
    // The time limit goes by our clock, so that tests need not wait for it.
    clock.sleep(timeoutMs, answered.signal).then(onAbort, () => {});
    try {
      signal.throwIfAborted();
      return await take(await this.#http.post<Readable>(url.href, body, { signal: stop.signal }));
    } catch (error) {
      if (!stop.signal.aborted) throw error;
      throw Object.assign(new Error(`no answer within ${timeoutMs} ms`), { code: OWN_CODES.timeout });
    } finally {
      answered.abort('answered'); // a reason of its own would cost a stack trace each time
      signal.removeEventListener('abort', onAbort);
    }
  }
}

/** An answer whose end was seen. */
interface Answer {
  readonly status: number;
  /** `undefined` where the status says that it is no success. */
  readonly content: XmlElement | UnreadableAnswer | undefined;
  /** Of the body, as much as an error may have. */
  readonly start: string;
}

/** Has `read` read the body of a success, and reads all others to their ends itself. @throws what the stream fails with */
async function readStream(
  status: number,
  body: Readable,
  read: (chunks: AsyncIterable<Uint8Array>) => Promise<XmlElement>,
): Promise<Answer> {
  const kept: Uint8Array[] = [];
  let length = 0;
  async function* chunks(): AsyncGenerator<Uint8Array, void> {
    for await (const chunk of body.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>) {
      if (length < LONGEST_REFUSAL) kept.push(chunk);
      length += chunk.length;
      yield chunk;
    }
  }
  const isSuccess = status >= 200 && status <= 299;
  let content: Answer['content'];
  body.on('error', () => {}); // also while nobody reads
  try {
    try {
      content = isSuccess ? await read(chunks()) : undefined;
    } catch (error) {
      if (!(error instanceof UnreadableAnswer)) throw error;
      content = error;
    }
    for await (const _ of chunks());
  } finally {
    body.destroy();
  }
  return { status, content, start: Buffer.concat(kept).toString('utf8', 0, LONGEST_REFUSAL) };
}

function connections(options: WireOptions): Pick<CreateAxiosDefaults, 'httpAgent' | 'httpsAgent' | 'proxy'> {
  const pool = { keepAlive: true, timeout: IDLE_CONNECTION_MS };
  // Requests to the machine itself are never proxied, as in Go (net/http.ProxyFromEnvironment).
  if (isLoopback(options.url.hostname)) {
    return { httpAgent: new HttpAgent(pool), httpsAgent: new HttpsAgent(pool), proxy: false };
  }
  // `proxy` stays unset: axios leaves an agent with `proxyEnv` alone, but with `proxy: false` it takes that away from it.
  const proxied = { ...pool, proxyEnv: options.proxyEnv };
  return { httpAgent: new HttpAgent(proxied), httpsAgent: new HttpsAgent(proxied) };
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

/** What a failed request has to say, before secrets are taken out. */
type Failure = Omit<ConstructorParameters<typeof NifcloudError>[0], 'action'>;

function refusalIn(body: string, httpStatus: number): Failure | undefined {
  const refusal = readRefusal(body);
  if (refusal === undefined) return undefined;
  const { code, message: detail, requestId } = refusal;
  return { code, detail, requestId, httpStatus, outcome: 'refused' };
}

function noCode(httpStatus: number): Failure {
  const outcome = THROTTLED_STATUSES.includes(httpStatus) ? 'refused' : 'unknown';
  return { code: OWN_CODES.noCode, detail: `HTTP status ${httpStatus} without an error code`, httpStatus, outcome };
}

function unreadable(error: UnreadableAnswer, httpStatus: number): Failure {
  return { code: OWN_CODES.unreadable, detail: error.message, httpStatus, outcome: 'unknown' };
}

/** The cause is made anew: the error of axios carries the request, with body and signature. */
function connectionFailure(error: unknown, hidden: readonly string[]): Failure {
  const source = isAxiosError(error) ? (error.cause ?? error) : error;
  const detail = (source instanceof Error && source.message) || 'the connection failed';
  const code = (source as { code?: string }).code ?? OWN_CODES.noCode;
  const cause = Object.assign(new Error(concealed(detail, hidden)), { code });
  return { code, detail, outcome: isBeforeSending(source) ? 'not-sent' : 'unknown', cause };
}

/** Whether a connection failed before a byte of the request can have left: look-up of the name, connecting, TLS, the proxy's tunnel. */
function isBeforeSending(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.length > 0 && error.errors.every(isBeforeSending);
  const { code, syscall } = error as { code?: string; syscall?: string };
  if (syscall === 'connect' || syscall === 'getaddrinfo') return true;
  return /^(ERR_PROXY_TUNNEL|ERR_TLS_CERT_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_)/.test(code ?? '');
}

function concealed(text: string, hidden: readonly string[]): string {
  let clean = text;
  for (const secret of hidden) if (secret !== '') clean = clean.replaceAll(secret, '***');
  return clean.length > LONGEST_DETAIL ? `${clean.slice(0, LONGEST_DETAIL)}…` : clean;
}
