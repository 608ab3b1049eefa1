import { Agent as HttpAgent, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, type RequestOptions } from 'node:https';
import type { ClusterConnection } from './config.ts';
import { isConnectionFault, KubeConnectionError, KubeError } from './errors.ts';
import { jsonLines } from './json-lines.ts';
import type { Clock, KubeRequestMetrics, Logger } from './surroundings.ts';
import { TokenBucket } from './token-bucket.ts';
import { destroyOnAbort, readBody, send, untilQuiet, within } from './transport.ts';
import type { KubeObject, Status, WatchEvent } from './types.ts';

/** How often one request is sent again in all. Source: client-go, `rest.Request` maxRetries. */
const MAX_RETRIES = 10;

/** Pause before a GET whose connection broke is sent again, in ms. Source: client-go, `retryAfterResponse`. */
const RECONNECT_PAUSE_MS = 1_000;

/** A wait for the client's own rate limit from here on is logged, in ms. Source: client-go, `extraLongThrottleLatency`. */
const LONG_THROTTLE_MS = 1_000;

/** An idle connection is closed after this long, in ms: before the other end does, which might hit a new request. Our choice. */
const IDLE_CONNECTION_MS = 30_000;

/** What stands for the status of a try that got none. Source: client-go, `updateRequestResultMetric`. */
const NO_ANSWER = '<error>';

const PATCH_TYPES = {
  strategic: 'application/strategic-merge-patch+json',
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
} as const;

/** How a patch is meant. `strategic` knows lists by key, on built-in kinds only; `merge` is RFC 7386, `json` RFC 6902. */
export type PatchType = keyof typeof PATCH_TYPES;

/** Values of undefined are left out. */
export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface KubeClientOptions {
  readonly userAgent: string;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Requests a second, in the long run. Default: 20 (`--kube-api-qps`). */
  readonly qps?: number;
  /** Requests at once after a quiet time. Default: 30 (`--kube-api-burst`). */
  readonly burst?: number;
  /**
   * Time for one try of a request that is no watch, and for the opening of a watch, in ms.
   * Default: 60 000, after which the API server itself gives up (its `--request-timeout`).
   */
  readonly requestTimeoutMs?: number;
  /**
   * A watch on which nothing came for this long counts as dead, in ms. Default: 150 000: the API server sends a bookmark about
   * once a minute, so two were missed.
   */
  readonly watchQuietMs?: number;
  /** Connections for requests; watches, which hold one each for minutes, are not counted. Default: 10. */
  readonly maxSockets?: number;
  readonly metrics?: KubeRequestMetrics;
  /**
   * Asked in the moment before something that changes anything is sent, also before it is sent again; what it throws is thrown, and
   * nothing is sent. For a leader that may have lost its lease (`LeaderElection.assertLease`).
   */
  readonly beforeWrite?: () => void;
}

interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Query | undefined;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly watch?: boolean;
  readonly signal: AbortSignal;
}

/**
 * The REST API as JSON in, JSON out. Paths are those of the API (`/api/v1/nodes/n1`).
 *
 * - All requests share one pool of kept-alive connections of at most `maxSockets`; each watch has a connection for itself.
 * - Requests and openings of watches share one token bucket (docs/reference/ccm.md B1, "Request level").
 * - What the server puts off (429 or 5xx with an integer `Retry-After`) is sent again after exactly that time; a GET also after
 *   its connection broke; up to 10 times. Nothing else is: a write whose answer was lost may have been done.
 * - Every method throws KubeError for a refusal, KubeConnectionError where no usable answer came, and the signal's reason
 *   after an abort. An abort closes the connection of its request.
 */
export class KubeClient {
  readonly #connection: ClusterConnection;
  readonly #userAgent: string;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #bucket: TokenBucket;
  readonly #requestTimeoutMs: number;
  readonly #watchQuietMs: number;
  readonly #agent: HttpAgent;
  readonly #watchAgent: HttpAgent;
  readonly #metrics: KubeRequestMetrics | undefined;
  readonly #beforeWrite: (() => void) | undefined;
  readonly #host: string;

  constructor(connection: ClusterConnection, options: KubeClientOptions) {
    this.#connection = connection;
    this.#userAgent = options.userAgent;
    this.#logger = options.logger;
    this.#clock = options.clock;
    this.#bucket = new TokenBucket({ perSecond: options.qps ?? 20, burst: options.burst ?? 30, clock: this.#clock });
    this.#requestTimeoutMs = options.requestTimeoutMs ?? 60_000;
    this.#watchQuietMs = options.watchQuietMs ?? 150_000;
    this.#metrics = options.metrics;
    this.#beforeWrite = options.beforeWrite;
    const { protocol, host } = new URL(connection.server);
    this.#host = host;
    const Agent = protocol === 'http:' ? HttpAgent : HttpsAgent;
    // 30 s of silence before the first TCP keep-alive probe, as in Go's net/http.
    const keepAlive = { keepAlive: true, keepAliveMsecs: 30_000 };
    this.#agent = new Agent({ ...keepAlive, maxSockets: options.maxSockets ?? 10, timeout: IDLE_CONNECTION_MS });
    this.#watchAgent = new Agent(keepAlive);
  }

  async get<T>(path: string, options: { readonly query?: Query; readonly signal: AbortSignal }): Promise<T> {
    return (await this.#json({ method: 'GET', path, ...options })) as T;
  }

  /** What a path says that answers in plain text, as `/healthz` does. */
  async text(path: string, { signal }: { readonly signal: AbortSignal }): Promise<string> {
    const call: Call = { method: 'GET', path, signal };
    return await this.#perform(call, (response, until) => this.#readText(call, response, until));
  }

  /** POST to the collection's path. Answers the object as stored. */
  async create<T>(path: string, body: unknown, options: { readonly signal: AbortSignal }): Promise<T> {
    return (await this.#json({ method: 'POST', path, body, ...options })) as T;
  }

  /** PUT of the whole object; 409 (isConflict) if its resourceVersion is no longer the newest. */
  async replace<T>(path: string, body: unknown, options: { readonly signal: AbortSignal }): Promise<T> {
    return (await this.#json({ method: 'PUT', path, body, ...options })) as T;
  }

  async patch<T>(path: string, patch: unknown, type: PatchType, options: { readonly signal: AbortSignal }): Promise<T> {
    return (await this.#json({
      method: 'PATCH',
      path,
      body: patch,
      contentType: PATCH_TYPES[type],
      ...options,
    })) as T;
  }

  /** @param options.body DeleteOptions, e.g. preconditions. */
  async delete(path: string, options: { readonly body?: unknown; readonly signal: AbortSignal }): Promise<void> {
    await this.#json({ method: 'DELETE', path, ...options });
  }

  /**
   * The events of a collection as they happen; ends when the server closes the stream in order.
   *
   * - An ERROR event ends it with a KubeError, a stream that breaks or is cut off inside a line with a KubeConnectionError, one
   *   that is silent for `watchQuietMs` with a KubeConnectionError of code `QUIET`.
   * - However it ends (also by `break` in the reader's loop), its connection is closed or free for the next.
   */
  async *watch<T extends KubeObject>(
    path: string,
    query: Query,
    signal: AbortSignal,
  ): AsyncGenerator<WatchEvent<T>, void, undefined> {
    const call: Call = { method: 'GET', path, query: { ...query, watch: true }, watch: true, signal };
    const response = await this.#perform(call, (opened) => Promise.resolve(opened));
    const stopListening = destroyOnAbort(response, signal);
    try {
      for await (const event of jsonLines(untilQuiet(response, this.#watchQuietMs, this.#clock))) {
        const { type, object } = event as { type: string; object: unknown };
        if (type === 'ERROR') throw new KubeError(object as Status);
        yield event as WatchEvent<T>;
      }
    } catch (error) {
      signal.throwIfAborted();
      throw error instanceof KubeError ? error : connectionError(call, error);
    } finally {
      stopListening();
    }
  }

  async #json(call: Call): Promise<unknown> {
    const startedAtMs = this.#clock.monotonicMs();
    try {
      return await this.#perform(call, async (response, signal) => {
        const text = await this.#readText(call, response, signal);
        try {
          return JSON.parse(text) as unknown;
        } catch {
          // Without the parser's message, which quotes the text.
          throw new SyntaxError('the answer is not JSON');
        }
      });
    } finally {
      this.#metrics?.finished(call.method, this.#host, (this.#clock.monotonicMs() - startedAtMs) / 1000);
    }
  }

  /** Sends the call, again where that is safe, until `read` has taken something from a good answer. */
  async #perform<R>(call: Call, read: (response: IncomingMessage, signal: AbortSignal) => Promise<R>): Promise<R> {
    for (let retries = 0; ; retries += 1) {
      await this.#throttle(call);
      try {
        return await this.#attempt(call, read);
      } catch (error) {
        const pauseMs = retries < MAX_RETRIES ? pauseBeforeRetry(call, error) : undefined;
        if (pauseMs === undefined) throw error;
        this.#metrics?.retried(call.method, this.#host, codeOf(error));
        this.#logger.debug(2, 'Kubernetes API request put off', {
          method: call.method,
          path: call.path,
          reason: error instanceof Error ? error.message : String(error),
          pauseMs,
        });
        await this.#clock.sleep(pauseMs, call.signal);
      }
    }
  }

  async #throttle(call: Call): Promise<void> {
    call.signal.throwIfAborted();
    const waitMs = this.#bucket.reserve();
    this.#metrics?.throttled(call.method, this.#host, waitMs / 1000);
    if (waitMs === 0) return;
    if (waitMs > LONG_THROTTLE_MS) {
      this.#logger.info('Waiting for the rate limit of this client, not for the API server', {
        method: call.method,
        path: call.path,
        waitMs: Math.round(waitMs),
      });
    }
    try {
      await this.#clock.sleep(waitMs, call.signal);
    } catch (error) {
      this.#bucket.putBack();
      throw error;
    }
  }

  async #attempt<R>(call: Call, read: (response: IncomingMessage, signal: AbortSignal) => Promise<R>): Promise<R> {
    let isBarred = false;
    try {
      return await within(this.#requestTimeoutMs, this.#clock, call.signal, async (signal) => {
        const body = call.body === undefined ? undefined : JSON.stringify(call.body);
        const token = await this.#connection.token(); // first: it may bring the other fields up to date
        const options = this.#requestOptions(call, token);
        if (call.method !== 'GET' && this.#beforeWrite !== undefined) {
          isBarred = true;
          this.#beforeWrite();
          isBarred = false;
        }
        if (body !== undefined) this.#metrics?.sent(call.method, this.#host, Buffer.byteLength(body));
        const response = await this.#send(call, options, body, signal);
        const status = response.statusCode ?? 0;
        if (status >= 200 && status < 300) return await read(response, signal);
        if (status === 401 && token !== undefined) this.#connection.refused?.(token);
        throw refusal(status, response.headers['retry-after'], await this.#readText(call, response, signal));
      });
    } catch (error) {
      call.signal.throwIfAborted();
      throw isBarred || error instanceof KubeError ? error : connectionError(call, error);
    }
  }

  async #send(
    call: Call,
    options: RequestOptions,
    body: string | undefined,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    let code = NO_ANSWER;
    try {
      const response = await send(this.#url(call), options, body, signal);
      code = String(response.statusCode);
      return response;
    } finally {
      this.#metrics?.answered(call.method, this.#host, code);
    }
  }

  async #readText(call: Call, response: IncomingMessage, signal: AbortSignal): Promise<string> {
    const body = await readBody(response, signal);
    this.#metrics?.received(call.method, this.#host, body.length);
    return body.toString('utf8');
  }

  #url(call: Call): URL {
    const url = new URL(this.#connection.server);
    url.pathname = url.pathname.replace(/\/$/, '') + call.path;
    for (const [name, value] of Object.entries(call.query ?? {})) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    return url;
  }

  #requestOptions(call: Call, token: string | undefined): RequestOptions {
    const connection = this.#connection;
    const headers: Record<string, string> = { accept: 'application/json', 'user-agent': this.#userAgent };
    if (token !== undefined) headers['authorization'] = `Bearer ${token}`;
    if (call.body !== undefined) headers['content-type'] = call.contentType ?? 'application/json';
    return {
      method: call.method,
      headers,
      agent: connection.proxyAgent ?? (call.watch ? this.#watchAgent : this.#agent),
      // The agent keeps connections apart by these, so that new certificates open new ones and the old ones idle out.
      ca: connection.ca,
      cert: connection.clientCert,
      key: connection.clientKey,
      ...(connection.serverName === undefined ? {} : { servername: connection.serverName }),
      ...(connection.skipTlsVerify ? { rejectUnauthorized: false } : {}),
    };
  }
}

/** How long to wait before sending the call again, in ms; undefined = not again. Source: docs/reference/ccm.md B1. */
function pauseBeforeRetry(call: Call, error: unknown): number | undefined {
  if (error instanceof KubeError) {
    if (error.status !== 429 && error.status < 500) return undefined;
    return error.retryAfterSeconds === undefined ? undefined : error.retryAfterSeconds * 1000;
  }
  const broken = isConnectionFault(error) && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
  return broken && call.method === 'GET' ? RECONNECT_PAUSE_MS : undefined;
}

function codeOf(error: unknown): string {
  return error instanceof KubeError ? String(error.status) : NO_ANSWER;
}

function refusal(status: number, retryAfter: string | undefined, body: string): KubeError {
  const seconds = retryAfter !== undefined && /^\d+$/.test(retryAfter) ? Number(retryAfter) : undefined;
  let answer: Status | undefined;
  try {
    answer = JSON.parse(body) as Status;
  } catch {
    // Not from an API server: a proxy's page, or plain text.
  }
  if (answer?.kind === 'Status') return new KubeError({ ...answer, code: status }, seconds);
  return new KubeError({ code: status, message: `HTTP ${status}: ${body.trim().slice(0, 200)}` }, seconds);
}

function connectionError(call: Call, cause: unknown): KubeConnectionError {
  const code = cause instanceof SyntaxError ? 'MALFORMED' : ((cause as NodeJS.ErrnoException).code ?? 'UNKNOWN');
  return new KubeConnectionError(`${call.method} ${call.path}: no usable answer`, code, cause);
}
