import { isIPv4, isIPv6 } from 'node:net';
import type { Node, NodeAddress } from '../../kube/types.ts';
import type { Server } from '../../nifcloud/servers.ts';
import type { WantedTarget } from './l4-plan.ts';

/** Set by a kubelet that waits for its cloud provider (`docs/reference/ccm.md` A3). */
export const UNINITIALIZED_TAINT = 'node.cloudprovider.kubernetes.io/uninitialized';

/** The kubelet's `--node-ip`, set when the cloud provider is external. */
export const PROVIDED_NODE_IP_ANNOTATION = 'alpha.kubernetes.io/provided-node-ip';

const PROVIDER_ID_PREFIX = 'nifcloud://';

/** The beta label of each pair, which is what the framework compares with, and the stable one that follows it. */
const LABEL_PAIRS = {
  instanceType: ['beta.kubernetes.io/instance-type', 'node.kubernetes.io/instance-type'],
  zone: ['failure-domain.beta.kubernetes.io/zone', 'topology.kubernetes.io/zone'],
  region: ['failure-domain.beta.kubernetes.io/region', 'topology.kubernetes.io/region'],
} as const;

/** The `spec.providerID` of a server. */
function providerId(server: Server): string {
  return `${PROVIDER_ID_PREFIX}/${server.zone}/${server.uniqueId}`;
}

/**
 * The unique id in a `spec.providerID`: `nifcloud:///<zone>/<id>`, without the zone, or without the prefix. The zone is never
 * compared (`docs/reference/ccm.md` E3).
 * @throws for anything else, such as the id of another provider.
 */
export function uniqueIdOf(id: string): string {
  const path = (id.startsWith(PROVIDER_ID_PREFIX) ? id.slice(PROVIDER_ID_PREFIX.length) : id).replaceAll(
    /^\/+|\/+$/g,
    '',
  );
  const parts = path.split('/');
  const uniqueId = parts.at(-1) ?? '';
  if (parts.length > 2 || !uniqueId.startsWith('i-')) {
    throw new Error(`provider id ${JSON.stringify(id)} is not of the form nifcloud:///<zone>/i-<id>`);
  }
  return uniqueId;
}

/** The unique id of a node's server; `undefined` = the node has no provider id, or another provider's. */
export function ownUniqueId(node: Node): string | undefined {
  try {
    return uniqueIdOf(node.spec?.providerID ?? '');
  } catch {
    return undefined;
  }
}

/** A listing of servers, in which those of many nodes are looked up. */
export class KnownServers {
  readonly #byName = new Map<string, Server>();
  readonly #byUniqueId = new Map<string, Server>();

  constructor(servers: readonly Server[]) {
    // The first of several counts, as far as such a thing can be.
    for (const server of servers.toReversed()) {
      this.#byName.set(server.name, server);
      this.#byUniqueId.set(server.uniqueId, server);
    }
  }

  /**
   * The server of a node: by provider id where the node has one, else by name. A server that merely has the name of a node with
   * another provider id is not its server.
   * @returns `undefined` when the list does not hold it
   * @throws when the provider id is not ours
   */
  of(node: Node): Server | undefined {
    const id = node.spec?.providerID;
    if (id === undefined || id === '') return this.#byName.get(node.metadata.name);
    return this.#byUniqueId.get(uniqueIdOf(id));
  }
}

/** What nodes mean to a load balancer. */
export interface Targets {
  /** The servers that they stand for. */
  readonly targets: readonly WantedTarget[];
  /** The names of those that the cloud does not list. */
  readonly unlisted: readonly string[];
}

/** The servers that nodes stand for, as targets of a load balancer, and the names of the nodes that the cloud does not list. */
export function targetsOf(nodes: readonly Node[], servers: readonly Server[]): Targets {
  const known = new KnownServers(servers);
  const targets = new Map<string, WantedTarget>();
  const unlisted: string[] = [];
  for (const node of nodes) {
    const target = targetOf(node, known);
    if (!target.listed) unlisted.push(node.metadata.name);
    targets.set(target.serverUniqueId || target.serverName, target);
  }
  return { targets: [...targets.values()], unlisted };
}

function targetOf(node: Node, servers: KnownServers): WantedTarget {
  const serverName = node.metadata.name;
  try {
    const server = servers.of(node);
    if (server !== undefined) {
      return { serverName: server.name, serverUniqueId: server.uniqueId, listed: true, zone: server.zone };
    }
    const id = node.spec?.providerID ?? '';
    return { serverName, serverUniqueId: id === '' ? '' : uniqueIdOf(id), listed: false };
  } catch {
    return { serverName, serverUniqueId: '', listed: false }; // another provider's node
  }
}

export function isUninitialized(node: Node): boolean {
  return node.spec?.taints?.some((taint) => taint.key === UNINITIALIZED_TAINT) ?? false;
}

/**
 * The node with everything that `server` says about it and without the taint; the node itself if the taint is gone.
 * @throws when the kubelet was given an address that the server does not have, or the server has no unique id
 */
export function initialized(node: Node, server: Server, region: string): Node {
  if (!isUninitialized(node)) return node;
  if (server.uniqueId === '') throw new Error(`the cloud gave no unique id for server ${server.name}`);
  preferProvided(node, cloudAddresses(node, server));
  const facts = { instanceType: server.type, zone: server.zone, region };
  const labels: Record<string, string> = { ...node.metadata.labels };
  for (const [fact, keys] of Object.entries(LABEL_PAIRS)) {
    const value = facts[fact as keyof typeof LABEL_PAIRS];
    if (value !== '') for (const key of keys) labels[key] = value;
  }
  return {
    ...node,
    metadata: { ...node.metadata, labels },
    spec: {
      ...node.spec,
      providerID: node.spec?.providerID || providerId(server),
      taints: node.spec?.taints?.filter((taint) => taint.key !== UNINITIALIZED_TAINT) ?? [],
    },
  };
}

/** The stable labels that are missing or differ from their beta twins; empty when all agree. */
export function staleLabels(node: Node): Readonly<Record<string, string>> {
  const labels = node.metadata.labels ?? {};
  const stale: Record<string, string> = {};
  for (const [beta, stable] of Object.values(LABEL_PAIRS)) {
    const value = labels[beta];
    if (value !== undefined && labels[stable] !== value) stale[stable] = value;
  }
  return stale;
}

/**
 * The addresses a node should have, from its server's and those it has; `undefined` when nothing is to be changed.
 * The kubelet's Hostname entries are kept, at the end. Another order of types is no change.
 * @throws when the kubelet was given an address that the server does not have
 */
export function addressesToSet(node: Node, server: Server): readonly NodeAddress[] | undefined {
  const fromCloud = cloudAddresses(node, server);
  if (fromCloud.length === 0) return undefined;
  const present = node.status?.addresses ?? [];
  const wanted = preferProvided(node, [...fromCloud, ...present.filter((one) => one.type === 'Hostname')]);
  const [now, then] = [byType(present), byType(wanted)];
  const isSame = ({ type, address }: NodeAddress, at: number): boolean =>
    now[at]?.type === type && now[at].address === address;
  return now.length === then.length && then.every(isSame) ? undefined : wanted;
}

/** Users of a type take its first address, so that the order within one matters, and that of the types does not. */
function byType(addresses: readonly NodeAddress[]): readonly NodeAddress[] {
  return addresses.toSorted((a, b) => (a.type === b.type ? 0 : a.type < b.type ? -1 : 1));
}

/**
 * External first, then internal: the order of the Go program (`docs/reference/ccm.md` E3), on which users' scripts may rest. Behind
 * them come those of further interfaces, then those of IPv6.
 */
function cloudAddresses(node: Node, server: Server): readonly NodeAddress[] {
  const addresses: NodeAddress[] = [];
  const add = (type: NodeAddress['type'], address: string): void => {
    if (address !== '' && !addresses.some((one) => one.address === address)) addresses.push({ type, address });
  };
  add('ExternalIP', server.publicAddress);
  add('InternalIP', server.privateAddress);
  for (const { privateAddress, publicAddress } of server.interfaces) {
    add('InternalIP', privateAddress);
    add('ExternalIP', publicAddress);
  }
  for (const address of server.ipv6?.public ?? []) add('ExternalIP', address);
  for (const address of server.ipv6?.private ?? []) add('InternalIP', address);
  // On a private LAN the guest chooses its address, and often the cloud does not know it (docs/reference/nifcloud-api.md §11, 15);
  // one of IPv6 never, as those LANs are of IPv4 for the cloud.
  const lans = server.interfaces.filter(isOnPrivateLan);
  for (const provided of providedAddresses(node)) {
    const isGuests = isIPv6(provided) ? lans.length > 0 : lans.some((one) => one.privateAddress === '');
    if (isGuests) add('InternalIP', provided);
  }
  return addresses;
}

/** Whether an interface is in a private LAN of the account, not in one of the networks that all accounts have. */
export function isOnPrivateLan({ networkId }: { readonly networkId: string }): boolean {
  return networkId !== '' && !/^net-(?:COMMON|MULTI)_/.test(networkId);
}

/** The addresses that the kubelet was given come first; others of their types are dropped (`docs/reference/ccm.md` A3). */
function preferProvided(node: Node, addresses: readonly NodeAddress[]): readonly NodeAddress[] {
  const preferred = providedAddresses(node).flatMap((provided) => {
    const matching = addresses.filter((one) => one.address === provided);
    if (matching.length > 0) return matching;
    throw new Error(
      `the server of node ${node.metadata.name} does not have the address ${provided} (kubelet --node-ip)`,
    );
  });
  const types = new Set(preferred.map((one) => one.type));
  return [...preferred, ...addresses.filter((one) => !types.has(one.type))];
}

/** None; one address; or one of each family, separated by a comma alone. @throws for anything else */
function providedAddresses(node: Node): readonly string[] {
  const text = node.metadata.annotations?.[PROVIDED_NODE_IP_ANNOTATION];
  if (text === undefined) return [];
  const addresses = text.split(',');
  const isValid =
    addresses.filter(isIPv4).length <= 1 &&
    addresses.filter(isIPv6).length <= 1 &&
    addresses.every((one) => (isIPv4(one) || isIPv6(one)) && one !== '0.0.0.0' && !/^[0:]+$/.test(one));
  if (isValid) return addresses;
  throw new Error(`annotation ${PROVIDED_NODE_IP_ANNOTATION}=${text} is not an IP address or a pair of both families`);
}
