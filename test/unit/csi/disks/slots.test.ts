import { expect } from 'chai';
import { Slots } from '../../../../csi/disks/slots.ts';
import { FastClock, ModelCloud } from './model-cloud.ts';

const never = new AbortController().signal;

describe('Slots', () => {
  it('counts attachments and claims, and the two of one disk once', () => {
    const cloud = new ModelCloud(new FastClock());
    cloud.addServer('node01');
    cloud.addVolume('a', { on: 'node01' });
    cloud.addVolume('free');
    const slots = new Slots();
    const release = slots.claim('i-node01', 'a', 'temporary');
    slots.claim('i-node01', 'b', 'lasting');
    slots.claim('i-node02', 'c', 'lasting');
    expect(slots.free('i-node01', cloud.settledState())).to.equal(12);
    release();
    expect(slots.free('i-node01', cloud.settledState())).to.equal(12);
    expect(slots.free('i-node01', [])).to.equal(13);
  });

  it('counts as free in the end what has a temporary claim, attached or not', () => {
    const cloud = new ModelCloud(new FastClock());
    cloud.addServer('node01');
    for (const id of ['born', 'there']) cloud.addVolume(id, { on: 'node01' });
    const slots = new Slots();
    const release = slots.claim('i-node01', 'born', 'temporary');
    slots.claim('i-node01', 'to be born', 'temporary');
    slots.claim('i-node01', 'published', 'lasting');
    expect(slots.free('i-node01', cloud.settledState())).to.equal(10);
    expect(slots.freeInTheEnd('i-node01', cloud.settledState())).to.equal(12);
    release();
    expect(slots.freeInTheEnd('i-node01', cloud.settledState())).to.equal(11);
  });

  it('lets those who wait for a slot look again when one is given back', async () => {
    const slots = new Slots();
    const release = slots.claim('i-node01', 'a', 'temporary');
    let woken = 0;
    const waiting = [1, 2].map(() => slots.untilReleased(never).then(() => (woken += 1)));
    const caller = new AbortController();
    const leaving = slots.untilReleased(caller.signal).catch((error: unknown) => error);
    caller.abort(new Error('enough'));
    expect(await leaving).to.have.property('message', 'enough');
    expect(woken).to.equal(0);
    release();
    await Promise.all(waiting);
  });
});
