import { expect } from 'chai';
import type { Service } from '../../../kube/types.ts';
import { annotated, MINUTE_MS, node, SERVICE, World } from './service-world.ts';

const L4 = 180;
const ELASTIC = 20;
const NODES = 8;

/** The n-th Service of a cluster. */
function service(n: number): Service {
  const uid = `${String(n).padStart(8, '0')}-4e5f-6071-8293-a4b5c6d7e8f9`;
  const one = { ...SERVICE, metadata: { ...SERVICE.metadata, name: `web${n}`, uid } };
  return n < L4 ? one : annotated('type', 'elb', one);
}

/** A cluster with many Services, all of which have their load balancers. */
async function settled(): Promise<World> {
  const world = new World(service(0));
  for (let n = 1; n < L4 + ELASTIC; n++) world.api.addService(service(n));
  for (let n = 3; n <= NODES; n++) addNode(world, `node${String(n).padStart(2, '0')}`);
  world.run();
  await world.clock.advance(5 * MINUTE_MS);
  expect(allTargets(world)).to.deep.equal(Array(L4 + ELASTIC).fill(NODES));
  return world;
}

function addNode(world: World, name: string): void {
  world.addServer(name, `fw${name.at(-1)}`);
  world.api.addNode(node(name));
}

/** How many each load balancer has. */
function allTargets(world: World): readonly number[] {
  const all = [...world.cloud.balancers.values(), ...world.elastic.balancers.values()];
  return all.map((one) => one.listeners[0]?.targets.length ?? 0);
}

/** Listings since the last look: L4, elastic, firewall groups, servers. */
function takeLists(world: World): readonly number[] {
  const { cloud, elastic } = world;
  const lists = [cloud.lists, elastic.lists, elastic.groupLists, world.serverLists];
  cloud.lists = 0;
  world.serverLists = 0;
  Object.assign(elastic, { lists: 0, groupLists: 0 });
  return lists;
}

describe('a cluster of 200 Services', () => {
  let world: World;
  afterEach(() => world.stop.abort());

  it('costs one listing of each kind a period while everything is right, and no write and no event', async () => {
    world = await settled();
    world.takeWrites();
    world.events.take();
    takeLists(world);
    const { reads } = world.api;
    await world.clock.advance(60 * MINUTE_MS);
    expect(takeLists(world)).to.deep.equal([6, 6, 6, 6]);
    expect(world.api.reads - reads).to.equal(0);
    expect([world.takeWrites(), world.events.take()]).to.deep.equal([[], []]);
  });

  it('costs one listing of each kind when the program starts anew, even with one worker', async () => {
    world = await settled();
    world.stop.abort();
    world.takeWrites();
    world.events.take();
    takeLists(world);
    const next = new AbortController();
    world.start();
    // As the caches fill.
    world.api.services.replay();
    world.api.nodes.replay();
    void world.controller.run(1, next.signal);
    await world.clock.advance(MINUTE_MS);
    expect(takeLists(world)).to.deep.equal([1, 1, 1, 1]);
    expect([world.takeWrites(), world.events.take()]).to.deep.equal([[], []]);
    next.abort();
  });

  it('is looked at in rounds while one node after the other changes, and has them all in the end', async () => {
    world = await settled();
    takeLists(world);
    const coming = 60;
    for (let n = 1; n <= coming; n++) {
      addNode(world, `new${n}`);
      await world.clock.advance(500);
    }
    await world.clock.advance(MINUTE_MS);
    expect(allTargets(world)).to.deep.equal(Array(L4 + ELASTIC).fill(NODES + coming));
    expect(world.cloud.refusals).to.deep.equal([]);
    // 30 s: three rounds at once, then one every 3 s.
    expect(takeLists(world)[0]).to.be.at.most(14);
  });

  it('does not take a node for unknown to the cloud that joined after the servers were listed', async () => {
    world = await settled();
    world.events.take();
    const list = world.cloud.list.bind(world.cloud);
    world.cloud.list = () => {
      world.cloud.list = list;
      addNode(world, 'late');
      return list();
    };
    addNode(world, 'early');
    await world.clock.advance(2 * MINUTE_MS);
    expect(allTargets(world)).to.deep.equal(Array(L4 + ELASTIC).fill(NODES + 2));
    expect(world.events.take().filter((line) => line.startsWith('Warning'))).to.deep.equal([]);
  });

  it('has those repaired whose load balancers somebody changed, and nothing else done', async () => {
    world = await settled();
    world.takeWrites();
    const [first] = world.cloud.balancers.values();
    first!.listeners[0]!.targets = [];
    await world.clock.advance(10 * MINUTE_MS);
    expect(first!.listeners[0]!.targets).to.have.length(NODES);
    expect(world.takeWrites()).to.deep.equal(['RegisterInstancesWithLoadBalancer']);
  });

  it('is tried again when the cloud could not be asked, each Service with its own event', async () => {
    world = await settled();
    world.events.take();
    const list = world.cloud.list.bind(world.cloud);
    world.cloud.list = () => Promise.reject(new Error('down'));
    await world.clock.advance(10 * MINUTE_MS);
    expect(world.events.take().filter((line) => line.includes('down')).length).to.be.at.least(L4);
    world.cloud.list = list;
    const [first] = world.cloud.balancers.values();
    first!.listeners[0]!.targets = [];
    await world.clock.advance(6 * MINUTE_MS);
    expect(first!.listeners[0]!.targets).to.have.length(NODES);
  });
});
