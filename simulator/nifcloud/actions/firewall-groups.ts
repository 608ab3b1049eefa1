import { Refusal } from '../api/refusal.ts';
import { illegal } from '../api/wire.ts';
import type { Handler } from '../api/call.ts';
import type { Parameters } from '../api/wire.ts';
import type { FirewallGroup } from '../world/firewall-groups.ts';

/** Rules that a group may hold (docs/reference/nifcloud-api.md §6). */
const RULE_LIMIT = 100;

/** DescribeSecurityGroups: the fleet's groups, which have no rules yet. */
export const describeSecurityGroups: Handler = ({ parameters, world }) => {
  const names = parameters.list('GroupName');
  const unknown = names.find((name) => !world.firewallGroups.has(name));
  if (unknown !== undefined) {
    throw new Refusal('Client.InvalidParameterNotFound.SecurityGroup', `there is no firewall group ${unknown}`);
  }
  const passes = readFilters(parameters);
  const servers = [...world.servers.values()];
  return {
    securityGroupInfo: {
      item: [...world.firewallGroups.values()]
        .filter((group) => (names.length === 0 || names.includes(group.name)) && passes(group))
        .map((group) => {
          const members = servers.filter((server) => server.firewallGroup === group.name);
          return {
            ownerId: undefined,
            groupName: group.name,
            groupDescription: group.description,
            groupStatus: 'applied',
            ipPermissions: undefined,
            instancesSet: { item: members.map((server) => ({ instanceId: server.name })) },
            instanceUniqueIdsSet: { item: members.map((server) => ({ instanceUniqueId: server.uniqueId })) },
            routerSet: undefined,
            vpnGatewaySet: undefined,
            groupRuleLimit: RULE_LIMIT,
            groupLogLimit: 1000,
            groupLogFilterNetBios: false,
            groupLogFilterBroadcast: false,
            availabilityZone: group.zone,
          };
        }),
    },
  };
};

/** `Filter.N.Name` with `Filter.N.Value.M`: a group must match every filter by the start of the text. */
function readFilters(parameters: Parameters): (group: FirewallGroup) => boolean {
  const filters = parameters.indexes('Filter').map((index) => {
    const name = parameters.choice(`Filter.${index}.Name`, ['description', 'group-name']);
    if (name === undefined) throw illegal(`Filter.${index}.Name`, 'a filter needs a name');
    return {
      key: name === 'description' ? 'description' : 'name',
      values: parameters.list(`Filter.${index}.Value`),
    } as const;
  });
  return (group) => filters.every(({ key, values }) => values.some((value) => group[key].startsWith(value)));
}
