import type { ElasticCalls } from '../../../ccm/cloud/elastic-apply.ts';
import type { FirewallCalls } from '../../../ccm/cloud/firewall-apply.ts';
import type { Clock } from '../../../daemon/clock.ts';
import type { ElasticLoadBalancer } from '../../../nifcloud/elastic-load-balancers.ts';
import type { ElasticListenerKey, ElasticReference } from '../../../nifcloud/elastic-requests.ts';
import { NifcloudError } from '../../../nifcloud/errors.ts';
import { isSameRule, type FirewallGroup, type FirewallRule } from '../../../nifcloud/firewall-groups.ts';
import type { Interrupt } from './l4-cloud.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Listener = Mutable<ElasticLoadBalancer['listeners'][number]>;
type LoadBalancer = Mutable<Omit<ElasticLoadBalancer, 'listeners' | 'state'>> & { listeners: Listener[] };

/**
 * Elastic load balancers and firewall groups as docs/reference/nifcloud-api.md §5 and §6 describe them: a change makes them busy for a
 * while, in which they refuse others; a call that fails changes nothing.
 */
export class ElasticCloud {
  readonly balancers = new Map<string, LoadBalancer>();
  readonly groups = new Map<string, Mutable<Omit<FirewallGroup, 'status'>>>();
  /** Names by unique id: the servers that can be registered. */
  readonly servers = new Map<string, string>();
  /** Writes that took effect, in order, as `Action what`. */
  readonly writes: string[] = [];
  /** Codes of refused writes. */
  readonly refusals: string[] = [];
  lists = 0;
  groupLists = 0;
  interrupt: Interrupt = () => {};
  /** Refuses a call where it returns a code. */
  refuse: (action: string, serverUniqueIds: readonly string[]) => string | undefined = () => undefined;
  /** Called after each write that took effect. */
  onWrite: () => void = () => {};
  transitionMs = 3_000;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #busyUntilMs = new Map<string, number>();
  #made = 0;

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
  }

  addServer(name: string, group: string): void {
    const uniqueId = `i-${name}`;
    this.servers.set(uniqueId, name);
    const present = this.groups.get(group) ?? newGroup(group);
    this.groups.set(group, {
      ...present,
      serverNames: [...present.serverNames, name],
      serverUniqueIds: [...present.serverUniqueIds, uniqueId],
    });
  }

  isBusy(name: string): boolean {
    return (this.#busyUntilMs.get(name) ?? -Infinity) > this.#clock.monotonicMs();
  }

  readonly loadBalancers: ElasticCalls = {
    list: () => {
      this.lists += 1;
      const all = [...this.balancers.values()].filter((one) => this.#isThere(one));
      return Promise.resolve(
        structuredClone(all.map((one) => ({ ...one, state: this.isBusy(one.name) ? 'processing' : 'available' }))),
      );
    },
    create: ({ name, zone, listener, interfaces, ...rest }) =>
      this.#write(`create ${name}`, () => {
        if (this.balancers.has(name)) refused('Client.InvalidParameterDuplicate.ElasticLoadBalancer');
        const n = ++this.#made;
        const accountingType = rest.accountingType ?? '1';
        this.balancers.set(name, {
          id: `elb-${String(n).padStart(8, '0')}`,
          name,
          zone,
          vip: `198.51.100.${n}`,
          networkVolumeMbps: rest.networkVolumeMbps ?? 10,
          accountingType,
          nextMonthAccountingType: accountingType,
          interfaces: interfaces.map((one, index) => ({
            networkId: one.networkId ?? '',
            networkName: '',
            address: one.address ?? (index === 0 ? `198.51.100.${n}` : `10.9.${n}.1`),
            systemAddresses: one.systemAddresses ?? [`10.9.${n}.2`, `10.9.${n}.3`],
            isVip: one.isVip,
          })),
          listeners: [newListener(listener)],
          routeTableId: '',
          routeTableAssociationId: '',
          version: 'v2.0',
          isLatestVersion: true,
          createdAt: '',
        });
        this.#begin(name);
      }),
    registerPort: (reference, listener) =>
      this.#write(`registerPort ${listener.loadBalancerPort}`, () => {
        const balancer = this.#idle(reference);
        const isTaken = balancer.listeners.some((one) => one.loadBalancerPort === listener.loadBalancerPort);
        if (isTaken) refused('Client.Inoperable.ElasticLoadBalancerPort.AlreadyExists');
        if (balancer.listeners.length >= 3) refused('Client.Inoperable.ElasticLoadBalancer.PortLimit');
        balancer.listeners.push(newListener(listener));
        this.#begin(balancer.name);
      }),
    modifyListener: (key, { stickiness, sorryPage, ...change }) =>
      this.#write(`modifyListener ${key.loadBalancerPort}`, () => {
        const listener = this.#listener(key);
        const options = {
          ...(stickiness === undefined ? {} : { stickiness: stickiness === 'off' ? undefined : stickiness }),
          ...(sorryPage === undefined ? {} : { sorryPage: sorryPage === 'off' ? undefined : sorryPage }),
        };
        Object.assign(listener, change, options);
        this.#begin(this.#balancer(key).name);
      }),
    configureHealthCheck: (key, check) =>
      this.#write(`configureHealthCheck ${key.loadBalancerPort}`, () => {
        this.#listener(key).healthCheck = { path: '', httpCodes: [], ...check };
        this.#begin(this.#balancer(key).name);
      }),
    registerTargets: (key, ids) =>
      this.#write(
        `registerTargets ${key.loadBalancerPort}`,
        () => {
          const listener = this.#listener(key);
          const added = ids.map((serverUniqueId) => {
            const serverName = this.servers.get(serverUniqueId);
            if (serverName === undefined) refused('Client.InvalidParameterNotFound.Instance');
            const isThere = listener.targets.some((one) => one.serverUniqueId === serverUniqueId);
            if (isThere) refused('Client.Inoperable.ElasticLoadBalancer.HavingRegisteredInstance');
            return { serverName, serverUniqueId };
          });
          listener.targets = [...listener.targets, ...added];
          this.#begin(this.#balancer(key).name);
        },
        ids,
      ),
    deregisterTargets: (key, ids) =>
      this.#write(
        `deregisterTargets ${key.loadBalancerPort}`,
        () => {
          const listener = this.#listener(key);
          listener.targets = listener.targets.filter((one) => !ids.includes(one.serverUniqueId));
          this.#begin(this.#balancer(key).name);
        },
        ids,
      ),
    update: (reference, change) =>
      this.#write('update', () => {
        const balancer = this.#idle(reference);
        balancer.networkVolumeMbps = change.networkVolumeMbps ?? balancer.networkVolumeMbps;
        balancer.nextMonthAccountingType = change.accountingType ?? balancer.nextMonthAccountingType;
        this.#begin(balancer.name);
      }),
    deleteListener: (key) =>
      this.#write(`deleteListener ${key.loadBalancerPort}`, () => {
        const listener = this.#listener(key);
        const balancer = this.#balancer(key);
        balancer.listeners = balancer.listeners.filter((one) => one !== listener);
        this.#begin(balancer.name);
      }),
  };

  readonly firewallGroups: FirewallCalls = {
    list: () => {
      this.groupLists += 1;
      const status = (name: string): string => (this.isBusy(`group ${name}`) ? 'processing' : 'applied');
      return Promise.resolve(
        structuredClone([...this.groups.values()].map((one) => ({ ...one, status: status(one.name) }))),
      );
    },
    authorize: (name, rules) =>
      this.#write(`authorize ${name}`, () => {
        const group = this.#group(name);
        const isThere = rules.some((rule) => group.rules.some((one) => isSameRule(one, rule)));
        if (isThere) refused('Client.InvalidParameterDuplicate.SecurityGroup');
        group.rules = [...group.rules, ...rules];
        this.#begin(`group ${name}`);
      }),
    revoke: (name, rules) =>
      this.#write(`revoke ${name}`, () => {
        const group = this.#group(name);
        const isMissing = rules.some((rule) => !group.rules.some((one) => isSameRule(one, rule)));
        if (isMissing) refused('Client.InvalidParameterNotFound.SecurityGroupIngress');
        group.rules = group.rules.filter((one) => !rules.some((rule) => isSameRule(one, rule)));
        this.#begin(`group ${name}`);
      }),
  };

  rules(group: string): readonly FirewallRule[] {
    return this.groups.get(group)?.rules ?? [];
  }

  /** Without listeners it goes, once that change is through. */
  #isThere(one: LoadBalancer): boolean {
    if (one.listeners.length > 0 || this.isBusy(one.name)) return true;
    this.balancers.delete(one.name);
    return false;
  }

  #begin(name: string): void {
    this.#busyUntilMs.set(name, this.#clock.monotonicMs() + this.transitionMs);
  }

  #balancer({ id, name }: ElasticReference): LoadBalancer {
    const found = [...this.balancers.values()].find((one) => (id === undefined ? one.name === name : one.id === id));
    return found ?? refused('Client.InvalidParameterNotFound.ElasticLoadBalancer');
  }

  #idle(reference: ElasticReference): LoadBalancer {
    const balancer = this.#balancer(reference);
    if (this.isBusy(balancer.name)) refused('Server.ResourceIncorrectState.ElasticLoadBalancer.Processing');
    return balancer;
  }

  #listener(key: ElasticListenerKey): Listener {
    const found = this.#idle(key).listeners.find(
      (one) =>
        one.protocol === key.protocol &&
        one.loadBalancerPort === key.loadBalancerPort &&
        one.instancePort === key.instancePort,
    );
    return found ?? refused('Client.InvalidParameterNotFound.ElasticLoadBalancerPort');
  }

  #group(name: string): Mutable<Omit<FirewallGroup, 'status'>> {
    if (this.isBusy(`group ${name}`)) refused('Server.ResourceIncorrectState.SecurityGroup.Processing');
    return this.groups.get(name) ?? refused('Client.InvalidParameterNotFound.SecurityGroup');
  }

  async #write(action: string, effect: () => void, ids: readonly string[] = []): Promise<void> {
    await Promise.resolve();
    this.interrupt('before', action);
    try {
      const code = this.refuse(action, ids);
      if (code !== undefined) refused(code);
      effect();
      this.writes.push(action);
      this.onWrite();
      this.interrupt('after', action);
    } catch (error) {
      if (error instanceof NifcloudError && error.outcome === 'refused') this.refusals.push(`${action}: ${error.code}`);
      throw error;
    }
  }
}

function newGroup(name: string): Mutable<Omit<FirewallGroup, 'status'>> {
  return { name, description: '', zone: 'east-11', rules: [], ruleLimit: 100, serverNames: [], serverUniqueIds: [] };
}

function newListener(wanted: Parameters<ElasticCalls['create']>[0]['listener']): Listener {
  return {
    protocol: wanted.protocol,
    loadBalancerPort: wanted.loadBalancerPort,
    instancePort: wanted.instancePort,
    balancingType: wanted.balancingType ?? 1,
    description: wanted.description ?? '',
    certificateId: wanted.certificateId ?? '',
    healthCheck: wanted.healthCheck ?? {
      target: `TCP:${wanted.instancePort}`,
      intervalSeconds: 5,
      unhealthyThreshold: 1,
    },
    targets: [],
    stickiness: wanted.stickiness,
    sorryPage: wanted.sorryPage,
  };
}

function refused(code: string): never {
  throw new NifcloudError({ action: 'call', code, detail: '', outcome: 'refused', httpStatus: 500 });
}
