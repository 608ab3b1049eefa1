import { expect } from 'chai';
import { ANNOTATION_PREFIX, describeProblem, parseAnnotations } from '../../../../ccm/cloud/annotations.ts';

const parse = (suffix: string, value: string): ReturnType<typeof parseAnnotations> =>
  parseAnnotations({ [ANNOTATION_PREFIX + suffix]: value });

const range = (from: number, to: number, step = 1): string[] =>
  Array.from({ length: (to - from) / step + 1 }, (_, n) => String(from + n * step));

describe('annotations of a Service', () => {
  it('state nothing where there are none', () => {
    const { settings, problems } = parseAnnotations({ 'example.com/other': '1' });
    expect(problems).to.deep.equal([]);
    expect(Object.values(settings).every((value) => value === undefined)).to.equal(true);
  });

  const allowed: [suffix: string, setting: string | undefined, values: readonly string[]][] = [
    ['type', undefined, ['lb']],
    ['network-volume', 'networkVolumeMbps', ['10', '20', '30', '40', ...range(100, 2000, 100)]],
    ['accounting-type', 'accountingType', ['1', '2']],
    ['policy-type', 'policyType', ['standard', 'ats']],
    ['balancing-type', 'balancingType', ['1', '2']],
    ['healthcheck-protocol', 'healthCheckProtocol', ['TCP', 'ICMP']],
    ['healthcheck-unhealthy-threshold', 'healthCheckUnhealthyThreshold', range(1, 10)],
    ['healthcheck-interval', 'healthCheckIntervalSeconds', range(5, 300)],
    ['vip-network', undefined, ['']],
  ];
  for (const [suffix, setting, values] of allowed) {
    it(`takes every allowed ${suffix}`, () => {
      for (const value of values) {
        const { settings, problems } = parse(suffix, value);
        expect(problems, value).to.deep.equal([]);
        if (setting !== undefined) expect(String(settings[setting as keyof typeof settings])).to.equal(value);
      }
    });
  }

  const refused: [suffix: string, values: readonly string[], allowed: RegExp][] = [
    ['type', ['elb', '', 'LB', 'nlb'], /lb; elastic load balancers \(elb\) are not built yet/],
    ['network-volume', ['0', '15', '50', '110', '2100', '-10', '1e2', ' 10', ''], /10, 20, 30, 40 and 100 to 2000/],
    ['accounting-type', ['0', '3', 'monthly', ''], /1 \(monthly\) and 2 \(pay per use\)/],
    ['policy-type', ['ATS', 'tls', ''], /standard and ats/],
    ['balancing-type', ['0', '3', 'round-robin', ''], /1 \(round robin\) and 2 \(least connection\)/],
    ['healthcheck-protocol', ['tcp', 'HTTP', 'TCP ', ''], /TCP and ICMP/],
    ['healthcheck-unhealthy-threshold', ['0', '11', '1.5', 'one', ''], /1 to 10/],
    ['healthcheck-interval', ['4', '301', '10s', ''], /5 to 300/],
    ['network-interface-1-network-id', ['net-COMMON_GLOBAL'], /only allowed with .*type=elb/],
    ['network-interface-1-ip-address', ['10.0.0.1'], /only allowed with .*type=elb/],
    ['network-interface-1-system-ip-addresses', ['10.0.0.1,10.0.0.2'], /only allowed with .*type=elb/],
    ['network-interface-2-network-id', ['net-abc'], /only allowed with .*type=elb/],
    ['network-interface-2-ip-address', ['10.0.0.1'], /only allowed with .*type=elb/],
    ['network-interface-2-system-ip-addresses', ['10.0.0.1,10.0.0.2'], /only allowed with .*type=elb/],
    ['vip-network', ['1'], /only allowed with .*type=elb/],
  ];
  for (const [suffix, values, message] of refused) {
    it(`names key, value and what is allowed of a refused ${suffix}`, () => {
      for (const value of values) {
        const { problems } = parse(suffix, value);
        expect(problems, value).to.have.length(1);
        const text = describeProblem(problems[0]!);
        expect(text).to.match(message);
        expect(text.startsWith(`annotation ${ANNOTATION_PREFIX}${suffix}=${value} is invalid: `)).to.equal(true);
      }
    });
  }

  it('states the other settings although one is refused', () => {
    const { settings, problems } = parseAnnotations({
      [`${ANNOTATION_PREFIX}network-volume`]: '15',
      [`${ANNOTATION_PREFIX}accounting-type`]: '2',
    });
    expect(problems).to.have.length(1);
    expect(settings).to.include({ accountingType: '2', networkVolumeMbps: undefined });
  });
});
