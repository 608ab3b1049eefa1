import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { expect } from 'chai';
import type { Listener } from '../../../../../simulator/nifcloud/world/listeners.ts';
import { until } from '../raw-client.ts';
import { aRule, listenOnNodes, Rig, serverOf, VIP } from './rig.ts';

describe('a TCP listener', () => {
  let rig: Rig;
  let nodes: Record<'a' | 'b', Server>;
  let sockets: Socket[];
  let instancePort: number;

  beforeEach(async () => {
    rig = new Rig();
    sockets = [];
    const start = (name: string): Server =>
      createServer((socket) => {
        sockets.push(socket.on('error', () => {}));
        socket.write(`${name}\n`);
        socket.pipe(socket);
      });
    nodes = { a: start('a'), b: start('b') };
    instancePort = await listenOnNodes(nodes);
  });
  afterEach(async () => {
    await rig.plane.stop();
    for (const socket of sockets) socket.destroy();
    for (const node of Object.values(nodes)) await new Promise((resolve) => node.close(resolve));
  });

  interface Visit {
    readonly socket: Socket;
    received: string;
    error: string | undefined;
  }

  function visit(listener: Listener, tls = false): Visit {
    const place = rig.place(listener);
    const socket = tls ? connectTls({ ...place, rejectUnauthorized: false }) : connect(place);
    sockets.push(socket);
    const seen: Visit = { socket, received: '', error: undefined };
    socket.on('data', (data: Buffer) => (seen.received += data.toString()));
    socket.on('error', (error: NodeJS.ErrnoException) => (seen.error = error.code));
    return seen;
  }

  /** The node that serves, or how the connection failed. */
  async function outcome(listener: Listener, tls = false): Promise<string> {
    const seen = visit(listener, tls);
    return until(() => /^(.+)\n/.exec(seen.received)?.[1] ?? seen.error);
  }

  it('of either kind of load balancer forwards to targets in service', async () => {
    for (const listener of [
      await rig.serve({ instancePort }, ['a']),
      await rig.serveL4({ instancePort, loadBalancerPort: 18_098 }, ['b']),
    ]) {
      expect(rig.address(listener)).to.equal(`${VIP}:${listener.loadBalancerPort}`);
      expect(await outcome(listener)).to.equal(rig.states(listener)['a'] === undefined ? 'b' : 'a');
    }
  });

  it('of an elastic load balancer that is being created does not listen yet', async () => {
    const transition = { kind: 'elastic-create', endsAtMs: 0 } as const;
    const listener = await rig.serve({ instancePort }, ['a'], { transition });
    expect(rig.address(listener)).to.equal('nowhere');
    [...rig.world.elasticLoadBalancers.values()][0]!.transition = undefined;
    await rig.follow();
    expect(await outcome(listener)).to.equal('a');
  });

  it('cuts the connections to a server that stops, and no others', async () => {
    const listener = await rig.serve({ instancePort }, ['a', 'b']);
    const [one, other] = [visit(listener), visit(listener)];
    await until(() => one.received !== '' && other.received !== '');
    serverOf(rig.world, one.received.trim()).state = 'stopped';
    await rig.follow();
    await until(() => one.error === 'ECONNRESET');
    other.socket.write('still here');
    await until(() => other.received.endsWith('still here'));
  });

  it('takes only what the firewall lets in from the address at the servers', async () => {
    serverOf(rig.world, 'a').firewallGroup = 'closed';
    const group = { ...rig.world.firewallGroups.get('closed')! };
    rig.world.firewallGroups.set('closed', group);
    group.rules = [aRule({ protocol: 'ICMP', fromPort: 0, toPort: 0 })];
    const listener = await rig.serve({ instancePort }, ['a']);
    expect(rig.states(listener)).to.deep.equal({ a: 'InService' });
    expect(await outcome(listener)).to.equal('ECONNRESET');
    group.rules = [aRule({ cidr: VIP })];
    expect(await outcome(listener)).to.equal('a');
    const l4 = await rig.serveL4({ instancePort, loadBalancerPort: 18_098 }, ['a']);
    group.rules = [];
    expect(await outcome(l4), 'L4 needs no rule').to.equal('a');
  });

  it('listens on a stand-in address for a VIP of IPv6', async () => {
    const listener = await rig.serveL4({ instancePort }, []);
    const [balancer] = [...rig.world.loadBalancers.values()];
    rig.world.loadBalancers.set('l4', { ...balancer!, vip: '2001:db8::1', ipVersion: 'v6' });
    await rig.register(listener, ['a']);
    expect(rig.address(listener)).to.match(/^127\.0\.0\.1:\d+$/);
    expect(await outcome(listener)).to.equal('a');
  });

  for (const [emptiedFilter, expected] of [
    ['everyone', 'a'],
    ['nobody', 'ECONNRESET'],
  ] as const) {
    it(`admits ${emptiedFilter} with an emptied allow list, if the switch says so`, async () => {
      rig = new Rig(`emptied-filter=${emptiedFilter}`);
      const listener = await rig.serveL4({ instancePort }, ['a']);
      expect(await outcome(listener)).to.equal('a');
      listener.filter = { type: 'allow', addresses: [], emptied: true };
      expect(await outcome(listener)).to.equal(expected);
    });
  }

  for (const [statusCode, expected] of [
    [200, 200],
    [503, 503],
    [0, 503],
  ] as const) {
    it(`answers with a sorry page on port 80 while no target is in service: status ${statusCode || 'not set'}`, async () => {
      const sorryPage = { enabled: true, statusCode, redirectUrl: '' };
      const listener = await rig.serveL4({ instancePort, loadBalancerPort: 80, sorryPage }, []);
      const { status, body } = await fetch(`http://${rig.address(listener)}/any`).then(async (answer) => ({
        status: answer.status,
        body: await answer.text(),
      }));
      expect(status).to.equal(expected);
      expect(body).to.include('Sorry');
      await rig.register(listener, ['a']);
      expect(await outcome(listener)).to.equal('a');
    });
  }

  it('has no sorry page on another port, and shows none to a client that the filter refuses', async () => {
    const sorryPage = { enabled: true, statusCode: 200, redirectUrl: '' };
    const listener = await rig.serveL4({ instancePort, sorryPage }, []);
    expect(await outcome(listener)).to.equal('ECONNRESET');
    listener.loadBalancerPort = 80;
    listener.filter = { type: 'deny', addresses: ['127.0.0.1'], emptied: false };
    await rig.follow();
    expect(await outcome(listener)).to.equal('ECONNRESET');
  });

  it('is closed with clients that wait for a sorry page or for TLS', async () => {
    const sorryPage = { enabled: true, statusCode: 200, redirectUrl: '' };
    const plain = await rig.serveL4({ instancePort, loadBalancerPort: 80, sorryPage }, []);
    const secret = await rig.serve({ instancePort, sslCertificateId: 'ssl-1' }, ['a']);
    const waiting = [visit(plain), visit(secret)];
    await Promise.all(waiting.map(({ socket }) => once(socket, 'connect')));
    await rig.plane.stop();
    await until(() => waiting.every(({ error }) => error === 'ECONNRESET'));
  });

  it('ends TLS when it gets a certificate, and no longer when that is taken away', async () => {
    const listener = await rig.serveL4({ instancePort }, ['a']);
    expect(await outcome(listener)).to.equal('a');
    listener.sslCertificateId = 'ssl-1';
    await rig.follow();
    expect(await outcome(listener, true)).to.equal('a');
    const seen = visit(listener, true);
    await until(() => seen.received !== '');
    seen.socket.write('echo');
    await until(() => seen.received.endsWith('echo'));
    await rig.register(listener, []);
    await until(() => seen.error === 'ECONNRESET');
    expect(await outcome(listener, true)).to.equal('ECONNRESET');
    listener.sslCertificateId = '';
    await rig.register(listener, ['b']);
    expect(await outcome(listener)).to.equal('b');
  });

  it('moves to another protocol', async () => {
    const listener = await rig.serve({ instancePort, protocol: 'UDP' }, ['a']);
    const address = rig.address(listener);
    listener.protocol = 'TCP';
    await rig.follow();
    expect(rig.address(listener)).to.equal(address);
    expect(await outcome(listener)).to.equal('a');
  });
});
