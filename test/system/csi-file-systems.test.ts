import { chmod, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { assert } from 'chai';
import { fileSystemUuid } from '../../csi/linux/content.ts';
import { FILE_SYSTEMS } from '../../csi/volume-capability.ts';
import type { FileSystem } from '../../csi/volume-capability.ts';
import { eventually } from '../eventually.ts';
import { DISK_BYTES, NodeLab, refusal, run } from './node-lab.ts';
import type { Machine } from './node-lab.ts';

/** How mkfs is told a UUID. */
const UUID_OPTIONS: Readonly<Record<FileSystem, (uuid: string) => readonly string[]>> = {
  ext2: (uuid) => ['-q', '-F', '-U', uuid],
  ext3: (uuid) => ['-q', '-F', '-U', uuid],
  ext4: (uuid) => ['-q', '-F', '-U', uuid],
  xfs: (uuid) => ['-q', '-m', `uuid=${uuid}`],
  btrfs: (uuid) => ['-q', '-U', uuid],
};

const FOREIGN_UUID = 'b5c2ad9b-7b1b-4a9e-8b0b-0123456789ab';

/** What Linux 5.4 can't mount for writing, as the file system's own tool names it. */
const TOO_NEW: Readonly<Record<FileSystem, RegExp>> = {
  ext2: /orphan_file|metadata_csum_seed|casefold|has_journal|extent/,
  ext3: /orphan_file|metadata_csum_seed|casefold|extent/,
  ext4: /orphan_file|metadata_csum_seed|casefold/,
  xfs: /bigtime=1|inobtcount=1|nrext64=1|rmapbt=1|exchange=1|parent=1/,
  btrfs: /BLOCK_GROUP_TREE|RAID_STRIPE_TREE|SIMPLE_QUOTA|EXTENT_TREE_V2/,
};

function description(fsType: FileSystem, device: string, point: string): Promise<string> {
  if (fsType === 'xfs') return run('xfs_info', point);
  if (fsType === 'btrfs') return run('btrfs', 'inspect-internal', 'dump-super', '--full', device);
  return run('dumpe2fs', '-h', device);
}

/** The size of a mounted file system, as df has it. */
async function bytesAt(point: string): Promise<number> {
  const [count = 0, size = 0] = (await run('stat', '--file-system', '--format=%b %S', point)).split(' ').map(Number);
  return count * size;
}

/** The node server with each file system, on loop devices and with the machine's own tools. */
describe('a volume on a real disk', () => {
  let lab: NodeLab;
  let one: Machine;
  let two: Machine;
  const slot = 1;
  const otherSlot = 9;
  let disk: string;
  let count = 0;

  before(async () => {
    lab = await NodeLab.open();
    one = await lab.boot('server1');
    two = await lab.boot('server2');
  });
  after(() => lab?.close());
  beforeEach(() => {
    disk = `disk${++count}`;
  });
  afterEach(async () => {
    for (const machine of [one, two]) {
      // It fails for a slot that is empty.
      for (const taken of [slot, otherSlot]) await lab.hosts.detach(machine.id, taken).catch(() => undefined);
    }
    await lab.hosts.deleteDisk(disk);
  });

  const path = (machine: Machine, name: string): string => join(lab.staging(machine, disk), name);
  const uuidOnDisk = async (machine: Machine): Promise<string> =>
    (await run('blkid', '-p', '-s', 'UUID', '-o', 'value', (await lab.deviceOf(machine, slot)) ?? '')).trim();
  const deviceAt = async (machine: Machine): Promise<string> => (await lab.deviceOf(machine, slot)) ?? 'no device';
  /** Takes the disk out of one server and puts it into the other, in the same slot. */
  const move = async (from: Machine, to: Machine): Promise<void> => {
    await lab.hosts.detach(from.id, slot);
    await lab.hosts.attach(to.id, slot, disk);
  };

  /** Puts a tool before the machine's own: `$real` is that one, `$last` the last argument. */
  const withTool = async (tool: string, script: string, work: () => Promise<void>): Promise<void> => {
    const bin = join(lab.folder, `bin-${disk}`);
    const searched = process.env['PATH'] ?? '';
    const real = (await run('sh', '-c', `command -v ${tool}`)).trim();
    await mkdir(bin);
    // Asked for its version, it is the real one.
    const start = `#!/bin/sh\nreal=${real}\nfor last in "$@"; do :; done\ncase $1 in -V|--version) exec "$real" "$@" ;; esac\n`;
    await writeFile(join(bin, tool), start + script);
    await chmod(join(bin, tool), 0o755);
    process.env['PATH'] = `${bin}:${searched}`;
    try {
      await work();
    } finally {
      process.env['PATH'] = searched;
    }
  };

  for (const fsType of FILE_SYSTEMS) {
    describe(`with ${fsType}`, () => {
      it('is made so that Linux 5.4 can mount it, with the UUID of its disk', async () => {
        await lab.newDisk(one, disk, slot);
        await lab.stage(one, disk, slot, { fsType, flags: ['noatime'] });
        const text = await description(fsType, await deviceAt(one), lab.staging(one, disk));
        assert.notMatch(text, TOO_NEW[fsType]);
        assert.equal(await uuidOnDisk(one), fileSystemUuid(`unique-${disk}`));
        const row = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').find((line) => line.includes(disk));
        assert.match(row ?? '', new RegExp(`noatime.* - ${fsType} `));
        await lab.unstage(one, disk);
        assert.isUndefined(await lab.deviceOf(one, slot));
      });

      it('keeps its data from server to server, also read-only, and is staged twice as once', async () => {
        await lab.newDisk(one, disk, slot);
        await lab.stage(one, disk, slot, { fsType });
        await lab.stage(one, disk, slot, { fsType });
        await writeFile(path(one, 'データ'), 'precious');
        await lab.unstage(one, disk);
        await lab.unstage(one, disk);
        await move(one, two);
        await lab.stage(two, disk, slot, { fsType, flags: ['ro'] });
        assert.equal(await readFile(path(two, 'データ'), 'utf8'), 'precious');
        assert.match(await writeFile(path(two, 'x'), '').then(String, String), /EROFS/);
        await lab.unstage(two, disk);
      });

      it('is grown at its next stage, wherever that is, when its disk has grown', async () => {
        // A small one: ext2 and ext3 write all that ext4 puts off.
        const use = { fsType, sizeGB: 10 };
        await lab.newDisk(one, disk, slot, 10e9);
        await lab.stage(one, disk, slot, use);
        await writeFile(path(one, 'x'), 'kept');
        await lab.unstage(one, disk);
        await move(one, two);
        await lab.hosts.grow(disk, 20e9);
        await lab.stage(two, disk, slot, use);
        assert.isAbove(await bytesAt(lab.staging(two, disk)), 19e9);
        assert.equal(await readFile(path(two, 'x'), 'utf8'), 'kept');
        await lab.unstage(two, disk);
      });

      it('is used when somebody else made it, which is logged, and not when it is of another disk of ours', async () => {
        const format = (uuid: string) => (image: string) => run(`mkfs.${fsType}`, ...UUID_OPTIONS[fsType](uuid), image);
        const swapped = `${disk}swapped`;
        const others = format(fileSystemUuid('unique-somebody'));
        assert.match((await lab.refuses(one, swapped, slot, others, { fsType })).message, /belongs to another disk/);
        await lab.newDisk(one, disk, slot);
        await format(FOREIGN_UUID)(await lab.imageOf(disk));
        await lab.stage(one, disk, slot, { fsType });
        assert.equal(await uuidOnDisk(one), FOREIGN_UUID);
        assert.include(one.lines, 'The file system was not made by this driver');
        await lab.unstage(one, disk);
      });

      it('is refused, and left alone, where another one is wanted', async () => {
        const wanted = fsType === 'ext4' ? 'xfs' : 'ext4';
        const format = (image: string) => run(`mkfs.${fsType}`, ...UUID_OPTIONS[fsType](FOREIGN_UUID), image);
        const error = await lab.refuses(one, disk, slot, format, { fsType: wanted });
        assert.match(error.message, new RegExp(`holds ${fsType}, not ${wanted}`));
      });

      it('is made again when its mkfs was killed and the volume unstaged, in any slot of that server', async () => {
        await lab.newDisk(one, disk, slot);
        // What each mkfs leaves when it is killed near its end.
        const half =
          fsType === 'xfs'
            ? '"$real" "$@" >&2 && xfs_db -x -c "sb 0" -c "write inprogress 1" "$last" >&2\nkill -9 $$\n'
            : 'echo half | dd of="$last" bs=512 seek=8 conv=sync 2>&1\nkill -9 $$\n';
        await withTool(`mkfs.${fsType}`, half, async () => {
          const failure = await lab.stage(one, disk, slot, { fsType }).then(() => 'it was staged', String);
          assert.match(failure, /mkfs/);
        });
        await lab.unstage(one, disk);
        assert.isUndefined(await lab.deviceOf(one, slot));
        await lab.hosts.detach(one.id, slot);
        await lab.hosts.attach(one.id, otherSlot, disk);
        await lab.restart(one);
        await lab.stage(one, disk, otherSlot, { fsType });
        await writeFile(path(one, 'x'), '');
        await lab.unstage(one, disk);
      });
    });
  }

  it('is formatted once when the driver is killed in the middle of it, and another one comes', async () => {
    await lab.newDisk(one, disk, slot);
    const marks = join(lab.folder, `marks-${disk}`);
    const slow = `echo mkfs >> '${marks}'\nuntil [ -e '${marks}-go' ]; do sleep 0.1; done\nexec "$real" "$@"\n`;
    await withTool('mkfs.ext4', slow, async () => {
      const driver = await lab.process(one);
      const cut = driver.client.call('Node', 'NodeStageVolume', lab.stageRequest(one, disk, slot)).catch(String);
      await eventually(async () => (await readFile(marks, 'utf8').catch(() => '')) !== '');
      await driver.kill();
      await cut;
      await lab.restart(one);
      const early = await refusal(lab.stage(one, disk, slot));
      assert.equal(early.code, status.ABORTED);
      assert.match(early.message, /an earlier mkfs/);
      await writeFile(`${marks}-go`, '');
      for (;;) {
        const code = await lab.stage(one, disk, slot).then(
          () => status.OK,
          (error: { code: status }) => error.code,
        );
        if (code === status.OK) break;
        assert.equal(code, status.ABORTED);
      }
    });
    assert.equal(await readFile(marks, 'utf8'), 'mkfs\n');
    assert.equal(await uuidOnDisk(one), fileSystemUuid(`unique-${disk}`));
    await lab.unstage(one, disk);
  });

  it('is formatted when the Go driver attached it and it was never used', async () => {
    await lab.newDisk(one, disk, slot);
    await lab.stage(one, disk, slot, { byGoDriver: true, fsType: 'xfs' });
    assert.notMatch(await uuidOnDisk(one), /^6e696663/);
    await writeFile(path(one, 'x'), '');
    await lab.unstage(one, disk);
  });

  it('is not formatted when it is new but not zeros, unless the operator says that new disks are so', async () => {
    await lab.hosts.createDisk(disk, DISK_BYTES, { zeroed: false });
    await lab.hosts.attach(one.id, slot, disk);
    assert.match((await refusal(lab.stage(one, disk, slot))).message, /--format-nonzero-new-disks/);
    await lab.restart(one, { formatNonzero: true });
    await lab.stage(one, disk, slot);
    assert.equal(await uuidOnDisk(one), fileSystemUuid(`unique-${disk}`));
    await lab.unstage(one, disk);
    await lab.restart(one);
  });

  it('is not formatted when the start of its file system is lost, though the operator says that new disks are not zeros', async () => {
    await lab.newDisk(one, disk, slot);
    await lab.stage(one, disk, slot);
    await lab.unstage(one, disk);
    const image = await lab.imageOf(disk);
    await run('dd', 'if=/dev/urandom', `of=${image}`, 'bs=4096', 'count=1', 'conv=notrunc', 'status=none');
    await lab.restart(one, { formatNonzero: true });
    assert.match((await refusal(lab.stage(one, disk, slot))).message, /e2fsck -b 32768/);
    await run('sh', '-c', 'e2fsck -y -b 32768 "$1" || [ $? = 1 ]', 'sh', image);
    await lab.stage(one, disk, slot);
    await lab.unstage(one, disk);
    await lab.restart(one);
  });

  it('is mounted anew when its file system has died at the staging path', async () => {
    await lab.newDisk(one, disk, slot);
    await lab.stage(one, disk, slot, { fsType: 'xfs' });
    await writeFile(path(one, 'x'), 'kept');
    await run('sync', '-f', lab.staging(one, disk));
    await run('xfs_io', '-x', '-c', 'shutdown', lab.staging(one, disk));
    assert.match(await stat(lab.staging(one, disk)).then(String, String), /EIO/);
    await lab.stage(one, disk, slot, { fsType: 'xfs' });
    assert.equal(await readFile(path(one, 'x'), 'utf8'), 'kept');
    await lab.unstage(one, disk);
  });

  it('can be mounted with xfs while the kernel still holds an earlier mount of it', async () => {
    await lab.newDisk(one, disk, slot);
    await lab.stage(one, disk, slot, { fsType: 'xfs' });
    await run('sync', '-f', lab.staging(one, disk));
    // The same content by another device, as after a disk was pulled out while in use.
    await lab.hosts.attach(two.id, slot, disk);
    await lab.stage(two, disk, slot, { fsType: 'xfs', flags: ['ro', 'norecovery'] });
    await lab.unstage(two, disk);
    await lab.hosts.detach(two.id, slot);
    await lab.unstage(one, disk);
  });

  it('leaves no device behind when the driver dies between unmount and deletion', async () => {
    for (const fsType of ['btrfs', 'block'] as const) {
      await lab.newDisk(one, `${disk}${fsType}`, slot);
      await lab.stage(one, `${disk}${fsType}`, slot, { fsType });
      if (fsType !== 'block') await run('umount', lab.staging(one, `${disk}${fsType}`));
      await lab.restart(one);
      await lab.unstage(one, `${disk}${fsType}`);
      assert.isUndefined(await lab.deviceOf(one, slot));
      await lab.hosts.detach(one.id, slot);
    }
  });

  it('is refused while its disk is shorter than it was ordered', async () => {
    await lab.newDisk(one, disk, slot);
    const error = await refusal(lab.stage(one, disk, slot, { fsType: 'block', sizeGB: 200 }));
    assert.match(error.message, /100000000000 bytes, the volume at least 200000000000/);
  });

  it('is not taken for staged when its btrfs, though mounted, is of a disk that has gone and left its name', async () => {
    const gone = `${disk}gone`;
    await lab.newDisk(one, gone, slot);
    await lab.stage(one, gone, slot, { fsType: 'btrfs' });
    const device = await deviceAt(one);
    await lab.hosts.detach(one.id, slot);
    await writeFile(join(one.root, `sys/class/scsi_device/2:0:${slot}:0/device/delete`), '1');
    await eventually(async () => (await lab.deviceOf(one, slot)) === undefined);
    await lab.newDisk(one, disk, slot);
    await writeFile(join(one.root, 'sys/class/scsi_host/host2/scan'), `0 ${slot} 0`);
    await eventually(async () => (await lab.deviceOf(one, slot)) === device);
    assert.match((await refusal(lab.stage(one, gone, slot, { fsType: 'btrfs' }))).message, /detached while in use/);
    await run('umount', lab.staging(one, gone));
    await lab.unstage(one, gone);
    await lab.stage(one, disk, slot);
    await lab.unstage(one, disk);
  });

  describe('as a raw block device', () => {
    const block = { fsType: 'block' } as const;

    it('is neither formatted nor mounted, and its data follows it', async () => {
      await lab.newDisk(one, disk, slot);
      await lab.stage(one, disk, slot, block);
      await lab.stage(one, disk, slot, block);
      const device = await deviceAt(one);
      assert.equal((await run('sh', '-c', 'head -c 4194304 "$1" | tr -d "\\000" | wc -c', 'sh', device)).trim(), '0');
      assert.notInclude(await readFile('/proc/self/mountinfo', 'utf8'), disk);
      // By the page cache, unsynced: the unstaging writes it.
      await run('sh', '-c', 'printf precious | dd of="$1" bs=1 seek=50000000000 conv=notrunc 2>&1', 'sh', device);
      await lab.unstage(one, disk);
      await lab.unstage(one, disk);
      assert.isUndefined(await lab.deviceOf(one, slot));
      await move(one, two);
      await lab.hosts.grow(disk, 2 * DISK_BYTES);
      await lab.stage(two, disk, slot, block);
      const there = await deviceAt(two);
      assert.equal(await run('dd', `if=${there}`, 'bs=1', 'skip=50000000000', 'count=8', 'status=none'), 'precious');
      assert.equal(Number(await run('blockdev', '--getsize64', there)), 2 * DISK_BYTES);
      await lab.unstage(two, disk);
    });

    it('is not taken from its pod: neither by another volume in the slot nor by an unstaging', async () => {
      await lab.newDisk(one, disk, slot);
      await lab.stage(one, disk, slot, block);
      const device = await deviceAt(one);
      await lab.publish(one, disk, { use: block });
      const other = await refusal(lab.stage(one, `${disk}other`, slot, block));
      assert.match(other.message, new RegExp(`slot ${slot} holds volume ${disk}`));
      assert.match((await refusal(lab.unstage(one, disk))).message, /still mounted at .*pod/);
      // Without a record it is still seen: so after a change from the Go driver, which makes none.
      await rm(join(lab.stateDir(one), `${disk}.json`));
      assert.match((await refusal(lab.stage(one, disk, slot, block))).message, /in use: bound at .*pod/);
      assert.equal(await deviceAt(one), device);
      await lab.unpublish(one, disk);
      await lab.stage(one, disk, slot, block);
      await lab.unstage(one, disk);
      assert.isUndefined(await lab.deviceOf(one, slot));
    });
  });
});
