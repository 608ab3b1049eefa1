import { expect } from 'chai';
import { Turns } from '../../../../csi/disks/turns.ts';
import { FakeClock } from '../../../fake-clock.ts';
import { refused } from './model-cloud.ts';

const BUSY = 'Server.ResourceIncorrectState.Instance.Processing';
const TAKES_MS = 3_000;

/** A cloud that may take one operation of a server at a time; each takes 3 s. */
class Operations {
  readonly clock = new FakeClock();
  readonly turns = new Turns(this.clock);
  /** Name and time of what happened. */
  readonly log: string[] = [];
  isBlocking = false;
  readonly #busy = new Set<string>();
  refusals = 0;
  readonly outcomes: Promise<unknown>[] = [];

  begin(
    server: string,
    name: string,
    { tries = 20, signal = new AbortController().signal, takesMs = TAKES_MS } = {},
  ): void {
    const send = async (): Promise<string> => {
      if (this.isBlocking && this.#busy.has(server)) {
        this.refusals += 1;
        throw refused('AttachVolume', BUSY);
      }
      this.#busy.add(server);
      this.log.push(`${name} ${this.clock.monotonicMs()}`);
      return name;
    };
    const ended = async (sent: string): Promise<string> => {
      await this.clock.sleep(takesMs, signal).finally(() => this.#busy.delete(server));
      return `${sent} is done`;
    };
    this.outcomes.push(this.turns.run(server, send, ended, { tries, signal }).catch((error: unknown) => error));
  }

  /** Somebody else's operation. */
  block(server: string): void {
    this.isBlocking = true;
    this.#busy.add(server);
  }

  release(server: string): void {
    this.#busy.delete(server);
  }
}

const busyDisk = (): Promise<never> =>
  Promise.reject(refused('DetachVolume', 'Server.ResourceIncorrectState.Volume.Processing'));

describe('Turns', () => {
  it('lets operations of a server overlap as long as it takes them', async () => {
    const operations = new Operations();
    for (const name of ['a', 'b', 'c']) operations.begin('i-1', name);
    await operations.clock.advance(TAKES_MS);
    expect(operations.log).to.deep.equal(['a 0', 'b 0', 'c 0']);
    expect(await Promise.all(operations.outcomes)).to.deep.equal(['a is done', 'b is done', 'c is done']);
    expect(operations.clock.sleeping).to.equal(0);
  });

  it('runs them one after another, without a gap and without a refusal, once a server was busy', async () => {
    const operations = new Operations();
    operations.isBlocking = true;
    for (const name of ['a', 'b', 'c']) operations.begin('i-1', name);
    await operations.clock.advance(100);
    expect(operations.refusals).to.equal(2);
    operations.begin('i-1', 'd');
    operations.begin('i-2', 'elsewhere');
    await operations.clock.advance(4 * TAKES_MS);
    expect(operations.log).to.deep.equal(['a 0', 'elsewhere 100', 'b 3000', 'c 6000', 'd 9000']);
    expect(operations.refusals).to.equal(2);
  });

  it('lets them overlap again ten minutes after the last refusal', async () => {
    const operations = new Operations();
    operations.isBlocking = true;
    for (const name of ['a', 'b']) operations.begin('i-1', name);
    await operations.clock.advance(600_000);
    operations.isBlocking = false;
    operations.log.length = 0;
    for (const name of ['c', 'd']) operations.begin('i-1', name);
    await operations.clock.advance(TAKES_MS);
    expect(operations.log).to.deep.equal(['c 600000', 'd 600000']);
  });

  it('is not held up for ever by an operation that never ends', async () => {
    const operations = new Operations();
    operations.isBlocking = true;
    operations.begin('i-1', 'stuck', { takesMs: 3_600_000 });
    operations.begin('i-1', 'b');
    operations.begin('i-1', 'c');
    await operations.clock.advance(60_000);
    operations.isBlocking = false;
    await operations.clock.advance(600_000);
    expect(operations.log).to.deep.equal(['stuck 0', 'b 600000', 'c 600000']);
  });

  it('sends again every 3 s while somebody else keeps the server busy', async () => {
    const operations = new Operations();
    operations.block('i-1');
    operations.begin('i-1', 'a');
    operations.begin('i-1', 'b');
    await operations.clock.advance(8_000);
    expect(operations.log).to.deep.equal([]);
    operations.release('i-1');
    await operations.clock.advance(6_000);
    expect(operations.log).to.deep.equal(['a 9000', 'b 12000']);
  });

  it('gives up on a server that stays busy after as many tries as the caller allows', async () => {
    const operations = new Operations();
    operations.block('i-1');
    operations.begin('i-1', 'a', { tries: 3 });
    await operations.clock.advance(60_000);
    expect(operations.refusals).to.equal(3);
    expect(await operations.outcomes[0]).to.have.property('code', BUSY);
  });

  it('lets one go who does not want to wait any longer, and keeps the others in order', async () => {
    const operations = new Operations();
    operations.isBlocking = true;
    const caller = new AbortController();
    operations.begin('i-1', 'a');
    operations.begin('i-1', 'b', { signal: caller.signal });
    operations.begin('i-1', 'c');
    await operations.clock.advance(1_000);
    caller.abort(new Error('enough'));
    expect(await operations.outcomes[1]).to.have.property('message', 'enough');
    await operations.clock.advance(10_000);
    expect(operations.log).to.deep.equal(['a 0', 'c 3000']);
  });

  it('goes on after a failure', async () => {
    const operations = new Operations();
    operations.isBlocking = true;
    operations.begin('i-1', 'a');
    operations.begin('i-1', 'b');
    const failing = operations.turns
      .run(
        'i-1',
        () => Promise.reject(new Error('refused')),
        () => Promise.resolve(),
        { tries: 1, signal: new AbortController().signal },
      )
      .catch((error: unknown) => error);
    operations.begin('i-1', 'c');
    await operations.clock.advance(4 * TAKES_MS);
    expect(await failing).to.have.property('message', 'refused');
    expect(operations.log).to.deep.equal(['a 0', 'b 3000', 'c 6000']);
  });

  it('takes a busy disk for no busy server', async () => {
    const { turns } = new Operations();
    const options = { tries: 20, signal: new AbortController().signal };
    const outcome = await turns.run('i-1', busyDisk, () => Promise.resolve(), options).catch((error: unknown) => error);
    expect(outcome).to.have.property('code', 'Server.ResourceIncorrectState.Volume.Processing');
  });
});
