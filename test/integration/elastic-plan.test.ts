import { expect } from 'chai';
import { applyElastic } from '../../ccm/cloud/elastic-apply.ts';
import { planElastic, type WantedElastic } from '../../ccm/cloud/elastic-plan.ts';
import { wantedElastic } from '../../ccm/cloud/elastic-wanted.ts';
import { ANNOTATION_PREFIX } from '../../ccm/cloud/annotations.ts';
import { readRequest } from '../../ccm/cloud/load-balancer.ts';
import type { Service, ServicePort } from '../../kube/types.ts';
import type { ElasticLoadBalancer } from '../../nifcloud/elastic-load-balancers.ts';
import type { Nifcloud } from '../../nifcloud/nifcloud.ts';
import { startSimulator, type Simulator } from '../../simulator/nifcloud/simulator.ts';
import { parseFleet } from '../../simulator/nifcloud/world/fleet.ts';
import { clientOf } from './cloud-client.ts';

const NEVER = new AbortController().signal;
const NAME = '0a1b2c3d4e5f607';
const FLEET = {
  zones: ['east-11', 'east-12'],
  networks: [{ name: 'lan1', id: 'net-0abc1def', zone: 'east-11', cidr: '192.168.0.0/24' }],
  certificates: ['cert-1', 'cert-2'],
  servers: ['node01', 'node02', 'node03'].map((name, n) => ({
    name,
    zone: n === 2 ? 'east-12' : 'east-11',
    privateAddress: `127.1${n}.0.1`,
  })),
};

const port = (number: number, protocol: 'TCP' | 'UDP' = 'TCP', nodePort = 30_000 + number): ServicePort => ({
  name: `${protocol}${number}`.toLowerCase(),
  protocol,
  port: number,
  nodePort,
});

const service = (
  ports: ServicePort[],
  annotations: Record<string, string> = {},
  spec: Service['spec'] = {},
): Service => ({
  metadata: {
    name: 'web',
    namespace: 'default',
    uid: NAME,
    annotations: Object.fromEntries(
      Object.entries({ type: 'elb', ...annotations }).map(([suffix, value]) => [ANNOTATION_PREFIX + suffix, value]),
    ),
  },
  spec: { type: 'LoadBalancer', ports, ...spec },
});

/** The plan is tested against a model of ours; here the cloud that somebody else read out of the facts sheet says what it takes. */
describe('the plan for an elastic load balancer, on the simulator', () => {
  let simulator: Simulator;
  let cloud: Nifcloud;
  before(async () => {
    simulator = await startSimulator({
      latencyMs: 0,
      transition: '0ms',
      fleet: parseFleet(JSON.stringify(FLEET), 'the test'),
    });
    cloud = clientOf(simulator);
  });
  after(() => simulator.stop());

  const look = async (): Promise<ElasticLoadBalancer | undefined> =>
    (await cloud.elasticLoadBalancers.list(NEVER)).find((one) => one.name === NAME);

  /** The kinds of the steps that it took. */
  async function reach(one: Service | undefined): Promise<readonly string[]> {
    const servers = await cloud.servers.list(NEVER);
    const targets = servers.map(({ name, uniqueId, zone }) => ({
      serverName: name,
      serverUniqueId: uniqueId,
      listed: true,
      zone,
    }));
    const done: string[] = [];
    while (done.length < 30) {
      const seen = await look();
      let wanted: WantedElastic | undefined;
      if (one !== undefined)
        ({ wanted } = wantedElastic(readRequest(one), { targets, owner: 'kubernetes:c/default/web' }, seen));
      const [step] = planElastic(wanted, seen);
      if (step === undefined) return done;
      await applyElastic(cloud.elasticLoadBalancers, seen ?? { name: NAME }, step, NEVER);
      await cloud.elasticLoadBalancers.until(
        NAME,
        (now) => (now === undefined || now.state === 'available' ? true : undefined),
        NEVER,
      );
      done.push(step.kind);
    }
    throw new Error(`no end: ${done.join(', ')}`);
  }

  it('makes one with two ports in five calls', async () => {
    expect(await reach(service([port(80), port(443)]))).to.deep.equal([
      'create',
      'register-targets',
      'register-port',
      'configure-health-check',
      'register-targets',
    ]);
    expect((await look())?.listeners.map((one) => one.targets.length)).to.deep.equal([3, 3]);
  });

  const journeys: [name: string, service: Service, steps: readonly string[]][] = [
    ['changes the number of a port', service([port(8080, 'TCP', 30_080), port(443)]), ['modify-listener']],
    [
      'changes node ports',
      service([port(8080, 'TCP', 31_000), port(443)]),
      ['modify-listener', 'configure-health-check'],
    ],
    [
      'replaces both ports and adds one of UDP',
      service([port(81), port(444), port(53, 'UDP')]),
      [
        'modify-listener',
        'configure-health-check',
        'modify-listener',
        'configure-health-check',
        'register-port', // checked with ICMP from the start
        'register-targets',
      ],
    ],
    [
      'makes them HTTP and HTTPS with all that these can have, and TCP beside UDP',
      service([port(81), port(444), port(53, 'UDP')], {
        protocols: '81=HTTP,444=HTTPS',
        'ssl-certificate-id': 'cert-1',
        'healthcheck-protocol': 'HTTP',
        'healthcheck-path': '/ready',
        'session-stickiness-method': 'cookie',
        'sorry-page-redirect-url': 'https://example.com/sorry',
        'network-volume': '100',
        'accounting-type': '2',
        'balancing-type': '2',
      }),
      [
        'modify-listener',
        'configure-health-check',
        'modify-listener',
        'configure-health-check',
        'modify-listener',
        'update',
      ],
    ],
    [
      'changes the certificate',
      service([port(81), port(444), port(53, 'UDP')], { protocols: '444=HTTPS', 'ssl-certificate-id': 'cert-2' }),
      ['configure-health-check', 'configure-health-check', 'modify-listener'],
    ],
    [
      'asks kube-proxy with policy Local',
      service(
        [port(81), port(444), port(53, 'UDP')],
        {},
        { externalTrafficPolicy: 'Local', healthCheckNodePort: 32_000 },
      ),
      ['configure-health-check', 'configure-health-check', 'configure-health-check'],
    ],
    [
      'goes back to TCP, which has neither certificate nor sorry page',
      service([port(81), port(444)], { protocols: '81=TCP,444=TCP' }),
      ['modify-listener', 'configure-health-check', 'modify-listener', 'configure-health-check', 'delete-listener'],
    ],
    [
      'has only servers of its zone',
      service([port(81), port(444)], { 'same-zone': 'true' }),
      ['deregister-targets', 'deregister-targets'],
    ],
    [
      'switches stickiness off',
      service([port(81), port(444)], { 'same-zone': 'true', 'session-stickiness-method': 'none' }),
      ['modify-listener', 'modify-listener'],
    ],
  ];
  for (const [name, one, steps] of journeys) {
    it(name, async () => {
      const before = (await look())?.vip;
      expect(await reach(one)).to.deep.equal(steps);
      expect((await look())?.vip).to.equal(before);
    });
  }

  it('deletes it in as few calls as its record of rules allows', async () => {
    expect(await reach(undefined)).to.deep.equal(['delete-listener', 'deregister-targets', 'delete-listener']);
    expect(await look()).to.equal(undefined);
  });

  it('makes one between a private LAN and the world', async () => {
    await reach(
      service([port(53, 'UDP'), port(53)], {
        'network-interface-1-network-id': 'net-COMMON_GLOBAL',
        'network-interface-2-network-id': 'net-0abc1def',
        'network-interface-2-ip-address': '192.168.0.10',
        'network-interface-2-system-ip-addresses': '192.168.0.11,192.168.0.12',
        zone: 'east-11',
      }),
    );
    const made = await look();
    expect(made?.interfaces.map((one) => [one.networkId, one.isVip])).to.deep.equal([
      ['net-COMMON_GLOBAL', true],
      ['net-0abc1def', false],
    ]);
    expect(made?.listeners.map((one) => [one.protocol, one.healthCheck?.target, one.targets.length])).to.deep.equal([
      ['UDP', 'ICMP', 3],
      ['TCP', 'TCP:30053', 3],
    ]);
    await reach(undefined);
  });

  it('says nothing that the cloud does not know', () => {
    expect(simulator.calls().flatMap(({ ignoredParameters = [] }) => ignoredParameters)).to.deep.equal([]);
  });
});
