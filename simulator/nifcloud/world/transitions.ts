import type { Clock } from '../../../daemon/clock.ts';
import type { Logger } from '../../../daemon/logger.ts';
import type { Hosts } from '../hosts/hosts.ts';
import type { ElasticLoadBalancer } from './listeners.ts';
import type { Server } from './servers.ts';
import type { Transition } from './transition.ts';
import { STEP_GB } from './volumes.ts';
import type { Volume } from './volumes.ts';
import type { World } from './world.ts';

/** The size of "n GB" in bytes: the larger reading of an open question, as the Go driver reports it. */
function sizeBytes(sizeGB: number): number {
  return sizeGB * 2 ** 30;
}

export interface TransitionOptions {
  readonly world: World;
  readonly hosts: Hosts;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Ends the waiting. */
  readonly signal: AbortSignal;
  /** Called after each end, for what follows the world. */
  readonly ended: () => void;
}

/** Something in the middle of a transition. `end` changes its host, then the world. */
interface Ending {
  readonly thing: { readonly transition: Transition | undefined };
  readonly name: string;
  readonly end: () => Promise<void> | void;
}

/**
 * Brings transitions to their end.
 *
 * - A disk's transition ends after the disk has changed on its host: an `attached` disk can be found by a rescan.
 * - A thing whose host fails stays in its transition, with an error in the log.
 * - A transition that was replaced or taken away meanwhile ends nothing.
 */
export class Transitions {
  readonly #options: TransitionOptions;
  /** What is being followed; one whose host failed stays here for good. */
  readonly #followed = new Map<Transition, Promise<void>>();

  constructor(options: TransitionOptions) {
    this.#options = options;
  }

  /** Starts to follow what has begun since the last time. To be called after each change of the world. */
  follow(): void {
    for (const ending of this.#endings()) {
      const { transition } = ending.thing;
      if (transition === undefined || this.#followed.has(transition)) continue;
      this.#followed.set(transition, this.#finish(ending, transition));
    }
  }

  /** Resolves when no host is being changed any more. Only after the signal: then no transition waits for its time. */
  async stopped(): Promise<void> {
    await Promise.all(this.#followed.values());
  }

  async #finish({ thing, name, end }: Ending, transition: Transition): Promise<void> {
    const { clock, logger, signal, ended } = this.#options;
    try {
      await clock.sleep(Math.max(0, transition.endsAtMs - clock.now()), signal);
      if (thing.transition === transition) await end();
    } catch (error) {
      if (!signal.aborted) logger.error('Stays in transition: its host failed', error, { name, ...transition });
      return;
    }
    this.#followed.delete(transition);
    ended();
  }

  *#endings(): Generator<Ending> {
    const { world } = this.#options;
    for (const volume of world.volumes.values()) {
      yield { thing: volume, name: volume.id, end: () => this.#endVolume(volume) };
    }
    for (const server of world.servers.values()) {
      yield { thing: server, name: server.name, end: () => this.#endPower(server) };
    }
    for (const one of world.elasticLoadBalancers.values()) {
      yield { thing: one, name: one.name, end: () => this.#endElastic(one) };
    }
    for (const group of world.firewallGroups.values()) {
      const end = (): void => {
        if (group.transition?.deletes === true) world.firewallGroups.delete(group.name);
        group.transition = undefined;
      };
      yield { thing: group, name: group.name, end };
    }
    for (const router of world.routers.values()) {
      const end = (): void => {
        router.transition = undefined;
      };
      yield { thing: router, name: router.name, end };
    }
  }

  async #endVolume(volume: Volume): Promise<void> {
    const { hosts, world } = this.#options;
    const { uniqueId, attachment } = volume;
    const kind = volume.transition?.kind;
    if (kind === 'create') await hosts.createDisk(uniqueId, sizeBytes(volume.sizeGB));
    if (kind === 'delete') await hosts.deleteDisk(uniqueId);
    if (kind === 'extend') await hosts.grow(uniqueId, sizeBytes(volume.sizeGB + STEP_GB));
    if (attachment !== undefined) {
      const { serverUniqueId, slot } = attachment;
      if (kind === 'create' || kind === 'attach') await hosts.attach(serverUniqueId, slot, uniqueId);
      if (kind === 'detach') await hosts.detach(serverUniqueId, slot);
    }
    volume.transition = undefined;
    if (kind === 'extend') volume.sizeGB += STEP_GB;
    if (kind === 'detach') volume.attachment = undefined;
    if (kind === 'delete') world.volumes.delete(volume.id);
  }

  #endPower(server: Server): void {
    server.state = server.transition?.to ?? server.state;
    server.transition = undefined;
  }

  #endElastic(loadBalancer: ElasticLoadBalancer): void {
    const leaving = loadBalancer.transition?.deletes;
    loadBalancer.transition = undefined;
    if (leaving === undefined) return;
    const { listeners } = loadBalancer;
    const at = listeners.findIndex(
      (listener) =>
        listener.protocol === leaving.protocol &&
        listener.loadBalancerPort === leaving.loadBalancerPort &&
        listener.instancePort === leaving.instancePort,
    );
    listeners.splice(at, 1);
    if (listeners.length === 0) this.#options.world.elasticLoadBalancers.delete(loadBalancer.name);
  }
}
