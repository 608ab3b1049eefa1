import { expect } from 'chai';
import { Gate } from '../../../../../simulator/nifcloud/data-plane/gate.ts';

describe('a gate', () => {
  it('lets so many through at a time, in the order in which they came, also past those that fail', async () => {
    const gate = new Gate(2);
    const entered: number[] = [];
    const ends: PromiseWithResolvers<void>[] = [];
    const done = [1, 2, 3, 4].map((name) => {
      const end = Promise.withResolvers<void>();
      ends.push(end);
      return gate.pass(async () => {
        entered.push(name);
        await end.promise;
        return name;
      });
    });
    expect(entered).to.deep.equal([1, 2]);
    ends[1]?.reject(new Error('broken'));
    expect(await done[1]?.catch((error: Error) => error.message)).to.equal('broken');
    expect(entered).to.deep.equal([1, 2, 3]);
    ends[0]?.resolve();
    await done[0];
    expect(entered).to.deep.equal([1, 2, 3, 4]);
    ends[2]?.resolve();
    ends[3]?.resolve();
    expect(await Promise.all([done[0], done[2], done[3]])).to.deep.equal([1, 3, 4]);
    expect(await gate.pass(async () => 'free again')).to.equal('free again');
  });
});
