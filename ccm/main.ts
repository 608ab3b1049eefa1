#!/usr/bin/env node
import packageJson from '../package.json' with { type: 'json' };
import { selfSignedCertificate } from '../daemon/certificate.ts';
import { systemClock } from '../daemon/clock.ts';
import { usable } from '../daemon/environment.ts';
import { serveHealth, type Check } from '../daemon/health.ts';
import { createLogger } from '../daemon/logger.ts';
import { cloudRequestMetrics, newRegistry } from '../daemon/metrics.ts';
import { cloudCheck, watchCloud } from '../daemon/reachability.ts';
import { runDaemon } from '../daemon/shutdown.ts';
import { loadConnection } from '../kube/config.ts';
import { EventRecorder } from '../kube/events.ts';
import { Informer } from '../kube/informer.ts';
import { KubeClient } from '../kube/rest.ts';
import type { Node, Service } from '../kube/types.ts';
import { credentialSource } from '../nifcloud/credentials.ts';
import { Nifcloud } from '../nifcloud/nifcloud.ts';
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
  const { flags, controllers, region, endpoint } = options;
  const clock = systemClock;
  const logger = createLogger({
    format: flags['logging-format'],
    verbosity: flags.v,
    secrets: () => [credentials().secretAccessKey],
  });
  const credentials = await usable('NIFCLOUD keys', () => credentialSource(options.keys, { clock, logger }));
  const registry = newRegistry();
  const cloud = await usable(
    'NIFCLOUD_REGION or NIFCLOUD_ENDPOINT',
    () =>
      new Nifcloud({
        region,
        endpoint,
        credentials,
        userAgent: USER_AGENT,
        qps: flags['cloud-api-qps'],
        burst: flags['cloud-api-burst'],
        metrics: cloudRequestMetrics(registry),
        logger,
        clock,
      }),
  );
  const kube = await usable('Kubernetes API', async () => {
    const { kubeconfig, master, 'kube-api-qps': qps, 'kube-api-burst': burst } = flags;
    const connection = await loadConnection({ kubeconfig, master, env: process.env });
    return new KubeClient(connection, { userAgent: USER_AGENT, logger, clock, qps, burst });
  });

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
      region,
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
    region,
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

function cacheCheck(name: string, informer: { readonly hasSynced: boolean }): Check {
  return {
    name: `cache-${name}`,
    failure: () => (informer.hasSynced ? undefined : 'not read from the API server yet'),
  };
}
