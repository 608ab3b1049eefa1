import type { CrashWorld } from './crash-world.ts';
import { TYPE, type Journey } from './service-journeys.ts';

type State = ReturnType<CrashWorld['cloud']['state']>;

interface Service {
  readonly metadata: {
    readonly annotations?: Readonly<Record<string, string>>;
    readonly finalizers?: readonly string[];
  };
  readonly spec: {
    readonly type: string;
    readonly ports: readonly { readonly port: number; readonly nodePort: number }[];
    readonly loadBalancerSourceRanges?: readonly string[];
  };
  readonly status?: { readonly loadBalancer?: { readonly ingress?: readonly { readonly ip: string }[] } };
}

/**
 * What holds for a Service at every moment, whatever is being changed and whoever dies: nobody is let in who may not be, an address
 * that was published stays good, and ports that serve go on serving.
 */
export class ServiceRules {
  /** Each with the moment at which it was broken first. */
  readonly broken: string[] = [];
  readonly #world: CrashWorld;
  readonly #journey: Journey;
  /** Every address that was the first one of the Service. */
  readonly #addresses = new Set<string>();

  constructor(world: CrashWorld, journey: Journey) {
    this.#world = world;
    this.#journey = journey;
  }

  check(moment: string): void {
    const state = this.#world.cloud.state();
    const service = this.#service;
    const vip = service?.status?.loadBalancer?.ingress?.[0]?.ip ?? '';
    if (vip !== '') this.#addresses.add(vip);
    const problems = [...this.#exposed(state), ...this.#astray(state, vip), ...this.#interrupted(state, vip, service)];
    for (const problem of problems) {
      if (!this.broken.some((one) => one.startsWith(problem))) this.broken.push(`${problem} (${moment})`);
    }
  }

  /** To be asked when all is done: there is what the Service asks for, and nothing else. */
  checkEnd(): void {
    const { api, cloud } = this.#world;
    const { loadBalancers, elasticLoadBalancers, firewallGroups, servers } = cloud.state();
    const service = this.#service;
    const wanted = service?.spec.type === 'LoadBalancer' ? service : undefined;
    const kind = wanted && (wanted.metadata.annotations?.[TYPE] === 'elb' ? 'elastic' : 'L4');
    const nodes = api.store.list('nodes').map(({ metadata }) => metadata.name);
    const ports = wanted?.spec.ports ?? [];

    const serving = [
      ...loadBalancers.map(({ vip, ports: listeners }) => ({ kind: 'L4', vip, listeners })),
      ...elasticLoadBalancers.map(({ vip, listeners }) => ({ kind: 'elastic', vip, listeners })),
    ];
    const addresses = elasticLoadBalancers.flatMap(({ interfaces }) =>
      interfaces.flatMap((one) => [one.ipAddress, ...one.systemIpAddresses]),
    );
    const seen = {
      kinds: serving.map((one) => one.kind),
      finalizers: service?.metadata.finalizers ?? [],
      ingress: service?.status?.loadBalancer?.ingress?.map(({ ip }) => ip) ?? [],
      listeners: serving
        .flatMap(({ listeners }) =>
          listeners.map(({ loadBalancerPort, instancePort, targets, filter }) => {
            const names = targets.map(({ serverName }) => serverName);
            return [loadBalancerPort, instancePort, ...names.toSorted(), ...filter.addresses.toSorted()].join(' ');
          }),
        )
        .toSorted(),
      rules: firewallGroups
        .flatMap(({ name, rules }) => rules.map(({ fromPort, cidr }) => `${name} ${fromPort} ${cidr}`))
        .toSorted(),
    };
    const ranges = wanted?.spec.loadBalancerSourceRanges ?? [];
    const groups = servers.filter(({ name }) => nodes.includes(name)).map(({ firewallGroup }) => firewallGroup);
    const right = {
      kinds: kind === undefined ? [] : [kind],
      finalizers: kind === undefined ? [] : ['service.kubernetes.io/load-balancer-cleanup'],
      ingress: serving.map(({ vip }) => vip),
      listeners: ports.map((one) => [one.port, one.nodePort, ...nodes, ...ranges].join(' ')).toSorted(),
      rules: groups
        .flatMap((group) =>
          ports.flatMap(({ nodePort }) => addresses.map((address) => `${group} ${nodePort} ${address}`)),
        )
        .toSorted(),
    };
    if (JSON.stringify(seen) === JSON.stringify(right)) return;
    this.broken.push(`in the end there is ${JSON.stringify(seen)} in place of ${JSON.stringify(right)}`);
  }

  get #service(): Service | undefined {
    return this.#world.api.store.get('services', 'default/web') as Service | undefined;
  }

  /** Ports that are open to more than the Service asks for. */
  *#exposed({ loadBalancers, elasticLoadBalancers, firewallGroups }: State): Generator<string> {
    const { sources } = this.#journey;
    for (const { loadBalancerPort, filter, targets } of loadBalancers.flatMap(({ ports }) => ports)) {
      const isOpen = filter.type !== 'allow' || filter.addresses.length === 0;
      const isTooWide = isOpen || filter.addresses.some((address) => !sources.includes(address));
      if (sources.length > 0 && targets.length > 0 && isTooWide) {
        yield `L4 port ${loadBalancerPort} lets in ${filter.addresses.join(' ') || 'everybody'}`;
      }
    }
    const interfaces = elasticLoadBalancers.flatMap((one) => one.interfaces);
    const own = new Set(interfaces.flatMap((one) => [one.ipAddress, ...one.systemIpAddresses]));
    for (const { name, rules } of firewallGroups) {
      for (const { cidr, fromPort } of rules) {
        if (!own.has(cidr.replace('/32', ''))) yield `group ${name} lets ${cidr} in at ${fromPort}`;
      }
    }
  }

  /** An address that clients are told and that leads nowhere, or is another one of a sudden. */
  *#astray({ loadBalancers, elasticLoadBalancers }: State, vip: string): Generator<string> {
    const { address } = this.#journey;
    if (this.#addresses.size > (address === 'replaced' || address === 'lost' ? 2 : 1)) {
      yield `the address changes: ${[...this.#addresses].join(' ')}`;
    }
    if (address !== 'kept' && address !== 'replaced') return;
    const vips = [...loadBalancers, ...elasticLoadBalancers].map((one) => one.vip);
    if (vip === '') yield 'no address is published any more';
    else if (!vips.includes(vip)) yield `nothing has the published address ${vip}`;
  }

  /** Ports that were serving and have nobody to serve them, at the address that clients know. */
  *#interrupted(state: State, vip: string, service: Service | undefined): Generator<string> {
    const { loadBalancers, elasticLoadBalancers, firewallGroups, servers } = state;
    const all = [...loadBalancers.map((one) => ({ vip: one.vip, listeners: one.ports })), ...elasticLoadBalancers];
    const serving = all.filter((one) => one.vip === vip).flatMap(({ listeners }) => listeners);
    for (const port of this.#journey.serves) {
      const listener = serving.find((one) => one.loadBalancerPort === port);
      if ((listener?.targets ?? []).length === 0) yield `port ${port} has no targets`;
    }
    // What is sent to a target whose firewall keeps it out is lost; at a node port that was changed nobody listens any more.
    const nodePorts = service?.spec.ports.map(({ nodePort }) => nodePort) ?? [];
    for (const { vip: source, listeners } of elasticLoadBalancers) {
      for (const { instancePort, targets } of listeners.filter((one) => nodePorts.includes(one.instancePort))) {
        for (const { serverName } of targets) {
          const group = servers.find(({ name }) => name === serverName)?.firewallGroup;
          const rules = firewallGroups.find(({ name }) => name === group)?.rules ?? [];
          const isLetIn = rules.some(({ cidr, fromPort }) => fromPort === instancePort && cidr.startsWith(source));
          if (!isLetIn) yield `the firewall of ${serverName} keeps out what comes for ${instancePort}`;
        }
      }
    }
  }
}
