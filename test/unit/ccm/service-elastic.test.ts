import { expect } from 'chai';
import { CLEANUP_FINALIZER } from '../../../ccm/service-change.ts';
import type { Service } from '../../../kube/types.ts';
import { NifcloudError } from '../../../nifcloud/errors.ts';
import { lostAnswer } from './l4-cloud.ts';
import { annotated, LB, MINUTE_MS, node, World } from './service-world.ts';

const ELASTIC = annotated('type', 'elb');
const TWO_PORTS: Service = {
  ...ELASTIC,
  spec: {
    ...ELASTIC.spec,
    ports: [
      { name: 'http', protocol: 'TCP', port: 80, nodePort: 30080 },
      { name: 'dns', protocol: 'UDP', port: 53, nodePort: 30053 },
    ],
  },
};

const RANGES = { loadBalancerSourceRanges: ['192.0.2.0/24'] };

/** Lets the controller work until nothing is left to be done, and for less than the periodic comparison. */
async function settled(service: Service = ELASTIC): Promise<World> {
  const world = new World(service);
  world.run();
  await world.clock.advance(2 * MINUTE_MS);
  return world;
}

const targets = (world: World, port = 80): string[] | undefined =>
  world.elastic.balancers
    .get(LB)
    ?.listeners.find((one) => one.loadBalancerPort === port)
    ?.targets.map((one) => one.serverName);

const rules = (world: World, group: string): string[] =>
  world.elastic.rules(group).map(({ protocol, fromPort = '', cidr }) => `${protocol} ${fromPort} ${cidr}`);

describe('a Service of type elb', () => {
  let world: World;
  afterEach(() => world.stop.abort());

  it('gets an elastic load balancer with its servers, the rules of their firewalls, its address and the events of the framework', async () => {
    world = await settled(TWO_PORTS);
    expect(targets(world)).to.deep.equal(['node01', 'node02']);
    expect(targets(world, 53)).to.deep.equal(['node01', 'node02']);
    for (const group of ['fwnode01', 'fwnode02']) {
      expect(rules(world, group)).to.include.members(['TCP 30080 198.51.100.1', 'UDP 30053 198.51.100.1']);
    }
    expect(world.ingress).to.deep.equal([{ ip: '198.51.100.1' }]);
    expect(world.api.service()?.metadata.finalizers).to.deep.equal([CLEANUP_FINALIZER]);
    expect(world.events.take()).to.deep.equal([
      'Normal EnsuringLoadBalancer: Ensuring load balancer',
      'Normal EnsuredLoadBalancer: Ensured load balancer',
    ]);
    expect([world.elastic.refusals, world.cloud.writes]).to.deep.equal([[], []]);
  });

  it('gets no traffic that the firewalls of its servers would drop: rules come before targets (E7 #10)', async () => {
    world = await settled();
    const { writes } = world.elastic;
    expect(writes.findLastIndex((one) => one.startsWith('authorize'))).to.be.lessThan(
      writes.findIndex((one) => one.startsWith('registerTargets')),
    );
  });

  it('has its address as soon as it serves, while another port is still being made', async () => {
    world = new World(TWO_PORTS);
    world.run();
    for (let n = 0; n < 100 && world.ingress === undefined; n++) await world.clock.advance(1_000);
    expect(targets(world)).to.have.length(2);
    expect(targets(world, 53)).to.deep.equal([]);
  });

  it('that is right costs one listing of each kind a period, no write and no event', async () => {
    world = await settled();
    world.events.take();
    world.takeWrites();
    Object.assign(world.elastic, { lists: 0, groupLists: 0 });
    world.serverLists = 0;
    world.cloud.lists = 0;
    await world.clock.advance(10 * MINUTE_MS);
    expect([world.elastic.lists, world.elastic.groupLists, world.serverLists, world.cloud.lists]).to.deep.equal([
      1, 1, 1, 1,
    ]);
    expect([world.takeWrites(), world.events.take()]).to.deep.equal([[], []]);
  });

  it('is no failure while it waits, and reads only what it waits for (E7 #17)', async () => {
    world = new World(ELASTIC);
    world.elastic.transitionMs = 30 * MINUTE_MS;
    world.run();
    await world.clock.advance(10_000);
    const { lists } = world.elastic;
    Object.assign(world.elastic, { groupLists: 0 });
    world.serverLists = 0;
    await world.clock.advance(5 * MINUTE_MS);
    expect(world.elastic.lists - lists).to.equal(100);
    expect([world.elastic.groupLists, world.serverLists]).to.deep.equal([0, 0]);
    expect(world.events.take()).to.deep.equal(['Normal EnsuringLoadBalancer: Ensuring load balancer']);
  });

  it('does not hold up others while it waits, and shares what it reads with them, even with one worker (E7 #17)', async () => {
    world = new World(ELASTIC);
    const count = 20;
    for (let n = 1; n < count; n++) {
      const uid = `${String(n).padStart(8, '0')}-4e5f-6071-8293-a4b5c6d7e8f9`;
      world.api.addService({ ...ELASTIC, metadata: { ...ELASTIC.metadata, name: `web${n}`, uid } });
    }
    void world.controller.run(1, world.stop.signal);
    await world.clock.advance(2 * MINUTE_MS);
    const all = [...world.elastic.balancers.values()];
    expect(all.map((one) => one.listeners[0]?.targets.length)).to.deep.equal(Array(count).fill(2));
    expect(world.elastic.lists).to.be.lessThan(6 * count);
    expect(world.elastic.refusals).to.deep.equal([]);
  });

  it('keeps the rules of a firewall group that other servers of it still need when one node goes (E7 #1)', async () => {
    world = new World(ELASTIC);
    world.addServer('node03', 'fwnode01');
    world.api.addNode(node('node03'));
    world.run();
    await world.clock.advance(2 * MINUTE_MS);
    const before = rules(world, 'fwnode01');
    world.api.nodes.store('node01', undefined);
    world.api.nodes.store('node02', undefined);
    await world.clock.advance(2 * MINUTE_MS);
    expect(targets(world)).to.deep.equal(['node03']);
    expect(rules(world, 'fwnode01')).to.deep.equal(before);
    expect(rules(world, 'fwnode02')).to.deep.equal([]);
    expect(world.events.take().at(-1)).to.equal('Normal UpdatedLoadBalancer: Updated load balancer with new hosts');
  });

  it('has the rules for a node that comes back while those that it had are going', async () => {
    world = await settled();
    const before = rules(world, 'fwnode02');
    world.elastic.onWrite = () => {
      if (world.elastic.writes.at(-1) === 'revoke fwnode02') world.api.addNode(node('node02'));
    };
    world.api.nodes.store('node02', undefined);
    await world.clock.advance(MINUTE_MS);
    expect(targets(world)).to.deep.equal(['node01', 'node02']);
    expect(rules(world, 'fwnode02')).to.deep.equal(before);
    expect(world.elastic.writes.slice(-2)).to.deep.equal(['authorize fwnode02', 'registerTargets 80']);
  });

  it('never loses a rule that somebody else made (E7 #14)', async () => {
    world = new World(ELASTIC);
    const own = {
      direction: 'in',
      protocol: 'TCP',
      fromPort: 30080,
      cidr: '203.0.113.9',
      description: 'by hand',
    } as const;
    world.elastic.groups.get('fwnode01')!.rules = [own];
    world.run();
    await world.clock.advance(2 * MINUTE_MS);
    world.api.deleteService();
    await world.clock.advance(2 * MINUTE_MS);
    expect(world.elastic.rules('fwnode01')).to.deep.equal([own]);
  });

  it('has a rule that was taken by hand made again by the periodic comparison (E7 #13)', async () => {
    world = await settled();
    const before = rules(world, 'fwnode01');
    world.elastic.groups.get('fwnode01')!.rules = [];
    await world.clock.advance(11 * MINUTE_MS);
    expect(rules(world, 'fwnode01')).to.deep.equal(before);
  });

  it('is not made twice when the answer to its creation is lost (E7 #23)', async () => {
    world = new World(ELASTIC);
    let lost = 0;
    world.elastic.interrupt = (moment, action) => {
      if (moment === 'after' && action.startsWith('create') && lost++ === 0) throw lostAnswer(action);
    };
    world.run();
    await world.clock.advance(2 * MINUTE_MS);
    expect(targets(world)).to.have.length(2);
    expect([lost, world.elastic.refusals]).to.deep.equal([1, []]);
  });

  it('that somebody deletes while it is being made is made anew, and gets its rules before its targets', async () => {
    for (const last of ['create', 'authorize']) {
      world = new World(ELASTIC);
      let isDeleted = false;
      world.elastic.onWrite = () => {
        if (isDeleted || !world.elastic.writes.at(-1)!.startsWith(last)) return;
        isDeleted = true;
        void world.clock.sleep(4_000).then(() => world.elastic.balancers.clear());
      };
      world.run();
      await world.clock.advance(MINUTE_MS);
      expect([isDeleted, targets(world)], last).to.deep.equal([true, ['node01', 'node02']]);
      expect(rules(world, 'fwnode01'), last).to.include('TCP 30080 198.51.100.2');
      expect(world.ingress, last).to.deep.equal([{ ip: '198.51.100.2' }]);
      world.stop.abort();
    }
  });

  it('is served by the other servers although the cloud does not take one (E7 #19)', async () => {
    world = new World(ELASTIC);
    world.elastic.refuse = (_, ids) =>
      ids.includes('i-node01') ? 'Client.InvalidParameterNotFound.Instance' : undefined;
    world.run();
    await world.clock.advance(MINUTE_MS);
    expect(targets(world)).to.deep.equal(['node02']);
    expect(world.ingress).to.deep.equal([{ ip: '198.51.100.1' }]);
    expect(world.events.take().at(-1)).to.match(/^Warning SyncLoadBalancerFailed: .*NotFound\.Instance/);
    world.elastic.refuse = () => undefined;
    await world.clock.advance(10 * MINUTE_MS);
    expect(targets(world)).to.have.members(['node01', 'node02']);
  });

  it('has all its ports although one server is being processed, which comes later and is asked for rarely', async () => {
    world = new World(TWO_PORTS);
    const BUSY = 'Server.ResourceIncorrectState.Instance.Processing';
    world.elastic.refuse = (_, ids) => (ids.includes('i-node01') ? BUSY : undefined);
    world.run();
    await world.clock.advance(2 * MINUTE_MS);
    expect([targets(world), targets(world, 53)]).to.deep.equal([['node02'], ['node02']]);
    world.elastic.refusals.length = 0;
    await world.clock.advance(MINUTE_MS);
    expect(world.elastic.refusals).to.have.length(4 * 2); // each 15 s, on both ports
    world.elastic.refuse = () => undefined;
    await world.clock.advance(MINUTE_MS);
    expect(targets(world, 53)).to.have.members(['node01', 'node02']);
    expect(world.events.take()).to.deep.equal([
      'Normal EnsuringLoadBalancer: Ensuring load balancer',
      'Normal EnsuredLoadBalancer: Ensured load balancer',
    ]);
  });

  it('has its other port, and an event, although the answers to one call are always lost', async () => {
    world = new World(TWO_PORTS);
    let lost = 0;
    world.elastic.interrupt = (moment, action) => {
      if (moment !== 'before' || action !== 'registerTargets 80') return;
      lost += 1;
      throw lostAnswer(action);
    };
    world.run();
    await world.clock.advance(MINUTE_MS);
    expect([targets(world), targets(world, 53)]).to.deep.equal([[], ['node01', 'node02']]);
    expect(world.events.take().at(-1)).to.match(/^Warning SyncLoadBalancerFailed: .*socket hang up/);
    await world.clock.advance(59 * MINUTE_MS);
    expect(lost).to.be.lessThan(100);
  });

  it('gets new servers although the cloud does not let go of one whose node went', async () => {
    world = await settled();
    world.elastic.refuse = (action, ids) =>
      action.startsWith('deregister') && ids.includes('i-node01')
        ? 'Client.InvalidParameterNotFound.Instance'
        : undefined;
    world.api.nodes.store('node01', undefined);
    world.addServer('node03');
    world.api.addNode(node('node03'));
    await world.clock.advance(MINUTE_MS);
    expect(targets(world)).to.deep.equal(['node01', 'node02', 'node03']);
    expect(world.events.take().at(-1)).to.match(/NotFound\.Instance/);
  });

  it('follows its nodes although the cloud refuses a check, while a port that is yet to be made waits for its own', async () => {
    world = await settled();
    world.events.take();
    world.elastic.refuse = (action) =>
      action.startsWith('configureHealthCheck') ? 'Client.InvalidParameterIllegalInput.Odd' : undefined;
    const { ports } = TWO_PORTS.spec!;
    world.api.edit((one) => annotated('healthcheck-interval', '7', { ...one, spec: { ...one.spec, ports: ports! } }));
    for (const name of ['node03', 'node04']) {
      world.addServer(name);
      world.api.addNode(node(name));
    }
    for (const name of ['node01', 'node02']) world.api.nodes.store(name, undefined);
    await world.clock.advance(MINUTE_MS);
    expect([targets(world), targets(world, 53)]).to.deep.equal([['node03', 'node04'], []]);
    expect(world.events.take().at(-1)).to.match(/^Warning SyncLoadBalancerFailed: .*IllegalInput\.Odd/);
  });

  for (const trouble of ['refuses rules', 'stays processing', 'never answers']) {
    it(`gets new servers in other firewall groups, and an event, although one group ${trouble}`, async () => {
      world = await settled();
      world.events.take();
      if (trouble === 'refuses rules') {
        world.elastic.refuse = (action) => (action === 'authorize fwnode03' ? 'Client.Inoperable.Odd' : undefined);
      }
      if (trouble === 'never answers') {
        world.elastic.interrupt = (moment, action) => {
          if (moment === 'before' && action === 'authorize fwnode03') throw lostAnswer(action);
        };
      }
      const isBusy = world.elastic.isBusy.bind(world.elastic);
      if (trouble === 'stays processing') world.elastic.isBusy = (name) => name === 'group fwnode03' || isBusy(name);
      for (const name of ['node03', 'node04']) {
        world.addServer(name);
        world.api.addNode(node(name));
      }
      world.api.nodes.store('node01', undefined);
      await world.clock.advance(9 * MINUTE_MS);
      expect(targets(world)).to.deep.equal(['node02', 'node04']);
      expect(world.events.take().at(-1)).to.match(/^Warning (Update|Sync)LoadBalancer/);
      Object.assign(world.elastic, { refuse: () => undefined, interrupt: () => {}, isBusy });
      await world.clock.advance(6 * MINUTE_MS);
      expect(targets(world)).to.have.members(['node02', 'node03', 'node04']);
      expect(rules(world, 'fwnode03')).to.include('TCP 30080 198.51.100.1');
      const registered = world.elastic.writes.lastIndexOf('registerTargets 80');
      expect(world.elastic.writes.indexOf('authorize fwnode03')).to.be.within(0, registered);
    });
  }

  it('gets new servers in a firewall group that only refuses to let go of rules', async () => {
    world = await settled();
    world.elastic.refuse = (action) => (action === 'revoke fwnode01' ? 'Client.Inoperable.Odd' : undefined);
    const [port] = ELASTIC.spec!.ports!;
    world.api.edit((one) => ({ ...one, spec: { ...one.spec, ports: [{ ...port!, nodePort: 31080 }] } }));
    world.addServer('node03', 'fwnode01');
    world.api.addNode(node('node03'));
    await world.clock.advance(MINUTE_MS);
    expect(targets(world)).to.deep.equal(['node01', 'node02', 'node03']);
    expect(world.elastic.balancers.get(LB)?.listeners[0]?.instancePort).to.equal(31080);
    expect(world.events.take().at(-1)).to.match(/^Warning .*Inoperable\.Odd/);
  });

  it('gets nothing made when a firewall group has no room for its rules, and is told which (E7 #29)', async () => {
    world = new World(ELASTIC);
    world.elastic.groups.get('fwnode02')!.ruleLimit = 1;
    world.run();
    await world.clock.advance(1_000);
    expect(world.elastic.writes).to.deep.equal([]);
    expect(world.events.take().at(-1)).to.match(/^Warning SyncLoadBalancerFailed: .*fwnode02.*limit of 1/);
  });

  it('is not made where access shall be limited, which it can not be; the event names the field (E7 #4)', async () => {
    world = new World({ ...ELASTIC, spec: { ...ELASTIC.spec, ...RANGES } });
    world.run();
    await world.clock.advance(1_000);
    expect(world.takeWrites()).to.deep.equal([]);
    expect(world.events.take()[0]).to.match(
      /^Warning SyncLoadBalancerFailed: .*spec\.loadBalancerSourceRanges=192\.0\.2\.0\/24 .*no filter; .*use an L4 load balancer/,
    );
  });

  it('goes on being served where access shall be limited all of a sudden, with a warning that it is not (E7 #4)', async () => {
    world = await settled();
    world.events.take();
    world.api.edit((one) => ({ ...one, spec: { ...one.spec, ...RANGES } }));
    world.addServer('node03');
    world.api.addNode(node('node03'));
    await world.clock.advance(MINUTE_MS);
    expect(targets(world)).to.deep.equal(['node01', 'node02', 'node03']);
    const warnings = world.events.take().filter((one) => one.startsWith('Warning'));
    expect(warnings).to.have.length(1);
    expect(warnings[0]).to.match(/^Warning LoadBalancerSettingSkipped: .*SourceRanges.*lets everyone in/);
  });

  it('keeps its address, its targets and its other port while the cloud refuses to change a node port in place', async () => {
    world = await settled(TWO_PORTS);
    world.events.take();
    world.elastic.refuse = (action) =>
      action.startsWith('modifyListener') ? 'Client.Inoperable.ElasticLoadBalancer.Odd' : undefined;
    const [first, second] = TWO_PORTS.spec!.ports!;
    world.api.edit((one) => ({ ...one, spec: { ...one.spec, ports: [first!, { ...second!, nodePort: 31443 }] } }));
    world.addServer('node03');
    world.api.addNode(node('node03'));
    await world.clock.advance(MINUTE_MS);
    const shown = (): unknown =>
      world.elastic.balancers.get(LB)?.listeners.map(({ instancePort, targets: some }) => [instancePort, some.length]);
    expect(shown()).to.deep.equal([
      [first!.nodePort, 3],
      [second!.nodePort, 2],
    ]);
    expect(world.ingress).to.deep.equal([{ ip: '198.51.100.1' }]);
    expect(world.events.take().at(-1)).to.match(/^Warning SyncLoadBalancerFailed: .*ElasticLoadBalancer\.Odd/);
    world.elastic.refuse = () => undefined;
    await world.clock.advance(10 * MINUTE_MS);
    expect(shown()).to.deep.equal([
      [first!.nodePort, 3],
      [31443, 3],
    ]);
  });

  it('reports what the cloud refuses for good', async () => {
    world = new World(ELASTIC);
    world.elastic.refuse = (action) =>
      action.startsWith('create') ? 'Client.ResourceLimitExceeded.ElasticLoadBalancer' : undefined;
    world.run();
    await world.clock.advance(1_000);
    expect(world.events.take()).to.deep.equal([
      'Normal EnsuringLoadBalancer: Ensuring load balancer',
      'Warning SyncLoadBalancerFailed: Error syncing load balancer: failed to ensure load balancer: ' +
        'call: Client.ResourceLimitExceeded.ElasticLoadBalancer',
    ]);
  });
});

describe('deleting a Service of type elb', () => {
  let world: World;
  afterEach(() => world.stop.abort());

  it('takes load balancer and firewall rules away, then lets go of the Service, without a failure on the way (E7 #12, #18)', async () => {
    world = await settled(TWO_PORTS);
    world.events.take();
    world.api.deleteService();
    await world.clock.advance(2 * MINUTE_MS);
    expect([world.elastic.balancers.size, world.api.service()]).to.deep.equal([0, undefined]);
    expect([rules(world, 'fwnode01'), rules(world, 'fwnode02'), world.elastic.refusals]).to.deep.equal([[], [], []]);
    expect(world.events.take()).to.deep.equal([
      'Normal DeletingLoadBalancer: Deleting load balancer',
      'Normal DeletedLoadBalancer: Deleted load balancer',
    ]);
  });

  it('works while the load balancer is still being made', async () => {
    world = new World(TWO_PORTS);
    world.run();
    await world.clock.advance(7_000);
    world.api.deleteService();
    await world.clock.advance(2 * MINUTE_MS);
    expect([world.elastic.balancers.size, world.api.service()]).to.deep.equal([0, undefined]);
    expect(world.elastic.refusals).to.deep.equal([]);
  });

  it('takes rules away that stayed when the load balancer went (E7 #12)', async () => {
    world = await settled();
    world.elastic.balancers.clear();
    world.api.deleteService();
    await world.clock.advance(MINUTE_MS);
    expect([rules(world, 'fwnode01'), rules(world, 'fwnode02'), world.api.service()]).to.deep.equal([
      [],
      [],
      undefined,
    ]);
  });

  it('asks the Kubernetes API only before it lets go, and the cloud only for what it waits for', async () => {
    world = await settled();
    const { reads } = world.api;
    Object.assign(world.cloud, { lists: 0 });
    world.serverLists = 0;
    world.api.deleteService();
    await world.clock.advance(2 * MINUTE_MS);
    expect(world.api.service()).to.equal(undefined);
    expect([world.api.reads - reads, world.cloud.lists, world.serverLists]).to.deep.equal([1, 1, 0]);
  });

  it('works when load balancer, nodes and firewall groups are gone already', async () => {
    world = await settled();
    world.elastic.balancers.clear();
    world.elastic.groups.clear();
    for (const name of ['node01', 'node02']) world.api.nodes.store(name, undefined);
    world.servers = [];
    world.api.deleteService();
    await world.clock.advance(MINUTE_MS);
    expect(world.api.service()).to.equal(undefined);
  });

  for (const code of [
    'Client.InvalidParameterNotFound.Instance',
    'Server.ResourceIncorrectState.Instance.Processing',
  ]) {
    it(`takes the load balancer away, after its rules, although a server can not be taken off before: ${code}`, async () => {
      for (const isOfTheGoProgram of [false, true]) {
        world = isOfTheGoProgram ? await ofTheGoProgram(TWO_PORTS) : new World(TWO_PORTS);
        world.run();
        await world.clock.advance(2 * MINUTE_MS);
        world.events.take();
        world.elastic.writes.length = 0;
        world.elastic.refuse = (action, ids) =>
          action.startsWith('deregister') && ids.includes('i-node01') ? code : undefined;
        world.api.deleteService();
        await world.clock.advance(2 * MINUTE_MS);
        expect([world.elastic.balancers.size, world.api.service()]).to.deep.equal([0, undefined]);
        expect([rules(world, 'fwnode01'), rules(world, 'fwnode02')]).to.deep.equal([[], []]);
        expect(world.elastic.writes.at(-1)).to.match(/^deleteListener/);
        expect(world.events.take().at(-1)).to.equal('Normal DeletedLoadBalancer: Deleted load balancer');
        world.stop.abort();
      }
    });
  }

  it('leaves the last port, which says whose the rules are, while a firewall group refuses to let go of them', async () => {
    world = await settled();
    world.elastic.refuse = (action) => (action === 'revoke fwnode02' ? 'Client.Inoperable.Odd' : undefined);
    world.api.deleteService();
    await world.clock.advance(2 * MINUTE_MS);
    expect([world.elastic.balancers.size, rules(world, 'fwnode01')]).to.deep.equal([1, []]);
    expect(world.events.take().at(-1)).to.match(/^Warning SyncLoadBalancerFailed: .*Inoperable\.Odd/);
    world.elastic.refuse = () => undefined;
    await world.clock.advance(6 * MINUTE_MS);
    expect([world.elastic.balancers.size, rules(world, 'fwnode02'), world.api.service()]).to.deep.equal([
      0,
      [],
      undefined,
    ]);
  });

  it('takes away what a Service left that was deleted by force (A5)', async () => {
    world = await settled();
    world.api.services.store('default/web', undefined);
    await world.clock.advance(2 * MINUTE_MS);
    expect([world.elastic.balancers.size, rules(world, 'fwnode01')]).to.deep.equal([0, []]);
    expect(world.events.take().at(-1)).to.equal('Normal DeletedLoadBalancer: Deleted load balancer');
  });
});

/** As the Go program leaves it: without descriptions. */
async function ofTheGoProgram(service: Service = ELASTIC): Promise<World> {
  const made = await settled(service);
  made.stop.abort();
  const other = new World({ ...service, status: made.api.service()!.status! });
  other.elastic.balancers.set(LB, structuredClone(made.elastic.balancers.get(LB)!));
  other.elastic.balancers.get(LB)!.listeners.forEach((one) => (one.description = ''));
  for (const group of ['fwnode01', 'fwnode02']) {
    const bare = made.elastic.rules(group).map((rule) => ({ ...rule, description: '' }));
    other.elastic.groups.get(group)!.rules = bare;
  }
  return other;
}

describe('an elastic load balancer of the right name', () => {
  let world: World;
  afterEach(() => world.stop.abort());

  it('is taken over from the Go program without a change, but for the finalizer', async () => {
    world = await ofTheGoProgram();
    world.run();
    await world.clock.advance(MINUTE_MS);
    expect([world.elastic.writes, world.cloud.writes]).to.deep.equal([[], []]);
    expect(world.events.take()).to.deep.equal([]);
    expect(world.api.service()?.metadata.finalizers).to.deep.equal([CLEANUP_FINALIZER]);
  });

  it('is taken over from the Go program with bandwidth and check as somebody tuned them', async () => {
    world = await ofTheGoProgram();
    const balancer = world.elastic.balancers.get(LB)!;
    balancer.networkVolumeMbps = 300;
    balancer.listeners[0]!.healthCheck = { ...balancer.listeners[0]!.healthCheck!, intervalSeconds: 77 };
    world.run();
    await world.clock.advance(MINUTE_MS);
    expect(world.elastic.writes).to.deep.equal([]);
  });

  it('is finished when the Go program died before targets and rules (E7 #10)', async () => {
    world = await ofTheGoProgram();
    const balancer = world.elastic.balancers.get(LB)!;
    balancer.listeners[0]!.targets = [];
    balancer.listeners[0]!.healthCheck = undefined;
    for (const group of ['fwnode01', 'fwnode02']) world.elastic.groups.get(group)!.rules = [];
    world.run();
    await world.clock.advance(MINUTE_MS);
    expect(targets(world)).to.deep.equal(['node01', 'node02']);
    expect(balancer.listeners[0]!.healthCheck).to.include({ target: 'TCP:30080' });
    expect(rules(world, 'fwnode01')).to.include('TCP 30080 198.51.100.1');
  });

  it('of the Go program goes with its rules, which have no description, when the Service is deleted', async () => {
    world = await ofTheGoProgram();
    world.run();
    await world.clock.advance(MINUTE_MS);
    world.api.deleteService();
    await world.clock.advance(2 * MINUTE_MS);
    expect([world.elastic.balancers.size, rules(world, 'fwnode01'), rules(world, 'fwnode02')]).to.deep.equal([
      0,
      [],
      [],
    ]);
  });

  it('is not touched when its listeners name another owner, whatever its address (E7 #16)', async () => {
    world = await ofTheGoProgram();
    world.elastic.balancers.get(LB)!.listeners[0]!.description = 'kubernetes:other/default/web';
    world.run();
    await world.clock.advance(1_000);
    expect([world.elastic.writes, world.cloud.writes]).to.deep.equal([[], []]);
    expect(world.events.take()[0]).to.match(/SyncLoadBalancerFailed: .*belongs to kubernetes:other\/default\/web/);
    world.api.deleteService();
    await world.clock.advance(MINUTE_MS);
    expect([world.elastic.balancers.size, world.api.service()]).to.deep.equal([1, undefined]);
  });

  it('is not touched when nothing says that it is ours (E7 #16)', async () => {
    world = await ofTheGoProgram();
    world.api.edit((one) => ({ ...one, status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } } }));
    world.run();
    await world.clock.advance(1_000);
    expect([world.elastic.writes, world.cloud.writes]).to.deep.equal([[], []]);
    expect(world.events.take()[0]).to.match(/SyncLoadBalancerFailed: .*198\.51\.100\.1.* is not this Service's/);
  });
});

describe('throttling', () => {
  it('in the middle of an elastic journey is reported, and the journey goes on where it was', async () => {
    const world = new World(ELASTIC);
    let times = 0;
    world.elastic.interrupt = (moment, action) => {
      if (moment !== 'before' || !action.startsWith('registerTargets') || times++ > 0) return;
      throw new NifcloudError({ action, code: 'Client.Throttling', detail: 'slow down', outcome: 'refused' });
    };
    world.run();
    await world.clock.advance(2 * MINUTE_MS);
    expect(targets(world)).to.have.length(2);
    const events = world.events.take();
    expect(events.filter((one) => one.startsWith('Warning'))).to.have.length(1);
    expect(events.at(-1)).to.equal('Normal EnsuredLoadBalancer: Ensured load balancer');
    world.stop.abort();
  });
});
