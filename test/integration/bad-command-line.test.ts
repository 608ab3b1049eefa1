import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

const CCM = 'ccm/main.ts';
const CSI = 'csi/main.ts';
const SIMULATOR = 'simulator/main.ts';
const CLOUD = { NIFCLOUD_REGION: 'jp-east-1', NIFCLOUD_ACCESS_KEY_ID: 'key', NIFCLOUD_SECRET_ACCESS_KEY: 'secret' };
const KEY_FILES = {
  NIFCLOUD_REGION: 'jp-east-1',
  NIFCLOUD_ACCESS_KEY_ID_FILE: '/nonexistent/id',
  NIFCLOUD_SECRET_ACCESS_KEY_FILE: '/nonexistent/secret',
};
const START_CCM = ['--cloud-provider=nifcloud', '--leader-elect=false'];

/** Runs a program that is expected to end by itself. */
async function run(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ code: number | null; stderr: string }> {
  const path = fileURLToPath(new URL(`../../${program}`, import.meta.url));
  const child = spawn(process.execPath, [path, ...args], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, stderr };
}

interface Case {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly says: RegExp;
}

const CASES: readonly Case[] = [
  {
    program: CCM,
    args: ['--cloud-provdier=nifcloud'],
    says: /unknown flag --cloud-provdier \(did you mean --cloud-provider\?\)/,
  },
  { program: CCM, args: [...START_CCM, 'serve'], says: /unexpected argument "serve"/ },
  { program: CCM, args: [], says: /--cloud-provider= is not allowed: it must be nifcloud/ },
  {
    program: CCM,
    args: ['--cloud-provider=nifcloud', '--leader-elect-renew-deadline=15s'],
    env: CLOUD,
    says: /--leader-elect-lease-duration must be longer than --leader-elect-renew-deadline/,
  },
  {
    program: CCM,
    args: [...START_CCM, '--enable-leader-migration'],
    env: CLOUD,
    says: /--enable-leader-migration=true is not allowed/,
  },
  { program: CCM, args: START_CCM, says: /environment variable NIFCLOUD_REGION is not set/ },
  {
    program: CCM,
    args: START_CCM,
    env: { ...CLOUD, NIFCLOUD_ACCESS_KEY_ID: '' },
    says: /NIFCLOUD_ACCESS_KEY_ID is not set/,
  },
  { program: CCM, args: START_CCM, env: KEY_FILES, says: /NIFCLOUD keys: .*\/nonexistent\/id/ },
  {
    program: CCM,
    args: [...START_CCM, '--controllers=nodes'],
    env: CLOUD,
    says: /nodes is none of \*, cloud-node-controller/,
  },
  {
    program: CCM,
    args: START_CCM,
    env: { ...CLOUD, NIFCLOUD_ENDPOINT: 'nowhere' },
    says: /NIFCLOUD_ENDPOINT.*nowhere/,
  },
  { program: CCM, args: START_CCM, env: CLOUD, says: /no kubeconfig file is given and this is not a pod/ },
  {
    program: CCM,
    args: [...START_CCM, '--kubeconfig=/nonexistent'],
    env: CLOUD,
    says: /kubeconfig \/nonexistent cannot be used/,
  },
  { program: CSI, args: ['--mode=both'], says: /--mode=both is not allowed: it takes one of all, controller, node/ },
  { program: CSI, args: ['--mode=controller'], says: /environment variable NIFCLOUD_REGION is not set/ },
  { program: CSI, args: ['--mode=controller'], env: KEY_FILES, says: /NIFCLOUD keys: .*\/nonexistent\/id/ },
  {
    program: CSI,
    args: ['--mode=controller'],
    env: { ...CLOUD, NIFCLOUD_ENDPOINT: 'nowhere' },
    says: /NIFCLOUD_ENDPOINT.*nowhere/,
  },
  {
    program: CSI,
    args: ['--mode=controller', '--kubeconfig=/nonexistent'],
    env: CLOUD,
    says: /kubeconfig \/nonexistent cannot be used/,
  },
  { program: CSI, args: ['--mode=node'], says: /environment variable NODE_NAME is not set/ },
  {
    program: CSI,
    args: ['--volume-attach-limit=20'],
    says: /--volume-attach-limit=20 is not allowed: .*from 1 up to 14/,
  },
  {
    program: CSI,
    args: ['--volume-attach-limit=10', '--reserved-volume-attachments=2'],
    says: /--volume-attach-limit and --reserved-volume-attachments exclude each other/,
  },
  {
    program: CSI,
    args: ['--mode=node', '--endpoint=http://127.0.0.1:1'],
    env: { NODE_NAME: 'node01' },
    says: /--endpoint=http:\/\/127\.0\.0\.1:1.*unix/,
  },
  {
    program: SIMULATOR,
    args: ['--disks=floppy'],
    says: /--disks=floppy is not allowed: it takes one of loop, file, none/,
  },
  { program: SIMULATOR, args: ['--fleet=/nonexistent'], says: /--fleet=\/nonexistent/ },
  {
    program: SIMULATOR,
    args: ['--disks=file', '--state-dir=/dev/null/state'],
    says: /ENOTDIR.*\/dev\/null\/state/,
  },
  // With root it is losetup that is missing.
  {
    program: SIMULATOR,
    args: ['--disks=loop'],
    env: { PATH: '/nonexistent' },
    says: /--disks=loop needs .*; --disks=file works on plain files/,
  },
];

describe('a program that is started wrongly', () => {
  // All at once: most of the time goes by while Node starts.
  let outcomes: readonly ReturnType<typeof run>[];
  before(() => (outcomes = CASES.map(({ program, args, env = {} }) => run(program, args, env))));

  for (const [number, { program, args, env = {}, says }] of CASES.entries()) {
    it(`says so in one line and exits with 1: ${program} ${args.join(' ')} ${'NIFCLOUD_REGION' in env ? 'with keys' : ''}`, async () => {
      const { code, stderr } = await outcomes[number]!;
      expect(stderr)
        .to.match(/^[^\n]+\n$/)
        .and.to.match(says);
      expect(code).to.equal(1);
    });
  }
});
