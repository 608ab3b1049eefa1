/**
 * Runs the end-to-end tests in namespaces of their own (network, mounts, processes): whatever ports and mounts they need are free there,
 * and what they leave behind goes with them, also when they are interrupted. Words on the command line go to mocha:
 * `npm run test:e2e -- -g drained`.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, mkdtemp, readdir, realpath, rm, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { components } from './components.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Where containers and kubelet have something mounted. Those that are not there are made, and removed at the end. */
const PLACES = [
  '/csi',
  '/run/containerd',
  '/var/lib/csi',
  '/var/lib/csi/sockets',
  '/var/lib/csi/sockets/pluginproxy',
  '/var/lib/kubelet',
  '/var/lib/nifcloud-simulator',
  '/run/secrets',
  '/run/secrets/kubernetes.io',
  '/run/secrets/kubernetes.io/serviceaccount',
];

const NAMESPACES = ['--net', '--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child', '--mount-proc'];

/** All addresses of these subnets are this machine's, since they are on lo: nodes, and pods of nodes that are played. */
const ENTER = `
  ip link set lo up
  ip addr add 10.0.0.1/32 dev lo
  ip addr add 10.250.0.11/24 dev lo
  ip addr add 10.250.1.1/24 dev lo
  mount -t tmpfs containerd /run/containerd
  exec "$@"`;

const say = (line: string): void => void process.stderr.write(`${line}\n`);

if (process.getuid?.() === 0) await main();
else {
  say('The end-to-end tests need root: they run containers, and disks are loop devices.');
  process.exitCode = 1;
}

async function main(): Promise<void> {
  await using cleanup = new AsyncDisposableStack();
  // Here, since inside there is no network.
  const programs = await components(say);
  // Short: names of sockets are.
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'nke-')));
  cleanup.defer(() => rm(folder, { recursive: true, force: true }));
  for (const place of PLACES) {
    if (await isThere(place)) continue;
    await mkdir(place);
    cleanup.defer(() => rmdir(place).catch(() => undefined));
  }
  for (const disks of ['cloud/disks', 'overlay/disks']) cleanup.defer(() => freeDisks(join(folder, disks)));
  cleanup.defer(removeCgroups);
  const mocha = [fileURLToPath(import.meta.resolve('mocha/bin/mocha.js')), '--config', 'test/e2e/mocharc.json'];
  const child = spawn(
    'unshare',
    [...NAMESPACES, 'bash', '-euc', ENTER, 'e2e', process.execPath, ...mocha, ...process.argv.slice(2)],
    {
      cwd: ROOT,
      stdio: 'inherit',
      env: { ...process.env, E2E_PROGRAMS: JSON.stringify(programs), E2E_FOLDER: folder },
    },
  );
  // With it the first process of the namespace dies, and so all in it.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void child.kill('SIGKILL'));
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code === null) await pause(2_000);
  process.exitCode = code ?? 1;
}

/** Only a run that was interrupted has not freed its loop devices. */
async function freeDisks(folder: string): Promise<void> {
  for (const image of await readdir(folder).catch(() => [])) {
    const { stdout } = await run('losetup', ['--noheadings', '--output', 'NAME', '--associated', join(folder, image)]);
    for (const device of stdout.split('\n').filter((name) => name !== '')) await run('losetup', ['--detach', device]);
  }
}

/** Those of kubelet's pods, in which nothing runs any more. */
async function removeCgroups(): Promise<void> {
  const root = '/sys/fs/cgroup';
  const hierarchies = [root, ...(await readdir(root)).map((name) => join(root, name))];
  for (const hierarchy of hierarchies) await removeTree(join(hierarchy, 'kubepods'));
}

async function removeTree(folder: string): Promise<void> {
  const inside = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of inside) if (entry.isDirectory()) await removeTree(join(folder, entry.name));
  await rmdir(folder).catch(() => undefined);
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
