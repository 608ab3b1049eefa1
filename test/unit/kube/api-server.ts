import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, Server as TlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Logger } from '../../../kube/surroundings.ts';
import type { KubeObject } from '../../../kube/types.ts';
import type { FakeClock } from '../../fake-clock.ts';

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A watch as the server sees it: still open unless `closed`. */
export interface OpenWatch {
  readonly query: Readonly<Record<string, string>>;
  readonly response: ServerResponse;
  readonly closed: boolean;
  send(type: string, object: unknown): void;
}

type Answer = (request: Received, response: ServerResponse) => void;

/** A bare HTTP server that answers as a test says: by default lists `objects` at `version` and keeps watches open. */
export class ApiServer {
  readonly requests: Received[] = [];
  readonly watches: OpenWatch[] = [];
  readonly sockets = new Set<Socket>();
  connections = 0;
  objects: KubeObject[] = [];
  version = '10';
  /** Replaces the default for everything, or for watches; `answer` goes first. */
  answer: Answer | undefined;
  answerWatch: Answer | undefined;
  readonly #server: Server;
  readonly #scheme: string;
  #port = 0;

  constructor(tls?: { readonly cert: string; readonly key: string }) {
    this.#server = tls === undefined ? createServer() : createTlsServer(tls);
    this.#scheme = tls === undefined ? 'http' : 'https';
    this.#server.on('request', (request, response: ServerResponse) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const url = new URL(request.url ?? '', 'http://server');
        const received = {
          method: request.method ?? '',
          path: url.pathname,
          query: Object.fromEntries(url.searchParams),
          headers: request.headers,
          body: Buffer.concat(chunks).toString(),
        };
        this.requests.push(received);
        this.#respond(received, response);
      });
    });
    this.#server.on('connection', (socket: Socket) => {
      this.connections += 1;
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
  }

  /** From the next connection on. */
  showCertificate(tls: { readonly cert: string; readonly key: string }): void {
    if (this.#server instanceof TlsServer) this.#server.setSecureContext(tls);
  }

  /** On the port it had before, if any. */
  async start(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.listen(this.#port, '127.0.0.1', resolve);
    });
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Breaks all connections. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => {
      this.#server.close(resolve);
    });
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  get url(): string {
    return `${this.#scheme}://127.0.0.1:${this.#port}`;
  }

  /** The paths of requests that were no watches, with their resourceVersion where they had one. */
  get lists(): readonly string[] {
    return this.requests
      .filter((request) => request.query['watch'] === undefined)
      .map((request) => request.query['resourceVersion'] ?? 'newest');
  }

  #respond(received: Received, response: ServerResponse): void {
    if (this.answer !== undefined) {
      this.answer(received, response);
      return;
    }
    if (received.query['watch'] === undefined) {
      sendJson(response, 200, {
        kind: 'NodeList',
        apiVersion: 'v1',
        metadata: { resourceVersion: this.version },
        items: this.objects,
      });
      return;
    }
    if (this.answerWatch !== undefined) {
      this.answerWatch(received, response);
      return;
    }
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    this.watches.push({
      query: received.query,
      response,
      get closed() {
        return response.closed;
      },
      send: (type, object) => response.write(`${JSON.stringify({ type, object })}\n`),
    });
  }
}

export function sendJson(response: ServerResponse, status: number, body: unknown, headers = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

export function statusBody(code: number, reason: string, message = `${reason}, says the server`): object {
  return { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message };
}

/** As a watch shows it; lists leave out kind and apiVersion. */
export function node(name: string, resourceVersion: string, labels: Record<string, string> = {}): KubeObject {
  return { kind: 'Node', apiVersion: 'v1', metadata: { name, resourceVersion, uid: `uid-of-${name}`, labels } };
}

/** Lets real I/O go on until the condition holds. Fails after ten seconds. */
export async function until(condition: () => boolean, what = condition.toString()): Promise<void> {
  const deadlineMs = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadlineMs) throw new Error(`never came true: ${what}`);
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

/** Moves the clock on in steps, letting real I/O go on between them, until the condition holds. */
export async function advanceUntil(clock: FakeClock, stepMs: number, condition: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadlineMs) throw new Error(`never came true: ${condition.toString()}`);
    await clock.advance(stepMs);
  }
}

export interface LogLine {
  readonly level: 'info' | 'warn' | 'error' | 'debug';
  readonly message: string;
  readonly error?: unknown;
  readonly fields?: Readonly<Record<string, unknown>> | undefined;
}

/** A logger that keeps what it is told. */
export function memoryLogger(): Logger & { readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  return {
    lines,
    info: (message, fields) => void lines.push({ level: 'info', message, fields }),
    warn: (message, fields) => void lines.push({ level: 'warn', message, fields }),
    error: (message, error, fields) => void lines.push({ level: 'error', message, error, fields }),
    debug: (_level, message, fields) => void lines.push({ level: 'debug', message, fields }),
  };
}

/** What a promise was rejected with. */
export async function failure(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('it succeeded');
}
