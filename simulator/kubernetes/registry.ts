import type { Clock } from '../../daemon/clock.ts';
import { decode, type Part, partOf, placeIn, unreadable } from './decode.ts';
import { checkPreconditions, type DeleteOptions, isReleased, markForDeletion } from './deletion.ts';
import {
  contentsOf,
  dependentsOf,
  IMMORTAL_NAMESPACES,
  INITIAL_NAMESPACES,
  isOrphan,
  isTerminating,
  withoutOwner,
} from './garbage.ts';
import { shapeOf } from './merge-keys.ts';
import {
  at,
  equal,
  isObject,
  type Json,
  type JsonObject,
  type KubeObject,
  objectsIn,
  section,
  textAt,
  timestamp,
} from './objects.ts';
import { applyPatch, type PatchType } from './patch.ts';
import { collectionOf, NAMESPACES, PODS, type Resource, SERVICES, type World } from './resources.ts';
import { KUBERNETES_CLUSTER_IP } from './services.ts';
import { field, refuse, success } from './status.ts';
import { keyOf, type Store } from './store.ts';
import { issueToken } from './tokens.ts';
import { validateMetadata, validateMetadataChange } from './validation.ts';

/** Which object a request is about. */
export interface Target {
  readonly resource: Resource;
  /** `''` for a cluster-scoped object. */
  readonly namespace: string;
  readonly name: string;
}

/** Letters of generated names (apimachinery `rand.String`: no vowels, so no words). */
const NAME_LETTERS = 'bcdfghjklmnpqrstvwxz2456789';

/**
 * The verbs that change objects, with the rules that all kinds share; those of one kind stand in its row of the table.
 * Every verb is one step: nothing else happens between what it reads and what it writes.
 */
export class Registry {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #random: () => number;

  constructor(store: Store, clock: Clock, random: () => number) {
    this.#store = store;
    this.#clock = clock;
    this.#random = random;
  }

  /** Makes what every cluster has: its first namespaces and the Service of the API itself. Safe to repeat. */
  seed(port: number): void {
    const missing = (target: Target): boolean => this.#find(target) === undefined;
    for (const name of INITIAL_NAMESPACES) {
      const target = { resource: NAMESPACES, namespace: '', name };
      if (missing(target)) this.create(target, { metadata: { name } });
    }
    const target = { resource: SERVICES, namespace: 'default', name: 'kubernetes' };
    if (!missing(target)) return;
    this.create(target, {
      metadata: { name: target.name, labels: { component: 'apiserver', provider: 'kubernetes' } },
      spec: { clusterIP: KUBERNETES_CLUSTER_IP, ports: [{ name: 'https', port: 443, targetPort: port }] },
    });
  }

  /** @throws StatusError 404. */
  get(target: Target): KubeObject {
    const found = this.#find(target);
    if (found === undefined) throw refuse.notFound(target.resource, target.name);
    return found;
  }

  /** POST; the name of the target is not looked at. */
  create({ resource, namespace }: Omit<Target, 'name'>, body: JsonObject): KubeObject {
    const object = decode(resource, body, unreadable(resource));
    const { metadata } = object;
    placeIn(object, namespace);
    if (textAt(metadata, 'resourceVersion') !== '') {
      throw refuse.internal('resourceVersion should not be set on objects to be created');
    }
    if (textAt(metadata, 'name') === '') metadata.name = this.#generateName(resource, textAt(metadata, 'generateName'));
    this.#checkNamespace(resource, namespace, metadata.name);

    resource.fillDefaults(object);
    for (const key of ['deletionTimestamp', 'deletionGracePeriodSeconds', 'generation']) delete metadata[key];
    metadata.uid = this.#newUid();
    metadata.creationTimestamp = timestamp(this.#clock.now());
    if (resource.generationOf !== undefined) metadata.generation = 1;
    if (resource.initialStatus !== undefined) object['status'] = resource.initialStatus(this.#world());
    if (this.#find({ resource, namespace, name: metadata.name }) !== undefined) {
      throw refuse.alreadyExists(resource, metadata.name);
    }
    resource.reconcile(object, undefined, this.#world());
    const errors = [...validateMetadata(object, resource.names), ...resource.validate(object, undefined)];
    if (errors.length > 0) throw refuse.invalid(resource, metadata.name, errors);
    return this.#store.put(collectionOf(resource), object);
  }

  /** PUT. `created` when the kind may be made by PUT and there was none. */
  replace(target: Target, part: Part, body: JsonObject): { readonly object: KubeObject; readonly created: boolean } {
    const { resource, namespace, name } = target;
    const object = decode(resource, body, unreadable(resource));
    const stated = textAt(object, 'metadata', 'name');
    if (stated === '') {
      throw refuse.badRequest(
        `the name of the object (${name} based on URL) was undeterminable: name must be provided`,
      );
    }
    placeIn(object, namespace);
    if (this.#find(target) === undefined && resource.createOnUpdate && part === 'main' && stated === name) {
      return { object: this.create(target, body), created: true };
    }
    const updated = this.#update(target, part, (current) => {
      const uid = textAt(object, 'metadata', 'uid');
      if (uid !== '' && uid !== current.metadata.uid) {
        const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${current.metadata.uid}`;
        throw refuse.conflict(resource, name, why);
      }
      if (textAt(object, 'metadata', 'resourceVersion') === '' && !resource.unconditionalUpdate) {
        throw refuse.versionRequired(resource, name);
      }
      return object;
    });
    return { object: updated, created: false };
  }

  patch(target: Target, part: Part, type: PatchType, patch: Json): KubeObject {
    const { resource } = target;
    return this.#update(target, part, (current) => {
      const patched = applyPatch(type, current, patch, shapeOf(resource.kind));
      if (!isObject(patched)) throw refuse.invalidPatch(patched, 'it is no object');
      return decode(resource, patched, (why) => refuse.invalidPatch(patched, why));
    });
  }

  /** DELETE: the object as it is now if it has to wait for finalizers or its kubelet, else what the kind answers. */
  delete(target: Target, options: DeleteOptions = {}): JsonObject {
    const { resource, name } = target;
    const object = this.get(target);
    checkPreconditions(resource, object, options);
    if (resource === NAMESPACES) return this.#deleteNamespace(object);

    const hasFinalizers = (object.metadata.finalizers ?? []).length > 0;
    const marked = markForDeletion(resource, object, options, this.#clock.now());
    let kept = object;
    if (marked !== object && (hasFinalizers || resource === PODS)) {
      kept = this.#store.put(collectionOf(resource), marked);
    }
    if (options.propagationPolicy === 'Orphan') this.#orphanDependents(object.metadata.uid);
    if (hasFinalizers || (marked.metadata.deletionGracePeriodSeconds ?? 0) > 0) return kept;

    const gone = this.#remove(target);
    if (resource.returnsDeleted) return gone;
    const group = resource.group === '' ? {} : { group: resource.group };
    return success({ name, ...group, kind: resource.plural, uid: object.metadata.uid });
  }

  /** POST to a pod's `binding`: the scheduler's decision. */
  bind(target: Target, body: Json): JsonObject {
    const pod = this.get(target);
    const node = textAt(body, 'target', 'name');
    if (textAt(body, 'metadata', 'name') !== target.name) {
      throw refuse.badRequest('name in URL does not match name in Binding object');
    }
    if (node === '') throw refuse.internal('target.name: Required value');
    const binding = { ...PODS, plural: 'pods/binding' };
    const bound = textAt(pod, 'spec', 'nodeName');
    if (pod.metadata.deletionTimestamp !== undefined) {
      throw refuse.conflict(binding, target.name, `pod ${target.name} is being deleted, cannot be assigned to a host`);
    }
    if (bound !== '') {
      throw refuse.conflict(binding, target.name, `pod ${target.name} is already assigned to node "${bound}"`);
    }
    const scheduled = { type: 'PodScheduled', status: 'True', lastTransitionTime: timestamp(this.#clock.now()) };
    const others = objectsIn(at(pod, 'status', 'conditions')).filter((one) => one['type'] !== scheduled.type);
    this.#store.put(collectionOf(PODS), {
      ...pod,
      spec: { ...section({ ...pod }, 'spec'), nodeName: node },
      status: { ...section({ ...pod }, 'status'), conditions: [...others, scheduled] },
    });
    return success(undefined, 201);
  }

  /** POST to a ServiceAccount's `token`. */
  issueToken(target: Target, request: JsonObject): JsonObject {
    return issueToken(this.get(target), request, this.#clock.now(), this.#random);
  }

  #find({ resource, namespace, name }: Target): KubeObject | undefined {
    return this.#store.get(collectionOf(resource), keyOf(namespace, name));
  }

  #world(): World {
    return {
      list: (resource) => [...this.#store.values(collectionOf(resource))],
      nowMs: this.#clock.now(),
      random: this.#random,
    };
  }

  /** The steps that PUT and PATCH share. `change` gets a stored object and must not touch it. */
  #update(target: Target, part: Part, change: (current: KubeObject) => KubeObject): KubeObject {
    const { resource, namespace, name } = target;
    const current = this.get(target);
    const object = change(current);
    const { metadata } = object;
    if (metadata.name !== name) {
      throw refuse.badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${name})`);
    }
    placeIn(object, namespace);
    const version = metadata.resourceVersion ?? '';
    if (version !== '' && version !== current.metadata.resourceVersion) throw refuse.modified(resource, name);

    resource.fillDefaults(object);
    const errors = validateMetadataChange(object, current);
    const next = partOf(part, object, current, resource);
    if (part === 'main') resource.reconcile(next, current, this.#world());
    errors.push(...validateMetadata(next, resource.names), ...resource.validate(next, current));
    if (errors.length > 0) throw refuse.invalid(resource, name, errors);

    const { generation } = current.metadata;
    const counts = part === 'main' && generation !== undefined;
    if (counts && !equal(resource.generationOf?.(next), resource.generationOf?.(current))) {
      next.metadata.generation = generation + 1;
    }
    if (isReleased(next)) {
      // The real server, too, shows the emptied object here and the one before in the watch.
      this.#remove(target);
      return next;
    }
    if (equal(next, current)) return current;
    const stored = this.#store.put(collectionOf(resource), next);
    if (resource === NAMESPACES) this.#finishNamespace(name);
    return stored;
  }

  /** Takes an object away, and with it what depended on it alone. */
  #remove(target: Target): KubeObject {
    const gone = this.#store.remove(collectionOf(target.resource), keyOf(target.namespace, target.name));
    if (gone === undefined) throw refuse.notFound(target.resource, target.name);
    for (const { resource, object } of dependentsOf(this.#store, gone.metadata.uid)) {
      if (isOrphan(this.#store, object)) this.#deleteIfThere(resource, object);
    }
    this.#finishNamespace(target.namespace);
    return gone;
  }

  #deleteIfThere(resource: Resource, { metadata }: KubeObject): void {
    const target = { resource, namespace: metadata.namespace ?? '', name: metadata.name };
    if (this.#find(target)?.metadata.uid === metadata.uid) this.delete(target);
  }

  #orphanDependents(uid: string): void {
    for (const { resource, object } of dependentsOf(this.#store, uid)) {
      this.#store.put(collectionOf(resource), withoutOwner(object, uid));
    }
  }

  #deleteNamespace(namespace: KubeObject): KubeObject {
    const { name } = namespace.metadata;
    if (IMMORTAL_NAMESPACES.includes(name)) {
      throw refuse.forbidden(NAMESPACES, name, 'this namespace may not be deleted');
    }
    if (isTerminating(namespace)) return namespace;
    const terminating = this.#store.put(collectionOf(NAMESPACES), {
      ...namespace,
      metadata: { ...namespace.metadata, deletionTimestamp: timestamp(this.#clock.now()) },
      status: { phase: 'Terminating' },
    });
    for (const { resource, object } of contentsOf(this.#store, name)) this.#deleteIfThere(resource, object);
    this.#finishNamespace(name);
    return terminating;
  }

  /** A terminating namespace goes with the last thing in it. */
  #finishNamespace(name: string): void {
    const target = { resource: NAMESPACES, namespace: '', name };
    const namespace = this.#find(target);
    if (!isTerminating(namespace) || contentsOf(this.#store, name).length > 0) return;
    if ((namespace?.metadata.finalizers ?? []).length === 0) this.#remove(target);
  }

  #checkNamespace(resource: Resource, name: string, object: string): void {
    if (!resource.namespaced) return;
    const namespace = this.get({ resource: NAMESPACES, namespace: '', name });
    if (!isTerminating(namespace)) return;
    const why = `unable to create new content in namespace ${name} because it is being terminated`;
    throw refuse.forbidden(resource, object, why, [
      {
        reason: 'NamespaceTerminating',
        message: `namespace ${name} is being terminated`,
        field: 'metadata.namespace',
      },
    ]);
  }

  #generateName(resource: Resource, prefix: string): string {
    if (prefix === '') {
      throw refuse.invalid(resource, '', [field.required('metadata.name', 'name or generateName is required')]);
    }
    const letter = (): string => NAME_LETTERS.charAt(Math.floor(this.#random() * NAME_LETTERS.length));
    return prefix + Array.from({ length: 5 }, letter).join('');
  }

  /** A UUID of version 4. */
  #newUid(): string {
    const digits = Array.from({ length: 32 }, () => Math.floor(this.#random() * 16).toString(16)).join('');
    return digits.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, '$1-$2-4$3-a$4-$5');
  }
}
