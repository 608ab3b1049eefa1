import { isNotFound } from '../kube/errors.ts';
import { finalizerAdded, finalizerRemoved, loadBalancerStatus, type Patch } from '../kube/patches.ts';
import { keyOf } from '../kube/reconcile.ts';
import type { KubeClient } from '../kube/rest.ts';
import type { KubeList, LoadBalancerIngress, Service } from '../kube/types.ts';
import { CLEANUP_FINALIZER } from './service-change.ts';

/** Thrown when something is about to be made, deleted or written for a Service that is no longer what the cache says. */
export class StaleService extends Error {
  override readonly name = 'StaleService';
}

/** The addresses that a Service has, which are its claim to a load balancer. */
export function ingressOf(service: Service): readonly LoadBalancerIngress[] {
  return service.status?.loadBalancer?.ingress ?? [];
}

/** Whether these are the Service's addresses, in this order. By address alone: the API server adds `ipMode` by itself. */
export function isPublished(service: Service, vips: readonly string[]): boolean {
  const ingress = ingressOf(service);
  return ingress.length === vips.length && vips.every((vip, n) => ingress[n]?.ip === vip && !ingress[n]?.hostname);
}

/**
 * What the controller writes about a load balancer to its Service: finalizer and address. Both go through the status subresource,
 * as in the framework: a role needs no more than that.
 */
export class ServiceStatus {
  readonly #kube: Pick<KubeClient, 'get' | 'patch'>;

  constructor(kube: Pick<KubeClient, 'get' | 'patch'>) {
    this.#kube = kube;
  }

  /** Puts the finalizer on, without which nothing may be made for a Service. Answers the Service as it is then. */
  async claim(service: Service, signal: AbortSignal): Promise<Service> {
    return await this.#claim(service, {}, signal);
  }

  /**
   * The same before a load balancer is made. The address of one that is gone goes as well: while it stands there, the new one would
   * not count as ours if this process died before it could write down the new address.
   *
   * @param serving addresses that stay, since something of the Service's still serves there
   */
  async claimAnew(service: Service, serving: readonly string[], signal: AbortSignal): Promise<Service> {
    const kept = ingressOf(service).filter((one) => one.ip !== undefined && serving.includes(one.ip));
    return await this.#claim(service, loadBalancerStatus(service, kept) ?? {}, signal);
  }

  async #claim(service: Service, also: Patch, signal: AbortSignal): Promise<Service> {
    try {
      return await this.#patch(service, { ...finalizerAdded(service, CLEANUP_FINALIZER), ...also }, signal);
    } catch (cause) {
      throw new Error('failed to add load balancer cleanup finalizer', { cause });
    }
  }

  /**
   * Writes down the addresses: that of the load balancer, and after it that of one of the other kind until that is gone, so that a
   * later process knows whose it is.
   * @throws StaleService
   */
  async publish(service: Service, vips: readonly string[], signal: AbortSignal): Promise<Service> {
    if (isPublished(service, vips)) return service;
    await this.assertFresh(service, signal); // right after this was written, a lagging cache would have it written again
    const ingress = vips.map((ip) => ({ ip }));
    return await this.#patch(service, loadBalancerStatus(service, ingress) ?? {}, signal);
  }

  /** Takes finalizer and address in one write: no crash can leave the one without the other. */
  async release(service: Service, signal: AbortSignal): Promise<void> {
    const patch = { ...finalizerRemoved(service, CLEANUP_FINALIZER), ...loadBalancerStatus(service, []) };
    try {
      await this.#patch(service, patch, signal);
    } catch (cause) {
      if (isNotFound(cause)) return;
      throw new Error('failed to remove load balancer cleanup finalizer', { cause });
    }
  }

  /**
   * Asks the API server, by a list, since the Go program's role does not allow to get a Service.
   * @throws StaleService when it has another version of the Service, or none
   */
  async assertFresh(service: Service, signal: AbortSignal): Promise<void> {
    const { name, namespace, resourceVersion } = service.metadata;
    const query = { fieldSelector: `metadata.name=${name}` };
    const path = `/api/v1/namespaces/${namespace}/services`;
    const { items } = await this.#kube.get<KubeList<Service>>(path, { query, signal });
    const live = items.find((one) => one.metadata.name === name);
    if (live?.metadata.resourceVersion !== resourceVersion) throw new StaleService(`${keyOf(service)} has changed`);
  }

  async #patch(service: Service, patch: Patch, signal: AbortSignal): Promise<Service> {
    if (Object.keys(patch).length === 0) return service;
    const { name, namespace } = service.metadata;
    const path = `/api/v1/namespaces/${namespace}/services/${name}/status`;
    return await this.#kube.patch<Service>(path, patch, 'strategic', { signal });
  }
}
