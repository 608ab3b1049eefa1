#!/usr/bin/env node
import packageJson from '../package.json' with { type: 'json' };
import { selfSignedCertificate } from '../daemon/certificate.ts';
import { systemClock } from '../daemon/clock.ts';
import { UsageError } from '../daemon/flags.ts';
import { serveHealth, type Check } from '../daemon/health.ts';
import { createLogger, describeError } from '../daemon/logger.ts';
import { cloudRequestMetrics, newRegistry } from '../daemon/metrics.ts';
import { cloudCheck, watchCloud } from '../daemon/reachability.ts';
import { runDaemon } from '../daemon/shutdown.ts';
import { KubeConfigError, loadConnection } from '../kube/config.ts';
import { EventRecorder } from '../kube/events.ts';
import { Informer } from '../kube/informer.ts';
import { KubeClient } from '../kube/rest.ts';
import type { Node, Service } from '../kube/types.ts';
import { Nifcloud, type NifcloudOptions } from '../nifcloud/nifcloud.ts';
import { NodeController } from './node.ts';
import { PROGRAM, readOptions, type Options } from './options.ts';
import { ServiceController } from './service.ts';

/** How long events that are not delivered yet may hold up the end of the process, in ms. */
const EVENT_GRACE_MS = 2_000;

const USER_AGENT = `${PROGRAM}/${packageJson.version}`;

await runDaemon(PROGRAM, async (signal) => {
  const options = readOptions(process.argv.slice(2), process.env, packageJson.version);
  if (typeof options === 'string') process.stdout.write(options);
  else await run(options, signal);
});

async function run(options: Options, signal: AbortSignal): Promise<void> {
  const { flags, controllers } = options;
  const clock = systemClock;
  const logger = createLogger({
    format: flags['logging-format'],
    verbosity: flags.v,
    secrets: () => [options.secretAccessKey],
  });
  const registry = newRegistry();
  const cloud = connectToCloud({
    region: options.region,
    endpoint: options.endpoint,
    credentials: () => ({ accessKeyId: options.accessKeyId, secretAccessKey: options.secretAccessKey }),
    userAgent: USER_AGENT,
    qps: flags['cloud-api-qps'],
    burst: flags['cloud-api-burst'],
    metrics: cloudRequestMetrics(registry),
    logger,
    clock,
  });
  const kube = await connectToCluster(flags, { userAgent: USER_AGENT, logger, clock });

  const nodes = new Informer<Node>({ client: kube, path: '/api/v1/nodes', logger, clock });
  const services = new Informer<Service>({ client: kube, path: '/api/v1/services', logger, clock });
  const delivery = new AbortController();
  const recorder = (component: string): EventRecorder =>
    new EventRecorder({ client: kube, component, logger, clock, signal: delivery.signal });
  const nodeEvents = recorder('cloud-node-controller');
  const serviceEvents = recorder('service-controller');

  const shared = { kube, nodes, servers: cloud.servers, logger, clock, random: Math.random };
  const nodeController =
    controllers.has('node') &&
    new NodeController({
      ...shared,
      region: options.region,
      events: nodeEvents,
      addressPeriodMs: flags['node-status-update-frequency'],
    });
  const serviceController =
    controllers.has('service') &&
    new ServiceController({
      ...shared,
      services,
      loadBalancers: cloud.l4LoadBalancers,
      events: serviceEvents,
      resyncPeriodMs: flags['load-balancer-resync-period'],
    });

  const server =
    flags['secure-port'] !== 0 &&
    (await serveHealth({
      host: flags['bind-address'],
      port: flags['secure-port'],
      tls: await selfSignedCertificate(['localhost', '127.0.0.1'], clock.now()),
      healthChecks: [{ name: 'ping', failure: () => undefined }],
      readyChecks: [cacheCheck('nodes', nodes), cacheCheck('services', services), cloudCheck(cloud)],
      registry,
      openPaths: flags['authorization-always-allow-paths'],
    }));
  logger.info('Started', {
    version: packageJson.version,
    region: options.region,
    clusterName: flags['cluster-name'],
    controllers: [...controllers],
    securePort: server ? server.port : 0,
  });
  const work = async (): Promise<void> => {
    await Promise.all([nodes.synced, services.synced]);
    await Promise.all([
      nodeController && nodeController.run(flags['concurrent-node-syncs'], signal),
      serviceController && serviceController.run(flags['concurrent-service-syncs'], signal),
    ]);
  };
  try {
    await Promise.all([
      nodes.run(signal),
      services.run(signal),
      watchCloud(cloud, (until) => cloud.servers.list(until), { logger, clock }, signal),
      work(),
    ]);
  } finally {
    void clock.sleep(EVENT_GRACE_MS).then(() => delivery.abort());
    await Promise.all([nodeEvents.flush(), serviceEvents.flush()]);
    if (server) await server.close();
    logger.info('Stopped');
  }
}

function connectToCloud(options: NifcloudOptions): Nifcloud {
  try {
    return new Nifcloud(options);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new UsageError(`NIFCLOUD_REGION or NIFCLOUD_ENDPOINT: ${error.message}`);
  }
}

async function connectToCluster(
  flags: Options['flags'],
  surroundings: ConstructorParameters<typeof KubeClient>[1],
): Promise<KubeClient> {
  try {
    const { kubeconfig, master } = flags;
    const connection = await loadConnection({ kubeconfig, master, env: process.env });
    return new KubeClient(connection, { ...surroundings, qps: flags['kube-api-qps'], burst: flags['kube-api-burst'] });
  } catch (error) {
    if (!(error instanceof KubeConfigError)) throw error;
    throw new UsageError(describeError(error));
  }
}

function cacheCheck(name: string, informer: { readonly hasSynced: boolean }): Check {
  return {
    name: `cache-${name}`,
    failure: () => (informer.hasSynced ? undefined : 'not read from the API server yet'),
  };
}
