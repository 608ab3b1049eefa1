import type { Server } from '../world/servers.ts';
import { sizeBytes } from '../world/transitions.ts';
import type { World } from '../world/world.ts';
import type { Hosts } from './hosts.ts';

/**
 * Brings the hosts of a start to where the world is: disks in their slots (those of a fleet file are new and empty), stopped
 * servers off, the others on with their disks found. What transitions do at their end is left to them.
 */
export async function plugIn(world: World, hosts: Hosts): Promise<void> {
  for (const { uniqueId, sizeGB, attachment, transition } of world.volumes.values()) {
    // The earlier run may have ended between what it did on the host and what it wrote down of it.
    if (transition?.kind === 'create') await hosts.deleteDisk(uniqueId);
    if (transition?.kind === 'create' || transition?.kind === 'delete') continue;
    if (!(await hosts.hasDisk(uniqueId))) await hosts.createDisk(uniqueId, sizeBytes(sizeGB));
    if (attachment === undefined || transition?.kind === 'attach') continue;
    await hosts.attach(attachment.serverUniqueId, attachment.slot, uniqueId);
  }
  for (const server of world.servers.values()) {
    if (isOff(server)) await hosts.powerOff(server.uniqueId, { clean: true });
    else await hosts.powerOn(server.uniqueId);
  }
}

/** One that is being stopped, or rebooted, is on until that ends. */
function isOff({ state, transition }: Server): boolean {
  return state === 'stopped' || (transition !== undefined && transition.powersOff === undefined);
}
