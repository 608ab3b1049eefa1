import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { selfSignedCertificate } from '../../../../../daemon/certificate.ts';
import { startSimulator } from '../../../../../simulator/nifcloud/simulator.ts';
import type { Simulator } from '../../../../../simulator/nifcloud/simulator.ts';
import { startCloud } from '../raw-client.ts';
import type { RawClient } from '../raw-client.ts';

const API_HOST = 'jp-east-1.computing.api.nifcloud.com';

async function textOf(stream: AsyncIterable<unknown>): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text;
}

describe('the front door', () => {
  let folder: string;
  let ca: string;
  let simulator: Simulator;
  let client: RawClient;
  let port: number;

  /** What a GET of a signed DescribeRegions is answered, with `ask` as its way. */
  const regionsBy = async (
    host: string,
    ask: (path: string) => ReturnType<typeof httpRequest>,
  ): Promise<{ status: number | undefined; body: string }> => {
    const asking = ask(`/api/?${client.form('DescribeRegions', {}, { method: 'GET', host })}`);
    asking.end();
    const [response] = (await once(asking, 'response')) as [IncomingMessage];
    return { status: response.statusCode, body: await textOf(response) };
  };

  /** A connection on which the first line of an answer to CONNECT was read. */
  const tunnel = async (target: string, to = port): Promise<{ socket: Socket; answer: string }> => {
    const socket = connect(to, '127.0.0.1');
    socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    return { socket, answer: String(answer) };
  };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'simulator-test-'));
    const own = await selfSignedCertificate([API_HOST, '127.0.0.1'], Date.now());
    const other = await selfSignedCertificate([API_HOST], Date.now());
    ca = own.cert;
    await writeFile(join(folder, 'api.crt'), own.cert);
    await writeFile(join(folder, 'api.key'), own.key);
    await writeFile(join(folder, 'other.key'), other.key);
    const tls = { certFile: join(folder, 'api.crt'), keyFile: join(folder, 'api.key') };
    ({ simulator, client } = await startCloud({ tls }));
    port = Number(new URL(simulator.url).port);
  });
  after(async () => {
    await simulator.stop();
    await rm(folder, { recursive: true });
  });

  it('takes plain HTTP and TLS on one port', async () => {
    await client.done('DescribeRegions');
    const host = `127.0.0.1:${port}`;
    const answer = await regionsBy(host, (path) => httpsRequest({ host: '127.0.0.1', port, path, ca }));
    expect(answer.status, answer.body).to.equal(200);
  });

  it("is a proxy to itself for the API's host, as HTTPS_PROXY makes clients ask", async () => {
    const agent = new Agent({ ca, keepAlive: true, proxyEnv: { HTTPS_PROXY: `http://127.0.0.1:${port}` } });
    try {
      for (const connection of ['new', 'kept']) {
        const answer = await regionsBy(API_HOST, (path) => httpsRequest({ host: API_HOST, path, agent }));
        expect(answer.status, `${connection}: ${answer.body}`).to.equal(200);
      }
    } finally {
      agent.destroy();
    }
  });

  for (const target of ['the API host', 'its own address', 'localhost']) {
    it(`opens a tunnel to ${target}, in which plain HTTP is spoken too`, async () => {
      const targets: Record<string, string> = {
        'the API host': `${API_HOST}:443`,
        'its own address': `127.0.0.1:${port}`,
        localhost: `localhost:${port}`,
      };
      const { socket, answer } = await tunnel(targets[target] ?? '');
      expect(answer).to.match(/^HTTP\/1\.1 200 /);
      const form = client.form('DescribeRegions', {}, { method: 'GET', host: 'simulator' });
      socket.write(`GET /api/?${form} HTTP/1.1\r\nHost: simulator\r\nConnection: close\r\n\r\n`);
      expect(await textOf(socket)).to.match(/^HTTP\/1\.1 200 OK\r\n[^]*<DescribeRegionsResponse/);
    });
  }

  it('serves what came in one piece with the request for the tunnel', async () => {
    const form = client.form('DescribeRegions', {}, { method: 'GET', host: 'simulator' });
    const socket = connect(port, '127.0.0.1');
    socket.write(
      `CONNECT ${API_HOST}:443 HTTP/1.1\r\nHost: ${API_HOST}:443\r\n\r\n` +
        `GET /api/?${form} HTTP/1.1\r\nHost: simulator\r\nConnection: close\r\n\r\n`,
    );
    expect(await textOf(socket)).to.match(/^HTTP\/1\.1 200 [^]*HTTP\/1\.1 200 OK\r\n[^]*<DescribeRegionsResponse/);
  });

  for (const target of [
    'jp-west-1.computing.api.nifcloud.com:443',
    `${API_HOST}:80`,
    'example.com:443',
    '127.0.0.1:1',
  ]) {
    it(`refuses a tunnel to ${target} with a sentence`, async () => {
      const { socket, answer } = await tunnel(target);
      expect(answer + (await textOf(socket))).to.match(
        new RegExp(`^HTTP/1\\.1 403 [^]*no way to ${target}, only to ${API_HOST}:443`),
      );
    });
  }

  it('refuses a tunnel when it has no certificate, and says so', async () => {
    const { simulator: plain } = await startCloud();
    try {
      const { socket, answer } = await tunnel(`${API_HOST}:443`, Number(new URL(plain.url).port));
      expect(answer + (await textOf(socket))).to.match(/^HTTP\/1\.1 403 [^]*--tls-cert/);
    } finally {
      await plain.stop();
    }
  });

  it('takes the whole URL in the first line, as HTTP_PROXY makes clients ask', async () => {
    const answer = await regionsBy(API_HOST, (path) =>
      httpRequest({
        host: '127.0.0.1',
        port,
        path: `http://${API_HOST}${path}`,
        headers: { host: API_HOST },
      }),
    );
    expect(answer.status, answer.body).to.equal(200);
  });

  it('refuses a call that was meant for another region, whose things are not here', async () => {
    const host = 'jp-west-1.computing.api.nifcloud.com';
    const answer = await regionsBy(host, (path) => httpRequest({ host: '127.0.0.1', port, path, headers: { host } }));
    expect(answer.body).to.include('<Code>Client.InvalidParameterNotFound.Region</Code>').and.include(API_HOST);
  });

  it('lives on when clients break off, and closes all connections when it stops', async () => {
    const { simulator: other } = await startCloud({
      tls: { certFile: join(folder, 'api.crt'), keyFile: join(folder, 'api.key') },
    });
    const to = Number(new URL(other.url).port);
    const untrusting = httpsRequest({ host: '127.0.0.1', port: to, path: '/api/' });
    expect(((await once(untrusting.end(), 'error')) as [Error])[0].message).to.match(/self-signed/);
    const { socket: broken } = await tunnel(`${API_HOST}:443`, to);
    broken.resetAndDestroy();
    const brief = connect(to, '127.0.0.1');
    await once(brief, 'connect');
    brief.resetAndDestroy();
    const silent = connect(to, '127.0.0.1');
    await once(silent, 'connect');
    const { socket: waiting } = await tunnel(`${API_HOST}:443`, to);
    const closed = Promise.all([silent, waiting].map((socket) => once(socket.resume(), 'close')));
    await other.stop();
    await closed;
  });

  for (const [what, tls] of [
    ['a certificate that is not there', { certFile: '/nowhere.crt', keyFile: 'api.key' }],
    ['a key of another certificate', { certFile: 'api.crt', keyFile: 'other.key' }],
    ['a certificate that is none', { certFile: 'api.key', keyFile: 'api.key' }],
  ] as const) {
    it(`does not start with ${what}, and names the files in one line`, async () => {
      const [certFile, keyFile] = [join(folder, tls.certFile), join(folder, tls.keyFile)];
      const failure = await startSimulator({ tls: { certFile, keyFile } }).then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(failure).to.be.an('error').with.property('name', 'UsageError');
      expect((failure as Error).message).to.match(new RegExp(`^TLS certificate ${certFile} with key ${keyFile}: .+$`));
    });
  }
});
