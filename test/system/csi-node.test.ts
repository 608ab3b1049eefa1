import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, readdir, realpath, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { status } from '@grpc/grpc-js';
import { assert } from 'chai';
import { fileSystemUuid } from '../../csi/linux/content.ts';
import { createNodeService } from '../../csi/node/node.ts';
import type { NodeHandlers } from '../../csi/node/node.ts';
import { RpcError } from '../../csi/rpc-error.ts';
import { VolumeLocks } from '../../csi/volume-locks.ts';
import { systemClock } from '../../daemon/clock.ts';
import type { Clock } from '../../daemon/clock.ts';
import type { Logger } from '../../daemon/logger.ts';
import { createHosts } from '../../simulator/nifcloud/hosts/hosts.ts';
import type { Hosts } from '../../simulator/nifcloud/hosts/hosts.ts';

/** A disk of 100 GB, by the smaller meaning. The images are sparse. */
const DISK_BYTES = 100e9;

const quiet: Logger = { info: () => undefined, warn: () => undefined, error: () => undefined, debug: () => undefined };

/** The real time, five times as fast: some tests wait for a timeout to pass. */
const hurried: Clock = {
  now: () => Date.now(),
  monotonicMs: () => systemClock.monotonicMs() * 5,
  sleep: (delayMs, signal) => systemClock.sleep(delayMs / 5, signal),
};

const patient = new AbortController().signal;

/** Runs one of the machine's own tools and returns what it prints. */
async function run(tool: string, ...args: readonly string[]): Promise<string> {
  return (await promisify(execFile)(tool, args)).stdout;
}

const capability = (...flags: readonly string[]) => ({
  mount: { fs_type: 'ext4', mount_flags: [...flags], volume_mount_group: '' },
  access_mode: { mode: 'SINGLE_NODE_WRITER' as const },
  access_type: 'mount' as const,
});

/** The error of an RPC that must fail. */
const refusal = async (rpc: Promise<unknown>): Promise<RpcError> => {
  const error: unknown = await rpc.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.instanceOf(error, RpcError);
  return error;
};

/** Puts bytes (in the notation of printf) at a place of an image. */
function patch(position: number, bytes: string): (image: string) => Promise<string> {
  const script = 'printf "$1" | dd of="$2" bs=1 seek="$3" conv=notrunc';
  return (image) => run('sh', '-c', script, 'sh', bytes, image, String(position));
}

/** A server with a node server on it. */
interface Machine {
  readonly id: string;
  readonly root: string;
  readonly node: NodeHandlers;
}

/** The node server on loop devices, with the real mkfs, e2fsck, mount … of this machine. */
describe('the node server on real disks', () => {
  let folder: string;
  let hosts: Hosts;
  let one: Machine;
  let two: Machine;

  before(async () => {
    if (process.getuid?.() !== 0) {
      throw new Error(
        'test:system works on loop devices and mounts: run it as root, or see `npm test` for what needs no root',
      );
    }
    folder = await realpath(await mkdtemp(join(tmpdir(), 'csi-node-')));
    hosts = await createHosts({ mode: 'loop', stateDir: join(folder, 'hosts'), logger: quiet });
    const boot = async (id: string): Promise<Machine> => {
      const root = await hosts.addServer({ name: id, uniqueId: id });
      const node = await createNodeService({
        nodeName: id,
        hostRoot: root,
        stateDir: join(folder, 'state', id),
        zone: () => Promise.resolve('east-11'),
        logger: quiet,
        clock: hurried,
        locks: new VolumeLocks(),
      });
      return { id, root, node };
    };
    one = await boot('server1');
    two = await boot('server2');
  });

  after(async () => {
    const points = (await readFile('/proc/self/mountinfo', 'utf8'))
      .split('\n')
      .map((line) => line.split(' ')[4]?.replaceAll('\\040', ' ') ?? '')
      .filter((point) => folder !== undefined && point.startsWith(`${folder}/`));
    for (const point of points.toReversed()) await run('umount', point);
    await hosts?.stop();
    // hosts.stop leaves what is still mounted; a recursive delete would empty it.
    if (points.length === 0 && folder !== undefined) await rm(folder, { recursive: true });
  });

  const staging = ({ id }: Machine, disk: string): string => join(folder, 'kubelet ボ', id, disk, 'globalmount');
  const target = ({ id }: Machine, disk: string): string => join(folder, 'kubelet ボ', id, disk, 'pod', 'mount');

  const stage = (machine: Machine, disk: string, slot: number, { sizeGB = 100, flags = [] as string[] } = {}) =>
    machine.node.NodeStageVolume(
      {
        volume_id: disk,
        publish_context: { devicePath: `SCSI (0:${slot})`, volumeUniqueId: `unique-${disk}`, sizeGB: String(sizeGB) },
        staging_target_path: staging(machine, disk),
        volume_capability: capability(...flags),
        secrets: {},
        volume_context: {},
      },
      patient,
    );
  const unstage = (machine: Machine, disk: string) =>
    machine.node.NodeUnstageVolume({ volume_id: disk, staging_target_path: staging(machine, disk) }, patient);
  const publish = (machine: Machine, disk: string, { readonly = false, path = target(machine, disk) } = {}) =>
    machine.node.NodePublishVolume(
      {
        volume_id: disk,
        publish_context: {},
        staging_target_path: staging(machine, disk),
        target_path: path,
        volume_capability: capability(),
        readonly,
        secrets: {},
        volume_context: {},
      },
      patient,
    );
  const unpublish = (machine: Machine, disk: string, path = target(machine, disk)) =>
    machine.node.NodeUnpublishVolume({ volume_id: disk, target_path: path }, patient);
  const expand = (machine: Machine, disk: string, path = target(machine, disk)) =>
    machine.node.NodeExpandVolume(
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

  const newDisk = async (machine: Machine, disk: string, slot: number): Promise<void> => {
    await hosts.createDisk(disk, DISK_BYTES);
    await hosts.attach(machine.id, slot, disk);
  };
  /** The file that is a disk. */
  const imageOf = async (disk: string): Promise<string> => {
    const [hostsOfThisRun = ''] = await readdir(join(folder, 'hosts'));
    return join(folder, 'hosts', hostsOfThisRun, 'disks', disk);
  };
  /** The device node of the disk in a slot; undefined when the kernel has none there. */
  const deviceOf = async (machine: Machine, slot: number): Promise<string | undefined> => {
    const block = join(machine.root, `sys/class/scsi_device/2:0:${slot}:0/device/block`);
    const [name] = await readdir(block).catch(() => []);
    return name === undefined ? undefined : join(machine.root, 'dev', name);
  };
  /** Stages a disk with this content, expects a refusal, and compares the start and the end of the image. */
  const refuses = async (disk: string, slot: number, fill: (image: string) => Promise<unknown>): Promise<RpcError> => {
    await hosts.createDisk(disk, DISK_BYTES);
    const image = await imageOf(disk);
    await fill(image);
    const digest = (): Promise<string> =>
      run('sh', '-c', '(head -c 16777216 "$1"; tail -c 16777216 "$1") | sha256sum', 'sh', image);
    const before = await digest();
    await hosts.attach(one.id, slot, disk);
    const error = await refusal(stage(one, disk, slot));
    assert.equal(await digest(), before);
    await hosts.detach(one.id, slot);
    return error;
  };

  it('formats a new disk, and its data follows it to another server', async () => {
    await newDisk(one, 'moving', 1);
    await stage(one, 'moving', 1);
    await stage(one, 'moving', 1);
    await publish(one, 'moving');
    await publish(one, 'moving');
    await writeFile(join(target(one, 'moving'), 'データ'), 'precious');
    await unpublish(one, 'moving');
    await unpublish(one, 'moving');
    await unstage(one, 'moving');
    await unstage(one, 'moving');
    assert.isUndefined(await deviceOf(one, 1), 'the device is still there');
    await hosts.detach(one.id, 1);

    await hosts.attach(two.id, 3, 'moving');
    await stage(two, 'moving', 3);
    await publish(two, 'moving', { readonly: true });
    assert.equal(await readFile(join(target(two, 'moving'), 'データ'), 'utf8'), 'precious');
    const denied = await writeFile(join(target(two, 'moving'), 'x'), '').then(String, String);
    assert.match(denied, /EROFS/);
    await unpublish(two, 'moving');
    await unstage(two, 'moving');
  });

  it('makes a file system that Linux 5.4 can mount, with the UUID of its disk', async () => {
    await newDisk(one, 'features', 2);
    await stage(one, 'features', 2, { flags: ['noatime'] });
    const header = await run('dumpe2fs', '-h', (await deviceOf(one, 2)) ?? '');
    const features = /^Filesystem features:\s+(.*)$/m.exec(header)?.[1]?.split(' ') ?? [];
    // fs/ext4/ext4.h of Linux 5.4 knows all of these.
    const known =
      'has_journal ext_attr resize_inode dir_index filetype extent 64bit flex_bg sparse_super large_file huge_file ' +
      'dir_nlink extra_isize metadata_csum needs_recovery';
    assert.includeMembers(known.split(' '), features);
    assert.include(header, fileSystemUuid('unique-features'));
    const mounts = await readFile('/proc/self/mountinfo', 'utf8');
    assert.match(mounts, new RegExp(`${staging(one, 'features').replaceAll(' ', String.raw`\\040`)} rw,noatime`));
    await unstage(one, 'features');
  });

  it('serves a read-only pod beside a writing one', async () => {
    await newDisk(one, 'shared', 4);
    await stage(one, 'shared', 4);
    await publish(one, 'shared');
    const reader = join(folder, 'reader', 'mount');
    await publish(one, 'shared', { readonly: true, path: reader });
    await publish(one, 'shared', { readonly: true, path: reader });
    await writeFile(join(target(one, 'shared'), 'x'), 'seen');
    assert.equal(await readFile(join(reader, 'x'), 'utf8'), 'seen');
    assert.equal((await refusal(publish(one, 'shared', { path: reader }))).code, status.ALREADY_EXISTS);
    assert.equal((await refusal(unstage(one, 'shared'))).code, status.FAILED_PRECONDITION);
    assert.equal(await readFile(join(reader, 'x'), 'utf8'), 'seen');
    await unpublish(one, 'shared', reader);
    await unpublish(one, 'shared');
    await unstage(one, 'shared');
    assert.isUndefined(await deviceOf(one, 4));
  });

  it('grows a volume: at once where the kernel permits, else at the next stage', async () => {
    await newDisk(one, 'growing', 5);
    await stage(one, 'growing', 5);
    await publish(one, 'growing');
    await writeFile(join(target(one, 'growing'), 'x'), 'kept');
    await hosts.grow('growing', 2 * DISK_BYTES);
    const online = await expand(one, 'growing').then(
      () => undefined,
      (error: unknown) => error,
    );
    if (online !== undefined) {
      assert.instanceOf(online, RpcError);
      assert.equal(online.code, status.INTERNAL);
      assert.match(online.message, /CAP_SYS_RESOURCE.*next NodeStageVolume/);
      await unpublish(one, 'growing');
      await unstage(one, 'growing');
      await stage(one, 'growing', 5);
      await publish(one, 'growing');
    }
    assert.deepEqual(await expand(one, 'growing'), { capacity_bytes: String(2 * DISK_BYTES) });
    const blocks = await run('stat', '--file-system', '--format=%b %S', target(one, 'growing'));
    const [count = 0, size = 0] = blocks.trim().split(' ').map(Number);
    assert.isAbove(count * size, 1.9 * DISK_BYTES);
    assert.equal(await readFile(join(target(one, 'growing'), 'x'), 'utf8'), 'kept');
    await unpublish(one, 'growing');
    await unstage(one, 'growing');
  });

  describe('refuses, and changes nothing on', () => {
    it('a disk with data at its end and no signature', async () => {
      const error = await refuses('tail', 6, patch(DISK_BYTES - 100, 'data'));
      assert.equal(error.code, status.FAILED_PRECONDITION);
      assert.match(error.message, /not empty/);
    });

    it('a disk with data at its start and no signature', async () => {
      assert.match((await refuses('head', 6, patch(3_000_000, 'data'))).message, /not empty/);
    });

    it('a disk with half a signature', async () => {
      // The magic number of ext4, and nothing else of a superblock.
      assert.match((await refuses('half', 6, patch(1080, String.raw`\123\357`))).message, /holds ext2, not ext4/);
    });

    it('a disk with a partition table', async () => {
      // An entry of type 83 from sector 2048 on, and the mark of the table.
      const entry = String.raw`\200\0\0\0\203\0\0\0\0\010\0\0\0\020\0\0`;
      const table = async (image: string): Promise<void> => {
        await patch(446, entry)(image);
        await patch(510, String.raw`\125\252`)(image);
      };
      assert.match((await refuses('partitions', 6, table)).message, /partition table/);
    });

    it('a disk with swap space', async () => {
      assert.match((await refuses('swap', 6, (image) => run('mkswap', image))).message, /holds swap, not ext4/);
    });

    it("another disk's file system of ours", async () => {
      const uuid = fileSystemUuid('unique-somebody');
      const format = (image: string) => run('mkfs.ext4', '-q', '-F', '-U', uuid, image);
      assert.match((await refuses('swapped', 6, format)).message, /belongs to another disk/);
    });
  });

  it("mounts the Go driver's file system, and keeps what is on it", async () => {
    await newDisk(one, 'old', 8);
    await run('mkfs.ext4', '-q', '-F', '-m0', await imageOf('old'));
    await stage(one, 'old', 8);
    await stat(join(staging(one, 'old'), 'lost+found'));
    await unstage(one, 'old');
  });

  it('repeats an mkfs that was killed, but not without its own record of it', async () => {
    await newDisk(one, 'killed', 9);
    await hosts.attach(two.id, 9, 'killed');
    // An mkfs that is killed after it has begun to write, as PATH finds it.
    const bin = join(folder, 'bin');
    await mkdir(bin);
    const script =
      '#!/bin/sh\nfor last in "$@"; do :; done\necho half | dd of="$last" bs=512 seek=8 conv=sync 2>&1\nkill -9 $$\n';
    await writeFile(join(bin, 'mkfs.ext4'), script, { mode: 0o755 });
    const path = process.env['PATH'] ?? '';
    process.env['PATH'] = `${bin}:${path}`;
    try {
      await stage(one, 'killed', 9).then(
        () => assert.fail('it was staged'),
        (error: unknown) => assert.match(String(error), /mkfs/),
      );
    } finally {
      process.env['PATH'] = path;
    }
    assert.match((await refusal(stage(two, 'killed', 9))).message, /not empty/);
    await hosts.detach(two.id, 9);
    await stage(one, 'killed', 9);
    await unstage(one, 'killed');
  });

  it('never uses the ghost of a disk that was pulled out', async () => {
    await newDisk(one, 'gone', 10);
    await stage(one, 'gone', 10);
    await unstage(one, 'gone');
    // Linux finds it again, as on a reboot, before it is detached.
    await writeFile(join(one.root, 'sys/class/scsi_host/host2/scan'), '0 10 0');
    while ((await deviceOf(one, 10)) === undefined) await systemClock.sleep(20);
    await hosts.detach(one.id, 10);
    await newDisk(one, 'new', 10);
    await stage(one, 'new', 10);
    const header = await run('dumpe2fs', '-h', (await deviceOf(one, 10)) ?? '');
    assert.include(header, fileSystemUuid('unique-new'));
    await unstage(one, 'new');
  });

  it('refuses a disk that is mounted in a mount namespace which it can not see', async () => {
    await newDisk(one, 'hidden', 11);
    await stage(one, 'hidden', 11);
    const device = (await deviceOf(one, 11)) ?? '';
    const point = join(folder, 'elsewhere');
    await mkdir(point);
    const script = 'mount "$1" "$2" && echo mounted && read -r _';
    const unshare = 'unshare';
    const holder = execFile(unshare, ['--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', device, point]);
    await new Promise((resolve) => holder.stdout?.once('data', resolve));
    try {
      const error = await refusal(unstage(one, 'hidden'));
      assert.match(error.message, /still in use: claimed by a mount elsewhere/);
      assert.equal(await deviceOf(one, 11), device, 'the device was deleted under a mount');
      assert.match((await refusal(stage(one, 'hidden', 11))).message, /in use/);
    } finally {
      holder.stdin?.end();
      await new Promise((resolve) => holder.once('close', resolve));
    }
    await unstage(one, 'hidden');
    assert.isUndefined(await deviceOf(one, 11));
    await rmdir(point);
  });
});
