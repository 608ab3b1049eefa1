import { isIP } from 'node:net';
import type { Handler } from '../api/call.ts';
import { addressedPort, filterFields, healthCheckFields, instanceFields, stateFields } from './l4-descriptions.ts';
import { Refusal } from '../api/refusal.ts';
import { illegal } from '../api/wire.ts';
import type { Parameters } from '../api/wire.ts';
import { noSuchServer, requireSettledServer, serverNamed } from '../world/servers.ts';
import type { Listener, Target } from '../world/listeners.ts';
import type { Server } from '../world/servers.ts';
import type { World } from '../world/world.ts';

/** Addresses in a port's filter (docs/reference/nifcloud-api.md §4.1). */
const MAX_FILTER_ADDRESSES = 30;

/** ConfigureHealthCheck (nifcloud-api.md §4.1). HealthyThreshold can only be 1, and Timeout means nothing. */
export const configureHealthCheck: Handler = ({ world, parameters }) => {
  const { port } = addressedPort(world, parameters);
  const target = parameters.requiredText('HealthCheck.Target');
  const checkedPort = Number(/^TCP:(\d{1,5})$/.exec(target)?.[1]);
  if (target !== 'ICMP' && !(checkedPort >= 1 && checkedPort <= 65_535)) {
    throw illegal('HealthCheck.Target', `${target} is neither ICMP nor TCP: with a port`);
  }
  const intervalSeconds = requiredWithin(parameters, 'HealthCheck.Interval', 5, 300);
  const unhealthyThreshold = requiredWithin(parameters, 'HealthCheck.UnhealthyThreshold', 1, 10);
  parameters.choice('HealthCheck.HealthyThreshold', ['1']);
  parameters.integer('HealthCheck.Timeout');
  port.healthCheck = { target, intervalSeconds, unhealthyThreshold, path: '', httpCodes: [] };
  return { HealthCheck: healthCheckFields(port) };
};

/** RegisterInstancesWithLoadBalancer: all of the servers or none; the answer echoes those of this request. */
export const registerInstances: Handler = ({ world, parameters }) => {
  const { port } = addressedPort(world, parameters);
  const servers = requiredServers(world, parameters);
  for (const server of servers) {
    if (targetOn(port, server) !== undefined) {
      throw new Refusal(
        'Client.Inoperable.LoadBalancer.HavingRegisteredInstance',
        `server ${server.name} is registered with this port already`,
      );
    }
    requireSettledServer(server);
  }
  const targets = servers.map((server): Target => ({ serverUniqueId: server.uniqueId, state: 'OutOfService' }));
  port.targets = [...port.targets, ...targets];
  return { Instances: { member: servers.map((server) => instanceFields(world, server.uniqueId)) } };
};

/** DeregisterInstancesFromLoadBalancer: all of the servers or none. */
export const deregisterInstances: Handler = ({ world, parameters }) => {
  const { port } = addressedPort(world, parameters);
  const leaving = requiredServers(world, parameters).map((server) => requireTarget(port, server));
  port.targets = port.targets.filter((target) => !leaving.includes(target));
  return { Instances: { member: leaving.map((target) => instanceFields(world, target.serverUniqueId)) } };
};

/** DescribeInstanceHealth: of the named servers, or of all. */
export const describeInstanceHealth: Handler = ({ world, parameters }) => {
  const { port } = addressedPort(world, parameters);
  const servers = namedServers(world, parameters);
  const targets = servers.length === 0 ? port.targets : servers.map((server) => requireTarget(port, server));
  return { InstanceStates: { member: targets.map((target) => stateFields(world, target)) } };
};

/**
 * SetFilterForLoadBalancer: adds and removes addresses; without FilterType the list becomes (or stays) an allow list, and an
 * emptied list lets everyone in (nifcloud-api.md §4.3). All of it is done or nothing.
 */
export const setFilter: Handler = ({ world, parameters }) => {
  const { port } = addressedPort(world, parameters);
  const type = (parameters.choice('FilterType', ['1', '2']) ?? '1') === '1' ? 'allow' : 'deny';
  let addresses: readonly string[] = port.filter.addresses;
  for (const index of parameters.indexes('IPAddresses.member')) {
    const entry = `IPAddresses.member.${index}`;
    const address = parameters.requiredText(`${entry}.IPAddress`);
    const adds = parameters.boolean(`${entry}.AddOnFilter`) ?? true;
    if (!isAddressOrRange(address))
      throw illegal(`${entry}.IPAddress`, `${address} is neither an IP address nor a CIDR`);
    const held = addresses.includes(address);
    if (adds && held) {
      throw new Refusal('Client.InvalidParameterDuplicate.IpAddress', `the filter holds ${address} already`);
    }
    if (!adds && !held) {
      throw new Refusal('Client.InvalidParameterNotFound.IpAddress', `the filter does not hold ${address}`);
    }
    addresses = adds ? [...addresses, address] : addresses.filter((one) => one !== address);
  }
  if (addresses.length > MAX_FILTER_ADDRESSES) {
    throw new Refusal(
      'Client.Inoperable.IpAddress.LimitExceeded',
      `the filter would hold ${addresses.length} addresses, more than ${MAX_FILTER_ADDRESSES}`,
    );
  }
  port.filter = {
    type,
    addresses,
    emptied: addresses.length === 0 && (port.filter.emptied || port.filter.addresses.length > 0),
  };
  return { Filter: filterFields(port.filter) };
};

/** `10.0.0.1` or `10.0.0.0/8`, of IPv4 or IPv6. */
function isAddressOrRange(text: string): boolean {
  const [address = '', prefix, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128));
}

function namedServers(world: World, parameters: Parameters): readonly Server[] {
  const names = parameters
    .indexes('Instances.member')
    .map((index) => parameters.requiredText(`Instances.member.${index}.InstanceId`));
  return [...new Set(names)].map((name) => serverNamed(world, name));
}

/** What the cloud makes of an empty list is unknown; it is refused. */
function requiredServers(world: World, parameters: Parameters): readonly Server[] {
  const servers = namedServers(world, parameters);
  if (servers.length === 0) parameters.requiredText('Instances.member.1.InstanceId');
  return servers;
}

function targetOn(port: Listener, server: Server): Target | undefined {
  return port.targets.find((target) => target.serverUniqueId === server.uniqueId);
}

/** A server that exists but is not registered is answered like one that does not exist (nifcloud-api.md §1.6). */
function requireTarget(port: Listener, server: Server): Target {
  const target = targetOn(port, server);
  if (target === undefined) throw noSuchServer(`${server.name} on this port`);
  return target;
}

function requiredWithin(parameters: Parameters, name: string, min: number, max: number): number {
  const value = parameters.requiredInteger(name);
  if (value < min || value > max) throw illegal(name, `${value} is not from ${min} to ${max}`);
  return value;
}
