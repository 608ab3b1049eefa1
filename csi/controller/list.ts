import { status } from '@grpc/grpc-js';
import type { ListVolumesRequest__Output } from '../../proto/gen/csi/v1/ListVolumesRequest.ts';
import type { ListVolumesResponse } from '../../proto/gen/csi/v1/ListVolumesResponse.ts';
import type { Volume } from '../disks/cloud.ts';
import type { Disks } from '../disks/disks.ts';
import { RpcError } from '../rpc-error.ts';
import { volumeMessage } from './volume-message.ts';
import { volumeStatus } from './volume-status.ts';

/**
 * Entries in one answer, whatever the caller would take: gRPC clients refuse more than 4 MiB (docs/reference/csi.md G.4), and an
 * entry with names as long as they can be has some 700 bytes.
 */
const PAGE_MAX_ENTRIES = 5_000;

const TOKEN = /^after:([!-~]+)$/;

/**
 * ListVolumes: all disks of the region, those of static volumes and of other clusters too, with the nodes that have them.
 *
 * Pages follow the order of unique ids, and a token names the last one that was given, so a disk that exists all the while is listed
 * once, whatever comes and goes between two pages, and whichever process serves them.
 */
export async function listVolumes(
  { max_entries: maxEntries, starting_token: token }: ListVolumesRequest__Output,
  { disks }: { readonly disks: Disks },
  signal: AbortSignal,
): Promise<ListVolumesResponse> {
  if (maxEntries < 0) throw new RpcError(status.INVALID_ARGUMENT, `max_entries is ${maxEntries}; 0 means all`);
  const after = parseToken(token);
  const [volumes, nodes] = await Promise.all([disks.list(signal), disks.nodes(signal)]);
  const left = volumes.filter((volume) => keyOf(volume) > after).sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  const page = left.slice(0, Math.min(maxEntries || PAGE_MAX_ENTRIES, PAGE_MAX_ENTRIES));
  const last = page.at(-1);
  return {
    entries: page.map((volume) => ({ volume: volumeMessage(volume, volume.id), status: volumeStatus(volume, nodes) })),
    next_token: last === undefined || page.length === left.length ? '' : `after:${keyOf(last)}`,
  };
}

/** Compared by code units, which is the same everywhere. */
function keyOf({ uniqueId, id }: Volume): string {
  return uniqueId || id;
}

/** @throws RpcError ABORTED, which makes the caller begin anew, for a token that was not given by `listVolumes`. */
function parseToken(token: string): string {
  if (token === '') return '';
  const after = TOKEN.exec(token)?.[1];
  if (after !== undefined) return after;
  throw new RpcError(
    status.ABORTED,
    `starting_token ${JSON.stringify(token)} is none of this driver; begin without one`,
  );
}
