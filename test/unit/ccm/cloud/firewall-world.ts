import * as fc from 'fast-check';
import { ownedBy } from '../../../../ccm/cloud/firewall-owner.ts';
import {
  planFirewall,
  wantedRules,
  type FirewallPlan,
  type FirewallStep,
} from '../../../../ccm/cloud/firewall-plan.ts';
import type { FirewalledElastic } from '../../../../ccm/cloud/firewall-rules.ts';
import { isSameRule, type FirewallGroup, type FirewallRule } from '../../../../nifcloud/firewall-groups.ts';
import type { Server } from '../../../../nifcloud/servers.ts';

export const CLUSTER = 'kubernetes';

type Listener = FirewalledElastic['listeners'][number];

/** A load balancer, and what a server sees of it: said here by whoever makes it up, not found out. */
export interface Seen {
  readonly loadBalancer: FirewalledElastic;
  readonly traffic: string;
  readonly probes: readonly string[];
}

/** What must get through to a server. */
interface Packet {
  readonly protocol: string;
  readonly port: number | undefined;
  readonly source: string;
  readonly server: string;
}

export const aServer = (name: string, group = ''): Server => ({
  name,
  uniqueId: `i-${name}`,
  zone: 'east-11',
  type: 'e-medium8',
  state: 'running',
  privateAddress: '',
  publicAddress: '',
  firewallGroups: group === '' ? [] : [group],
  interfaces: [],
});

export const aTarget = (serverName: string): { serverName: string; serverUniqueId: string } => ({
  serverName,
  serverUniqueId: `i-${serverName}`,
});

export const aGroup = (name: string, rest: Partial<FirewallGroup> = {}): FirewallGroup => ({
  name,
  description: '',
  zone: 'east-11',
  status: 'applied',
  rules: [],
  ruleLimit: 100,
  serverNames: [],
  serverUniqueIds: [],
  ...rest,
});

export const aListener = (instancePort: number, rest: Partial<Listener> = {}): Listener => ({
  protocol: 'TCP',
  instancePort,
  healthCheck: { target: `TCP:${instancePort}` },
  targets: [aTarget('a')],
  ...rest,
});

/** Servers and clients on one interface: `lb0` with addresses in 10.0.0.0/24, and so on. */
export function oneArm(n: number, listeners: readonly Listener[]): Seen {
  const only = { ...anInterface(`10.0.${n}`), isVip: true };
  const { address, systemAddresses } = only;
  return {
    loadBalancer: { name: `lb${n}`, vip: address, interfaces: [only], listeners },
    traffic: address,
    probes: [address, ...systemAddresses],
  };
}

/** Clients on one interface as there, servers on the other: 10.1.0.0/24, and so on. */
export function twoArm(n: number, listeners: readonly Listener[]): Seen {
  const { loadBalancer } = oneArm(n, listeners);
  const inner = anInterface(`10.1.${n}`);
  return {
    loadBalancer: { ...loadBalancer, interfaces: [...loadBalancer.interfaces, inner] },
    traffic: inner.address,
    probes: [inner.address, ...inner.systemAddresses],
  };
}

function anInterface(net: string): FirewalledElastic['interfaces'][number] {
  const systemAddresses = [`${net}.2`, `${net}.3`];
  return { networkId: `net-${net}`, networkName: '', address: `${net}.1`, systemAddresses, isVip: false };
}

/** Firewall groups that change at once, and count what must never happen. */
export class Firewall {
  groups: readonly FirewallGroup[];
  servers: readonly Server[];
  all: readonly Seen[];
  /** After each change. */
  onChange: (step: FirewallStep) => void = () => {};

  constructor(groups: readonly FirewallGroup[], servers: readonly Server[], all: readonly Seen[]) {
    this.groups = groups;
    this.servers = servers;
    this.all = all;
  }

  plan(own: readonly Seen[]): FirewallPlan {
    const loadBalancers = this.all.map((one) => one.loadBalancer);
    const facts = { cluster: CLUSTER, groups: this.groups, servers: this.servers, loadBalancers };
    const ours = ownedBy(
      CLUSTER,
      own.map((one) => one.loadBalancer),
      loadBalancers,
    );
    return planFirewall(this.groups, wantedRules(facts), ours);
  }

  /** Plans and applies until nothing is left to be done. */
  reach(own: readonly Seen[]): FirewallPlan {
    for (let pass = 0; pass < 5; pass++) {
      const plan = this.plan(own);
      if (plan.steps.length === 0) return plan;
      for (const step of plan.steps) this.#apply(step);
    }
    throw new Error('the plan does not end');
  }

  #apply(step: FirewallStep): void {
    const isNamed = (rule: FirewallRule): boolean => step.rules.some((one) => isSameRule(one, rule));
    this.groups = this.groups.map((group) => {
      if (group.name !== step.group) return group;
      if (step.kind === 'revoke') return { ...group, rules: group.rules.filter((rule) => !isNamed(rule)) };
      if (group.rules.some(isNamed)) throw new Error('duplicate rule');
      return { ...group, rules: [...group.rules, ...step.rules] };
    });
    this.onChange(step);
  }

  /** What is sent to servers in vain. */
  blocked(packets: readonly Packet[]): readonly Packet[] {
    return packets.filter(({ server, protocol, port, source }) => {
      const name = this.servers.find((one) => one.name === server)?.firewallGroups[0];
      const group = this.groups.find((one) => one.name === name);
      const lets = (rule: FirewallRule): boolean =>
        rule.direction === 'in' &&
        rule.protocol === protocol &&
        (port === undefined || (rule.fromPort! <= port && port <= (rule.toPort ?? rule.fromPort!))) &&
        [source, `${source}/32`].includes(rule.cidr ?? '');
      return group !== undefined && !group.rules.some(lets);
    });
  }
}

/** All that a load balancer sends. */
export function packetsOf({ loadBalancer, traffic, probes }: Seen): readonly Packet[] {
  return loadBalancer.listeners.flatMap(({ protocol, instancePort, healthCheck, targets = [] }) =>
    targets.flatMap(({ serverName: server }) => {
      const port = Number(healthCheck?.target.split(':')[1]);
      const check = Number.isNaN(port) ? { protocol: 'ICMP', port: undefined } : { protocol: 'TCP', port };
      return [
        { protocol: protocol === 'UDP' ? 'UDP' : 'TCP', port: instancePort, source: traffic, server },
        ...(healthCheck === undefined ? [] : probes.map((source) => ({ ...check, source, server }))),
      ];
    }),
  );
}

const SERVERS = ['a', 'b', 'c', 'd', 'e'];
const GROUPS = ['left', 'right'];

const anyPort = (): fc.Arbitrary<number> => fc.constantFrom(30080, 30081, 30443, 31000);

const anyListener = (): fc.Arbitrary<Listener> =>
  fc.record({
    protocol: fc.constantFrom('TCP', 'UDP', 'HTTP', 'HTTPS'),
    instancePort: anyPort(),
    healthCheck: fc.option(
      fc.record({ target: fc.constantFrom('ICMP', 'TCP:30080', 'HTTP:32000', 'HTTPS:30443', 'tcp:31000') }),
      { nil: undefined },
    ),
    targets: fc.subarray(SERVERS).map((names) => names.map(aTarget)),
  });

export const anyLoadBalancers = (): fc.Arbitrary<readonly Seen[]> =>
  fc
    .array(fc.tuple(fc.constantFrom(oneArm, twoArm), fc.array(anyListener(), { minLength: 1, maxLength: 3 })), {
      minLength: 1,
      maxLength: 3,
    })
    .map((all) => all.map(([make, listeners], n) => make(n, listeners)));

export const anyServers = (): fc.Arbitrary<readonly Server[]> =>
  fc
    .tuple(...SERVERS.map(() => fc.constantFrom('', ...GROUPS)))
    .map((groups) => SERVERS.map((name, n) => aServer(name, groups[n])));

/** Rules of people, and of the Go program, some of them equal to those that are wanted. */
export const anyRule = (): fc.Arbitrary<FirewallRule> =>
  fc
    .record({
      direction: fc.constantFrom('in' as const, 'in' as const, 'out' as const),
      protocol: fc.constantFrom('TCP', 'TCP', 'UDP', 'ICMP', 'SSH', 'ANY'),
      fromPort: fc.oneof(anyPort(), fc.constant(22)),
      more: fc.constantFrom(0, 0, 1),
      cidr: fc
        .tuple(fc.constantFrom('10.0.0', '10.0.1', '10.1.0', '10.1.1', '192.0.2'), fc.constantFrom(1, 2, 3, 4))
        .chain(([net, host]) => fc.constantFrom(`${net}.${host}`, `${net}.${host}/32`, `${net}.0/24`)),
      description: fc.constantFrom('', '', 'mine', 'kubernetes:other/lb0', `kubernetes:${CLUSTER}/lb9`),
    })
    .map(({ fromPort, more, ...rule }) =>
      ['TCP', 'UDP'].includes(rule.protocol) ? { ...rule, fromPort, toPort: fromPort + more } : rule,
    );

export const anyGroups = (rule = anyRule()): fc.Arbitrary<readonly FirewallGroup[]> =>
  fc
    .tuple(...GROUPS.map(() => fc.uniqueArray(rule, { maxLength: 8, comparator: isSameRule })))
    .map((rules) => GROUPS.map((name, n) => aGroup(name, { rules: rules[n]! })));
