import { expect } from 'chai';
import * as fc from 'fast-check';
import { Cidr, clusterCidrs } from '../../../../ccm/cloud/cidr.ts';
import { networkCondition, nextHops, planRoutes, wantedRoutes, type RouteStep } from '../../../../ccm/cloud/routes.ts';
import type { Node, NodeAddress } from '../../../../kube/types.ts';
import type { RouteTable } from '../../../../nifcloud/route-tables.ts';
import type { Server } from '../../../../nifcloud/servers.ts';

type Route = RouteTable['routes'][number];

const CLUSTER = clusterCidrs('10.244.0.0/16,fd00:244::/48')!;

const node = (name: string, podCIDRs?: readonly string[], internal: readonly string[] = []): Node => ({
  metadata: { name, uid: `uid-${name}` },
  spec: podCIDRs === undefined ? {} : { podCIDRs },
  status: { addresses: internal.map((address): NodeAddress => ({ type: 'InternalIP', address })) },
});

const route = (destination: string, address: string, fields: Partial<Route> = {}): Route => ({
  destination,
  address,
  networkId: '',
  networkName: '',
  origin: 'CreateRoute',
  state: 'active',
  ...fields,
});

const server = (...interfaces: [networkId: string, privateAddress: string][]): Server => ({
  name: 'node1',
  uniqueId: 'i-1',
  zone: 'east-11',
  type: 'e-medium8',
  state: 'running',
  privateAddress: interfaces[0]?.[1] ?? '',
  publicAddress: '',
  firewallGroups: [],
  interfaces: interfaces.map(([networkId, privateAddress]) => ({
    networkId,
    networkName: '',
    privateAddress,
    publicAddress: '',
  })),
});

describe('the next hop of a node', () => {
  const cases: [what: string, node: Node, server: Server, hops: string[]][] = [
    ['is its address in a private LAN', node('a'), server(['net-1', '192.168.0.1']), ['192.168.0.1']],
    ['is none outside of private LANs', node('a', [], ['10.0.0.1']), server(['net-COMMON_PRIVATE', '10.0.0.1']), []],
    [
      'is not that in another network',
      node('a'),
      server(['net-COMMON_PRIVATE', '10.0.0.1'], ['net-1', '192.168.0.1']),
      ['192.168.0.1'],
    ],
    [
      'is the one that the guest alone knows',
      node('a', [], ['10.0.0.1', '192.168.0.9']),
      server(['net-COMMON_PRIVATE', '10.0.0.1'], ['net-1', '']),
      ['192.168.0.9'],
    ],
    [
      'is, of several, the one that the node prefers',
      node('a', [], ['192.168.1.1']),
      server(['net-1', '192.168.0.1'], ['net-2', '192.168.1.1']),
      ['192.168.1.1', '192.168.0.1'],
    ],
    [
      'is of either family',
      node('a', [], ['192.168.0.1', 'fd00::1']),
      server(['net-1', '192.168.0.1'], ['net-2', '']),
      ['192.168.0.1', 'fd00::1'],
    ],
  ];
  for (const [what, one, its, hops] of cases) {
    it(what, () => {
      expect(nextHops(one, its)).to.deep.equal(hops);
    });
  }
});

const ask = (nodes: readonly Node[], hops: Readonly<Record<string, readonly string[]>>): unknown => {
  const { routes, unroutable, spared } = wantedRoutes(nodes, ({ metadata }) => hops[metadata.name], CLUSTER);
  return {
    routes: routes.map((one) => `${one.cidr.text} ${one.address} ${one.node.metadata.name}`),
    unroutable: unroutable.map((one) => `${one.node.metadata.name} ${one.cidr} ${one.reason}`),
    spared: spared.map((one) => one.text),
  };
};

describe('what nodes ask of a route table', () => {
  it('is a route for each range of pods, by a hop of its family', () => {
    const hops = { a: ['192.168.0.1', 'fd00::1'], b: ['192.168.0.2'] };
    expect(
      ask([node('a', ['10.244.1.0/24', 'fd00:244:0:1::/64']), node('b', ['10.244.2.0/24']), node('c')], hops),
    ).to.deep.equal({
      routes: ['10.244.1.0/24 192.168.0.1 a', 'fd00:244:0:1::/64 fd00::1 a', '10.244.2.0/24 192.168.0.2 b'],
      unroutable: [],
      spared: [],
    });
  });

  it('spares the routes of nodes about which nothing is known', () => {
    expect(ask([node('a', ['10.244.1.0/24'])], {})).to.deep.equal({
      routes: [],
      unroutable: [],
      spared: ['10.244.1.0/24'],
    });
  });

  it('is refused for ranges outside of the cluster, ranges of others and hops that are none, without harm to the rest', () => {
    const nodes = [
      node('a', ['10.244.1.0/24']),
      node('b', ['10.244.1.0/24', '10.99.0.0/24', 'x']),
      node('c', ['10.244.3.0/24']),
    ];
    expect(ask(nodes, { a: ['192.168.0.1'], b: ['192.168.0.2'], c: [] })).to.deep.equal({
      routes: ['10.244.1.0/24 192.168.0.1 a'],
      unroutable: [
        'b 10.244.1.0/24 node a has the same',
        'b 10.99.0.0/24 it is outside of --cluster-cidr',
        'b x it is not a CIDR',
        'c 10.244.3.0/24 its server has no address of that family in a private LAN; a router does not reach it elsewhere',
      ],
      spared: ['10.244.3.0/24'],
    });
  });
});

describe('the plan for a route table', () => {
  const A = { node: node('a'), cidr: Cidr.parse('10.244.1.0/24')!, address: '192.168.0.1' };
  const B = { node: node('b'), cidr: Cidr.parse('10.244.2.0/24')!, address: '192.168.0.2' };
  const plan = (routes: readonly Route[], wanted = [A, B], spared: readonly Cidr[] = []): readonly string[] =>
    planRoutes(routes, { routes: wanted, spared }, CLUSTER).map(text);

  const cases: [what: string, routes: Route[], steps: string[]][] = [
    ['adds what is missing', [], ['create 10.244.1.0/24 192.168.0.1', 'create 10.244.2.0/24 192.168.0.2']],
    ['leaves what is right', [route('10.244.1.0/24', '192.168.0.1'), route('10.244.2.9/24', '192.168.0.2')], []],
    [
      'replaces in place what leads elsewhere, also into a network',
      [route('10.244.1.0/24', '192.168.0.7'), route('10.244.2.0/24', '', { networkId: 'net-1' })],
      ['replace 10.244.1.0/24 192.168.0.1', 'replace 10.244.2.0/24 192.168.0.2'],
    ],
    [
      'deletes, and first, what nobody wants: nodes that are gone, blackholes',
      [route('10.244.9.0/24', '192.168.0.9'), route('10.244.8.0/24', '', { state: 'blackhole' })],
      [
        'delete 10.244.9.0/24',
        'delete 10.244.8.0/24',
        'create 10.244.1.0/24 192.168.0.1',
        'create 10.244.2.0/24 192.168.0.2',
      ],
    ],
    [
      'keeps one of two ways to write a destination',
      [
        route('10.244.1.7/24', '192.168.0.7'),
        route('10.244.1.0/24', '192.168.0.1'),
        route('10.244.2.0/24', '192.168.0.2'),
      ],
      ['delete 10.244.1.7/24'],
    ],
    [
      'keeps one of two ways to write a destination that both lead where they should',
      [
        route('10.244.1.0/24', '192.168.0.1'),
        route('10.244.1.7/24', '192.168.0.1'),
        route('10.244.2.0/24', '192.168.0.2'),
      ],
      ['delete 10.244.1.7/24'],
    ],
    [
      'keeps a blackhole that leads where it should',
      [route('10.244.1.0/24', '192.168.0.1', { state: 'blackhole' }), route('10.244.2.0/24', '192.168.0.2')],
      [],
    ],
  ];
  for (const [what, routes, steps] of cases) {
    it(what, () => {
      expect(plan(routes)).to.deep.equal(steps);
    });
  }

  const foreign: [what: string, route: Route][] = [
    ['outside of the cluster', route('192.168.7.0/24', '192.168.0.9')],
    ['wider than the cluster', route('10.0.0.0/8', '192.168.0.9')],
    ['the default route', route('0.0.0.0/0', '', { networkId: 'net-COMMON_GLOBAL' })],
    ['made by a VPN gateway', route('10.244.7.0/24', '192.168.0.9', { origin: 'EnableVgwRoutePropagation' })],
    ['that cannot be read', route('pl-0abc', '192.168.0.9')],
  ];
  for (const [what, one] of foreign) {
    it(`never touches a route ${what}`, () => {
      expect(plan([one], [])).to.deep.equal([]);
    });
  }

  it('never touches a route to pods of a node that is not ours', () => {
    expect(plan([route('10.244.7.0/24', '172.16.0.1')], [], [Cidr.parse('10.244.7.0/24')!])).to.deep.equal([]);
  });

  it('leads to a table that needs no plan, and leaves all foreign routes in it', () => {
    const destination = fc.oneof(
      fc.nat({ max: 12 }).map((at) => `10.244.${at}.0/24`),
      fc.nat({ max: 12 }).map((at) => `10.244.${at}.5/24`),
      fc.constantFrom('0.0.0.0/0', '10.0.0.0/8', '192.168.7.0/24', '10.244.0.0/16', 'fd00:244:0:1::/64'),
    );
    const hop = fc.nat({ max: 5 }).map((at) => `192.168.0.${at}`);
    const origin = fc.constantFrom('CreateRoute', 'EnableVgwRoutePropagation');
    const routes = fc.uniqueArray(fc.record({ destination, address: hop, origin }), {
      selector: (one) => one.destination,
      maxLength: 15,
    });
    const wantedAt = fc.uniqueArray(fc.tuple(fc.nat({ max: 12 }), hop), { selector: ([at]) => at, maxLength: 8 });
    fc.assert(
      fc.property(routes, wantedAt, fc.nat({ max: 12 }), (before, ends, sparedAt) => {
        const table = before.map((one) => route(one.destination, one.address, { origin: one.origin }));
        const spared = [Cidr.parse(`10.244.${sparedAt}.0/24`)!];
        const wanted = ends
          .filter(([at]) => at !== sparedAt)
          .map(([at, address]) => ({ node: node(`n${at}`), cidr: Cidr.parse(`10.244.${at}.0/24`)!, address }));
        const run = (present: readonly Route[]): readonly RouteStep[] =>
          planRoutes(present, { routes: wanted, spared }, CLUSTER);
        const after = run(table).reduce(apply, table);
        expect(run(after).map(text)).to.deep.equal([]);
        for (const one of wanted) {
          const serving = after.filter(
            (it) => Cidr.parse(it.destination)!.canonical === one.cidr.canonical && it.origin === 'CreateRoute',
          );
          expect(serving.map(({ address }) => address)).to.deep.equal([one.address]);
        }
        const isForeign = (one: Route): boolean => {
          const cidr = Cidr.parse(one.destination)!;
          return (
            one.origin !== 'CreateRoute' ||
            !CLUSTER.some((it) => it.holds(cidr)) ||
            spared.some((it) => it.canonical === cidr.canonical)
          );
        };
        expect(after.filter(isForeign)).to.deep.equal(table.filter(isForeign));
      }),
      { numRuns: 500 },
    );
  });
});

describe('the condition of a node', () => {
  it('says what the framework says', () => {
    expect(networkCondition(true)).to.deep.equal({
      type: 'NetworkUnavailable',
      status: 'False',
      reason: 'RouteCreated',
      message: 'RouteController created a route',
    });
    expect(networkCondition(false)).to.deep.equal({
      type: 'NetworkUnavailable',
      status: 'True',
      reason: 'NoRouteCreated',
      message: 'RouteController failed to create a route',
    });
  });
});

function text(step: RouteStep): string {
  return step.kind === 'delete'
    ? `delete ${step.destination}`
    : `${step.kind} ${step.destination} ${step.wanted.address}`;
}

/** What the cloud does with a step; it names routes by the text of their destination. */
function apply(table: readonly Route[], step: RouteStep): readonly Route[] {
  if (step.kind === 'create') return [...table, route(step.destination, step.wanted.address)];
  const { destination } = step;
  expect(table.map((one) => one.destination)).to.include(destination);
  if (step.kind === 'delete') return table.filter((one) => one.destination !== destination);
  return table.map((one) => (one.destination === destination ? route(destination, step.wanted.address) : one));
}
