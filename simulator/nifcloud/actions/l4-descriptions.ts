import type { Handler } from '../api/call.ts';
import { Refusal } from '../api/refusal.ts';
import { timestamp } from '../api/wire.ts';
import type { Parameters, XmlFields } from '../api/wire.ts';
import { serverWithId } from '../world/servers.ts';
import type { Filter, L4LoadBalancer, Listener, Target } from '../world/listeners.ts';
import type { World } from '../world/world.ts';

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

/** DescribeLoadBalancers: names with optional ports in parallel lists; one member for each port (nifcloud-api.md §1.4, §4.3). */
export const describeLoadBalancers: Handler = ({ world, parameters }) => {
  const owner = parameters.choice('Owner', ['self', 'other', 'all']);
  const indexes = parameters.indexes('LoadBalancerNames.member');
  const described =
    indexes.length === 0
      ? [...world.loadBalancers.values()].flatMap((loadBalancer) =>
          loadBalancer.ports.map((port) => ({ loadBalancer, port })),
        )
      : indexes.flatMap((index) => selectedPorts(world, parameters, index));
  return {
    LoadBalancerDescriptions: {
      member: owner === 'other' ? [] : described.map(({ loadBalancer, port }) => describe(world, loadBalancer, port)),
    },
  };
};

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
  const { healthCheck } = port;
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
      SessionStickinessPolicy: { Enabled: false, ExpirationPeriod: undefined },
      SorryPage: { Enabled: false, StatusCode: undefined },
    },
    PolicyType: loadBalancer.policyType,
  };
}

/** `Listener`. */
export function listenerFields(port: Listener): XmlFields {
  return {
    Protocol: protocolOf(port.loadBalancerPort),
    LoadBalancerPort: port.loadBalancerPort,
    InstancePort: port.instancePort,
    BalancingType: port.balancingType,
    SSLCertificateId: undefined,
  };
}

/** The label of a listen port. */
export function protocolOf(loadBalancerPort: number): string {
  return Object.keys(PROTOCOL_PORTS).find((name) => PROTOCOL_PORTS[name] === loadBalancerPort) ?? CUSTOM_PROTOCOL;
}

/** A member of `Instances`. */
export function instanceFields(world: World, serverUniqueId: string): XmlFields {
  return { InstanceId: serverWithId(world, serverUniqueId).name, InstanceUniqueId: serverUniqueId };
}

/** A member of `InstanceStates`. */
export function stateFields(world: World, target: Target): XmlFields {
  return {
    ...instanceFields(world, target.serverUniqueId),
    State: target.state,
    ReasonCode: target.state === 'InService' ? 'N/A' : 'ELB',
    Description: undefined,
  };
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
