/** The main job on one machine: `npm run demo`. README.md shows what it prints, docs/architecture.md what happens inside. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemClock } from '../daemon/clock.ts';
import { flag, helpText, parseFlags, UsageError } from '../daemon/flags.ts';
import { createLogger } from '../daemon/logger.ts';
import { runDaemon } from '../daemon/shutdown.ts';
import { loadConnection } from '../kube/config.ts';
import { KubeClient } from '../kube/rest.ts';
import { Cluster } from './cluster.ts';
import { CsiClient } from './csi-client.ts';
import { chooseDisks, releaseDisks } from './disks.ts';
import type { Disks } from './disks.ts';
import { Mismatch } from './expect.ts';
import { Report } from './report.ts';
import { registerNode } from './roles.ts';
import type { Machine } from './roles.ts';
import { initialiseNodes, play } from './scenario.ts';
import type { CloudState, Scene } from './scenario.ts';
import { endOf, Stage, writeKubeconfig } from './stage.ts';
import type { Environment, Server, SimulatorInfo } from './stage.ts';

const FLAGS = {
  built: flag.boolean({ help: 'Run what npm run build has made, in place of the sources' }),
  record: flag.boolean({ help: 'Put what is printed into README.md' }),
  shims: flag.boolean({ help: 'Replace the disk tools even where real disks would work' }),
  stay: flag.boolean({ help: 'Keep everything running afterwards, until Ctrl-C, and print how to reach it' }),
  help: flag.boolean({ help: 'Print this text' }),
};
const MANUAL = {
  program: 'npm run demo --',
  summary: 'Plays the life of a Service and of a claim on one machine.',
  environment: [],
};
const README = new URL('../README.md', import.meta.url);

await runDaemon('demo', async (signal) => {
  const options = parseFlags(FLAGS, process.argv.slice(2));
  if (options.help) {
    process.stdout.write(helpText(MANUAL, FLAGS));
    return;
  }
  try {
    await demonstrate(options, AbortSignal.any([signal, nobodyWatches()]));
  } catch (error) {
    if (signal.aborted) throw new UsageError('interrupted', { cause: error });
    // What was seen, and what the system refused, are told in a line; the stack is for mistakes in the demo itself.
    const told = error instanceof Mismatch || (error instanceof Error && 'syscall' in error);
    throw told ? new UsageError(error.message, { cause: error }) : error;
  }
});

interface Options {
  readonly built: boolean;
  readonly record: boolean;
  readonly shims: boolean;
  readonly stay: boolean;
}

/** Sets the stage, performs, and leaves nothing behind, however it ends. */
async function demonstrate(options: Options, signal: AbortSignal): Promise<void> {
  const disks = await chooseDisks(options.shims);
  // A short name, because the path of a unix socket has room for 107 bytes; resolved, as the mount table has it.
  const stage = new Stage(await realpath(await mkdtemp(join(tmpdir(), 'nk-'))), signal, options.built);
  try {
    await perform(stage, disks, options);
  } catch (error) {
    // A connection breaks a moment before its program is known to have ended. That, or Ctrl-C, is why the rest broke off.
    await systemClock.sleep(100);
    stage.signal.throwIfAborted();
    await printLogs(stage);
    throw error;
  } finally {
    await stage.stop();
    await releaseDisks(stage.folder);
    await rm(stage.folder, { recursive: true, force: true });
  }
}

/** Aborts when the terminal, or whoever reads what is printed, has gone. */
function nobodyWatches(): AbortSignal {
  const gone = new AbortController();
  const leave = (): void => gone.abort(new Mismatch('the terminal, or the reader of what is printed, has gone'));
  process.on('SIGHUP', leave);
  process.stdout.on('error', leave);
  process.stderr.on('error', leave);
  return gone.signal;
}

async function perform(stage: Stage, disks: Disks, options: Options): Promise<void> {
  const [simulator, api] = await Promise.all([startSimulator(stage, disks), startApi(stage)]);
  const kubeconfig = join(stage.folder, 'kubeconfig');
  await writeKubeconfig(kubeconfig, api.listening, 'admin');
  const cluster = new Cluster(await connect(kubeconfig), stage.signal);
  const control = new URL('/control/', simulator.listening);
  const cloud = async (): Promise<CloudState> => await getJson<CloudState>(new URL('state', control), stage.signal);
  const report = new Report(
    async () => (await getJson<{ counts: Record<string, number> }>(new URL('calls', control), stage.signal)).counts,
  );

  report.say('nifcloud-kubernetes: a Service and a claim on a simulated NIFCLOUD');
  report.say(
    `region ${simulator.region}: ${simulator.servers.map(({ name, zone }) => `${name} in ${zone}`).join(', ')}`,
  );
  report.say(
    disks.shimmedBecause === ''
      ? 'disks: real loop devices, file systems and mounts'
      : `disks: folders, because ${disks.shimmedBecause}; mount, mkfs and the other disk tools are replaced by demo/shims`,
  );

  const before = await cloud();
  const scene = await report.step('nodes register, the daemons start', async () => {
    for (const server of simulator.servers) await registerNode(cluster, server);
    const daemons = await startDaemons(stage, simulator, api, disks);
    const { signal } = stage;
    const started: Scene = { ...daemons, cluster, report, signal, cloud, fileSystemBytes: fileSystemBytes(disks) };
    await initialiseNodes(started);
    return started;
  });
  await play(scene, before);
  report.table();
  if (options.record) await report.record(README);
  if (options.stay) {
    report.say('\nStill running, until Ctrl-C. The daemons serve what you apply; no scheduler or kubelet does.');
    report.say(`  export KUBECONFIG=${kubeconfig}`);
    report.say('  kubectl apply --validate=false -f FILE');
    report.say(`  curl ${new URL('state', control).href}`);
    await systemClock.sleep(Infinity, stage.signal).catch((reason: unknown) => {
      if (reason instanceof Mismatch) throw reason;
    });
  }
  for (const { csi } of scene.machines) csi.close();
  scene.controller.close();
}

async function startSimulator(stage: Stage, disks: Disks): Promise<SimulatorInfo> {
  const args = [
    '--listen=127.0.0.1:0',
    '--control',
    `--disks=${disks.mode}`,
    `--state-dir=${join(stage.folder, 'cloud')}`,
    // Not the default, which a simulator that already runs here may use.
    '--vip-range=127.101.0.1',
  ];
  // A real call and a real transition take longer; these are long enough to be seen.
  return await stage.startAnnouncing('simulator', 'simulator/main.ts', [...args, '--latency=20ms', '--transition=1s'], {
    PATH: disks.path,
  });
}

async function startApi(stage: Stage): Promise<{ listening: string }> {
  return await stage.startAnnouncing('kubernetes', 'simulator/kubernetes/main.ts', ['--listen=127.0.0.1:0']);
}

/** The two daemons as an operator would start them: by their documented flags and environment alone. */
async function startDaemons(
  stage: Stage,
  simulator: SimulatorInfo,
  api: { listening: string },
  disks: Disks,
): Promise<{ controller: CsiClient; machines: readonly Machine[] }> {
  const cloud: Environment = {
    NIFCLOUD_ENDPOINT: new URL(simulator.listening).origin,
    NIFCLOUD_REGION: simulator.region,
    NIFCLOUD_ACCESS_KEY_ID: simulator.accessKeyId,
    NIFCLOUD_SECRET_ACCESS_KEY: simulator.secretAccessKey,
  };
  const kubeconfig = async (user: string): Promise<string> => {
    const file = join(stage.folder, `${user}.kubeconfig`);
    await writeKubeconfig(file, api.listening, user);
    return `--kubeconfig=${file}`;
  };
  const startCcm = async (): Promise<void> => {
    const args = ['--cloud-provider=nifcloud', '--leader-elect=false', '--secure-port=0', await kubeconfig('ccm')];
    await stage.start('ccm', 'ccm/main.ts', args, cloud, () => Promise.resolve(true));
  };
  const startController = async (): Promise<CsiClient> => {
    const socket = join(stage.folder, 'c.sock');
    const client = new CsiClient(socket, stage.signal);
    const args = ['--mode=controller', `--endpoint=unix://${socket}`, await kubeconfig('csi')];
    await stage.start(
      'csi-controller',
      'csi/main.ts',
      args,
      { ...cloud, NODE_NAME: simulator.servers[0]?.name ?? '' },
      () => client.ready(),
    );
    return client;
  };
  const startNode = async (server: Server): Promise<Machine> => {
    const socket = join(stage.folder, `${server.name}.sock`);
    const kubeletFolder = join(stage.folder, server.name, 'kubelet');
    const client = new CsiClient(socket, stage.signal);
    const state = join(kubeletFolder, 'plugins/additional-storage.csi.nifcloud.com.state');
    const args = [
      '--mode=node',
      `--endpoint=unix://${socket}`,
      `--host-root=${server.hostRoot}`,
      `--state-dir=${state}`,
    ];
    const env = {
      NODE_NAME: server.name,
      NIFCLOUD_ZONE: server.zone,
      PATH: disks.path,
      NIFCLOUD_DEMO_HOST_ROOT: server.hostRoot,
    };
    await stage.start(`csi-${server.name}`, 'csi/main.ts', args, env, () => client.ready());
    return { server, csi: client, kubeletFolder };
  };
  const [controller, machines] = await Promise.all([
    startController(),
    Promise.all(simulator.servers.map(startNode)),
    startCcm(),
  ]);
  return { controller, machines };
}

async function connect(kubeconfig: string): Promise<KubeClient> {
  const connection = await loadConnection({ kubeconfig, env: {} });
  const logger = createLogger({ format: 'text', verbosity: 0, secrets: () => [] });
  return new KubeClient(connection, { userAgent: 'demo', qps: 1000, burst: 1000, logger, clock: systemClock });
}

async function getJson<T>(url: URL, signal: AbortSignal): Promise<T> {
  const response = await fetch(url, { signal });
  if (!response.ok) throw new Error(`${url.href} answers ${response.status}: ${await response.text()}`);
  return (await response.json()) as T;
}

/** The size of the only data disk's file system, as its super block tells. */
function fileSystemBytes(disks: Disks): Scene['fileSystemBytes'] {
  return async ({ server }) => {
    const names = await readdir(join(server.hostRoot, 'sys/class/block'));
    // sda is the system disk.
    const device = join(server.hostRoot, 'dev', names.find((name) => name !== 'sda') ?? '');
    const env = { PATH: disks.path, LC_ALL: 'C', NIFCLOUD_DEMO_HOST_ROOT: server.hostRoot };
    const { stdout } = await promisify(execFile)('dumpe2fs', ['-h', device], { env });
    const field = (name: string): number => Number(new RegExp(`^${name}: +(\\d+)$`, 'm').exec(stdout)?.[1]);
    return field('Block count') * field('Block size');
  };
}

/** The end of every program's log: what a failed run leaves behind to look at. */
async function printLogs(stage: Stage): Promise<void> {
  for (const name of (await readdir(stage.folder)).filter((file) => file.endsWith('.log'))) {
    const end = endOf(join(stage.folder, name));
    if (end !== '') process.stderr.write(`\n--- the end of ${name}\n${end}\n`);
  }
}
