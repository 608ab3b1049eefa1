import { createSocket } from 'node:dgram';
import type { RemoteInfo } from 'node:dgram';
import { hostAndPort } from './frontend.ts';
import type { Frontend } from './frontend.ts';
import type { Pool } from './pool.ts';
import type { Surroundings } from './surroundings.ts';

/** How long a client and its target may be silent before they are strangers again. Invented. */
const IDLE_MS = 60_000;

/** The datagrams of one client address and port. */
interface Session {
  readonly serverUniqueId: string;
  readonly send: (message: Buffer) => void;
  readonly end: () => void;
}

/**
 * Forwards datagrams.
 *
 * - All datagrams of one client address and port go to one target; its answers go back to where they came from.
 * - A session ends when it was idle, and when its target leaves service: the next datagram starts another.
 * - A datagram that no target can get is dropped.
 */
export class UdpFrontend implements Frontend {
  readonly #pool: Pool;
  readonly #surroundings: Surroundings;
  readonly #socket = createSocket('udp4');
  readonly #sessions = new Map<string, Session>();
  #bound = false;

  constructor(pool: Pool, surroundings: Surroundings) {
    this.#pool = pool;
    this.#surroundings = surroundings;
    this.#socket.on('message', (message, client) => this.#receive(message, client));
  }

  get address(): string | undefined {
    if (!this.#bound) return undefined;
    const { address, port } = this.#socket.address();
    return hostAndPort(address, port);
  }

  async listen(port: number, host: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#socket.once('error', reject);
      this.#socket.bind({ port, address: host }, () => {
        this.#socket.removeListener('error', reject);
        resolve();
      });
    });
    // Of what it sends: a client that is gone.
    this.#socket.on('error', () => {});
    this.#bound = true;
  }

  async close(): Promise<void> {
    this.#bound = false;
    for (const session of this.#sessions.values()) session.end();
    await new Promise<void>((resolve) => this.#socket.close(resolve));
  }

  #receive(message: Buffer, client: RemoteInfo): void {
    const name = hostAndPort(client.address, client.port);
    const known = this.#sessions.get(name);
    if (known !== undefined && !this.#pool.serves(known.serverUniqueId)) known.end();
    const session = this.#sessions.get(name) ?? this.#open(name, client);
    session?.send(message);
  }

  #open(name: string, client: RemoteInfo): Session | undefined {
    const server = this.#pool.choose({ address: client.address, cookie: '' });
    if (server === undefined || !this.#pool.reaches(server)) return undefined;
    const { privateAddress: host, uniqueId: serverUniqueId } = server;
    const { clock } = this.#surroundings;
    const port = this.#pool.listener.instancePort;
    const upstream = createSocket('udp4');
    const ended = new AbortController();
    let usedAtMs = clock.monotonicMs();
    const session: Session = {
      serverUniqueId,
      send: (message) => {
        usedAtMs = clock.monotonicMs();
        upstream.send(message, port, host);
      },
      end: () => {
        if (ended.signal.aborted) return;
        ended.abort();
        forget();
        this.#sessions.delete(name);
        upstream.close();
      },
    };
    const forget = this.#pool.connections.add(serverUniqueId, session.end);
    upstream.on('error', session.end);
    upstream.on('message', (message, from) => {
      if (from.address !== host || from.port !== port) return;
      usedAtMs = clock.monotonicMs();
      this.#socket.send(message, client.port, client.address);
    });
    this.#sessions.set(name, session);
    this.#whileUsed(() => usedAtMs, ended.signal).then(session.end, () => {});
    return session;
  }

  async #whileUsed(usedAtMs: () => number, signal: AbortSignal): Promise<void> {
    const { clock, timeScale } = this.#surroundings;
    const leftMs = (): number => usedAtMs() + IDLE_MS / timeScale - clock.monotonicMs();
    while (leftMs() > 0) await clock.sleep(leftMs(), signal);
  }
}
