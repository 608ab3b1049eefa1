import type { Handler } from '../api/call.ts';
import { Refusal } from '../api/refusal.ts';
import { timestamp } from '../api/wire.ts';
import type { Parameters, XmlFields } from '../api/wire.ts';
import type { Filter, L4LoadBalancer, Listener } from '../world/listeners.ts';
import type { World } from '../world/world.ts';
import { describedEntries } from './parallel-lists.ts';
import { instanceFields, memberships, stateFields } from './targets.ts';

/**
 * A protocol is only a label of a listen port (docs/reference/nifcloud-api.md §4.2); `custom` for all other ports is one of two
 * readings (§11 no. 20).
 */
export const PROTOCOL_PORTS: Readonly<Record<string, number>> = { HTTP: 80, HTTPS: 443, FTP: 21 };
/** The label of all other ports. */
export const CUSTOM_PROTOCOL = 'custom';

/** The address that stands for "everyone" in answers (nifcloud-api.md §4.3). */
const EVERYONE = '*.*.*.*';

/** `FilterType` on the wire. */
const FILTER_TYPES: Readonly<Record<Filter['type'], string>> = { allow: '1', deny: '2' };

/**
 * DescribeLoadBalancers: one member for each port (nifcloud-api.md §4.3). Those of other accounts (`ABC12345.name`, §4.1) do not
 * exist here.
 */
export const describeLoadBalancers: Handler = ({ world, parameters }) => {
  const owner = parameters.choice('Owner', ['self', 'other', 'all']);
  const described =
    describedEntries({ world, parameters }, DESCRIBE_LISTS, (index) =>
      selectedPorts(world, parameters, index),
    )?.flat() ?? addressedPorts(world);
  return {
    LoadBalancerDescriptions: {
      member: owner === 'other' ? [] : described.map(({ loadBalancer, port }) => describe(world, loadBalancer, port)),
    },
  };
};

const DESCRIBE_LISTS = ['member', 'LoadBalancerPort', 'InstancePort'].map((list) => `LoadBalancerNames.${list}`);

/** `loadbalancing` of servers, by their unique ids. */
export function l4Memberships(world: World): ReadonlyMap<string, readonly XmlFields[]> {
  const listeners = addressedPorts(world).map(({ loadBalancer, port }) => ({ loadBalancer, listener: port }));
  return memberships(listeners, ({ loadBalancer, listener }, target) => ({
    loadBalancerName: loadBalancer.name,
    loadBalancerPort: listener.loadBalancerPort,
    instancePort: listener.instancePort,
    State: target.state,
  }));
}

function addressedPorts(world: World): readonly AddressedPort[] {
  return [...world.loadBalancers.values()].flatMap((loadBalancer) =>
    loadBalancer.ports.map((port) => ({ loadBalancer, port })),
  );
}

function selectedPorts(world: World, parameters: Parameters, index: number): readonly AddressedPort[] {
  const loadBalancer = loadBalancerNamed(world, parameters.requiredText(`LoadBalancerNames.member.${index}`));
  const loadBalancerPort = parameters.integer(`LoadBalancerNames.LoadBalancerPort.${index}`);
  const instancePort = parameters.integer(`LoadBalancerNames.InstancePort.${index}`);
  const ports = loadBalancer.ports.filter(
    (port) =>
      (loadBalancerPort ?? port.loadBalancerPort) === port.loadBalancerPort &&
      (instancePort ?? port.instancePort) === port.instancePort,
  );
  if (ports.length === 0) throw noSuchPort(loadBalancer, loadBalancerPort, instancePort);
  return ports.map((port) => ({ loadBalancer, port }));
}

function describe(world: World, loadBalancer: L4LoadBalancer, port: Listener): XmlFields {
  const { healthCheck, stickiness, sorryPage } = port;
  return {
    LoadBalancerName: loadBalancer.name,
    DNSName: loadBalancer.vip,
    NetworkVolume: loadBalancer.networkVolumeMbps,
    ListenerDescriptions: { member: { Listener: listenerFields(port) } },
    Policies: { AppCookieStickinessPolicies: undefined, LBCookieStickinessPolicies: undefined },
    AvailabilityZones: { member: loadBalancer.zones },
    Instances: { member: port.targets.map((target) => instanceFields(world, target.serverUniqueId)) },
    HealthCheck: {
      ...healthCheckFields(port),
      // No formula fits the recorded values; clients must take it as opaque (nifcloud-api.md §4.3).
      Timeout: healthCheck.intervalSeconds * healthCheck.unhealthyThreshold,
      InstanceStates: { member: port.targets.map((target) => stateFields(world, target)) },
    },
    Filter: filterFields(port.filter),
    CreatedTime: timestamp(loadBalancer.createdAtMs),
    AccountingType: loadBalancer.accountingType,
    NextMonthAccountingType: loadBalancer.nextMonthAccountingType,
    Option: {
      SessionStickinessPolicy: {
        Enabled: stickiness.enabled,
        ExpirationPeriod: stickiness.enabled ? stickiness.periodMinutes : undefined,
      },
      // The official Go SDK can read an empty period, but no empty status.
      SorryPage: { Enabled: sorryPage.enabled, ...(sorryPage.enabled ? { StatusCode: sorryPage.statusCode } : {}) },
    },
    PolicyType: loadBalancer.policyType,
  };
}

/** What every answer about a port says of it. */
export function portFields(port: Listener): XmlFields {
  return {
    Protocol: protocolOf(port.loadBalancerPort),
    LoadBalancerPort: port.loadBalancerPort,
    InstancePort: port.instancePort,
    BalancingType: port.balancingType,
  };
}

/** `Listener`. */
function listenerFields(port: Listener): XmlFields {
  return {
    ...portFields(port),
    SSLCertificateId: port.sslCertificateId,
    // It is set by either (§4.3); which id belongs to which name no source says.
    SSLPolicy: /^\d+$/.test(port.sslPolicyId)
      ? { SSLPolicyId: port.sslPolicyId, SSLPolicyName: undefined }
      : { SSLPolicyId: undefined, SSLPolicyName: port.sslPolicyId },
  };
}

/** The label of a listen port. */
export function protocolOf(loadBalancerPort: number): string {
  return Object.keys(PROTOCOL_PORTS).find((name) => PROTOCOL_PORTS[name] === loadBalancerPort) ?? CUSTOM_PROTOCOL;
}

/** `HealthCheck`. */
export function healthCheckFields({ healthCheck }: Listener): XmlFields {
  return {
    Target: healthCheck.target,
    Interval: healthCheck.intervalSeconds,
    UnhealthyThreshold: healthCheck.unhealthyThreshold,
    HealthyThreshold: 1,
  };
}

/** `Filter`: an empty one is written as the address of everyone. */
export function filterFields(filter: Filter): XmlFields {
  const addresses = filter.addresses.length === 0 ? [EVERYONE] : filter.addresses;
  return {
    FilterType: FILTER_TYPES[filter.type],
    IPAddresses: { member: addresses.map((address) => ({ IPAddress: address })) },
  };
}

/** A port with the load balancer that it belongs to. */
export interface AddressedPort {
  readonly loadBalancer: L4LoadBalancer;
  readonly port: Listener;
}

/**
 * The port that LoadBalancerName, LoadBalancerPort and InstancePort name, all three of them required.
 * @throws Refusal
 */
export function addressedPort(world: World, parameters: Parameters): AddressedPort {
  const name = parameters.requiredText('LoadBalancerName');
  const loadBalancerPort = parameters.requiredInteger('LoadBalancerPort');
  const instancePort = parameters.requiredInteger('InstancePort');
  const loadBalancer = loadBalancerNamed(world, name);
  return { loadBalancer, port: portOf(loadBalancer, loadBalancerPort, instancePort) };
}

/** @throws Refusal when no load balancer has this name */
export function loadBalancerNamed(world: World, name: string): L4LoadBalancer {
  const loadBalancer = world.loadBalancers.get(name);
  if (loadBalancer !== undefined) return loadBalancer;
  throw new Refusal('Client.InvalidParameterNotFound.LoadBalancer', `there is no load balancer ${name}`);
}

/** @throws Refusal when the load balancer has no such pair of ports */
export function portOf(loadBalancer: L4LoadBalancer, loadBalancerPort: number, instancePort: number): Listener {
  const port = loadBalancer.ports.find(
    (one) => one.loadBalancerPort === loadBalancerPort && one.instancePort === instancePort,
  );
  if (port === undefined) throw noSuchPort(loadBalancer, loadBalancerPort, instancePort);
  return port;
}

function noSuchPort({ name }: L4LoadBalancer, loadBalancerPort?: number, instancePort?: number): Refusal {
  return new Refusal(
    'Client.InvalidParameterNotFound.LoadBalancerPort',
    `load balancer ${name} has no port ${loadBalancerPort ?? '*'} to ${instancePort ?? '*'}`,
  );
}
