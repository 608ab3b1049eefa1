import { expect } from 'chai';
import { CLEANUP_FINALIZER } from '../../../ccm/service-change.ts';
import type { Service } from '../../../kube/types.ts';
import { annotated, LB, MINUTE_MS, node, SERVICE, World } from './service-world.ts';

/** A world in which somebody else made the L4 load balancer, as the Go program does: finalizer and address are in the Service. */
async function ofTheGoProgram(service: Service = SERVICE): Promise<World> {
  const world = new World(service);
  await world.sync();
  world.start();
  world.takeWrites();
  world.events.take();
  return world;
}

describe('an L4 load balancer of the Go program', () => {
  it('is taken over without any change, event or write', async () => {
    const world = await ofTheGoProgram(annotated('accounting-type', '2'));
    await world.sync();
    expect([world.takeWrites(), world.events.take()]).to.deep.equal([[], []]);
  });

  it('is taken over with bandwidth, accounting, balancing and check times as somebody tuned them', async () => {
    const world = await ofTheGoProgram();
    const balancer = world.cloud.balancers.get(LB)!;
    Object.assign(balancer, { networkVolumeMbps: 300, nextMonthAccountingType: '2' });
    Object.assign(balancer.listeners[0]!, {
      balancingType: 2,
      healthCheck: { target: 'TCP:30080', intervalSeconds: 77, unhealthyThreshold: 5 },
    });
    await world.sync();
    expect(world.takeWrites()).to.deep.equal([]);
  });

  it('is finished when the Go program died after its first call, which it would never do itself (E7 #10)', async () => {
    const world = await ofTheGoProgram();
    Object.assign(world.cloud.balancers.get(LB)!.listeners[0]!, {
      healthCheck: { target: 'ICMP', intervalSeconds: 5, unhealthyThreshold: 1 },
      targets: [],
    });
    await world.sync();
    expect(world.targets()).to.deep.equal(['node01', 'node02']);
    expect(world.cloud.balancers.get(LB)?.listeners[0]?.healthCheck?.target).to.equal('TCP:30080');
  });

  it('is finished when the Go program died before it wrote down the address', async () => {
    const world = await ofTheGoProgram();
    world.api.edit((one) => ({ ...one, status: {} }));
    await world.sync();
    expect(world.ingress).to.deep.equal([{ ip: world.vip }]);
    expect(world.cloud.balancers.size).to.equal(1);
  });
});

describe('a Service that goes without being let go', () => {
  it('leaves no load balancer behind when somebody took the finalizer (A5)', async () => {
    const world = new World();
    world.run();
    await world.clock.advance(0);
    world.events.take();
    world.api.services.store('default/web', undefined);
    await world.clock.advance(0);
    expect(world.cloud.balancers.size).to.equal(0);
    expect(world.events.take()).to.deep.equal([
      'Normal DeletingLoadBalancer: Deleting load balancer',
      'Normal DeletedLoadBalancer: Deleted load balancer',
    ]);
    world.stop.abort();
  });

  it('leaves none to its successor of the same name, which gets its own (A5)', async () => {
    const world = new World();
    world.run();
    await world.clock.advance(0);
    const uid = '99999999-4e5f-6071-8293-a4b5c6d7e8f9';
    world.api.addService({ ...SERVICE, metadata: { ...SERVICE.metadata, uid } });
    await world.clock.advance(0);
    expect([...world.cloud.balancers.keys()]).to.deep.equal(['999999994e5f607']);
    world.stop.abort();
  });

  it('has its load balancer deleted later when the cloud refuses at first', async () => {
    const world = new World();
    world.run();
    await world.clock.advance(0);
    world.events.take();
    world.cloud.refuse = () => 'Client.Inoperable.LoadBalancer.Odd';
    world.api.services.store('default/web', undefined);
    await world.clock.advance(0);
    expect(world.events.take().at(-1)).to.match(/^Warning DeleteLoadBalancerFailed: Error deleting load balancer: /);
    world.cloud.refuse = () => undefined;
    await world.clock.advance(MINUTE_MS);
    expect(world.cloud.balancers.size).to.equal(0);
    world.stop.abort();
  });

  it('that was let go costs no further call', async () => {
    const world = new World();
    world.run();
    await world.clock.advance(0);
    world.api.deleteService();
    await world.clock.advance(0);
    const { lists } = world.cloud;
    await world.clock.advance(MINUTE_MS);
    expect([world.cloud.lists, world.api.service()]).to.deep.equal([lists, undefined]);
    world.stop.abort();
  });
});

describe('the metrics of the service controller', () => {
  it('count comparisons that are due to nodes, and those that failed', async () => {
    const outcomes: string[] = [];
    const world = new World(SERVICE, {
      metrics: { hostsUpdated: (_, outcome) => outcomes.push(outcome), orphans: () => {} },
    });
    world.run();
    await world.clock.advance(0);
    expect(outcomes).to.deep.equal([]);
    world.addServer('node03');
    world.api.addNode(node('node03'));
    await world.clock.advance(0);
    world.cloud.refuse = () => 'Client.Inoperable.LoadBalancer.Odd';
    world.api.nodes.store('node01', undefined);
    await world.clock.advance(0);
    expect(outcomes).to.deep.equal(['ok', 'error']);
    expect(world.api.service()?.metadata.finalizers).to.deep.equal([CLEANUP_FINALIZER]);
    world.stop.abort();
  });
});
