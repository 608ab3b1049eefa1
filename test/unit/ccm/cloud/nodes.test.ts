import { expect } from 'chai';
import {
  addressesToSet,
  initialized,
  KnownServers,
  PROVIDED_NODE_IP_ANNOTATION,
  staleLabels,
  targetsOf,
  UNINITIALIZED_TAINT,
  uniqueIdOf,
} from '../../../../ccm/cloud/nodes.ts';
import type { Node, NodeAddress } from '../../../../kube/types.ts';
import type { Server } from '../../../../nifcloud/servers.ts';

const SERVER: Server = {
  name: 'node01',
  uniqueId: 'i-abcd1234',
  zone: 'east-11',
  type: 'e-medium8',
  state: 'running',
  privateAddress: '10.0.0.5',
  publicAddress: '198.51.100.5',
  firewallGroups: [],
  interfaces: [],
};

const node = (fields: Partial<Node> & { readonly name?: string; readonly providerID?: string } = {}): Node => ({
  metadata: { name: fields.name ?? 'node01', uid: 'u1', ...fields.metadata },
  spec: { ...(fields.providerID === undefined ? {} : { providerID: fields.providerID }), ...fields.spec },
  ...(fields.status === undefined ? {} : { status: fields.status }),
});

const fresh = (fields: Parameters<typeof node>[0] = {}): Node =>
  node({
    ...fields,
    spec: {
      ...fields.spec,
      taints: [
        { key: UNINITIALIZED_TAINT, value: 'true', effect: 'NoSchedule' },
        { key: 'dedicated', value: 'db', effect: 'NoExecute' },
      ],
    },
  });

const provided = (ip: string): Record<string, string> => ({ [PROVIDED_NODE_IP_ANNOTATION]: ip });

describe('provider ids', () => {
  for (const id of ['nifcloud:///east-11/i-x', 'nifcloud:////i-x', 'nifcloud://east-11/i-x', 'i-x', 'east-11/i-x']) {
    it(`are read from ${id}`, () => {
      expect(uniqueIdOf(id)).to.equal('i-x');
    });
  }
  for (const id of [
    'aws:///ap-northeast-1a/i-x',
    'nifcloud:///a/b/i-x',
    'nifcloud:///east-11/node01',
    'nifcloud://',
    '',
  ]) {
    it(`are refused if they read ${JSON.stringify(id)}`, () => {
      expect(() => uniqueIdOf(id)).to.throw(/not of the form nifcloud:\/\/\/<zone>\/i-<id>/);
    });
  }
});

describe('the server of a node', () => {
  const servers = new KnownServers([SERVER]);

  it('is found by provider id whatever zone that names', () => {
    expect(servers.of(node({ name: 'other', providerID: 'nifcloud:///west-11/i-abcd1234' }))).to.equal(SERVER);
  });
  it('is found by name where there is no provider id', () => {
    expect(servers.of(node())).to.equal(SERVER);
    expect(servers.of(node({ providerID: '' }))).to.equal(SERVER);
  });
  it('is not a new server that has taken the name of the old one (E7 #20)', () => {
    expect(servers.of(node({ providerID: 'nifcloud:///east-11/i-old' }))).to.equal(undefined);
  });
});

describe('targets', () => {
  it('are the servers of the nodes; nodes unknown to the cloud do not spoil it for the others (E7 #19)', () => {
    const nodes = [
      node(),
      node({ name: 'onprem' }),
      node({ name: 'gone', providerID: 'nifcloud:///east-11/i-gone' }),
      node({ name: 'foreign', providerID: 'aws:///a/i-f' }),
    ];
    expect(targetsOf(nodes, [SERVER])).to.deep.equal({
      targets: [
        { serverName: 'node01', serverUniqueId: 'i-abcd1234', listed: true, zone: 'east-11' },
        { serverName: 'onprem', serverUniqueId: '', listed: false },
        { serverName: 'gone', serverUniqueId: 'i-gone', listed: false },
        { serverName: 'foreign', serverUniqueId: '', listed: false },
      ],
      unlisted: ['onprem', 'gone', 'foreign'],
    });
  });
  it('carry the present name of a renamed server', () => {
    const { targets } = targetsOf([node({ name: 'oldname', providerID: 'i-abcd1234' })], [SERVER]);
    expect(targets).to.deep.equal([
      { serverName: 'node01', serverUniqueId: 'i-abcd1234', listed: true, zone: 'east-11' },
    ]);
  });
});

describe('initialising a node', () => {
  it('sets provider id and all six labels, and takes our taint alone', () => {
    const result = initialized(fresh({ metadata: { name: 'node01', labels: { mine: 'x' } } }), SERVER, 'jp-east-1');
    expect(result.spec?.providerID).to.equal('nifcloud:///east-11/i-abcd1234');
    expect(result.spec?.taints).to.deep.equal([{ key: 'dedicated', value: 'db', effect: 'NoExecute' }]);
    expect(result.metadata.labels).to.deep.equal({
      mine: 'x',
      'beta.kubernetes.io/instance-type': 'e-medium8',
      'node.kubernetes.io/instance-type': 'e-medium8',
      'failure-domain.beta.kubernetes.io/zone': 'east-11',
      'topology.kubernetes.io/zone': 'east-11',
      'failure-domain.beta.kubernetes.io/region': 'jp-east-1',
      'topology.kubernetes.io/region': 'jp-east-1',
    });
  });
  it('keeps a provider id that is there: it can never be changed', () => {
    const result = initialized(fresh({ providerID: 'i-abcd1234', spec: {} }), SERVER, 'jp-east-1');
    expect(result.spec?.providerID).to.equal('i-abcd1234');
  });
  it('keeps fields that it does not know', () => {
    const odd = { ...fresh(), extra: { a: 1 } } as Node;
    expect(initialized(odd, SERVER, 'jp-east-1'))
      .to.have.property('extra')
      .that.deep.equals({ a: 1 });
  });
  it('leaves a node without the taint as it is', () => {
    const done = node();
    expect(initialized(done, SERVER, 'jp-east-1')).to.equal(done);
  });
  it('writes no label for what the cloud does not say', () => {
    const result = initialized(fresh(), { ...SERVER, type: '' }, 'jp-east-1');
    expect(result.metadata.labels).to.not.have.any.keys(
      'beta.kubernetes.io/instance-type',
      'node.kubernetes.io/instance-type',
    );
  });
  it('is refused where the kubelet was given an address that the server does not have', () => {
    const annotations = { [PROVIDED_NODE_IP_ANNOTATION]: '10.0.0.9' };
    expect(() => initialized(fresh({ metadata: { name: 'node01', annotations } }), SERVER, 'r')).to.throw(
      /10\.0\.0\.9/,
    );
  });
  for (const text of [
    '',
    'node01',
    '10.0.0.5, 10.0.0.5',
    '10.0.0.5,198.51.100.5',
    '0.0.0.0',
    '::',
    'fd00::1,fd00::2',
  ]) {
    it(`is refused where the kubelet's address is ${JSON.stringify(text)}`, () => {
      const annotations = { [PROVIDED_NODE_IP_ANNOTATION]: text };
      expect(() => initialized(fresh({ metadata: { name: 'node01', annotations } }), SERVER, 'r')).to.throw(
        /provided-node-ip=/,
      );
    });
  }
});

describe('addresses of a node', () => {
  const external: NodeAddress = { type: 'ExternalIP', address: '198.51.100.5' };
  const internal: NodeAddress = { type: 'InternalIP', address: '10.0.0.5' };
  const host: NodeAddress = { type: 'Hostname', address: 'node01' };
  const old: NodeAddress = { type: 'InternalIP', address: '10.9.9.9' };

  const cases: [
    name: string,
    present: NodeAddress[],
    annotations: Record<string, string>,
    server: Partial<Server>,
    result: NodeAddress[] | undefined,
  ][] = [
    ['are external, internal, then the hostname of the kubelet', [host], {}, {}, [external, internal, host]],
    ['replace those that the kubelet guessed', [old, host], {}, {}, [external, internal, host]],
    ['are right in any order', [host, internal, external], {}, {}, undefined],
    [
      'are left as they are while the cloud gives none',
      [old],
      {},
      { privateAddress: '', publicAddress: '' },
      undefined,
    ],
    ['are the private one alone where there is no other', [host], {}, { publicAddress: '' }, [internal, host]],
    ['lose what the server no longer has', [external, internal, host], {}, { publicAddress: '' }, [internal, host]],
    ['begin with the one the kubelet was given', [host], provided('10.0.0.5'), {}, [internal, external, host]],
    ['keep the external one first if that was given', [host], provided('198.51.100.5'), {}, [external, internal, host]],
  ];
  for (const [name, present, annotations, server, result] of cases) {
    it(name, () => {
      const it = node({ metadata: { name: 'node01', annotations }, status: { addresses: present } });
      expect(addressesToSet(it, { ...SERVER, ...server })).to.deep.equal(result);
    });
  }
});

const at = (networkId: string, privateAddress: string, publicAddress = ''): Server['interfaces'][number] => ({
  networkId,
  networkName: '',
  privateAddress,
  publicAddress,
});
const shown = (one: Node, server: Partial<Server>): readonly string[] =>
  (addressesToSet(one, { ...SERVER, ...server }) ?? []).map(({ type, address }) => `${type} ${address}`);

const internal = (address: string): NodeAddress => ({ type: 'InternalIP', address });

describe('addresses of a node with several interfaces', () => {
  it('are all there, once each, behind those of the Go program (E7 #28)', () => {
    const interfaces = [
      at('net-COMMON_GLOBAL', '', '198.51.100.5'),
      at('net-COMMON_PRIVATE', '10.0.0.5'),
      at('net-1', '192.168.0.5'),
    ];
    expect(shown(node(), { interfaces })).to.deep.equal([
      'ExternalIP 198.51.100.5',
      'InternalIP 10.0.0.5',
      'InternalIP 192.168.0.5',
    ]);
  });

  it('have an internal one although the server shows only a public one (E7 #28)', () => {
    const interfaces = [at('net-COMMON_GLOBAL', '', '198.51.100.5'), at('net-1', '192.168.0.5')];
    expect(shown(node(), { privateAddress: '', interfaces })).to.deep.equal([
      'ExternalIP 198.51.100.5',
      'InternalIP 192.168.0.5',
    ]);
  });

  it('are narrowed to the interface that the kubelet was given (hc#71, os#407)', () => {
    const one = node({ metadata: { name: 'node01', annotations: provided('192.168.0.5') } });
    expect(shown(one, { interfaces: [at('net-1', '192.168.0.5')] })).to.deep.equal([
      'InternalIP 192.168.0.5',
      'ExternalIP 198.51.100.5',
    ]);
  });

  it('hold the one that a guest on a private LAN chose for itself, which the cloud does not know: such a node can join', () => {
    const annotations = provided('192.168.0.5');
    const interfaces = [at('net-COMMON_GLOBAL', '', '198.51.100.5'), at('net-1', '')];
    const server = { ...SERVER, privateAddress: '', interfaces };
    expect(shown(node({ metadata: { name: 'node01', annotations } }), server)).to.deep.equal([
      'InternalIP 192.168.0.5',
      'ExternalIP 198.51.100.5',
    ]);
    expect(() => initialized(fresh({ metadata: { name: 'node01', annotations } }), server, 'r')).to.not.throw();
    const noLan = {
      ...server,
      interfaces: [at('net-COMMON_GLOBAL', '', '198.51.100.5'), at('net-MULTI_IP_ADDRESS', '')],
    };
    expect(() => initialized(fresh({ metadata: { name: 'node01', annotations } }), noLan, 'r')).to.throw(
      /192\.168\.0\.5/,
    );
  });

  it('of IPv6 come behind those of IPv4, which users of a type take', () => {
    const ipv6 = { private: ['fd00::5'], public: ['2001:db8::5'] };
    expect(shown(node(), { ipv6 })).to.deep.equal([
      'ExternalIP 198.51.100.5',
      'InternalIP 10.0.0.5',
      'ExternalIP 2001:db8::5',
      'InternalIP fd00::5',
    ]);
  });

  it('are a pair where the kubelet was given one: the cloud knows both, or the guest chose that of IPv6 in a private LAN', () => {
    const annotations = provided('10.0.0.5,fd00::5');
    const pair = ['InternalIP 10.0.0.5', 'InternalIP fd00::5', 'ExternalIP 198.51.100.5'];
    const one = node({ metadata: { name: 'node01', annotations } });
    expect(shown(one, { ipv6: { private: ['fd00::5'], public: [] } })).to.deep.equal(pair);
    expect(shown(one, { interfaces: [at('net-1', '10.0.0.5')] })).to.deep.equal(pair);
    const refused = fresh({ metadata: { name: 'node01', annotations } });
    expect(() => initialized(refused, SERVER, 'r')).to.throw(/does not have the address fd00::5 \(kubelet --node-ip\)/);
  });

  it('are put in order within a type, whose first one others use', () => {
    const server = { publicAddress: '', interfaces: [at('net-1', '192.168.0.5')] };
    const wrong = node({ status: { addresses: [internal('192.168.0.5'), internal('10.0.0.5')] } });
    expect(shown(wrong, server)).to.deep.equal(['InternalIP 10.0.0.5', 'InternalIP 192.168.0.5']);
    const right = node({ status: { addresses: [internal('10.0.0.5'), internal('192.168.0.5')] } });
    expect(shown(right, server)).to.deep.equal([]);
  });
});

describe('labels of an initialised node', () => {
  it('follow their beta twins', () => {
    const labels = {
      'beta.kubernetes.io/instance-type': 'e-large8',
      'node.kubernetes.io/instance-type': 'e-medium8',
      'failure-domain.beta.kubernetes.io/zone': 'east-11',
      'topology.kubernetes.io/region': 'jp-east-1',
    };
    expect(staleLabels(node({ metadata: { name: 'node01', labels } }))).to.deep.equal({
      'node.kubernetes.io/instance-type': 'e-large8',
      'topology.kubernetes.io/zone': 'east-11',
    });
  });
});
