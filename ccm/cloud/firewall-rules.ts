import type { ElasticLoadBalancer } from '../../nifcloud/elastic-load-balancers.ts';
import type { FirewallRule } from '../../nifcloud/firewall-groups.ts';
import type { Target } from '../../nifcloud/targets.ts';

/**
 * An elastic load balancer as firewalls have to do with it: what the listing shows, and what it is about to become. Listeners may
 * come twice, as they are and as they are wanted: rules of both are needed on the way. One that is to go, or whose node port is dead,
 * is given without targets, so that its rules go while its port still shows whose they are.
 */
export interface FirewalledElastic extends Pick<ElasticLoadBalancer, 'name' | 'vip' | 'interfaces'> {
  readonly listeners: readonly FirewalledListener[];
}

interface FirewalledListener {
  /** `TCP`, `UDP`, `HTTP`, `HTTPS`. */
  readonly protocol: string;
  readonly instancePort: number;
  /** `undefined` = not checked. */
  readonly healthCheck: { readonly target: string } | undefined;
  /**
   * `undefined` where nobody knows: its rules stay where they are. Those with `listed: false` are never registered, so they need no
   * rules.
   */
  readonly targets: readonly (Target & { readonly listed?: boolean })[] | undefined;
}

/** A rule without its source. */
type Opening = Pick<FirewallRule, 'protocol' | 'fromPort'>;

/**
 * The rules that let a listener's traffic and checks through: the port of the data always, even if only ICMP is checked
 * (docs/reference/ccm.md E7 #6). None before the load balancer has an address. Sources: docs/reference/nifcloud-api.md §5.3.
 */
export function rulesFor(loadBalancer: FirewalledElastic, listener: FirewalledListener): readonly FirewallRule[] {
  const { traffic, probes } = sourcesOf(loadBalancer);
  const checked = checkOf(listener);
  return [
    ...traffic.map((cidr) => ({ direction: 'in' as const, ...dataOf(listener), cidr })),
    ...(checked === undefined ? [] : probes.map((cidr) => ({ direction: 'in' as const, ...checked, cidr }))),
  ];
}

/** Every address of a load balancer's own, whatever it is used for. */
export function addressesOf({ vip, interfaces }: Pick<FirewalledElastic, 'vip' | 'interfaces'>): ReadonlySet<string> {
  return known([vip, ...interfaces.flatMap((one) => [one.address, ...one.systemAddresses])]);
}

/** Every port of servers that a load balancer sends to. */
export function portsOf({ listeners }: FirewalledElastic): ReadonlySet<number> {
  const openings = listeners.flatMap((one) => [dataOf(one), checkOf(one)]);
  return new Set(openings.flatMap((one) => one?.fromPort ?? []));
}

/**
 * A load balancer that is not made yet, with texts for the three addresses that count for rules, however many interfaces it gets: to
 * find out before anything is sent whether the firewall groups have room.
 */
export function standIn(name: string, listeners: FirewalledElastic['listeners']): FirewalledElastic {
  const address = 'address of the load balancer';
  const systemAddresses = ['first system address', 'second system address'];
  const only = { networkId: '', networkName: '', address, systemAddresses, isVip: true };
  return { name, vip: address, interfaces: [only], listeners };
}

/** What servers see as clients: with one interface the VIP, with two the address on the other side, where the servers are. */
function sourcesOf({ vip, interfaces }: FirewalledElastic): {
  readonly traffic: readonly string[];
  readonly probes: readonly string[];
} {
  const [first] = interfaces;
  // The Go program may have made two interfaces without saying on which side clients are; it takes the first for the servers' then.
  const strangers = interfaces.filter((one) => !one.isVip);
  const inner =
    interfaces.length > 1 ? (strangers.find((one) => one.address !== vip) ?? strangers[0] ?? first) : undefined;
  const used = inner ?? first;
  const address = inner === undefined ? vip || first?.address : inner.address;
  const system = known(used?.systemAddresses ?? []);
  const own = known([address ?? '']);
  return { traffic: [...(own.size > 0 ? own : system)], probes: [...own, ...system] };
}

function dataOf({ protocol, instancePort }: FirewalledListener): Opening {
  return { protocol: protocol.toUpperCase() === 'UDP' ? 'UDP' : 'TCP', fromPort: instancePort };
}

/** `undefined` for what can't be read: it must not keep the other rules from being made (docs/reference/ccm.md E7 #5). */
function checkOf({ healthCheck }: FirewalledListener): Opening | undefined {
  const [, protocol, port] = /^(?:(ICMP)|(?:TCP|HTTP|HTTPS):(\d+))$/i.exec(healthCheck?.target ?? '') ?? [];
  if (port !== undefined) return { protocol: 'TCP', fromPort: Number(port) };
  return protocol === undefined ? undefined : { protocol: 'ICMP' };
}

/** Each once, without the empty ones, in the cloud's spelling. */
function known(addresses: readonly string[]): ReadonlySet<string> {
  return new Set(addresses.filter((address) => address !== ''));
}
