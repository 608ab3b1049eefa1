import { expect } from 'chai';
import { readOptions, type Options } from '../../../ccm/options.ts';
import { UsageError } from '../../../daemon/flags.ts';

const ENVIRONMENT = {
  NIFCLOUD_ACCESS_KEY_ID: 'AKIDEXAMPLE',
  NIFCLOUD_SECRET_ACCESS_KEY: 'secret',
  NIFCLOUD_REGION: 'jp-east-1',
};
const NEEDED = ['--cloud-provider=nifcloud', '--leader-elect=false'];

const read = (argv: readonly string[], environment = {}): Options =>
  readOptions([...NEEDED, ...argv], { ...ENVIRONMENT, ...environment }, '1.2.3') as Options;

describe('the command line of the cloud-controller-manager', () => {
  it('needs a provider, no leader election, and three variables', () => {
    const options = read([]);
    expect(options).to.include({ region: 'jp-east-1', endpoint: undefined });
    expect(options.keys).to.deep.equal({ accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' });
    expect([...options.controllers]).to.deep.equal(['node', 'service']);
    expect(options.flags).to.include({ 'secure-port': 10258, 'concurrent-service-syncs': 10, 'kube-api-qps': 20 });
  });

  it('takes another endpoint from the environment', () => {
    expect(read([], { NIFCLOUD_ENDPOINT: 'http://127.0.0.1:1' }).endpoint).to.equal('http://127.0.0.1:1');
  });

  const chosen: [string, string[]][] = [
    ['*', ['node', 'service']],
    ['cloud-node', ['node']],
    ['service-lb-controller', ['service']],
    ['*,-service', ['node']],
    ['*,-cloud-node-controller', ['service']],
    ['service,-service', ['service']],
    ['*,-route,-cloud-node-lifecycle', ['node', 'service']],
    ['-service', []],
  ];
  for (const [value, controllers] of chosen) {
    it(`runs ${controllers.join(' and ') || 'no controller'} with --controllers=${value}`, () => {
      expect([...read([`--controllers=${value}`]).controllers]).to.deep.equal(controllers);
    });
  }

  const refused: [name: string, argv: string[], environment: Record<string, string>, message: RegExp][] = [
    ['an unknown flag', ['--nonsense'], {}, /^unknown flag --nonsense/],
    ['another provider', ['--cloud-provider=aws'], {}, /^--cloud-provider=aws is not allowed: it must be nifcloud$/],
    [
      'leader election',
      ['--leader-elect'],
      {},
      /^leader election is not built yet: run one replica with --leader-elect=false$/,
    ],
    ['an unreadable cloud config', ['--cloud-config=/nowhere'], {}, /^--cloud-config=\/nowhere can't be read: ENOENT$/],
    ['an unknown controller', ['--controllers=nodes'], {}, /nodes is none of \*, cloud-node-controller/],
    ['a controller that is not built', ['--controllers=*,route'], {}, /route is not built yet$/],
    ['the lifecycle controller', ['--controllers=cloud-node-lifecycle-controller'], {}, /is not built yet$/],
    ['a missing region', [], { NIFCLOUD_REGION: '' }, /^environment variable NIFCLOUD_REGION is not set/],
    ['a missing access key', [], { NIFCLOUD_ACCESS_KEY_ID: '' }, /NIFCLOUD_ACCESS_KEY_ID is not set/],
    ['a missing secret', [], { NIFCLOUD_SECRET_ACCESS_KEY: '' }, /NIFCLOUD_SECRET_ACCESS_KEY is not set/],
    ['rounds without pause', ['--node-status-update-frequency=0'], {}, /frequency is too short: it takes at least 1s$/],
    ['a hurried resync', ['--load-balancer-resync-period=5ms'], {}, /period is too short: it takes at least 1s$/],
    [
      'rounds that never come',
      ['--node-status-update-frequency=720h'],
      {},
      /frequency is too long: it takes at most 480h$/,
    ],
    [
      'a resync that never comes',
      ['--load-balancer-resync-period=720h'],
      {},
      /period is too long: it takes at most 480h$/,
    ],
    ['no workers', ['--concurrent-service-syncs=0'], {}, /a whole number from 1/],
  ];
  for (const [name, argv, environment, message] of refused) {
    it(`refuses ${name} in one line`, () => {
      expect(() => read(argv, environment))
        .to.throw(UsageError, message)
        .with.property('message')
        .that.does.not.match(/\n/);
    });
  }

  it('refuses to run without a provider', () => {
    expect(() => readOptions([], ENVIRONMENT, '1.2.3')).to.throw(UsageError, /it must be nifcloud/);
  });

  it('prints help and version without needing anything', () => {
    expect(readOptions(['--version'], {}, '1.2.3')).to.equal('nifcloud-cloud-controller-manager 1.2.3\n');
    expect(readOptions(['--help'], {}, '1.2.3'))
      .to.match(/--load-balancer-resync-period/)
      .and.match(/NIFCLOUD_ENDPOINT/);
  });
});
