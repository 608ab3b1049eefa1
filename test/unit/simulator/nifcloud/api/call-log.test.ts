import { expect } from 'chai';
import { CallLog } from '../../../../../simulator/nifcloud/api/call-log.ts';

const CALL = { time: '', action: 'DescribeRegions', parameters: {}, outcome: 'ok', tookMs: 0, mutating: false };

describe('the log of calls', () => {
  it('keeps at least the last 20,000 calls, and refuses to count what it has forgotten', () => {
    const log = new CallLog();
    for (let count = 0; count < 100_000; count++) log.add(CALL);
    const mark = log.mark() - 20_000;
    expect(log.since(mark).map(({ number }) => number)).to.deep.equal(
      Array.from({ length: 20_000 }, (_, at) => mark + at + 1),
    );
    expect(() => log.since(0)).to.throw(RangeError, /no longer kept/);
  });
});
