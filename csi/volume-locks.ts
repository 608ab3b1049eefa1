import { status } from '@grpc/grpc-js';
import { RpcError } from './rpc-error.ts';

/**
 * One operation at a time for one volume, any number across volumes.
 *
 * - A second caller is refused at once with ABORTED, it never queues: the sidecars and kubelet retry with back-off.
 * - The lock is held until the work has ended, not until its caller has lost patience.
 * - Volume statistics never take it (a long attach must not blind the kubelet, docs/reference/csi.md F.1).
 */
export class VolumeLocks {
  readonly #held = new Set<string>();

  /**
   * Runs `work` while nobody else works on the volume.
   * @throws RpcError ABORTED when somebody does; else whatever `work` throws.
   */
  async hold<T>(volumeId: string, work: () => Promise<T>): Promise<T> {
    if (this.#held.has(volumeId)) {
      throw new RpcError(status.ABORTED, `another operation on volume ${volumeId} is running`);
    }
    this.#held.add(volumeId);
    try {
      return await work();
    } finally {
      this.#held.delete(volumeId);
    }
  }
}
