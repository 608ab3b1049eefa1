import { describeError, type Logger } from '../daemon/logger.ts';
import { reviewOwnAccess, type ResourceAccess } from '../kube/auth-reviews.ts';
import type { KubeClient } from '../kube/rest.ts';
import type { ControllerName } from './options.ts';

type Client = Pick<KubeClient, 'create'>;

interface Need {
  readonly client: Client;
  readonly access: ResourceAccess;
  /** What does not work without it. */
  readonly purpose: string;
}

export interface PermissionNeeds {
  /** What the pod's own account asks with. */
  readonly shared: Client;
  /** What each controller that runs asks with; `shared` where it has no account of its own. */
  readonly controllers: ReadonlyMap<ControllerName, Client>;
  /** What the pages are guarded with; absent: they ask nobody. */
  readonly authentication: Client | undefined;
  readonly authorization: Client | undefined;
  /** Where the lease is; absent: no leader election. */
  readonly lease: { readonly namespace: string; readonly name: string } | undefined;
  /** The service accounts that controllers act as; none where they act as this pod. */
  readonly serviceAccounts: readonly string[];
}

/** What each controller writes and reads beside the shared lists (`docs/reference/ccm.md` A11). */
const OF_CONTROLLERS: Readonly<Record<ControllerName, readonly ResourceAccess[]>> = {
  node: [
    ...verbs(['get', 'update', 'patch'], { resource: 'nodes' }),
    { verb: 'patch', resource: 'nodes', subresource: 'status' },
    ...verbs(['create', 'patch'], { resource: 'events' }),
  ],
  'node-lifecycle': [
    ...verbs(['get', 'patch', 'delete'], { resource: 'nodes' }),
    ...verbs(['create', 'patch'], { resource: 'events' }),
  ],
  service: [
    { verb: 'list', resource: 'services' },
    { verb: 'patch', resource: 'services', subresource: 'status' },
    ...verbs(['create', 'patch'], { resource: 'events' }),
  ],
  route: [
    { verb: 'patch', resource: 'nodes', subresource: 'status' },
    ...verbs(['create', 'patch'], { resource: 'events' }),
  ],
};

/** Both are in the role `system:auth-delegator`. */
const TOKEN_REVIEWS: Omit<Need, 'client'> = {
  access: { verb: 'create', group: 'authentication.k8s.io', resource: 'tokenreviews' },
  purpose: 'to know who reads /metrics and /configz',
};
const ACCESS_REVIEWS: Omit<Need, 'client'> = {
  access: { verb: 'create', group: 'authorization.k8s.io', resource: 'subjectaccessreviews' },
  purpose: 'to know who may read /metrics and /configz',
};

/**
 * Asks the API server, all at once, for every right that is needed, and warns of each that is missing. Never fails: an API server that
 * does not answer such questions leaves the matter to the first request that needs the right.
 */
export async function warnOfMissingPermissions(
  needs: PermissionNeeds,
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(
    together(needed(needs)).map(async ({ client, access, purpose }) => {
      try {
        if (await reviewOwnAccess(client, access, signal)) return;
        logger.warn('A permission is missing', { ...access, purpose });
      } catch (error) {
        if (!signal.aborted)
          logger.debug(2, 'A permission cannot be checked', { ...access, reason: describeError(error) });
      }
    }),
  );
}

function needed(needs: PermissionNeeds): readonly Need[] {
  const { shared, controllers, lease, serviceAccounts, authentication, authorization } = needs;
  const own = (purpose: string, accesses: readonly ResourceAccess[]): readonly Need[] =>
    accesses.map((access) => ({ client: shared, access, purpose }));
  return [
    ...own('to see nodes', verbs(['list', 'watch'], { resource: 'nodes' })),
    ...own('to see services', controllers.has('service') ? verbs(['list', 'watch'], { resource: 'services' }) : []),
    ...own('leader election', lease === undefined ? [] : leaseAccess(lease)),
    ...own('--use-service-account-credentials', accountAccess(serviceAccounts)),
    ...(authentication === undefined ? [] : [{ client: authentication, ...TOKEN_REVIEWS }]),
    ...(authorization === undefined ? [] : [{ client: authorization, ...ACCESS_REVIEWS }]),
    ...[...controllers].flatMap(([name, client]) =>
      OF_CONTROLLERS[name].map((access) => ({ client, access, purpose: `the ${name} controller` })),
    ),
  ];
}

/** The same right of the same account is asked for once, whatever it is for. */
function together(needs: readonly Need[]): readonly Need[] {
  const merged: Need[] = [];
  for (const need of needs) {
    const text = JSON.stringify(need.access);
    const at = merged.findIndex((one) => one.client === need.client && JSON.stringify(one.access) === text);
    const same = merged[at];
    if (same === undefined) merged.push(need);
    else merged[at] = { ...same, purpose: `${same.purpose}, ${need.purpose}` };
  }
  return merged;
}

function leaseAccess({ namespace, name }: { readonly namespace: string; readonly name: string }): ResourceAccess[] {
  const leases = { group: 'coordination.k8s.io', resource: 'leases', namespace };
  return [...verbs(['get', 'update'], { ...leases, name }), { ...leases, verb: 'create' }];
}

/** By name, since a role may be limited to these accounts; the right to create cannot be. */
function accountAccess(names: readonly string[]): readonly ResourceAccess[] {
  const accounts = { resource: 'serviceaccounts', namespace: 'kube-system' };
  return [
    ...names.flatMap((name) => [
      { verb: 'get', ...accounts, name },
      { verb: 'create', ...accounts, subresource: 'token', name },
    ]),
    ...(names.length === 0 ? [] : [{ verb: 'create', ...accounts }]),
  ];
}

function verbs(names: readonly string[], access: Omit<ResourceAccess, 'verb'>): ResourceAccess[] {
  return names.map((verb) => ({ verb, ...access }));
}
