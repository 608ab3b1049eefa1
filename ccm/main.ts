#!/usr/bin/env node
import packageJson from '../package.json' with { type: 'json' };
import { systemClock } from '../daemon/clock.ts';
import { usable } from '../daemon/environment.ts';
import type { Check } from '../daemon/health.ts';
import { createLogger, type Logger } from '../daemon/logger.ts';
import {
  cloudRequestMetrics,
  electionMetrics,
  kubeRequestMetrics,
  newRegistry,
  queueMetrics,
} from '../daemon/metrics.ts';
import { cloudCheck, watchCloud } from '../daemon/reachability.ts';
import { runDaemon } from '../daemon/shutdown.ts';
import { LeaderElection } from '../kube/leader-election.ts';
import { credentialSource } from '../nifcloud/credentials.ts';
import { Nifcloud } from '../nifcloud/nifcloud.ts';
import { Clients, leaderIdentity } from './clients.ts';
import { runControllers, type Workshop } from './controllers.ts';
import { buildInfo, controllerMetrics } from './metrics.ts';
import { PROGRAM, readOptions, type Options } from './options.ts';
import { warnOfMissingPermissions } from './permissions.ts';
import { Recorders } from './recorders.ts';
import { servePages, type Serving } from './serving.ts';

const USER_AGENT = `${PROGRAM}/${packageJson.version}`;

await runDaemon(PROGRAM, async (signal) => {
  const options = readOptions(process.argv.slice(2), process.env, packageJson.version);
  if (typeof options === 'string') process.stdout.write(options);
  else await run(options, signal);
});

/** The order is that of the framework (`docs/reference/ccm.md` A1): serve, elect, wait for the API server, work. */
async function run(options: Options, signal: AbortSignal): Promise<void> {
  const { flags } = options;
  const clock = systemClock;
  const logger = createLogger({
    format: flags['logging-format'],
    verbosity: flags.v,
    secrets: () => [credentials().secretAccessKey],
  });
  const credentials = await usable('NIFCLOUD keys', () => credentialSource(options.keys, { clock, logger }));
  let election: LeaderElection | undefined;
  const assertLease = (): void => election?.assertLease();
  const registry = newRegistry();
  buildInfo(registry, packageJson.version);
  const requestMetrics = kubeRequestMetrics(registry);
  const cloud = await usable(
    'NIFCLOUD_REGION or NIFCLOUD_ENDPOINT',
    () =>
      new Nifcloud({
        region: options.region,
        endpoint: options.endpoint,
        // Asked before each request.
        credentials: (refused) => {
          assertLease();
          return credentials(refused);
        },
        userAgent: USER_AGENT,
        qps: flags['cloud-api-qps'],
        burst: flags['cloud-api-burst'],
        metrics: cloudRequestMetrics(registry),
        logger,
        clock,
      }),
  );
  const common = { flags, environment: process.env, userAgent: USER_AGENT, logger, clock };
  const clients = await Clients.connect({ ...common, metrics: requestMetrics, beforeWrite: assertLease, signal });
  introduce(options, logger);

  const healthChecks: Check[] = [];
  const readyChecks: Check[] = [cloudCheck(cloud)];
  const pages = await servePages({ ...common, registry, requestMetrics, healthChecks, readyChecks }, signal);
  const recorders = new Recorders(logger, clock);
  const workshop: Workshop = {
    options,
    cloud,
    clients,
    recorder: (component, client) => recorders.recorder(component, client),
    metrics: controllerMetrics(registry),
    queueMetrics: queueMetrics(registry),
    healthChecks,
    readyChecks,
    logger,
    clock,
  };
  const work = (until: AbortSignal): Promise<void> => runControllers(workshop, until);
  if (flags['leader-elect']) {
    election = new LeaderElection({
      client: clients.lease,
      lease: { namespace: flags['leader-elect-resource-namespace'], name: flags['leader-elect-resource-name'] },
      identity: leaderIdentity(),
      leaseDurationMs: flags['leader-elect-lease-duration'],
      renewDeadlineMs: flags['leader-elect-renew-deadline'],
      retryPeriodMs: flags['leader-elect-retry-period'],
      events: recorders.recorder('cloud-controller-manager', clients.lease),
      metrics: electionMetrics(registry),
      logger,
      clock,
      onStartedLeading: work,
    });
    healthChecks.push(election);
  }

  try {
    logger.info('Started', { securePort: pages.port });
    await pages.askCluster();
    await Promise.all([
      pages.follow(),
      watchCloud(cloud, (until) => cloud.servers.list(until), { logger, clock }, signal),
      checkPermissions(workshop, pages, signal),
      election ? election.run(signal) : work(signal),
    ]);
  } finally {
    await recorders.flush();
    await pages.close();
    logger.info('Stopped');
  }
}

/** What an operator has to know of how it was started. */
function introduce({ flags, region, controllers, routes, ignored }: Options, logger: Logger): void {
  logger.info('Starting', {
    version: packageJson.version,
    region,
    clusterName: flags['cluster-name'],
    controllers: [...controllers],
  });
  logger.debug(1, 'Flags', flags);
  if (ignored.length > 0) logger.warn('Flags without effect in this program', { flags: ignored });
  if (typeof routes === 'string') logger.info('Routes are not configured', { reason: routes });
  if (flags['dry-run']) logger.warn('Dry run: nothing is changed in the cloud');
}

async function checkPermissions(
  { options, clients, logger }: Workshop,
  { authentication, authorization }: Serving,
  signal: AbortSignal,
): Promise<void> {
  const { flags, controllers } = options;
  const lease = { namespace: flags['leader-elect-resource-namespace'], name: flags['leader-elect-resource-name'] };
  await warnOfMissingPermissions(
    {
      shared: clients.shared,
      authentication,
      authorization,
      controllers: new Map([...controllers].map((name) => [name, clients.accountOf(name)])),
      lease: flags['leader-elect'] ? lease : undefined,
      serviceAccounts: clients.serviceAccounts(controllers),
    },
    logger,
    signal,
  );
}
