import { isDeepStrictEqual } from 'node:util';
import type { Condition, KubeObject, LoadBalancerIngress, Node, NodeAddress, Service, Taint } from './types.ts';

/*
 * Strategic merge patches as client-go would calculate them, for the few changes that controllers make
 * (docs/reference/ccm.md B3). Each answers undefined where nothing changes: then there is no request to make.
 */

/** The body of a strategic merge patch. */
export type Patch = Readonly<Record<string, unknown>>;

/** Adds a finalizer, leaving what others add meanwhile. */
export function finalizerAdded(object: KubeObject, finalizer: string): Patch | undefined {
  const present = object.metadata.finalizers ?? [];
  if (present.includes(finalizer)) return undefined;
  return { metadata: { finalizers: [finalizer], '$setElementOrder/finalizers': [...present, finalizer] } };
}

/** Removes a finalizer, leaving what others add meanwhile. */
export function finalizerRemoved(object: KubeObject, finalizer: string): Patch | undefined {
  const present = object.metadata.finalizers ?? [];
  if (!present.includes(finalizer)) return undefined;
  const rest = present.filter((other) => other !== finalizer);
  const order = rest.length === 0 ? {} : { '$setElementOrder/finalizers': rest };
  return { metadata: { '$deleteFromPrimitiveList/finalizers': [finalizer], ...order } };
}

/** Replaces all taints. Carries the node's resourceVersion, so that a stale base gives 409 (isConflict) and loses nobody's taint. */
export function taintsReplaced(node: Node, taints: readonly Taint[]): Patch | undefined {
  if (isDeepStrictEqual(node.spec?.taints ?? [], taints)) return undefined;
  return {
    metadata: { resourceVersion: node.metadata.resourceVersion },
    spec: { taints: taints.length === 0 ? null : taints },
  };
}

/** Sets labels; those of the object that are not named stay. */
export function labelsSet(object: KubeObject, labels: Readonly<Record<string, string>>): Patch | undefined {
  const present = object.metadata.labels ?? {};
  const changed = Object.entries(labels).filter(([name, value]) => present[name] !== value);
  return changed.length === 0 ? undefined : { metadata: { labels: Object.fromEntries(changed) } };
}

/** Replaces all addresses, in this order; to be sent to `nodes/status`. */
export function addressesReplaced(node: Node, addresses: readonly NodeAddress[]): Patch | undefined {
  const present = node.status?.addresses ?? [];
  if (isDeepStrictEqual(present, addresses)) return undefined;
  // The API wrongly merges this list by type, which loses one of two addresses of a type: hence the directive. As in the
  // framework only where there is a list to replace (docs/reference/ccm.md A3, "Address rules").
  return { status: { addresses: present.length === 0 ? addresses : [...addresses, { $patch: 'replace' }] } };
}

/**
 * Sets one condition, leaving the others; to be sent to `nodes/status`. Another message alone is no change: it may hold what is
 * different each time.
 */
export function conditionSet(node: Node, condition: Condition, nowMs: number): Patch | undefined {
  const present = node.status?.conditions?.find(({ type }) => type === condition.type);
  if (present?.status === condition.status && present.reason === condition.reason) return undefined;
  const now = timestamp(nowMs);
  return { status: { conditions: [{ ...condition, lastHeartbeatTime: now, lastTransitionTime: now }] } };
}

/** Sets a condition of a Service, unless it has that status already; to be sent to `services/status`. */
export function serviceConditionSet(service: Service, condition: Condition, nowMs: number): Patch | undefined {
  const present = service.status?.conditions?.find(({ type }) => type === condition.type);
  if (present?.status === condition.status) return undefined;
  return { status: { conditions: [{ message: '', ...condition, lastTransitionTime: timestamp(nowMs) }] } };
}

/** Takes a condition from a Service; to be sent to `services/status`. */
export function serviceConditionRemoved(service: Service, type: string): Patch | undefined {
  const isPresent = service.status?.conditions?.some((one) => one.type === type) ?? false;
  return isPresent ? { status: { conditions: [{ type, $patch: 'delete' }] } } : undefined;
}

/** Sets the load balancer's addresses, in this order ([] clears them); to be sent to `services/status`. */
export function loadBalancerStatus(service: Service, ingress: readonly LoadBalancerIngress[]): Patch | undefined {
  const present = service.status?.loadBalancer?.ingress ?? [];
  if (isDeepStrictEqual(present.map(withMode), ingress.map(withMode))) return undefined;
  return { status: { loadBalancer: { ingress: ingress.length === 0 ? null : ingress } } };
}

/** RFC 3339 without fractions, as the API server writes it. */
function timestamp(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}

/** As current API servers store it: they fill in the mode of an IP address, which must not look like a change. */
function withMode(ingress: LoadBalancerIngress): LoadBalancerIngress {
  return ingress.ip === undefined ? ingress : { ipMode: 'VIP', ...ingress };
}
