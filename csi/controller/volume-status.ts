import type { VolumeCondition } from '../../proto/gen/csi/v1/VolumeCondition.ts';
import type { Volume } from '../disks/cloud.ts';
import type { ClusterNode } from '../disks/cluster.ts';
import { nodeOf } from '../disks/hosts.ts';
import { serverOf } from '../disks/state.ts';

/** `VolumeStatus` of ListVolumes and ControllerGetVolume alike. */
export interface VolumeStatus {
  readonly published_node_ids: string[];
  readonly volume_condition: VolumeCondition;
}

/** No source lists states of a broken disk (docs/reference/nifcloud-api.md §3.4). Any other unknown text is a transition. */
const ERROR_STATUS = /error|fail/i;

/**
 * Where a disk is, and whether anything is wrong with it.
 *
 * Only Nodes are named: csi-attacher compares with node ids, and the server of a stranger, or one that took over a Node's name, is
 * none. Attaching (a disk that grows says so, too) and detaching count as published: csi-attacher attaches again what it misses.
 *
 * @param nodes `undefined` = no Kubernetes to ask: servers are taken for the nodes of their names, as the Go driver does
 */
export function volumeStatus(volume: Volume, nodes: readonly ClusterNode[] | undefined): VolumeStatus {
  const server = serverOf(volume);
  const node = server && (nodes === undefined ? server : nodeOf(server, nodes))?.name;
  return {
    published_node_ids: node ? [node] : [],
    volume_condition: condition(volume, node),
  };
}

/** @param node that has the disk; `undefined` = none has, `''` = the cloud does not name its server */
function condition(volume: Volume, node: string | undefined): VolumeCondition {
  const { status } = volume;
  const server = serverOf(volume);
  if (ERROR_STATUS.test(status)) return abnormal(`the cloud says of the disk: ${status}`);
  if (server === undefined) return normal(`the disk is ${status || 'in an unknown state'}`);
  if (server.name === '') return abnormal('the disk is attached to a server that the cloud does not name');
  if (node !== undefined) return normal(`the disk is attached to node ${node}`);
  return abnormal(
    `the disk is attached to server ${server.name} (${server.uniqueId}), which is no node of this cluster`,
  );
}

function normal(message: string): VolumeCondition {
  return { abnormal: false, message };
}

function abnormal(message: string): VolumeCondition {
  return { abnormal: true, message };
}
