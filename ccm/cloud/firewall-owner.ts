import { createHash } from 'node:crypto';
import type { FirewallRule } from '../../nifcloud/firewall-groups.ts';
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
 * Says whether a rule belongs to one of some load balancers: its description says so; or it has none (as those of the Go program), or
 * one that names a load balancer which is gone, and lets in an address of the load balancer at one of its ports, or with ICMP. In
 * private LANs of their own two load balancers may have the same address and share a rule, which outlives the one that it is named for.
 *
 * @param listed all that the cloud lists
 */
export function ownedBy(
  cluster: string,
  loadBalancers: readonly FirewalledElastic[],
  listed: readonly { readonly name: string }[],
): (rule: FirewallRule) => boolean {
  const names = new Set(loadBalancers.map((one) => one.name));
  const present = new Set(listed.map((one) => one.name));
  const marks = loadBalancers.map((one) => ({ addresses: addressesOf(one), ports: portsOf(one) }));
  return (rule) => {
    const owner = ownerOf(rule, cluster);
    if (owner !== undefined && names.has(owner)) return true;
    const isNobodys = owner === undefined ? (rule.description ?? '') === '' : !present.has(owner);
    if (!isNobodys || rule.direction !== 'in') return false;
    const address = addressIn(rule);
    return marks.some(({ addresses, ports }) => addresses.has(address) && (isPing(rule) || ports.has(portOf(rule))));
  };
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
