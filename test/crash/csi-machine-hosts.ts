import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Hosts } from '../../simulator/nifcloud/hosts/hosts.ts';
import type { FakeMachine } from '../unit/csi/node/fake-machine.ts';
import type { MachineState } from './csi-machine-state.ts';

/**
 * The disks of a simulated cloud, of whose servers one is a fake machine. The others have nothing to look at.
 * @param onWork told of all that is done
 */
export function machineHosts(
  machine: FakeMachine,
  serverUniqueId: string,
  state: MachineState,
  onWork: (work: Promise<unknown>) => void,
): Hosts {
  /** Disks in the machine, by slot. */
  const plugged = new Map<number, string>();
  const hosts: Hosts = {
    addServer: async ({ uniqueId }) => (uniqueId === serverUniqueId ? machine.root : ''),
    powerOn: nothing,
    powerOff: nothing,
    removeServer: nothing,
    hasDisk: async () => false,
    createDisk: (disk, sizeBytes) => machine.addDisk(disk, sizeBytes),
    attach: async (server, slot, disk) => {
      if (server !== serverUniqueId) return;
      plugged.set(slot, disk);
      await machine.plug(slot, disk);
    },
    detach: async (server, slot) => {
      if (server !== serverUniqueId) return false;
      const isInUse = state.mounted.includes(plugged.get(slot));
      plugged.delete(slot);
      await machine.unplug(slot);
      return isInUse;
    },
    grow: (disk, sizeBytes) => machine.change(disk, { size: String(sizeBytes) }),
    deleteDisk: (disk) => rm(join(machine.home, 'disks', disk), { recursive: true, force: true }),
    stop: nothing,
  };
  return new Proxy(hosts, {
    get:
      (all, name: keyof Hosts) =>
      (...args: never[]) => {
        const work = (all[name] as (...args: never[]) => Promise<unknown>)(...args);
        onWork(work);
        return work;
      },
  });
}

async function nothing(): Promise<void> {}
