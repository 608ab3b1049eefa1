import type { Handler } from '../api/call.ts';
import { addressedPort, filterFields, healthCheckFields } from './l4-descriptions.ts';
import { readHealthCheck, requireHealthCheck } from './listener-settings.ts';
import { instanceFields, namedServers, requiredServers, stateFields, targetsOf, withTargets } from './targets.ts';
import { Refusal } from '../api/refusal.ts';
import { illegal } from '../api/wire.ts';
import { isAddressOrRange } from '../world/networks.ts';

/** Addresses in a port's filter (docs/reference/nifcloud-api.md §4.1). */
const MAX_FILTER_ADDRESSES = 30;

/** ConfigureHealthCheck (nifcloud-api.md §4.1). HealthyThreshold can only be 1, and Timeout means nothing. */
export const configureHealthCheck: Handler = ({ world, parameters }) => {
  const { port } = addressedPort(world, parameters);
  requireHealthCheck(parameters);
  const healthCheck = readHealthCheck(parameters, 'HealthCheck', ['TCP']);
  parameters.choice('HealthCheck.HealthyThreshold', ['1']);
  parameters.integer('HealthCheck.Timeout');
  port.healthCheck = healthCheck;
  return { HealthCheck: healthCheckFields(port) };
};

/** RegisterInstancesWithLoadBalancer: all of the servers or none; the answer echoes those of this request. */
export const registerInstances: Handler = ({ world, parameters }) => {
  const { port } = addressedPort(world, parameters);
  const servers = requiredServers(world, parameters, 'names');
  port.targets = withTargets(port, servers, 'Client.Inoperable.LoadBalancer.HavingRegisteredInstance');
  return { Instances: { member: servers.map((server) => instanceFields(world, server.uniqueId)) } };
};

/** DeregisterInstancesFromLoadBalancer: all of the servers or none. */
export const deregisterInstances: Handler = ({ world, parameters }) => {
  const { port } = addressedPort(world, parameters);
  const leaving = targetsOf(port, requiredServers(world, parameters, 'names'));
  port.targets = port.targets.filter((target) => !leaving.includes(target));
  return { Instances: { member: leaving.map((target) => instanceFields(world, target.serverUniqueId)) } };
};

/** DescribeInstanceHealth: of the named servers, or of all. */
export const describeInstanceHealth: Handler = ({ world, parameters }) => {
  const { port } = addressedPort(world, parameters);
  const targets = targetsOf(port, namedServers(world, parameters, 'names'));
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
