import { expect } from 'chai';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { selfSignedCertificate } from '../../../daemon/certificate.ts';
import { systemClock } from '../../../daemon/clock.ts';
import { KubeConfigError, loadConnection, type ConnectionOptions } from '../../../kube/config.ts';
import { KubeConnectionError } from '../../../kube/errors.ts';
import { KubeClient } from '../../../kube/rest.ts';
import { ApiServer, failure, memoryLogger, sendJson } from './api-server.ts';

const signal = new AbortController().signal;
const logger = memoryLogger();

const refusal = async (options: ConnectionOptions): Promise<string> => {
  const error = await failure(loadConnection(options));
  expect(error).to.be.instanceOf(KubeConfigError);
  return (error as Error).message;
};

async function newClient(path: string, master = ''): Promise<KubeClient> {
  const connection = await loadConnection({ kubeconfig: path, master, env: {} });
  return new KubeClient(connection, { userAgent: 'test', logger, clock: systemClock });
}

describe('loadConnection', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kube-config-'));
  });

  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  /** Replaces a file as the kubelet does: never half-written. */
  async function put(name: string, text: string): Promise<string> {
    const path = join(folder, name);
    await writeFile(`${path}.new`, text);
    await rename(`${path}.new`, path);
    return path;
  }

  describe('in a pod', () => {
    const env = { KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT: '443' };

    it('finds the API server by the environment', async () => {
      await put('token', 't1\n');
      await put('ca.crt', 'pem');
      const connection = await loadConnection({ env, serviceAccountFolder: folder });
      expect(String(connection.server)).to.equal('https://10.96.0.1/');
      expect(await connection.token()).to.equal('t1');
      expect(connection.ca).to.equal('pem');
    });

    it('puts an IPv6 address into brackets', async () => {
      await put('token', 't1');
      await put('ca.crt', 'pem');
      const ipv6 = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '6443' };
      const connection = await loadConnection({ env: ipv6, serviceAccountFolder: folder });
      expect(String(connection.server)).to.equal('https://[fd00::1]:6443/');
    });

    it('says what is missing outside a pod, and in a pod without credentials', async () => {
      expect(await refusal({ env: {} })).to.contain('KUBERNETES_SERVICE_HOST');
      expect(await refusal({ env, serviceAccountFolder: folder })).to.contain(folder);
    });

    it('follows the rotation of the token and of the CA while it runs', async () => {
      const [before, after] = await Promise.all([1, 2].map(() => selfSignedCertificate(['127.0.0.1'], Date.now())));
      const api = new ApiServer(before);
      api.answer = (_request, response) => sendJson(response, 200, {});
      await api.start();
      try {
        await put('token', 'old');
        await put('ca.crt', before!.cert);
        const local = { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: new URL(api.url).port };
        const connection = await loadConnection({ env: local, serviceAccountFolder: folder });
        const client = new KubeClient(connection, { userAgent: 'test', logger, clock: systemClock });
        await client.get('/p', { signal });

        api.showCertificate(after!);
        for (const socket of api.sockets) socket.destroy();
        const refused = await failure(client.create('/p', {}, { signal }));
        expect(refused).to.be.instanceOf(KubeConnectionError).with.property('code', 'DEPTH_ZERO_SELF_SIGNED_CERT');

        await put('ca.crt', after!.cert);
        await put('token', 'new');
        await client.get('/p', { signal });
        expect(api.requests.map((request) => request.headers.authorization)).to.deep.equal([
          'Bearer old',
          'Bearer new',
        ]);
      } finally {
        await api.stop();
      }
    });

    it('goes on with what it read last while a file cannot be read', async () => {
      const token = await put('token', 't1');
      await put('ca.crt', 'pem');
      const connection = await loadConnection({ env, serviceAccountFolder: folder });
      await rm(token);
      expect(await connection.token()).to.equal('t1');
    });
  });

  it('a master alone is a server that asks for no credentials', async () => {
    const connection = await loadConnection({ master: 'http://127.0.0.1:8001', env: {} });
    expect(String(connection.server)).to.equal('http://127.0.0.1:8001/');
    expect(await connection.token()).to.equal(undefined);
    expect(await refusal({ master: '127.0.0.1:8001', env: {} })).to.contain('"127.0.0.1:8001"');
  });

  describe('by kubeconfig', () => {
    let api: ApiServer;

    beforeEach(async () => {
      api = new ApiServer();
      api.answer = (_request, response) => sendJson(response, 200, {});
      await api.start();
    });

    afterEach(() => api.stop());

    function kubeconfig(user: object, cluster: object = {}): Promise<string> {
      const config = {
        apiVersion: 'v1',
        kind: 'Config',
        'current-context': 'here',
        contexts: [{ name: 'here', context: { cluster: 'c', user: 'u' } }],
        clusters: [{ name: 'c', cluster: { server: api.url, ...cluster } }],
        users: [{ name: 'u', user }],
      };
      return put('kubeconfig', stringify(config));
    }

    const authorizations = (): readonly (string | undefined)[] =>
      api.requests.map((request) => request.headers.authorization);

    it('reaches a plain http:// server with a static token', async () => {
      await (await newClient(await kubeconfig({ token: 't1' }))).get('/p', { signal });
      expect(authorizations()).to.deep.equal(['Bearer t1']);
    });

    it('follows a token file, named from where the kubeconfig is', async () => {
      await put('token', 'old\n');
      const client = await newClient(await kubeconfig({ tokenFile: 'token' }));
      await client.get('/p', { signal });
      await put('token', 'newer\n');
      await client.get('/p', { signal });
      expect(authorizations()).to.deep.equal(['Bearer old', 'Bearer newer']);
    });

    it('asks a credential plug-in, once for all requests that wait for it', async () => {
      const credential = {
        apiVersion: 'client.authentication.k8s.io/v1',
        kind: 'ExecCredential',
        status: { token: 't2' },
      };
      const script = `echo asked >> ${join(folder, 'asked')}; echo '${JSON.stringify(credential)}'`;
      const client = await newClient(await kubeconfig({ exec: { command: '/bin/sh', args: ['-c', script] } }));
      await Promise.all([1, 2, 3].map(() => client.get('/p', { signal })));
      expect(authorizations()).to.deep.equal(['Bearer t2', 'Bearer t2', 'Bearer t2']);
      expect(await readFile(join(folder, 'asked'), 'utf8')).to.equal('asked\n');
    });

    it('says what a credential plug-in said when it fails', async () => {
      const exec = { command: '/bin/sh', args: ['-c', 'echo log in first >&2; exit 1'] };
      const error = await failure((await newClient(await kubeconfig({ exec }))).get('/p', { signal }));
      expect(error).to.be.instanceOf(KubeConnectionError);
      expect(String((error as Error).cause)).to.contain('log in first');
    });

    it('trusts the CA that it names, also without a user', async () => {
      const certificate = await selfSignedCertificate(['127.0.0.1'], Date.now());
      const tls = new ApiServer(certificate);
      tls.answer = (_request, response) => sendJson(response, 200, {});
      await tls.start();
      try {
        const ca = Buffer.from(certificate.cert).toString('base64');
        const path = await kubeconfig({}, { server: tls.url, 'certificate-authority-data': ca });
        await put('kubeconfig', (await readFile(path, 'utf8')).replace('user: u\n', 'user: ""\n'));
        await (await newClient(path)).get('/p', { signal });
        expect(tls.requests).to.have.length(1);
        const blind = await newClient(await kubeconfig({}, { server: tls.url, 'insecure-skip-tls-verify': true }));
        await blind.get('/p', { signal });
        const wary = await newClient(await kubeconfig({}, { server: tls.url }));
        expect(await failure(wary.get('/p', { signal }))).to.be.instanceOf(KubeConnectionError);
      } finally {
        await tls.stop();
      }
    });

    it('goes through the proxy that it names', async () => {
      const tunnels: string[] = [];
      const sockets: Socket[] = [];
      const proxy = createServer().on('connect', (request, socket: Socket) => {
        tunnels.push(request.url ?? '');
        const onward = connect(Number(new URL(api.url).port), '127.0.0.1', () => {
          socket.write('HTTP/1.1 200 OK\r\n\r\n');
          onward.pipe(socket).pipe(onward);
        });
        sockets.push(socket, onward);
      });
      await new Promise<void>((resolve) => {
        proxy.listen(0, '127.0.0.1', resolve);
      });
      try {
        const { port } = proxy.address() as AddressInfo;
        const cluster = { 'proxy-url': `http://127.0.0.1:${port}` };
        await (await newClient(await kubeconfig({ token: 't1' }, cluster))).get('/p', { signal });
        expect(tunnels).to.deep.equal([new URL(api.url).host]);
        expect(authorizations()).to.deep.equal(['Bearer t1']);
      } finally {
        for (const socket of sockets) socket.destroy();
        proxy.close();
      }
    });

    it('a master replaces its server', async () => {
      const path = await kubeconfig({ token: 't1' }, { server: 'https://192.0.2.1:6443' });
      await (await newClient(path, api.url)).get('/p', { signal });
      expect(authorizations()).to.deep.equal(['Bearer t1']);
    });

    it('is refused where it asks for what is not supported, or cannot be read', async () => {
      const asked = async (user: object) => refusal({ kubeconfig: await kubeconfig(user), env: {} });
      expect(await asked({ token: 't1', as: 'somebody' })).to.contain('impersonation');
      expect(await asked({ username: 'me', password: 'x' })).to.contain('password');
      expect(await refusal({ kubeconfig: join(folder, 'nothing'), env: {} })).to.contain('nothing');
      expect(await refusal({ kubeconfig: await put('bad', 'clusters: ['), env: {} })).to.contain('bad');
      expect(await refusal({ kubeconfig: await put('empty', 'kind: Config'), env: {} })).to.contain('names no cluster');
    });
  });
});
