import { connect, createServer, type Server } from 'node:net';
import { expect } from 'chai';
import { FirewallChanges, type FirewallOutcome } from '../../ccm/cloud/firewall-apply.ts';
import { ownedBy } from '../../ccm/cloud/firewall-owner.ts';
import { planFirewall, wantedRules, type FirewallPlan } from '../../ccm/cloud/firewall-plan.ts';
import type { ElasticLoadBalancer } from '../../nifcloud/elastic-load-balancers.ts';
import type { FirewallRule } from '../../nifcloud/firewall-groups.ts';
import type { Nifcloud } from '../../nifcloud/nifcloud.ts';
import { startSimulator, type Simulator } from '../../simulator/nifcloud/simulator.ts';
import { parseFleet } from '../../simulator/nifcloud/world/fleet.ts';
import { eventually } from '../eventually.ts';
import { clientOf } from './cloud-client.ts';

const never = new AbortController().signal;
const CLUSTER = 'kubernetes';
const NODE_PORT = 30080;

const FLEET = {
  zones: ['east-11'],
  groups: [
    {
      name: 'nodes11',
      zone: 'east-11',
      rules: [{ protocol: 'TCP', fromPort: 22, direction: 'IN', cidr: '192.0.2.0/24', description: 'office' }],
    },
  ],
  servers: ['127.44.0.1', '127.44.0.2'].map((privateAddress, n) => ({
    name: `node0${n + 1}`,
    zone: 'east-11',
    privateAddress,
    firewallGroup: 'nodes11',
  })),
};

/** What the rules are for: a load balancer of the simulator sends nothing that they do not let through. */
for (const switches of ['batched-rules=all-or-none', 'batched-rules=partial']) {
  describe(`firewall rules at a simulated cloud (${switches})`, () => {
    let simulator: Simulator;
    let cloud: Nifcloud;
    let changes: FirewallChanges;
    const nodes: Server[] = [];

    before(async () => {
      const fleet = parseFleet(JSON.stringify(FLEET), 'the test');
      simulator = await startSimulator({ latencyMs: 0, transition: '0ms', vipRange: '127.144.0.1', switches, fleet });
      cloud = clientOf(simulator);
      changes = new FirewallChanges(cloud.firewallGroups);
      for (const { privateAddress } of FLEET.servers) {
        const node = createServer((socket) => socket.on('error', () => {}).end('served'));
        await new Promise<void>((resolve) => node.listen(NODE_PORT, privateAddress, resolve));
        nodes.push(node);
      }
    });
    after(async () => {
      for (const node of nodes) node.close();
      await simulator.stop();
    });

    const rules = (): readonly string[] =>
      simulator
        .state()
        .firewallGroups.flatMap((group) => group.rules)
        .map(({ protocol, fromPort, cidr, description }) => `${protocol} ${fromPort} ${cidr} ${description}`);

    async function balancer(): Promise<ElasticLoadBalancer> {
      return cloud.elasticLoadBalancers.until(
        'lb1',
        (one) => (one?.state === 'available' && one.vip !== '' ? one : undefined),
        never,
      );
    }

    /** One pass of a reconciler for `lb1` with these targets to come. */
    async function pass(coming: readonly string[]): Promise<{ plan: FirewallPlan; outcomes: FirewallOutcome[] }> {
      const groups = await cloud.firewallGroups.list(never);
      const servers = await cloud.servers.list(never);
      const seen = await balancer();
      const targets = servers
        .filter(({ name }) => coming.includes(name))
        .map(({ name, uniqueId }) => ({ serverName: name, serverUniqueId: uniqueId }));
      const own = { ...seen, listeners: [...seen.listeners, ...seen.listeners.map((one) => ({ ...one, targets }))] };
      const wanted = wantedRules({ cluster: CLUSTER, groups, servers, loadBalancers: [own] });
      const plan = planFirewall(groups, wanted, ownedBy(CLUSTER, [own], [own]));
      return { plan, outcomes: await Promise.all(plan.steps.map((step) => changes.apply(step, never))) };
    }

    async function settle(coming: readonly string[]): Promise<void> {
      await eventually(async () => {
        const { plan } = await pass(coming);
        return plan.steps.length + plan.waiting.length === 0;
      });
    }

    const key = { name: 'lb1', protocol: 'TCP', loadBalancerPort: 80, instancePort: NODE_PORT };

    it('let a load balancer reach its servers, and no one else loses any', async () => {
      const listener = { protocol: 'TCP', loadBalancerPort: 80, instancePort: NODE_PORT };
      const healthCheck = { target: `TCP:${NODE_PORT}`, intervalSeconds: 5, unhealthyThreshold: 1 };
      const interfaces = [{ networkId: 'net-COMMON_GLOBAL', isVip: true }];
      await cloud.elasticLoadBalancers.create(
        { name: 'lb1', zone: 'east-11', listener: { ...listener, healthCheck }, interfaces },
        never,
      );
      await balancer();

      const held = simulator.faults.add({ kind: 'slow-transition', action: 'AuthorizeSecurityGroupIngress' });
      const { outcomes } = await pass(['node01', 'node02']);
      expect(outcomes).to.deep.equal(['begun']);
      expect((await pass(['node01', 'node02'])).plan.waiting).to.deep.equal(['nodes11']);
      simulator.faults.remove(held);
      await settle(['node01', 'node02']);
      const servers = await cloud.servers.list(never);
      await cloud.elasticLoadBalancers.registerTargets(
        key,
        servers.map(({ uniqueId }) => uniqueId),
        never,
      );
      await eventually(async () => (await ask()) === 'served');
      const { vip, interfaces: seen } = await balancer();
      expect(rules()).to.have.members([
        'TCP 22 192.0.2.0/24 office',
        ...[vip, ...seen[0]!.systemAddresses].map((one) => `TCP ${NODE_PORT} ${one} kubernetes:kubernetes/lb1`),
      ]);
    });

    it('are there again after somebody removed one, even if the cloud finds that others are there', async () => {
      const [group] = await cloud.firewallGroups.list(never);
      const ours = group!.rules.filter(({ description }) => description !== 'office');
      await cloud.firewallGroups.revoke('nodes11', ours.slice(0, 1), never);
      await untilApplied();
      // From a listing that is too old: one of the three is there, two are not... or the other way round.
      const stale = { kind: 'authorize', group: 'nodes11', rules: ours as readonly FirewallRule[] } as const;
      expect(await changes.apply(stale, never)).to.equal('begun');
      await settle([]);
      expect(rules()).to.have.length(4);
      expect(await changes.apply(stale, never), 'once all are there').to.equal('settled');
    });

    it('stay as they are when one of two servers leaves, and go with the last', async () => {
      const servers = await cloud.servers.list(never);
      const [first, second] = servers.map(({ uniqueId }) => uniqueId);
      await cloud.elasticLoadBalancers.deregisterTargets(key, [first!], never);
      const mark = simulator.mark();
      await settle([]);
      expect(simulator.calls(mark).filter(({ action }) => /Authorize|Revoke/.test(action))).to.deep.equal([]);
      expect(await ask()).to.equal('served');

      await balancer();
      await cloud.elasticLoadBalancers.deregisterTargets(key, [second!], never);
      await balancer();
      const { plan, outcomes } = await pass([]);
      expect(outcomes).to.deep.equal(['begun']);
      await settle([]);
      expect(rules()).to.deep.equal(['TCP 22 192.0.2.0/24 office']);
      expect(await changes.apply(plan.steps[0]!, never), 'a second time').to.equal('settled');
    });

    async function untilApplied(): Promise<void> {
      await cloud.firewallGroups.until('nodes11', (one) => (one?.status === 'applied' ? one : undefined), never);
    }

    /** What a client of the load balancer gets. */
    async function ask(): Promise<string> {
      const at = simulator.state().elasticLoadBalancers[0]!.listeners[0]!.listensAt!;
      const { hostname, port } = new URL(`tcp://${at}`);
      const socket = connect(Number(port), hostname);
      let answer = '';
      socket.on('data', (data) => (answer += data.toString()));
      await new Promise<void>((resolve) => {
        socket.on('close', () => resolve());
        socket.on('error', () => {});
      });
      return answer;
    }
  });
}
