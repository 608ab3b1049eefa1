import { isSameRule, ruleIdentity, type FirewallGroup, type FirewallRule } from '../../nifcloud/firewall-groups.ts';
import type { Server } from '../../nifcloud/servers.ts';
import type { Target } from '../../nifcloud/targets.ts';
import { ruleDescription } from './firewall-owner.ts';
import { rulesFor, type FirewalledElastic } from './firewall-rules.ts';

/** Rules of a group for which the cloud names no limit. Source: docs/reference/nifcloud-api.md §6. */
const DEFAULT_RULE_LIMIT = 100;

export interface FirewallFacts {
  readonly cluster: string;
  readonly groups: readonly FirewallGroup[];
  readonly servers: readonly Server[];
  /**
   * All that the cloud lists, whoever they belong to (a rule that any of them needs is not revoked), with what those that this process
   * changes are about to become.
   */
  readonly loadBalancers: readonly FirewalledElastic[];
}

/** One call. Afterwards the group is `processing`. */
export interface FirewallStep {
  readonly kind: 'authorize' | 'revoke';
  readonly group: string;
  readonly rules: readonly FirewallRule[];
}

export interface FirewallPlan {
  /** At most one for each group. */
  readonly steps: readonly FirewallStep[];
  /** Groups that are `processing`: what becomes of their rules is to be seen later. */
  readonly waiting: readonly string[];
  /** Groups that do not have the room; nothing is added to them. */
  readonly problems: readonly string[];
}

/**
 * The rules that each firewall group needs, over all listeners of all load balancers with a target in the group; rules of several
 * listeners of one load balancer that are the same come once (docs/reference/ccm.md E7 #1, #15).
 *
 * Where it is not known which groups a listener's targets are in, its rules count as wanted wherever they are: an answer of the cloud
 * that lacks something takes nothing away.
 *
 * @returns by the names of the groups
 */
export function wantedRules(facts: FirewallFacts): ReadonlyMap<string, readonly FirewallRule[]> {
  const { cluster, groups, loadBalancers } = facts;
  const groupsOf = memberships(facts);
  const wanted = new Map(groups.map((group) => [group, new Map<string, FirewallRule>()]));
  for (const loadBalancer of loadBalancers) {
    const description = ruleDescription(cluster, loadBalancer.name);
    for (const listener of loadBalancer.listeners) {
      const rules = new Map<string, FirewallRule>();
      for (const rule of rulesFor(loadBalancer, listener)) {
        rules.set(`${description} ${ruleIdentity(rule)}`, { ...rule, description });
      }
      const places = listener.targets?.filter((one) => one.listed !== false).map(groupsOf) ?? [undefined];
      const names = new Set(places.flatMap((some) => [...(some ?? [])]));
      const isUnsure = places.includes(undefined);
      for (const [group, own] of wanted) {
        for (const [key, rule] of rules) {
          if (names.has(group.name) || (isUnsure && holds(group.rules, rule))) own.set(key, rule);
        }
      }
    }
  }
  return new Map([...wanted].map(([group, rules]) => [group.name, [...rules.values()]]));
}

/**
 * What is to be done so that the groups hold what `ours` needs and no more; nothing once they do.
 *
 * - A rule is there if an equal one is, whoever made it.
 * - Rules come before others go, unless the group has no room for both.
 * - What is revoked is ours and wanted by nobody.
 *
 * @param wanted of everybody: see `wantedRules`
 * @param ours which rules, wanted or there, are to be seen to: see `ownedBy`. Those of others are neither added nor revoked; another
 *   Service's may be wanted by what it is about to do
 */
export function planFirewall(
  groups: readonly FirewallGroup[],
  wanted: ReadonlyMap<string, readonly FirewallRule[]>,
  ours: (rule: FirewallRule) => boolean,
): FirewallPlan {
  const steps: FirewallStep[] = [];
  const waiting: string[] = [];
  const problems: string[] = [];
  for (const group of groups) {
    const needed = wanted.get(group.name) ?? [];
    const own = needed.filter(ours);
    const [present, wantedHere] = [identities(group.rules), identities(needed)];
    const missing = own.filter((rule, index) => !present.has(ruleIdentity(rule)) && !holds(own.slice(0, index), rule));
    const surplus = group.rules.filter((rule) => ours(rule) && !wantedHere.has(ruleIdentity(rule)));
    if (group.status !== 'applied') {
      // Rules that show may not be in force yet.
      if (own.length + surplus.length > 0) waiting.push(group.name);
      continue;
    }
    const limit = group.ruleLimit || DEFAULT_RULE_LIMIT;
    const count = group.rules.length;
    const isTooMuch = count - surplus.length + missing.length > limit;
    if (isTooMuch && missing.length > 0) problems.push(noRoom(group, missing.length, limit));
    if (missing.length > 0 && count + missing.length <= limit) {
      steps.push({ kind: 'authorize', group: group.name, rules: missing });
    } else if (surplus.length > 0) {
      steps.push({ kind: 'revoke', group: group.name, rules: surplus });
    }
  }
  return { steps, waiting, problems };
}

function noRoom(group: FirewallGroup, missing: number, limit: number): string {
  return (
    `firewall group ${group.name} has ${group.rules.length} rules and needs ${missing} more, over its limit of ${limit}; ` +
    'remove rules, raise its limit, or put the servers into several groups'
  );
}

function identities(rules: readonly FirewallRule[]): ReadonlySet<string> {
  return new Set(rules.map(ruleIdentity));
}

function holds(rules: readonly FirewallRule[], rule: FirewallRule): boolean {
  return rules.some((one) => isSameRule(one, rule));
}

/** Tells the groups that a target is in, by what its server and what the groups say; `undefined` = neither names it. */
function memberships({ servers, groups }: FirewallFacts): (target: Target) => ReadonlySet<string> | undefined {
  const uniqueIds = new Map(servers.map((one) => [one.name, one.uniqueId]));
  const places = new Map(servers.map((one) => [one.uniqueId, new Set(one.firewallGroups)]));
  for (const group of groups) {
    for (const uniqueId of group.serverUniqueIds) {
      const names = places.get(uniqueId) ?? new Set();
      places.set(uniqueId, names.add(group.name));
    }
  }
  return ({ serverName, serverUniqueId }) => places.get(serverUniqueId || (uniqueIds.get(serverName) ?? ''));
}
