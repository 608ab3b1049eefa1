import { status } from '@grpc/grpc-js';
import type { Logger } from '../daemon/logger.ts';
import { RpcError } from './rpc-error.ts';
import { unlessAborted } from './unless-aborted.ts';

/** A call that is under way, with or without a caller. */
interface Work {
  /** Equal to that of a repeat. */
  readonly request: string;
  readonly outcome: Promise<object>;
  readonly abandoned: AbortController;
  callers: number;
}

/** Why work ends that nobody waits for when another call for its volume comes. */
class MadeWay extends RpcError {}

/**
 * Sends a change as part of some work. Once begun it is let end, be it by its time limit, although the work makes way for another call:
 * cut off, it could take effect after that one has looked. Only the process's end cuts it off.
 */
export async function letEnd<T>(send: (signal: AbortSignal) => Promise<T>, work: AbortSignal): Promise<T> {
  work.throwIfAborted();
  const cut = new AbortController();
  const onAbort = (): void => {
    if (!(work.reason instanceof MadeWay)) cut.abort(work.reason);
  };
  work.addEventListener('abort', onAbort, { once: true });
  try {
    return await send(cut.signal);
  } finally {
    work.removeEventListener('abort', onAbort);
  }
}

/**
 * Calls that change a volume go on when their caller's patience has ended, and its repeat joins them
 * (docs/reference/csi.md C.4 15, G.4).
 *
 * - A call that is equal to the one under way for its volume gets that one's outcome.
 * - A call ends with its caller's signal, the work does not.
 * - Another call for the volume is refused with ABORTED while somebody waits for the work. Work that nobody waits for makes way for
 *   it, as soon as a change that it is sending has ended: the caller has changed its mind, and what is half done is found by whoever
 *   looks next.
 * - Work that nobody waits for ends with the process; other work ends then when its last caller leaves.
 */
export class ContinuedCalls {
  readonly #logger: Logger;
  readonly #stopping: AbortSignal;
  readonly #works = new Map<string, Work>();

  constructor(logger: Logger, stopping: AbortSignal) {
    this.#logger = logger;
    this.#stopping = stopping;
    stopping.addEventListener('abort', () => this.#works.forEach((work) => this.#endUnlessWanted(work)), {
      once: true,
    });
  }

  /**
   * Runs a call, or waits for an equal one that is under way.
   * @param request whatever is equal for equal calls
   * @param begin does it; its signal is that of the work
   * @throws what it throws; RpcError ABORTED; the caller's reason
   */
  async run(
    volumeId: string,
    request: string,
    begin: (signal: AbortSignal) => Promise<object>,
    caller: AbortSignal,
  ): Promise<object> {
    for (;;) {
      const work = this.#works.get(volumeId);
      if (work === undefined) return this.#join(this.#begin(volumeId, request, begin), caller);
      const isEnding = work.abandoned.signal.aborted;
      if (work.request === request && !isEnding) return this.#join(work, caller);
      if (work.callers > 0) {
        throw new RpcError(status.ABORTED, `another operation on volume ${volumeId} is running`);
      }
      if (!isEnding) work.abandoned.abort(new MadeWay(status.ABORTED, `another operation on volume ${volumeId} came`));
      const ended = work.outcome.catch(() => undefined);
      await unlessAborted(ended, caller);
    }
  }

  #begin(volumeId: string, request: string, begin: (signal: AbortSignal) => Promise<object>): Work {
    const abandoned = new AbortController();
    const work: Work = {
      request,
      abandoned,
      callers: 0,
      outcome: begin(abandoned.signal).finally(() => this.#works.delete(volumeId)),
    };
    work.outcome.catch((error: unknown) => {
      if (work.callers === 0 && !abandoned.signal.aborted) {
        this.#logger.error('A call failed that its caller no longer waits for', error, { volumeId });
      }
    });
    this.#works.set(volumeId, work);
    return work;
  }

  async #join(work: Work, caller: AbortSignal): Promise<object> {
    work.callers += 1;
    try {
      return await unlessAborted(work.outcome, caller);
    } finally {
      work.callers -= 1;
      if (this.#stopping.aborted) this.#endUnlessWanted(work);
    }
  }

  #endUnlessWanted(work: Work): void {
    if (work.callers === 0) work.abandoned.abort(this.#stopping.reason);
  }
}
