import { expect } from 'chai';
import { planL4, sameServerIn, type Step, type WantedL4, type WantedListener } from '../../../../ccm/cloud/l4-plan.ts';
import type { L4Filter, L4Listener, L4LoadBalancer } from '../../../../nifcloud/l4-load-balancers.ts';

const targets = [{ serverName: 'node0', serverUniqueId: 'i-0', listed: true }];
const wantedPort = (loadBalancerPort: number, instancePort: number, addresses: string[] = []): WantedListener => ({
  loadBalancerPort,
  instancePort,
  balancingType: undefined,
  healthCheck: { target: `TCP:${instancePort}`, intervalSeconds: undefined, unhealthyThreshold: undefined },
  targets,
  filter: { type: 'allow', addresses },
});
const wanted = (...listeners: WantedListener[]): WantedL4 => ({
  networkVolumeMbps: undefined,
  nextMonthAccountingType: undefined,
  policyType: undefined,
  listeners,
});
const seenPort = (loadBalancerPort: number, instancePort: number, rest: Partial<L4Listener> = {}): L4Listener => ({
  loadBalancerPort,
  instancePort,
  balancingType: 2,
  healthCheck: { target: `TCP:${instancePort}`, intervalSeconds: 30, unhealthyThreshold: 4 },
  targets: [{ serverName: 'node0', serverUniqueId: 'i-0' }],
  filter: { type: 'allow', addresses: [] },
  stickiness: undefined,
  sorryPage: undefined,
  certificateId: '',
  sslPolicyId: '',
  ...rest,
});
const seen = (...listeners: L4Listener[]): L4LoadBalancer => ({
  name: 'b1946ac92492d23',
  vip: '203.0.113.1',
  networkVolumeMbps: 400,
  accountingType: '1',
  nextMonthAccountingType: '2',
  policyType: 'ats',
  zones: [],
  createdAt: '',
  listeners,
});
const kinds = (steps: readonly Step[]): string[] => steps.map((step) => step.kind);

describe('a server among others', () => {
  it('is known by its unique id where both sides know it, else by its name', () => {
    const servers = ['', 'i-0', 'i-1'].flatMap((serverUniqueId) =>
      ['node0', 'node1'].map((serverName) => ({ serverName, serverUniqueId })),
    );
    for (const one of servers) {
      for (const other of servers) {
        const knowBoth = one.serverUniqueId !== '' && other.serverUniqueId !== '';
        const isSame = knowBoth ? one.serverUniqueId === other.serverUniqueId : one.serverName === other.serverName;
        expect(sameServerIn([other])(one), JSON.stringify([one, other])).to.equal(isSame);
        for (const third of servers) {
          const isAmong = isSame || sameServerIn([third])(one);
          expect(sameServerIn([other, third])(one), JSON.stringify([one, other, third])).to.equal(isAmong);
        }
      }
    }
  });
});

describe('the plan for an L4 load balancer', () => {
  it('leaves bandwidth, accounting, balancing and check times that somebody tuned by hand', () => {
    expect(planL4(wanted(wantedPort(80, 30080)), seen(seenPort(80, 30080)))).to.deep.equal([]);
  });

  it('compares accounting with what holds from next month on, so that it is not changed every day of the month', () => {
    const one = wanted(wantedPort(80, 30080));
    const present = seen(seenPort(80, 30080));
    expect(planL4({ ...one, nextMonthAccountingType: '2' }, present)).to.deep.equal([]);
    expect(planL4({ ...one, nextMonthAccountingType: '1' }, present)).to.deep.equal([
      { kind: 'update', change: { accountingType: '1' } },
      { kind: 'observe-again' },
    ]);
  });

  it('finishes a half-made port with filter, then check with default times, then servers (E7 #3, #10)', () => {
    const halfMade = seenPort(80, 30080, {
      targets: [],
      healthCheck: { target: 'ICMP', intervalSeconds: 5, unhealthyThreshold: 9 },
    });
    const ports = { loadBalancerPort: 80, instancePort: 30080 };
    expect(planL4(wanted(wantedPort(80, 30080, ['192.0.2.1'])), seen(halfMade))).to.deep.equal([
      { kind: 'set-filter', ports, type: 'allow', add: ['192.0.2.1'], remove: [] },
      {
        kind: 'configure-health-check',
        ports,
        healthCheck: { target: 'TCP:30080', intervalSeconds: 10, unhealthyThreshold: 1 },
      },
      { kind: 'register-targets', ports, serverNames: ['node0'] },
    ]);
  });

  it('looks at the servers of each port by itself: one missing on the second port is added there (E7 #7)', () => {
    const plan = planL4(
      wanted(wantedPort(80, 30080), wantedPort(443, 30443)),
      seen(seenPort(80, 30080), seenPort(443, 30443, { targets: [] })),
    );
    const ports = { loadBalancerPort: 443, instancePort: 30443 };
    expect(plan).to.deep.equal([{ kind: 'register-targets', ports, serverNames: ['node0'] }]);
  });

  it('changes a node port in place, so that the cloud does not call the port taken for ever (E7 #8)', () => {
    expect(planL4(wanted(wantedPort(80, 31000)), seen(seenPort(80, 30080)))).to.deep.equal([
      {
        kind: 'update-listener',
        ports: { loadBalancerPort: 80, instancePort: 30080 },
        change: { instancePort: 31000 },
      },
      { kind: 'observe-again' },
    ]);
  });

  it('takes the servers off a filtered port before changing it, since the cloud may drop the filter', () => {
    const filter: L4Filter = { type: 'allow', addresses: ['192.0.2.1'] };
    const plan = planL4(wanted(wantedPort(80, 31000, ['192.0.2.1'])), seen(seenPort(80, 30080, { filter })));
    expect(kinds(plan)).to.deep.equal(['deregister-targets', 'update-listener', 'observe-again']);
  });

  it('turns a deny list into an allow list in one call: the denied are not let in alone (E7 #13)', () => {
    const denying = seenPort(80, 30080, { filter: { type: 'deny', addresses: ['192.0.2.1', '192.0.2.2'] } });
    expect(planL4(wanted(wantedPort(80, 30080, ['192.0.2.2', '192.0.2.3'])), seen(denying))).to.deep.equal([
      {
        kind: 'set-filter',
        ports: { loadBalancerPort: 80, instancePort: 30080 },
        type: 'allow',
        add: ['192.0.2.3'],
        remove: ['192.0.2.1'],
      },
    ]);
  });

  it('does not take a deny list with the same addresses for the same filter (E7 #13)', () => {
    const denying = seenPort(80, 30080, { filter: { type: 'deny', addresses: ['192.0.2.1'] } });
    expect(kinds(planL4(wanted(wantedPort(80, 30080, ['192.0.2.1'])), seen(denying)))).to.deep.equal(['set-filter']);
  });

  it('deregisters nobody while it is not known who belongs there (E7 #2)', () => {
    const unknown = { ...wantedPort(80, 30080), targets: undefined };
    expect(planL4(wanted(unknown), seen(seenPort(80, 30080)))).to.deep.equal([]);
  });

  it('keeps a server whose node is there but which the cloud does not list', () => {
    const unlisted = { serverName: 'node9', serverUniqueId: '', listed: false };
    const both = { ...wantedPort(80, 30080), targets: [...targets, unlisted] };
    const present = [
      { serverName: 'node0', serverUniqueId: 'i-0' },
      { serverName: 'node9', serverUniqueId: 'i-9' },
    ];
    expect(planL4(wanted(both), seen(seenPort(80, 30080, { targets: present })))).to.deep.equal([]);
  });

  it('takes a server that was renamed for the same, and one that has its old name for another (E7 #20)', () => {
    const renamed = [{ serverName: 'oldname', serverUniqueId: 'i-0' }];
    expect(planL4(wanted(wantedPort(80, 30080)), seen(seenPort(80, 30080, { targets: renamed })))).to.deep.equal([]);
    const impostor = [{ serverName: 'node0', serverUniqueId: 'i-7' }];
    const plan = planL4(wanted(wantedPort(80, 30080)), seen(seenPort(80, 30080, { targets: impostor })));
    expect(kinds(plan)).to.deep.equal(['register-targets', 'observe-again']);
  });

  it('leaves a port as it is whose filter cannot be known, but for its servers', () => {
    const unknown = { ...wantedPort(80, 31000), filter: undefined };
    const filter: L4Filter = { type: 'allow', addresses: ['192.0.2.1'] };
    const present = seen(seenPort(80, 31000, { filter, targets: [], balancingType: 1 }));
    expect(kinds(planL4(wanted({ ...unknown, balancingType: 2 }), present))).to.deep.equal(['register-targets']);
  });

  it("follows the node port of a port whose filter cannot be known: the old one may be another Service's by now", () => {
    const unknown = { ...wantedPort(80, 31000), filter: undefined };
    const filter: L4Filter = { type: 'allow', addresses: ['192.0.2.1'] };
    const plan = planL4(wanted(unknown), seen(seenPort(80, 30080, { filter })));
    expect(kinds(plan)).to.deep.equal(['deregister-targets', 'update-listener', 'observe-again']);
    // If the cloud dropped the filter, the port stays shut.
    expect(planL4(wanted(unknown), seen(seenPort(80, 31000, { targets: [] })))).to.deep.equal([]);
  });

  it('neither makes nor fills a port whose filter cannot be known', () => {
    const unknown = { ...wantedPort(80, 30080), filter: undefined };
    expect(planL4(wanted(unknown), undefined)).to.deep.equal([]);
    expect(planL4(wanted(unknown), seen(seenPort(80, 30080, { targets: [] })))).to.deep.equal([]);
    expect(planL4(wanted(unknown), seen(seenPort(443, 30443)))).to.deep.equal([]);
  });

  it('replaces thirty ranges by thirty others through lists that are neither empty nor too long', () => {
    const [before, after] = ['192.0.2', '198.51.100'].map((net) => Array.from({ length: 30 }, (_, n) => `${net}.${n}`));
    const filter: L4Filter = { type: 'allow', addresses: before! };
    const list = new Set(filter.addresses);
    const steps = planL4(wanted(wantedPort(80, 30080, after)), seen(seenPort(80, 30080, { filter })));
    for (const step of steps) {
      if (step.kind !== 'set-filter') throw new Error(`no ${step.kind} was to be done`);
      for (const one of step.remove) list.delete(one);
      for (const one of step.add) list.add(one);
      expect(list.size).to.be.within(1, 30);
    }
    expect([...list]).to.have.members(after!);
    expect(steps).to.have.length(4);
  });

  const ports = { loadBalancerPort: 80, instancePort: 30080 };

  it('leaves stickiness, sorry page and certificate that somebody set by hand', () => {
    const tuned = seenPort(80, 30080, {
      stickiness: { periodMinutes: 15 },
      sorryPage: { statusCode: 200 },
      certificateId: 'c-9',
    });
    expect(planL4(wanted(wantedPort(80, 30080)), seen(tuned))).to.deep.equal([]);
  });

  it('sets what is stated of them in two calls, after what the port needs to serve', () => {
    const stated = { stickiness: { periodMinutes: undefined }, sorryPage: { statusCode: 503 }, certificateId: 'c-1' };
    expect(
      planL4(wanted({ ...wantedPort(80, 30080), ...stated }), seen(seenPort(80, 30080, { targets: [] }))),
    ).to.deep.equal([
      { kind: 'register-targets', ports, serverNames: ['node0'] },
      { kind: 'set-options', ports, change: { stickiness: { periodMinutes: 5 }, sorryPage: { statusCode: 503 } } },
      { kind: 'set-certificate', ports, certificateId: 'c-1' },
    ]);
    expect(kinds(planL4(wanted({ ...wantedPort(80, 30080), ...stated }), undefined)).slice(-2)).to.deep.equal([
      'set-options',
      'set-certificate',
    ]);
  });

  it('keeps the time that somebody chose for stickiness that is stated without one', () => {
    const present = seenPort(80, 30080, { stickiness: { periodMinutes: 15 } });
    const sticky = { ...wantedPort(80, 30080), stickiness: { periodMinutes: undefined } };
    expect(planL4(wanted(sticky), seen(present))).to.deep.equal([]);
  });

  it('switches off what is stated to be off, once', () => {
    const off = { ...wantedPort(80, 30080), stickiness: 'off', sorryPage: 'off' } as const;
    const present = seenPort(80, 30080, { stickiness: { periodMinutes: 15 } });
    expect(planL4(wanted(off), seen(present))).to.deep.equal([
      { kind: 'set-options', ports, change: { stickiness: 'off' } },
    ]);
    expect(planL4(wanted(off), seen(seenPort(80, 30080)))).to.deep.equal([]);
  });
});
