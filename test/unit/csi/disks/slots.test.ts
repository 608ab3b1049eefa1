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
    const release = slots.claim('i-node01', 'a');
    slots.claim('i-node01', 'b');
    slots.claim('i-node02', 'c');
    expect(slots.free('i-node01', cloud.settledState())).to.equal(12);
    release();
    expect(slots.free('i-node01', cloud.settledState())).to.equal(12);
    expect(slots.free('i-node01', [])).to.equal(13);
  });

  it('sends to one server one after another, in the order of asking; to others beside', async () => {
    const slots = new Slots();
    const log: string[] = [];
    const sender = (server: string, name: string): Promise<void> =>
      slots.inTurn(
        server,
        async () => {
          log.push(`${name} begins`);
          await new Promise(setImmediate);
          log.push(`${name} ends`);
        },
        never,
      );
    await Promise.all([sender('i-1', 'a'), sender('i-1', 'b'), sender('i-2', 'c')]);
    expect(log.filter((line) => !line.startsWith('c'))).to.deep.equal(['a begins', 'a ends', 'b begins', 'b ends']);
    expect(log.indexOf('c begins')).to.be.below(log.indexOf('a ends'));
  });

  it('goes on after a failure', async () => {
    const slots = new Slots();
    const failing = slots.inTurn('i-1', () => Promise.reject(new Error('refused')), never);
    const next = slots.inTurn('i-1', async () => 'sent', never);
    await failing.catch(() => undefined);
    expect(await next).to.equal('sent');
  });

  it('lets one go who does not want to wait any longer, and keeps the others in order', async () => {
    const slots = new Slots();
    const gate = Promise.withResolvers<void>();
    const log: string[] = [];
    const first = slots.inTurn('i-1', () => gate.promise.then(() => log.push('first')), never);
    const caller = new AbortController();
    const second = slots.inTurn('i-1', async () => log.push('second'), caller.signal).catch((error: unknown) => error);
    const third = slots.inTurn('i-1', async () => log.push('third'), never);
    caller.abort(new Error('enough'));
    expect(await second).to.have.property('message', 'enough');
    expect(log).to.deep.equal([]);
    gate.resolve();
    await Promise.all([first, third]);
    expect(log).to.deep.equal(['first', 'third']);
  });
});
