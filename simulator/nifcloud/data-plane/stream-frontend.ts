import type { AddressInfo, Server, Socket } from 'node:net';
import { hostAndPort } from './frontend.ts';
import type { Frontend } from './frontend.ts';

/** What front ends over TCP share: where they listen, how they get rid of a client, and an end that waits for nobody. */
export abstract class StreamFrontend implements Frontend {
  readonly #server: Server;
  /** The TCP sockets of the clients by their addresses: a TLS socket can't be reset, the one beneath it can. */
  readonly #clients = new Map<string, Socket>();

  /** @param server a server of node:net, tls, http or https */
  constructor(server: Server) {
    // Before the server's own listener, which may want to get rid of the client at once.
    this.#server = server.prependListener('connection', (client: Socket) => {
      const name = nameOf(client);
      this.#clients.set(name, client);
      client.on('error', () => {});
      client.once('close', () => this.#clients.delete(name));
    });
  }

  get address(): string | undefined {
    const bound = this.#server.address() as AddressInfo | null;
    return bound === null ? undefined : hostAndPort(bound.address, bound.port);
  }

  listen(port: number, host: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        this.#server.removeListener('error', reject);
        resolve();
      });
    });
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const client of this.#clients.values()) client.resetAndDestroy();
    await closed;
  }

  /** With a reset, so that the client does not take it for the regular end of what it reads. */
  protected reset(client: Socket): void {
    if (!client.destroyed) this.#clients.get(nameOf(client))?.resetAndDestroy();
  }
}

function nameOf({ remoteAddress = '', remotePort = 0 }: Socket): string {
  return hostAndPort(remoteAddress, remotePort);
}
