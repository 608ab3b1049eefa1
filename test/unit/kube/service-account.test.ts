import { expect } from 'chai';
import { ControllerClients } from '../../../kube/clients.ts';
import type { ClusterConnection } from '../../../kube/config.ts';
import { KubeClient } from '../../../kube/rest.ts';
import { ServiceAccountConnection } from '../../../kube/service-account.ts';
import { startApiServer } from '../../../simulator/kubernetes/server.ts';
import { FakeClock } from '../../fake-clock.ts';
import { ApiServer, failure, memoryLogger, sendJson, statusBody, until } from './api-server.ts';

const ACCOUNT = '/api/v1/namespaces/kube-system/serviceaccounts/node-controller';

describe('ServiceAccountConnection', () => {
  let api: ApiServer;
  let clock: FakeClock;
  let logger: ReturnType<typeof memoryLogger>;
  let abort: AbortController;
  let account: ServiceAccountConnection;
  /** What token requests are answered with: a life in s, or a refusal. */
  let answers: (number | 'refused')[];
  let exists: boolean;
  let base: ClusterConnection;

  beforeEach(async () => {
    api = new ApiServer();
    await api.start();
    clock = new FakeClock();
    logger = memoryLogger();
    abort = new AbortController();
    answers = [];
    exists = true;
    let issued = 0;
    api.answer = (request, response) => {
      if (request.path === `${ACCOUNT}/token`) {
        const life = answers.shift() ?? 3_600;
        if (life === 'refused') return sendJson(response, 500, statusBody(500, 'InternalError'));
        return sendJson(response, 201, { spec: { expirationSeconds: life }, status: { token: `token-${++issued}` } });
      }
      if (request.path === ACCOUNT && !exists) return sendJson(response, 404, statusBody(404, 'NotFound'));
      if (request.method === 'POST') exists = true;
      return sendJson(response, 200, {});
    };
    base = { server: api.url, token: () => 'pod', clientCert: 'CERT', clientKey: 'KEY' };
    const client = new KubeClient({ server: api.url, token: () => 'pod' }, { userAgent: 'test', logger, clock });
    account = new ServiceAccountConnection({
      connection: base,
      client,
      namespace: 'kube-system',
      name: 'node-controller',
      logger,
      clock,
      signal: abort.signal,
    });
  });

  afterEach(async () => {
    abort.abort();
    await api.stop();
  });

  const asked = (): number => api.requests.filter(({ path }) => path.endsWith('/token')).length;

  it('asks for a token of an hour, as the pod, when it is needed first; all who wait share it', async () => {
    expect(api.requests).to.have.length(0);
    const tokens = await Promise.all([account.token(), account.token()]);
    expect(tokens).to.deep.equal(['token-1', 'token-1']);
    expect(api.requests.map(({ method, path }) => `${method} ${path}`)).to.deep.equal([
      `GET ${ACCOUNT}`,
      `POST ${ACCOUNT}/token`,
    ]);
    expect(JSON.parse(api.requests[1]!.body)).to.deep.equal({
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { expirationSeconds: 3_600 },
    });
    expect(api.requests[1]!.headers.authorization).to.equal('Bearer pod');
  });

  it('makes the account where there is none', async () => {
    exists = false;
    expect(await account.token()).to.equal('token-1');
    expect(api.requests.map(({ method }) => method)).to.deep.equal(['GET', 'POST', 'POST']);
    expect(JSON.parse(api.requests[1]!.body)).to.have.nested.property('metadata.name', 'node-controller');
  });

  it('after 80 % of its life a token is replaced behind the requests', async () => {
    await account.token();
    await clock.advance(2_879_999);
    await account.token();
    expect(asked()).to.equal(1);
    await clock.advance(1);
    expect(await account.token()).to.equal('token-1');
    await until(() => asked() === 2);
    let now: string | undefined;
    await until(() => {
      void account.token().then((text) => (now = text));
      return now === 'token-2';
    });
    expect(asked()).to.equal(2);
  });

  it('a token that cannot be replaced is used to its end, then requests fail, then they succeed again', async () => {
    await account.token();
    answers = Array<'refused'>(8).fill('refused');
    await clock.advance(3_599_000);
    expect(await account.token()).to.equal('token-1');
    for (let tries = 1; tries <= 4; tries += 1) {
      await until(() => logger.lines.length === tries);
      await clock.advance(2_000);
    }
    const late = failure(account.token());
    for (let tries = 5; tries <= 8; tries += 1) {
      await until(() => logger.lines.length === tries);
      await clock.advance(2_000);
    }
    expect(await late).to.have.property('status', 500);
    expect(await account.token()).to.equal('token-2');
  });

  it('tries four times, with pauses from 500 ms that double', async () => {
    answers = ['refused', 'refused', 'refused'];
    const token = account.token();
    for (const [tries, pauseMs] of [
      [1, 500],
      [2, 1_000],
      [3, 2_000],
    ] as const) {
      await until(() => logger.lines.length === tries && clock.sleeping === 1);
      await clock.advance(pauseMs - 1);
      expect(asked()).to.equal(tries);
      await clock.advance(1);
    }
    expect(await token).to.equal('token-1');
  });

  it('believes a life that the server shortens, but none under ten minutes', async () => {
    answers = [1_000, 1];
    await account.token();
    await clock.advance(800_000);
    await account.token();
    await until(() => asked() === 2);
    await until(() => answers.length === 0 && api.requests.length === 4);
    await clock.advance(479_000);
    await account.token();
    expect(asked()).to.equal(2);
  });

  it('a token that the server refuses is replaced before the next request', async () => {
    const { answer } = api;
    api.answer = (request, response) => {
      if (request.path !== '/p') answer?.(request, response);
      else if (request.headers.authorization === 'Bearer token-1')
        sendJson(response, 401, statusBody(401, 'Unauthorized'));
      else sendJson(response, 200, { done: true });
    };
    const client = new KubeClient(account, { userAgent: 'test', logger, clock });
    expect(await failure(client.get('/p', { signal: abort.signal }))).to.have.property('status', 401);
    expect(await client.get('/p', { signal: abort.signal })).to.deep.equal({ done: true });
  });

  it("follows where the API server is and how it is known, but has nobody else's certificate", async () => {
    const rotated = { ...base, ca: 'CA 1', token: () => void (rotated.ca = 'CA 2'), serverName: 'kubernetes' };
    account = new ServiceAccountConnection({
      connection: rotated,
      client: new KubeClient({ server: api.url, token: () => 'pod' }, { userAgent: 'test', logger, clock }),
      namespace: 'kube-system',
      name: 'node-controller',
      logger,
      clock,
      signal: abort.signal,
    });
    await account.token();
    const { server, ca, serverName, clientCert, clientKey } = account as ClusterConnection;
    expect({ server, ca, serverName, clientCert, clientKey }).to.deep.equal({
      server: api.url,
      ca: 'CA 2',
      serverName: 'kubernetes',
      clientCert: undefined,
      clientKey: undefined,
    });
  });
});

describe('ControllerClients', () => {
  for (const [how, serviceAccounts] of [
    ['as the pod', undefined],
    ['as a ServiceAccount each, which are made', 'kube-system'],
  ] as const) {
    it(`lets controllers act ${how}`, async () => {
      const server = await startApiServer();
      const seen: string[] = [];
      const front = new ApiServer();
      await front.start();
      front.answer = (request, response) => {
        seen.push(`${request.headers['user-agent']} ${whose(request.headers.authorization)}`);
        sendJson(response, 200, {});
      };
      const logger = memoryLogger();
      const abort = new AbortController();
      const { signal } = abort;
      const clock = new FakeClock();
      const connection = { server: server.url, token: () => 'pod' };
      const clients = new ControllerClients({ connection, serviceAccounts, signal, userAgent: 'ccm', logger, clock });
      const own = ['node-controller', 'service-controller'].flatMap((name) => {
        const { work, events } = clients.of(name);
        return [work, events];
      });
      for (const client of [clients.shared, ...own]) await client.get('/api/v1/nodes', { signal });
      connection.server = front.url;
      for (const client of [clients.shared, ...own]) await client.get('/p', { signal });
      const account = (name: string): string =>
        serviceAccounts === undefined ? 'pod' : `system:serviceaccount:kube-system:${name}`;
      expect(seen).to.deep.equal([
        'ccm pod',
        `ccm/node-controller ${account('node-controller')}`,
        `ccm/node-controller ${account('node-controller')}`,
        `ccm/service-controller ${account('service-controller')}`,
        `ccm/service-controller ${account('service-controller')}`,
      ]);
      expect([...server.store.values('serviceaccounts')].map(({ metadata }) => metadata.name)).to.deep.equal(
        serviceAccounts === undefined ? [] : ['node-controller', 'service-controller'],
      );
      abort.abort();
      await Promise.all([server.stop(), front.stop()]);
    });
  }

  it('ask before each write of work, and not before events, which others share', async () => {
    const server = new ApiServer();
    await server.start();
    server.answer = (_request, response) => sendJson(response, 200, {});
    const barred = new Error('not any more');
    const { signal } = new AbortController();
    const clients = new ControllerClients({
      connection: { server: server.url, token: () => 'pod' },
      serviceAccounts: undefined,
      signal,
      userAgent: 'ccm',
      logger: memoryLogger(),
      clock: new FakeClock(),
      beforeWrite: () => {
        throw barred;
      },
    });
    const { work, events } = clients.of('node-controller');
    expect(await failure(work.replace('/p', {}, { signal }))).to.equal(barred);
    await work.get('/p', { signal });
    await events.create('/p', {}, { signal });
    await clients.shared.create('/p', {}, { signal });
    expect(server.requests.map(({ method }) => method)).to.deep.equal(['GET', 'POST', 'POST']);
    await server.stop();
  });
});

function whose(authorization: string | undefined): string {
  const token = authorization?.replace('Bearer ', '') ?? '';
  const claims = token.split('.')[1];
  return claims === undefined ? token : JSON.parse(Buffer.from(claims, 'base64url').toString()).sub;
}
