import { PROTOCOLS_WITH_PORTS, RULE_PROTOCOLS } from '../firewall-groups.ts';
import { NAME } from './fields.ts';
import type { Fields, Pattern } from './fields.ts';
import type { FirewallGroup, FirewallRule } from '../firewall-groups.ts';

/** As any name, or the two groups that every account has (docs/reference/nifcloud-api.md §6). */
const GROUP_NAME: Pattern = [/^([0-9A-Za-z]{1,15}|default\((Linux|Windows)\))$/, NAME[1]];

export const GROUP_KEYS = ['name', 'zone', 'description', 'rules'];
const RULE_KEYS = ['protocol', 'fromPort', 'toPort', 'direction', 'cidr', 'group', 'description'];

/** The entries of `groups`; a rule may have any of them as its peer. */
export function readGroups(list: readonly Fields[], zones: readonly string[]): readonly FirewallGroup[] {
  const names = new Map(list.map((fields) => [fields.matching('name', GROUP_NAME), undefined]));
  return list.map((fields) => ({
    name: fields.text('name'),
    zone: fields.oneOf('zone', zones),
    description: fields.text('description', ''),
    rules: fields.list('rules', RULE_KEYS).map((rule) => readRule(rule, names)),
    ruleLimit: 100,
    logLimit: 1000,
    logFilterNetBios: false,
    logFilterBroadcast: false,
    transition: undefined,
  }));
}

function readRule(fields: Fields, groups: ReadonlyMap<string, undefined>): FirewallRule {
  const protocol = fields.oneOf('protocol', RULE_PROTOCOLS);
  const cidr = fields.addressOrRange('cidr');
  if (fields.has('group') === (cidr !== '')) throw fields.refused('group', '', 'exactly one of group and cidr');
  if (fields.has('group') && !groups.has(fields.text('group'))) {
    throw fields.refused('group', fields.text('group'), [...groups.keys()].join(', '));
  }
  return {
    protocol,
    ...readPorts(fields, protocol),
    direction: fields.oneOf('direction', ['IN', 'OUT'], 'IN'),
    cidr,
    group: fields.text('group', ''),
    description: fields.text('description', ''),
    addedAtMs: 0,
  };
}

function readPorts(fields: Fields, protocol: string): Pick<FirewallRule, 'fromPort' | 'toPort'> {
  if (PROTOCOLS_WITH_PORTS.includes(protocol)) {
    const fromPort = fields.integer('fromPort', { min: 1, max: 65_535 });
    return { fromPort, toPort: fields.integer('toPort', { min: fromPort, max: 65_535 }, fromPort) };
  }
  const stray = ['fromPort', 'toPort'].find((key) => fields.has(key));
  if (stray !== undefined) throw fields.refused(stray, '', `ports of ${PROTOCOLS_WITH_PORTS.join(' and ')} only`);
  return { fromPort: 0, toPort: 0 };
}
