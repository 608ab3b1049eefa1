import type { Handler } from '../api/call.ts';
import { equal, readFilters } from '../api/filters.ts';
import { Refusal } from '../api/refusal.ts';
import { CData, timestampInSeconds } from '../api/wire.ts';
import type { Parameters, XmlFields } from '../api/wire.ts';
import { elasticState, PROTOCOLS } from '../world/listeners.ts';
import type { ElasticInterface, ElasticLoadBalancer, Listener } from '../world/listeners.ts';
import type { World } from '../world/world.ts';
import { elasticNamed } from './elastic-lookups.ts';
import { LATEST_VERSION } from './elastic-load-balancers.ts';
import { describedEntries } from './parallel-lists.ts';
import { instanceFields, memberships } from './targets.ts';

/** Names, ids and what says more about listeners, in parallel lists (docs/reference/nifcloud-api.md §1.4). */
const LISTS = [
  'ElasticLoadBalancerName',
  'ElasticLoadBalancerId',
  'Protocol',
  'ElasticLoadBalancerPort',
  'InstancePort',
];
const PREFIX = 'ElasticLoadBalancers.';

/**
 * NiftyDescribeElasticLoadBalancers: one member for each load balancer, with the listeners that the call names; all of them when
 * it names none (nifcloud-api.md §5.4).
 */
export const describeElasticLoadBalancers: Handler = ({ world, parameters }) => {
  const entries = describedEntries(
    { world, parameters },
    LISTS.map((list) => `${PREFIX}${list}`),
    (index) => selectedListeners(world, parameters, index),
  );
  const passes = readFilters<ElasticLoadBalancer>(parameters, FILTERS);
  const selected = new Map<ElasticLoadBalancer, ReadonlySet<Listener>>();
  for (const { loadBalancer, listeners } of entries ?? everything(world)) {
    selected.set(loadBalancer, new Set([...(selected.get(loadBalancer) ?? []), ...listeners]));
  }
  return {
    ElasticLoadBalancerDescriptions: {
      member: [...selected]
        .filter(([loadBalancer]) => passes(loadBalancer))
        .map(([loadBalancer, listeners]) => describe(world, loadBalancer, [...listeners])),
    },
  };
};

/** `Filter.N.Name` (nifcloud-api.md §5.4). That texts are compared as a whole, and descriptions are those of listeners, is invented. */
const FILTERS = {
  'availability-zone': { texts: ({ zone }: ElasticLoadBalancer) => [zone], by: equal },
  state: { texts: (one: ElasticLoadBalancer) => [elasticState(one)], by: equal },
  'elastic-loadbalancer-id': { texts: ({ uniqueId }: ElasticLoadBalancer) => [uniqueId], by: equal },
  'elastic-loadbalancer-name': { texts: ({ name }: ElasticLoadBalancer) => [name], by: equal },
  description: {
    texts: ({ listeners }: ElasticLoadBalancer) => listeners.map(({ description }) => description),
    by: equal,
  },
  'accounting-type': { texts: ({ accountingType }: ElasticLoadBalancer) => [accountingType], by: equal },
  'ip-address': { texts: ({ vip }: ElasticLoadBalancer) => [vip], by: equal },
  version: { texts: ({ version }: ElasticLoadBalancer) => [version], by: equal },
} as const;

interface Selected {
  readonly loadBalancer: ElasticLoadBalancer;
  readonly listeners: readonly Listener[];
}

function everything(world: World): readonly Selected[] {
  return [...world.elasticLoadBalancers.values()].map((loadBalancer) => ({
    loadBalancer,
    listeners: loadBalancer.listeners,
  }));
}

function selectedListeners(world: World, parameters: Parameters, index: number): Selected {
  const loadBalancer = elasticNamed(world, parameters, PREFIX, `.${index}`);
  const protocol = parameters.choice(`${PREFIX}Protocol.${index}`, PROTOCOLS);
  const loadBalancerPort = parameters.integer(`${PREFIX}ElasticLoadBalancerPort.${index}`);
  const instancePort = parameters.integer(`${PREFIX}InstancePort.${index}`);
  const listeners = loadBalancer.listeners.filter(
    (one) =>
      (protocol ?? one.protocol) === one.protocol &&
      (loadBalancerPort ?? one.loadBalancerPort) === one.loadBalancerPort &&
      (instancePort ?? one.instancePort) === one.instancePort,
  );
  if (listeners.length > 0) return { loadBalancer, listeners };
  // Both codes are known to mean this; which of them when is invented (nifcloud-api.md §1.6).
  const subject = protocol === undefined ? 'ElasticLoadBalancerPort' : 'Protocol.or.ElasticLoadBalancerPort';
  throw new Refusal(
    `Client.InvalidParameterNotFound.${subject}`,
    `elastic load balancer ${loadBalancer.name} has no listener ${protocol ?? '*'} ${loadBalancerPort ?? '*'} to ${instancePort ?? '*'}`,
  );
}

function describe(world: World, loadBalancer: ElasticLoadBalancer, listeners: readonly Listener[]): XmlFields {
  return {
    ElasticLoadBalancerId: loadBalancer.uniqueId,
    ElasticLoadBalancerName: loadBalancer.name,
    DNSName: loadBalancer.vip,
    NetworkVolume: loadBalancer.networkVolumeMbps,
    State: elasticState(loadBalancer),
    AccountingType: loadBalancer.accountingType,
    NextMonthAccountingType: loadBalancer.nextMonthAccountingType,
    ElasticLoadBalancerListenerDescriptions: {
      member: listeners.map((listener) => ({ Listener: describeListener(world, listener) })),
    },
    AvailabilityZones: { member: [loadBalancer.zone] },
    NetworkInterfaces: { member: loadBalancer.interfaces.map(interfaceFields) },
    RouteTableId: loadBalancer.routeTableId,
    RouteTableAssociationId: loadBalancer.routeTableAssociationId,
    VersionInformation: { IsLatest: loadBalancer.version === LATEST_VERSION, Version: loadBalancer.version },
    CreatedTime: timestampInSeconds(loadBalancer.createdAtMs),
  };
}

function describeListener(world: World, listener: Listener): XmlFields {
  const { stickiness, sorryPage, targets } = listener;
  return {
    ...listenerFields(listener),
    SessionStickinessPolicy: {
      Enabled: stickiness.enabled,
      // The official Go SDK can read an empty period, but no empty method.
      ...(stickiness.enabled ? { Method: stickiness.method } : {}),
      ExpirationPeriod: stickiness.enabled ? stickiness.periodMinutes : undefined,
    },
    SorryPage: { Enabled: sorryPage.enabled, RedirectUrl: sorryPage.redirectUrl },
    Instances: { member: targets.map(({ serverUniqueId }) => instanceFields(world, serverUniqueId)) },
    HealthCheck: {
      ...healthCheckFields(listener),
      InstanceStates: {
        // Recorded answers say nothing about the states here: there is an action of its own for them.
        member: targets.map(({ serverUniqueId }) => ({
          ...instanceFields(world, serverUniqueId),
          State: undefined,
          ReasonCode: undefined,
          Description: undefined,
        })),
      },
    },
  };
}

/** What `Listener` and the answer of NiftyRegisterPortWithElasticLoadBalancer have in common. */
export function listenerFields(listener: Listener): XmlFields {
  return {
    Protocol: listener.protocol,
    ElasticLoadBalancerPort: listener.loadBalancerPort,
    InstancePort: listener.instancePort,
    BalancingType: listener.balancingType,
    Description: new CData(listener.description),
    SSLCertificateId: listener.sslCertificateId,
  };
}

/** `HealthCheck`. */
export function healthCheckFields({ healthCheck }: Listener): XmlFields {
  return {
    Target: healthCheck.target,
    Interval: healthCheck.intervalSeconds,
    UnhealthyThreshold: healthCheck.unhealthyThreshold,
    Path: healthCheck.path,
    Expectation: { member: healthCheck.httpCodes.map((code) => ({ HttpCode: code })) },
  };
}

function interfaceFields(one: ElasticInterface, at: number): XmlFields {
  return {
    NetworkId: one.networkId,
    NetworkName: one.networkName,
    DeviceIndex: at + 1,
    IpAddress: one.ipAddress,
    IsVipNetwork: one.isVip,
    Description: new CData(''),
    SystemIpAddresses: { member: one.systemIpAddresses.map((address) => ({ SystemIpAddress: address })) },
  };
}

/** `niftyElasticLoadBalancing` of servers, by their unique ids (nifcloud-api.md §2.2). */
export function elasticMemberships(world: World): ReadonlyMap<string, readonly XmlFields[]> {
  const listeners = [...world.elasticLoadBalancers.values()].flatMap((loadBalancer) =>
    loadBalancer.listeners.map((listener) => ({ loadBalancer, listener })),
  );
  return memberships(listeners, ({ loadBalancer, listener }) => ({
    elasticLoadBalancerId: loadBalancer.uniqueId,
    elasticLoadBalancerName: loadBalancer.name,
    elasticLoadBalancerPort: listener.loadBalancerPort,
    instancePort: listener.instancePort,
    protocol: listener.protocol,
  }));
}
