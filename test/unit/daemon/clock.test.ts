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

  it('does not wake at once from a sleep that is longer than a timer can hold', async () => {
    const abort = new AbortController();
    const sleeping = systemClock.sleep(2 ** 31, abort.signal).then(() => 'woke up');
    expect(await Promise.race([sleeping, systemClock.sleep(50).then(() => 'asleep')])).to.equal('asleep');
    abort.abort(new Error('enough'));
    expect(await reasonOf(sleeping)).to.equal(abort.signal.reason);
  });

  it('wakes up', async () => {
    await systemClock.sleep(0);
    await systemClock.sleep(0, new AbortController().signal);
  });
});
