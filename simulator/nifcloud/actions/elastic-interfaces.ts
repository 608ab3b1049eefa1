import { BlockList, isIPv4 } from 'node:net';
import { Refusal } from '../api/refusal.ts';
import { illegal } from '../api/wire.ts';
import type { Parameters } from '../api/wire.ts';
import { elasticState } from '../world/listeners.ts';
import { networkNamed, networkWithId } from '../world/networks.ts';
import type { ElasticInterface } from '../world/listeners.ts';
import type { PrivateLan } from '../world/networks.ts';
import type { World } from '../world/world.ts';

/** Of each interface: where traffic and probes come from besides its own address (docs/reference/nifcloud-api.md §5.1). */
const SYSTEM_ADDRESSES = 2;

/**
 * `NetworkInterface.N`: one or two, on different networks (the latter invented); exactly one has the VIP, which of a single one
 * need not be said (invented). Interfaces on the common networks have no addresses yet.
 * @throws Refusal
 */
export function readInterfaces(world: World, parameters: Parameters, zone: string): readonly ElasticInterface[] {
  const prefixes = parameters.indexes('NetworkInterface').map((index) => `NetworkInterface.${index}`);
  if (prefixes.length === 0) parameters.requiredText('NetworkInterface.1.NetworkId');
  if (prefixes.length > 2) throw illegal('NetworkInterface', 'more than two interfaces');
  const interfaces = prefixes.map((prefix): ElasticInterface => ({
    ...readPlace(world, parameters, prefix, zone),
    isVip: parameters.boolean(`${prefix}.IsVipNetwork`) ?? prefixes.length === 1,
  }));
  if (interfaces.filter(({ isVip }) => isVip).length !== 1) {
    throw illegal('NetworkInterface.IsVipNetwork', 'exactly one interface has the VIP');
  }
  const [first, second] = interfaces;
  if (first?.networkId === second?.networkId) throw illegal('NetworkInterface.NetworkId', 'both are the same network');
  return interfaces;
}

/**
 * `SystemIpAddresses.N.SystemIpAddress` of an interface in a private LAN.
 * @param own the interface's address
 * @throws Refusal unless they are exactly two, of the LAN, and all three addresses differ
 */
export function readSystemAddresses(
  parameters: Parameters,
  prefix: string,
  lan: PrivateLan,
  own: string,
): readonly string[] {
  const list = `${prefix}.SystemIpAddresses`;
  const indexes = parameters.indexes(list);
  if (indexes.length === 0) parameters.requiredText(`${list}.1.SystemIpAddress`);
  const addresses = indexes.map((index) => readAddress(parameters, `${list}.${index}.SystemIpAddress`, lan));
  if (addresses.length !== SYSTEM_ADDRESSES) throw illegal(list, `${addresses.length} addresses instead of two`);
  if (new Set([own, ...addresses]).size <= addresses.length) throw illegal(list, 'the same address twice');
  return addresses;
}

/** NetworkId or NetworkName, and what only an interface in a private LAN has: addresses chosen by the caller. */
function readPlace(
  world: World,
  parameters: Parameters,
  prefix: string,
  zone: string,
): Omit<ElasticInterface, 'isVip'> {
  const name = parameters.text(`${prefix}.NetworkName`);
  if (name !== undefined && parameters.text(`${prefix}.NetworkId`) !== undefined) {
    throw illegal(`${prefix}.NetworkName`, 'NetworkId is given as well');
  }
  const network =
    name === undefined
      ? networkWithId(world, parameters.requiredText(`${prefix}.NetworkId`))
      : networkNamed(world, name);
  const lan = world.privateLans.get(network.id);
  if (lan === undefined) {
    refuseAddresses(parameters, prefix, network.id);
    return { networkId: network.id, networkName: '', ipAddress: '', systemIpAddresses: [] };
  }
  requireUsable(world, lan, zone);
  parameters.requiredText(`${prefix}.IpAddress`);
  const ipAddress = readAddress(parameters, `${prefix}.IpAddress`, lan);
  const systemIpAddresses = readSystemAddresses(parameters, prefix, lan, ipAddress);
  return { networkId: lan.id, networkName: lan.name, ipAddress, systemIpAddresses };
}

function refuseAddresses(parameters: Parameters, prefix: string, network: string): void {
  const sent = parameters.text(`${prefix}.IpAddress`) !== undefined ? 'IpAddress' : 'SystemIpAddresses';
  if (sent === 'IpAddress' || parameters.indexes(`${prefix}.SystemIpAddresses`).length > 0) {
    throw illegal(`${prefix}.${sent}`, `${network} assigns addresses itself`);
  }
}

function readAddress(parameters: Parameters, name: string, lan: PrivateLan): string {
  const address = parameters.text(name) ?? '';
  if (!isIPv4(address)) throw illegal(name, `${address} is not an IPv4 address`);
  if (!contains(lan.cidr, address))
    throw illegal(name, `${address} is not in ${lan.cidr}, the private LAN ${lan.name}`);
  return address;
}

function contains(cidr: string, address: string): boolean {
  const [network = '', prefix] = cidr.split('/');
  const list = new BlockList();
  list.addSubnet(network, Number(prefix));
  return list.check(address);
}

/** Load balancers that touch the same private LAN must be created one after another (nifcloud-api.md §1.8). */
function requireUsable(world: World, lan: PrivateLan, zone: string): void {
  if (lan.zone !== zone) {
    throw new Refusal('Client.Inoperable.Network.DifferentZone', `private LAN ${lan.name} is in ${lan.zone}`);
  }
  for (const loadBalancer of world.elasticLoadBalancers.values()) {
    if (elasticState(loadBalancer) !== 'pending') continue;
    if (loadBalancer.interfaces.some(({ networkId }) => networkId === lan.id)) {
      throw new Refusal(
        'Server.ResourceIncorrectState.Network.Processing',
        `elastic load balancer ${loadBalancer.name} is being created in private LAN ${lan.name}`,
      );
    }
  }
}
