import type { JsonObject } from './objects.ts';
import { PODS, type Resource, RESOURCES, SERVICE_ACCOUNTS } from './resources.ts';

/** What `/version` says. The minor is that of the server whose behaviour is copied. */
const VERSION: JsonObject = {
  major: '1',
  minor: '36',
  gitVersion: 'v1.36.3+simulator',
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: '',
  compiler: '',
  platform: '',
};

const COLLECTION_VERBS = ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'];

/** The document at a path of discovery (unaggregated, which every client falls back to), `undefined` for other paths. */
export function discover(path: readonly string[]): JsonObject | undefined {
  const [root, group = '', version] = path;
  if (path.length === 1 && root === 'version') return VERSION;
  if (path.length === 1 && root === 'api') return { kind: 'APIVersions', versions: ['v1'] };
  if (path.length === 2 && root === 'api' && group === 'v1') return resourceList('', 'v1');
  if (root !== 'apis' || path.length > 3) return undefined;
  const groups = [...new Set(RESOURCES.map((resource) => resource.group))].filter((name) => name !== '');
  if (path.length === 1) return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map(groupEntry) };
  if (!groups.includes(group)) return undefined;
  if (version === undefined) return { kind: 'APIGroup', apiVersion: 'v1', ...groupEntry(group) };
  return version === 'v1' ? resourceList(group, version) : undefined;
}

function groupEntry(name: string): JsonObject {
  const version = { groupVersion: `${name}/v1`, version: 'v1' };
  return { name, versions: [version], preferredVersion: version };
}

function resourceList(group: string, version: string): JsonObject {
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: group === '' ? version : `${group}/${version}`,
    resources: RESOURCES.filter((resource) => resource.group === group).flatMap(resourceEntries),
  };
}

function resourceEntries(resource: Resource): JsonObject[] {
  const { plural, kind, namespaced, shortNames, inAll } = resource;
  const subresource = (name: string, of: string, verbs: string[]): JsonObject => ({
    name: `${plural}/${name}`,
    singularName: '',
    namespaced,
    kind: of,
    verbs,
  });
  return [
    {
      name: plural,
      singularName: kind.toLowerCase(),
      namespaced,
      kind,
      verbs: COLLECTION_VERBS,
      ...(shortNames.length === 0 ? {} : { shortNames: [...shortNames] }),
      ...(inAll ? { categories: ['all'] } : {}),
    },
    ...(resource === PODS ? [subresource('binding', 'Binding', ['create'])] : []),
    ...(resource === SERVICE_ACCOUNTS
      ? [{ ...subresource('token', 'TokenRequest', ['create']), group: 'authentication.k8s.io', version: 'v1' }]
      : []),
    ...(resource.hasStatus ? [subresource('status', kind, ['get', 'patch', 'update'])] : []),
  ];
}
