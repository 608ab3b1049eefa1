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
  'Client.InvalidParameterNotFound.IpAddress': ['guess', 'the filter does not hold the address to be removed'],
  'Client.InvalidParameterNotFound.SecurityGroup': ['sample', 'no such firewall group'],
  'Client.InvalidParameterNotFound.Region': ['invented', 'no such region'],
  'Client.InvalidParameterNotFound.AvailabilityZone': ['invented', 'no such zone in this region'],
  'Client.InvalidParameterDuplicate.Volume': ['invented', 'a disk of this name exists'],
  'Client.InvalidParameterDuplicate.LoadBalancer': ['sample', 'a load balancer of this name exists'],
  'Client.InvalidParameterDuplicate.IpAddress': ['sample', 'the filter holds the address already'],
  'Client.Inoperable.LoadBalancerPort.AlreadyExists': ['sample', 'the load balancer listens on this port already'],
  'Client.Inoperable.LoadBalancer.HavingRegisteredInstance': [
    'sample',
    'the server is registered with the port already',
  ],
  'Client.Inoperable.LoadBalancer.LimitExceeded': ['invented', 'six load balancers for each zone exist already'],
  'Client.Inoperable.LoadBalancerPort.LimitExceeded': ['invented', 'the load balancer has three ports already'],
  'Client.Inoperable.IpAddress.LimitExceeded': ['invented', 'the filter would hold more than 30 addresses'],
  'Client.Inoperable.Volume.DetachedFromInstance': ['code', 'the disk is not attached (to that server)'],
  'Client.Inoperable.Volume.AttachedToInstance': ['invented', 'an attached disk can not be deleted'],
  'Client.Inoperable.Volume.DifferentZone': ['invented', 'the disk and the server are in different zones'],
  'Client.Inoperable.Volume.AgreementRequired': ['invented', 'detaching from a running server takes Agreement=true'],
  'Client.Inoperable.Volume.SizeLimitExceeded': ['invented', 'the disk can not grow any further'],
  'Client.Inoperable.Instance.VolumeLimitExceeded': ['invented', 'the server has 14 disks already'],
  'Server.Inoperable.Volume.AlreadyAttached': ['code', 'the disk is attached, to this or another server'],
  'Server.ResourceIncorrectState.Volume.Processing': ['guess', 'the disk is in transition'],
  'Server.ResourceIncorrectState.Instance.Processing': ['code', 'the server is in transition'],
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

  /** Recorded error answers have 500 whatever the code (nifcloud-api.md §1.6); 401 for a failed authentication is a guess. */
  get httpStatus(): number {
    return this.code === 'Client.AuthFailure' ? 401 : 500;
  }
}
