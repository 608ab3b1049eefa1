import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { Pool } from './pool.ts';
import type { Server } from '../world/servers.ts';

/** How long a target may take to accept a forwarded connection. Ours. */
const CONNECT_TIMEOUT_MS = 5_000;

/** A connection to a target. It emits an error when the target does not accept in time. */
export function dial(server: Server, port: number): Socket {
  const socket = connect({ host: server.privateAddress, port, allowHalfOpen: true, timeout: CONNECT_TIMEOUT_MS });
  socket.once('connect', () => socket.setTimeout(0));
  socket.once('timeout', () =>
    socket.destroy(new Error(`${server.name} does not accept within ${CONNECT_TIMEOUT_MS} ms`)),
  );
  return socket;
}

/**
 * Joins a client with a target, until both have finished or either is cut.
 * @param reset how the client is cut
 */
export function join(client: Socket, upstream: Socket, { pool, server, reset }: Joint): void {
  const cut = (): void => {
    reset(client);
    if (upstream.connecting) upstream.destroy();
    else if (!upstream.destroyed) upstream.resetAndDestroy();
  };
  const forget = pool.connections.add(server.uniqueId, cut);
  for (const [socket, other] of [
    [client, upstream],
    [upstream, client],
  ] as const) {
    socket.on('error', cut);
    socket.once('close', () => {
      if (!other.writableEnded) cut();
      if (other.destroyed) forget();
    });
  }
  client.pipe(upstream);
  upstream.pipe(client);
}

export interface Joint {
  readonly pool: Pool;
  readonly server: Server;
  readonly reset: (client: Socket) => void;
}
