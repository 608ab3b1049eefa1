import { expect } from 'chai';
import { eventually } from '../eventually.ts';
import { World } from '../integration/world.ts';
import { LEASE_MS, RETRY_MS, WatchedReplica, type Change } from './replicas.ts';

const SERVICES = '/api/v1/namespaces/default/services';
const TYPE = 'service.beta.kubernetes.io/nifcloud-load-balancer-type';

/** For starting to work, on a busy machine. */
const SLACK_MS = 4_000;

interface Service {
  readonly metadata: { readonly finalizers?: readonly string[] };
  readonly status: { readonly loadBalancer?: { readonly ingress?: readonly { readonly ip: string }[] } };
}

function service(type: 'lb' | 'elb'): object {
  const ports = [
    { name: 'http', port: 80, nodePort: 30080 },
    { name: 'https', port: 443, nodePort: 30443 },
  ];
  const metadata = { name: 'web', annotations: { [TYPE]: type } };
  return { apiVersion: 'v1', kind: 'Service', metadata, spec: { type: 'LoadBalancer', ports } };
}

describe('two replicas', () => {
  let world: World;
  let replicas: WatchedReplica[];
  let started = 0;
  let changes: Change[];
  /** What happens to a leader when a change of its own is made. */
  let fate: (change: Change) => ((leader: WatchedReplica) => void) | undefined;

  beforeEach(async () => {
    world = await World.start();
    [replicas, changes, fate] = [[], [], () => undefined];
    for (const name of ['node01', 'node02']) {
      await world.kube('POST', '/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name } });
    }
  });
  afterEach(async () => {
    for (const replica of replicas) if (replica.isRunning) replica.signal('SIGCONT');
    await Promise.all(replicas.map((replica) => replica.end('SIGKILL')));
    await world.stop();
  });

  const start = async (): Promise<WatchedReplica> => {
    const replica = await WatchedReplica.start(`replica ${++started}`, world, (change) => {
      changes.push(change);
      return fate(change);
    });
    replicas.push(replica);
    return replica;
  };

  /** Who made changes, each once for all that it made in a row. */
  const writers = (): readonly string[] =>
    changes.map(({ replica }) => replica.name).filter((name, n, all) => name !== all[n - 1]);

  const web = async (): Promise<Service> => await world.kube<Service>('GET', `${SERVICES}/web`);
  const vip = async (): Promise<string | undefined> => (await web()).status.loadBalancer?.ingress?.[0]?.ip;

  /** Every leader is ended by its first change (or a later one), and another process takes its place in the queue. */
  const dieAtEvery = (nth: number): { readonly deaths: () => number; readonly takeoversMs: readonly number[] } => {
    const takeoversMs: number[] = [];
    let [deaths, made, diedAtMs] = [0, 0, 0];
    fate = ({ atMs }) => {
      if (diedAtMs > 0) takeoversMs.push(atMs - diedAtMs);
      diedAtMs = 0;
      made += 1;
      if (made % nth !== 0) return undefined;
      deaths += 1;
      return (leader) => {
        diedAtMs = performance.now();
        void leader.end('SIGKILL');
        void start();
      };
    };
    return { deaths: () => deaths, takeoversMs };
  };

  const journeys = [
    { type: 'lb', nth: 1, deaths: 12 },
    { type: 'elb', nth: 2, deaths: 8 },
  ] as const;
  for (const { type, nth, deaths: atLeast } of journeys) {
    it(`make and delete a load balancer (${type}) although every leader is killed at its change number ${nth}`, async () => {
      const { deaths, takeoversMs } = dieAtEvery(nth);
      await Promise.all([start(), start()]);
      await world.kube('POST', SERVICES, service(type));
      const address = await longEventually(vip);
      const present = (): unknown => {
        const { loadBalancers, elasticLoadBalancers } = world.cloud.state();
        const listeners = [
          ...loadBalancers.flatMap((one) => one.ports),
          ...elasticLoadBalancers.flatMap((one) => one.listeners),
        ];
        return listeners.map(({ loadBalancerPort, targets }) => `${loadBalancerPort}: ${targets.length}`).toSorted();
      };
      await longEventually(() => JSON.stringify(present()) === '["443: 2","80: 2"]');
      expect(await vip()).to.equal(address);
      await world.kube('DELETE', `${SERVICES}/web`);
      await longEventually(
        async () => (await world.kube<{ items: readonly unknown[] }>('GET', SERVICES)).items.length === 1,
      );
      const { loadBalancers, elasticLoadBalancers, firewallGroups } = world.cloud.state();
      expect([
        ...loadBalancers,
        ...elasticLoadBalancers,
        ...firewallGroups.flatMap(({ rules }) => rules),
      ]).to.deep.equal([]);
      expect(new Set(writers()).size, 'nobody writes again after another').to.equal(writers().length);
      expect(deaths()).to.be.at.least(atLeast);
      expect(Math.max(...takeoversMs)).to.be.below(LEASE_MS + 2.2 * RETRY_MS + SLACK_MS);
    });
  }

  it('hand over in the middle of work within 5 s when the leader is told to stop, which exits with 0', async () => {
    await Promise.all([start(), start()]);
    let stopped: Promise<readonly [code: number | null, tookMs: number]> | undefined;
    fate = ({ text }) => {
      if (text !== 'CreateLoadBalancer') return undefined;
      return (leader) => {
        const startMs = performance.now();
        stopped = leader.end('SIGTERM').then((code) => [code, performance.now() - startMs]);
      };
    };
    await world.kube('POST', SERVICES, service('lb'));
    await longEventually(vip);
    const [code, tookMs] = await stopped!;
    expect(code).to.equal(0);
    expect(tookMs).to.be.below(5_000);
    expect(new Set(writers()).size).to.equal(writers().length);
    expect(world.cloud.state().loadBalancers).to.have.length(1);
  });

  const newNode = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'node03' },
    spec: { taints: [{ key: 'node.cloudprovider.kubernetes.io/uninitialized', effect: 'NoSchedule' }] },
  };
  const hasAddresses = async (): Promise<boolean> => {
    const { status } = await world.kube<{ status?: { addresses?: readonly unknown[] } }>('GET', '/api/v1/nodes/node03');
    return (status?.addresses ?? []).length > 0;
  };
  /** At which change the leader freezes (the first one of the text, or the n-th), and so where it goes on when it thaws. */
  const freezes: readonly (readonly [next: string, at: string, happens: () => Promise<unknown>])[] = [
    ['the cloud', 'CreateLoadBalancer', () => world.kube('POST', SERVICES, service('lb'))],
    ['a Service', 'RegisterInstancesWithLoadBalancer 2', () => world.kube('POST', SERVICES, service('lb'))],
    ['a Node', 'PUT /api/v1/nodes/node03', () => world.kube('POST', '/api/v1/nodes', newNode)],
  ];
  for (const [next, at, happens] of freezes) {
    it(`are never two that write, when a leader that was about to write to ${next} froze, lost its lease unseen, and thaws`, async () => {
      await Promise.all([start(), start()]);
      let frozen: WatchedReplica | undefined;
      fate = ({ text }) => {
        const [action, nth = 1] = at.split(/ (?=\d+$)/);
        const count = changes.filter((change) => change.text === action).length;
        if (frozen !== undefined || text !== action || count < Number(nth)) return undefined;
        return (leader) => {
          frozen = leader;
          leader.signal('SIGSTOP');
        };
      };
      await happens();
      await longEventually(() => changes.some(({ replica }) => frozen !== undefined && replica !== frozen));
      const before = changes.filter(({ replica }) => replica === frozen).length;
      frozen!.signal('SIGCONT');
      expect(await frozen!.ended()).to.equal(1);
      await longEventually(async () => (next === 'a Node' ? await hasAddresses() : (await vip()) !== undefined));
      const after = changes.filter(({ replica }) => replica === frozen).slice(before);
      expect(after.map(({ text }) => text)).to.deep.equal([]);
      expect(world.cloud.state().loadBalancers).to.have.length(next === 'a Node' ? 0 : 1);
    });
  }
});

/** As `eventually`, for what needs several leaders in a row. */
async function longEventually<T>(look: () => T | Promise<T>): Promise<Exclude<T, undefined | false>> {
  for (let tries = 0; ; tries++) {
    try {
      return await eventually(look);
    } catch (error) {
      if (tries === 11) throw error;
    }
  }
}
