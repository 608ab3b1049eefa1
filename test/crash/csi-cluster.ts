import { createHash } from 'node:crypto';
import { keyOf, type Store } from '../../simulator/kubernetes/store.ts';
import { parseFleet, type Fleet } from '../../simulator/nifcloud/world/fleet.ts';

const DRIVER = 'additional-storage.csi.nifcloud.com';

/** As the embedded API keeps them. */
const ATTACHMENTS = 'volumeattachments.storage.k8s.io';

/**
 * Two nodes of the cluster in the zone, one elsewhere, and a server that is somebody else's, with the most free slots. Each node of the
 * zone has the disk of another volume.
 */
const FLEET = {
  zones: ['east-11', 'east-12'],
  servers: [
    { name: 'node01', zone: 'east-11' },
    { name: 'node02', zone: 'east-11' },
    { name: 'node03', zone: 'east-12' },
    { name: 'another', zone: 'east-11' },
  ],
  disks: [
    { id: 'bystander', uniqueId: 'vol-bystande', attachedTo: 'node01', slot: 1 },
    { id: 'elsewhere', uniqueId: 'vol-elsewher', attachedTo: 'node02', slot: 1 },
  ],
};

/** The fleet in which volumes live. */
export function csiFleet(): Fleet {
  return parseFleet(JSON.stringify(FLEET), 'the fleet');
}

/** What others than the driver keep in Kubernetes for the life of a volume. */
export class CsiCluster {
  readonly #store: Store;

  constructor(store: Store, { servers }: Fleet) {
    this.#store = store;
    for (const { name, zone, uniqueId } of servers.filter((server) => server.name !== 'another')) {
      const spec = { providerID: `nifcloud:///${zone}/${uniqueId}` };
      this.#put('nodes', { apiVersion: 'v1', kind: 'Node', metadata: { name }, spec });
    }
    for (const { id, uniqueId } of FLEET.disks) this.addVolume(id, id, uniqueId);
    this.attach('bystander', 'bystander', 'node01');
    this.attach('elsewhere', 'elsewhere', 'node02');
  }

  /** Makes the PersistentVolume of a volume. */
  addVolume(name: string, handle: string, volumeUniqueId: string): void {
    const csi = { driver: DRIVER, volumeHandle: handle, volumeAttributes: { volumeUniqueId } };
    this.#put('persistentvolumes', { apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name }, spec: { csi } });
  }

  removeVolume(name: string): void {
    this.#store.remove('persistentvolumes', keyOf('', name));
  }

  /** Makes the VolumeAttachment of a volume and a node. */
  attach(volume: string, handle: string, node: string): void {
    this.#put(ATTACHMENTS, {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'VolumeAttachment',
      metadata: { name: attachmentName(handle, node) },
      spec: { attacher: DRIVER, nodeName: node, source: { persistentVolumeName: volume } },
    });
  }

  /** Takes it away, as soon as the detachment is done. */
  detach(handle: string, node: string): void {
    this.#store.remove(ATTACHMENTS, keyOf('', attachmentName(handle, node)));
  }

  #put(resource: string, object: object): void {
    this.#store.put(resource, object as never);
  }
}

/** As the attach-detach controller names it (docs/reference/csi.md E.3). */
function attachmentName(handle: string, node: string): string {
  return `csi-${createHash('sha256').update(`${handle}${DRIVER}${node}`).digest('hex')}`;
}
