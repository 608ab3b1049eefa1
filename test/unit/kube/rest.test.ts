import { expect } from 'chai';
import { KubeConnectionError, KubeError } from '../../../kube/errors.ts';
import { KubeClient, type KubeClientOptions } from '../../../kube/rest.ts';
import type { KubeRequestMetrics } from '../../../kube/surroundings.ts';
import type { KubeObject, WatchEvent } from '../../../kube/types.ts';
import { FakeClock } from '../../fake-clock.ts';
import { advanceUntil, ApiServer, failure, memoryLogger, node, sendJson, statusBody, until } from './api-server.ts';

describe('KubeClient', () => {
  let api: ApiServer;
  let clock: FakeClock;
  let logger: ReturnType<typeof memoryLogger>;
  let abort: AbortController;
  let signal: AbortSignal;

  beforeEach(async () => {
    api = new ApiServer();
    await api.start();
    clock = new FakeClock();
    logger = memoryLogger();
    abort = new AbortController();
    signal = abort.signal;
  });

  afterEach(async () => {
    abort.abort();
    await api.stop();
  });

  const collect = async (client: KubeClient, into: WatchEvent<KubeObject>[]): Promise<void> => {
    for await (const event of client.watch('/nodes', { resourceVersion: '5' }, signal)) into.push(event);
  };
  const newClient = (options: Partial<KubeClientOptions> = {}, token: () => string | undefined = () => 'secret') =>
    new KubeClient({ server: api.url, token }, { userAgent: 'test/1', logger, clock, ...options });

  describe('requests', () => {
    const body = { metadata: { name: 'a' }, unknown: { field: 1 } };
    const cases: readonly [string, (client: KubeClient) => Promise<unknown>, Record<string, unknown>][] = [
      [
        'get',
        (c) => c.get('/p', { query: { a: 'x y', n: 1, no: undefined }, signal }),
        { method: 'GET', query: { a: 'x y', n: '1' }, body: '' },
      ],
      ['create', (c) => c.create('/p', body, { signal }), { method: 'POST', body: JSON.stringify(body) }],
      ['replace', (c) => c.replace('/p', body, { signal }), { method: 'PUT', body: JSON.stringify(body) }],
      ['patch', (c) => c.patch('/p', body, 'strategic', { signal }), { method: 'PATCH', body: JSON.stringify(body) }],
      ['delete', (c) => c.delete('/p', { signal }), { method: 'DELETE', body: '' }],
      ['delete', (c) => c.delete('/p', { body, signal }), { method: 'DELETE', body: JSON.stringify(body) }],
    ];
    for (const [name, call, expected] of cases) {
      it(`${name} sends ${String(expected['method'])} ${expected['body'] === '' ? 'without' : 'with'} a body`, async () => {
        api.answer = (_request, response) => sendJson(response, 200, { answered: true });
        await call(newClient());
        const [request] = api.requests;
        expect(request).to.include({ path: '/p', method: expected['method'], body: expected['body'] });
        expect(request?.query).to.deep.equal(expected['query'] ?? {});
        expect(request?.headers).to.include({
          accept: 'application/json',
          'user-agent': 'test/1',
          authorization: 'Bearer secret',
        });
      });
    }

    const types = {
      strategic: 'application/strategic-merge-patch+json',
      merge: 'application/merge-patch+json',
      json: 'application/json-patch+json',
    } as const;
    for (const type of ['strategic', 'merge', 'json'] as const) {
      it(`sends a ${type} patch with its content type`, async () => {
        api.answer = (_request, response) => sendJson(response, 200, {});
        await newClient().patch('/p', [], type, { signal });
        expect(api.requests[0]?.headers['content-type']).to.equal(types[type]);
      });
    }

    it('answers the JSON as it came, with the fields that no type knows', async () => {
      api.answer = (_request, response) => sendJson(response, 200, body);
      expect(await newClient().get('/p', { signal })).to.deep.equal(body);
    });

    it('finds the API under the path of the server URL', async () => {
      api.answer = (_request, response) => sendJson(response, 200, {});
      const connection = { server: `${api.url}/k8s/clusters/c1/`, token: () => undefined };
      await new KubeClient(connection, { userAgent: 'test/1', logger, clock }).get('/api/v1/nodes', { signal });
      expect(api.requests[0]?.path).to.equal('/k8s/clusters/c1/api/v1/nodes');
      expect(api.requests[0]?.headers).not.to.have.property('authorization');
    });

    it('asks for the token before each request', async () => {
      api.answer = (_request, response) => sendJson(response, 200, {});
      const tokens = ['old', 'new'];
      const client = newClient({}, () => tokens.shift());
      await client.get('/p', { signal });
      await client.get('/p', { signal });
      expect(api.requests.map((request) => request.headers.authorization)).to.deep.equal(['Bearer old', 'Bearer new']);
    });
  });

  describe('refusals', () => {
    it('of a token are told to whom it came from', async () => {
      api.answer = (_request, response) => sendJson(response, 401, statusBody(401, 'Unauthorized'));
      const refused: string[] = [];
      const connection = {
        server: api.url,
        token: () => 'old',
        refused: (token: string) => void refused.push(token),
      };
      const client = new KubeClient(connection, { userAgent: 'test/1', logger, clock });
      expect(await failure(client.get('/p', { signal }))).to.include({ status: 401, reason: 'Unauthorized' });
      expect(refused).to.deep.equal(['old']);
    });

    it('are KubeErrors with what the Status says', async () => {
      const details = { name: 'a', kind: 'nodes' };
      api.answer = (_request, response) =>
        sendJson(response, 404, { ...statusBody(404, 'NotFound', 'nodes "a" not found'), details });
      const error = await failure(newClient().get('/p', { signal }));
      expect(error).to.be.instanceOf(KubeError);
      expect(error).to.include({ status: 404, reason: 'NotFound', message: 'nodes "a" not found' });
      expect(error).to.have.deep.property('details', details);
    });

    it('of a proxy, which are no Status, are KubeErrors as well', async () => {
      api.answer = (_request, response) => response.writeHead(502).end('<h1>Bad gateway</h1>');
      const error = await failure(newClient().get('/p', { signal }));
      expect(error).to.be.instanceOf(KubeError);
      expect(error).to.include({ status: 502, reason: '', message: 'HTTP 502: <h1>Bad gateway</h1>' });
    });

    it('a good answer that is not JSON is none, and its text stays out of the error', async () => {
      api.answer = (_request, response) => response.end('hunter2');
      const error = await failure(newClient().get('/p', { signal }));
      expect(error).to.be.instanceOf(KubeConnectionError).with.property('code', 'MALFORMED');
      expect(`${String(error)} ${String((error as Error).cause)}`).not.to.contain('hunter2');
    });
  });

  describe('Retry-After', () => {
    for (const status of [429, 500, 503]) {
      it(`of a ${status} is waited for exactly, with every method`, async () => {
        const client = newClient();
        api.answer = (_request, response) =>
          api.requests.length === 1
            ? sendJson(response, status, statusBody(status, 'Busy'), { 'retry-after': '7' })
            : sendJson(response, 200, { done: true });
        const answer = client.create('/p', { x: 1 }, { signal });
        await until(() => logger.lines.length > 0);
        await clock.advance(6_999);
        expect(clock.sleeping).to.equal(1);
        await clock.advance(1);
        expect(await answer).to.deep.equal({ done: true });
        expect(api.requests.map((request) => request.body)).to.deep.equal(['{"x":1}', '{"x":1}']);
      });
    }

    for (const [status, header, why] of [
      [429, undefined, 'is absent'],
      [503, 'Fri, 21 Nov 2026 00:00:00 GMT', 'is a date'],
      [409, '1', 'comes with another status'],
    ] as const) {
      it(`is no reason to try again where it ${why}`, async () => {
        api.answer = (_request, response) =>
          sendJson(
            response,
            status,
            statusBody(status, 'Refused'),
            header === undefined ? {} : { 'retry-after': header },
          );
        expect(await failure(newClient().get('/p', { signal }))).to.include({ status });
        expect(api.requests).to.have.length(1);
      });
    }

    it('is obeyed ten times, then the refusal stands', async () => {
      api.answer = (_request, response) => sendJson(response, 503, statusBody(503, 'Busy'), { 'retry-after': '1' });
      let error: unknown;
      newClient()
        .get('/p', { signal })
        .catch((caught: unknown) => {
          error = caught;
        });
      await advanceUntil(clock, 1_000, () => error !== undefined);
      expect(error).to.include({ status: 503, retryAfterSeconds: 1 });
      expect(api.requests).to.have.length(11);
    });
  });

  describe('writes of those who may have lost the right to', () => {
    const writes: readonly [string, (client: KubeClient) => Promise<unknown>][] = [
      ['create', (c) => c.create('/p', {}, { signal })],
      ['replace', (c) => c.replace('/p', {}, { signal })],
      ['patch', (c) => c.patch('/p', {}, 'strategic', { signal })],
      ['delete', (c) => c.delete('/p', { signal })],
    ];
    for (const [name, write] of writes) {
      it(`${name} is not sent when it is found out last of all, after the wait for its turn and for a token`, async () => {
        api.answer = (_request, response) => sendJson(response, 200, {});
        const seen: string[] = [];
        const lost = new Error('lost');
        const client = newClient(
          {
            beforeWrite: () => {
              seen.push('asked');
              throw lost;
            },
          },
          () => {
            seen.push('token');
            return undefined;
          },
        );
        expect(await failure(write(client))).to.equal(lost);
        expect(seen).to.deep.equal(['token', 'asked']);
        expect(api.requests).to.deep.equal([]);
        await client.get('/p', { signal });
        expect(seen).to.deep.equal(['token', 'asked', 'token']);
      });
    }

    it('are not sent again after Retry-After either', async () => {
      api.answer = (_request, response) =>
        sendJson(response, 503, statusBody(503, 'ServiceUnavailable'), { 'retry-after': '20' });
      let isLost = false;
      const lost = new Error('lost');
      const client = newClient({
        beforeWrite: () => {
          if (isLost) throw lost;
        },
      });
      const failed = failure(client.patch('/p', {}, 'strategic', { signal }));
      await until(() => clock.sleeping === 1 && api.requests.length === 1);
      isLost = true;
      await advanceUntil(clock, 1_000, () => clock.sleeping === 0);
      expect(await failed).to.equal(lost);
      expect(api.requests).to.have.length(1);
    });
  });

  describe('broken connections', () => {
    it('a GET is sent again after a second', async () => {
      api.answer = (_request, response) =>
        api.requests.length === 1 ? response.destroy() : sendJson(response, 200, { done: true });
      const answer = newClient().get('/p', { signal });
      await until(() => logger.lines.length > 0);
      await clock.advance(1_000);
      expect(await answer).to.deep.equal({ done: true });
    });

    it('a write is not sent again: it may have been done', async () => {
      api.answer = (_request, response) => response.destroy();
      const error = await failure(newClient().patch('/p', {}, 'merge', { signal }));
      expect(error).to.be.instanceOf(KubeConnectionError).with.property('code', 'ECONNRESET');
      expect(api.requests).to.have.length(1);
    });

    it('a refused connection is an error at once', async () => {
      const client = newClient();
      await api.stop();
      const error = await failure(client.get('/p', { signal }));
      expect(error).to.be.instanceOf(KubeConnectionError).with.property('code', 'ECONNREFUSED');
      await api.start();
    });

    it('a request without an answer is given up after its time, and its connection closed', async () => {
      api.answer = () => undefined;
      const answer = failure(newClient({ requestTimeoutMs: 5_000 }).get('/p', { signal }));
      await until(() => api.requests.length === 1);
      await clock.advance(5_000);
      expect(await answer)
        .to.be.instanceOf(KubeConnectionError)
        .with.property('code', 'TIMEOUT');
      await until(() => api.sockets.size === 0);
    });

    it('a request whose answer stops in the middle is given up after its time', async () => {
      api.answer = (_request, response) => response.write('{"half":');
      const answer = failure(newClient({ requestTimeoutMs: 5_000 }).get('/p', { signal }));
      await until(() => api.requests.length === 1);
      await clock.advance(5_000);
      expect(await answer).to.have.property('code', 'TIMEOUT');
      await until(() => api.sockets.size === 0);
    });

    it('a token that never comes does not hold a request for longer than its time', async () => {
      const connection = { server: api.url, token: () => new Promise<string>(() => undefined) };
      const client = new KubeClient(connection, { userAgent: 'test/1', logger, clock });
      const answer = failure(client.get('/p', { signal }));
      await clock.advance(60_000);
      expect(await answer).to.have.property('code', 'TIMEOUT');
      expect(api.requests).to.have.length(0);
    });

    it('an abort ends a request with its reason and leaves neither connection nor timer', async () => {
      api.answer = () => undefined;
      const answer = failure(newClient().get('/p', { signal }));
      await until(() => api.requests.length === 1);
      const reason = new Error('enough');
      abort.abort(reason);
      expect(await answer).to.equal(reason);
      await until(() => api.sockets.size === 0);
      expect(clock.sleeping).to.equal(0);
    });
  });

  describe('limits', () => {
    it('30 calls at once open no more connections than configured, and later calls reuse them', async () => {
      api.answer = (_request, response) => {
        setImmediate(() => sendJson(response, 200, {}));
      };
      const client = newClient({ maxSockets: 4, burst: 60 });
      for (const round of [1, 2]) {
        await Promise.all(Array.from({ length: 30 }, () => client.get('/p', { signal })));
        expect(api.requests).to.have.length(30 * round);
        expect(api.connections).to.equal(4);
      }
    });

    it('watches do not take the connections of requests', async () => {
      const client = newClient({ maxSockets: 1 });
      const watches = [1, 2, 3].map(() => client.watch('/nodes', {}, signal).next());
      await until(() => api.watches.length === 3);
      expect(await client.get('/nodes', { signal })).to.have.property('kind', 'NodeList');
      abort.abort();
      await Promise.allSettled(watches);
    });

    it('after the burst requests go at the rate, and long waits are logged', async () => {
      api.answer = (_request, response) => sendJson(response, 200, {});
      const client = newClient({ qps: 2, burst: 3 });
      const answers = Promise.all([1, 2, 3, 4, 5, 6].map(() => client.get('/p', { signal })));
      await until(() => api.requests.length === 3 && clock.sleeping === 3);
      await clock.advance(499);
      expect(clock.sleeping).to.equal(3);
      await clock.advance(1);
      await until(() => api.requests.length === 4 && clock.sleeping === 2);
      await clock.advance(1_000);
      await answers;
      expect(logger.lines.map((line) => line.fields?.['waitMs'])).to.deep.equal([1_500]);
    });

    it('a request that gives up waiting for its turn leaves the turn to others', async () => {
      api.answer = (_request, response) => sendJson(response, 200, {});
      const client = newClient({ qps: 1, burst: 1 });
      await client.get('/p', { signal });
      const impatient = new AbortController();
      const given = failure(client.get('/p', { signal: impatient.signal }));
      await until(() => clock.sleeping === 1);
      impatient.abort(new Error('not now'));
      expect(await given).to.have.property('message', 'not now');
      const next = client.get('/p', { signal });
      await until(() => clock.sleeping === 1);
      await clock.advance(1_000);
      await next;
    });
  });

  describe('metrics', () => {
    let told: string[];
    let host: string;
    const tell =
      (what: string) =>
      (verb: string, at: string, value: string | number): void => {
        expect(at).to.equal(host);
        told.push(`${what} ${verb} ${value}`);
      };
    const names = ['throttled', 'answered', 'retried', 'finished', 'sent', 'received'] as const;
    const measured = (options: Partial<KubeClientOptions> = {}): KubeClient => {
      const metrics = Object.fromEntries(names.map((name) => [name, tell(name)])) as unknown as KubeRequestMetrics;
      return newClient({ metrics, ...options });
    };

    beforeEach(() => {
      told = [];
      host = new URL(api.url).host;
    });

    it('tell of each try, of waits and of the whole', async () => {
      api.answer = (_request, response) =>
        api.requests.length === 1
          ? sendJson(response, 503, { kind: 'Status' }, { 'retry-after': '7' })
          : sendJson(response, 200, {});
      const answer = measured({ qps: 1, burst: 1 }).patch('/p', { x: 1 }, 'merge', { signal });
      await until(() => logger.lines.length > 0);
      await clock.advance(7_000);
      await answer;
      expect(told).to.deep.equal([
        'throttled PATCH 0',
        'sent PATCH 7',
        'answered PATCH 503',
        'received PATCH 17',
        'retried PATCH 503',
        'throttled PATCH 0',
        'sent PATCH 7',
        'answered PATCH 200',
        'received PATCH 2',
        'finished PATCH 7',
      ]);
      told = [];
      const late = measured({ qps: 1, burst: 0 }).get('/p', { signal });
      await until(() => clock.sleeping === 1);
      await clock.advance(1_000);
      await late;
      expect(told[0]).to.equal('throttled GET 1');
      expect(told.at(-1)).to.equal('finished GET 1');
    });

    it('count what was not answered, and watches by their opening alone', async () => {
      const client = measured();
      const reading = client.watch('/nodes', {}, signal).next();
      await until(() => api.watches.length === 1);
      await until(() => told.length === 2);
      expect(told).to.deep.equal(['throttled GET 0', 'answered GET 200']);
      told = [];
      await api.stop();
      await failure(reading);
      await failure(client.get('/p', { signal }));
      await api.start();
      expect(told).to.deep.equal(['throttled GET 0', 'answered GET <error>', 'finished GET 0']);
    });
  });

  describe('watch', () => {
    it('yields the events as they come and ends when the server ends it', async () => {
      const events: WatchEvent<KubeObject>[] = [];
      const done = collect(newClient(), events);
      await until(() => api.watches.length === 1);
      const [watch] = api.watches;
      expect(watch?.query).to.deep.equal({ resourceVersion: '5', watch: 'true' });
      watch?.send('ADDED', node('a', '6'));
      await until(() => events.length === 1);
      watch?.response.end();
      await done;
      expect(events).to.deep.equal([{ type: 'ADDED', object: node('a', '6') }]);
      expect(clock.sleeping).to.equal(0);
    });

    it('an object and a multi-byte character may be split across chunks', async () => {
      const events: WatchEvent<KubeObject>[] = [];
      const done = collect(newClient(), events);
      await until(() => api.watches.length === 1);
      const object = node('a', '6', { place: '東京🗼' });
      for (const byte of Buffer.from(`${JSON.stringify({ type: 'ADDED', object })}\n`)) {
        api.watches[0]?.response.write(Buffer.of(byte));
        await new Promise((resolve) => {
          setImmediate(resolve);
        });
      }
      api.watches[0]?.response.end();
      await done;
      expect(events).to.deep.equal([{ type: 'ADDED', object }]);
    });

    it('a truncated last line is an error, after the whole lines before it', async () => {
      const events: WatchEvent<KubeObject>[] = [];
      const done = failure(collect(newClient(), events));
      await until(() => api.watches.length === 1);
      api.watches[0]?.send('ADDED', node('a', '6'));
      api.watches[0]?.response.end('{"type":"MODIFIED","obj');
      expect(await done)
        .to.be.instanceOf(KubeConnectionError)
        .with.property('code', 'MALFORMED');
      expect(events).to.have.length(1);
    });

    it('a connection that breaks is an error', async () => {
      const done = failure(collect(newClient(), []));
      await until(() => api.watches.length === 1);
      api.watches[0]?.response.destroy();
      expect(await done)
        .to.be.instanceOf(KubeConnectionError)
        .with.property('code', 'ECONNRESET');
    });

    it('an ERROR event is thrown as the KubeError that it says', async () => {
      const done = failure(collect(newClient(), []));
      await until(() => api.watches.length === 1);
      api.watches[0]?.send('ERROR', statusBody(410, 'Expired'));
      expect(await done)
        .to.be.instanceOf(KubeError)
        .that.includes({ status: 410, reason: 'Expired' });
      await until(() => api.sockets.size === 0);
    });

    it('a half-open connection is found dead after the quiet time, counted from the last event', async () => {
      const events: WatchEvent<KubeObject>[] = [];
      const done = failure(collect(newClient({ watchQuietMs: 9_000 }), events));
      await until(() => api.watches.length === 1 && clock.sleeping === 1);
      await clock.advance(8_000);
      api.watches[0]?.send('BOOKMARK', node('', '7'));
      await until(() => events.length === 1);
      await clock.advance(8_999);
      expect(clock.sleeping).to.equal(1);
      await clock.advance(1);
      expect(await done)
        .to.be.instanceOf(KubeConnectionError)
        .with.property('code', 'QUIET');
      await until(() => api.sockets.size === 0);
    });

    it('an abort ends it with its reason and leaves neither connection nor timer', async () => {
      const done = failure(collect(newClient(), []));
      await until(() => api.watches.length === 1);
      const reason = new Error('enough');
      abort.abort(reason);
      expect(await done).to.equal(reason);
      await until(() => api.sockets.size === 0);
      expect(clock.sleeping).to.equal(0);
    });

    it('a reader that breaks off leaves neither connection nor timer', async () => {
      const reading = (async () => {
        for await (const _event of newClient().watch('/nodes', {}, signal)) break;
      })();
      await until(() => api.watches.length === 1);
      api.watches[0]?.send('ADDED', node('a', '6'));
      await reading;
      await until(() => api.sockets.size === 0);
      expect(clock.sleeping).to.equal(0);
    });

    it('a refusal to open is a KubeError', async () => {
      api.answerWatch = (_request, response) => sendJson(response, 403, statusBody(403, 'Forbidden'));
      expect(await failure(collect(newClient(), []))).to.include({ status: 403, reason: 'Forbidden' });
    });
  });
});
