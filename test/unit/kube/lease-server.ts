import { KubeConnectionError, KubeError } from '../../../kube/errors.ts';
import type { LeaderElectionOptions } from '../../../kube/leader-election.ts';
import type { Lease } from '../../../kube/types.ts';
import type { FakeClock } from '../../fake-clock.ts';

type LeaseClient = LeaderElectionOptions['client'];

/** How the way to the server is, for one client. It may change at any time. */
export interface Way {
  /** How long a request takes to the server, and an answer back, in ms. */
  thereMs: number;
  backMs: number;
  /** Requests are lost and never answered. */
  cut: boolean;
  /** Requests get there, answers are lost. */
  answersLost: boolean;
}

/** One Lease, with the rules that API servers have for it. */
export class LeaseServer {
  lease: Lease | undefined;
  readonly writes: Lease[] = [];
  /** `get`, `create`, `replace` in the order in which they arrived. */
  readonly requests: string[] = [];
  readonly #clock: FakeClock;
  #version = 0;

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  /** What somebody else does to it, with kubectl for example. */
  store(lease: Lease): Lease {
    this.lease = { ...lease, metadata: { ...lease.metadata, resourceVersion: String(++this.#version) } };
    this.writes.push(this.lease);
    return this.lease;
  }

  client(way: Way): LeaseClient {
    const call = async <T>(name: string, signal: AbortSignal, answer: () => Lease): Promise<T> => {
      if (way.cut) return await this.#silence(signal);
      await this.#clock.sleep(way.thereMs, signal);
      if (way.cut) return await this.#silence(signal);
      this.requests.push(name);
      let outcome: () => Lease;
      try {
        const lease = structuredClone(answer());
        outcome = () => lease;
      } catch (error) {
        outcome = () => {
          throw error;
        };
      }
      if (way.answersLost) return await this.#silence(signal);
      await this.#clock.sleep(way.backMs, signal);
      return outcome() as T;
    };
    return {
      get: (_path, { signal }) => call('get', signal, () => this.#found()),
      create: (_path, body, { signal }) =>
        call('create', signal, () => {
          if (this.lease !== undefined) throw new KubeError({ code: 409, reason: 'AlreadyExists' });
          return this.store(body as Lease);
        }),
      replace: (_path, body, { signal }) =>
        call('replace', signal, () => {
          const { metadata } = body as Lease;
          if (metadata.resourceVersion !== this.#found().metadata.resourceVersion) {
            throw new KubeError({ code: 409, reason: 'Conflict' });
          }
          return this.store(body as Lease);
        }),
    };
  }

  #found(): Lease {
    if (this.lease === undefined) throw new KubeError({ code: 404, reason: 'NotFound' });
    return this.lease;
  }

  /** As KubeClient with the request timeout of a renew deadline of 10 s. */
  async #silence(signal: AbortSignal): Promise<never> {
    await this.#clock.sleep(5_000, signal);
    throw new KubeConnectionError('no usable answer', 'TIMEOUT');
  }
}
