import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { selfSignedCertificate } from '../../../../daemon/certificate.ts';
import { RawClient } from './raw-client.ts';

const MAIN = fileURLToPath(new URL('../../../../simulator/main.ts', import.meta.url));

interface Ready {
  readonly listening: string;
  readonly tls: boolean;
  readonly accessKeyId: string;
  readonly secretAccessKey?: string;
  readonly region: string;
  readonly servers: readonly { readonly name: string; readonly hostRoot: string }[];
}

const running: ChildProcess[] = [];

/** Runs the program; resolves when it is ready or has ended. */
async function run(flags: readonly string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [MAIN, ...flags], { env: { PATH: process.env['PATH'] ?? '', ...env } });
  running.push(child);
  const ended = once(child, 'close') as Promise<[number]>;
  let output = '';
  let complaint = '';
  child.stderr.on('data', (data) => (complaint += String(data)));
  await Promise.race([
    ended,
    new Promise<void>((resolve) => {
      child.stdout.on('data', (data) => {
        output += String(data);
        if (output.endsWith('}\n')) resolve();
      });
    }),
  ]);
  return { child, ended, output, complaint: () => complaint };
}

describe('the program nifcloud-simulator', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'simulator-test-'));
    await writeFile(join(folder, 'fleet.yaml'), '{ zones: [east-11], servers: [{ name: solo, zone: east-11 }] }');
  });
  // A child that a failed test has left would keep this process alive.
  afterEach(() => running.splice(0).forEach((child) => child.kill('SIGKILL')));
  after(() => rm(folder, { recursive: true }));

  it('prints one line when it is ready, serves until SIGTERM and exits with 0', async () => {
    const flags = [
      '--fleet',
      join(folder, 'fleet.yaml'),
      '--latency=0s',
      '--disks=file',
      `--state-dir=${folder}/disks`,
    ];
    const { child, ended, output } = await run([...flags, '--control']);
    const ready = JSON.parse(output) as Ready;
    const client = new RawClient(ready.listening, {
      accessKeyId: ready.accessKeyId,
      secretAccessKey: ready.secretAccessKey ?? '',
    });
    const answer = await client.done('DescribeInstances');
    expect(answer.each('reservationSet.item', 'instancesSet.item.0.instanceId')).to.deep.equal(['solo']);
    expect(ready.region).to.equal('jp-east-1');
    expect(ready.servers[0]?.hostRoot).to.match(new RegExp(`^${folder}/disks/`));
    expect((await fetch(new URL('/control/state', ready.listening))).status).to.equal(200);
    child.kill('SIGTERM');
    expect((await ended)[0]).to.equal(0);
  });

  it('leaves nothing in the temporary folder, which other users share', async () => {
    const temporary = join(folder, 'tmp');
    await mkdir(temporary);
    const { child, ended, output } = await run(['--disks=file'], { TMPDIR: temporary });
    const [shared, ...others] = await readdir(temporary);
    expect(others).to.deep.equal([]);
    expect((await stat(join(temporary, shared ?? ''))).mode & 0o777, 'for nobody else').to.equal(0o700);
    expect((JSON.parse(output) as Ready).servers[0]?.hostRoot).to.contain(join(temporary, shared ?? ''));
    child.kill('SIGTERM');
    await ended;
    expect(await readdir(temporary)).to.deep.equal([]);
  });

  it('accepts the keys of the environment alone and does not print their secret', async () => {
    const keys = { NIFCLOUD_ACCESS_KEY_ID: 'MYKEY', NIFCLOUD_SECRET_ACCESS_KEY: 'my-secret-value' };
    const { child, ended, output, complaint } = await run(['--latency=0s'], keys);
    const ready = JSON.parse(output) as Ready;
    expect(ready.accessKeyId).to.equal('MYKEY');
    const client = new RawClient(ready.listening, { accessKeyId: 'MYKEY', secretAccessKey: 'my-secret-value' });
    await client.done('DescribeRegions');
    child.kill('SIGTERM');
    await ended;
    expect(output + complaint()).to.not.include('my-secret-value');
  });

  it('accepts the keys of a file alone and does not print their secrets', async () => {
    const file = join(folder, 'keys.yaml');
    await writeFile(file, '- { accessKeyId: FILEKEY, secretAccessKey: file-secret-value }\n');
    const { child, ended, output, complaint } = await run(['--latency=0s', `--credentials-file=${file}`]);
    const ready = JSON.parse(output) as Ready;
    expect(ready).to.include({ accessKeyId: 'FILEKEY', tls: false }).and.not.have.property('secretAccessKey');
    await new RawClient(ready.listening, { accessKeyId: 'FILEKEY', secretAccessKey: 'file-secret-value' }).done(
      'DescribeRegions',
    );
    child.kill('SIGTERM');
    await ended;
    expect(output + complaint()).to.not.include('file-secret-value');
  });

  it('serves TLS, with switches as they were set', async () => {
    const { cert, key } = await selfSignedCertificate(['127.0.0.1'], Date.now());
    const [certFile, keyFile] = [join(folder, 'api.crt'), join(folder, 'api.key')];
    await writeFile(certFile, cert);
    await writeFile(keyFile, key);
    const switches = ['--switch=error-status=400', '--switch', 'timestamp=check,new-disks=garbage'];
    const { child, ended, output } = await run([`--tls-cert=${certFile}`, `--tls-key=${keyFile}`, ...switches]);
    const ready = JSON.parse(output) as Ready;
    expect(ready.tls).to.equal(true);
    const client = new RawClient(ready.listening, {
      accessKeyId: ready.accessKeyId,
      secretAccessKey: ready.secretAccessKey ?? '',
    });
    const now = `${new Date().toISOString().slice(0, 19)}Z`;
    expect((await client.call('Nothing', {}, { timestamp: now })).status).to.equal(400);
    expect((await client.call('Nothing')).status, 'an old Timestamp').to.equal(401);
    child.kill('SIGTERM');
    expect((await ended)[0]).to.equal(0);
  });

  it('serves an IPv6 address, and says it as it is written in a URL', async () => {
    const { output, complaint } = await run(['--listen=[::1]:0', '--latency=0s']);
    const { listening } = JSON.parse(output || complaint()) as Ready;
    expect(listening).to.match(/^http:\/\/\[::1\]:\d+\/api\/$/);
    expect((await fetch(listening)).status).to.equal(401);
  });

  it('has the same flags in its help and in its README', async () => {
    const { output } = await run(['--help']);
    const readme = await readFile(new URL('../../../../simulator/README.md', import.meta.url), 'utf8');
    const documented = [...readme.matchAll(/^\| `(--[a-z-]+)`/gm)].map(([, name]) => name);
    const printed = [...output.matchAll(/^ {2}(--[a-z-]+)/gm)].map(([, name]) => name);
    expect(documented).to.deep.equal(printed);
    expect(printed).to.include('--vip-range');
  });

  for (const [flag, env, complaint] of [
    ['--transition=fast', {}, /^nifcloud-simulator: --transition=fast is not allowed: it takes [^\n]*\n$/],
    ['--call-log=/nowhere/x', {}, /^nifcloud-simulator: [^\n]*'\/nowhere\/x'\n$/],
    ['--listen=192.0.2.1:80', {}, /^nifcloud-simulator: [^\n]*192\.0\.2\.1:80\n$/],
    ['--fleet=/nowhere', {}, /^nifcloud-simulator: --fleet=\/nowhere: [^\n]*ENOENT[^\n]*\n$/],
    ['--tls-cert=/nowhere.crt', {}, /^nifcloud-simulator: --tls-cert and --tls-key: give both[^\n]*\n$/],
    ['--credentials-file=/nowhere', {}, /^nifcloud-simulator: \/nowhere: [^\n]*ENOENT[^\n]*\n$/],
    ['--switch=new-disks=full', {}, /^nifcloud-simulator: [^\n]* it takes new-disks=zeroed or new-disks=garbage\n$/],
    ['--switch=colour=red', {}, /^nifcloud-simulator: [^\n]* NAME=VALUE with a NAME of disk-lock, [^\n]*\n$/],
    ['--control', { NIFCLOUD_ACCESS_KEY_ID: 'X' }, /^nifcloud-simulator: NIFCLOUD_ACCESS_KEY_ID and [^\n]*\n$/],
  ] as const) {
    it(`refuses ${flag} ${Object.keys(env).join(' ')} in one line`, async () => {
      const ran = await run([flag], env);
      expect((await ran.ended)[0]).to.equal(1);
      expect(ran.complaint()).to.match(complaint);
    });
  }
});
