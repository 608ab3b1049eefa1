import { expect } from 'chai';
import { at, type Json, type JsonObject, type KubeObject, textAt } from '../../../simulator/kubernetes/objects.ts';
import { Registry } from '../../../simulator/kubernetes/registry.ts';
import { NAMESPACES, type Resource, RESOURCES } from '../../../simulator/kubernetes/resources.ts';
import { StatusError } from '../../../simulator/kubernetes/status.ts';
import { Store } from '../../../simulator/kubernetes/store.ts';
import { FakeClock } from '../../fake-clock.ts';

const resource = (plural: string): Resource => RESOURCES.find((one) => one.plural === plural)!;
const target = (plural: string, name: string, namespace = 'default') => ({
  resource: resource(plural),
  namespace,
  name,
});
const namespace = (name: string) => ({ resource: NAMESPACES, namespace: '', name });

const ownedBy = (...owners: KubeObject[]): Json =>
  owners.map(({ apiVersion, kind, metadata: { name, uid } }) => ({ apiVersion, kind, name, uid }));

describe('what goes with its owner', () => {
  let registry: Registry;
  beforeEach(() => {
    registry = new Registry(new Store(), new FakeClock(), Math.random);
    registry.seed(6443);
  });

  const exists = (plural: string, name: string, inNamespace?: string): boolean => {
    try {
      registry.get(target(plural, name, inNamespace));
      return true;
    } catch (error) {
      expect(error).to.be.instanceOf(StatusError).with.property('code', 404);
      return false;
    }
  };
  const create = (plural: string, name: string, owners: KubeObject[] = [], rest: JsonObject = {}): KubeObject =>
    registry.create(target(plural, name), { metadata: { name, ownerReferences: ownedBy(...owners) }, ...rest });
  const inNamespace = (plural: string, name: string, rest: JsonObject = {}): KubeObject =>
    registry.create(target(plural, name, 'ns'), { metadata: { name }, ...rest });
  const gone = (): boolean => !exists('namespaces', 'ns', '');
  const containers = [{ name: 'c', image: 'i' }];

  it('a whole chain goes; a pod that a node runs only begins to', () => {
    const deployment = create('deployments', 'd');
    const replicaSet = create('replicasets', 'r', [deployment]);
    create('pods', 'waiting', [replicaSet], { spec: { containers } });
    create('pods', 'running', [replicaSet], { spec: { containers, nodeName: 'n' } });
    create('configmaps', 'stranger');
    registry.delete(target('deployments', 'd'));
    expect(['d'].some((name) => exists('deployments', name))).to.equal(false);
    expect(exists('replicasets', 'r')).to.equal(false);
    expect(exists('pods', 'waiting')).to.equal(false);
    expect(exists('configmaps', 'stranger')).to.equal(true);
    expect(registry.get(target('pods', 'running')).metadata).to.include({ deletionGracePeriodSeconds: 30 });
    registry.delete(target('pods', 'running'), { gracePeriodSeconds: 0 });
    expect(exists('pods', 'running')).to.equal(false);
  });

  it('stays while another owner is there', () => {
    const [first, second] = [create('configmaps', 'first'), create('configmaps', 'second')];
    create('secrets', 'shared', [first, second]);
    registry.delete(target('configmaps', 'first'));
    expect(exists('secrets', 'shared')).to.equal(true);
    registry.delete(target('configmaps', 'second'));
    expect(exists('secrets', 'shared')).to.equal(false);
  });

  it('waits with its owner for the owner’s finalizers, and then for its own', () => {
    const owner = create('configmaps', 'owner');
    registry.patch(target('configmaps', 'owner'), 'main', 'merge', { metadata: { finalizers: ['a/b'] } });
    create('secrets', 'owned', [owner]);
    registry.patch(target('secrets', 'owned'), 'main', 'merge', { metadata: { finalizers: ['c/d'] } });
    registry.delete(target('configmaps', 'owner'));
    expect(registry.get(target('secrets', 'owned')).metadata.deletionTimestamp).to.equal(undefined);
    registry.patch(target('configmaps', 'owner'), 'main', 'merge', { metadata: { finalizers: [] } });
    expect(exists('configmaps', 'owner')).to.equal(false);
    expect(registry.get(target('secrets', 'owned')).metadata.deletionTimestamp).to.be.a('string');
    registry.patch(target('secrets', 'owned'), 'main', 'merge', { metadata: { finalizers: [] } });
    expect(exists('secrets', 'owned')).to.equal(false);
  });

  it('stays without its owner when that is asked for', () => {
    const owner = create('deployments', 'owner');
    create('replicasets', 'orphan', [owner, create('configmaps', 'other')]);
    registry.delete(target('deployments', 'owner'), { propagationPolicy: 'Orphan' });
    const owners = at(registry.get(target('replicasets', 'orphan')), 'metadata', 'ownerReferences') as Json[];
    expect(owners.map((one) => textAt(one, 'name'))).to.deep.equal(['other']);
    registry.delete(target('configmaps', 'other'), { propagationPolicy: 'Orphan' });
    expect(registry.get(target('replicasets', 'orphan')).metadata).not.to.have.property('ownerReferences');
  });

  describe('of a namespace', () => {
    beforeEach(() => registry.create(namespace('ns'), { metadata: { name: 'ns' } }));

    it('all goes, and the namespace with it', () => {
      inNamespace('configmaps', 'c');
      inNamespace('services', 's', { spec: { ports: [{ port: 80 }] } });
      create('configmaps', 'elsewhere');
      const answer = registry.delete(namespace('ns'));
      expect(at(answer, 'status', 'phase')).to.equal('Terminating');
      expect([gone(), exists('services', 's', 'ns'), exists('configmaps', 'elsewhere')]).to.deep.equal([
        true,
        false,
        true,
      ]);
    });

    it('what waits for a kubelet or a finalizer keeps it terminating, and nothing new comes in', () => {
      inNamespace('pods', 'p', { spec: { containers, nodeName: 'n' } });
      inNamespace('services', 's', { spec: { ports: [{ port: 80 }] } });
      registry.patch(target('services', 's', 'ns'), 'status', 'merge', { metadata: { finalizers: ['a/b'] } });
      registry.delete(namespace('ns'));
      expect(registry.get(target('services', 's', 'ns')).metadata.deletionTimestamp).to.be.a('string');
      expect(() => inNamespace('configmaps', 'c'))
        .to.throw('unable to create new content in namespace ns because it is being terminated')
        .with.nested.property('body.details.causes[0].reason', 'NamespaceTerminating');
      registry.delete(target('pods', 'p', 'ns'), { gracePeriodSeconds: 0 });
      expect(gone()).to.equal(false);
      registry.patch(target('services', 's', 'ns'), 'status', 'merge', { metadata: { finalizers: null } });
      expect(gone()).to.equal(true);
    });

    it('its own finalizers keep it too', () => {
      registry.patch(namespace('ns'), 'main', 'merge', { metadata: { finalizers: ['a/b'] } });
      registry.delete(namespace('ns'));
      expect(gone()).to.equal(false);
      registry.patch(namespace('ns'), 'main', 'merge', { metadata: { finalizers: null } });
      expect(gone()).to.equal(true);
    });
  });
});
