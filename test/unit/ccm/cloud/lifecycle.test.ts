import { expect } from 'chai';
import { isAnother, isDeletable, isReady, survey, taintsFor } from '../../../../ccm/cloud/lifecycle.ts';
import type { Node, Taint } from '../../../../kube/types.ts';
import type { Server } from '../../../../nifcloud/servers.ts';

const SHUTDOWN: Taint = { key: 'node.cloudprovider.kubernetes.io/shutdown', effect: 'NoSchedule' };
const OTHER: Taint = { key: 'dedicated', value: 'db', effect: 'NoExecute' };

const server = (name: string, fields: Partial<Server> = {}): Server => ({
  name,
  uniqueId: `i-${name}`,
  zone: 'east-11',
  type: 'e-medium8',
  state: 'running',
  privateAddress: '',
  publicAddress: '',
  firewallGroups: [],
  interfaces: [],
  ...fields,
});

const node = (name: string, ready: 'True' | 'False' | 'Unknown' = 'Unknown', fields: Partial<Node> = {}): Node => ({
  metadata: { name, uid: `uid-${name}`, ...fields.metadata },
  spec: { providerID: `nifcloud:///east-11/i-${name}`, ...fields.spec },
  status: { conditions: [{ type: 'Ready', status: ready }] },
});

const names = (nodes: readonly Node[]): readonly string[] => nodes.map(({ metadata }) => metadata.name);
const numbered = (count: number): readonly string[] => Array.from({ length: count }, (_, at) => `node${at}`);

/** A node that has not been initialised. */
const fresh = (name: string): Node => node(name, 'False', { spec: { providerID: '' } });
/** A node that was made at a time. */
const at = (creationTimestamp: string, uid = 'u'): Node => ({ metadata: { name: 'a', uid, creationTimestamp } });
/** Taints in short. */
const keys = (taints: Taint[]): string => taints.map(({ key, effect }) => `${key.split('/').at(-1)}:${effect}`).join();

describe('a survey of the nodes that are not ready', () => {
  it('finds them by unique id, also under another name, and leaves out those that are ready', () => {
    const nodes = [node('a'), node('b', 'False'), node('c', 'True')];
    const { found, missing, doubt } = survey(nodes, [server('renamed', { uniqueId: 'i-a' }), server('b'), server('c')]);
    expect(found.map((one) => [one.node.metadata.name, one.server.name])).to.deep.equal([
      ['a', 'renamed'],
      ['b', 'b'],
    ]);
    expect([missing, doubt]).to.deep.equal([[], undefined]);
  });

  it('finds one that has no provider id yet by its name, and never counts it as missing', () => {
    const { found, missing } = survey([fresh('a'), fresh('b')], [server('a')]);
    expect([names(found.map((one) => one.node)), missing]).to.deep.equal([['a'], []]);
  });

  for (const id of ['aws:///ap-northeast-1a/i-f', 'kind://docker/kind/worker', 'nifcloud:///east-11/name']) {
    it(`says nothing about a node with the provider id ${id}: it is not ours to delete (hc#753, vs#677)`, () => {
      const foreign = node('a', 'Unknown', { spec: { providerID: id } });
      expect(survey([foreign, node('b')], [server('a'), server('b')])).to.deep.include({ missing: [] });
      expect(survey([foreign], [])).to.deep.equal({ found: [], missing: [], doubt: undefined });
    });
  }

  it('takes a new server with the name of an old node for another one (E7 #20)', () => {
    const { found, missing } = survey([node('a'), node('b')], [server('a', { uniqueId: 'i-new' }), server('b')]);
    expect([names(missing), names(found.map((one) => one.node))]).to.deep.equal([['a'], ['b']]);
  });

  it('leaves alone a node that is being deleted', () => {
    const leaving = node('a', 'Unknown', { metadata: { name: 'a', deletionTimestamp: '2025-01-02T03:04:05Z' } });
    expect(survey([leaving, node('b')], [server('b')])).to.deep.include({ missing: [], doubt: undefined });
  });

  const believed: [nodes: number, missing: number, isBelieved: boolean][] = [
    [1, 1, false],
    [2, 1, true],
    [2, 2, false],
    [3, 2, false],
    [10, 1, true],
    [19, 2, false],
    [20, 2, true],
    [20, 3, false],
    [100, 10, true],
    [100, 11, false],
    [100, 100, false],
  ];
  for (const [count, missing, isBelieved] of believed) {
    it(`${isBelieved ? 'believes' : 'does not believe'} that ${missing} of ${count} have vanished at once`, () => {
      const all = numbered(count);
      const listing = all.slice(missing).map((name) => server(name));
      const nodes = all.map((name) => node(name));
      expect(survey(nodes, listing).doubt === undefined).to.equal(isBelieved);
    });
  }

  it('is judged by the nodes that are ready, too: their servers are certainly there', () => {
    const nodes = [node('a'), node('b', 'True'), node('c', 'True')];
    expect(survey(nodes, [server('c')]).doubt).to.match(/no server for 2 of 3 nodes, and not more than 1 /);
    expect(survey(nodes, [server('stranger')]).doubt).to.match(/no server of this cluster/);
  });
});

describe('the readiness of a node', () => {
  it('is what the kubelet says; no word is none', () => {
    expect([isReady(node('a', 'True')), isReady(node('a', 'False')), isReady(node('a', 'Unknown'))]).to.deep.equal([
      true,
      false,
      false,
    ]);
    expect(isReady({ metadata: { name: 'a' } })).to.equal(false);
  });
});

describe('a node that may be deleted', () => {
  const nowMs = Date.parse('2025-01-02T03:04:05Z');
  it('has the minimum age: a new one may not be in the listing yet (k#81636, az#10604)', () => {
    expect(isDeletable(at('2025-01-02T03:02:05Z'), nowMs, 120_000)).to.equal(true);
    expect(isDeletable(at('2025-01-02T03:02:06Z'), nowMs, 120_000)).to.equal(false);
    expect(isDeletable(at('2025-01-02T03:10:00Z'), nowMs, 0)).to.equal(false);
  });
  it('has a UID and a time of creation', () => {
    expect(isDeletable(at('', 'u'), nowMs, 0)).to.equal(false);
    expect(isDeletable({ metadata: { name: 'a', creationTimestamp: '2024-01-01T00:00:00Z' } }, nowMs, 0)).to.equal(
      false,
    );
  });
  it('has no server under its name, or another one', () => {
    expect(isAnother(node('a'), undefined)).to.equal(true);
    expect(isAnother(node('a'), server('a', { uniqueId: 'i-new' }))).to.equal(true);
    expect(isAnother(node('a'), server('a'))).to.equal(false);
  });
});

describe('the shutdown taint', () => {
  const cases: [ready: 'True' | 'Unknown', state: string | undefined, present: Taint[], result: Taint[]][] = [
    ['Unknown', 'stopped', [OTHER], [OTHER, SHUTDOWN]],
    ['Unknown', 'stopped', [SHUTDOWN], [SHUTDOWN]],
    ['Unknown', 'stopped', [{ ...SHUTDOWN, effect: 'NoExecute' }], [{ ...SHUTDOWN, effect: 'NoExecute' }, SHUTDOWN]],
    ['Unknown', 'running', [OTHER, SHUTDOWN], [OTHER]],
    ['Unknown', 'running', [OTHER], [OTHER]],
    ['True', undefined, [SHUTDOWN, OTHER], [OTHER]],
    ['True', 'stopped', [SHUTDOWN], []],
    ['True', undefined, [{ ...SHUTDOWN, effect: 'NoExecute' }], [{ ...SHUTDOWN, effect: 'NoExecute' }]],
    ...['pending', 'warning', 'waiting', 'suspending', ''].flatMap((state): ['Unknown', string, Taint[], Taint[]][] => [
      ['Unknown', state, [], []],
      ['Unknown', state, [SHUTDOWN], [SHUTDOWN]],
    ]),
  ];
  for (const [ready, state, present, result] of cases) {
    it(`Ready=${ready}, server ${state}: [${keys(present)}] → [${keys(result)}]`, () => {
      expect(taintsFor(node('a', ready, { spec: { taints: present } }), state)).to.deep.equal(result);
    });
  }
});
