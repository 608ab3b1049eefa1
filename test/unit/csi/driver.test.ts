import { PassThrough } from 'node:stream';
import { expect } from 'chai';
import { Driver } from '../../../csi/driver.ts';
import { parseOptions } from '../../../csi/options.ts';
import { FakeClock } from '../../fake-clock.ts';

/** A folder that nobody can make. */
const NOWHERE = '--state-dir=/dev/null/state';

function driver(mode: string, stateDir = NOWHERE): Driver {
  const options = parseOptions([`--mode=${mode}`, stateDir]);
  const surroundings = { clock: new FakeClock(), log: new PassThrough() };
  return new Driver(options, { NODE_NAME: 'node01' }, new AbortController().signal, surroundings);
}

describe('a driver that cannot keep records', () => {
  it("goes on without the Node service under --mode=all, as the Go driver's controller runs", async () => {
    expect(await driver('all').node()).to.equal(undefined);
  });

  it('does not start under --mode=all where it is not for a missing folder: the node would have no Node service for good', async () => {
    const failure: unknown = await driver('all', `--state-dir=/tmp/${'x'.repeat(300)}`)
      .node()
      .catch((error: unknown) => error);
    expect(failure).to.be.instanceOf(Error).and.have.property('message').that.contains('ENAMETOOLONG');
  });

  it('does not start as a node server', async () => {
    const failure: unknown = await driver('node')
      .node()
      .catch((error: unknown) => error);
    expect(failure).to.be.instanceOf(Error).and.have.property('message').that.contains('/dev/null/state');
  });
});
