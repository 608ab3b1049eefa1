/**
 * What is asked of elastic load balancers, and how it is spelled on the wire. What docs/reference/nifcloud-api.md §5.1 is sure of
 * is checked here: these functions throw a RangeError or TypeError that names the value and what is allowed.
 */

import {
  ACCOUNTING_TYPES,
  BALANCING_TYPES,
  checkInteger,
  checkLength,
  checkName,
  checkOneOf,
  checkPort,
  checkSet,
} from './limits.ts';
import { numbered, type Parameters } from './parameters.ts';
import { targetMembers } from './targets.ts';

/** How targets are checked. */
export interface ElasticHealthCheck {
  /** `TCP:<port>`, `HTTP:<port>`, `HTTPS:<port>` or `ICMP`. */
  readonly target: string;
  /** 5–300. */
  readonly intervalSeconds: number;
  /** 1–10. */
  readonly unhealthyThreshold: number;
  /** For HTTP and HTTPS; begins with `/`, at most 255 characters. */
  readonly path?: string | undefined;
  /** For HTTP and HTTPS: which answers are good, of `1xx` to `5xx`. */
  readonly httpCodes?: readonly string[] | undefined;
}

/** A client goes to the same server for a while. */
export interface ElasticStickiness {
  /** How clients are told apart. */
  readonly method: 'source-ip' | 'cookie';
  /** 3–1440. */
  readonly periodMinutes: number;
}

/** Where clients are sent when no server can answer; HTTP and HTTPS only. */
export interface ElasticSorryPage {
  /** An `http` or `https` URL. */
  readonly redirectUrl: string;
}

/**
 * Which load balancer: `id`, where it is known, else `name`. Only one is sent: by the time of the call the name may be another's.
 * An `ElasticLoadBalancer` is one too.
 */
export interface ElasticReference {
  readonly id?: string | undefined;
  readonly name?: string | undefined;
}

/** What names a listener: the load balancer, and these three together. */
export interface ElasticListenerKey extends ElasticReference {
  readonly protocol: string;
  readonly loadBalancerPort: number;
  readonly instancePort: number;
}

/** A listener to be made; what is left out takes the cloud's default. */
export interface NewElasticListener {
  readonly protocol: string;
  readonly loadBalancerPort: number;
  readonly instancePort: number;
  readonly balancingType?: number | undefined;
  /** At most 500 characters. */
  readonly description?: string | undefined;
  /** For HTTPS, and for nothing else. */
  readonly certificateId?: string | undefined;
}

/** The listener that a load balancer is made with: it alone can have everything from the start. */
interface FirstElasticListener extends NewElasticListener {
  readonly healthCheck?: ElasticHealthCheck | undefined;
  /** Unique ids. */
  readonly serverUniqueIds?: readonly string[] | undefined;
  readonly stickiness?: ElasticStickiness | undefined;
  readonly sorryPage?: ElasticSorryPage | undefined;
}

interface NewElasticInterface {
  /** Or its name, for a private LAN. */
  readonly networkId?: string | undefined;
  readonly networkName?: string | undefined;
  readonly isVip: boolean;
  /** On a private LAN only: the load balancer's address. */
  readonly address?: string | undefined;
  /** On a private LAN only: two more, from which it checks servers. */
  readonly systemAddresses?: readonly string[] | undefined;
}

/** A load balancer to be made, with its first listener; what is left out takes the cloud's default. */
export interface NewElasticLoadBalancer {
  readonly name: string;
  readonly zone: string;
  readonly listener: FirstElasticListener;
  /** One, or two: where clients are and where servers are. Exactly one has `isVip`. */
  readonly interfaces: readonly NewElasticInterface[];
  readonly accountingType?: string | undefined;
  /** 10, 20, 30, 40, 100, 200, 300, 400, 500. */
  readonly networkVolumeMbps?: number | undefined;
}

/** A change of what all listeners share; what is left out stays as it is. */
export interface ElasticChange {
  readonly newName?: string | undefined;
  readonly networkVolumeMbps?: number | undefined;
  readonly accountingType?: string | undefined;
}

/** A change of a listener; what is left out stays as it is. */
export interface ElasticListenerChange extends Partial<NewElasticListener> {
  readonly stickiness?: ElasticStickiness | 'off' | undefined;
  readonly sorryPage?: ElasticSorryPage | 'off' | undefined;
}

/** Wire codes of the methods that tell clients apart (§5.1). */
export const STICKINESS_METHODS = { 'source-ip': '1', cookie: '2' } as const;

const HTTP_CODES: readonly string[] = ['1xx', '2xx', '3xx', '4xx', '5xx'];

const LONGEST_NAME = 15;
const LONGEST_DESCRIPTION = 500;
const LONGEST_PATH = 255;

const PROTOCOLS = ['TCP', 'UDP', 'HTTP', 'HTTPS'] as const;

/** Names a load balancer. */
export function referenceParameters({ id = '', name = '' }: ElasticReference): Parameters {
  checkSet('the name of a load balancer', id === '' ? name : id);
  return id === '' ? { ElasticLoadBalancerName: name } : { ElasticLoadBalancerId: id };
}

/** Names a listener. */
export function keyParameters(key: ElasticListenerKey): Parameters {
  return {
    ...referenceParameters(key),
    Protocol: key.protocol,
    ElasticLoadBalancerPort: key.loadBalancerPort,
    InstancePort: key.instancePort,
  };
}

/** Names servers at a listener. */
export function targetParameters(key: ElasticListenerKey, serverUniqueIds: readonly string[]): Parameters {
  return { ...keyParameters(key), ...targetMembers('InstanceUniqueId', serverUniqueIds) };
}

/** Of NiftyCreateElasticLoadBalancer. */
export function creationParameters(wanted: NewElasticLoadBalancer): Parameters {
  const { listener, interfaces } = wanted;
  checkName('the name of a load balancer', wanted.name, LONGEST_NAME);
  checkAccounting(wanted.accountingType);
  checkInteger('the number of interfaces of a load balancer', interfaces.length, 1, 2);
  const vips = interfaces.filter(({ isVip }) => isVip);
  checkInteger('the number of interfaces where clients come in', vips.length, 1, 1);
  const first = {
    ...listenerFields(listener),
    ...(listener.healthCheck && healthCheckFields(listener.healthCheck)),
    ...targetMembers('InstanceUniqueId', listener.serverUniqueIds ?? []),
    ...optionFields(listener),
  };
  return {
    ElasticLoadBalancerName: wanted.name,
    ...numbered('AvailabilityZones.member', [wanted.zone]),
    ...numbered('Listeners.member', [first]),
    ...numbered('NetworkInterface', interfaces.map(interfaceFields)), // the one list here without `.member` (§1.4)
    AccountingType: wanted.accountingType,
    NetworkVolume: wanted.networkVolumeMbps,
  };
}

/** Of NiftyUpdateElasticLoadBalancer. */
export function changeParameters(change: ElasticChange): Parameters {
  checkName('the name of a load balancer', change.newName, LONGEST_NAME);
  checkAccounting(change.accountingType);
  return {
    ElasticLoadBalancerNameUpdate: change.newName,
    NetworkVolumeUpdate: change.networkVolumeMbps,
    AccountingTypeUpdate: change.accountingType,
  };
}

/** Of NiftyModifyElasticLoadBalancerAttributes. */
export function listenerChangeParameters(change: ElasticListenerChange): Parameters {
  checkListener(change);
  checkSet('the description of a listener', change.description);
  checkSet('the id of a certificate', change.certificateId);
  const attributes = Object.entries({
    protocol: change.protocol,
    elasticLoadBalancerPort: change.loadBalancerPort,
    instancePort: change.instancePort,
    description: change.description,
    balancingType: change.balancingType,
    sslCertificateId: change.certificateId,
  }).filter(([, value]) => value !== undefined);
  const pairs = attributes.map(([name, value]) => ({ Key: name, Value: value }));
  return {
    ...numbered('LoadBalancerAttributes.AdditionalAttributes.member', pairs),
    ...prefixed('LoadBalancerAttributes', optionFields(change)),
  };
}

function checkAccounting(accountingType: string | undefined): void {
  checkOneOf('the accounting type of a load balancer', accountingType, ACCOUNTING_TYPES);
}

function checkListener(listener: Partial<NewElasticListener>): void {
  checkOneOf('the protocol of a listener', listener.protocol, PROTOCOLS as readonly string[]);
  checkPort('the port of a load balancer', listener.loadBalancerPort);
  checkPort('the port of its servers', listener.instancePort);
  checkOneOf('the balancing type of a listener', listener.balancingType, BALANCING_TYPES);
  checkLength('the description of a listener', listener.description, LONGEST_DESCRIPTION);
}

/** Of a listener to be made. */
export function listenerFields(listener: NewElasticListener): Parameters {
  checkListener(listener);
  const { certificateId = '' } = listener;
  if ((listener.protocol === 'HTTPS') !== (certificateId !== '')) {
    throw new TypeError(
      `a listener has a certificate if its protocol is HTTPS, and only then; it is ${listener.protocol}`,
    );
  }
  return {
    Protocol: listener.protocol,
    ElasticLoadBalancerPort: listener.loadBalancerPort,
    InstancePort: listener.instancePort,
    BalancingType: listener.balancingType,
    Description: listener.description,
    SSLCertificateId: certificateId,
  };
}

/** Of a call, or of a listener to be made. */
export function healthCheckFields(check: ElasticHealthCheck): Parameters {
  const { target, path = '', httpCodes = [] } = check;
  if (!/^((TCP|HTTP|HTTPS):\d+|ICMP)$/.test(target)) {
    throw new RangeError(
      `a load balancer checks TCP:<port>, HTTP:<port>, HTTPS:<port> or ICMP, not ${JSON.stringify(target)}`,
    );
  }
  if ((path !== '' || httpCodes.length > 0) && !target.startsWith('HTTP')) {
    throw new TypeError(`path and HTTP codes are for checks of HTTP and HTTPS, not ${target}`);
  }
  if (path !== '' && !path.startsWith('/')) {
    throw new RangeError(`the path of a health check begins with /, unlike ${JSON.stringify(path)}`);
  }
  checkLength('the path of a health check', path, LONGEST_PATH);
  for (const code of httpCodes) checkOneOf('the HTTP code of a health check', code, HTTP_CODES);
  checkInteger('the interval of a health check, in seconds,', check.intervalSeconds, 5, 300);
  checkInteger('the unhealthy threshold of a health check', check.unhealthyThreshold, 1, 10);
  return {
    'HealthCheck.Target': target,
    'HealthCheck.Interval': check.intervalSeconds,
    'HealthCheck.UnhealthyThreshold': check.unhealthyThreshold,
    'HealthCheck.Path': path,
    ...numbered(
      'HealthCheck.Expectation.member',
      httpCodes.map((code) => ({ HttpCode: code })),
    ),
  };
}

/** Requests say `Enable`, answers `Enabled` (§5.4). */
function optionFields({ stickiness, sorryPage }: Pick<ElasticListenerChange, 'stickiness' | 'sorryPage'>): Parameters {
  const sticky = stickiness === 'off' ? undefined : stickiness;
  const sorry = sorryPage === 'off' ? undefined : sorryPage;
  checkInteger('the period of stickiness, in minutes,', sticky?.periodMinutes, 3, 1440);
  if (sorry !== undefined && !/^https?:\/\//.test(sorry.redirectUrl)) {
    throw new RangeError(`a sorry page is an http or https URL, not ${JSON.stringify(sorry.redirectUrl)}`);
  }
  return {
    'Session.StickinessPolicy.Enable': stickiness && sticky !== undefined,
    'Session.StickinessPolicy.Method': sticky && STICKINESS_METHODS[sticky.method],
    'Session.StickinessPolicy.ExpirationPeriod': sticky?.periodMinutes,
    'SorryPage.Enable': sorryPage && sorry !== undefined,
    'SorryPage.RedirectUrl': sorry?.redirectUrl,
  };
}

function interfaceFields(one: NewElasticInterface): Parameters {
  if (((one.networkId ?? '') === '') === ((one.networkName ?? '') === '')) {
    throw new TypeError('an interface needs the id or the name of a network, and not both');
  }
  return {
    NetworkId: one.networkId,
    NetworkName: one.networkName,
    IsVipNetwork: one.isVip,
    IpAddress: one.address,
    ...systemAddressFields(one.systemAddresses ?? []),
  };
}

/** Of an interface. */
export function systemAddressFields(addresses: readonly string[]): Parameters {
  return numbered(
    'SystemIpAddresses',
    addresses.map((address) => ({ SystemIpAddress: address })),
  );
}

function prefixed(prefix: string, fields: Parameters): Parameters {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [`${prefix}.${name}`, value]));
}
