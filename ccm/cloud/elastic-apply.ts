import type { ElasticLoadBalancers } from '../../nifcloud/elastic-load-balancers.ts';
import { NifcloudError } from '../../nifcloud/errors.ts';
import { namesServer } from './l4-apply.ts';
import type { ElasticStep } from './elastic-plan.ts';

/** The calls of the cloud that are needed here. */
export type ElasticCalls = Pick<
  ElasticLoadBalancers,
  | 'list'
  | 'create'
  | 'registerPort'
  | 'modifyListener'
  | 'configureHealthCheck'
  | 'registerTargets'
  | 'deregisterTargets'
  | 'update'
  | 'deleteListener'
>;

/** How a load balancer is called; the id where it is known, since a name can change hands. */
export interface ElasticName {
  readonly name: string;
  readonly id?: string;
}

/**
 * Begins one step; the load balancer is busy afterwards. Of servers that the cloud does not take together as many as possible are sent
 * in one call: the others are in the next plan.
 *
 * @throws NifcloudError; `isBusy` = look again until it is `available`, `isUnknownOutcome` = look again before anything else
 */
export async function applyElastic(
  calls: ElasticCalls,
  loadBalancer: ElasticName,
  step: ElasticStep,
  signal: AbortSignal,
): Promise<void> {
  const { id, name } = loadBalancer;
  const reference = id === undefined ? { name } : { id };
  switch (step.kind) {
    case 'create': {
      const { kind: _, ...wanted } = step;
      return await calls.create({ name, ...wanted }, signal);
    }
    case 'register-port':
      return await calls.registerPort(reference, step.listener, signal);
    case 'modify-listener':
      return await calls.modifyListener({ ...reference, ...step.key }, step.change, signal);
    case 'configure-health-check':
      return await calls.configureHealthCheck({ ...reference, ...step.key }, step.healthCheck, signal);
    case 'register-targets':
      return await sendMost(step.serverUniqueIds, (ids) =>
        calls.registerTargets({ ...reference, ...step.key }, ids, signal),
      );
    case 'deregister-targets':
      return await sendMost(step.serverUniqueIds, (ids) =>
        calls.deregisterTargets({ ...reference, ...step.key }, ids, signal),
      );
    case 'update':
      return await calls.update(reference, step.change, signal);
    case 'delete-listener':
      return await calls.deleteListener({ ...reference, ...step.key }, signal);
  }
}

/** All servers, or where one of them spoils the call, a half of them, or a quarter, and so on: the first part that the cloud takes. */
async function sendMost(ids: readonly string[], send: (ids: readonly string[]) => Promise<void>): Promise<void> {
  for (let size = ids.length; size > 0; size = Math.ceil(size / 2)) {
    for (let at = 0; at < ids.length; at += size) {
      try {
        return await send(ids.slice(at, at + size));
      } catch (error) {
        const isLast = size === 1 && at === ids.length - 1;
        if (!(error instanceof NifcloudError) || !namesServer(error) || isLast) throw error;
      }
    }
  }
}
