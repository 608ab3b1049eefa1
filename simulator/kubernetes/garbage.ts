import { type KubeObject, objectsIn, textAt } from './objects.ts';
import { collectionOf, type Resource, RESOURCES } from './resources.ts';
import type { Store } from './store.ts';

/*
 * What has to go when something else goes. A real cluster has controllers for this; here the server does it in the same
 * request, since deployments deleted by kubectl and namespaces deleted by tests should not stay half there for ever.
 */

export interface Placed {
  readonly resource: Resource;
  readonly object: KubeObject;
}

/** Objects that name the owner with this uid. */
export function dependentsOf(store: Store, uid: string): Placed[] {
  return select(store, (_, object) => ownersOf(object).includes(uid));
}

/** None of the owners that it names exists any more. */
export function isOrphan(store: Store, object: KubeObject): boolean {
  const owners = ownersOf(object);
  return owners.length > 0 && select(store, (_, one) => owners.includes(one.metadata.uid)).length === 0;
}

export function contentsOf(store: Store, namespace: string): Placed[] {
  return select(store, (resource, object) => resource.namespaced && object.metadata.namespace === namespace);
}

/** The object without its references to this owner. */
export function withoutOwner(object: KubeObject, uid: string): KubeObject {
  const { ownerReferences, ...metadata } = object.metadata;
  const others = objectsIn(ownerReferences).filter((owner) => owner['uid'] !== uid);
  return { ...object, metadata: { ...metadata, ...(others.length === 0 ? {} : { ownerReferences: others }) } };
}

export function isTerminating(namespace: KubeObject | undefined): boolean {
  return textAt(namespace, 'metadata', 'deletionTimestamp') !== '';
}

/** Namespaces that can't be deleted. */
export const IMMORTAL_NAMESPACES: readonly string[] = ['default', 'kube-system', 'kube-public'];
/** Namespaces that are there from the start. */
export const INITIAL_NAMESPACES: readonly string[] = [...IMMORTAL_NAMESPACES, 'kube-node-lease'];

function ownersOf(object: KubeObject): string[] {
  return objectsIn(object.metadata['ownerReferences']).map((owner) => textAt(owner, 'uid'));
}

function select(store: Store, wanted: (resource: Resource, object: KubeObject) => boolean): Placed[] {
  return RESOURCES.flatMap((resource) =>
    [...store.values(collectionOf(resource))]
      .filter((object) => wanted(resource, object))
      .map((object) => ({ resource, object })),
  );
}
