import { expect } from 'chai';
import { ANNOTATION_PREFIX } from '../../../../ccm/cloud/annotations.ts';
import { loadBalancerName, readRequest, RefusedRequest, wantedL4 } from '../../../../ccm/cloud/load-balancer.ts';
import type { Service, ServicePort } from '../../../../kube/types.ts';
import type { L4Listener, L4LoadBalancer } from '../../../../nifcloud/l4-load-balancers.ts';

const HTTP: ServicePort = { name: 'http', protocol: 'TCP', port: 80, nodePort: 30080 };

const service = (spec: Service['spec'] = {}, annotations: Record<string, string> = {}): Service => ({
  metadata: { name: 'web', namespace: 'default', uid: '0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9', annotations },
  spec: { type: 'LoadBalancer', ports: [HTTP], ...spec },
});

const ports = (...numbers: number[]): ServicePort[] =>
  numbers.map((port) => ({ name: `p${port}`, protocol: 'TCP', port, nodePort: 30000 + port }));

const listener = (loadBalancerPort: number): L4Listener => ({
  loadBalancerPort,
  instancePort: 30000 + loadBalancerPort,
  balancingType: 1,
  healthCheck: undefined,
  targets: [],
  filter: { type: 'allow', addresses: [] },
  stickiness: undefined,
  sorryPage: undefined,
  certificateId: '',
  sslPolicyId: '',
});

const existing = (...listening: number[]): L4LoadBalancer => ({
  name: '0a1b2c3d4e5f607',
  vip: '203.0.113.1',
  networkVolumeMbps: 10,
  accountingType: '1',
  nextMonthAccountingType: '1',
  policyType: 'standard',
  zones: [],
  createdAt: '',
  listeners: listening.map(listener),
});

const annotated = (annotations: Record<string, string>, spec: Service['spec'] = {}): Service =>
  service(
    spec,
    Object.fromEntries(Object.entries(annotations).map(([suffix, value]) => [ANNOTATION_PREFIX + suffix, value])),
  );

const want = (one: Service, seen?: L4LoadBalancer): ReturnType<typeof wantedL4> => wantedL4(readRequest(one), [], seen);

describe('the load balancer of a Service', () => {
  it('is named by the first 15 hex digits of the UID, as the Go program names it', () => {
    expect(loadBalancerName(service())).to.equal('0a1b2c3d4e5f607');
  });

  it('states nothing that the Service does not state', () => {
    expect(want(service()).wanted).to.deep.equal({
      networkVolumeMbps: undefined,
      nextMonthAccountingType: undefined,
      policyType: undefined,
      listeners: [
        {
          loadBalancerPort: 80,
          instancePort: 30080,
          balancingType: undefined,
          healthCheck: { target: 'TCP:30080', intervalSeconds: undefined, unhealthyThreshold: undefined },
          targets: [],
          filter: { type: 'allow', addresses: [] },
          stickiness: undefined,
          sorryPage: undefined,
          certificateId: undefined,
        },
      ],
    });
  });

  it('checks TCP on the node port with externalTrafficPolicy Local: there it fails where no pod is (E7 #27)', () => {
    const { wanted } = want(service({ externalTrafficPolicy: 'Local', healthCheckNodePort: 32000 }));
    expect(wanted.listeners[0]?.healthCheck.target).to.equal('TCP:30080');
  });

  it('warns of ICMP with externalTrafficPolicy Local, and obeys', () => {
    const icmp = { [`${ANNOTATION_PREFIX}healthcheck-protocol`]: 'ICMP' };
    const one = service({ externalTrafficPolicy: 'Local' }, icmp);
    expect(readRequest(one).advice).to.have.length(1);
    expect(readRequest(one).advice[0]).to.match(/healthcheck-protocol=ICMP with spec.externalTrafficPolicy=Local/);
    expect(want(one).wanted.listeners[0]?.healthCheck.target).to.equal('ICMP');
    expect(readRequest(service({}, icmp)).advice).to.deep.equal([]);
  });

  it('says which annotation does what sessionAffinity does not', () => {
    const advice = readRequest(service({ sessionAffinity: 'ClientIP' })).advice[0];
    expect(advice).to.match(/^spec.sessionAffinity=ClientIP .*session-stickiness-method=source-ip$/);
    expect(readRequest(service({ sessionAffinity: 'None' })).advice).to.deep.equal([]);
    const sticky = annotated({ 'session-stickiness-method': 'source-ip' }, { sessionAffinity: 'ClientIP' });
    expect(readRequest(sticky).advice).to.deep.equal([]);
  });

  it('has stickiness on all ports, the sorry page on 80 and the certificate on 443, if annotated', () => {
    const annotations = {
      'session-stickiness-period': '10',
      'sorry-page-status-code': '503',
      'ssl-certificate-id': 'c-1',
    };
    const [http, https] = want(annotated(annotations, { ports: ports(80, 443) })).wanted.listeners;
    expect(http).to.deep.include({ stickiness: { periodMinutes: 10 }, sorryPage: { statusCode: 503 } });
    expect(https).to.deep.include({ stickiness: { periodMinutes: 10 }, sorryPage: undefined, certificateId: 'c-1' });
    expect(http?.certificateId).to.equal(undefined);
  });

  it('ends TLS on any port that a certificate is stated for', () => {
    const { wanted } = want(annotated({ 'ssl-certificate-id': '80=c-1,443=c-2' }, { ports: ports(80, 443) }));
    expect(wanted.listeners.map((one) => one.certificateId)).to.deep.equal(['c-1', 'c-2']);
  });

  it('has neither where the annotation says none', () => {
    const annotations = { 'session-stickiness-method': 'none', 'sorry-page-status-code': 'none' };
    expect(want(annotated(annotations)).wanted.listeners[0]).to.include({ stickiness: 'off', sorryPage: 'off' });
  });

  const udp: ServicePort = { name: 'dns', protocol: 'UDP', port: 53, nodePort: 30053 };
  const ranges = Array.from({ length: 31 }, (_, n) => `192.0.2.${n}/32`);

  const refusals: [name: string, service: Service, message: RegExp][] = [
    ['a UDP port', service({ ports: [HTTP, udp] }), /^spec\.ports\[1\]\.protocol=UDP is invalid: .*TCP only/],
    ['a fourth port', service({ ports: ports(1, 2, 3, 4) }), /^spec\.ports=4 ports is invalid: .*1 to 3 ports/],
    ['no port', service({ ports: [] }), /^spec\.ports=0 ports is invalid/],
    [
      'a port without node port (E7 #25)',
      service({ ports: [{ port: 80 }] }),
      /^spec\.ports\[0\]\.nodePort= is invalid: .*allocateLoadBalancerNodePorts/,
    ],
    [
      'a wished address',
      service({ loadBalancerIP: '203.0.113.7' }),
      /^spec\.loadBalancerIP=203\.0\.113\.7 is invalid: the cloud chooses/,
    ],
    [
      'more ranges than a filter holds',
      service({ loadBalancerSourceRanges: ranges }),
      /^spec\.loadBalancerSourceRanges=31 ranges is invalid: .* at most 30/,
    ],
    [
      'an annotation value',
      service({}, { [`${ANNOTATION_PREFIX}network-volume`]: '15' }),
      /^annotation .*network-volume=15 is invalid: allowed are 10/,
    ],
    ['a kind that does not exist', annotated({ type: 'nlb' }), /type=nlb is invalid: .*lb \(L4\) and elb/],
    [
      'a sorry page without port 80',
      annotated({ 'sorry-page-status-code': '503' }, { ports: ports(443) }),
      /=503 is invalid: only for port 80/,
    ],
    [
      'a certificate without port 443',
      annotated({ 'ssl-certificate-id': 'c-1' }),
      /=c-1 is invalid: there is no port 443/,
    ],
    [
      'a certificate for no port',
      annotated({ 'ssl-certificate-id': '8443=c-1' }),
      /=8443=c-1 is invalid: .*no port 8443/,
    ],
  ];
  for (const [name, one, message] of refusals) {
    it(`is not made for ${name}`, () => {
      expect(() => want(one)).to.throw(RefusedRequest, message);
    });
  }
  for (const [name, one, message] of refusals.filter(([, it]) => it.spec?.ports?.some((port) => port.nodePort))) {
    it(`goes on being served when it gets ${name}`, () => {
      const { wanted, skipped } = want(one, existing(80, 1, 2, 3));
      expect(wanted.listeners).to.not.have.length(0);
      expect(skipped).to.have.length(1);
      expect(skipped[0])
        .to.match(message)
        .and.match(/the load balancer keeps what it has$/);
    });
  }

  it('skips the port that it cannot serve, and no other', () => {
    const { wanted } = want(service({ ports: [udp, HTTP] }), existing(80));
    expect(wanted.listeners.map((one) => one.loadBalancerPort)).to.deep.equal([80]);
  });

  it('serves the ports it has before those that make them too many', () => {
    const { wanted } = want(service({ ports: ports(4, 5, 1, 2) }), existing(1, 2));
    expect(wanted.listeners.map((one) => one.loadBalancerPort)).to.deep.equal([1, 2, 4]);
  });

  it('leaves the filter alone where the ranges are no list', () => {
    const { wanted } = want(service({ loadBalancerSourceRanges: ['office'] }), existing(80));
    expect(wanted.listeners[0]?.filter).to.equal(undefined);
  });

  it('is left alone when none of its ports can be served any more', () => {
    expect(() => want(service({ ports: [udp] }), existing(80))).to.throw(RefusedRequest);
  });

  it('says that a policy cannot be changed (E7 #11)', () => {
    const one = service({}, { [`${ANNOTATION_PREFIX}policy-type`]: 'ats' });
    expect(want(one).skipped).to.deep.equal([]);
    expect(want(one, existing(80)).skipped[0]).to.match(/policy-type=ats is invalid: it is standard since creation/);
  });
});
