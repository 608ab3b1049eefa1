import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, readdir, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { assert } from 'chai';
import { createNodeService } from '../../csi/node/node.ts';
import type { NodeHandlers } from '../../csi/node/node.ts';
import { RpcError } from '../../csi/rpc-error.ts';
import { VolumeLocks } from '../../csi/volume-locks.ts';
import type { FileSystem } from '../../csi/volume-capability.ts';
import { systemClock } from '../../daemon/clock.ts';
import type { Clock } from '../../daemon/clock.ts';
import type { Logger } from '../../daemon/logger.ts';
import { CsiClient } from '../../demo/csi-client.ts';
import type { VolumeCapability__Output } from '../../proto/gen/csi/v1/VolumeCapability.ts';
import { createHosts } from '../../simulator/nifcloud/hosts/hosts.ts';
import type { Hosts } from '../../simulator/nifcloud/hosts/hosts.ts';

/** A disk of 100 GB, by the smaller meaning. The images are sparse. */
export const DISK_BYTES = 100e9;

/** The real time, five times as fast: some tests wait for a timeout to pass. */
const hurried: Clock = {
  now: () => Date.now(),
  monotonicMs: () => systemClock.monotonicMs() * 5,
  sleep: (delayMs, signal) => systemClock.sleep(delayMs / 5, signal),
};

const CSI_MAIN = fileURLToPath(new URL('../../csi/main.ts', import.meta.url));

const patient = new AbortController().signal;

/** Runs one of the machine's own tools and returns what it prints. */
export async function run(tool: string, ...args: readonly string[]): Promise<string> {
  return (await promisify(execFile)(tool, args)).stdout;
}

/** The error of an RPC that must fail. */
export async function refusal(rpc: Promise<unknown>): Promise<RpcError> {
  const error: unknown = await rpc.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.instanceOf(error, RpcError);
  return error;
}

/** Puts bytes (in the notation of printf) at a place of an image. */
export function patch(position: number, bytes: string): (image: string) => Promise<string> {
  const script = 'printf "$1" | dd of="$2" bs=1 seek="$3" conv=notrunc';
  return (image) => run('sh', '-c', script, 'sh', bytes, image, String(position));
}

/** How a volume is to be used, and what the controller says about its disk. */
export interface Use {
  /** Default: ext4. */
  readonly fsType?: FileSystem | 'block';
  readonly flags?: readonly string[];
  readonly sizeGB?: number;
  /** As after an attach by the Go driver: only the slot is told. */
  readonly byGoDriver?: boolean;
}

/** A server with a node server on it. */
export interface Machine {
  readonly id: string;
  readonly root: string;
  /** The log of its node server. */
  readonly lines: string[];
  node: NodeHandlers;
}

/** A node server that can be killed. */
interface NodeProcess {
  readonly client: CsiClient;
  kill(): Promise<void>;
}

function capability({ fsType = 'ext4', flags = [] }: Use): VolumeCapability__Output {
  const accessMode = { access_mode: { mode: 'SINGLE_NODE_WRITER' as const } };
  if (fsType === 'block') return { ...accessMode, block: {}, access_type: 'block' };
  const mount = { fs_type: fsType, mount_flags: [...flags], volume_mount_group: '' };
  return { ...accessMode, mount, access_type: 'mount' };
}

/** Servers with the real node server on loop devices, and the real mkfs, e2fsck, mount … of this machine. */
export class NodeLab {
  readonly folder: string;
  readonly hosts: Hosts;

  private constructor(folder: string, hosts: Hosts) {
    this.folder = folder;
    this.hosts = hosts;
  }

  static async open(): Promise<NodeLab> {
    if (process.getuid?.() !== 0) {
      throw new Error(
        'test:system works on loop devices and mounts: run it as root, or see `npm test` for what needs no root',
      );
    }
    const folder = await realpath(await mkdtemp(join(tmpdir(), 'csi-node-')));
    const logger: Logger = {
      info: () => undefined,
      warn: () => undefined,
      error: () => undefined,
      debug: () => undefined,
    };
    return new NodeLab(folder, await createHosts({ mode: 'loop', stateDir: join(folder, 'hosts'), logger }));
  }

  async close(): Promise<void> {
    const points = (await readFile('/proc/self/mountinfo', 'utf8'))
      .split('\n')
      .map((line) => line.split(' ')[4]?.replaceAll('\\040', ' ') ?? '')
      .filter((point) => point.startsWith(`${this.folder}/`));
    for (const point of points.toReversed()) await run('umount', point);
    await this.hosts.stop();
    // hosts.stop leaves what is still mounted; a recursive delete would empty it.
    if (points.length === 0) await rm(this.folder, { recursive: true });
  }

  async boot(id: string): Promise<Machine> {
    const lines: string[] = [];
    const root = await this.hosts.addServer({ name: id, uniqueId: id });
    return { id, root, lines, node: await this.#nodeServer({ id, root, lines }, false) };
  }

  /** What a new process of the node server knows: what is on the disk. */
  async restart(machine: Machine, { formatNonzero = false } = {}): Promise<void> {
    machine.node = await this.#nodeServer(machine, formatNonzero);
  }

  stateDir({ id }: Machine): string {
    return join(this.folder, 'state', id);
  }

  #nodeServer({ id, root, lines }: Omit<Machine, 'node'>, formatNonzero: boolean): Promise<NodeHandlers> {
    const keep = (message: string): void => void lines.push(message);
    return createNodeService({
      nodeName: id,
      hostRoot: root,
      stateDir: join(this.folder, 'state', id),
      zone: () => Promise.resolve('east-11'),
      logger: { info: keep, warn: keep, error: keep, debug: () => undefined },
      clock: hurried,
      locks: new VolumeLocks(),
      formatNonzero,
    });
  }

  /** The node server of a machine as a process of its own, with the same records. */
  async process(machine: Machine): Promise<NodeProcess> {
    const socket = join(this.folder, `${machine.id}.sock`);
    const flags = ['--mode=node', `--endpoint=unix://${socket}`, `--host-root=${machine.root}`];
    const args = [CSI_MAIN, ...flags, `--state-dir=${this.stateDir(machine)}`];
    const env = { ...process.env, NODE_NAME: machine.id, NIFCLOUD_ZONE: 'east-11' };
    const child = spawn(process.execPath, args, { env, stdio: 'ignore' });
    const client = new CsiClient(socket);
    while (!(await client.ready())) assert.isNull(child.exitCode, 'the node server has ended');
    return {
      client,
      kill: async () => {
        client.close();
        child.kill('SIGKILL');
        await once(child, 'close');
        await rm(socket);
      },
    };
  }

  // ---- what kubelet does

  staging({ id }: Machine, disk: string): string {
    return join(this.folder, 'kubelet ボ', id, disk, 'globalmount');
  }

  target({ id }: Machine, disk: string): string {
    return join(this.folder, 'kubelet ボ', id, disk, 'pod', 'mount');
  }

  stageRequest(machine: Machine, disk: string, slot: number, use: Use = {}) {
    const devicePath = `SCSI (0:${slot})`;
    const told = { devicePath, volumeUniqueId: `unique-${disk}`, sizeGB: String(use.sizeGB ?? 100) };
    return {
      volume_id: disk,
      publish_context: use.byGoDriver === true ? { devicePath } : told,
      staging_target_path: this.staging(machine, disk),
      volume_capability: capability(use),
      secrets: {},
      volume_context: {},
    };
  }

  stage(machine: Machine, disk: string, slot: number, use: Use = {}) {
    return machine.node.NodeStageVolume(this.stageRequest(machine, disk, slot, use), patient);
  }

  unstage(machine: Machine, disk: string) {
    const request = { volume_id: disk, staging_target_path: this.staging(machine, disk) };
    return machine.node.NodeUnstageVolume(request, patient);
  }

  publish(
    machine: Machine,
    disk: string,
    {
      readonly = false,
      path = this.target(machine, disk),
      use = {},
    }: { readonly readonly?: boolean; readonly path?: string; readonly use?: Use } = {},
  ) {
    return machine.node.NodePublishVolume(
      {
        volume_id: disk,
        publish_context: {},
        staging_target_path: this.staging(machine, disk),
        target_path: path,
        volume_capability: capability(use),
        readonly,
        secrets: {},
        volume_context: {},
      },
      patient,
    );
  }

  unpublish(machine: Machine, disk: string, path = this.target(machine, disk)) {
    return machine.node.NodeUnpublishVolume({ volume_id: disk, target_path: path }, patient);
  }

  expand(machine: Machine, disk: string, path = this.target(machine, disk)) {
    return machine.node.NodeExpandVolume(
      {
        volume_id: disk,
        volume_path: path,
        capacity_range: { required_bytes: String(200 * 2 ** 30), limit_bytes: '0' },
        staging_target_path: '',
        volume_capability: null,
        secrets: {},
      },
      patient,
    );
  }

  // ---- disks

  async newDisk(machine: Machine, disk: string, slot: number, sizeBytes = DISK_BYTES): Promise<void> {
    await this.hosts.createDisk(disk, sizeBytes);
    await this.hosts.attach(machine.id, slot, disk);
  }

  /** The file that is a disk. */
  async imageOf(disk: string): Promise<string> {
    const [hostsOfThisRun = ''] = await readdir(join(this.folder, 'hosts'));
    return join(this.folder, 'hosts', hostsOfThisRun, 'disks', disk);
  }

  /** The device node of the disk in a slot; undefined when the kernel has none there. */
  async deviceOf(machine: Machine, slot: number): Promise<string | undefined> {
    const block = join(machine.root, `sys/class/scsi_device/2:0:${slot}:0/device/block`);
    const [name] = await readdir(block).catch(() => []);
    return name === undefined ? undefined : join(machine.root, 'dev', name);
  }

  /** Stages a disk with this content, expects a refusal, and compares the start and the end of the image. */
  async refuses(
    machine: Machine,
    disk: string,
    slot: number,
    fill: (image: string) => Promise<unknown>,
    use: Use = {},
  ): Promise<RpcError> {
    await this.hosts.createDisk(disk, DISK_BYTES);
    const image = await this.imageOf(disk);
    await fill(image);
    const digest = (): Promise<string> =>
      run('sh', '-c', '(head -c 16777216 "$1"; tail -c 16777216 "$1") | sha256sum', 'sh', image);
    const before = await digest();
    await this.hosts.attach(machine.id, slot, disk);
    const error = await refusal(this.stage(machine, disk, slot, use));
    assert.equal(await digest(), before);
    await this.hosts.detach(machine.id, slot);
    return error;
  }
}
