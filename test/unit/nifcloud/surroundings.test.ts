import { expect } from 'chai';
import { systemClock } from '../../../nifcloud/surroundings.ts';
import { errorOf } from './recorded-api.ts';

describe('the machine’s clock', () => {
  it('ends a sleep with the reason of its signal', async () => {
    const abort = new AbortController();
    const sleeping = errorOf(systemClock.sleep(60_000, abort.signal));
    const reason = new Error('shutting down');
    abort.abort(reason);
    expect(await sleeping).to.equal(reason);
    expect(await errorOf(systemClock.sleep(60_000, abort.signal))).to.equal(reason);
  });

  it('wakes up', async () => {
    await systemClock.sleep(0);
    await systemClock.sleep(0, new AbortController().signal);
  });
});
