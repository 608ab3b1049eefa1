import type { Clock } from '../daemon/clock.ts';
import { isNotFound } from '../kube/errors.ts';
import {
  finalizerAdded,
  finalizerRemoved,
  loadBalancerStatus,
  serviceConditionRemoved,
  serviceConditionSet,
  type Patch,
} from '../kube/patches.ts';
import { keyOf } from '../kube/reconcile.ts';
import type { KubeClient } from '../kube/rest.ts';
import type { Condition, KubeList, LoadBalancerIngress, Service } from '../kube/types.ts';
import type { Found } from './kind.ts';
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
 * On a Service while an L4 load balancer is made in the place of an elastic one, whose address is the Service's until then. Nothing can
 * be written on an L4 load balancer, so this says that it is the Service's, should both this process and the elastic one be gone before
 * its own address is there.
 */
const REPLACEMENT = {
  type: 'nifcloud.com/LoadBalancerReplacement',
  status: 'True',
  reason: 'MakingL4LoadBalancer',
} as const satisfies Condition;

/** Whether an L4 load balancer was begun in the place of an elastic one, of which something may be left. */
export function isReplacing({ status }: Service): boolean {
  return status?.conditions?.some(({ type }) => type === REPLACEMENT.type) ?? false;
}

/** Whether these are the Service's addresses, in this order. By address alone: the API server adds `ipMode` by itself. */
export function isPublished(service: Service, vips: readonly string[]): boolean {
  const ingress = ingressOf(service);
  return ingress.length === vips.length && vips.every((vip, n) => ingress[n]?.ip === vip && !ingress[n]?.hostname);
}

/**
 * What the controller writes about a load balancer to its Service: finalizer, address, and a condition now and then. All go through the
 * status subresource, as in the framework: a role needs no more than that.
 */
export class ServiceStatus {
  readonly #kube: Pick<KubeClient, 'get' | 'patch'>;
  readonly #clock: Pick<Clock, 'now'>;

  constructor(kube: Pick<KubeClient, 'get' | 'patch'>, clock: Pick<Clock, 'now'>) {
    this.#kube = kube;
    this.#clock = clock;
  }

  /** Puts the finalizer on, without which nothing may be made for a Service. Answers the Service as it is then. */
  async claim(service: Service, signal: AbortSignal): Promise<Service> {
    return await this.#claim(service, [], signal);
  }

  /**
   * The same before a load balancer is made. The address of one that is gone goes as well: while it stands there, the new one would
   * not count as ours if this process died before it could write down the new address.
   *
   * @param other one of the other kind, which still serves, so that its address stays
   */
  async claimAnew(service: Service, other: Found | undefined, signal: AbortSignal): Promise<Service> {
    const kept = ingressOf(service).filter((one) => one.ip !== undefined && one.ip === other?.vip);
    const replacement =
      other?.kind === 'elastic' ? serviceConditionSet(service, REPLACEMENT, this.#clock.now()) : undefined;
    return await this.#claim(service, [loadBalancerStatus(service, kept), replacement], signal);
  }

  async #claim(service: Service, also: readonly (Patch | undefined)[], signal: AbortSignal): Promise<Service> {
    try {
      return await this.#patch(service, [finalizerAdded(service, CLEANUP_FINALIZER), ...also], signal);
    } catch (cause) {
      throw new Error('failed to add load balancer cleanup finalizer', { cause });
    }
  }

  /**
   * Writes down the addresses: that of the load balancer, and after it that of one of the other kind until that is gone, so that a
   * later process knows whose it is.
   * @param isAlone nothing of the other kind is left
   * @throws StaleService
   */
  async publish(service: Service, vips: readonly string[], isAlone: boolean, signal: AbortSignal): Promise<Service> {
    if (isPublished(service, vips) && !(isAlone && isReplacing(service))) return service;
    await this.assertFresh(service, signal); // right after this was written, a lagging cache would have it written again
    const ingress = vips.map((ip) => ({ ip }));
    const replaced = isAlone ? serviceConditionRemoved(service, REPLACEMENT.type) : undefined;
    return await this.#patch(service, [loadBalancerStatus(service, ingress), replaced], signal);
  }

  /** Takes finalizer and address in one write: no crash can leave the one without the other. */
  async release(service: Service, signal: AbortSignal): Promise<void> {
    const patches = [
      finalizerRemoved(service, CLEANUP_FINALIZER),
      loadBalancerStatus(service, []),
      serviceConditionRemoved(service, REPLACEMENT.type),
    ];
    try {
      await this.#patch(service, patches, signal);
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

  /** All in one request, or none. */
  async #patch(service: Service, patches: readonly (Patch | undefined)[], signal: AbortSignal): Promise<Service> {
    const status = Object.assign({}, ...patches.map((one) => one?.['status']));
    const patch = { ...Object.assign({}, ...patches), ...(Object.keys(status).length > 0 && { status }) };
    if (Object.keys(patch).length === 0) return service;
    const { name, namespace } = service.metadata;
    const path = `/api/v1/namespaces/${namespace}/services/${name}/status`;
    return await this.#kube.patch<Service>(path, patch, 'strategic', { signal });
  }
}
