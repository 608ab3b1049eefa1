import { isDeepStrictEqual } from 'node:util';
import type { Service } from '../kube/types.ts';

/** Holds a Service back until its load balancer is gone. */
export const CLEANUP_FINALIZER = 'service.kubernetes.io/load-balancer-cleanup';

/**
 * Whether a Service is to have a load balancer of ours.
 *
 * @param ownClass the `loadBalancerClass` that is served besides none; any other is another controller's
 */
export function wantsLoadBalancer(service: Service, ownClass = ''): boolean {
  if (service.spec?.type !== 'LoadBalancer') return false;
  const { loadBalancerClass } = service.spec;
  return loadBalancerClass === undefined || (loadBalancerClass !== '' && loadBalancerClass === ownClass);
}

/** Whether the Service's load balancer is to be deleted. As in the framework the class does not matter: the finalizer is ours. */
export function needsCleanup(service: Service): boolean {
  if (!(service.metadata.finalizers?.includes(CLEANUP_FINALIZER) ?? false)) return false;
  return service.metadata.deletionTimestamp !== undefined || service.spec?.type !== 'LoadBalancer';
}

/** Whether a change of a Service may call for another load balancer: the framework's test (`docs/reference/ccm.md` A5). */
export function needsUpdate(before: Service, after: Service, ownClass = ''): boolean {
  const [wanted, wants] = [wantsLoadBalancer(before, ownClass), wantsLoadBalancer(after, ownClass)];
  if (!wanted && !wants) return false;
  return wanted !== wants || !isDeepStrictEqual(whatMatters(before), whatMatters(after));
}

function whatMatters(service: Service): unknown {
  const { spec = {}, metadata } = service;
  return [
    spec.loadBalancerSourceRanges ?? [],
    (spec.ports ?? []).map((port) => [
      port.name,
      port.protocol,
      port.port,
      port.nodePort,
      port.targetPort,
      port.appProtocol,
    ]),
    spec.sessionAffinity,
    spec.sessionAffinityConfig,
    spec.loadBalancerIP,
    spec.externalIPs ?? [],
    metadata.annotations ?? {},
    metadata.uid,
    spec.externalTrafficPolicy,
    spec.healthCheckNodePort,
    spec.ipFamilies?.length ?? 0,
  ];
}
