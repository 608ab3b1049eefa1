import { expect } from 'chai';
import * as fc from 'fast-check';
import type { KubeObject } from '../../../simulator/kubernetes/objects.ts';
import { StatusError } from '../../../simulator/kubernetes/status.ts';
import { type Change, keyOf, Store } from '../../../simulator/kubernetes/store.ts';

const object = (name: string, value: number): KubeObject =>
  ({ kind: 'X', apiVersion: 'v1', metadata: { name, namespace: 'ns' }, value }) as unknown as KubeObject;
const actions = fc.array(
  fc.record({
    resource: fc.constantFrom('a', 'b'),
    name: fc.constantFrom('x', 'y', 'z'),
    value: fc.nat(2),
    gone: fc.boolean(),
  }),
);

describe('the store', () => {
  it('remembers every state that its history reaches, and says so of older ones', () => {
    fc.assert(
      fc.property(actions, fc.integer({ min: 1, max: 20 }), (steps, historyLimit) => {
        const store = new Store(historyLimit);
        const states = [{ version: 0, objects: store.list('a') }];
        let changes = 0;
        for (const { resource, name, value, gone } of steps) {
          const before = store.version;
          if (gone) store.remove(resource, keyOf('ns', name));
          else store.put(resource, object(name, value));
          if (resource === 'a' && store.version > before) changes += 1;
          states.push({ version: store.version, objects: store.list('a') });
        }
        const known = states.filter(({ version }) => store.listAt('a', version) !== undefined);
        for (const { version, objects } of known) expect(store.listAt('a', version)).to.deep.equal(objects);
        expect(store.changesSince('a', known[0]!.version)).to.have.length(Math.min(historyLimit, changes));
        for (const { version } of states) {
          if (store.listAt('a', version) === undefined) {
            expect(() => store.changesSince('a', version))
              .to.throw(StatusError)
              .with.property('code', 410);
          } else {
            expect(store.changesSince('a', version).every((change) => change.version > version)).to.equal(true);
          }
        }
      }),
    );
  });

  it('tells listeners of each change once, with one version more each time, whatever the resource', () => {
    fc.assert(
      fc.property(actions, (steps) => {
        const store = new Store();
        const heard: Change[] = [];
        for (const resource of ['a', 'b']) store.listen(resource, (change) => heard.push(change));
        for (const { resource, name, value, gone } of steps) {
          if (gone) store.remove(resource, keyOf('ns', name));
          else store.put(resource, object(name, value));
        }
        expect(heard.map(({ version }) => version)).to.deep.equal(heard.map((_, index) => index + 1));
        expect(heard.map((change) => change.object.metadata.resourceVersion)).to.deep.equal(
          heard.map(({ version }) => String(version)),
        );
        expect(store.version).to.equal(heard.length);
      }),
    );
  });
});
