import { isIPv4 } from 'node:net';
import { parse } from 'yaml';
import { UsageError } from '../../../daemon/flags.ts';
import { REGIONS } from '../actions/regions.ts';
import { COMMON_NETWORKS } from './networks.ts';
import { issueUniqueId } from './world.ts';
import { SERVER_STATES } from './servers.ts';
import type { FirewallGroup } from './firewall-groups.ts';
import type { Server } from './servers.ts';

/** The servers that exist when the simulator starts, and what surrounds them. The format is in simulator/README.md. */
export interface Fleet {
  readonly region: string;
  readonly zones: readonly string[];
  readonly groups: readonly FirewallGroup[];
  readonly servers: readonly Server[];
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
 * @param text YAML, and thereby JSON
 * @param source what the text is called in errors: the file
 * @throws UsageError naming the source, the key, the value and what is allowed
 */
export function parseFleet(text: string, source: string): Fleet {
  let data: unknown;
  try {
    data = parse(text);
  } catch (cause) {
    throw new UsageError(`${source}: ${String(cause).split('\n', 1)[0]}`, { cause });
  }
  return readFleet(data, source);
}

function readFleet(data: unknown, source: string): Fleet {
  const file = new Fields(data, source, '', ['region', 'zones', 'groups', 'servers']);
  const region = file.text('region', DEFAULT_FLEET.region);
  const known = REGIONS.find((one) => one.region === region);
  if (known === undefined) throw file.refused('region', region, REGIONS.map((one) => one.region).join(', '));
  const zones = file.texts('zones');
  if (zones.length === 0) throw file.refused('zones', '[]', `at least one of ${known.zones.join(', ')}`);
  for (const zone of zones) {
    if (!known.zones.includes(zone))
      throw file.refused('zones', zone, `the zones of ${region}: ${known.zones.join(', ')}`);
  }
  const groups = file.list('groups', ['name', 'zone', 'description']).map((fields) => readGroup(fields, zones));
  const servers = file.list('servers', SERVER_KEYS).map((fields) => readServer(fields, zones, groups));
  for (const [list, key, values] of [
    ['zones', '', zones],
    ['groups', 'name', groups.map((group) => group.name)],
    ['servers', 'name', servers.map((server) => server.name)],
    ['servers', 'uniqueId', servers.map((server) => server.uniqueId)],
  ] as const) {
    const twice = values.find((value, at) => values.indexOf(value) !== at);
    if (twice !== undefined) throw file.refused(list, twice, `each ${key || 'zone'} only once`);
  }
  return { region, zones, groups, servers };
}

const NAME = [/^[0-9A-Za-z]{1,15}$/, '1 to 15 letters and digits'] as const;
const GROUP_NAME = [/^([0-9A-Za-z]{1,15}|default\((Linux|Windows)\))$/, NAME[1]] as const;
const SERVER_KEYS = [
  'name',
  'uniqueId',
  'zone',
  'type',
  'state',
  'privateAddress',
  'publicAddress',
  'firewallGroup',
] as const;

function readGroup(fields: Fields, zones: readonly string[]): FirewallGroup {
  return {
    name: fields.matching('name', GROUP_NAME),
    zone: fields.oneOf('zone', zones),
    description: fields.text('description', ''),
    rules: [],
    ruleLimit: 100,
    logLimit: 1000,
    logFilterNetBios: false,
    logFilterBroadcast: false,
    transition: undefined,
  };
}

function readServer(fields: Fields, zones: readonly string[], groups: readonly FirewallGroup[]): Server {
  const name = fields.matching('name', NAME);
  const zone = fields.oneOf('zone', zones);
  const inZone = groups.filter((group) => group.zone === zone).map((group) => group.name);
  return {
    name,
    zone,
    uniqueId: fields.matching('uniqueId', [/^i-[0-9a-z]{8}$/, 'i- and 8 of a-z 0-9'], issueUniqueId('i', name)),
    type: fields.matching('type', [/^[a-z0-9-]+$/, 'a type such as e-medium'], 'e-medium'),
    state: fields.oneOf('state', SERVER_STATES, 'running'),
    privateAddress: fields.address('privateAddress'),
    publicAddress: fields.address('publicAddress'),
    firewallGroup: fields.oneOf('firewallGroup', [...inZone, ''], ''),
    description: '',
    privateNetworkId: COMMON_NETWORKS.private,
    accountingType: '2',
    nextMonthAccountingType: '2',
    launchedAtMs: 0,
    transition: undefined,
  };
}

/** One mapping of the file. Every getter throws a UsageError that names its place. */
class Fields {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #source: string;
  readonly #path: string;

  constructor(data: unknown, source: string, path: string, keys: readonly string[]) {
    this.#source = source;
    this.#path = path;
    if (typeof data !== 'object' || data === null || Array.isArray(data)) {
      throw this.refused('', JSON.stringify(data), `a mapping with the keys ${keys.join(', ')}`);
    }
    this.#values = data as Record<string, unknown>;
    const stray = Object.keys(data).find((key) => !keys.includes(key));
    if (stray !== undefined) throw this.refused(stray, '', `one of the keys ${keys.join(', ')}`);
  }

  /** `fallback` stands for a missing key; without one the key is required. */
  text(key: string, fallback?: string): string {
    const value = this.#values[key] ?? fallback;
    if (typeof value !== 'string') throw this.refused(key, JSON.stringify(value) ?? 'missing', 'a text');
    return value;
  }

  texts(key: string): readonly string[] {
    return this.#array(key).map((item) => {
      if (typeof item !== 'string') throw this.refused(key, JSON.stringify(item), 'a list of texts');
      return item;
    });
  }

  list(key: string, keys: readonly string[]): readonly Fields[] {
    return this.#array(key).map((item, at) => new Fields(item, this.#source, `${key}[${at}]`, keys));
  }

  matching(key: string, [pattern, allowed]: readonly [RegExp, string], fallback?: string): string {
    const value = this.text(key, fallback);
    if (!pattern.test(value)) throw this.refused(key, value, allowed);
    return value;
  }

  oneOf<T extends string>(key: string, allowed: readonly T[], fallback?: T): T {
    const value = this.text(key, fallback);
    const found = allowed.find((one) => one === value);
    if (found === undefined)
      throw this.refused(key, value, allowed.filter((one) => one !== '').join(', ') || 'nothing');
    return found;
  }

  address(key: string): string {
    const value = this.text(key, '');
    if (value !== '' && !isIPv4(value)) throw this.refused(key, value, 'an IPv4 address, or nothing');
    return value;
  }

  refused(key: string, value: string, allowed: string): UsageError {
    const place = [this.#path, key].filter((part) => part !== '').join('.');
    return new UsageError(
      `${this.#source}: ${place === '' ? '' : `${place}: `}${value || 'this'} is not allowed; allowed: ${allowed}`,
    );
  }

  #array(key: string): readonly unknown[] {
    const value = this.#values[key] ?? [];
    if (!Array.isArray(value)) throw this.refused(key, JSON.stringify(value), 'a list');
    return value as unknown[];
  }
}
