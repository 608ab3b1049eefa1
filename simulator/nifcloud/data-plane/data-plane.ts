import { BlockList, connect, createServer, isIPv4 } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { HealthChecks } from './health-checks.ts';
import type { Surroundings } from './health-checks.ts';
import { BALANCING, servingListeners } from '../world/listeners.ts';
import { serverWithId } from '../world/servers.ts';
import type { Filter, Listener, ServingListener, Target } from '../world/listeners.ts';

/** How long a target may take to accept a forwarded connection. Ours. */
const CONNECT_TIMEOUT_MS = 5_000;

/**
 * Load balancers at work: real TCP listeners on the VIPs, forwarding to healthy targets.
 *
 * - What it should do is read from the world alone; after each change `converge` makes it so. Filters, balancing and health
 *   are looked up for each connection.
 * - Where a VIP or its port can not be bound (no such address on this machine, no right to a low port, port taken), a free
 *   port of 127.0.0.1 stands for it: `addressOf` tells.
 */
export class DataPlane {
  readonly #surroundings: Surroundings;
  readonly #frontends = new Map<Listener, Frontend>();
  #last: Promise<void> = Promise.resolve();

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings;
  }

  /** Resolves when listeners, health checks and connections are as the world says. Calls are served one after another. */
  converge(): Promise<void> {
    return this.#next(() => servingListeners(this.#surroundings.world));
  }

  /** `host:port` where a port really listens. */
  addressOf(port: Listener): string | undefined {
    return this.#frontends.get(port)?.address;
  }

  /** Closes everything. */
  stop(): Promise<void> {
    return this.#next(() => []);
  }

  #next(wanted: () => readonly ServingListener[]): Promise<void> {
    const done = this.#last.then(() => this.#converge(wanted()));
    this.#last = done.catch(() => {});
    return done;
  }

  async #converge(serving: readonly ServingListener[]): Promise<void> {
    const wanted = new Map(serving.map(({ listener, vip }) => [listener, vip]));
    for (const [port, frontend] of this.#frontends) {
      const vip = wanted.get(port);
      if (vip !== undefined && frontend.standsFor(vip, port.loadBalancerPort)) continue;
      this.#frontends.delete(port);
      await frontend.close();
    }
    for (const [port, vip] of wanted) {
      let frontend = this.#frontends.get(port);
      if (frontend === undefined) {
        frontend = new Frontend(port, vip, this.#surroundings);
        this.#frontends.set(port, frontend);
        await frontend.listen();
      }
      frontend.converge();
    }
  }
}

/** A connection through a load balancer, from the moment it is accepted. */
interface Connection {
  readonly serverUniqueId: string;
  readonly client: Socket;
  readonly upstream: Socket;
}

/** One listen port of one load balancer. */
class Frontend {
  readonly #port: Listener;
  readonly #vip: string;
  /** As it was when this listener was made: the port definition may have moved since. */
  readonly #listenPort: number;
  readonly #surroundings: Surroundings;
  readonly #server: Server;
  readonly #health: HealthChecks;
  readonly #connections = new Set<Connection>();
  #turn = 0;

  constructor(port: Listener, vip: string, surroundings: Surroundings) {
    this.#port = port;
    this.#vip = vip;
    this.#listenPort = port.loadBalancerPort;
    this.#surroundings = surroundings;
    this.#health = new HealthChecks(port, surroundings);
    // Half-open: a client that has sent its request and closed its side still gets the answer.
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#accept(client));
  }

  standsFor(vip: string, loadBalancerPort: number): boolean {
    return vip === this.#vip && loadBalancerPort === this.#listenPort;
  }

  get address(): string | undefined {
    const bound = this.#server.address() as AddressInfo | null;
    return bound === null ? undefined : `${bound.address}:${bound.port}`;
  }

  async listen(): Promise<void> {
    const { logger } = this.#surroundings;
    const wanted = `${this.#vip}:${this.#listenPort}`;
    try {
      await listenOn(this.#server, this.#listenPort, this.#vip);
      logger.info('Load balancer listens', { address: wanted });
    } catch (error) {
      await listenOn(this.#server, 0, '127.0.0.1');
      logger.warn('Load balancer listens on a stand-in address', {
        address: wanted,
        standIn: this.address,
        reason: String(error),
      });
    }
  }

  /** Follows the port's targets and health check. */
  converge(): void {
    const registered = new Set(this.#port.targets.map((target) => target.serverUniqueId));
    for (const connection of this.#connections) {
      if (!registered.has(connection.serverUniqueId)) cut(connection);
    }
    this.#health.follow();
  }

  async close(): Promise<void> {
    this.#health.stop();
    for (const connection of this.#connections) cut(connection);
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(client: Socket): void {
    const target = admits(this.#port.filter, client.remoteAddress ?? '') ? this.#pick() : undefined;
    if (target === undefined) {
      client.on('error', () => {});
      client.resetAndDestroy();
      return;
    }
    this.#forward(client, target.serverUniqueId);
  }

  #forward(client: Socket, serverUniqueId: string): void {
    const host = serverWithId(this.#surroundings.world, serverUniqueId).privateAddress;
    const upstream = connect({ host, port: this.#port.instancePort, allowHalfOpen: true, timeout: CONNECT_TIMEOUT_MS });
    const connection = { serverUniqueId, client, upstream };
    this.#connections.add(connection);
    upstream.once('connect', () => upstream.setTimeout(0));
    upstream.once('timeout', () => cut(connection));
    for (const socket of [client, upstream]) {
      socket.on('error', () => cut(connection));
      socket.once('close', () => {
        if (client.destroyed && upstream.destroyed) this.#connections.delete(connection);
      });
    }
    client.pipe(upstream);
    upstream.pipe(client);
  }

  /** The healthy target whose turn it is, or the one with the fewest connections (the first of several). */
  #pick(): Target | undefined {
    const healthy = this.#port.targets.filter((target) => target.state === 'InService');
    if (this.#port.balancingType === BALANCING.roundRobin) return healthy[this.#turn++ % healthy.length];
    const load = (target: Target): number =>
      [...this.#connections].filter(({ serverUniqueId }) => serverUniqueId === target.serverUniqueId).length;
    return healthy.toSorted((a, b) => load(a) - load(b))[0];
  }
}

/** With a reset, so that neither side takes it for the regular end of what it reads. */
function cut({ client, upstream }: Connection): void {
  for (const socket of [client, upstream]) {
    if (socket.connecting) socket.destroy();
    else if (!socket.destroyed) socket.resetAndDestroy();
  }
}

/** An empty list admits everyone, be it of what is allowed or of what is denied. */
function admits(filter: Filter, address: string): boolean {
  if (filter.addresses.length === 0) return true;
  const list = new BlockList();
  for (const entry of filter.addresses) {
    const [network = '', prefix] = entry.split('/');
    const family = isIPv4(network) ? 'ipv4' : 'ipv6';
    if (prefix === undefined) list.addAddress(network, family);
    else list.addSubnet(network, Number(prefix), family);
  }
  return list.check(address) === (filter.type === 'allow');
}

function listenOn(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}
