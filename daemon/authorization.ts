import type { User } from './authentication.ts';
import type { Clock } from './clock.ts';
import { ExpiringCache } from './expiring-cache.ts';

/** What somebody wants of this server. */
export interface Attempt {
  readonly user: User;
  /** The HTTP method in lower case. */
  readonly verb: string;
  readonly path: string;
}

export interface AuthorizationOptions {
  /** Paths for everybody; a `*` at the end stands for anything. */
  readonly openPaths: readonly string[];
  /** Asks whether somebody may. Absent: nobody may. */
  readonly reviewAccess?: ((attempt: Attempt) => Promise<boolean>) | undefined;
  /** How long a yes and a no count, in ms. */
  readonly allowedTtlMs: number;
  readonly deniedTtlMs: number;
  readonly clock: Clock;
}

/** Members of this group may do everything. Source: Kubernetes, `user.SystemPrivilegedGroup`. */
const PRIVILEGED_GROUP = 'system:masters';

/** Decides whether an attempt is allowed (`docs/reference/ccm.md` A8). @throws what the review throws */
export function authorizer(options: AuthorizationOptions): (attempt: Attempt) => Promise<boolean> {
  const { openPaths, reviewAccess, allowedTtlMs, deniedTtlMs, clock } = options;
  const cache = new ExpiringCache<boolean>(clock, (allowed) => (allowed ? allowedTtlMs : deniedTtlMs));
  return async (attempt) => {
    if (attempt.user.groups.includes(PRIVILEGED_GROUP)) return true;
    if (openPaths.some((open) => matches(open, attempt.path))) return true;
    if (reviewAccess === undefined) return false;
    return await cache.get(JSON.stringify(attempt), () => reviewAccess(attempt));
  };
}

function matches(open: string, path: string): boolean {
  const [wanted, given] = [open, path].map((text) => text.replace(/^\//, ''));
  return wanted?.endsWith('*') ? given?.startsWith(wanted.slice(0, -1)) === true : wanted === given;
}
