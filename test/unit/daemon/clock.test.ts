import { expect } from 'chai';
import { systemClock } from '../../../daemon/clock.ts';

async function reasonOf(work: Promise<unknown>): Promise<unknown> {
  return await work.then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe("the machine's clock", () => {
  it('ends a sleep with the reason of its signal, also when that was aborted before', async () => {
    const abort = new AbortController();
    const sleeping = reasonOf(systemClock.sleep(60_000, abort.signal));
    const reason = new Error('shutting down');
    abort.abort(reason);
    expect(await sleeping).to.equal(reason);
    expect(await reasonOf(systemClock.sleep(60_000, abort.signal))).to.equal(reason);
  });

  it('wakes up', async () => {
    await systemClock.sleep(0);
    await systemClock.sleep(0, new AbortController().signal);
  });
});
