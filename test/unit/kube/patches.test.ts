import { expect } from 'chai';
import {
  addressesReplaced,
  conditionSet,
  finalizerAdded,
  finalizerRemoved,
  labelsSet,
  loadBalancerStatus,
  serviceConditionRemoved,
  serviceConditionSet,
  taintsReplaced,
  type Patch,
} from '../../../kube/patches.ts';
import type { Condition, LoadBalancerIngress, Node, NodeAddress, Service, Taint } from '../../../kube/types.ts';

const OURS = 'service.kubernetes.io/load-balancer-cleanup';
const withFinalizers = (...finalizers: string[]): Service => ({ metadata: { name: 's', finalizers } });
const bare: Service = { metadata: { name: 's' } };

const taint: Taint = { key: 'node.cloudprovider.kubernetes.io/shutdown', effect: 'NoSchedule' };
const tainted: Node = { metadata: { name: 'n', resourceVersion: '7' }, spec: { taints: [taint] } };
const untainted: Node = { metadata: { name: 'n', resourceVersion: '7' } };

const internal: NodeAddress = { type: 'InternalIP', address: '10.0.0.1' };
const external: NodeAddress = { type: 'ExternalIP', address: '203.0.113.1' };
const addressed = (...addresses: NodeAddress[]): Node => ({ metadata: { name: 'n' }, status: { addresses } });

const reachable: Condition = { type: 'NetworkUnavailable', status: 'False', reason: 'RouteCreated', message: 'm' };
const replaced: Condition = { type: 'Replaced', status: 'True', reason: 'KindChanged' };
const conditioned = (condition: Condition): Node => ({
  metadata: { name: 'n' },
  status: { conditions: [{ type: 'Ready', status: 'True' }, condition] },
});
const atMs = Date.UTC(2025, 0, 2, 3, 4, 5, 678);
const written = {
  status: {
    conditions: [
      { ...reachable, lastHeartbeatTime: '2025-01-02T03:04:05Z', lastTransitionTime: '2025-01-02T03:04:05Z' },
    ],
  },
};

const vip: LoadBalancerIngress = { ip: '203.0.113.9' };
const balanced = (...ingress: LoadBalancerIngress[]): Service => ({
  metadata: { name: 's' },
  status: { loadBalancer: { ingress } },
});

const cases: Record<string, readonly [string, Patch | undefined, object | undefined][]> = {
  finalizerAdded: [
    [
      'to an object without any',
      finalizerAdded(bare, OURS),
      { metadata: { finalizers: [OURS], '$setElementOrder/finalizers': [OURS] } },
    ],
    [
      'to others',
      finalizerAdded(withFinalizers('a', 'b'), OURS),
      { metadata: { finalizers: [OURS], '$setElementOrder/finalizers': ['a', 'b', OURS] } },
    ],
    ['that is there', finalizerAdded(withFinalizers('a', OURS), OURS), undefined],
  ],
  finalizerRemoved: [
    [
      'from among others',
      finalizerRemoved(withFinalizers('a', OURS, 'b'), OURS),
      { metadata: { '$deleteFromPrimitiveList/finalizers': [OURS], '$setElementOrder/finalizers': ['a', 'b'] } },
    ],
    [
      'that is the only one',
      finalizerRemoved(withFinalizers(OURS), OURS),
      { metadata: { '$deleteFromPrimitiveList/finalizers': [OURS] } },
    ],
    ['that is not there', finalizerRemoved(withFinalizers('a'), OURS), undefined],
    ['from an object without any', finalizerRemoved(bare, OURS), undefined],
  ],
  taintsReplaced: [
    [
      'by others',
      taintsReplaced(untainted, [taint]),
      { metadata: { resourceVersion: '7' }, spec: { taints: [taint] } },
    ],
    ['by none', taintsReplaced(tainted, []), { metadata: { resourceVersion: '7' }, spec: { taints: null } }],
    ['by the same', taintsReplaced(tainted, [{ ...taint }]), undefined],
    ['none by none', taintsReplaced(untainted, []), undefined],
  ],
  labelsSet: [
    [
      'that are new or differ, and only those',
      labelsSet({ metadata: { name: 'n', labels: { same: '1', other: '1' } } }, { same: '1', other: '2', new: '3' }),
      { metadata: { labels: { other: '2', new: '3' } } },
    ],
    ['that are there', labelsSet({ metadata: { name: 'n', labels: { a: '1', b: '2' } } }, { a: '1' }), undefined],
  ],
  addressesReplaced: [
    [
      'that were there, with the directive last',
      addressesReplaced(addressed(internal), [internal, external]),
      { status: { addresses: [internal, external, { $patch: 'replace' }] } },
    ],
    [
      'by another order',
      addressesReplaced(addressed(internal, external), [external, internal]),
      { status: { addresses: [external, internal, { $patch: 'replace' }] } },
    ],
    [
      'of a node without any, without the directive',
      addressesReplaced(untainted, [internal]),
      { status: { addresses: [internal] } },
    ],
    ['by the same', addressesReplaced(addressed(internal), [{ ...internal }]), undefined],
  ],
  conditionSet: [
    ['that is new', conditionSet(untainted, reachable, atMs), written],
    ['of another status', conditionSet(conditioned({ ...reachable, status: 'True' }), reachable, atMs), written],
    [
      'of another reason',
      conditionSet(conditioned({ ...reachable, reason: 'NoRouteCreated' }), reachable, atMs),
      written,
    ],
    [
      'of another message only',
      conditionSet(conditioned({ ...reachable, message: 'other' }), reachable, atMs),
      undefined,
    ],
  ],
  serviceCondition: [
    [
      'set',
      serviceConditionSet(bare, replaced, Date.UTC(2025, 0, 2)),
      { status: { conditions: [{ ...replaced, message: '', lastTransitionTime: '2025-01-02T00:00:00Z' }] } },
    ],
    ['set already', serviceConditionSet({ ...bare, status: { conditions: [replaced] } }, replaced, 0), undefined],
    [
      'removed',
      serviceConditionRemoved({ ...bare, status: { conditions: [replaced] } }, 'Replaced'),
      { status: { conditions: [{ type: 'Replaced', $patch: 'delete' }] } },
    ],
    ['removed where there is none', serviceConditionRemoved(bare, 'Replaced'), undefined],
  ],
  loadBalancerStatus: [
    ['of one without any', loadBalancerStatus(bare, [vip]), { status: { loadBalancer: { ingress: [vip] } } }],
    [
      'that differs in the mode only',
      loadBalancerStatus(balanced(vip), [{ ...vip, ipMode: 'Proxy' }]),
      { status: { loadBalancer: { ingress: [{ ...vip, ipMode: 'Proxy' }] } } },
    ],
    [
      'whose mode the API server has filled in',
      loadBalancerStatus(balanced({ ...vip, ipMode: 'VIP' }), [vip]),
      undefined,
    ],
    [
      'whose mode an older API server has left out',
      loadBalancerStatus(balanced(vip), [{ ...vip, ipMode: 'VIP' }]),
      undefined,
    ],
    [
      'by name, which has no mode',
      loadBalancerStatus(balanced({ hostname: 'a' }), [{ hostname: 'b' }]),
      { status: { loadBalancer: { ingress: [{ hostname: 'b' }] } } },
    ],
    ['cleared', loadBalancerStatus(balanced(vip), []), { status: { loadBalancer: { ingress: null } } }],
    ['that is the same', loadBalancerStatus(balanced(vip), [{ ...vip }]), undefined],
    ['cleared already', loadBalancerStatus(bare, []), undefined],
  ],
};

describe('patches', () => {
  for (const [name, rows] of Object.entries(cases)) {
    describe(name, () => {
      for (const [what, patch, expected] of rows) {
        it(`${what}${expected === undefined ? ': no request' : ''}`, () => {
          expect(patch).to.deep.equal(expected);
        });
      }
    });
  }
});
