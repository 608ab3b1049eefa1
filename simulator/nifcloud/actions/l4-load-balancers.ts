import type { Handler } from '../api/call.ts';
import {
  addressedPort,
  CUSTOM_PROTOCOL,
  listenerFields,
  loadBalancerNamed,
  portOf,
  PROTOCOL_PORTS,
  protocolOf,
} from './l4-descriptions.ts';
import { Refusal } from '../api/refusal.ts';
import { illegal } from '../api/wire.ts';
import type { Parameters } from '../api/wire.ts';
import { BALANCING } from '../world/listeners.ts';
import type { HealthCheck, L4LoadBalancer, Listener } from '../world/listeners.ts';
import { takeVip } from '../world/world.ts';
import type { World } from '../world/world.ts';

/** Limits of L4 load balancers (docs/reference/nifcloud-api.md §4.1). */
const MAX_PORTS = 3;
const MAX_LOAD_BALANCERS_PER_ZONE = 6;

/** Bandwidths on sale. */
const NETWORK_VOLUMES_MBPS =
  '10 20 30 40 100 200 300 400 500 600 700 800 900 1000 1100 1200 1300 1400 1500 1600 1700 1800 1900 2000'.split(' ');
const DEFAULT_NETWORK_VOLUME = '10';

/** What the cloud takes when a request names none is unknown; this is what its clients send. */
const DEFAULT_ACCOUNTING_TYPE = '2';

/** What a port is checked by until ConfigureHealthCheck: the cloud's own default is unknown, this is its clients' (§11 no. 22). */
const DEFAULT_HEALTH_CHECK: HealthCheck = {
  target: 'ICMP',
  intervalSeconds: 5,
  unhealthyThreshold: 1,
  path: '',
  httpCodes: [],
};

/** CreateLoadBalancer: with its first port, whose filter is open and which has no targets. */
export const createLoadBalancer: Handler = ({ world, parameters, nowMs }) => {
  const name = readNewName(world, parameters.requiredText('LoadBalancerName'), 'LoadBalancerName');
  const port = readListener(parameters);
  const zones = parameters.list('AvailabilityZones.member');
  const strange = zones.find((zone) => !world.zones.includes(zone));
  if (strange !== undefined) {
    throw new Refusal('Client.InvalidParameterNotFound.AvailabilityZone', `there is no zone ${strange}`);
  }
  if (parameters.choice('IpVersion', ['v4', 'v6']) === 'v6') throw illegal('IpVersion', 'the simulator has v4 only');
  const accountingType = parameters.choice('AccountingType', ['1', '2']) ?? DEFAULT_ACCOUNTING_TYPE;
  const networkVolume = parameters.choice('NetworkVolume', NETWORK_VOLUMES_MBPS) ?? DEFAULT_NETWORK_VOLUME;
  const policyType = parameters.choice('PolicyType', ['standard', 'ats']) ?? 'standard';
  const limit = MAX_LOAD_BALANCERS_PER_ZONE * world.zones.length;
  if (world.loadBalancers.size >= limit) {
    throw new Refusal('Client.Inoperable.LoadBalancer.LimitExceeded', `there are ${limit} load balancers already`);
  }
  const vip = takeVip(world);
  world.loadBalancers.set(name, {
    name,
    vip,
    ipVersion: 'v4',
    zones: zones.length === 0 ? world.zones.slice(0, 1) : zones,
    networkVolumeMbps: Number(networkVolume),
    accountingType,
    nextMonthAccountingType: accountingType,
    policyType,
    createdAtMs: nowMs,
    ports: [port],
  });
  return { DNSName: vip };
};

/** RegisterPortWithLoadBalancer: the second and third port. */
export const registerPort: Handler = ({ world, parameters }) => {
  const loadBalancer = loadBalancerNamed(world, parameters.requiredText('LoadBalancerName'));
  const port = readListener(parameters);
  requireFreePort(loadBalancer, port.loadBalancerPort);
  if (loadBalancer.ports.length >= MAX_PORTS) {
    throw new Refusal(
      'Client.Inoperable.LoadBalancerPort.LimitExceeded',
      `load balancer ${loadBalancer.name} has ${MAX_PORTS} ports already`,
    );
  }
  loadBalancer.ports.push(port);
  // Recorded answers write the label in lower case here and in upper case elsewhere (nifcloud-api.md §4.2).
  const listener = { ...listenerFields(port), Protocol: protocolOf(port.loadBalancerPort).toLowerCase() };
  return { Listeners: { member: [listener] } };
};

/**
 * UpdateLoadBalancer: bandwidth, next month's accounting, name, and one listener's ports and balancing. That a listener keeps
 * its filter, targets and health check is one of two readings.
 */
export const updateLoadBalancer: Handler = ({ world, parameters }) => {
  const loadBalancer = loadBalancerNamed(world, parameters.requiredText('LoadBalancerName'));
  const networkVolume = parameters.choice('NetworkVolumeUpdate', NETWORK_VOLUMES_MBPS);
  const accountingType = parameters.choice('AccountingTypeUpdate', ['1', '2']);
  const rename = parameters.text('LoadBalancerNameUpdate');
  if (rename !== undefined) readNewName(world, rename, 'LoadBalancerNameUpdate');
  const listener = readListenerUpdate(loadBalancer, parameters);
  if (networkVolume !== undefined) loadBalancer.networkVolumeMbps = Number(networkVolume);
  if (accountingType !== undefined) loadBalancer.nextMonthAccountingType = accountingType;
  if (listener !== undefined) Object.assign(listener.port, listener.changes);
  if (rename !== undefined) {
    world.loadBalancers.delete(loadBalancer.name);
    loadBalancer.name = rename;
    world.loadBalancers.set(rename, loadBalancer);
  }
  return undefined;
};

/** DeleteLoadBalancer: one port with all that belongs to it; with the last one the load balancer and its address go. */
export const deleteLoadBalancer: Handler = ({ world, parameters }) => {
  const { loadBalancer, port } = addressedPort(world, parameters);
  loadBalancer.ports.splice(loadBalancer.ports.indexOf(port), 1);
  if (loadBalancer.ports.length === 0) world.loadBalancers.delete(loadBalancer.name);
  return {};
};

function requireFreePort(loadBalancer: L4LoadBalancer, loadBalancerPort: number): void {
  if (loadBalancer.ports.every((port) => port.loadBalancerPort !== loadBalancerPort)) return;
  throw new Refusal(
    'Client.Inoperable.LoadBalancerPort.AlreadyExists',
    `load balancer ${loadBalancer.name} listens on ${loadBalancerPort} already`,
  );
}

function readNewName(world: World, name: string, parameter: string): string {
  if (!/^[0-9A-Za-z]{1,15}$/.test(name)) throw illegal(parameter, `${name} is not 1 to 15 letters and digits`);
  if (world.loadBalancers.has(name)) {
    throw new Refusal('Client.InvalidParameterDuplicate.LoadBalancer', `there is a load balancer ${name} already`);
  }
  return name;
}

/** Exactly one listener. The listen port decides; a protocol only stands for it where it is missing (nifcloud-api.md §4.2). */
function readListener(parameters: Parameters): Listener {
  const indexes = parameters.indexes('Listeners.member');
  if (indexes.length > 1) throw illegal('Listeners', 'only one listener is allowed in a call');
  const prefix = `Listeners.member.${indexes[0] ?? 1}`;
  const protocol = parameters.choice(`${prefix}.Protocol`, Object.keys(PROTOCOL_PORTS));
  const loadBalancerPort =
    readPort(parameters, `${prefix}.LoadBalancerPort`) ??
    PROTOCOL_PORTS[protocol ?? ''] ??
    parameters.requiredInteger(`${prefix}.LoadBalancerPort`);
  return {
    protocol: 'TCP',
    loadBalancerPort,
    instancePort: readPort(parameters, `${prefix}.InstancePort`) ?? loadBalancerPort,
    balancingType: readBalancing(parameters, `${prefix}.BalancingType`) ?? BALANCING.roundRobin,
    healthCheck: DEFAULT_HEALTH_CHECK,
    description: '',
    filter: { type: 'allow', addresses: [], emptied: false },
    stickiness: { enabled: false, method: 1, periodMinutes: 0 },
    sorryPage: { enabled: false, statusCode: 0, redirectUrl: '' },
    sslCertificateId: '',
    sslPolicyId: '',
    targets: [],
  };
}

/** `ListenerUpdate.LoadBalancerPort` and `.InstancePort` name the listener, `ListenerUpdate.Listener.*` says what it becomes. */
function readListenerUpdate(
  loadBalancer: L4LoadBalancer,
  parameters: Parameters,
): { readonly port: Listener; readonly changes: Partial<Listener> } | undefined {
  const update = 'ListenerUpdate.Listener';
  parameters.choice(`${update}.Protocol`, [...Object.keys(PROTOCOL_PORTS), CUSTOM_PROTOCOL]);
  const loadBalancerPort = readPort(parameters, `${update}.LoadBalancerPort`);
  const instancePort = readPort(parameters, `${update}.InstancePort`);
  const balancingType = readBalancing(parameters, `${update}.BalancingType`);
  if (loadBalancerPort === undefined && instancePort === undefined && balancingType === undefined) return undefined;
  const port = portOf(
    loadBalancer,
    parameters.requiredInteger('ListenerUpdate.LoadBalancerPort'),
    parameters.requiredInteger('ListenerUpdate.InstancePort'),
  );
  if (loadBalancerPort !== undefined && loadBalancerPort !== port.loadBalancerPort) {
    requireFreePort(loadBalancer, loadBalancerPort);
  }
  return {
    port,
    changes: {
      loadBalancerPort: loadBalancerPort ?? port.loadBalancerPort,
      instancePort: instancePort ?? port.instancePort,
      balancingType: balancingType ?? port.balancingType,
    },
  };
}

function readPort(parameters: Parameters, name: string): number | undefined {
  const port = parameters.integer(name);
  if (port !== undefined && (port < 1 || port > 65_535)) throw illegal(name, `${port} is not from 1 to 65535`);
  return port;
}

function readBalancing(parameters: Parameters, name: string): Listener['balancingType'] | undefined {
  const type = parameters.choice(name, ['1', '2']);
  if (type === undefined) return undefined;
  return type === '1' ? BALANCING.roundRobin : BALANCING.leastConnection;
}
