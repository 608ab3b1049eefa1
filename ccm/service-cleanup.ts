import type { Result } from '../kube/reconcile.ts';
import type { Service } from '../kube/types.ts';
import { loadBalancerName } from './cloud/load-balancer.ts';
import type { Found, Gate, Kind, Progress } from './kind.ts';
import { CLEANUP_FINALIZER } from './service-change.ts';
import { nextLook, retryOf, untilTick, type Memory, type ServiceWork } from './service-work.ts';
import { foreignText, isOurs } from './service-owner.ts';
import { describeSteps } from './service-report.ts';
import { ingressOf } from './service-status.ts';

type CleanupMemory = Pick<Memory, 'report' | 'isWithoutL4'>;

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
  async cleanUp(service: Service, memory: Memory, signal: AbortSignal): Promise<Result> {
    const { status } = this.#work;
    await status.assertFresh(service, signal); // it may have become a LoadBalancer again
    const held = this.#work.heldBy(service);
    const plans: string[] = [];
    const rest = await this.#remove(service, memory, held === undefined ? undefined : plans, signal);
    if (held !== undefined) {
      plans.push(`remove finalizer=${CLEANUP_FINALIZER}`);
      memory.report.planned(service, plans, held);
      return nextLook(this.#work);
    }
    if (rest !== undefined) return rest;
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
  async cleanUpAfter(service: Service, memory: CleanupMemory, signal: AbortSignal): Promise<Result> {
    if (this.#work.heldBy(service) !== undefined) return {};
    // It was worked on under the finalizer, so what has its name and no other address is its own.
    const { metadata } = service;
    const claimed = { ...service, metadata: { ...metadata, finalizers: [CLEANUP_FINALIZER] } };
    const rest = await this.#remove(claimed, memory, undefined, signal);
    if (rest === undefined) memory.report.deleted(service);
    return rest ?? {};
  }

  /**
   * @param plans where to write what would be done, instead of doing it
   * @returns when to look again; `undefined` = nothing is left
   */
  async #remove(
    service: Service,
    memory: CleanupMemory,
    plans: string[] | undefined,
    signal: AbortSignal,
  ): Promise<Result | undefined> {
    const { kinds, logger, clock, tickMs } = this.#work;
    const name = loadBalancerName(service);
    const order = { service, name };
    try {
      const l4 = memory.isWithoutL4 === true ? undefined : await kinds.l4.find(name, signal);
      memory.isWithoutL4 = l4 === undefined && plans === undefined;
      const passes: Progress[] = [];
      const pass = async (kind: Kind, other: Found | undefined): Promise<void> => {
        passes.push(await kind.remove(order, this.#gate(service, memory, other, plans, signal), signal));
      };
      if (l4 !== undefined) await pass(kinds.l4, this.#ours(await kinds.elastic.find(name, signal), service));
      await pass(kinds.elastic, this.#ours(l4, service)); // also where only firewall rules are left
      const refusals = passes.flatMap((one) => one.refusals);
      if (refusals.length > 0) return retryOf(refusals, logger, service);
      if (plans === undefined && passes.some((one) => !one.isDone)) {
        const hasBegun = passes.some((one) => one.hasBegun);
        return { requeueAfterMs: untilTick(clock, tickMs, hasBegun) };
      }
      for (const kind of Object.values(kinds)) kind.forget(name);
      return undefined;
    } catch (cause) {
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
    plans: string[] | undefined,
    signal: AbortSignal,
  ): Gate {
    const owner = this.#work.ownerOf(service);
    return {
      mayTouch: (found) => {
        signal.throwIfAborted();
        if (found === undefined || isOurs(found, service, owner, other)) return Promise.resolve(true);
        if (found.vip === '' && found.owners.length === 0 && ingressOf(service).length > 0) {
          return Promise.reject(
            new Error(`the cloud names no address of load balancer ${found.name}, which says whose it is`),
          );
        }
        report.warn(service, found.kind, [{ reason: 'LoadBalancerNotDeleted', message: foreignText(found, owner) }]);
        return Promise.resolve(false);
      },
      permit: (_, steps) => {
        if (plans === undefined) report.deleting(service);
        else plans.push(...describeSteps(steps));
        return Promise.resolve(plans === undefined);
      },
      skipped: () => {},
    };
  }
}
