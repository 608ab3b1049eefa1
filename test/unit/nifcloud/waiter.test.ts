import { getEventListeners } from 'node:events';
import { expect } from 'chai';
import { newWaiter } from '../../../nifcloud/waiter.ts';
import { errorOf } from './recorded-api.ts';

describe('a waiter', () => {
  let abort: AbortController;
  let left: number;
  beforeEach(() => {
    abort = new AbortController();
    left = 0;
  });
  const leave = (): void => void (left += 1);

  for (const settle of ['resolve', 'reject'] as const) {
    it(`that others ${settle} leaves nothing on a signal that lives on`, async () => {
      const waiter = newWaiter<string>(abort.signal, leave);
      const settled = waiter.promise.catch(String);
      waiter[settle]('done');
      expect(await settled).to.equal('done');
      expect(getEventListeners(abort.signal, 'abort')).to.have.length(0);
      abort.abort();
      expect(left).to.equal(0);
    });
  }

  it('leaves, with the reason of its signal, when that aborts first', async () => {
    const waiter = newWaiter(abort.signal, leave);
    const failing = errorOf(waiter.promise);
    const reason = new Error('deadline');
    abort.abort(reason);
    waiter.resolve('too late');
    expect(await failing).to.equal(reason);
    expect(left).to.equal(1);
  });
});
