#!/usr/bin/env node
'use strict';
/**
 * The disk tools of a Linux host for a demo without root, on the folders that `nifcloud-simulator --disks=file` makes.
 * One program; each tool is a link to it, and its name says which it is (README.md). Messages and exit codes are those of
 * util-linux 2.38, e2fsprogs 1.47 and coreutils 9.1 where a caller may look at them.
 *
 * A file system is a superblock in the disk's image, read and written where ext4 has it, and a folder `<image>.fs` beside the image.
 * A mount is a link from the mount point to that folder, and a line in `<host root>/proc/self/mountinfo`.
 */
const { spawn } = require('node:child_process');
const { createHash, randomUUID } = require('node:crypto');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');

const TOOLS = {
  blkid,
  blockdev,
  dd,
  dumpe2fs,
  e2fsck,
  flock,
  fsck: e2fsck,
  'mkfs.ext4': mkfs,
  mount,
  resize2fs,
  sync,
  umount,
};

const tool = path.basename(process.argv[1]);

/** What a tool ends with when it can't do its work. */
class Failure extends Error {
  constructor(exitCode, message) {
    super(message);
    this.exitCode = exitCode;
  }
}

// ---- disks

function hostRoot() {
  const root = process.env.NIFCLOUD_DEMO_HOST_ROOT;
  if (!root) throw new Failure(1, `${tool}: NIFCLOUD_DEMO_HOST_ROOT does not name the simulated host's folder`);
  return fs.realpathSync(root);
}

/** A path with the links of its folder resolved and its last part as it is: how a mount point is named. */
function placeOf(given) {
  const at = path.resolve(given);
  return path.join(fs.realpathSync(path.dirname(at)), path.basename(at));
}

/** The disk whose node, or a link to it, is at a path. Its size is the one that sysfs shows: the image may have grown since. */
function diskAt(given, failure) {
  const root = hostRoot();
  try {
    let at = placeOf(given);
    while (path.dirname(at) !== path.join(root, 'dev'))
      at = placeOf(path.resolve(path.dirname(at), fs.readlinkSync(at)));
    const attribute = (name) =>
      fs.readFileSync(path.join(root, 'sys/class/block', path.basename(at), name), 'utf8').trim();
    return { path: at, number: attribute('dev'), sizeBytes: Number(attribute('size')) * 512 };
  } catch {
    throw failure;
  }
}

/** The folder that holds what is on the disk. */
function filesOf(disk) {
  return `${fs.realpathSync(disk.path)}.fs`;
}

/** Up to `length` bytes; fewer at the end of the disk. Throws EIO for a disk that has left the server. */
function read(disk, position, length) {
  const file = fs.openSync(disk.path, 'r');
  try {
    const buffer = Buffer.alloc(Math.max(0, Math.min(length, disk.sizeBytes - position)));
    return buffer.subarray(0, fs.readSync(file, buffer, 0, buffer.length, position));
  } finally {
    fs.closeSync(file);
  }
}

// ---- the superblock: offsets of fs/ext4/ext4.h, struct ext4_super_block

const SUPERBLOCK = 1024;
const BLOCK_SIZE = 4096;
const AT = {
  blocks: 0x04,
  logBlockSize: 0x18,
  mountedAt: 0x2c,
  magic: 0x38,
  state: 0x3a,
  checkedAt: 0x40,
  revision: 0x4c,
  inodeSize: 0x58,
  compatible: 0x5c,
  incompatible: 0x60,
  readOnlyCompatible: 0x64,
  uuid: 0x68,
};
const EXT4_MAGIC = 0xef53;

function readSuperblock(disk, failure) {
  let superblock;
  try {
    superblock = read(disk, SUPERBLOCK, 1024);
  } catch {
    throw failure;
  }
  if (superblock.length < 1024 || superblock.readUInt16LE(AT.magic) !== EXT4_MAGIC) throw failure;
  return superblock;
}

function writeSuperblock(disk, superblock) {
  const file = fs.openSync(disk.path, 'r+');
  try {
    fs.writeSync(file, superblock, 0, superblock.length, SUPERBLOCK);
    fs.fsyncSync(file);
  } finally {
    fs.closeSync(file);
  }
}

function uuidOf(superblock) {
  const hex = superblock.toString('hex', AT.uuid, AT.uuid + 16);
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function nowS() {
  return Math.floor(Date.now() / 1000);
}

// ---- locks: a name in Linux's abstract socket namespace, free as soon as the last process that holds it is gone

/** As long as an address can be: Node 20 fills up shorter ones, newer versions do not. */
function lockName(of) {
  return `\0nifcloud-demo/${createHash('sha256').update(of).digest('hex')}`.padEnd(108, '.');
}

/** Takes a lock for as long as this process lives, or children that inherit the socket; undefined: somebody has it. */
function tryLock(of) {
  return new Promise((resolve, reject) => {
    const server = net.createServer((waiting) => waiting.unref());
    server.once('error', (error) => (error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error)));
    server.listen(lockName(of), () => resolve(server.unref()));
  });
}

/** A connection to the holder breaks when the holder ends. */
function untilReleased(of) {
  return new Promise((resolve) => {
    net
      .connect(lockName(of))
      .on('error', () => undefined)
      .on('close', resolve);
  });
}

// ---- mountinfo (docs/reference/csi.md D.3)

const ESCAPES = { ' ': '\\040', '\t': '\\011', '\n': '\\012', '\\': '\\134' };
const escape = (text) => text.replace(/[ \t\n\\]/g, (character) => ESCAPES[character]);
const unescape = (text) => text.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(parseInt(octal, 8)));

function mountInfoPath() {
  return path.join(hostRoot(), 'proc/self/mountinfo');
}

/** The mounts of the host, oldest first. */
function readMounts() {
  const lines = fs
    .readFileSync(mountInfoPath(), 'utf8')
    .split('\n')
    .filter((line) => line !== '');
  return lines.map((line) => {
    const [id, , number, root, point, options, , type, source, superOptions] = line.split(' ').map(unescape);
    return { id: Number(id), number, root, point, options, type, source, superOptions };
  });
}

/** Changes the mounts, one process after the other; what readers see is always whole. */
async function changeMounts(change) {
  while ((await tryLock(mountInfoPath())) === undefined) await untilReleased(mountInfoPath());
  const mounts = change(readMounts());
  const lines = mounts.map(({ id, number, root, point, options, type, source, superOptions }) =>
    [id, 1, number, root, point, options, '-', type, source, superOptions]
      .map((field) => escape(String(field)))
      .join(' '),
  );
  fs.writeFileSync(`${mountInfoPath()}.new`, lines.map((line) => `${line}\n`).join(''));
  fs.renameSync(`${mountInfoPath()}.new`, mountInfoPath());
}

function isMounted(disk) {
  return readMounts().some((mounted) => mounted.number === disk.number);
}

// ---- mount, umount

/** The options that belong to a mount; all others belong to the file system. */
const MOUNT_OPTIONS = new Set(['nosuid', 'nodev', 'noexec', 'noatime', 'nodiratime']);

async function mount(args) {
  const { values, positionals } = parse(args, { type: 't', options: 'o', bind: true });
  const options = (values.options ?? []).flatMap((list) => list.split(','));
  const [source, target] = positionals;
  if (positionals.length === 1 && options.toSorted().join() === 'bind,remount,ro') return makeReadOnly(source);
  if (positionals.length !== 2) throw notUnderstood(args);
  if (values.bind && options.length === 0) return mountFolder(source, target);
  if (values.type?.join() === 'ext4' && !values.bind) return mountDisk(source, target, options);
  throw notUnderstood(args);
}

function mountDisk(source, target, options) {
  const disk = diskAt(source, unmountable(target, `special device ${source} does not exist.`));
  const superblock = readSuperblock(
    disk,
    unmountable(
      target,
      `wrong fs type, bad option, bad superblock on ${source}, missing codepage or helper program, or other error.`,
    ),
  );
  const others = options.filter(
    (option) => !MOUNT_OPTIONS.has(option) && !['', 'ro', 'rw', 'relatime', 'defaults'].includes(option),
  );
  const superOptions = [options.includes('ro') ? 'ro' : 'rw', ...others].join(',');
  fs.mkdirSync(filesOf(disk), { recursive: true });
  const mounted = {
    number: disk.number,
    root: '/',
    options: mountOptions(options),
    type: 'ext4',
    source: disk.path,
    superOptions,
  };
  return changeMounts((mounts) => {
    const changed = withMount(mounts, mounted, filesOf(disk), target);
    superblock.writeUInt32LE(nowS(), AT.mountedAt);
    if (!options.includes('ro')) writeSuperblock(disk, superblock);
    return changed;
  });
}

function mountFolder(source, target) {
  if (!fs.existsSync(source)) throw unmountable(target, `special device ${source} does not exist.`);
  const folder = fs.realpathSync(source);
  return changeMounts((mounts) => {
    const from = mounts.findLast(({ point }) => isWithin(folder, linkedFolder(point)));
    if (from === undefined)
      throw unmountable(target, `${source} is on no mounted disk: without root nothing else can be bound.`);
    const root = path.join(from.root, path.relative(linkedFolder(from.point), folder));
    return withMount(mounts, { ...from, root }, folder, target);
  });
}

function makeReadOnly(target) {
  return changeMounts((mounts) => {
    const mounted = mounts.findLast(({ point }) => point === mountPointAt(target));
    if (mounted === undefined) throw unmountable(target, 'mount point not mounted or bad option.');
    mounted.options = mountOptions(['ro', ...mounted.options.split(',')]);
    return mounts;
  });
}

function unmountable(target, why) {
  return new Failure(32, `mount: ${target}: ${why}`);
}

function mountPointAt(target) {
  try {
    return placeOf(target);
  } catch {
    throw unmountable(target, 'mount point does not exist.');
  }
}

function mountOptions(options) {
  const own = new Set(options.filter((option) => MOUNT_OPTIONS.has(option)));
  return [options.includes('ro') ? 'ro' : 'rw', ...own, ...(own.has('noatime') ? [] : ['relatime'])].join(',');
}

/** The mounts and one more: first the link to `folder`, then, by the caller, the line. */
function withMount(mounts, mounted, folder, target) {
  const point = mountPointAt(target);
  if (mounts.some((other) => other.point === point))
    throw unmountable(target, `${mounted.source} already mounted or mount point busy.`);
  cover(point, folder, target);
  return [...mounts, { ...mounted, id: Math.max(99, ...mounts.map(({ id }) => id)) + 1, point }];
}

/** Puts a link in the place of an empty folder, or of the link of a mount that was killed before it wrote its line. */
function cover(point, folder, target) {
  const found = fs.lstatSync(point, { throwIfNoEntry: false });
  if (found === undefined) throw unmountable(target, 'mount point does not exist.');
  if (found.isDirectory() && fs.readdirSync(point).length === 0) fs.rmdirSync(point);
  else if (found.isSymbolicLink() && /\.fs(\/|$)/.test(fs.readlinkSync(point))) fs.unlinkSync(point);
  else throw unmountable(target, 'not an empty folder: without root nothing can be covered by a mount.');
  fs.symlinkSync(folder, point);
}

function isWithin(folder, above) {
  return folder === above || folder.startsWith(`${above}/`);
}

/** The folder that a mount point shows; a disk that was destroyed under its mount has none. */
function linkedFolder(point) {
  try {
    return fs.realpathSync(point);
  } catch {
    return undefined;
  }
}

async function umount(args) {
  const { positionals } = parse(args, {});
  const [target] = positionals;
  if (!fs.lstatSync(target, { throwIfNoEntry: false }))
    throw new Failure(32, `umount: ${target}: no mount point specified.`);
  const point = placeOf(target);
  await changeMounts((mounts) => {
    const index = mounts.findLastIndex((candidate) => candidate.point === point);
    if (index < 0) throw new Failure(32, `umount: ${target}: not mounted.`);
    // First the link: when this process is killed here, the mount is still listed and can be ended again.
    if (fs.lstatSync(point).isSymbolicLink()) {
      fs.unlinkSync(point);
      fs.mkdirSync(point);
    }
    return mounts.toSpliced(index, 1);
  });
}

// ---- file systems

async function mkfs(args) {
  const { values, positionals } = parse(args, { force: ['F'], reserved: 'm', uuid: 'U', features: 'O', extended: 'E' });
  const [given] = positionals;
  const disk = diskAt(given, new Failure(1, `The file ${given} does not exist and no size was specified.`));
  if (isMounted(disk)) throw new Failure(1, `${given} is mounted; will not make a filesystem here!`);
  const uuid = values.uuid?.at(-1) ?? randomUUID();
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(uuid)) throw new Failure(1, `mke2fs: Invalid UUID: ${uuid}`);
  const superblock = Buffer.alloc(1024);
  superblock.writeUInt32LE(Math.floor(disk.sizeBytes / BLOCK_SIZE), AT.blocks);
  superblock.writeUInt32LE(Math.log2(BLOCK_SIZE / 1024), AT.logBlockSize);
  superblock.writeUInt16LE(EXT4_MAGIC, AT.magic);
  superblock.writeUInt16LE(1, AT.state); // clean
  superblock.writeUInt32LE(nowS(), AT.checkedAt);
  superblock.writeUInt32LE(1, AT.revision);
  superblock.writeUInt16LE(256, AT.inodeSize);
  superblock.writeUInt32LE(0x2c, AT.compatible); // has_journal, ext_attr, dir_index
  superblock.writeUInt32LE(0x242, AT.incompatible); // filetype, extents, flex_bg: what makes it ext4 and not ext3
  superblock.writeUInt32LE(0x6b, AT.readOnlyCompatible); // sparse_super, large_file, huge_file, dir_nlink, extra_isize
  superblock.write(uuid.replaceAll('-', ''), AT.uuid, 'hex');
  fs.rmSync(filesOf(disk), { recursive: true, force: true });
  writeSuperblock(disk, superblock);
  fs.mkdirSync(path.join(filesOf(disk), 'lost+found'), { recursive: true, mode: 0o700 });
  console.log(`Creating filesystem with ${superblock.readUInt32LE(AT.blocks)} 4k blocks\nFilesystem UUID: ${uuid}`);
}

async function e2fsck(args) {
  const { values, positionals } = parse(args, { preen: ['p'], force: ['f'], automatic: ['a'] });
  const [given] = positionals;
  const disk = diskAt(given, new Failure(8, `${tool}: No such file or directory while trying to open ${given}`));
  const superblock = readSuperblock(
    disk,
    new Failure(8, `${tool}: Bad magic number in super-block while trying to open ${given}`),
  );
  if (isMounted(disk)) throw new Failure(8, `${given} is mounted.\n${tool}: Cannot continue, aborting.`);
  if (values.force) {
    superblock.writeUInt32LE(nowS(), AT.checkedAt);
    writeSuperblock(disk, superblock);
  }
  console.log(`${given}: clean, ${superblock.readUInt32LE(AT.blocks)} blocks`);
}

async function resize2fs(args) {
  const [given] = parse(args, {}).positionals;
  const disk = diskAt(given, new Failure(1, `open: No such file or directory while opening ${given}`));
  const bad = new Failure(1, `resize2fs: Bad magic number in super-block while trying to open ${given}`);
  const superblock = readSuperblock(disk, bad);
  const blocks = Math.floor(disk.sizeBytes / BLOCK_SIZE);
  if (superblock.readUInt32LE(AT.blocks) === blocks) {
    console.log(`The filesystem is already ${blocks} (4k) blocks long.  Nothing to do!`);
    return;
  }
  if (!isMounted(disk) && superblock.readUInt32LE(AT.checkedAt) < superblock.readUInt32LE(AT.mountedAt)) {
    throw new Failure(1, `Please run 'e2fsck -f ${given}' first.`);
  }
  superblock.writeUInt32LE(blocks, AT.blocks);
  writeSuperblock(disk, superblock);
  console.log(`The filesystem on ${given} is now ${blocks} (4k) blocks long.`);
}

async function dumpe2fs(args) {
  const [given] = parse(args, { header: ['h'] }).positionals;
  const disk = diskAt(given, new Failure(1, `dumpe2fs: No such file or directory while trying to open ${given}`));
  const bad = new Failure(1, `dumpe2fs: Bad magic number in super-block while trying to open ${given}`);
  const superblock = readSuperblock(disk, bad);
  const lines = {
    'Filesystem UUID': uuidOf(superblock),
    'Filesystem magic number': '0xEF53',
    'Filesystem state': 'clean',
    'Block count': superblock.readUInt32LE(AT.blocks),
    'Block size': 1024 << superblock.readUInt32LE(AT.logBlockSize),
  };
  for (const [name, value] of Object.entries(lines)) console.log(`${`${name}:`.padEnd(26)}${value}`);
}

// ---- what is on a disk

/** Where signatures stand; the same as util-linux, but only those that a test or a demo may put on a disk. */
const SIGNATURES = [
  { key: 'TYPE', value: 'ext4', position: SUPERBLOCK + AT.magic, bytes: '\x53\xef' },
  { key: 'TYPE', value: 'xfs', position: 0, bytes: 'XFSB' },
  { key: 'TYPE', value: 'btrfs', position: 0x10040, bytes: '_BHRfS_M' },
  { key: 'TYPE', value: 'crypto_LUKS', position: 0, bytes: 'LUKS\xba\xbe' },
  { key: 'TYPE', value: 'swap', position: 4086, bytes: 'SWAPSPACE2' },
  { key: 'PTTYPE', value: 'dos', position: 510, bytes: '\x55\xaa' },
];

/** 2 for "nothing there" and for "can't be read" alike, as the real one. */
async function blkid(args) {
  const [given] = parse(args, { probe: ['p'], show: 's', output: 'o' }).positionals;
  const nothing = new Failure(2, '');
  const disk = diskAt(given, nothing);
  let head;
  try {
    head = read(disk, 0, 128 * 1024);
  } catch {
    throw nothing;
  }
  const found = SIGNATURES.filter(
    ({ position, bytes }) => head.toString('latin1', position, position + bytes.length) === bytes,
  );
  if (found.length === 0) throw nothing;
  if (found.length > 1)
    throw new Failure(8, `blkid: ${given}: ambivalent result (probably more filesystems on the device)`);
  console.log(`DEVNAME=${given}`);
  if (found[0].value === 'ext4') console.log(`UUID=${uuidOf(head.subarray(SUPERBLOCK))}`);
  console.log(`${found[0].key}=${found[0].value}`);
}

async function blockdev(args) {
  const { values, positionals } = parse(args, { getsize64: true, flushbufs: true });
  const [given] = positionals;
  const disk = diskAt(given, new Failure(1, `blockdev: cannot open ${given}: No such file or directory`));
  if (values.getsize64) console.log(disk.sizeBytes);
}

async function dd(args) {
  const operands = Object.fromEntries(
    args.map((operand) => /^([a-z]+)=(.*)$/.exec(operand)?.slice(1) ?? [operand, '']),
  );
  const { if: given, bs, count, skip = '0', iflag = '', status, ...rest } = operands;
  const flags = iflag.split(',');
  if (bs !== '1M' || !count || Object.keys(rest).length > 0 || (skip !== '0' && !flags.includes('skip_bytes')))
    throw notUnderstood(args);
  const disk = diskAt(given, new Failure(1, `dd: failed to open '${given}': No such file or directory`));
  let whole = 0;
  let partial = 0;
  for (let block = 0; block < Number(count); block++) {
    let chunk;
    try {
      chunk = read(disk, Number(skip) + block * 1024 ** 2, 1024 ** 2);
    } catch {
      throw new Failure(1, `dd: error reading '${given}': Input/output error`);
    }
    if (chunk.length === 1024 ** 2) whole++;
    else if (chunk.length > 0) partial++;
    await new Promise((resolve, reject) => process.stdout.write(chunk, (error) => (error ? reject(error) : resolve())));
  }
  if (status !== 'none') console.error(`${whole}+${partial} records in`);
}

async function sync(args) {
  const [given] = parse(args, { filesystem: ['f'] }).positionals;
  if (!fs.existsSync(given)) throw new Failure(1, `sync: error opening '${given}': No such file or directory`);
  const file = fs.openSync(given, 'r');
  fs.fsyncSync(file);
  fs.closeSync(file);
}

// ---- flock

async function flock(args) {
  const [nonblock, codeFlag, conflictCode, lockFile, command, ...rest] = args;
  if (nonblock !== '--nonblock' || codeFlag !== '--conflict-exit-code' || !command) throw notUnderstood(args);
  try {
    fs.closeSync(fs.openSync(lockFile, 'a'));
  } catch (error) {
    throw new Failure(66, `flock: cannot open lock file ${lockFile}: ${error.message}`);
  }
  const lock = await tryLock(fs.realpathSync(lockFile));
  if (lock === undefined) return Number(conflictCode);
  // As with the real one the command holds the lock too, and keeps it when this process is killed.
  const child = spawn(command, rest, { stdio: ['inherit', 'inherit', 'inherit', lock._handle.fd] });
  return new Promise((resolve, reject) => {
    child.once('error', (error) => reject(new Failure(69, `flock: failed to execute ${command}: ${error.message}`)));
    child.once('exit', (code, signal) => resolve(code ?? 128 + os.constants.signals[signal]));
  });
}

// ---- command line

/** Options: `name: 'x'` is `-x VALUE`, as often as one likes; `name: ['x']` is `-x`; `name: true` is `--name`. */
function parse(args, specs) {
  const options = {};
  for (const [name, spec] of Object.entries(specs)) {
    if (typeof spec === 'string') options[name] = { type: 'string', short: spec, multiple: true };
    else options[name] = { type: 'boolean', ...(spec === true ? {} : { short: spec[0] }) };
  }
  try {
    const parsed = parseArgs({ args, options, allowPositionals: true });
    if (parsed.positionals.length > 0) return parsed;
  } catch {
    // said below
  }
  throw notUnderstood(args);
}

function notUnderstood(args) {
  return new Failure(1, `${tool}: the demo's stand-in for this tool does not understand: ${args.join(' ')}`);
}

async function main() {
  try {
    const run = TOOLS[tool];
    if (run === undefined)
      throw new Failure(1, `${tool}: call this program by the name of one of ${Object.keys(TOOLS).join(', ')}`);
    process.exitCode = (await run(process.argv.slice(2))) ?? 0;
  } catch (error) {
    if (error.message !== '') console.error(error instanceof Failure ? error.message : `${tool}: ${error.message}`);
    process.exitCode = error.exitCode ?? (tool.endsWith('mount') ? 32 : 1);
  }
}

void main();
