import { expect } from 'chai';
import { Lru } from '../../../kube/lru.ts';

describe('Lru', () => {
  it('makes room by what was neither set nor asked for longest', () => {
    const lru = new Lru<number>(2);
    lru.set('a', 1);
    lru.set('b', 2);
    lru.get('a');
    lru.set('c', 3);
    expect(['a', 'b', 'c'].map((key) => lru.get(key))).to.deep.equal([1, undefined, 3]);
  });

  it('setting again makes no room', () => {
    const lru = new Lru<number>(2);
    for (const [key, value] of [
      ['a', 1],
      ['b', 2],
      ['b', 3],
    ] as const)
      lru.set(key, value);
    expect(['a', 'b'].map((key) => lru.get(key))).to.deep.equal([1, 3]);
  });
});
