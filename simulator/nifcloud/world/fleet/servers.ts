import { COMMON_NETWORKS } from '../networks.ts';
import { SERVER_STATES } from '../servers.ts';
import { issueUniqueId } from '../world.ts';
import { NAME, uniqueIds } from './fields.ts';
import { readNetwork } from './networks.ts';
import type { Fields } from './fields.ts';
import type { FirewallGroup } from '../firewall-groups.ts';
import type { Network } from './networks.ts';
import type { Server } from '../servers.ts';

export const SERVER_KEYS = [
  'name',
  'uniqueId',
  'zone',
  'type',
  'state',
  'privateAddress',
  'publicAddress',
  'privateNetwork',
  'firewallGroup',
  'accounting',
  'description',
];

/** Names of StorageClass parameters for the codes of the API (docs/reference/nifcloud-api.md §3.2, §12). */
const ACCOUNTING_TYPES = { monthly: '1', hourly: '2' } as const;

/** How a thing is paid: `accounting`, by use unless it says otherwise. */
export function readAccounting(fields: Fields): { accountingType: string; nextMonthAccountingType: string } {
  const type = ACCOUNTING_TYPES[fields.oneOf('accounting', ['monthly', 'hourly'], 'hourly')];
  return { accountingType: type, nextMonthAccountingType: type };
}

/** An entry of `servers`. */
export function readServer(
  fields: Fields,
  zones: readonly string[],
  networks: ReadonlyMap<string, Network>,
  groups: readonly FirewallGroup[],
): Server {
  const name = fields.matching('name', NAME);
  const zone = fields.oneOf('zone', zones);
  const inZone = groups.filter((group) => group.zone === zone).map((group) => group.name);
  const privateNetworkId = fields.has('privateNetwork')
    ? readNetwork(fields, 'privateNetwork', networks, zone).id
    : COMMON_NETWORKS.private;
  if (privateNetworkId === COMMON_NETWORKS.global) {
    throw fields.refused('privateNetwork', privateNetworkId, `${COMMON_NETWORKS.private}, or a private LAN`);
  }
  return {
    name,
    zone,
    uniqueId: fields.matching('uniqueId', uniqueIds('i'), issueUniqueId('i', name)),
    type: fields.matching('type', [/^[a-z0-9-]+$/, 'a type such as e-medium'], 'e-medium'),
    state: fields.oneOf('state', SERVER_STATES, 'running'),
    privateAddress: fields.address('privateAddress'),
    publicAddress: fields.address('publicAddress'),
    firewallGroup: fields.oneOf('firewallGroup', [...inZone, ''], ''),
    description: fields.text('description', ''),
    privateNetworkId,
    ...readAccounting(fields),
    launchedAtMs: 0,
    transition: undefined,
  };
}
