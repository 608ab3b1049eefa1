import { execFile } from 'node:child_process';
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { assert } from 'chai';
import { fileSystemUuid } from '../../csi/linux/content.ts';
import { RpcError } from '../../csi/rpc-error.ts';
import { systemClock } from '../../daemon/clock.ts';
import { DISK_BYTES, NodeLab, patch, refusal, run } from './node-lab.ts';
import type { Machine } from './node-lab.ts';

/** The node server on loop devices, with the real mkfs, e2fsck, mount … of this machine. */
describe('the node server on real disks', () => {
  let lab: NodeLab;
  let one: Machine;
  let two: Machine;

  before(async () => {
    lab = await NodeLab.open();
    one = await lab.boot('server1');
    two = await lab.boot('server2');
  });
  after(() => lab?.close());

  it('formats a new disk, and its data follows it to another server', async () => {
    await lab.newDisk(one, 'moving', 1);
    await lab.stage(one, 'moving', 1);
    await lab.stage(one, 'moving', 1);
    await lab.publish(one, 'moving');
    await lab.publish(one, 'moving');
    await writeFile(join(lab.target(one, 'moving'), 'データ'), 'precious');
    await lab.unpublish(one, 'moving');
    await lab.unpublish(one, 'moving');
    await lab.unstage(one, 'moving');
    await lab.unstage(one, 'moving');
    assert.isUndefined(await lab.deviceOf(one, 1), 'the device is still there');
    await lab.hosts.detach(one.id, 1);

    await lab.hosts.attach(two.id, 3, 'moving');
    await lab.stage(two, 'moving', 3);
    await lab.publish(two, 'moving', { readonly: true });
    assert.equal(await readFile(join(lab.target(two, 'moving'), 'データ'), 'utf8'), 'precious');
    const denied = await writeFile(join(lab.target(two, 'moving'), 'x'), '').then(String, String);
    assert.match(denied, /EROFS/);
    await lab.unpublish(two, 'moving');
    await lab.unstage(two, 'moving');
  });

  it('makes a file system that Linux 5.4 can mount, with the UUID of its disk', async () => {
    await lab.newDisk(one, 'features', 2);
    await lab.stage(one, 'features', 2, { flags: ['noatime'] });
    const header = await run('dumpe2fs', '-h', (await lab.deviceOf(one, 2)) ?? '');
    const features = /^Filesystem features:\s+(.*)$/m.exec(header)?.[1]?.split(' ') ?? [];
    // fs/ext4/ext4.h of Linux 5.4 knows all of these.
    const known =
      'has_journal ext_attr resize_inode dir_index filetype extent 64bit flex_bg sparse_super large_file huge_file ' +
      'dir_nlink extra_isize metadata_csum needs_recovery';
    assert.includeMembers(known.split(' '), features);
    assert.include(header, fileSystemUuid('unique-features'));
    const mounts = await readFile('/proc/self/mountinfo', 'utf8');
    assert.match(mounts, new RegExp(`${lab.staging(one, 'features').replaceAll(' ', String.raw`\\040`)} rw,noatime`));
    await lab.unstage(one, 'features');
  });

  it('serves a read-only pod beside a writing one', async () => {
    await lab.newDisk(one, 'shared', 4);
    await lab.stage(one, 'shared', 4);
    await lab.publish(one, 'shared');
    const reader = join(lab.folder, 'reader', 'mount');
    await lab.publish(one, 'shared', { readonly: true, path: reader });
    await lab.publish(one, 'shared', { readonly: true, path: reader });
    await writeFile(join(lab.target(one, 'shared'), 'x'), 'seen');
    assert.equal(await readFile(join(reader, 'x'), 'utf8'), 'seen');
    assert.equal((await refusal(lab.publish(one, 'shared', { path: reader }))).code, status.ALREADY_EXISTS);
    assert.equal((await refusal(lab.unstage(one, 'shared'))).code, status.FAILED_PRECONDITION);
    assert.equal(await readFile(join(reader, 'x'), 'utf8'), 'seen');
    await lab.unpublish(one, 'shared', reader);
    await lab.unpublish(one, 'shared');
    await lab.unstage(one, 'shared');
    assert.isUndefined(await lab.deviceOf(one, 4));
  });

  it('grows a volume: at once where the kernel permits, else at the next stage', async () => {
    await lab.newDisk(one, 'growing', 5);
    await lab.stage(one, 'growing', 5);
    await lab.publish(one, 'growing');
    await writeFile(join(lab.target(one, 'growing'), 'x'), 'kept');
    await lab.hosts.grow('growing', 2 * DISK_BYTES);
    const online = await lab.expand(one, 'growing').then(
      () => undefined,
      (error: unknown) => error,
    );
    if (online !== undefined) {
      assert.instanceOf(online, RpcError);
      assert.equal(online.code, status.INTERNAL);
      assert.match(online.message, /CAP_SYS_RESOURCE.*next NodeStageVolume/);
      await lab.unpublish(one, 'growing');
      await lab.unstage(one, 'growing');
      await lab.stage(one, 'growing', 5);
      await lab.publish(one, 'growing');
    }
    assert.deepEqual(await lab.expand(one, 'growing'), { capacity_bytes: String(2 * DISK_BYTES) });
    const blocks = await run('stat', '--file-system', '--format=%b %S', lab.target(one, 'growing'));
    const [count = 0, size = 0] = blocks.trim().split(' ').map(Number);
    assert.isAbove(count * size, 1.9 * DISK_BYTES);
    assert.equal(await readFile(join(lab.target(one, 'growing'), 'x'), 'utf8'), 'kept');
    await lab.unpublish(one, 'growing');
    await lab.unstage(one, 'growing');
  });

  describe('refuses, and changes nothing on', () => {
    it('a disk with data at its end and no signature', async () => {
      const error = await lab.refuses(one, 'tail', 6, patch(DISK_BYTES - 100, 'data'));
      assert.equal(error.code, status.FAILED_PRECONDITION);
      assert.match(error.message, /not empty/);
    });

    it('a disk with data at its start and no signature', async () => {
      assert.match((await lab.refuses(one, 'head', 6, patch(3_000_000, 'data'))).message, /not empty/);
    });

    it('a disk with half a signature', async () => {
      // The magic number of ext4, and nothing else of a superblock.
      assert.match(
        (await lab.refuses(one, 'half', 6, patch(1080, String.raw`\123\357`))).message,
        /holds ext2, not ext4/,
      );
    });

    it('a disk with a partition table', async () => {
      // An entry of type 83 from sector 2048 on, and the mark of the table.
      const entry = String.raw`\200\0\0\0\203\0\0\0\0\010\0\0\0\020\0\0`;
      const table = async (image: string): Promise<void> => {
        await patch(446, entry)(image);
        await patch(510, String.raw`\125\252`)(image);
      };
      assert.match((await lab.refuses(one, 'partitions', 6, table)).message, /partition table/);
    });

    it('a disk with swap space', async () => {
      assert.match(
        (await lab.refuses(one, 'swap', 6, (image) => run('mkswap', image))).message,
        /holds swap, not ext4/,
      );
    });
  });

  it('repeats an mkfs that was killed, but not without its own record of it', async () => {
    await lab.newDisk(one, 'killed', 9);
    await lab.hosts.attach(two.id, 9, 'killed');
    // An mkfs that is killed after it has begun to write, as PATH finds it.
    const bin = join(lab.folder, 'bin');
    await mkdir(bin);
    const script =
      '#!/bin/sh\nfor last in "$@"; do :; done\necho half | dd of="$last" bs=512 seek=8 conv=sync 2>&1\nkill -9 $$\n';
    await writeFile(join(bin, 'mkfs.ext4'), script, { mode: 0o755 });
    const path = process.env['PATH'] ?? '';
    process.env['PATH'] = `${bin}:${path}`;
    try {
      await lab.stage(one, 'killed', 9).then(
        () => assert.fail('it was staged'),
        (error: unknown) => assert.match(String(error), /mkfs/),
      );
    } finally {
      process.env['PATH'] = path;
    }
    assert.match((await refusal(lab.stage(two, 'killed', 9))).message, /not empty/);
    await lab.hosts.detach(two.id, 9);
    await lab.stage(one, 'killed', 9);
    await lab.unstage(one, 'killed');
  });

  it('never uses the ghost of a disk that was pulled out', async () => {
    await lab.newDisk(one, 'gone', 10);
    await lab.stage(one, 'gone', 10);
    await lab.unstage(one, 'gone');
    // Linux finds it again, as on a reboot, before it is detached.
    await writeFile(join(one.root, 'sys/class/scsi_host/host2/scan'), '0 10 0');
    while ((await lab.deviceOf(one, 10)) === undefined) await systemClock.sleep(20);
    await lab.hosts.detach(one.id, 10);
    await lab.newDisk(one, 'new', 10);
    await lab.stage(one, 'new', 10);
    const header = await run('dumpe2fs', '-h', (await lab.deviceOf(one, 10)) ?? '');
    assert.include(header, fileSystemUuid('unique-new'));
    await lab.unstage(one, 'new');
  });

  it('refuses a disk that is mounted in a mount namespace which it can not see', async () => {
    await lab.newDisk(one, 'hidden', 11);
    await lab.stage(one, 'hidden', 11);
    const device = (await lab.deviceOf(one, 11)) ?? '';
    const point = join(lab.folder, 'elsewhere');
    await mkdir(point);
    const script = 'mount "$1" "$2" && echo mounted && read -r _';
    const unshare = 'unshare';
    const holder = execFile(unshare, ['--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', device, point]);
    await new Promise((resolve) => holder.stdout?.once('data', resolve));
    try {
      const error = await refusal(lab.unstage(one, 'hidden'));
      assert.match(error.message, /still in use: claimed by a mount elsewhere/);
      assert.equal(await lab.deviceOf(one, 11), device, 'the device was deleted under a mount');
      assert.match((await refusal(lab.stage(one, 'hidden', 11))).message, /in use/);
    } finally {
      holder.stdin?.end();
      await new Promise((resolve) => holder.once('close', resolve));
    }
    await lab.unstage(one, 'hidden');
    assert.isUndefined(await lab.deviceOf(one, 11));
    await rmdir(point);
  });
});
