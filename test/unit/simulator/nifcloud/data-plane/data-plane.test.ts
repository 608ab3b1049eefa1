import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { expect } from 'chai';
import { parseFleet } from '../../../../../simulator/nifcloud/world/fleet.ts';
import type { Simulator } from '../../../../../simulator/nifcloud/simulator.ts';
import { FakeClock } from '../../../../fake-clock.ts';
import { startCloud, until } from '../raw-client.ts';
import type { RawClient } from '../raw-client.ts';

const NODES = { a: '127.11.8.1', b: '127.12.8.1', c: '127.13.8.1' } as const;

/** Of this process alone, so that two runs on one machine do not meet. */
const VIP = `127.${128 + (process.pid % 100)}.${Math.floor(process.pid / 100) % 256}.1`;

const FLEET = parseFleet(
  `
zones: [east-11]
servers:
  - { name: a, zone: east-11, privateAddress: ${NODES.a} }
  - { name: b, zone: east-11, privateAddress: ${NODES.b} }
  - { name: c, zone: east-11, privateAddress: ${NODES.c} }
  - { name: off, zone: east-11, privateAddress: ${NODES.a}, state: stopped }
`,
  'fleet',
);

/** What runs on a node port: it greets with its node's name, then echoes, and says goodbye once the client has finished. */
class Backend {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(name: string) {
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.write(`${name}\n`);
      socket.on('data', (data) => socket.write(data));
      socket.on('end', () => socket.end('bye\n'));
    });
  }

  async listen(port: number, host: string): Promise<number> {
    this.#server.listen(port, host);
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** A connection of a user of the load balancer. */
class Visitor {
  readonly socket: Socket;
  received = '';
  closed = false;

  constructor(address: string, from?: string) {
    const { hostname: host, port } = new URL(`tcp://${address}`);
    const source = from === undefined ? {} : { localAddress: from };
    this.socket = connect({ host, port: Number(port), allowHalfOpen: true, ...source });
    this.socket.on('error', () => {});
    this.socket.on('data', (data) => (this.received += data.toString()));
    this.socket.on('close', () => (this.closed = true));
  }

  /** The name of the node that serves; `nobody` when the connection was cut instead. */
  async servedBy(): Promise<string> {
    await until(() => this.received.includes('\n') || this.closed);
    return this.received.split('\n')[0] || 'nobody';
  }
}

describe('the data plane of L4 load balancers', () => {
  let simulator: Simulator;
  let client: RawClient;
  let backends: Record<keyof typeof NODES, Backend>;
  let visitors: Visitor[];
  let nodePort: number;
  let key: { LoadBalancerName: string; LoadBalancerPort: number; InstancePort: number };

  beforeEach(async () => {
    visitors = [];
    backends = { a: new Backend('a'), b: new Backend('b'), c: new Backend('c') };
    nodePort = await backends.a.listen(0, NODES.a);
    await backends.b.listen(nodePort, NODES.b);
    await backends.c.listen(nodePort, NODES.c);
    // An interval of 5 s passes in 10 ms.
    ({ simulator, client } = await startCloud({ fleet: FLEET, vipRange: VIP, timeScale: 500 }));
    key = { LoadBalancerName: 'web', LoadBalancerPort: 18_080, InstancePort: nodePort };
  });
  afterEach(async () => {
    for (const { socket } of visitors) socket.destroy();
    await simulator.stop();
    for (const backend of Object.values(backends)) await backend.close();
  });

  async function serve(targets: readonly string[], listener: Record<string, number> = {}): Promise<void> {
    const sent = { LoadBalancerPort: key.LoadBalancerPort, InstancePort: nodePort, ...listener };
    await client.done('CreateLoadBalancer', {
      LoadBalancerName: 'web',
      ...Object.fromEntries(Object.entries(sent).map(([name, value]) => [`Listeners.member.1.${name}`, value])),
    });
    await client.done('ConfigureHealthCheck', {
      ...key,
      'HealthCheck.Target': `TCP:${nodePort}`,
      'HealthCheck.Interval': 5,
      'HealthCheck.UnhealthyThreshold': 2,
    });
    await register(targets);
  }

  async function register(targets: readonly string[]): Promise<void> {
    const names = targets.map((name, index) => [`Instances.member.${index + 1}.InstanceId`, name]);
    await client.done('RegisterInstancesWithLoadBalancer', {
      ...key,
      ...(Object.fromEntries(names) as Record<string, string>),
    });
  }

  async function states(): Promise<Record<string, unknown>> {
    const answer = await client.done('DescribeInstanceHealth', key);
    const list = 'DescribeInstanceHealthResult.InstanceStates.member';
    const names = answer.each(list, 'InstanceId') as string[];
    return Object.fromEntries(names.map((name, index) => [name, answer.at(`${list}.${index}.State`)]));
  }

  const healthy = (...names: string[]): Promise<boolean> =>
    until(async () => {
      const now = await states();
      return Object.keys(now).every((name) => (now[name] === 'InService') === names.includes(name));
    });

  const address = (): string => simulator.state().loadBalancers[0]?.ports[0]?.listensAt ?? 'nowhere';

  function visit(from?: string): Visitor {
    const visitor = new Visitor(address(), from);
    visitors.push(visitor);
    return visitor;
  }

  async function servedInTurn(count: number, from?: string): Promise<string[]> {
    const names: string[] = [];
    for (let n = 0; n < count; n++) names.push(await visit(from).servedBy());
    return names;
  }

  it('listens on the VIP and serves its healthy targets in turn', async () => {
    await serve(['a', 'b', 'c']);
    await healthy('a', 'b', 'c');
    expect(address()).to.equal(`${VIP}:18080`);
    const served = await servedInTurn(6);
    expect(served.slice(0, 3).toSorted()).to.deep.equal(['a', 'b', 'c']);
    expect(served.slice(3)).to.deep.equal(served.slice(0, 3));
  });

  it('carries bytes both ways, and an answer that comes after the request has ended', async () => {
    await serve(['a']);
    await healthy('a');
    const visitor = visit();
    visitor.socket.end('hello\n');
    await until(() => visitor.closed);
    expect(visitor.received).to.equal('a\nhello\nbye\n');
  });

  it('skips a target that fails its checks, and takes it back after one success', async () => {
    await serve(['a', 'b']);
    await healthy('a', 'b');
    await backends.b.close();
    await healthy('a');
    expect(await servedInTurn(3)).to.deep.equal(['a', 'a', 'a']);
    backends.b = new Backend('b');
    await backends.b.listen(nodePort, NODES.b);
    await healthy('a', 'b');
    expect((await servedInTurn(2)).toSorted()).to.deep.equal(['a', 'b']);
  });

  it('takes a target out after exactly as many failures in a row as the threshold says', async () => {
    await simulator.stop();
    const clock = new FakeClock();
    ({ simulator, client } = await startCloud({ fleet: FLEET, vipRange: VIP, clock }));
    await serve(['a']);
    // A round of checks has ended when it sleeps until the next.
    const round = (): Promise<boolean> => until(() => clock.sleeping === 1);
    await round();
    expect(await states()).to.deep.equal({ a: 'InService' });
    await backends.a.close();
    await clock.advance(5000);
    await round();
    expect(await states()).to.deep.equal({ a: 'InService' });
    await clock.advance(5000);
    await round();
    expect(await states()).to.deep.equal({ a: 'OutOfService' });
    await simulator.stop();
    expect(clock.sleeping).to.equal(0);
  });

  it('does not take a stopped server for healthy, whatever answers at its address', async () => {
    await serve(['off', 'b']);
    await healthy('b');
    expect(await servedInTurn(2)).to.deep.equal(['b', 'b']);
  });

  it('checks by ICMP whether the server runs, not what listens on it', async () => {
    await serve(['a', 'off']);
    await backends.a.close();
    await healthy();
    await client.done('ConfigureHealthCheck', {
      ...key,
      'HealthCheck.Target': 'ICMP',
      'HealthCheck.Interval': 5,
      'HealthCheck.UnhealthyThreshold': 1,
    });
    await healthy('a');
  });

  it('resets connections while no target is healthy', async () => {
    await serve([]).catch(() => {}); // a call without servers is refused; the rest has been done
    expect(await servedInTurn(1)).to.deep.equal(['nobody']);
  });

  it('sends a new connection where the fewest are, with balancing type 2', async () => {
    await serve(['a', 'b'], { BalancingType: 2 });
    await healthy('a', 'b');
    const [first, second] = [visit(), visit()];
    const names = [await first.servedBy(), await second.servedBy()];
    expect(names.toSorted()).to.deep.equal(['a', 'b']);
    first.socket.destroy();
    // The simulator hears of the end when the socket does.
    await until(async () => (await visit().servedBy()) === names[0]);
  });

  for (const [type, address1, admitted, refused] of [
    ['allow', '127.77.0.1', ['127.77.0.1'], ['127.77.0.2', '127.0.0.1']],
    ['allow', '127.77.0.0/24', ['127.77.0.1', '127.77.0.255'], ['127.77.1.0']],
    ['deny', '127.77.0.0/24', ['127.77.1.0'], ['127.77.0.1']],
  ] as const) {
    it(`admits by the client's address: ${type} ${address1}`, async () => {
      await serve(['a']);
      await healthy('a');
      await client.done('SetFilterForLoadBalancer', {
        ...key,
        FilterType: type === 'allow' ? 1 : 2,
        'IPAddresses.member.1.IPAddress': address1,
      });
      for (const from of admitted) expect(await servedInTurn(1, from), from).to.deep.equal(['a']);
      for (const from of refused) expect(await servedInTurn(1, from), from).to.deep.equal(['nobody']);
    });
  }

  it('cuts the connections to a deregistered target and no others', async () => {
    await serve(['a', 'b']);
    await healthy('a', 'b');
    const [one, other] = [visit(), visit()];
    const leaving = await one.servedBy();
    await other.servedBy();
    await client.done('DeregisterInstancesFromLoadBalancer', { ...key, 'Instances.member.1.InstanceId': leaving });
    await until(() => one.closed);
    other.socket.write('still here\n');
    await until(() => other.received.includes('still here'));
    expect(await servedInTurn(2)).to.not.include(leaving);
  });

  it('follows a changed instance port for new connections', async () => {
    const second = new Backend('second');
    const port = await second.listen(0, NODES.a);
    try {
      await serve(['a']);
      await healthy('a');
      await client.done('UpdateLoadBalancer', {
        LoadBalancerName: 'web',
        'ListenerUpdate.LoadBalancerPort': key.LoadBalancerPort,
        'ListenerUpdate.InstancePort': nodePort,
        'ListenerUpdate.Listener.InstancePort': port,
      });
      expect(await servedInTurn(1)).to.deep.equal(['second']);
    } finally {
      await second.close();
    }
  });

  it('moves with a changed listen port, and closes with the port', async () => {
    await serve(['a']);
    await healthy('a');
    const old = address();
    const visitor = visit();
    await visitor.servedBy();
    await client.done('UpdateLoadBalancer', {
      LoadBalancerName: 'web',
      'ListenerUpdate.LoadBalancerPort': key.LoadBalancerPort,
      'ListenerUpdate.InstancePort': nodePort,
      'ListenerUpdate.Listener.LoadBalancerPort': 18_081,
    });
    expect(address()).to.equal(`${VIP}:18081`);
    await until(() => visitor.closed);
    expect(await new Visitor(old).servedBy()).to.equal('nobody');
    const moved = address();
    expect(await servedInTurn(1)).to.deep.equal(['a']);
    await client.done('DeleteLoadBalancer', { ...key, LoadBalancerPort: 18_081 });
    expect(await new Visitor(moved).servedBy()).to.equal('nobody');
  });

  it('stands in with a free port of 127.0.0.1 where the address is taken', async () => {
    const squatter = createServer();
    squatter.listen(key.LoadBalancerPort, VIP);
    await once(squatter, 'listening');
    try {
      await serve(['a']);
      await healthy('a');
      expect(address()).to.match(/^127\.0\.0\.1:\d+$/);
      expect(await servedInTurn(1)).to.deep.equal(['a']);
    } finally {
      await new Promise((resolve) => squatter.close(resolve));
    }
  });

  it('is closed when the simulator stops', async () => {
    await serve(['a']);
    await healthy('a');
    const visitor = visit();
    await visitor.servedBy();
    const was = address();
    await simulator.stop();
    await until(() => visitor.closed);
    expect(await new Visitor(was).servedBy()).to.equal('nobody');
  });

  it('stays closed, whatever happens to the world afterwards', async () => {
    await serve(['a']);
    const was = address();
    await simulator.stop();
    await simulator.incidents.crash('a');
    expect(simulator.state().loadBalancers[0]?.ports[0]?.listensAt).to.equal(null);
    expect(await new Visitor(was).servedBy()).to.equal('nobody');
  });
});
