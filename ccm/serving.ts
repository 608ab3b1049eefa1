import { readFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Registry } from 'prom-client';
import { authenticator, certificatesOf, type FrontProxy } from '../daemon/authentication.ts';
import { authorizer } from '../daemon/authorization.ts';
import { selfSignedCertificate, type Certificate } from '../daemon/certificate.ts';
import type { Clock } from '../daemon/clock.ts';
import { usable, type Environment } from '../daemon/environment.ts';
import { UsageError } from '../daemon/flags.ts';
import { followFiles, readTexts } from '../daemon/followed-files.ts';
import { serveHealth, type Check, type HealthServer } from '../daemon/health.ts';
import { describeError, type Logger } from '../daemon/logger.ts';
import { tlsSettings } from '../daemon/tls.ts';
import {
  readAuthenticationConfig,
  reviewPathAccess,
  reviewToken,
  type AuthenticationConfig,
} from '../kube/auth-reviews.ts';
import { loadConnection } from '../kube/config.ts';
import { isConnectionFault, isNotFound } from '../kube/errors.ts';
import { KubeClient } from '../kube/rest.ts';
import type { KubeRequestMetrics } from '../kube/surroundings.ts';
import { configz } from './configz.ts';
import type { CcmFlags } from './options.ts';

/** Requests of delegated authentication and authorization. Source: apiserver library, `DelegatingAuthenticationOptions`. */
const REVIEW_QPS = 200;
const REVIEW_BURST = 400;
const REVIEW_TIMEOUT_MS = 10_000;

/** How often the cluster's authentication config is read again, in ms: its certificates live for years. Our choice. */
const CONFIG_PERIOD_MS = 60_000;

/** How long an API server that can't be reached is waited for at the start, in ms, and between tries. Source: `docs/reference/ccm.md` A1. */
const PATIENCE_MS = 10_000;
const PATIENCE_PAUSE_MS = 1_000;

/** Name of the self-signed pair in `--cert-dir`. Source: cloud-provider v0.36, `SecureServing.ServerCert.PairName`. */
const PAIR_NAME = 'cloud-controller-manager';

export interface ServingOptions {
  readonly flags: CcmFlags;
  readonly environment: Environment;
  readonly userAgent: string;
  readonly registry: Registry;
  readonly requestMetrics: KubeRequestMetrics;
  readonly healthChecks: readonly Check[];
  readonly readyChecks: readonly Check[];
  readonly logger: Logger;
  readonly clock: Clock;
}

/** A server of the health pages that is up. */
export interface Serving {
  /** 0 = none was wanted. */
  readonly port: number;
  /** What asks the cluster who somebody is, and what they may do; undefined = nothing does. */
  readonly authentication: KubeClient | undefined;
  readonly authorization: KubeClient | undefined;
  /** Finds out whom the cluster trusts. @throws UsageError where it does not tell, unless that is tolerated */
  askCluster(): Promise<void>;
  /** Keeps that and the certificates up to date until the signal is aborted. */
  follow(): Promise<void>;
  close(): Promise<void>;
}

const nothing = (): Promise<void> => Promise.resolve();
const NOT_SERVING: Serving = {
  port: 0,
  authentication: undefined,
  authorization: undefined,
  askCluster: nothing,
  follow: nothing,
  close: nothing,
};

/** Serves health, metrics and configuration over HTTPS, with the access rules of `docs/reference/ccm.md` A8. */
export async function servePages(options: ServingOptions, signal: AbortSignal): Promise<Serving> {
  const { flags, logger, clock } = options;
  if (flags['secure-port'] === 0) return NOT_SERVING;
  const trust = new Trust(flags, { logger, clock });
  await trust.readFiles();
  const [asker, judge] = await Promise.all([
    reviewClient(options, flags['authentication-kubeconfig'], 'authentication'),
    reviewClient(options, flags['authorization-kubeconfig'], 'authorization'),
  ]);
  const certificate = await servingCertificate(flags, clock);
  const server = await usable(`--bind-address=${flags['bind-address']} --secure-port=${flags['secure-port']}`, () =>
    serveHealth({
      host: flags['bind-address'],
      port: flags['secure-port'],
      tls: { ...certificate, ...tlsSettings(flags['tls-min-version'], flags['tls-cipher-suites']) },
      healthChecks: options.healthChecks,
      readyChecks: options.readyChecks,
      registry: options.registry,
      documents: { '/configz': () => configz(flags) },
      access: {
        authenticate: authenticator({
          clientCa: () => trust.clientCa,
          frontProxy: () => trust.frontProxy,
          reviewToken: asker && ((token) => reviewToken(surroundings(asker, clock), token, signal)),
          tokenTtlMs: flags['authentication-token-webhook-cache-ttl'],
          clock,
        }),
        authorize: authorizer({
          openPaths: flags['authorization-always-allow-paths'],
          reviewAccess: judge && ((attempt) => reviewPathAccess(surroundings(judge, clock), attempt, signal)),
          allowedTtlMs: flags['authorization-webhook-cache-authorized-ttl'],
          deniedTtlMs: flags['authorization-webhook-cache-unauthorized-ttl'],
          clock,
        }),
      },
      logger,
    }),
  );
  return {
    port: server.port,
    authentication: asker,
    authorization: judge,
    askCluster: async () => {
      if (asker !== undefined) await trust.askCluster(asker, signal);
    },
    follow: async () => {
      await Promise.all([
        followCertificate(flags, server, certificate, { logger, clock }, signal),
        trust.followFiles(signal),
        asker && trust.followCluster(asker, signal),
      ]);
    },
    close: () => server.close(),
  };
}

/** A client for questions about those who read the pages; undefined outside of a pod where no kubeconfig is given. */
async function reviewClient(
  { environment, userAgent, logger, clock, requestMetrics }: ServingOptions,
  kubeconfig: string,
  what: 'authentication' | 'authorization',
): Promise<KubeClient | undefined> {
  if (kubeconfig === '' && !environment['KUBERNETES_SERVICE_HOST']) {
    logger.warn(`This is no pod and --${what}-kubeconfig is not given`, {
      consequence:
        what === 'authentication' ? 'bearer tokens count for nothing' : 'only paths that are always allowed are served',
    });
    return undefined;
  }
  const connection = await usable(`--${what}-kubeconfig`, () => loadConnection({ kubeconfig, env: environment }));
  return new KubeClient(connection, {
    userAgent: `${userAgent}/${what}`,
    logger,
    clock,
    qps: REVIEW_QPS,
    burst: REVIEW_BURST,
    requestTimeoutMs: REVIEW_TIMEOUT_MS,
    metrics: requestMetrics,
  });
}

function surroundings(client: KubeClient, clock: Clock): Parameters<typeof reviewToken>[0] {
  return { client, clock, random: Math.random };
}

/** That of the files; else one of our own, kept in `--cert-dir` if that is given. */
async function servingCertificate(flags: CcmFlags, clock: Clock): Promise<Certificate> {
  const { 'tls-cert-file': certFile, 'tls-private-key-file': keyFile, 'cert-dir': folder } = flags;
  if (certFile !== '') return await usable('--tls-cert-file', () => readCertificate(certFile, keyFile));
  const made = (): Promise<Certificate> => selfSignedCertificate(['localhost', '127.0.0.1'], clock.now());
  if (folder === '') return await made();
  return await usable('--cert-dir', async () => {
    const files = [join(folder, `${PAIR_NAME}.crt`), join(folder, `${PAIR_NAME}.key`)] as const;
    try {
      return await readCertificate(...files);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    const certificate = await made();
    await mkdir(folder, { recursive: true });
    await writeFile(files[0], certificate.cert);
    await writeFile(files[1], certificate.key, { mode: 0o600 });
    return certificate;
  });
}

async function readCertificate(certFile: string, keyFile: string): Promise<Certificate> {
  const [cert = '', key = ''] = await readTexts([certFile, keyFile]);
  return { cert, key };
}

async function followCertificate(
  flags: CcmFlags,
  server: HealthServer,
  { cert, key }: Certificate,
  tools: { readonly logger: Logger; readonly clock: Clock },
  signal: AbortSignal,
): Promise<void> {
  const files = [flags['tls-cert-file'], flags['tls-private-key-file']];
  if (files[0] === '') return;
  const use = ([newCert = '', newKey = '']: readonly string[]): void =>
    server.useCertificate({ cert: newCert, key: newKey });
  await followFiles(files, [cert, key], use, tools, signal);
}

/** Whom the pages believe: what the flags say comes before what the cluster says. */
class Trust {
  readonly #flags: CcmFlags;
  readonly #tools: { readonly logger: Logger; readonly clock: Clock };
  #files: { readonly clientCa: string | undefined; readonly proxyCa: string | undefined };
  #cluster: AuthenticationConfig = {};

  constructor(flags: CcmFlags, tools: { readonly logger: Logger; readonly clock: Clock }) {
    this.#flags = flags;
    this.#tools = tools;
    this.#files = { clientCa: undefined, proxyCa: undefined };
  }

  get clientCa(): string | undefined {
    return this.#files.clientCa ?? this.#cluster['client-ca-file'];
  }

  get frontProxy(): FrontProxy | undefined {
    const flags = this.#flags;
    if (this.#files.proxyCa !== undefined) {
      return {
        ca: this.#files.proxyCa,
        allowedNames: flags['requestheader-allowed-names'],
        userHeaders: flags['requestheader-username-headers'],
        uidHeaders: flags['requestheader-uid-headers'],
        groupHeaders: flags['requestheader-group-headers'],
        extraPrefixes: flags['requestheader-extra-headers-prefix'],
      };
    }
    const ca = this.#cluster['requestheader-client-ca-file'];
    if (ca === undefined) return undefined;
    return {
      ca,
      allowedNames: names(this.#cluster['requestheader-allowed-names']),
      userHeaders: names(this.#cluster['requestheader-username-headers']),
      uidHeaders: names(this.#cluster['requestheader-uid-headers']),
      groupHeaders: names(this.#cluster['requestheader-group-headers']),
      extraPrefixes: names(this.#cluster['requestheader-extra-headers-prefix']),
    };
  }

  /** @throws UsageError */
  async readFiles(): Promise<void> {
    const read = async (name: 'client-ca-file' | 'requestheader-client-ca-file'): Promise<string | undefined> => {
      const file = this.#flags[name];
      return file === '' ? undefined : await usable(`--${name}`, async () => authorities(await readFile(file, 'utf8')));
    };
    this.#files = { clientCa: await read('client-ca-file'), proxyCa: await read('requestheader-client-ca-file') };
  }

  async followFiles(signal: AbortSignal): Promise<void> {
    const { 'client-ca-file': clientFile, 'requestheader-client-ca-file': proxyFile } = this.#flags;
    const { clientCa, proxyCa } = this.#files;
    await Promise.all([
      clientCa !== undefined &&
        followFiles(
          [clientFile],
          [clientCa],
          ([text]) => (this.#files = { ...this.#files, clientCa: authorities(text) }),
          this.#tools,
          signal,
        ),
      proxyCa !== undefined &&
        followFiles(
          [proxyFile],
          [proxyCa],
          ([text]) => (this.#files = { ...this.#files, proxyCa: authorities(text) }),
          this.#tools,
          signal,
        ),
    ]);
  }

  /** The first look, for which an API server that is just coming up is waited for. @throws UsageError unless failures are tolerated */
  async askCluster(client: KubeClient, signal: AbortSignal): Promise<void> {
    const { logger, clock } = this.#tools;
    if (!this.#asksCluster()) return;
    const givenUpAtMs = clock.monotonicMs() + PATIENCE_MS;
    for (;;) {
      try {
        this.#cluster = await readAuthenticationConfig(client, signal);
        return;
      } catch (error) {
        signal.throwIfAborted();
        if (isNotFound(error)) return logger.warn('The cluster has no config map extension-apiserver-authentication');
        if (isConnectionFault(error) && clock.monotonicMs() < givenUpAtMs) {
          await clock.sleep(PATIENCE_PAUSE_MS, signal);
          continue;
        }
        const what = 'config map kube-system/extension-apiserver-authentication cannot be read';
        if (!this.#flags['authentication-tolerate-lookup-failure']) {
          throw new UsageError(
            `${what}: ${describeError(error)}; bind the role extension-apiserver-authentication-reader, ` +
              'or set --authentication-tolerate-lookup-failure',
            { cause: error },
          );
        }
        return logger.warn(`Client certificates count for nothing: ${what}`, { reason: describeError(error) });
      }
    }
  }

  async followCluster(client: KubeClient, signal: AbortSignal): Promise<void> {
    const { logger, clock } = this.#tools;
    while (this.#asksCluster() && !signal.aborted) {
      await clock.sleep(CONFIG_PERIOD_MS, signal).catch(() => undefined);
      try {
        this.#cluster = await readAuthenticationConfig(client, signal);
      } catch (error) {
        if (!signal.aborted) {
          logger.debug(2, 'extension-apiserver-authentication cannot be read, it counts as it was', {
            reason: describeError(error),
          });
        }
      }
    }
  }

  #asksCluster(): boolean {
    const { clientCa, proxyCa } = this.#files;
    return !this.#flags['authentication-skip-lookup'] && (clientCa === undefined || proxyCa === undefined);
  }
}

/** A PEM bundle that was looked into. @throws Error for one that holds no certificate, or a broken one */
function authorities(pem = ''): string {
  if (certificatesOf(pem).length === 0) throw new Error('the file holds no certificate');
  return pem;
}

/** A list of names in the config map: JSON. */
function names(text: string | undefined): readonly string[] {
  try {
    const list: unknown = JSON.parse(text ?? '[]');
    return Array.isArray(list) ? list.map(String) : [];
  } catch {
    return [];
  }
}
