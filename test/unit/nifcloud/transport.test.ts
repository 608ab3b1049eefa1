import { expect } from 'chai';
import type { CredentialSource } from '../../../nifcloud/credentials.ts';
import type { Credentials } from '../../../nifcloud/sign.ts';
import { isThrottled, type NifcloudError } from '../../../nifcloud/errors.ts';
import { Limiter } from '../../../nifcloud/limiter.ts';
import { systemClock } from '../../../daemon/clock.ts';
import type { Clock, Logger } from '../../../nifcloud/surroundings.ts';
import { Transport } from '../../../nifcloud/transport.ts';
import { Wire } from '../../../nifcloud/wire.ts';
import { FakeClock } from '../../fake-clock.ts';
import { accept, refuse, startCloudServer, type CloudServer, type Received } from './cloud-server.ts';
import { errorOf } from './recorded-api.ts';

const never = new AbortController().signal;

/** Time in which every back-off is over at once; the delays are remembered. */
function hastyClock(delaysMs: number[]): Clock {
  return {
    ...systemClock,
    sleep: async (delayMs, signal) => {
      signal?.throwIfAborted();
      delaysMs.push(delayMs);
    },
  };
}

interface Setup {
  readonly clock: Clock;
  readonly credentials?: CredentialSource;
  readonly timeoutMs?: number;
}

const keys = (accessKeyId: string): Credentials => ({ accessKeyId, secretAccessKey: 'secret' });

const lose = ({ response }: Received): void => {
  response.destroy();
};
const refuseWith =
  (code: string, status = 500) =>
  (received: Received): void =>
    refuse(received, code, status);
const fail =
  (status: number) =>
  ({ response }: Received): void => {
    response.writeHead(status);
    response.end('<html/>');
  };
const truncate = ({ response, action }: Received): void => {
  response.end(`<${action}Response>`);
};

describe('Transport', () => {
  let server: CloudServer;
  let answers: ((received: Received) => void)[];
  let delaysMs: number[];
  let observed: string[];
  let logged: unknown[];
  let limiter: Limiter;
  let transport: Transport;

  beforeEach(async () => {
    answers = [];
    delaysMs = [];
    observed = [];
    logged = [];
    // The last answer of a script is repeated.
    server = await startCloudServer((received, index) => (answers[index] ?? answers.at(-1) ?? accept)(received));
    limiter = new Limiter({ clock: systemClock, qps: 10_000, burst: 10_000 });
    transport = newTransport({ clock: hastyClock(delaysMs) });
  });
  afterEach(() => server.stop());

  function newTransport({ clock, credentials = () => keys('KEY'), timeoutMs = 10_000 }: Setup): Transport {
    const wire = new Wire({
      url: new URL('/api/', server.endpoint),
      userAgent: 'test/1',
      timeoutMs,
      clock: systemClock,
      proxyEnv: {},
    });
    const metrics = {
      observe: (action: string, _took: number, outcome: string): void => void observed.push(`${action} ${outcome}`),
    };
    const logger: Logger = {
      info: () => {},
      warn: () => {},
      error: () => {},
      debug: (_level, _message, fields) => void logged.push(fields),
    };
    return new Transport({ wire, credentials, limiter, logger, clock, random: () => 0.5, metrics });
  }

  const read = (signal = never): Promise<string> => transport.read('DescribeX', {}, () => 'read', signal);
  const used = (): (string | null)[] => server.received.map(({ form }) => form.get('AccessKeyId'));
  const mutate = (signal = never): Promise<string> => transport.mutate('ChangeX', {}, () => 'changed', signal);

  const mayPass: [what: string, answer: (received: Received) => void][] = [
    ['a lost answer', lose],
    ['a truncated answer', truncate],
    ['502 without a code', fail(502)],
    ['503 without a code', fail(503)],
    ['504 without a code', fail(504)],
    ['500 without a code', fail(500)],
    ['404 without a code', fail(404)],
    ['a page in place of an answer', ({ response }) => response.end('<html></html>')],
    ['the answer to something else', ({ response }) => response.end('<OtherResponse/>')],
    ['Server.InternalError', refuseWith('Server.InternalError')],
    ['Server.Maintenance', refuseWith('Server.Maintenance', 503)],
  ];
  for (const [what, answer] of mayPass) {
    it(`repeats a read after ${what}`, async () => {
      answers = [answer, answer, answer, accept];
      expect(await read()).to.equal('read');
      expect(server.received).to.have.length(4);
      expect(delaysMs).to.deep.equal([150, 300, 600]); // 200, 400, 800 with half the jitter
    });

    it(`gives up a read on the fourth time of ${what}`, async () => {
      answers = [answer];
      await errorOf(read());
      expect(server.received).to.have.length(4);
    });

    it(`never repeats a mutation after ${what}`, async () => {
      answers = [answer, accept];
      await errorOf(mutate());
      expect(server.received).to.have.length(1);
    });
  }

  for (const code of [
    'Client.InvalidParameterNotFound.Volume',
    'Client.AuthFailure',
    'Server.ResourceIncorrectState.Volume.Processing',
    'Server.Inoperable.Volume.AlreadyAttached',
    'Server.ProcessingFailure.Instance.Stop',
    'Client.ResourceAssociated.RouteTable',
    'Unheard.Of',
  ]) {
    for (const status of [200, 400, 500, 502, 503, 504]) {
      it(`leaves ${code} with status ${status} to its caller, with reads and mutations`, async () => {
        answers = [refuseWith(code, status)];
        expect(await errorOf(read())).to.include({ code });
        expect(await errorOf(mutate())).to.include({ code });
        expect(server.received).to.have.length(2);
        expect(limiter.rate).to.equal(10_000);
      });
    }
  }

  const throttling: [what: string, answer: (received: Received) => void][] = [
    ['429', fail(429)],
    ['509', fail(509)],
    ['429 with another code', refuseWith('Server.InternalError', 429)],
    ['a throttling code', refuseWith('Client.RequestLimitExceeded', 400)],
    ['a throttling code with status 503', refuseWith('Server.Throttling', 503)],
  ];
  for (const [what, answer] of throttling) {
    it(`sends reads and mutations again after ${what}, more slowly`, async () => {
      answers = [answer, answer, accept];
      expect(await mutate()).to.equal('changed');
      expect(server.received).to.have.length(3);
      expect(delaysMs).to.deep.equal([375, 750]); // 500, 1000 with half the jitter
      expect(limiter.rate).to.be.lessThan(10_000);
      answers = [accept, accept, accept, answer, accept];
      expect(await read()).to.equal('read');
      expect(server.received).to.have.length(5);
    });
  }

  it('signs each attempt anew, as a request of its own, with the keys of the moment', async () => {
    let generation = 0;
    transport = newTransport({ clock: hastyClock([]), credentials: () => keys(`KEY${(generation += 1)}`) });
    answers = [fail(503), accept];
    await read();
    expect(server.received.map(({ form }) => form.getAll('Signature').length)).to.deep.equal([1, 1]);
    expect(used()).to.deep.equal(['KEY1', 'KEY2']);
  });

  describe('when keys are refused', () => {
    const refused = refuseWith('Client.AuthFailure', 401);

    it('sends reads and mutations again at once with keys that were rotated since', async () => {
      for (const send of [read, mutate]) {
        const before = server.received.length;
        let current = 'OLD';
        const credentials = (old?: Credentials): Credentials => keys(old === undefined ? current : (current = 'NEW'));
        transport = newTransport({ clock: hastyClock(delaysMs), credentials });
        answers = [...Array<typeof accept>(before).fill(accept), refused, accept];
        await send();
        expect(used().slice(before)).to.deep.equal(['OLD', 'NEW']);
      }
      expect(delaysMs).to.deep.equal([]);
      expect(transport.reachability).to.deep.equal({ ok: true });
    });

    it('asks for newer keys of those that it signed with, and gives up when there are none', async () => {
      const asked: unknown[] = [];
      const credentials = (old?: Credentials): Credentials => {
        asked.push(old?.accessKeyId);
        return keys('KEY');
      };
      transport = newTransport({ clock: hastyClock([]), credentials });
      answers = [refused];
      expect(await errorOf(mutate())).to.include({ code: 'Client.AuthFailure' });
      expect(used()).to.deep.equal(['KEY']);
      expect(asked).to.deep.equal([undefined, 'KEY']);
    });

    it('sends a request with new keys only once, however often they change', async () => {
      let generation = 0;
      transport = newTransport({ clock: hastyClock([]), credentials: () => keys(`KEY${(generation += 1)}`) });
      answers = [refused];
      expect(await errorOf(read())).to.include({ code: 'Client.AuthFailure' });
      expect(server.received).to.have.length(2);
    });
  });

  it('goes on after any number of calls for which no keys were to be had', async () => {
    let hasKeys = false;
    const credentials: CredentialSource = () => {
      if (!hasKeys) throw new Error('no keys');
      return keys('KEY');
    };
    transport = newTransport({ clock: hastyClock(delaysMs), credentials });
    const failed = await Promise.allSettled(Array.from({ length: 150 }, () => mutate()));
    expect(failed.map((one) => one.status === 'rejected' && String(one.reason))).to.deep.equal(
      Array.from({ length: 150 }, () => 'Error: no keys'),
    );
    hasKeys = true;
    expect(await read()).to.equal('read');
  });

  it('repeats a read, and never a mutation, that was not answered within the time limit', async () => {
    transport = newTransport({ clock: hastyClock([]), timeoutMs: 50 });
    answers = [() => {}];
    expect(await errorOf(mutate())).to.include({ code: 'Timeout', outcome: 'unknown' });
    expect(server.received).to.have.length(1);
    answers = [() => {}, () => {}, accept];
    expect(await read()).to.equal('read');
    expect(server.received).to.have.length(3);
  });

  it('gives up a request that is throttled seven times', async () => {
    answers = [fail(429)];
    expect(isThrottled(await errorOf(mutate()))).to.equal(true);
    expect(server.received).to.have.length(7);
    expect(Math.max(...delaysMs)).to.be.at.most(10_000);
  });

  it('repeats reads and mutations while the connection is refused, and then says that nothing was sent', async () => {
    await server.stop();
    expect(await errorOf(mutate())).to.include({ code: 'ECONNREFUSED', outcome: 'not-sent' });
    expect(delaysMs).to.have.length(3);
  });

  it('ends with the reason of its signal between attempts', async () => {
    const clock = new FakeClock();
    transport = newTransport({ clock });
    answers = [fail(503)];
    const abort = new AbortController();
    const ending = errorOf(read(abort.signal));
    while (clock.sleeping === 0) await new Promise(setImmediate);
    const reason = new Error('deadline');
    abort.abort(reason);
    expect(await ending).to.equal(reason);
    expect(server.received).to.have.length(1);
  });

  it('ends with the reason of its signal while it waits for the limiter', async () => {
    const clock = new FakeClock();
    limiter = new Limiter({ clock, qps: 1, burst: 1 });
    transport = newTransport({ clock });
    await read();
    const abort = new AbortController();
    const ending = errorOf(read(abort.signal));
    abort.abort(new Error('deadline'));
    expect(String(await ending)).to.equal('Error: deadline');
    expect(server.received).to.have.length(1);
  });

  it('counts every request by what became of it, and none that its caller aborted', async () => {
    answers = [fail(429), fail(503), accept];
    await read();
    answers = [accept, accept, accept, refuseWith('Client.InvalidParameterNotFound.Volume')];
    await errorOf(mutate());
    const abort = new AbortController();
    answers = [accept, accept, accept, accept, () => abort.abort()];
    await errorOf(read(abort.signal));
    expect(observed).to.deep.equal(['DescribeX throttled', 'DescribeX error', 'DescribeX ok', 'ChangeX error']);
  });

  it('logs failed requests with the id that the support of the cloud asks for', async () => {
    answers = [refuseWith('Client.InvalidParameterNotFound.Volume')];
    await errorOf(mutate());
    expect(logged).to.have.length(1);
    expect(logged[0]).to.include({ action: 'ChangeX', requestId: 'req-1' });
  });

  describe('reachability', () => {
    const clock = { ...hastyClock([]), now: () => 1_000 };

    it('is good before anything was sent', () => {
      expect(transport.reachability).to.deep.equal({ ok: true });
    });

    for (const [what, answer] of [
      ['NotFound', refuseWith('Client.InvalidParameterNotFound.Volume')],
      ['a busy server', refuseWith('Server.ResourceIncorrectState.Instance.Processing')],
      ['throttling', fail(429)],
    ] as const) {
      it(`stays good with ${what}`, async () => {
        transport = newTransport({ clock });
        answers = [answer];
        await errorOf(mutate());
        expect(transport.reachability).to.deep.equal({ ok: true });
      });
    }

    for (const [what, answer] of [
      ['a lost answer', lose],
      ['a gateway without a cloud', fail(502)],
      ['a refused signature', refuseWith('Client.AuthFailure')],
    ] as const) {
      it(`is bad after ${what}, since the first such failure in a row, and good after the next answer`, async () => {
        let nowMs = 1_000;
        transport = newTransport({ clock: { ...clock, now: () => nowMs } });
        answers = [answer, answer, accept];
        await errorOf(mutate());
        nowMs = 2_000;
        const error = (await errorOf(mutate())) as NifcloudError;
        expect(transport.reachability).to.deep.equal({ ok: false, error, sinceMs: 1_000 });
        await mutate();
        expect(transport.reachability).to.deep.equal({ ok: true });
      });
    }

    it("says nothing after a caller's abort", async () => {
      const abort = new AbortController();
      answers = [() => abort.abort()];
      await errorOf(read(abort.signal));
      expect(transport.reachability).to.deep.equal({ ok: true });
    });
  });
});
