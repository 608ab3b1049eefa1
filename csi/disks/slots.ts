import { unlessAborted } from '../unless-aborted.ts';
import type { Volume } from './cloud.ts';
import { serverOf } from './state.ts';

/** Disks that a server can hold besides its system disk: SCSI ids 1–6 and 8–15 (docs/reference/nifcloud-api.md §2.4, §3.5). */
const SLOTS_PER_SERVER = 14;

/**
 * The slots of servers, as this process fills them.
 *
 * - A slot that was claimed counts as taken from then on, so that many who look at one list do not all choose one server.
 * - A claim and the attachment that comes of it count once.
 */
export class Slots {
  /** Server unique id → ids of volumes that are on their way to it. */
  readonly #claims = new Map<string, Set<string>>();
  #nextRelease = Promise.withResolvers<void>();
  /** Server unique id → ids of the disks that it has, for each listing: many births look at one for all servers. */
  readonly #attached = new WeakMap<readonly Volume[], ReadonlyMap<string, readonly string[]>>();

  /** Free slots of a server, by the attachments that were read and the claims of this process. */
  free(serverUniqueId: string, volumes: readonly Volume[]): number {
    const taken = new Set([...this.#attachedTo(serverUniqueId, volumes), ...(this.#claims.get(serverUniqueId) ?? [])]);
    return SLOTS_PER_SERVER - taken.size;
  }

  /** Slots of a server without an attachment, claimed or not: what is free when the work of this process has ended. */
  unattached(serverUniqueId: string, volumes: readonly Volume[]): number {
    return SLOTS_PER_SERVER - this.#attachedTo(serverUniqueId, volumes).length;
  }

  /** Takes a slot until the returned function is called. */
  claim(serverUniqueId: string, volumeId: string): () => void {
    const claims = this.#claims.get(serverUniqueId) ?? new Set();
    this.#claims.set(serverUniqueId, claims.add(volumeId));
    return () => {
      claims.delete(volumeId);
      if (claims.size === 0 && this.#claims.get(serverUniqueId) === claims) this.#claims.delete(serverUniqueId);
      this.#nextRelease.resolve();
      this.#nextRelease = Promise.withResolvers();
    };
  }

  /** Lasts until some claim is given back. @throws the signal's reason. */
  untilReleased(signal: AbortSignal): Promise<void> {
    return unlessAborted(this.#nextRelease.promise, signal);
  }

  #attachedTo(serverUniqueId: string, volumes: readonly Volume[]): readonly string[] {
    const attached = this.#attached.get(volumes) ?? byServer(volumes);
    this.#attached.set(volumes, attached);
    return attached.get(serverUniqueId) ?? [];
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
