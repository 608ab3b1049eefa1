import { spawn, type ChildProcess } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { endOf } from '../../demo/stage.ts';
import type { Identities, User } from '../../simulator/kubernetes/reviews.ts';
import { startApiServer } from '../../simulator/kubernetes/server.ts';
import { freePort } from './free-port.ts';

/** A Kubernetes API that tests may do anything with. */
export interface KubernetesApi {
  readonly url: string;
  /** The file with who signed its certificate; undefined over plain HTTP. */
  readonly authority: string | undefined;
  /** Asks for JSON, as the administrator. */
  request(method: string, path: string, body?: object): Promise<Answer>;
  stop(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

const ADMIN: User = { username: 'kubernetes-admin', groups: ['system:masters'] };
const ADMIN_TOKEN = 'kubernetes-admin-token';
/** What daemons of a test show: `writeKubeconfig(…, 'test')`. */
const DAEMON_TOKEN = 'demo-test';

/** How long a kube-apiserver may take to be ready, in ms; 3 s are usual. */
const START_LIMIT_MS = 60_000;

/**
 * The embedded API; or, where `assets` names a folder with etcd and kube-apiserver, these.
 * @param folder a new one, for what they write
 * @param assets `KUBEBUILDER_ASSETS`, as other projects call it
 */
export async function startKubernetesApi(
  folder: string,
  assets: string | undefined,
  identities?: Identities,
): Promise<KubernetesApi> {
  if (assets !== undefined && assets !== '') return await RealApi.start(folder, assets, identities);
  const api = await startApiServer(identities === undefined ? {} : { identities });
  return {
    url: api.url,
    authority: undefined,
    request: (...asked) => request(api.url, {}, ...asked),
    stop: () => api.stop(),
  };
}

/**
 * etcd and kube-apiserver, on loopback. Who is who says a file of tokens. RBAC is on; whom that lets do nothing may still do what the
 * identities of the test allow, which an embedded API is asked for: so these mean the same here and there.
 */
class RealApi implements KubernetesApi {
  readonly url: string;
  readonly authority: string;
  readonly #processes: ChildProcess[] = [];
  readonly #folder: string;
  readonly #assets: string;
  #access: { stop(): Promise<void> } | undefined;

  private constructor(folder: string, assets: string, port: number) {
    this.#folder = folder;
    this.#assets = assets;
    this.url = `https://127.0.0.1:${port}`;
    // It signs for itself: the file holds the certificate and its authority.
    this.authority = join(folder, 'apiserver.crt');
  }

  static async start(folder: string, assets: string, identities: Identities | undefined): Promise<RealApi> {
    await mkdir(folder, { recursive: true });
    const api = new RealApi(folder, assets, await freePort());
    try {
      await api.#start(identities);
    } catch (error) {
      await api.stop();
      throw error;
    }
    return api;
  }

  async #start(identities: Identities | undefined): Promise<void> {
    const [clients, peers] = [await freeAddress(), await freeAddress()];
    this.#spawn('etcd', [
      `--data-dir=${join(this.#folder, 'etcd')}`,
      '--unsafe-no-fsync',
      '--log-level=warn',
      `--listen-client-urls=${clients}`,
      `--advertise-client-urls=${clients}`,
      `--listen-peer-urls=${peers}`,
      `--initial-advertise-peer-urls=${peers}`,
      `--initial-cluster=default=${peers}`,
    ]);
    const tokens = { [DAEMON_TOKEN]: ADMIN, ...identities?.tokens, [ADMIN_TOKEN]: ADMIN };
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const serviceAccounts = await this.#write('accounts.key', privateKey.export({ type: 'sec1', format: 'pem' }));
    this.#spawn('kube-apiserver', [
      `--etcd-servers=${clients}`,
      '--bind-address=127.0.0.1',
      '--advertise-address=127.0.0.1',
      `--secure-port=${new URL(this.url).port}`,
      `--cert-dir=${this.#folder}`,
      // An Endpoints object must not name a loopback address, so none is published.
      '--endpoint-reconciler-type=none',
      `--token-auth-file=${await this.#write('tokens.csv', Object.entries(tokens).map(tokenLine).join(''))}`,
      '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
      `--service-account-key-file=${serviceAccounts}`,
      `--service-account-signing-key-file=${serviceAccounts}`,
      '--service-cluster-ip-range=10.96.0.0/16',
      ...(await this.#authorization(identities)),
    ]);
    await this.#ready();
  }

  async #authorization(identities: Identities | undefined): Promise<readonly string[]> {
    if (identities === undefined) return ['--authorization-mode=RBAC'];
    const embedded = await startApiServer({ identities });
    this.#access = embedded;
    const server = `${embedded.url}/apis/authorization.k8s.io/v1/subjectaccessreviews`;
    const config = {
      clusters: [{ name: 'access', cluster: { server } }],
      contexts: [{ name: 'access', context: { cluster: 'access' } }],
      'current-context': 'access',
    };
    return [
      '--authorization-mode=RBAC,Webhook',
      '--authorization-webhook-version=v1',
      `--authorization-webhook-config-file=${await this.#write('access.json', JSON.stringify(config))}`,
    ];
  }

  async #ready(): Promise<void> {
    const givenUpAtMs = performance.now() + START_LIMIT_MS;
    const isReady = async (): Promise<boolean> => {
      const paths = ['/readyz', '/api/v1/namespaces/default', '/api/v1/namespaces/kube-system'];
      const answers = await Promise.all(paths.map((path) => this.request('GET', path)));
      return answers.every(({ status }) => status === 200);
    };
    while (!(await isReady().catch(() => false))) {
      const isOver = this.#processes.some(({ exitCode, signalCode }) => exitCode !== null || signalCode !== null);
      if (isOver || performance.now() > givenUpAtMs) {
        const logs = ['etcd', 'kube-apiserver'].map((name) => endOf(this.#logFile(name)));
        throw new Error(`kube-apiserver does not become ready:\n${logs.join('\n')}`);
      }
      await pause(50);
    }
  }

  async request(method: string, path: string, body?: object): Promise<Answer> {
    const options = { ca: await readFile(this.authority, 'utf8'), headers: { authorization: `Bearer ${ADMIN_TOKEN}` } };
    return await request(this.url, options, method, path, body);
  }

  async stop(): Promise<void> {
    for (const child of this.#processes.toReversed()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const gone = once(child, 'exit');
      // Nothing of them is worth waiting for.
      child.kill('SIGKILL');
      await gone;
    }
    await this.#access?.stop();
  }

  #spawn(name: string, args: readonly string[]): void {
    const log = openSync(this.#logFile(name), 'a');
    const child = spawn(join(this.#assets, name), args, { cwd: this.#folder, env: {}, stdio: ['ignore', log, log] });
    closeSync(log);
    const endToo = (): boolean => child.kill('SIGKILL');
    process.once('exit', endToo);
    child.once('exit', () => process.off('exit', endToo));
    this.#processes.push(child);
  }

  #logFile(name: string): string {
    return join(this.#folder, `${name}.log`);
  }

  async #write(name: string, content: string | Buffer): Promise<string> {
    const file = join(this.#folder, name);
    await writeFile(file, content, { mode: 0o600 });
    return file;
  }
}

async function freeAddress(): Promise<string> {
  return `http://127.0.0.1:${await freePort()}`;
}

/** Source: Kubernetes, "Static token file". */
function tokenLine([token, { username, uid = username, groups = [] }]: readonly [string, User]): string {
  return `${token},${username},${uid},"${groups.join(',')}"\n`;
}

async function request(
  server: string,
  { ca, headers }: { readonly ca?: string; readonly headers?: Readonly<Record<string, string>> },
  method: string,
  path: string,
  body?: object,
): Promise<Answer> {
  const url = new URL(path, server);
  const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
  const options = { method, agent: false, headers: { ...headers, 'content-type': type }, ...(ca && { ca }) } as const;
  return await new Promise((resolve, reject) => {
    const sent = (url.protocol === 'https:' ? requestHttps : requestHttp)(url, options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text })).on('error', reject);
    });
    sent.on('error', reject).end(body && JSON.stringify(body));
  });
}
