import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { assert } from 'chai';
import { RpcError } from '../../../../csi/rpc-error.ts';
import { runLocked, runTool, toolFailure } from '../../../../csi/linux/tools.ts';

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

  it('does not take a tool that is missing for one that is done', async () => {
    assert.notEqual((await runLocked(lock, 'no-such-tool', [])).exitCode, 0);
  });
});
