import { expect } from 'chai';
import { CLEANUP_FINALIZER } from '../../../ccm/service-change.ts';
import { annotated, LB, MINUTE_MS, SERVICE, World } from './service-world.ts';

const ELASTIC = annotated('type', 'elb');

describe('a dry run', () => {
  for (const [kind, service] of [
    ['L4', SERVICE],
    ['elastic', ELASTIC],
  ] as const) {
    it(`says once what it would make for a Service with an ${kind} load balancer, and changes nothing anywhere`, async () => {
      const world = new World(service, { dryRun: true });
      world.run();
      await world.clock.advance(25 * MINUTE_MS);
      expect(world.takeWrites()).to.deep.equal([]);
      const events = world.events.take();
      expect(events).to.have.length(1);
      expect(events[0]).to.match(/^Normal PlannedChange: Not done because of --dry-run: create .*30080/);
      expect(world.log.lines).to.include('Planned, not done');
      world.stop.abort();
    });

    it(`says what deleting a Service with an ${kind} load balancer would take away`, async () => {
      const world = new World(service);
      world.run();
      await world.clock.advance(MINUTE_MS);
      world.stop.abort();
      Object.assign(world.flags, { dryRun: true });
      const controller = world.start();
      world.takeWrites();
      world.events.take();
      world.api.deleteService();
      await controller.reconcile({ namespace: 'default', name: 'web' }, new AbortController().signal);
      expect(world.takeWrites()).to.deep.equal([]);
      expect(world.events.take().join('\n'))
        .to.match(/^Normal PlannedChange: .*(delete-listener|revoke)/)
        .and.to.include(CLEANUP_FINALIZER);
      expect(world.api.service()?.metadata.finalizers).to.deep.equal([CLEANUP_FINALIZER]);
    });

    it(`has nothing to say about an ${kind} load balancer that is right`, async () => {
      const world = new World(service);
      world.run();
      await world.clock.advance(MINUTE_MS);
      world.stop.abort();
      Object.assign(world.flags, { dryRun: true });
      const controller = world.start();
      world.events.take();
      await controller.reconcile({ namespace: 'default', name: 'web' }, new AbortController().signal);
      expect(world.events.take()).to.deep.equal([]);
    });
  }

  it('names the firewall rules that an elastic load balancer is going to need, before that has an address', async () => {
    const world = new World(ELASTIC, { dryRun: true });
    await world.sync();
    const [event = ''] = world.events.take();
    for (const group of ['fwnode01', 'fwnode02']) {
      const rules = '\\[TCP 30080 from address of the load balancer, TCP 30080 from first system address, ';
      expect(event).to.match(new RegExp(`create .*authorize group=${group} rules=${rules}.*register-targets`));
    }
  });

  it('names both sides of a change of the kind', async () => {
    const world = new World();
    await world.sync();
    Object.assign(world.flags, { dryRun: true });
    world.start();
    world.takeWrites();
    world.events.take();
    world.api.edit((one) => annotated('type', 'elb', one));
    await world.sync();
    expect(world.takeWrites()).to.deep.equal([]);
    expect(world.events.take().join('\n')).to.match(/create .*30080.*delete-listener/);
  });
});

describe('a Service with the annotation paused', () => {
  it('is left as it is, with events about what would be done; others are served', async () => {
    const world = new World(annotated('paused', 'true'));
    const uid = '99999999-4e5f-6071-8293-a4b5c6d7e8f9';
    world.api.addService({ ...SERVICE, metadata: { ...SERVICE.metadata, name: 'other', uid } });
    world.run();
    await world.clock.advance(MINUTE_MS);
    expect([...world.cloud.balancers.keys()]).to.deep.equal(['999999994e5f607']);
    expect(world.events.take().filter((one) => one.includes('Planned'))[0]).to.match(
      /^Normal PlannedChange: Not done because of annotation .*nifcloud-load-balancer-paused: create/,
    );
    world.stop.abort();
  });

  it('goes on when the annotation goes', async () => {
    const world = new World(annotated('paused', 'true'));
    world.run();
    await world.clock.advance(MINUTE_MS);
    world.api.edit((one) => annotated('paused', 'false', one));
    await world.clock.advance(MINUTE_MS);
    expect(world.targets()).to.deep.equal(['node01', 'node02']);
    world.stop.abort();
  });

  it('repeats a plan when it is another one', async () => {
    const world = new World();
    await world.sync();
    world.events.take();
    world.api.edit((one) => annotated('paused', 'true', annotated('healthcheck-interval', '42', one)));
    await world.sync();
    await world.sync();
    world.api.edit((one) => annotated('healthcheck-interval', '43', one));
    await world.sync();
    const events = world.events.take();
    expect(events).to.have.length(2);
    expect(events[0]).to.match(/PlannedChange: .*configure-health-check .*42/);
    expect(events[1]).to.match(/PlannedChange: .*43/);
    expect(world.cloud.balancers.get(LB)?.listeners[0]?.healthCheck?.intervalSeconds).to.equal(10);
  });
});

describe('a Service with a loadBalancerClass', () => {
  const classed = { ...SERVICE, spec: { ...SERVICE.spec, loadBalancerClass: 'example.com/ours' } };

  it('is served when the class is ours', async () => {
    const world = new World(classed, { loadBalancerClass: 'example.com/ours' });
    world.run();
    await world.clock.advance(0);
    expect(world.targets()).to.deep.equal(['node01', 'node02']);
    world.stop.abort();
  });

  it('is left alone otherwise, while Services without a class are served', async () => {
    const world = new World(classed, { loadBalancerClass: 'example.com/another' });
    const uid = '99999999-4e5f-6071-8293-a4b5c6d7e8f9';
    world.api.addService({ ...SERVICE, metadata: { ...SERVICE.metadata, name: 'other', uid } });
    world.run();
    await world.clock.advance(MINUTE_MS);
    expect([...world.cloud.balancers.keys()]).to.deep.equal(['999999994e5f607']);
    world.stop.abort();
  });

  it('of somebody else is cleaned up when it goes with our finalizer on (A5)', async () => {
    const metadata = { ...classed.metadata, finalizers: [CLEANUP_FINALIZER] };
    const world = new World({ ...classed, metadata });
    world.api.deleteService();
    await world.sync();
    expect(world.api.service()).to.equal(undefined);
  });
});
