import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { assert } from 'chai';
import { RpcError } from '../../../../csi/rpc-error.ts';
import {
  requireLocked,
  runLocked,
  runPiped,
  runTool,
  toolFailure,
  toolVersion,
  version,
} from '../../../../csi/linux/tools.ts';

const patience = { timeoutMs: 10_000 };

describe('runTool', () => {
  it('passes arguments as they are, and gives back both outputs and the exit code', async () => {
    const script = 'printf "%s|" "$@"; echo oops >&2; exit 3';
    const result = await runTool('sh', ['-c', script, 'sh', 'a b', '$HOME', 'ボ;"'], patience);
    assert.deepInclude(result, { exitCode: 3, stdout: 'a b|$HOME|ボ;"|', stderr: 'oops\n' });
  });

  it('asks for English messages', async () => {
    assert.equal((await runTool('sh', ['-c', 'echo $LC_ALL'], patience)).stdout, 'C\n');
  });

  it('kills a tool that takes too long, and waits for its end', async () => {
    const failure = await runTool('sh', ['-c', 'exec sleep 60'], { timeoutMs: 20 }).then(String, String);
    assert.match(failure, /did not end within 0.02 s/);
  });

  it('names a tool that is missing, and one that was killed', async () => {
    assert.match(await runTool('no-such-tool', [], patience).then(String, String), /no-such-tool can't be started/);
    assert.match(await runTool('sh', ['-c', 'kill -9 $$'], patience).then(String, String), /killed by SIGKILL/);
  });

  it('reports the end of a long output, 2 kB of it', async () => {
    const result = await runTool('sh', ['-c', 'yes noise | head -c 50000; echo the reason; exit 1'], patience);
    const { message } = toolFailure(result);
    assert.match(message, /ended with exit code 1: .*the reason$/s);
    assert.isBelow(message.length, 2_300);
  });
});

/** What is read out of a tool that says this. */
async function versionSaid(words: string): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'tools-'));
  const path = join(folder, 'tool');
  await writeFile(path, `#!/bin/sh\necho '${words}'\n`, { mode: 0o755 });
  const found = toolVersion(path, '-V');
  await found.catch(() => undefined);
  await rm(folder, { recursive: true });
  return found;
}

describe('toolVersion', () => {
  it('finds the version among the words of a tool', async () => {
    assert.equal(await versionSaid('mkfs.xfs version 6.1.0'), version(6, 1));
    assert.equal(await versionSaid('mkfs.btrfs, part of btrfs-progs v6.19'), version(6, 19));
  });

  it('tells 6.2 from 6.19 and 6.19 from 7.0', () => {
    assert.isBelow(version(6, 2), version(6, 19));
    assert.isBelow(version(6, 19), version(7, 0));
  });

  it('does not guess', async () => assert.match(await versionSaid('no number').then(String, String), /no number/));
});

describe('runPiped', () => {
  it('lets one tool read what the other writes, and tells how both ended', async () => {
    const [from, to] = await runPiped(
      ['sh', '-c', 'head -c 5000000 /dev/zero; echo done >&2; exit 3'],
      ['wc', '-c'],
      patience,
    );
    assert.deepInclude(from, { exitCode: 3, stdout: '', stderr: 'done\n' });
    assert.deepInclude(to, { exitCode: 0, stdout: '5000000\n' });
  });

  it('names either one that is missing, and leaves none running', async () => {
    const missing = /no-such-tool can't be started/;
    assert.match(await runPiped(['no-such-tool'], ['cat'], patience).then(String, String), missing);
    assert.match(await runPiped(['cat'], ['no-such-tool'], patience).then(String, String), missing);
  });

  it('kills both when they take too long', async () => {
    const stuck = ['sh', '-c', 'exec sleep 60'] as const;
    assert.match(await runPiped(stuck, stuck, { timeoutMs: 20 }).then(String, String), /did not end within 0.02 s/);
  });
});

describe('runLocked', () => {
  let folder: string;
  let lock: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tools-'));
    lock = join(folder, 'vol1.lock');
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('gives back what the tool said and how it ended, and leaves only the lock file', async () => {
    const result = await runLocked(lock, 'sh', ['-c', 'echo one; echo two >&2; exit 4']);
    assert.deepInclude(result, { exitCode: 4, stdout: 'one\ntwo\n' });
    assert.deepEqual(await readdir(folder), ['vol1.lock']);
  });

  it('is ABORTED while another process holds the lock', async () => {
    const holder = spawn('flock', [lock, 'cat'], { stdio: ['pipe', 'pipe', 'ignore'] });
    holder.stdin.write('locked\n');
    await once(holder.stdout, 'data');
    const refused = await runLocked(lock, 'true', []).then(
      () => undefined,
      (error: unknown) => error,
    );
    assert.instanceOf(refused, RpcError);
    assert.equal(refused.code, status.ABORTED);
    holder.stdin.end();
    await once(holder, 'close');
    assert.equal((await runLocked(lock, 'true', [])).exitCode, 0);
  });

  it('starts the tool in a session of its own, so that what ends us does not end it', async () => {
    const result = await runLocked(lock, 'sh', [
      '-c',
      'cut -d " " -f 6 /proc/$$/stat; cut -d " " -f 6 /proc/$1/stat',
      'sh',
      String(process.pid),
    ]);
    const [session, ours] = result.stdout.trim().split('\n');
    assert.notEqual(session, ours);
  });

  it('fails with the words of a tool that fails, where the tool must not', async () => {
    const failure = await requireLocked(lock, 'sh', ['-c', 'echo no space; exit 1']).then(String, String);
    assert.match(failure, /ended with exit code 1: no space/);
  });

  it('does not take a tool that is missing for one that is done', async () => {
    assert.notEqual((await runLocked(lock, 'no-such-tool', [])).exitCode, 0);
  });
});
