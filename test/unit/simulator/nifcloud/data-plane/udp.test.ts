import { createSocket } from 'node:dgram';
import type { Socket } from 'node:dgram';
import { once } from 'node:events';
import { expect } from 'chai';
import type { Listener } from '../../../../../simulator/nifcloud/world/listeners.ts';
import { until } from '../raw-client.ts';
import { aRule, NODES, Rig, serverOf, VIP } from './rig.ts';

/** A service on a node port: answers each datagram with its node's name and the datagram. */
async function startEcho(name: string, host: string, port: number): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.on('message', (message, from) => socket.send(`${name} ${message.toString()}`, from.port, from.address));
  socket.bind(port, host);
  await once(socket, 'listening');
  return socket;
}

/** One client address and port. */
class Caller {
  readonly socket = createSocket('udp4');
  readonly received: string[] = [];

  constructor() {
    this.socket.on('message', (message) => this.received.push(message.toString()));
  }

  /** The node that answers. */
  async ask({ host, port }: { readonly host: string; readonly port: number }, text: string): Promise<string> {
    this.socket.send(text, port, host);
    const answer = await until(() => this.received.find((one) => one.endsWith(` ${text}`)));
    return answer.split(' ')[0] ?? '';
  }
}

describe('a UDP listener of an elastic load balancer', () => {
  let rig: Rig;
  let echoes: Socket[];
  let callers: Caller[];
  let instancePort: number;

  beforeEach(async () => {
    rig = new Rig();
    const a = await startEcho('a', NODES.a, 0);
    instancePort = a.address().port;
    echoes = [a, await startEcho('b', NODES.b, instancePort), await startEcho('c', NODES.c, instancePort)];
    callers = [new Caller(), new Caller(), new Caller()];
  });
  afterEach(async () => {
    await rig.plane.stop();
    expect(rig.clock.sleeping).to.equal(0);
    for (const { socket } of callers) socket.close();
    for (const echo of echoes) echo.close();
  });

  const serve = (targets: readonly string[], changes: Partial<Listener> = {}): Promise<Listener> =>
    rig.serve({ protocol: 'UDP', instancePort, ...changes }, targets);

  const ask = (caller: number, listener: Listener, text: string): Promise<string> =>
    callers[caller]!.ask(rig.place(listener), text);

  it('sends all datagrams of one client to one target, and those of the next to the next', async () => {
    const listener = await serve(['a', 'b']);
    expect(rig.address(listener)).to.equal(`${VIP}:18099`);
    expect(await ask(0, listener, 'one')).to.equal('a');
    expect(await ask(1, listener, 'one')).to.equal('b');
    expect(await ask(0, listener, 'two')).to.equal('a');
    expect(await ask(1, listener, 'two')).to.equal('b');
    expect(await ask(2, listener, 'one')).to.equal('a');
  });

  it('sends a new client where the fewest are, with balancing type 2', async () => {
    const listener = await serve(['a', 'b'], { balancingType: 2 });
    await ask(0, listener, 'one');
    await rig.register(listener, ['b']);
    await ask(1, listener, 'one');
    await rig.register(listener, ['b', 'a']);
    expect(await ask(2, listener, 'one')).to.equal('a');
  });

  it('forgets a client that was silent for a minute, not one that was not', async () => {
    const listener = await serve(['a', 'b', 'c']);
    expect([await ask(0, listener, 'one'), await ask(1, listener, 'one')]).to.deep.equal(['a', 'b']);
    await rig.clock.advance(40_000);
    expect(await ask(0, listener, 'two')).to.equal('a');
    await rig.clock.advance(40_000);
    expect(await ask(0, listener, 'three')).to.equal('a');
    expect(await ask(1, listener, 'two')).to.equal('c');
  });

  it('remembers a source address for longer, with stickiness', async () => {
    const listener = await serve(['a', 'b'], { stickiness: { enabled: true, method: 1, periodMinutes: 3 } });
    expect([await ask(0, listener, 'one'), await ask(1, listener, 'one')]).to.deep.equal(['a', 'a']);
    await rig.clock.advance(60_000);
    expect(await ask(0, listener, 'two')).to.equal('a');
    await rig.clock.advance(180_000);
    expect(await ask(0, listener, 'three')).to.equal('b');
  });

  it('finds another target for the clients of one that was deregistered, that stopped, or that failed its check', async () => {
    const listener = await serve(['a', 'b', 'c']);
    expect(await ask(0, listener, 'one')).to.equal('a');
    await rig.register(listener, ['b', 'c']);
    const second = await ask(0, listener, 'two');
    expect(second).to.not.equal('a');
    serverOf(rig.world, second).state = 'stopped';
    await rig.follow();
    const third = await ask(0, listener, 'three');
    expect(['b', 'c']).to.include(third).and.to.not.equal(second);
    await rig.register(listener, ['a', third]);
    listener.targets[1]!.state = 'OutOfService';
    expect(await ask(0, listener, 'four')).to.equal('a');
  });

  it('drops what no target can get', async () => {
    const listener = await serve([]);
    const { host, port } = rig.place(listener);
    callers[0]!.socket.send('lost', port, host);
    // The other client's datagram comes after it; by the time that one is answered, this one was dropped.
    const found = { protocol: 'UDP', instancePort, loadBalancerPort: 18_098 } as const;
    await ask(1, await rig.serve(found, ['a'], { name: 'other' }), 'found');
    await rig.register(listener, ['a']);
    await ask(0, listener, 'again');
    expect(callers[0]!.received).to.deep.equal(['a again']);
  });

  it("does not get past a server's firewall", async () => {
    serverOf(rig.world, 'a').firewallGroup = 'closed';
    const group = rig.world.firewallGroups.get('closed')!;
    rig.world.firewallGroups.set('closed', { ...group, rules: [aRule({ protocol: 'ICMP', fromPort: 0, toPort: 0 })] });
    const listener = await serve(['a']);
    expect(rig.states(listener)).to.deep.equal({ a: 'InService' });
    const { host, port } = rig.place(listener);
    callers[0]!.socket.send('kept out', port, host);
    rig.world.firewallGroups.set('closed', { ...group, rules: [aRule({ protocol: 'UDP', cidr: VIP })] });
    expect(await ask(1, listener, 'let in')).to.equal('a');
  });

  it('stands in with a free port of 127.0.0.1 where the address is taken', async () => {
    const squatter = createSocket('udp4');
    squatter.bind(18_099, VIP);
    await once(squatter, 'listening');
    try {
      const listener = await serve(['a']);
      expect(rig.address(listener)).to.match(/^127\.0\.0\.1:\d+$/);
      expect(await ask(0, listener, 'one')).to.equal('a');
    } finally {
      squatter.close();
    }
  });
});
