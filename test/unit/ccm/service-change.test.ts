import { expect } from 'chai';
import { CLEANUP_FINALIZER, needsCleanup, needsUpdate, wantsLoadBalancer } from '../../../ccm/service-change.ts';
import type { Service } from '../../../kube/types.ts';

const service = (spec: Service['spec'] = {}, metadata: Partial<Service['metadata']> = {}): Service => ({
  metadata: { name: 'web', namespace: 'default', uid: 'u1', ...metadata },
  spec: { type: 'LoadBalancer', ports: [{ name: 'http', port: 80, nodePort: 30080 }], ...spec },
});

describe('a change of a Service', () => {
  const relevant: [string, Service][] = [
    ['the type', service({ type: 'ClusterIP' })],
    ['the class', service({ loadBalancerClass: 'example.com/other' })],
    ['the source ranges', service({ loadBalancerSourceRanges: ['192.0.2.0/24'] })],
    ['a port', service({ ports: [{ name: 'http', port: 81, nodePort: 30080 }] })],
    ['a node port', service({ ports: [{ name: 'http', port: 80, nodePort: 30081 }] })],
    ['a port name', service({ ports: [{ name: 'web', port: 80, nodePort: 30080 }] })],
    ['a target port', service({ ports: [{ name: 'http', port: 80, nodePort: 30080, targetPort: 8080 }] })],
    ['a protocol', service({ ports: [{ name: 'http', port: 80, nodePort: 30080, protocol: 'UDP' }] })],
    ['an app protocol', service({ ports: [{ name: 'http', port: 80, nodePort: 30080, appProtocol: 'h2c' }] })],
    ['the number of ports', service({ ports: [] })],
    ['the session affinity', service({ sessionAffinity: 'ClientIP' })],
    ['its time', service({ sessionAffinityConfig: { clientIP: { timeoutSeconds: 1 } } })],
    ['the wished address', service({ loadBalancerIP: '203.0.113.1' })],
    ['external addresses', service({ externalIPs: ['203.0.113.1'] })],
    ['an annotation', service({}, { annotations: { a: 'b' } })],
    ['the UID', service({}, { uid: 'u2' })],
    ['the traffic policy', service({ externalTrafficPolicy: 'Local' })],
    ['the health check port', service({ healthCheckNodePort: 32000 })],
    ['the number of address families', service({ ipFamilies: ['IPv4'] })],
  ];
  for (const [name, after] of relevant) {
    it(`is looked at if it is ${name}`, () => {
      expect(needsUpdate(service(), after)).to.equal(true);
    });
  }

  const irrelevant: [string, Service, Service][] = [
    ['of labels', service(), service({}, { labels: { a: 'b' } })],
    ['of our own finalizer and status', service(), { ...service({}, { finalizers: [CLEANUP_FINALIZER] }), status: {} }],
    ['nothing', service(), service()],
    ['of a Service that never wanted one', service({ type: 'ClusterIP' }), service({ type: 'NodePort' })],
  ];
  for (const [name, before, after] of irrelevant) {
    it(`is passed over if it is ${name}`, () => {
      expect(needsUpdate(before, after)).to.equal(false);
    });
  }
});

describe('a Service', () => {
  const ours = { finalizers: ['other', CLEANUP_FINALIZER] };
  const gone = { deletionTimestamp: '2025-01-02T03:04:05Z' };
  const cases: [name: string, service: Service, wants: boolean, cleanup: boolean][] = [
    ['of type LoadBalancer', service(), true, false],
    ['with a class', service({ loadBalancerClass: 'x' }), false, false],
    ['of another type', service({ type: 'ClusterIP' }), false, false],
    ['that was a LoadBalancer', service({ type: 'ClusterIP' }, ours), false, true],
    ['that is being deleted', service({}, { ...ours, ...gone }), true, true],
    ['that is being deleted without our finalizer', service({}, gone), true, false],
  ];
  for (const [name, one, wants, cleanup] of cases) {
    it(`${name}: wants a load balancer: ${wants}; is to be cleaned up: ${cleanup}`, () => {
      expect([wantsLoadBalancer(one), needsCleanup(one)]).to.deep.equal([wants, cleanup]);
    });
  }
});
