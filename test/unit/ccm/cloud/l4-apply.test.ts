import { expect } from 'chai';
import * as fc from 'fast-check';
import { settle, type Settled } from '../../../../ccm/cloud/l4-apply.ts';
import { planL4, type WantedL4, type WantedListener } from '../../../../ccm/cloud/l4-plan.ts';
import { isThrottled, NifcloudError } from '../../../../nifcloud/errors.ts';
import type { L4Filter, L4Listener, L4LoadBalancer } from '../../../../nifcloud/l4-load-balancers.ts';
import { L4Cloud, lostAnswer } from '../l4-cloud.ts';

const NAME = 'b1946ac92492d23';
const NEVER = new AbortController().signal;
const SERVERS = Array.from({ length: 6 }, (_, n) => ({ serverName: `node${n}`, serverUniqueId: `i-${n}` }));
const ENTRIES = Array.from({ length: 45 }, (_, n) => `192.0.2.${n}`);
const OTHER = 'anybody else';

const anyPort = (): fc.Arbitrary<number> => fc.constantFrom(80, 443, 8080, 9090, 9091);
const anyNodePort = (): fc.Arbitrary<number> => fc.constantFrom(30080, 30443, 31000, 31001);
const entries = (): fc.Arbitrary<string[]> =>
  fc.oneof(
    fc.constant<string[]>([]),
    fc.subarray(ENTRIES.slice(0, 4), { minLength: 1 }),
    fc.subarray(ENTRIES, { minLength: 25, maxLength: 30 }),
  );
const stated = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined });

const seenListener = (): fc.Arbitrary<L4Listener> =>
  fc.record({
    loadBalancerPort: anyPort(),
    instancePort: anyNodePort(),
    balancingType: fc.constantFrom(1, 2),
    healthCheck: stated(
      fc.record({
        target: fc.constantFrom('ICMP', 'TCP:30080', 'tcp:30443', 'TCP:1'),
        intervalSeconds: fc.constantFrom(5, 10, 42),
        unhealthyThreshold: fc.constantFrom(1, 3),
      }),
    ),
    targets: fc.subarray(SERVERS),
    filter: fc.record({ type: fc.constantFrom('allow' as const, 'deny' as const), addresses: entries() }),
    stickiness: stated(fc.constant({ periodMinutes: 15 })),
    sorryPage: stated(fc.constant({ statusCode: 200 })),
    certificateId: fc.constantFrom('', 'c-1'),
    sslPolicyId: fc.constant(''),
  });

const seenBalancer = (): fc.Arbitrary<L4LoadBalancer> =>
  fc.record({
    name: fc.constant(NAME),
    vip: fc.constant('203.0.113.99'),
    networkVolumeMbps: fc.constantFrom(10, 100),
    accountingType: fc.constantFrom('1', '2'),
    nextMonthAccountingType: fc.constantFrom('1', '2'),
    policyType: fc.constant('standard'),
    zones: fc.constant(['east-11']),
    createdAt: fc.constant(''),
    listeners: fc.uniqueArray(seenListener(), { minLength: 1, maxLength: 3, selector: (one) => one.loadBalancerPort }),
  });

const wantedListener = (): fc.Arbitrary<Omit<WantedListener, 'targets'>> =>
  fc
    .record({
      loadBalancerPort: anyPort(),
      instancePort: anyNodePort(),
      balancingType: stated(fc.constantFrom(1, 2)),
      icmp: fc.boolean(),
      intervalSeconds: stated(fc.constantFrom(5, 42)),
      unhealthyThreshold: stated(fc.constantFrom(1, 3)),
      stickiness: stated(fc.constantFrom('off' as const, { periodMinutes: undefined }, { periodMinutes: 30 })),
      sorryPage: stated(fc.constantFrom('off' as const, { statusCode: 503 })),
      certificateId: stated(fc.constant('c-2')),
      addresses: entries(),
      // Rarely not known, as when somebody asks for more ranges than a filter holds.
      isFilterKnown: fc.integer({ min: 0, max: 9 }).map((n) => n > 0),
    })
    .map(({ icmp, intervalSeconds, unhealthyThreshold, addresses, isFilterKnown, ...rest }) => ({
      ...rest,
      healthCheck: { target: icmp ? 'ICMP' : `TCP:${rest.instancePort}`, intervalSeconds, unhealthyThreshold },
      filter: isFilterKnown ? { type: 'allow', addresses: addresses.slice(0, 30) } : undefined,
    }));

const wantedBalancer = (): fc.Arbitrary<WantedL4> =>
  fc
    .record({
      networkVolumeMbps: stated(fc.constantFrom(10, 100)),
      nextMonthAccountingType: stated(fc.constantFrom('1', '2')),
      policyType: stated(fc.constantFrom('standard', 'ats')),
      listeners: fc.uniqueArray(wantedListener(), {
        minLength: 1,
        maxLength: 3,
        selector: (one) => one.loadBalancerPort,
      }),
      targets: stated(
        fc
          .tuple(fc.subarray(SERVERS, { minLength: 1 }), fc.subarray(SERVERS))
          .map(([listed, unlisted]) => [
            ...listed.map((one) => ({ ...one, listed: true })),
            ...unlisted.filter((one) => !listed.includes(one)).map((one) => ({ ...one, listed: false })),
          ]),
      ),
    })
    .map(({ targets, listeners, ...rest }) => ({ ...rest, listeners: listeners.map((one) => ({ ...one, targets })) }));

function cloudWith(seen: L4LoadBalancer | undefined, updateKeepsFilter: boolean): L4Cloud {
  const cloud = new L4Cloud({ updateKeepsFilter });
  for (const { serverName, serverUniqueId } of SERVERS) cloud.servers.set(serverName, serverUniqueId);
  if (seen !== undefined) cloud.add(seen);
  return cloud;
}

const reach = (cloud: L4Cloud, wanted: WantedL4 | undefined): Promise<Settled> =>
  settle(cloud, NAME, (seen, refused) => Promise.resolve(planL4(wanted, seen, refused)), NEVER);

const current = (cloud: L4Cloud): L4LoadBalancer | undefined => cloud.balancers.get(NAME);

function admits({ type, addresses }: L4Filter, client: string): boolean {
  return addresses.length === 0 || addresses.includes(client) === (type === 'allow');
}

const on = <T extends { readonly loadBalancerPort: number }>(
  listeners: readonly T[] = [],
  one: L4Listener,
): T | undefined => listeners.find((other) => other.loadBalancerPort === one.loadBalancerPort);

/** Whether a port lets in somebody whom it neither let in before nor shall let in. */
function isExposed(now: L4Listener, before: L4Listener | undefined, wanted: WantedListener | undefined): boolean {
  if (now.targets.length === 0) return false;
  const wasOpened = before !== undefined && (before.targets.length > 0 || before.filter.addresses.length > 0);
  const filters = [wasOpened ? before.filter : undefined, wanted?.filter].filter((one) => one !== undefined);
  return [...ENTRIES, OTHER].some(
    (client) => admits(now.filter, client) && !filters.some((one) => admits(one, client)),
  );
}

describe('applying the plan for an L4 load balancer', () => {
  const cases = fc.tuple(wantedBalancer(), stated(seenBalancer()), fc.boolean());

  it('reaches what is wanted, without a refused call, and then plans nothing more', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ([wanted, seen, keeps]) => {
        const cloud = cloudWith(seen, keeps);
        await reach(cloud, wanted);
        expect(cloud.refusals).to.deep.equal([]);
        expect(planL4(wanted, current(cloud))).to.deep.equal([]);
        assertReached(wanted, seen, current(cloud));
      }),
      { numRuns: 400 },
    );
  });

  it('never lets in anybody who was not let in before and shall not be', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ([wanted, seen, keeps]) => {
        const cloud = cloudWith(seen, keeps);
        cloud.onWrite = () => {
          for (const listener of current(cloud)?.listeners ?? []) {
            const exposed = isExposed(listener, on(seen?.listeners, listener), on(wanted.listeners, listener));
            expect(exposed, `port ${listener.loadBalancerPort}`).to.equal(false);
          }
        };
        await reach(cloud, wanted);
      }),
      { numRuns: 400 },
    );
  });

  it('never lets in anybody more, whatever the cloud refuses', async () => {
    const anyRefused = fc.uniqueArray(fc.nat(25), { maxLength: 12 });
    const actions = fc.subarray(['SetFilterForLoadBalancer', 'ConfigureHealthCheck', 'UpdateLoadBalancer']);
    await fc.assert(
      fc.asyncProperty(cases, anyRefused, actions, async ([wanted, seen, keeps], refused, refusedActions) => {
        const cloud = cloudWith(seen, keeps);
        let calls = 0;
        cloud.refuse = (action) =>
          refused.includes(calls++) || refusedActions.includes(action)
            ? 'Client.Inoperable.LoadBalancer.Odd'
            : undefined;
        cloud.onWrite = () => {
          for (const listener of current(cloud)?.listeners ?? []) {
            const exposed = isExposed(listener, on(seen?.listeners, listener), on(wanted.listeners, listener));
            expect(exposed, `port ${listener.loadBalancerPort}`).to.equal(false);
          }
        };
        await reach(cloud, wanted);
        await reach(cloud, wanted);
      }),
      { numRuns: 600 },
    );
  });

  it('keeps the load balancer and its address at every step', async () => {
    await fc.assert(
      fc.asyncProperty(wantedBalancer(), seenBalancer(), fc.boolean(), async (wanted, seen, keeps) => {
        const cloud = cloudWith(seen, keeps);
        cloud.onWrite = () => expect(current(cloud)?.vip).to.equal(seen.vip);
        await reach(cloud, wanted);
      }),
      { numRuns: 200 },
    );
  });

  it('keeps at least one server behind a port that stays as it is', async () => {
    await fc.assert(
      fc.asyncProperty(wantedBalancer(), seenBalancer(), fc.boolean(), async (wanted, seen, keeps) => {
        const cloud = cloudWith(seen, keeps);
        const staying = seen.listeners.filter((one) => {
          const then = on(wanted.listeners, one);
          const isMoved =
            then?.instancePort !== one.instancePort || (then.balancingType ?? one.balancingType) !== one.balancingType;
          return one.targets.length > 0 && !isMoved;
        });
        cloud.onWrite = () => {
          for (const one of staying) expect(on(current(cloud)?.listeners, one)?.targets).to.not.have.length(0);
        };
        await reach(cloud, wanted);
      }),
      { numRuns: 200 },
    );
  });

  it('reaches the same end after any answer was lost, before or after its effect (E7 #23)', async () => {
    await fc.assert(
      fc.asyncProperty(cases, fc.nat(40), async ([wanted, seen, keeps], at) => {
        const cloud = cloudWith(seen, keeps);
        let moments = 0;
        cloud.interrupt = (_, action) => {
          if (moments++ === at) throw lostAnswer(action);
        };
        await reach(cloud, wanted);
        expect(planL4(wanted, current(cloud))).to.deep.equal([]);
        assertReached(wanted, seen, current(cloud));
      }),
      { numRuns: 300 },
    );
  });

  it('removes a load balancer that shall go, down to its last port', async () => {
    await fc.assert(
      fc.asyncProperty(seenBalancer(), async (seen) => {
        const cloud = cloudWith(seen, true);
        await reach(cloud, undefined);
        expect(current(cloud)).to.equal(undefined);
      }),
      { numRuns: 30 },
    );
  });
});

/** Says the same as the plan's being empty, in other words. */
function assertReached(wanted: WantedL4, before: L4LoadBalancer | undefined, after: L4LoadBalancer | undefined): void {
  const reachable = wanted.listeners.filter((one) => one.filter !== undefined);
  if (before === undefined && reachable.length === 0) {
    expect(after).to.equal(undefined);
    return;
  }
  const { networkVolumeMbps, nextMonthAccountingType } = wanted;
  if (networkVolumeMbps !== undefined) expect(after?.networkVolumeMbps).to.equal(networkVolumeMbps);
  if (nextMonthAccountingType !== undefined) expect(after?.nextMonthAccountingType).to.equal(nextMonthAccountingType);
  if (reachable.length === wanted.listeners.length) expect(after?.listeners).to.have.length(reachable.length);
  for (const one of reachable) {
    const listener = after?.listeners.find((other) => other.loadBalancerPort === one.loadBalancerPort);
    expect(listener?.instancePort).to.equal(one.instancePort);
    if (one.balancingType !== undefined) expect(listener?.balancingType).to.equal(one.balancingType);
    expect(listener?.filter.type).to.equal('allow');
    expect(listener?.filter.addresses).to.have.members([...(one.filter?.addresses ?? [])]);
    expect(listener?.healthCheck?.target.toUpperCase()).to.equal(one.healthCheck.target);
    const { stickiness, sorryPage, certificateId } = one;
    if (stickiness !== undefined) expect(listener?.stickiness === undefined).to.equal(stickiness === 'off');
    if (sorryPage !== undefined) expect(listener?.sorryPage).to.deep.equal(sorryPage === 'off' ? undefined : sorryPage);
    if (certificateId !== undefined) expect(listener?.certificateId).to.equal(certificateId);
    if (one.targets === undefined) continue;
    const names = listener?.targets.map((target) => target.serverName) ?? [];
    const [listed, unlisted] = [true, false].map((is) =>
      one.targets!.filter((target) => target.listed === is).map((target) => target.serverName),
    );
    expect(names).to.include.members(listed!);
    expect([...listed!, ...unlisted!]).to.include.members(names);
  }
}

const REST = { networkVolumeMbps: undefined, nextMonthAccountingType: undefined, policyType: undefined };

const simplePort = (loadBalancerPort: number, servers: readonly number[] = [0]): WantedListener => ({
  loadBalancerPort,
  instancePort: 30000 + loadBalancerPort,
  balancingType: undefined,
  healthCheck: { target: 'ICMP', intervalSeconds: undefined, unhealthyThreshold: undefined },
  targets: servers.map((n) => ({ ...SERVERS[n]!, listed: true })),
  filter: { type: 'allow', addresses: ['192.0.2.1'] },
});

const simple = (...listeners: WantedListener[]): WantedL4 => ({ ...REST, listeners });

const refusal = (action: string, code: string): NifcloudError =>
  new NifcloudError({ action, code, detail: '', outcome: 'refused' });

const serversOn = (cloud: L4Cloud, port: number): string[] | undefined =>
  current(cloud)
    ?.listeners.find((one) => one.loadBalancerPort === port)
    ?.targets.map((one) => one.serverName);

describe('the loop over an L4 load balancer', () => {
  it('replaces all three ports without ever deleting the last one (E7 #8)', async () => {
    const cloud = cloudWith(undefined, true);
    await reach(cloud, simple(simplePort(80), simplePort(81), simplePort(82)));
    const vip = current(cloud)?.vip;
    await reach(cloud, simple(simplePort(90), simplePort(91), simplePort(92)));
    expect(current(cloud)?.vip).to.equal(vip);
    expect(current(cloud)?.listeners.map((one) => one.loadBalancerPort)).to.have.members([90, 91, 92]);
  });

  it('deletes no old port for a new one that the cloud refuses, beyond the one that makes room', async () => {
    const cloud = cloudWith(undefined, true);
    await reach(cloud, simple(simplePort(80), simplePort(81), simplePort(82)));
    cloud.refuse = (action) => (action.startsWith('RegisterPort') ? 'Client.Inoperable.LoadBalancer.Odd' : undefined);
    for (let run = 0; run < 3; run++) await reach(cloud, simple(simplePort(90), simplePort(91), simplePort(92)));
    expect(current(cloud)?.listeners).to.have.length(2);
  });

  it('closes a port that nobody wants any more although the cloud refuses a new one', async () => {
    const cloud = cloudWith(undefined, true);
    await reach(cloud, simple(simplePort(80), simplePort(81)));
    cloud.refuse = (action) => (action.startsWith('RegisterPort') ? 'Client.Inoperable.LoadBalancer.Odd' : undefined);
    await reach(cloud, simple(simplePort(80), simplePort(90)));
    expect(current(cloud)?.listeners.map((one) => one.loadBalancerPort)).to.deep.equal([80]);
  });

  it('registers the other servers although the cloud objects to one', async () => {
    const cloud = cloudWith(undefined, true);
    cloud.servers.delete('node1');
    const { refusals } = await reach(cloud, simple(simplePort(80, [0, 1, 2]), simplePort(81, [0])));
    expect(serversOn(cloud, 80)).to.deep.equal(['node0', 'node2']);
    expect(serversOn(cloud, 81)).to.deep.equal(['node0']);
    expect(refusals.map((error) => (error as NifcloudError).code)).to.deep.equal([
      'Client.InvalidParameterNotFound.Instance',
    ]);
  });

  it('puts no server behind a port whose filter could not be set, and goes on with the others (E7 #3)', async () => {
    const cloud = cloudWith(undefined, true);
    let filters = 0;
    cloud.refuse = (action) =>
      action === 'SetFilterForLoadBalancer' && filters++ === 0 ? 'Client.InvalidParameterIllegalInput.Odd' : undefined;
    await reach(cloud, simple(simplePort(80)));
    expect(serversOn(cloud, 80)).to.deep.equal([]);
    await reach(cloud, simple(simplePort(80), simplePort(81)));
    expect(serversOn(cloud, 80)).to.deep.equal(['node0']);
  });

  for (const [when, given] of [
    ['whose servers were there', simple(simplePort(80))],
    ['whose servers were taken off before', simple({ ...simplePort(80), targets: undefined })],
  ] as const) {
    it(`goes on serving a port ${when} although the cloud refuses another balancing`, async () => {
      const cloud = cloudWith(undefined, true);
      await reach(cloud, given);
      cloud.refuse = (action) => (action === 'UpdateLoadBalancer' ? 'Client.Inoperable.LoadBalancer.Odd' : undefined);
      for (let run = 0; run < 2; run++) {
        const { refusals } = await reach(cloud, simple({ ...simplePort(80), balancingType: 2 }));
        expect(serversOn(cloud, 80)).to.deep.equal(['node0']);
        expect(refusals).to.have.length(1);
      }
    });
  }

  it('leaves a port shut whose node port is no longer its own although the cloud refuses the new one', async () => {
    const cloud = cloudWith(undefined, true);
    await reach(cloud, simple(simplePort(80)));
    cloud.refuse = (action) => (action === 'UpdateLoadBalancer' ? 'Client.Inoperable.LoadBalancer.Odd' : undefined);
    await reach(cloud, simple({ ...simplePort(80), instancePort: 31000 }));
    expect(serversOn(cloud, 80)).to.deep.equal([]);
  });

  for (const refusedAction of ['UpdateLoadBalancer', 'DeregisterInstancesFromLoadBalancer']) {
    it(`makes new ports and changes the bandwidth although another node port is refused: ${refusedAction}`, async () => {
      const cloud = cloudWith(undefined, true);
      await reach(cloud, simple(simplePort(80, [0, 1])));
      const { deregisterTargets } = cloud;
      cloud.updateListener = () => Promise.reject(refusal('UpdateLoadBalancer', 'Client.Inoperable.LoadBalancer.Odd'));
      cloud.deregisterTargets = (key, names, signal) =>
        refusedAction === 'UpdateLoadBalancer' || !names.includes('node0')
          ? deregisterTargets(key, names, signal)
          : Promise.reject(refusal(refusedAction, 'Client.InvalidParameterNotFound.Instance'));
      for (let run = 0; run < 2; run++) {
        const listeners = [{ ...simplePort(80), instancePort: 31000 }, simplePort(443)];
        const { refusals } = await reach(cloud, { ...simple(...listeners), networkVolumeMbps: 200 });
        expect([serversOn(cloud, 443), current(cloud)?.networkVolumeMbps]).to.deep.equal([['node0'], 200]);
        expect(refusals.map((error) => (error as NifcloudError).action)).to.deep.equal([refusedAction]);
      }
    });
  }

  it('takes no server off for another balancing that is not going to be, since one of them can not be taken off', async () => {
    const cloud = cloudWith(undefined, true);
    await reach(cloud, simple(simplePort(80, [0, 1])));
    cloud.refuse = (action, names) =>
      action.startsWith('Deregister') && names.includes('node1')
        ? 'Client.InvalidParameterNotFound.Instance'
        : undefined;
    cloud.writes.length = 0;
    const moved = { ...simplePort(80, [0, 1, 2]), balancingType: 2 };
    await reach(cloud, simple(moved));
    expect(cloud.writes).to.deep.equal(['RegisterInstancesWithLoadBalancer']);
    expect(serversOn(cloud, 80)).to.deep.equal(['node0', 'node1', 'node2']);
  });

  for (const refusedAction of ['SetFilterForLoadBalancer', 'ConfigureHealthCheck']) {
    it(`follows the nodes of a port that serves although the cloud refuses what else is stated: ${refusedAction}`, async () => {
      const cloud = cloudWith(undefined, true);
      await reach(cloud, simple(simplePort(80, [0, 1])));
      cloud.refuse = (action) => (action === refusedAction ? 'Client.InvalidParameterIllegalInput.Odd' : undefined);
      const { healthCheck } = simplePort(80);
      const odd = {
        healthCheck: { ...healthCheck, intervalSeconds: 7 },
        filter: { type: 'allow', addresses: ['192.0.2.1', '10.0.0.0/8'] },
      } as const;
      for (const servers of [
        [1, 2],
        [3, 4],
      ]) {
        const { refusals } = await reach(cloud, simple({ ...simplePort(80, servers), ...odd }));
        expect(serversOn(cloud, 80)).to.deep.equal(servers.map((n) => `node${n}`));
        expect(refusals.map((error) => (error as NifcloudError).action)).to.deep.equal([refusedAction]);
      }
    });
  }

  it('puts no more servers behind a port that lets in everybody although it shall not, and lets those go whose nodes went', async () => {
    const cloud = cloudWith(undefined, true);
    const open = { ...simplePort(80, [0, 1]), filter: { type: 'allow', addresses: [] } } as const;
    await reach(cloud, simple(open));
    cloud.refuse = (action) => (action.startsWith('SetFilter') ? 'Client.InvalidParameterIllegalInput.Odd' : undefined);
    await reach(cloud, simple(simplePort(80, [1, 2])));
    expect(serversOn(cloud, 80)).to.deep.equal(['node1']);
    await reach(cloud, simple(simplePort(80, [2, 3])));
    expect(serversOn(cloud, 80)).to.deep.equal(['node1']);
  });

  it('lets all servers go that can, although one can not be taken off', async () => {
    const cloud = cloudWith(undefined, true);
    await reach(cloud, simple(simplePort(80, [0, 1, 2])));
    cloud.refuse = (action, names) =>
      action.startsWith('Deregister') && names.includes('node0')
        ? 'Client.InvalidParameterNotFound.Instance'
        : undefined;
    await reach(cloud, simple({ ...simplePort(80, [2]), stickiness: { periodMinutes: 30 } }));
    expect(serversOn(cloud, 80)).to.deep.equal(['node0', 'node2']);
    expect(current(cloud)?.listeners[0]?.stickiness).to.deep.equal({ periodMinutes: 30 });
  });

  it('sends nothing twice that the cloud accepted but does not show', async () => {
    const cloud = cloudWith(undefined, true);
    await reach(cloud, simple(simplePort(80)));
    const asItWas = await cloud.list();
    cloud.list = () => Promise.resolve(asItWas);
    cloud.writes.length = 0;
    const error = await reach(cloud, { ...simple(simplePort(80)), networkVolumeMbps: 100 }).catch(
      (thrown: unknown) => thrown,
    );
    expect(String(error)).to.match(/does not show .* update/);
    expect(cloud.writes).to.deep.equal(['UpdateLoadBalancer']);
  });

  it('stops at once where no call would succeed', async () => {
    const cloud = cloudWith(undefined, true);
    let calls = 0;
    cloud.interrupt = (_, action) => {
      calls += 1;
      throw new NifcloudError({ action, code: 'Client.RequestLimitExceeded', detail: '', outcome: 'refused' });
    };
    const error = await reach(cloud, simple(simplePort(80))).catch((thrown: unknown) => thrown);
    expect(isThrottled(error)).to.equal(true);
    expect(calls).to.equal(1);
  });

  it('gives up for now when every answer is lost, having looked before each call', async () => {
    const cloud = cloudWith(undefined, true);
    let calls = 0;
    cloud.interrupt = (_, action) => {
      calls += 1;
      throw lostAnswer(action);
    };
    const error = await reach(cloud, simple(simplePort(80))).catch((thrown: unknown) => thrown);
    expect(error)
      .to.be.instanceOf(Error)
      .with.property('message')
      .that.matches(/still not as wanted after 10 looks/);
    expect([calls, cloud.lists]).to.deep.equal([10, 10]);
  });
});
