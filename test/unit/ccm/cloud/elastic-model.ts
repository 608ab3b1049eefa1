import type { ElasticCalls } from '../../../../ccm/cloud/elastic-apply.ts';
import type { ElasticLoadBalancer } from '../../../../nifcloud/elastic-load-balancers.ts';
import type { NewElasticListener } from '../../../../nifcloud/elastic-requests.ts';
import { NifcloudError } from '../../../../nifcloud/errors.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
export type Listener = ElasticLoadBalancer['listeners'][number];
type Key = Parameters<ElasticCalls['deleteListener']>[0];

/**
 * One elastic load balancer whose changes take no time, with the rules of docs/reference/nifcloud-api.md §5: a call that fails changes
 * nothing, and one bad server fails the whole call.
 */
export class ElasticModel implements ElasticCalls {
  loadBalancer: ElasticLoadBalancer | undefined;
  /** Unique ids that can be registered. */
  readonly servers: ReadonlySet<string>;
  /** Whether a new port has a check already: no source says. */
  readonly #newCheck: Listener['healthCheck'];
  calls = 0;

  constructor(
    loadBalancer: ElasticLoadBalancer | undefined,
    servers: readonly string[],
    newCheck?: Listener['healthCheck'],
  ) {
    this.loadBalancer = loadBalancer;
    this.servers = new Set(servers);
    this.#newCheck = newCheck;
  }

  list(): Promise<readonly ElasticLoadBalancer[]> {
    return Promise.resolve(this.loadBalancer === undefined ? [] : [this.loadBalancer]);
  }

  create: ElasticCalls['create'] = async ({ name, zone, listener, interfaces, ...rest }) => {
    await this.#begin();
    if (this.loadBalancer !== undefined) refused('Client.InvalidParameterDuplicate.ElasticLoadBalancer');
    if (interfaces.filter((one) => one.isVip).length !== 1) refused('Client.InvalidParameterIllegal.NetworkInterface');
    const accountingType = rest.accountingType ?? '1';
    this.loadBalancer = {
      ...EMPTY,
      name,
      zone,
      accountingType,
      nextMonthAccountingType: accountingType,
      networkVolumeMbps: rest.networkVolumeMbps ?? 10,
      listeners: [
        checked({
          ...this.#made(listener),
          healthCheck: listener.healthCheck,
          stickiness: listener.stickiness,
          sorryPage: listener.sorryPage,
        }),
      ],
    };
  };

  registerPort: ElasticCalls['registerPort'] = async (_, listener) => {
    await this.#begin();
    const { listeners } = this.#present();
    if (listeners.length >= 3) refused('Client.Inoperable.ElasticLoadBalancerPort.LimitExceeded');
    requireFree(listeners, listener);
    this.#setListeners([...listeners, checked(this.#made(listener))]);
  };

  modifyListener: ElasticCalls['modifyListener'] = async (key, { stickiness, sorryPage, ...change }) => {
    await this.#begin();
    this.#change(key, (listener) => {
      Object.assign(listener, change);
      if (stickiness !== undefined) listener.stickiness = stickiness === 'off' ? undefined : stickiness;
      if (!listener.protocol.startsWith('HTTP')) listener.sorryPage = undefined;
      if (listener.protocol !== 'HTTPS' && change.certificateId === undefined) listener.certificateId = '';
      if (sorryPage !== undefined) listener.sorryPage = sorryPage === 'off' ? undefined : sorryPage;
    });
  };

  configureHealthCheck: ElasticCalls['configureHealthCheck'] = async (key, check) => {
    await this.#begin();
    this.#change(key, (listener) => {
      listener.healthCheck = { path: '', httpCodes: [], ...check };
    });
  };

  registerTargets: ElasticCalls['registerTargets'] = async (key, ids) => {
    await this.#begin();
    this.#change(key, (listener) => {
      if (ids.length === 0 || ids.some((id) => !this.servers.has(id))) {
        refused('Client.InvalidParameterNotFound.Instance');
      }
      if (ids.some((id) => listener.targets.some((one) => one.serverUniqueId === id))) {
        refused('Client.Inoperable.ElasticLoadBalancer.HavingRegisteredInstance');
      }
      listener.targets = [...listener.targets, ...ids.map((id) => ({ serverName: `name-${id}`, serverUniqueId: id }))];
    });
  };

  deregisterTargets: ElasticCalls['deregisterTargets'] = async (key, ids) => {
    await this.#begin();
    this.#change(key, (listener) => {
      if (ids.length === 0 || ids.some((id) => !listener.targets.some((one) => one.serverUniqueId === id))) {
        refused('Client.InvalidParameterNotFound.Instance');
      }
      listener.targets = listener.targets.filter((one) => !ids.includes(one.serverUniqueId));
    });
  };

  update: ElasticCalls['update'] = async (_, { networkVolumeMbps, accountingType }) => {
    await this.#begin();
    const present = this.#present();
    this.loadBalancer = {
      ...present,
      networkVolumeMbps: networkVolumeMbps ?? present.networkVolumeMbps,
      nextMonthAccountingType: accountingType ?? present.nextMonthAccountingType,
    };
  };

  deleteListener: ElasticCalls['deleteListener'] = async (key) => {
    await this.#begin();
    const gone = this.#listener(key);
    const rest = this.#present().listeners.filter((one) => one !== gone);
    if (rest.length === 0) this.loadBalancer = undefined;
    else this.#setListeners(rest);
  };

  async #begin(): Promise<void> {
    this.calls += 1;
    await Promise.resolve();
  }

  #present(): ElasticLoadBalancer {
    return this.loadBalancer ?? refused('Client.InvalidParameterNotFound.ElasticLoadBalancer');
  }

  #listener(key: Key): Listener {
    const found = this.#present().listeners.find(
      (one) =>
        one.protocol === key.protocol &&
        one.loadBalancerPort === key.loadBalancerPort &&
        one.instancePort === key.instancePort,
    );
    return found ?? refused('Client.InvalidParameterNotFound.Protocol.or.ElasticLoadBalancerPort');
  }

  #change(key: Key, change: (listener: Mutable<Listener>) => void): void {
    const before = this.#listener(key);
    const after = structuredClone(before);
    change(after);
    const others = this.#present().listeners.filter((one) => one !== before);
    requireFree(others, after);
    this.#setListeners(this.#present().listeners.map((one) => (one === before ? checked(after) : one)));
  }

  #setListeners(listeners: readonly Listener[]): void {
    this.loadBalancer = { ...this.#present(), listeners };
  }

  #made(wanted: NewElasticListener): Listener {
    return {
      protocol: wanted.protocol,
      loadBalancerPort: wanted.loadBalancerPort,
      instancePort: wanted.instancePort,
      balancingType: wanted.balancingType ?? 1,
      description: wanted.description ?? '',
      certificateId: wanted.certificateId ?? '',
      healthCheck: this.#newCheck,
      targets: [],
      stickiness: undefined,
      sorryPage: undefined,
    };
  }
}

/** Of a load balancer on the global network. */
export const EMPTY: ElasticLoadBalancer = {
  id: 'elb-0a1b2c3d',
  name: 'b1946ac92492d23',
  zone: 'east-11',
  vip: '203.0.113.9',
  state: 'available',
  networkVolumeMbps: 10,
  accountingType: '1',
  nextMonthAccountingType: '1',
  interfaces: [
    {
      networkId: 'net-COMMON_GLOBAL',
      networkName: '',
      address: '203.0.113.9',
      systemAddresses: ['203.0.113.10', '203.0.113.11'],
      isVip: true,
    },
  ],
  listeners: [],
  routeTableId: '',
  routeTableAssociationId: '',
  version: 'v2.0',
  isLatestVersion: true,
  createdAt: '',
};

function requireFree(others: readonly Listener[], { protocol, loadBalancerPort }: NewElasticListener): void {
  const isTaken = others.some(
    (one) => one.loadBalancerPort === loadBalancerPort && (one.protocol === 'UDP') === (protocol === 'UDP'),
  );
  if (isTaken) refused('Client.InvalidParameterDuplicate.Protocol.and.ElasticLoadBalancerPort');
}

/** What the cloud makes sure of for every listener. */
function checked(listener: Listener): Listener {
  const { protocol, certificateId, sorryPage, healthCheck } = listener;
  if ((protocol === 'HTTPS') !== (certificateId !== '')) refused('Client.InvalidParameterIllegal.SSLCertificateId');
  if (sorryPage !== undefined && !protocol.startsWith('HTTP')) refused('Client.InvalidParameterIllegal.SorryPage');
  const { target = 'ICMP', path = '', httpCodes = [] } = healthCheck ?? {};
  if (!target.startsWith('HTTP') && path + httpCodes.join('') !== '') refused('Client.InvalidParameterIllegal.Path');
  return listener;
}

function refused(code: string): never {
  throw new NifcloudError({ action: 'call', code, detail: '', outcome: 'refused', httpStatus: 500 });
}
