import { expect } from 'chai';
import { cloudCheck, watchCloud } from '../../../daemon/reachability.ts';
import type { CloudReach } from '../../../daemon/reachability.ts';
import { FakeClock } from '../../fake-clock.ts';

class Cloud implements CloudReach {
  error: Error | undefined;
  asked = 0;
  #seen: Error | undefined;

  ask = async (): Promise<void> => {
    this.asked += 1;
    this.#seen = this.error;
    if (this.error !== undefined) throw this.error;
  };

  reachability(): ReturnType<CloudReach['reachability']> {
    return this.#seen === undefined ? { ok: true } : { ok: false, error: this.#seen };
  }
}

describe('a cloud that cannot be used', () => {
  let cloud: Cloud;
  let clock: FakeClock;
  let logged: unknown[];
  let stop: AbortController;
  let watching: Promise<void>;

  beforeEach(() => {
    [cloud, clock, logged, stop] = [new Cloud(), new FakeClock(), [], new AbortController()];
  });

  function watch(): void {
    const logger = { info() {}, warn() {}, debug() {}, error: (_: string, error: unknown) => logged.push(error) };
    watching = watchCloud(cloud, cloud.ask, { clock, logger }, stop.signal);
  }

  it('is seen at the start, logged each minute, and seen to be back without anybody else asking', async () => {
    cloud.error = new Error('DescribeInstances: Client.AuthFailure: bad key');
    watch();
    await clock.advance(0);
    expect(cloudCheck(cloud).failure()).to.equal('DescribeInstances: Client.AuthFailure: bad key');
    await clock.advance(3 * 60_000);
    expect(logged).to.deep.equal(Array.from({ length: 4 }, () => cloud.error));
    cloud.error = undefined;
    await clock.advance(60_000);
    expect(cloudCheck(cloud).failure()).to.equal(undefined);
    expect(logged).to.have.length(4);
    stop.abort();
    await watching;
  });

  it('is asked once and no more while all is well, and leaves no timer behind', async () => {
    watch();
    await clock.advance(60 * 60_000);
    expect(cloud.asked).to.equal(1);
    stop.abort();
    await watching;
    expect(clock.sleeping).to.equal(0);
  });
});
