import type { Registry } from 'prom-client';
import { systemClock } from '../daemon/clock.ts';
import type { Clock } from '../daemon/clock.ts';
import { cloudSettings, hasCloudKeys, requiredEnvironment, usable } from '../daemon/environment.ts';
import { UsageError } from '../daemon/flags.ts';
import { createLogger, describeError } from '../daemon/logger.ts';
import type { Logger } from '../daemon/logger.ts';
import { cloudCheck, watchCloud } from '../daemon/reachability.ts';
import type { KubeClient } from '../kube/rest.ts';
import type { CredentialSource } from '../nifcloud/credentials.ts';
import type { Nifcloud } from '../nifcloud/nifcloud.ts';
import { attachedVolumes } from './attached-volumes.ts';
import type { UsingNode } from './attached-volumes.ts';
import { errorCode } from './linux/host.ts';
import { DRIVER_NAME, DRIVER_VERSION, nodePath } from './names.ts';
import type { OwnNode } from './node/own-node.ts';
import { PROGRAM } from './options.ts';
import type { Options } from './options.ts';
import type { Handlers } from './server.ts';
import { VolumeLocks } from './volume-locks.ts';
import { zoneFrom, zoneOfNode } from './zone.ts';
import type { LabelledNode, ZoneSource } from './zone.ts';

const USER_AGENT = `${PROGRAM}/${DRIVER_VERSION}`;

/**
 * Requests to the Kubernetes API: a call of the controller needs up to three small reads, so that a hundred volumes at once would wait
 * for longer at the client's defaults than the cloud takes for them.
 */
const KUBE_QPS = 50;
const KUBE_BURST = 100;

/** Why a folder can't be made in a pod that is not the node server's. A full or broken disk is another matter, which may pass. */
const NO_FOLDER: ReadonlySet<string | undefined> = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOTDIR']);

/** The process that a driver lives in, where it is not this one alone. */
interface Surroundings {
  /** Default: the machine's own. */
  readonly clock?: Clock;
  /** Where the log goes. Default: stderr. */
  readonly log?: NodeJS.WritableStream;
}

/**
 * Builds the services of one process from its options and environment, sharing what they share.
 *
 * Cloud client, Kubernetes client and metrics are reached by dynamic import when they are first needed: a node server that is told
 * its zone loads none of them.
 */
export class Driver {
  readonly logger: Logger;
  readonly #options: Options;
  readonly #env: NodeJS.ProcessEnv;
  readonly #signal: AbortSignal;
  readonly #clock: Clock;
  readonly #log: NodeJS.WritableStream;
  #cloud: Nifcloud | undefined;
  #credentials: CredentialSource | undefined;
  #kube: Promise<KubeClient | undefined> | undefined;
  #registry: Promise<Registry> | undefined;

  constructor(options: Options, env: NodeJS.ProcessEnv, signal: AbortSignal, surroundings: Surroundings = {}) {
    this.#options = options;
    this.#env = env;
    this.#signal = signal;
    this.#clock = surroundings.clock ?? systemClock;
    this.#log = surroundings.log ?? process.stderr;
    this.logger = this.#newLogger(options.v);
  }

  async controller(): Promise<Handlers> {
    const { logger } = this;
    const clock = this.#clock;
    const [
      { createControllerService },
      { Disks },
      { Cluster },
      { createNotices },
      { EventRecorder },
      { forcedDetachCounter },
      { orphanGauge },
      { watchOrphans },
      { ContinuedCalls },
    ] = await Promise.all([
      import('./controller/controller.ts'),
      import('./disks/disks.ts'),
      import('./disks/cluster.ts'),
      import('./notices.ts'),
      import('../kube/events.ts'),
      import('./controller/forced-detaches.ts'),
      import('./controller/orphan-gauge.ts'),
      import('./disks/orphans.ts'),
      import('./continued-calls.ts'),
    ]);
    const cloud = await this.#connectCloud();
    void watchCloud(cloud, (until) => cloud.servers.list(until), { logger, clock }, this.#signal);
    const kube = await usable('Kubernetes API', () => this.#connectKube());
    if (kube === undefined) {
      logger.warn('No Kubernetes API is configured: any running server of a zone may hold a disk while it is created');
    }
    const recorder =
      kube && new EventRecorder({ client: kube, component: DRIVER_NAME, logger, clock, signal: this.#signal });
    const cluster = kube && new Cluster(kube, clock);
    if (cluster !== undefined) {
      const gauge = orphanGauge(await this.#metrics());
      const count = (orphans: number): void => gauge.set(orphans);
      void watchOrphans({ cloud, cluster, count, clock, logger }, this.#signal).catch(() => undefined);
    }
    const disks = new Disks({ cloud, cluster, notices: createNotices(logger, recorder), clock, logger });
    return createControllerService({
      disks,
      calls: new ContinuedCalls(logger, this.#signal),
      locks: new VolumeLocks(),
      forcedDetaches: forcedDetachCounter(await this.#metrics()),
      nodeName: this.#env['NODE_NAME'] || undefined,
    });
  }

  /**
   * `undefined` = under `--mode=all` the records can be kept nowhere. The Go driver's manifests run its controller like that, with neither
   * root nor the host's folders; nobody asks it for anything of a node.
   */
  async node(): Promise<Handlers | undefined> {
    const { createNodeService } = await import('./node/node.ts');
    const nodeName = requiredEnvironment(this.#env, 'NODE_NAME');
    const handlers = createNodeService({
      nodeName,
      hostRoot: this.#options['host-root'],
      stateDir: this.#options['state-dir'],
      zone: zoneFrom(this.#zoneSources(nodeName)),
      logger: this.logger,
      clock: this.#clock,
      locks: new VolumeLocks(),
      formatNonzero: this.#options['format-nonzero-new-disks'],
      volumeAttachLimit: this.#options['volume-attach-limit'],
      reservedVolumeAttachments: this.#options['reserved-volume-attachments'],
      attachedVolumes: async (signal) => {
        const kube = await this.#connectKube();
        return kube && attachedVolumes(await kube.get<UsingNode>(nodePath(nodeName), { signal }));
      },
      sweepUntil: this.#signal,
    });
    try {
      return { ...(await handlers) };
    } catch (error) {
      if (this.#options.mode !== 'all' || !NO_FOLDER.has(errorCode(error))) throw error;
      this.logger.warn('The Node service is not offered: its records can be kept nowhere', {
        reason: describeError(error),
      });
      return undefined;
    }
  }

  /** Takes the start-up taint off this node once kubelet knows the driver. Never fails; ends with the driver. */
  async clearStartupTaint(): Promise<void> {
    try {
      const kube = await this.#connectKube();
      if (kube === undefined) return;
      const { removeStartupTaint } = await import('./node/startup-taint.ts');
      await removeStartupTaint(this.#ownNode(kube), this.#signal);
    } catch (error) {
      if (!this.#signal.aborted) this.logger.error('The start-up taint is not looked after', error);
    }
  }

  /** For `--mode=pre-stop`: lasts while a node that is being drained has volumes of ours. */
  async waitForDetach(): Promise<void> {
    const kube = await usable('Kubernetes API', () => this.#connectKube());
    if (kube === undefined) throw new UsageError('--mode=pre-stop asks the Kubernetes API, and none is configured');
    const { waitForDetach } = await import('./node/pre-stop.ts');
    await waitForDetach(this.#ownNode(kube), this.#signal);
  }

  #ownNode(kube: KubeClient): OwnNode & { readonly kube: KubeClient } {
    return {
      nodeName: requiredEnvironment(this.#env, 'NODE_NAME'),
      kube,
      clock: this.#clock,
      logger: this.logger,
    };
  }

  /** /healthz, /readyz and /metrics, if they are asked for. */
  async serveHealth(): Promise<{ close(): Promise<void> } | undefined> {
    const address = this.#options['http-endpoint'];
    if (address === undefined) return undefined;
    const [, host, port] = /^(.*):(\d+)$/.exec(address) ?? [];
    if (host === undefined || port === undefined) {
      throw new UsageError(`--http-endpoint=${address} is not allowed: it takes HOST:PORT or :PORT`);
    }
    const { serveHealth } = await import('../daemon/health.ts');
    const server = await serveHealth({
      host: host.replace(/^\[(.*)\]$/, '$1'),
      port: Number(port),
      healthChecks: [{ name: 'ping', failure: () => undefined }],
      // What never fails Probe: see `identity`.
      readyChecks: this.#cloud === undefined ? [] : [cloudCheck(this.#cloud)],
      registry: await this.#metrics(),
    });
    this.logger.info('Serving health and metrics', { host, port: server.port });
    return server;
  }

  /** Who may know this node's zone, in the order of docs/reference/csi.md C.1 and E.2. */
  #zoneSources(nodeName: string): readonly ZoneSource[] {
    return [
      { name: 'NIFCLOUD_ZONE', zone: async () => this.#env['NIFCLOUD_ZONE'] },
      {
        name: 'the labels of the Node',
        zone: async (signal) => {
          const kube = await this.#connectKube();
          return kube && zoneOfNode(await kube.get<LabelledNode>(nodePath(nodeName), { signal }));
        },
      },
      {
        name: 'the NIFCLOUD API',
        zone: async (signal) => {
          if (!hasCloudKeys(this.#env)) return undefined;
          const cloud = await this.#connectCloud();
          return (await cloud.servers.list(signal)).find(({ name }) => name === nodeName)?.zone;
        },
      },
    ];
  }

  /** @throws UsageError when the environment does not say how, at once rather than at the first request. */
  async #connectCloud(): Promise<Nifcloud> {
    if (this.#cloud !== undefined) return this.#cloud;
    const { region, endpoint, keys } = cloudSettings(this.#env);
    const [{ Nifcloud }, { credentialSource }, { cloudRequestMetrics }] = await Promise.all([
      import('../nifcloud/nifcloud.ts'),
      import('../nifcloud/credentials.ts'),
      import('../daemon/metrics.ts'),
    ]);
    const metrics = cloudRequestMetrics(await this.#metrics());
    const clock = this.#clock;
    const credentials = await usable('NIFCLOUD keys', () => credentialSource(keys, { clock, logger: this.logger }));
    this.#credentials = credentials;
    this.#cloud ??= await usable(
      'NIFCLOUD_REGION or NIFCLOUD_ENDPOINT',
      () =>
        new Nifcloud({
          region,
          credentials,
          endpoint,
          userAgent: USER_AGENT,
          clock,
          logger: this.#options['nifcloud-sdk-debug-log'] ? this.#newLogger(Infinity) : this.logger,
          metrics,
          qps: this.#options['cloud-api-qps'],
          burst: this.#options['cloud-api-burst'],
        }),
    );
    return this.#cloud;
  }

  /** `undefined` = no Kubernetes API is configured: neither by flag, nor is this a pod. */
  #connectKube(): Promise<KubeClient | undefined> {
    const { kubeconfig, master } = this.#options;
    const env = this.#env;
    if (kubeconfig === undefined && master === undefined && !env['KUBERNETES_SERVICE_HOST']) {
      return Promise.resolve(undefined);
    }
    this.#kube ??= (async () => {
      const [{ loadConnection }, { KubeClient }] = await Promise.all([
        import('../kube/config.ts'),
        import('../kube/rest.ts'),
      ]);
      const connection = await loadConnection({ kubeconfig, master, env });
      return new KubeClient(connection, {
        userAgent: USER_AGENT,
        logger: this.logger,
        clock: this.#clock,
        qps: KUBE_QPS,
        burst: KUBE_BURST,
      });
    })().catch((error: unknown) => {
      this.#kube = undefined; // the next to ask tries again
      throw error;
    });
    return this.#kube;
  }

  #metrics(): Promise<Registry> {
    this.#registry ??= import('../daemon/metrics.ts').then(({ newRegistry }) => newRegistry());
    return this.#registry;
  }

  #newLogger(verbosity: number): Logger {
    const { 'logging-format': format } = this.#options;
    const secrets = (): readonly string[] => Object.values(this.#credentials?.() ?? {});
    return createLogger({ format, verbosity, secrets, stream: this.#log });
  }
}
