import { expect } from 'chai';
import { KeyedReads } from '../../../../csi/disks/keyed-reads.ts';
import { FakeClock } from '../../../fake-clock.ts';

const never = new AbortController().signal;

describe('KeyedReads', () => {
  it('reads each thing once for all who ask at the same moment, and anew for who asks later', async () => {
    const clock = new FakeClock();
    const read: string[] = [];
    const reads = new KeyedReads(async (key) => {
      read.push(key);
      return `${key}${read.length}`;
    }, clock);
    const asked = [reads.get('a', never), reads.get('b', never), reads.get('a', never)];
    await clock.advance(10);
    expect(await Promise.all(asked)).to.deep.equal(['a1', 'b2', 'a1']);
    const later = reads.get('a', never);
    await clock.advance(10);
    expect(await later).to.equal('a3');
  });

  it('never answers with what was read before the question', async () => {
    const clock = new FakeClock();
    let state = 'old';
    const reads = new KeyedReads(async () => {
      const seen = state;
      await clock.sleep(200);
      return seen;
    }, clock);
    const first = reads.get('a', never);
    await clock.advance(100);
    state = 'new';
    const second = reads.get('a', never);
    await clock.advance(600);
    expect([await first, await second]).to.deep.equal(['old', 'new']);
  });

  it('gives an error to those who asked, and none to those who ask later', async () => {
    const clock = new FakeClock();
    let isBroken = true;
    const reads = new KeyedReads(async (key) => {
      if (isBroken) throw new Error('lost');
      return key;
    }, clock);
    const failing = reads.get('a', never).catch((error: unknown) => String(error));
    await clock.advance(10);
    expect(await failing).to.equal('Error: lost');
    isBroken = false;
    const later = reads.get('a', never);
    await clock.advance(10);
    expect(await later).to.equal('a');
  });
});
