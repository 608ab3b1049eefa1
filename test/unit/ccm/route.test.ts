import { expect } from 'chai';
import { clusterCidrs } from '../../../ccm/cloud/cidr.ts';
import { RouteController } from '../../../ccm/route.ts';
import type { Node } from '../../../kube/types.ts';
import { NifcloudError } from '../../../nifcloud/errors.ts';
import type { RouteTable, RouteTarget } from '../../../nifcloud/route-tables.ts';
import type { Server } from '../../../nifcloud/servers.ts';
import { FakeClock } from '../../fake-clock.ts';
import { KubeApi } from './kube-api.ts';
import { Events, Log } from './surroundings.ts';

const PERIOD_MS = 10_000;
const TABLE = 'rtb-1';

const refused = (action: string): NifcloudError =>
  new NifcloudError({ action, code: 'Client.Inoperable.RouteTable', detail: 'full', outcome: 'refused' });

/** Nodes whose servers are in a private LAN, and one route table. */
class World {
  readonly api = new KubeApi();
  readonly events = new Events();
  readonly log = new Log();
  readonly clock = new FakeClock();
  readonly stop = new AbortController();
  readonly calls: string[] = [];
  servers: Server[] = [];
  routes = new Map<string, string>();
  hasTable = true;
  failing: string | undefined;
  synced = 0;
  #controller = this.#start(false);

  #start(dryRun: boolean): RouteController {
    return new RouteController({
      tableId: TABLE,
      clusterCidrs: clusterCidrs('10.244.0.0/16')!,
      nodes: this.api.nodes.informer,
      kube: this.api,
      servers: { list: () => this.#call('DescribeInstances', () => this.servers) },
      routeTables: {
        list: () => this.#call('DescribeRouteTables', () => (this.hasTable ? [this.#table()] : [])),
        createRoute: (id, destination, target) => this.#set('CreateRoute', id, destination, target),
        replaceRoute: (id, destination, target) => this.#set('ReplaceRoute', id, destination, target),
        deleteRoute: (_, destination) =>
          this.#call(`DeleteRoute ${destination}`, () => void this.routes.delete(destination)),
      },
      events: this.events,
      metrics: { routesSynced: () => (this.synced += 1) },
      logger: this.log,
      clock: this.clock,
      periodMs: PERIOD_MS,
      dryRun,
    });
  }

  dryRun(): void {
    this.#controller = this.#start(true);
  }

  #table(): RouteTable {
    const routes = [...this.routes].map(([destination, address]) => ({
      destination,
      address,
      networkId: '',
      networkName: '',
      origin: 'CreateRoute',
      state: 'active',
    }));
    return { id: TABLE, routes, routers: [], elasticLoadBalancers: [] };
  }

  #set(action: string, tableId: string, destination: string, target: RouteTarget): Promise<void> {
    expect(tableId).to.equal(TABLE);
    const { address } = target as { address: string };
    return this.#call(`${action} ${destination} ${address}`, () => void this.routes.set(destination, address));
  }

  async #call<T>(call: string, effect: () => T): Promise<T> {
    this.calls.push(call);
    await Promise.resolve();
    if (this.failing !== undefined && call.startsWith(this.failing)) throw refused(call);
    return effect();
  }

  join(at: number, fields: Partial<Node['spec']> = {}): void {
    const name = `node${at}`;
    this.servers.push({
      name,
      uniqueId: `i-${name}`,
      zone: 'east-11',
      type: 'e-medium8',
      state: 'running',
      privateAddress: `192.168.0.${at}`,
      publicAddress: '',
      firewallGroups: [],
      interfaces: [{ networkId: 'net-1', networkName: 'lan1', privateAddress: `192.168.0.${at}`, publicAddress: '' }],
    });
    this.api.addNode({
      metadata: { name, uid: `uid-${name}` },
      spec: { providerID: `nifcloud:///east-11/i-${name}`, podCIDRs: [`10.244.${at}.0/24`], ...fields },
      status: { addresses: [{ type: 'InternalIP', address: `192.168.0.${at}` }] },
    });
  }

  async rounds(count: number): Promise<void> {
    if (this.clock.sleeping === 0) {
      void this.#controller.run(this.stop.signal);
      await this.clock.advance(0);
      await this.clock.advance((count - 1) * PERIOD_MS);
    } else await this.clock.advance(count * PERIOD_MS);
  }

  take(): readonly string[] {
    return this.calls.splice(0);
  }

  condition(at: number): string {
    const found = this.api.node(`node${at}`)?.status?.conditions?.find(({ type }) => type === 'NetworkUnavailable');
    return `${found?.status} ${found?.reason}`;
  }
}

describe('the route controller', () => {
  let world: World;
  beforeEach(() => (world = new World()));
  afterEach(() => world.stop.abort());

  describe('routes to pods', () => {
    it('are made for new nodes, which then say so; after that a round costs one call, and a new node one more', async () => {
      world.join(1);
      world.join(2);
      await world.rounds(1);
      expect([...world.routes]).to.deep.equal([
        ['10.244.1.0/24', '192.168.0.1'],
        ['10.244.2.0/24', '192.168.0.2'],
      ]);
      expect([world.condition(1), world.condition(2)]).to.deep.equal(['False RouteCreated', 'False RouteCreated']);
      world.take();
      const writes = world.api.writes.length;
      await world.rounds(3);
      expect(world.take()).to.deep.equal(Array<string>(3).fill('DescribeRouteTables'));
      expect(world.api.writes).to.have.length(writes);
      world.join(3);
      await world.rounds(1);
      expect(world.take()).to.deep.equal([
        'DescribeRouteTables',
        'DescribeInstances',
        'CreateRoute 10.244.3.0/24 192.168.0.3',
      ]);
      expect(world.synced).to.equal(5);
    });

    it('go with their nodes, and follow the address of a node in place', async () => {
      world.join(1);
      world.join(2);
      await world.rounds(1);
      world.api.nodes.store('node2', undefined);
      world.servers = world.servers.map((one) => ({
        ...one,
        interfaces: one.interfaces.map((it) => ({ ...it, privateAddress: '192.168.0.77' })),
      }));
      const node = world.api.node('node1')!;
      world.api.addNode({
        ...node,
        status: { ...node.status, addresses: [{ type: 'InternalIP', address: '192.168.0.77' }] },
      });
      world.take();
      await world.rounds(1);
      expect(world.take().slice(2)).to.deep.equal([
        'DeleteRoute 10.244.2.0/24',
        'ReplaceRoute 10.244.1.0/24 192.168.0.77',
      ]);
    });

    it('that cannot be made leave an event and a condition, and are tried again', async () => {
      world.join(1);
      world.join(2);
      world.failing = 'CreateRoute 10.244.1.0/24';
      await world.rounds(1);
      expect([world.condition(1), world.condition(2)]).to.deep.equal(['True NoRouteCreated', 'False RouteCreated']);
      expect(world.events.take()).to.deep.equal([
        'Warning FailedToCreateRoute: Could not create route uid-node1 10.244.1.0/24 for node node1 after 0s: ' +
          'CreateRoute 10.244.1.0/24 192.168.0.1: Client.Inoperable.RouteTable: full',
      ]);
      world.failing = undefined;
      await world.rounds(1);
      expect(world.condition(1)).to.equal('False RouteCreated');
    });

    it('are told to be impossible for a server outside of private LANs, instead of leading nowhere', async () => {
      world.join(1);
      world.servers = world.servers.map((one) => ({
        ...one,
        interfaces: one.interfaces.map((it) => ({ ...it, networkId: 'net-COMMON_PRIVATE' })),
      }));
      await world.rounds(1);
      expect([[...world.routes], world.condition(1)]).to.deep.equal([[], 'True NoRouteCreated']);
      expect(world.events.take()[0]).to.match(/no address of that family in a private LAN/);
    });
  });

  const all = (): readonly string[] => [...world.routes.keys()].toSorted();

  describe('routes that are there', () => {
    beforeEach(async () => {
      world.join(1);
      world.join(2);
      world.routes.set('0.0.0.0/0', '192.168.0.254');
      await world.rounds(1);
      world.take();
      world.api.writes.length = 0;
      world.events.take();
    });
    const kept = ['0.0.0.0/0', '10.244.1.0/24', '10.244.2.0/24'];

    it('stay when the table is not listed; one event for each node and one line say so', async () => {
      world.hasTable = false;
      await world.rounds(5);
      expect(all()).to.deep.equal(kept);
      expect(world.events.take()).to.deep.equal(
        Array<string>(2).fill(
          'Warning RouteTableNotFound: No route is changed: the cloud lists no route table rtb-1 (NIFCLOUD_ROUTE_TABLE_ID)',
        ),
      );
      expect(world.log.lines.filter((line) => line === 'Routes are not looked at')).to.have.length(1);
      expect([world.api.writes, world.condition(1)]).to.deep.equal([[], 'False RouteCreated']);
    });

    it('stay when the cloud cannot be asked', async () => {
      world.failing = 'Describe';
      await world.rounds(3);
      expect([all(), world.api.writes, world.events.take()]).to.deep.equal([kept, [], []]);
    });

    it('stay when all nodes are gone at once, which no cluster means (os#2699)', async () => {
      for (const name of ['node1', 'node2']) world.api.nodes.store(name, undefined);
      await world.rounds(3);
      expect(all()).to.deep.equal(kept);
    });

    it('stay when servers are not listed after a restart', async () => {
      world.stop.abort();
      const after = new World();
      after.routes = world.routes;
      after.join(1);
      after.join(2);
      after.servers = [];
      await after.rounds(3);
      after.stop.abort();
      expect(all()).to.deep.equal(kept);
      expect(after.condition(1)).to.equal('undefined undefined');
    });

    it('stay when they lead to pods of another provider’s node, at no further call of the cloud', async () => {
      world.routes.set('10.244.7.0/24', '172.16.0.1');
      world.join(7, { providerID: 'aws:///a/i-7' });
      await world.rounds(2);
      expect(world.routes.get('10.244.7.0/24')).to.equal('172.16.0.1');
      expect(world.take()).to.deep.equal(['DescribeRouteTables', 'DescribeRouteTables']);
      expect(world.condition(7)).to.equal('undefined undefined');
    });
  });

  describe('a dry run', () => {
    it('changes no route and no node', async () => {
      world.dryRun();
      world.join(1);
      world.routes.set('10.244.9.0/24', '192.168.0.9');
      await world.rounds(2);
      expect([...world.routes]).to.deep.equal([['10.244.9.0/24', '192.168.0.9']]);
      expect(world.api.writes).to.deep.equal([]);
      expect(world.log.lines).to.include('Routes are not changed because of --dry-run');
    });
  });
});
