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

  it('says that sessionAffinity does not reach it', () => {
    expect(readRequest(service({ sessionAffinity: 'ClientIP' })).advice[0]).to.match(/^spec.sessionAffinity=ClientIP/);
    expect(readRequest(service({ sessionAffinity: 'None' })).advice).to.deep.equal([]);
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
    ['the elastic kind', service({}, { [`${ANNOTATION_PREFIX}type`]: 'elb' }), /type=elb is invalid: .*not built yet/],
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
