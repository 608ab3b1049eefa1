import { isTrue, requiredNumber } from './answers.ts';
import {
  changeParameters,
  creationParameters,
  healthCheckFields,
  keyParameters,
  listenerChangeParameters,
  listenerFields,
  referenceParameters,
  STICKINESS_METHODS,
  systemAddressFields,
  targetParameters,
  type ElasticChange,
  type ElasticHealthCheck,
  type ElasticListenerChange,
  type ElasticListenerKey,
  type ElasticReference,
  type ElasticSorryPage,
  type ElasticStickiness,
  type NewElasticListener,
  type NewElasticLoadBalancer,
} from './elastic-requests.ts';
import { checkOneOf, checkSet } from './limits.ts';
import { numbered, type Parameters } from './parameters.ts';
import { SharedPoll, steady } from './shared-poll.ts';
import { SharedRead } from './shared-read.ts';
import type { Clock } from './surroundings.ts';
import { parseTargetHealth, parseTargets, TARGET_STATES, type Target, type TargetHealth } from './targets.ts';
import type { Api } from './transport.ts';
import type { XmlElement } from './xml.ts';

/** An elastic load balancer ("multi load balancer"). Texts that the cloud leaves empty are `''`, numbers 0. */
export interface ElasticLoadBalancer {
  /** `elb-` and 8 characters: never changes. */
  readonly id: string;
  /** 1–15 letters and digits; can be changed. */
  readonly name: string;
  /** Such as `east-11`: it lives in one zone. */
  readonly zone: string;
  /** The address that clients use; `''` = the cloud has not given it one yet. */
  readonly vip: string;
  /**
   * `available`: idle, takes the next change. All else is busy: `pending` (being made), `processing` (a change is applied), or
   * another text. Wait for `available` before each change and after the last (docs/reference/nifcloud-api.md §5.2).
   */
  readonly state: string;
  readonly networkVolumeMbps: number;
  /** `1` monthly, `2` hourly. */
  readonly accountingType: string;
  readonly nextMonthAccountingType: string;
  /** One or two; the load balancer's own addresses in them are what servers see as clients (§5.3). */
  readonly interfaces: readonly ElasticInterface[];
  /** At most 3. */
  readonly listeners: readonly ElasticListener[];
  /** `''` = none. */
  readonly routeTableId: string;
  readonly routeTableAssociationId: string;
  /** Such as `v2.0`. */
  readonly version: string;
  readonly isLatestVersion: boolean;
  /** RFC 3339, as the cloud writes it. */
  readonly createdAt: string;
}

/** A load balancer's place in a network. */
interface ElasticInterface {
  /** `net-COMMON_GLOBAL`, `net-COMMON_PRIVATE`, or the id of a private LAN. */
  readonly networkId: string;
  /** Of a private LAN; else `''`. */
  readonly networkName: string;
  /** `''` = the cloud names none. */
  readonly address: string;
  /** Its own addresses, from which it checks servers. */
  readonly systemAddresses: readonly string[];
  /** Whether clients come in here. */
  readonly isVip: boolean;
}

/** A port of a load balancer. */
interface ElasticListener {
  /** One of `TCP`, `UDP`, `HTTP`, `HTTPS`, in capitals. */
  readonly protocol: string;
  readonly loadBalancerPort: number;
  readonly instancePort: number;
  /** 1 round robin, 2 least connections. */
  readonly balancingType: number;
  readonly description: string;
  /** `''` = none; HTTPS needs one. */
  readonly certificateId: string;
  /** `undefined` = the cloud names no target to check. */
  readonly healthCheck: ElasticHealthCheck | undefined;
  readonly targets: readonly Target[];
  /** `undefined` = off. */
  readonly stickiness: ElasticStickiness | undefined;
  /** `undefined` = off. */
  readonly sorryPage: ElasticSorryPage | undefined;
}

/**
 * The elastic load balancers of the region. Changes are only begun when a call answers: see `ElasticLoadBalancer.state`.
 * Source: docs/reference/nifcloud-api.md §5. What §5.1 is sure of is checked before anything is sent (RangeError, TypeError).
 */
export class ElasticLoadBalancers {
  readonly #api: Api;
  readonly #list: SharedRead<readonly ElasticLoadBalancer[]>;
  readonly #poll: SharedPoll<ElasticLoadBalancer>;

  constructor(api: Api, clock: Clock, pollIntervalMs: number) {
    this.#api = api;
    this.#list = new SharedRead(
      (signal) => api.read('NiftyDescribeElasticLoadBalancers', {}, parseLoadBalancers, signal, TARGET_STATES),
      clock,
    );
    const look = async (_: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, ElasticLoadBalancer>> =>
      // Ids have a hyphen, names never: neither hides the other.
      new Map((await this.list(signal)).flatMap((one) => [[one.id, one] as const, [one.name, one] as const]));
    this.#poll = new SharedPoll(look, clock, steady(pollIntervalMs));
  }

  /** All load balancers, in one call that is shared with whoever asks at the same moment. */
  list(signal: AbortSignal): Promise<readonly ElasticLoadBalancer[]> {
    return this.#list.get(signal);
  }

  /**
   * Waits until a load balancer is as `accept` wants it; all who wait share one listing a tick (see SharedPoll).
   *
   * @param idOrName the name for a new one, whose id is not known before it is listed
   * @param accept is shown the load balancer, `undefined` = it does not exist; what it returns ends the wait, what it throws too
   */
  until<R>(
    idOrName: string,
    accept: (loadBalancer: ElasticLoadBalancer | undefined) => R | undefined,
    signal: AbortSignal,
  ): Promise<R> {
    return this.#poll.until(idOrName, accept, signal);
  }

  /** Begins to make a load balancer. Its id and address are in the listing. @throws NifcloudError; `isDuplicate` = the name is taken */
  async create(wanted: NewElasticLoadBalancer, signal: AbortSignal): Promise<void> {
    await this.#mutate('NiftyCreateElasticLoadBalancer', creationParameters(wanted), signal);
  }

  /** Begins to add a listener. @throws NifcloudError; `isDuplicate` = the load balancer listens on that port already */
  async registerPort(loadBalancer: ElasticReference, listener: NewElasticListener, signal: AbortSignal): Promise<void> {
    const parameters = {
      ...referenceParameters(loadBalancer),
      ...numbered('Listeners.member', [listenerFields(listener)]),
    };
    await this.#mutate('NiftyRegisterPortWithElasticLoadBalancer', parameters, signal);
  }

  /** Begins to have a listener's targets checked in this way. */
  async configureHealthCheck(key: ElasticListenerKey, check: ElasticHealthCheck, signal: AbortSignal): Promise<void> {
    const parameters = { ...keyParameters(key), ...healthCheckFields(check) };
    await this.#mutate('NiftyConfigureElasticLoadBalancerHealthCheck', parameters, signal);
  }

  /**
   * Begins to add servers to a listener; none: no call. One that is unknown or registered already fails the call for all.
   *
   * @param serverUniqueIds names can change hands between a listing and this call
   */
  async registerTargets(
    key: ElasticListenerKey,
    serverUniqueIds: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    if (serverUniqueIds.length === 0) return;
    await this.#mutate('NiftyRegisterInstancesWithElasticLoadBalancer', targetParameters(key, serverUniqueIds), signal);
  }

  /** Begins to take servers off a listener; none: no call. One that is not registered fails the call for all. */
  async deregisterTargets(
    key: ElasticListenerKey,
    serverUniqueIds: readonly string[],
    signal: AbortSignal,
  ): Promise<void> {
    if (serverUniqueIds.length === 0) return;
    const parameters = targetParameters(key, serverUniqueIds);
    await this.#mutate('NiftyDeregisterInstancesFromElasticLoadBalancer', parameters, signal);
  }

  /**
   * What the load balancer thinks of a listener's targets, or of those named; the listing does not say it.
   *
   * @throws NifcloudError; `isNotFound(error, 'Instance')` = a named server is unknown or not registered
   */
  async targetHealth(
    key: ElasticListenerKey,
    signal: AbortSignal,
    serverUniqueIds: readonly string[] = [],
  ): Promise<readonly TargetHealth[]> {
    const parameters = targetParameters(key, serverUniqueIds);
    return this.#api.read('NiftyDescribeInstanceElasticLoadBalancerHealth', parameters, parseHealth, signal);
  }

  /** Begins to change a listener in place. @throws TypeError for an empty text: it can't be removed */
  async modifyListener(key: ElasticListenerKey, change: ElasticListenerChange, signal: AbortSignal): Promise<void> {
    const parameters = { ...keyParameters(key), ...listenerChangeParameters(change) };
    await this.#mutate('NiftyModifyElasticLoadBalancerAttributes', parameters, signal);
  }

  /** Begins to give an HTTPS listener another certificate. */
  async replaceCertificate(key: ElasticListenerKey, certificateId: string, signal: AbortSignal): Promise<void> {
    checkOneOf('the protocol of a listener with a certificate', key.protocol, ['HTTPS']);
    checkSet('the id of a certificate', certificateId);
    const parameters = { ...keyParameters(key), SSLCertificateId: certificateId };
    await this.#mutate('NiftyReplaceElasticLoadBalancerListenerSSLCertificate', parameters, signal);
  }

  /** Begins to change what all listeners share. A new accounting type holds from next month on (`nextMonthAccountingType`). */
  async update(loadBalancer: ElasticReference, change: ElasticChange, signal: AbortSignal): Promise<void> {
    const parameters = { ...referenceParameters(loadBalancer), ...changeParameters(change) };
    await this.#mutate('NiftyUpdateElasticLoadBalancer', parameters, signal);
  }

  /** Begins to delete a listener; with the last one the load balancer and its address go. */
  async deleteListener(key: ElasticListenerKey, signal: AbortSignal): Promise<void> {
    await this.#mutate('NiftyDeleteElasticLoadBalancer', keyParameters(key), signal);
  }

  /** Begins to bring the load balancer to the cloud's latest version. Interrupts its traffic. */
  async replaceWithLatestVersion(
    loadBalancer: ElasticReference,
    interfaces: readonly { readonly networkId: string; readonly systemAddresses: readonly string[] }[],
    signal: AbortSignal,
  ): Promise<void> {
    const fields = interfaces.map(({ networkId, systemAddresses }) => ({
      NetworkId: networkId,
      ...systemAddressFields(systemAddresses),
    }));
    const parameters = { ...referenceParameters(loadBalancer), ...numbered('NetworkInterface', fields) };
    await this.#mutate('NiftyReplaceElasticLoadBalancerLatestVersion', parameters, signal);
  }

  /** Begins to have a route table route what the load balancer sends; it must have none yet. */
  associateRouteTable(loadBalancerId: string, routeTableId: string, signal: AbortSignal): Promise<void> {
    const parameters = { ElasticLoadBalancerId: loadBalancerId, RouteTableId: routeTableId };
    return this.#mutate('NiftyAssociateRouteTableWithElasticLoadBalancer', parameters, signal);
  }

  /**
   * Begins to have another route table do it.
   *
   * @param associationId `routeTableAssociationId` of the load balancer; it may be another one afterwards
   */
  replaceRouteTable(associationId: string, routeTableId: string, signal: AbortSignal): Promise<void> {
    const parameters = { AssociationId: associationId, RouteTableId: routeTableId };
    return this.#mutate('NiftyReplaceRouteTableAssociationWithElasticLoadBalancer', parameters, signal);
  }

  /** Begins to have no route table do it. @param associationId `routeTableAssociationId` of the load balancer */
  disassociateRouteTable(associationId: string, signal: AbortSignal): Promise<void> {
    return this.#mutate('NiftyDisassociateRouteTableFromElasticLoadBalancer', { AssociationId: associationId }, signal);
  }

  #mutate(action: string, parameters: Parameters, signal: AbortSignal): Promise<void> {
    return this.#api.mutate(action, parameters, () => {}, signal);
  }
}

function parseHealth(answer: XmlElement): readonly TargetHealth[] {
  return parseTargetHealth(answer.child('NiftyDescribeInstanceElasticLoadBalancerHealthResult'));
}

/** An entry without id or name makes the answer unreadable: leaving it out would say that some load balancer does not exist. */
function parseLoadBalancers(answer: XmlElement): readonly ElasticLoadBalancer[] {
  const result = answer.child('NiftyDescribeElasticLoadBalancersResult');
  return result.items('ElasticLoadBalancerDescriptions').map((entry) => ({
    id: entry.requiredText('ElasticLoadBalancerId'),
    name: entry.requiredText('ElasticLoadBalancerName'),
    zone: entry.child('AvailabilityZones').text('member'),
    vip: entry.text('DNSName'),
    state: entry.text('State'),
    networkVolumeMbps: entry.number('NetworkVolume') ?? 0,
    accountingType: entry.text('AccountingType'),
    nextMonthAccountingType: entry.text('NextMonthAccountingType'),
    interfaces: entry.items('NetworkInterfaces').map(parseInterface),
    listeners: entry
      .items('ElasticLoadBalancerListenerDescriptions')
      .map((description) => parseListener(description.child('Listener'))),
    routeTableId: entry.text('RouteTableId'),
    routeTableAssociationId: entry.text('RouteTableAssociationId'),
    version: entry.child('VersionInformation').text('Version'),
    isLatestVersion: isTrue(entry.child('VersionInformation'), 'IsLatest'),
    createdAt: entry.text('CreatedTime'),
  }));
}

function parseInterface(one: XmlElement): ElasticInterface {
  return {
    networkId: one.text('NetworkId'),
    networkName: one.text('NetworkName'),
    address: one.text('IpAddress'),
    systemAddresses: one.items('SystemIpAddresses').flatMap((address) => address.texts('SystemIpAddress')),
    isVip: isTrue(one, 'IsVipNetwork'),
  };
}

function parseListener(listener: XmlElement): ElasticListener {
  const stickiness = listener.child('SessionStickinessPolicy');
  const sorryPage = listener.child('SorryPage');
  return {
    protocol: listener.requiredText('Protocol').toUpperCase(),
    loadBalancerPort: requiredNumber(listener, 'ElasticLoadBalancerPort'),
    instancePort: requiredNumber(listener, 'InstancePort'),
    balancingType: listener.number('BalancingType') ?? 0,
    description: listener.text('Description'),
    certificateId: listener.text('SSLCertificateId'),
    healthCheck: parseHealthCheck(listener.child('HealthCheck')),
    targets: parseTargets(listener),
    stickiness: isTrue(stickiness, 'Enabled')
      ? {
          method: stickiness.text('Method') === STICKINESS_METHODS.cookie ? 'cookie' : 'source-ip',
          periodMinutes: stickiness.number('ExpirationPeriod') ?? 0,
        }
      : undefined,
    sorryPage: isTrue(sorryPage, 'Enabled') ? { redirectUrl: sorryPage.text('RedirectUrl') } : undefined,
  };
}

function parseHealthCheck(check: XmlElement): ElasticHealthCheck | undefined {
  if (check.text('Target') === '') return undefined;
  return {
    target: check.text('Target'),
    intervalSeconds: check.number('Interval') ?? 0,
    unhealthyThreshold: check.number('UnhealthyThreshold') ?? 0,
    path: check.text('Path'),
    httpCodes: check.items('Expectation').flatMap((code) => code.texts('HttpCode')),
  };
}
