import { numbered, type Parameters } from './parameters.ts';
import { SharedRead } from './shared-read.ts';
import type { Clock } from './surroundings.ts';
import type { Api } from './transport.ts';
import { UnreadableAnswer, type XmlElement } from './xml.ts';

/** An L4 load balancer. Texts that the cloud leaves empty are `''`, numbers 0. */
export interface L4LoadBalancer {
  /** 1–15 letters and digits. */
  readonly name: string;
  /** Its global address. */
  readonly vip: string;
  readonly networkVolumeMbps: number;
  /** `1` monthly, `2` hourly. */
  readonly accountingType: string;
  readonly nextMonthAccountingType: string;
  /** `standard` or `ats`. */
  readonly policyType: string;
  /** One for each port, at most 3. */
  readonly listeners: readonly L4Listener[];
}

/** A port of a load balancer. */
export interface L4Listener {
  readonly loadBalancerPort: number;
  readonly instancePort: number;
  /** 1 round robin, 2 least connections. */
  readonly balancingType: number;
  /** `undefined` = the cloud names no target to check. */
  readonly healthCheck: L4HealthCheck | undefined;
  readonly targets: readonly L4Target[];
  readonly filter: L4Filter;
}

export interface L4HealthCheck {
  /** `TCP:<port>` or `ICMP`. */
  readonly target: string;
  /** 5–300. */
  readonly intervalSeconds: number;
  /** 1–10. */
  readonly unhealthyThreshold: number;
}

interface L4Target {
  readonly serverName: string;
  readonly serverUniqueId: string;
}

/** Who may connect. No addresses: `allow` everyone, `deny` nobody. */
export interface L4Filter {
  readonly type: 'allow' | 'deny';
  /** Addresses and CIDRs, at most 30; the cloud's `*.*.*.*` for "no entries" never appears. */
  readonly addresses: readonly string[];
}

/** What names a listener. */
export interface ListenerKey {
  readonly name: string;
  readonly loadBalancerPort: number;
  readonly instancePort: number;
}

/** A listener to be made: without targets, checks or filter, which are set by calls of their own. */
export interface NewListener {
  readonly loadBalancerPort: number;
  readonly instancePort: number;
  /** 1 round robin (the cloud's default), 2 least connections. */
  readonly balancingType?: number | undefined;
}

/** A load balancer to be made, with its first listener; what is left out takes the cloud's default. */
export interface NewL4LoadBalancer {
  readonly name: string;
  readonly listener: NewListener;
  readonly accountingType?: string | undefined;
  readonly networkVolumeMbps?: number | undefined;
  readonly policyType?: string | undefined;
}

/** What `*.*.*.*` stands for in an answer: the filter has no entries (docs/reference/nifcloud-api.md §4.3). */
const NO_ENTRIES = '*.*.*.*';

const FILTER_TYPES = { allow: '1', deny: '2' } as const;

/**
 * The L4 load balancers of the region. All calls take effect before they answer; there is no state to wait for.
 * Source: docs/reference/nifcloud-api.md §4.
 */
export class L4LoadBalancers {
  readonly #api: Api;
  readonly #list: SharedRead<readonly L4LoadBalancer[]>;

  constructor(api: Api, clock: Clock) {
    this.#api = api;
    this.#list = new SharedRead((signal) => api.read('DescribeLoadBalancers', {}, parseLoadBalancers, signal), clock);
  }

  /** All load balancers, in one call that is shared with whoever asks at the same moment. */
  list(signal: AbortSignal): Promise<readonly L4LoadBalancer[]> {
    return this.#list.get(signal);
  }

  /** `vip` is `''` when the answer does not name it. @throws NifcloudError; `isDuplicate` = the name is taken */
  create(wanted: NewL4LoadBalancer, signal: AbortSignal): Promise<{ readonly vip: string }> {
    const parameters = {
      LoadBalancerName: wanted.name,
      ...listenerParameters(wanted.listener),
      AccountingType: wanted.accountingType,
      NetworkVolume: wanted.networkVolumeMbps,
      PolicyType: wanted.policyType,
    };
    return this.#api.mutate('CreateLoadBalancer', parameters, parseCreated, signal);
  }

  /** Adds a listener. @throws NifcloudError; `isDuplicate` = the load balancer listens on that port already */
  registerPort(wanted: { readonly name: string; readonly listener: NewListener }, signal: AbortSignal): Promise<void> {
    const parameters = { LoadBalancerName: wanted.name, ...listenerParameters(wanted.listener) };
    return this.#mutate('RegisterPortWithLoadBalancer', parameters, signal);
  }

  configureHealthCheck(key: ListenerKey, check: L4HealthCheck, signal: AbortSignal): Promise<void> {
    const parameters = {
      ...keyParameters(key),
      'HealthCheck.Target': check.target,
      'HealthCheck.Interval': check.intervalSeconds,
      'HealthCheck.UnhealthyThreshold': check.unhealthyThreshold,
    };
    return this.#mutate('ConfigureHealthCheck', parameters, signal);
  }

  /** Adds servers to a listener; none: no call. One that is unknown or registered already fails the call for all. */
  async registerTargets(key: ListenerKey, serverNames: readonly string[], signal: AbortSignal): Promise<void> {
    if (serverNames.length === 0) return;
    await this.#mutate('RegisterInstancesWithLoadBalancer', targetParameters(key, serverNames), signal);
  }

  /** Takes servers off a listener; none: no call. One that is not registered fails the call for all. */
  async deregisterTargets(key: ListenerKey, serverNames: readonly string[], signal: AbortSignal): Promise<void> {
    if (serverNames.length === 0) return;
    await this.#mutate('DeregisterInstancesFromLoadBalancer', targetParameters(key, serverNames), signal);
  }

  /** Changes a filter by single entries. An allow filter that loses its last entry lets everyone in (§11, 19). */
  setFilter(
    key: ListenerKey,
    change: { readonly type: L4Filter['type']; readonly add: readonly string[]; readonly remove: readonly string[] },
    signal: AbortSignal,
  ): Promise<void> {
    const entries = [
      ...change.add.map((address) => ({ IPAddress: address, AddOnFilter: true })),
      ...change.remove.map((address) => ({ IPAddress: address, AddOnFilter: false })),
    ];
    // The type is always sent: left out, the cloud would make an allow filter of it.
    const filter = { FilterType: FILTER_TYPES[change.type], ...numbered('IPAddresses.member', entries) };
    return this.#mutate('SetFilterForLoadBalancer', { ...keyParameters(key), ...filter }, signal);
  }

  /** Changes a listener in place. What becomes of its filter and check is not documented: read it again afterwards. */
  updateListener(
    key: ListenerKey,
    change: { readonly instancePort?: number | undefined; readonly balancingType?: number | undefined },
    signal: AbortSignal,
  ): Promise<void> {
    const parameters = {
      LoadBalancerName: key.name,
      'ListenerUpdate.LoadBalancerPort': key.loadBalancerPort,
      'ListenerUpdate.InstancePort': key.instancePort,
      // Both ports are always sent: elsewhere the cloud makes up the one that is missing from the other (§4.2).
      'ListenerUpdate.Listener.LoadBalancerPort': key.loadBalancerPort,
      'ListenerUpdate.Listener.InstancePort': change.instancePort ?? key.instancePort,
      'ListenerUpdate.Listener.BalancingType': change.balancingType,
    };
    return this.#mutate('UpdateLoadBalancer', parameters, signal);
  }

  /** Changes what all listeners share. A new accounting type holds from next month on (`nextMonthAccountingType`). */
  update(
    name: string,
    change: { readonly networkVolumeMbps?: number | undefined; readonly accountingType?: string | undefined },
    signal: AbortSignal,
  ): Promise<void> {
    const parameters = {
      LoadBalancerName: name,
      NetworkVolumeUpdate: change.networkVolumeMbps,
      AccountingTypeUpdate: change.accountingType,
    };
    return this.#mutate('UpdateLoadBalancer', parameters, signal);
  }

  /** Deletes a listener; with the last one the load balancer and its address go. */
  deleteListener(key: ListenerKey, signal: AbortSignal): Promise<void> {
    return this.#mutate('DeleteLoadBalancer', keyParameters(key), signal);
  }

  #mutate(action: string, parameters: Parameters, signal: AbortSignal): Promise<void> {
    return this.#api.mutate(action, parameters, () => {}, signal);
  }
}

function keyParameters(key: ListenerKey): Parameters {
  return { LoadBalancerName: key.name, LoadBalancerPort: key.loadBalancerPort, InstancePort: key.instancePort };
}

function listenerParameters(listener: NewListener): Parameters {
  return numbered('Listeners.member', [
    {
      LoadBalancerPort: listener.loadBalancerPort,
      InstancePort: listener.instancePort,
      BalancingType: listener.balancingType,
    },
  ]);
}

function targetParameters(key: ListenerKey, serverNames: readonly string[]): Parameters {
  const members = serverNames.map((serverName) => ({ InstanceId: serverName }));
  return { ...keyParameters(key), ...numbered('Instances.member', members) };
}

function parseCreated(answer: XmlElement): { readonly vip: string } {
  return { vip: answer.child('CreateLoadBalancerResult').text('DNSName') };
}

/**
 * One entry of the answer is one port; entries of the same name make up one load balancer. An entry without name, listener or ports
 * makes the answer unreadable: leaving it out would say that some listener does not exist, and a deletion would end with it still there.
 */
function parseLoadBalancers(answer: XmlElement): readonly L4LoadBalancer[] {
  const byName = new Map<string, Omit<L4LoadBalancer, 'listeners'> & { readonly listeners: L4Listener[] }>();
  for (const entry of answer.child('DescribeLoadBalancersResult').items('LoadBalancerDescriptions')) {
    const name = entry.requiredText('LoadBalancerName');
    const loadBalancer = byName.get(name) ?? {
      name,
      vip: entry.text('DNSName'),
      networkVolumeMbps: entry.number('NetworkVolume') ?? 0,
      accountingType: entry.text('AccountingType'),
      nextMonthAccountingType: entry.text('NextMonthAccountingType'),
      policyType: entry.text('PolicyType'),
      listeners: [],
    };
    byName.set(name, loadBalancer);
    const descriptions = entry.items('ListenerDescriptions');
    if (descriptions.length === 0) throw new UnreadableAnswer('a load balancer lacks its <Listener>');
    for (const description of descriptions) {
      loadBalancer.listeners.push(parseListener(description.child('Listener'), entry));
    }
  }
  return [...byName.values()];
}

function parseListener(listener: XmlElement, entry: XmlElement): L4Listener {
  const check = entry.child('HealthCheck');
  return {
    loadBalancerPort: requiredPort(listener, 'LoadBalancerPort'),
    instancePort: requiredPort(listener, 'InstancePort'),
    balancingType: listener.number('BalancingType') ?? 0,
    healthCheck:
      check.text('Target') === ''
        ? undefined
        : {
            target: check.text('Target'),
            intervalSeconds: check.number('Interval') ?? 0,
            unhealthyThreshold: check.number('UnhealthyThreshold') ?? 0,
          },
    targets: entry
      .items('Instances')
      .map((target) => ({ serverName: target.text('InstanceId'), serverUniqueId: target.text('InstanceUniqueId') })),
    filter: parseFilter(entry.child('Filter')),
  };
}

function parseFilter(filter: XmlElement): L4Filter {
  return {
    type: filter.text('FilterType') === FILTER_TYPES.deny ? 'deny' : 'allow',
    addresses: filter
      .items('IPAddresses')
      .flatMap((member) => member.texts('IPAddress')) // old answers put several into one member
      .filter((address) => address !== NO_ENTRIES),
  };
}

function requiredPort(listener: XmlElement, name: string): number {
  const port = listener.number(name);
  if (port === undefined) throw new UnreadableAnswer(`a listener lacks its <${name}>`);
  return port;
}
