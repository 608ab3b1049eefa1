import { expect } from 'chai';
import * as fc from 'fast-check';
import {
  electionRequestTimeoutMs,
  LeaderElection,
  LeaseLostError,
  type LeaderElectionOptions,
} from '../../../kube/leader-election.ts';
import { KubeClient } from '../../../kube/rest.ts';
import type { Lease } from '../../../kube/types.ts';
import { startApiServer } from '../../../simulator/kubernetes/server.ts';
import { systemClock } from '../../../daemon/clock.ts';
import { FakeClock } from '../../fake-clock.ts';
import { memoryLogger, until } from './api-server.ts';
import { LeaseServer, type Way } from './lease-server.ts';

const LEASE = { namespace: 'kube-system', name: 'cloud-controller-manager' };
const START_MS = Date.UTC(2025, 0, 2, 3, 4, 5);

const held = (holderIdentity: string, more: Lease['spec'] = {}): Lease => ({
  metadata: LEASE,
  spec: {
    holderIdentity,
    leaseDurationSeconds: 15,
    acquireTime: '2025-01-01T00:00:00.000000Z',
    renewTime: '2025-01-02T00:00:00.000000Z',
    leaseTransitions: 3,
    ...more,
  },
});

/** A process that takes part, and what can be seen of it. */
class Candidate {
  readonly way: Way = { thereMs: 0, backMs: 0, cut: false, answersLost: false };
  readonly events: string[] = [];
  readonly logger = memoryLogger();
  readonly stop = new AbortController();
  /** Times at which its work began and was told to stop, by the common monotonic clock, in ms. */
  readonly led: { fromMs: number; toMs: number }[] = [];
  /** How far its wall clock is off, in ms. */
  skewMs = 0;
  isLeader = 0;
  slowPaths = 0;
  outcome: unknown = 'runs';
  /** How long its work takes to end when told to, in ms. */
  workEndsAfterMs = 0;
  readonly election: LeaderElection;
  readonly #clock: FakeClock;

  constructor(server: LeaseServer, clock: FakeClock, identity: string, options: Partial<LeaderElectionOptions> = {}) {
    this.#clock = clock;
    this.election = new LeaderElection({
      client: server.client(this.way),
      lease: LEASE,
      identity,
      leaseDurationMs: 15_000,
      renewDeadlineMs: 10_000,
      retryPeriodMs: 2_000,
      events: {
        event: (object, type, reason, message) =>
          void this.events.push(`${object.kind}/${object.metadata.name} ${type} ${reason}: ${message}`),
      },
      metrics: {
        leading: (_lease, leads) => void (this.isLeader = leads ? 1 : 0),
        slowPath: () => void (this.slowPaths += 1),
      },
      logger: this.logger,
      clock: {
        now: () => clock.now() + this.skewMs,
        monotonicMs: () => clock.monotonicMs(),
        sleep: (delayMs, signal) => clock.sleep(delayMs, signal),
      },
      random: () => 0,
      onStartedLeading: (signal) => this.#lead(signal),
      ...options,
    });
  }

  start(): this {
    this.election.run(this.stop.signal).then(
      () => (this.outcome = 'ended'),
      (error: unknown) => (this.outcome = error),
    );
    return this;
  }

  get leads(): boolean {
    return this.led.at(-1)?.toMs === Infinity;
  }

  async #lead(signal: AbortSignal): Promise<void> {
    const term = { fromMs: this.#clock.monotonicMs(), toMs: Infinity };
    this.led.push(term);
    await new Promise((resolve) => {
      signal.addEventListener('abort', resolve, { once: true });
    });
    term.toMs = this.#clock.monotonicMs();
    await this.#clock.sleep(this.workEndsAfterMs);
  }
}

describe('LeaderElection', () => {
  let clock: FakeClock;
  let server: LeaseServer;
  let candidates: Candidate[];

  beforeEach(() => {
    clock = new FakeClock(START_MS);
    server = new LeaseServer(clock);
    candidates = [];
  });

  afterEach(async () => {
    for (const { stop } of candidates) stop.abort();
    await clock.advance(60_000);
    expect(clock.sleeping, 'timers left').to.equal(0);
  });

  function start(identity: string, options: Partial<LeaderElectionOptions> = {}): Candidate {
    const candidate = new Candidate(server, clock, identity, options).start();
    candidates.push(candidate);
    return candidate;
  }

  describe('getting the lease', () => {
    it('makes it where there is none', async () => {
      const a = start('a');
      await clock.advance(0);
      expect(a.leads).to.equal(true);
      expect(a.isLeader).to.equal(1);
      expect(server.lease).to.deep.equal({
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: { ...LEASE, resourceVersion: '1' },
        spec: {
          holderIdentity: 'a',
          leaseDurationSeconds: 15,
          acquireTime: '2025-01-02T03:04:05.000000Z',
          renewTime: '2025-01-02T03:04:05.000000Z',
          leaseTransitions: 0,
        },
      });
      expect(a.events).to.deep.equal(['Lease/cloud-controller-manager Normal LeaderElection: a became leader']);
    });

    it('waits until it saw no change of the lease of another for as long as that says', async () => {
      server.store(held('other', { leaseDurationSeconds: 30 }));
      const a = start('a');
      await clock.advance(20_000);
      server.store(held('other', { leaseDurationSeconds: 30, renewTime: '2025-01-02T00:00:01.000000Z' }));
      await clock.advance(29_999);
      expect(a.leads).to.equal(false);
      await clock.advance(2_001);
      expect(a.leads).to.equal(true);
      expect(server.lease?.spec).to.include({ holderIdentity: 'a', leaseTransitions: 4, leaseDurationSeconds: 15 });
      expect(server.lease?.spec?.acquireTime).to.equal(server.lease?.spec?.renewTime);
    });

    it('a change of something else, a label for example, is no sign of life', async () => {
      server.store(held('other'));
      const a = start('a');
      for (let second = 0; second < 15; second += 1) {
        await clock.advance(1_000);
        server.store({ ...held('other'), metadata: { ...LEASE, labels: { second: String(second) } } });
      }
      await clock.advance(2_000);
      expect(a.leads).to.equal(true);
    });

    it('takes at once what was given up', async () => {
      server.store(held('', { leaseDurationSeconds: 1 }));
      const a = start('a');
      await clock.advance(0);
      expect(a.leads).to.equal(true);
      expect(server.lease?.spec?.leaseTransitions).to.equal(4);
    });

    it('keeps the fields that it does not know, at every write', async () => {
      const unknown = { spec: { ...held('').spec, strategy: 'OldestEmulationVersion' }, extra: [1] };
      server.store({ ...unknown, metadata: { ...LEASE, labels: { kept: 'yes' } } });
      const a = start('a');
      await clock.advance(10_000);
      a.stop.abort();
      await clock.advance(0);
      expect(server.writes.length).to.be.greaterThan(4);
      for (const lease of server.writes) {
        expect(lease).to.deep.include({ extra: [1] });
        expect(lease.spec).to.include({ strategy: 'OldestEmulationVersion' });
        expect(lease.metadata.labels).to.deep.equal({ kept: 'yes' });
      }
    });

    it('pauses between tries are drawn from the retry period up to 2.2 of it', async () => {
      for (const [random, pauseMs] of [
        [0, 2_000],
        [0.5, 3_200],
      ] as const) {
        server.requests.length = 0;
        server.store(held('other'));
        const a = start('a', { random: () => random });
        await clock.advance(3 * pauseMs);
        expect(server.requests).to.have.length(4);
        a.stop.abort();
        await clock.advance(0);
        expect(a.outcome).to.equal('ended');
      }
    });

    it('tries on while the API cannot be reached, and a request that is put off for long holds it up no longer than a renew deadline', async () => {
      const a = start('a', {
        client: {
          get: async (_path, { signal }) => await clock.sleep(3_600_000, signal).then(() => expect.fail('it slept on')),
          create: () => expect.fail(),
          replace: () => expect.fail(),
        },
      });
      const b = start('b');
      b.way.cut = true;
      await clock.advance(60_000);
      b.way.cut = false;
      await clock.advance(7_000);
      expect(b.leads).to.equal(true);
      expect(a.outcome).to.equal('runs');
    });

    it('of many that start at once exactly one leads', async () => {
      const all = ['a', 'b', 'c', 'd'].map((identity) => start(identity));
      await clock.advance(60_000);
      expect(all.map(({ led }) => led.length)).to.have.members([0, 0, 0, 1]);
    });

    it('an end before it has the lease is an end, without a word in the lease', async () => {
      server.store(held('other'));
      const before = server.lease;
      const a = start('a');
      await clock.advance(1_000);
      a.stop.abort();
      await clock.advance(0);
      expect(a.outcome).to.equal('ended');
      expect(server.lease).to.equal(before);
      expect(a.events).to.deep.equal([]);
    });
  });

  describe('holding the lease', () => {
    it('renews it each retry period by one write without a read, and keeps since when', async () => {
      const a = start('a');
      await clock.advance(60_000);
      expect(server.requests).to.deep.equal(['get', 'create', ...Array<string>(30).fill('replace')]);
      expect(server.lease?.spec).to.include({
        acquireTime: '2025-01-02T03:04:05.000000Z',
        renewTime: '2025-01-02T03:05:05.000000Z',
        leaseTransitions: 0,
      });
      expect(a.slowPaths).to.equal(0);
    });

    for (const hours of [1, -1]) {
      it(`a jump of its wall clock by ${hours} h changes nothing, for nobody`, async () => {
        const a = start('a');
        await clock.advance(3_000);
        const b = start('b');
        await clock.advance(10_000);
        a.skewMs = hours * 3_600_000;
        await clock.advance(60_000);
        b.skewMs = hours * 3_600_000;
        await clock.advance(60_000);
        expect([a.leads, b.leads]).to.deep.equal([true, false]);
        a.way.cut = true;
        await clock.advance(14_000);
        expect([a.leads, b.leads]).to.deep.equal([false, false]);
        await clock.advance(4_000);
        expect([a.leads, b.leads]).to.deep.equal([false, true]);
      });
    }

    it('stands an API that is away for less than the renew deadline', async () => {
      const a = start('a');
      await clock.advance(2_000);
      a.way.cut = true;
      await clock.advance(6_500);
      a.way.cut = false;
      await clock.advance(60_000);
      expect(a.leads).to.equal(true);
      expect(a.led).to.have.length(1);
      expect(a.outcome).to.equal('runs');
    });

    it('stops once no renewal succeeded within the deadline, says so, and ends with an error', async () => {
      const a = start('a');
      a.workEndsAfterMs = 30_000;
      await clock.advance(3_000);
      a.way.cut = true;
      await clock.advance(10_999); // its renewal began at 4 s
      expect(a.outcome).to.equal('runs');
      await clock.advance(1);
      expect(a.led).to.deep.equal([{ fromMs: 0, toMs: 14_000 }]);
      // At once, although the work has not come to its end.
      expect(a.outcome).to.be.instanceOf(LeaseLostError).with.property('message', 'leaderelection lost');
      expect(a.isLeader).to.equal(0);
      expect(a.events.at(-1)).to.contain('a stopped leading');
      expect(a.logger.lines.at(-1)).to.include({ level: 'error', message: 'leaderelection lost' });
      expect(server.lease?.spec?.holderIdentity).to.equal('a');
    });

    it('stops before its lease ends for others, also where the last answer came late', async () => {
      const a = start('a');
      a.way.backMs = 4_900;
      await clock.advance(17_000); // the lease was made at 4.9 s, known at 9.8 s; renewed at 11.8 s, known at 16.7 s
      a.way.cut = true;
      await clock.advance(9_799);
      expect(a.leads).to.equal(true);
      await clock.advance(1); // 15 s after the renewal was sent, not 10 s after the next one began at 18.7 s
      expect(a.led).to.deep.equal([{ fromMs: 9_800, toMs: 26_800 }]);
      expect(a.outcome).to.be.instanceOf(LeaseLostError);
    });

    it('stops at once when another has stolen the lease', async () => {
      const a = start('a');
      await clock.advance(3_000);
      const thief = server.store(held('thief'));
      await clock.advance(1_000);
      expect(a.led).to.deep.equal([{ fromMs: 0, toMs: 4_000 }]);
      expect(a.outcome).to.be.instanceOf(LeaseLostError);
      expect(String((a.outcome as Error).cause)).to.contain('thief');
      expect(server.lease).to.equal(thief);
      expect(() => a.election.assertLease(), 'for work that has not stopped yet').to.throw(LeaseLostError);
    });

    it('makes the lease anew when it was deleted, and leads on', async () => {
      const a = start('a');
      await clock.advance(3_000);
      server.lease = undefined;
      await clock.advance(1_000);
      expect(a.leads).to.equal(true);
      expect(server.lease).to.have.nested.property('spec.holderIdentity', 'a');
      await clock.advance(60_000);
      expect(a.led).to.have.length(1);
    });

    it('stops when another made a deleted lease first', async () => {
      const a = start('a');
      await clock.advance(3_000);
      server.lease = undefined;
      const b = start('b');
      await clock.advance(1_000);
      expect([a.leads, b.leads]).to.deep.equal([false, true]);
      expect(a.outcome).to.be.instanceOf(LeaseLostError);
    });

    it('reads the lease, and goes on, when somebody has written it in between or an answer was lost', async () => {
      const a = start('a');
      await clock.advance(3_000);
      const { metadata, spec } = server.lease!;
      server.store({ metadata: { ...metadata, labels: { by: 'kubectl' } }, ...(spec === undefined ? {} : { spec }) });
      await clock.advance(1_000);
      expect(a.slowPaths).to.equal(1);
      a.way.answersLost = true;
      await clock.advance(3_000);
      a.way.answersLost = false;
      await clock.advance(20_000);
      expect(a.slowPaths).to.equal(2);
      expect(a.leads).to.equal(true);
      expect(server.lease?.spec).to.include({ leaseTransitions: 0, acquireTime: '2025-01-02T03:04:05.000000Z' });
      expect(server.lease?.metadata.labels).to.deep.equal({ by: 'kubectl' });
    });

    it('is stuck, for the health page, when it leads and the last renewal is 20 s older than a lease', async () => {
      const a = new Candidate(server, clock, 'a');
      expect(a.election.failure()).to.equal(undefined);
      // A process in which time goes on but timers do not come round.
      let aheadMs = 0;
      const stuck = new Candidate(server, clock, 'stuck', {
        clock: {
          now: () => clock.now(),
          monotonicMs: () => clock.monotonicMs() + aheadMs,
          sleep: (delayMs, signal) => clock.sleep(delayMs, signal),
        },
      }).start();
      candidates.push(stuck);
      await clock.advance(0);
      aheadMs = 35_000;
      expect(stuck.election.failure()).to.equal(undefined);
      aheadMs = 35_001;
      expect(stuck.election.failure()).to.contain('cloud-controller-manager');
      await clock.advance(2_000);
      expect(stuck.outcome, 'once they do, it is over').to.be.instanceOf(LeaseLostError);
      expect(stuck.election.failure()).to.equal(undefined);
    });

    it('knows that its lease has run out although no timer has told it', async () => {
      let aheadMs = 0;
      const frozen = new Candidate(server, clock, 'frozen', {
        clock: {
          now: () => clock.now(),
          monotonicMs: () => clock.monotonicMs() + aheadMs,
          sleep: (delayMs, signal) => clock.sleep(delayMs, signal),
        },
      });
      candidates.push(frozen);
      aheadMs = 20_000;
      frozen.election.assertLease(); // it does not lead: nothing of its is at stake
      aheadMs = 0;
      frozen.start();
      await clock.advance(0);
      aheadMs = 14_999;
      frozen.election.assertLease();
      aheadMs = 15_000;
      expect(frozen.leads).to.be.true;
      expect(() => frozen.election.assertLease()).to.throw(LeaseLostError);
      await clock.advance(0);
      expect(frozen.leads, 'its work is told as well').to.be.false;
      expect(frozen.outcome).to.be.instanceOf(LeaseLostError);
      aheadMs = 0;
      expect(() => frozen.election.assertLease(), 'for good').to.throw(LeaseLostError);
    });
  });

  describe('giving it up', () => {
    it('renews until the work has ended, then gives it up, so that the next need not wait', async () => {
      const a = start('a');
      a.workEndsAfterMs = 20_000;
      const b = start('b');
      await clock.advance(3_000);
      a.stop.abort();
      await clock.advance(19_999);
      expect(server.lease?.spec?.holderIdentity).to.equal('a');
      expect(b.leads).to.equal(false);
      await clock.advance(1);
      expect(a.outcome).to.equal('ended');
      expect(a.isLeader).to.equal(0);
      expect(() => a.election.assertLease()).to.throw(LeaseLostError);
      expect(a.events.at(-1)).to.contain('a stopped leading');
      expect(server.lease?.spec).to.include({
        holderIdentity: '',
        leaseDurationSeconds: 1,
        acquireTime: '2025-01-02T03:04:28.000000Z',
        renewTime: '2025-01-02T03:04:28.000000Z',
        leaseTransitions: 0,
      });
      await clock.advance(2_000);
      expect(b.leads).to.equal(true);
      expect(server.lease?.spec?.leaseTransitions).to.equal(1);
    });

    it('ends with the error of work that fails, after giving it up', async () => {
      const failed = new Error('the work');
      const a = start('a', { onStartedLeading: () => Promise.reject(failed) });
      await clock.advance(0);
      expect(a.outcome).to.equal(failed);
      expect(server.lease?.spec?.holderIdentity).to.equal('');
    });

    it('gives up nothing that is not its own any more', async () => {
      const a = start('a', { onStartedLeading: () => clock.sleep(1_000) });
      await clock.advance(500);
      const thief = server.store(held('thief'));
      await clock.advance(500);
      expect(a.outcome).to.equal('ended');
      expect(server.lease).to.equal(thief);
    });

    it('ends in time, and well, where the API cannot be reached any more', async () => {
      const a = start('a', { onStartedLeading: () => clock.sleep(1_000) });
      await clock.advance(500);
      a.way.cut = true;
      await clock.advance(10_500);
      expect(a.outcome).to.equal('ended');
    });
  });

  it('refuses times and identities that cannot work', () => {
    for (const [wrong, message] of [
      [{ identity: '' }, 'identity'],
      [{ leaseDurationMs: 999, renewDeadlineMs: 500, retryPeriodMs: 100 }, 'at least 1 s'],
      [{ leaseDurationMs: 10_000 }, 'longer than the renew deadline'],
      [{ retryPeriodMs: 8_334 }, 'longer than 1.2'],
      [{ retryPeriodMs: 0 }, 'at least 1 ms'],
    ] as const) {
      expect(() => new Candidate(server, clock, 'a', wrong), message).to.throw(message);
    }
  });

  it('its requests have half the renew deadline, at least a second', () => {
    expect([10_000, 1_500].map(electionRequestTimeoutMs)).to.deep.equal([5_000, 1_000]);
  });

  it('property: whatever happens to the network and to wall clocks, there are never two leaders', async () => {
    const step = fc.record({
      who: fc.nat(1), // the third one waits for its chance, undisturbed
      afterMs: fc.integer({ min: 1, max: 20_000 }),
      what: fc.oneof(
        fc.record({ cut: fc.boolean() }),
        fc.record({ answersLost: fc.boolean() }),
        fc.record({ thereMs: fc.integer({ min: 1, max: 1_000 }), backMs: fc.integer({ min: 1, max: 6_000 }) }),
        fc.record({ skewMs: fc.integer({ min: -3_600_000, max: 3_600_000 }) }),
        fc.constant({ stop: true }),
      ),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 40 }),
        fc.infiniteStream(fc.double({ min: 0, max: 0.99, noNaN: true })),
        async (steps, randoms) => {
          clock = new FakeClock(START_MS);
          server = new LeaseServer(clock);
          const random = (): number => randoms.next().value as number;
          const begun: Candidate[] = [];
          const begin = (at: number): Candidate => {
            const candidate = new Candidate(server, clock, `${at}-${begun.length}`, { random });
            candidate.way.thereMs = candidate.way.backMs = 1;
            begun.push(candidate);
            return candidate.start();
          };
          const present = [begin(0), begin(1), begin(2)];
          for (const { who, afterMs, what } of steps) {
            await clock.advance(afterMs);
            const candidate = present[who]!;
            if ('stop' in what) candidate.stop.abort();
            else if ('skewMs' in what) candidate.skewMs = what.skewMs;
            else Object.assign(candidate.way, what);
            present.forEach((one, at) => {
              if (one.outcome !== 'runs') present[at] = begin(at);
            });
          }
          const terms = begun.flatMap(({ led }) => led).sort((x, y) => x.fromMs - y.fromMs);
          terms.forEach((term, at) => expect(term.toMs).to.be.at.most(terms[at + 1]?.fromMs ?? Infinity));

          // And with a network that works again there is one.
          for (const { way } of begun) Object.assign(way, { thereMs: 1, backMs: 1, cut: false, answersLost: false });
          await clock.advance(60_000);
          if (present.every(({ outcome }) => outcome !== 'runs')) begin(0);
          await clock.advance(60_000);
          expect(begun.filter(({ leads }) => leads)).to.have.length(1);
          for (const { stop } of begun) stop.abort();
          await clock.advance(60_000);
          expect(clock.sleeping).to.equal(0);
        },
      ),
      { numRuns: 200 },
    );
  }).timeout(60_000);

  it('works with a real API: times that it takes, fields that it knows, and a handover', async () => {
    const api = await startApiServer();
    const begin = (identity: string) => {
      const logger = memoryLogger();
      const connection = { server: api.url, token: () => undefined };
      const client = new KubeClient(connection, { userAgent: 'test/leader-election', logger, clock: systemClock });
      const stop = new AbortController();
      const one = { leads: false, logger, stop, ended: Promise.resolve() };
      const election = new LeaderElection({
        client,
        lease: LEASE,
        identity,
        leaseDurationMs: 3_000,
        renewDeadlineMs: 2_000,
        retryPeriodMs: 20,
        events: { event: () => undefined },
        metrics: { leading: (_lease, leads) => void (one.leads = leads), slowPath: () => undefined },
        logger,
        clock: systemClock,
        onStartedLeading: (signal) =>
          new Promise((resolve) => {
            signal.addEventListener('abort', () => resolve(), { once: true });
          }),
      });
      one.ended = election.run(stop.signal);
      return {
        ...one,
        get leads() {
          return one.leads;
        },
      };
    };
    const a = begin('a');
    await until(() => a.leads);
    const b = begin('b');
    const renewed = (): string => {
      const [lease] = [...api.store.values('leases.coordination.k8s.io')];
      return JSON.stringify(lease);
    };
    const first = renewed();
    await until(() => renewed() !== first);
    a.stop.abort();
    await a.ended;
    await until(() => b.leads);
    expect(JSON.parse(renewed())).to.have.nested.property('spec.leaseTransitions', 1);
    b.stop.abort();
    await b.ended;
    expect([...a.logger.lines, ...b.logger.lines].filter(({ level }) => level === 'error')).to.deep.equal([]);
    await api.stop();
  });
});
