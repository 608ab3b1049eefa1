import { isConnectionFault, KubeError } from './errors.ts';
import type { KubeClient } from './rest.ts';
import type { Clock } from './surroundings.ts';
import type { KubeObject } from './types.ts';

/*
 * Questions to the API server about who somebody is and what they may do (groups authentication.k8s.io and
 * authorization.k8s.io). They are objects that are created and answered, never kept.
 */

/** Who somebody is. */
export interface ReviewedUser {
  readonly name: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/** A right to a resource. An absent namespace means all of them. */
export interface ResourceAccess {
  readonly verb: string;
  readonly group?: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly namespace?: string;
  readonly name?: string;
}

export interface ReviewSurroundings {
  readonly client: Pick<KubeClient, 'create'>;
  readonly clock: Clock;
  readonly random: () => number;
}

/** Tries and pauses, in ms. Source: apiserver library, `DefaultAuthWebhookRetryBackoff` (docs/reference/ccm.md A8). */
const TRIES = 5;
const FIRST_PAUSE_MS = 500;
const PAUSE_FACTOR = 1.5;
const JITTER = 0.2;

interface TokenReview extends KubeObject {
  readonly status?: {
    readonly authenticated?: boolean;
    readonly user?: {
      readonly username?: string;
      readonly uid?: string;
      readonly groups?: readonly string[];
      readonly extra?: Readonly<Record<string, readonly string[]>>;
    };
    readonly error?: string;
  };
}

interface AccessReview extends KubeObject {
  readonly status?: { readonly allowed?: boolean };
}

/** Whose a bearer token is; undefined if nobody's. @throws as KubeClient, after 5 tries */
export async function reviewToken(
  surroundings: ReviewSurroundings,
  token: string,
  signal: AbortSignal,
): Promise<ReviewedUser | undefined> {
  const { status } = await ask<TokenReview>(
    surroundings,
    '/apis/authentication.k8s.io/v1/tokenreviews',
    { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token } },
    signal,
  );
  if (status?.authenticated !== true) return undefined;
  const { username = '', uid, groups = [], extra } = status.user ?? {};
  return { name: username, groups, ...(uid ? { uid } : {}), ...(extra === undefined ? {} : { extra }) };
}

/** Whether a user may do this to a path that is no resource. @throws as KubeClient, after 5 tries */
export async function reviewPathAccess(
  surroundings: ReviewSurroundings,
  { user, verb, path }: { readonly user: ReviewedUser; readonly verb: string; readonly path: string },
  signal: AbortSignal,
): Promise<boolean> {
  const { name, ...rest } = user;
  const { status } = await ask<AccessReview>(
    surroundings,
    '/apis/authorization.k8s.io/v1/subjectaccessreviews',
    {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: { user: name, ...rest, nonResourceAttributes: { path, verb } },
    },
    signal,
  );
  return status?.allowed === true;
}

/** Whether the client itself has a right. @throws as KubeClient */
export async function reviewOwnAccess(
  client: Pick<KubeClient, 'create'>,
  access: ResourceAccess,
  signal: AbortSignal,
): Promise<boolean> {
  const { status } = await client.create<AccessReview>(
    '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
    {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: { resourceAttributes: access },
    },
    { signal },
  );
  return status?.allowed === true;
}

async function ask<T>(
  { client, clock, random }: ReviewSurroundings,
  path: string,
  review: unknown,
  signal: AbortSignal,
): Promise<T> {
  for (let tries = 1, pauseMs = FIRST_PAUSE_MS; ; tries += 1, pauseMs *= PAUSE_FACTOR) {
    try {
      return await client.create<T>(path, review, { signal });
    } catch (error) {
      if (tries === TRIES || !mayPass(error)) throw error;
      await clock.sleep(pauseMs * (1 + JITTER * random()), signal);
    }
  }
}

/** A review changes nothing, so it may be asked for again. */
function mayPass(error: unknown): boolean {
  return isConnectionFault(error) || (error instanceof KubeError && [429, 500, 503, 504].includes(error.status));
}

/** What the cluster says about client certificates and front proxies. Texts as in the config map, PEM and JSON. */
export type AuthenticationConfig = Readonly<Record<string, string | undefined>>;

/** The config map that the API server publishes for extension servers. @throws as KubeClient */
export async function readAuthenticationConfig(
  client: Pick<KubeClient, 'get'>,
  signal: AbortSignal,
): Promise<AuthenticationConfig> {
  const path = '/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication';
  const { data } = await client.get<{ readonly data?: AuthenticationConfig }>(path, { signal });
  return data ?? {};
}
