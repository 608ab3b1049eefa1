import { describeError, type Logger } from '../../daemon/logger.ts';
import type { Clock } from '../../daemon/clock.ts';
import { isForbidden } from '../../kube/errors.ts';
import type { KubeClient } from '../../kube/rest.ts';
import type { KubeList, Node, VolumeAttachment } from '../../kube/types.ts';
import { DRIVER_NAME } from '../names.ts';

/** How often it is looked. Our choice. */
const LOOK_MS = 2_000;

/** Taints of a node that is about to go (docs/reference/csi.md E.3); a cordoned one goes too. */
const LEAVING = new Set([
  'node.kubernetes.io/unschedulable',
  'node.kubernetes.io/out-of-service',
  'ToBeDeletedByClusterAutoscaler',
  'karpenter.sh/disrupted',
]);

export interface PreStopOptions {
  readonly nodeName: string;
  readonly kube: Pick<KubeClient, 'get'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * For the preStop hook of the node server's pod. On a node that is being drained it lasts until no volume of this driver is attached
 * there any more: without the node server nobody could unmount them, and Kubernetes would wait six minutes before it detaches by force
 * (docs/reference/csi.md E.3). On other nodes, as for an update of the driver, it ends at once. The pod's grace period bounds it.
 *
 * Errors of the Kubernetes API are repeated; kubelet ends the hook when its time is over. Without the right to look it ends at once.
 */
export async function waitForDetach(options: PreStopOptions, signal: AbortSignal): Promise<void> {
  const { clock, logger, nodeName } = options;
  for (;;) {
    try {
      const left = await attachmentsInTheWay(options, signal);
      if (left.length === 0) return;
      logger.info('Waiting for volumes to be detached', { node: nodeName, volumeAttachments: left });
    } catch (error) {
      signal.throwIfAborted();
      if (isForbidden(error)) {
        logger.warn('This account may not see whether volumes are attached: they are not waited for', {
          node: nodeName,
          reason: describeError(error),
        });
        return;
      }
      logger.warn('Whether volumes are attached is asked again', { node: nodeName, reason: describeError(error) });
    }
    await clock.sleep(LOOK_MS, signal);
  }
}

async function attachmentsInTheWay(
  { nodeName, kube }: PreStopOptions,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const node = await kube.get<Node>(`/api/v1/nodes/${encodeURIComponent(nodeName)}`, { signal });
  if (!isLeaving(node)) return [];
  const { items } = await kube.get<KubeList<VolumeAttachment>>('/apis/storage.k8s.io/v1/volumeattachments', { signal });
  return items
    .filter(({ spec }) => spec.attacher === DRIVER_NAME && spec.nodeName === nodeName)
    .map(({ metadata }) => metadata.name);
}

/** Whether pods are being moved away from a node, so that their volumes will be detached. Pure. */
export function isLeaving({ metadata, spec }: Node): boolean {
  const isGoing = metadata.deletionTimestamp !== undefined || spec?.unschedulable === true;
  return isGoing || (spec?.taints ?? []).some(({ key }) => LEAVING.has(key));
}
