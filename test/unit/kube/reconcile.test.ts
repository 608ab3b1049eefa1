import { expect } from 'chai';
import { keyOf, parseKey } from '../../../kube/reconcile.ts';

describe('keys', () => {
  for (const [metadata, text] of [
    [{ namespace: 'ns', name: 'a' }, 'ns/a'],
    [{ namespace: '', name: 'a' }, 'a'],
  ] as const) {
    it(`"${text}" and back`, () => {
      expect(keyOf({ metadata })).to.equal(text);
      expect(parseKey(text)).to.deep.equal(metadata);
    });
  }

  it('an object without a namespace is known by its name', () => {
    expect(keyOf({ metadata: { name: 'n1' } })).to.equal('n1');
  });
});
