import { parseFleet } from '../../../../../simulator/nifcloud/world/fleet.ts';
import type { Simulator } from '../../../../../simulator/nifcloud/simulator.ts';
import { FakeClock } from '../../../../fake-clock.ts';
import { startCloud, until } from '../raw-client.ts';
import type { Answer, RawClient } from '../raw-client.ts';

export type Sent = Readonly<Record<string, string | number>>;

const FLEET = parseFleet(
  `
zones: [east-11, east-12]
networks:
  - { id: net-aaaa1111, name: lan, zone: east-11, cidr: 192.168.1.0/24 }
  - { id: net-bbbb2222, name: far, zone: east-12, cidr: 192.168.2.0/24 }
routeTables:
  - { id: rtb-aaaa1111 }
  - { id: rtb-bbbb2222 }
certificates: [cert1, cert2]
servers:
  - { name: a, uniqueId: i-aaaaaaaa, zone: east-11, privateAddress: 127.11.8.1 }
  - { name: b, uniqueId: i-bbbbbbbb, zone: east-12, privateAddress: 127.12.8.1 }
  - { name: busy, uniqueId: i-11111111, zone: east-11, state: pending }
`,
  'fleet',
);

/** Names the listener that `listenerOf` and `ElasticCloud.create` make. */
export const LISTENER = { Protocol: 'TCP', ElasticLoadBalancerPort: 18_080, InstancePort: 30_080 };
/** The same, of the load balancer `web`. */
export const WEB = { ElasticLoadBalancerName: 'web', ...LISTENER };

/** Parameters of the one listener of a call. */
export function listenerOf(settings: Sent = {}): Sent {
  return Object.fromEntries(
    Object.entries({ ...LISTENER, ...settings }).map(([key, value]) => [`Listeners.member.1.${key}`, value]),
  );
}

/** What creation needs, on the global network. */
export const NEW = {
  ElasticLoadBalancerName: 'web',
  'AvailabilityZones.member.1': 'east-11',
  'NetworkInterface.1.NetworkId': 'net-COMMON_GLOBAL',
  'NetworkInterface.1.IsVipNetwork': 'true',
};

/** A simulator whose time stands still until it is moved, and a client of it. */
export class ElasticCloud {
  readonly simulator: Simulator;
  readonly client: RawClient;
  readonly #clock: FakeClock;

  private constructor(simulator: Simulator, client: RawClient, clock: FakeClock) {
    this.simulator = simulator;
    this.client = client;
    this.#clock = clock;
  }

  static async start(switches = ''): Promise<ElasticCloud> {
    const clock = new FakeClock();
    const { simulator, client } = await startCloud({ clock, fleet: FLEET, vipRange: '127.100.8.1', switches });
    return new ElasticCloud(simulator, client, clock);
  }

  /** A load balancer that is available. */
  async create(parameters: Sent = {}, settings: Sent = {}): Promise<void> {
    await this.change('NiftyCreateElasticLoadBalancer', { ...NEW, ...listenerOf(settings), ...parameters });
  }

  /** A call that must succeed, and the end of the change that it begins. */
  async change(action: string, parameters: Sent): Promise<Answer> {
    const answer = await this.client.done(action, parameters);
    await this.settled();
    return answer;
  }

  /** Lets the time pass that transitions take. */
  async settled(): Promise<void> {
    await until(async () => {
      if (this.simulator.state().elasticLoadBalancers.every(({ transition }) => transition === undefined)) return true;
      await this.#clock.advance(1000);
      return false;
    });
  }

  /** What there is of the first load balancer. */
  get only() {
    const [loadBalancer] = this.simulator.state().elasticLoadBalancers;
    if (loadBalancer === undefined) throw new Error('there is no elastic load balancer');
    return loadBalancer;
  }
}

/** A state without what health checks, which really run, do to it. */
export function withoutHealth(state: unknown): unknown {
  return JSON.parse(JSON.stringify(state, (key, value: unknown) => (key === 'state' ? undefined : value)));
}

/** `Required.X` and the like are the ends of `Client.InvalidParameter…`. */
export function fullCode(code: string): string {
  return /^(Client|Server)\./.test(code) ? code : `Client.InvalidParameter${code}`;
}
