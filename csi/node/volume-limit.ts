import { DATA_SLOTS } from '../linux/scsi.ts';
import { askAttached, type NodeService } from './service.ts';
import { diskCensus } from './strangers.ts';
import { deathOf } from './sweep.ts';

/**
 * An idle disk that is no volume of ours may be one that is being created or grown on this server, or that Kubernetes has attached a
 * moment ago. What is still idle after this long is somebody's. Our choice.
 */
const SETTLED_MS = 120_000;

export interface VolumeLimitOptions {
  /** `--volume-attach-limit`: the limit, whatever is found. */
  readonly volumeAttachLimit?: number | undefined;
  /** `--reserved-volume-attachments`: slots for disks of others, whatever is found. */
  readonly reservedVolumeAttachments?: number | undefined;
}

/**
 * How many volumes of this driver the node can have: all slots but those of other disks.
 *
 * In doubt a disk is not counted: too high a limit only lets an attach fail, too low a one keeps pods from starting.
 */
export class VolumeLimit {
  readonly #service: NodeService;
  readonly #options: VolumeLimitOptions;
  /** When each idle disk was first seen to be so, by device number. */
  readonly #idleSinceMs = new Map<string, number>();

  constructor(service: NodeService, options: VolumeLimitOptions) {
    this.#service = service;
    this.#options = options;
  }

  async volumes(signal: AbortSignal): Promise<number> {
    const { volumeAttachLimit, reservedVolumeAttachments } = this.#options;
    if (volumeAttachLimit !== undefined) return volumeAttachLimit;
    // 0 would mean "no limit".
    return Math.max(1, DATA_SLOTS - (reservedVolumeAttachments ?? (await this.#foreignDisks(signal))));
  }

  async #foreignDisks(signal: AbortSignal): Promise<number> {
    try {
      const { staged, strangers } = await diskCensus(this.#service);
      const inUse = strangers.filter(({ uses }) => uses.length > 0).length;
      const idle = strangers.filter(({ uses }) => uses.length === 0).map(({ disk }) => disk);
      const settled = this.#settled(idle.map(({ number }) => number));
      let lasting = 0;
      for (const disk of idle) {
        if (settled.has(disk.number) && (await deathOf(this.#service, disk)) === undefined) lasting++;
      }
      const attached = lasting === 0 ? 0 : (await askAttached(this.#service, signal))?.size;
      return foreignDisks({ staged, inUse, lasting, attached });
    } catch (error) {
      this.#service.host.logger.error(
        'The disks of this node could not be counted; none is taken off the limit of volumes',
        error,
      );
      return 0;
    }
  }

  /** Those that have been idle at every look for long enough. */
  #settled(idle: readonly string[]): ReadonlySet<string> {
    const nowMs = this.#service.host.clock.monotonicMs();
    for (const number of this.#idleSinceMs.keys()) if (!idle.includes(number)) this.#idleSinceMs.delete(number);
    for (const number of idle) if (!this.#idleSinceMs.has(number)) this.#idleSinceMs.set(number, nowMs);
    return new Set(idle.filter((number) => nowMs - (this.#idleSinceMs.get(number) ?? nowMs) >= SETTLED_MS));
  }
}

/**
 * How many data disks are not ours: all that somebody uses, and of those that have long been idle the ones beyond what Kubernetes has
 * attached and nobody has staged yet. Pure.
 */
export function foreignDisks(seen: {
  /** Volumes of ours that are staged. */
  readonly staged: number;
  /** Other disks that are in use. */
  readonly inUse: number;
  /** Other disks that have been idle for long. */
  readonly lasting: number;
  /** Volumes of ours that are attached, staged or not; undefined = not known. */
  readonly attached: number | undefined;
}): number {
  if (seen.attached === undefined) return seen.inUse;
  const toBeStaged = Math.max(0, seen.attached - seen.staged);
  return seen.inUse + Math.max(0, seen.lasting - toBeStaged);
}
