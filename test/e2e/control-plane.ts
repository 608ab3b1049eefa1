import { generateKeyPairSync } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../daemon/clock.ts';
import { KubeClient } from '../../kube/rest.ts';
import { Authority } from '../certificates.ts';
import { quiet } from '../quiet.ts';
import { Program } from './program.ts';
import type { Programs } from './components.ts';
import { until } from './wait.ts';

/** The address of the Service `kubernetes`. Nothing translates addresses here: the API server itself listens there. */
export const API_ADDRESS = '10.0.0.1';
const API_PORT = 443;

/**
 * Requests of everybody, for what is later asked of them: who did what, and what was refused. Only what is answered counts, watches
 * when they begin.
 */
const AUDIT_POLICY = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [
    { level: 'None', userGroups: ['system:masters', 'system:nodes'] },
    { level: 'None', users: ['system:kube-scheduler', 'system:kube-controller-manager', 'system:apiserver'] },
    { level: 'Metadata' },
  ],
};

/** etcd, kube-apiserver, kube-controller-manager and kube-scheduler, with RBAC and an audit log. */
export class ControlPlane {
  readonly url = `https://${API_ADDRESS}:${API_PORT}`;
  /** As an administrator. */
  readonly kube: KubeClient;
  /** The kubeconfig of an administrator. */
  readonly kubeconfig: string;
  readonly auditLog: string;
  readonly authorityFile: string;
  readonly #authority: Authority;
  readonly #folder: string;
  readonly #programs: Programs;
  readonly #running = new Map<string, Program>();

  private constructor(folder: string, programs: Programs, authority: Authority, kube: KubeClient) {
    this.#folder = folder;
    this.#programs = programs;
    this.#authority = authority;
    this.kube = kube;
    this.kubeconfig = join(folder, 'admin.kubeconfig');
    this.auditLog = join(folder, 'audit.log');
    this.authorityFile = join(folder, 'ca.crt');
  }

  /** @param folder a new one, for what they write */
  static async start(folder: string, programs: Programs): Promise<ControlPlane> {
    await mkdir(folder, { recursive: true });
    const authority = await Authority.create('e2e');
    const { cert, key } = await authority.sign({ name: 'CN=admin, O=system:masters' });
    const connection = {
      server: `https://${API_ADDRESS}:${API_PORT}`,
      token: () => undefined,
      ca: authority.pem,
      clientCert: cert,
      clientKey: key,
    };
    const kube = new KubeClient(connection, {
      userAgent: 'e2e',
      logger: quiet,
      clock: systemClock,
      qps: 100,
      burst: 100,
    });
    const plane = new ControlPlane(folder, programs, authority, kube);
    try {
      await plane.#start();
    } catch (error) {
      await plane.stop();
      throw error;
    }
    return plane;
  }

  async #start(): Promise<void> {
    await this.#write('ca.crt', this.#authority.pem);
    await this.#certificate('apiserver', {
      name: 'CN=kube-apiserver',
      usage: 'server',
      addresses: ['127.0.0.1', API_ADDRESS],
    });
    await this.#certificate('kubelet-client', { name: 'CN=kube-apiserver, O=system:masters' });
    const accounts = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    await this.#write('accounts.key', accounts.privateKey.export({ type: 'sec1', format: 'pem' }));
    await this.#write('accounts.pub', accounts.publicKey.export({ type: 'spki', format: 'pem' }));
    await this.#write('audit-policy.json', JSON.stringify(AUDIT_POLICY));
    await this.userKubeconfig('admin', 'CN=admin, O=system:masters');
    this.#launch('etcd', [
      `--data-dir=${join(this.#folder, 'etcd')}`,
      '--unsafe-no-fsync',
      '--log-level=warn',
      '--listen-client-urls=http://127.0.0.1:2379',
      '--advertise-client-urls=http://127.0.0.1:2379',
      '--listen-peer-urls=http://127.0.0.1:2380',
      '--initial-advertise-peer-urls=http://127.0.0.1:2380',
      '--initial-cluster=default=http://127.0.0.1:2380',
    ]);
    await this.startApiServer();
    const managers = [
      ['kube-controller-manager', 'CN=system:kube-controller-manager', this.#controllerManagerFlags()],
      ['kube-scheduler', 'CN=system:kube-scheduler', []],
    ] as const;
    for (const [name, user, flags] of managers) {
      const kubeconfig = await this.userKubeconfig(name, user);
      this.#launch(name, [
        `--kubeconfig=${kubeconfig}`,
        `--authentication-kubeconfig=${kubeconfig}`,
        `--authorization-kubeconfig=${kubeconfig}`,
        '--bind-address=127.0.0.1',
        '--leader-elect=false',
        ...flags,
      ]);
    }
    // Without it no Pod is let in.
    await this.#until('the default service account', async () => {
      await this.get('/api/v1/namespaces/default/serviceaccounts/default');
      return true;
    });
  }

  #controllerManagerFlags(): readonly string[] {
    return [
      '--use-service-account-credentials=true',
      `--service-account-private-key-file=${join(this.#folder, 'accounts.key')}`,
      `--root-ca-file=${this.authorityFile}`,
      // A node that is silent for so long is not ready; 50 s by default.
      '--node-monitor-grace-period=20s',
      '--node-monitor-period=2s',
    ];
  }

  /** Starts it, and waits until it is ready. */
  async startApiServer(): Promise<void> {
    const file = (name: string): string => join(this.#folder, name);
    this.#launch('kube-apiserver', [
      '--etcd-servers=http://127.0.0.1:2379',
      '--bind-address=0.0.0.0',
      `--advertise-address=${API_ADDRESS}`,
      `--secure-port=${API_PORT}`,
      // No Service leads anywhere here.
      '--endpoint-reconciler-type=none',
      `--tls-cert-file=${file('apiserver.crt')}`,
      `--tls-private-key-file=${file('apiserver.key')}`,
      `--client-ca-file=${file('ca.crt')}`,
      // What extension-apiserver-authentication-reader is for: a front proxy, which nobody uses here.
      `--requestheader-client-ca-file=${file('ca.crt')}`,
      '--requestheader-allowed-names=front-proxy-client',
      '--requestheader-username-headers=X-Remote-User',
      '--requestheader-group-headers=X-Remote-Group',
      '--requestheader-extra-headers-prefix=X-Remote-Extra-',
      `--kubelet-client-certificate=${file('kubelet-client.crt')}`,
      `--kubelet-client-key=${file('kubelet-client.key')}`,
      '--kubelet-preferred-address-types=InternalIP',
      '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
      `--service-account-key-file=${file('accounts.pub')}`,
      `--service-account-signing-key-file=${file('accounts.key')}`,
      '--service-cluster-ip-range=10.0.0.0/16',
      '--authorization-mode=Node,RBAC',
      '--enable-admission-plugins=NodeRestriction',
      '--allow-privileged=true',
      `--audit-policy-file=${file('audit-policy.json')}`,
      `--audit-log-path=${this.auditLog}`,
    ]);
    await this.#until('kube-apiserver to be ready', async () => {
      await this.kube.text('/readyz', { signal: AbortSignal.timeout(2_000) });
      return true;
    });
  }

  /** Kills it: connections break, nothing is said. */
  async killApiServer(): Promise<void> {
    await this.#running.get('kube-apiserver')?.kill();
    this.#running.delete('kube-apiserver');
  }

  async get<T>(path: string): Promise<T> {
    return await this.kube.get<T>(path, { signal: AbortSignal.timeout(10_000) });
  }

  /**
   * Writes a kubeconfig with a certificate for somebody.
   * @param subject such as `CN=system:node:n1, O=system:nodes`
   */
  async userKubeconfig(name: string, subject: string): Promise<string> {
    const { cert, key } = await this.#authority.sign({ name: subject });
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'e2e',
      clusters: [
        { name: 'e2e', cluster: { server: this.url, 'certificate-authority-data': base64(this.#authority.pem) } },
      ],
      users: [{ name, user: { 'client-certificate-data': base64(cert), 'client-key-data': base64(key) } }],
      contexts: [{ name: 'e2e', context: { cluster: 'e2e', user: name } }],
    };
    return await this.#write(`${name}.kubeconfig`, JSON.stringify(config));
  }

  async stop(): Promise<void> {
    // Nothing of them is worth waiting for.
    for (const program of [...this.#running.values()].toReversed()) await program.kill();
  }

  async #until(what: string, look: () => Promise<boolean>): Promise<void> {
    await until(what, async () => {
      for (const program of this.#running.values()) program.assertRunning();
      return await look();
    });
  }

  #launch(
    name: 'etcd' | 'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler',
    args: readonly string[],
  ): void {
    const logFile = join(this.#folder, `${name}.log`);
    this.#running.set(name, new Program({ command: this.#programs[name], args, logFile }));
  }

  async #certificate(name: string, wanted: Parameters<Authority['sign']>[0]): Promise<void> {
    const { cert, key } = await this.#authority.sign(wanted);
    await this.#write(`${name}.crt`, cert);
    await this.#write(`${name}.key`, key);
  }

  async #write(name: string, content: string | Buffer): Promise<string> {
    const file = join(this.#folder, name);
    await writeFile(file, content, { mode: 0o600 });
    return file;
  }
}

function base64(pem: string): string {
  return Buffer.from(pem).toString('base64');
}
