import { expect } from 'chai';
import { concernsLoadBalancers, fingerprint, nodeSet, PresentNodeSet } from '../../../ccm/node-set.ts';
import type { Node } from '../../../kube/types.ts';
import { KubeApi } from './kube-api.ts';

const EXCLUDE = 'node.kubernetes.io/exclude-from-external-load-balancers';

const node = (fields: Partial<Node['metadata']> = {}, spec: Node['spec'] = {}): Node => ({
  metadata: { name: 'node01', ...fields },
  spec,
});
const labelled = (value: string): Node => node({ labels: { [EXCLUDE]: value } });

describe('the node set of load balancers', () => {
  const included: [string, Node][] = [
    ['a plain node', node()],
    ['a cordoned node', node({}, { unschedulable: true })],
    ['a node that is not ready', { ...node(), status: { conditions: [{ type: 'Ready', status: 'False' }] } }],
    [
      'a node that is not initialised',
      node({}, { taints: [{ key: 'node.cloudprovider.kubernetes.io/uninitialized', effect: 'NoSchedule' }] }),
    ],
    ['a control-plane node', node({ labels: { 'node-role.kubernetes.io/control-plane': '' } })],
    ...['0', 'f', 'F', 'false', 'FALSE', 'False'].map((value): [string, Node] => [
      `exclusion=${value}`,
      labelled(value),
    ]),
  ];
  for (const [name, one] of included) {
    it(`has ${name}`, () => {
      expect(nodeSet([one])).to.deep.equal([one]);
    });
  }

  const excluded: [string, Node][] = [
    ['a node being deleted', node({ deletionTimestamp: '2025-01-02T03:04:05Z' })],
    [
      'a node about to be scaled away',
      node({}, { taints: [{ key: 'ToBeDeletedByClusterAutoscaler', effect: 'NoSchedule' }] }),
    ],
    ...['', 'true', '1', 'fALSE', 'no'].map((value): [string, Node] => [`exclusion=${value}`, labelled(value)]),
  ];
  for (const [name, one] of excluded) {
    it(`does not have ${name}`, () => {
      expect(nodeSet([one])).to.deep.equal([]);
    });
  }
});

describe('a change of a node', () => {
  const cases: [name: string, before: Node, after: Node, concerns: boolean][] = [
    ['a provider id', node(), node({}, { providerID: 'i-1' }), true],
    ['the exclusion', node(), labelled('true'), true],
    ['an exclusion that says false', node(), labelled('false'), false],
    ['readiness', node(), { ...node(), status: { conditions: [{ type: 'Ready', status: 'False' }] } }, false],
    ['an address', node(), { ...node(), status: { addresses: [{ type: 'InternalIP', address: '10.0.0.1' }] } }, false],
    ['another label', node(), node({ labels: { a: 'b' } }), false],
    ['a cordon', node(), node({}, { unschedulable: true }), false],
  ];
  for (const [name, before, after, concerns] of cases) {
    it(`${concerns ? 'concerns' : 'does not concern'} load balancers if it is ${name}`, () => {
      expect(concernsLoadBalancers(before, after)).to.equal(concerns);
    });
  }

  it('leaves the fingerprint of the set as it is unless names or provider ids change', () => {
    const other = node({ name: 'node02' });
    expect(fingerprint([node(), other])).to.equal(fingerprint([other, labelled('false')]));
    expect(fingerprint([node()])).to.not.equal(fingerprint([node({}, { providerID: 'i-1' })]));
    expect(fingerprint([node()])).to.not.equal(fingerprint([other]));
  });
});

describe('the present node set', () => {
  it('is made once for all who ask, and anew after each change of a node', () => {
    const api = new KubeApi();
    const present = new PresentNodeSet(api.nodes.informer);
    const names = (): string[] => present.get().nodes.map((one) => one.metadata.name);
    api.addNode(node());
    const first = present.get();
    expect(present.get()).to.equal(first);
    api.addNode(node({ name: 'node02' }));
    expect(names()).to.deep.equal(['node01', 'node02']);
    expect(first.nodes).to.have.length(1);
    api.addNode(labelled('true'));
    expect(names()).to.deep.equal(['node02']);
    api.nodes.store('node02', undefined);
    expect(names()).to.deep.equal([]);
  });
});
