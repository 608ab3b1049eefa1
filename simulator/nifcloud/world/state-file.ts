import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { UsageError } from '../../../daemon/flags.ts';
import type { Listener } from './listeners.ts';
import type { Switches } from './switches.ts';
import type { World } from './world.ts';

/** Says whose file it is; another number for a form that this program can not read. */
const FORMAT = { program: 'nifcloud-simulator', version: 1 } as const;

/** The maps of a world, which its file holds as lists, and the property that each is keyed by. */
const MAPS = {
  servers: 'name',
  volumes: 'id',
  loadBalancers: 'name',
  elasticLoadBalancers: 'name',
  firewallGroups: 'name',
  privateLans: 'id',
  routers: 'id',
  routeTables: 'id',
} as const;
const SETS = ['certificates', 'deletedFirewallGroups'] as const;
type MapName = keyof typeof MAPS;
type SetName = (typeof SETS)[number];

/** What a file holds. */
type Saved = typeof FORMAT &
  Pick<World, 'region' | 'zones' | 'nextVip'> & {
    readonly [Name in MapName]: readonly Readonly<Record<string, unknown>>[];
  } & { readonly [Name in SetName]: readonly string[] };

/**
 * A world on disk, as one JSON file.
 *
 * - A write goes to a file beside it that then takes its name, so whenever the process dies a whole file is there. It is not
 *   synced: what can be lost is what a machine loses that loses its power, and a simulator's world is not worth the wait.
 * - Writes are shared: those who ask while one is under way all wait for the next.
 */
export class StateFile {
  readonly #file: string;
  readonly #world: World;
  /** What the file holds. */
  #saved = '';
  #writing: Promise<void> | undefined;
  /** Has not yet looked at the world. */
  #next: Promise<void> | undefined;

  constructor({ file, world }: { readonly file: string; readonly world: World }) {
    this.#file = file;
    this.#world = world;
  }

  /**
   * Resolves when the file holds the world as it is now, or as it was at a later moment.
   * @throws what the system says about the file
   */
  save(): Promise<void> {
    this.#next ??= this.#after(this.#writing);
    return this.#next;
  }

  async #after(earlier: Promise<void> | undefined): Promise<void> {
    // A failure is told to those who asked for that write. Without an earlier one this waits for the callers of this turn.
    await earlier?.catch(() => {});
    this.#writing = this.#next;
    this.#next = undefined;
    const text = textOf(this.#world);
    if (text === this.#saved) return;
    const draft = `${this.#file}.new`;
    await writeFile(draft, text, { mode: 0o600 });
    await rename(draft, this.#file);
    this.#saved = text;
  }
}

/** The world as text. The health in it is that of the moment, and is found out anew by who reads it. */
function textOf(world: World): string {
  const { region, zones, nextVip } = world;
  return JSON.stringify({
    ...FORMAT,
    region,
    zones,
    nextVip,
    ...Object.fromEntries(Object.keys(MAPS).map((name) => [name, [...world[name as MapName].values()]])),
    ...Object.fromEntries(SETS.map((name) => [name, [...world[name]]])),
  });
}

/**
 * The world that a file holds; `undefined` when there is no such file. Switches are not part of it.
 * @throws UsageError when the file can not be read, or is not of this program and version
 */
export function readState(file: string, switches: Switches): World | undefined {
  const text = read(file);
  if (text === undefined) return undefined;
  const saved = parse(text);
  if (saved === undefined) {
    const { program, version } = FORMAT;
    throw new UsageError(`${file} is not a state file of ${program} (version ${version}): name another, or remove it`);
  }
  const maps = Object.fromEntries(
    Object.entries(MAPS).map(([name, key]) => [name, new Map(saved[name as MapName].map((one) => [one[key], one]))]),
  ) as unknown as Pick<World, MapName>;
  for (const { ports } of maps.loadBalancers.values()) ports.forEach(forgetHealth);
  for (const { listeners } of maps.elasticLoadBalancers.values()) listeners.forEach(forgetHealth);
  return {
    ...maps,
    ...(Object.fromEntries(SETS.map((name) => [name, new Set(saved[name])])) as Pick<World, SetName>),
    region: saved.region,
    zones: saved.zones,
    switches,
    serversByUniqueId: new Map([...maps.servers.values()].map((server) => [server.uniqueId, server])),
    nextVip: saved.nextVip,
  };
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new UsageError(`the state file can not be read: ${String(cause)}`, { cause });
  }
}

function parse(text: string): Saved | undefined {
  let data: unknown;
  try {
    data = JSON.parse(text, text.includes('"heldBy":') ? withoutHold : undefined);
  } catch {
    return undefined;
  }
  const saved = data as Saved | null;
  const { program, version } = FORMAT;
  return saved?.program === program && saved.version === version ? saved : undefined;
}

/** Faults are not part of the state: what one has held ends in its time. */
function withoutHold(key: string, value: unknown): unknown {
  return key === 'heldBy' ? undefined : value;
}

function forgetHealth({ targets }: Listener): void {
  for (const target of targets) target.state = 'OutOfService';
}
