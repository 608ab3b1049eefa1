import { at, type KubeObject, textAt, timestamp } from './objects.ts';
import { PODS, type Resource } from './resources.ts';
import { refuse } from './status.ts';

export interface DeleteOptions {
  /** Only pods have a grace period. */
  readonly gracePeriodSeconds?: number | undefined;
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
  /** `Orphan` leaves dependents without their owner; all else deletes them as soon as the owner is gone. */
  readonly propagationPolicy?: string | undefined;
}

/** @throws StatusError 409 when the object is not the one that the client means to delete. */
export function checkPreconditions(resource: Resource, { metadata }: KubeObject, options: DeleteOptions): void {
  const { uid, resourceVersion } = options;
  if (uid !== undefined && uid !== metadata.uid) {
    const why = `the UID in the precondition (${uid}) does not match the UID in record (${metadata.uid}). The object might have been deleted and then recreated`;
    throw refuse.precondition(resource, metadata.name, why);
  }
  if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion) {
    const why = `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${metadata.resourceVersion}). The object might have been modified`;
    throw refuse.precondition(resource, metadata.name, why);
  }
}

/** How long a kubelet has to end the pod; a pod that no kubelet runs goes at once. */
function podGraceSeconds(pod: KubeObject, { gracePeriodSeconds }: DeleteOptions): number {
  const ended = ['Failed', 'Succeeded'].includes(textAt(pod, 'status', 'phase'));
  if (textAt(pod, 'spec', 'nodeName') === '' || ended) return 0;
  const own = at(pod, 'spec', 'terminationGracePeriodSeconds');
  const wanted = gracePeriodSeconds ?? (typeof own === 'number' ? own : 0);
  return wanted < 0 ? 1 : wanted;
}

/** The object with its deletion stated; the same object when that says nothing new. A grace period is only ever shortened. */
export function markForDeletion(
  resource: Resource,
  object: KubeObject,
  options: DeleteOptions,
  nowMs: number,
): KubeObject {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0, generation } = object.metadata;
  const pending = deletionTimestamp !== undefined;
  const asked = pending ? options.gracePeriodSeconds : resource === PODS ? podGraceSeconds(object, options) : 0;
  if (pending && (asked === undefined || asked >= deletionGracePeriodSeconds)) return object;
  const graceSeconds = asked ?? 0;
  const startMs = pending ? Date.parse(deletionTimestamp) - deletionGracePeriodSeconds * 1000 : nowMs;
  return {
    ...object,
    metadata: {
      ...object.metadata,
      deletionTimestamp: timestamp(Math.max(startMs + graceSeconds * 1000, nowMs)),
      deletionGracePeriodSeconds: graceSeconds,
      ...(generation === undefined || pending ? {} : { generation: generation + 1 }),
    },
  };
}

/** Its deletion was waiting for finalizers, and the last one is off. A namespace waits for its content instead. */
export function isReleased({ kind, metadata }: KubeObject): boolean {
  const waiting = metadata.deletionTimestamp !== undefined && (metadata.deletionGracePeriodSeconds ?? 0) === 0;
  return waiting && kind !== 'Namespace' && (metadata.finalizers ?? []).length === 0;
}
