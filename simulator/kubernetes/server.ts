import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Clock, systemClock } from '../../daemon/clock.ts';
import type { Logger } from '../../daemon/logger.ts';
import { discover } from './discovery.ts';
import type { JsonObject } from './objects.ts';
import { Registry } from './registry.ts';
import { isWatch, watchRequest } from './requests.ts';
import { route } from './routes.ts';
import { type Identities, isReview, review } from './reviews.ts';
import { refuse, StatusError } from './status.ts';
import { Store } from './store.ts';
import { perform } from './verbs.ts';
import { watch, type WatchRequest } from './watch.ts';

/** The largest body that is read, as kube-apiserver. */
const BODY_LIMIT_BYTES = 3 * 1024 * 1024;

/** How long an idle connection is kept; Node's 5 s would close a client's pooled one under its next request. */
const IDLE_TIMEOUT_MS = 180_000;

export interface ApiServerOptions {
  /** @default '127.0.0.1' */
  readonly host?: string;
  /** @default 0: any free port. */
  readonly port?: number;
  /** Objects to go on with: hand a stopped server's store to the next one to play a restart. @default a new, empty store */
  readonly store?: Store;
  /** Time stamps, bookmarks and the ends of watches go by it. @default the machine's clock */
  readonly clock?: Clock;
  /** Uids, generated names, addresses and ports come from it: numbers in [0, 1). @default Math.random */
  readonly random?: () => number;
  /** Who is who and may do what, for those who ask; this server itself keeps nobody out. @default {} */
  readonly identities?: Identities;
  /** Gets a debug line (level 4) for each request. @default none */
  readonly logger?: Logger;
}

export interface ApiServer {
  /** `http://127.0.0.1:<port>`. */
  readonly url: string;
  readonly store: Store;
  /** Ends all watches and connections. */
  stop(): Promise<void>;
}

/**
 * An embedded Kubernetes API for demos and tests: objects, watches and the rules that clients rely on, over plain HTTP.
 * It runs no controllers and no admission, checks no credentials and keeps fields that it does not know.
 * What it does, it does as kube-apiserver 1.36 (the tests replay answers recorded from one); see README.md for the rest.
 */
export async function startApiServer(options: ApiServerOptions = {}): Promise<ApiServer> {
  const { host = '127.0.0.1', port = 0, store = new Store(), clock = systemClock, random = Math.random } = options;
  const registry = new Registry(store, clock, random);
  const stopping = new AbortController();

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const [path = '', search = ''] = (request.url ?? '/').split('?', 2);
    const [segments, query, method] = [segmentsOf(path), new URLSearchParams(search), request.method ?? ''];
    if (['healthz', 'livez', 'readyz'].includes(segments[0] ?? '')) return sendText(response, 200, 'ok');
    const document = method === 'GET' ? discover(segments) : undefined;
    if (document !== undefined) return sendJson(response, 200, document);
    if (isReview(segments)) {
      const { authorization = '' } = request.headers;
      const asked = { method, authorization, body: await readBody(request) };
      return sendJson(response, 201, review(segments, asked, options.identities ?? {}));
    }
    const found = route(segments);
    if (found === 'no-group') return sendText(response, 404, '404 page not found\n');
    if (found === 'no-resource') throw refuse.noSuchResource();
    if (isWatch(found, method, query)) {
      return await stream(watchRequest(found, query, random), response);
    }
    const mediaType = (request.headers['content-type'] ?? '').split(';')[0]?.trim() ?? '';
    const body = await readBody(request);
    const { code, object } = perform(registry, store, found, { method, mediaType, query, body });
    sendJson(response, code, object);
  };

  const stream = async (wanted: WatchRequest, response: ServerResponse): Promise<void> => {
    const gone = new AbortController();
    response.on('close', () => gone.abort(new Error('the client is gone')));
    response.writeHead(200, HEADERS);
    response.flushHeaders();
    const signal = AbortSignal.any([gone.signal, stopping.signal]);
    await watch(store, wanted, clock, signal, (event) => response.write(`${JSON.stringify(event)}\n`));
    response.end();
  };

  const server = createServer({ keepAliveTimeout: IDLE_TIMEOUT_MS }, (request, response) => {
    const startMs = clock.monotonicMs();
    const fields = { method: request.method, path: request.url };
    response.on('close', () => {
      const tookMs = Math.round(clock.monotonicMs() - startMs);
      options.logger?.debug(4, 'Request', { ...fields, code: response.statusCode, tookMs });
    });
    serve(request, response).catch((error: unknown) => {
      if (!(error instanceof StatusError)) options.logger?.error('Request failed', error, fields);
      sendError(response, error);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address() as AddressInfo;
  registry.seed(address.port);
  return {
    url: `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`,
    store,
    stop: () =>
      new Promise((resolve) => {
        stopping.abort(new Error('the server is stopping'));
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function segmentsOf(path: string): string[] {
  try {
    return path
      .split('/')
      .filter((segment) => segment !== '')
      .map(decodeURIComponent);
  } catch {
    throw refuse.badRequest(`the path ${path} is not properly encoded`);
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_LIMIT_BYTES) throw refuse.tooLarge(BODY_LIMIT_BYTES);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

const HEADERS = { 'content-type': 'application/json', 'cache-control': 'no-cache, private' };

function sendJson(response: ServerResponse, code: number, body: JsonObject): void {
  const text = JSON.stringify(body);
  response.writeHead(code, { ...HEADERS, 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

function sendText(response: ServerResponse, code: number, text: string): void {
  response.writeHead(code, { 'content-type': 'text/plain; charset=utf-8', 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

function sendError(response: ServerResponse, error: unknown): void {
  const status =
    error instanceof StatusError
      ? error
      : new StatusError(500, 'InternalError', `Internal error occurred: ${String(error)}`);
  if (response.headersSent) response.destroy();
  else sendJson(response, status.code, status.body);
}
