import { isDeepStrictEqual } from 'node:util';
import { expect } from 'chai';
import * as fc from 'fast-check';
import { applyElastic } from '../../../../ccm/cloud/elastic-apply.ts';
import {
  planElastic,
  type ElasticStep,
  type WantedElastic,
  type WantedElasticListener,
} from '../../../../ccm/cloud/elastic-plan.ts';
import type { ElasticLoadBalancer } from '../../../../nifcloud/elastic-load-balancers.ts';
import { ElasticModel, EMPTY, type Listener } from './elastic-model.ts';

const NEVER = new AbortController().signal;
const OWNER = 'kubernetes:c1/default/web';
const IDS = Array.from({ length: 6 }, (_, n) => `i-${n}`);
const server = (id: string, listed = true): NonNullable<WantedElasticListener['targets']>[number] => ({
  serverName: `name-${id}`,
  serverUniqueId: id,
  listed,
});

const port = (loadBalancerPort: number, rest: Partial<WantedElasticListener> = {}): WantedElasticListener => {
  const { instancePort = 30000 + loadBalancerPort } = rest;
  return {
    protocol: 'TCP',
    isProtocolStated: false,
    loadBalancerPort,
    instancePort,
    balancingType: undefined,
    description: OWNER,
    certificateId: undefined,
    healthCheck: check(`TCP:${instancePort}`),
    stickiness: undefined,
    sorryPage: undefined,
    targets: [server('i-0')],
    ...rest,
  };
};
const check = (
  target: string,
  rest: Partial<WantedElasticListener['healthCheck']> = {},
): WantedElasticListener['healthCheck'] => ({
  target,
  intervalSeconds: undefined,
  unhealthyThreshold: undefined,
  path: undefined,
  httpCodes: undefined,
  ...rest,
});
const wanted = (...listeners: WantedElasticListener[]): WantedElastic => ({
  zone: 'east-11',
  interfaces: [{ networkId: 'net-COMMON_GLOBAL', isVip: true }],
  networkVolumeMbps: undefined,
  nextMonthAccountingType: undefined,
  listeners,
});
/** As the Go program made it, and somebody tuned it by hand. */
const present = (loadBalancerPort: number, rest: Partial<Listener> = {}): Listener => {
  const { instancePort = 30000 + loadBalancerPort } = rest;
  return {
    protocol: 'TCP',
    loadBalancerPort,
    instancePort,
    balancingType: 2,
    description: '',
    certificateId: '',
    healthCheck: { target: `TCP:${instancePort}`, intervalSeconds: 30, unhealthyThreshold: 4, path: '', httpCodes: [] },
    targets: [{ serverName: 'name-i-0', serverUniqueId: 'i-0' }],
    stickiness: { method: 'source-ip', periodMinutes: 30 },
    sorryPage: undefined,
    ...rest,
  };
};
const seen = (...listeners: Listener[]): ElasticLoadBalancer => ({ ...EMPTY, networkVolumeMbps: 400, listeners });
const kinds = (steps: readonly ElasticStep[]): string[] => steps.map((step) => step.kind);
const key = (loadBalancerPort: number, instancePort = 30000 + loadBalancerPort, protocol = 'TCP') => ({
  protocol,
  loadBalancerPort,
  instancePort,
});

describe('the plan for an elastic load balancer', () => {
  it('takes over what the Go program made, and somebody tuned, without any change', () => {
    expect(planElastic(wanted(port(80)), seen(present(80)))).to.deep.equal([]);
    const tuned = present(80, { protocol: 'HTTP', sorryPage: { redirectUrl: 'https://example.com' } });
    expect(planElastic(wanted(port(80)), seen(tuned))).to.deep.equal([]);
  });

  it('makes it with the first port and its check, then the rest, so that servers come after firewall rules', () => {
    const stated = { networkVolumeMbps: 100, nextMonthAccountingType: '2' };
    const two = { ...wanted(port(80, { balancingType: 2 }), port(443)), ...stated };
    expect(planElastic(two, undefined)).to.deep.equal([
      {
        kind: 'create',
        zone: 'east-11',
        interfaces: [{ networkId: 'net-COMMON_GLOBAL', isVip: true }],
        listener: {
          ...key(80),
          description: OWNER,
          balancingType: 2,
          healthCheck: { target: 'TCP:30080', intervalSeconds: 10, unhealthyThreshold: 1 },
          stickiness: undefined,
          sorryPage: undefined,
        },
        networkVolumeMbps: 100,
        accountingType: '2',
      },
      { kind: 'register-targets', key: key(80), serverUniqueIds: ['i-0'] },
      { kind: 'register-port', listener: { ...key(443), description: OWNER } },
      {
        kind: 'configure-health-check',
        key: key(443),
        healthCheck: { target: 'TCP:30443', intervalSeconds: 10, unhealthyThreshold: 1 },
      },
      { kind: 'register-targets', key: key(443), serverUniqueIds: ['i-0'] },
    ]);
  });

  it('finishes a port whose making stopped before its check and servers were set (E7 #10)', () => {
    const halfMade = present(80, { targets: [], healthCheck: undefined });
    expect(kinds(planElastic(wanted(port(80)), seen(halfMade)))).to.deep.equal([
      'configure-health-check',
      'register-targets',
    ]);
  });

  it('looks at the servers of each port by itself: one missing on the second port is added there (E7 #7)', () => {
    const plan = planElastic(wanted(port(80), port(443)), seen(present(80), present(443, { targets: [] })));
    expect(plan).to.deep.equal([{ kind: 'register-targets', key: key(443), serverUniqueIds: ['i-0'] }]);
  });

  it('changes a node port in place, with its check after it: the address stays (E7 #8)', () => {
    const plan = planElastic(wanted(port(80, { instancePort: 31000 })), seen(present(80)));
    expect(plan).to.deep.equal([
      { kind: 'modify-listener', key: key(80), change: { instancePort: 31000, description: OWNER } },
      {
        kind: 'configure-health-check',
        key: key(80, 31000),
        healthCheck: { target: 'TCP:31000', intervalSeconds: 10, unhealthyThreshold: 1 },
      },
    ]);
  });

  it('changes the number of a port in one call', () => {
    const plan = planElastic(wanted(port(8080, { instancePort: 30080 })), seen(present(80)));
    expect(plan).to.deep.equal([
      { kind: 'modify-listener', key: key(80), change: { loadBalancerPort: 8080, description: OWNER } },
    ]);
  });

  it('replaces all three ports in place, each as good as new (E7 #8)', () => {
    const plan = planElastic(wanted(port(1), port(2), port(3)), seen(present(4), present(5), present(6)));
    expect(kinds(plan).filter((kind) => kind === 'modify-listener')).to.have.length(3);
    expect(kinds(plan)).to.not.include.members(['delete-listener', 'register-port']);
    expect(plan[0]).to.deep.equal({
      kind: 'modify-listener',
      key: key(4),
      change: { loadBalancerPort: 1, instancePort: 30001, balancingType: 1, stickiness: 'off', description: OWNER },
    });
  });

  it('has TCP and UDP on the same port', () => {
    const udp = port(53, { protocol: 'UDP', healthCheck: check('ICMP') });
    const plan = planElastic(wanted(port(53), udp), seen(present(53)));
    expect(kinds(plan)).to.deep.equal(['register-port', 'configure-health-check', 'register-targets']);
    const both = seen(present(53), present(53, { protocol: 'UDP', healthCheck: { ...DEFAULT_CHECK, target: 'ICMP' } }));
    expect(planElastic(wanted(port(53), udp), both)).to.deep.equal([]);
  });

  it('makes a port HTTPS with its certificate in one call, and changes a certificate by itself', () => {
    const https = port(443, { protocol: 'HTTPS', isProtocolStated: true, certificateId: 'c-2' });
    expect(planElastic(wanted(https), seen(present(443)))).to.deep.equal([
      {
        kind: 'modify-listener',
        key: key(443),
        change: { protocol: 'HTTPS', certificateId: 'c-2', description: OWNER },
      },
    ]);
    const before = present(443, { protocol: 'HTTPS', certificateId: 'c-1', description: OWNER });
    expect(planElastic(wanted({ ...https, balancingType: 1 }), seen(before))).to.deep.equal([
      { kind: 'modify-listener', key: key(443, 30443, 'HTTPS'), change: { balancingType: 1 } },
      { kind: 'modify-listener', key: key(443, 30443, 'HTTPS'), change: { certificateId: 'c-2' } },
    ]);
  });

  it('applies annotations to what exists: balancing, check, stickiness, bandwidth, accounting (E7 #11)', () => {
    const stated = port(80, {
      balancingType: 1,
      healthCheck: check('TCP:30080', { intervalSeconds: 5 }),
      stickiness: { periodMinutes: 60 },
    });
    const plan = planElastic(
      { ...wanted(stated), networkVolumeMbps: 100, nextMonthAccountingType: '2' },
      seen(present(80)),
    );
    expect(plan).to.deep.equal([
      {
        kind: 'configure-health-check',
        key: key(80),
        healthCheck: { target: 'TCP:30080', intervalSeconds: 5, unhealthyThreshold: 4 },
      },
      {
        kind: 'modify-listener',
        key: key(80),
        change: { balancingType: 1, stickiness: { method: 'source-ip', periodMinutes: 60 }, description: OWNER },
      },
      { kind: 'update', change: { networkVolumeMbps: 100, accountingType: '2' } },
    ]);
  });

  it('has cookies and sorry pages on HTTP and HTTPS only', () => {
    const stated = { stickiness: { method: 'cookie' }, sorryPage: { redirectUrl: 'https://example.com' } } as const;
    const bare = { stickiness: undefined, description: OWNER };
    expect(planElastic(wanted(port(80, stated)), seen(present(80, bare)))).to.deep.equal([]);
    expect(planElastic(wanted(port(80, stated)), seen(present(80, { ...bare, protocol: 'HTTP' })))).to.deep.equal([
      {
        kind: 'modify-listener',
        key: key(80, 30080, 'HTTP'),
        change: {
          stickiness: { method: 'cookie', periodMinutes: 5 },
          sorryPage: { redirectUrl: 'https://example.com' },
        },
      },
    ]);
  });

  it('sets path and codes of an HTTP check where it sets its target, and leaves tuned ones', () => {
    const local = port(80, { healthCheck: check('HTTP:32000', { path: '/healthz' }) });
    expect(planElastic(wanted(local), seen(present(80)))).to.deep.equal([
      {
        kind: 'configure-health-check',
        key: key(80),
        healthCheck: {
          target: 'HTTP:32000',
          intervalSeconds: 10,
          unhealthyThreshold: 1,
          path: '/healthz',
          httpCodes: ['2xx', '3xx'],
        },
      },
    ]);
    const tuned = { ...DEFAULT_CHECK, target: 'HTTP:32000', path: '/healthz', httpCodes: ['2xx'], intervalSeconds: 60 };
    expect(planElastic(wanted(local), seen(present(80, { healthCheck: tuned })))).to.deep.equal([]);
    const elsewhere = { ...tuned, path: '/' };
    expect(kinds(planElastic(wanted(local), seen(present(80, { healthCheck: elsewhere }))))).to.deep.equal([
      'configure-health-check',
    ]);
  });

  it('reads a check that nobody knows, and sets it right (E7 #5)', () => {
    const odd = present(80, { healthCheck: { ...DEFAULT_CHECK, target: 'GRPC:?' } });
    expect(kinds(planElastic(wanted(port(80)), seen(odd)))).to.deep.equal(['configure-health-check']);
    const empty = present(80, { healthCheck: { target: 'tcp:30080', intervalSeconds: 0, unhealthyThreshold: 0 } });
    expect(planElastic(wanted(port(80)), seen(empty))).to.deep.equal([]);
    const half = planElastic(
      wanted(port(80, { healthCheck: check('TCP:30080', { intervalSeconds: 7 }) })),
      seen(empty),
    );
    expect(half).to.deep.equal([
      {
        kind: 'configure-health-check',
        key: key(80),
        healthCheck: { target: 'TCP:30080', intervalSeconds: 7, unhealthyThreshold: 1 },
      },
    ]);
  });

  it('never writes an owner for its own sake, nor over what somebody noted', () => {
    expect(planElastic(wanted(port(80)), seen(present(80, { description: '' })))).to.deep.equal([]);
    const noted = present(80, { description: 'do not touch' });
    const [step] = planElastic(wanted(port(80, { balancingType: 1 })), seen(noted));
    expect(step).to.deep.equal({ kind: 'modify-listener', key: key(80), change: { balancingType: 1 } });
  });

  it('deregisters nobody while it is not known who belongs there (E7 #2)', () => {
    expect(planElastic(wanted(port(80, { targets: undefined })), seen(present(80)))).to.deep.equal([]);
  });

  it('keeps a server whose node is there but which the cloud does not list (E7 #19)', () => {
    const targets = [server('i-0'), { serverName: 'name-i-9', serverUniqueId: '', listed: false }];
    const both = present(80, { targets: [...present(80).targets, { serverName: 'name-i-9', serverUniqueId: 'i-9' }] });
    expect(planElastic(wanted(port(80, { targets })), seen(both))).to.deep.equal([]);
    expect(planElastic(wanted(port(80, { targets })), seen(present(80)))).to.deep.equal([]);
  });

  it('takes a server that was renamed for the same, and one that has its old name for another (E7 #20)', () => {
    const renamed = present(80, { targets: [{ serverName: 'old', serverUniqueId: 'i-0' }] });
    expect(planElastic(wanted(port(80)), seen(renamed))).to.deep.equal([]);
    const impostor = present(80, { targets: [{ serverName: 'name-i-0', serverUniqueId: 'i-7' }] });
    expect(planElastic(wanted(port(80)), seen(impostor))).to.deep.equal([
      { kind: 'register-targets', key: key(80), serverUniqueIds: ['i-0'] },
    ]);
  });

  it('names a server once, however many nodes it has', () => {
    const targets = [server('i-1'), server('i-1'), server('i-0')];
    expect(planElastic(wanted(port(80, { targets })), seen(present(80)))).to.deep.equal([
      { kind: 'register-targets', key: key(80), serverUniqueIds: ['i-1'] },
    ]);
  });

  it('deletes a port that is not wanted any more, after the rules that only the port tells to be ours (E7 #12)', () => {
    const goMade = planElastic(wanted(port(80)), seen(present(80), present(443)));
    expect(goMade).to.deep.equal([{ kind: 'delete-listener', key: key(443), rulesFirst: true }]);
    const ours = planElastic(wanted(port(80)), seen(present(80), present(443, { description: OWNER })));
    expect(ours).to.deep.equal([{ kind: 'delete-listener', key: key(443), rulesFirst: false }]);
  });

  it('deletes ours with few calls, the last port after servers and rules (E7 #12, #18)', () => {
    const ours = [80, 443].map((number) => present(number, { description: OWNER }));
    expect(planElastic(undefined, seen(...ours))).to.deep.equal([
      { kind: 'delete-listener', key: key(80), rulesFirst: false },
      { kind: 'deregister-targets', key: key(443), serverUniqueIds: ['i-0'] },
      { kind: 'delete-listener', key: key(443), rulesFirst: true },
    ]);
  });

  it('deletes what the Go program made port by port after servers and rules', () => {
    const plan = planElastic(undefined, seen(present(80), present(443)));
    expect(kinds(plan)).to.deep.equal([
      'deregister-targets',
      'deregister-targets',
      'delete-listener',
      'delete-listener',
    ]);
    expect(planElastic(undefined, undefined)).to.deep.equal([]);
  });

  it('deletes nothing where nothing is wanted to take its place', () => {
    expect(planElastic(wanted(), seen(present(80)))).to.deep.equal([]);
    expect(planElastic(wanted(), undefined)).to.deep.equal([]);
  });
});

const DEFAULT_CHECK = { intervalSeconds: 10, unhealthyThreshold: 1, path: '', httpCodes: [] };

const stated = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined });
const anyPort = (): fc.Arbitrary<number> => fc.constantFrom(53, 80, 443, 8080, 9090);
const anyNodePort = (): fc.Arbitrary<number> => fc.constantFrom(30080, 30443, 31000, 31001);
const slotOf = (one: { protocol: string; loadBalancerPort: number }): string =>
  `${one.protocol === 'UDP' ? 'UDP' : 'TCP'} ${one.loadBalancerPort}`;

const seenListener = (): fc.Arbitrary<Listener> =>
  fc
    .record({
      protocol: fc.constantFrom('TCP', 'TCP', 'UDP', 'HTTP', 'HTTPS'),
      loadBalancerPort: anyPort(),
      instancePort: anyNodePort(),
      balancingType: fc.constantFrom(1, 2),
      description: fc.constantFrom('', OWNER, 'a note'),
      certificateId: fc.constantFrom('c-1', 'c-2'),
      healthCheck: stated(
        fc.record({
          target: fc.constantFrom('ICMP', 'TCP:30080', 'tcp:30443', 'HTTP:32000', 'HTTP:30080'),
          intervalSeconds: fc.constantFrom(5, 10, 42),
          unhealthyThreshold: fc.constantFrom(1, 3),
          path: fc.constantFrom('/', '/healthz'),
          httpCodes: fc.constantFrom(['2xx'], ['2xx', '3xx'], []),
        }),
      ),
      targets: fc
        .subarray(IDS)
        .map((ids) => ids.map((serverUniqueId) => ({ serverName: `name-${serverUniqueId}`, serverUniqueId }))),
      stickiness: stated(
        fc.record({ method: fc.constantFrom('source-ip' as const, 'cookie' as const), periodMinutes: fc.constant(30) }),
      ),
      sorryPage: stated(fc.constant({ redirectUrl: 'https://example.com/tuned' })),
    })
    .map((one) => ({
      ...one,
      certificateId: one.protocol === 'HTTPS' ? one.certificateId : '',
      sorryPage: one.protocol.startsWith('HTTP') ? one.sorryPage : undefined,
      healthCheck:
        one.healthCheck?.target.startsWith('HTTP') === true
          ? one.healthCheck
          : one.healthCheck && { ...one.healthCheck, path: '', httpCodes: [] },
    }));

const seenBalancer = (): fc.Arbitrary<ElasticLoadBalancer> =>
  fc
    .record({
      networkVolumeMbps: fc.constantFrom(10, 100),
      accountingType: fc.constantFrom('1', '2'),
      nextMonthAccountingType: fc.constantFrom('', '1', '2'),
      listeners: fc.uniqueArray(seenListener(), { minLength: 1, maxLength: 3, selector: slotOf }),
    })
    .map((rest) => ({ ...EMPTY, ...rest }));

const wantedListener = (): fc.Arbitrary<WantedElasticListener> =>
  fc
    .record({
      protocol: fc.constantFrom('TCP' as const, 'TCP' as const, 'UDP' as const, 'HTTP' as const, 'HTTPS' as const),
      isStated: fc.boolean(),
      loadBalancerPort: anyPort(),
      instancePort: anyNodePort(),
      balancingType: stated(fc.constantFrom(1, 2)),
      certificateId: fc.constantFrom('c-1', 'c-3'),
      checked: fc.constantFrom('TCP', 'ICMP', 'HTTP', 'local'),
      times: fc.record({
        intervalSeconds: stated(fc.constantFrom(5, 42)),
        unhealthyThreshold: stated(fc.constantFrom(1, 3)),
      }),
      path: stated(fc.constantFrom('/', '/ready')),
      httpCodes: stated(fc.constantFrom(['2xx'], ['4xx', '2xx'])),
      stickiness: stated(
        fc.constantFrom(
          'off' as const,
          { method: 'cookie' as const },
          { periodMinutes: 5 },
          { method: 'source-ip' as const },
        ),
      ),
      sorryPage: stated(fc.constantFrom('off' as const, { redirectUrl: 'https://example.com/stated' })),
    })
    .map(({ isStated, checked, times, path, httpCodes, ...rest }) => {
      const isHttp = checked === 'HTTP';
      const target = {
        TCP: `TCP:${rest.instancePort}`,
        ICMP: 'ICMP',
        HTTP: `HTTP:${rest.instancePort}`,
        local: 'HTTP:32000',
      };
      return {
        ...rest,
        isProtocolStated: ['HTTP', 'HTTPS'].includes(rest.protocol) || (rest.protocol === 'TCP' && isStated),
        description: OWNER,
        certificateId: rest.protocol === 'HTTPS' ? rest.certificateId : undefined,
        healthCheck: check(target[checked], {
          ...times,
          path: checked === 'local' ? '/healthz' : isHttp ? path : undefined,
          httpCodes: isHttp ? httpCodes : undefined,
        }),
        targets: undefined,
      };
    });

const wantedBalancer = (): fc.Arbitrary<WantedElastic> =>
  fc
    .record({
      networkVolumeMbps: stated(fc.constantFrom(10, 100)),
      nextMonthAccountingType: stated(fc.constantFrom('1', '2')),
      listeners: fc.uniqueArray(wantedListener(), { minLength: 1, maxLength: 3, selector: slotOf }),
      targets: stated(
        fc
          .tuple(fc.subarray(IDS, { minLength: 1 }), fc.subarray(IDS))
          .map(([listed, unlisted]) => [
            ...listed.map((id) => server(id)),
            ...unlisted.filter((id) => !listed.includes(id)).map((id) => server(id, false)),
          ]),
      ),
    })
    .map(({ targets, listeners, ...rest }) => ({
      ...wanted(...listeners.map((one) => ({ ...one, targets }))),
      ...rest,
    }));

type Look = (now: ElasticLoadBalancer | undefined, step: ElasticStep) => void;

/** Sends the first step of each plan, as the controller does, until there is none. */
async function reach(cloud: ElasticModel, goal: WantedElastic | undefined, look: Look = () => {}): Promise<void> {
  for (let passes = 0; passes < 30; passes++) {
    const [step] = planElastic(goal, cloud.loadBalancer);
    if (step === undefined) return;
    await applyElastic(cloud, EMPTY, step, NEVER);
    look(cloud.loadBalancer, step);
  }
  throw new Error('the plan does not come to an end');
}

const on = (
  listeners: readonly Listener[] = [],
  one: { protocol: string; loadBalancerPort: number },
): Listener | undefined => listeners.find((other) => slotOf(other) === slotOf(one));

describe('applying the plan for an elastic load balancer', () => {
  const pings = { target: 'ICMP', intervalSeconds: 5, unhealthyThreshold: 1, path: '', httpCodes: [] };
  const cases = fc.tuple(wantedBalancer(), stated(seenBalancer()), stated(fc.constant(pings)));

  it('reaches what is wanted step by step without a refused call, and then plans nothing more', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ([goal, before, newCheck]) => {
        const cloud = new ElasticModel(before, IDS, newCheck);
        await reach(cloud, goal);
        assertReached(goal, before, cloud.loadBalancer);
      }),
      { numRuns: 600 },
    );
  });

  it('is planned ahead: what is announced is what is done', async () => {
    await fc.assert(
      fc.asyncProperty(wantedBalancer(), stated(seenBalancer()), async (goal, before) => {
        const done: ElasticStep[] = [];
        await reach(new ElasticModel(before, IDS), goal, (_, step) => done.push(step));
        const announced = planElastic(goal, before);
        expect(done).to.deep.include.members([...announced]);
        // Old servers go once new ones were seen.
        const unannounced = done.filter((step) => !announced.some((one) => isDeepStrictEqual(one, step)));
        expect(unannounced.every((step) => step.kind === 'deregister-targets')).to.equal(true);
      }),
      { numRuns: 300 },
    );
  });

  it('keeps the address, and at least one server behind every port that has one and stays', async () => {
    await fc.assert(
      fc.asyncProperty(wantedBalancer(), seenBalancer(), async (goal, before) => {
        const staying = before.listeners.filter(
          (one) => one.targets.length > 0 && goal.listeners.some((other) => slotOf(other) === slotOf(one)),
        );
        await reach(new ElasticModel(before, IDS), goal, (now) => {
          expect(now?.vip).to.equal(before.vip);
          expect(now?.listeners.length).to.be.within(1, 3);
          for (const one of staying) expect(on(now?.listeners, one)?.targets, slotOf(one)).to.not.have.length(0);
        });
      }),
      { numRuns: 400 },
    );
  });

  it('changes nothing that is not stated of a port that stays', async () => {
    await fc.assert(
      fc.asyncProperty(wantedBalancer(), seenBalancer(), async (goal, before) => {
        const cloud = new ElasticModel(before, IDS);
        await reach(cloud, goal);
        for (const one of goal.listeners) {
          const then = on(before.listeners, one);
          const now = on(cloud.loadBalancer?.listeners, one);
          if (then === undefined) continue;
          if (!one.isProtocolStated) expect(now?.protocol).to.equal(then.protocol);
          if (one.balancingType === undefined) expect(now?.balancingType).to.equal(then.balancingType);
          if (one.stickiness === undefined) expect(now?.stickiness).to.deep.equal(then.stickiness);
          const isHttp = now?.protocol.startsWith('HTTP') === true;
          if (one.sorryPage === undefined && isHttp) expect(now.sorryPage).to.deep.equal(then.sorryPage);
          if (one.targets === undefined) expect(now?.targets).to.deep.equal(then.targets);
          if (then.description !== '') expect(now?.description).to.equal(then.description);
        }
        if (goal.networkVolumeMbps === undefined) {
          expect(cloud.loadBalancer?.networkVolumeMbps).to.equal(before.networkVolumeMbps);
        }
      }),
      { numRuns: 400 },
    );
  });

  it('takes over any load balancer of the Go program without a change while nothing stated differs', () => {
    fc.assert(
      fc.property(seenBalancer(), (before) => {
        const asStated = before.listeners.map((one) =>
          port(one.loadBalancerPort, {
            protocol: one.protocol === 'UDP' ? 'UDP' : 'TCP',
            instancePort: one.instancePort,
            healthCheck: check(one.healthCheck?.target.toUpperCase() ?? `TCP:${one.instancePort}`),
            targets: one.targets.map((target) => ({ ...target, listed: true })),
          }),
        );
        const listeners = before.listeners.map((one) => ({
          ...one,
          description: '',
          healthCheck: one.healthCheck ?? { ...DEFAULT_CHECK, target: `TCP:${one.instancePort}` },
        }));
        expect(planElastic(wanted(...asStated), { ...before, listeners })).to.deep.equal([]);
      }),
      { numRuns: 300 },
    );
  });

  it('removes a load balancer that shall go: no port without record of its rules, the last one last', async () => {
    await fc.assert(
      fc.asyncProperty(seenBalancer(), async (before) => {
        const cloud = new ElasticModel(before, IDS);
        const closed: string[] = [];
        await reach(cloud, undefined, (now, step) => {
          if (step.kind !== 'delete-listener') return;
          const gone = before.listeners.find((one) => slotOf(one) === slotOf(step.key));
          closed.push(slotOf(step.key));
          if (gone?.description !== OWNER || now === undefined) expect(step.rulesFirst).to.equal(true);
          if (step.rulesFirst) expect(now?.listeners.every((one) => one.targets.length === 0) ?? true).to.equal(true);
        });
        expect(closed).to.have.length(before.listeners.length);
        expect(cloud.loadBalancer).to.equal(undefined);
      }),
      { numRuns: 200 },
    );
  });

  it('does no harm, and reaches the same end, when one step of a plan is refused and the others are sent all the same', async () => {
    await fc.assert(
      fc.asyncProperty(
        wantedBalancer(),
        seenBalancer(),
        fc.integer({ min: 0, max: 6 }),
        async (goal, before, skipped) => {
          const cloud = new ElasticModel(before, IDS);
          const plan = planElastic(goal, before);
          const isAbout = JSON.stringify(plan[skipped] ?? null);
          for (const step of plan.filter((one) => JSON.stringify(one) !== isAbout)) {
            await applyElastic(cloud, EMPTY, step, NEVER).catch(() => {});
            expect(cloud.loadBalancer?.vip).to.equal(before.vip);
          }
          await reach(cloud, goal);
          assertReached(goal, before, cloud.loadBalancer);
        },
      ),
      { numRuns: 300 },
    );
  });
});

/** Says the same as the plan's being empty, in other words. */
function assertReached(
  goal: WantedElastic,
  before: ElasticLoadBalancer | undefined,
  after: ElasticLoadBalancer | undefined,
): void {
  expect(planElastic(goal, after)).to.deep.equal([]);
  if (goal.networkVolumeMbps !== undefined) expect(after?.networkVolumeMbps).to.equal(goal.networkVolumeMbps);
  expect(after?.listeners.map(slotOf)).to.have.members(goal.listeners.map(slotOf));
  for (const one of goal.listeners) {
    const listener = on(after?.listeners, one)!;
    expect(listener.instancePort).to.equal(one.instancePort);
    if (one.isProtocolStated || before === undefined) expect(listener.protocol).to.equal(one.protocol);
    if (one.certificateId !== undefined) expect(listener.certificateId).to.equal(one.certificateId);
    if (one.balancingType !== undefined) expect(listener.balancingType).to.equal(one.balancingType);
    expect(listener.healthCheck?.target.toUpperCase()).to.equal(one.healthCheck.target);
    if (one.healthCheck.path !== undefined) expect(listener.healthCheck?.path).to.equal(one.healthCheck.path);
    if (one.stickiness === 'off') expect(listener.stickiness).to.equal(undefined);
    if (one.targets === undefined) continue;
    const ids = listener.targets.map((target) => target.serverUniqueId);
    const [listed, unlisted] = [true, false].map((is) =>
      one.targets!.filter((target) => target.listed === is).map((target) => target.serverUniqueId),
    );
    expect(ids).to.include.members(listed!);
    expect([...listed!, ...unlisted!]).to.include.members(ids);
  }
}
