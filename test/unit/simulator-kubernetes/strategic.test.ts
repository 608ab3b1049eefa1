import { expect } from 'chai';
import * as fc from 'fast-check';
import { shapeOf } from '../../../simulator/kubernetes/merge-keys.ts';
import type { Json, JsonObject } from '../../../simulator/kubernetes/objects.ts';
import { strategicMerge } from '../../../simulator/kubernetes/strategic.ts';

const node = shapeOf('Node');
const pod = shapeOf('Pod');

/*
 * The recorded conversations hold what a real server answers to the patches of this project's programs. Here: what else
 * its algorithm promises.
 */
describe('strategic merge patch', () => {
  const finalizer = fc.constantFrom('a/a', 'b/b', 'c/c', 'd/d', 'e/e');
  const finalizers = fc.uniqueArray(finalizer);

  it('turns any set of finalizers into any other, in the order that is asked for', () => {
    fc.assert(
      fc.property(finalizers, finalizers, (have, want) => {
        const original = { metadata: { name: 'n', finalizers: have } };
        const metadata: JsonObject = { '$setElementOrder/finalizers': want };
        const [added, gone] = [want.filter((one) => !have.includes(one)), have.filter((one) => !want.includes(one))];
        if (added.length > 0) metadata['finalizers'] = added;
        if (gone.length > 0) metadata['$deleteFromPrimitiveList/finalizers'] = gone;
        const merged = strategicMerge(original, { metadata }, node);
        expect(merged).to.deep.equal({ metadata: { name: 'n', finalizers: want } });
      }),
    );
  });

  const address = fc.record({ type: fc.constantFrom('A', 'B', 'C', 'D'), address: fc.constantFrom('1', '2') });
  const addresses = fc.uniqueArray(address, { selector: ({ type }) => type });

  it('merges a list by its key: every element of the patch is there, the others are as they were and in their order', () => {
    fc.assert(
      fc.property(addresses, addresses, (have, patch) => {
        const copy = structuredClone(have);
        const merged = strategicMerge({ status: { addresses: have } }, { status: { addresses: patch } }, node);
        const result = (merged['status'] as JsonObject)['addresses'] as typeof have;
        const patched = patch.map(({ type }) => type);
        expect(result.filter(({ type }) => patched.includes(type))).to.deep.equal(patch);
        expect(result.filter(({ type }) => !patched.includes(type))).to.deep.equal(
          have.filter(({ type }) => !patched.includes(type)),
        );
        expect(strategicMerge(merged, { status: { addresses: patch } }, node)).to.deep.equal(merged);
        expect(have).to.deep.equal(copy);
      }),
    );
  });

  const cases: readonly [title: string, original: JsonObject, patch: JsonObject, result: JsonObject][] = [
    [
      'a new element comes first, as with the real server',
      { status: { addresses: [{ type: 'A' }, { type: 'B' }] } },
      { status: { addresses: [{ type: 'C' }] } },
      { status: { addresses: [{ type: 'C' }, { type: 'A' }, { type: 'B' }] } },
    ],
    [
      'an order alone sorts what is there',
      { status: { addresses: [{ type: 'A' }, { type: 'B' }, { type: 'C' }] } },
      { status: { '$setElementOrder/addresses': [{ type: 'C' }, { type: 'A' }] } },
      { status: { addresses: [{ type: 'B' }, { type: 'C' }, { type: 'A' }] } },
    ],
    [
      'replace inside a list replaces it by the other elements',
      { status: { addresses: [{ type: 'A' }] } },
      { status: { addresses: [{ type: 'B', address: null }, { $patch: 'replace' }] } },
      { status: { addresses: [{ type: 'B' }] } },
    ],
    [
      'delete inside a list takes the element of that key',
      { status: { addresses: [{ type: 'A' }, { type: 'B' }] } },
      {
        status: {
          addresses: [
            { type: 'A', $patch: 'delete' },
            { type: 'Z', $patch: 'delete' },
          ],
        },
      },
      { status: { addresses: [{ type: 'B' }] } },
    ],
    [
      'nested lists merge by their own keys',
      { spec: { containers: [{ name: 'c', image: 'x', env: [{ name: 'A', value: '1' }], args: ['1', '2'] }] } },
      { spec: { containers: [{ name: 'c', env: [{ name: 'B', value: '2' }], args: ['3'] }] } },
      {
        spec: {
          containers: [
            {
              name: 'c',
              image: 'x',
              env: [
                { name: 'B', value: '2' },
                { name: 'A', value: '1' },
              ],
              args: ['3'],
            },
          ],
        },
      },
    ],
    [
      'retainKeys drops what it does not name',
      { spec: { volumes: [{ name: 'v', emptyDir: {} }] } },
      { spec: { volumes: [{ $retainKeys: ['name', 'secret'], name: 'v', secret: { secretName: 's' } }] } },
      { spec: { volumes: [{ name: 'v', secret: { secretName: 's' } }] } },
    ],
    [
      'replace puts an object in the place of another, delete empties it',
      { metadata: { labels: { a: '1' }, annotations: { a: '1' } } },
      { metadata: { labels: { $patch: 'replace', b: '2' }, annotations: { $patch: 'delete' } } },
      { metadata: { labels: { b: '2' }, annotations: {} } },
    ],
    [
      'directives and nulls of a value that meets nothing do not stay',
      {},
      {
        metadata: { labels: { a: null, b: '1' }, annotations: { $patch: 'delete' } },
        spec: { x: [{ $patch: 'delete' }] },
      },
      { metadata: { labels: { b: '1' }, annotations: {} }, spec: { x: [] } },
    ],
    [
      'a list without a merge key is replaced',
      { spec: { taints: [{ key: 'a' }] }, status: { images: [1, 2] } },
      { spec: { taints: [{ key: 'b' }] }, status: { images: [3] } },
      { spec: { taints: [{ key: 'b' }] }, status: { images: [3] } },
    ],
    ['null deletes, also what is not there', { a: 1, b: 2 }, { a: null, c: null }, { b: 2 }],
    ['a change of type takes the patch', { a: [1], b: {} }, { a: { x: 1 }, b: 'x' }, { a: { x: 1 }, b: 'x' }],
    [
      'deleting values from a set that is not there does nothing',
      { metadata: {} },
      { metadata: { '$deleteFromPrimitiveList/finalizers': ['a'], '$setElementOrder/finalizers': [] } },
      { metadata: {} },
    ],
  ];
  for (const [title, original, patch, result] of cases) {
    it(title, () => {
      const inputs: Json = structuredClone([original, patch]);
      expect(strategicMerge(original, patch, { fields: { ...node.fields, ...only(pod, patch) } })).to.deep.equal(
        result,
      );
      expect([original, patch]).to.deep.equal(inputs);
    });
  }

  it('replaces the selector of a disruption budget as a whole', () => {
    const merged = strategicMerge(
      { spec: { selector: { matchLabels: { a: '1' } }, minAvailable: 1 } },
      { spec: { selector: { matchLabels: { b: '2' } } } },
      shapeOf('PodDisruptionBudget'),
    );
    expect(merged).to.deep.equal({ spec: { selector: { matchLabels: { b: '2' } }, minAvailable: 1 } });
  });
});

/** The pod's shape of `spec` where the patch speaks of containers or volumes. */
function only(shape: typeof pod, patch: JsonObject): NonNullable<typeof pod.fields> {
  const text = JSON.stringify(patch);
  const spec = shape.fields?.['spec'];
  return spec !== undefined && /containers|volumes/.test(text) ? { spec } : {};
}
