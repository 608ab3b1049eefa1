import { checkInteger, checkOneOf, checkPort, checkSet } from './limits.ts';
import { numbered, type Parameters } from './parameters.ts';
import { SharedPoll, steady } from './shared-poll.ts';
import { SharedRead } from './shared-read.ts';
import type { Clock } from './surroundings.ts';
import type { Api } from './transport.ts';
import type { XmlElement } from './xml.ts';

/** A firewall group ("security group") of one zone: what it does not allow is denied. Texts that the cloud leaves empty are `''`. */
export interface FirewallGroup {
  /** 1–15 letters and digits, or built in, such as `default(Linux)`; can be changed. */
  readonly name: string;
  readonly description: string;
  /** Such as `east-11`. */
  readonly zone: string;
  /**
   * `applied`: idle, takes the next change. `processing`: a change is applied, and others are refused (`isBusy`). Wait for `applied`
   * after each change, then look at what is there (docs/reference/nifcloud-api.md §6).
   */
  readonly status: string;
  readonly rules: readonly FirewallRule[];
  /** How many rules it may have; 0 = the cloud does not say. */
  readonly ruleLimit: number;
  /** Names of its servers. */
  readonly serverNames: readonly string[];
  /** Unique ids of its servers, not necessarily in the same order. */
  readonly serverUniqueIds: readonly string[];
}

/** One permission: one protocol, one range of ports, one peer. Compare by `isSameRule`. */
export interface FirewallRule {
  readonly direction: 'in' | 'out';
  /** `TCP`, `UDP`, `ICMP`, `ANY`, `SSH` … as the API spells them (§6). */
  readonly protocol: string;
  /** Of TCP and UDP; other protocols have no ports. */
  readonly fromPort?: number | undefined;
  /** Left out or equal to `fromPort`: that port alone. */
  readonly toPort?: number | undefined;
  /** Who is at the other end: an address, a CIDR … */
  readonly cidr?: string | undefined;
  /** … or the servers of a firewall group. */
  readonly group?: string | undefined;
  /** Can't be changed later. It is no part of what makes two rules the same. */
  readonly description?: string | undefined;
}

/** As the API spells them. Source: docs/reference/nifcloud-api.md §6. */
const PROTOCOLS: readonly string[] = [
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
];

/**
 * Whether two rules are one and the same to the cloud, however they are written: capitals, `192.0.2.1/32` for `192.0.2.1`, a single
 * port with or without its end. `SSH` is not taken for TCP 22: a rule is revoked by the protocol it was made with.
 */
export function isSameRule(a: FirewallRule, b: FirewallRule): boolean {
  return ruleIdentity(a) === ruleIdentity(b);
}

/**
 * The firewall groups of the region. Changes are only begun when a call answers: see `FirewallGroup.status`.
 * Source: docs/reference/nifcloud-api.md §6.
 */
export class FirewallGroups {
  readonly #api: Api;
  readonly #list: SharedRead<readonly FirewallGroup[]>;
  readonly #poll: SharedPoll<FirewallGroup>;

  constructor(api: Api, clock: Clock, pollIntervalMs: number) {
    this.#api = api;
    this.#list = new SharedRead((signal) => api.read('DescribeSecurityGroups', {}, parseGroups, signal), clock);
    const look = async (_: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, FirewallGroup>> =>
      new Map((await this.list(signal)).map((group) => [group.name, group]));
    this.#poll = new SharedPoll(look, clock, steady(pollIntervalMs));
  }

  /**
   * All groups, in one call that is shared with whoever asks at the same moment. Never filtered: one unknown name fails a
   * filtered call as a whole.
   */
  list(signal: AbortSignal): Promise<readonly FirewallGroup[]> {
    return this.#list.get(signal);
  }

  /**
   * Waits until a group is as `accept` wants it; all who wait share one listing a tick (see SharedPoll).
   *
   * @param accept is shown the group, `undefined` = it does not exist; what it returns ends the wait, what it throws too
   */
  until<R>(name: string, accept: (group: FirewallGroup | undefined) => R | undefined, signal: AbortSignal): Promise<R> {
    return this.#poll.until(name, accept, signal);
  }

  /**
   * Begins to add rules; none: no call. What becomes of the others when one is there already is not known (§11, 27): on
   * `isDuplicate` read the group, then send what is missing, each by itself.
   *
   * @throws RangeError, TypeError for a rule that makes no sense
   * @throws NifcloudError; `isBusy` = the group is being changed, `isNotFound(error, 'SecurityGroup')` = there is none of this name
   */
  async authorize(name: string, rules: readonly FirewallRule[], signal: AbortSignal): Promise<void> {
    if (rules.length === 0) return;
    rules.forEach(checkRule);
    const fields = rules.map((rule) => ({ ...ruleFields(rule), Description: rule.description }));
    await this.#mutate('AuthorizeSecurityGroupIngress', name, numbered('IpPermissions', fields), signal);
  }

  /**
   * Begins to remove rules; none: no call.
   *
   * @param rules as the listing shows them: the cloud keeps addresses as they were written
   * @throws NifcloudError; `isBusy` = the group is being changed, `isNotFound(error, 'SecurityGroupIngress')` = one is not there
   */
  async revoke(name: string, rules: readonly FirewallRule[], signal: AbortSignal): Promise<void> {
    if (rules.length === 0) return;
    const fields = rules.map(ruleFields);
    await this.#mutate('RevokeSecurityGroupIngress', name, numbered('IpPermissions', fields), signal);
  }

  /** Begins to make a group without rules. @param wanted `zone` left out: the account's default zone */
  create(
    wanted: {
      readonly name: string;
      readonly zone?: string | undefined;
      readonly description?: string | undefined;
    },
    signal: AbortSignal,
  ): Promise<void> {
    const parameters = { GroupDescription: wanted.description, 'Placement.AvailabilityZone': wanted.zone };
    return this.#mutate('CreateSecurityGroup', wanted.name, parameters, signal);
  }

  /** Begins to change a group; what is left out stays. @throws TypeError for an empty text: it can't be removed */
  async update(
    name: string,
    change: {
      readonly newName?: string | undefined;
      readonly description?: string | undefined;
      readonly ruleLimit?: number | undefined;
    },
    signal: AbortSignal,
  ): Promise<void> {
    checkSet('the name of a firewall group', change.newName);
    checkSet('the description of a firewall group', change.description);
    const parameters = {
      GroupNameUpdate: change.newName,
      GroupDescriptionUpdate: change.description,
      GroupRuleLimitUpdate: change.ruleLimit,
    };
    await this.#mutate('UpdateSecurityGroup', name, parameters, signal);
  }

  /** Begins to delete a group. @throws NifcloudError; `isInUse` = servers are in it */
  delete(name: string, signal: AbortSignal): Promise<void> {
    return this.#mutate('DeleteSecurityGroup', name, {}, signal);
  }

  /** Begins to put servers into a group; none: no call. */
  async registerServers(name: string, serverNames: readonly string[], signal: AbortSignal): Promise<void> {
    if (serverNames.length === 0) return;
    await this.#mutate('RegisterInstancesWithSecurityGroup', name, numbered('InstanceId', serverNames), signal);
  }

  /** Begins to take servers out of a group; none: no call. */
  async deregisterServers(name: string, serverNames: readonly string[], signal: AbortSignal): Promise<void> {
    if (serverNames.length === 0) return;
    await this.#mutate('DeregisterInstancesFromSecurityGroup', name, numbered('InstanceId', serverNames), signal);
  }

  #mutate(action: string, name: string, parameters: Parameters, signal: AbortSignal): Promise<void> {
    return this.#api.mutate(action, { GroupName: name, ...parameters }, () => {}, signal);
  }
}

/** What the cloud tells rules apart by, in one spelling: for sets, where many rules are compared. */
export function ruleIdentity(rule: FirewallRule): string {
  const { direction, protocol, fromPort, toPort = fromPort, cidr = '', group = '' } = rule;
  const address = cidr.toLowerCase().replace(/^([\d.]+)\/32$|^([\da-f:.]+)\/128$/, '$1$2');
  // Where there are no ports some programs send 0, which may come back.
  const ports = [fromPort || undefined, toPort || undefined];
  return JSON.stringify([direction, protocol.toUpperCase(), ports, address, group]);
}

function checkRule(rule: FirewallRule): void {
  const { protocol, fromPort, toPort, cidr = '', group = '' } = rule;
  checkOneOf('the protocol of a firewall rule', protocol, PROTOCOLS);
  const hasPorts = protocol === 'TCP' || protocol === 'UDP';
  if (hasPorts !== (fromPort !== undefined) || (!hasPorts && toPort !== undefined)) {
    throw new TypeError(`a firewall rule has ports if its protocol is TCP or UDP, and only then; it is ${protocol}`);
  }
  checkPort('the port of a firewall rule', fromPort);
  checkInteger('the last port of a firewall rule', toPort, fromPort ?? 1, 65_535);
  if ((cidr === '') === (group === '')) throw new TypeError('a firewall rule has one peer: an address or a group');
}

function ruleFields(rule: FirewallRule): Parameters {
  return {
    IpProtocol: rule.protocol,
    InOut: rule.direction.toUpperCase(),
    FromPort: rule.fromPort,
    // A single port is its start alone, though answers show both.
    ToPort: rule.toPort === rule.fromPort ? undefined : rule.toPort,
    'IpRanges.1.CidrIp': rule.cidr,
    'Groups.1.GroupName': rule.group,
  };
}

/** An entry without a name makes the answer unreadable: leaving it out would say that some group does not exist. */
function parseGroups(answer: XmlElement): readonly FirewallGroup[] {
  return answer.items('securityGroupInfo').map((group) => ({
    name: group.requiredText('groupName'),
    description: group.text('groupDescription'),
    zone: group.text('availabilityZone'),
    status: group.text('groupStatus'),
    rules: group.items('ipPermissions').flatMap(parseRules),
    ruleLimit: group.number('groupRuleLimit') ?? 0,
    serverNames: group.items('instancesSet').flatMap((server) => server.texts('instanceId')),
    serverUniqueIds: group.items('instanceUniqueIdsSet').flatMap((server) => server.texts('instanceUniqueId')),
  }));
}

/** A rule for each peer; one without any is shown as it is. */
function parseRules(permission: XmlElement): readonly FirewallRule[] {
  const rule = {
    direction: permission.text('inOut').toUpperCase() === 'OUT' ? 'out' : 'in',
    protocol: permission.requiredText('ipProtocol'),
    fromPort: permission.number('fromPort'),
    toPort: permission.number('toPort'),
    description: permission.text('description'),
  } as const;
  const peers = [
    ...permission.items('ipRanges').map((range) => ({ cidr: range.text('cidrIp') })),
    ...permission.items('groups').map((group) => ({ group: group.text('groupName') })),
  ];
  return peers.length === 0 ? [rule] : peers.map((peer) => ({ ...rule, ...peer }));
}
