import type { Switches } from '../world/switches.ts';

/**
 * Where a code comes from: the sheet's evidence tags (docs/reference/nifcloud-api.md), or `invented` where no source names
 * a code for the situation. A client must not decide anything by an invented one.
 */
type Evidence = 'sample' | 'model' | 'code' | 'doc' | 'guess' | 'invented';

/** Every code that the simulator refuses with, except those that name a parameter (see `Code`). */
export const CODES = {
  'Client.AuthFailure': ['guess', 'the access key is unknown or the signature does not fit'],
  'Client.InvalidParameterNotFound.Instance': ['sample', 'no such server, or not registered with this port'],
  'Client.InvalidParameterNotFound.Volume': ['model', 'no such disk'],
  'Client.InvalidParameterNotFound.LoadBalancer': ['sample', 'no load balancer of this name'],
  'Client.InvalidParameterNotFound.LoadBalancerPort': ['sample', 'the load balancer has no such pair of ports'],
  'Client.InvalidParameterNotFound.ElasticLoadBalancer': ['sample', 'no elastic load balancer of this name'],
  'Client.InvalidParameterNotFound.ElasticLoadBalancerId': [
    'code',
    'no elastic load balancer with this id (any call but a describe)',
  ],
  'Client.InvalidParameterNotFound.Protocol.or.ElasticLoadBalancerPort': [
    'sample',
    'the elastic load balancer has no such listener',
  ],
  'Client.InvalidParameterNotFound.ElasticLoadBalancerPort': [
    'model',
    'the same, of a description by ports without a protocol (when: invented)',
  ],
  'Client.InvalidParameterNotFound.SslCertificate': ['code', 'no such certificate'],
  'Client.InvalidParameterNotFound.IpAddress': ['guess', 'the filter does not hold the address to be removed'],
  'Client.InvalidParameterNotFound.SecurityGroup': ['sample', 'no such firewall group'],
  'Client.InvalidParameterNotFound.SecurityGroupIngress': ['code', 'the firewall group has no such rule'],
  'Client.InvalidParameterNotFound.RouteTableId': ['code', 'no such route table'],
  'Client.InvalidParameterNotFound.AssociationId': ['code', 'nothing has this association with a route table'],
  'Client.InvalidParameterNotFound.DestinationCidrBlock': ['invented', 'the route table has no route to it'],
  'Client.InvalidParameterNotFound.RouterId': ['code', 'no such router'],
  'Client.InvalidParameterNotFound.RouterName': ['code', 'no router of this name'],
  'Client.InvalidParameterNotFound.NetworkId': ['code', 'no such network'],
  'Client.InvalidParameterNotFound.PrivateLanName': ['code', 'no private LAN of this name'],
  'Client.InvalidParameterNotFound.Region': ['invented', 'no such region'],
  'Client.InvalidParameterNotFound.AvailabilityZone': ['invented', 'no such zone in this region'],
  'Client.InvalidParameterDuplicate.Instance': ['invented', 'a server of this name exists'],
  'Client.InvalidParameterDuplicate.Volume': ['invented', 'a disk of this name exists'],
  'Client.InvalidParameterDuplicate.LoadBalancer': ['sample', 'a load balancer of this name exists'],
  'Client.InvalidParameterDuplicate.ElasticLoadBalancer': ['sample', 'an elastic load balancer of this name exists'],
  'Client.InvalidParameterDuplicate.Protocol.and.ElasticLoadBalancerPort': [
    'sample',
    'the elastic load balancer listens on this port already',
  ],
  'Client.InvalidParameterDuplicate.IpAddress': ['sample', 'the filter holds the address already'],
  'Client.InvalidParameterDuplicate.SecurityGroup': [
    'code',
    'the firewall group has the rule already; of a new name: invented',
  ],
  'Client.InvalidParameterDuplicate.DestinationCidrBlock': ['invented', 'the route table has a route to it already'],
  'Client.Inoperable.LoadBalancerPort.AlreadyExists': ['sample', 'the load balancer listens on this port already'],
  'Client.Inoperable.LoadBalancer.HavingRegisteredInstance': [
    'sample',
    'the server is registered with the port already',
  ],
  'Client.Inoperable.LoadBalancer.LimitExceeded': ['invented', 'six load balancers for each zone exist already'],
  'Client.Inoperable.LoadBalancerPort.LimitExceeded': ['invented', 'the load balancer has three ports already'],
  'Client.Inoperable.IpAddress.LimitExceeded': ['invented', 'the filter would hold more than 30 addresses'],
  'Client.Inoperable.ElasticLoadBalancer.HavingRegisteredInstance': [
    'sample',
    'the server is registered with the listener already',
  ],
  'Client.Inoperable.ElasticLoadBalancer.LimitExceeded': [
    'invented',
    'five elastic load balancers exist in the zone already',
  ],
  'Client.Inoperable.ElasticLoadBalancerPort.LimitExceeded': [
    'invented',
    'the elastic load balancer has three listeners already',
  ],
  'Client.Inoperable.Instance.DifferentZone': [
    'invented',
    'the server and the elastic load balancer are in different zones',
  ],
  'Client.Inoperable.Network.DifferentZone': [
    'invented',
    'the private LAN and the elastic load balancer are in different zones',
  ],
  'Client.Inoperable.SecurityGroup.InUse': ['code', 'servers (or, invented, rules of other groups) name the group'],
  'Client.Inoperable.SecurityGroup.DifferentZone': [
    'invented',
    'the firewall group and the server are in different zones',
  ],
  'Client.Inoperable.SecurityGroupIngress.LimitExceeded': [
    'invented',
    'the firewall group would have more rules than its limit',
  ],
  'Client.Inoperable.Volume.DetachedFromInstance': ['code', 'the disk is not attached (to that server)'],
  'Client.Inoperable.Volume.AttachedToInstance': ['invented', 'an attached disk can not be deleted'],
  'Client.Inoperable.Volume.DifferentZone': ['invented', 'the disk and the server are in different zones'],
  'Client.Inoperable.Volume.AgreementRequired': ['invented', 'detaching from a running server takes Agreement=true'],
  'Client.Inoperable.Volume.SizeLimitExceeded': ['invented', 'the disk can not grow any further'],
  'Client.Inoperable.Instance.Running': ['invented', 'the server is up, and must not be for this'],
  'Client.Inoperable.Instance.Stopped': ['invented', 'the server is stopped, and must not be for this'],
  'Client.Inoperable.Instance.VolumeLimitExceeded': ['invented', 'the server has 14 disks already'],
  'Client.ResourceAssociated.RouteTable': ['code', 'a router or load balancer uses the route table'],
  'Client.ResourceAssociated.Router': ['invented', 'the router has a route table already'],
  'Client.ResourceAssociated.ElasticLoadBalancer': ['invented', 'the elastic load balancer has a route table already'],
  'Server.Inoperable.Volume.AlreadyAttached': ['code', 'the disk is attached, to this or another server'],
  'Server.ResourceIncorrectState.Volume.Processing': ['guess', 'the disk is in transition'],
  'Server.ResourceIncorrectState.Instance.Processing': ['code', 'the server is in transition'],
  'Server.ResourceIncorrectState.ElasticLoadBalancer.Processing': [
    'guess',
    'the elastic load balancer is being created or changed',
  ],
  'Server.ResourceIncorrectState.Network.Processing': [
    'code',
    'an elastic load balancer is being created in the private LAN',
  ],
  'Server.ResourceIncorrectState.SecurityGroup.Processing': ['code', 'the firewall group is being processed'],
  'Server.ResourceIncorrectState.Router.Processing': ['guess', 'the router is being processed'],
  'Server.InternalError': ['sample', 'a fault of the simulator itself'],
} as const satisfies Readonly<Record<string, readonly [Evidence, string]>>;

/** Missing and malformed parameters are refused by name; the grammar is the sibling services' (nifcloud-api.md §1.6). */
export type Code =
  | keyof typeof CODES
  | `Client.InvalidParameterRequired.${string}`
  | `Client.InvalidParameterIllegalInput.${string}`;

/** An error answer of the cloud. The call that throws it has changed nothing. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly code: Code;

  constructor(code: Code, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * Recorded error answers have 500 whatever the code (nifcloud-api.md §1.6), which the switch `error-status` changes; 401 for a
 * failed authentication is a guess.
 */
export function httpStatusOf(code: string, switches: Switches): number {
  if (code === 'Client.AuthFailure') return 401;
  return code === 'Server.InternalError' ? 500 : Number(switches['error-status']);
}
