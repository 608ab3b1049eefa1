import type { ElasticLoadBalancer } from '../nifcloud/elastic-load-balancers.ts';
import type { Clock } from '../daemon/clock.ts';
import type { FirewallGroup } from '../nifcloud/firewall-groups.ts';
import type { WantedElastic } from './cloud/elastic-plan.ts';
import { FirewallChanges, type FirewallCalls } from './cloud/firewall-apply.ts';
import { ownedBy } from './cloud/firewall-owner.ts';
import { planFirewall, wantedRules, type FirewallPlan, type FirewallStep } from './cloud/firewall-plan.ts';
import { standIn, type FirewalledElastic } from './cloud/firewall-rules.ts';
import { isRefusal } from './cloud/l4-apply.ts';
import type { Journey } from './elastic-journey.ts';
import type { Gate, Hosts } from './kind.ts';
import type { Listings } from './listings.ts';
import type { Moment, Recent } from './recent.ts';

export interface ElasticFirewallOptions {
  readonly firewallGroups: FirewallCalls;
  readonly clusterName: string;
  readonly listings: Recent<Listings>;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** How often passes look at what they wait for, in ms. */
  readonly tickMs: number;
}

/** For how long a group may take no changes, in ms, before the servers of others are served without. Our choice. */
const SETTLES_WITHIN_MS = 300_000;

interface Facts {
  /** All that the cloud lists. */
  readonly all: readonly ElasticLoadBalancer[];
  readonly hosts: Hosts;
  readonly listings: Listings;
}

interface RulesProgress {
  /** Whether they are in force, but for those of `journey.refusedGroups`. */
  readonly isDone: boolean;
  readonly hasBegun: boolean;
  /** What keeps them from being in force. */
  readonly problems: readonly string[];
}

/** The firewall rules of elastic load balancers, brought to what these need in passes that do not wait. */
export class ElasticFirewall {
  readonly #options: ElasticFirewallOptions;
  readonly #changes: FirewallChanges;
  /** What load balancers need whose rules are not in force yet: a group takes one change at a time, so one is to serve them all. */
  readonly #pending = new Map<string, FirewalledElastic>();
  /** When the newest change of a group was answered, whoever it was for. */
  #changed: Moment = 0;

  constructor(options: ElasticFirewallOptions) {
    this.#options = options;
    this.#changes = new FirewallChanges(options.firewallGroups);
  }

  /**
   * A pass towards just the rules that `wanted` needs; of others only those that are waited for as well are touched.
   */
  async bring(
    wanted: FirewalledElastic,
    facts: Facts,
    journey: Journey,
    gate: Gate,
    signal: AbortSignal,
  ): Promise<RulesProgress> {
    const text = textOf(wanted);
    if (journey.rules === text) return { isDone: true, hasBegun: false, problems: journey.problems };
    delete journey.rules; // from here on they change
    const groups = await this.#list(facts.listings, signal);
    const { steps: planned, waiting, problems } = this.#plan([wanted], facts, groups);
    const steps = planned.filter((one) => !journey.refusedGroups.has(one.group));
    journey.problems = problems;
    if (steps.length > 0) {
      const found = { kind: 'elastic', name: wanted.name, vip: wanted.vip, owners: [] } as const;
      // Where nothing may be changed, the rest of the plan is to be heard as well.
      if (!(await gate.permit(found, steps))) return { isDone: true, hasBegun: false, problems };
    }
    this.#pending.set(wanted.name, wanted);
    const unsettled = await this.#send(steps, facts, groups, journey, signal);
    const isDone = !this.#isWaiting([...waiting, ...unsettled], journey);
    if (isDone) {
      const isShut = (group: string): boolean =>
        journey.refusedGroups.has(group) && !planned.some((one) => one.group === group && one.kind === 'revoke');
      journey.shut = serversIn(isShut, groups, facts);
      journey.rules = text;
      this.#pending.delete(wanted.name);
    }
    return { isDone, hasBegun: unsettled.size > 0, problems };
  }

  /** Whether any of these groups is to be waited for: none that takes no changes for too long. */
  #isWaiting(groups: readonly string[], { unsettled, refusedGroups }: Journey): boolean {
    const nowMs = this.#options.clock.monotonicMs();
    for (const group of unsettled.keys()) if (!groups.includes(group)) unsettled.delete(group);
    for (const group of groups) {
      const sinceMs = unsettled.get(group) ?? nowMs;
      unsettled.set(group, sinceMs);
      if (nowMs - sinceMs < SETTLES_WITHIN_MS || refusedGroups.has(group)) continue;
      refusedGroups.set(
        group,
        new Error(`firewall group ${group} has been processing, or not answering, for too long`),
      );
    }
    return groups.some((group) => !refusedGroups.has(group));
  }

  /** Drops what a load balancer needs that is not worked on any more. */
  forget(name: string): void {
    this.#pending.delete(name);
  }

  /** @returns the groups in which more may have to be done */
  async #send(
    steps: readonly FirewallStep[],
    facts: Facts,
    groups: readonly FirewallGroup[],
    journey: Journey,
    signal: AbortSignal,
  ): Promise<ReadonlySet<string>> {
    const unsettled = new Set<string>();
    if (steps.length === 0) return unsettled;
    const together = this.#plan([...this.#pending.values()], facts, groups).steps;
    const send = async (own: FirewallStep): Promise<void> => {
      // Of a group that has no room for all there is none: then it is who comes first.
      const step = together.find((one) => one.group === own.group) ?? own;
      const outcome = await this.#changes.apply(step, signal).catch((error: unknown) => {
        if (!isRefusal(error)) throw error;
        journey.refusedGroups.set(own.group, error);
        return 'refused' as const;
      });
      if (outcome === 'refused') return;
      if (outcome === 'begun') journey.unsettled.delete(own.group);
      if (outcome !== 'settled' || step.kind !== own.kind) unsettled.add(own.group);
    };
    try {
      await Promise.all(steps.map(send));
    } finally {
      this.#changed = this.#options.listings.mark();
    }
    return unsettled;
  }

  /**
   * What a load balancer that is about to be made is going to need, with texts for its addresses.
   * @throws Error when the groups don't have the room for that
   */
  async planAnew(
    name: string,
    wanted: WantedElastic,
    facts: Facts,
    signal: AbortSignal,
  ): Promise<readonly FirewallStep[]> {
    const groups = await this.#list(facts.listings, signal);
    const { steps, problems } = this.#plan([standIn(name, wanted.listeners)], facts, groups);
    if (problems.length > 0) throw new Error(problems.join('; '));
    return steps;
  }

  /** As the pass has them listed, unless one was changed since. */
  #list(listings: Listings, signal: AbortSignal): Promise<readonly FirewallGroup[]> {
    const { listings: recent, tickMs } = this.#options;
    const newEnough = listings.begun > this.#changed ? listings : recent.get(this.#changed, tickMs / 2);
    return newEnough.firewallGroups(signal);
  }

  #plan(wanted: readonly FirewalledElastic[], { all, hosts }: Facts, groups: readonly FirewallGroup[]): FirewallPlan {
    const { clusterName: cluster } = this.#options;
    const others = all.filter((one) => !wanted.some(({ name }) => name === one.name));
    const rules = wantedRules({ cluster, groups, servers: hosts.servers, loadBalancers: [...wanted, ...others] });
    return planFirewall(groups, rules, ownedBy(cluster, wanted, all));
  }
}

/**
 * What has to get through while a load balancer becomes as it is wanted: what it sends now and what it is going to send. A listener that
 * goes, or whose node port does, needs nothing any more: its rules go while its port still shows whose they are.
 */
export function rulesDuring(seen: ElasticLoadBalancer, wanted: WantedElastic['listeners']): FirewalledElastic {
  const isKept = (one: ElasticLoadBalancer['listeners'][number]): boolean =>
    wanted.some((other) => other.loadBalancerPort === one.loadBalancerPort && other.instancePort === one.instancePort);
  const present = seen.listeners.map((one) => (isKept(one) ? one : { ...one, targets: [] }));
  return { name: seen.name, vip: seen.vip, interfaces: seen.interfaces, listeners: [...present, ...wanted] };
}

/** What has to get through when a load balancer goes. */
export function rulesOfNone(name: string, seen: ElasticLoadBalancer | undefined): FirewalledElastic {
  const { vip = '', interfaces = [], listeners = [] } = seen ?? {};
  return { name, vip, interfaces, listeners: listeners.map((one) => ({ ...one, targets: [] })) };
}

/** The servers in some groups, by unique id. */
function serversIn(
  isMeant: (group: string) => boolean,
  groups: readonly FirewallGroup[],
  { hosts }: Facts,
): ReadonlySet<string> {
  const servers = hosts.servers.filter((one) => one.firewallGroups.some(isMeant));
  const listed = groups.filter((one) => isMeant(one.name)).flatMap((one) => one.serverUniqueIds);
  return new Set([...servers.map((one) => one.uniqueId), ...listed]);
}

/** Equal for what needs the same rules. */
function textOf({ listeners }: FirewalledElastic): string {
  const needs = new Map<string, Set<string>>();
  for (const { protocol, instancePort, healthCheck, targets } of listeners) {
    const key = JSON.stringify([protocol === 'UDP', instancePort, healthCheck?.target]);
    const ids = needs.get(key) ?? new Set();
    if (targets === undefined) ids.add('unknown');
    for (const { serverUniqueId, serverName } of targets ?? []) ids.add(serverUniqueId || serverName);
    if (ids.size > 0) needs.set(key, ids);
  }
  const lines = [...needs].map(([key, ids]) => JSON.stringify([key, ...[...ids].toSorted()]));
  return lines.toSorted().join('\n');
}
