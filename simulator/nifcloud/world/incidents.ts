import { UsageError } from '../../../daemon/flags.ts';
import type { Clock } from '../../../daemon/clock.ts';
import type { Hosts } from '../hosts/hosts.ts';
import type { Listener } from './listeners.ts';
import { startServer, stopServer } from './power.ts';
import { isUp, renameServer, SERVER_NAME, SERVER_STATES } from './servers.ts';
import type { Server, ServerState } from './servers.ts';
import type { Transition } from './transition.ts';
import { disksOf, renameVolume, VOLUME_NAME } from './volumes.ts';
import type { World } from './world.ts';

export interface IncidentOptions {
  readonly world: World;
  readonly hosts: Hosts;
  readonly clock: Clock;
  /** A transition that starts now. */
  readonly transition: (kind: 'power') => Transition & { readonly kind: 'power' };
  /** What follows each change of the world. */
  readonly follow: () => Promise<void>;
}

/**
 * What happens to a cloud besides calls of its API: what people do in the control panel, and what breaks. Servers go by the name
 * that they have at the moment. All are invented but for what they have in common with API calls.
 *
 * Every method throws a UsageError with what is allowed, and has then changed nothing.
 */
export class Incidents {
  readonly #options: IncidentOptions;

  constructor(options: IncidentOptions) {
    this.#options = options;
  }

  /** Nothing happens to a server that is up. */
  async start(name: string): Promise<void> {
    const server = this.#settledServer(name);
    if (isUp(server)) return;
    startServer(server, this.#options.transition('power'));
    await this.#options.follow();
  }

  /** Nothing happens to a stopped server. `force`: what its Linux has not synced is lost. */
  async stop(name: string, manner: { readonly force: boolean }): Promise<void> {
    const server = this.#settledServer(name);
    if (!isUp(server)) return;
    stopServer(server, this.#options.transition('power'), manner);
    await this.#options.follow();
  }

  /** The server is stopped at once, whatever it was doing; what its Linux has not synced is lost. */
  async crash(name: string): Promise<void> {
    const { hosts, follow } = this.#options;
    const server = this.#server(name);
    server.state = 'stopped';
    server.transition = undefined;
    // Load balancers need not wait for the disks.
    await Promise.all([hosts.powerOff(server.uniqueId, { clean: false }), follow()]);
  }

  /** At once, and in every state. */
  async rename(name: string, newName: string): Promise<void> {
    const { world, follow } = this.#options;
    const server = this.#server(name);
    if (!SERVER_NAME.test(newName)) throw refused(newName, '1 to 15 letters and digits');
    if (world.servers.has(newName)) throw refused(newName, 'a name that no server has');
    renameServer(world, server, newName);
    await follow();
  }

  /**
   * The server no longer exists, at once. Its disks stay, attached to nothing; what they were in the middle of goes on, unless it
   * was attaching or detaching. Load balancers and its firewall group lose it.
   */
  async remove(name: string): Promise<void> {
    const { world, hosts, follow } = this.#options;
    const server = this.#server(name);
    const { uniqueId } = server;
    for (const { volume } of disksOf(world, uniqueId)) {
      volume.attachment = undefined;
      const kind = volume.transition?.kind;
      if (kind === 'attach' || kind === 'detach') volume.transition = undefined;
    }
    for (const listener of listenersOf(world)) {
      listener.targets = listener.targets.filter((target) => target.serverUniqueId !== uniqueId);
    }
    server.transition = undefined;
    world.servers.delete(server.name);
    world.serversByUniqueId.delete(uniqueId);
    await Promise.all([hosts.removeServer(uniqueId), follow()]);
  }

  /** Changes what the cloud says, at once and for good; the machine itself stays as it is. */
  async setState(name: string, state: ServerState): Promise<void> {
    const server = this.#server(name);
    if (!SERVER_STATES.includes(state)) throw refused(state, SERVER_STATES.join(', '));
    server.state = state;
    server.transition = undefined;
    await this.#options.follow();
  }

  /** At once, and in every state. */
  async renameVolume(id: string, newId: string): Promise<void> {
    const { world, follow } = this.#options;
    const volume = world.volumes.get(id);
    if (volume === undefined) throw refused(id, `the name of a disk: ${[...world.volumes.keys()].join(', ')}`);
    if (!VOLUME_NAME.test(newId)) throw refused(newId, '1 to 32 letters and digits');
    if (world.volumes.has(newId)) throw refused(newId, 'a name that no disk has');
    renameVolume(world, volume, newId);
    await follow();
  }

  #server(name: string): Server {
    const { servers } = this.#options.world;
    const server = servers.get(name);
    if (server === undefined) throw refused(name, `the name of a server: ${[...servers.keys()].join(', ')}`);
    return server;
  }

  #settledServer(name: string): Server {
    const server = this.#server(name);
    if (server.state === 'pending') throw refused(name, 'a server that is not pending');
    return server;
  }
}

function refused(value: string, allowed: string): UsageError {
  return new UsageError(`${value} is not allowed; allowed: ${allowed}`);
}

function listenersOf({ loadBalancers, elasticLoadBalancers }: World): readonly Listener[] {
  return [
    ...[...loadBalancers.values()].flatMap(({ ports }) => ports),
    ...[...elasticLoadBalancers.values()].flatMap(({ listeners }) => listeners),
  ];
}
