import type { Call, Handler } from '../api/call.ts';
import {
  addressedPort,
  CUSTOM_PROTOCOL,
  portFields,
  loadBalancerNamed,
  portOf,
  PROTOCOL_PORTS,
  protocolOf,
} from './l4-descriptions.ts';
import {
  ACCOUNTING_TYPES,
  DEFAULT_ACCOUNTING_TYPE,
  DEFAULT_HEALTH_CHECK,
  DEFAULT_NETWORK_VOLUME,
  MAX_LISTENERS,
  newListener,
  NO_SORRY_PAGE,
  onlyListener,
  OPEN_FILTER,
  readBalancing,
  readName,
  readPort,
  requireZone,
} from './listener-settings.ts';
import { Refusal } from '../api/refusal.ts';
import { illegal } from '../api/wire.ts';
import type { Parameters } from '../api/wire.ts';
import { BALANCING } from '../world/listeners.ts';
import type { L4LoadBalancer, Listener } from '../world/listeners.ts';
import { takeVip } from '../world/world.ts';
import type { World } from '../world/world.ts';

/** Load balancers for each zone of the region (docs/reference/nifcloud-api.md §4.1). */
const MAX_LOAD_BALANCERS_PER_ZONE = 6;

/** Bandwidths on sale. */
const NETWORK_VOLUMES_MBPS =
  '10 20 30 40 100 200 300 400 500 600 700 800 900 1000 1100 1200 1300 1400 1500 1600 1700 1800 1900 2000'.split(' ');

/** The only listen port with a sorry page (nifcloud-api.md §4.3). */
export const SORRY_PAGE_PORT = 80;

/** CreateLoadBalancer: with its first port, whose filter is open and which has no targets. */
export const createLoadBalancer: Handler = ({ world, parameters, nowMs }) => {
  parameters.requiredText('LoadBalancerName');
  const name = readNewName(world, parameters, 'LoadBalancerName') ?? '';
  const port = readListener(parameters);
  const zones = parameters.list('AvailabilityZones.member').map((zone) => requireZone(world, zone));
  const ipVersion = parameters.choice('IpVersion', ['v4', 'v6']) ?? 'v4';
  const accountingType = parameters.choice('AccountingType', ACCOUNTING_TYPES) ?? DEFAULT_ACCOUNTING_TYPE;
  const networkVolume = parameters.choice('NetworkVolume', NETWORK_VOLUMES_MBPS) ?? DEFAULT_NETWORK_VOLUME;
  const policyType = parameters.choice('PolicyType', ['standard', 'ats']) ?? 'standard';
  if (policyType === 'ats' && ipVersion === 'v6') throw illegal('PolicyType', 'ats is for IPv4 only');
  const limit = MAX_LOAD_BALANCERS_PER_ZONE * world.zones.length;
  if (world.loadBalancers.size >= limit) {
    throw new Refusal('Client.Inoperable.LoadBalancer.LimitExceeded', `there are ${limit} load balancers already`);
  }
  const vip = ipVersion === 'v4' ? takeVip(world) : takeVip6(world);
  world.loadBalancers.set(name, {
    name,
    vip,
    ipVersion,
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
  if (loadBalancer.ports.length >= MAX_LISTENERS) {
    throw new Refusal(
      'Client.Inoperable.LoadBalancerPort.LimitExceeded',
      `load balancer ${loadBalancer.name} has ${MAX_LISTENERS} ports already`,
    );
  }
  loadBalancer.ports.push(port);
  // Recorded answers write the label in lower case here and in upper case elsewhere (nifcloud-api.md §4.2).
  const listener = { ...portFields(port), Protocol: protocolOf(port.loadBalancerPort).toLowerCase() };
  return { Listeners: { member: [listener] } };
};

/**
 * UpdateLoadBalancer: bandwidth, next month's accounting, name, and one listener's ports and balancing. What becomes of the rest
 * of that listener is the switch `updated-listener`; away from port 80 it loses its sorry page (invented).
 */
export const updateLoadBalancer: Handler = ({ world, parameters }) => {
  const loadBalancer = loadBalancerNamed(world, parameters.requiredText('LoadBalancerName'));
  const networkVolume = parameters.choice('NetworkVolumeUpdate', NETWORK_VOLUMES_MBPS);
  const accountingType = parameters.choice('AccountingTypeUpdate', ACCOUNTING_TYPES);
  const rename = readNewName(world, parameters, 'LoadBalancerNameUpdate');
  const listener = readListenerUpdate(loadBalancer, { world, parameters });
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

/** The next VIP as an address of IPv6: one for documentation, which no machine has, so that something always stands in for it. */
function takeVip6(world: World): string {
  const [a = 0, b = 0, c = 0, d = 0] = takeVip(world).split('.').map(Number);
  return `2001:db8::${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}

function readNewName(world: World, parameters: Parameters, parameter: string): string | undefined {
  const name = readName(parameters, parameter);
  if (name !== undefined && world.loadBalancers.has(name)) {
    throw new Refusal('Client.InvalidParameterDuplicate.LoadBalancer', `there is a load balancer ${name} already`);
  }
  return name;
}

/** Exactly one listener. The listen port decides; a protocol only stands for it where it is missing (nifcloud-api.md §4.2). */
function readListener(parameters: Parameters): Listener {
  const prefix = onlyListener(parameters);
  const protocol = parameters.choice(`${prefix}.Protocol`, Object.keys(PROTOCOL_PORTS));
  const loadBalancerPort =
    readPort(parameters, `${prefix}.LoadBalancerPort`) ??
    PROTOCOL_PORTS[protocol ?? ''] ??
    parameters.requiredInteger(`${prefix}.LoadBalancerPort`);
  return newListener({
    protocol: 'TCP',
    loadBalancerPort,
    instancePort: readPort(parameters, `${prefix}.InstancePort`) ?? loadBalancerPort,
    balancingType: readBalancing(parameters, `${prefix}.BalancingType`) ?? BALANCING.roundRobin,
  });
}

/** `ListenerUpdate.LoadBalancerPort` and `.InstancePort` name the listener, `ListenerUpdate.Listener.*` says what it becomes. */
function readListenerUpdate(
  loadBalancer: L4LoadBalancer,
  { world, parameters }: Pick<Call, 'world' | 'parameters'>,
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
  const listenPort = loadBalancerPort ?? port.loadBalancerPort;
  const resets = world.switches['updated-listener'] === 'reset';
  return {
    port,
    changes: {
      loadBalancerPort: listenPort,
      instancePort: instancePort ?? port.instancePort,
      balancingType: balancingType ?? port.balancingType,
      ...(resets ? { filter: OPEN_FILTER, targets: [], healthCheck: DEFAULT_HEALTH_CHECK } : {}),
      ...(listenPort === SORRY_PAGE_PORT ? {} : { sorryPage: NO_SORRY_PAGE }),
    },
  };
}
