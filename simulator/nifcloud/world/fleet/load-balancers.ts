import { isIPv4 } from 'node:net';
import { COMMON_NETWORKS } from '../networks.ts';
import { issueUniqueId } from '../world.ts';
import { NAME, uniqueIds } from './fields.ts';
import { ELASTIC_KIND, L4_KIND, readListener } from './listeners.ts';
import { readAssociation, readNetwork } from './networks.ts';
import { readAccounting } from './servers.ts';
import type { ElasticInterface, ElasticLoadBalancer, L4LoadBalancer } from '../listeners.ts';
import type { Fields } from './fields.ts';
import type { Network } from './networks.ts';
import type { RouteTable } from '../networks.ts';
import type { Targets } from './listeners.ts';

const COMMON_KEYS = ['name', 'networkVolumeMbps', 'accounting'];
export const L4_KEYS = [...COMMON_KEYS, 'vip', 'zones', 'ipVersion', 'policyType', 'ports'];
export const ELASTIC_KEYS = [...COMMON_KEYS, 'uniqueId', 'zone', 'interfaces', 'routeTable', 'listeners'];

/** Steps of bandwidth are for calls; here any number of Mbps that is sold at all will do. */
const NETWORK_VOLUMES = { min: 10, max: 2000, step: 10 };

/** An entry of `l4LoadBalancers`. Without a VIP it gets the next free one when a world is made. */
export function readL4(fields: Fields, zones: readonly string[], targets: Targets): L4LoadBalancer {
  const ports = fields.list('ports', L4_KIND.keys).map((port) => readListener(port, L4_KIND, targets));
  if (ports.length === 0) throw fields.refused('ports', '[]', 'at least one port');
  fields.once(
    'ports',
    ports.map((port) => String(port.loadBalancerPort)),
    'each port',
  );
  const own = fields.texts('zones');
  const stray = own.find((zone) => !zones.includes(zone));
  if (stray !== undefined) throw fields.refused('zones', stray, zones.join(', '));
  return {
    name: fields.matching('name', NAME),
    vip: fields.address('vip'),
    ipVersion: fields.oneOf('ipVersion', ['v4', 'v6'], 'v4'),
    zones: own.length === 0 ? zones.slice(0, 1) : own,
    networkVolumeMbps: fields.integer('networkVolumeMbps', NETWORK_VOLUMES, 10),
    ...readAccounting(fields),
    policyType: fields.oneOf('policyType', ['standard', 'ats'], 'standard'),
    createdAtMs: 0,
    ports,
  };
}

/** What elastic load balancers refer to. */
export interface ElasticSurroundings extends Targets {
  readonly zones: readonly string[];
  readonly networks: ReadonlyMap<string, Network>;
  readonly routeTables: ReadonlyMap<string, RouteTable>;
}

/** An entry of `elasticLoadBalancers`. On common networks it gets the addresses that it lacks when a world is made. */
export function readElastic(fields: Fields, surroundings: ElasticSurroundings): ElasticLoadBalancer {
  const name = fields.matching('name', NAME);
  const zone = fields.oneOf('zone', surroundings.zones);
  const uniqueId = fields.matching('uniqueId', uniqueIds('elb'), issueUniqueId('elb', name));
  const listeners = fields
    .list('listeners', ELASTIC_KIND.keys)
    .map((listener) => readListener(listener, ELASTIC_KIND, surroundings));
  if (listeners.length === 0) throw fields.refused('listeners', '[]', 'at least one listener');
  fields.once(
    'listeners',
    listeners.map(({ protocol, loadBalancerPort }) => `${protocol} ${loadBalancerPort}`),
    'each protocol and port',
  );
  const interfaces = readInterfaces(fields, zone, surroundings.networks);
  return {
    name,
    uniqueId,
    zone,
    vip: interfaces.find((one) => one.isVip)?.ipAddress ?? '',
    networkVolumeMbps: fields.integer('networkVolumeMbps', NETWORK_VOLUMES, 10),
    ...readAccounting(fields),
    createdAtMs: 0,
    interfaces,
    listeners,
    ...readAssociation(fields, uniqueId, surroundings.routeTables),
    version: 'v2.0',
    transition: undefined,
  };
}

/** One or two; the only one, or exactly one of two, has the VIP. Without any: one on the global network. */
function readInterfaces(
  fields: Fields,
  zone: string,
  networks: ReadonlyMap<string, Network>,
): readonly ElasticInterface[] {
  const list = fields.list('interfaces', ['network', 'ipAddress', 'systemIpAddresses', 'vip']);
  if (list.length === 0) {
    return [{ networkId: COMMON_NETWORKS.global, networkName: '', ipAddress: '', systemIpAddresses: [], isVip: true }];
  }
  const interfaces = list.map((one): ElasticInterface => {
    const network = readNetwork(one, 'network', networks, zone);
    const ipAddress = one.address('ipAddress');
    const systemIpAddresses = one.texts('systemIpAddresses');
    if (systemIpAddresses.some((address) => !isIPv4(address))) {
      throw one.refused('systemIpAddresses', systemIpAddresses.join(', '), 'IPv4 addresses');
    }
    // The rule of the API for private LANs (docs/reference/nifcloud-api.md §5.1).
    if (network.name !== '' && (ipAddress === '' || systemIpAddresses.length !== 2)) {
      throw one.refused('systemIpAddresses', '', 'in a private LAN: an ipAddress and exactly two systemIpAddresses');
    }
    return {
      networkId: network.id,
      networkName: network.name,
      ipAddress,
      systemIpAddresses,
      isVip: one.boolean('vip', list.length === 1),
    };
  });
  if (interfaces.length > 2 || interfaces.filter((one) => one.isVip).length !== 1) {
    throw fields.refused('interfaces', '', 'one or two, exactly one of them with vip: true');
  }
  return interfaces;
}
