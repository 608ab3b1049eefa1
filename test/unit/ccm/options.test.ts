import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { FLAGS, NO_EFFECT } from '../../../ccm/flags.ts';
import { readOptions, type Options } from '../../../ccm/options.ts';
import { parseDurationMs, parseFlags, UsageError, type FlagSpec } from '../../../daemon/flags.ts';

const ENVIRONMENT = {
  NIFCLOUD_ACCESS_KEY_ID: 'AKIDEXAMPLE',
  NIFCLOUD_SECRET_ACCESS_KEY: 'secret',
  NIFCLOUD_REGION: 'jp-east-1',
};
const NEEDED = ['--cloud-provider=nifcloud'];

const read = (argv: readonly string[], environment = {}): Options =>
  readOptions([...NEEDED, ...argv], { ...ENVIRONMENT, ...environment }, '1.2.3') as Options;

describe('the command line of the cloud-controller-manager', () => {
  it('needs a provider and three variables', () => {
    const options = read([]);
    expect(options).to.include({ region: 'jp-east-1', endpoint: undefined });
    expect(options.keys).to.deep.equal({ accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret' });
    expect([...options.controllers]).to.include.members(['node', 'service']);
    expect(options.flags).to.include({ 'secure-port': 10258, 'concurrent-service-syncs': 10, 'kube-api-qps': 20 });
    expect(options.ignored).to.deep.equal([]);
  });

  it('starts with the arguments of the Helm chart of the Go program', () => {
    const { flags } = read(['--leader-elect=true', '--use-service-account-credentials']);
    expect(flags).to.include({ 'leader-elect': true, 'use-service-account-credentials': true });
  });

  it('takes another endpoint from the environment', () => {
    expect(read([], { NIFCLOUD_ENDPOINT: 'http://127.0.0.1:1' }).endpoint).to.equal('http://127.0.0.1:1');
  });

  it('names what was set and has no effect, and nothing else', () => {
    const said = ['--allocate-node-cidrs', '--webhooks=a,b', '--feature-gates=AllAlpha=true,Other=0', '--v=2'];
    expect(read([...said, '--profiling=true', '--min-resync-period=12h']).ignored).to.deep.equal([
      '--allocate-node-cidrs=true',
      '--feature-gates=AllAlpha=true,Other=false',
      '--webhooks=a,b',
    ]);
  });

  const routed = { NIFCLOUD_ROUTE_TABLE_ID: 'rtb-0abc1def' };

  it('configures routes where a table is named, and else says why not, in whatever way a Go program was started', () => {
    const { controllers, routes } = read(['--cluster-cidr=10.244.0.0/16,fd00:244::/56'], routed);
    expect([...controllers]).to.include('route');
    expect(routes).to.include({ tableId: 'rtb-0abc1def' });
    const off: [string[], Record<string, string>, string][] = [
      [[], {}, 'NIFCLOUD_ROUTE_TABLE_ID is not set'],
      [['--cluster-cidr=nonsense'], {}, 'NIFCLOUD_ROUTE_TABLE_ID is not set'],
      [['--configure-cloud-routes=false'], routed, '--configure-cloud-routes=false'],
      [['--controllers=*,-route'], routed, 'not among --controllers'],
    ];
    for (const [argv, environment, reason] of off) {
      const options = read(argv, environment);
      expect(options.routes).to.equal(reason);
      expect([...options.controllers]).to.not.include('route');
    }
  });

  for (const cidrs of ['', '10.244.0.0/16,10.245.0.0/16', '10.244.0.0', '10.244.0.0/16,fd00::/56,fe00::/56']) {
    it(`refuses to configure routes with --cluster-cidr=${cidrs}`, () => {
      expect(() => read([`--cluster-cidr=${cidrs}`], routed)).to.throw(
        UsageError,
        /^--cluster-cidr=.* such as 10\.244/,
      );
    });
  }

  const chosen: [string, string[]][] = [
    ['cloud-node', ['node']],
    ['service-lb-controller', ['service']],
    ['*,-service,-route,-cloud-node-lifecycle', ['node']],
    ['*,-cloud-node-controller,-node-route-controller,-cloud-node-lifecycle-controller', ['service']],
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
    ['an unreadable cloud config', ['--cloud-config=/nowhere'], {}, /^--cloud-config=\/nowhere can't be read: ENOENT$/],
    ['an unknown controller', ['--controllers=nodes'], {}, /nodes is none of \*, cloud-node-controller/],
    ['a missing region', [], { NIFCLOUD_REGION: '' }, /^environment variable NIFCLOUD_REGION is not set/],
    ['a missing access key', [], { NIFCLOUD_ACCESS_KEY_ID: '' }, /NIFCLOUD_ACCESS_KEY_ID is not set/],
    ['a missing secret', [], { NIFCLOUD_SECRET_ACCESS_KEY: '' }, /NIFCLOUD_SECRET_ACCESS_KEY is not set/],
    ['rounds without pause', ['--node-status-update-frequency=0'], {}, /frequency is too short: it takes at least 1s$/],
    ['a hurried monitor', ['--node-monitor-period=5ms'], {}, /period is too short: it takes at least 1s$/],
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
    ['leader migration', ['--enable-leader-migration=true'], {}, /^--enable-leader-migration=true is not allowed: /],
    ['another lock', ['--leader-elect-resource-lock=endpoints'], {}, /it takes one of leases$/],
    [
      'a lease that ends before its renewal',
      ['--leader-elect-lease-duration=10s'],
      {},
      /must be longer than --leader-elect-renew-deadline$/,
    ],
    [
      'a deadline that leaves no second try',
      ['--leader-elect-renew-deadline=2400ms'],
      {},
      /must be longer than 1.2 times --leader-elect-retry-period$/,
    ],
    ['a lease without a name', ['--leader-elect-resource-name='], {}, /^--leader-elect-resource-name= is not allowed/],
    ['a port that is none', ['--secure-port=65536'], {}, /from 0 up to 65535$/],
    ['one port for two servers', ['--webhook-secure-port=10258'], {}, /--secure-port is the same$/],
    ['a gate that is neither on nor off', ['--feature-gates=AllAlpha'], {}, /it takes Name=true or Name=false$/],
    ['a certificate without its key', ['--tls-cert-file=/tls.crt'], {}, /are needed both, or none of them$/],
    ['an unknown cipher suite', ['--tls-cipher-suites=TLS_RSA_WITH_RC4_128_SHA'], {}, /it takes one of TLS_AES_128/],
    ['an unknown TLS version', ['--tls-min-version=VersionSSL30'], {}, /it takes one of VersionTLS10, VersionTLS11/],
  ];
  for (const [name, argv, environment, message] of refused) {
    it(`refuses ${name} in one line`, () => {
      expect(() => read(argv, environment))
        .to.throw(UsageError, message)
        .with.property('message')
        .that.does.not.match(/\n/);
    });
  }

  it('does not care about the times of an election that is not held', () => {
    expect(() => read(['--leader-elect=false', '--leader-elect-lease-duration=1s'])).not.to.throw();
  });

  it('lets both ports be off', () => {
    expect(() => read(['--secure-port=0', '--webhook-secure-port=0'])).not.to.throw();
  });

  it('refuses to run without a provider', () => {
    expect(() => readOptions([], ENVIRONMENT, '1.2.3')).to.throw(UsageError, /it must be nifcloud/);
  });

  it('prints help and version without needing anything', () => {
    expect(readOptions(['--version'], {}, '1.2.3')).to.equal('nifcloud-cloud-controller-manager 1.2.3\n');
    const help = readOptions(['-h'], {}, '1.2.3') as string;
    expect(help)
      .to.match(/--load-balancer-resync-period/)
      .and.match(/NIFCLOUD_ENDPOINT/)
      .and.match(/^Leader election:$/m);
    for (const name of Object.keys(FLAGS)) expect(help).to.contain(name.length === 1 ? `-${name}` : `--${name}`);
    expect(help.split('\n').filter((line) => line.length > 200 && !line.startsWith('Accepted'))).to.deep.equal([]);
  });
});

/** Defaults that differ from the framework's on purpose; their help says so. */
const DEVIATIONS: Readonly<Record<string, string>> = {
  'concurrent-service-syncs': '10',
  'concurrent-node-syncs': '10',
};

interface SheetFlag {
  readonly name: string;
  /** As the sheet writes it. */
  readonly preset: string;
}

/** The rows of the table of flags in the reference sheet. A name with a `*` stands for all that match. */
function sheetFlags(): readonly SheetFlag[] {
  const sheet = readFileSync(new URL('../../../docs/reference/ccm.md', import.meta.url), 'utf8');
  const section = sheet.slice(sheet.indexOf('## A7. '), sheet.indexOf('## A8. '));
  const rows = section.split('\n').filter((line) => /^\|[^|]*\| *-/.test(line) && !line.startsWith('|---'));
  return rows.flatMap((line) => {
    const [, , flagCell = '', presetCell = ''] = line.split('|').map((cell) => cell.trim());
    const names = flagCell
      .split(/[,/]/)
      .map((name) => name.trim())
      .filter((name) => name !== '');
    const presets = presetCell.split(' / ').map((preset) => preset.trim());
    const first = names[0]?.replace(/^--/, '') ?? '';
    return names.map((name, at) => ({
      name: fullName(name, first),
      preset: (presets.length === names.length ? presets[at] : presets.join(' / ')) ?? '',
    }));
  });
}

/** `-group-headers`, after `requestheader-username-headers`, is short for `requestheader-group-headers`. */
function fullName(text: string, first: string): string {
  if (text.startsWith('--') || /^-.$/.test(text)) return text.replace(/^-+/, '');
  const segments = first.split('-');
  const whole = segments.map((_, end) => segments.slice(0, end).join('-') + text);
  return whole.find((name) => Object.hasOwn(FLAGS, name)) ?? text;
}

/** Whether the sheet's text of a default is what a flag has without being given. */
function means(preset: string, { default: value }: FlagSpec<unknown>): boolean {
  if (['""', 'empty', 'none', ''].includes(preset)) {
    return value === '' || value === undefined || value === false || (Array.isArray(value) && value.length === 0);
  }
  if (Array.isArray(value)) return value.join(',') === preset;
  if (typeof value === 'boolean') return String(value) === preset;
  if (typeof value === 'number') return value === (parseDurationMs(preset) ?? Number(preset));
  return value === preset;
}

describe('the flags of the framework in the reference sheet', () => {
  const flags = sheetFlags();

  it('are many, so that the sheet has been read', () => expect(flags).to.have.length.above(80));

  for (const { name, preset } of flags) {
    it(`--${name} is there, with its default ${preset}`, () => {
      const pattern = new RegExp(`^${name.replaceAll('*', '.*')}$`);
      const matching = Object.entries<FlagSpec<unknown>>(FLAGS).filter(
        ([known]) => known === (name === 'h' ? 'help' : name) || pattern.test(known),
      );
      expect(matching).not.to.be.empty;
      for (const [known, spec] of matching) {
        // `false / 0`: of several flags in one row, each has one of these.
        const allowed = DEVIATIONS[known] ?? preset;
        const isOne = means(allowed, spec) || allowed.split(' / ').some((one) => means(one, spec));
        expect(isOne, `${known} has ${String(spec.default)}`).to.be.true;
        if (preset === '' || preset === '""' || preset === 'empty' || preset === 'none') continue;
        for (const text of preset.split(' / ')) {
          if (!means(text, spec)) continue;
          expect(parseFlags(FLAGS, [`--${known}=${text}`]))
            .to.have.property(known)
            .that.deep.equals(spec.default);
        }
      }
    });
  }

  it('are all that there is, but for a few that are ours', () => {
    const named = new Set(flags.map(({ name }) => name));
    const patterns = flags.filter(({ name }) => name.includes('*')).map(({ name }) => name.replaceAll('*', '.*'));
    const ours = Object.keys(FLAGS).filter(
      (name) => !named.has(name) && !patterns.some((pattern) => new RegExp(`^${pattern}$`).test(name)),
    );
    expect(
      ours.filter((name) => Object.hasOwn(NO_EFFECT, name)),
      'without effect and not of the framework',
    ).to.deep.equal([]);
    expect(ours).to.include.members(['cloud-api-qps', 'cloud-api-burst', 'dry-run', 'load-balancer-class']);
  });
});
