import { status } from '@grpc/grpc-js';
import { NifcloudError } from '../../nifcloud/errors.ts';
import { RpcError } from '../rpc-error.ts';
import type { World } from './apply.ts';
import { isSurelyNotDone } from './cloud-error.ts';
import type { Server, ServerRef, Volume } from './cloud.ts';
import type { ClusterNode } from './cluster.ts';
import { BUSY_TRIES, isServerBusy } from './turns.ts';

/** A host keeps this many free slots before it takes a disk for a moment: one for it, one for a pod that comes meanwhile. */
const HOST_MIN_FREE_SLOTS = 2;

/** Hosts that are tried for a birth or a growth before giving up. */
const HOST_TRIES = 3;

/** What a host is looked for. */
interface Need {
  readonly zone: string;
  readonly volumeId: string;
  /** All disks as they were read, by which slots are counted. */
  readonly volumes: readonly Volume[];
  /** Asked after a failure: false once some host has taken the disk, or may have. */
  readonly mayTryAnother: () => boolean;
}

/**
 * Attempts something with the best host there is; with the next one where one refuses it or is kept busy by others, and when all are
 * busy, patiently. While only this process's own work fills the hosts, it is waited for.
 * @param attempt `tries`: how often a host is asked that others keep busy
 * @returns `release` gives the slot back that is claimed
 * @throws RpcError RESOURCE_EXHAUSTED when there is none, which makes the scheduler look for another zone; what the attempt throws
 */
export async function onSomeHost<T>(
  world: World,
  { zone, volumeId, volumes, mayTryAnother }: Need,
  attempt: (host: ServerRef, tries: number) => Promise<T>,
  signal: AbortSignal,
): Promise<{ readonly result: T; readonly host: ServerRef; readonly release: () => void }> {
  const { cloud, cluster, holders, slots, logger } = world;
  let listing: Listing = { volumes, releases: undefined };
  const [servers, nodes] = await Promise.all([cloud.servers.list(signal), cluster?.nodes(signal)]);
  const refused = new Map<string, NifcloudError>();
  let tries = 1;
  for (;;) {
    const hosts = rankHosts(zone, servers, nodes, (uniqueId) => slots.free(uniqueId, listing.volumes));
    const host = hosts.find(({ uniqueId }) => !refused.has(uniqueId));
    if (host === undefined || refused.size >= HOST_TRIES) {
      const refusal = [...refused.values()].at(-1);
      if (refusal !== undefined && !isServerBusy(refusal)) throw refusal;
      if (refusal !== undefined) {
        tries = BUSY_TRIES;
        refused.clear();
        continue;
      }
      const freeInTheEnd = (uniqueId: string): number => slots.freeInTheEnd(uniqueId, listing.volumes);
      const hasRoomInTheEnd = rankHosts(zone, servers, nodes, freeInTheEnd).length > 0;
      listing = await whenRoom(world, listing, hasRoomInTheEnd, () => noHost(zone, nodes !== undefined), signal);
      continue;
    }
    const release = slots.claim(host.uniqueId, volumeId, 'temporary');
    holders.remember(volumeId, host); // before it is sent: the answer may be lost
    try {
      return { result: await attempt(host, tries), host, release };
    } catch (error) {
      release();
      if (isSurelyNotDone(error) || (!signal.aborted && error instanceof RpcError)) holders.forget(volumeId);
      if (signal.aborted || !mayTryAnother() || tries > 1 || !isAboutServer(error)) throw error;
      logger.warn('A host refused a disk', { host: host.name, volumeId, code: error.code });
      refused.set(host.uniqueId, error);
    }
  }
}

/**
 * Takes a slot of a server for a disk that is to stay. While births and growths of this process fill it, one is waited for: after
 * RESOURCE_EXHAUSTED, kubelet may fail the pod (docs/reference/csi.md E.3).
 * @returns gives the claim back
 * @throws RpcError RESOURCE_EXHAUSTED when the server has none even without them; the signal's reason
 */
export async function claimForGood(
  world: World,
  server: ServerRef,
  { id, volumes }: { readonly id: string; readonly volumes: readonly Volume[] },
  signal: AbortSignal,
): Promise<() => void> {
  const { slots } = world;
  const noSlot = (): RpcError =>
    new RpcError(status.RESOURCE_EXHAUSTED, `server ${server.name} has no free slot for another disk`);
  let listing: Listing = { volumes, releases: undefined };
  while (slots.free(server.uniqueId, listing.volumes) < 1) {
    const hasRoomInTheEnd = slots.freeInTheEnd(server.uniqueId, listing.volumes) > 0;
    listing = await whenRoom(world, listing, hasRoomInTheEnd, noSlot, signal);
  }
  return slots.claim(server.uniqueId, id, 'lasting');
}

/** Disks by which slots are counted. */
interface Listing {
  readonly volumes: readonly Volume[];
  /** `Slots.releases` before they were read; undefined = not known. */
  readonly releases: number | undefined;
}

/**
 * Lists the disks anew once there may be room, which tells what came for good meanwhile, and what has left.
 * @param hasRoomInTheEnd by the last listing: then the next release is waited for
 * @throws `refusal` when there is none even in the end, by a listing that no release has overlapped; the signal's reason
 */
async function whenRoom(
  { cloud, slots }: World,
  last: Listing,
  hasRoomInTheEnd: boolean,
  refusal: () => RpcError,
  signal: AbortSignal,
): Promise<Listing> {
  if (hasRoomInTheEnd) await slots.untilReleased(signal);
  else if (last.releases === slots.releases) throw refusal();
  const { releases } = slots;
  return { releases, volumes: await cloud.volumes.list(signal) };
}

/** The cloud refused the server, not the disk: another server may do. */
function isAboutServer(error: unknown): error is NifcloudError {
  return error instanceof NifcloudError && error.outcome === 'refused' && /\.Instance(\.|$)/.test(error.code);
}

function noHost(zone: string, isCluster: boolean): RpcError {
  const who = isCluster ? 'running, schedulable node of this cluster' : 'running server';
  return new RpcError(
    status.RESOURCE_EXHAUSTED,
    `zone ${zone} has no ${who} with two free slots; a disk is born and grows attached to a server`,
  );
}

/**
 * Servers that may hold a disk of `zone` for the time of its birth or growth, best first: most free slots, ties by name.
 * Only running, schedulable nodes of this cluster, never a stranger's server.
 * @param nodes `undefined` = there is no Kubernetes API to ask: any running server, as the Go driver does
 */
function rankHosts(
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
