import { list } from './list.ts';
import type { JsonObject } from './objects.ts';
import { PATCH_TYPES } from './patch.ts';
import type { Registry } from './registry.ts';
import { type ApiRequest, deleteOptions, listRequest, parseJson, readObject } from './requests.ts';
import type { Route } from './routes.ts';
import { refuse } from './status.ts';
import type { Store } from './store.ts';

type Verb = 'list' | 'create' | 'get' | 'replace' | 'patch' | 'delete' | 'bind' | 'issue';

/** What a method means, by what the path names. */
const VERBS: Readonly<
  Record<'collection' | 'object' | 'status' | 'binding' | 'token', Readonly<Record<string, Verb>>>
> = {
  collection: { GET: 'list', POST: 'create' },
  object: { GET: 'get', PUT: 'replace', PATCH: 'patch', DELETE: 'delete' },
  status: { GET: 'get', PUT: 'replace', PATCH: 'patch' },
  binding: { POST: 'bind' },
  token: { POST: 'issue' },
};

const TOKEN_REQUEST = { kind: 'TokenRequest' };

interface Answer {
  readonly code: number;
  readonly object: JsonObject;
}

/** Does what a request asks for. @throws StatusError for every other outcome than success. */
export function perform(registry: Registry, store: Store, route: Route, request: ApiRequest): Answer {
  const { resource, namespace, name, subresource } = route;
  const { query, body } = request;
  if (query.has('dryRun')) throw refuse.badRequest('dryRun is not supported by the embedded API server');
  const verb = VERBS[subresource || (name === '' ? 'collection' : 'object')][request.method];
  const part = subresource === 'status' ? 'status' : 'main';
  switch (verb) {
    case 'list':
      return { code: 200, object: list(store, listRequest(route, query)) };
    case 'create':
      if (resource.namespaced && namespace === '') throw refuse.methodNotAllowed();
      return { code: 201, object: registry.create(route, readObject(request, resource)) };
    case 'get':
      return { code: 200, object: registry.get(route) };
    case 'replace': {
      const { object, created } = registry.replace(route, part, readObject(request, resource));
      return { code: created ? 201 : 200, object };
    }
    case 'patch': {
      const type = PATCH_TYPES[request.mediaType];
      if (type === undefined) throw refuse.unsupportedMediaType(Object.keys(PATCH_TYPES));
      return { code: 200, object: registry.patch(route, part, type, parseJson(body, 'error decoding patch: ')) };
    }
    case 'delete':
      return { code: 200, object: registry.delete(route, deleteOptions(query, body)) };
    case 'bind':
      return { code: 201, object: registry.bind(route, readObject(request, resource)) };
    case 'issue':
      return { code: 201, object: registry.issueToken(route, readObject(request, TOKEN_REQUEST)) };
    default:
      throw refuse.methodNotAllowed();
  }
}
