import { createServer as createHttpServer } from 'node:http';
import type { IncomingMessage, RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Logger } from '../../../daemon/logger.ts';
import { hostAndPort } from '../data-plane/frontend.ts';
import { apiHost } from './api-host.ts';

/** Longer than clients keep idle connections, so that none meets a connection that is just being closed. */
const KEEP_ALIVE_MS = 120_000;

/** The first byte of a TLS connection: a record of the type handshake (RFC 8446 §5.1). */
const TLS_HANDSHAKE = 0x16;

export interface FrontDoorOptions {
  readonly region: string;
  /** PEM texts. Default: no TLS, and no CONNECT. */
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly answer: RequestListener;
  readonly logger: Logger;
}

/**
 * The one port of the simulator.
 *
 * - It takes plain HTTP and TLS; the first byte of a connection tells which.
 * - With TLS it is also a proxy for the API's own host: `CONNECT {region}.computing.api.nifcloud.com:443` opens a tunnel that ends
 *   right here. So a client that only knows the real end point comes here by `HTTPS_PROXY`. Nothing else is ever connected to.
 */
export class FrontDoor {
  readonly #options: FrontDoorOptions;
  readonly #door = createServer((socket) => this.#enter(socket));
  /** Neither of the two listens: they are handed their connections. */
  readonly #http;
  readonly #https;
  readonly #sockets = new Set<Socket>();

  constructor(options: FrontDoorOptions) {
    this.#options = options;
    this.#http = createHttpServer(options.answer);
    this.#https = options.tls === undefined ? undefined : createHttpsServer(options.tls, options.answer);
    this.#https?.on('tlsClientError', (error) => {
      options.logger.debug(2, 'A TLS connection failed', { reason: error.message });
    });
    for (const server of [this.#http, this.#https]) {
      if (server === undefined) continue;
      server.keepAliveTimeout = KEEP_ALIVE_MS;
      server.on('connect', (request, socket, head) => this.#connect(request, socket, head));
    }
  }

  /** @throws what the system says when the address can not be bound */
  async listen(port: number, host: string): Promise<{ readonly address: string; readonly port: number }> {
    await new Promise<void>((resolve, reject) => {
      this.#door.once('error', reject);
      this.#door.listen(port, host, resolve);
    });
    const bound = this.#door.address();
    if (bound === null || typeof bound === 'string') throw new Error('a TCP port has no address');
    return bound;
  }

  /** Stops listening and closes all connections. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#door.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #enter(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    this.#handOver(socket);
  }

  #handOver(socket: Duplex): void {
    // A client may break off at any time; what serves the connection notices by itself.
    socket.on('error', () => {});
    socket.once('data', (first: Buffer) => {
      socket.pause();
      socket.unshift(first);
      const server = first[0] === TLS_HANDSHAKE ? (this.#https ?? this.#http) : this.#http;
      server.emit('connection', socket);
      // A server that was handed a connection begins to read it in the next tick.
      process.nextTick(() => socket.resume());
    });
  }

  #connect({ url = '' }: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => {});
    const refusal = this.#refusalOf(url.toLowerCase(), socket);
    if (refusal !== undefined) {
      const length = Buffer.byteLength(refusal);
      socket.end(
        `HTTP/1.1 403 Forbidden\r\ncontent-type: text/plain\r\ncontent-length: ${length}\r\nconnection: close\r\n\r\n${refusal}`,
      );
      return;
    }
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
    if (head.length > 0) socket.unshift(head);
    this.#handOver(socket);
  }

  #refusalOf(target: string, socket: Duplex): string | undefined {
    if (this.#https === undefined) {
      return 'CONNECT takes TLS: start the simulator with --tls-cert and --tls-key, or speak plain HTTP to it\n';
    }
    const { localAddress = '', localPort = 0 } = socket as Socket;
    const own = [
      `${apiHost(this.#options.region)}:443`,
      hostAndPort(localAddress, localPort),
      `localhost:${localPort}`,
    ];
    return own.includes(target) ? undefined : `this is no way to ${target}, only to ${own.join(', ')}\n`;
  }
}
