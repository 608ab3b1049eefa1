import { unlessAborted } from '../unless-aborted.ts';
import type { Volume } from './cloud.ts';
import { serverOf } from './state.ts';

/** Disks that a server can hold besides its system disk: SCSI ids 1–6 and 8–15 (docs/reference/nifcloud-api.md §2.4, §3.5). */
const SLOTS_PER_SERVER = 14;

/** What a slot is taken for: a birth or growth, which gives it back, or a volume that is published. */
type Use = 'temporary' | 'lasting';

/**
 * The slots of servers, as this process fills them.
 *
 * - A slot that was claimed counts as taken from then on, so that many who look at one list do not all choose one server.
 * - A claim and the attachment that comes of it count once.
 */
export class Slots {
  #releases = 0;
  /** Server unique id → ids of volumes that are on their way to it or there for a moment. */
  readonly #claims = new Map<string, Map<string, Use>>();
  #nextRelease = Promise.withResolvers<void>();
  /** Server unique id → ids of the disks that it has, for each listing: many births look at one for all servers. */
  readonly #attached = new WeakMap<readonly Volume[], ReadonlyMap<string, readonly string[]>>();

  /** Free slots of a server, by the attachments that were read and the claims of this process. */
  free(serverUniqueId: string, volumes: readonly Volume[]): number {
    return SLOTS_PER_SERVER - this.#takenBy(serverUniqueId, volumes).length;
  }

  /** What is free when the births and growths of this process have left. */
  freeInTheEnd(serverUniqueId: string, volumes: readonly Volume[]): number {
    const claims = this.#claims.get(serverUniqueId);
    const lasting = this.#takenBy(serverUniqueId, volumes).filter((id) => claims?.get(id) !== 'temporary');
    return SLOTS_PER_SERVER - lasting.length;
  }

  /** Takes a slot until the returned function is called. */
  claim(serverUniqueId: string, volumeId: string, use: Use): () => void {
    const claims = this.#claims.get(serverUniqueId) ?? new Map<string, Use>();
    this.#claims.set(serverUniqueId, claims.set(volumeId, use));
    return () => {
      this.#releases += 1;
      claims.delete(volumeId);
      if (claims.size === 0 && this.#claims.get(serverUniqueId) === claims) this.#claims.delete(serverUniqueId);
      this.#nextRelease.resolve();
      this.#nextRelease = Promise.withResolvers();
    };
  }

  /** How many claims were given back so far. What was read before the last one may still show its disk. */
  get releases(): number {
    return this.#releases;
  }

  /** Lasts until some claim is given back. @throws the signal's reason. */
  untilReleased(signal: AbortSignal): Promise<void> {
    return unlessAborted(this.#nextRelease.promise, signal);
  }

  /** Ids of the disks that a server has or is to get, each once. */
  #takenBy(serverUniqueId: string, volumes: readonly Volume[]): readonly string[] {
    const attached = this.#attached.get(volumes) ?? byServer(volumes);
    this.#attached.set(volumes, attached);
    return [...new Set([...(attached.get(serverUniqueId) ?? []), ...(this.#claims.get(serverUniqueId)?.keys() ?? [])])];
  }
}

function byServer(volumes: readonly Volume[]): ReadonlyMap<string, readonly string[]> {
  const attached = new Map<string, string[]>();
  for (const volume of volumes) {
    const server = serverOf(volume);
    if (server === undefined) continue;
    const ids = attached.get(server.uniqueId) ?? [];
    ids.push(volume.id);
    attached.set(server.uniqueId, ids);
  }
  return attached;
}
