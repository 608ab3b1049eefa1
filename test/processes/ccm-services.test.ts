import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { eventually } from '../eventually.ts';
import { World } from '../integration/world.ts';

interface Service {
  readonly status: { readonly loadBalancer?: { readonly ingress?: readonly { readonly ip: string }[] } };
}

const SERVICES = '/api/v1/namespaces/default/services';
const PREFIX = 'service.beta.kubernetes.io/nifcloud-load-balancer-';
const UDP = [{ name: 'dns', port: 5353, nodePort: 30053, protocol: 'UDP' }];
const TCP = [{ name: 'http', port: 8080, nodePort: 30080 }];

/** For what takes several changes of an elastic load balancer. */
const patiently = async <T>(look: () => T | Promise<T>): Promise<Exclude<T, undefined | false>> =>
  await eventually(look).catch(() => eventually(look));

describe('Services and their load balancers, with the program as a process', function () {
  this.timeout(60_000);
  let world: World;

  beforeEach(async () => {
    world = await World.start();
    for (const name of ['node01', 'node02']) {
      await world.kube('POST', '/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name } });
    }
  });
  afterEach(() => world.stop());

  const make = (name: string, annotations: Readonly<Record<string, string>>, spec: object): Promise<unknown> =>
    world.kube('POST', SERVICES, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, annotations },
      spec: { type: 'LoadBalancer', ...spec },
    });
  const addresses = async (name: string): Promise<readonly string[]> => {
    const { status } = await world.kube<Service>('GET', `${SERVICES}/${name}`);
    return (status.loadBalancer?.ingress ?? []).map(({ ip }) => ip);
  };
  const hasEvent = async (name: string, part: string): Promise<string | undefined> =>
    (await world.events('Service', name)).find((event) => event.includes(part));
  const rulesOf = (): readonly unknown[] => world.cloud.state().firewallGroups.flatMap(({ rules }) => rules);
  it('serves UDP through an elastic load balancer and the firewalls of the nodes, and leaves nothing behind', async () => {
    const rulesBefore = rulesOf();
    await world.startCcm(world.environment());
    const nodes = await Promise.all(['127.11.0.1', '127.12.0.1'].map((address) => echo(address, 30053)));
    try {
      await make('dns', { [`${PREFIX}type`]: 'elb' }, { ports: UDP });
      await patiently(async () => (await hasEvent('dns', 'EnsuredLoadBalancer')) !== undefined);
      const [elastic] = world.cloud.state().elasticLoadBalancers;
      expect(await addresses('dns')).to.deep.equal([elastic?.vip]);
      expect(await ask(elastic?.listeners[0]?.listensAt ?? '')).to.equal('hello');
      expect((await world.events('Service', 'dns')).filter((event) => event.startsWith('Warning'))).to.deep.equal([]);
      await world.kube('DELETE', `${SERVICES}/dns`);
      await patiently(async () => (await hasEvent('dns', 'DeletedLoadBalancer')) !== undefined);
      expect(world.cloud.state().elasticLoadBalancers).to.deep.equal([]);
      expect(rulesOf()).to.deep.equal(rulesBefore);
    } finally {
      for (const node of nodes) node.close();
    }
  });

  it('moves a Service from an L4 to an elastic load balancer when its annotation says so', async () => {
    await world.startCcm(world.environment());
    await make('web', {}, { ports: TCP });
    const [before] = await eventually(async () =>
      (await addresses('web')).length === 1 ? addresses('web') : undefined,
    );
    await world.kube('PATCH', `${SERVICES}/web`, { metadata: { annotations: { [`${PREFIX}type`]: 'elb' } } });
    await patiently(() => world.cloud.state().loadBalancers.length === 0);
    const vip = world.cloud.state().elasticLoadBalancers[0]?.vip;
    await patiently(async () => (await addresses('web')).length === 1);
    expect(await addresses('web')).to.deep.equal([vip]);
    expect(vip).to.not.equal(before);
  });

  it('changes nothing in a dry run, and says what it would do', async () => {
    await world.startCcm(world.environment(), ['--dry-run']);
    const mark = world.cloud.mark();
    await make('web', {}, { ports: TCP });
    await make('inner', { [`${PREFIX}type`]: 'elb' }, { ports: [{ port: 8081, nodePort: 30081 }] });
    for (const name of ['web', 'inner']) {
      expect(await eventually(() => hasEvent(name, 'PlannedChange'))).to.match(/--dry-run: create .*808[01].*3008[01]/);
    }
    expect(world.cloud.calls(mark).filter(({ mutating }) => mutating)).to.deep.equal([]);
    const { metadata } = await world.kube<{ metadata: object }>('GET', `${SERVICES}/web`);
    expect(metadata).to.not.have.property('finalizers');
  });

  it('leaves a paused Service and one of another class alone, and serves its own class', async () => {
    await world.startCcm(world.environment(), ['--load-balancer-class=example.com/ours']);
    await make('paused', { [`${PREFIX}paused`]: 'true' }, { ports: TCP });
    await make('theirs', {}, { ports: [{ port: 81, nodePort: 30081 }], loadBalancerClass: 'example.com/theirs' });
    await make('ours', {}, { ports: [{ port: 82, nodePort: 30082 }], loadBalancerClass: 'example.com/ours' });
    await eventually(async () => (await addresses('ours')).length === 1);
    expect(await eventually(() => hasEvent('paused', 'PlannedChange'))).to.match(/paused: create /);
    expect(world.cloud.state().loadBalancers.map(({ ports }) => ports[0]?.loadBalancerPort)).to.deep.equal([82]);
    await world.kube('PATCH', `${SERVICES}/paused`, { metadata: { annotations: { [`${PREFIX}paused`]: null } } });
    await eventually(async () => (await addresses('paused')).length === 1);
    expect(await world.events('Service', 'theirs')).to.deep.equal([]);
  });
});

/** A node port that sends back what comes. */
async function echo(address: string, port: number): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.on('message', (message, from) => socket.send(message, from.port, from.address));
  socket.bind(port, address);
  await once(socket, 'listening');
  return socket;
}

/** Sends until there is an answer: datagrams are dropped while no target was found healthy. */
async function ask(listensAt: string): Promise<string> {
  const [host = '', port = ''] = listensAt.split(':');
  const socket = createSocket('udp4');
  try {
    const answer = once(socket, 'message') as Promise<[Buffer]>;
    for (let n = 0; n < 100; n++) {
      socket.send('hello', Number(port), host);
      const heard = await Promise.race([answer, pause(100)]);
      if (heard !== undefined) return heard[0].toString();
    }
    return 'nothing';
  } finally {
    socket.close();
  }
}
