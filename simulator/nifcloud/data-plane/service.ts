import type { Frontend } from './frontend.ts';
import { hostAndPort } from './frontend.ts';
import type { Gate } from './gate.ts';
import { HealthChecks } from './health-checks.ts';
import { HttpFrontend } from './http.ts';
import { Pool } from './pool.ts';
import type { Surroundings } from './surroundings.ts';
import { TcpFrontend } from './tcp.ts';
import { endsTls, servingCertificate } from './tls.ts';
import { UdpFrontend } from './udp.ts';
import type { Listener, ServingListener } from '../world/listeners.ts';

/** One listener at work: its front end, the servers behind it and their health. */
export class Service {
  /** As they were when this was made: the listener may have changed since. */
  readonly #made: ReturnType<typeof shapeOf>;
  readonly #surroundings: Surroundings;
  readonly #pool: Pool;
  readonly #health: HealthChecks;
  #frontend: Frontend | undefined;
  #followedTargets: Listener['targets'] | undefined;

  constructor(serving: ServingListener, surroundings: Surroundings, gate: Gate) {
    this.#made = shapeOf(serving);
    this.#surroundings = surroundings;
    this.#pool = new Pool(serving, surroundings);
    this.#health = new HealthChecks(serving, surroundings, gate);
  }

  /** Whether it is what this listener needs now; else another has to take its place. */
  standsFor(serving: ServingListener): boolean {
    const { vip, port, protocol, tls } = shapeOf(serving);
    const made = this.#made;
    return vip === made.vip && port === made.port && protocol === made.protocol && tls === made.tls;
  }

  /** `host:port` where it really listens. */
  get address(): string | undefined {
    return this.#frontend?.address;
  }

  /** Resolves when it listens. @throws when not even a stand-in address can be bound */
  async start(): Promise<void> {
    const { logger } = this.#surroundings;
    const { vip, port } = this.#made;
    const address = hostAndPort(vip, port);
    const frontend = await this.#makeFrontend();
    this.#frontend = frontend;
    try {
      await frontend.listen(port, vip);
      logger.info('Load balancer listens', { address });
    } catch (error) {
      await frontend.listen(0, '127.0.0.1');
      logger.warn('Load balancer listens on a stand-in address', {
        address,
        standIn: frontend.address,
        reason: String(error),
      });
    }
  }

  /**
   * Follows the listener's targets and health check, and what became of its servers. Costs next to nothing when nothing changed.
   * @param fallen unique ids of the servers that are no longer up
   */
  follow({ listener, sources }: ServingListener, fallen: ReadonlySet<string>): void {
    this.#pool.sources = sources;
    if (fallen.size > 0) this.#health.fail(fallen);
    if (fallen.size > 0 || this.#followedTargets !== listener.targets) {
      this.#followedTargets = listener.targets;
      const registered = new Set(listener.targets.map(({ serverUniqueId }) => serverUniqueId));
      this.#pool.connections.cutExcept((uniqueId) => registered.has(uniqueId) && !fallen.has(uniqueId));
    }
    this.#health.follow(sources);
  }

  async close(): Promise<void> {
    this.#health.stop();
    this.#pool.connections.cutExcept(() => false);
    await this.#frontend?.close();
  }

  async #makeFrontend(): Promise<Frontend> {
    const { clock, world } = this.#surroundings;
    const { protocol, tls } = this.#made;
    if (protocol === 'UDP') return new UdpFrontend(this.#pool, this.#surroundings);
    const certificate = tls ? await servingCertificate(clock) : undefined;
    if (protocol === 'TCP') return new TcpFrontend(this.#pool, world.switches, certificate);
    return new HttpFrontend(this.#pool, certificate);
  }
}

/** What a front end can't change any more. */
function shapeOf({ listener, vip }: ServingListener) {
  return { vip, port: listener.loadBalancerPort, protocol: listener.protocol, tls: endsTls(listener) };
}
