import { covers } from './address-ranges.ts';
import type { Filter } from '../world/listeners.ts';
import type { Switches } from '../world/switches.ts';

/**
 * Whether a client may connect. An empty list, be it of what is allowed or of what is denied, admits everyone; an allow list
 * that was emptied may admit nobody instead: the switch says so (docs/reference/nifcloud-api.md §11 no. 19).
 */
export function admits(filter: Filter, address: string, switches: Pick<Switches, 'emptied-filter'>): boolean {
  if (filter.addresses.length > 0) return covers(filter.addresses, address) === (filter.type === 'allow');
  return !(filter.emptied && filter.type === 'allow' && switches['emptied-filter'] === 'nobody');
}
