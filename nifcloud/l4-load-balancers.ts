import { isTrue, requiredNumber } from './answers.ts';
import {
  ACCOUNTING_TYPES,
  BALANCING_TYPES,
  checkInteger,
  checkName,
  checkOneOf,
  checkPort,
  checkSet,
} from './limits.ts';
import { numbered, type Parameters } from './parameters.ts';
import { SharedRead } from './shared-read.ts';
import type { Clock } from './surroundings.ts';
import {
  parseTargetHealth,
  parseTargets,
  TARGET_STATES,
  targetMembers,
  type Target,
  type TargetHealth,
} from './targets.ts';
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
  /** Such as `east-11`; targets may be in any zone of the region. */
  readonly zones: readonly string[];
  /** RFC 3339, as the cloud writes it. */
  readonly createdAt: string;
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
  readonly targets: readonly Target[];
  readonly filter: L4Filter;
  /** `undefined` = off. */
  readonly stickiness: L4Stickiness | undefined;
  /** `undefined` = off. */
  readonly sorryPage: L4SorryPage | undefined;
  /** `''` = the listener does not end TLS. */
  readonly certificateId: string;
  /** Which TLS versions and ciphers it takes; `''` = the cloud names none. */
  readonly sslPolicyId: string;
}

/** A client's connections go to the same server for a while. */
export interface L4Stickiness {
  /** Sources differ: 3, 5, 10, 15 or 30, or anything from 3 to 60; the cloud decides (docs/reference/nifcloud-api.md §4.3). */
  readonly periodMinutes: number;
}

/** What the load balancer itself answers when no server can; on port 80 only (§4.3). */
export interface L4SorryPage {
  /** 200 or 503. */
  readonly statusCode: number;
}

export interface L4HealthCheck {
  /** `TCP:<port>` or `ICMP`. */
  readonly target: string;
  /** 5–300. */
  readonly intervalSeconds: number;
  /** 1–10. */
  readonly unhealthyThreshold: number;
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
  /** `standard` (the cloud's default) or `ats`, which is for IPv4 only; can't be changed later. */
  readonly policyType?: string | undefined;
  /** Of its address; can't be changed later. */
  readonly ipVersion?: 'v4' | 'v6' | undefined;
}

/** What `*.*.*.*` stands for in an answer: the filter has no entries (docs/reference/nifcloud-api.md §4.3). */
const NO_ENTRIES = '*.*.*.*';

const FILTER_TYPES = { allow: '1', deny: '2' } as const;

/** Of a load balancer's name, in letters and digits (§4.1). */
const LONGEST_NAME = 15;

/** Of the page that stands in for servers (§4.3). */
const SORRY_STATUS_CODES: readonly number[] = [200, 503];

/**
 * The L4 load balancers of the region. All calls take effect before they answer; there is no state to wait for.
 * Source: docs/reference/nifcloud-api.md §4.
 */
export class L4LoadBalancers {
  readonly #api: Api;
  readonly #list: SharedRead<readonly L4LoadBalancer[]>;

  constructor(api: Api, clock: Clock) {
    this.#api = api;
    const read = (signal: AbortSignal): Promise<readonly L4LoadBalancer[]> =>
      api.read('DescribeLoadBalancers', {}, parseLoadBalancers, signal, TARGET_STATES);
    this.#list = new SharedRead(read, clock);
  }

  /** All load balancers, in one call that is shared with whoever asks at the same moment. */
  list(signal: AbortSignal): Promise<readonly L4LoadBalancer[]> {
    return this.#list.get(signal);
  }

  /**
   * `vip` is `''` when the answer does not name it.
   *
   * @throws RangeError for what the cloud would refuse for sure (§4.1)
   * @throws NifcloudError; `isDuplicate` = the name is taken
   */
  async create(wanted: NewL4LoadBalancer, signal: AbortSignal): Promise<{ readonly vip: string }> {
    checkName('the name of a load balancer', wanted.name, LONGEST_NAME);
    checkOneOf('the accounting type of a load balancer', wanted.accountingType, ACCOUNTING_TYPES);
    checkOneOf('the policy of a load balancer', wanted.policyType, ['standard', 'ats']);
    const parameters = {
      LoadBalancerName: wanted.name,
      ...listenerParameters(wanted.listener),
      AccountingType: wanted.accountingType,
      NetworkVolume: wanted.networkVolumeMbps,
      PolicyType: wanted.policyType,
      IpVersion: wanted.ipVersion,
    };
    return this.#api.mutate('CreateLoadBalancer', parameters, parseCreated, signal);
  }

  /** Adds a listener. @throws NifcloudError; `isDuplicate` = the load balancer listens on that port already */
  async registerPort(
    wanted: { readonly name: string; readonly listener: NewListener },
    signal: AbortSignal,
  ): Promise<void> {
    const parameters = { LoadBalancerName: wanted.name, ...listenerParameters(wanted.listener) };
    await this.#mutate('RegisterPortWithLoadBalancer', parameters, signal);
  }

  /** Has a listener's targets checked in this way. @throws RangeError for what the cloud would refuse for sure. @throws NifcloudError */
  async configureHealthCheck(key: ListenerKey, check: L4HealthCheck, signal: AbortSignal): Promise<void> {
    if (!/^(TCP:\d+|ICMP)$/.test(check.target)) {
      throw new RangeError(`an L4 load balancer checks TCP:<port> or ICMP, not ${JSON.stringify(check.target)}`);
    }
    checkInteger('the interval of a health check, in seconds,', check.intervalSeconds, 5, 300);
    checkInteger('the unhealthy threshold of a health check', check.unhealthyThreshold, 1, 10);
    const parameters = {
      ...keyParameters(key),
      'HealthCheck.Target': check.target,
      'HealthCheck.Interval': check.intervalSeconds,
      'HealthCheck.UnhealthyThreshold': check.unhealthyThreshold,
    };
    await this.#mutate('ConfigureHealthCheck', parameters, signal);
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

  /**
   * What the load balancer thinks of a listener's targets, or of those named.
   *
   * @throws NifcloudError; `isNotFound(error, 'Instance')` = a named server is unknown or not registered
   */
  async targetHealth(
    key: ListenerKey,
    signal: AbortSignal,
    serverNames: readonly string[] = [],
  ): Promise<readonly TargetHealth[]> {
    return this.#api.read('DescribeInstanceHealth', targetParameters(key, serverNames), parseHealth, signal);
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

  /**
   * Changes a listener in place. What becomes of its filter and check is not documented: read it again afterwards.
   *
   * @throws RangeError for what is no port or no balancing type. @throws NifcloudError
   */
  async updateListener(
    key: ListenerKey,
    change: {
      readonly loadBalancerPort?: number | undefined;
      readonly instancePort?: number | undefined;
      readonly balancingType?: number | undefined;
    },
    signal: AbortSignal,
  ): Promise<void> {
    checkPorts(change);
    checkOneOf('the balancing type of a listener', change.balancingType, BALANCING_TYPES);
    const parameters = {
      LoadBalancerName: key.name,
      'ListenerUpdate.LoadBalancerPort': key.loadBalancerPort,
      'ListenerUpdate.InstancePort': key.instancePort,
      // Both ports are always sent: elsewhere the cloud makes up the one that is missing from the other (§4.2).
      'ListenerUpdate.Listener.LoadBalancerPort': change.loadBalancerPort ?? key.loadBalancerPort,
      'ListenerUpdate.Listener.InstancePort': change.instancePort ?? key.instancePort,
      'ListenerUpdate.Listener.BalancingType': change.balancingType,
    };
    await this.#mutate('UpdateLoadBalancer', parameters, signal);
  }

  /**
   * Switches what a listener can do besides; what is left out stays as it is.
   *
   * @throws RangeError for a status code that is neither 200 nor 503. @throws NifcloudError
   */
  async setOptions(
    key: ListenerKey,
    change: {
      readonly stickiness?: L4Stickiness | 'off' | undefined;
      readonly sorryPage?: L4SorryPage | 'off' | undefined;
    },
    signal: AbortSignal,
  ): Promise<void> {
    const parameters = {
      ...keyParameters(key),
      ...stickinessParameters(change.stickiness),
      ...sorryPageParameters(change.sorryPage),
    };
    await this.#mutate('UpdateLoadBalancerOption', parameters, signal);
  }

  /** Forgets which client is tied to which server. */
  clearSessions(key: ListenerKey, signal: AbortSignal): Promise<void> {
    return this.#mutate('ClearLoadBalancerSession', keyParameters(key), signal);
  }

  /** Has the listener end TLS with this certificate. @throws TypeError when the id is empty. @throws NifcloudError */
  async setCertificate(key: ListenerKey, certificateId: string, signal: AbortSignal): Promise<void> {
    checkSet('the id of a certificate', certificateId);
    const parameters = { ...keyParameters(key), SSLCertificateId: certificateId };
    await this.#mutate('SetLoadBalancerListenerSSLCertificate', parameters, signal);
  }

  /** Has the listener end TLS no more. */
  unsetCertificate(key: ListenerKey, signal: AbortSignal): Promise<void> {
    return this.#mutate('UnsetLoadBalancerListenerSSLCertificate', keyParameters(key), signal);
  }

  /** Has the listener take only the TLS versions and ciphers of a policy. @throws TypeError when the id is empty. @throws NifcloudError */
  async setSslPolicy(key: ListenerKey, sslPolicyId: string, signal: AbortSignal): Promise<void> {
    checkSet('the id of a TLS policy', sslPolicyId);
    const parameters = { ...keyParameters(key), SSLPolicyId: sslPolicyId };
    await this.#mutate('NiftySetLoadBalancerSSLPoliciesOfListener', parameters, signal);
  }

  /** Has the listener take what the cloud takes by default. */
  unsetSslPolicy(key: ListenerKey, signal: AbortSignal): Promise<void> {
    return this.#mutate('NiftyUnsetLoadBalancerSSLPoliciesOfListener', keyParameters(key), signal);
  }

  /**
   * Changes what all listeners share. A new accounting type holds from next month on (`nextMonthAccountingType`).
   *
   * @throws RangeError for what the cloud would refuse for sure (§4.1). @throws NifcloudError
   */
  async update(
    name: string,
    change: {
      readonly newName?: string | undefined;
      readonly networkVolumeMbps?: number | undefined;
      readonly accountingType?: string | undefined;
    },
    signal: AbortSignal,
  ): Promise<void> {
    checkName('the name of a load balancer', change.newName, LONGEST_NAME);
    checkOneOf('the accounting type of a load balancer', change.accountingType, ACCOUNTING_TYPES);
    const parameters = {
      LoadBalancerName: name,
      LoadBalancerNameUpdate: change.newName,
      NetworkVolumeUpdate: change.networkVolumeMbps,
      AccountingTypeUpdate: change.accountingType,
    };
    await this.#mutate('UpdateLoadBalancer', parameters, signal);
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

function checkPorts(ports: {
  readonly loadBalancerPort?: number | undefined;
  readonly instancePort?: number | undefined;
}): void {
  checkPort('the port of a load balancer', ports.loadBalancerPort);
  checkPort('the port of its servers', ports.instancePort);
}

/** @throws RangeError for what is no port or no balancing type */
function listenerParameters(listener: NewListener): Parameters {
  checkPorts(listener);
  checkOneOf('the balancing type of a listener', listener.balancingType, BALANCING_TYPES);
  return numbered('Listeners.member', [
    {
      LoadBalancerPort: listener.loadBalancerPort,
      InstancePort: listener.instancePort,
      BalancingType: listener.balancingType,
    },
  ]);
}

function targetParameters(key: ListenerKey, serverNames: readonly string[]): Parameters {
  return { ...keyParameters(key), ...targetMembers('InstanceId', serverNames) };
}

/** The request says `Enable`, the answer `Enabled` (§4.3). */
function stickinessParameters(stickiness: L4Stickiness | 'off' | undefined): Parameters {
  const on = stickiness === 'off' ? undefined : stickiness;
  return {
    'SessionStickinessPolicyUpdate.Enable': stickiness && on !== undefined,
    'SessionStickinessPolicyUpdate.ExpirationPeriod': on?.periodMinutes,
  };
}

function sorryPageParameters(sorryPage: L4SorryPage | 'off' | undefined): Parameters {
  const on = sorryPage === 'off' ? undefined : sorryPage;
  checkOneOf('the status code of a sorry page', on?.statusCode, SORRY_STATUS_CODES);
  return { 'SorryPageUpdate.Enable': sorryPage && on !== undefined, 'SorryPageUpdate.StatusCode': on?.statusCode };
}

function parseCreated(answer: XmlElement): { readonly vip: string } {
  return { vip: answer.child('CreateLoadBalancerResult').text('DNSName') };
}

function parseHealth(answer: XmlElement): readonly TargetHealth[] {
  return parseTargetHealth(answer.child('DescribeInstanceHealthResult'));
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
      zones: entry.child('AvailabilityZones').texts('member'),
      createdAt: entry.text('CreatedTime'),
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
  const stickiness = entry.child('Option').child('SessionStickinessPolicy');
  const sorryPage = entry.child('Option').child('SorryPage');
  return {
    loadBalancerPort: requiredNumber(listener, 'LoadBalancerPort'),
    instancePort: requiredNumber(listener, 'InstancePort'),
    balancingType: listener.number('BalancingType') ?? 0,
    healthCheck:
      check.text('Target') === ''
        ? undefined
        : {
            target: check.text('Target'),
            intervalSeconds: check.number('Interval') ?? 0,
            unhealthyThreshold: check.number('UnhealthyThreshold') ?? 0,
          },
    targets: parseTargets(entry),
    filter: parseFilter(entry.child('Filter')),
    stickiness: isTrue(stickiness, 'Enabled')
      ? { periodMinutes: stickiness.number('ExpirationPeriod') ?? 0 }
      : undefined,
    sorryPage: isTrue(sorryPage, 'Enabled') ? { statusCode: sorryPage.number('StatusCode') ?? 0 } : undefined,
    certificateId: listener.text('SSLCertificateId'),
    sslPolicyId: listener.child('SSLPolicy').text('SSLPolicyId'),
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
