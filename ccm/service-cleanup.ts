import type { Result } from '../kube/reconcile.ts';
import type { Service } from '../kube/types.ts';
import { loadBalancerName } from './cloud/load-balancer.ts';
import type { Found, Gate, Kind, Progress } from './kind.ts';
import type { Listings } from './listings.ts';
import { CLEANUP_FINALIZER } from './service-change.ts';
import { nextLook, retryOf, untilTick, type Memory, type ServiceWork } from './service-work.ts';
import { foreignText, isOurs } from './service-owner.ts';
import { describeSteps } from './service-report.ts';
import { ingressOf, StaleService } from './service-status.ts';

type CleanupMemory = Pick<Memory, 'report' | 'isWithoutL4'>;

interface Terms {
  /** Where to write what would be done, instead of doing it. */
  readonly plans: string[] | undefined;
  /** @throws StaleService where the Service may be another one by now than the cache says */
  readonly assertFresh: () => Promise<void>;
}

/**
 * Takes away what a Service has in the cloud: load balancers of both kinds, whatever its annotations say by now (they may have
 * changed, or be invalid), and what was made for them elsewhere.
 */
export class ServiceCleaner {
  readonly #work: ServiceWork;

  constructor(work: ServiceWork) {
    this.#work = work;
  }

  /** For a Service that carries the finalizer, which goes once nothing of it is left. @returns when to go on; nothing = it is done */
  async cleanUp(service: Service, memory: Memory, listings: Listings, signal: AbortSignal): Promise<Result> {
    const { status } = this.#work;
    const held = this.#work.heldBy(service);
    const plans: string[] = [];
    const assertFresh = (): Promise<void> => status.assertFresh(service, signal);
    const terms = { plans: held === undefined ? undefined : plans, assertFresh };
    const rest = await this.#remove(service, memory, terms, listings, signal);
    if (held !== undefined) {
      plans.push(`remove finalizer=${CLEANUP_FINALIZER}`);
      memory.report.planned(service, plans, held);
      return nextLook(this.#work);
    }
    if (rest !== undefined) return rest;
    await assertFresh(); // another one may bear its name
    memory.isLetGo = true;
    await status.release(service, signal);
    memory.report.deleted(service);
    return {};
  }

  /**
   * For a Service that went although its load balancer was there: somebody took the finalizer.
   *
   * @param service as it was last
   */
  async cleanUpAfter(
    service: Service,
    memory: CleanupMemory,
    listings: Listings,
    signal: AbortSignal,
  ): Promise<Result> {
    if (this.#work.heldBy(service) !== undefined) return {};
    // It was worked on under the finalizer, so what has its name and no other address is its own.
    const { metadata } = service;
    const claimed = { ...service, metadata: { ...metadata, finalizers: [CLEANUP_FINALIZER] } };
    const terms = { plans: undefined, assertFresh: () => Promise.resolve() };
    const rest = await this.#remove(claimed, memory, terms, listings, signal);
    if (rest === undefined) memory.report.deleted(service);
    return rest ?? {};
  }

  /** @returns when to look again; `undefined` = nothing is left */
  async #remove(
    service: Service,
    memory: CleanupMemory,
    terms: Terms,
    listings: Listings,
    signal: AbortSignal,
  ): Promise<Result | undefined> {
    const { kinds, logger, clock, tickMs } = this.#work;
    const name = loadBalancerName(service);
    const order = { service, name, listings };
    try {
      const isHeld = terms.plans !== undefined;
      const find = (kind: Kind): Promise<Found | undefined> => kind.find(name, listings, signal);
      const isOneKind = memory.isWithoutL4 === true;
      const [l4, elastic] = isOneKind ? [] : await Promise.all([find(kinds.l4), find(kinds.elastic)]);
      memory.isWithoutL4 = l4 === undefined && !isHeld;
      const passes: Progress[] = [];
      const pass = async (kind: Kind, other: Found | undefined): Promise<void> => {
        passes.push(await kind.remove(order, this.#gate(service, memory, other, terms, signal), signal));
      };
      if (l4 !== undefined) await pass(kinds.l4, this.#ours(elastic, service));
      await pass(kinds.elastic, this.#ours(l4, service)); // also where only firewall rules are left
      const refusals = passes.flatMap((one) => one.refusals);
      if (refusals.length > 0) return retryOf(refusals, logger, service);
      if (!isHeld && passes.some((one) => !one.isDone)) {
        const hasBegun = passes.some((one) => one.hasBegun);
        return { requeueAfterMs: untilTick(clock, tickMs, hasBegun) };
      }
      for (const kind of Object.values(kinds)) kind.forget(name);
      return undefined;
    } catch (cause) {
      if (cause instanceof StaleService) throw cause;
      throw new Error('failed to delete load balancer', { cause });
    }
  }

  /** `found`, if it is the Service's whatever else is. */
  #ours(found: Found | undefined, service: Service): Found | undefined {
    return found !== undefined && isOurs(found, service, this.#work.ownerOf(service)) ? found : undefined;
  }

  #gate(
    service: Service,
    { report }: CleanupMemory,
    other: Found | undefined,
    { plans, assertFresh }: Terms,
    signal: AbortSignal,
  ): Gate {
    const owner = this.#work.ownerOf(service);
    return {
      mayTouch: async (found) => {
        signal.throwIfAborted();
        if (found === undefined || isOurs(found, service, owner, other)) return true;
        if (found.vip === '' && found.owners.length === 0 && ingressOf(service).length > 0) {
          throw new Error(`the cloud names no address of load balancer ${found.name}, which says whose it is`);
        }
        await assertFresh();
        report.warn(service, found.kind, [{ reason: 'LoadBalancerNotDeleted', message: foreignText(found, owner) }]);
        return false;
      },
      permit: async (_, steps) => {
        if (plans !== undefined) {
          plans.push(...describeSteps(steps));
          return false;
        }
        // It may have become a LoadBalancer again, unless it is on its way out.
        if (service.metadata.deletionTimestamp === undefined) await assertFresh();
        report.deleting(service);
        return true;
      },
      skipped: () => {},
    };
  }
}
