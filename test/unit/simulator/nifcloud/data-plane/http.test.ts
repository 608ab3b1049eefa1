import { once } from 'node:events';
import { Agent, createServer, request as makeRequest } from 'node:http';
import type { ClientRequest, IncomingMessage, OutgoingHttpHeaders, Server, ServerResponse } from 'node:http';
import { request as makeTlsRequest } from 'node:https';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import type { Listener } from '../../../../../simulator/nifcloud/world/listeners.ts';
import { until } from '../raw-client.ts';
import { aRule, listenOnNodes, Rig, serverOf } from './rig.ts';

/** What a service on a node port does with a request; it answers with its node's name unless a test wants something else. */
type Handle = (name: string, request: IncomingMessage, response: ServerResponse) => void;

interface Reply {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** How a request ends that is answered by nobody. */
async function failureOf(sent: ClientRequest): Promise<string | undefined> {
  const [error] = (await once(sent, 'error')) as [NodeJS.ErrnoException];
  return error.code;
}

describe('an HTTP listener of an elastic load balancer', () => {
  let rig: Rig;
  let nodes: Record<'a' | 'b', Server>;
  let handle: Handle;
  let instancePort: number;

  beforeEach(async () => {
    rig = new Rig();
    handle = (name, _, response) => response.end(name);
    const start = (name: string): Server => createServer((request, response) => handle(name, request, response));
    nodes = { a: start('a'), b: start('b') };
    instancePort = await listenOnNodes(nodes);
  });
  afterEach(async () => {
    await rig.plane.stop();
    for (const node of Object.values(nodes)) {
      node.closeAllConnections();
      await new Promise((resolve) => node.close(resolve));
    }
  });

  const serve = (targets: readonly string[], changes: Partial<Listener> = {}): Promise<Listener> =>
    rig.serve({ protocol: 'HTTP', instancePort, ...changes }, targets);

  interface Asked {
    readonly method?: string;
    readonly path?: string;
    readonly headers?: OutgoingHttpHeaders;
    readonly agent?: Agent;
  }

  function begin(listener: Listener, asked: Asked = {}): ClientRequest {
    const options = { agent: false, ...asked, ...rig.place(listener) };
    if (listener.protocol === 'HTTP') return makeRequest(options);
    return makeTlsRequest({ ...options, rejectUnauthorized: false });
  }

  async function ask(listener: Listener, asked: Asked = {}): Promise<Reply> {
    const sent = begin(listener, asked).end();
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    return { status: answer.statusCode ?? 0, headers: answer.headers, body: await text(answer) };
  }

  async function servedBy(listener: Listener, count: number, asked: Asked = {}): Promise<string> {
    let names = '';
    for (let n = 0; n < count; n++) names += (await ask(listener, asked)).body;
    return names;
  }

  for (const protocol of ['HTTP', 'HTTPS'] as const) {
    it(`forwards a request of ${protocol} and its answer as they are, and says for whom`, async () => {
      handle = (name, request, response) => {
        void text(request).then((body) => {
          const { method, url, headers } = request;
          response.writeHead(418, 'Teapot', { 'x-node': name, 'set-cookie': ['p=1', 'q=2'] });
          response.end(JSON.stringify({ method, url, body, headers }));
        });
      };
      const listener = await serve(['a'], { protocol });
      const headers = { host: 'shop.example', 'x-own': 'kept', 'x-forwarded-for': '203.0.113.9' };
      const sent = begin(listener, { method: 'PUT', path: '/cart?id=1', headers });
      sent.write('two ');
      sent.end('parts');
      const [answer] = (await once(sent, 'response')) as [IncomingMessage];
      expect(answer.statusCode).to.equal(418);
      expect(answer.statusMessage).to.equal('Teapot');
      expect(answer.headers).to.include({ 'x-node': 'a' });
      expect(answer.headers['set-cookie']).to.deep.equal(['p=1', 'q=2']);
      const seen = JSON.parse(await text(answer)) as { headers: Record<string, string> };
      expect(seen).to.include({ method: 'PUT', url: '/cart?id=1', body: 'two parts' });
      expect(seen.headers).to.include({
        host: 'shop.example',
        'x-own': 'kept',
        'x-forwarded-for': '203.0.113.9, 127.0.0.1',
        'x-forwarded-proto': protocol.toLowerCase(),
      });
    });
  }

  it('streams both ways: the answer begins before the request has ended', async () => {
    handle = (_, request, response) => request.pipe(response);
    const listener = await serve(['a']);
    const sent = begin(listener, { method: 'POST' });
    sent.write('first');
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    let received = '';
    answer.on('data', (data: Buffer) => (received += data.toString()));
    await until(() => received === 'first');
    sent.end(' last');
    await once(answer, 'end');
    expect(received).to.equal('first last');
  });

  it('sends on the head of an answer whose body is still to come', async () => {
    handle = (_, __, response) => response.flushHeaders();
    const sent = begin(await serve(['a'])).end();
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    expect(answer.statusCode).to.equal(200);
    sent.on('error', () => {}).destroy();
  });

  it('tells a target that the client has gone', async () => {
    let gone = false;
    handle = (_, __, response) => {
      response.on('close', () => (gone = true));
      response.write('begun');
    };
    const sent = begin(await serve(['a'])).end();
    await once(sent, 'response');
    sent.on('error', () => {}).destroy();
    await until(() => gone);
  });

  it('serves the requests of one connection in turn', async () => {
    const listener = await serve(['a', 'b']);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    expect(await servedBy(listener, 4, { agent })).to.equal('abab');
    agent.destroy();
  });

  it('joins client and target once the protocol is upgraded', async () => {
    nodes.a.on('upgrade', (request, socket, head) => {
      const { upgrade, connection } = request.headers;
      socket.on('error', () => {});
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: ${upgrade}\r\nConnection: ${connection}\r\n\r\n`);
      socket.write(`for ${String(request.headers['x-forwarded-for'])}: ${head.toString()}`);
      socket.pipe(socket);
    });
    const listener = await serve(['a']);
    const { host, port } = rig.place(listener);
    const socket = connect(port, host).on('error', () => {});
    let received = '';
    socket.on('data', (data) => (received += data.toString()));
    socket.write('GET /chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearly ');
    await until(() => received.includes('early'));
    expect(received).to.match(/^HTTP\/1\.1 101 .*Upgrade: echo\r\n.*for 127\.0\.0\.1: early $/s);
    socket.write('late');
    await until(() => received.endsWith('late'));
    await rig.register(listener, []);
    await until(() => socket.closed);
  });

  it('sticks to a target by a cookie of its own, until that leaves service', async () => {
    const listener = await serve(['a', 'b'], { stickiness: { enabled: true, method: 2, periodMinutes: 3 } });
    const first = await ask(listener);
    expect(first.body).to.equal('a');
    const cookie = `theme=dark; ${first.headers['set-cookie']?.[0]?.split(';')[0]}; lang=ja`;
    expect(await servedBy(listener, 3, { headers: { cookie } })).to.equal('aaa');
    expect((await ask(listener)).body).to.equal('b');
    await rig.register(listener, ['b']);
    expect((await ask(listener, { headers: { cookie } })).body).to.equal('b');
  });

  it('adds its cookie to those of the target', async () => {
    handle = (_, __, response) => response.setHeader('set-cookie', 'own=1').end();
    const listener = await serve(['a'], { stickiness: { enabled: true, method: 2, periodMinutes: 3 } });
    const cookies = (await ask(listener)).headers['set-cookie'] ?? [];
    expect(cookies).to.have.length(2);
    expect(cookies[0]).to.equal('own=1');
  });

  it('sticks to a target by source address', async () => {
    const listener = await serve(['a', 'b'], { stickiness: { enabled: true, method: 1, periodMinutes: 3 } });
    expect(await servedBy(listener, 3)).to.equal('aaa');
    await rig.clock.advance(180_000);
    expect(await servedBy(listener, 2)).to.equal('bb');
  });

  for (const protocol of ['HTTP', 'HTTPS'] as const) {
    it(`redirects to the sorry page of ${protocol} while no target is in service`, async () => {
      const sorryPage = { enabled: true, statusCode: 0, redirectUrl: 'https://sorry.example/page' };
      const listener = await serve([], { protocol, sorryPage });
      const { status, headers } = await ask(listener);
      expect(status).to.equal(302);
      expect(headers.location).to.equal('https://sorry.example/page');
      await rig.register(listener, ['a']);
      expect((await ask(listener)).body).to.equal('a');
    });

    it(`answers with 503 by ${protocol} where the sorry page has no URL`, async () => {
      const sorryPage = { enabled: true, statusCode: 0, redirectUrl: '' };
      expect((await ask(await serve([], { protocol, sorryPage }))).status).to.equal(503);
    });

    it(`resets connections of ${protocol} while no target is in service and there is no sorry page`, async () => {
      expect(await failureOf(begin(await serve([], { protocol })).end())).to.equal('ECONNRESET');
    });
  }

  it("resets connections that a server's firewall, or nobody at its port, would answer", async () => {
    serverOf(rig.world, 'a').firewallGroup = 'closed';
    const group = rig.world.firewallGroups.get('closed')!;
    rig.world.firewallGroups.set('closed', { ...group, rules: [aRule({ protocol: 'ICMP', fromPort: 0, toPort: 0 })] });
    const listener = await serve(['a']);
    expect(rig.states(listener)).to.deep.equal({ a: 'InService' });
    expect(await failureOf(begin(listener).end())).to.equal('ECONNRESET');
    serverOf(rig.world, 'a').firewallGroup = '';
    expect((await ask(listener)).body).to.equal('a');
    listener.instancePort = 1;
    expect(await failureOf(begin(listener).end())).to.equal('ECONNRESET');
  });

  for (const [what, leave] of [
    ['was deregistered', (listener: Listener) => rig.register(listener, ['b'])],
    [
      'has stopped',
      () => {
        serverOf(rig.world, 'a').state = 'stopped';
        return rig.follow();
      },
    ],
  ] as const) {
    it(`cuts an answer of a target that ${what}, and serves the next request of its client elsewhere`, async () => {
      handle = (name, request, response) => {
        response.write(name);
        if (request.url !== '/endless') response.end();
      };
      const listener = await serve(['a', 'b']);
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      expect(await servedBy(listener, 2, { agent })).to.equal('ab');
      const sent = begin(listener, { agent, path: '/endless' }).end();
      const [answer] = (await once(sent, 'response')) as [IncomingMessage];
      expect(String((await once(answer, 'data'))[0])).to.equal('a');
      const failure = failureOf(sent);
      answer.on('error', () => {});
      await leave(listener);
      expect(await failure).to.equal('ECONNRESET');
      expect(await servedBy(listener, 2, { agent })).to.equal('bb');
      agent.destroy();
    });
  }

  it('closes with idle and busy connections', async () => {
    handle = (name, request, response) => {
      if (request.url === '/endless') response.write(name);
      else response.end(name);
    };
    const listener = await serve(['a'], { protocol: 'HTTPS' });
    const { host, port } = rig.place(listener);
    const silent = connect(port, host).on('error', () => {});
    await once(silent, 'connect');
    const sent = begin(listener, { path: '/endless' }).end();
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    sent.on('error', () => {});
    answer.on('error', () => {});
    await rig.plane.stop();
    await until(() => silent.closed && answer.closed);
  });
});
