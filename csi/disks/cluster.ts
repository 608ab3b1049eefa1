import { createHash } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import { isNotFound } from '../../kube/errors.ts';
import type { KubeList, Node, PersistentVolume, VolumeAttachment } from '../../kube/types.ts';
import type { Clock } from '../../daemon/clock.ts';
import { DRIVER_NAME, nodePath } from '../names.ts';
import { RpcError } from '../rpc-error.ts';
import { KeyedReads } from './keyed-reads.ts';

/** A Node of this cluster, as far as disks are concerned. */
export interface ClusterNode {
  readonly name: string;
  /** From `spec.providerID`; `undefined` until the cloud-controller-manager has set it. */
  readonly serverUniqueId: string | undefined;
  /** Not cordoned and not being deleted. */
  readonly schedulable: boolean;
  /** Volumes that its kubelet has mounted: `status.volumesInUse`. */
  readonly volumesInUse: readonly string[];
}

/** Reads of the Kubernetes API; `KubeClient` has it. */
export interface KubeReader {
  get<T>(path: string, options: { readonly signal: AbortSignal }): Promise<T>;
}

/**
 * What Kubernetes knows about who may have which disk. Every answer is read when it is asked for: one that is a second old could
 * miss the VolumeAttachment that was made in that second, and a disk in use be taken for a left-over. Who asks for the same at the same
 * moment shares one read.
 *
 * Every method throws RpcError UNAVAILABLE when the API gives no answer: unknown is not "none".
 */
export class Cluster {
  readonly #reads: KeyedReads<unknown>;

  constructor(kube: KubeReader, clock: Clock) {
    this.#reads = new KeyedReads((path, signal) => kube.get(path, { signal }), clock);
  }

  async nodes(signal: AbortSignal): Promise<readonly ClusterNode[]> {
    const list = await this.#read<KubeList<Node>>('/api/v1/nodes', signal);
    return (list?.items ?? []).map(clusterNode);
  }

  async node(name: string, signal: AbortSignal): Promise<ClusterNode | undefined> {
    const node = await this.#read<Node>(nodePath(name), signal);
    return node && clusterNode(node);
  }

  async persistentVolume(name: string, signal: AbortSignal): Promise<PersistentVolume | undefined> {
    const volume = await this.#read<PersistentVolume>(`/api/v1/persistentvolumes/${encodeURIComponent(name)}`, signal);
    return volume?.spec?.csi?.driver === DRIVER_NAME ? volume : undefined;
  }

  /** Those of this driver. */
  async persistentVolumes(signal: AbortSignal): Promise<readonly PersistentVolume[]> {
    const list = await this.#read<KubeList<PersistentVolume>>('/api/v1/persistentvolumes', signal);
    return (list?.items ?? []).filter(({ spec }) => spec?.csi?.driver === DRIVER_NAME);
  }

  /** Whether a VolumeAttachment wants the volume on the node; also one that is being deleted: its unpublish is still to come. */
  async hasVolumeAttachment(volumeHandle: string, nodeName: string, signal: AbortSignal): Promise<boolean> {
    const usual = `${ATTACHMENTS}/${attachmentName(volumeHandle, nodeName)}`;
    if ((await this.#read<VolumeAttachment>(usual, signal)) !== undefined) return true;
    // Others than the attach-detach controller may have named theirs as they liked.
    const all = await this.#read<KubeList<VolumeAttachment>>(ATTACHMENTS, signal);
    const here = (all?.items ?? []).filter(
      ({ metadata, spec }) =>
        spec.attacher === DRIVER_NAME && spec.nodeName === nodeName && !USUAL_NAME.test(metadata.name),
    );
    const volumes = await Promise.all(
      here.map(({ spec }) => this.persistentVolume(spec.source.persistentVolumeName ?? '', signal)),
    );
    return volumes.some((volume) => volume?.spec?.csi?.volumeHandle === volumeHandle);
  }

  /** `undefined` = 404. */
  async #read<T>(path: string, signal: AbortSignal): Promise<T | undefined> {
    try {
      return (await this.#reads.get(path, signal)) as T;
    } catch (cause) {
      signal.throwIfAborted();
      if (isNotFound(cause)) return undefined;
      throw new RpcError(status.UNAVAILABLE, `the Kubernetes API does not say what ${path} is`, { cause });
    }
  }
}

function clusterNode({ metadata, spec, status: seen }: Node): ClusterNode {
  return {
    name: metadata.name,
    serverUniqueId: serverUniqueIdOf(spec?.providerID ?? ''),
    schedulable: spec?.unschedulable !== true && metadata.deletionTimestamp === undefined,
    volumesInUse: seen?.volumesInUse ?? [],
  };
}

/** `nifcloud:///east-11/i-0abc1def`, the same without the zone, or the bare id (docs/reference/nifcloud-api.md §2.1). */
export function serverUniqueIdOf(providerId: string): string | undefined {
  return /^(?:nifcloud:\/\/.*\/)?(i-[^/]+)$/.exec(providerId)?.[1];
}

const ATTACHMENTS = '/apis/storage.k8s.io/v1/volumeattachments';

/** A name of this form that is not the one of a volume and node is that of another volume: it need not be looked at closer. */
const USUAL_NAME = /^csi-[0-9a-f]{64}$/;

/** The name that the attach-detach controller gives to a VolumeAttachment (docs/reference/csi.md E.3). */
function attachmentName(volumeHandle: string, nodeName: string): string {
  return `csi-${createHash('sha256').update(`${volumeHandle}${DRIVER_NAME}${nodeName}`).digest('hex')}`;
}
