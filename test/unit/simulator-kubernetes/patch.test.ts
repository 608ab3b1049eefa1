import { expect } from 'chai';
import * as fc from 'fast-check';
import type { Json, JsonObject } from '../../../simulator/kubernetes/objects.ts';
import { jsonPatch, mergePatch } from '../../../simulator/kubernetes/patch.ts';
import { StatusError } from '../../../simulator/kubernetes/status.ts';

/** JSON without nulls in objects, which a merge patch can't write. */
const { value: jsonValue } = fc.letrec<{ value: Json; object: JsonObject }>((tie) => ({
  object: fc.dictionary(fc.constantFrom('a', 'b', 'c', 'a/b', 'm~n'), tie('value'), { maxKeys: 3 }),
  value: fc.oneof(
    { maxDepth: 3 },
    fc.nat(3),
    fc.constantFrom('x', 'y'),
    fc.array(fc.nat(3), { maxLength: 3 }),
    tie('object'),
  ),
}));

describe('merge patch (RFC 7386)', () => {
  const cases: readonly [original: Json, patch: Json, result: Json][] = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  for (const [original, patch, result] of cases) {
    it(`${JSON.stringify(original)} with ${JSON.stringify(patch)} gives ${JSON.stringify(result)}`, () => {
      expect(mergePatch(original, patch)).to.deep.equal(result);
    });
  }

  it('twice is the same as once, and leaves its input alone', () => {
    fc.assert(
      fc.property(jsonValue, jsonValue, (original, patch) => {
        const copy = structuredClone(original);
        const once = mergePatch(original, patch);
        expect(mergePatch(once, patch)).to.deep.equal(once);
        expect(original).to.deep.equal(copy);
      }),
    );
  });
});

describe('JSON patch (RFC 6902)', () => {
  const cases: readonly [original: Json, operations: Json, result: Json][] = [
    [{ foo: 'bar' }, [{ op: 'add', path: '/baz', value: 'qux' }], { baz: 'qux', foo: 'bar' }],
    [{ foo: ['bar', 'baz'] }, [{ op: 'add', path: '/foo/1', value: 'qux' }], { foo: ['bar', 'qux', 'baz'] }],
    [{ foo: ['bar'] }, [{ op: 'add', path: '/foo/-', value: ['abc'] }], { foo: ['bar', ['abc']] }],
    [{ foo: ['bar'] }, [{ op: 'add', path: '/foo/2', value: 1 }], 'refused'],
    [{ foo: ['bar'] }, [{ op: 'add', path: '/foo/01', value: 1 }], 'refused'],
    [{ baz: 'qux', foo: 'bar' }, [{ op: 'remove', path: '/baz' }], { foo: 'bar' }],
    [{ foo: ['a', 'b'] }, [{ op: 'remove', path: '/foo/0' }], { foo: ['b'] }],
    [{ foo: ['a'] }, [{ op: 'remove', path: '/foo/1' }], 'refused'],
    [{ foo: 1 }, [{ op: 'remove', path: '' }], 'refused'],
    [{ foo: 'bar' }, [{ op: 'replace', path: '/foo', value: 1 }], { foo: 1 }],
    [{ foo: 'bar' }, [{ op: 'replace', path: '/new', value: 1 }], { foo: 'bar', new: 1 }],
    [{ foo: 'bar' }, [{ op: 'replace', path: '', value: { a: 1 } }], { a: 1 }],
    [{ foo: { a: 1 }, bar: {} }, [{ op: 'move', from: '/foo/a', path: '/bar/b' }], { foo: {}, bar: { b: 1 } }],
    [{ foo: ['a', 'b', 'c'] }, [{ op: 'move', from: '/foo/0', path: '/foo/2' }], { foo: ['b', 'c', 'a'] }],
    [
      { a: { b: 1 } },
      [
        { op: 'copy', from: '/a', path: '/c' },
        { op: 'remove', path: '/a/b' },
      ],
      { a: {}, c: { b: 1 } },
    ],
    [{ a: 1 }, [{ op: 'copy', from: '/x', path: '/c' }], 'refused'],
    [{ a: { b: [1, 2] } }, [{ op: 'test', path: '/a', value: { b: [1, 2] } }], { a: { b: [1, 2] } }],
    [{ a: 1 }, [{ op: 'test', path: '/a', value: '1' }], 'refused'],
    [{ a: 1 }, [{ op: 'test', path: '/b', value: null }], { a: 1 }],
    [
      { 'a/b': 1, 'm~n': 2 },
      [
        { op: 'remove', path: '/a~1b' },
        { op: 'remove', path: '/m~0n' },
      ],
      {},
    ],
    [{ a: 1 }, [{ op: 'add', path: 'a', value: 1 }], 'refused'],
    [{ a: 1 }, [{ op: 'add', path: '/b' }], 'refused'],
    [{ a: 1 }, [{ op: 'add', path: '/b/c', value: 1 }], 'refused'],
  ];
  for (const [original, operations, result] of cases) {
    it(`${JSON.stringify(original)} with ${JSON.stringify(operations)} gives ${JSON.stringify(result)}`, () => {
      const copy = structuredClone(original);
      if (result === 'refused') {
        expect(() => jsonPatch(original, operations))
          .to.throw(StatusError)
          .with.property('code', 422);
      } else {
        expect(jsonPatch(original, operations)).to.deep.equal(result);
      }
      expect(original).to.deep.equal(copy);
    });
  }
});
