import type { JsonObject } from './objects.ts';
import { at, isObject, textAt } from './objects.ts';
import { refuse } from './status.ts';

/** Who somebody is. */
export interface User {
  readonly username: string;
  readonly uid?: string;
  readonly groups?: readonly string[];
}

/** What somebody wants to do: something to a resource, or to a path that is none. */
export type Attempt =
  | { readonly verb: string; readonly path: string }
  | {
      readonly verb: string;
      readonly group: string;
      readonly resource: string;
      readonly subresource: string;
      readonly namespace: string;
      readonly name: string;
    };

/** What reviews are answered from. Requests themselves are not checked against it. */
export interface Identities {
  /** Whose a bearer token is. @default nobody's */
  readonly tokens?: Readonly<Record<string, User>>;
  /** Whether somebody may what not everybody may. @default everybody may everything */
  readonly allows?: (user: User, attempt: Attempt) => boolean;
}

/** Who asks without a token that is known: nobody is kept out of this server. */
const ADMIN: User = { username: 'kubernetes-admin', groups: ['system:masters'] };

/** What everybody may read, logged in or not: the role `system:public-info-viewer`, which every cluster has. */
const PUBLIC_PATHS = ['/healthz', '/livez', '/readyz', '/version', '/version/'];

type Answer = (spec: JsonObject, identities: Identities, asking: User) => JsonObject;

const REVIEWS: Readonly<Record<string, { readonly kind: string; readonly answer: Answer }>> = {
  'authentication.k8s.io/v1/tokenreviews': { kind: 'TokenReview', answer: reviewToken },
  'authorization.k8s.io/v1/subjectaccessreviews': {
    kind: 'SubjectAccessReview',
    answer: (spec, identities) => reviewAccess(spec, identities, subject(spec)),
  },
  'authorization.k8s.io/v1/selfsubjectaccessreviews': { kind: 'SelfSubjectAccessReview', answer: reviewAccess },
};

/** Whether a path is one that reviews are posted to. */
export function isReview(segments: readonly string[]): boolean {
  return segments[0] === 'apis' && Object.hasOwn(REVIEWS, segments.slice(1).join('/'));
}

/**
 * Answers a question about who somebody is or what they may do. Nothing is kept.
 * @param authorization the header of the request
 * @throws StatusError
 */
export function review(
  segments: readonly string[],
  { method, authorization, body }: { readonly method: string; readonly authorization: string; readonly body: string },
  identities: Identities,
): JsonObject {
  const found = REVIEWS[segments.slice(1).join('/')];
  if (found === undefined || method !== 'POST') throw refuse.methodNotAllowed();
  const sent = parse(body);
  const spec = at(sent, 'spec');
  if (textAt(sent, 'kind') !== found.kind || !isObject(spec)) throw refuse.badRequest(`a ${found.kind} has to be sent`);
  const token = authorization.replace(/^Bearer /, '');
  const asking = identities.tokens?.[token] ?? ADMIN;
  const version = segments.slice(1, 3).join('/');
  const status = found.answer(spec, identities, asking);
  return { kind: found.kind, apiVersion: version, metadata: {}, spec, status };
}

function parse(body: string): JsonObject {
  try {
    const sent = JSON.parse(body) as JsonObject;
    if (isObject(sent)) return sent;
  } catch {
    // As below.
  }
  throw refuse.badRequest('the body is no JSON object');
}

function reviewToken(spec: JsonObject, { tokens = {} }: Identities): JsonObject {
  const token = textAt(spec, 'token');
  const user = Object.hasOwn(tokens, token) ? tokens[token] : undefined;
  if (user === undefined) return { user: {}, error: '[invalid bearer token]' };
  const { username, uid, groups = [] } = user;
  return {
    authenticated: true,
    user: { username, ...(uid === undefined ? {} : { uid }), groups: [...groups, 'system:authenticated'] },
  };
}

function reviewAccess(spec: JsonObject, { allows = () => true }: Identities, user: User): JsonObject {
  const attempt = attemptOf(spec);
  const isOpen = 'path' in attempt && attempt.verb === 'get' && PUBLIC_PATHS.includes(attempt.path);
  return { allowed: isOpen || (user.groups ?? []).includes('system:masters') || allows(user, attempt) };
}

function subject(spec: JsonObject): User {
  const groups = at(spec, 'groups');
  return { username: textAt(spec, 'user'), groups: Array.isArray(groups) ? groups.map(String) : [] };
}

function attemptOf(spec: JsonObject): Attempt {
  if (at(spec, 'nonResourceAttributes') !== undefined) {
    const text = (name: string): string => textAt(spec, 'nonResourceAttributes', name);
    return { verb: text('verb'), path: text('path') };
  }
  const text = (name: string): string => textAt(spec, 'resourceAttributes', name);
  return {
    verb: text('verb'),
    group: text('group'),
    resource: text('resource'),
    subresource: text('subresource'),
    namespace: text('namespace'),
    name: text('name'),
  };
}
