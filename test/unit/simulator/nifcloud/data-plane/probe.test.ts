import { getEventListeners } from 'node:events';
import { expect } from 'chai';
import { answers } from '../../../../../simulator/nifcloud/data-plane/probe.ts';

describe('a probe', () => {
  for (const target of ['TCP:1', 'HTTP:1', 'HTTPS:1']) {
    it(`of ${target} that is refused leaves nothing behind on the signal, which outlives thousands of them`, async () => {
      const { signal } = new AbortController();
      expect(await answers('127.0.0.1', { target, path: '', httpCodes: [] }, { timeoutMs: 5_000, signal })).to.equal(
        false,
      );
      await new Promise(setImmediate);
      expect(getEventListeners(signal, 'abort')).to.have.length(0);
    });
  }
});
