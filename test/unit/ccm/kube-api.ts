import { KubeError } from '../../../kube/errors.ts';
import type { ChangeHandler, Informer } from '../../../kube/informer.ts';
import type { KubeClient, Query } from '../../../kube/rest.ts';
import type { KubeObject, Node, Service } from '../../../kube/types.ts';
import type { Interrupt } from './l4-cloud.ts';

type Json = Record<string, unknown>;

interface Options {
  readonly query?: Query;
  readonly signal: AbortSignal;
}

/** A collection with the cache that controllers read. The cache follows at once, unless it is made to lag. */
class Collection<T extends KubeObject> {
  readonly objects = new Map<string, T>();
  readonly cache = new Map<string, T>();
  lagging = false;
  readonly #handlers: ChangeHandler<T>[] = [];

  readonly informer: Pick<Informer<T>, 'get' | 'list' | 'onChange'> = {
    get: (key) => this.cache.get(key),
    list: () => [...this.cache.values()],
    onChange: (handler) => {
      this.#handlers.push(handler);
    },
  };

  catchUp(): void {
    for (const key of new Set([...this.objects.keys(), ...this.cache.keys()])) this.#follow(key);
  }

  /** Forgets handlers, as the death of their process does. */
  detach(): void {
    this.#handlers.length = 0;
  }

  /** Tells handlers of all that is there, as a cache does that has just filled. */
  replay(): void {
    for (const one of this.cache.values()) for (const handler of this.#handlers) handler.added?.(one);
  }

  store(key: string, object: T | undefined): void {
    if (object === undefined) this.objects.delete(key);
    else this.objects.set(key, object);
    if (!this.lagging) this.#follow(key);
  }

  #follow(key: string): void {
    const [old, current] = [this.cache.get(key), this.objects.get(key)];
    if (old === current) return;
    if (current === undefined) this.cache.delete(key);
    else this.cache.set(key, current);
    for (const handler of this.#handlers) {
      if (current === undefined) handler.deleted?.(old!, false);
      else if (old === undefined) handler.added?.(current);
      else handler.updated?.(old, current);
    }
  }
}

/** Services and Nodes with the rules of an API server that controllers depend on: versions, finalizers, merges, status. */
export class KubeApi implements Pick<KubeClient, 'get' | 'replace' | 'patch' | 'delete'> {
  readonly services = new Collection<Service>();
  readonly nodes = new Collection<Node>();
  /** Requests that took effect, as `PATCH /api/v1/…`; those that change nothing are not among them. */
  readonly writes: string[] = [];
  reads = 0;
  interrupt: Interrupt = () => {};
  #version = 0;

  addService(service: Service): void {
    this.#save(`/api/v1/namespaces/${service.metadata.namespace}/services/${service.metadata.name}`, service);
  }

  addNode(node: Node): void {
    this.#save(`/api/v1/nodes/${node.metadata.name}`, node);
  }

  service(): Service | undefined {
    return [...this.services.objects.values()][0];
  }

  node(name: string): Node | undefined {
    return this.nodes.objects.get(name);
  }

  /** What `kubectl edit` does to the one Service. */
  edit(change: (service: Service) => Service): void {
    this.addService(change(this.service()!));
  }

  /** What `kubectl delete` does to the one Service. */
  deleteService(): void {
    this.edit((one) => ({ ...one, metadata: { ...one.metadata, deletionTimestamp: '2025-01-02T03:04:05Z' } }));
  }

  async get<T>(path: string, { query }: Options): Promise<T> {
    this.reads += 1;
    await Promise.resolve();
    const { collection, key } = this.#find(path);
    const name = /^metadata\.name=(.+)$/.exec(String(query?.['fieldSelector'] ?? ''))?.[1];
    const items = [...collection.objects.values()].filter((one) => name === undefined || one.metadata.name === name);
    if (path.endsWith('/services')) return { kind: 'ServiceList', metadata: {}, items } as T;
    return (collection.objects.get(key) ?? notFound(path)) as T;
  }

  async replace<T>(path: string, body: unknown): Promise<T> {
    return await this.#write('PUT', path, (present) => {
      if ((body as KubeObject).metadata.resourceVersion !== present.metadata.resourceVersion) {
        throw new KubeError({ code: 409, reason: 'Conflict', message: 'the object has been modified' });
      }
      return body as KubeObject;
    });
  }

  async patch<T>(path: string, patch: unknown, type: string): Promise<T> {
    if (type !== 'strategic') throw new Error(`patch type ${type} is not known here`);
    return await this.#write('PATCH', path, (present) => {
      const base = (patch as Partial<KubeObject>).metadata?.resourceVersion ?? present.metadata.resourceVersion;
      if (base !== present.metadata.resourceVersion) {
        throw new KubeError({ code: 409, reason: 'Conflict', message: 'the object has been modified' });
      }
      const merged = merge(present as unknown as Json, patch as Json) as unknown as KubeObject;
      const isNew = (finalizer: string): boolean => !(present.metadata.finalizers ?? []).includes(finalizer);
      if (present.metadata.deletionTimestamp !== undefined && merged.metadata.finalizers?.some(isNew)) {
        throw new KubeError({ code: 422, reason: 'Invalid', message: 'no new finalizers can be added' });
      }
      return merged;
    });
  }

  /** Of nodes alone, and only with a UID. */
  async delete(path: string, { body }: { readonly body?: unknown }): Promise<void> {
    await Promise.resolve();
    this.interrupt('before', `DELETE ${path}`);
    const { key } = this.#find(path);
    const present = this.nodes.objects.get(key) ?? notFound(path);
    const uid = (body as { preconditions?: { uid?: string } } | undefined)?.preconditions?.uid;
    if (uid !== present.metadata.uid) throw new KubeError({ code: 409, reason: 'Conflict', message: 'another UID' });
    this.nodes.store(key, undefined);
    this.writes.push(`DELETE ${path}`);
    this.interrupt('after', `DELETE ${path}`);
  }

  async #write<T>(method: string, path: string, change: (present: KubeObject) => KubeObject): Promise<T> {
    await Promise.resolve();
    this.interrupt('before', `${method} ${path}`);
    const { collection, key } = this.#find(path);
    const present = collection.objects.get(key) ?? notFound(path);
    const changed = change(present);
    const saved = JSON.stringify(changed) === JSON.stringify(present) ? present : this.#save(path, changed);
    if (saved !== present) this.writes.push(`${method} ${path}`);
    this.interrupt('after', `${method} ${path}`);
    return saved as T;
  }

  #save(path: string, object: KubeObject): KubeObject {
    const { collection, key } = this.#find(path);
    const metadata = { ...object.metadata, resourceVersion: String(++this.#version) };
    const saved = { apiVersion: 'v1', kind: path.includes('/services/') ? 'Service' : 'Node', ...object, metadata };
    const isGone = metadata.deletionTimestamp !== undefined && (metadata.finalizers ?? []).length === 0;
    (collection as Collection<KubeObject>).store(key, isGone ? undefined : saved);
    return saved;
  }

  #find(path: string): { readonly collection: Collection<Service> | Collection<Node>; readonly key: string } {
    const [, namespace, service] = /^\/api\/v1\/namespaces\/([^/]+)\/services(?:\/([^/]+))?/.exec(path) ?? [];
    if (namespace !== undefined) return { collection: this.services, key: `${namespace}/${service}` };
    return { collection: this.nodes, key: /^\/api\/v1\/nodes\/([^/]+)/.exec(path)?.[1] ?? notFound(path) };
  }
}

/** Strategic merge of what controllers send: finalizers as a set, conditions by type, addresses by directive, all other lists atomic. */
function merge(present: Json, patch: Json): Json {
  const result: Json = { ...present };
  for (const [name, value] of Object.entries(patch)) {
    const list = (present[name] ?? []) as unknown[];
    if (name.startsWith('$deleteFromPrimitiveList/')) {
      const target = name.slice(name.indexOf('/') + 1);
      result[target] = ((present[target] ?? []) as unknown[]).filter((one) => !(value as unknown[]).includes(one));
    } else if (name.startsWith('$')) {
      continue;
    } else if (value === null) {
      delete result[name];
    } else if (name === 'finalizers') {
      result[name] = [...new Set([...list, ...(value as unknown[])])];
    } else if (name === 'conditions') {
      const types = (value as Json[]).map(({ type }) => type);
      const set = (value as Json[]).filter((one) => one['$patch'] !== 'delete');
      result[name] = [...list.filter((one) => !types.includes((one as Json)['type'])), ...set];
    } else if (Array.isArray(value)) {
      result[name] = value.filter((one: Json) => !('$patch' in one));
    } else {
      result[name] = typeof value === 'object' ? merge((present[name] ?? {}) as Json, value as Json) : value;
    }
  }
  return result;
}

function notFound(path: string): never {
  throw new KubeError({ code: 404, reason: 'NotFound', message: `${path} not found` });
}
