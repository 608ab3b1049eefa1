import { readFile } from 'node:fs/promises';
import { parseAllDocuments } from 'yaml';
import type { KubeClient } from '../kube/rest.ts';
import { isNotFound } from '../kube/errors.ts';
import type { KubeObject } from '../kube/types.ts';

/** An object as the demo handles it: identity, and whatever else its kind has. */
export interface Resource extends KubeObject {
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
}

/** The path of the collection of each kind the demo touches. */
const COLLECTIONS: Readonly<Record<string, (namespace: string) => string>> = {
  Node: () => '/api/v1/nodes',
  PersistentVolume: () => '/api/v1/persistentvolumes',
  CSINode: () => '/apis/storage.k8s.io/v1/csinodes',
  StorageClass: () => '/apis/storage.k8s.io/v1/storageclasses',
  VolumeAttachment: () => '/apis/storage.k8s.io/v1/volumeattachments',
  Deployment: (namespace) => `/apis/apps/v1/namespaces/${namespace}/deployments`,
  PersistentVolumeClaim: (namespace) => `/api/v1/namespaces/${namespace}/persistentvolumeclaims`,
  Pod: (namespace) => `/api/v1/namespaces/${namespace}/pods`,
  Service: (namespace) => `/api/v1/namespaces/${namespace}/services`,
  Event: (namespace) => `/api/v1/namespaces/${namespace}/events`,
};

const NAMESPACE = 'default';

/** The cluster as the demo's roles use it: kinds and names instead of paths. */
export class Cluster {
  readonly #client: KubeClient;
  readonly #signal: AbortSignal;

  constructor(client: KubeClient, signal: AbortSignal) {
    this.#client = client;
    this.#signal = signal;
  }

  /** @throws KubeError with 404 when there is none. */
  async get<T extends KubeObject = Resource>(kind: string, name: string): Promise<T> {
    return await this.#client.get<T>(path(kind, name), { signal: this.#signal });
  }

  async exists(kind: string, name: string): Promise<boolean> {
    try {
      await this.get(kind, name);
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  async list<T extends KubeObject = Resource>(kind: string): Promise<readonly T[]> {
    return (await this.#client.get<{ items: readonly T[] }>(path(kind), { signal: this.#signal })).items;
  }

  async create<T extends KubeObject = Resource>(object: Record<string, unknown> & { kind: string }): Promise<T> {
    return await this.#client.create<T>(path(object.kind), object, { signal: this.#signal });
  }

  /** A merge patch; of the status subresource when `subresource` says so. */
  async patch(kind: string, name: string, patch: object, subresource = ''): Promise<void> {
    await this.#client.patch(path(kind, name) + subresource, patch, 'merge', { signal: this.#signal });
  }

  /** The scheduler's decision, through the binding subresource. */
  async bind(pod: string, node: string): Promise<void> {
    const binding = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name: pod },
      target: { apiVersion: 'v1', kind: 'Node', name: node },
    };
    await this.#client.create(`${path('Pod', pod)}/binding`, binding, { signal: this.#signal });
  }

  /** Deletes at once, as a kubelet's final delete does. */
  async delete(kind: string, name: string): Promise<void> {
    await this.#client.delete(path(kind, name), { body: { gracePeriodSeconds: 0 }, signal: this.#signal });
  }

  /** Creates every object of a manifest, in its order. */
  async apply(manifest: URL): Promise<void> {
    for (const document of parseAllDocuments(await readFile(manifest, 'utf8'))) {
      await this.create(document.toJS() as Record<string, unknown> & { kind: string });
    }
  }
}

function path(kind: string, name?: string): string {
  const collection = COLLECTIONS[kind];
  if (collection === undefined) throw new Error(`the demo does not handle objects of kind ${kind}`);
  return collection(NAMESPACE) + (name === undefined ? '' : `/${encodeURIComponent(name)}`);
}
