import { expect } from 'chai';
import { XMLParser, XMLValidator } from 'fast-xml-parser';
import type { Fault } from '../../../../../simulator/nifcloud/api/fault.ts';
import { Faults } from '../../../../../simulator/nifcloud/api/faults.ts';
import type { Simulator, SimulatorOptions } from '../../../../../simulator/nifcloud/simulator.ts';
import { FakeClock } from '../../../../fake-clock.ts';
import { startCloud, until } from '../raw-client.ts';
import type { RawClient } from '../raw-client.ts';

const DISK = { VolumeId: 'disk', Size: 100, InstanceId: 'node01' };

/** A call as faults look at it. */
function target(action: string, parameters: Record<string, string> = {}) {
  return { action, mutating: true, parameters: new Map(Object.entries(parameters)) };
}

/** Which of a hundred equal calls a fault strikes. */
function strikes(fault: Omit<Fault, 'kind'>): readonly number[] {
  const faults = new Faults();
  faults.add({ kind: 'drop-after', ...fault });
  return [...Array(100).keys()].filter(() => faults.strike(target('CreateVolume')) !== undefined);
}

describe('a fault', () => {
  let simulator: Simulator;
  let client: RawClient;

  const start = async (options: SimulatorOptions = {}): Promise<void> => {
    ({ simulator, client } = await startCloud(options));
  };
  afterEach(() => simulator.stop());

  /** Status and body of a CreateVolume, or how it failed. */
  const createDisk = async (): Promise<{ status: number; body: string } | 'no answer' | 'cut off'> => {
    const response = await client.send('CreateVolume', DISK).catch(() => undefined);
    if (response === undefined) return 'no answer';
    const body = await response.text().catch(() => undefined);
    return body === undefined ? 'cut off' : { status: response.status, body };
  };
  const disks = (): string[] => simulator.state().volumes.map(({ id }) => id);
  const statusAfter = async (clock: FakeClock, ms: number): Promise<string | undefined> => {
    await clock.advance(ms);
    return simulator.state().volumes[0]?.status;
  };
  const outcomes = (): unknown[] => simulator.calls().map(({ outcome, fault }) => [fault, outcome]);

  const kinds: readonly {
    readonly fault: Omit<Fault, 'action' | 'count'>;
    readonly made: boolean;
    readonly outcome: string;
    readonly seen: (answer: Awaited<ReturnType<typeof createDisk>>) => void;
  }[] = [
    {
      fault: { kind: 'drop-before' },
      made: false,
      outcome: 'not evaluated',
      seen: (answer) => expect(answer).to.equal('no answer'),
    },
    {
      fault: { kind: 'drop-after' },
      made: true,
      outcome: 'ok',
      seen: (answer) => expect(answer).to.equal('no answer'),
    },
    {
      fault: { kind: 'refuse', code: 'Server.Maintenance', status: 503 },
      made: false,
      outcome: 'Server.Maintenance',
      seen: (answer) => {
        expect(answer).to.have.property('status', 503);
        expect(answer)
          .to.have.property('body')
          .that.includes('<Code>Server.Maintenance</Code>')
          .and.includes('</RequestID>');
      },
    },
    {
      fault: { kind: 'refuse', code: 'Server.ResourceIncorrectState.Volume.Processing' },
      made: false,
      outcome: 'Server.ResourceIncorrectState.Volume.Processing',
      seen: (answer) => expect(answer).to.have.property('status', 500),
    },
    {
      fault: { kind: 'throttle' },
      made: false,
      outcome: 'not evaluated',
      seen: (answer) => expect(answer).to.deep.equal({ status: 429, body: '' }),
    },
    {
      fault: { kind: 'throttle', status: 509, code: 'Client.RequestLimitExceeded' },
      made: false,
      outcome: 'not evaluated',
      seen: (answer) => {
        expect(answer).to.have.property('status', 509);
        expect(answer).to.have.property('body').that.includes('<Code>Client.RequestLimitExceeded</Code>');
      },
    },
    {
      fault: { kind: 'gateway-error' },
      made: false,
      outcome: 'not evaluated',
      seen: (answer) => {
        expect(answer).to.have.property('status', 502);
        expect(answer)
          .to.have.property('body')
          .that.matches(/^<html>/);
      },
    },
    {
      fault: { kind: 'gateway-error', when: 'after', status: 504 },
      made: true,
      outcome: 'ok',
      seen: (answer) => expect(answer).to.have.property('status', 504),
    },
    {
      fault: { kind: 'malformed' },
      made: true,
      outcome: 'ok',
      seen: (answer) => {
        expect(answer).to.have.property('status', 200);
        expect(XMLValidator.validate((answer as { body: string }).body)).to.not.equal(true);
      },
    },
    {
      fault: { kind: 'truncated' },
      made: true,
      outcome: 'ok',
      seen: (answer) => {
        expect(answer).to.have.property('status', 200);
        expect(answer)
          .to.have.property('body')
          .that.matches(/^<CreateVolumeResponse/)
          .and.not.match(/<\/CreateVolumeResponse>$/);
      },
    },
    { fault: { kind: 'cut-off' }, made: true, outcome: 'ok', seen: (answer) => expect(answer).to.equal('cut off') },
    {
      fault: { kind: 'empty-integers' },
      made: true,
      outcome: 'ok',
      seen: (answer) => {
        const { body } = answer as { body: string };
        const fields = (new XMLParser().parse(body) as Record<string, Record<string, unknown>>)['CreateVolumeResponse'];
        expect(fields).to.include({ size: '', volumeId: 'disk' });
      },
    },
  ];
  for (const { fault, made, outcome, seen } of kinds) {
    it(`${JSON.stringify(fault)}: the disk is ${made ? '' : 'not '}made, and the next call is unharmed`, async () => {
      await start({ transition: '0s' });
      simulator.faults.add({ ...fault, action: 'CreateVolume', count: 1 });
      seen(await createDisk());
      expect(disks()).to.deep.equal(made ? ['disk'] : []);
      expect(outcomes()).to.deep.equal([[fault.kind, outcome]]);
      await client.done('CreateVolume', { ...DISK, VolumeId: 'next' });
      expect(disks()).to.include('next');
    });
  }

  for (const when of ['before', 'after'] as const) {
    it(`hang ${when}: the client waits until it gives up`, async () => {
      await start();
      simulator.faults.add({ kind: 'hang', when, action: 'CreateVolume' });
      const patience = new AbortController();
      const call = client.send('CreateVolume', DISK, {}, patience.signal).then(
        () => 'answered',
        () => 'given up',
      );
      await until(() => simulator.calls().length === 1);
      expect(disks()).to.deep.equal(when === 'after' ? ['disk'] : []);
      await client.done('DescribeVolumes');
      patience.abort();
      expect(await call).to.equal('given up');
    });

    it(`slow ${when}: the effect comes ${when === 'before' ? 'after' : 'before'} the delay`, async () => {
      const clock = new FakeClock();
      await start({ clock });
      simulator.faults.add({ kind: 'slow', when, delayMs: 5000, action: 'CreateVolume' });
      const call = createDisk();
      await until(() => clock.sleeping === (when === 'before' ? 1 : 2)); // with the transition of the disk
      expect(disks()).to.deep.equal(when === 'before' ? [] : ['disk']);
      await clock.advance(5000);
      expect(await call).to.have.property('status', 200);
      expect(simulator.calls()[0]).to.include({ tookMs: 5000, fault: 'slow' });
    });
  }

  describe('slow-transition', () => {
    it('makes the transition longer by its delay', async () => {
      const clock = new FakeClock();
      await start({ clock, transition: '1s' });
      simulator.faults.add({ kind: 'slow-transition', delayMs: 10_000 });
      await client.done('CreateVolume', DISK);
      expect(await statusAfter(clock, 10_999)).to.equal('creating');
      expect(await statusAfter(clock, 1)).to.equal('in-use');
    });

    it('without a delay lasts until the fault is removed, also when its count is used up', async () => {
      const clock = new FakeClock();
      await start({ clock, transition: '1s' });
      const id = simulator.faults.add({ kind: 'slow-transition', count: 1 });
      await client.done('DescribeVolumes');
      await client.done('CreateVolume', DISK);
      expect(await statusAfter(clock, 3_600_000)).to.equal('creating');
      expect(simulator.faults.remove(id)).to.equal(true);
      expect(await statusAfter(clock, 0)).to.equal('in-use');
    });

    it('does not keep the simulator from stopping, nor ends the transition by that', async () => {
      const clock = new FakeClock();
      await start({ clock, transition: '1s' });
      simulator.faults.add({ kind: 'slow-transition' });
      await client.done('CreateVolume', DISK);
      await clock.advance(1000);
      await simulator.stop();
      expect(simulator.state().volumes[0]?.status).to.equal('creating');
    });
  });

  it('strikes before a request is looked at, and shows in the log only where it struck', async () => {
    await start();
    simulator.faults.add({ kind: 'refuse', code: 'Server.InternalError', skip: 1, count: 1 });
    await client.done('DescribeVolumes');
    expect((await client.call('DescribeVolumes', {}, { secret: 'wrong' })).code).to.equal('Server.InternalError');
    await client.done('DescribeVolumes');
    expect(simulator.calls().map(({ fault }) => fault)).to.deep.equal([undefined, 'refuse', undefined]);
  });

  it('may be in force from the start', async () => {
    await start({ faults: [{ kind: 'throttle', action: 'Describe*', count: 1 }] });
    expect((await client.send('DescribeInstances')).status).to.equal(429);
  });
});

describe('the faults in force', () => {
  it('strike by action, the beginning of its name, and parameters', () => {
    const faults = new Faults();
    const id = faults.add({
      kind: 'drop-after',
      action: 'Attach*',
      parameters: { VolumeId: 'a', InstanceId: 'node01' },
    });
    const fitting = target('AttachVolume', { VolumeId: 'a', InstanceId: 'node01', Agreement: 'true' });
    expect(faults.strike(fitting)?.id).to.equal(id);
    expect(faults.strike({ ...fitting, action: 'DetachVolume' })).to.equal(undefined);
    expect(faults.strike(target('AttachVolume', { VolumeId: 'a' }))).to.equal(undefined);
    expect(faults.list()).to.deep.include({
      id,
      kind: 'drop-after',
      action: 'Attach*',
      parameters: { VolumeId: 'a', InstanceId: 'node01' },
      fitted: 1,
      struck: 1,
    });
  });

  it('strike the calls that skip and count say', () => {
    expect(strikes({ skip: 2, count: 3 })).to.deep.equal([2, 3, 4]);
    expect(strikes({}).length).to.equal(100);
  });

  it('strike the same calls again with the same seed, others with another, about as often as their chance says', () => {
    const first = strikes({ probability: 0.3, seed: 7 });
    expect(strikes({ probability: 0.3, seed: 7 })).to.deep.equal(first);
    expect(strikes({ probability: 0.3, seed: 8 })).to.not.deep.equal(first);
    expect(first.length).to.be.within(15, 45);
  });

  it('give a call to the oldest that strikes it, and the next call to the next', () => {
    const faults = new Faults();
    const ids = [1, 2].map(() => faults.add({ kind: 'drop-after', count: 1 }));
    expect([1, 2, 3].map(() => faults.strike(target('DescribeVolumes'))?.id)).to.deep.equal([...ids, undefined]);
    faults.clear();
    expect(faults.list()).to.deep.equal([]);
    expect(faults.remove(ids[0] ?? 0)).to.equal(false);
  });

  const refused: readonly [string, object, RegExp][] = [
    ['a kind that there is not', { kind: 'flood' }, /^kind="flood" is not allowed; allowed: drop-before, /],
    ['no kind', {}, /^kind=undefined is not allowed/],
    [
      'an action that there is not',
      { kind: 'hang', action: 'CreateVolumes' },
      /^action="CreateVolumes" [^]*CreateVolume/,
    ],
    ['a key of another kind', { kind: 'drop-after', when: 'after' }, /^when is no key of drop-after; allowed: kind, /],
    ['a status of another kind', { kind: 'throttle', status: 500 }, /^status=500 is not allowed; allowed: 429, 509$/],
    ['a chance above 1', { kind: 'hang', probability: 2 }, /^probability=2 is not allowed; allowed: a number above 0/],
    ['a count of 0', { kind: 'hang', count: 0 }, /^count=0 is not allowed; allowed: a whole number from 1$/],
    ['a refusal without a code', { kind: 'refuse' }, /^code=undefined is not allowed; allowed: a code such as/],
    ['a delay in words', { kind: 'slow', delayMs: '5s' }, /^delayMs="5s" is not allowed/],
    ['a list', [], /^\[\] is no fault/],
  ];
  for (const [what, fault, complaint] of refused) {
    it(`refuse ${what}, saying what is allowed`, () => {
      expect(() => new Faults().add(fault as Fault)).to.throw(complaint);
    });
  }
});
