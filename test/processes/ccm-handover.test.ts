import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import type { Environment } from '../../demo/stage.ts';
import { eventually } from '../eventually.ts';
import { Replica } from '../integration/replica.ts';
import { World } from '../integration/world.ts';

interface Lease {
  readonly metadata: { readonly resourceVersion: string };
  readonly spec: { readonly holderIdentity?: string; readonly leaseDurationSeconds?: number };
}

interface Node {
  readonly spec: { readonly providerID?: string };
}

const LEASE = '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/cloud-controller-manager';
const LEASE_MS = 3_000;
const RETRY_MS = 500;
const QUICK = [
  `--leader-elect-lease-duration=${LEASE_MS}ms`,
  '--leader-elect-renew-deadline=2s',
  `--leader-elect-retry-period=${RETRY_MS}ms`,
];
/** For the request and a busy machine. */
const SLACK_MS = 1_500;

function node(name: string): object {
  const taint = { key: 'node.cloudprovider.kubernetes.io/uninitialized', value: 'true', effect: 'NoSchedule' };
  return { apiVersion: 'v1', kind: 'Node', metadata: { name }, spec: { taints: [taint] } };
}

describe('replicas of the cloud-controller-manager', () => {
  let world: World;
  let replicas: Replica[];
  beforeEach(async () => {
    world = await World.start();
    replicas = [];
  });
  afterEach(async () => {
    await Promise.all(replicas.map((replica) => replica.end('SIGKILL')));
    await world.stop();
  });

  const start = async (args: readonly string[] = [], env: Environment = world.environment()): Promise<Replica> => {
    const replica = await Replica.start([await world.kubeconfig(), ...args], env);
    replicas.push(replica);
    return replica;
  };

  /** Two replicas, the first of which leads. */
  const startTwo = async (args: readonly string[] = []): Promise<[leader: Replica, standby: Replica]> => {
    const leader = await start(args);
    await leader.untilLeading();
    const standby = await start(args);
    await eventually(() => standby.log.includes('Waiting for the lease'));
    return [leader, standby];
  };

  const lease = async (): Promise<Lease> => await world.kube<Lease>('GET', LEASE);

  const initialized = async (name: string): Promise<void> => {
    await world.kube('POST', '/api/v1/nodes', node(name));
    await eventually(async () => (await world.kube<Node>('GET', `/api/v1/nodes/${name}`)).spec.providerID);
  };

  it('have one leader, which works; the other one is healthy, ready, and touches nothing', async () => {
    const [leader, standby] = await startTwo();
    expect((await lease()).spec).to.include({ holderIdentity: leader.heldAs, leaseDurationSeconds: 15 });
    await initialized('node01');
    expect(await standby.until('/healthz?verbose', 200)).to.equal('[+]leaderElection ok\nhealthz check passed\n');
    await standby.until('/readyz', 200);
    expect(await leader.until('/healthz?verbose', 200)).to.match(
      /^\[\+\]leaderElection ok\n(?=[^]*\[\+\]cloud-node-controller ok\n)[^]*\[\+\]service-lb-controller ok\n/,
    );
    const events = await world.events('Node', 'node01');
    expect(events.filter((event) => event.includes('Synced'))).to.have.length(1);
    expect(await world.events('Lease', 'cloud-controller-manager')).to.deep.equal([
      `Normal LeaderElection: ${leader.heldAs} became leader`,
    ]);
    expect(standby.heldAs).to.be.undefined;
  });

  it('hand over within 5 s when the leader is told to stop, which exits with 0', async () => {
    const [leader, standby] = await startTwo();
    await leader.until('/readyz', 200);
    const startMs = performance.now();
    expect(await leader.end('SIGTERM')).to.equal(0);
    expect((await lease()).spec.holderIdentity, 'the lease is given up').not.to.equal(leader.heldAs);
    await standby.untilLeading();
    expect(performance.now() - startMs).to.be.below(5_000 + SLACK_MS);
    await initialized('node02');
    expect(leader.log).not.to.match(/^E/m);
    expect(await world.events('Lease', 'cloud-controller-manager')).to.include(
      `Normal LeaderElection: ${leader.heldAs} stopped leading`,
    );
  });

  it('take over from a leader that was killed when its lease has run out', async () => {
    const [leader, standby] = await startTwo(QUICK);
    const startMs = performance.now();
    await leader.end('SIGKILL');
    await standby.untilLeading();
    expect(performance.now() - startMs).to.be.below(LEASE_MS + 2.2 * RETRY_MS + SLACK_MS);
    await initialized('node03');
  });

  it('end with 1 when the lease is lost', async () => {
    const leader = await start(QUICK);
    await leader.untilLeading();
    await world.kube('PATCH', LEASE, { spec: { holderIdentity: 'somebody else' } });
    expect(await leader.ended()).to.equal(1);
    expect(leader.log).to.contain('leaderelection lost');
    expect((await lease()).spec.holderIdentity).to.equal('somebody else');
  });

  it('end with 0 on SIGTERM while they wait for the lease', async () => {
    const [, standby] = await startTwo();
    expect(await standby.end('SIGTERM')).to.equal(0);
  });

  it('finish what they are at when told to stop in the middle of work, and lose no event', async () => {
    const leader = await start();
    await initialized('node01');
    const spec = { type: 'LoadBalancer', ports: [{ port: 80 }] };
    await world.kube('POST', '/api/v1/namespaces/default/services', {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web' },
      spec,
    });
    await eventually(() => world.cloud.state().loadBalancers.length > 0);
    expect(await leader.end('SIGTERM')).to.equal(0);
    const next = await start();
    await eventually(async () => {
      const { status } = await world.kube<{ status: { loadBalancer?: { ingress?: readonly unknown[] } } }>(
        'GET',
        '/api/v1/namespaces/default/services/web',
      );
      return status.loadBalancer?.ingress?.length === 1;
    });
    expect(world.cloud.state().loadBalancers).to.have.length(1);
    expect(next.isRunning).to.be.true;
  });

  it('serve HTTPS before they are elected, and say why they end when the API server is not healthy within 10 s', async () => {
    const sick = createServer((_request, response) => response.writeHead(500).end('etcd is away'));
    await new Promise<void>((resolve) => sick.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = sick.address() as AddressInfo;
      const replica = await Replica.start(
        ['--leader-elect=false', `--master=http://127.0.0.1:${port}`],
        world.environment(),
      );
      replicas.push(replica);
      await replica.until('/healthz', 200);
      expect(await replica.ended()).to.equal(1);
      expect(replica.log).to.contain(`the Kubernetes API at http://127.0.0.1:${port}/ was not healthy within 10 s: `);
      expect(replica.log).to.contain('etcd is away');
    } finally {
      sick.close();
    }
  });
});
