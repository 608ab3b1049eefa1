import { expect } from 'chai';
import * as fc from 'fast-check';
import {
  at,
  type Json,
  type JsonObject,
  type KubeObject,
  objectsIn,
  textAt,
} from '../../../simulator/kubernetes/objects.ts';
import { Registry } from '../../../simulator/kubernetes/registry.ts';
import { SERVICES } from '../../../simulator/kubernetes/resources.ts';
import { NODE_PORTS } from '../../../simulator/kubernetes/services.ts';
import { StatusError } from '../../../simulator/kubernetes/status.ts';
import { Store } from '../../../simulator/kubernetes/store.ts';
import { FakeClock } from '../../fake-clock.ts';

const target = (name: string) => ({ resource: SERVICES, namespace: 'default', name });
const service = (name: string, spec: JsonObject): JsonObject => ({
  metadata: { name },
  spec: { ports: [{ port: 80, name: 'a' }], ...spec },
});
const nodePorts = (one: Json): number[] =>
  objectsIn(at(one, 'spec', 'ports')).flatMap((port) =>
    typeof port['nodePort'] === 'number' ? [port['nodePort']] : [],
  );
const healthCheckPorts = (one: Json): number[] => {
  const port = at(one, 'spec', 'healthCheckNodePort');
  return typeof port === 'number' ? [port] : [];
};

describe('addresses and ports of services', () => {
  let registry: Registry;
  let store: Store;
  let drawn: number;
  beforeEach(() => {
    store = new Store();
    drawn = 0;
    registry = new Registry(store, new FakeClock(), () => drawn);
    registry.seed(6443);
  });
  const all = (): KubeObject[] => store.list('services');

  const change = fc.record({
    name: fc.constantFrom('s1', 's2', 's3', 's4'),
    verb: fc.constantFrom('create', 'patch', 'replace', 'delete'),
    type: fc.constantFrom('ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'),
    policy: fc.constantFrom('Local', 'Cluster'),
    ports: fc.uniqueArray(fc.integer({ min: 80, max: 83 }), { minLength: 1 }),
    draw: fc.double({ min: 0, max: 0.999, noNaN: true }),
  });

  it('are never given twice, lie in their ranges and fit the type, after any changes', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 20 }), (changes) => {
        store = new Store();
        registry = new Registry(store, new FakeClock(), () => drawn);
        registry.seed(6443);
        for (const one of changes) {
          drawn = one.draw;
          attempt(one);
          checkInvariants();
        }
      }),
    );
  });

  type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;
  const attempt = ({ name, verb, type, policy, ports }: Change): void => {
    const external = type === 'NodePort' || type === 'LoadBalancer';
    const spec: JsonObject = {
      type,
      ...(external ? { externalTrafficPolicy: policy } : {}),
      ...(type === 'ExternalName' ? { externalName: 'x.y' } : {}),
      ports: ports.map((port) => ({ port, name: `p${port}` })),
    };
    try {
      if (verb === 'create') registry.create(target(name), { metadata: { name }, spec });
      else if (verb === 'patch') registry.patch(target(name), 'main', 'strategic', { spec });
      else if (verb === 'replace') registry.replace(target(name), 'main', { metadata: { name }, spec });
      else registry.delete(target(name));
    } catch (error) {
      // Not there, or there already.
      if (!(error instanceof StatusError && [404, 409].includes(error.code))) throw error;
    }
  };
  const checkInvariants = (): void => {
    const ports = all().flatMap((one) => [...nodePorts(one), ...healthCheckPorts(one)]);
    expect(new Set(ports).size).to.equal(ports.length);
    expect(ports.every((port) => port >= NODE_PORTS.first && port <= NODE_PORTS.last)).to.equal(true);
    const ips = all()
      .map((one) => textAt(one, 'spec', 'clusterIP'))
      .filter((ip) => ip !== '');
    expect(new Set(ips).size).to.equal(ips.length);
    expect(ips.every((ip) => /^10\.96\.\d+\.\d+$/.test(ip))).to.equal(true);
    for (const one of all()) {
      const type = textAt(one, 'spec', 'type');
      const external = ['NodePort', 'LoadBalancer'].includes(type);
      const local = textAt(one, 'spec', 'externalTrafficPolicy') === 'Local';
      expect(nodePorts(one).length, type).to.equal(external ? objectsIn(at(one, 'spec', 'ports')).length : 0);
      expect(healthCheckPorts(one).length).to.equal(type === 'LoadBalancer' && local ? 1 : 0);
      expect(textAt(one, 'spec', 'clusterIP') === '').to.equal(type === 'ExternalName');
      expect(at(one, 'spec', 'allocateLoadBalancerNodePorts')).to.equal(type === 'LoadBalancer' ? true : undefined);
    }
  };

  it('are kept by a client that leaves them out of its update', () => {
    const created = registry.create(
      target('s'),
      service('s', { type: 'LoadBalancer', externalTrafficPolicy: 'Local' }),
    );
    const { object } = registry.replace(
      target('s'),
      'main',
      service('s', {
        type: 'LoadBalancer',
        externalTrafficPolicy: 'Local',
        ports: [
          { port: 81, name: 'a' },
          { port: 82, name: 'b' },
        ],
      }),
    );
    expect(textAt(object, 'spec', 'clusterIP')).to.equal(textAt(created, 'spec', 'clusterIP'));
    expect(healthCheckPorts(object)).to.deep.equal(healthCheckPorts(created));
    expect(nodePorts(object)[0]).to.equal(nodePorts(created)[0]);
  });

  it('are not given back to a port when another one asks for them', () => {
    registry.create(
      target('s'),
      service('s', { type: 'NodePort', ports: [{ port: 80, name: 'a', nodePort: 30_500 }] }),
    );
    const ports = [
      { port: 80, name: 'a' },
      { port: 81, name: 'b', nodePort: 30_500 },
    ];
    const { object } = registry.replace(target('s'), 'main', service('s', { type: 'NodePort', ports }));
    expect(nodePorts(object)).to.deep.equal([30_000, 30_500]);
  });

  it('are free again when the service is gone or no longer has them', () => {
    const asked = service('s1', { type: 'NodePort', ports: [{ port: 80, nodePort: 30_500 }], clusterIP: '10.96.0.9' });
    registry.create(target('s1'), asked);
    const again = { ...asked, metadata: { name: 's2' } };
    expect(() => registry.create(target('s2'), again)).to.throw('provided IP is already allocated');
    registry.patch(target('s1'), 'main', 'merge', { spec: { type: 'ExternalName', externalName: 'x.y' } });
    registry.create(target('s2'), again);
    registry.delete(target('s2'));
    registry.create(target('s3'), { ...asked, metadata: { name: 's3' } });
  });

  it('are refused when the range is used up', () => {
    const ports = Array.from({ length: NODE_PORTS.last - NODE_PORTS.first + 1 }, (_, index) => ({
      port: index + 1,
      name: `p${index}`,
      nodePort: NODE_PORTS.first + index,
    }));
    registry.create(target('all'), service('all', { type: 'NodePort', ports }));
    expect(() => registry.create(target('one'), service('one', { type: 'NodePort' }))).to.throw('range is full');
  });

  it('are drawn from the whole range, and searched on from there', () => {
    drawn = 0.999_99;
    registry.create(target('s1'), service('s1', { type: 'NodePort' }));
    registry.create(target('s2'), service('s2', { type: 'NodePort' }));
    expect(all().flatMap(nodePorts)).to.deep.equal([NODE_PORTS.last, NODE_PORTS.first]);
  });

  it('begin with that of the API itself', () => {
    expect(all().map((one) => [one.metadata.name, textAt(one, 'spec', 'clusterIP')])).to.deep.equal([
      ['kubernetes', '10.96.0.1'],
    ]);
    expect(objectsIn(at(all()[0], 'spec', 'ports'))).to.deep.equal([
      { name: 'https', port: 443, targetPort: 6443, protocol: 'TCP' },
    ]);
  });
});
