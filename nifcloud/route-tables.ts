import { isTrue } from './answers.ts';
import type { Parameters } from './parameters.ts';
import { SharedRead } from './shared-read.ts';
import type { Clock } from './surroundings.ts';
import type { Api } from './transport.ts';
import type { XmlElement } from './xml.ts';

/**
 * A route table. It routes what passes the routers and elastic load balancers it is associated with, never what a server's own
 * interfaces send (docs/reference/nifcloud-api.md §7).
 */
export interface RouteTable {
  readonly id: string;
  readonly routes: readonly Route[];
  readonly routers: readonly RouterAssociation[];
  readonly elasticLoadBalancers: readonly { readonly associationId: string; readonly loadBalancerId: string }[];
}

/** A route; texts that the cloud leaves empty are `''`. The destination names it within its table. */
interface Route {
  /** An address or CIDR, as it was written. */
  readonly destination: string;
  /** The next hop; `''` = it goes to a network. */
  readonly address: string;
  readonly networkId: string;
  readonly networkName: string;
  /** How it came about; `EnableVgwRoutePropagation`: by a VPN gateway, not to be touched. */
  readonly origin: string;
  /** Presumably `active` or `blackhole`. */
  readonly state: string;
}

interface RouterAssociation {
  readonly associationId: string;
  readonly routerId: string;
  readonly routerName: string;
  readonly isMain: boolean;
}

/** Where a route leads: to a next hop, or into a network (also `net-COMMON_GLOBAL` and `net-COMMON_PRIVATE`). */
export type RouteTarget =
  | { readonly address: string }
  | { readonly networkId: string }
  | { readonly networkName: string };

/**
 * Whether to go on although the router keeps a backup from before its last change of version, which is dropped by that
 * (`Router.hasBackup`); without it the cloud refuses.
 */
interface Agreement {
  readonly dropBackup: boolean;
}

/** The route tables of the region. Routes hold once a call answers; an association makes its router `pending` for a while. */
export class RouteTables {
  readonly #api: Api;
  readonly #list: SharedRead<readonly RouteTable[]>;

  constructor(api: Api, clock: Clock) {
    this.#api = api;
    this.#list = new SharedRead((signal) => api.read('DescribeRouteTables', {}, parseRouteTables, signal), clock);
  }

  /** All tables, in one call that is shared with whoever asks at the same moment. */
  list(signal: AbortSignal): Promise<readonly RouteTable[]> {
    return this.#list.get(signal);
  }

  /** Adds a route. @throws NifcloudError; `isDuplicate` presumably = the table has one to this destination (§11, 30) */
  createRoute(tableId: string, destination: string, target: RouteTarget, signal: AbortSignal): Promise<void> {
    return this.#mutate('CreateRoute', routeParameters(tableId, destination, target), signal);
  }

  /** Has the route to this destination lead elsewhere. */
  replaceRoute(tableId: string, destination: string, target: RouteTarget, signal: AbortSignal): Promise<void> {
    return this.#mutate('ReplaceRoute', routeParameters(tableId, destination, target), signal);
  }

  /** @param destination as the listing shows it */
  deleteRoute(tableId: string, destination: string, signal: AbortSignal): Promise<void> {
    return this.#mutate('DeleteRoute', { RouteTableId: tableId, DestinationCidrBlock: destination }, signal);
  }

  /** Makes a table without routes. */
  create(signal: AbortSignal): Promise<{ readonly id: string }> {
    return this.#api.mutate('CreateRouteTable', {}, parseCreated, signal);
  }

  /** @throws NifcloudError; `isInUse(error, 'RouteTable')` = something is associated with it */
  delete(tableId: string, signal: AbortSignal): Promise<void> {
    return this.#mutate('DeleteRouteTable', { RouteTableId: tableId }, signal);
  }

  /** Begins to have a router use the table; a router has one at most. For load balancers see ElasticLoadBalancers. */
  associate(
    tableId: string,
    routerId: string,
    agreement: Agreement,
    signal: AbortSignal,
  ): Promise<{ readonly associationId: string }> {
    const parameters = { RouteTableId: tableId, RouterId: routerId, Agreement: agreement.dropBackup };
    return this.#api.mutate('AssociateRouteTable', parameters, parseAssociated, signal);
  }

  /** Begins to have a router use another table instead; the association gets another id. */
  replaceAssociation(
    associationId: string,
    tableId: string,
    agreement: Agreement,
    signal: AbortSignal,
  ): Promise<{ readonly associationId: string }> {
    const parameters = { AssociationId: associationId, RouteTableId: tableId, Agreement: agreement.dropBackup };
    return this.#api.mutate('ReplaceRouteTableAssociation', parameters, parseReplaced, signal);
  }

  /** Begins to have a router use no table. */
  disassociate(associationId: string, agreement: Agreement, signal: AbortSignal): Promise<void> {
    const parameters = { AssociationId: associationId, Agreement: agreement.dropBackup };
    return this.#mutate('DisassociateRouteTable', parameters, signal);
  }

  #mutate(action: string, parameters: Parameters, signal: AbortSignal): Promise<void> {
    return this.#api.mutate(action, parameters, () => {}, signal);
  }
}

function routeParameters(tableId: string, destination: string, target: RouteTarget): Parameters {
  return {
    RouteTableId: tableId,
    DestinationCidrBlock: destination,
    IpAddress: 'address' in target ? target.address : undefined,
    NetworkId: 'networkId' in target ? target.networkId : undefined,
    NetworkName: 'networkName' in target ? target.networkName : undefined,
  };
}

function parseCreated(answer: XmlElement): { readonly id: string } {
  return { id: answer.child('routeTable').requiredText('routeTableId') };
}

function parseAssociated(answer: XmlElement): { readonly associationId: string } {
  return { associationId: answer.requiredText('associationId') };
}

function parseReplaced(answer: XmlElement): { readonly associationId: string } {
  return { associationId: answer.requiredText('newAssociationId') };
}

/** A table without id or a route without destination makes the answer unreadable: leaving it out would say that it does not exist. */
function parseRouteTables(answer: XmlElement): readonly RouteTable[] {
  return answer.items('routeTableSet').map((table) => ({
    id: table.requiredText('routeTableId'),
    routes: table.items('routeSet').map((route) => ({
      destination: route.requiredText('destinationCidrBlock'),
      address: route.text('ipAddress'),
      networkId: route.text('networkId'),
      networkName: route.text('networkName'),
      origin: route.text('origin'),
      state: route.text('state'),
    })),
    routers: table.items('associationSet').map((association) => ({
      associationId: association.text('routeTableAssociationId'),
      routerId: association.text('routerId'),
      routerName: association.text('routerName'),
      isMain: isTrue(association, 'main'),
    })),
    elasticLoadBalancers: table.items('elasticLoadBalancerAssociationSet').map((association) => ({
      associationId: association.text('routeTableAssociationId'),
      loadBalancerId: association.text('elasticLoadBalancerId'),
    })),
  }));
}
