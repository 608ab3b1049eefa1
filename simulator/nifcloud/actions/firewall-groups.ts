import { readFilters, startsWith } from '../api/filters.ts';
import { describedBy } from '../api/names.ts';
import { Refusal } from '../api/refusal.ts';
import { illegal, timestamp } from '../api/wire.ts';
import {
  isInUse,
  membersOf,
  noSuchGroup,
  renameGroup,
  requireZoneOfGroup,
  settledGroup,
} from '../world/firewall-groups.ts';
import { noSuchServer, requireSettledServer, serverNamed } from '../world/servers.ts';
import { noSuchZone } from './regions.ts';
import type { Call, Handler } from '../api/call.ts';
import type { Parameters, XmlFields } from '../api/wire.ts';
import type { FirewallGroup, FirewallRule } from '../world/firewall-groups.ts';
import type { Server } from '../world/servers.ts';
import type { World } from '../world/world.ts';

/** Rules that a group may hold, until UpdateSecurityGroup says otherwise (docs/reference/nifcloud-api.md §6). */
const RULE_LIMIT = 100;
const LOG_LIMITS = ['1000', '100000'];
/** Characters of any width, of a group and of a rule; the limit is that of the published Terraform provider. */
const MAX_DESCRIPTION = 40;

/** DescribeSecurityGroups. What a describe call for a group that was deleted gets is the switch `deleted-group`. */
export const describeSecurityGroups: Handler = (call) => {
  const { world, parameters } = call;
  const passes = readFilters<FirewallGroup>(parameters, {
    description: { texts: (group) => [group.description], by: startsWith },
    'group-name': { texts: (group) => [group.name], by: startsWith },
  });
  const groups = describedBy(call, 'GroupName', {
    all: world.firewallGroups.values(),
    find: (name) => world.firewallGroups.get(name),
    unknown: (name) => {
      const leftOut = world.switches['deleted-group'] === 'empty' && world.deletedFirewallGroups.has(name);
      return leftOut ? undefined : noSuchGroup(name);
    },
  });
  return { securityGroupInfo: { item: groups.filter(passes).map((group) => describe(world, group)) } };
};

function describe(world: World, group: FirewallGroup): XmlFields {
  const members = membersOf(world, group);
  return {
    ownerId: undefined,
    groupName: group.name,
    groupDescription: group.description,
    groupStatus: group.transition === undefined ? 'applied' : 'processing',
    ipPermissions: { item: group.rules.map(permission) },
    instancesSet: { item: members.map((server) => ({ instanceId: server.name })) },
    instanceUniqueIdsSet: { item: members.map((server) => ({ instanceUniqueId: server.uniqueId })) },
    routerSet: undefined,
    vpnGatewaySet: undefined,
    groupRuleLimit: group.ruleLimit,
    groupLogLimit: group.logLimit,
    groupLogFilterNetBios: group.logFilterNetBios,
    groupLogFilterBroadcast: group.logFilterBroadcast,
    availabilityZone: group.zone,
  };
}

/** As in recorded answers: both ports even of a single one, none where there are none, and one kind of peer (nifcloud-api.md §6). */
function permission(rule: FirewallRule): XmlFields {
  return {
    ipProtocol: rule.protocol,
    ...(rule.fromPort === 0 ? {} : { fromPort: rule.fromPort, toPort: rule.toPort }),
    inOut: rule.direction,
    ...(rule.group === ''
      ? { ipRanges: { item: [{ cidrIp: rule.cidr }] } }
      : { groups: { item: [{ userId: undefined, groupName: rule.group }] } }),
    description: rule.description,
    addDatetime: timestamp(rule.addedAtMs),
  };
}

/** CreateSecurityGroup: in the default zone unless the call names one. */
export const createSecurityGroup: Handler = (call) => {
  const { world, parameters } = call;
  const name = readNewName(world, parameters.requiredText('GroupName'), 'GroupName');
  const description = readDescription(parameters, 'GroupDescription') ?? '';
  const zone = parameters.text('Placement.AvailabilityZone') ?? world.zones[0];
  if (zone === undefined || !world.zones.includes(zone)) throw noSuchZone(zone);
  world.firewallGroups.set(name, {
    name,
    zone,
    description,
    rules: [],
    ruleLimit: RULE_LIMIT,
    logLimit: 1000,
    logFilterNetBios: false,
    logFilterBroadcast: false,
    transition: call.transition('firewall'),
  });
  return { return: true };
};

/** DeleteSecurityGroup: only a group that nothing names. It goes at the end of its processing. */
export const deleteSecurityGroup: Handler = (call) => {
  const { world } = call;
  const group = settledGroup(world, call.parameters.requiredText('GroupName'));
  if (isInUse(world, group)) {
    throw new Refusal('Client.Inoperable.SecurityGroup.InUse', `servers or rules name the group ${group.name}`);
  }
  group.transition = { ...call.transition('firewall'), deletes: true };
  return { return: true };
};

/** UpdateSecurityGroup: what the call does not name stays; a new name holds at once. */
export const updateSecurityGroup: Handler = (call) => {
  const { world, parameters } = call;
  const group = settledGroup(world, parameters.requiredText('GroupName'));
  const wanted = parameters.text('GroupNameUpdate') ?? group.name;
  const name = wanted === group.name ? wanted : readNewName(world, wanted, 'GroupNameUpdate');
  const description = readDescription(parameters, 'GroupDescriptionUpdate') ?? group.description;
  const logLimit = Number(parameters.choice('GroupLogLimitUpdate', LOG_LIMITS) ?? group.logLimit);
  const ruleLimit = parameters.integer('GroupRuleLimitUpdate') ?? group.ruleLimit;
  if (ruleLimit < Math.max(1, group.rules.length)) {
    throw illegal('GroupRuleLimitUpdate', `the group has ${group.rules.length} rules`);
  }
  const logFilterNetBios = parameters.boolean('GroupLogFilterNetBios') ?? group.logFilterNetBios;
  const logFilterBroadcast = parameters.boolean('GroupLogFilterBroadcast') ?? group.logFilterBroadcast;
  Object.assign(group, { description, logLimit, ruleLimit, logFilterNetBios, logFilterBroadcast });
  if (name !== group.name) renameGroup(world, group, name);
  group.transition = call.transition('firewall');
  return { return: true };
};

/** RegisterInstancesWithSecurityGroup: a server is in one group, so it leaves the one that it was in. */
export const registerMembers: Handler = (call) => {
  const { group, servers } = readMembers(call);
  for (const server of servers) requireZoneOfGroup(group, server);
  for (const server of servers) server.firewallGroup = group.name;
  group.transition = call.transition('firewall');
  return instancesSet(servers);
};

/** DeregisterInstancesFromSecurityGroup. */
export const deregisterMembers: Handler = (call) => {
  const { group, servers } = readMembers(call);
  const stranger = servers.find((server) => server.firewallGroup !== group.name);
  if (stranger !== undefined) throw noSuchServer(`${stranger.name} in the group ${group.name}`);
  for (const server of servers) server.firewallGroup = '';
  group.transition = call.transition('firewall');
  return instancesSet(servers);
};

function readMembers({ world, parameters }: Call): { group: FirewallGroup; servers: readonly Server[] } {
  const group = settledGroup(world, parameters.requiredText('GroupName'));
  const names = parameters.list('InstanceId');
  if (names.length === 0) parameters.requiredText('InstanceId.1');
  const servers = [...new Set(names)].map((name) => serverNamed(world, name));
  for (const server of servers) requireSettledServer(server);
  return { group, servers };
}

/** The servers of the call; whether the cloud answers with all of the group is unknown. */
function instancesSet(servers: readonly Server[]): XmlFields {
  return { instancesSet: { item: servers.map((server) => ({ instanceId: server.name })) } };
}

function readNewName(world: World, name: string, parameter: string): string {
  if (!/^[0-9A-Za-z]{1,15}$/.test(name)) throw illegal(parameter, `${name} is not 1 to 15 letters and digits`);
  if (world.firewallGroups.has(name)) {
    throw new Refusal('Client.InvalidParameterDuplicate.SecurityGroup', `there is a group ${name} already`);
  }
  return name;
}

/** @throws Refusal when it is too long */
export function readDescription(parameters: Parameters, name: string): string | undefined {
  const text = parameters.text(name);
  if (Array.from(text ?? '').length > MAX_DESCRIPTION) throw illegal(name, `more than ${MAX_DESCRIPTION} characters`);
  return text;
}
