import { expect } from 'chai';
import * as fc from 'fast-check';
import { ownedBy, ruleDescription } from '../../../../ccm/cloud/firewall-owner.ts';
import { planFirewall, wantedRules } from '../../../../ccm/cloud/firewall-plan.ts';
import { standIn, type FirewalledElastic } from '../../../../ccm/cloud/firewall-rules.ts';
import { isSameRule, type FirewallRule } from '../../../../nifcloud/firewall-groups.ts';
import {
  aGroup,
  aListener,
  anyGroups,
  anyLoadBalancers,
  anyRule,
  anyServers,
  aServer,
  aTarget,
  CLUSTER,
  Firewall,
  oneArm,
  packetsOf,
  twoArm,
  type Seen,
} from './firewall-world.ts';

const description = ruleDescription(CLUSTER, 'lb0');
const tcp = (cidr: string, fromPort: number): FirewallRule => ({
  direction: 'in',
  protocol: 'TCP',
  fromPort,
  cidr,
  description,
});
const icmp = (cidr: string): FirewallRule => ({ direction: 'in', protocol: 'ICMP', cidr, description });
/** As somebody else makes it. */
const byHand = (rule: FirewallRule, text = ''): FirewallRule => ({ ...rule, description: text });
const inWords = ({ protocol, fromPort, cidr = '' }: FirewallRule): string => `${protocol} ${fromPort ?? ''} ${cidr}`;

/** The rules of group `left`, where server `a` is. */
function rulesFor(loadBalancer: FirewalledElastic): readonly string[] {
  const facts = { cluster: CLUSTER, groups: [aGroup('left')], servers: [aServer('a', 'left')] };
  return wantedRules({ ...facts, loadBalancers: [loadBalancer] })
    .get('left')!
    .map(inWords);
}

const withTargets = (seen: Seen, keeps: (server: string) => boolean): Seen => {
  const { loadBalancer } = seen;
  const listeners = loadBalancer.listeners.map((one) => ({
    ...one,
    targets: one.targets!.filter(({ serverName }) => keeps(serverName)),
  }));
  return { ...seen, loadBalancer: { ...loadBalancer, listeners } };
};

describe('the firewall rules of a load balancer', () => {
  it('with one interface let the VIP send, and the system addresses check too', () => {
    const { loadBalancer } = oneArm(0, [aListener(30080, { healthCheck: { target: 'HTTP:32000' } })]);
    expect(rulesFor(loadBalancer)).to.deep.equal([
      'TCP 30080 10.0.0.1',
      'TCP 32000 10.0.0.1',
      'TCP 32000 10.0.0.2',
      'TCP 32000 10.0.0.3',
    ]);
  });

  it('with one interface need nothing but the VIP to be known', () => {
    const { loadBalancer } = oneArm(0, [aListener(30080)]);
    const interfaces = loadBalancer.interfaces.map((one) => ({ ...one, address: '', systemAddresses: [] }));
    expect(rulesFor({ ...loadBalancer, interfaces })).to.deep.equal(['TCP 30080 10.0.0.1']);
    expect(rulesFor({ ...loadBalancer, interfaces: [] })).to.deep.equal(['TCP 30080 10.0.0.1']);
  });

  it('with two interfaces are about the side that is not the VIP, with the port of the data even for ICMP (E7 #6)', () => {
    const { loadBalancer } = twoArm(0, [aListener(30080, { healthCheck: { target: 'ICMP' } })]);
    const expected = ['TCP 30080 10.1.0.1', 'ICMP  10.1.0.1', 'ICMP  10.1.0.2', 'ICMP  10.1.0.3'];
    expect(rulesFor(loadBalancer)).to.deep.equal(expected);
    const turned = { ...loadBalancer, interfaces: loadBalancer.interfaces.toReversed() };
    expect(rulesFor(turned), 'in the other order').to.deep.equal(expected);
    const unmarked = { ...loadBalancer, interfaces: loadBalancer.interfaces.map((one) => ({ ...one, isVip: false })) };
    expect(rulesFor(unmarked), 'with no side marked').to.deep.equal(expected);
  });

  it('let the system addresses send where the cloud names no other, and nobody before there is an address', () => {
    const { loadBalancer } = twoArm(0, [aListener(30080, { healthCheck: undefined })]);
    const interfaces = loadBalancer.interfaces.map((one) => (one.isVip ? one : { ...one, address: '' }));
    expect(rulesFor({ ...loadBalancer, interfaces })).to.deep.equal(['TCP 30080 10.1.0.2', 'TCP 30080 10.1.0.3']);
    expect(rulesFor({ ...loadBalancer, vip: '', interfaces: [] })).to.deep.equal([]);
  });

  it('speak the language of servers: HTTP and HTTPS are TCP, UDP is UDP', () => {
    const protocols = { HTTP: 'TCP', HTTPS: 'TCP', TCP: 'TCP', UDP: 'UDP' };
    for (const [protocol, expected] of Object.entries(protocols)) {
      const { loadBalancer } = oneArm(0, [aListener(30080, { protocol, healthCheck: undefined })]);
      expect(rulesFor(loadBalancer)).to.deep.equal([`${expected} 30080 10.0.0.1`]);
    }
  });

  it('are there even if the check can not be read (E7 #5)', () => {
    const { loadBalancer } = oneArm(0, [aListener(30080, { healthCheck: { target: 'SSH:22' } })]);
    expect(rulesFor(loadBalancer)).to.deep.equal(['TCP 30080 10.0.0.1']);
  });

  it('come once where listeners share them (E7 #15)', () => {
    const healthCheck = { target: 'ICMP' };
    const both = [aListener(30080, { healthCheck }), aListener(30081, { healthCheck })];
    const pings = rulesFor(oneArm(0, both).loadBalancer).filter((rule) => rule.startsWith('ICMP'));
    expect(pings).to.deep.equal(['ICMP  10.0.0.1', 'ICMP  10.0.0.2', 'ICMP  10.0.0.3']);
  });

  it('follow servers by unique id, and by what either the server or the group says', () => {
    const { loadBalancer } = oneArm(0, [
      aListener(30080, { healthCheck: undefined, targets: [{ serverName: 'former', serverUniqueId: 'i-a' }] }),
    ]);
    const sizes = (servers: ReturnType<typeof aServer>[], serverUniqueIds: string[]): number => {
      const groups = [aGroup('left', { serverUniqueIds })];
      return wantedRules({ cluster: CLUSTER, groups, servers, loadBalancers: [loadBalancer] }).get('left')!.length;
    };
    expect(sizes([aServer('a', 'left')], []), 'the server').to.equal(1);
    expect(sizes([aServer('a')], ['i-a']), 'the group').to.equal(1);
    expect(sizes([], ['i-a']), 'the group alone').to.equal(1);
    expect(sizes([aServer('a')], ['i-b']), 'neither').to.equal(0);
    expect(sizes([{ ...aServer('former', 'left'), uniqueId: 'i-9' }], []), 'another of that name').to.equal(0);
  });
});

describe('the plan for firewall groups', () => {
  const listeners = [aListener(30080), aListener(30081, { healthCheck: { target: 'ICMP' } })];
  const balancer = oneArm(0, listeners);
  const servers = [aServer('a', 'left'), aServer('b', 'left')];
  const wanted = [
    ...['10.0.0.1', '10.0.0.2', '10.0.0.3'].map((cidr) => tcp(cidr, 30080)),
    tcp('10.0.0.1', 30081),
    ...['10.0.0.1', '10.0.0.2', '10.0.0.3'].map(icmp),
  ];
  const firewallWith = (rules: readonly FirewallRule[], rest = {}): Firewall =>
    new Firewall([aGroup('left', { rules, ...rest })], servers, [balancer]);
  const leaving = withTargets(balancer, () => false);

  it('adds what is missing in one call, marked as ours', () => {
    const { steps } = firewallWith([]).plan([balancer]);
    expect(steps).to.have.length(1);
    expect(steps[0]).to.deep.include({ kind: 'authorize', group: 'left' });
    expect(steps[0]!.rules).to.have.deep.members(wanted);
  });

  it('takes the rules of the Go program over as they are, and revokes them with the load balancer', () => {
    const theirs = wanted.map((rule) => byHand({ ...rule, toPort: rule.fromPort ?? 0, fromPort: rule.fromPort ?? 0 }));
    const firewall = firewallWith(theirs);
    expect(firewall.plan([balancer]).steps).to.deep.equal([]);
    firewall.all = [leaving];
    expect(firewall.plan([leaving]).steps).to.deep.equal([{ kind: 'revoke', group: 'left', rules: theirs }]);
  });

  it("is content with a user's equal rule, and leaves it alone for ever", () => {
    const theirs = byHand({ ...wanted[0]!, cidr: '10.0.0.1/32' }, 'for the old proxy');
    const firewall = firewallWith([theirs]);
    firewall.reach([balancer]);
    expect(firewall.groups[0]!.rules).to.have.length(wanted.length);
    firewall.all = [leaving];
    firewall.reach([leaving]);
    expect(firewall.groups[0]!.rules).to.deep.equal([theirs]);
  });

  it('revokes no rule without a mark that a load balancer of ours has no use for', () => {
    const strangers = [
      tcp('10.0.0.1', 22),
      tcp('10.0.0.9', 30080),
      tcp('10.0.0.0/24', 30080),
      { ...tcp('10.0.0.1', 30080), toPort: 30081 },
      { ...tcp('10.0.0.1', 30080), direction: 'out' as const },
      { ...icmp('10.0.0.1'), protocol: 'ANY' },
      { ...tcp('', 30080), cidr: undefined, group: 'left' },
    ].map((rule) => byHand(rule));
    const firewall = firewallWith(strangers);
    firewall.all = [leaving];
    expect(firewall.plan([leaving]).steps).to.deep.equal([]);
  });

  it('waits for a group that is being processed, and goes on with the others', () => {
    const busy = aGroup('left', { status: 'processing', rules: wanted });
    const firewall = new Firewall([busy, aGroup('right')], [servers[0]!, aServer('b', 'right')], []);
    const targets = [aTarget('a'), aTarget('b')];
    firewall.all = [
      oneArm(
        0,
        listeners.map((one) => ({ ...one, targets })),
      ),
    ];
    const plan = firewall.plan(firewall.all);
    expect(plan.waiting, 'rules that show may not be in force').to.deep.equal(['left']);
    expect(plan.steps.map(({ group }) => group)).to.deep.equal(['right']);
    const stranger = { ...oneArm(1, []) };
    expect(firewall.plan([stranger]).waiting, 'no matter of that load balancer').to.deep.equal([]);
  });

  it('says which group lacks room, how much it has and how much it needs, and sends it nothing (E7 #29)', () => {
    const theirs = Array.from({ length: 94 }, (_, n) => byHand(tcp(`192.0.2.${n}`, 22)));
    const plan = firewallWith(theirs).plan([balancer]);
    expect(plan.steps).to.deep.equal([]);
    expect(plan.problems).to.have.length(1);
    expect(plan.problems[0]).to.include(
      'firewall group left has 94 rules and needs 7 more, over its limit of 100; remove rules',
    );
    expect(firewallWith(theirs, { ruleLimit: 101 }).plan([balancer]).problems, 'a higher limit').to.deep.equal([]);
    expect(firewallWith(theirs, { ruleLimit: 0 }).plan([balancer]).problems, 'no limit named').to.have.length(1);
  });

  it('finds out about room before there is a load balancer', () => {
    const theirs = Array.from({ length: 94 }, (_, n) => byHand(tcp(`192.0.2.${n}`, 22)));
    const groups = [aGroup('left', { rules: theirs })];
    const loadBalancers = [standIn('lb0', listeners)];
    const wantedThen = wantedRules({ cluster: CLUSTER, groups, servers, loadBalancers });
    const { steps, problems } = planFirewall(groups, wantedThen, ownedBy(CLUSTER, loadBalancers, loadBalancers));
    expect(steps).to.deep.equal([]);
    expect(problems[0]).to.include('needs 7 more');
  });

  it('makes room with what is wanted no more where there is not enough for both', () => {
    const former = Array.from({ length: 90 }, (_, n) => tcp('10.0.0.1', 31000 + n));
    const theirs = Array.from({ length: 5 }, (_, n) => byHand(tcp(`192.0.2.${n}`, 22)));
    const firewall = firewallWith([...former, ...theirs]);
    expect(firewall.plan([balancer]).steps.map(({ kind }) => kind)).to.deep.equal(['revoke']);
    expect(firewall.reach([balancer]).problems).to.deep.equal([]);
    expect(firewall.groups[0]!.rules).to.have.length(5 + wanted.length);
  });

  it('revokes only after it has added', () => {
    const firewall = firewallWith([tcp('10.0.0.1', 31000)]);
    const kinds: string[] = [];
    firewall.onChange = ({ kind }) => kinds.push(kind);
    firewall.reach([balancer]);
    expect(kinds).to.deep.equal(['authorize', 'revoke']);
  });

  it('keeps what the others of a group need when one of them goes (E7 #1)', () => {
    const both = oneArm(0, [aListener(30080, { targets: [aTarget('a'), aTarget('b')] })]);
    const firewall = firewallWith([]);
    firewall.all = [both];
    firewall.reach([both]);
    const one = withTargets(both, (server) => server === 'a');
    firewall.all = [one];
    expect(firewall.plan([one]).steps).to.deep.equal([]);
  });

  it('keeps a ping that another listener needs when one of them goes (E7 #15)', () => {
    const healthCheck = { target: 'ICMP' };
    const two = oneArm(0, [aListener(30080, { healthCheck }), aListener(30081, { healthCheck })]);
    const firewall = firewallWith([]);
    firewall.all = [two];
    firewall.reach([two]);
    const one = oneArm(0, [aListener(30080, { healthCheck, targets: [] }), aListener(30081, { healthCheck })]);
    firewall.all = [one];
    const { steps } = firewall.plan([one]);
    expect(steps.flatMap(({ rules }) => rules.map(inWords))).to.deep.equal(['TCP 30080 10.0.0.1']);
  });

  it('keeps the one rule of two load balancers with the same address in different private LANs until both are gone', () => {
    const twin = { ...balancer, loadBalancer: { ...balancer.loadBalancer, name: 'lb1' } };
    const firewall = firewallWith([]);
    firewall.all = [balancer, twin];
    expect(firewall.plan([twin]).steps[0]!.rules, 'of the second alone').to.have.length(wanted.length);
    expect(firewall.plan([balancer, twin]).steps[0]!.rules, 'of both').to.have.length(wanted.length);
    firewall.reach([balancer]);
    expect(firewall.plan([twin]).steps).to.deep.equal([]);
    firewall.all = [leaving, twin];
    expect(firewall.plan([leaving]).steps, 'one is gone').to.deep.equal([]);
    const alsoLeaving = { ...leaving, loadBalancer: { ...leaving.loadBalancer, name: 'lb1' } };
    firewall.all = [alsoLeaving];
    firewall.reach([alsoLeaving]);
    expect(firewall.groups[0]!.rules, 'both are gone').to.deep.equal([]);
  });

  it('takes nothing away for an answer that lacks something', () => {
    const full = firewallWith([...wanted, tcp('10.0.0.1', 31000)]);
    const blind = (all: readonly Seen[], listed = servers): readonly FirewallRule[] => {
      const firewall = new Firewall(full.groups, listed, all);
      firewall.reach([balancer]);
      return firewall.groups[0]!.rules;
    };
    const unknown = { ...balancer.loadBalancer, listeners: listeners.map((one) => ({ ...one, targets: undefined })) };
    expect(blind([balancer], []), 'servers').to.include.deep.members(wanted);
    expect(blind([{ ...balancer, loadBalancer: unknown }]), 'targets').to.include.deep.members(wanted);
    expect(planFirewall([], new Map(), () => true).steps, 'groups').to.deep.equal([]);
  });

  it('has no need of rules for a server that is never registered', () => {
    const unlisted = oneArm(0, [aListener(30080, { targets: [{ ...aTarget('z'), listed: false }] })]);
    const firewall = firewallWith([tcp('10.0.0.1', 30080)]);
    firewall.all = [unlisted];
    expect(firewall.plan([unlisted]).steps.map(({ kind }) => kind)).to.deep.equal(['revoke']);
  });
});

describe('firewall groups that are planned for until nothing is left', () => {
  const worlds = fc.record({ groups: anyGroups(), servers: anyServers(), all: anyLoadBalancers() });
  const check = (property: (firewall: Firewall) => void): void => {
    fc.assert(
      fc.property(worlds, ({ groups, servers, all }) => property(new Firewall(groups, servers, all))),
      { numRuns: 300 },
    );
  };

  it('let through all that load balancers send, and have nothing more to do then', () => {
    check((firewall) => {
      for (const one of firewall.all) firewall.reach([one]);
      expect(firewall.blocked(firewall.all.flatMap(packetsOf))).to.deep.equal([]);
      for (const one of firewall.all)
        expect(firewall.plan([one])).to.deep.equal({ steps: [], waiting: [], problems: [] });
    });
  });

  it('never block on the way what went through and is still sent', () => {
    check((firewall) => {
      const packets = firewall.all.flatMap(packetsOf);
      let blocked = firewall.blocked(packets);
      firewall.onChange = () => {
        const now = firewall.blocked(packets);
        expect(blocked).to.include.deep.members([...now]);
        blocked = now;
      };
      firewall.reach(firewall.all);
    });
  });

  it('still have every rule that is not ours', () => {
    check((firewall) => {
      const before = firewall.groups;
      firewall.all = firewall.all.map((one) => withTargets(one, () => false));
      const addresses = firewall.all.flatMap(({ loadBalancer }) =>
        loadBalancer.interfaces.flatMap((one) => [one.address, ...one.systemAddresses]),
      );
      firewall.reach(firewall.all);
      before.forEach((group, n) => {
        const lost = group.rules.filter((rule) => !firewall.groups[n]!.rules.includes(rule));
        for (const { direction, description: text, cidr = '', fromPort, toPort } of lost) {
          expect(direction).to.equal('in');
          expect(text).to.be.oneOf(['', ruleDescription(CLUSTER, 'lb9')]); // nobody's, or of one that is gone
          expect(fromPort).to.equal(toPort);
          expect(addresses).to.include(cidr.replace('/32', ''));
          expect(fromPort).to.be.oneOf([undefined, 30080, 30081, 30443, 31000]);
        }
      });
    });
  });

  it('are not disturbed by a load balancer that shares the servers, even while it has not registered them yet', () => {
    check((firewall) => {
      firewall.reach(firewall.all);
      const [first, ...others] = firewall.all;
      const packets = others.flatMap(packetsOf);
      firewall.all = [withTargets(first!, () => false), ...others.map((one) => withTargets(one, () => false))];
      firewall.reach([firewall.all[0]!]);
      expect(firewall.blocked(packets)).to.deep.equal([]);
    });
  });

  it('go on letting everything through to the others when servers leave (E7 #1)', () => {
    fc.assert(
      fc.property(worlds, fc.subarray(['a', 'b', 'c', 'd', 'e']), ({ groups, servers, all }, left) => {
        const firewall = new Firewall(groups, servers, all);
        firewall.reach(all);
        firewall.all = all.map((one) => withTargets(one, (server) => !left.includes(server)));
        const packets = firewall.all.flatMap(packetsOf);
        firewall.onChange = () => expect(firewall.blocked(packets)).to.deep.equal([]);
        for (const one of firewall.all) firewall.reach([one]);
        expect(firewall.blocked(packets)).to.deep.equal([]);
      }),
      { numRuns: 300 },
    );
  });

  it('leave nothing behind of load balancers that go', () => {
    fc.assert(
      fc.property(anyServers(), anyLoadBalancers(), (servers, all) => {
        const firewall = new Firewall([aGroup('left'), aGroup('right')], servers, all);
        firewall.reach(all);
        firewall.all = all.map((one) => withTargets(one, () => false));
        for (const one of firewall.all) firewall.reach([one]);
        expect(firewall.groups.flatMap((group) => group.rules)).to.deep.equal([]);
      }),
    );
  });

  it('never hold more than their limit', () => {
    const limited = fc.tuple(worlds, fc.integer({ min: 1, max: 25 })).map(([world, ruleLimit]) => ({
      ...world,
      groups: world.groups.map((group) => ({ ...group, ruleLimit: Math.max(ruleLimit, group.rules.length) })),
    }));
    fc.assert(
      fc.property(limited, ({ groups, servers, all }) => {
        const firewall = new Firewall(groups, servers, all);
        firewall.onChange = () => {
          for (const group of firewall.groups) expect(group.rules.length).to.be.at.most(group.ruleLimit);
        };
        const { problems } = firewall.reach(all);
        if (problems.length === 0) expect(firewall.blocked(all.flatMap(packetsOf))).to.deep.equal([]);
      }),
      { numRuns: 300 },
    );
  });

  it('are the same after a second time, whatever rules there are', () => {
    fc.assert(
      fc.property(anyGroups(anyRule()), anyServers(), anyLoadBalancers(), (groups, servers, all) => {
        const firewall = new Firewall(groups, servers, all);
        firewall.reach(all);
        for (const group of firewall.groups) {
          const twins = group.rules.filter((rule, n) => group.rules.slice(0, n).some((one) => isSameRule(one, rule)));
          expect(twins).to.deep.equal([]);
        }
        expect(firewall.plan(all).steps).to.deep.equal([]);
      }),
    );
  });
});
