#!/usr/bin/env node
import { readFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import { tmpdir } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { systemClock } from '../daemon/clock.ts';
import { flag, helpText, parseFlags, UsageError } from '../daemon/flags.ts';
import type { FlagSpec, Manual } from '../daemon/flags.ts';
import { createLogger } from '../daemon/logger.ts';
import { runDaemon } from '../daemon/shutdown.ts';
import { defaultFleet, parseFleet } from './nifcloud/world/fleet.ts';
import type { Fleet } from './nifcloud/world/fleet.ts';
import { createHosts } from './nifcloud/hosts/hosts.ts';
import type { Credentials } from './nifcloud/api/signature.ts';
import type { TlsFiles } from './nifcloud/api/tls-files.ts';
import { DEFAULT_LATENCY_MS, DEFAULT_VIP_RANGE, DEMO_CREDENTIALS, startSimulator } from './nifcloud/simulator.ts';
import { parseSwitches } from './nifcloud/world/switches.ts';
import { DEFAULT_TRANSITION, parseTransitionTimes } from './nifcloud/world/transition.ts';

const FLAGS = {
  listen: checked('HOST:PORT', '127.0.0.1:0', 'where the API is served; port 0 takes a free one', splitAddress),
  'tls-cert': flag.text({ value: 'FILE', help: 'PEM certificate: TLS too on that port, and CONNECT to the API host' }),
  'tls-key': flag.text({ value: 'FILE', help: 'its PEM key' }),
  'credentials-file': flag.text({
    value: 'FILE',
    help: 'the keys that are accepted, as a YAML or JSON list; read again when it changes',
  }),
  fleet: flag.text({ value: 'FILE', help: 'what exists, as YAML or JSON; default: node01 to node03 in three zones' }),
  state: flag.text({
    value: 'FILE',
    help: 'keep the cloud there, and its disks beside it, and go on from it; once it is there, it wins over --fleet',
  }),
  latency: flag.durationMs({
    default: DEFAULT_LATENCY_MS,
    help: 'how long each call waits before it is evaluated',
  }),
  transition: checked(
    'TIMES',
    DEFAULT_TRANSITION,
    'how long transitions take: 3s, 2s..5s, attach=2s, or several of these',
    parseTransitionTimes,
  ),
  'time-scale': flag.number({
    default: 1,
    min: 0.001,
    help: 'divides transitions, and the intervals and periods of load balancers',
  }),
  disks: flag.choice({
    of: ['loop', 'file', 'none'],
    default: 'none',
    help: 'what the servers see of their disks: loop devices (root), image files, or nothing',
  }),
  'state-dir': flag.text({
    value: 'DIR',
    help: 'where images and host trees are; default: a folder that is removed at the end, with --state FILE.disks',
  }),
  switch: {
    ...flag.list({ value: 'NAME=VALUE', default: [], help: 'how to behave where no source says how the cloud does' }),
    parse: (text: string): readonly string[] => {
      parseSwitches(text);
      return [text];
    },
  },
  'vip-range': checked(
    'ADDRESS',
    DEFAULT_VIP_RANGE,
    'the first address of a load balancer; later ones count up',
    requireIPv4,
  ),
  'call-log': flag.text({ value: 'FILE', help: 'append each call as a JSON line' }),
  control: flag.boolean({ help: 'serve the pages under /control/: state, calls, faults, incidents' }),
  help: flag.boolean({ help: 'print this text' }),
};

const MANUAL: Manual = {
  program: 'nifcloud-simulator',
  summary: 'A NIFCLOUD region on this machine: the Computing API with servers, disks and L4 load balancers that work.',
  environment: [
    ['NIFCLOUD_ACCESS_KEY_ID', 'the only access key that is accepted; default: a demo key, printed at start'],
    ['NIFCLOUD_SECRET_ACCESS_KEY', 'its secret'],
  ],
};

// An answer about a large fleet leaves more garbage than the fleet is large. Node would sooner take more memory than collect it.
setFlagsFromString('--heap-growing-percent=30');
setFlagsFromString('--semi-space-growth-factor=1');

await runDaemon(MANUAL.program, async (signal) => {
  const flags = parseFlags(FLAGS, process.argv.slice(2));
  if (flags.help) {
    process.stdout.write(helpText(MANUAL, FLAGS));
    return;
  }
  const credentials = readCredentials(process.env);
  const logger = createLogger({ format: 'text', verbosity: 0, secrets: () => [credentials.secretAccessKey] });
  const fleet = await readFleet(flags.fleet);
  const tls = tlsFiles(flags['tls-cert'], flags['tls-key']);
  const { state } = flags;
  const stateDir = flags['state-dir'] ?? (state === undefined ? tmpdir() : `${state}.disks`);
  const keep = state !== undefined;
  const hosts = await createHosts({ mode: flags.disks, stateDir, keep, logger }).catch(refuse);
  const simulator = await startSimulator({
    ...splitAddress(flags.listen),
    fleet,
    credentials,
    latencyMs: flags.latency,
    transition: flags.transition,
    timeScale: flags['time-scale'],
    vipRange: flags['vip-range'],
    control: flags.control,
    switches: flags.switch.join(','),
    ...(tls === undefined ? {} : { tls }),
    hosts,
    logger,
    ...(flags['credentials-file'] === undefined ? {} : { credentialsFile: flags['credentials-file'] }),
    ...(state === undefined ? {} : { stateFile: state }),
    ...(flags['call-log'] === undefined ? {} : { callLog: flags['call-log'] }),
  }).catch(async (cause: unknown) => {
    await hosts.stop();
    return refuse(cause);
  });
  const { region, servers } = simulator.state();
  const ready = {
    listening: simulator.url,
    tls: tls !== undefined,
    accessKeyId: simulator.credentials.accessKeyId,
    // Keys from the environment or a file may be those of a real account: they are not repeated.
    ...(simulator.credentials === DEMO_CREDENTIALS ? { secretAccessKey: DEMO_CREDENTIALS.secretAccessKey } : {}),
    region,
    servers: servers.map(({ name, uniqueId, zone, privateAddress, hostRoot }) => ({
      name,
      uniqueId,
      zone,
      privateAddress,
      hostRoot,
    })),
  };
  process.stdout.write(`${JSON.stringify(ready)}\n`);
  try {
    await systemClock.sleep(Infinity, signal);
  } finally {
    await simulator.stop();
  }
});

/** What the system refuses (an address, a file) is the caller's to mend: its message says which. */
function refuse(cause: unknown): never {
  throw cause instanceof Error && 'syscall' in cause ? new UsageError(cause.message, { cause }) : cause;
}

function tlsFiles(certFile: string | undefined, keyFile: string | undefined): TlsFiles | undefined {
  if (certFile === undefined && keyFile === undefined) return undefined;
  if (certFile === undefined || keyFile === undefined) {
    throw new UsageError('--tls-cert and --tls-key: give both of them, or none for plain HTTP alone');
  }
  return { certFile, keyFile };
}

/** A text flag whose value must be readable by `read`. */
function checked(value: string, preset: string, help: string, read: (text: string) => unknown): FlagSpec<string> {
  const parse = (text: string): string => {
    read(text);
    return text;
  };
  return { ...flag.text({ value, default: preset, help }), parse };
}

function splitAddress(text: string): { host: string; port: number } {
  const [, ipv6, host = ipv6, port] = /^(?:\[(.+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  if (host === undefined || Number(port) > 65_535) {
    throw new UsageError('HOST:PORT such as 127.0.0.1:8480 or [::1]:8480');
  }
  return { host, port: Number(port) };
}

function requireIPv4(text: string): void {
  if (!isIPv4(text)) throw new UsageError('an IPv4 address such as 127.100.0.1');
}

function readCredentials(env: NodeJS.ProcessEnv): Credentials {
  const { NIFCLOUD_ACCESS_KEY_ID: accessKeyId = '', NIFCLOUD_SECRET_ACCESS_KEY: secretAccessKey = '' } = env;
  if (accessKeyId === '' && secretAccessKey === '') return DEMO_CREDENTIALS;
  if (accessKeyId === '' || secretAccessKey === '') {
    throw new UsageError(
      'NIFCLOUD_ACCESS_KEY_ID and NIFCLOUD_SECRET_ACCESS_KEY: set both of them, or none for a demo key',
    );
  }
  return { accessKeyId, secretAccessKey };
}

async function readFleet(file: string | undefined): Promise<Fleet> {
  if (file === undefined) return defaultFleet();
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new UsageError(`--fleet=${file}: ${String(cause)}`, { cause });
  });
  return parseFleet(text, file);
}
