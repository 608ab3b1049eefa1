import { Refusal } from '../api/refusal.ts';
import type { Server } from './servers.ts';
import type { Transition } from './transition.ts';
import type { World } from './world.ts';

/** What a rule can be about (docs/reference/nifcloud-api.md §6). */
export const RULE_PROTOCOLS = [
  'ANY',
  'TCP',
  'UDP',
  'ICMP',
  'SSH',
  'HTTP',
  'HTTPS',
  'RDP',
  'GRE',
  'ESP',
  'AH',
  'VRRP',
  'L2TP',
  'ICMPv6-all',
] as const;

/** Rules of these protocols alone have ports (nifcloud-api.md §6). */
export const PROTOCOLS_WITH_PORTS: readonly string[] = ['TCP', 'UDP'];

/** A firewall group ("security group"). Its members are the servers that name it. */
export interface FirewallGroup {
  /** Change it by `renameGroup` only. */
  name: string;
  readonly zone: string;
  description: string;
  rules: readonly FirewallRule[];
  ruleLimit: number;
  logLimit: number;
  logFilterNetBios: boolean;
  logFilterBroadcast: boolean;
  /** It shows as `processing` meanwhile. `rules`: those that it has at the end. */
  transition: (Transition & { readonly deletes?: true; readonly rules?: readonly FirewallRule[] }) | undefined;
}

/** An allow rule for one peer. */
export interface FirewallRule {
  readonly protocol: string;
  /** 0 = no ports (ICMP and the like). */
  readonly fromPort: number;
  readonly toPort: number;
  readonly direction: 'IN' | 'OUT';
  /** Address or CIDR as written; '' = `group` is the peer. */
  readonly cidr: string;
  /** Name of a group, which follows its renaming; '' = `cidr` is the peer. */
  group: string;
  readonly description: string;
  readonly addedAtMs: number;
}

/** @throws Refusal when no group has this name */
export function groupNamed(world: World, name: string): FirewallGroup {
  const group = world.firewallGroups.get(name);
  if (group === undefined) throw noSuchGroup(name);
  return group;
}

export function noSuchGroup(name: string): Refusal {
  return new Refusal('Client.InvalidParameterNotFound.SecurityGroup', `there is no firewall group ${name}`);
}

/**
 * A group that may be changed (nifcloud-api.md §6).
 * @throws Refusal when no group has this name, and while it is `processing`
 */
export function settledGroup(world: World, name: string): FirewallGroup {
  const group = groupNamed(world, name);
  if (group.transition !== undefined) {
    throw new Refusal('Server.ResourceIncorrectState.SecurityGroup.Processing', `group ${name} is being processed`);
  }
  return group;
}

/** @throws Refusal when the server is not in the zone that the group belongs to */
export function requireZoneOfGroup(group: FirewallGroup, server: Server): void {
  if (server.zone === group.zone) return;
  throw new Refusal(
    'Client.Inoperable.SecurityGroup.DifferentZone',
    `group ${group.name} is in ${group.zone}, server ${server.name} in ${server.zone}`,
  );
}

/** The servers of a group. */
export function membersOf(world: World, group: FirewallGroup): readonly Server[] {
  return [...world.servers.values()].filter((server) => server.firewallGroup === group.name);
}

/** Whether servers or the rules of other groups, present and coming, name the group. */
export function isInUse(world: World, group: FirewallGroup): boolean {
  const inRules = [...world.firewallGroups.values()]
    .filter((other) => other !== group)
    .some((other) => rulesOf(other).some((rule) => rule.group === group.name));
  return inRules || membersOf(world, group).length > 0;
}

/** Gives a group another name, which its members and the rules that name it follow. */
export function renameGroup(world: World, group: FirewallGroup, name: string): void {
  for (const server of membersOf(world, group)) server.firewallGroup = name;
  for (const other of world.firewallGroups.values()) {
    for (const rule of rulesOf(other)) if (rule.group === group.name) rule.group = name;
  }
  world.firewallGroups.delete(group.name);
  group.name = name;
  world.firewallGroups.set(name, group);
}

/** What comes of a group when it has been `processing`. */
export function endFirewallTransition(world: World, group: FirewallGroup): void {
  const { transition } = group;
  group.transition = undefined;
  group.rules = transition?.rules ?? group.rules;
  if (transition?.deletes !== true) return;
  world.firewallGroups.delete(group.name);
  world.deletedFirewallGroups.add(group.name);
}

function rulesOf({ rules, transition }: FirewallGroup): readonly FirewallRule[] {
  return [...rules, ...(transition?.rules ?? [])];
}
