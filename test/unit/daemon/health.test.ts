import { request } from 'node:https';
import { expect } from 'chai';
import { selfSignedCertificate } from '../../../daemon/certificate.ts';
import { serveHealth } from '../../../daemon/health.ts';
import type { Check, HealthServer } from '../../../daemon/health.ts';
import { cloudRequestMetrics, newRegistry } from '../../../daemon/metrics.ts';

describe('health server', () => {
  let server: HealthServer;
  let cloud: string | undefined;
  const registry = newRegistry();

  before(async () => {
    const ready: Check[] = [
      { name: 'caches', failure: () => undefined },
      { name: 'cloud', failure: () => cloud },
    ];
    server = await serveHealth({
      host: '127.0.0.1',
      port: 0,
      tls: await selfSignedCertificate(['localhost', '127.0.0.1'], Date.now()),
      healthChecks: [],
      readyChecks: ready,
      registry,
      openPaths: ['/healthz', '/livez', '/readyz', '/metrics'],
    });
  });
  after(() => server.close());
  beforeEach(() => (cloud = undefined));

  const get = (path: string): Promise<{ status: number; body: string }> =>
    new Promise((resolve, reject) => {
      request({ host: '127.0.0.1', port: server.port, path, rejectUnauthorized: false, agent: false }, (response) => {
        let body = '';
        response.on('data', (chunk: Buffer) => (body += chunk.toString()));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      })
        .on('error', reject)
        .end();
    });

  it('answers ok over HTTPS with a certificate of its own', async () => {
    expect(await get('/healthz')).to.deep.equal({ status: 200, body: 'ok' });
  });

  it('fails /readyz, not /livez, with the name of the failing check and the reason', async () => {
    cloud = 'the signature was refused';
    expect(await get('/readyz')).to.deep.equal({
      status: 500,
      body: '[+]caches ok\n[-]cloud failed: the signature was refused\nreadyz check failed\n',
    });
    expect((await get('/livez')).status).to.equal(200);
  });

  it('lists every check with ?verbose', async () => {
    expect(await get('/readyz?verbose')).to.deep.equal({
      status: 200,
      body: '[+]caches ok\n[+]cloud ok\nreadyz check passed\n',
    });
  });

  it('refuses a path that is not open, naming those that are', async () => {
    const { status, body } = await get('/configz');
    expect(status).to.equal(403);
    expect(body).to.contain('/healthz, /livez, /readyz, /metrics');
  });

  it('serves the cloud request metrics under the names of the Go programs', async () => {
    const metrics = cloudRequestMetrics(registry);
    metrics.observe('DescribeInstances', 0.2, 'ok');
    metrics.observe('DescribeInstances', 0.2, 'error');
    const { body } = await get('/metrics');
    expect(body).to.contain('cloudprovider_nifcloud_api_request_duration_seconds_count{request="DescribeInstances"} 2');
    expect(body).to.contain('cloudprovider_nifcloud_api_request_errors{request="DescribeInstances"} 1');
  });
});
