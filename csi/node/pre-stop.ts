import type { KubeList, Node, VolumeAttachment } from '../../kube/types.ts';
import { DRIVER_NAME } from '../names.ts';
import { readOwnNode, untilDone } from './own-node.ts';
import type { OwnNode } from './own-node.ts';

/** Taints of a node that is about to go (docs/reference/csi.md E.3); a cordoned one goes too. */
const LEAVING = new Set([
  'node.kubernetes.io/unschedulable',
  'node.kubernetes.io/out-of-service',
  'ToBeDeletedByClusterAutoscaler',
  'karpenter.sh/disrupted',
]);

/**
 * For the preStop hook of the node server's pod. On a node that is being drained it lasts until no volume of this driver is attached
 * there any more: without the node server nobody could unmount them, and Kubernetes would wait six minutes before it detaches by force
 * (docs/reference/csi.md E.3). On other nodes, as for an update of the driver, it ends at once. The pod's grace period bounds it.
 *
 * Errors of the Kubernetes API are repeated; kubelet ends the hook when its time is over. Without the right to look it ends at once.
 */
export async function waitForDetach(own: OwnNode, signal: AbortSignal): Promise<void> {
  const areGone = async (): Promise<boolean> => {
    const left = await attachmentsInTheWay(own, signal);
    if (left.length === 0) return true;
    own.logger.info('Waiting for volumes to be detached', { node: own.nodeName, volumeAttachments: left });
    return false;
  };
  const says = {
    forbidden: 'This account may not see whether volumes are attached: they are not waited for',
    again: 'Whether volumes are attached is asked again',
  };
  await untilDone(own, areGone, says, signal);
}

async function attachmentsInTheWay(own: OwnNode, signal: AbortSignal): Promise<readonly string[]> {
  if (!isLeaving(await readOwnNode(own, signal))) return [];
  const path = '/apis/storage.k8s.io/v1/volumeattachments';
  const { items } = await own.kube.get<KubeList<VolumeAttachment>>(path, { signal });
  return items
    .filter(({ spec }) => spec.attacher === DRIVER_NAME && spec.nodeName === own.nodeName)
    .map(({ metadata }) => metadata.name);
}

/** Whether pods are being moved away from a node, so that their volumes will be detached. Pure. */
export function isLeaving({ metadata, spec }: Node): boolean {
  const isGoing = metadata.deletionTimestamp !== undefined || spec?.unschedulable === true;
  return isGoing || (spec?.taints ?? []).some(({ key }) => LEAVING.has(key));
}
