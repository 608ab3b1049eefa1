import { status } from '@grpc/grpc-js';
import { expect } from 'chai';
import { ContinuedCalls, letEnd } from '../../../csi/continued-calls.ts';
import { RpcError } from '../../../csi/rpc-error.ts';

/** Work that ends when it is told to, or with its signal. */
class Work {
  begun = 0;
  signal: AbortSignal | undefined;
  #end = Promise.withResolvers<object>();

  readonly begin = async (signal: AbortSignal): Promise<object> => {
    this.begun += 1;
    this.signal = signal;
    this.#end = Promise.withResolvers<object>();
    signal.addEventListener('abort', () => this.#end.reject(signal.reason as Error), { once: true });
    return this.#end.promise;
  };

  succeed(answer: object): void {
    this.#end.resolve(answer);
  }

  fail(error: Error): void {
    this.#end.reject(error);
  }
}

const turn = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

describe('ContinuedCalls', () => {
  let stop: AbortController;
  let logged: string[];
  let calls: ContinuedCalls;
  let work: Work;

  beforeEach(() => {
    stop = new AbortController();
    logged = [];
    const error = (message: string, cause: unknown): unknown => logged.push(`${message}: ${String(cause)}`);
    calls = new ContinuedCalls({ info() {}, warn() {}, error, debug() {} }, stop.signal);
    work = new Work();
  });

  const call = (
    request: string,
    begin = work.begin,
    caller = new AbortController(),
    volumeId = 'v',
  ): Promise<unknown> => calls.run(volumeId, request, begin, caller.signal).catch((error: unknown) => error);

  it('gives equal calls for a volume the outcome of one run', async () => {
    const outcomes = [call('create'), call('create'), call('create')];
    await turn();
    work.succeed({ id: 1 });
    expect(await Promise.all(outcomes)).to.deep.equal([{ id: 1 }, { id: 1 }, { id: 1 }]);
    expect(work.begun).to.equal(1);
  });

  it('runs calls for different volumes beside each other, and anew when the run before has ended', async () => {
    const other = new Work();
    const outcomes = [call('create'), call('create', other.begin, undefined, 'w')];
    await turn();
    work.succeed({ id: 1 });
    other.succeed({ id: 2 });
    expect(await Promise.all(outcomes)).to.deep.equal([{ id: 1 }, { id: 2 }]);
    const again = call('create');
    await turn();
    work.succeed({ id: 3 });
    expect(await again).to.deep.equal({ id: 3 });
  });

  it('lets a caller go at its deadline and goes on, so that the repeat gets what was begun', async () => {
    const caller = new AbortController();
    const cut = call('create', work.begin, caller);
    await turn();
    caller.abort(new Error('deadline'));
    expect(await cut).to.have.property('message', 'deadline');
    expect(work.signal?.aborted).to.equal(false);
    const repeated = call('create');
    await turn();
    work.succeed({ id: 1 });
    expect(await repeated).to.deep.equal({ id: 1 });
    expect(work.begun).to.equal(1);
  });

  it('refuses another call for the volume while somebody waits for the one under way', async () => {
    const first = call('publish');
    const refusal = await call('unpublish');
    expect(refusal).to.be.instanceOf(RpcError).and.have.property('code', status.ABORTED);
    work.succeed({});
    await first;
  });

  it('ends work that nobody waits for when another call for the volume comes, and runs that', async () => {
    const caller = new AbortController();
    const cut = call('publish', work.begin, caller);
    await turn();
    caller.abort(new Error('deadline'));
    await cut;
    const undo = new Work();
    const undone = call('unpublish', undo.begin);
    const joined = call('unpublish', undo.begin);
    await turn();
    expect(work.signal?.aborted).to.equal(true);
    expect(undo.begun).to.equal(1);
    undo.succeed({ done: true });
    expect(await Promise.all([undone, joined])).to.deep.equal([{ done: true }, { done: true }]);
  });

  it('lets a change that is being sent end before another call for the volume begins', async () => {
    const caller = new AbortController();
    const change = new Work();
    const cut = call('grow', (signal) => letEnd(change.begin, signal), caller);
    await turn();
    caller.abort(new Error('deadline'));
    await cut;
    const published = call('publish');
    await turn();
    expect([change.signal?.aborted, work.begun]).to.deep.equal([false, 0]);
    change.succeed({});
    await turn();
    expect(work.begun).to.equal(1);
    work.succeed({ done: true });
    expect(await published).to.deep.equal({ done: true });
  });

  it('cuts off a change that is being sent, or is yet to be, with the process', async () => {
    const caller = new AbortController();
    const change = new Work();
    let workSignal: AbortSignal | undefined;
    const begin = (signal: AbortSignal): Promise<object> => letEnd(change.begin, (workSignal = signal));
    const cut = call('grow', begin, caller);
    await turn();
    caller.abort(new Error('deadline'));
    await cut;
    stop.abort(new Error('stopped'));
    expect(change.signal?.aborted).to.equal(true);
    const late = letEnd(async (signal) => signal.throwIfAborted(), workSignal ?? caller.signal);
    expect(await late.catch(String)).to.equal('Error: stopped');
  });

  it('lets a caller go also while it waits for such work to end', async () => {
    const caller = new AbortController();
    const stubborn = Promise.withResolvers<object>();
    const cut = call('publish', () => stubborn.promise, caller);
    caller.abort(new Error('deadline'));
    await cut;
    const second = new AbortController();
    const waiting = call('unpublish', work.begin, second);
    second.abort(new Error('enough'));
    expect(await waiting).to.have.property('message', 'enough');
    stubborn.resolve({});
    await turn();
    expect(work.begun).to.equal(0);
  });

  it('gives a failure to all who wait, and tells the operator of one that nobody waits for', async () => {
    const outcomes = [call('create'), call('create')];
    await turn();
    work.fail(new Error('refused'));
    expect((await Promise.all(outcomes)).map(String)).to.deep.equal(['Error: refused', 'Error: refused']);
    expect(logged).to.deep.equal([]);
    const caller = new AbortController();
    const cut = call('create', work.begin, caller);
    await turn();
    caller.abort(new Error('deadline'));
    await cut;
    work.fail(new Error('refused again'));
    await turn();
    expect(logged.join()).to.contain('refused again');
  });

  it('ends work without a caller with the process, other work when its last caller leaves', async () => {
    const gone = new AbortController();
    const waiting = new AbortController();
    const kept = new Work();
    const outcomes = [call('create', work.begin, gone), call('create', kept.begin, waiting, 'w')];
    await turn();
    gone.abort(new Error('deadline'));
    stop.abort(new Error('stopped'));
    await turn();
    expect([work.signal?.aborted, kept.signal?.aborted]).to.deep.equal([true, false]);
    waiting.abort(new Error('drained'));
    await Promise.all(outcomes);
    expect(kept.signal?.aborted).to.equal(true);
  });
});
