import { parse } from 'yaml';
import { UsageError } from '../../../daemon/flags.ts';
import { REGIONS } from '../actions/regions.ts';
import { DISK_KEYS, readDisks } from './fleet/disks.ts';
import { Fields } from './fleet/fields.ts';
import { GROUP_KEYS, readGroups } from './fleet/groups.ts';
import { ELASTIC_KEYS, L4_KEYS, readElastic, readL4 } from './fleet/load-balancers.ts';
import {
  NETWORK_KEYS,
  networksByName,
  readPrivateLan,
  readRouter,
  readRouteTable,
  ROUTE_TABLE_KEYS,
  ROUTER_KEYS,
} from './fleet/networks.ts';
import { readServer, SERVER_KEYS } from './fleet/servers.ts';
import type { ElasticLoadBalancer, L4LoadBalancer } from './listeners.ts';
import type { FirewallGroup } from './firewall-groups.ts';
import type { PrivateLan, Router, RouteTable } from './networks.ts';
import type { Server } from './servers.ts';
import type { Volume } from './volumes.ts';

/**
 * What exists when the simulator starts. The format is in simulator/README.md; its limits are those of shapes, not of
 * numbers: a fleet may hold more of a thing than calls could make.
 *
 * Times are 0: then the start of the simulator. A load balancer without a VIP gets one at the start.
 */
export interface Fleet {
  readonly region: string;
  readonly zones: readonly string[];
  readonly networks: readonly PrivateLan[];
  readonly routers: readonly Router[];
  readonly routeTables: readonly RouteTable[];
  /** Ids of SSL certificates. */
  readonly certificates: readonly string[];
  readonly groups: readonly FirewallGroup[];
  readonly servers: readonly Server[];
  readonly disks: readonly Volume[];
  readonly l4LoadBalancers: readonly L4LoadBalancer[];
  readonly elasticLoadBalancers: readonly ElasticLoadBalancer[];
}

/** Firewall groups belong to a zone (docs/reference/nifcloud-api.md §6), so each zone has its own. */
const DEFAULT_FLEET = {
  region: 'jp-east-1',
  zones: ['east-11', 'east-12', 'east-13'],
  groups: [
    { name: 'nodes11', zone: 'east-11' },
    { name: 'nodes12', zone: 'east-12' },
    { name: 'nodes13', zone: 'east-13' },
  ],
  servers: [
    { name: 'node01', zone: 'east-11', privateAddress: '127.11.0.1', firewallGroup: 'nodes11' },
    { name: 'node02', zone: 'east-12', privateAddress: '127.12.0.1', firewallGroup: 'nodes12' },
    { name: 'node03', zone: 'east-13', privateAddress: '127.13.0.1', firewallGroup: 'nodes13' },
  ],
};

/** One running server in each of three zones, on loopback addresses. */
export function defaultFleet(): Fleet {
  return readFleet(DEFAULT_FLEET, 'the default fleet');
}

/**
 * @param text JSON or YAML
 * @param source what the text is called in errors: the file
 * @throws UsageError naming the source, the key, the value and what is allowed
 */
export function parseFleet(text: string, source: string): Fleet {
  return readFleet(parseJson(text) ?? parseYaml(text, source), source);
}

/** YAML would do for JSON as well, but takes a hundred times as long, which a large fleet feels. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function parseYaml(text: string, source: string): unknown {
  try {
    return parse(text);
  } catch (cause) {
    throw new UsageError(`${source}: ${String(cause).split('\n', 1)[0]}`, { cause });
  }
}

const KEYS = [
  'region',
  'zones',
  'networks',
  'routers',
  'routeTables',
  'certificates',
  'groups',
  'servers',
  'disks',
  'l4LoadBalancers',
  'elasticLoadBalancers',
];

function readFleet(data: unknown, source: string): Fleet {
  const file = new Fields(data, source, '', KEYS);
  const region = file.text('region', DEFAULT_FLEET.region);
  const zones = readZones(file, region);
  const networks = file.list('networks', NETWORK_KEYS).map((fields) => readPrivateLan(fields, zones));
  const byNetwork = networksByName(networks);
  const routeTables = file.list('routeTables', ROUTE_TABLE_KEYS).map((fields) => readRouteTable(fields, byNetwork));
  const byRouteTable = new Map(routeTables.map((table) => [table.id, table]));
  const routers = file.list('routers', ROUTER_KEYS).map((fields) => readRouter(fields, zones, byNetwork, byRouteTable));
  const certificates = file.textsMatching('certificates', [/^[0-9A-Za-z_-]+$/, 'ids of letters, digits, - and _']);
  const groups = readGroups(file.list('groups', GROUP_KEYS), zones);
  const servers = file.list('servers', SERVER_KEYS).map((fields) => readServer(fields, zones, byNetwork, groups));
  const byServer = new Map(servers.map((server) => [server.name, server]));
  const disks = readDisks(file.list('disks', DISK_KEYS), zones, byServer);
  const targets = { servers: byServer, certificates };
  const l4LoadBalancers = file.list('l4LoadBalancers', L4_KEYS).map((fields) => readL4(fields, zones, targets));
  const elasticLoadBalancers = file
    .list('elasticLoadBalancers', ELASTIC_KEYS)
    .map((fields) => readElastic(fields, { ...targets, zones, networks: byNetwork, routeTables: byRouteTable }));
  const fleet: Fleet = {
    region,
    zones,
    networks,
    routers,
    routeTables,
    certificates,
    groups,
    servers,
    disks,
    l4LoadBalancers,
    elasticLoadBalancers,
  };
  requireUniqueness(file, fleet);
  return fleet;
}

function readZones(file: Fields, region: string): readonly string[] {
  const known = REGIONS.find((one) => one.region === region);
  if (known === undefined) throw file.refused('region', region, REGIONS.map((one) => one.region).join(', '));
  const zones = file.texts('zones');
  if (zones.length === 0) throw file.refused('zones', '[]', `at least one of ${known.zones.join(', ')}`);
  for (const zone of zones) {
    if (!known.zones.includes(zone))
      throw file.refused('zones', zone, `the zones of ${region}: ${known.zones.join(', ')}`);
  }
  return file.once('zones', zones, 'each zone');
}

/** Of names, of ids, and of addresses of load balancers. */
function requireUniqueness(file: Fields, fleet: Fleet): void {
  for (const list of ['networks', 'routers', 'groups', 'servers', 'l4LoadBalancers', 'elasticLoadBalancers'] as const) {
    file.once(
      list,
      fleet[list].map(({ name }) => name),
      'each name',
    );
  }
  for (const list of ['networks', 'routers', 'routeTables', 'disks'] as const) {
    file.once(
      list,
      fleet[list].map(({ id }) => id),
      'each id',
    );
  }
  for (const list of ['servers', 'disks', 'elasticLoadBalancers'] as const) {
    file.once(
      list,
      fleet[list].map(({ uniqueId }) => uniqueId),
      'each uniqueId',
    );
  }
  const vips = [...fleet.l4LoadBalancers, ...fleet.elasticLoadBalancers].map(({ vip }) => vip);
  file.once(
    '',
    vips.filter((vip) => vip !== ''),
    'each VIP of a load balancer',
  );
}
