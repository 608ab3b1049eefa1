import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import {
  ANNOTATION_PREFIX,
  describeProblem,
  parseAnnotations,
  type Annotations,
} from '../../../../ccm/cloud/annotations.ts';

const parse = (annotations: Record<string, string>): Annotations =>
  parseAnnotations(
    Object.fromEntries(Object.entries(annotations).map(([suffix, value]) => [ANNOTATION_PREFIX + suffix, value])),
  );

const texts = (annotations: Record<string, string>): string[] => parse(annotations).problems.map(describeProblem);

const range = (from: number, to: number, step = 1): string[] =>
  Array.from({ length: (to - from) / step + 1 }, (_, n) => String(from + n * step));

const LAN = 'net-0a1b2c3d';

describe('annotations of a Service', () => {
  it('state nothing where there are none', () => {
    const { kind, isPaused, settings, problems } = parseAnnotations({ 'example.com/other': '1' });
    expect({ kind, isPaused, problems }).to.deep.equal({ kind: 'l4', isPaused: false, problems: [] });
    expect(Object.values(settings).every((value) => value === undefined)).to.equal(true);
  });

  type Row = [type: string, suffix: string, setting: keyof Annotations['settings'], values: readonly string[]];
  const allowed: Row[] = [
    ['lb', 'network-volume', 'networkVolumeMbps', ['10', '20', '30', '40', ...range(100, 2000, 100)]],
    ['elb', 'network-volume', 'networkVolumeMbps', ['10', '20', '30', '40', ...range(100, 500, 100)]],
    ['lb', 'policy-type', 'policyType', ['standard', 'ats']],
    ['lb', 'healthcheck-protocol', 'healthCheckProtocol', ['TCP', 'ICMP']],
    ['elb', 'healthcheck-protocol', 'healthCheckProtocol', ['TCP', 'ICMP', 'HTTP', 'HTTPS']],
    ['lb', 'session-stickiness-method', 'stickinessMethod', ['source-ip', 'none']],
    ['elb', 'session-stickiness-method', 'stickinessMethod', ['source-ip', 'cookie', 'none']],
    ['lb', 'session-stickiness-period', 'stickinessPeriodMinutes', range(3, 60)],
    ['elb', 'session-stickiness-period', 'stickinessPeriodMinutes', range(3, 1440)],
    ['lb', 'sorry-page-status-code', 'sorryPage', ['200', '503', 'none']],
    ['elb', 'sorry-page-redirect-url', 'sorryPageUrl', ['https://example.com/sorry?a=b', 'http://a.example', 'none']],
    ['elb', 'zone', 'zone', ['east-11', 'jp-west-2a']],
    ['elb', 'same-zone', 'sameZone', ['true', 'false']],
    ...['lb', 'elb'].flatMap((type): Row[] => [
      [type, 'accounting-type', 'accountingType', ['1', '2']],
      [type, 'balancing-type', 'balancingType', ['1', '2']],
      [type, 'healthcheck-unhealthy-threshold', 'healthCheckUnhealthyThreshold', range(1, 10)],
      [type, 'healthcheck-interval', 'healthCheckIntervalSeconds', range(5, 300)],
      [type, 'ssl-certificate-id', 'certificateIds', ['nc-1234']],
    ]),
  ];
  for (const [type, suffix, setting, values] of allowed) {
    it(`take every allowed ${suffix} of type ${type}`, () => {
      for (const value of values) {
        const { settings, problems } = parse({ type, [suffix]: value });
        expect(problems, value).to.deep.equal([]);
        const text = settings[setting] as string | number | boolean;
        expect(String(text)).to.equal(value);
      }
    });
  }

  const refused: [type: string, suffix: string, values: readonly string[], allowed: RegExp][] = [
    [
      'lb',
      'network-volume',
      ['0', '15', '50', '110', '2100', '-10', '1e2', ' 10', ''],
      /10, 20, 30, 40 and 100 to 2000/,
    ],
    ['elb', 'network-volume', ['600', '2000', '50'], /10, 20, 30, 40 and 100 to 500/],
    ['lb', 'accounting-type', ['0', '3', 'monthly', ''], /1 \(monthly\) and 2 \(pay per use\)/],
    ['lb', 'policy-type', ['ATS', 'tls', ''], /standard and ats/],
    ['elb', 'policy-type', ['standard'], /only enabled for .*type=lb/],
    ['lb', 'balancing-type', ['0', '3', 'round-robin', ''], /1 \(round robin\) and 2 \(least connection\)/],
    ['lb', 'healthcheck-protocol', ['tcp', 'HTTP', 'TCP ', ''], /TCP and ICMP/],
    ['elb', 'healthcheck-protocol', ['tcp', 'UDP', ' HTTP'], /TCP, ICMP, HTTP and HTTPS/],
    ['lb', 'healthcheck-unhealthy-threshold', ['0', '11', '1.5', 'one', ''], /1 to 10/],
    ['lb', 'healthcheck-interval', ['4', '301', '10s', ''], /5 to 300/],
    ['lb', 'paused', ['yes', ''], /true and false/],
    ['lb', 'session-stickiness-method', ['cookie', 'ClientIP', ''], /source-ip and none/],
    ['lb', 'session-stickiness-period', ['2', '61', '3m'], /3 to 60/],
    ['elb', 'session-stickiness-period', ['2', '1441'], /3 to 1440/],
    ['lb', 'sorry-page-status-code', ['404', ''], /200, 503 and none/],
    ['elb', 'sorry-page-status-code', ['503'], /only enabled for .*type=lb/],
    ['elb', 'sorry-page-redirect-url', ['example.com', 'ftp://a', 'http://a b', ''], /http:\/\/ and https:\/\/ URLs/],
    ['elb', 'zone', ['', 'east 11'], /such as east-11/],
    ['elb', 'same-zone', ['yes', ''], /true and false/],
    [
      'elb',
      'protocols',
      ['', 'HTTP', '80', '80=http', '80=UDP', '0=TCP', '80=TCP,80=HTTP', '80=HTTP='],
      /80=HTTP,443=HTTPS/,
    ],
    ['lb', 'ssl-certificate-id', ['', 'a b', '443=', '443=a,443=b', 'a,b'], /443=<id>/],
    ['elb', 'healthcheck-path', ['/healthz'], /only enabled for .*healthcheck-protocol=HTTP/],
    ['elb', 'vip-network', ['3', '', 'global'], /1, 2/],
    [
      'elb',
      'network-interface-1-network-id',
      [''],
      /net-COMMON_GLOBAL, net-COMMON_PRIVATE and the id of a private LAN/,
    ],
    ...[
      'network-interface-1-network-id',
      'network-interface-1-ip-address',
      'network-interface-1-system-ip-addresses',
      'network-interface-2-network-id',
      'network-interface-2-ip-address',
      'network-interface-2-system-ip-addresses',
      'vip-network',
      'zone',
      'same-zone',
      'protocols',
      'healthcheck-path',
      'healthcheck-http-codes',
      'sorry-page-redirect-url',
    ].map((suffix): [string, string, string[], RegExp] => ['lb', suffix, ['1'], /only enabled for .*type=elb/]),
  ];
  for (const [type, suffix, values, message] of refused) {
    it(`name key, value and what is allowed of a refused ${suffix} of type ${type}`, () => {
      for (const value of values) {
        const { problems } = parse({ type, [suffix]: value });
        expect(problems, value).to.have.length(1);
        const text = describeProblem(problems[0]!);
        expect(text).to.match(message);
        expect(text.startsWith(`annotation ${ANNOTATION_PREFIX}${suffix}=${value} is invalid: `)).to.equal(true);
      }
    });
  }

  it('are all read that operators are told of', () => {
    const rows = readFileSync('docs/ccm-annotations.md', 'utf8').match(
      /^\| `[^|]+(?=\|[^|]+\|[^|]+\|[^|]+\| (lb|elb|both) )/gm,
    );
    const suffixes = (rows ?? []).flatMap((row) => row.match(/[a-z0-9-]+(?=`)/g) ?? []);
    expect(suffixes).to.have.length(26).and.to.include('vip-network');
    for (const suffix of suffixes) expect(texts({ [suffix]: ' ' }), suffix).to.have.length(1);
  });

  it('may be empty where they are for the other kind, as in the Go program', () => {
    expect(parse({ type: 'lb', 'vip-network': '', 'network-interface-1-ip-address': '' }).problems).to.deep.equal([]);
    expect(parse({ type: 'elb', 'policy-type': '' }).problems).to.deep.equal([]);
  });

  it('leave the kind as it is where type is a typing mistake: nothing is replaced', () => {
    const annotations = { [`${ANNOTATION_PREFIX}type`]: 'elbb' };
    expect(parseAnnotations(annotations, 'elastic').kind).to.equal('elastic');
    expect(parseAnnotations(annotations, 'elastic').problems[0]?.value).to.equal('elbb');
    expect(parseAnnotations(annotations).kind).to.equal('l4');
    expect(parseAnnotations({}, 'elastic').kind).to.equal('l4');
  });

  it('pause also where somebody wrote neither true nor false', () => {
    const paused = ['true', 'yes', 'false', undefined].map(
      (value) => parse(value === undefined ? {} : { paused: value }).isPaused,
    );
    expect(paused).to.deep.equal([true, true, false, false]);
  });

  it('state the other settings although one is refused', () => {
    const { settings, problems } = parse({ 'network-volume': '15', 'accounting-type': '2' });
    expect(problems).to.have.length(1);
    expect(settings).to.include({ accountingType: '2', networkVolumeMbps: undefined });
  });

  it('give protocols, certificates and good answers as lists', () => {
    const { settings, problems } = parse({
      type: 'elb',
      protocols: '80=HTTP, 443=HTTPS',
      'ssl-certificate-id': '443=nc-1',
      'healthcheck-protocol': 'HTTP',
      'healthcheck-path': '/ready?full',
      'healthcheck-http-codes': '2xx,3xx,2xx',
    });
    expect(problems).to.deep.equal([]);
    expect([...settings.protocols!]).to.deep.equal([
      [80, 'HTTP'],
      [443, 'HTTPS'],
    ]);
    expect(settings.certificateIds).to.deep.equal(new Map([[443, 'nc-1']]));
    expect(settings).to.deep.include({ healthCheckPath: '/ready?full', healthCheckHttpCodes: ['2xx', '3xx'] });
  });
});

const lan = (number: '1' | '2', rest: Record<string, string> = {}): Record<string, string> => ({
  type: 'elb',
  [`network-interface-${number}-network-id`]: LAN,
  [`network-interface-${number}-ip-address`]: '192.168.1.10',
  [`network-interface-${number}-system-ip-addresses`]: '192.168.1.11,192.168.1.12',
  ...rest,
});

describe('annotations of the networks of an elastic load balancer', () => {
  it('state interfaces with their addresses, and on which side clients come in', () => {
    const { settings, problems } = parse({
      ...lan('2'),
      'network-interface-1-network-id': 'net-COMMON_GLOBAL',
      'network-interface-1-ip-address': '',
      'vip-network': '1',
    });
    expect(problems).to.deep.equal([]);
    expect(settings.vipNetwork).to.equal('1');
    expect(settings.interfaces).to.deep.equal([
      { number: '1', networkId: 'net-COMMON_GLOBAL', address: undefined, systemAddresses: undefined },
      { number: '2', networkId: LAN, address: '192.168.1.10', systemAddresses: ['192.168.1.11', '192.168.1.12'] },
    ]);
  });

  it('may state interface 2 alone, as the Go program takes it', () => {
    expect(parse(lan('2', { 'vip-network': '2' })).problems).to.deep.equal([]);
    expect(texts(lan('2', { 'vip-network': '1' }))[0]).to.match(/vip-network=1 is invalid: .*are stated: 2$/);
  });

  it('name the right keys where a private LAN lacks its addresses (the Go program names interface 1 for both)', () => {
    const messages = texts({ type: 'elb', 'network-interface-2-network-id': LAN });
    expect(messages).to.have.length(2);
    expect(messages[0]).to.match(
      /interface-2-ip-address= is invalid: required when .*interface-2-network-id is a private LAN/,
    );
    expect(messages[1]).to.match(
      /interface-2-system-ip-addresses= .* required when .*interface-2-network-id is a private LAN/,
    );
  });

  const refused: [suffix: string, value: string, message: RegExp][] = [
    ['network-interface-1-ip-address', '192.168.1.300', /an IPv4 address is required/],
    ['network-interface-1-system-ip-addresses', '192.168.1.11', /two IPv4 addresses are required/],
    ['network-interface-1-system-ip-addresses', '192.168.1.11, 192.168.1.12', /no space/],
    ['network-interface-1-system-ip-addresses', '192.168.1.11,192.168.1.12,192.168.1.13', /two/],
  ];
  for (const [suffix, value, message] of refused) {
    it(`refuse ${suffix}=${value}`, () => {
      expect(texts(lan('1', { [suffix]: value }))).to.have.length(1);
      expect(texts(lan('1', { [suffix]: value }))[0]).to.match(message);
    });
  }

  it('refuse addresses on networks where the cloud chooses them', () => {
    const message = texts(lan('1', { 'network-interface-1-network-id': 'net-COMMON_PRIVATE' }));
    expect(message).to.have.length(2);
    expect(message[0]).to.match(/can be set only when .*network-interface-1-network-id is a private LAN/);
  });

  it('take no notice of addresses without a network, as the Go program', () => {
    const { settings, problems } = parse({ type: 'elb', 'network-interface-1-ip-address': 'anything' });
    expect(problems).to.deep.equal([]);
    expect(settings.interfaces).to.equal(undefined);
  });
});
