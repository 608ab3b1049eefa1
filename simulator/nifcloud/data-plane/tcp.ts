import { createServer as createHttpServer } from 'node:http';
import type { Server as HttpServer } from 'node:http';
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Certificate } from '../../../daemon/certificate.ts';
import { admits } from './filter.ts';
import type { Pool } from './pool.ts';
import { apologize } from './sorry-page.ts';
import { StreamFrontend } from './stream-frontend.ts';
import { dial, join } from './upstream.ts';
import type { Switches } from '../world/switches.ts';

/** The only listen port whose sorry page L4 load balancers serve (docs/reference/nifcloud-api.md §4.3). */
const SORRY_PORT = 80;

/**
 * Forwards TCP connections.
 *
 * - A connection is reset when the filter does not admit the client, no target is in service, or the target can not be reached.
 * - Half-open: a client that has sent its request and closed its side still gets the answer.
 */
export class TcpFrontend extends StreamFrontend {
  readonly #pool: Pool;
  readonly #switches: Switches;
  readonly #sorry: HttpServer;

  /** @param certificate to end TLS with */
  constructor(pool: Pool, switches: Switches, certificate: Certificate | undefined) {
    const accept = (client: Socket): void => this.#accept(client);
    const options = { allowHalfOpen: true, ...certificate };
    super(certificate === undefined ? createServer(options, accept) : createTlsServer(options, accept));
    this.#pool = pool;
    this.#switches = switches;
    this.#sorry = createHttpServer((_, response) => apologize(response, pool.listener.sorryPage));
  }

  #accept(client: Socket): void {
    const { listener } = this.#pool;
    const address = client.remoteAddress ?? '';
    client.on('error', () => {});
    if (!admits(listener.filter, address, this.#switches)) {
      this.reset(client);
      return;
    }
    const server = this.#pool.choose({ address, cookie: '' });
    if (server === undefined && listener.sorryPage.enabled && listener.loadBalancerPort === SORRY_PORT) {
      this.#sorry.emit('connection', client);
      return;
    }
    if (server === undefined || !this.#pool.reaches(server)) {
      this.reset(client);
      return;
    }
    join(client, dial(server, listener.instancePort), {
      pool: this.#pool,
      server,
      reset: (one) => this.reset(one),
    });
  }
}
