import { readFileSync } from 'node:fs';
import type { Agent } from 'node:http';
import type { RequestOptions } from 'node:https';
import { dirname, resolve } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { parse } from 'yaml';
import { KubeConfigError, serverUrl, WatchedFile, type ClusterConnection } from './config.ts';

/**
 * The connection that the current context of a kubeconfig file describes; `master`, unless '', replaces its server.
 * Credential plug-ins (exec), OIDC and proxies work as in @kubernetes/client-node, which does them. Read once at start, apart
 * from what plug-ins answer and files that it names.
 * @throws KubeConfigError
 */
export function loadKubeconfig(path: string, master = ''): ClusterConnection {
  const config = new KubeConfig();
  try {
    config.loadFromFile(path);
  } catch (cause) {
    throw new KubeConfigError(`kubeconfig ${path} cannot be used`, { cause });
  }
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new KubeConfigError(`kubeconfig ${path}: the current context names no cluster`);
  // Without a user, client-node would leave out the CA as well.
  const user = config.getCurrentUser() ?? { name: 'anonymous' };
  // Refused, rather than going on with other rights than the file asks for.
  if (user.impersonateUser) throw new KubeConfigError(`kubeconfig ${path}: impersonation ("as") is not supported`);
  if (user.username) throw new KubeConfigError(`kubeconfig ${path}: username and password are not supported`);

  const server = serverUrl(master || cluster.server);
  config.loadFromClusterAndUser(
    // client-node refuses http:// unless certificates are not to be verified, and there are none to verify.
    { ...cluster, server: server.href, skipTLSVerify: cluster.skipTLSVerify || server.protocol === 'http:' },
    user,
  );
  return new KubeconfigConnection(server, config, tokenFile(path, user.name));
}

/** `user.tokenFile`, which client-node does not know. */
function tokenFile(path: string, userName: string): WatchedFile | undefined {
  const document = parse(readFileSync(path, 'utf8')) as {
    readonly users?: readonly { readonly name: string; readonly user?: { readonly tokenFile?: string } | null }[];
  };
  const found = document.users?.find((entry) => entry.name === userName)?.user?.tokenFile;
  return found === undefined ? undefined : new WatchedFile(resolve(dirname(path), found));
}

class KubeconfigConnection implements ClusterConnection {
  readonly server: URL;
  readonly #config: KubeConfig;
  readonly #tokenFile: WatchedFile | undefined;
  #asking: Promise<string | undefined> | undefined;
  ca: string | undefined;
  clientCert: string | undefined;
  clientKey: string | undefined;
  serverName: string | undefined;
  skipTlsVerify: boolean | undefined;
  proxyAgent: Agent | undefined;

  constructor(server: URL, config: KubeConfig, watchedToken: WatchedFile | undefined) {
    this.server = server;
    this.#config = config;
    this.#tokenFile = watchedToken;
  }

  /** One answer serves all who ask meanwhile: a plug-in is a process, and some open a browser. */
  token(): Promise<string | undefined> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #ask(): Promise<string | undefined> {
    const options: RequestOptions = {};
    await this.#config.applyToHTTPSOptions(options);
    this.ca = pem(options.ca);
    this.clientCert = pem(options.cert);
    this.clientKey = pem(options.key);
    this.serverName = options.servername;
    this.skipTlsVerify = options.rejectUnauthorized === false;
    if (this.#config.getCurrentCluster()?.proxyUrl) this.proxyAgent = options.agent as Agent;
    const authorization = (options.headers as Record<string, string> | undefined)?.['Authorization'];
    return authorization?.replace(/^Bearer /, '').trim() ?? (await this.#tokenFile?.text())?.trim();
  }
}

/** client-node hands out one PEM text, as bytes or as a string. */
function pem(value: unknown): string | undefined {
  return typeof value === 'string' || value instanceof Buffer ? value.toString() : undefined;
}
