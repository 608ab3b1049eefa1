import { expect } from 'chai';
import { ANNOTATION_PREFIX } from '../../../ccm/cloud/annotations.ts';
import { CLEANUP_FINALIZER } from '../../../ccm/service-change.ts';
import { NifcloudError } from '../../../nifcloud/errors.ts';
import { annotated, LB, MINUTE_MS, node, server, SERVICE, World } from './service-world.ts';

describe('a Service of type LoadBalancer', () => {
  it('gets a load balancer with its servers, the finalizer, its address and the events of the framework', async () => {
    const world = new World();
    await world.sync();
    expect(world.targets()).to.deep.equal(['node01', 'node02']);
    expect(world.cloud.balancers.get(LB)?.listeners[0]).to.deep.include({
      instancePort: 30080,
      healthCheck: { target: 'TCP:30080', intervalSeconds: 10, unhealthyThreshold: 1 },
      filter: { type: 'allow', addresses: [] },
    });
    expect(world.api.service()?.metadata.finalizers).to.deep.equal([CLEANUP_FINALIZER]);
    expect(world.ingress).to.deep.equal([{ ip: world.vip }]);
    expect(world.events.take()).to.deep.equal([
      'Normal EnsuringLoadBalancer: Ensuring load balancer',
      'Normal EnsuredLoadBalancer: Ensured load balancer',
    ]);
  });

  it('that is right costs two reads of the cloud, no write and no event', async () => {
    const world = new World();
    await world.sync();
    world.events.take();
    world.takeWrites();
    world.cloud.lists = 0;
    world.serverLists = 0;
    world.start();
    expect(await world.sync()).to.deep.equal({ requeueAfterMs: 10 * MINUTE_MS });
    expect([world.cloud.lists, world.serverLists, world.takeWrites(), world.events.take()]).to.deep.equal([
      1,
      1,
      [],
      [],
    ]);
  });

  it('is looked at again every ten minutes, and drift is repaired with nothing else happening (E7 #13)', async () => {
    const world = new World();
    world.run();
    await world.clock.advance(0);
    world.cloud.balancers.get(LB)!.listeners[0]!.targets = [];
    world.cloud.balancers.get(LB)!.listeners[0]!.filter = { type: 'deny', addresses: [] };
    await world.clock.advance(10 * MINUTE_MS);
    expect(world.targets()).to.deep.equal(['node01', 'node02']);
    expect(world.cloud.balancers.get(LB)!.listeners[0]!.filter.type).to.equal('allow');
    world.stop.abort();
  });

  it('gets its load balancer back when somebody deletes that by hand (E7 #26)', async () => {
    const world = new World();
    await world.sync();
    world.cloud.balancers.clear();
    await world.sync();
    expect(world.vip).to.equal('203.0.113.2');
    expect(world.ingress).to.deep.equal([{ ip: '203.0.113.2' }]);
  });

  it('has its load balancer changed when its annotations change, and only in what they state (E7 #11)', async () => {
    const world = new World();
    await world.sync();
    Object.assign(world.cloud.balancers.get(LB)!, { nextMonthAccountingType: '2' });
    world.api.edit((one) => {
      const changed = annotated('balancing-type', '2', annotated('network-volume', '200', one));
      return annotated('healthcheck-protocol', 'ICMP', annotated('healthcheck-unhealthy-threshold', '3', changed));
    });
    await world.sync();
    const { listeners, ...balancer } = world.cloud.balancers.get(LB)!;
    expect(balancer).to.include({ networkVolumeMbps: 200, nextMonthAccountingType: '2', vip: '203.0.113.1' });
    expect(listeners[0]).to.deep.include({
      balancingType: 2,
      healthCheck: { target: 'ICMP', intervalSeconds: 10, unhealthyThreshold: 3 },
    });
    expect(world.targets()).to.deep.equal(['node01', 'node02']);
  });

  it('gets the finalizer back when somebody takes it', async () => {
    const world = new World();
    await world.sync();
    world.api.edit((one) => ({ ...one, metadata: { ...one.metadata, finalizers: [] } }));
    await world.sync();
    expect(world.api.service()?.metadata.finalizers).to.deep.equal([CLEANUP_FINALIZER]);
  });

  it('that changes in no way that matters costs no call', async () => {
    const world = new World();
    world.run();
    await world.clock.advance(0);
    world.cloud.lists = 0;
    world.api.edit((one) => ({ ...one, metadata: { ...one.metadata, labels: { a: 'b' } } }));
    await world.clock.advance(0);
    expect(world.cloud.lists).to.equal(0);
    world.stop.abort();
  });

  it('of another load balancer class is left alone', async () => {
    const world = new World({ ...SERVICE, spec: { ...SERVICE.spec, loadBalancerClass: 'example.com/other' } });
    await world.sync();
    expect([world.cloud.lists, world.takeWrites(), world.events.take()]).to.deep.equal([0, [], []]);
  });

  it('that is on its way out without our finalizer is left alone', async () => {
    const metadata = { ...SERVICE.metadata, deletionTimestamp: '2025-01-02T03:04:05Z', finalizers: ['other'] };
    const world = new World({ ...SERVICE, metadata });
    await world.sync();
    expect([world.cloud.lists, world.takeWrites(), world.events.take()]).to.deep.equal([0, [], []]);
  });

  it('keeps the address that the API server completed with an ipMode', async () => {
    const world = new World();
    await world.sync();
    world.api.edit((one) => ({ ...one, status: { loadBalancer: { ingress: [{ ip: world.vip!, ipMode: 'VIP' }] } } }));
    world.takeWrites();
    await world.sync();
    expect(world.takeWrites()).to.deep.equal([]);
  });
});

describe('a Service that asks for what cannot be', () => {
  it('gets an event with key, value and what is allowed; the cloud is not asked', async () => {
    const world = new World(annotated('network-volume', '15'));
    await world.failingSync();
    expect(world.events.take()).to.deep.equal([
      'Warning SyncLoadBalancerFailed: Error syncing load balancer: failed to ensure load balancer: ' +
        `annotation ${ANNOTATION_PREFIX}network-volume=15 is invalid: allowed are 10, 20, 30, 40 and 100 to 2000 in steps of 100`,
    ]);
    expect([world.cloud.lists, world.serverLists, world.takeWrites()]).to.deep.equal([0, 0, []]);
  });

  it('keeps a load balancer that it has, with everything else served, and is told once (E7 #9)', async () => {
    const world = new World();
    await world.sync();
    world.events.take();
    world.api.edit((one) => annotated('type', 'elv', annotated('healthcheck-interval', '42', one)));
    world.addServer('node03');
    world.api.addNode(node('node03'));
    await world.sync();
    await world.sync();
    expect(world.targets()).to.deep.equal(['node01', 'node02', 'node03']);
    expect(world.cloud.balancers.get(LB)?.listeners[0]?.healthCheck?.intervalSeconds).to.equal(42);
    const warnings = world.events.take().filter((line) => line.startsWith('Warning'));
    expect(warnings).to.have.length(1);
    expect(warnings[0]).to.match(/LoadBalancerSettingSkipped: .*type=elv is invalid.*keeps what it has/);
  });

  it('is not opened to the world because its ranges are refused', async () => {
    const world = new World();
    world.api.edit((one) => ({ ...one, spec: { ...one.spec, loadBalancerSourceRanges: ['192.0.2.0/24'] } }));
    await world.sync();
    const ranges = Array.from({ length: 31 }, (_, n) => `198.51.100.${n}/32`);
    world.api.edit((one) => ({ ...one, spec: { ...one.spec, loadBalancerSourceRanges: ranges } }));
    await world.sync();
    expect(world.cloud.balancers.get(LB)?.listeners[0]?.filter.addresses).to.deep.equal(['192.0.2.0/24']);
  });

  it('keeps its address and its other port while the cloud refuses to change a node port in place', async () => {
    const ports = [
      { name: 'http', protocol: 'TCP' as const, port: 80, nodePort: 30080 },
      { name: 'https', protocol: 'TCP' as const, port: 443, nodePort: 30443 },
    ];
    const world = new World({ ...SERVICE, spec: { ...SERVICE.spec, ports } });
    await world.sync();
    const { vip } = world;
    world.cloud.refuse = (action) =>
      action === 'UpdateLoadBalancer' ? 'Client.Inoperable.LoadBalancer.Odd' : undefined;
    world.api.edit((one) => ({ ...one, spec: { ...one.spec, ports: [ports[0]!, { ...ports[1]!, nodePort: 31443 }] } }));
    world.addServer('node03');
    world.api.addNode(node('node03'));
    await world.failingSync();
    expect(world.targets()).to.deep.equal(['node01', 'node02', 'node03']);
    expect([world.vip, world.ingress]).to.deep.equal([vip, [{ ip: vip }]]);
    expect(world.events.take().at(-1)).to.match(/^Warning SyncLoadBalancerFailed: .*UpdateLoadBalancer: .*Odd/);
    world.cloud.refuse = () => undefined;
    await world.sync();
    expect(world.targets(443)).to.deep.equal(['node01', 'node02', 'node03']);
    expect(world.cloud.balancers.get(LB)?.listeners.map((one) => one.instancePort)).to.have.members([30080, 31443]);
  });

  it('is told so, and nothing of hosts, when a node comes', async () => {
    const world = new World(annotated('network-volume', '15'));
    world.run();
    await world.clock.advance(0);
    world.events.take();
    world.api.addNode(node('node03'));
    await world.clock.advance(0);
    expect(world.events.take()[0]).to.match(/^Warning SyncLoadBalancerFailed/);
    world.stop.abort();
  });

  it('recovers as soon as it is corrected', async () => {
    const world = new World(annotated('network-volume', '15'));
    world.run();
    await world.clock.advance(20 * MINUTE_MS);
    world.api.edit((one) => annotated('network-volume', '100', one));
    await world.clock.advance(0);
    expect(world.cloud.balancers.get(LB)?.networkVolumeMbps).to.equal(100);
    world.stop.abort();
  });
});

describe('the nodes behind a load balancer', () => {
  it('follow the cluster, with the events of the framework', async () => {
    const world = new World();
    world.run();
    await world.clock.advance(0);
    world.events.take();
    world.addServer('node03');
    world.api.addNode(node('node03'));
    await world.clock.advance(0);
    expect(world.targets()).to.deep.equal(['node01', 'node02', 'node03']);
    world.api.nodes.store('node01', undefined);
    await world.clock.advance(0);
    expect(world.targets()).to.deep.equal(['node02', 'node03']);
    expect(world.events.take()).to.deep.equal([
      'Normal UpdatedLoadBalancer: Updated load balancer with new hosts',
      'Normal UpdatedLoadBalancer: Updated load balancer with new hosts',
    ]);
    world.stop.abort();
  });

  it('that change in no way that matters cost no call', async () => {
    const world = new World();
    world.run();
    await world.clock.advance(0);
    world.cloud.lists = 0;
    const excluded = node('node03', { labels: { 'node.kubernetes.io/exclude-from-external-load-balancers': '' } });
    world.api.addNode(excluded);
    world.api.addNode({ ...node('node02'), status: { conditions: [{ type: 'Ready', status: 'False' }] } });
    await world.clock.advance(0);
    expect(world.cloud.lists).to.equal(0);
    world.stop.abort();
  });

  it('that change together with the Service do not hide the change of the Service', async () => {
    const world = new World();
    await world.sync();
    world.api.edit((one) => annotated('healthcheck-interval', '42', one));
    world.api.addNode(node('node03', { labels: { 'node.kubernetes.io/exclude-from-external-load-balancers': '' } }));
    world.run();
    await world.clock.advance(0);
    expect(world.cloud.balancers.get(LB)?.listeners[0]?.healthCheck?.intervalSeconds).to.equal(42);
    world.stop.abort();
  });

  it('stay registered when the cluster shows no node at all, and a warning says so (E7 #2)', async () => {
    const world = new World();
    await world.sync();
    world.events.take();
    for (const name of ['node01', 'node02']) world.api.nodes.store(name, undefined);
    world.takeWrites();
    await world.sync();
    expect(world.targets()).to.deep.equal(['node01', 'node02']);
    expect(world.takeWrites()).to.deep.equal([]);
    expect(world.events.take()).to.deep.equal([
      'Warning UnAvailableLoadBalancer: There are no available nodes for LoadBalancer',
    ]);
  });

  it('are served although the cloud does not know one of them, which is named (E7 #19)', async () => {
    const world = new World();
    world.api.addNode({ metadata: { name: 'onprem' } });
    await world.sync();
    expect(world.targets()).to.deep.equal(['node01', 'node02']);
    expect(world.events.take()[0]).to.match(/^Warning NodesNotInCloud: .*\[onprem\]$/);
  });

  it('stay registered when the cloud suddenly lists none of their servers', async () => {
    const world = new World();
    await world.sync();
    world.servers = [server('stranger')];
    world.takeWrites();
    await world.sync();
    expect(world.takeWrites()).to.deep.equal([]);
  });

  it('are registered although one of their servers is being processed, which comes later', async () => {
    const world = new World();
    const BUSY = 'Server.ResourceIncorrectState.Instance.Processing';
    world.cloud.refuse = (_, serverNames) => (serverNames.includes('node01') ? BUSY : undefined);
    expect(await world.sync()).to.deep.equal({ requeueAfterMs: 15_000 });
    expect(world.targets()).to.deep.equal(['node02']);
    expect(world.ingress).to.deep.equal([{ ip: world.vip }]);
    world.cloud.refuse = () => undefined;
    await world.sync();
    expect(world.targets()).to.have.members(['node01', 'node02']);
    expect(world.events.take()).to.deep.equal([
      'Normal EnsuringLoadBalancer: Ensuring load balancer',
      'Normal EnsuredLoadBalancer: Ensured load balancer',
    ]);
  });

  it('that cannot be registered are reported with the names of the set', async () => {
    const world = new World();
    world.run();
    await world.clock.advance(0);
    world.events.take();
    world.cloud.refuse = (_, serverNames) =>
      serverNames.includes('node03') ? 'Client.Inoperable.Instance.Odd' : undefined;
    world.addServer('node03');
    world.api.addNode(node('node03'));
    await world.clock.advance(0);
    expect(world.events.take()).to.deep.equal([
      'Warning UpdateLoadBalancerFailed: Error updating load balancer with new hosts [node01 node02 node03] ' +
        '[node names limited, total number of nodes: 3], error: failed to ensure load balancer: ' +
        'RegisterInstancesWithLoadBalancer: Client.Inoperable.Instance.Odd',
    ]);
    world.stop.abort();
  });
});

describe('a load balancer of the right name', () => {
  const foreign = {
    name: LB,
    vip: '198.51.100.77',
    networkVolumeMbps: 10,
    accountingType: '1',
    nextMonthAccountingType: '1',
    policyType: 'standard',
    zones: [],
    createdAt: '',
    listeners: [],
  };

  it('is not touched when nothing says that it is ours (E7 #16)', async () => {
    const world = new World();
    world.cloud.add(foreign);
    await world.failingSync();
    await world.failingSync();
    expect(world.takeWrites()).to.deep.equal([]);
    expect(world.events.take()[0]).to.match(/SyncLoadBalancerFailed: .*198\.51\.100\.77.* is not this Service's/);
  });

  it('is not touched when the Service has another address', async () => {
    const status = { loadBalancer: { ingress: [{ ip: '198.51.100.1' }] } };
    const world = new World({ ...SERVICE, metadata: { ...SERVICE.metadata, finalizers: [CLEANUP_FINALIZER] }, status });
    world.cloud.add(foreign);
    await world.failingSync();
    expect(world.takeWrites()).to.deep.equal([]);
  });

  it('is taken over from the Go program when the Service has its address', async () => {
    const world = new World({ ...SERVICE, status: { loadBalancer: { ingress: [{ ip: foreign.vip }] } } });
    world.cloud.add(foreign);
    await world.sync();
    expect(world.targets()).to.deep.equal(['node01', 'node02']);
    expect(world.vip).to.equal(foreign.vip);
  });

  it('is left to its owner when a Service is deleted that has another address', async () => {
    const status = { loadBalancer: { ingress: [{ ip: '198.51.100.1' }] } };
    const world = new World({ ...SERVICE, metadata: { ...SERVICE.metadata, finalizers: [CLEANUP_FINALIZER] }, status });
    world.cloud.add(foreign);
    world.api.deleteService();
    await world.sync();
    expect(world.vip).to.equal(foreign.vip);
    expect(world.api.service()).to.equal(undefined);
    expect(world.events.take()[0]).to.match(/^Warning LoadBalancerNotDeleted/);
  });
});

describe('deleting a Service', () => {
  it('deletes its load balancer, then lets go of the Service', async () => {
    const world = new World();
    await world.sync();
    world.events.take();
    world.api.deleteService();
    await world.sync();
    expect(world.cloud.balancers.size).to.equal(0);
    expect(world.api.service()).to.equal(undefined);
    expect(world.events.take()).to.deep.equal([
      'Normal DeletingLoadBalancer: Deleting load balancer',
      'Normal DeletedLoadBalancer: Deleted load balancer',
    ]);
  });

  it('works when load balancer and nodes are gone already', async () => {
    const world = new World();
    await world.sync();
    world.cloud.balancers.clear();
    world.servers = [];
    for (const name of ['node01', 'node02']) world.api.nodes.store(name, undefined);
    world.api.deleteService();
    await world.sync();
    expect(world.api.service()).to.equal(undefined);
  });

  it('is done when the Service goes by itself before it is let go', async () => {
    const world = new World();
    await world.sync();
    world.api.deleteService();
    world.api.services.lagging = true;
    world.api.interrupt = (moment) => {
      if (moment === 'before') world.api.services.store('default/web', undefined);
    };
    expect(await world.sync()).to.deep.equal({});
    expect(world.events.take().at(-1)).to.equal('Normal DeletedLoadBalancer: Deleted load balancer');
  });

  it('works for a Service whose annotations are no longer valid', async () => {
    const world = new World();
    await world.sync();
    world.api.edit((one) => annotated('network-volume', '15', annotated('type', 'elb', one)));
    world.api.deleteService();
    await world.sync();
    expect([world.cloud.balancers.size, world.api.service()]).to.deep.equal([0, undefined]);
  });

  it('keeps the finalizer while a port cannot be deleted', async () => {
    const world = new World();
    await world.sync();
    world.api.deleteService();
    world.cloud.refuse = (action) =>
      action === 'DeleteLoadBalancer' ? 'Client.Inoperable.LoadBalancer.Odd' : undefined;
    expect((await world.failingSync()).message).to.equal('failed to delete load balancer');
    expect(world.api.service()?.metadata.finalizers).to.deep.equal([CLEANUP_FINALIZER]);
  });

  it('does not let go of the Service while the cloud shows its load balancer without an address', async () => {
    const world = new World();
    await world.sync();
    const { vip } = world;
    world.api.deleteService();
    world.cloud.balancers.get(LB)!.vip = '';
    await world.failingSync();
    expect(world.api.service()?.metadata.finalizers).to.deep.equal([CLEANUP_FINALIZER]);
    world.cloud.balancers.get(LB)!.vip = vip!;
    await world.sync();
    expect([world.cloud.balancers.size, world.api.service()]).to.deep.equal([0, undefined]);
  });

  it('happens as well when the type changes; address and finalizer go', async () => {
    const world = new World();
    await world.sync();
    world.api.edit((one) => ({ ...one, spec: { ...one.spec, type: 'ClusterIP' } }));
    await world.sync();
    expect(world.cloud.balancers.size).to.equal(0);
    expect(world.ingress).to.equal(undefined);
    expect(world.api.service()?.metadata.finalizers).to.deep.equal([]);
  });
});

describe('a cache that lags behind', () => {
  it('does not make a load balancer for a Service that is gone', async () => {
    const world = new World();
    world.api.services.lagging = true;
    world.api.deleteService();
    expect(await world.sync()).to.deep.equal({ requeueAfterMs: 1_000 });
    expect([world.takeWrites(), world.events.take()]).to.deep.equal([[], []]);
  });

  it('does not call a load balancer foreign that was just made', async () => {
    const world = new World();
    world.api.services.lagging = true;
    await world.sync();
    world.events.take();
    expect(await world.sync()).to.deep.equal({ requeueAfterMs: 1_000 });
    expect(world.events.take()).to.deep.equal([]);
    world.api.services.catchUp();
    expect(await world.sync()).to.deep.equal({ requeueAfterMs: 10 * MINUTE_MS });
  });

  it('does not write or announce an address that was just written', async () => {
    const world = new World({ ...SERVICE, metadata: { ...SERVICE.metadata, finalizers: [CLEANUP_FINALIZER] } });
    world.api.services.lagging = true;
    await world.sync();
    world.events.take();
    world.takeWrites();
    expect(await world.sync()).to.deep.equal({ requeueAfterMs: 1_000 });
    expect([world.takeWrites(), world.events.take()]).to.deep.equal([[], []]);
  });

  it('does not delete the load balancer of a Service that became one again', async () => {
    const world = new World();
    await world.sync();
    world.api.edit((one) => ({ ...one, spec: { ...one.spec, type: 'ClusterIP' } }));
    world.api.services.lagging = true;
    world.api.edit((one) => ({ ...one, spec: { ...one.spec, type: 'LoadBalancer' } }));
    expect(await world.sync()).to.deep.equal({ requeueAfterMs: 1_000 });
    expect(world.vip).to.equal('203.0.113.1');
  });
});

describe('the queue of Services', () => {
  it('never works on one Service twice at once (A15)', async () => {
    const world = new World();
    let running = 0;
    let most = 0;
    world.cloud.interrupt = (moment) => {
      running += moment === 'before' ? 1 : -1;
      most = Math.max(most, running);
    };
    world.run();
    for (let n = 3; n < 9; n++) {
      world.addServer(`node0${n}`);
      world.api.addNode(node(`node0${n}`));
      world.api.edit((one) => annotated('healthcheck-interval', String(10 + n), one));
    }
    world.api.deleteService();
    await world.clock.advance(10_000);
    expect(most).to.be.at.most(1);
    expect([world.cloud.balancers.size, world.api.service()]).to.deep.equal([0, undefined]);
    world.stop.abort();
  });

  it('tries a failing one again after 5, 10, 20 … seconds, five minutes at most', async () => {
    const world = new World(annotated('network-volume', '15'));
    world.run();
    const tries: number[] = [];
    for (let second = 0; second <= 1300; second += 5) {
      await world.clock.advance(second === 0 ? 0 : 5_000);
      for (const _ of world.events.take()) tries.push(second);
    }
    expect(tries).to.deep.equal([0, 5, 15, 35, 75, 155, 315, 615, 915, 1215]);
    world.stop.abort();
  });

  it('stops without a word when the program stops', async () => {
    const world = new World();
    world.cloud.interrupt = () => {
      world.stop.abort(new Error('stopped by SIGTERM'));
      throw world.stop.signal.reason as Error;
    };
    world.run();
    await world.clock.advance(10 * MINUTE_MS);
    expect(world.events.take()).to.deep.equal(['Normal EnsuringLoadBalancer: Ensuring load balancer']);
  });

  it('reports throttling and tries again, having changed nothing more', async () => {
    const world = new World();
    world.cloud.interrupt = (moment, action) => {
      if (moment !== 'before' || action !== 'SetFilterForLoadBalancer') return;
      throw new NifcloudError({ action, code: 'Client.Throttling', detail: 'slow down', outcome: 'refused' });
    };
    world.api.edit((one) => ({ ...one, spec: { ...one.spec, loadBalancerSourceRanges: ['192.0.2.0/24'] } }));
    await world.failingSync();
    expect(world.targets()).to.deep.equal([]);
    expect(world.events.take().at(-1)).to.match(/SyncLoadBalancerFailed: .*Client\.Throttling: slow down/);
  });
});
