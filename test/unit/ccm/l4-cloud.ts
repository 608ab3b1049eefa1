import { NifcloudError } from '../../../nifcloud/errors.ts';
import type { L4LoadBalancer, L4Listener } from '../../../nifcloud/l4-load-balancers.ts';
import type { L4Calls } from '../../../ccm/cloud/l4-apply.ts';

/** The part of a listener that calls change. */
export type Listener = { -readonly [K in keyof L4Listener]: L4Listener[K] };
type LoadBalancer = { -readonly [K in keyof Omit<L4LoadBalancer, 'listeners'>]: L4LoadBalancer[K] } & {
  listeners: Listener[];
};

/** Where a test may break in: around the effect of a write. It throws to do so. */
export type Interrupt = (moment: 'before' | 'after', action: string) => void;

export interface L4CloudOptions {
  /** Whether UpdateLoadBalancer on a port keeps the port's filter: undocumented, so tests try both. */
  readonly updateKeepsFilter?: boolean;
}

/**
 * L4 load balancers as docs/reference/nifcloud-api.md §4 describes them, with its error codes: a call that fails changes nothing,
 * and one bad server or address fails the whole call.
 */
export class L4Cloud implements L4Calls {
  readonly balancers = new Map<string, LoadBalancer>();
  /** Unique ids by name: the servers that can be registered. */
  readonly servers = new Map<string, string>();
  /** Writes that took effect, in order. */
  readonly writes: string[] = [];
  /** Codes of refused writes. */
  readonly refusals: string[] = [];
  lists = 0;
  interrupt: Interrupt = () => {};
  /** Refuses a call where it returns a code. */
  refuse: (action: string, serverNames: readonly string[]) => string | undefined = () => undefined;
  /** Called after each write that took effect. */
  onWrite: () => void = () => {};
  readonly #options: L4CloudOptions;
  #vips = 0;

  constructor(options: L4CloudOptions = {}) {
    this.#options = options;
  }

  add(balancer: L4LoadBalancer): void {
    const listeners = balancer.listeners.map((one) => structuredClone(one));
    this.balancers.set(balancer.name, { ...balancer, listeners });
  }

  list(): Promise<readonly L4LoadBalancer[]> {
    this.lists += 1;
    return Promise.resolve(structuredClone([...this.balancers.values()]));
  }

  create: L4Calls['create'] = ({ name, listener, ...rest }) =>
    this.#write('CreateLoadBalancer', [], () => {
      if (this.balancers.has(name)) refused('CreateLoadBalancer', 'Client.InvalidParameterDuplicate.LoadBalancer');
      const vip = `203.0.113.${++this.#vips}`;
      const accountingType = rest.accountingType ?? '1';
      this.balancers.set(name, {
        name,
        vip,
        networkVolumeMbps: rest.networkVolumeMbps ?? 10,
        accountingType,
        nextMonthAccountingType: accountingType,
        policyType: rest.policyType ?? 'standard',
        zones: ['east-11'],
        createdAt: '',
        listeners: [newListener(listener)],
      });
      return { vip };
    });

  registerPort: L4Calls['registerPort'] = ({ name, listener }) =>
    this.#write('RegisterPortWithLoadBalancer', [], () => {
      const { listeners } = this.#balancer(name);
      if (listeners.some((one) => one.loadBalancerPort === listener.loadBalancerPort)) {
        refused('RegisterPortWithLoadBalancer', 'Client.Inoperable.LoadBalancerPort.AlreadyExists');
      }
      if (listeners.length >= 3) refused('RegisterPortWithLoadBalancer', 'Client.Inoperable.LoadBalancer.PortLimit');
      listeners.push(newListener(listener));
    });

  updateListener: L4Calls['updateListener'] = (key, change) =>
    this.#write('UpdateLoadBalancer', [], () => {
      const listener = this.#listener(key);
      listener.instancePort = change.instancePort ?? listener.instancePort;
      listener.balancingType = change.balancingType ?? listener.balancingType;
      if (!(this.#options.updateKeepsFilter ?? true)) listener.filter = { type: 'allow', addresses: [] };
    });

  update: L4Calls['update'] = (name, change) =>
    this.#write('UpdateLoadBalancer', [], () => {
      const balancer = this.#balancer(name);
      balancer.networkVolumeMbps = change.networkVolumeMbps ?? balancer.networkVolumeMbps;
      balancer.nextMonthAccountingType = change.accountingType ?? balancer.nextMonthAccountingType;
    });

  setFilter: L4Calls['setFilter'] = (key, { type, add, remove }) =>
    this.#write('SetFilterForLoadBalancer', [], () => {
      const listener = this.#listener(key);
      const addresses = new Set(listener.filter.addresses);
      for (const one of remove) {
        if (!addresses.delete(one)) {
          refused('SetFilterForLoadBalancer', 'Client.InvalidParameterNotFound.IpAddress');
        }
      }
      for (const one of add) {
        if (addresses.has(one)) refused('SetFilterForLoadBalancer', 'Client.InvalidParameterDuplicate.IpAddress');
        addresses.add(one);
      }
      if (addresses.size > 30) refused('SetFilterForLoadBalancer', 'Client.Inoperable.LoadBalancer.FilterLimit');
      listener.filter = { type, addresses: [...addresses] };
    });

  configureHealthCheck: L4Calls['configureHealthCheck'] = (key, check) =>
    this.#write('ConfigureHealthCheck', [], () => {
      this.#listener(key).healthCheck = { ...check };
    });

  registerTargets: L4Calls['registerTargets'] = (key, serverNames) =>
    this.#write('RegisterInstancesWithLoadBalancer', serverNames, () => {
      const listener = this.#listener(key);
      const added = serverNames.map((serverName) => {
        const serverUniqueId = this.servers.get(serverName);
        if (serverUniqueId === undefined) {
          refused('RegisterInstancesWithLoadBalancer', 'Client.InvalidParameterNotFound.Instance');
        }
        if (listener.targets.some((one) => one.serverUniqueId === serverUniqueId)) {
          const code = 'Client.Inoperable.LoadBalancer.HavingRegisteredInstance';
          refused('RegisterInstancesWithLoadBalancer', code);
        }
        return { serverName, serverUniqueId };
      });
      listener.targets = [...listener.targets, ...added];
    });

  setOptions: L4Calls['setOptions'] = (key, { stickiness, sorryPage }) =>
    this.#write('UpdateLoadBalancerOption', [], () => {
      const listener = this.#listener(key);
      if (stickiness !== undefined) listener.stickiness = stickiness === 'off' ? undefined : stickiness;
      if (sorryPage !== undefined) listener.sorryPage = sorryPage === 'off' ? undefined : sorryPage;
    });

  setCertificate: L4Calls['setCertificate'] = (key, certificateId) =>
    this.#write('SetLoadBalancerListenerSSLCertificate', [], () => {
      this.#listener(key).certificateId = certificateId;
    });

  deregisterTargets: L4Calls['deregisterTargets'] = (key, serverNames) =>
    this.#write('DeregisterInstancesFromLoadBalancer', serverNames, () => {
      const listener = this.#listener(key);
      for (const name of serverNames) {
        if (!listener.targets.some((one) => one.serverName === name)) {
          refused('DeregisterInstancesFromLoadBalancer', 'Client.InvalidParameterNotFound.Instance');
        }
      }
      listener.targets = listener.targets.filter((one) => !serverNames.includes(one.serverName));
    });

  deleteListener: L4Calls['deleteListener'] = (key) =>
    this.#write('DeleteLoadBalancer', [], () => {
      const listener = this.#listener(key);
      const balancer = this.#balancer(key.name);
      balancer.listeners = balancer.listeners.filter((one) => one !== listener);
      if (balancer.listeners.length === 0) this.balancers.delete(key.name);
    });

  #balancer(name: string): LoadBalancer {
    return this.balancers.get(name) ?? refused('', 'Client.InvalidParameterNotFound.LoadBalancer');
  }

  #listener(key: { name: string; loadBalancerPort: number; instancePort: number }): Listener {
    const found = this.#balancer(key.name).listeners.find(
      (one) => one.loadBalancerPort === key.loadBalancerPort && one.instancePort === key.instancePort,
    );
    return found ?? refused('', 'Client.InvalidParameterNotFound.LoadBalancerPort');
  }

  async #write<T>(action: string, serverNames: readonly string[], effect: () => T): Promise<T> {
    this.interrupt('before', action);
    try {
      const code = this.refuse(action, serverNames);
      if (code !== undefined) refused(action, code);
      const result = effect();
      this.writes.push(action);
      this.onWrite();
      this.interrupt('after', action);
      return result;
    } catch (error) {
      if (error instanceof NifcloudError && error.outcome === 'refused') this.refusals.push(error.code);
      throw error;
    }
  }
}

function newListener(wanted: {
  loadBalancerPort: number;
  instancePort: number;
  balancingType?: number | undefined;
}): Listener {
  return {
    loadBalancerPort: wanted.loadBalancerPort,
    instancePort: wanted.instancePort,
    balancingType: wanted.balancingType ?? 1,
    healthCheck: { target: 'ICMP', intervalSeconds: 5, unhealthyThreshold: 1 },
    targets: [],
    filter: { type: 'allow', addresses: [] },
    stickiness: undefined,
    sorryPage: undefined,
    certificateId: '',
    sslPolicyId: '',
  };
}

function refused(action: string, code: string): never {
  throw new NifcloudError({ action, code, detail: '', outcome: 'refused', httpStatus: 500 });
}

/** What a client sees of a call whose answer got lost. */
export function lostAnswer(action: string): NifcloudError {
  return new NifcloudError({ action, code: 'ECONNRESET', detail: 'socket hang up', outcome: 'unknown' });
}
