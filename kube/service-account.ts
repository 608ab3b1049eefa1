import type { Agent } from 'node:http';
import type { ClusterConnection } from './config.ts';
import { isAlreadyExists, isNotFound } from './errors.ts';
import type { KubeClient } from './rest.ts';
import type { Clock, Logger } from './surroundings.ts';

/* The numbers are client-go's and controller-manager's (docs/reference/ccm.md A1): `NewDynamicClientBuilder`, `tokenSourceImpl`. */

/** Life of a token, in s: as asked for, and the shortest that is believed. */
const ASKED_LIFE_SECONDS = 3_600;
const SHORTEST_LIFE_SECONDS = 600;

/** The part of its life after which a token is replaced. */
const RENEWED_AFTER = 0.8;

/** Tries to get a token, and the first pause between them, in ms, which doubles. */
const TRIES = 4;
const FIRST_PAUSE_MS = 500;

export interface ServiceAccountOptions {
  /** Where the API server is, and how it is known; whom it lets in is replaced. */
  readonly connection: ClusterConnection;
  /** Of an account that may get and create ServiceAccounts, and create their tokens. */
  readonly client: Pick<KubeClient, 'get' | 'create'>;
  readonly namespace: string;
  /** Of the ServiceAccount; it is made where there is none. */
  readonly name: string;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Ends the pauses between tries. */
  readonly signal: AbortSignal;
}

interface Token {
  readonly text: string;
  readonly renewAtMs: number;
  readonly endsAtMs: number;
}

interface TokenRequest {
  readonly spec?: { readonly expirationSeconds?: number };
  readonly status?: { readonly token?: string };
}

/**
 * The API server, as seen by a ServiceAccount (`--use-service-account-credentials`, docs/reference/ccm.md A1): what each controller may
 * do can then be told apart.
 *
 * - A token is asked for when the first request needs it; after 80 % of its life another one, in the background: requests wait only
 *   while there is no token that is still good. One that the server refuses is replaced before the next request.
 * - How long a token lives is counted from when it was asked for, by the monotonic clock: a wall clock that is wrong does no harm.
 * - `token` throws what the last of its tries met.
 */
export class ServiceAccountConnection implements ClusterConnection {
  readonly #options: ServiceAccountOptions;
  #token: Token | undefined;
  #asking: Promise<string> | undefined;

  constructor(options: ServiceAccountOptions) {
    this.#options = options;
  }

  get server(): string | URL {
    return this.#options.connection.server;
  }
  get ca(): string | undefined {
    return this.#options.connection.ca;
  }
  get serverName(): string | undefined {
    return this.#options.connection.serverName;
  }
  get skipTlsVerify(): boolean | undefined {
    return this.#options.connection.skipTlsVerify;
  }
  get proxyAgent(): Agent | undefined {
    return this.#options.connection.proxyAgent;
  }
  // No client certificate: it would be somebody else's.

  async token(): Promise<string> {
    const { connection, clock } = this.#options;
    await connection.token(); // brings its other fields up to date
    const nowMs = clock.monotonicMs();
    if (this.#token !== undefined && nowMs < this.#token.renewAtMs) return this.#token.text;
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    if (this.#token === undefined || nowMs >= this.#token.endsAtMs) return await this.#asking;
    this.#asking.catch(() => undefined); // the next request asks again
    return this.#token.text;
  }

  refused(token: string): void {
    if (this.#token?.text === token) this.#token = undefined;
  }

  async #ask(): Promise<string> {
    const { clock, logger, signal, namespace, name } = this.#options;
    for (let [tries, pauseMs] = [1, FIRST_PAUSE_MS]; ; tries += 1, pauseMs *= 2) {
      try {
        const askedAtMs = clock.monotonicMs();
        await this.#makeAccount();
        const { text, lifeSeconds } = await this.#requestToken();
        const lifeMs = Math.max(SHORTEST_LIFE_SECONDS, lifeSeconds) * 1_000;
        this.#token = { text, renewAtMs: askedAtMs + RENEWED_AFTER * lifeMs, endsAtMs: askedAtMs + lifeMs };
        return text;
      } catch (error) {
        signal.throwIfAborted();
        logger.warn('No token of a ServiceAccount', { namespace, name, reason: (error as Error).message });
        if (tries >= TRIES) throw error;
        await clock.sleep(pauseMs, signal);
      }
    }
  }

  async #makeAccount(): Promise<void> {
    const { client, namespace, name, signal } = this.#options;
    try {
      await client.get(`${accountsPath(namespace)}/${name}`, { signal });
    } catch (error) {
      if (!isNotFound(error)) throw error;
      const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { namespace, name } };
      await client.create(accountsPath(namespace), account, { signal }).catch((refusal: unknown) => {
        if (!isAlreadyExists(refusal)) throw refusal;
      });
    }
  }

  async #requestToken(): Promise<{ readonly text: string; readonly lifeSeconds: number }> {
    const { client, namespace, name, signal } = this.#options;
    const answer = await client.create<TokenRequest>(
      `${accountsPath(namespace)}/${name}/token`,
      {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: { expirationSeconds: ASKED_LIFE_SECONDS },
      },
      { signal },
    );
    const text = answer.status?.token;
    if (!text) throw new Error('the answer to the token request holds no token');
    // What the server grants may be less than what was asked for.
    return { text, lifeSeconds: answer.spec?.expirationSeconds ?? SHORTEST_LIFE_SECONDS };
  }
}

function accountsPath(namespace: string): string {
  return `/api/v1/namespaces/${namespace}/serviceaccounts`;
}
