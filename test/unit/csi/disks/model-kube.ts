import { createHash } from 'node:crypto';
import type { KubeReader } from '../../../../csi/disks/cluster.ts';
import { DRIVER_NAME } from '../../../../csi/names.ts';
import { KubeError } from '../../../../kube/errors.ts';
import type { Node, PersistentVolume, VolumeAttachment } from '../../../../kube/types.ts';

/** The Kubernetes API, as far as disks ask it. */
export class ModelKube implements KubeReader {
  readonly #objects = new Map<string, object>();
  /** Set: every read fails with it. */
  failure: Error | undefined;
  reads: string[] = [];

  /** A Node whose server has the unique id that the model cloud gives by default. */
  addNode(
    name: string,
    more: { providerID?: string; cordoned?: boolean; volumesInUse?: readonly string[] } = {},
  ): void {
    const node: Node & { status: { volumesInUse: readonly string[] } } = {
      metadata: { name },
      spec: { providerID: more.providerID ?? `nifcloud:///east-11/i-${name}`, unschedulable: more.cordoned ?? false },
      status: { volumesInUse: more.volumesInUse ?? [] },
    };
    this.#objects.set(`/api/v1/nodes/${name}`, node);
  }

  addPersistentVolume(name: string, volumeHandle: string, volumeAttributes: Record<string, string> = {}): void {
    const volume: PersistentVolume = {
      metadata: { name },
      spec: { csi: { driver: DRIVER_NAME, volumeHandle, volumeAttributes } },
    };
    this.#objects.set(`/api/v1/persistentvolumes/${name}`, volume);
  }

  /** @param name default: as the attach-detach controller calls it. */
  addVolumeAttachment(volumeHandle: string, nodeName: string, persistentVolumeName: string, name?: string): void {
    const digest = createHash('sha256').update(`${volumeHandle}${DRIVER_NAME}${nodeName}`).digest('hex');
    const attachment: VolumeAttachment = {
      metadata: { name: name ?? `csi-${digest}` },
      spec: { attacher: DRIVER_NAME, nodeName, source: { persistentVolumeName } },
    };
    this.#objects.set(`${ATTACHMENTS}/${attachment.metadata.name}`, attachment);
  }

  removeVolumeAttachments(): void {
    for (const path of this.#objects.keys()) if (path.startsWith(`${ATTACHMENTS}/`)) this.#objects.delete(path);
  }

  async get<T>(path: string): Promise<T> {
    this.reads.push(path);
    if (this.failure !== undefined) throw this.failure;
    if (path === '/api/v1/nodes' || path === ATTACHMENTS) {
      const items = [...this.#objects].filter(([key]) => key.startsWith(`${path}/`)).map(([, object]) => object);
      return { metadata: {}, items } as T;
    }
    const object = this.#objects.get(path);
    if (object === undefined) throw new KubeError({ code: 404, reason: 'NotFound', message: `${path} not found` });
    return object as T;
  }
}

const ATTACHMENTS = '/apis/storage.k8s.io/v1/volumeattachments';
