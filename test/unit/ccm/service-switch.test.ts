import { expect } from 'chai';
import type { Service } from '../../../kube/types.ts';
import { annotated, LB, MINUTE_MS, node, SERVICE, World } from './service-world.ts';

const ELASTIC = annotated('type', 'elb');
const L4_VIP = '203.0.113.1';
const ELASTIC_VIP = '198.51.100.1';

const bothServe = (world: World): boolean =>
  (world.elastic.balancers.get(LB)?.listeners[0]?.targets.length ?? 0) === 2 && world.targets()?.length === 2;

/** Kills the program after its n-th change of any API. @returns whether that has happened */
function dieAfter(world: World, nth: number): () => boolean {
  let changes = 0;
  const interrupt = (moment: 'before' | 'after'): void => {
    if (moment === 'before') return;
    changes += 1;
    if (changes !== nth) return;
    world.stop.abort(new Error('killed'));
    throw new Error('killed');
  };
  for (const api of [world.cloud, world.elastic, world.api]) Object.assign(api, { interrupt });
  return () => changes >= nth;
}

describe('a Service whose type annotation changes', () => {
  let world: World;
  afterEach(() => world.stop.abort());

  it('from lb to elb keeps its L4 load balancer until the elastic one serves, and no longer (E7 #9)', async () => {
    world = new World();
    world.run();
    await world.clock.advance(MINUTE_MS);
    world.events.take();
    const atDeletion: unknown[] = [];
    world.cloud.interrupt = (moment, action) => {
      if (moment === 'before' && action === 'DeleteLoadBalancer') atDeletion.push([bothServe(world), world.ingress]);
    };
    world.api.edit((one) => annotated('type', 'elb', one));
    await world.clock.advance(2 * MINUTE_MS);
    expect(atDeletion).to.deep.equal([[true, [{ ip: ELASTIC_VIP }, { ip: L4_VIP }]]]);
    expect([world.cloud.balancers.size, world.elastic.balancers.size]).to.deep.equal([0, 1]);
    expect(world.ingress).to.deep.equal([{ ip: ELASTIC_VIP }]);
    expect(world.events.take()).to.deep.equal([
      'Normal EnsuringLoadBalancer: Ensuring load balancer',
      `Normal DeletingLoadBalancer: Deleting the L4 load balancer ${LB} (${L4_VIP}): the other kind serves now`,
      'Normal EnsuredLoadBalancer: Ensured load balancer',
    ]);
  });

  it('from elb to lb keeps its elastic load balancer until the L4 one serves; the firewall rules go with it (E7 #9)', async () => {
    world = new World(ELASTIC);
    world.run();
    await world.clock.advance(MINUTE_MS);
    world.events.take();
    let seen: unknown;
    world.elastic.interrupt = (moment) => {
      if (moment === 'before') seen ??= [bothServe(world), world.ingress];
    };
    world.api.edit((one) => annotated('type', 'lb', one));
    await world.clock.advance(2 * MINUTE_MS);
    expect(seen).to.deep.equal([true, [{ ip: L4_VIP }, { ip: ELASTIC_VIP }]]);
    expect([world.cloud.balancers.size, world.elastic.balancers.size]).to.deep.equal([1, 0]);
    expect([world.elastic.rules('fwnode01'), world.elastic.rules('fwnode02')]).to.deep.equal([[], []]);
    expect(world.ingress).to.deep.equal([{ ip: L4_VIP }]);
    const events = world.events.take();
    expect(events.filter((one) => one.startsWith('Warning'))).to.deep.equal([]);
    expect(events.at(-1)).to.equal('Normal EnsuredLoadBalancer: Ensured load balancer');
  });

  for (const [from, to] of [
    ['lb', 'elb'],
    ['elb', 'lb'],
  ] as const) {
    it(`from ${from} to ${to} ends the same when the program dies after any change`, async () => {
      for (let at = 1; ; at++) {
        world = new World(annotated('type', from));
        world.run();
        await world.clock.advance(MINUTE_MS);
        const died = dieAfter(world, at);
        world.api.edit((one) => annotated('type', to, one));
        await world.clock.advance(2 * MINUTE_MS);
        const successor = world.start();
        const stop = new AbortController();
        void successor.run(1, stop.signal);
        world.api.edit((one) => annotated('healthcheck-interval', '20', one));
        await world.clock.advance(4 * MINUTE_MS);
        expect([world.cloud.balancers.size, world.elastic.balancers.size], `after change ${at}`).to.deep.equal(
          to === 'lb' ? [1, 0] : [0, 1],
        );
        expect(world.ingress, `after change ${at}`).to.have.length(1);
        if (to === 'lb') expect(world.elastic.rules('fwnode01'), `after change ${at}`).to.deep.equal([]);
        stop.abort();
        if (!died()) break;
        expect(at).to.be.lessThan(60);
      }
    });
  }

  it('from lb to elb looks at its L4 load balancer when the change begins and when it ends, not at each tick', async () => {
    world = new World();
    world.run();
    await world.clock.advance(MINUTE_MS);
    world.cloud.lists = 0;
    world.api.edit((one) => annotated('type', 'elb', one));
    await world.clock.advance(2 * MINUTE_MS);
    expect(world.cloud.balancers.size).to.equal(0);
    expect(world.cloud.lists, 'found, about to be deleted, gone').to.equal(3);
  });

  it('from elb to lb looks at the L4 load balancer and the servers once, not while the elastic one goes', async () => {
    world = new World(ELASTIC);
    world.run();
    await world.clock.advance(MINUTE_MS);
    world.cloud.lists = 0;
    world.serverLists = 0;
    world.api.edit((one) => annotated('type', 'lb', one));
    await world.clock.advance(2 * MINUTE_MS);
    expect(world.elastic.balancers.size).to.equal(0);
    expect([world.cloud.lists, world.serverLists]).to.deep.equal([1, 1]);
  });

  it('sees a change of the nodes also while it waits for the other one to go', async () => {
    world = new World(ELASTIC);
    world.run();
    await world.clock.advance(MINUTE_MS);
    world.api.edit((one) => annotated('type', 'lb', one));
    await world.clock.advance(4_000);
    expect(world.elastic.balancers.size).to.equal(1);
    world.addServer('node03');
    world.api.addNode(node('node03'));
    await world.clock.advance(4_000);
    expect(world.targets()).to.deep.equal(['node01', 'node02', 'node03']);
  });

  it('from elb to lb ends well when the program dies after any change and somebody deletes the elastic one meanwhile', async () => {
    for (let at = 1; ; at++) {
      world = new World(ELASTIC);
      world.run();
      await world.clock.advance(MINUTE_MS);
      const died = dieAfter(world, at);
      world.api.edit((one) => annotated('type', 'lb', one));
      await world.clock.advance(2 * MINUTE_MS);
      world.elastic.balancers.clear();
      const stop = new AbortController();
      void world.start().run(1, stop.signal);
      world.api.edit((one) => annotated('healthcheck-interval', '20', one));
      await world.clock.advance(2 * MINUTE_MS);
      expect([world.cloud.balancers.size, world.targets()], `after change ${at}`).to.deep.equal([
        1,
        ['node01', 'node02'],
      ]);
      expect(world.ingress, `after change ${at}`).to.deep.equal([{ ip: world.vip }]);
      expect(world.elastic.rules('fwnode01'), `after change ${at}`).to.deep.equal([]);
      expect(world.api.service()?.status?.conditions ?? [], `after change ${at}`).to.deep.equal([]);
      stop.abort();
      if (!died()) break;
      expect(at).to.be.lessThan(60);
    }
  });

  it('and back again after a crash with the L4 one half-made leaves none of it', async () => {
    world = new World(ELASTIC);
    world.run();
    await world.clock.advance(MINUTE_MS);
    world.cloud.interrupt = (moment, action) => {
      if (moment !== 'after' || action !== 'CreateLoadBalancer') return;
      world.stop.abort(new Error('killed'));
      throw new Error('killed');
    };
    world.api.edit((one) => annotated('type', 'lb', one));
    await world.clock.advance(MINUTE_MS);
    expect(world.cloud.balancers.size).to.equal(1);
    world.cloud.interrupt = () => {};
    const stop = new AbortController();
    void world.start().run(1, stop.signal);
    world.api.edit((one) => annotated('type', 'elb', one));
    await world.clock.advance(2 * MINUTE_MS);
    expect([world.cloud.balancers.size, world.ingress]).to.deep.equal([0, [{ ip: ELASTIC_VIP }]]);
    expect(world.api.service()?.status?.conditions ?? []).to.deep.equal([]);
    stop.abort();
  });

  it('and that is deleted in the middle leaves neither behind (A15)', async () => {
    world = new World();
    world.run();
    await world.clock.advance(MINUTE_MS);
    world.api.edit((one) => annotated('type', 'elb', one));
    await world.clock.advance(4_000);
    expect([world.cloud.balancers.size, world.elastic.balancers.size]).to.deep.equal([1, 1]);
    world.events.take();
    world.elastic.transitionMs = 10_000; // so it is listed without listeners for a while
    world.api.deleteService();
    await world.clock.advance(2 * MINUTE_MS);
    expect([world.cloud.balancers.size, world.elastic.balancers.size, world.api.service()]).to.deep.equal([
      0,
      0,
      undefined,
    ]);
    expect(world.events.take()).to.deep.equal([
      'Normal DeletingLoadBalancer: Deleting load balancer',
      'Normal DeletedLoadBalancer: Deleted load balancer',
    ]);
  });

  it('and back in the middle keeps the load balancer that it had, address and all', async () => {
    world = new World();
    world.run();
    await world.clock.advance(MINUTE_MS);
    world.api.edit((one) => annotated('type', 'elb', one));
    await world.clock.advance(4_000);
    world.api.edit((one) => annotated('type', 'lb', one));
    await world.clock.advance(2 * MINUTE_MS);
    expect([world.vip, world.elastic.balancers.size, world.ingress]).to.deep.equal([L4_VIP, 0, [{ ip: L4_VIP }]]);
  });
});

const withSpec = (service: Service, spec: Partial<Service['spec']>): Service => ({
  ...service,
  spec: { ...service.spec, ...spec },
});

/** What stands in the way of a change of the kind, and goes. */
interface Obstacle {
  readonly what: string;
  readonly from: 'lb' | 'elb';
  /** In the event. */
  readonly says: RegExp;
  readonly before?: (service: Service) => Service;
  readonly after?: (service: Service) => Service;
  /** What the cloud refuses meanwhile. */
  readonly refuse?: (world: World) => () => void;
}

const UDP_PORT = 'a UDP port';
const UDP = { name: 'dns', protocol: 'UDP', port: 53, nodePort: 30053 } as const;
const [HTTP] = SERVICE.spec?.ports ?? [];

/** @returns what ends it */
function refuse(kind: 'cloud' | 'elastic', code: (action: string, servers: readonly string[]) => string | undefined) {
  return (world: World) => {
    world[kind].refuse = code;
    return () => {
      world[kind].refuse = () => undefined;
    };
  };
}

const OBSTACLES: readonly Obstacle[] = [
  {
    what: 'source ranges',
    from: 'lb',
    says: /loadBalancerSourceRanges=192\.0\.2\.0\/24 is invalid/,
    before: (one) => withSpec(one, { loadBalancerSourceRanges: ['192.0.2.0/24'] }),
    after: (one) => withSpec(one, { loadBalancerSourceRanges: [] }),
  },
  {
    what: UDP_PORT,
    from: 'elb',
    says: /ports\[1\]\.protocol=UDP is invalid/,
    before: (one) => withSpec(one, { ports: [HTTP!, UDP] }),
    after: (one) => withSpec(one, { ports: [HTTP!] }),
  },
  {
    what: 'a quota',
    from: 'lb',
    says: /Client\.ResourceLimitExceeded/,
    refuse: refuse('elastic', (action) => (action.startsWith('create') ? 'Client.ResourceLimitExceeded.X' : undefined)),
  },
  {
    what: 'a quota',
    from: 'elb',
    says: /Client\.ResourceLimitExceeded/,
    refuse: refuse('cloud', (action) =>
      action === 'CreateLoadBalancer' ? 'Client.ResourceLimitExceeded.X' : undefined,
    ),
  },
  {
    what: 'a server that it does not take',
    from: 'lb',
    says: /InvalidParameterNotFound\.Instance/,
    refuse: refuse('elastic', (_, ids) =>
      ids.includes('i-far') ? 'Client.InvalidParameterNotFound.Instance' : undefined,
    ),
  },
  {
    what: 'a server that it does not take',
    from: 'elb',
    says: /InvalidParameterNotFound\.Instance/,
    refuse: refuse('cloud', (_, names) =>
      names.includes('far') ? 'Client.InvalidParameterNotFound.Instance' : undefined,
    ),
  },
];

describe('a change of the type that can not be made yet', () => {
  let world: World;
  afterEach(() => world.stop.abort());

  /** Of all listeners. */
  const targetsOf = (type: 'lb' | 'elb'): string[][] => {
    const listeners = (type === 'lb' ? world.cloud : world.elastic).balancers.get(LB)?.listeners ?? [];
    return listeners.map((one) => one.targets.map((target) => target.serverName).toSorted());
  };

  /** Settled with node01, node02 and far, and then to become the other kind. */
  const stick = async ({ from, before, refuse: refused }: Partial<Obstacle>): Promise<() => void> => {
    world = new World(annotated('type', from ?? 'lb', before?.(SERVICE)));
    world.addServer('far');
    world.api.addNode(node('far'));
    world.run();
    await world.clock.advance(MINUTE_MS);
    world.events.take();
    const allow = refused?.(world);
    world.api.edit((one) => annotated('type', from === 'elb' ? 'lb' : 'elb', one));
    await world.clock.advance(11 * MINUTE_MS);
    return () => allow?.();
  };

  /** node03 and node04 for node01 and node02. */
  const replaceNodes = async (): Promise<void> => {
    for (const name of ['node03', 'node04']) {
      world.addServer(name);
      world.api.addNode(node(name));
    }
    await world.clock.advance(MINUTE_MS);
    for (const name of ['node01', 'node02']) world.api.nodes.store(name, undefined);
    await world.clock.advance(MINUTE_MS);
  };

  for (const obstacle of OBSTACLES) {
    const { what, from, says, after } = obstacle;
    const to = from === 'lb' ? 'elb' : 'lb';
    it(`from ${from} to ${to} because of ${what} leaves the published one with the nodes that there are`, async () => {
      const allow = await stick(obstacle);
      const vip = from === 'lb' ? L4_VIP : ELASTIC_VIP;
      await replaceNodes();
      const present = ['far', 'node03', 'node04'];
      expect(targetsOf(from)).to.deep.equal(what === UDP_PORT ? [present, present] : [present]);
      if (from === 'elb') expect(world.elastic.rules('fwnode03')).to.have.length.above(0);
      expect(world.ingress).to.deep.equal([{ ip: vip }]);
      const events = world.events.take();
      expect(events.filter((one) => says.test(one))).to.have.length.above(0);
      expect(events.join('\n')).not.to.match(/Deleting|SettingSkipped/);

      allow();
      world.api.edit((one) => annotated('healthcheck-interval', '20', after?.(one) ?? one));
      await world.clock.advance(2 * MINUTE_MS);
      expect([world.cloud.balancers.size, world.elastic.balancers.size]).to.deep.equal(to === 'lb' ? [1, 0] : [0, 1]);
      expect(targetsOf(to)).to.deep.equal([present]);
      expect(world.ingress).to.have.length(1);
      expect(world.api.service()?.status?.conditions ?? []).to.deep.equal([]);
      expect(world.events.take().at(-1)).to.equal('Normal EnsuredLoadBalancer: Ensured load balancer');
    });
  }

  it('lets the node ports and the filter of the published one follow the Service', async () => {
    await stick(OBSTACLES[0]!);
    world.api.edit((one) =>
      withSpec(one, { loadBalancerSourceRanges: ['198.51.100.0/24'], ports: [{ ...HTTP!, nodePort: 31080 }] }),
    );
    await world.clock.advance(1_000);
    const [listener] = world.cloud.balancers.get(LB)?.listeners ?? [];
    expect([listener?.instancePort, listener?.filter.addresses]).to.deep.equal([31080, ['198.51.100.0/24']]);
  });

  it('names also what the published one is refused', async () => {
    await stick(OBSTACLES[0]!);
    world.cloud.refuse = (_, names) =>
      names.includes('node03') ? 'Client.InvalidParameterNotFound.Instance' : undefined;
    await replaceNodes();
    expect(world.targets()).to.deep.equal(['far', 'node04']);
    expect(world.events.take().at(-1)).to.match(/loadBalancerSourceRanges=.*InvalidParameterNotFound\.Instance/);
  });

  it('changes nothing while the Service is paused', async () => {
    await stick(OBSTACLES[0]!);
    world.api.edit((one) => annotated('paused', 'true', one));
    await world.clock.advance(MINUTE_MS);
    world.takeWrites();
    await replaceNodes();
    expect(world.takeWrites()).to.deep.equal([]);
  });

  it('does not make the published one anew when somebody deletes it meanwhile', async () => {
    await stick(OBSTACLES[0]!);
    world.cloud.interrupt = (moment, action) => {
      if (moment === 'after' && action === 'UpdateLoadBalancer') world.cloud.balancers.clear();
    };
    world.api.edit((one) => withSpec(one, { ports: [{ ...HTTP!, nodePort: 31080 }] }));
    await world.clock.advance(MINUTE_MS);
    expect(world.cloud.writes.at(-1)).to.equal('UpdateLoadBalancer');
    expect([world.cloud.balancers.size, world.elastic.balancers.size]).to.deep.equal([0, 0]);
  });
});

describe('a load balancer of the other kind', () => {
  const foreign = {
    name: LB,
    vip: '203.0.113.77',
    networkVolumeMbps: 10,
    accountingType: '1',
    nextMonthAccountingType: '1',
    policyType: 'standard',
    zones: [],
    createdAt: '',
    listeners: [],
  };

  it('that the Go program left when the type changed under it is named, and left alone (E7 #9)', async () => {
    const first = new World(ELASTIC);
    first.run();
    await first.clock.advance(MINUTE_MS);
    first.stop.abort();
    first.cloud.add(foreign);
    const successor = first.start();
    first.events.take();
    const { signal } = new AbortController();
    await successor.reconcile({ namespace: 'default', name: 'web' }, signal);
    await successor.reconcile({ namespace: 'default', name: 'web' }, signal);
    expect([first.cloud.balancers.size, first.cloud.writes]).to.deep.equal([1, []]);
    const warnings = first.events.take();
    expect(warnings).to.have.length(1);
    expect(warnings[0]).to.match(/^Warning OtherLoadBalancerLeft: .*203\.0\.113\.77.*delete it in the control panel/);
  });

  it('goes with its Service whatever the annotations say by then (E7 #9, A15)', async () => {
    for (const [made, said] of [
      ['elb', 'lb'],
      ['lb', 'elb'],
    ] as const) {
      const world = new World(annotated('type', made));
      world.run();
      await world.clock.advance(MINUTE_MS);
      world.stop.abort();
      world.api.edit((one) => annotated('type', said, one));
      world.api.deleteService();
      const successor = world.start();
      const stop = new AbortController();
      for (let pass = 0; pass < 30 && world.api.service() !== undefined; pass++) {
        await successor.reconcile({ namespace: 'default', name: 'web' }, stop.signal);
        await world.clock.advance(3_000);
      }
      expect([world.cloud.balancers.size, world.elastic.balancers.size, world.api.service()]).to.deep.equal([
        0,
        0,
        undefined,
      ]);
    }
  });
});
