import { Refusal } from '../api/refusal.ts';
import { illegal } from '../api/wire.ts';
import { groupNamed, PROTOCOLS_WITH_PORTS, RULE_PROTOCOLS, settledGroup } from '../world/firewall-groups.ts';
import { isAddressOrRange } from '../world/networks.ts';
import { readDescription } from './firewall-groups.ts';
import type { Call, Handler } from '../api/call.ts';
import type { Parameters } from '../api/wire.ts';
import type { FirewallGroup, FirewallRule } from '../world/firewall-groups.ts';
import type { World } from '../world/world.ts';

const MAX_PORT = 65_535;

/**
 * AuthorizeSecurityGroupIngress: `return=true` says "accepted": when the rules show is unknown; here they do at the end of the
 * processing, so that a client which does not wait for it is caught. Of a duplicate among several rules see the switch
 * `batched-rules`.
 */
export const authorizeIngress: Handler = (call) => {
  const { world } = call;
  const group = settledGroup(world, call.parameters.requiredText('GroupName'));
  const added: FirewallRule[] = [];
  let duplicate: Refusal | undefined;
  for (const rule of readRules(call)) {
    if ([...group.rules, ...added].some((one) => isSame(one, rule))) {
      duplicate = new Refusal('Client.InvalidParameterDuplicate.SecurityGroup', `${group.name} has ${inWords(rule)}`);
    } else {
      added.push(rule);
    }
  }
  const passesOver = world.switches['batched-rules'] === 'partial' && added.length > 0;
  if (duplicate !== undefined && !passesOver) throw duplicate;
  const rules = [...group.rules, ...added];
  if (rules.length > group.ruleLimit) {
    throw new Refusal(
      'Client.Inoperable.SecurityGroupIngress.LimitExceeded',
      `group ${group.name} would have ${rules.length} rules, more than ${group.ruleLimit}`,
    );
  }
  group.transition = { ...call.transition('firewall'), rules };
  return { return: true };
};

/** RevokeSecurityGroupIngress: one rule that is not there refuses the call as a whole. The rules go at the end of the processing. */
export const revokeIngress: Handler = (call) => {
  const group = settledGroup(call.world, call.parameters.requiredText('GroupName'));
  const revoked = readRules(call);
  const missing = revoked.find((rule) => !group.rules.some((one) => isSame(one, rule)));
  if (missing !== undefined) {
    throw new Refusal(
      'Client.InvalidParameterNotFound.SecurityGroupIngress',
      `${group.name} lacks ${inWords(missing)}`,
    );
  }
  const rules = group.rules.filter((one) => !revoked.some((rule) => isSame(one, rule)));
  group.transition = { ...call.transition('firewall'), rules };
  return { return: true };
};

/** `IpPermissions.N`: each of its peers makes a rule (nifcloud-api.md §6). */
function readRules({ world, parameters, nowMs }: Call): readonly FirewallRule[] {
  refuseUserId(parameters, 'UserId');
  const indexes = parameters.indexes('IpPermissions');
  if (indexes.length === 0) parameters.requiredText('IpPermissions');
  return indexes.flatMap((index) => {
    const prefix = `IpPermissions.${index}`;
    const protocol =
      parameters.choice(`${prefix}.IpProtocol`, RULE_PROTOCOLS) ?? parameters.requiredText(`${prefix}.IpProtocol`);
    const rule = {
      protocol,
      ...readPorts(parameters, prefix, protocol),
      direction: parameters.choice(`${prefix}.InOut`, ['IN', 'OUT']) ?? 'IN',
      description: readDescription(parameters, `${prefix}.Description`) ?? '',
      addedAtMs: nowMs,
    } as const;
    const ranges = parameters
      .indexes(`${prefix}.IpRanges`)
      .map((at) => readCidr(parameters, `${prefix}.IpRanges.${at}`));
    const groups = parameters.indexes(`${prefix}.Groups`).map((at) => {
      refuseUserId(parameters, `${prefix}.Groups.${at}.UserId`);
      return peerNamed(world, parameters.requiredText(`${prefix}.Groups.${at}.GroupName`)).name;
    });
    if (ranges.length + groups.length === 0) parameters.requiredText(`${prefix}.IpRanges.1.CidrIp`);
    return [
      ...ranges.map((cidr) => ({ ...rule, cidr, group: '' })),
      ...groups.map((group) => ({ ...rule, cidr: '', group })),
    ];
  });
}

/** A group that a rule may name: one that is being deleted would leave the rule behind. @throws Refusal */
function peerNamed(world: World, name: string): FirewallGroup {
  const group = groupNamed(world, name);
  return group.transition?.deletes === true ? settledGroup(world, name) : group;
}

/** FromPort alone is one port. The published CCM sends FromPort 0 with ICMP, so that is none. */
function readPorts(
  parameters: Parameters,
  prefix: string,
  protocol: string,
): Pick<FirewallRule, 'fromPort' | 'toPort'> {
  const [from, to] = [`${prefix}.FromPort`, `${prefix}.ToPort`];
  if (!PROTOCOLS_WITH_PORTS.includes(protocol)) {
    for (const name of [from, to]) {
      if ((parameters.integer(name) ?? 0) !== 0) throw illegal(name, `${protocol} has no ports`);
    }
    return { fromPort: 0, toPort: 0 };
  }
  const fromPort = parameters.requiredInteger(from);
  const toPort = parameters.integer(to) ?? fromPort;
  if (fromPort < 1 || fromPort > MAX_PORT) throw illegal(from, `${fromPort} is not from 1 to ${MAX_PORT}`);
  if (toPort < fromPort || toPort > MAX_PORT) throw illegal(to, `${toPort} is not from ${fromPort} to ${MAX_PORT}`);
  return { fromPort, toPort };
}

function readCidr(parameters: Parameters, range: string): string {
  const cidr = parameters.requiredText(`${range}.CidrIp`);
  if (!isAddressOrRange(cidr)) throw illegal(`${range}.CidrIp`, `${cidr} is neither an IP address nor a CIDR`);
  return cidr;
}

/** Parameters of the model that the documentation marks as unusable (nifcloud-api.md §6). */
function refuseUserId(parameters: Parameters, name: string): void {
  if (parameters.text(name) !== undefined) throw illegal(name, 'this parameter is not usable');
}

/** Peers are compared as they were written. */
function isSame(a: FirewallRule, b: FirewallRule): boolean {
  return inWords(a) === inWords(b);
}

function inWords({ direction, protocol, fromPort, toPort, cidr, group }: FirewallRule): string {
  const ports = fromPort === 0 ? '' : ` ${fromPort}-${toPort}`;
  return `${direction} ${protocol}${ports} ${group === '' ? cidr : `group ${group}`}`;
}
