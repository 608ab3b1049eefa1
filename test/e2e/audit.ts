import { readFile } from 'node:fs/promises';
import { parseAllDocuments } from 'yaml';

/** A request that was answered, as the audit log of kube-apiserver has it. */
interface AuditEvent {
  readonly verb: string;
  readonly userAgent?: string;
  readonly user: { readonly username: string };
  readonly objectRef?: {
    readonly apiGroup?: string;
    readonly resource: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
  readonly annotations?: Readonly<Record<string, string>>;
  readonly requestReceivedTimestamp: string;
}

/** What somebody did, or tried to. */
export interface Request {
  /** `NAMESPACE:NAME` of the service account. */
  readonly account: string;
  /** The user agent up to the version. */
  readonly program: string;
  readonly verb: string;
  readonly apiGroup: string;
  /** With its subresource. */
  readonly resource: string;
  readonly name: string;
  readonly isRefused: boolean;
  readonly atMs: number;
}

/** The requests of service accounts about objects. */
export async function requestsOf(auditLog: string): Promise<readonly Request[]> {
  const lines = (await readFile(auditLog, 'utf8')).split('\n');
  return lines
    .filter((line) => line.includes('"system:serviceaccount:'))
    .map((line) => JSON.parse(line) as AuditEvent)
    .flatMap(({ verb, userAgent = '', user, objectRef, annotations, requestReceivedTimestamp }) =>
      objectRef === undefined
        ? []
        : {
            account: user.username.replace('system:serviceaccount:', ''),
            program: userAgent.replace(/\/.*/, ''),
            verb,
            apiGroup: objectRef.apiGroup ?? '',
            resource: [objectRef.resource, objectRef.subresource].filter((part) => part !== undefined).join('/'),
            name: objectRef.name ?? '',
            // Not by the status: a namespace that is being deleted takes nothing new, and says 403, too.
            isRefused: annotations?.['authorization.k8s.io/decision'] === 'forbid',
            atMs: Date.parse(requestReceivedTimestamp),
          },
    );
}

/** One verb on one resource that a role grants to an account. */
export interface Right {
  readonly account: string;
  readonly role: string;
  readonly verb: string;
  readonly apiGroup: string;
  readonly resource: string;
  /** Empty: of every object. */
  readonly names: readonly string[];
}

interface RbacObject {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly rules?: readonly {
    readonly apiGroups: readonly string[];
    readonly resources: readonly string[];
    readonly verbs: readonly string[];
    readonly resourceNames?: readonly string[];
  }[];
  readonly roleRef?: { readonly kind: string; readonly name: string };
  readonly subjects?: readonly { readonly name: string; readonly namespace: string }[];
}

/** Every right that the roles and bindings of a manifest grant. */
export function rightsIn(manifest: string): readonly Right[] {
  const objects = parseAllDocuments(manifest).map((document) => document.toJS() as RbacObject);
  return objects.flatMap(({ roleRef, subjects = [] }) => {
    const role = objects.find(({ kind, metadata }) => kind === roleRef?.kind && metadata.name === roleRef.name);
    return subjects.flatMap(({ namespace, name }) =>
      (role?.rules ?? []).flatMap(({ apiGroups, resources, verbs, resourceNames = [] }) =>
        apiGroups.flatMap((apiGroup) =>
          resources.flatMap((resource) =>
            verbs.map((verb) => ({
              account: `${namespace}:${name}`,
              role: role?.metadata.name ?? '',
              verb,
              apiGroup,
              resource,
              names: resourceNames,
            })),
          ),
        ),
      ),
    );
  });
}

export function covers(right: Right, request: Request): boolean {
  return (
    right.account === request.account &&
    right.verb === request.verb &&
    right.apiGroup === request.apiGroup &&
    right.resource === request.resource &&
    (right.names.length === 0 || right.names.includes(request.name))
  );
}

/** For people: `verb group/resource`. */
export function describe({ verb, apiGroup, resource }: Pick<Right, 'verb' | 'apiGroup' | 'resource'>): string {
  return `${verb} ${[apiGroup, resource].filter((part) => part !== '').join('/')}`;
}
