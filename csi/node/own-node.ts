import type { Clock } from '../../daemon/clock.ts';
import { describeError, type Logger } from '../../daemon/logger.ts';
import { isForbidden } from '../../kube/errors.ts';
import type { KubeClient } from '../../kube/rest.ts';
import type { Node } from '../../kube/types.ts';
import { nodePath } from '../names.ts';

/** How often it is looked. Our choice. */
const LOOK_MS = 2_000;

/** The Node that the driver runs on, in Kubernetes. */
export interface OwnNode {
  readonly nodeName: string;
  readonly kube: Pick<KubeClient, 'get'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** @throws KubeError */
export function readOwnNode({ nodeName, kube }: OwnNode, signal: AbortSignal): Promise<Node> {
  return kube.get<Node>(nodePath(nodeName), { signal });
}

/**
 * Looks every two seconds until it is done. Errors are repeated; without the right to look it is given up.
 * @param says what the log says when it is given up, and when an error is repeated
 * @throws the signal's reason, and nothing else
 */
export async function untilDone(
  { nodeName, clock, logger }: OwnNode,
  isDone: () => Promise<boolean>,
  says: { readonly forbidden: string; readonly again: string },
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    try {
      if (await isDone()) return;
    } catch (error) {
      signal.throwIfAborted();
      const isGivenUp = isForbidden(error);
      logger.warn(isGivenUp ? says.forbidden : says.again, { node: nodeName, reason: describeError(error) });
      if (isGivenUp) return;
    }
    await clock.sleep(LOOK_MS, signal);
  }
}
