import type { Call, Handler } from '../api/call.ts';
import { Refusal } from '../api/refusal.ts';
import type { ElasticLoadBalancer } from '../world/listeners.ts';
import { routeTableWithId } from '../world/networks.ts';
import type { RouteTable } from '../world/networks.ts';
import { issueUniqueId } from '../world/world.ts';
import { elasticWithId, requireAvailable } from './elastic-lookups.ts';

/** NiftyAssociateRouteTableWithElasticLoadBalancer: of a load balancer without one. The id is in descriptions only. */
export const associateElasticRouteTable: Handler = (call) => {
  const { world, parameters } = call;
  const table = routeTableWithId(world, parameters.requiredText('RouteTableId'));
  const loadBalancer = elasticWithId(world, parameters.requiredText('ElasticLoadBalancerId'));
  requireAvailable(loadBalancer);
  if (loadBalancer.routeTableId !== '') {
    throw new Refusal(
      'Client.ResourceAssociated.ElasticLoadBalancer',
      `elastic load balancer ${loadBalancer.name} has the route table ${loadBalancer.routeTableId}`,
    );
  }
  return associate(call, loadBalancer, table);
};

/** NiftyReplaceRouteTableAssociationWithElasticLoadBalancer: another table under another association id (the latter invented). */
export const replaceElasticRouteTable: Handler = (call) => {
  const table = routeTableWithId(call.world, call.parameters.requiredText('RouteTableId'));
  return associate(call, associated(call), table);
};

/** NiftyDisassociateRouteTableFromElasticLoadBalancer. */
export const disassociateElasticRouteTable: Handler = (call) => {
  const loadBalancer = associated(call);
  loadBalancer.routeTableId = '';
  loadBalancer.routeTableAssociationId = '';
  loadBalancer.transition = call.transition('elastic-change');
  return { return: true };
};

/** The load balancer of `AssociationId`, if it can be changed now. */
function associated({ world, parameters }: Call): ElasticLoadBalancer {
  const id = parameters.requiredText('AssociationId');
  for (const loadBalancer of world.elasticLoadBalancers.values()) {
    if (loadBalancer.routeTableAssociationId === id) return requireAvailable(loadBalancer);
  }
  throw new Refusal('Client.InvalidParameterNotFound.AssociationId', `no load balancer has the association ${id}`);
}

function associate(call: Call, loadBalancer: ElasticLoadBalancer, { id }: RouteTable): { readonly return: true } {
  loadBalancer.routeTableId = id;
  loadBalancer.routeTableAssociationId = issueUniqueId('rtbassoc', `${id} ${loadBalancer.uniqueId} ${call.random()}`);
  loadBalancer.transition = call.transition('elastic-change');
  return { return: true };
}
