import { readFileSync } from 'node:fs';
import { CLOUD_ENVIRONMENT, cloudSettings, type CloudSettings, type Environment } from '../daemon/environment.ts';
import { helpText, parseFlags, UsageError, type FlagValues, type Manual } from '../daemon/flags.ts';
import { clusterCidrs } from './cloud/cidr.ts';
import { FLAG_GROUPS, FLAGS, NO_EFFECT } from './flags.ts';
import type { RouteSettings } from './route.ts';

/** The only value of `--cloud-provider`, and the start of every provider id. */
const PROVIDER = 'nifcloud';

export const PROGRAM = 'nifcloud-cloud-controller-manager';

/** The controllers of the framework, by the names that this program's files have. */
export type ControllerName = 'node' | 'node-lifecycle' | 'service' | 'route';

interface ControllerNames {
  /** Of `--controllers` and of health checks. */
  readonly canonical: string;
  /** Of `--controllers` and of `running_managed_controllers`. */
  readonly alias: string;
}

/** What the controllers are called (`docs/reference/ccm.md` A2). */
export const CONTROLLERS: Readonly<Record<ControllerName, ControllerNames>> = {
  node: { canonical: 'cloud-node-controller', alias: 'cloud-node' },
  'node-lifecycle': { canonical: 'cloud-node-lifecycle-controller', alias: 'cloud-node-lifecycle' },
  service: { canonical: 'service-lb-controller', alias: 'service' },
  route: { canonical: 'node-route-controller', alias: 'route' },
};

const CONTROLLER_NAMES = Object.keys(CONTROLLERS) as readonly ControllerName[];

/** Of the renew deadline and the retry period. Source: client-go, `JitterFactor`. */
const RETRIES_IN_DEADLINE = 1.2;

export type CcmFlags = FlagValues<typeof FLAGS>;

export interface Options extends CloudSettings {
  readonly flags: CcmFlags;
  readonly controllers: ReadonlySet<ControllerName>;
  /** Without the route controller: why there is none. */
  readonly routes: RouteSettings | string;
  /** What was said and has no effect, as `--name=value`. */
  readonly ignored: readonly string[];
}

const ROUTE_TABLE = 'NIFCLOUD_ROUTE_TABLE_ID';

const MANUAL: Manual = {
  program: PROGRAM,
  summary: 'Gives Nodes of a cluster on NIFCLOUD their metadata, and Services of type LoadBalancer a load balancer.',
  environment: [
    ...CLOUD_ENVIRONMENT,
    [ROUTE_TABLE, 'route table that gets routes to the pods of each node; not set: routes are not configured'],
  ],
  notes: [
    `Accepted without effect, as flags of the framework: ${Object.keys(NO_EFFECT)
      .map((name) => `--${name}`)
      .join(', ')}.`,
  ],
};

/**
 * Reads command line and environment.
 * @returns a text to be printed instead of running, for `--help` and `--version`
 * @throws UsageError
 */
export function readOptions(argv: readonly string[], environment: Environment, version: string): Options | string {
  const flags = parseFlags(FLAGS, argv);
  if (flags.help) return helpText(MANUAL, FLAG_GROUPS);
  if (flags.version) return `${PROGRAM} ${version}\n`;
  if (flags['cloud-provider'] !== PROVIDER) {
    throw new UsageError(`--cloud-provider=${flags['cloud-provider']} is not allowed: it must be ${PROVIDER}`);
  }
  if (flags['enable-leader-migration']) {
    throw new UsageError('--enable-leader-migration=true is not allowed: there is no in-tree provider to migrate from');
  }
  assertReadable(flags['cloud-config']);
  assertPeriods(flags);
  if (flags['leader-elect']) assertElection(flags);
  assertServing(flags);
  const controllers = enabledControllers(flags.controllers);
  const routes = routeSettings(flags, environment, controllers.has('route'));
  if (typeof routes === 'string') controllers.delete('route');
  return {
    flags,
    controllers,
    routes,
    ignored: ignored(flags),
    ...cloudSettings(environment),
  };
}

/** The first item that names a controller decides; without `*` what is not named is off. */
function enabledControllers(items: readonly string[]): Set<ControllerName> {
  const decided = new Map<ControllerName, boolean>();
  for (const item of items.filter((one) => one !== '*')) {
    const name = item.replace(/^-/, '');
    const isOn = name === item;
    const controller = CONTROLLER_NAMES.find((one) =>
      [CONTROLLERS[one].canonical, CONTROLLERS[one].alias].includes(name),
    );
    if (controller === undefined) {
      const known = Object.values(CONTROLLERS).map(({ canonical, alias }) => `${canonical}, ${alias}`);
      throw new UsageError(
        `--controllers=${items.join(',')} is not allowed: ${name} is none of *, ${known.join(', ')}`,
      );
    }
    if (!decided.has(controller)) decided.set(controller, isOn);
  }
  return new Set(CONTROLLER_NAMES.filter((controller) => decided.get(controller) ?? items.includes('*')));
}

/**
 * Routes need a table: the framework's default configures them wherever the cloud can.
 * @returns a text that says why they are not configured
 */
function routeSettings(flags: CcmFlags, environment: Environment, isEnabled: boolean): RouteSettings | string {
  if (!isEnabled) return 'not among --controllers';
  if (!flags['configure-cloud-routes']) return '--configure-cloud-routes=false';
  const tableId = environment[ROUTE_TABLE] ?? '';
  if (tableId === '') return `${ROUTE_TABLE} is not set`;
  const text = flags['cluster-cidr'];
  const cidrs = clusterCidrs(text);
  if (cidrs !== undefined) return { tableId, clusterCidrs: cidrs };
  throw new UsageError(
    `--cluster-cidr=${text} is not allowed: with ${ROUTE_TABLE} it takes the range of the pods, or one of each family, ` +
      'such as 10.244.0.0/16 or 10.244.0.0/16,fd00:10:244::/56; --configure-cloud-routes=false needs none',
  );
}

/** Flags in `NO_EFFECT` that were set to something else than their default. */
function ignored(flags: CcmFlags): readonly string[] {
  const names = Object.keys(NO_EFFECT) as readonly (keyof typeof NO_EFFECT)[];
  return names
    .filter((name) => JSON.stringify(flags[name]) !== JSON.stringify(NO_EFFECT[name].default))
    .map((name) => `--${name}=${String(flags[name])}`);
}

const PERIODS = [
  'node-status-update-frequency',
  'node-monitor-period',
  'route-reconciliation-period',
  'load-balancer-resync-period',
] as const;

/** Anything shorter would only load both APIs; so would anything that a timer of 31 bits can't hold, with its jitter: it ends at once. */
function assertPeriods(flags: CcmFlags): void {
  for (const name of PERIODS) {
    const periodMs = flags[name];
    if (periodMs === 0 && name === 'load-balancer-resync-period') continue;
    if (periodMs < 1_000) throw new UsageError(`--${name} is too short: it takes at least 1s`);
    if (periodMs > 480 * 3_600_000) throw new UsageError(`--${name} is too long: it takes at most 480h`);
  }
}

/** Only so is it certain that a leader has stopped before another one starts (`docs/reference/ccm.md` B4). */
function assertElection(flags: CcmFlags): void {
  const durationMs = flags['leader-elect-lease-duration'];
  const deadlineMs = flags['leader-elect-renew-deadline'];
  const retryMs = flags['leader-elect-retry-period'];
  if (durationMs < 1_000) throw new UsageError('--leader-elect-lease-duration is too short: it takes at least 1s');
  if (retryMs < 1) throw new UsageError('--leader-elect-retry-period is too short: it takes at least 1ms');
  if (durationMs <= deadlineMs) {
    throw new UsageError('--leader-elect-lease-duration must be longer than --leader-elect-renew-deadline');
  }
  if (deadlineMs <= RETRIES_IN_DEADLINE * retryMs) {
    throw new UsageError(
      `--leader-elect-renew-deadline must be longer than ${RETRIES_IN_DEADLINE} times --leader-elect-retry-period`,
    );
  }
  for (const name of ['leader-elect-resource-name', 'leader-elect-resource-namespace'] as const) {
    if (flags[name] === '') throw new UsageError(`--${name}= is not allowed: it must not be empty`);
  }
}

function assertServing(flags: CcmFlags): void {
  const port = flags['secure-port'];
  if (port !== 0 && port === flags['webhook-secure-port']) {
    throw new UsageError(`--webhook-secure-port=${port} is not allowed: --secure-port is the same`);
  }
  if ((flags['tls-cert-file'] === '') !== (flags['tls-private-key-file'] === '')) {
    throw new UsageError('--tls-cert-file and --tls-private-key-file are needed both, or none of them');
  }
}

function assertReadable(file: string): void {
  if (file === '') return;
  try {
    readFileSync(file);
  } catch (error) {
    throw new UsageError(`--cloud-config=${file} can't be read: ${(error as NodeJS.ErrnoException).code}`);
  }
}
