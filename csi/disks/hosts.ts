import type { Server, ServerRef } from './cloud.ts';
import type { ClusterNode } from './cluster.ts';

/** A host keeps this many free slots before it takes a disk for a moment: one for it, one for a pod that comes meanwhile. */
const HOST_MIN_FREE_SLOTS = 2;

/**
 * Servers that may hold a disk of `zone` for the time of its birth or growth, best first: most free slots, ties by name.
 * Only running, schedulable nodes of this cluster, never a stranger's server.
 * @param nodes `undefined` = there is no Kubernetes API to ask: any running server, as the Go driver does
 */
export function rankHosts(
  zone: string,
  servers: readonly Server[],
  nodes: readonly ClusterNode[] | undefined,
  freeSlots: (serverUniqueId: string) => number,
): readonly ServerRef[] {
  return servers
    .filter((server) => server.zone === zone && server.state === 'running')
    .filter((server) => nodes === undefined || nodeOf(server, nodes)?.schedulable === true)
    .map((server) => ({ name: server.name, uniqueId: server.uniqueId, free: freeSlots(server.uniqueId) }))
    .filter(({ free }) => free >= HOST_MIN_FREE_SLOTS)
    .sort((a, b) => b.free - a.free || a.name.localeCompare(b.name))
    .map(({ name, uniqueId }) => ({ name, uniqueId }));
}

/** The Node that runs on a server: by provider id; by name where a Node has none yet. */
export function nodeOf(server: ServerRef, nodes: readonly ClusterNode[]): ClusterNode | undefined {
  return (
    nodes.find(({ serverUniqueId }) => serverUniqueId === server.uniqueId) ??
    nodes.find(({ name, serverUniqueId }) => serverUniqueId === undefined && name === server.name)
  );
}
