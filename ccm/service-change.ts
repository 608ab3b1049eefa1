import { isDeepStrictEqual } from 'node:util';
import type { Service } from '../kube/types.ts';

/** Holds a Service back until its load balancer is gone. */
export const CLEANUP_FINALIZER = 'service.kubernetes.io/load-balancer-cleanup';

/** A Service with a loadBalancerClass is another controller's. */
export function wantsLoadBalancer(service: Service): boolean {
  return service.spec?.type === 'LoadBalancer' && service.spec.loadBalancerClass === undefined;
}

/** Whether the Service's load balancer is to be deleted. */
export function needsCleanup(service: Service): boolean {
  if (!(service.metadata.finalizers?.includes(CLEANUP_FINALIZER) ?? false)) return false;
  return service.metadata.deletionTimestamp !== undefined || service.spec?.type !== 'LoadBalancer';
}

/** Whether a change of a Service may call for another load balancer: the framework's test (`docs/reference/ccm.md` A5). */
export function needsUpdate(before: Service, after: Service): boolean {
  if (!wantsLoadBalancer(before) && !wantsLoadBalancer(after)) return false;
  return !isDeepStrictEqual(whatMatters(before), whatMatters(after));
}

function whatMatters(service: Service): unknown {
  const { spec = {}, metadata } = service;
  return [
    wantsLoadBalancer(service),
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
