import { Connections } from './connections.ts';
import { reaches } from './firewall.ts';
import { Sessions } from './sessions.ts';
import type { Surroundings } from './surroundings.ts';
import { BALANCING } from '../world/listeners.ts';
import { isUp } from '../world/servers.ts';
import type { BalancingType, Listener, ServingListener, Sources } from '../world/listeners.ts';
import type { Server } from '../world/servers.ts';

/** By what stickiness knows a client again. */
export interface Visitor {
  readonly address: string;
  /** The value of our cookie that an HTTP client has sent; '' = none. */
  readonly cookie: string;
}

/**
 * The servers behind one listener, and the choice among them for each new connection (UDP session, HTTP request).
 *
 * - Only targets in service whose server is up are chosen.
 * - A client that stickiness knows goes where it went before, as long as that target is in service; each connection renews its
 *   period.
 * - Everything is looked up in the world for each choice.
 */
export class Pool {
  readonly listener: Listener;
  readonly connections = new Connections();
  /** As of the last time the data plane converged. */
  sources: Sources;
  readonly #surroundings: Surroundings;
  readonly #sessions = new Sessions();
  #turn = 0;

  constructor({ listener, sources }: ServingListener, surroundings: Surroundings) {
    this.listener = listener;
    this.sources = sources;
    this.#surroundings = surroundings;
  }

  /** undefined = no target is in service. */
  choose(visitor: Visitor): Server | undefined {
    const servers = this.listener.targets.flatMap((target) => {
      const server = target.state === 'InService' ? this.#serverThatIsUp(target.serverUniqueId) : undefined;
      return server ?? [];
    });
    const { stickiness, balancingType, sessionsClearedAtMs } = this.listener;
    if (!stickiness.enabled) return this.#balance(servers, balancingType);
    this.#sessions.followClearing(sessionsClearedAtMs);
    const known =
      stickiness.method === 1
        ? this.#sessions.serverOf(visitor.address, this.#nowMs())
        : this.#serverIn(visitor.cookie);
    const server = servers.find(({ uniqueId }) => uniqueId === known) ?? this.#balance(servers, balancingType);
    if (server !== undefined && stickiness.method === 1) {
      this.#sessions.keep(visitor.address, server.uniqueId, this.#sessionEndMs());
    }
    return server;
  }

  /** What a client is to send with its next requests so that they go to this server; undefined = nothing. */
  cookieFor(server: Server): string | undefined {
    const { enabled, method } = this.listener.stickiness;
    return enabled && method === 2 ? `${server.uniqueId}.${Math.ceil(this.#sessionEndMs())}` : undefined;
  }

  /** Whether a server is a target in service. */
  serves(serverUniqueId: string): boolean {
    const target = this.listener.targets.find((one) => one.serverUniqueId === serverUniqueId);
    return target?.state === 'InService' && this.#serverThatIsUp(serverUniqueId) !== undefined;
  }

  /** Whether the server's firewall lets the traffic of this listener in. */
  reaches(server: Server): boolean {
    const protocol = this.listener.protocol === 'UDP' ? 'UDP' : 'TCP';
    const { world } = this.#surroundings;
    return reaches(world, server, this.sources.traffic, { protocol, port: this.listener.instancePort });
  }

  #serverThatIsUp(uniqueId: string): Server | undefined {
    const server = this.#surroundings.world.serversByUniqueId.get(uniqueId);
    return server !== undefined && isUp(server) && server.privateAddress !== '' ? server : undefined;
  }

  /** In turn, or the one with the fewest connections (the first of several). */
  #balance(servers: readonly Server[], type: BalancingType): Server | undefined {
    if (type === BALANCING.roundRobin) return servers[this.#turn++ % servers.length];
    return servers.toSorted((a, b) => this.connections.count(a.uniqueId) - this.connections.count(b.uniqueId))[0];
  }

  #serverIn(cookie: string): string | undefined {
    const [serverUniqueId, endsAtMs] = cookie.split('.');
    return this.#nowMs() < Number(endsAtMs) ? serverUniqueId : undefined;
  }

  #sessionEndMs(): number {
    return this.#nowMs() + (this.listener.stickiness.periodMinutes * 60_000) / this.#surroundings.timeScale;
  }

  #nowMs(): number {
    return this.#surroundings.clock.now();
  }
}
