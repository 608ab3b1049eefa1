import type { Clock } from '../../../daemon/clock.ts';
import type { Logger } from '../../../daemon/logger.ts';
import type { Hosts } from '../hosts/hosts.ts';
import { endFirewallTransition } from './firewall-groups.ts';
import type { ElasticLoadBalancer } from './listeners.ts';
import type { Server } from './servers.ts';
import type { Transition } from './transition.ts';
import { disksOf, STEP_GB } from './volumes.ts';
import type { Volume } from './volumes.ts';
import type { World } from './world.ts';

/** The size of "n GB" in bytes: the larger reading of an open question, as the Go driver reports it. */
export function sizeBytes(sizeGB: number): number {
  return sizeGB * 2 ** 30;
}

export interface TransitionOptions {
  readonly world: World;
  readonly hosts: Hosts;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Ends the waiting. */
  readonly signal: AbortSignal;
  /** Resolves when nothing by this id holds a transition any more. @throws the signal's reason */
  readonly released: (heldBy: number) => Promise<void>;
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
    const { clock, logger, signal, released, ended } = this.#options;
    try {
      await clock.sleep(Math.max(0, transition.endsAtMs - clock.now()), signal);
      if (transition.heldBy !== undefined) await released(transition.heldBy);
      if (thing.transition === transition) await end();
    } catch (error) {
      if (signal.aborted) return;
      if (thing.transition === transition) {
        logger.error('Stays in transition: its host failed', error, { name, ...transition });
        return;
      }
    }
    this.#followed.delete(transition);
    ended();
  }

  *#endings(): Generator<Ending> {
    const { world } = this.#options;
    for (const volume of world.volumes.values()) {
      if (volume.transition === undefined) continue; // of ten thousand disks nearly all
      yield { thing: volume, name: volume.id, end: () => this.#endVolume(volume) };
    }
    for (const server of world.servers.values()) {
      if (server.transition === undefined) continue;
      yield { thing: server, name: server.name, end: () => this.#endPower(server) };
    }
    for (const one of world.elasticLoadBalancers.values()) {
      yield { thing: one, name: one.name, end: () => this.#endElastic(one) };
    }
    for (const group of world.firewallGroups.values()) {
      const end = (): void => {
        endFirewallTransition(world, group);
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

  /** The server of an attachment can be removed while its host is at work: so the attachment is looked up anew each time. */
  async #endVolume(volume: Volume): Promise<void> {
    const { hosts, world } = this.#options;
    const { uniqueId, transition } = volume;
    const kind = transition?.kind;
    if (kind === 'create') {
      const zeroed = world.switches['new-disks'] === 'zeroed';
      await hosts.createDisk(uniqueId, sizeBytes(volume.sizeGB), { zeroed });
    }
    if (kind === 'delete') await hosts.deleteDisk(uniqueId);
    if (kind === 'extend') await hosts.grow(uniqueId, sizeBytes(volume.sizeGB + STEP_GB));
    const { attachment } = volume;
    if (attachment !== undefined) {
      const { serverUniqueId, slot } = attachment;
      if (kind === 'create' || kind === 'attach') await hosts.attach(serverUniqueId, slot, uniqueId);
      if (kind === 'detach' && (await hosts.detach(serverUniqueId, slot))) this.#warn(serverUniqueId);
    }
    if (volume.transition !== transition) return;
    volume.transition = undefined;
    if (kind === 'extend') volume.sizeGB += STEP_GB;
    if (kind === 'detach') volume.attachment = undefined;
    if (kind === 'delete') world.volumes.delete(volume.id);
  }

  /** A disk that is pulled out while it is in use leaves its server in an abnormal state (docs/reference/nifcloud-api.md §3.5). */
  #warn(serverUniqueId: string): void {
    const server = this.#options.world.serversByUniqueId.get(serverUniqueId);
    if (server?.state === 'running') server.state = 'warning';
  }

  async #endPower(server: Server): Promise<void> {
    const { hosts, world } = this.#options;
    const { transition, uniqueId } = server;
    if (transition === undefined) return;
    // A server that is rebooted for the sake of a growing disk finds it grown.
    for (const { volume } of disksOf(world, uniqueId)) {
      if (volume.transition?.kind === 'extend') await this.#followed.get(volume.transition);
    }
    const { powersOff, to } = transition;
    if (powersOff !== undefined) await hosts.powerOff(uniqueId, { clean: powersOff === 'clean' });
    // A server that crashed or was removed meanwhile stays as it is then.
    if (server.transition !== transition) return;
    if (to === 'running') await hosts.powerOn(uniqueId);
    if (server.transition !== transition) return;
    server.state = to;
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
