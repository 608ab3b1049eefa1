import { expect } from 'chai';
import { UsageError, durationText, flag, helpText, parseDurationMs, parseFlags } from '../../../daemon/flags.ts';
import { requiredEnvironment } from '../../../daemon/environment.ts';

const SPECS = {
  endpoint: flag.text({ default: 'unix://tmp/csi.sock', help: 'Where to listen' }),
  kubeconfig: flag.text({ value: 'FILE', help: 'Kubeconfig file' }),
  'secure-port': flag.integer({ default: 10258, min: 0, max: 65535, help: 'Port' }),
  'kube-api-qps': flag.number({ default: 20, min: 0, help: 'Rate' }),
  'leader-elect': flag.boolean({ default: true, help: 'Elect a leader' }),
  version: flag.boolean({ help: 'Print the version' }),
  period: flag.durationMs({ default: 300_000, help: 'Period' }),
  controllers: flag.list({ default: ['*'], help: 'Controllers' }),
  'logging-format': flag.choice({ of: ['text', 'json'], default: 'text', help: 'Format' }),
  'tls-cipher-suites': flag.list({ default: [], of: ['A', 'B'], help: 'Suites' }),
  'feature-gates': flag.gates({ help: 'Gates' }),
  v: flag.integer({ default: 0, min: 0, help: 'Verbosity' }),
  help: flag.boolean({ help: 'Print this text' }),
};

describe('parseFlags', () => {
  it('gives every flag its default, and none to one without', () => {
    expect(parseFlags(SPECS, [])).to.deep.equal({
      endpoint: 'unix://tmp/csi.sock',
      kubeconfig: undefined,
      'secure-port': 10258,
      'kube-api-qps': 20,
      'leader-elect': true,
      version: false,
      period: 300_000,
      controllers: ['*'],
      'logging-format': 'text',
      'tls-cipher-suites': [],
      'feature-gates': [],
      v: 0,
      help: false,
    });
  });

  const accepted: [string[], string, unknown][] = [
    [['--endpoint=unix:/csi/csi.sock'], 'endpoint', 'unix:/csi/csi.sock'],
    [['--endpoint', 'unix:/csi/csi.sock'], 'endpoint', 'unix:/csi/csi.sock'],
    [['--endpoint=a=b'], 'endpoint', 'a=b'],
    [['--secure-port', '0'], 'secure-port', 0],
    [['--leader-elect=false'], 'leader-elect', false],
    [['--version'], 'version', true],
    [['-v', '4'], 'v', 4],
    [['-v=4'], 'v', 4],
    [['--v=4'], 'v', 4],
    [['--period=1h30m'], 'period', 5_400_000],
    [['--controllers=*,-route'], 'controllers', ['*', '-route']],
    [['--controllers=a,b', '--controllers=c'], 'controllers', ['a', 'b', 'c']],
    [['--v=1', '--v=2'], 'v', 2],
    [['-v2'], 'v', 2],
    [['-h'], 'help', true],
    [['--secure_port=0'], 'secure-port', 0],
    [['--leader-elect=T'], 'leader-elect', true],
    [['--leader-elect=0'], 'leader-elect', false],
    [['--tls-cipher-suites=B,A'], 'tls-cipher-suites', ['B', 'A']],
    [
      ['--feature-gates=AllAlpha=true,X=0', '--feature-gates=Y=t'],
      'feature-gates',
      ['AllAlpha=true', 'X=false', 'Y=true'],
    ],
  ];
  for (const [argv, name, value] of accepted) {
    it(`reads ${argv.join(' ')}`, () => {
      expect(parseFlags(SPECS, argv)).to.have.property(name).that.deep.equals(value);
    });
  }

  const refused: [string[], RegExp][] = [
    [['--secure-prot=1'], /^unknown flag --secure-prot \(did you mean --secure-port\?\); see --help$/],
    [['--nonsense'], /^unknown flag --nonsense; see --help$/],
    [['--constructor=1'], /^unknown flag --constructor; see --help$/],
    [['serve'], /^unexpected argument "serve": only flags are allowed/],
    [['--endpoint'], /^--endpoint needs a value: --endpoint=TEXT$/],
    [['--secure-port=70000'], /^--secure-port=70000 is not allowed: it takes a whole number from 0 up to 65535$/],
    [['--secure-port='], /it takes a whole number/],
    [['--secure-port=1e3'], /it takes a whole number/],
    [['--secure-port=0x10'], /it takes a whole number/],
    [['--tls-cipher-suites=A,C'], /^--tls-cipher-suites=A,C is not allowed: it takes one of A, B$/],
    [['--feature-gates=AllAlpha'], /it takes Name=true or Name=false$/],
    [['--leader-elect=yes'], /it takes true or false$/],
    [['--period=10'], /it takes a duration such as/],
    [['--logging-format=xml'], /^--logging-format=xml is not allowed: it takes one of text, json$/],
  ];
  for (const [argv, message] of refused) {
    it(`refuses ${argv.join(' ')} in one line`, () => {
      expect(() => parseFlags(SPECS, argv)).to.throw(UsageError, message);
    });
  }
});

describe('parseDurationMs', () => {
  const table: [string, number | undefined][] = [
    ['0', 0],
    ['5m0s', 300_000],
    ['100ms', 100],
    ['1.5h', 5_400_000],
    ['1h2m3s4ms', 3_723_004],
    ['.5s', 500],
    ['1000us', 1],
    ['2000000ns', 2],
    ['1..5s', undefined],
    ['10', undefined],
    ['-5s', undefined],
    ['5 s', undefined],
    ['', undefined],
  ];
  for (const [text, ms] of table)
    it(`${JSON.stringify(text)} is ${ms}`, () => expect(parseDurationMs(text)).to.equal(ms));
});

describe('durationText', () => {
  for (const text of ['0s', '200ms', '1.5s', '59s', '1m0s', '5m0s', '1h0m0s', '12h0m0s', '1h2m3.004s']) {
    it(`writes ${text} as Go does`, () => expect(durationText(parseDurationMs(text) ?? NaN)).to.equal(text));
  }
});

describe('helpText', () => {
  it('groups flags under titles, on lines of their own where their names are long, and ends with notes', () => {
    const long = { [`a-very-long-name-${'x'.repeat(60)}`]: flag.text({ default: 'd', help: 'Long' }) };
    const manual = { program: 'ccm', summary: 'Does it.', environment: [], notes: ['That is all.'] };
    const lines = helpText(manual, [
      ['Short', SPECS],
      ['Long', long],
    ]).split('\n');
    const at = lines.indexOf('Long:');
    expect(lines.slice(at + 1, at + 3)).to.deep.equal([`  --${Object.keys(long)[0]}=TEXT`, '        Long (default d)']);
    expect(lines).to.include('Short:');
    expect(lines.slice(-3)).to.deep.equal(['', 'That is all.', '']);
  });

  it('names every flag with its default, and the environment', () => {
    const text = helpText({ program: 'ccm', summary: 'Does it.', environment: [['REGION', 'Where']] }, SPECS);
    expect(text).to.match(/^ {2}--secure-port=N +Port \(default 10258\)$/m);
    expect(text).to.match(/^ {2}-v=N +Verbosity \(default 0\)$/m);
    expect(text).to.match(/^ {2}--period=DURATION +Period \(default 5m0s\)$/m);
    expect(text).to.match(/^ {2}--version +Print the version$/m);
    expect(text).to.match(/^ {2}--controllers=TEXT,… +Controllers \(default \*\)$/m);
    expect(text).to.match(/^ {2}REGION +Where$/m);
  });
});

describe('requiredEnvironment', () => {
  it('names a variable that is missing or empty', () => {
    expect(requiredEnvironment({ A: 'x' }, 'A')).to.equal('x');
    expect(() => requiredEnvironment({ A: '' }, 'A')).to.throw(
      UsageError,
      'environment variable A is not set; see --help',
    );
  });
});
