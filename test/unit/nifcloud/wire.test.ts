import { createHmac } from 'node:crypto';
import { getEventListeners, once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { expect } from 'chai';
import { NifcloudError, type Outcome } from '../../../nifcloud/errors.ts';
import { systemClock } from '../../../daemon/clock.ts';
import { Wire, type WireOptions } from '../../../nifcloud/wire.ts';
import type { XmlElement } from '../../../nifcloud/xml.ts';
import { FakeClock } from '../../fake-clock.ts';
import { accept, refuse, startCloudServer, type CloudServer, type Received } from './cloud-server.ts';
import { errorOf } from './recorded-api.ts';

const never = new AbortController().signal;
const SECRET = 'very/secret+key=';
const KEYS = { accessKeyId: 'KEY', secretAccessKey: SECRET };
const CALL = { action: 'DescribeX', parameters: { 'VolumeId.1': 'a b' }, parse: (): string => 'parsed' };

const volumeId = (answer: XmlElement): string => answer.requiredText('volumeId');

describe('Wire', () => {
  let server: CloudServer;
  let answer: (received: Received) => void;

  beforeEach(async () => {
    server = await startCloudServer((received) => answer(received));
  });
  afterEach(() => server.stop());

  async function failureOf(wire: Wire = wireTo(server.endpoint)): Promise<NifcloudError> {
    const error = await errorOf(wire.exchange(CALL, KEYS, never));
    expect(error).to.be.instanceOf(NifcloudError);
    return error as NifcloudError;
  }

  it('posts a form to /api/ whose signature covers the Host that the server sees', async () => {
    answer = accept;
    expect(await wireTo(server.endpoint).exchange(CALL, KEYS, never)).to.equal('parsed');
    const { request, body, form } = server.received[0]!;
    expect(request.method).to.equal('POST');
    expect(request.url).to.equal('/api/');
    expect(request.headers['content-type']).to.equal('application/x-www-form-urlencoded');
    expect(request.headers['user-agent']).to.equal('test/1');
    expect(form.get('Action')).to.equal('DescribeX');
    expect(form.get('VolumeId.1')).to.equal('a b');
    const signed = body.slice(0, body.indexOf('&Signature='));
    const expected = createHmac('sha256', SECRET).update(`POST\n${request.headers.host}\n/api/\n${signed}`);
    expect(form.get('Signature')).to.equal(expected.digest('base64'));
  });

  it('uses one connection for calls that follow each other', async () => {
    answer = accept;
    const wire = wireTo(server.endpoint);
    await wire.exchange(CALL, KEYS, never);
    await wire.exchange(CALL, KEYS, never);
    expect(server.received[1]!.request.socket).to.equal(server.received[0]!.request.socket);
  });

  for (const status of [200, 400, 404, 500, 503]) {
    it(`takes an error body with status ${status} for the answer of the cloud`, async () => {
      answer = (received) => refuse(received, 'Client.InvalidParameterNotFound.Volume', status);
      const { action, code, outcome, requestId, httpStatus, message } = await failureOf();
      expect({ action, code, outcome, requestId, httpStatus }).to.deep.equal({
        action: 'DescribeX',
        code: 'Client.InvalidParameterNotFound.Volume',
        outcome: 'refused',
        requestId: 'req-1',
        httpStatus: status,
      });
      expect(message).to.contain("It's refused");
    });
  }

  const WHOLE = '<DescribeXResponse><a>1</a></DescribeXResponse>';
  const table: [what: string, answer: (received: Received) => void, code: string, outcome: Outcome][] = [
    ['a connection that is dropped after the request', ({ response }) => response.destroy(), 'ECONNRESET', 'unknown'],
    ['an answer that breaks off on the wire', breakOff, 'ERR_BAD_RESPONSE|ECONNRESET', 'unknown'],
    ['a truncated document', ({ response }) => response.end(WHOLE.slice(0, -5)), 'UnreadableAnswer', 'unknown'],
    ['the answer to another action', ({ response }) => response.end('<YResponse/>'), 'UnreadableAnswer', 'unknown'],
    ['an empty answer', ({ response }) => response.end(), 'UnreadableAnswer', 'unknown'],
    ['a redirect', (received) => page(received, 302), 'NoErrorCode', 'unknown'],
    ['500 with a page', (received) => page(received, 500), 'NoErrorCode', 'unknown'],
    ['502 with a page', (received) => page(received, 502), 'NoErrorCode', 'unknown'],
    ['503 with a page', (received) => page(received, 503), 'NoErrorCode', 'unknown'],
    ['504 with a page', (received) => page(received, 504), 'NoErrorCode', 'unknown'],
    ['500 with a well-formed success', (received) => success(received, 500), 'NoErrorCode', 'unknown'],
    ['429 with a page', (received) => page(received, 429), 'NoErrorCode', 'refused'],
    ['509 with a page', (received) => page(received, 509), 'NoErrorCode', 'refused'],
  ];
  for (const [what, reply, code, outcome] of table) {
    it(`calls the outcome of ${what} ${outcome}`, async () => {
      answer = reply;
      const error = await failureOf();
      expect(error.code).to.match(new RegExp(`^(${code})$`));
      expect(error.outcome).to.equal(outcome);
    });
  }

  it('calls the outcome of an answer that its reader cannot use unknown', async () => {
    answer = accept;
    const error = await errorOf(wireTo(server.endpoint).exchange({ ...CALL, parse: volumeId }, KEYS, never));
    expect(error).to.include({ code: 'UnreadableAnswer', outcome: 'unknown' });
  });

  it('knows that nothing was sent when the connection is refused', async () => {
    await server.stop();
    const error = await failureOf(wireTo(server.endpoint));
    expect(error).to.include({ code: 'ECONNREFUSED', outcome: 'not-sent', httpStatus: 0 });
    expect(error.cause).to.include({ code: 'ECONNREFUSED' });
  });

  it('gives up after the time limit, not knowing the outcome, and drops the connection', async () => {
    const clock = new FakeClock();
    const arrived = new Promise<Received>((resolve) => {
      answer = resolve;
    });
    const failing = failureOf(wireTo(server.endpoint, { clock, timeoutMs: 60_000 }));
    const { request } = await arrived;
    const closed = once(request.socket, 'close');
    await clock.advance(60_000);
    expect(await failing).to.include({ code: 'Timeout', outcome: 'unknown' });
    await closed;
    expect(clock.sleeping).to.equal(0);
  });

  it('ends with the reason of its signal during a request, and drops the connection', async () => {
    const clock = new FakeClock();
    const arrived = new Promise<Received>((resolve) => {
      answer = resolve;
    });
    const abort = new AbortController();
    const ending = errorOf(wireTo(server.endpoint, { clock }).exchange(CALL, KEYS, abort.signal));
    const closed = once((await arrived).request.socket, 'close');
    const reason = new Error('shutting down');
    abort.abort(reason);
    expect(await ending).to.equal(reason);
    await closed;
    expect(clock.sleeping).to.equal(0);
  });

  it('ends with the reason of its signal while it reads a large answer', async () => {
    const abort = new AbortController();
    const reason = new Error('shutting down');
    answer = (received) => {
      received.response.on('finish', () => setImmediate(() => abort.abort(reason)));
      accept(received, '<item>1</item>'.repeat(1_000_000));
    };
    let isParsed = false;
    const call = { ...CALL, parse: () => (isParsed = true) };
    expect(await errorOf(wireTo(server.endpoint).exchange(call, KEYS, abort.signal))).to.equal(reason);
    expect(isParsed).to.equal(false);
  });

  it('sends nothing once its signal has aborted', async () => {
    const reason = new Error('too late');
    expect(await errorOf(wireTo(server.endpoint).exchange(CALL, KEYS, AbortSignal.abort(reason)))).to.equal(reason);
    expect(server.received).to.have.length(0);
  });

  it('leaves nothing on a signal that lives on', async () => {
    answer = accept;
    const { signal } = new AbortController();
    await wireTo(server.endpoint).exchange(CALL, KEYS, signal);
    expect(getEventListeners(signal, 'abort')).to.have.length(0);
  });

  const leaks: [what: string, reply: (received: Received) => void][] = [
    ['a dropped connection', ({ response }) => response.destroy()],
    ['an answer that breaks off', breakOff],
    ['a page', (received) => page(received, 502)],
    ['a refusal that repeats the request', (received) => refuse(received, 'Client.AuthFailure')],
    ['a refusal that repeats the signature', echo],
  ];
  for (const [what, reply] of leaks) {
    it(`keeps secret and signature out of the error after ${what}`, async () => {
      answer = reply;
      const error = await failureOf();
      const { form, body } = server.received[0]!;
      const shown = [
        error.message,
        error.stack,
        JSON.stringify(error),
        inspect(error, { depth: 20, showHidden: true }),
      ].join();
      for (const secret of [
        SECRET,
        encodeURIComponent(SECRET),
        form.get('Signature')!,
        body.split('&Signature=')[1]!,
      ]) {
        expect(shown).not.to.contain(secret);
      }
      expect(shown).not.to.contain('VolumeId.1=');
    });
  }

  describe('behind a proxy', () => {
    let seen: string[];
    let proxy: Awaited<ReturnType<typeof startProxy>>;
    beforeEach(async () => {
      seen = [];
      proxy = await startProxy(seen);
    });
    afterEach(() => proxy.stop());

    it('sends plain requests to HTTP_PROXY', async () => {
      const wire = wireTo('http://nifcloud.invalid', { proxyEnv: { HTTP_PROXY: proxy.url } });
      expect(await wire.exchange(CALL, KEYS, never)).to.equal('parsed');
      expect(seen).to.deep.equal(['POST http://nifcloud.invalid/api/']);
    });

    it('tunnels through HTTPS_PROXY, and knows that nothing was sent when that refuses', async () => {
      const error = await failureOf(wireTo('https://nifcloud.invalid', { proxyEnv: { HTTPS_PROXY: proxy.url } }));
      expect(seen).to.deep.equal(['CONNECT nifcloud.invalid:443']);
      expect(error.outcome).to.equal('not-sent');
    });

    it('leaves out the hosts of NO_PROXY', async () => {
      answer = accept;
      const { port } = new URL(server.endpoint);
      // An address of this machine that does not look like one, so that it is not exempt anyway.
      const wire = wireTo(`http://[::ffff:127.0.0.1]:${port}`, { proxyEnv: { HTTP_PROXY: proxy.url, NO_PROXY: '*' } });
      await wire.exchange(CALL, KEYS, never);
      expect(seen).to.deep.equal([]);
    });

    it('never sends requests to the machine itself to a proxy', async () => {
      answer = accept;
      await wireTo(server.endpoint, { proxyEnv: { HTTP_PROXY: proxy.url } }).exchange(CALL, KEYS, never);
      expect(seen).to.deep.equal([]);
    });
  });
});

function wireTo(endpoint: string, options: Partial<WireOptions> = {}): Wire {
  return new Wire({
    url: new URL('/api/', endpoint),
    userAgent: 'test/1',
    timeoutMs: 10_000,
    clock: systemClock,
    proxyEnv: {},
    ...options,
  });
}

/** An HTTP proxy that answers plain requests itself, refuses tunnels, and notes both. */
async function startProxy(seen: string[]): Promise<{ url: string; stop: () => void }> {
  const proxy = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    response.end('<DescribeXResponse/>');
  });
  proxy.on('connect', (request: IncomingMessage, socket: NodeJS.WritableStream) => {
    seen.push(`CONNECT ${request.url}`);
    socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  return { url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, stop: () => proxy.close() };
}

function page({ response }: Received, status: number): void {
  response.writeHead(status, { location: 'http://127.0.0.1:9/' });
  response.end('<html><body><code>Bad.Gateway</code></body></html>');
}

function success({ response }: Received, status: number): void {
  response.writeHead(status);
  response.end('<DescribeXResponse/>');
}

function breakOff({ response }: Received): void {
  response.writeHead(200, { 'content-length': '1000' });
  response.write('<DescribeXResponse>', () => response.destroy());
}

function echo({ response, form, body }: Received): void {
  response.statusCode = 401;
  const message = `${form.get('Signature')} is wrong, ${SECRET} too: ${body.split('&Signature=')[1]}`;
  response.end(
    `<Response><Errors><Error><Code>Client.AuthFailure</Code><Message>${message}</Message></Error></Errors></Response>`,
  );
}
