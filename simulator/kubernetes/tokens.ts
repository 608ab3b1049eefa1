import { at, type JsonObject, type KubeObject, objectsIn, textAt, textsIn, timestamp } from './objects.ts';
import { field, type FieldError, refuse } from './status.ts';

/** Life of a token in s, where none is asked for, and the shortest (kube-apiserver's `ValidateTokenRequest`). */
const DEFAULT_LIFE_SECONDS = 3_600;
const SHORTEST_LIFE_SECONDS = 600;

const AUDIENCE = 'https://kubernetes.default.svc.cluster.local';

/**
 * Answers a TokenRequest. The token has the form of a real one, a JWT with the claims that the real server puts in, but nobody's
 * signature: here whoever wants to be believed is.
 * @throws StatusError 400 or 422.
 */
export function issueToken(account: KubeObject, request: JsonObject, nowMs: number, random: () => number): JsonObject {
  const { name, namespace = '', uid } = account.metadata;
  if (!['', 'TokenRequest'].includes(textAt(request, 'kind'))) {
    throw refuse.badRequest(`no kind "${textAt(request, 'kind')}" is registered for the token of a ServiceAccount`);
  }
  if (objectsIn([at(request, 'spec', 'boundObjectRef') ?? null]).length > 0) {
    throw refuse.badRequest('boundObjectRef is not supported by the embedded API server');
  }
  const asked = at(request, 'spec', 'expirationSeconds') ?? DEFAULT_LIFE_SECONDS;
  const error = lifeError(asked);
  if (error !== undefined) {
    throw refuse.invalid({ group: 'authentication.k8s.io', plural: '', kind: 'TokenRequest' }, '', [error]);
  }
  const seconds = Number(asked);
  const stated = textsIn(at(request, 'spec', 'audiences'));
  const audiences = stated.length === 0 ? [AUDIENCE] : stated;
  const issuedAt = Math.floor(nowMs / 1_000);
  const claims = {
    aud: audiences,
    exp: issuedAt + seconds,
    iat: issuedAt,
    iss: AUDIENCE,
    'kubernetes.io': { namespace, serviceaccount: { name, uid } },
    nbf: issuedAt,
    sub: `system:serviceaccount:${namespace}:${name}`,
  };
  const signature = String(random());
  return {
    kind: 'TokenRequest',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: { name, namespace, creationTimestamp: timestamp(nowMs) },
    spec: { audiences, expirationSeconds: seconds, boundObjectRef: null },
    status: {
      token: [JSON.stringify({ alg: 'none' }), JSON.stringify(claims), signature].map(encoded).join('.'),
      expirationTimestamp: timestamp(nowMs + seconds * 1_000),
    },
  };
}

function lifeError(seconds: unknown): FieldError | undefined {
  const path = 'spec.expirationSeconds';
  if (typeof seconds !== 'number') return field.invalid(path, JSON.stringify(seconds), 'must be a number');
  if (seconds < SHORTEST_LIFE_SECONDS) {
    return field.invalid(path, seconds, 'may not specify a duration less than 10 minutes');
  }
  return seconds > 2 ** 32
    ? field.invalid(path, seconds, 'may not specify a duration larger than 2^32 seconds')
    : undefined;
}

function encoded(text: string): string {
  return Buffer.from(text).toString('base64url');
}
