import { Gate } from './gate.ts';
import { Service } from './service.ts';
import type { Surroundings } from './surroundings.ts';
import { servingListeners } from '../world/listeners.ts';
import { isUp } from '../world/servers.ts';
import type { Listener } from '../world/listeners.ts';

/** How many health checks run at once: with room below the 1024 files that many systems let a process open. Ours. */
const PROBES_AT_ONCE = 200;

/**
 * Load balancers at work: real listeners on the VIPs, forwarding to healthy targets.
 *
 * - What it should do is read from the world alone; after each change `converge` makes it so. Filters, firewalls, balancing,
 *   stickiness and health are looked up for each connection.
 * - Where a VIP or its port can not be bound (no such address on this machine, no right to a low port, port taken), a free
 *   port of 127.0.0.1 stands for it: `addressOf` tells.
 * - What goes to a server that is no longer a target, or no longer up, is cut.
 */
export class DataPlane {
  readonly #surroundings: Surroundings;
  readonly #services = new Map<Listener, Service>();
  readonly #gate = new Gate(PROBES_AT_ONCE);
  /** Unique ids of the servers that were up the last time. */
  #up = new Set<string>();
  #last: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings;
  }

  /** Resolves when listeners, health checks and connections are as the world says. Calls are served one after another. */
  converge(): Promise<void> {
    const done = this.#last.then(() => this.#converge());
    this.#last = done.catch(() => {});
    return done;
  }

  /** `host:port` where a listener really listens. */
  addressOf(listener: Listener): string | undefined {
    return this.#services.get(listener)?.address;
  }

  /** Closes everything, for good: what changes in the world afterwards opens nothing any more. */
  stop(): Promise<void> {
    this.#stopped = true;
    return this.converge();
  }

  async #converge(): Promise<void> {
    const serving = this.#stopped ? [] : servingListeners(this.#surroundings.world);
    const servers = [...this.#surroundings.world.serversByUniqueId.values()];
    const up = new Set(servers.filter(isUp).map(({ uniqueId }) => uniqueId));
    const fallen = new Set([...this.#up].filter((uniqueId) => !up.has(uniqueId)));
    const wanted = new Map(serving.map((one) => [one.listener, one]));
    for (const [listener, service] of this.#services) {
      const still = wanted.get(listener);
      if (still !== undefined && service.standsFor(still)) continue;
      this.#services.delete(listener);
      await service.close();
    }
    for (const [listener, one] of wanted) {
      let service = this.#services.get(listener);
      if (service === undefined) {
        service = new Service(one, this.#surroundings, this.#gate);
        this.#services.set(listener, service);
        await service.start();
      }
      service.follow(one, fallen);
    }
    this.#up = up;
  }
}
