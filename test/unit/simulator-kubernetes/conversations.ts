import { at, type Json } from '../../../simulator/kubernetes/objects.ts';
import { JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH } from './raw-client.ts';

/** One request. */
export interface Step {
  readonly method: string;
  readonly path: string;
  /** A function gets the body of the answer before. */
  readonly body?: unknown;
  readonly contentType?: string;
  /** Only code and reason are compared: the text holds Go's names of things. */
  readonly loose?: true;
}

type Body = Json | ((previous: Json) => Json);

const get = (path: string): Step => ({ method: 'GET', path });
const post = (path: string, body: Body): Step => ({ method: 'POST', path, body });
const put = (path: string, body: Body): Step => ({ method: 'PUT', path, body });
const remove = (path: string, options?: { [key: string]: Json }): Step => ({
  method: 'DELETE',
  path,
  ...(options === undefined ? {} : { body: { kind: 'DeleteOptions', apiVersion: 'v1', ...options } }),
});
const patch = (contentType: string) => (path: string, body: Body) => ({ method: 'PATCH', path, body, contentType });
const strategic = patch(STRATEGIC_PATCH);
const merge = patch(MERGE_PATCH);
const json = patch(JSON_PATCH);
const loosely = (step: Step): Step => ({ ...step, loose: true });

const NODES = '/api/v1/nodes';
const NAMESPACES = '/api/v1/namespaces';
const DEFAULT = '/api/v1/namespaces/default';
const SERVICES = `${DEFAULT}/services`;
const PODS = `${DEFAULT}/pods`;
const CLAIMS = `${DEFAULT}/persistentvolumeclaims`;
const VOLUMES = '/api/v1/persistentvolumes';
const EVENTS = `${DEFAULT}/events`;
const CONFIG_MAPS = `${DEFAULT}/configmaps`;
const STORAGE = '/apis/storage.k8s.io/v1';
const LEASES = '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases';
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments';
const REPLICA_SETS = '/apis/apps/v1/namespaces/default/replicasets';

const named = (name: string, rest: { [key: string]: Json } = {}): Json => ({ metadata: { name }, ...rest });
const pod = (name: string, spec: { [key: string]: Json } = {}): Json =>
  named(name, { spec: { containers: [{ name: 'c', image: 'nginx:1' }], ...spec } });
const service = (name: string, spec: { [key: string]: Json } = {}): Json =>
  named(name, { spec: { ports: [{ port: 80 }], ...spec } });
const event = (name: string, involvedObject: { [key: string]: Json }, rest: { [key: string]: Json } = {}): Json => ({
  apiVersion: 'v1',
  kind: 'Event',
  metadata: { name },
  involvedObject,
  reason: 'R',
  message: 'M',
  type: 'Normal',
  source: { component: 'c' },
  reportingComponent: 'c',
  firstTimestamp: '2026-01-01T00:00:00Z',
  lastTimestamp: '2026-01-01T00:00:00Z',
  count: 1,
  ...rest,
});

/**
 * What is asked of a real kube-apiserver, and its answers expected of the embedded one. The requests of a conversation are
 * sent in order; conversations share a server but no objects.
 */
export const CONVERSATIONS: Readonly<Record<string, readonly Step[]>> = {
  'paths that lead nowhere': [
    get('/nothing'),
    get('/apis/foo.bar/v1/things'),
    get('/api/v1/things'),
    get('/api/v1/things/x'),
    get('/api/v1/namespaces/default/nodes'),
    get('/api/v1/pods/x'),
    get(`${NODES}/x/foo`),
    get(`${NODES}/a%2Fb`),
    post('/api/v1/pods', {}),
    put(NODES, {}),
    post(`${NODES}/x`, {}),
    post(`${NODES}/x/status`, {}),
    remove(`${NODES}/x/status`),
    get(`${PODS}/x/binding`),
    get('/healthz'),
    get('/livez'),
    get('/readyz'),
    get('/apis/storage.k8s.io'),
  ],
  'objects that are not there': [
    get(`${NODES}/x`),
    get(`${NODES}/x/status`),
    get(`${DEPLOYMENTS}/x`),
    put(`${NODES}/x`, named('x')),
    merge(`${NODES}/x`, { metadata: { labels: { a: 'b' } } }),
    remove(`${NODES}/x`),
    post(`${PODS}/x/binding`, named('x', { target: { name: 'n' } })),
    post('/api/v1/namespaces/nope/services', service('x')),
  ],
  'bodies that are no objects': [
    post(NODES, named('b', { apiVersion: 'v1', kind: 'Pod' })),
    post(NODES, named('b', { apiVersion: 'apps/v1', kind: 'Deployment' })),
    post(NODES, '{"a":'),
    post(NODES, '[]'),
    post(NODES, ''),
    post(NODES, { metadata: { name: 'b', labels: { a: 1 } } }),
    post(NODES, { metadata: { name: 'b', labels: ['a'] } }),
    post(NODES, { metadata: { name: 'b', annotations: { a: true } } }),
    post(NODES, { metadata: { name: 'b', finalizers: 'a/b' } }),
    post(NODES, { metadata: { name: 5 } }),
    post(NODES, { metadata: 'b' }),
    { method: 'POST', path: NODES, body: 'x', contentType: 'text/plain' },
    { method: 'POST', path: NODES, body: 'x'.repeat(3 * 1024 * 1024 + 1) },
    { method: 'DELETE', path: `${NODES}/b`, body: '{' },
    { method: 'DELETE', path: `${NODES}/b`, body: { kind: 'Node', apiVersion: 'v1' } },
  ].map(loosely),
  'names and labels': [
    post(NODES, {}),
    post(NODES, named('A_b')),
    post(NODES, named('a'.repeat(254))),
    post(NODES, named('a.b-c.d')),
    post(SERVICES, service('1a.b')),
    post(NAMESPACES, named('a.b')),
    post(NAMESPACES, named('A')),
    loosely(post(NAMESPACES, named('a'.repeat(64)))),
    post(CONFIG_MAPS, { metadata: { generateName: 'gen-' } }),
    post(CONFIG_MAPS, { metadata: { name: 'x', namespace: 'other' } }),
    post(CONFIG_MAPS, { metadata: { name: 'labels', labels: { 'a b': 'c' } } }),
    post(CONFIG_MAPS, { metadata: { name: 'labels', labels: { a: 'c d' } } }),
    post(CONFIG_MAPS, { metadata: { name: 'labels', labels: { a: 'x'.repeat(64) } } }),
    post(CONFIG_MAPS, { metadata: { name: 'labels', labels: { 'x.y/A-b_c.d': '', b: 'A-b_c.d' } } }),
    post(CONFIG_MAPS, { metadata: { name: 'owners', ownerReferences: [{ name: 'a' }] } }),
  ],
  'create, replace and their conflicts': [
    post(NODES, named('crud', { status: { addresses: [{ type: 'InternalIP', address: '10.0.0.1' }] } })),
    post(NODES, named('crud')),
    post(NODES, { metadata: { name: 'crud-2', resourceVersion: '12' } }),
    put(`${NODES}/crud`, named('other')),
    put(`${NODES}/crud`, { metadata: {} }),
    put(`${NODES}/crud`, { metadata: { name: 'crud', resourceVersion: '1' } }),
    loosely(put(`${NODES}/crud`, { metadata: { name: 'crud', uid: 'abc' } })),
    put(`${NODES}/crud`, named('crud', { spec: { providerID: 'nifcloud:///z/i-1' }, status: { phase: 'x' } })),
    put(`${NODES}/crud`, (previous) => previous),
    put(`${NODES}/crud/status`, (previous) => ({
      metadata: { name: 'crud', resourceVersion: at(previous, 'metadata', 'resourceVersion') ?? '' },
      spec: { unschedulable: true },
      status: { addresses: [] },
    })),
    merge(`${NODES}/crud`, { spec: { providerID: 'nifcloud:///z/i-2' } }),
    merge(`${NODES}/crud`, { spec: { providerID: null } }),
    merge(`${NODES}/crud`, { metadata: { resourceVersion: '1' }, spec: { unschedulable: true } }),
    merge(`${NODES}/crud`, { metadata: { uid: '1' } }),
    merge(`${NODES}/crud`, { metadata: { name: 'b' } }),
    merge(`${NODES}/crud`, { metadata: { creationTimestamp: '2020-01-01T00:00:00Z' } }),
    merge(`${NODES}/crud`, { metadata: { deletionTimestamp: '2020-01-01T00:00:00Z' } }),
    get(`${NODES}/crud`),
  ],
  'a patch that changes nothing': [
    post(NODES, named('noop', { spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } })),
    strategic(`${NODES}/noop`, { spec: { taints: [] } }),
    strategic(`${NODES}/noop`, { spec: { taints: null }, metadata: { labels: {}, annotations: null } }),
  ],
  'patches of the wrong form': [
    post(NODES, named('form', { status: { conditions: [{ type: 'Ready', status: 'True' }] } })),
    loosely({ method: 'PATCH', path: `${NODES}/form`, body: {}, contentType: 'application/json' }),
    json(`${NODES}/form`, [{ op: 'test', path: '/metadata/name', value: 'x' }]),
    json(`${NODES}/form`, [{ op: 'remove', path: '/metadata/foo' }]),
    json(`${NODES}/form`, [{ op: 'frob', path: '/metadata/foo' }]),
    json(`${NODES}/form`, [{ op: 'add', path: '/metadata/annotations/x', value: '1' }]),
    ...[
      json(`${NODES}/form`, {}),
      merge(`${NODES}/form`, '[]'),
      merge(`${NODES}/form`, '{'),
      strategic(`${NODES}/form`, '[]'),
      strategic(`${NODES}/form/status`, { status: { conditions: [{ status: 'True' }] } }),
      strategic(`${NODES}/form`, { metadata: { labels: { $patch: 'frob' } } }),
      strategic(`${NODES}/form`, {
        metadata: { finalizers: ['a/a', 'b/b'], '$setElementOrder/finalizers': ['b/b', 'a/a'] },
      }),
      strategic(`${NODES}/form`, { metadata: { $retainKeys: ['name'], labels: { a: 'b' } } }),
    ].map(loosely),
  ],
  'JSON patches': [
    post(NODES, named('jp')),
    merge(`${NODES}/jp`, { spec: { taints: [{ key: 'b', effect: 'NoSchedule' }] } }),
    json(`${NODES}/jp`, [
      { op: 'add', path: '/metadata/labels', value: { a: '1' } },
      { op: 'add', path: '/metadata/labels/x~1y', value: '2' },
    ]),
    json(`${NODES}/jp`, [
      { op: 'test', path: '/metadata/labels/a', value: '1' },
      { op: 'remove', path: '/metadata/labels/a' },
      { op: 'copy', from: '/metadata/labels/x~1y', path: '/metadata/labels/c' },
      { op: 'move', from: '/metadata/labels/c', path: '/metadata/labels/d' },
    ]),
    json(`${NODES}/jp`, [{ op: 'replace', path: '/metadata/annotations', value: { a: '1' } }]),
    json(`${NODES}/jp`, [
      { op: 'add', path: '/spec/taints/-', value: { key: 'z', effect: 'NoExecute' } },
      { op: 'add', path: '/spec/taints/0', value: { key: 'y', effect: 'NoExecute' } },
      { op: 'replace', path: '/spec/taints/1/effect', value: 'NoExecute' },
      { op: 'remove', path: '/spec/taints/2' },
    ]),
  ],
  'strategic merge patches of a node': [
    post(NODES, named('smp')),
    strategic(`${NODES}/smp/status`, {
      status: {
        addresses: [
          { type: 'InternalIP', address: '1.1.1.1' },
          { type: 'ExternalIP', address: '2.2.2.2' },
        ],
      },
    }),
    strategic(`${NODES}/smp/status`, {
      status: {
        addresses: [
          { type: 'Hostname', address: 'h' },
          { type: 'InternalIP', address: '3.3.3.3' },
        ],
      },
    }),
    strategic(`${NODES}/smp/status`, {
      status: { addresses: [{ type: 'Hostname', address: 'h2' }, { $patch: 'replace' }] },
    }),
    strategic(`${NODES}/smp/status`, { status: { addresses: [{ type: 'Hostname', $patch: 'delete' }] } }),
    strategic(`${NODES}/smp/status`, { status: { conditions: [{ type: 'A', status: 'True', reason: 'x' }] } }),
    strategic(`${NODES}/smp/status`, { status: { conditions: [{ type: 'B', status: 'True', reason: 'x' }] } }),
    strategic(`${NODES}/smp/status`, {
      status: {
        conditions: [{ type: 'A', status: 'False', reason: null }],
        '$setElementOrder/conditions': [{ type: 'A' }, { type: 'B' }],
      },
    }),
    strategic(`${NODES}/smp/status`, {
      metadata: { finalizers: ['a/b'], '$setElementOrder/finalizers': ['a/b'], labels: { on: 'status' } },
      spec: { unschedulable: true },
    }),
    strategic(`${NODES}/smp`, { metadata: { finalizers: ['c/d'] } }),
    strategic(`${NODES}/smp`, {
      metadata: {
        finalizers: ['e/f'],
        '$deleteFromPrimitiveList/finalizers': ['a/b'],
        '$setElementOrder/finalizers': ['c/d', 'e/f'],
      },
    }),
    strategic(`${NODES}/smp`, { metadata: { labels: { q: '1', $patch: 'replace' } } }),
    strategic(`${NODES}/smp`, { metadata: { labels: { $patch: 'delete' } } }),
    strategic(`${NODES}/smp`, { spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } }),
    strategic(`${NODES}/smp`, { spec: { taints: [{ key: 'b', effect: 'NoSchedule' }] } }),
    strategic(`${NODES}/smp`, { spec: { taints: null } }),
  ],
  finalizers: [
    post(NODES, named('fin')),
    remove(`${NODES}/fin`, { preconditions: { uid: 'x' } }),
    remove(`${NODES}/fin`, { preconditions: { resourceVersion: '1' } }),
    remove(`${NODES}/fin`, { propagationPolicy: 'Foo' }),
    merge(`${NODES}/fin`, { metadata: { finalizers: ['ab'] } }),
    merge(`${NODES}/fin`, { metadata: { finalizers: ['a/b', 'c/d'] } }),
    remove(`${NODES}/fin`, { propagationPolicy: 'Background' }),
    remove(`${NODES}/fin`),
    merge(`${NODES}/fin`, { metadata: { finalizers: ['a/b', 'c/d', 'e/f'] } }),
    merge(`${NODES}/fin`, { metadata: { deletionTimestamp: null } }),
    merge(`${NODES}/fin`, { metadata: { deletionTimestamp: '2040-01-01T00:00:00Z', deletionGracePeriodSeconds: 9 } }),
    merge(`${NODES}/fin`, { metadata: { finalizers: ['c/d'] } }),
    merge(`${NODES}/fin`, { metadata: { finalizers: null } }),
    get(`${NODES}/fin`),
    post(NODES, named('fin')),
    remove(`${NODES}/fin`),
  ],
  'lists and their options': [
    get('/api/v1/nodes?labelSelector=conversation%3Dnone'),
    get('/api/v1/namespaces?fieldSelector=metadata.name%3Ddefault'),
    get('/api/v1/nodes?resourceVersion=99999999'),
    get('/api/v1/nodes?resourceVersion=abc'),
    get('/api/v1/nodes?resourceVersionMatch=Exact'),
    get('/api/v1/nodes?fieldSelector=spec.foo%3Dx'),
    get('/api/v1/nodes?fieldSelector=spec.foo'),
    get('/api/v1/nodes?limit=abc'),
    loosely(get('/api/v1/nodes?labelSelector=a%20in')),
    loosely(get('/api/v1/nodes?labelSelector=a/b/c')),
    loosely(get('/api/v1/nodes?continue=abc')),
    get('/api/v1/nodes?watch=1&resourceVersion=1&timeoutSeconds=1&resourceVersionMatch=NotOlderThan'),
    get('/api/v1/nodes?watch=1&timeoutSeconds=1&sendInitialEvents=true'),
    get('/api/v1/nodes?watch=1&timeoutSeconds=1&fieldSelector=spec.foo%3D1'),
  ],
  'a load balancer service and its type': [
    post(
      SERVICES,
      named('lb', {
        spec: {
          type: 'LoadBalancer',
          externalTrafficPolicy: 'Local',
          selector: { a: 'b' },
          ports: [
            { port: 80, name: 'http' },
            { port: 53, name: 'u', protocol: 'UDP', targetPort: 'dns' },
            { port: 53, name: 't' },
          ],
        },
      }),
    ),
    strategic(`${SERVICES}/lb/status`, {
      metadata: { finalizers: ['service.kubernetes.io/load-balancer-cleanup'], annotations: { x: 'y' } },
      spec: { externalName: 'x' },
      status: { loadBalancer: { ingress: [{ ip: '1.2.3.4' }, { hostname: 'h' }] } },
    }),
    strategic(`${SERVICES}/lb/status`, {
      spec: { type: 'ClusterIP' },
      status: { loadBalancer: { ingress: [{ ip: '1.2.3.5' }] } },
    }),
    strategic(`${SERVICES}/lb/status`, { status: { loadBalancer: { ingress: [{ ip: '1.2.3.5' }] } } }),
    strategic(`${SERVICES}/lb/status`, { status: { loadBalancer: null } }),
    strategic(`${SERVICES}/lb/status`, { status: { loadBalancer: { ingress: [{ ip: '1.2.3.6', ipMode: 'Proxy' }] } } }),
    strategic(`${SERVICES}/lb`, { status: { loadBalancer: { ingress: [{ ip: '9.9.9.9' }] } } }),
    strategic(`${SERVICES}/lb`, { spec: { healthCheckNodePort: 31000 } }),
    strategic(`${SERVICES}/lb`, { spec: { loadBalancerClass: 'foo.bar/x' } }),
    strategic(`${SERVICES}/lb`, { spec: { externalTrafficPolicy: 'Cluster' } }),
    strategic(`${SERVICES}/lb`, { spec: { ports: [{ port: 80, targetPort: 8080 }] } }),
    strategic(`${SERVICES}/lb`, { spec: { type: 'ClusterIP' } }),
    strategic(`${SERVICES}/lb`, { spec: { type: 'NodePort' } }),
    remove(`${SERVICES}/lb`),
    strategic(`${SERVICES}/lb/status`, {
      metadata: {
        '$deleteFromPrimitiveList/finalizers': ['service.kubernetes.io/load-balancer-cleanup'],
        '$setElementOrder/finalizers': [],
      },
    }),
    get(`${SERVICES}/lb`),
  ],
  'other services': [
    post(SERVICES, service('plain')),
    post(SERVICES, service('headless', { clusterIP: 'None', selector: { a: 'b' } })),
    post(SERVICES, service('headless-2', { clusterIP: 'None' })),
    post(SERVICES, named('external', { spec: { type: 'ExternalName', externalName: 'a.b' } })),
    post(SERVICES, service('np', { type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }] })),
    post(SERVICES, service('np-2', { type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }] })),
    post(SERVICES, service('np-2', { type: 'NodePort', ports: [{ port: 80, nodePort: 80 }] })),
    post(SERVICES, service('np-2', { ports: [{ port: 80, nodePort: 30081 }] })),
    post(SERVICES, named('no-ports', { spec: {} })),
    post(SERVICES, named('no-spec')),
    post(SERVICES, service('port-names', { ports: [{ port: 80 }, { port: 81 }] })),
    strategic(`${SERVICES}/plain`, { spec: { clusterIP: '10.96.0.77' } }),
    strategic(`${SERVICES}/plain`, { spec: { clusterIP: null, clusterIPs: null } }),
    put(`${SERVICES}/np`, service('np', { type: 'NodePort', ports: [{ port: 81 }] })),
    put(
      `${SERVICES}/put`,
      service('put', { type: 'LoadBalancer', allocateLoadBalancerNodePorts: false, sessionAffinity: 'ClientIP' }),
    ),
    strategic(`${SERVICES}/put`, {
      spec: {
        ports: [
          { port: 80, name: 'a' },
          { port: 82, name: 'b' },
        ],
      },
    }),
    strategic(`${SERVICES}/np`, { spec: { type: 'ExternalName', externalName: 'x.y' } }),
    get(`${SERVICES}?fieldSelector=metadata.name%3Dexternal,spec.type!%3DClusterIP`),
    remove(`${SERVICES}/put`),
  ],
  leases: [
    post(
      LEASES,
      named('l1', {
        spec: { holderIdentity: 'a', leaseDurationSeconds: 15, renewTime: '2026-01-01T00:00:00.123456Z' },
      }),
    ),
    ...['2026-01-01T00:00:00.123Z', '2026-01-01T00:00:00Z', 'foo', '2026-01-01T00:00:00.1234567Z'].flatMap(
      (renewTime) => [
        post(LEASES, named('l2', { spec: { renewTime } })),
        put(`${LEASES}/l1`, (): Json => ({ metadata: { name: 'l1', resourceVersion: '1' }, spec: { renewTime } })),
        loosely(merge(`${LEASES}/l1`, { spec: { renewTime } })),
      ],
    ),
    merge(`${LEASES}/l1`, { spec: { renewTime: '2026-01-01T00:00:00.123456+09:00' } }),
    put(`${LEASES}/l1`, named('l1', { spec: { holderIdentity: 'b' } })),
    put(`${LEASES}/l3`, named('l3', { spec: { holderIdentity: 'b' } })),
  ],
  events: [
    post(EVENTS, event('e1', { kind: 'Node', name: 'n1', apiVersion: 'v1', uid: 'u' })),
    strategic(`${EVENTS}/e1`, { count: 2, lastTimestamp: '2026-01-01T00:01:00Z' }),
    post('/api/v1/namespaces/kube-system/events', event('e2', { kind: 'Node', name: 'n1' })),
    post(EVENTS, event('e2', { kind: 'Service', namespace: 'foo', name: 'x' })),
    post(
      EVENTS,
      event('e2', { kind: 'Service', namespace: 'default', name: 'x' }, { eventTime: '2026-01-01T00:00:00.123Z' }),
    ),
    post(EVENTS, event('x.17f3a8f1e1b2c3d4', { kind: 'Service', namespace: 'default', name: 'x' })),
    get(
      '/api/v1/events?fieldSelector=involvedObject.kind%3DNode,involvedObject.name%3Dn1,reason%3DR,type%3DNormal,source%3Dc',
    ),
  ],
  pods: [
    post(PODS, pod('p1')),
    post(PODS, named('p2')),
    post(`${PODS}/p1/binding`, named('p9', { target: { kind: 'Node', name: 'n1' } })),
    post(`${PODS}/p1/binding`, named('p1', { target: { kind: 'Node' } })),
    post(`${PODS}/p1/binding`, named('p1', { target: { kind: 'Node', name: 'n1' } })),
    post(`${PODS}/p1/binding`, named('p1', { target: { kind: 'Node', name: 'n2' } })),
    get(`${PODS}/p1`),
    strategic(`${PODS}/p1/status`, {
      metadata: { labels: { a: 'b' }, ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'n', uid: 'u' }] },
      status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
    }),
    strategic(`${PODS}/p1`, { spec: { containers: [{ name: 'c', image: 'nginx:2' }] } }),
    get('/api/v1/pods?fieldSelector=spec.nodeName%3Dn1,status.phase!%3DFailed'),
    remove(`${PODS}/p1`),
    remove(`${PODS}/p1`),
    remove(`${PODS}/p1`, { gracePeriodSeconds: 5 }),
    remove(`${PODS}/p1`, { gracePeriodSeconds: 5 }),
    remove(`${PODS}/p1?gracePeriodSeconds=50`),
    remove(`${PODS}/p1`, { gracePeriodSeconds: 0 }),
    get(`${PODS}/p1`),
  ],
  'pods that wait for finalizers and kubelets': [
    post(PODS, pod('w1')),
    remove(`${PODS}/w1`),
    get(`${PODS}/w1`),
    post(PODS, {
      ...(pod('w2', { nodeName: 'n1', terminationGracePeriodSeconds: 7 }) as object),
      metadata: { name: 'w2', finalizers: ['a/b'] },
    }),
    remove(`${PODS}/w2`),
    merge(`${PODS}/w2`, { metadata: { finalizers: null } }),
    get(`${PODS}/w2`),
    remove(`${PODS}/w2?gracePeriodSeconds=0`),
    get(`${PODS}/w2`),
    post(PODS, { ...(pod('w3', { nodeName: 'n1' }) as object), metadata: { name: 'w3', finalizers: ['a/b'] } }),
    remove(`${PODS}/w3?gracePeriodSeconds=0`),
    merge(`${PODS}/w3`, { metadata: { finalizers: null } }),
    get(`${PODS}/w3`),
    post(PODS, pod('w4', { nodeName: 'n1' })),
    merge(`${PODS}/w4/status`, { status: { phase: 'Succeeded' } }),
    remove(`${PODS}/w4`),
    get(`${PODS}/w4`),
  ],
  'claims and volumes': [
    post(`${STORAGE}/storageclasses`, named('fixed', { provisioner: 'p.x' })),
    post(`${STORAGE}/storageclasses`, named('growing', { provisioner: 'p.x', allowVolumeExpansion: true })),
    ...['fixed', 'growing'].flatMap((storageClassName) => {
      const claim = `${CLAIMS}/${storageClassName}`;
      const ask = (storage: string): Step => strategic(claim, { spec: { resources: { requests: { storage } } } });
      return [
        post(
          CLAIMS,
          named(storageClassName, {
            spec: { storageClassName, accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '10Gi' } } },
            status: { phase: 'Bound' },
          }),
        ),
        loosely(ask('20Gi')),
        strategic(claim, { spec: { volumeName: 'v1' } }),
        strategic(`${claim}/status`, {
          spec: { volumeName: 'v2' },
          status: { phase: 'Bound', capacity: { storage: '10Gi' }, accessModes: ['ReadWriteOnce'] },
        }),
        ask('20Gi'),
        ask('15Gi'),
        ask('10Gi'),
        ask('5Gi'),
        loosely(strategic(claim, { spec: { storageClassName: 'x' } })),
      ];
    }),
    post(
      VOLUMES,
      named('v1', {
        spec: {
          capacity: { storage: '100Gi' },
          accessModes: ['ReadWriteOnce'],
          csi: { driver: 'd', volumeHandle: 'h' },
          claimRef: { namespace: 'default', name: 'growing' },
        },
      }),
    ),
    strategic(`${VOLUMES}/v1/status`, { status: { phase: 'Bound' } }),
  ],
  'volume attachments': [
    post(
      `${STORAGE}/volumeattachments`,
      named('a1', {
        spec: { attacher: 'd', nodeName: 'n1', source: { persistentVolumeName: 'v1' } },
        status: { attached: true },
      }),
    ),
    merge(`${STORAGE}/volumeattachments/a1`, {
      metadata: { finalizers: ['external-attacher/d'], annotations: { a: 'b' } },
      status: { attached: true },
    }),
    merge(`${STORAGE}/volumeattachments/a1/status`, {
      metadata: { finalizers: ['x/y'], labels: { a: 'b' } },
      spec: { nodeName: 'n2' },
      status: { attached: true, attachmentMetadata: { devicePath: 'x' } },
    }),
    loosely(merge(`${STORAGE}/volumeattachments/a1`, { spec: { nodeName: 'n2' } })),
    put(
      `${STORAGE}/volumeattachments/a1`,
      named('a1', {
        spec: { attacher: 'd', nodeName: 'n1', source: { persistentVolumeName: 'v1' } },
      }),
    ),
    remove(`${STORAGE}/volumeattachments/a1`),
    merge(`${STORAGE}/volumeattachments/a1`, { metadata: { finalizers: [] } }),
    get(`${STORAGE}/volumeattachments/a1`),
    post(
      `${STORAGE}/volumeattachments`,
      named('a2', {
        spec: { attacher: 'd', nodeName: 'n1', source: { persistentVolumeName: 'v1' } },
      }),
    ),
    remove(`${STORAGE}/volumeattachments/a2`),
  ],
  'CSI objects': [
    post(`${STORAGE}/csinodes`, named('n1', { spec: { drivers: [{ name: 'd', nodeID: 'n1', topologyKeys: ['z'] }] } })),
    strategic(`${STORAGE}/csinodes/n1`, { spec: { drivers: [{ name: 'e', nodeID: 'n1', topologyKeys: ['z'] }] } }),
    post(`${STORAGE}/csidrivers`, named('d1', { spec: {} })),
    merge(`${STORAGE}/csidrivers/d1`, { metadata: { labels: { a: 'b' } } }),
  ],
  workloads: [
    post(
      DEPLOYMENTS,
      named('d1', {
        spec: {
          selector: { matchLabels: { a: 'b' } },
          template: {
            metadata: { labels: { a: 'b' } },
            spec: {
              containers: [
                { name: 'c', image: 'nginx' },
                { name: 'd', image: 'busybox', env: [{ name: 'A', value: '1' }] },
              ],
              volumes: [{ name: 'v', emptyDir: {} }],
            },
          },
        },
      }),
    ),
    strategic(`${DEPLOYMENTS}/d1`, {
      spec: {
        template: {
          spec: {
            containers: [
              { name: 'd', env: [{ name: 'B', value: '2' }], ports: [{ containerPort: 80 }] },
              { name: 'e', image: 'x:1' },
            ],
            volumes: [{ $retainKeys: ['name', 'secret'], name: 'v', secret: { secretName: 's', defaultMode: 420 } }],
          },
        },
      },
    }),
    strategic(`${DEPLOYMENTS}/d1`, { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } }),
    strategic(`${DEPLOYMENTS}/d1/status`, {
      metadata: { labels: { x: 'y' }, annotations: { x: 'y' } },
      status: { replicas: 1, conditions: [{ type: 'Available', status: 'True' }] },
    }),
    strategic(`${DEPLOYMENTS}/d1`, { metadata: { annotations: { q: 'y' } } }),
    strategic(`${DEPLOYMENTS}/d1`, { metadata: { labels: { q: 'y' } } }),
    post(
      REPLICA_SETS,
      named('r1', {
        spec: {
          selector: { matchLabels: { a: 'b' } },
          template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'nginx' }] } },
        },
      }),
    ),
  ],
  'namespaces, secrets and the rest': [
    post(NAMESPACES, named('foo')),
    get(`${NAMESPACES}/foo`),
    remove(`${NAMESPACES}/default`),
    post(`${DEFAULT}/secrets`, named('s1', { stringData: { a: 'b' } })),
    post(`${DEFAULT}/serviceaccounts`, named('sa1')),
    post(
      '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices',
      named('es1', {
        addressType: 'IPv4',
        endpoints: [{ addresses: ['1.1.1.1'], conditions: { ready: true } }],
        ports: [{ name: 'http', protocol: 'TCP', port: 80 }],
      }),
    ),
  ],
};
