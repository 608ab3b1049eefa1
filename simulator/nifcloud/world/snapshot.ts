import { attachmentStatus, volumeStatus } from './volumes.ts';
import { serverWithId } from './servers.ts';
import type { Listener } from './listeners.ts';
import type { Server } from './servers.ts';
import type { Volume } from './volumes.ts';
import type { World } from './world.ts';

/** What the world is now, in words rather than in the wire's: for assertions and for people. */
export type Snapshot = ReturnType<typeof snapshotOf>;

/** What runs beside the world and has places of its own. */
export interface Places {
  /** The folder that is a server's machine; '' = it has none. */
  readonly hostRoot: (server: Server) => string;
  /** `host:port` where a port of a load balancer really listens. */
  readonly listensAt: (port: Listener) => string | undefined;
}

/** A copy for its reader's eyes only: nothing in it changes later. */
export function snapshotOf(world: World, places: Places) {
  const listenerOf = (listener: Listener) => ({
    ...listener,
    targets: listener.targets.map((target) => ({
      serverName: serverWithId(world, target.serverUniqueId).name,
      ...target,
    })),
    listensAt: places.listensAt(listener) ?? null,
  });
  return structuredClone({
    region: world.region,
    zones: world.zones,
    servers: [...world.servers.values()].map((server) => ({ ...server, hostRoot: places.hostRoot(server) })),
    volumes: [...world.volumes.values()].map((volume) => ({
      id: volume.id,
      uniqueId: volume.uniqueId,
      sizeGB: volume.sizeGB,
      diskType: volume.diskType,
      zone: volume.zone,
      accountingType: volume.accountingType,
      nextMonthAccountingType: volume.nextMonthAccountingType,
      description: volume.description,
      createdAt: new Date(volume.createdAtMs).toISOString(),
      status: volumeStatus(volume),
      attachment: attachmentOf(world, volume),
      transition: volume.transition?.kind ?? null,
    })),
    loadBalancers: [...world.loadBalancers.values()].map(({ createdAtMs, ports, ...loadBalancer }) => ({
      ...loadBalancer,
      createdAt: new Date(createdAtMs).toISOString(),
      ports: ports.map(listenerOf),
    })),
    elasticLoadBalancers: [...world.elasticLoadBalancers.values()].map(
      ({ createdAtMs, listeners, ...loadBalancer }) => ({
        ...loadBalancer,
        createdAt: new Date(createdAtMs).toISOString(),
        listeners: listeners.map(listenerOf),
      }),
    ),
    firewallGroups: [...world.firewallGroups.values()],
    privateLans: [...world.privateLans.values()],
    routers: [...world.routers.values()],
    routeTables: [...world.routeTables.values()],
  });
}

function attachmentOf(world: World, volume: Volume) {
  if (volume.attachment === undefined) return null;
  const { serverUniqueId, slot } = volume.attachment;
  return {
    serverName: serverWithId(world, serverUniqueId).name,
    serverUniqueId,
    slot,
    status: attachmentStatus(volume),
  };
}
