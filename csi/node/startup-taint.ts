import { CONFLICT_POLICIES, retryOnConflict } from '../../kube/conflict.ts';
import { isNotFound } from '../../kube/errors.ts';
import { taintsReplaced } from '../../kube/patches.ts';
import type { KubeClient } from '../../kube/rest.ts';
import type { Node } from '../../kube/types.ts';
import { DRIVER_NAME, nodePath } from '../names.ts';
import { readOwnNode, untilDone } from './own-node.ts';
import type { OwnNode } from './own-node.ts';

/**
 * Key of a taint that an operator may have nodes register with (kubelet `--register-with-taints`), so that no pod with a volume comes
 * before the driver: until then the scheduler knows neither the node's zone nor its limit of volumes (docs/reference/csi.md F.2 no. 14, 31).
 */
export const STARTUP_TAINT = `${DRIVER_NAME}/agent-not-ready`;

/** What of a CSINode tells which drivers kubelet knows. */
interface CsiNode {
  readonly spec?: { readonly drivers?: readonly { readonly name: string }[] };
}

interface PatchableNode extends OwnNode {
  readonly kube: Pick<KubeClient, 'get' | 'patch'>;
}

/**
 * Takes the start-up taint off this node as soon as kubelet has registered the driver; one read where there is no such taint.
 * Errors are repeated, since the taint keeps pods away; only without the right to read or to patch Nodes it is given up.
 */
export async function removeStartupTaint(own: PatchableNode, signal: AbortSignal): Promise<void> {
  const says = {
    forbidden: `This account may not take the taint ${STARTUP_TAINT} off its Node, should it be there`,
    again: 'The start-up taint is looked at again',
  };
  await untilDone(own, () => isDone(own, signal), says, signal);
}

async function isDone(own: PatchableNode, signal: AbortSignal): Promise<boolean> {
  const { nodeName, kube, clock, logger } = own;
  if (patchFor(await readOwnNode(own, signal)) === undefined) return true;
  if (!(await isRegistered(own, signal))) return false;
  await retryOnConflict(
    CONFLICT_POLICIES.nodeUpdate,
    async () => {
      const patch = patchFor(await readOwnNode(own, signal));
      if (patch !== undefined) await kube.patch(nodePath(nodeName), patch, 'strategic', { signal });
    },
    { clock, signal },
  );
  logger.info('Start-up taint removed', { node: nodeName, taint: STARTUP_TAINT });
  return true;
}

function patchFor(node: Node): ReturnType<typeof taintsReplaced> {
  const taints = node.spec?.taints ?? [];
  return taintsReplaced(
    node,
    taints.filter(({ key }) => key !== STARTUP_TAINT),
  );
}

async function isRegistered({ nodeName, kube }: OwnNode, signal: AbortSignal): Promise<boolean> {
  try {
    const path = `/apis/storage.k8s.io/v1/csinodes/${encodeURIComponent(nodeName)}`;
    const { spec } = await kube.get<CsiNode>(path, { signal });
    return (spec?.drivers ?? []).some(({ name }) => name === DRIVER_NAME);
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}
