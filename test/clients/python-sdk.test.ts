import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { selfSignedCertificate } from '../../daemon/certificate.ts';
import { startSimulator } from '../../simulator/nifcloud/simulator.ts';
import type { Simulator } from '../../simulator/nifcloud/simulator.ts';

const execute = promisify(execFile);
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

describe('the official Python SDK, unmodified', () => {
  let folder: string;
  let python: string;
  let certificate: { readonly certFile: string; readonly keyFile: string };
  let simulator: Simulator;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nk-python-sdk-'));
    python = join(folder, 'venv/bin/python');
    await execute('python3', ['-m', 'venv', join(folder, 'venv')]);
    const options = ['--quiet', '--disable-pip-version-check', '--no-deps'];
    await execute(python, ['-m', 'pip', 'install', ...options, '-r', here('requirements.txt')]);
    certificate = { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') };
    const hosts = ['jp-east-1.computing.api.nifcloud.com', '127.0.0.1'];
    const { cert, key } = await selfSignedCertificate(hosts, Date.now());
    await writeFile(certificate.certFile, cert);
    await writeFile(certificate.keyFile, key);
  });

  after(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  beforeEach(async () => {
    simulator = await startSimulator({
      latencyMs: 0,
      transition: '50ms',
      tls: certificate,
      // What this SDK waits for when a firewall group is deleted.
      switches: 'deleted-group=empty',
    });
  });

  afterEach(() => simulator.stop());

  /** Runs the whole story; answers what the SDK did and where an answer did not fit its model. */
  async function runStory(flags: readonly string[], env: Record<string, string> = {}) {
    const { accessKeyId, secretAccessKey } = simulator.credentials;
    const keys = ['--access-key-id', accessKeyId, '--secret-access-key', secretAccessKey];
    const surroundings = { PATH: process.env['PATH'] ?? '', AWS_CA_BUNDLE: certificate.certFile, ...env };
    const { stdout } = await execute(python, [here('python_sdk.py'), ...keys, ...flags], { env: surroundings });
    return JSON.parse(stdout) as { readonly calls: readonly string[]; readonly misfits: readonly string[] };
  }

  const address = (): string => new URL(simulator.url).host;

  for (const [way, reach] of [
    ['over HTTP', () => runStory(['--endpoint', `http://${address()}`])],
    ['over HTTPS', () => runStory(['--endpoint', `https://${address()}`])],
    [
      'through HTTPS_PROXY, by the host name of the real API',
      () => runStory([], { HTTPS_PROXY: `http://${address()}` }),
    ],
  ] as const) {
    it(`goes through all its journeys ${way}, finding nothing that its own model does not have`, async () => {
      const { calls, misfits } = await reach();
      expect(misfits).to.deep.equal([]);
      expect(calls).to.have.length.above(80);
      const { volumes, loadBalancers, elasticLoadBalancers } = simulator.state();
      expect({ volumes, loadBalancers, elasticLoadBalancers }).to.deep.equal({
        volumes: [],
        loadBalancers: [],
        elasticLoadBalancers: [],
      });
    });
  }

  it('has no parameter ignored', async () => {
    await runStory(['--endpoint', `http://${address()}`]);
    const ignored = simulator.calls().filter((call) => call.ignoredParameters !== undefined);
    expect(ignored.map(({ action, ignoredParameters }) => ({ action, ignoredParameters }))).to.deep.equal([]);
  });
});
