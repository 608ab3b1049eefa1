import { PODS, type Resource, RESOURCES, SERVICE_ACCOUNTS } from './resources.ts';

/** What the path of a request is about. */
export interface Route {
  readonly resource: Resource;
  /** `''`: a cluster-scoped resource, or all namespaces. */
  readonly namespace: string;
  /** `''`: the collection. */
  readonly name: string;
  readonly subresource: '' | 'status' | 'binding' | 'token';
}

/**
 * Finds the resource that a path names.
 * @param path the decoded segments of `/api/v1/…` or `/apis/<group>/<version>/…`.
 * @returns `'no-group'` when there is no such group and version, `'no-resource'` when it has no such resource.
 */
export function route(path: readonly string[]): Route | 'no-group' | 'no-resource' {
  const [group = '', version] = path[0] === 'api' ? ['', path[1]] : [path[1], path[2]];
  const rest = path.slice(path[0] === 'api' ? 2 : 3);
  const served = RESOURCES.filter((resource) => resource.group === group && resource.version === version);
  if (!['api', 'apis'].includes(path[0] ?? '') || served.length === 0) return 'no-group';

  const inNamespace =
    rest[0] === 'namespaces' && served.some((resource) => resource.namespaced && resource.plural === rest[2]);
  const [namespace = '', plural, name = '', sub = '', ...more] = inNamespace ? rest.slice(1) : ['', ...rest];
  // `/pods` is the collection of all namespaces; a single pod has no path without its namespace.
  const resource = served.find((one) => one.plural === plural && (one.namespaced === inNamespace || name === ''));
  if (resource === undefined || more.length > 0 || name.includes('/')) return 'no-resource';
  const subresource = subresourcesOf(resource).find((one) => one === sub);
  return subresource === undefined ? 'no-resource' : { resource, namespace, name, subresource };
}

function subresourcesOf(resource: Resource): Route['subresource'][] {
  return [
    '',
    ...(resource.hasStatus ? (['status'] as const) : []),
    ...(resource === PODS ? (['binding'] as const) : []),
    ...(resource === SERVICE_ACCOUNTS ? (['token'] as const) : []),
  ];
}
