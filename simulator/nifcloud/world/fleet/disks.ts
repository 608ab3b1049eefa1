import { SLOTS, STEP_GB } from '../volumes.ts';
import { issueUniqueId } from '../world.ts';
import { uniqueIds } from './fields.ts';
import { readAccounting } from './servers.ts';
import type { Fields } from './fields.ts';
import type { Attachment, Volume } from '../volumes.ts';
import type { Server } from '../servers.ts';

export const DISK_KEYS = [
  'id',
  'uniqueId',
  'sizeGB',
  'type',
  'zone',
  'accounting',
  'description',
  'attachedTo',
  'slot',
];

/** Larger than any source says that a disk can be (docs/reference/nifcloud-api.md §3.2). */
const LARGEST_GB = 100_000;

/** Names of StorageClasses, and the text of answers (nifcloud-api.md §3.2). */
const TYPES: ReadonlyMap<string, string> = new Map([
  ['standard', 'Standard Storage'],
  ['high-speed-a', 'High-Speed Storage A'],
  ['high-speed-b', 'High-Speed Storage B'],
  ['flash', 'Flash Storage'],
  ['standard-flash-a', 'Standard Flash Storage A'],
  ['standard-flash-b', 'Standard Flash Storage B'],
  ['high-speed-flash-a', 'High-Speed Flash Storage A'],
  ['high-speed-flash-b', 'High-Speed Flash Storage B'],
]);

/** The entries of `disks`; without a slot a disk takes the lowest one that the entries before it have left. */
export function readDisks(
  list: readonly Fields[],
  zones: readonly string[],
  servers: ReadonlyMap<string, Server>,
): readonly Volume[] {
  const taken = new Map<string, Set<number>>(); // by the server's unique id
  return list.map((fields) => {
    const id = fields.matching('id', [/^[0-9A-Za-z]{1,32}$/, '1 to 32 letters and digits']);
    const server = fields.has('attachedTo') ? fields.one('attachedTo', servers) : undefined;
    if (server === undefined && fields.has('slot')) throw fields.refused('slot', '', 'a slot with attachedTo only');
    const zone = fields.oneOf('zone', zones, server?.zone);
    if (server !== undefined && server.zone !== zone) {
      throw fields.refused('zone', zone, `${server.zone}, as that of server ${server.name}`);
    }
    return {
      id,
      uniqueId: fields.matching('uniqueId', uniqueIds('vol'), issueUniqueId('vol', id)),
      sizeGB: fields.integer('sizeGB', { min: STEP_GB, max: LARGEST_GB, step: STEP_GB }, STEP_GB),
      diskType: readType(fields),
      zone,
      ...readAccounting(fields),
      description: fields.shortText('description', 40),
      createdAtMs: 0,
      attachment: server === undefined ? undefined : readAttachment(fields, server, taken),
      transition: undefined,
    };
  });
}

/** By the name of a StorageClass, or as answers write it. */
function readType(fields: Fields): string {
  const text = fields.text('type', 'standard-flash-a');
  const type = TYPES.get(text) ?? [...TYPES.values()].find((one) => one === text);
  if (type === undefined) throw fields.refused('type', text, [...TYPES.keys(), ...TYPES.values()].join(', '));
  return type;
}

function readAttachment(fields: Fields, server: Server, taken: Map<string, Set<number>>): Attachment {
  const slots = taken.get(server.uniqueId) ?? new Set();
  taken.set(server.uniqueId, slots);
  const free = SLOTS.filter((one) => !slots.has(one));
  if (free[0] === undefined) throw fields.refused('attachedTo', server.name, 'a server with a free slot');
  const slot = fields.integer('slot', { min: 1, max: 15 }, free[0]);
  if (!free.includes(slot))
    throw fields.refused('slot', String(slot), `those free on ${server.name}: ${free.join(', ')}`);
  slots.add(slot);
  return { serverUniqueId: server.uniqueId, slot, attachedAtMs: 0 };
}
