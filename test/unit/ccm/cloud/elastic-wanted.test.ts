import { expect } from 'chai';
import { ANNOTATION_PREFIX } from '../../../../ccm/cloud/annotations.ts';
import { wantedElastic } from '../../../../ccm/cloud/elastic-wanted.ts';
import { readRequest, RefusedRequest } from '../../../../ccm/cloud/load-balancer.ts';
import type { WantedTarget } from '../../../../ccm/cloud/l4-plan.ts';
import type { Service, ServicePort } from '../../../../kube/types.ts';
import type { ElasticLoadBalancer } from '../../../../nifcloud/elastic-load-balancers.ts';
import { EMPTY } from './elastic-model.ts';

const OWNER = 'kubernetes:c1/default/web';
const LAN = 'net-0a1b2c3d';
const HTTP: ServicePort = { name: 'http', protocol: 'TCP', port: 80, nodePort: 30080 };
const HTTPS: ServicePort = { name: 'https', protocol: 'TCP', port: 443, nodePort: 30443 };
const DNS: ServicePort = { name: 'dns', protocol: 'UDP', port: 53, nodePort: 30053 };

const node = (name: string, zone: string): WantedTarget => ({
  serverName: name,
  serverUniqueId: `i-${name}`,
  listed: true,
  zone,
});
const NODES = [node('a', 'east-12'), node('b', 'east-11'), node('c', 'east-12')];

const service = (annotations: Record<string, string> = {}, spec: Service['spec'] = {}): Service => ({
  metadata: {
    name: 'web',
    namespace: 'default',
    uid: '0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9',
    annotations: Object.fromEntries(
      Object.entries({ type: 'elb', ...annotations }).map(([suffix, value]) => [ANNOTATION_PREFIX + suffix, value]),
    ),
  },
  spec: { type: 'LoadBalancer', ports: [HTTP], ...spec },
});

const want = (
  one: Service,
  seen?: ElasticLoadBalancer,
  targets: readonly WantedTarget[] | undefined = NODES,
): ReturnType<typeof wantedElastic> => wantedElastic(readRequest(one), { targets, owner: OWNER }, seen);

const existing = (...listening: [protocol: string, port: number][]): ElasticLoadBalancer => ({
  ...EMPTY,
  listeners: listening.map(([protocol, loadBalancerPort]) => ({
    protocol,
    loadBalancerPort,
    instancePort: 30000 + loadBalancerPort,
    balancingType: 1,
    description: '',
    certificateId: '',
    healthCheck: undefined,
    targets: [],
    stickiness: undefined,
    sorryPage: undefined,
  })),
});

const near = (one: Service, seen?: ElasticLoadBalancer): string[] | undefined =>
  want(one, seen).wanted.listeners[0]?.targets?.map((target) => target.serverName);

const ports = (...numbers: number[]): ServicePort[] =>
  numbers.map((port) => ({ name: `p${port}`, protocol: 'TCP', port, nodePort: 30000 + port }));

describe('the elastic load balancer of a Service', () => {
  it('states nothing that the Service does not state', () => {
    expect(want(service()).wanted).to.deep.equal({
      zone: 'east-12',
      interfaces: [{ networkId: 'net-COMMON_GLOBAL', isVip: true }],
      networkVolumeMbps: undefined,
      nextMonthAccountingType: undefined,
      listeners: [
        {
          protocol: 'TCP',
          isProtocolStated: false,
          loadBalancerPort: 80,
          instancePort: 30080,
          balancingType: undefined,
          description: OWNER,
          certificateId: undefined,
          healthCheck: {
            target: 'TCP:30080',
            intervalSeconds: undefined,
            unhealthyThreshold: undefined,
            path: undefined,
            httpCodes: undefined,
          },
          stickiness: undefined,
          sorryPage: undefined,
          targets: [node('a', 'east-12'), node('c', 'east-12'), node('b', 'east-11')],
        },
      ],
    });
  });

  it('is made where most nodes are, ties by name, or where the annotation says (E7 #24)', () => {
    expect(want(service()).wanted.zone).to.equal('east-12');
    expect(want(service(), undefined, NODES.slice(0, 2)).wanted.zone).to.equal('east-11');
    expect(want(service({ zone: 'east-13' })).wanted.zone).to.equal('east-13');
    expect(want(service({ zone: 'east-13' }), undefined, []).wanted.zone).to.equal('east-13');
  });

  it('is not made while nothing says where, and says what can', () => {
    for (const targets of [[], [{ serverName: 'x', serverUniqueId: '', listed: false }]]) {
      expect(() => want(service(), undefined, targets)).to.throw(/in which zone .*load-balancer-zone can/);
    }
    expect(() => wantedElastic(readRequest(service()), { targets: undefined, owner: OWNER }, undefined)).to.throw(
      /zone/,
    );
  });

  it('has servers of all zones, or of its own if annotated', () => {
    expect(near(service())).to.have.members(['a', 'b', 'c']);
    expect(near(service({ 'same-zone': 'true' }))).to.deep.equal(['a', 'c']);
    expect(near(service({ 'same-zone': 'true' }), existing(['TCP', 80]))).to.deep.equal(['b']);
    expect(near(service({ 'same-zone': 'false' }))).to.have.members(['a', 'b', 'c']);
  });

  it('keeps its servers when none is in its zone: none at all would cut it off (E7 #2)', () => {
    const seen = { ...existing(['TCP', 80]), zone: 'east-14' };
    const { wanted, skipped } = want(service({ 'same-zone': 'true' }), seen);
    expect(wanted.listeners[0]?.targets).to.equal(undefined);
    expect(skipped[0]).to.match(/same-zone=true: no node is in east-14/);
  });

  it('serves UDP, checked with ICMP, also beside TCP on the same port', () => {
    const both = service({}, { ports: [DNS, { ...DNS, protocol: 'TCP' }] });
    const { listeners } = want(both).wanted;
    expect(listeners.map((one) => [one.protocol, one.healthCheck.target])).to.deep.equal([
      ['UDP', 'ICMP'],
      ['TCP', 'TCP:30053'],
    ]);
  });

  it('says that a check that is stated is not for UDP ports', () => {
    const one = service({ 'healthcheck-protocol': 'TCP' }, { ports: [DNS] });
    expect(readRequest(one).advice[0]).to.match(/healthcheck-protocol=TCP is for TCP ports/);
    expect(want(one).wanted.listeners[0]?.healthCheck.target).to.equal('ICMP');
  });

  const local = { externalTrafficPolicy: 'Local', healthCheckNodePort: 32000 } as const;
  const checks: [name: string, service: Service, target: string, path: string | undefined][] = [
    ['asks kube-proxy with externalTrafficPolicy Local (E7 #27)', service({}, local), 'HTTP:32000', '/healthz'],
    ['asks kube-proxy also for UDP', service({}, { ...local, ports: [DNS] }), 'HTTP:32000', '/healthz'],
    [
      'checks as stated also with policy Local',
      service({ 'healthcheck-protocol': 'TCP' }, local),
      'TCP:30080',
      undefined,
    ],
    [
      'checks TCP while there is no port of kube-proxy',
      service({}, { externalTrafficPolicy: 'Local', healthCheckNodePort: 0 }),
      'TCP:30080',
      undefined,
    ],
    [
      'takes no notice of that port with policy Cluster',
      service({}, { externalTrafficPolicy: 'Cluster', healthCheckNodePort: 32000 }),
      'TCP:30080',
      undefined,
    ],
    [
      'checks HTTP on the node port',
      service({ 'healthcheck-protocol': 'HTTP', 'healthcheck-path': '/ready' }),
      'HTTP:30080',
      '/ready',
    ],
    ['checks with ICMP if stated', service({ 'healthcheck-protocol': 'ICMP' }), 'ICMP', undefined],
  ];
  for (const [name, one, target, path] of checks) {
    it(name, () => {
      expect(want(one).wanted.listeners[0]?.healthCheck).to.include({ target, path });
    });
  }

  it('has protocols, certificates, stickiness and sorry page by annotation, each where it makes sense', () => {
    const one = service(
      {
        protocols: '80=HTTP,443=HTTPS',
        'ssl-certificate-id': 'c-1',
        'session-stickiness-method': 'cookie',
        'session-stickiness-period': '30',
        'sorry-page-redirect-url': 'https://example.com',
      },
      { ports: [HTTP, HTTPS, DNS] },
    );
    const { wanted, skipped } = want(one);
    expect(skipped).to.deep.equal([]);
    const [http, https, dns] = wanted.listeners;
    const web = {
      stickiness: { method: 'cookie', periodMinutes: 30 },
      sorryPage: { redirectUrl: 'https://example.com' },
    };
    expect(http).to.deep.include({ protocol: 'HTTP', isProtocolStated: true, certificateId: undefined, ...web });
    expect(https).to.deep.include({ protocol: 'HTTPS', isProtocolStated: true, certificateId: 'c-1', ...web });
    expect(dns).to.deep.include({ protocol: 'UDP', stickiness: undefined, sorryPage: undefined });
  });

  it('switches stickiness and sorry page off where the annotation says none', () => {
    const none = { 'session-stickiness-method': 'none', 'sorry-page-redirect-url': 'none' };
    expect(want(service(none)).wanted.listeners[0]).to.include({ stickiness: 'off', sorryPage: 'off' });
  });

  it('has clients come in on interface 1 unless stated otherwise (E7 #24)', () => {
    const networks = {
      'network-interface-1-network-id': 'net-COMMON_GLOBAL',
      'network-interface-2-network-id': LAN,
      'network-interface-2-ip-address': '192.168.1.10',
      'network-interface-2-system-ip-addresses': '192.168.1.11,192.168.1.12',
    };
    const lan = { networkId: LAN, address: '192.168.1.10', systemAddresses: ['192.168.1.11', '192.168.1.12'] };
    expect(want(service(networks)).wanted.interfaces).to.deep.equal([
      { networkId: 'net-COMMON_GLOBAL', isVip: true },
      { ...lan, isVip: false },
    ]);
    expect(want(service({ ...networks, 'vip-network': '2' })).wanted.interfaces).to.deep.equal([
      { networkId: 'net-COMMON_GLOBAL', isVip: false },
      { ...lan, isVip: true },
    ]);
  });

  const refusals: [name: string, service: Service, message: RegExp][] = [
    [
      'a fourth port',
      service({}, { ports: ports(80, 1, 2, 3) }),
      /^spec\.ports=4 ports is invalid: an elastic .* 1 to 3/,
    ],
    [
      'a port of SCTP',
      service({}, { ports: [HTTP, { ...DNS, protocol: 'SCTP' }] }),
      /^spec\.ports\[1\]\.protocol=SCTP is invalid: an elastic load balancer forwards TCP and UDP only/,
    ],
    [
      'source ranges, which it cannot enforce (E7 #4)',
      service({}, { loadBalancerSourceRanges: ['192.0.2.0/24'] }),
      /^spec\.loadBalancerSourceRanges=192\.0\.2\.0\/24 is invalid: an elastic load balancer lets everyone in/,
    ],
    ['a wished address', service({}, { loadBalancerIP: '203.0.113.7' }), /^spec\.loadBalancerIP=/],
    [
      'more bandwidth than there is',
      service({ 'network-volume': '600' }),
      /network-volume=600 is invalid: .* 100 to 500/,
    ],
    [
      'HTTPS without a certificate',
      service({ protocols: '80=HTTPS' }),
      /protocols=80=HTTPS is invalid: .*ssl-certificate-id/,
    ],
    ['a protocol for no port', service({ protocols: '81=HTTP' }), /protocols=81=HTTP is invalid: .*no TCP port 81/],
    [
      'a certificate that nothing uses',
      service({ 'ssl-certificate-id': 'c-1' }),
      /=c-1 is invalid: .*makes no port HTTPS/,
    ],
    [
      'a certificate for a port of another protocol',
      service({ 'ssl-certificate-id': '80=c-1' }),
      /=80=c-1 is invalid: .*does not make it HTTPS/,
    ],
    [
      'cookies without HTTP',
      service({ 'session-stickiness-method': 'cookie' }),
      /=cookie is invalid: only for ports that .*protocols/,
    ],
    [
      'a sorry page without HTTP',
      service({ 'sorry-page-redirect-url': 'https://a.example' }),
      /=https:\/\/a\.example is invalid: only for ports that .*protocols/,
    ],
  ];
  for (const [name, one, message] of refusals) {
    it(`is not made with ${name}`, () => {
      expect(() => want(one)).to.throw(RefusedRequest, message);
    });
    it(`goes on being served when it gets ${name}`, () => {
      const { wanted, skipped } = want(one, existing(['TCP', 80]));
      expect(wanted.listeners[0]).to.include({ loadBalancerPort: 80, isProtocolStated: false });
      expect(wanted.listeners[0]?.targets).to.have.deep.members([...NODES]);
      expect(wanted.listeners.length).to.be.within(1, 3);
      expect(skipped).to.have.length(1);
      expect(skipped[0])
        .to.match(message)
        .and.match(/the load balancer keeps what it has$/);
    });
  }

  it('lets everyone in where everyone is stated', () => {
    expect(want(service({}, { loadBalancerSourceRanges: ['0.0.0.0/0'] })).skipped).to.deep.equal([]);
  });

  it('serves the ports it has before those that make them too many', () => {
    const many = service({}, { ports: [...ports(4, 5, 1), DNS] });
    const { wanted } = want(many, existing(['UDP', 53], ['TCP', 1]));
    expect(wanted.listeners.map((one) => one.loadBalancerPort)).to.deep.equal([1, 53, 4]);
  });

  it('says what was chosen at creation and cannot be changed (E7 #11)', () => {
    const seen = existing(['TCP', 80]);
    const same = {
      zone: 'east-11',
      'network-interface-1-network-id': 'net-COMMON_GLOBAL',
      'vip-network': '1',
    };
    expect(want(service(same), seen).skipped).to.deep.equal([]);
    const other = {
      zone: 'east-12',
      'network-interface-1-network-id': 'net-COMMON_GLOBAL',
      'network-interface-2-network-id': LAN,
      'network-interface-2-ip-address': '192.168.1.10',
      'network-interface-2-system-ip-addresses': '192.168.1.11,192.168.1.12',
      'vip-network': '2',
    };
    const { skipped } = want(service(other), seen);
    expect(skipped).to.have.length(3);
    expect(skipped[0]).to.match(/-zone=east-12 is invalid: it is east-11 since creation/);
    expect(skipped[1]).to.match(
      /interface-2-network-id=net-0a1b2c3d is invalid: it is net-COMMON_GLOBAL since creation/,
    );
    expect(skipped[2]).to.match(/vip-network=2 is invalid: it is 1 since creation/);
  });

  it('compares addresses in private LANs whatever their order', () => {
    const lan = { networkId: LAN, networkName: 'lan', address: '192.168.1.10', isVip: true };
    const seen = {
      ...existing(['TCP', 80]),
      interfaces: [{ ...lan, systemAddresses: ['192.168.1.12', '192.168.1.11'] }],
    };
    const stated = {
      'network-interface-1-network-id': LAN,
      'network-interface-1-ip-address': '192.168.1.10',
      'network-interface-1-system-ip-addresses': '192.168.1.11,192.168.1.12',
    };
    expect(want(service(stated), seen).skipped).to.deep.equal([]);
    const moved = { ...stated, 'network-interface-1-ip-address': '192.168.1.20' };
    expect(want(service(moved), seen).skipped[0]).to.match(
      /ip-address=192\.168\.1\.20 is invalid: it is 192\.168\.1\.10/,
    );
  });
});
