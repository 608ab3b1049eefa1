import { expect } from 'chai';
import type { Service } from '../../../kube/types.ts';
import { annotated, MINUTE_MS, node, SERVICE, World } from './service-world.ts';

const EXCLUDED = { 'node.kubernetes.io/exclude-from-external-load-balancers': '' };

/** The n-th elastic Service of a cluster. */
function elastic(n: number): Service {
  const metadata = { ...SERVICE.metadata, name: `web${n}`, uid: `${n}${n}${n}${n}0000-4e5f-4071-8293-a4b5c6d7e8f9` };
  const ports = [{ port: 80, nodePort: 30_000 + n }];
  return annotated('type', 'elb', { ...SERVICE, metadata, spec: { ...SERVICE.spec, ports } });
}

/** The same as an L4 one. */
function l4(n: number): Service {
  const one = elastic(n);
  return { ...one, metadata: { ...one.metadata, annotations: {} } };
}

const nameOf = (n: number): string => `${n}${n}${n}${n}00004e5f407`;

const rulesOf = (world: World, n: number): readonly string[] =>
  [...world.elastic.groups.values()].flatMap((group) =>
    group.rules
      .filter((rule) => rule.description?.endsWith(`/${nameOf(n)}`))
      .map((rule) => `${group.name} ${rule.fromPort}`),
  );

const targetsOf = (world: World, n: number): number =>
  world.elastic.balancers.get(nameOf(n))?.listeners[0]?.targets.length ?? 0;

/** Deletes one by its name, as `kubectl delete` does. */
function deleteService(world: World, name: string): void {
  const present = world.api.services.objects.get(`default/${name}`)!;
  world.api.addService({
    ...present,
    metadata: { ...present.metadata, deletionTimestamp: '2025-01-02T03:04:05Z' },
  });
}

describe('Services that are worked on at the same time', () => {
  let world: World;
  afterEach(() => world.stop.abort());

  it('leave no firewall rule of one that is deleted while another has its rules made along with its own', async () => {
    world = new World(elastic(1));
    for (const n of [2, 3]) world.api.addService(elastic(n));
    const { firewallGroups } = world.elastic;
    const { authorize } = firewallGroups;
    let isDeleted = false;
    Object.assign(firewallGroups, {
      authorize: async (...call: Parameters<typeof authorize>) => {
        // While the first one's were made, both others had to wait: one call is to serve them.
        const isForBoth = new Set(call[1].map((rule) => rule.description)).size === 2;
        if (isForBoth && !isDeleted) {
          isDeleted = true;
          deleteService(world, 'web3');
        }
        if (isForBoth) await world.clock.sleep(500); // on its way while the Service that goes is looked at
        await authorize(...call);
      },
    });
    world.run();
    await world.clock.advance(5 * MINUTE_MS);
    expect(isDeleted).to.equal(true);
    expect(world.api.services.objects.has('default/web3')).to.equal(false);
    expect([targetsOf(world, 1), targetsOf(world, 2)]).to.deep.equal([2, 2]);
    expect(rulesOf(world, 3)).to.deep.equal([]);
  });

  it('are told of a firewall group that has room for each of them, but not for both', async () => {
    world = new World(elastic(1));
    world.api.addService(elastic(2));
    const groups = ['fwnode01', 'fwnode02'];
    for (const group of groups) world.elastic.groups.get(group)!.ruleLimit = 4;
    const { firewallGroups } = world.elastic;
    const { authorize } = firewallGroups;
    Object.assign(firewallGroups, {
      authorize: async (...call: Parameters<typeof authorize>) => {
        await world.clock.sleep(200);
        await authorize(...call);
      },
    });
    world.run();
    await world.clock.advance(MINUTE_MS);
    expect(groups.map((group) => world.elastic.rules(group).length)).to.deep.equal([3, 3]);
    const warnings = world.events.take().filter((line) => line.startsWith('Warning'));
    expect(warnings).to.have.length(groups.length);
    expect(warnings[0]).to.match(/LoadBalancerSettingSkipped: firewall group fwnode01 .*limit of 4/);
  });

  it('make no firewall rule of one that is paused', async () => {
    world = new World(elastic(1));
    for (const n of [2, 3]) world.api.addService(elastic(n));
    world.run();
    for (let seconds = 0; rulesOf(world, 1).length === 0 && seconds < 60; seconds++) await world.clock.advance(1_000);
    expect([rulesOf(world, 2), rulesOf(world, 3)], 'both wait until the group takes the next change').to.deep.equal([
      [],
      [],
    ]);
    world.api.addService(annotated('paused', 'true', world.api.services.objects.get('default/web3')));
    await world.clock.advance(MINUTE_MS);
    expect(targetsOf(world, 2)).to.equal(2);
    expect([targetsOf(world, 3), rulesOf(world, 3)]).to.deep.equal([0, []]);
  });

  it('are looked at again when they were to be, also if nodes change meanwhile in no way that matters', async () => {
    world = new World(SERVICE);
    for (const n of [1, 2]) world.api.addService(l4(n));
    void world.controller.run(1, world.stop.signal);
    await world.clock.advance(0);
    // Both fail, and are due again in 5 s.
    let isRefused = true;
    world.cloud.refuse = () => (isRefused ? 'Client.Inoperable.LoadBalancer.Odd' : undefined);
    world.addServer('node03');
    world.api.addNode(node('node03'));
    await world.clock.advance(2_000);
    expect(world.targets()).to.deep.equal(['node01', 'node02']);
    isRefused = false;
    // The only worker is at the first one just then, and a node comes that takes no traffic.
    const list = world.cloud.list.bind(world.cloud);
    world.cloud.list = async () => {
      world.cloud.list = list;
      await world.clock.sleep(1_000);
      world.api.addNode(node('node04', { labels: EXCLUDED }));
      return await list();
    };
    await world.clock.advance(MINUTE_MS);
    const all = [...world.cloud.balancers.values()].map((one) => one.listeners[0]?.targets.length);
    expect(all).to.deep.equal([3, 3, 3]);
  });
});
