import { PassThrough } from 'node:stream';
import { expect } from 'chai';
import { Driver } from '../../../csi/driver.ts';
import { parseOptions } from '../../../csi/options.ts';
import { FakeClock } from '../../fake-clock.ts';

/** A folder that nobody can make. */
const NOWHERE = '--state-dir=/dev/null/state';

describe('a driver that cannot keep records', () => {
  const driver = (mode: string): Driver =>
    new Driver(parseOptions([`--mode=${mode}`, NOWHERE]), { NODE_NAME: 'node01' }, new AbortController().signal, {
      clock: new FakeClock(),
      log: new PassThrough(),
    });

  it("goes on without the Node service under --mode=all, as the Go driver's controller runs", async () => {
    expect(await driver('all').node()).to.equal(undefined);
  });

  it('does not start as a node server', async () => {
    const failure: unknown = await driver('node')
      .node()
      .catch((error: unknown) => error);
    expect(failure).to.be.instanceOf(Error).and.have.property('message').that.contains('/dev/null/state');
  });
});
