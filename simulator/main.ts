#!/usr/bin/env node
import { readFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';
import { tmpdir } from 'node:os';
import { systemClock } from '../daemon/clock.ts';
import { flag, helpText, parseFlags, UsageError } from '../daemon/flags.ts';
import type { FlagSpec, Manual } from '../daemon/flags.ts';
import { createLogger } from '../daemon/logger.ts';
import { runDaemon } from '../daemon/shutdown.ts';
import { defaultFleet, parseFleet } from './nifcloud/world/fleet.ts';
import type { Fleet } from './nifcloud/world/fleet.ts';
import { createHosts } from './nifcloud/hosts/hosts.ts';
import type { Credentials } from './nifcloud/api/signature.ts';
import { DEFAULT_LATENCY_MS, DEFAULT_VIP_RANGE, DEMO_CREDENTIALS, startSimulator } from './nifcloud/simulator.ts';
import { DEFAULT_TRANSITION, parseTransitionTimes } from './nifcloud/world/transition.ts';

const FLAGS = {
  listen: checked('HOST:PORT', '127.0.0.1:0', 'where the API is served; port 0 takes a free one', splitAddress),
  fleet: flag.text({ value: 'FILE', help: 'the servers, as YAML or JSON; default: node01 to node03 in three zones' }),
  latency: flag.durationMs({
    default: DEFAULT_LATENCY_MS,
    help: 'how long each call waits before it is evaluated',
  }),
  transition: checked(
    'TIMES',
    DEFAULT_TRANSITION,
    'how long the transitions of disks take: 3s, 2s..5s, attach=2s, or several of these',
    parseTransitionTimes,
  ),
  'time-scale': flag.number({ default: 1, min: 0.001, help: 'divides transitions and the intervals of health checks' }),
  disks: flag.choice({
    of: ['loop', 'file', 'none'],
    default: 'none',
    help: 'what the servers see of their disks: loop devices (root), image files, or nothing',
  }),
  'state-dir': flag.text({
    value: 'DIR',
    default: tmpdir(),
    help: 'where a folder with images and host trees is made, and removed at the end',
  }),
  'vip-range': checked(
    'ADDRESS',
    DEFAULT_VIP_RANGE,
    'the first address of a load balancer; later ones count up',
    requireIPv4,
  ),
  'call-log': flag.text({ value: 'FILE', help: 'append each call as a JSON line' }),
  control: flag.boolean({ help: 'serve /control/state and /control/calls' }),
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

await runDaemon(MANUAL.program, async (signal) => {
  const flags = parseFlags(FLAGS, process.argv.slice(2));
  if (flags.help) {
    process.stdout.write(helpText(MANUAL, FLAGS));
    return;
  }
  const credentials = readCredentials(process.env);
  const logger = createLogger({ format: 'text', verbosity: 0, secrets: () => [credentials.secretAccessKey] });
  const fleet = await readFleet(flags.fleet);
  const hosts = await createHosts({ mode: flags.disks, stateDir: flags['state-dir'], logger }).catch(refuse);
  const simulator = await startSimulator({
    ...splitAddress(flags.listen),
    fleet,
    credentials,
    latencyMs: flags.latency,
    transition: flags.transition,
    timeScale: flags['time-scale'],
    vipRange: flags['vip-range'],
    control: flags.control,
    hosts,
    logger,
    ...(flags['call-log'] === undefined ? {} : { callLog: flags['call-log'] }),
  }).catch(async (cause: unknown) => {
    await hosts.stop();
    return refuse(cause);
  });
  const { region, servers } = simulator.state();
  const ready = {
    listening: simulator.url,
    accessKeyId: credentials.accessKeyId,
    // Keys from the environment may be those of a real account: they are not repeated.
    ...(credentials === DEMO_CREDENTIALS ? { secretAccessKey: credentials.secretAccessKey } : {}),
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

/** A text flag whose value must be readable by `read`. */
function checked(value: string, preset: string, help: string, read: (text: string) => unknown): FlagSpec<string> {
  const parse = (text: string): string => {
    read(text);
    return text;
  };
  return { ...flag.text({ value, default: preset, help }), parse };
}

function splitAddress(text: string): { host: string; port: number } {
  const [, host = '', port = ''] = /^(.+):(\d{1,5})$/.exec(text) ?? [];
  if (host === '' || Number(port) > 65_535) throw new UsageError('HOST:PORT such as 127.0.0.1:8480');
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
