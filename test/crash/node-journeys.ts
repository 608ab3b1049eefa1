import { parseFleet } from '../../simulator/nifcloud/world/fleet.ts';
import type { CrashWorld } from './crash-world.ts';

/** Something that happens to Nodes or their servers. */
export interface NodeJourney {
  readonly name: string;
  /** Servers whose Nodes are there before, initialised and ready. */
  readonly given: readonly string[];
  /** What happens before, until nothing is left to do. */
  readonly before?: (world: CrashWorld) => Promise<unknown>;
  readonly happens: (world: CrashWorld) => Promise<unknown>;
  /** Nodes whose server is gone for good; of others none may ever be deleted. */
  readonly vanish?: readonly string[];
}

export const NODES = '/api/v1/nodes';

const SERVERS = ['node01', 'node02', 'node03'];
const TABLE = 'rtb-00000001';
const CLUSTER_CIDR = '10.244.0.0/16';

/** Servers in a private LAN behind a router, so that their pods can have routes, and one whose Node comes late. */
export const FLEET = parseFleet(
  JSON.stringify({
    zones: ['east-11'],
    networks: [{ name: 'lan', zone: 'east-11', cidr: '192.168.1.0/24' }],
    routeTables: [{ id: TABLE, routes: [] }],
    routers: [{ name: 'router', zone: 'east-11', interfaces: [{ network: 'lan' }], routeTable: TABLE }],
    groups: [{ name: 'nodes', zone: 'east-11' }],
    servers: [...SERVERS, 'spare'].map((name, n) => ({
      name,
      zone: 'east-11',
      privateNetwork: 'lan',
      privateAddress: `192.168.1.${11 + n}`,
      publicAddress: `203.0.113.${11 + n}`,
      firewallGroup: 'nodes',
    })),
  }),
  'the fleet',
);

/** What the program needs to keep routes in that table. */
export const ROUTES = {
  environment: { NIFCLOUD_ROUTE_TABLE_ID: TABLE },
  flags: [`--cluster-cidr=${CLUSTER_CIDR}`],
} as const;

/** As a kubelet registers it that waits for its cloud provider. */
export function newNode(name: string): object {
  const taints = [{ key: 'node.cloudprovider.kubernetes.io/uninitialized', value: 'true', effect: 'NoSchedule' }];
  const podCIDRs = [`10.244.${Number(name.slice(-2))}.0/24`];
  const addresses = [{ type: 'Hostname', address: name }];
  const conditions = [{ type: 'Ready', status: 'True' }];
  const spec = { taints, podCIDR: podCIDRs[0], podCIDRs };
  return { apiVersion: 'v1', kind: 'Node', metadata: { name }, spec, status: { addresses, conditions } };
}

const joins = (name: string) => (world: CrashWorld) => world.kube('POST', NODES, newNode(name));

/** What the kubelet, or in its place the node controller, says. */
async function say(world: CrashWorld, name: string, status: 'True' | 'Unknown'): Promise<void> {
  const others = world.api.store.get('nodes', `/${name}`) as { status?: { conditions?: readonly { type: string }[] } };
  const conditions = (others.status?.conditions ?? []).filter(({ type }) => type !== 'Ready');
  await world.kube('PATCH', `${NODES}/${name}/status`, {
    status: { conditions: [...conditions, { type: 'Ready', status }] },
  });
}

async function isSwitchedOff(world: CrashWorld): Promise<void> {
  await world.cloud.incidents.crash('node02');
  await say(world, 'node02', 'Unknown');
}

export const NODE_JOURNEYS: readonly NodeJourney[] = [
  { name: 'a node joins', given: ['node01', 'node02'], happens: joins('node03') },
  {
    name: 'three nodes join at once',
    given: [],
    happens: async (world) => await Promise.all(SERVERS.map((name) => joins(name)(world))),
  },
  {
    name: 'a node joins before the cloud shows its server',
    given: SERVERS,
    happens: async (world) => {
      void world.time.clock.sleep(20_000).then(() => world.cloud.incidents.rename('spare', 'node04'));
      await joins('node04')(world);
    },
  },
  { name: 'a server is switched off', given: SERVERS, happens: isSwitchedOff },
  {
    name: 'a server that was switched off runs again',
    given: SERVERS,
    before: isSwitchedOff,
    happens: async (world) => {
      await world.cloud.incidents.start('node02');
      await say(world, 'node02', 'True');
    },
  },
  {
    name: 'a server goes for good',
    given: SERVERS,
    vanish: ['node02'],
    happens: async (world) => {
      await world.cloud.incidents.remove('node02');
      await say(world, 'node02', 'Unknown');
    },
  },
  {
    name: 'all nodes do not answer for a while',
    given: SERVERS,
    happens: async (world) => {
      for (const name of SERVERS) await say(world, name, 'Unknown');
      void world.time.clock.sleep(100_000).then(() => Promise.all(SERVERS.map((name) => say(world, name, 'True'))));
    },
  },
  {
    name: 'somebody spoils addresses and a label of a node',
    given: SERVERS,
    happens: async (world) => {
      const addresses = [{ type: 'InternalIP', address: '192.0.2.1' }];
      await world.kube('PATCH', `${NODES}/node01/status`, { status: { addresses } });
      const labels = { 'topology.kubernetes.io/zone': 'elsewhere' };
      await world.kube('PATCH', `${NODES}/node01`, { metadata: { labels } });
    },
  },
  {
    name: 'a node is deleted by hand',
    given: SERVERS,
    vanish: ['node03'],
    happens: (world) => world.kube('DELETE', `${NODES}/node03`),
  },
];
