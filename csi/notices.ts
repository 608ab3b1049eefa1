import type { Logger } from '../daemon/logger.ts';
import type { Event, KubeObject } from '../kube/types.ts';
import type { Notices } from './disks/apply.ts';

/** Where events go; `EventRecorder` has it. */
export interface Recorder {
  event(object: KubeObject, type: Event['type'], reason: string, message: string): void;
}

/** Notices as log lines, and as warning events where there is a Kubernetes API. */
export function createNotices(logger: Logger, recorder: Recorder | undefined): Notices {
  return {
    warn({ kind, name }, reason, message) {
      logger.warn(message, { reason, [kind.toLowerCase()]: name });
      // Kubelet's own events name the Node in place of its uid; `kubectl describe node` looks for that.
      const metadata = kind === 'Node' ? { name, uid: name } : { name };
      recorder?.event({ apiVersion: 'v1', kind, metadata }, 'Warning', reason, message);
    },
  };
}
