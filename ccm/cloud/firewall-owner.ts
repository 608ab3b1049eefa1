import { createHash } from 'node:crypto';
import type { ElasticLoadBalancer } from '../../nifcloud/elastic-load-balancers.ts';
import type { FirewallGroup, FirewallRule } from '../../nifcloud/firewall-groups.ts';
import { addressesOf, portsOf, type FirewalledElastic } from './firewall-rules.ts';

const PREFIX = 'kubernetes:';

/**
 * Characters left for the cluster. The API does not say how long a rule's description may be; the published Terraform provider allows
 * 40. The rest is for the prefix, a slash and the 15 characters of a load balancer's name.
 */
const CLUSTER_LENGTH = 13;

const NAME = /^[0-9A-Za-z]{1,15}$/;

/**
 * The description of the rules of a load balancer: `kubernetes:<cluster>/<load balancer>`. The load balancer, not the Service: its name
 * is short, unique, and can be looked for in the listing. Of a cluster with a long name it has the beginning and a digest.
 */
export function ruleDescription(cluster: string, loadBalancerName: string): string {
  return prefixOf(cluster) + loadBalancerName;
}

/** The load balancer that a rule's description names, `undefined` unless the description is one of this cluster. */
function ownerOf({ description = '' }: FirewallRule, cluster: string): string | undefined {
  const prefix = prefixOf(cluster);
  if (!description.startsWith(prefix)) return undefined;
  const name = description.slice(prefix.length);
  return NAME.test(name) ? name : undefined;
}

/**
 * Says whether a rule belongs to one of some load balancers: its description says so; or it has none (as those of the Go program) and
 * lets in an address of the load balancer at one of its ports, or with ICMP.
 *
 * @param gone names of load balancers that exist no more: see `goneOwners`
 */
export function ownedBy(
  cluster: string,
  loadBalancers: readonly FirewalledElastic[],
  gone: ReadonlySet<string> = new Set(),
): (rule: FirewallRule) => boolean {
  const names = new Set([...loadBalancers.map((one) => one.name), ...gone]);
  const marks = loadBalancers.map((one) => ({ addresses: addressesOf(one), ports: portsOf(one) }));
  return (rule) => {
    const owner = ownerOf(rule, cluster);
    if (owner !== undefined) return names.has(owner);
    if (rule.direction !== 'in' || (rule.description ?? '') !== '') return false;
    const address = addressIn(rule);
    return marks.some(({ addresses, ports }) => addresses.has(address) && (isPing(rule) || ports.has(portOf(rule))));
  };
}

/**
 * Whose rules a crash left behind: load balancers of this cluster that descriptions name, that the cloud does not list and no Service
 * is to have. None while the cloud lists no load balancer at all, and none whose rules let in an address of one that is listed (under a
 * new name).
 *
 * @param groups listed before `loadBalancers`, since whatever a rule names was there before the rule
 * @param loadBalancers all of the region
 * @param expected names of the load balancers of all Services, made or not
 */
export function goneOwners(
  cluster: string,
  groups: readonly FirewallGroup[],
  loadBalancers: readonly ElasticLoadBalancer[],
  expected: ReadonlySet<string>,
): ReadonlySet<string> {
  if (loadBalancers.length === 0) return new Set();
  const addresses = new Set(loadBalancers.flatMap((one) => [...addressesOf(one)]));
  const present = new Set([...loadBalancers.map((one) => one.name), ...expected]);
  const named = new Set<string>();
  for (const rule of groups.flatMap((group) => group.rules)) {
    const owner = ownerOf(rule, cluster);
    if (owner === undefined) continue;
    named.add(owner);
    if (addresses.has(addressIn(rule))) present.add(owner);
  }
  return new Set([...named].filter((name) => !present.has(name)));
}

function prefixOf(cluster: string): string {
  if (cluster.length <= CLUSTER_LENGTH) return `${PREFIX}${cluster}/`;
  const digest = createHash('sha256').update(cluster).digest('hex').slice(0, 8);
  return `${PREFIX}${cluster.slice(0, CLUSTER_LENGTH - digest.length - 1)}~${digest}/`;
}

function isPing({ protocol }: FirewallRule): boolean {
  return protocol.toUpperCase() === 'ICMP';
}

/** The one port of a rule; 0 = none, or several. */
function portOf({ protocol, fromPort = 0, toPort = fromPort }: FirewallRule): number {
  return ['TCP', 'UDP'].includes(protocol.toUpperCase()) && toPort === fromPort ? fromPort : 0;
}

/** The one address that a rule lets in; a network is none of ours. */
function addressIn({ cidr = '' }: FirewallRule): string {
  return cidr.replace(/\/32$/, '');
}
