import { expect } from 'chai';
import type { KubeObject } from '../../../simulator/kubernetes/objects.ts';
import { parseFieldSelector, parseLabelSelector } from '../../../simulator/kubernetes/selectors.ts';
import { StatusError } from '../../../simulator/kubernetes/status.ts';

const object = (rest: object, labels: Record<string, string> = {}): KubeObject =>
  ({ kind: 'X', apiVersion: 'v1', metadata: { name: 'n', namespace: 'ns', labels }, ...rest }) as unknown as KubeObject;

describe('label selectors', () => {
  const cases: readonly [selector: string, holdsFor: Record<string, string>[], failsFor: Record<string, string>[]][] = [
    ['', [{}, { a: 'b' }], []],
    ['a=b', [{ a: 'b' }], [{}, { a: 'c' }]],
    ['a==b', [{ a: 'b' }], [{ a: 'c' }]],
    ['a=', [{ a: '' }], [{}, { a: 'b' }]],
    ['a!=b', [{}, { a: 'c' }], [{ a: 'b' }]],
    ['a in (b, c)', [{ a: 'b' }, { a: 'c' }], [{}, { a: 'd' }]],
    ['a notin (b,c)', [{}, { a: 'd' }], [{ a: 'b' }, { a: 'c' }]],
    ['a', [{ a: '' }], [{}, { b: 'a' }]],
    ['!a', [{}], [{ a: '' }]],
    ['x.y/a=b,c in (d,e),!f', [{ 'x.y/a': 'b', c: 'e' }], [{ 'x.y/a': 'b', c: 'e', f: '' }, { c: 'e' }]],
    ['service.kubernetes.io/headless notin (true),in', [{ in: '' }], [{}]],
  ];
  for (const [selector, holdsFor, failsFor] of cases) {
    it(`${JSON.stringify(selector)} holds for what it says and for nothing else`, () => {
      const matches = parseLabelSelector(selector);
      expect(holdsFor.map((labels) => matches(object({}, labels)))).to.deep.equal(holdsFor.map(() => true));
      expect(failsFor.map((labels) => matches(object({}, labels)))).to.deep.equal(failsFor.map(() => false));
    });
  }

  for (const selector of ['a in', 'a in b', 'a b', '=b', 'a=b=c', '!', 'a/b/c', '-a', 'a>1']) {
    it(`${JSON.stringify(selector)} is refused`, () => {
      expect(() => parseLabelSelector(selector))
        .to.throw(StatusError)
        .with.property('code', 400);
    });
  }
});

describe('field selectors', () => {
  const fields = ['spec.nodeName', 'spec.unschedulable', 'source', 'type'];
  const cases: readonly [selector: string, object: object, holds: boolean][] = [
    ['metadata.name=n', {}, true],
    ['metadata.name!=n', {}, false],
    ['metadata.namespace==ns,metadata.name=n', {}, true],
    ['spec.nodeName=', {}, true],
    ['spec.nodeName=a', { spec: { nodeName: 'a' } }, true],
    ['spec.nodeName!=a', { spec: {} }, true],
    ['spec.unschedulable=false', {}, true],
    ['spec.unschedulable=true', { spec: { unschedulable: true } }, true],
    ['source=c', { source: { component: 'c' } }, true],
    ['source=c', { reportingComponent: 'c' }, true],
    ['type=a=b', { type: 'a=b' }, true],
  ];
  for (const [selector, rest, holds] of cases) {
    it(`${selector} ${holds ? 'holds' : 'does not hold'} for ${JSON.stringify(rest)}`, () => {
      expect(parseFieldSelector(selector, fields)(object(rest))).to.equal(holds);
    });
  }
});
