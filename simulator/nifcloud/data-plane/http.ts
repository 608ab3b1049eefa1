import { createServer, request as makeRequest } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Certificate } from '../../../daemon/certificate.ts';
import type { Pool, Visitor } from './pool.ts';
import { apologize } from './sorry-page.ts';
import { StreamFrontend } from './stream-frontend.ts';
import { dial, join } from './upstream.ts';
import type { Server } from '../world/servers.ts';

/** The cookie of stickiness method 2. Invented, as is its value. */
const COOKIE = 'NIFCLOUD_ELB';

/** Of one connection, not of what it carries (RFC 9110 §7.6.1); how a body is framed is up to each side's own connection. */
const HOP_BY_HOP = ['connection', 'expect', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'upgrade'];

/**
 * Forwards HTTP requests, one by one, over a connection for each.
 *
 * - Bodies stream both ways. `X-Forwarded-For` and `X-Forwarded-Proto` are added (invented).
 * - A protocol upgrade, such as to WebSocket, joins the client with the target for good.
 * - While no target is in service, requests are answered by the sorry page; without one the connection is reset, as it is when
 *   a target can't be reached or breaks off.
 */
export class HttpFrontend extends StreamFrontend {
  readonly #pool: Pool;
  readonly #scheme: 'http' | 'https';

  /** @param certificate to end TLS with: to targets it is HTTP in any case */
  constructor(pool: Pool, certificate: Certificate | undefined) {
    // A body may take any time.
    const options = { requestTimeout: 0, ...certificate };
    const server = certificate === undefined ? createServer(options) : createTlsServer(options);
    super(server);
    this.#pool = pool;
    this.#scheme = certificate === undefined ? 'http' : 'https';
    server.on('request', (request, response) => this.#serve(request, response));
    server.on('upgrade', (request, client, head) => this.#upgrade(request, client as Socket, head));
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const server = this.#pool.choose(visitorOf(request));
    const { sorryPage, instancePort } = this.#pool.listener;
    if (server === undefined && sorryPage.enabled) {
      apologize(response, sorryPage);
      return;
    }
    if (server === undefined || !this.#pool.reaches(server)) {
      this.reset(request.socket);
      return;
    }
    const upstream = makeRequest({
      createConnection: () => dial(server, instancePort),
      method: request.method,
      path: request.url,
      headers: { ...endToEnd(request.headers), ...this.#forwardedFor(request) },
    });
    const cut = (): void => {
      upstream.destroy();
      if (!response.writableFinished) this.reset(request.socket);
    };
    const forget = this.#pool.connections.add(server.uniqueId, cut);
    response.once('close', () => {
      forget();
      upstream.destroy();
    });
    upstream.on('error', cut);
    upstream.once('response', (answer) => {
      answer.on('error', cut);
      const { 'transfer-encoding': _, ...headers } = endToEnd(answer.headers);
      response.writeHead(answer.statusCode ?? 200, answer.statusMessage, this.#withCookie(headers, server));
      response.flushHeaders();
      answer.pipe(response);
    });
    request.pipe(upstream);
  }

  #upgrade(request: IncomingMessage, client: Socket, head: Buffer): void {
    client.on('error', () => {});
    const server = this.#pool.choose(visitorOf(request));
    if (server === undefined || !this.#pool.reaches(server)) {
      this.reset(client);
      return;
    }
    const upstream = dial(server, this.#pool.listener.instancePort);
    const headers = Object.entries({ ...request.headers, ...this.#forwardedFor(request) });
    const lines = headers.map(([name, value]) => `${name}: ${String(value)}\r\n`).join('');
    upstream.write(`${request.method} ${request.url} HTTP/1.1\r\n${lines}\r\n`);
    upstream.write(head);
    join(client, upstream, { pool: this.#pool, server, reset: (one) => this.reset(one) });
  }

  #forwardedFor(request: IncomingMessage): Record<string, string> {
    const before = request.headers['x-forwarded-for'];
    const address = request.socket.remoteAddress ?? '';
    return {
      'x-forwarded-for': before === undefined ? address : `${String(before)}, ${address}`,
      'x-forwarded-proto': this.#scheme,
    };
  }

  #withCookie(headers: IncomingHttpHeaders, server: Server): IncomingHttpHeaders {
    const cookie = this.#pool.cookieFor(server);
    if (cookie === undefined) return headers;
    return { ...headers, 'set-cookie': [...(headers['set-cookie'] ?? []), `${COOKIE}=${cookie}; Path=/`] };
  }
}

function visitorOf({ socket, headers }: IncomingMessage): Visitor {
  const cookies = (headers.cookie ?? '').split(';').map((cookie) => cookie.trim());
  const ours = cookies.find((cookie) => cookie.startsWith(`${COOKIE}=`));
  return { address: socket.remoteAddress ?? '', cookie: ours?.slice(COOKIE.length + 1) ?? '' };
}

function endToEnd(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_BY_HOP.includes(name)));
}
