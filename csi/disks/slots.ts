import type { Volume } from './cloud.ts';
import { serverOf } from './state.ts';

/** Disks that a server can hold besides its system disk: SCSI ids 1–6 and 8–15 (docs/reference/nifcloud-api.md §2.4, §3.5). */
const SLOTS_PER_SERVER = 14;

/**
 * The slots of servers, as this process fills them.
 *
 * - A slot that was claimed counts as taken from then on, so that many who look at one list do not all choose one server.
 * - A claim and the attachment that comes of it count once.
 * - Requests that concern one server are sent one after another; what follows (the transition) runs beside others.
 */
export class Slots {
  /** Server unique id → ids of volumes that are on their way to it. */
  readonly #claims = new Map<string, Set<string>>();
  #nextRelease = Promise.withResolvers<void>();
  readonly #turns = new Map<string, Promise<void>>();

  /** Free slots of a server, by the attachments that were read and the claims of this process. */
  free(serverUniqueId: string, volumes: readonly Volume[]): number {
    const taken = new Set([...attachedTo(serverUniqueId, volumes), ...(this.#claims.get(serverUniqueId) ?? [])]);
    return SLOTS_PER_SERVER - taken.size;
  }

  /** Slots of a server without an attachment, claimed or not: what is free when the work of this process has ended. */
  unattached(serverUniqueId: string, volumes: readonly Volume[]): number {
    return SLOTS_PER_SERVER - attachedTo(serverUniqueId, volumes).length;
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
    return untilDone(this.#nextRelease.promise, signal);
  }

  /** Runs `send` when all earlier ones for this server have ended. @throws what `send` throws, or the signal's reason. */
  async inTurn<T>(serverUniqueId: string, send: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const before = this.#turns.get(serverUniqueId) ?? Promise.resolve();
    const turn = Promise.withResolvers<void>();
    const all = before.then(() => turn.promise);
    this.#turns.set(serverUniqueId, all);
    try {
      await untilDone(before, signal);
      return await send();
    } finally {
      turn.resolve();
      if (this.#turns.get(serverUniqueId) === all) this.#turns.delete(serverUniqueId);
    }
  }
}

function attachedTo(serverUniqueId: string, volumes: readonly Volume[]): readonly string[] {
  return volumes.filter((volume) => serverOf(volume)?.uniqueId === serverUniqueId).map(({ id }) => id);
}

function untilDone(work: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason as Error);
      return;
    }
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    void work.then(() => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    });
  });
}
