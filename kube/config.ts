import type { Agent } from 'node:http';
import { readFile, stat } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';

/**
 * Where the API server is and how to be let in. `token()` is awaited before each request, every other field is read after it:
 * credentials may change while the program runs.
 */
export interface ClusterConnection {
  /** http:// or https://, with a path where the API lives under one. */
  readonly server: string | URL;
  /** The bearer token for the next request; undefined = none. */
  token(): Promise<string | undefined> | string | undefined;
  /** The server did not take this token (401): not to be handed out again, if another can be had. */
  refused?(token: string): void;
  /** PEM of those who may sign the server's certificate; undefined = the public authorities. */
  readonly ca?: string | undefined;
  /** PEM; with clientKey. */
  readonly clientCert?: string | undefined;
  readonly clientKey?: string | undefined;
  /** The name to look for in the server's certificate, where it is not the host name. */
  readonly serverName?: string | undefined;
  /** Believe any certificate. Default: false. */
  readonly skipTlsVerify?: boolean | undefined;
  /** Opens connections through a proxy, in place of the client's own agents. */
  readonly proxyAgent?: Agent | undefined;
}

/** Thrown when the configuration does not say where the API server is or how to be let in. One line for the operator. */
export class KubeConfigError extends Error {
  override readonly name = 'KubeConfigError';
}

/** Where the kubelet puts a pod's own credentials. Source: Kubernetes, "Accessing the API from a Pod". */
const SERVICE_ACCOUNT_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';

export interface ConnectionOptions {
  /** `--kubeconfig`; undefined or '' = none. */
  readonly kubeconfig?: string | undefined;
  /** `--master`: replaces the server of the kubeconfig; alone, a server that asks for no credentials. */
  readonly master?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The folder with `token` and `ca.crt` of a pod. Default: where the kubelet puts them. */
  readonly serviceAccountFolder?: string;
}

/**
 * The API server to talk to: by kubeconfig file, by address, or, with neither, the cluster this pod runs in.
 * @throws KubeConfigError
 */
export async function loadConnection(options: ConnectionOptions): Promise<ClusterConnection> {
  const { kubeconfig = '', master = '' } = options;
  if (kubeconfig !== '') {
    // Imported only here: what reads kubeconfig files costs 25 MB that a pod need not spend.
    const { loadKubeconfig } = await import('./kubeconfig.ts');
    return loadKubeconfig(kubeconfig, master);
  }
  if (master !== '') return { server: serverUrl(master), token: () => undefined };
  return await inCluster(options);
}

/** @throws KubeConfigError unless `text` is an http or https URL. */
export function serverUrl(text: string): URL {
  const url = URL.parse(text);
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new KubeConfigError(`API server "${text}" is not an http:// or https:// URL`);
  }
  return url;
}

async function inCluster(options: ConnectionOptions): Promise<ClusterConnection> {
  const host = options.env['KUBERNETES_SERVICE_HOST'] ?? '';
  const port = options.env['KUBERNETES_SERVICE_PORT'] ?? '';
  if (host === '' || port === '') {
    throw new KubeConfigError(
      'no kubeconfig file is given and this is not a pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set',
    );
  }
  const folder = options.serviceAccountFolder ?? SERVICE_ACCOUNT_FOLDER;
  const connection = new PodConnection(serverUrl(`https://${isIPv6(host) ? `[${host}]` : host}:${port}`), folder);
  try {
    await connection.token();
  } catch (cause) {
    throw new KubeConfigError(`the service account's credentials in ${folder} cannot be read`, { cause });
  }
  return connection;
}

class PodConnection implements ClusterConnection {
  readonly server: URL;
  readonly #token: WatchedFile;
  readonly #ca: WatchedFile;
  ca: string | undefined;

  constructor(server: URL, folder: string) {
    this.server = server;
    this.#token = new WatchedFile(join(folder, 'token'));
    this.#ca = new WatchedFile(join(folder, 'ca.crt'));
  }

  async token(): Promise<string> {
    this.ca = await this.#ca.text();
    return (await this.#token.text()).trim();
  }
}

/**
 * A file that others replace under a running program, as the kubelet rotates tokens.
 * The cost of asking is one stat; the file is read again when that shows another file, time or size.
 */
export class WatchedFile {
  readonly #path: string;
  #read: { readonly stamp: string; readonly text: string } | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** What the file says now; what it said last while it cannot be read. @throws the system's error if it never could be. */
  async text(): Promise<string> {
    try {
      const { dev, ino, mtimeMs, size } = await stat(this.#path);
      const stamp = `${dev} ${ino} ${mtimeMs} ${size}`;
      if (this.#read?.stamp !== stamp) this.#read = { stamp, text: await readFile(this.#path, 'utf8') };
      return this.#read.text;
    } catch (error) {
      if (this.#read === undefined) throw error;
      return this.#read.text;
    }
  }
}
