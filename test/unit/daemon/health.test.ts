import { Agent, request } from 'node:https';
import type { RequestOptions } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { expect } from 'chai';
import { authenticator, type User } from '../../../daemon/authentication.ts';
import { authorizer, type Attempt } from '../../../daemon/authorization.ts';
import { selfSignedCertificate, type Certificate } from '../../../daemon/certificate.ts';
import { serveHealth } from '../../../daemon/health.ts';
import type { Check, HealthServer } from '../../../daemon/health.ts';
import { cloudRequestMetrics, newRegistry } from '../../../daemon/metrics.ts';
import { tlsSettings } from '../../../daemon/tls.ts';
import { Authority } from '../../certificates.ts';
import { FakeClock } from '../../fake-clock.ts';

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly cacheControl: string | undefined;
  /** Of the server. */
  readonly certificate: string;
  readonly cipher: string;
  readonly isResumed: boolean;
}

const get = (port: number, path: string, options: RequestOptions = {}): Promise<Answer> =>
  new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path, rejectUnauthorized: false, agent: false, ...options }, (response) => {
      const socket = response.socket as TLSSocket;
      const certificate = socket.getPeerX509Certificate()?.toString() ?? '';
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          body,
          cacheControl: response.headers['cache-control'],
          certificate,
          cipher: socket.getCipher().name,
          isResumed: socket.isSessionReused(),
        }),
      );
    })
      .on('error', reject)
      .end();
  });

describe('health server', () => {
  let server: HealthServer;
  let cloud: string | undefined;
  const registry = newRegistry();
  const healthChecks: Check[] = [];

  before(async () => {
    const ready: Check[] = [
      { name: 'caches', failure: () => undefined },
      { name: 'cloud', failure: () => cloud },
    ];
    server = await serveHealth({
      host: '127.0.0.1',
      port: 0,
      tls: await selfSignedCertificate(['localhost', '127.0.0.1'], Date.now()),
      healthChecks,
      readyChecks: ready,
      registry,
      documents: { '/configz': () => ({ a: 1 }) },
    });
  });
  after(() => server.close());
  beforeEach(() => (cloud = undefined));

  const read = async (path: string): Promise<{ status: number; body: string }> => {
    const { status, body } = await get(server.port, path);
    return { status, body };
  };

  it('answers ok over HTTPS with a certificate of its own, not to be cached', async () => {
    expect(await read('/healthz')).to.deep.equal({ status: 200, body: 'ok' });
    expect((await get(server.port, '/healthz')).cacheControl).to.equal('no-cache, private');
  });

  it('shows a check that comes later', async () => {
    healthChecks.push({ name: 'cloud-node-controller', failure: () => undefined });
    expect((await read('/healthz?verbose')).body).to.equal('[+]cloud-node-controller ok\nhealthz check passed\n');
  });

  it('fails /readyz, not /livez, with the name of the failing check and the reason', async () => {
    cloud = 'the signature was refused';
    expect(await read('/readyz')).to.deep.equal({
      status: 500,
      body: '[+]caches ok\n[-]cloud failed: the signature was refused\nreadyz check failed\n',
    });
    expect((await read('/livez')).status).to.equal(200);
  });

  it('lists every check with ?verbose, and leaves out those with ?exclude', async () => {
    expect(await read('/readyz?verbose')).to.deep.equal({
      status: 200,
      body: '[+]caches ok\n[+]cloud ok\nreadyz check passed\n',
    });
    cloud = 'away';
    expect(await read('/readyz?exclude=cloud')).to.deep.equal({ status: 200, body: 'ok' });
    expect((await read('/readyz?exclude=cloud&exclude=nosuch&verbose')).body).to.equal(
      '[+]caches ok\n[+]cloud excluded: ok\n' +
        'warn: some health checks cannot be excluded: no matches for "nosuch"\nreadyz check passed\n',
    );
  });

  it('counts how the checks went for /metrics/slis', async () => {
    cloud = 'away';
    await read('/readyz');
    const { body } = await read('/metrics/slis');
    expect(body).to.contain('kubernetes_healthcheck{name="cloud",type="readyz"} 0');
    expect(body).to.match(/kubernetes_healthchecks_total\{name="cloud",type="readyz",status="error"\} [1-9]/);
    expect(body).not.to.contain('process_cpu');
  });

  it('serves documents as JSON, and nothing else that nobody knows', async () => {
    expect(await read('/configz')).to.deep.equal({ status: 200, body: '{"a":1}\n' });
    for (const path of ['/healthz/ping', '/', '/constructor', '//', '/debug/pprof/']) {
      expect((await read(path)).status, path).to.equal(404);
    }
  });

  it('serves the cloud request metrics under the names of the Go programs', async () => {
    const metrics = cloudRequestMetrics(registry);
    metrics.observe('DescribeInstances', 0.2, 'ok');
    metrics.observe('DescribeInstances', 0.2, 'error');
    const { body } = await read('/metrics');
    expect(body).to.contain('cloudprovider_nifcloud_api_request_duration_seconds_count{request="DescribeInstances"} 2');
    expect(body).to.contain('cloudprovider_nifcloud_api_request_errors{request="DescribeInstances"} 1');
  });

  it('serves another certificate when it is given one, and stays with the old one if that is broken', async () => {
    const { cert, key } = await selfSignedCertificate(['other'], Date.now());
    expect(() => server.useCertificate({ cert, key: 'no key' })).to.throw();
    expect((await get(server.port, '/healthz')).certificate.trim()).not.to.equal(cert.trim());
    server.useCertificate({ cert, key });
    expect((await get(server.port, '/healthz')).certificate.trim()).to.equal(cert.trim());
  });

  it('lets nobody resume a session, which would come without the certificate of its client, also after a change', async () => {
    const agent = new Agent({ keepAlive: false, maxCachedSessions: 10 });
    const twice = async (): Promise<readonly boolean[]> => [
      (await get(server.port, '/healthz', { agent })).isResumed,
      (await get(server.port, '/healthz', { agent })).isResumed,
    ];
    expect(await twice()).to.deep.equal([false, false]);
    server.useCertificate(await selfSignedCertificate(['another'], Date.now()));
    expect(await twice()).to.deep.equal([false, false]);
  });

  it('offers only the TLS versions and cipher suites that it is told to', async () => {
    const picky = await serveHealth({
      host: '127.0.0.1',
      port: 0,
      tls: {
        ...(await selfSignedCertificate(['localhost'], Date.now())),
        ...tlsSettings('VersionTLS12', ['TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384']),
      },
      healthChecks: [],
      readyChecks: [],
      registry,
    });
    try {
      const old = await get(picky.port, '/healthz', { maxVersion: 'TLSv1.2' });
      expect(old.cipher).to.equal('ECDHE-ECDSA-AES256-GCM-SHA384');
      expect((await get(picky.port, '/healthz')).cipher).to.match(/^TLS_/);
      const refused = get(picky.port, '/healthz', { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' });
      expect(await refused.catch((error: Error) => error.message)).to.match(/handshake failure/);
    } finally {
      await picky.close();
    }
  });
});

const bearer = (token: string): RequestOptions => ({ headers: { authorization: `Bearer ${token}` } });
const tls = ({ cert, key }: Certificate): RequestOptions => ({ cert, key });

describe('access to the health server', () => {
  const clock = new FakeClock(Date.now());
  const registry = newRegistry();
  const askedTokens: string[] = [];
  const askedPaths: Attempt[] = [];
  const scraper: User = { name: 'scraper', groups: ['monitoring'] };
  let clients: Authority;
  let proxies: Authority;
  let stranger: Authority;
  let trusted: { clients: string | undefined; proxies: string | undefined };
  let apiIsUp: boolean;
  let server: HealthServer;

  before(async () => {
    clients = await Authority.create('kubernetes');
    proxies = await Authority.create('front-proxy');
    stranger = await Authority.create('kubernetes');
    server = await serveHealth({
      host: '127.0.0.1',
      port: 0,
      tls: await selfSignedCertificate(['localhost'], Date.now()),
      healthChecks: [],
      readyChecks: [],
      registry,
      documents: { '/configz': () => ({}) },
      access: {
        authenticate: authenticator({
          clientCa: () => trusted.clients,
          frontProxy: () =>
            trusted.proxies === undefined
              ? undefined
              : {
                  ca: trusted.proxies,
                  allowedNames: ['aggregator'],
                  userHeaders: ['X-Remote-User'],
                  uidHeaders: ['X-Remote-Uid'],
                  groupHeaders: ['X-Remote-Group'],
                  extraPrefixes: ['X-Remote-Extra-'],
                },
          reviewToken: (token) => {
            askedTokens.push(token);
            if (!apiIsUp) return Promise.reject(new Error('ECONNREFUSED'));
            return Promise.resolve(token === 'good' ? scraper : undefined);
          },
          tokenTtlMs: 10_000,
          clock,
        }),
        authorize: authorizer({
          openPaths: ['/healthz', '/readyz', '/livez'],
          reviewAccess: (attempt) => {
            askedPaths.push(attempt);
            if (!apiIsUp) return Promise.reject(new Error('ECONNREFUSED'));
            return Promise.resolve(attempt.user.groups.includes('monitoring') && attempt.path === '/metrics');
          },
          allowedTtlMs: 10_000,
          deniedTtlMs: 1_000,
          clock,
        }),
      },
    });
  });
  after(() => server.close());
  beforeEach(async () => {
    apiIsUp = true;
    trusted = { clients: clients.pem, proxies: proxies.pem };
    await clock.advance(60_000); // nothing is remembered of the test before
    askedTokens.length = 0;
    askedPaths.length = 0;
  });

  const read = (path: string, options: RequestOptions = {}): Promise<Answer> => get(server.port, path, options);
  const status = async (path: string, options: RequestOptions = {}): Promise<number> =>
    (await read(path, options)).status;

  it('lets anybody read the health pages, and asks nobody about that', async () => {
    expect(await status('/healthz')).to.equal(200);
    expect(await status('/readyz')).to.equal(200);
    expect(askedPaths).to.deep.equal([]);
  });

  it('refuses the rest to who does not say who they are, in the words of the API server', async () => {
    const { status: code, body } = await read('/metrics');
    expect(code).to.equal(403);
    expect(JSON.parse(body)).to.include({
      kind: 'Status',
      reason: 'Forbidden',
      message: 'forbidden: User "system:anonymous" cannot get path "/metrics"',
    });
    expect(askedPaths).to.deep.equal([
      { user: { name: 'system:anonymous', groups: ['system:unauthenticated'] }, verb: 'get', path: '/metrics' },
    ]);
  });

  it('knows a bearer token and lets it do what the review allows', async () => {
    expect(await status('/metrics', bearer('good'))).to.equal(200);
    expect(await status('/configz', bearer('good'))).to.equal(403);
    expect(askedPaths[0]?.user.groups).to.deep.equal(['monitoring', 'system:authenticated']);
  });

  it('refuses a bad token on every path', async () => {
    for (const path of ['/metrics', '/healthz', '/nowhere']) {
      const { status: code, body } = await read(path, bearer('stolen'));
      expect(code, path).to.equal(401);
      expect(JSON.parse(body)).to.include({ kind: 'Status', reason: 'Unauthorized', message: 'Unauthorized' });
    }
  });

  it('asks once about a token and a path until the answers expire', async () => {
    await status('/metrics', bearer('good'));
    await status('/metrics', bearer('good'));
    await status('/metrics', bearer('bad'));
    await status('/metrics', bearer('bad'));
    expect(askedTokens).to.deep.equal(['good', 'bad']);
    expect(askedPaths).to.have.length(1);
    await clock.advance(10_001);
    await status('/metrics', bearer('good'));
    expect(askedTokens).to.deep.equal(['good', 'bad', 'good']);
    expect(askedPaths).to.have.length(2);
  });

  it('remembers a no as long as that counts', async () => {
    await status('/configz', bearer('good'));
    await clock.advance(999);
    await status('/configz', bearer('good'));
    expect(askedPaths).to.have.length(1);
    await clock.advance(2);
    await status('/configz', bearer('good'));
    expect(askedPaths).to.have.length(2);
  });

  it('trusts no token and opens no page while it cannot ask, and asks again', async () => {
    apiIsUp = false;
    expect(await status('/metrics', bearer('good'))).to.equal(401);
    expect(await status('/metrics')).to.equal(500);
    expect(await status('/healthz')).to.equal(200);
    apiIsUp = true;
    expect(await status('/metrics', bearer('good'))).to.equal(200);
  });

  it('knows a client by its certificate, and lets the masters do everything without a review', async () => {
    const scraping = await clients.sign({ name: 'CN=jane, O=monitoring' });
    expect(await status('/metrics', tls(scraping))).to.equal(200);
    expect(askedPaths[0]?.user).to.deep.equal({ name: 'jane', groups: ['monitoring', 'system:authenticated'] });
    const admin = await clients.sign({ name: 'CN=admin, O=dev, O=system:masters' });
    expect(await status('/configz', tls(admin))).to.equal(200);
    expect(askedPaths).to.have.length(1);
  });

  it('refuses every certificate that is not good on every path', async () => {
    const intermediate = await clients.sign({ name: 'CN=between', isAuthority: true });
    const bad: Readonly<Record<string, Certificate>> = {
      'of another authority of the same name': await stranger.sign({ name: 'CN=jane, O=system:masters' }),
      expired: await clients.sign({ name: 'CN=jane, O=system:masters', endsAtMs: Date.now() - 1_000 }),
      'for servers': await clients.sign({ name: 'CN=jane, O=system:masters', usage: 'server' }),
      'of a front proxy without a user': await proxies.sign({ name: 'CN=other' }),
    };
    for (const [what, certificate] of Object.entries(bad)) {
      expect(await status('/healthz', tls(certificate)), what).to.equal(401);
    }
    expect(await status('/healthz', tls(intermediate)), 'signed by the authority itself').to.equal(200);
  });

  it('takes a good token beside a bad certificate', async () => {
    const bad = await stranger.sign({ name: 'CN=jane' });
    expect(await status('/metrics', { ...tls(bad), ...bearer('good') })).to.equal(200);
  });

  it('believes the headers of a front proxy, and of nobody else', async () => {
    const headers = {
      'x-remote-user': 'jane',
      'x-remote-uid': 'u-1',
      'x-remote-group': ['a', 'monitoring'],
      'x-remote-extra-scopes%2fone': 'x',
    };
    const proxy = await proxies.sign({ name: 'CN=aggregator' });
    expect(await status('/metrics', { ...tls(proxy), headers })).to.equal(200);
    expect(askedPaths[0]?.user).to.deep.equal({
      name: 'jane',
      uid: 'u-1',
      groups: ['a', 'monitoring', 'system:authenticated'],
      extra: { 'scopes/one': ['x'] },
    });
    const master = { 'x-remote-user': 'jane', 'x-remote-group': 'system:masters' };
    expect(await status('/configz', { headers: master }), 'anonymous').to.equal(403);
    const client = await clients.sign({ name: 'CN=aggregator' });
    expect(await status('/configz', { ...tls(client), headers: master }), 'a client').to.equal(403);
    const other = await proxies.sign({ name: 'CN=somebody' });
    expect(await status('/configz', { ...tls(other), headers: master }), 'another name').to.equal(401);
  });

  it('follows authorities that are replaced, and ignores certificates where it knows none', async () => {
    const old = await clients.sign({ name: 'CN=jane, O=system:masters' });
    const young = await stranger.sign({ name: 'CN=jane, O=system:masters' });
    trusted = { clients: `${clients.pem}\n${stranger.pem}`, proxies: undefined };
    expect(await status('/metrics', tls(old))).to.equal(200);
    expect(await status('/metrics', tls(young))).to.equal(200);
    trusted = { clients: stranger.pem, proxies: undefined };
    expect(await status('/metrics', tls(old))).to.equal(401);
    trusted = { clients: undefined, proxies: undefined };
    expect(await status('/metrics', tls(old))).to.equal(403);
  });
});
