import type { Clock } from '../../daemon/clock.ts';
import { parseDurationMs, UsageError } from '../../daemon/flags.ts';
import type { Logger } from '../../daemon/logger.ts';
import type { Hosts } from './hosts/hosts.ts';
import { finishTransition, STEP_GB } from './volume-states.ts';
import { TRANSITION_KINDS } from './world.ts';
import type { TransitionKind, Volume, World } from './world.ts';

/** How long each kind of transition takes: drawn anew each time from this span, in ms. */
export type TransitionTimes = Readonly<Record<TransitionKind, { readonly minMs: number; readonly maxMs: number }>>;

/** The default of `--transition`: about what clients of the real cloud poll for (docs/reference/nifcloud-api.md §3.4). */
export const DEFAULT_TRANSITION = '3s';

/**
 * The notation of `--transition`: `3s` for all kinds, `2s..5s` for a draw, `attach=2s` for one kind, or several of these.
 * @throws UsageError with what is allowed
 */
export function parseTransitionTimes(text: string): TransitionTimes {
  const times = new Map<TransitionKind, { minMs: number; maxMs: number }>();
  for (const item of [DEFAULT_TRANSITION, ...text.split(',')]) {
    const [, kind, min = '', max = min] = /^(?:([a-z]+)=)?([0-9a-z.]+?)(?:\.\.([0-9a-z.]+))?$/.exec(item) ?? [];
    const kinds = kind === undefined ? TRANSITION_KINDS : TRANSITION_KINDS.filter((one) => one === kind);
    const [minMs, maxMs] = [parseDurationMs(min), parseDurationMs(max)];
    if (kinds.length === 0 || minMs === undefined || maxMs === undefined || maxMs < minMs) {
      throw new UsageError(`3s, 2s..5s or KIND=3s with a KIND of ${TRANSITION_KINDS.join(', ')}, separated by commas`);
    }
    for (const one of kinds) times.set(one, { minMs, maxMs });
  }
  return Object.fromEntries(times) as TransitionTimes;
}

/** The disks on the servers' side that follow the transitions, as far as a transition needs them. */
type DiskHosts = Pick<Hosts, 'createDisk' | 'attach' | 'detach' | 'grow' | 'deleteDisk'>;

/** The size of "n GB" in bytes: the larger reading of an open question, as the Go driver reports it. */
function sizeBytes(sizeGB: number): number {
  return sizeGB * 2 ** 30;
}

export interface TransitionOptions {
  readonly world: World;
  readonly hosts: DiskHosts;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Ends the waiting. */
  readonly signal: AbortSignal;
}

/**
 * Brings the transitions of disks to their end.
 *
 * - A transition ends at its time, after the disk has changed on its host: an `attached` disk can be found by a rescan.
 * - A disk whose host fails stays in its transition, with an error in the log.
 */
export class VolumeTransitions {
  readonly #options: TransitionOptions;
  /** Disks being followed; one whose host failed stays here for good. */
  readonly #followed = new Map<Volume, Promise<void>>();

  constructor(options: TransitionOptions) {
    this.#options = options;
  }

  /** Starts to follow what has begun since the last time. To be called after each change of the world. */
  follow(): void {
    for (const volume of this.#options.world.volumes.values()) {
      if (volume.transition === undefined || this.#followed.has(volume)) continue;
      this.#followed.set(volume, this.#finish(volume, volume.transition));
    }
  }

  /** Resolves when no host is being changed any more. Only after the signal: then no transition waits for its time. */
  async stopped(): Promise<void> {
    await Promise.all(this.#followed.values());
  }

  async #finish(volume: Volume, transition: NonNullable<Volume['transition']>): Promise<void> {
    const { world, clock, logger, signal } = this.#options;
    try {
      await clock.sleep(Math.max(0, transition.endsAtMs - clock.now()), signal);
      await this.#changeHost(volume, transition.kind);
    } catch (error) {
      if (!signal.aborted)
        logger.error('Disk stays in transition: its host failed', error, { volume: volume.id, ...transition });
      return;
    }
    finishTransition(world, volume);
    this.#followed.delete(volume);
  }

  async #changeHost({ uniqueId, sizeGB, attachment }: Volume, kind: TransitionKind): Promise<void> {
    const { hosts } = this.#options;
    if (kind === 'create') await hosts.createDisk(uniqueId, sizeBytes(sizeGB));
    if (kind === 'delete') await hosts.deleteDisk(uniqueId);
    if (kind === 'extend') await hosts.grow(uniqueId, sizeBytes(sizeGB + STEP_GB));
    if (attachment === undefined) return;
    const { serverUniqueId, slot } = attachment;
    if (kind === 'create' || kind === 'attach') await hosts.attach(serverUniqueId, slot, uniqueId);
    if (kind === 'detach') await hosts.detach(serverUniqueId, slot);
  }
}
