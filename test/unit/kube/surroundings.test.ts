import { expect } from 'chai';
import type { Clock as DaemonClock } from '../../../daemon/clock.ts';
import type { Logger as DaemonLogger } from '../../../daemon/logger.ts';
import type { Clock, Logger } from '../../../kube/surroundings.ts';

// The daemon's clock and logger fit without a cast, and the other way round: checked by the compiler.
type Same<A, B> = A extends B ? (B extends A ? true : false) : false;
const same: readonly [Same<Clock, DaemonClock>, Same<Logger, DaemonLogger>] = [true, true];

describe('surroundings', () => {
  it('are the ones that daemons have', () => {
    expect(same).to.deep.equal([true, true]);
  });
});
