import { readFileSync } from 'node:fs';
import { CLOUD_ENVIRONMENT, cloudSettings, type CloudSettings, type Environment } from '../daemon/environment.ts';
import { flag, helpText, parseFlags, UsageError, type FlagValues } from '../daemon/flags.ts';
import { LOG_FORMATS } from '../daemon/logger.ts';

/** The only value of `--cloud-provider`, and the start of every provider id. */
const PROVIDER = 'nifcloud';

/** Every name that `--controllers` takes, with the controller it stands for (`docs/reference/ccm.md` A2). */
const CONTROLLER_NAMES: Readonly<Record<string, string>> = {
  'cloud-node-controller': 'node',
  'cloud-node': 'node',
  'service-lb-controller': 'service',
  service: 'service',
};

/** Controllers of the framework that this program does not have yet. */
const UNBUILT: readonly string[] = [
  'cloud-node-lifecycle-controller',
  'cloud-node-lifecycle',
  'node-route-controller',
  'route',
];

/** The flags of cloud-provider v0.36 that have an effect here (`docs/reference/ccm.md` A7), and ours. */
const FLAGS = {
  'cloud-provider': flag.text({ default: '', value: 'NAME', help: `Must be ${PROVIDER}` }),
  'cloud-config': flag.text({ default: '', value: 'FILE', help: 'Must be readable; what it says is ignored' }),
  'cluster-name': flag.text({ default: 'kubernetes', value: 'NAME', help: 'Shown in the logs' }),
  controllers: flag.list({
    default: ['*'],
    value: 'NAME',
    help: "Controllers to run: '*' is all, 'name' enables, '-name' disables; cloud-node-controller, service-lb-controller",
  }),
  'concurrent-service-syncs': flag.integer({ default: 10, min: 1, help: 'Services worked on at once' }),
  'concurrent-node-syncs': flag.integer({
    default: 10,
    min: 1,
    help: 'Nodes worked on at once; those share their call of the cloud',
  }),
  'node-status-update-frequency': flag.durationMs({ default: 300_000, help: 'Pause between looks at addresses' }),
  'load-balancer-resync-period': flag.durationMs({
    default: 600_000,
    help: 'How often each load balancer is compared with its Service although nothing changed; 0 = never',
  }),
  kubeconfig: flag.text({ default: '', value: 'FILE', help: 'Kubeconfig file; none: that of the pod' }),
  master: flag.text({ default: '', value: 'URL', help: 'API server, overrides the one in the kubeconfig' }),
  'kube-api-qps': flag.number({ default: 20, min: 0.1, help: 'Requests a second to the Kubernetes API' }),
  'kube-api-burst': flag.integer({ default: 30, min: 1, help: 'Requests at once to the Kubernetes API' }),
  'cloud-api-qps': flag.number({ default: 20, min: 0.1, help: 'Requests a second to the NIFCLOUD API' }),
  'cloud-api-burst': flag.integer({ default: 40, min: 1, help: 'Requests at once to the NIFCLOUD API' }),
  'secure-port': flag.integer({
    default: 10258,
    min: 0,
    max: 65535,
    help: 'HTTPS port of /healthz, /livez, /readyz and /metrics; 0 = none',
  }),
  'bind-address': flag.text({ default: '0.0.0.0', value: 'ADDRESS', help: 'Address to serve HTTPS on' }),
  'authorization-always-allow-paths': flag.list({
    default: ['/healthz', '/readyz', '/livez'],
    value: 'PATH',
    help: 'HTTPS paths served without authorization; all others are refused (delegated authorization is not built yet)',
  }),
  'leader-elect': flag.boolean({ default: true, help: 'Must be false: leader election is not built yet' }),
  'logging-format': flag.choice({ of: LOG_FORMATS, default: 'text', help: 'Format of the log on stderr' }),
  v: flag.integer({ default: 0, min: 0, help: 'Log level: 2 for operators, 4 for debugging' }),
  version: flag.boolean({ help: 'Print the version and exit' }),
  help: flag.boolean({ help: 'Print this text and exit' }),
};

export const PROGRAM = 'nifcloud-cloud-controller-manager';

export interface Options extends CloudSettings {
  readonly flags: FlagValues<typeof FLAGS>;
  readonly controllers: ReadonlySet<'node' | 'service'>;
}

/**
 * Reads command line and environment.
 * @returns a text to be printed instead of running, for `--help` and `--version`
 * @throws UsageError
 */
export function readOptions(argv: readonly string[], environment: Environment, version: string): Options | string {
  const flags = parseFlags(FLAGS, argv);
  if (flags.help) {
    const summary =
      'Gives Nodes of a cluster on NIFCLOUD their metadata, and Services of type LoadBalancer a load balancer.';
    return helpText({ program: PROGRAM, summary, environment: CLOUD_ENVIRONMENT }, FLAGS);
  }
  if (flags.version) return `${PROGRAM} ${version}\n`;
  if (flags['cloud-provider'] !== PROVIDER) {
    throw new UsageError(`--cloud-provider=${flags['cloud-provider']} is not allowed: it must be ${PROVIDER}`);
  }
  if (flags['leader-elect']) {
    throw new UsageError('leader election is not built yet: run one replica with --leader-elect=false');
  }
  assertReadable(flags['cloud-config']);
  assertPeriod('node-status-update-frequency', flags['node-status-update-frequency']);
  if (flags['load-balancer-resync-period'] > 0) {
    assertPeriod('load-balancer-resync-period', flags['load-balancer-resync-period']);
  }
  return {
    flags,
    controllers: enabledControllers(flags.controllers),
    ...cloudSettings(environment),
  };
}

/** The first item that names a controller decides; without `*` what is not named is off. */
function enabledControllers(items: readonly string[]): ReadonlySet<'node' | 'service'> {
  const decided = new Map<string, boolean>();
  for (const item of items.filter((one) => one !== '*')) {
    const name = item.replace(/^-/, '');
    const isOn = name === item;
    const controller = Object.hasOwn(CONTROLLER_NAMES, name) ? CONTROLLER_NAMES[name] : undefined;
    if (UNBUILT.includes(name)) {
      if (isOn) throw new UsageError(`--controllers=${items.join(',')} is not allowed: ${name} is not built yet`);
    } else if (controller === undefined) {
      const known = Object.keys(CONTROLLER_NAMES).join(', ');
      throw new UsageError(`--controllers=${items.join(',')} is not allowed: ${name} is none of *, ${known}`);
    } else if (!decided.has(controller)) {
      decided.set(controller, isOn);
    }
  }
  const all = ['node', 'service'] as const;
  return new Set(all.filter((controller) => decided.get(controller) ?? items.includes('*')));
}

/** Anything shorter would only load both APIs; so would anything that a timer of 31 bits can't hold, with its jitter: it ends at once. */
function assertPeriod(name: string, periodMs: number): void {
  if (periodMs < 1_000) throw new UsageError(`--${name} is too short: it takes at least 1s`);
  if (periodMs > 480 * 3_600_000) throw new UsageError(`--${name} is too long: it takes at most 480h`);
}

function assertReadable(file: string): void {
  if (file === '') return;
  try {
    readFileSync(file);
  } catch (error) {
    throw new UsageError(`--cloud-config=${file} can't be read: ${(error as NodeJS.ErrnoException).code}`);
  }
}
