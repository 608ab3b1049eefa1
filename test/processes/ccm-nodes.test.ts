import { expect } from 'chai';
import type { Node } from '../../kube/types.ts';
import type { Fault } from '../../simulator/nifcloud/api/fault.ts';
import { parseFleet } from '../../simulator/nifcloud/world/fleet.ts';
import { eventually } from '../eventually.ts';
import { World } from '../integration/world.ts';

const UNINITIALIZED = 'node.cloudprovider.kubernetes.io/uninitialized';
const SHUTDOWN = 'node.cloudprovider.kubernetes.io/shutdown';

/** As fast as is allowed, and no node is too young. */
const FLAGS = ['--node-monitor-period=1s', '--route-reconciliation-period=1s', '--node-deletion-min-age=0s'];

/** Nodes in a private LAN behind a router, whose table also holds routes that are none of the cluster's business. */
const FLEET = `
zones: [east-11]
networks: [{ id: net-0abc1def, name: lan1, zone: east-11, cidr: 192.168.0.0/24 }]
routeTables:
  - id: rtb-0abc1def
    routes:
      - { destination: 0.0.0.0/0, network: net-COMMON_GLOBAL }
      - { destination: 172.16.0.0/16, ipAddress: 192.168.0.200 }
      - { destination: 10.244.2.0/24, ipAddress: 192.168.0.99 }
      - { destination: 10.244.99.0/24, ipAddress: 192.168.0.99 }
routers: [{ name: router1, zone: east-11, interfaces: [{ network: lan1, ipAddress: 192.168.0.1 }], routeTable: rtb-0abc1def }]
servers:
  - { name: node01, zone: east-11, privateAddress: 192.168.0.11, privateNetwork: lan1 }
  - { name: node02, zone: east-11, privateAddress: 192.168.0.12, privateNetwork: lan1 }
  - { name: node03, zone: east-11, privateAddress: 192.168.0.13, privateNetwork: lan1 }
`;

describe('nodes, with the controllers as a process', () => {
  let world: World;
  afterEach(() => world.stop());

  const names = ['node01', 'node02', 'node03'];
  const get = (name: string): Promise<Node> => world.kube<Node>('GET', `/api/v1/nodes/${name}`);
  const present = async (): Promise<readonly string[]> =>
    (await world.kube<{ items: readonly Node[] }>('GET', '/api/v1/nodes')).items.map(({ metadata }) => metadata.name);
  const taints = async (name: string): Promise<readonly string[]> =>
    ((await get(name)).spec?.taints ?? []).map(({ key }) => key);

  /** What the kubelet of a node, or its silence, tells the API server. */
  async function says(name: string, status: 'True' | 'Unknown'): Promise<void> {
    const conditions = [{ type: 'Ready', status }];
    await world.kube('PATCH', `/api/v1/nodes/${name}/status`, { status: { conditions } });
  }

  /** All nodes are there, ready and initialised, and the CCM runs. */
  async function start(
    environment: Readonly<Record<string, string>> = {},
    flags: readonly string[] = [],
  ): Promise<void> {
    for (const [at, name] of names.entries()) {
      const taint = { key: UNINITIALIZED, value: 'true', effect: 'NoSchedule' };
      const spec = { taints: [taint], podCIDRs: [`10.244.${at + 1}.0/24`] };
      await world.kube('POST', '/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name }, spec });
      await says(name, 'True');
    }
    await world.startCcm(world.environment(environment), [...FLAGS, ...flags]);
    for (const name of names) await eventually(async () => !(await taints(name)).includes(UNINITIALIZED));
  }

  /** Waits until the cloud was asked for its servers so many times from now on. */
  async function rounds(count: number): Promise<void> {
    const mark = world.cloud.mark();
    await eventually(
      () => world.cloud.calls(mark).filter(({ action }) => action === 'DescribeInstances').length >= count,
    );
  }

  describe('nodes and their servers', () => {
    beforeEach(async () => {
      world = await World.start();
      await start();
    });

    it('a server that is removed takes its Node along, with an event', async () => {
      await says('node02', 'Unknown');
      await rounds(2);
      await world.cloud.incidents.remove('node02');
      await eventually(async () => !(await present()).includes('node02'));
      expect(await present()).to.deep.equal(['node01', 'node03']);
      const events = await eventually(async () => {
        const all = await world.events('Node', 'node02');
        return all.some((line) => line.includes('Deleting')) && all;
      });
      expect(events).to.include(
        'Normal DeletingNode: Deleting node node02 because it does not exist in the cloud provider',
      );
    });

    it('a server that is stopped keeps new pods off its Node until it is up and ready again; a renamed one is no other', async () => {
      await world.cloud.incidents.rename('node02', 'renamed');
      await world.cloud.incidents.crash('renamed');
      await says('node02', 'Unknown');
      await eventually(async () => (await taints('node02')).includes(SHUTDOWN));
      await world.cloud.incidents.start('renamed');
      await says('node02', 'True');
      await eventually(async () => !(await taints('node02')).includes(SHUTDOWN));
      expect(await present()).to.deep.equal(names);
    });

    it('nodes that do not answer cost one call of the cloud a round, all together', async () => {
      for (const name of names) await says(name, 'Unknown');
      await rounds(1);
      const mark = world.cloud.mark();
      const startedAtMs = performance.now();
      await rounds(3);
      const seconds = (performance.now() - startedAtMs) / 1000;
      expect(world.cloud.calls(mark).length).to.be.at.most(Math.ceil(seconds) + 1);
    });

    it('all servers gone at once is taken for a mistake: events, and no Node is deleted', async () => {
      for (const name of names) {
        await world.cloud.incidents.remove(name);
        await says(name, 'Unknown');
      }
      await rounds(3);
      expect(await present()).to.deep.equal(names);
      const [event] = await eventually(async () => {
        const kept = (await world.events('Node', 'node01')).filter((line) => line.includes('NodeKept'));
        return kept.length > 0 && kept;
      });
      expect(event).to.match(/lists no server of this cluster; if its server is really gone, delete the node by hand$/);
    });
  });

  describe('an outage of the cloud', () => {
    beforeEach(async () => {
      world = await World.start();
      await start();
    });

    const outages: readonly Omit<Fault, 'action'>[] = [
      { kind: 'drop-before' },
      { kind: 'gateway-error', status: 503 },
      { kind: 'refuse', code: 'Client.AuthFailure.SignatureDoesNotMatch' },
      { kind: 'truncated' },
    ];

    it('deletes no Node, whatever it is like, and afterwards only the one that is gone', async () => {
      await world.cloud.incidents.remove('node02');
      const ids = outages.map((fault) => world.cloud.faults.add({ action: 'DescribeInstances', ...fault }));
      for (const name of names) await says(name, 'Unknown');
      for (const id of ids) {
        await rounds(5);
        expect(await present()).to.deep.equal(names);
        world.cloud.faults.remove(id);
      }
      await eventually(async () => !(await present()).includes('node02'));
      expect(await present()).to.deep.equal(['node01', 'node03']);
    }).timeout(40_000);
  });

  const routes = (): readonly string[] =>
    world.cloud
      .state()
      .routeTables.flatMap((table) => table.routes)
      .map(({ destinationCidr, ipAddress, networkId }) => `${destinationCidr} ${ipAddress || networkId}`);

  describe('routes to pods', () => {
    const FOREIGN = ['0.0.0.0/0 net-COMMON_GLOBAL', '172.16.0.0/16 192.168.0.200'];

    beforeEach(async () => {
      world = await World.start({}, parseFleet(FLEET, 'the fleet'));
      await start({ NIFCLOUD_ROUTE_TABLE_ID: 'rtb-0abc1def' }, ['--cluster-cidr=10.244.0.0/16']);
    });

    it('come and go with nodes, correct what is there, and leave the rest alone; then a round costs one call', async () => {
      const [first, second, third] = [
        '10.244.1.0/24 192.168.0.11',
        '10.244.2.0/24 192.168.0.12',
        '10.244.3.0/24 192.168.0.13',
      ];
      await eventually(() => routes().length === 5);
      expect(routes()).to.have.members([...FOREIGN, first, second, third]);
      for (const name of names) {
        await eventually(async () =>
          (await get(name)).status?.conditions?.some(
            (one) => one.type === 'NetworkUnavailable' && one.status === 'False',
          ),
        );
      }
      const mark = world.cloud.mark();
      await eventually(() => world.cloud.calls(mark).length >= 3);
      const calls = new Set(world.cloud.calls(mark).map(({ action }) => action));
      expect([...calls]).to.deep.equal(['DescribeRouteTables']);
      await world.kube('DELETE', '/api/v1/nodes/node03');
      await eventually(() => routes().length === 4);
      expect(routes()).to.have.members([...FOREIGN, first, second]);
    });
  });
});
