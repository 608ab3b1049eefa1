import { isNotFound } from '../kube/errors.ts';
import { finalizerAdded, finalizerRemoved, loadBalancerStatus, type Patch } from '../kube/patches.ts';
import { keyOf } from '../kube/reconcile.ts';
import type { KubeClient } from '../kube/rest.ts';
import type { KubeList, LoadBalancerIngress, Service } from '../kube/types.ts';
import type { L4LoadBalancer } from '../nifcloud/l4-load-balancers.ts';
import { CLEANUP_FINALIZER } from './service-change.ts';

/** Thrown when something is about to be made, deleted or written for a Service that is no longer what the cache says. */
export class StaleService extends Error {
  override readonly name = 'StaleService';
}

/** The addresses that a Service has, which are its claim to a load balancer. */
export function ingressOf(service: Service): readonly LoadBalancerIngress[] {
  return service.status?.loadBalancer?.ingress ?? [];
}

/**
 * Whether a load balancer of a Service's name is the Service's. An L4 load balancer carries no text of ours, so the proof is that
 * its address stands in the Service, or that none does while the finalizer is on: that is how things are between making it and
 * writing down its address.
 */
export function isOurs(seen: L4LoadBalancer, service: Service): boolean {
  const ingress = ingressOf(service);
  if (ingress.length > 0) return ingress.some((one) => one.ip === seen.vip);
  return service.metadata.finalizers?.includes(CLEANUP_FINALIZER) ?? false;
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
   */
  async claimAnew(service: Service, signal: AbortSignal): Promise<Service> {
    return await this.#claim(service, loadBalancerStatus(service, []) ?? {}, signal);
  }

  async #claim(service: Service, also: Patch, signal: AbortSignal): Promise<Service> {
    try {
      return await this.#patch(service, { ...finalizerAdded(service, CLEANUP_FINALIZER), ...also }, signal);
    } catch (cause) {
      throw new Error('failed to add load balancer cleanup finalizer', { cause });
    }
  }

  /**
   * Writes down the address.
   * @returns whether there was anything to write
   * @throws StaleService
   */
  async publish(service: Service, vip: string, signal: AbortSignal): Promise<boolean> {
    if (vip === '') throw new Error('the cloud names no address of the load balancer');
    const [first, ...others] = ingressOf(service);
    // Compared by address alone: the API server adds `ipMode` by itself.
    if (first?.ip === vip && first.hostname === undefined && others.length === 0) return false;
    await this.assertFresh(service, signal); // right after this was written, a lagging cache would have it written again
    await this.#patch(service, loadBalancerStatus(service, [{ ip: vip }]) ?? {}, signal);
    return true;
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
