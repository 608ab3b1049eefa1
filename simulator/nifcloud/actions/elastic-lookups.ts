import type { Call } from '../api/call.ts';
import { Refusal } from '../api/refusal.ts';
import type { Code } from '../api/refusal.ts';
import type { Parameters } from '../api/wire.ts';
import { elasticState, PROTOCOLS } from '../world/listeners.ts';
import type { ElasticLoadBalancer, Listener } from '../world/listeners.ts';
import type { World } from '../world/world.ts';

/**
 * Every call takes a name or an id; of both the id counts (docs/reference/nifcloud-api.md §5.1). A describe call has one code for
 * an unknown name and an unknown id: the published Terraform provider waits for it when it has deleted a load balancer (§1.6).
 * @param prefix of the two keys, of a describe call only
 * @param suffix of the two keys' names in a parallel list: `.1`
 * @throws Refusal
 */
export function elasticNamed(world: World, parameters: Parameters, prefix = '', suffix = ''): ElasticLoadBalancer {
  const id = parameters.text(`${prefix}ElasticLoadBalancerId${suffix}`);
  const name = parameters.text(`${prefix}ElasticLoadBalancerName${suffix}`);
  if (id !== undefined) {
    return elasticWithId(world, id, prefix === '' ? undefined : 'Client.InvalidParameterNotFound.ElasticLoadBalancer');
  }
  if (name === undefined) parameters.requiredText(`${prefix}ElasticLoadBalancerName${suffix}`);
  const loadBalancer = world.elasticLoadBalancers.get(name ?? '');
  if (loadBalancer !== undefined) return loadBalancer;
  throw new Refusal('Client.InvalidParameterNotFound.ElasticLoadBalancer', `there is no elastic load balancer ${name}`);
}

/** @throws Refusal */
export function elasticWithId(
  world: World,
  id: string,
  unknown: Code = 'Client.InvalidParameterNotFound.ElasticLoadBalancerId',
): ElasticLoadBalancer {
  for (const loadBalancer of world.elasticLoadBalancers.values()) {
    if (loadBalancer.uniqueId === id) return loadBalancer;
  }
  throw new Refusal(unknown, `there is no elastic load balancer ${id}`);
}

/** @throws Refusal while it is created or changed: then nothing about it can be changed (nifcloud-api.md §5.2) */
export function requireAvailable(loadBalancer: ElasticLoadBalancer): ElasticLoadBalancer {
  const state = elasticState(loadBalancer);
  if (state === 'available') return loadBalancer;
  throw new Refusal(
    'Server.ResourceIncorrectState.ElasticLoadBalancer.Processing',
    `elastic load balancer ${loadBalancer.name} is ${state}`,
  );
}

/** A listener with the load balancer that it belongs to. */
export interface AddressedListener {
  readonly loadBalancer: ElasticLoadBalancer;
  readonly listener: Listener;
}

/** The listener that Protocol, ElasticLoadBalancerPort and InstancePort name, all three of them required. @throws Refusal */
export function addressedListener(world: World, parameters: Parameters): AddressedListener {
  const loadBalancer = elasticNamed(world, parameters);
  parameters.requiredText('Protocol');
  const protocol = parameters.choice('Protocol', PROTOCOLS);
  const loadBalancerPort = parameters.requiredInteger('ElasticLoadBalancerPort');
  const instancePort = parameters.requiredInteger('InstancePort');
  const listener = loadBalancer.listeners.find(
    (one) =>
      one.protocol === protocol && one.loadBalancerPort === loadBalancerPort && one.instancePort === instancePort,
  );
  if (listener !== undefined) return { loadBalancer, listener };
  throw new Refusal(
    'Client.InvalidParameterNotFound.Protocol.or.ElasticLoadBalancerPort',
    `elastic load balancer ${loadBalancer.name} has no listener ${protocol} ${loadBalancerPort} to ${instancePort}`,
  );
}

/** The same, of a load balancer that can be changed now. @throws Refusal */
export function changeableListener({ world, parameters }: Pick<Call, 'world' | 'parameters'>): AddressedListener {
  const addressed = addressedListener(world, parameters);
  requireAvailable(addressed.loadBalancer);
  return addressed;
}
