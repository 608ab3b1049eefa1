/**
 * The parts of a cluster that the demo has no processes for, one function for each thing they do: kubelet, scheduler,
 * Deployment controller, attach-detach controller and the CSI sidecars. They use the real sockets and API objects; what
 * they leave out is waiting and retrying, because the scenario calls them in order.
 */
import { createHash } from 'node:crypto';
import { mkdir, rmdir } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { Server as HttpServer } from 'node:http';
import { dirname, join } from 'node:path';
import type { Cluster, Resource } from './cluster.ts';
import type { CsiClient } from './csi-client.ts';
import type { Server } from './stage.ts';

const DRIVER = 'additional-storage.csi.nifcloud.com';
const ATTACHER_FINALIZER = 'external-attacher/additional-storage-csi-nifcloud-com';
const UNINITIALIZED = 'node.cloudprovider.kubernetes.io/uninitialized';
const UNSCHEDULABLE = 'node.kubernetes.io/unschedulable';
const GIB = 2 ** 30;

/** One machine of the cluster: its server in the cloud, and the node server that runs on it. */
export interface Machine {
  readonly server: Server;
  readonly csi: CsiClient;
  /** What `/var/lib/kubelet` is on a real node. */
  readonly kubeletFolder: string;
}

interface Taint {
  readonly key: string;
  readonly effect: string;
}

export interface Node extends Resource {
  readonly spec?: {
    readonly taints?: readonly Taint[];
    readonly unschedulable?: boolean;
    readonly providerID?: string;
  };
}

interface Claim extends Resource {
  readonly spec: {
    readonly storageClassName: string;
    readonly volumeName?: string;
    readonly resources: { readonly requests: { readonly storage: string } };
  };
}

interface StorageClass extends Resource {
  readonly parameters?: Readonly<Record<string, string>>;
}

export interface Volume extends Resource {
  readonly spec: {
    readonly capacity: { readonly storage: string };
    readonly csi: {
      readonly volumeHandle: string;
      readonly fsType: string;
      readonly volumeAttributes: Readonly<Record<string, string>>;
    };
    readonly nodeAffinity: {
      readonly required: {
        readonly nodeSelectorTerms: readonly { readonly matchExpressions: readonly Expression[] }[];
      };
    };
  };
}

interface Expression {
  readonly key: string;
  readonly operator: 'In';
  readonly values: readonly string[];
}

interface Attachment extends Resource {
  readonly status?: { readonly attachmentMetadata?: Readonly<Record<string, string>> };
}

export interface Pod extends Resource {
  readonly spec: {
    readonly nodeName?: string;
    readonly volumes?: readonly { readonly persistentVolumeClaim?: { readonly claimName: string } }[];
  };
  readonly status?: { readonly phase?: string };
}

interface Deployment extends Resource {
  readonly spec: {
    readonly replicas: number;
    readonly template: { readonly metadata: { readonly labels: Record<string, string> }; readonly spec: object };
  };
}

interface VolumeAnswer {
  readonly volume_id: string;
  readonly capacity_bytes: string;
  readonly volume_context: Readonly<Record<string, string>>;
  readonly accessible_topology: readonly { readonly segments: Readonly<Record<string, string>> }[];
}

/** `100Gi` → bytes. */
function bytesOf(quantity: string): number {
  const match = /^(\d+)Gi$/.exec(quantity);
  if (match === null) throw new Error(`the demo's manifests give sizes in Gi, not as ${quantity}`);
  return Number(match[1]) * GIB;
}

function quantityOf(bytes: string): string {
  return `${Number(bytes) / GIB}Gi`;
}

// ---- kubelet ----

/** What a kubelet with `--cloud-provider=external` registers: a node that nobody may use before the CCM has seen it. */
export async function registerNode(cluster: Cluster, server: Server): Promise<void> {
  await cluster.create({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: server.name,
      labels: { 'kubernetes.io/hostname': server.name, 'kubernetes.io/os': 'linux' },
      annotations: { 'alpha.kubernetes.io/provided-node-ip': server.privateAddress },
    },
    spec: { taints: [{ key: UNINITIALIZED, value: 'true', effect: 'NoSchedule' }] },
    status: {
      addresses: [
        { type: 'InternalIP', address: server.privateAddress },
        { type: 'Hostname', address: server.name },
      ],
      conditions: [
        { type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'kubelet is posting ready status' },
      ],
    },
  });
}

/** The kubelet's plug-in registration: asks the driver who it is, writes the CSINode and the topology labels. */
export async function registerDriver(cluster: Cluster, machine: Machine): Promise<void> {
  const info = await machine.csi.call<{
    node_id: string;
    max_volumes_per_node: string;
    accessible_topology: { segments: Record<string, string> };
  }>('Node', 'NodeGetInfo');
  const { segments } = info.accessible_topology;
  await cluster.create({
    apiVersion: 'storage.k8s.io/v1',
    kind: 'CSINode',
    metadata: { name: machine.server.name },
    spec: {
      drivers: [
        {
          name: DRIVER,
          nodeID: info.node_id,
          topologyKeys: Object.keys(segments),
          allocatable: { count: Number(info.max_volumes_per_node) },
        },
      ],
    },
  });
  await cluster.patch('Node', machine.server.name, { metadata: { labels: segments } });
}

function stagingPath(machine: Machine, volume: Volume): string {
  const folder = createHash('sha256').update(volume.spec.csi.volumeHandle).digest('hex');
  return join(machine.kubeletFolder, 'plugins/kubernetes.io/csi', DRIVER, folder, 'globalmount');
}

/** Where a pod's container finds the volume. */
export function mountPath(machine: Machine, pod: Pod, volume: Volume): string {
  return join(
    machine.kubeletFolder,
    'pods',
    pod.metadata.uid ?? '',
    'volumes/kubernetes.io~csi',
    volume.metadata.name,
    'mount',
  );
}

function capability(volume: Volume): object {
  return { mount: { fs_type: volume.spec.csi.fsType }, access_mode: { mode: 'SINGLE_NODE_WRITER' } };
}

/** Stages and publishes a pod's volume and sets the pod running. */
export async function startPod(cluster: Cluster, machine: Machine, pod: Pod, volume?: Volume): Promise<void> {
  if (volume !== undefined) {
    const attachment = await cluster.get<Attachment>('VolumeAttachment', attachmentName(machine, volume));
    const request = {
      volume_id: volume.spec.csi.volumeHandle,
      publish_context: attachment.status?.attachmentMetadata ?? {},
      staging_target_path: stagingPath(machine, volume),
      volume_capability: capability(volume),
      volume_context: volume.spec.csi.volumeAttributes,
    };
    const target = mountPath(machine, pod, volume);
    await mkdir(request.staging_target_path, { recursive: true });
    await mkdir(dirname(target), { recursive: true });
    await machine.csi.call('Node', 'NodeStageVolume', request);
    await machine.csi.call('Node', 'NodePublishVolume', { ...request, target_path: target });
  }
  await cluster.patch(
    'Pod',
    pod.metadata.name,
    { status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] } },
    '/status',
  );
}

/** Unpublishes and unstages a pod's volume, removes the pod's folder and the Pod itself. */
export async function stopPod(cluster: Cluster, machine: Machine, pod: Pod, volume?: Volume): Promise<void> {
  if (volume !== undefined) {
    const target = mountPath(machine, pod, volume);
    await machine.csi.call('Node', 'NodeUnpublishVolume', {
      volume_id: volume.spec.csi.volumeHandle,
      target_path: target,
    });
    await machine.csi.call('Node', 'NodeUnstageVolume', {
      volume_id: volume.spec.csi.volumeHandle,
      staging_target_path: stagingPath(machine, volume),
    });
    // rmdir, not rm: had the driver left the volume mounted, this must fail and not empty it.
    await rmdir(dirname(target));
    await rmdir(stagingPath(machine, volume));
  }
  await cluster.delete('Pod', pod.metadata.name);
}

/** kube-proxy and the pod behind it: answers HTTP on the node's address at the Service's node port, with the node's name. */
export async function answerNodePort(machine: Machine, nodePort: number): Promise<HttpServer> {
  const server = createServer((_request, response) => {
    response.setHeader('connection', 'close');
    response.end(machine.server.name);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(nodePort, machine.server.privateAddress, resolve);
  });
  return server;
}

// ---- kubectl ----

/** `kubectl cordon` and `kubectl uncordon`. */
export async function setSchedulable(cluster: Cluster, node: string, schedulable: boolean): Promise<void> {
  const taints = schedulable ? [] : [{ key: UNSCHEDULABLE, effect: 'NoSchedule' }];
  await cluster.patch('Node', node, { spec: { unschedulable: schedulable ? null : true, taints } });
}

// ---- kube-controller-manager: Deployments, attach-detach ----

/** Makes the pods that a Deployment lacks. */
export async function replicate(cluster: Cluster, name: string): Promise<void> {
  const deployment = await cluster.get<Deployment>('Deployment', name);
  const there = (await podsOf(cluster, name)).length;
  const { template } = deployment.spec;
  for (let at = there; at < deployment.spec.replicas; at++) {
    const owner = { apiVersion: 'apps/v1', kind: 'Deployment', name, uid: deployment.metadata.uid };
    await cluster.create({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        generateName: `${name}-`,
        namespace: 'default',
        labels: template.metadata.labels,
        ownerReferences: [owner],
      },
      spec: template.spec,
    });
  }
}

export async function podsOf(cluster: Cluster, deployment: string): Promise<readonly Pod[]> {
  const pods = await cluster.list<Pod>('Pod');
  return pods.filter((pod) => pod.metadata.labels?.['app'] === deployment);
}

function attachmentName(machine: Machine, volume: Volume): string {
  const identity = volume.spec.csi.volumeHandle + DRIVER + machine.server.name;
  return `csi-${createHash('sha256').update(identity).digest('hex')}`;
}

// ---- kube-scheduler ----

/**
 * Binds a pod to the schedulable node with the fewest pods, provisioning its unbound claim on the way
 * (WaitForFirstConsumer). Answers the node's name, or why there is none, which it also writes into the pod's condition.
 */
export async function schedule(
  cluster: Cluster,
  controller: CsiClient,
  pod: Pod,
): Promise<{ node: string } | { unschedulable: string }> {
  const nodes = await cluster.list<Node>('Node');
  const pods = await cluster.list<Pod>('Pod');
  const claim = await claimOf(cluster, pod);
  const volume =
    claim?.spec.volumeName === undefined
      ? undefined
      : await cluster.get<Volume>('PersistentVolume', claim.spec.volumeName);
  const schedulable = nodes.filter((node) => !(node.spec?.taints ?? []).some((taint) => taint.effect === 'NoSchedule'));
  const fitting = schedulable.filter((node) => volume === undefined || reaches(node, volume));
  const load = (node: Node): number => pods.filter((one) => one.spec.nodeName === node.metadata.name).length;
  const [best] = fitting.toSorted((a, b) => load(a) - load(b) || a.metadata.name.localeCompare(b.metadata.name));
  if (best === undefined) {
    const unschedulable =
      `0/${nodes.length} nodes are available: ${nodes.length - schedulable.length} node(s) were unschedulable, ` +
      `${schedulable.length} node(s) had volume node affinity conflict.`;
    const condition = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: unschedulable };
    await cluster.patch('Pod', pod.metadata.name, { status: { phase: 'Pending', conditions: [condition] } }, '/status');
    return { unschedulable };
  }
  const node = best.metadata.name;
  if (claim !== undefined && volume === undefined) await provision(cluster, controller, claim, best);
  await cluster.bind(pod.metadata.name, node);
  return { node };
}

function reaches(node: Node, volume: Volume): boolean {
  return volume.spec.nodeAffinity.required.nodeSelectorTerms.some((term) =>
    term.matchExpressions.every(({ key, values }) => values.includes(node.metadata.labels?.[key] ?? '')),
  );
}

async function claimOf(cluster: Cluster, pod: Pod): Promise<Claim | undefined> {
  const name = pod.spec.volumes?.find((one) => one.persistentVolumeClaim !== undefined)?.persistentVolumeClaim
    ?.claimName;
  return name === undefined ? undefined : await cluster.get<Claim>('PersistentVolumeClaim', name);
}

// ---- external-provisioner ----

/** Creates the volume of a claim in the zone of the chosen node, and binds the two (the binder's part). */
async function provision(cluster: Cluster, controller: CsiClient, claim: Claim, node: Node): Promise<void> {
  await cluster.patch('PersistentVolumeClaim', claim.metadata.name, {
    metadata: { annotations: { 'volume.kubernetes.io/selected-node': node.metadata.name } },
  });
  const storageClass = await cluster.get<StorageClass>('StorageClass', claim.spec.storageClassName);
  const csiNode = await cluster.get<Resource & { spec: { drivers: { name: string; topologyKeys: string[] }[] } }>(
    'CSINode',
    node.metadata.name,
  );
  const keys = csiNode.spec.drivers.find((driver) => driver.name === DRIVER)?.topologyKeys ?? [];
  const topology = [{ segments: Object.fromEntries(keys.map((key) => [key, node.metadata.labels?.[key] ?? ''])) }];
  const parameters = Object.entries(storageClass.parameters ?? {});
  const name = `pvc-${claim.metadata.uid}`;
  const fsType = storageClass.parameters?.['csi.storage.k8s.io/fstype'] ?? 'ext4';
  const { volume } = await controller.call<{ volume: VolumeAnswer }>('Controller', 'CreateVolume', {
    name,
    capacity_range: { required_bytes: String(bytesOf(claim.spec.resources.requests.storage)) },
    volume_capabilities: [{ mount: { fs_type: fsType }, access_mode: { mode: 'SINGLE_NODE_WRITER' } }],
    parameters: Object.fromEntries(parameters.filter(([key]) => !key.startsWith('csi.storage.k8s.io/'))),
    accessibility_requirements: { requisite: topology, preferred: topology },
  });
  const capacity = { storage: quantityOf(volume.capacity_bytes) };
  await cluster.create({
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name, annotations: { 'pv.kubernetes.io/provisioned-by': DRIVER } },
    spec: {
      accessModes: ['ReadWriteOnce'],
      capacity,
      claimRef: {
        kind: 'PersistentVolumeClaim',
        namespace: 'default',
        name: claim.metadata.name,
        uid: claim.metadata.uid,
      },
      csi: { driver: DRIVER, fsType, volumeHandle: volume.volume_id, volumeAttributes: volume.volume_context },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: volume.accessible_topology.map(({ segments }) => ({
            matchExpressions: Object.entries(segments).map(([key, value]) => ({
              key,
              operator: 'In',
              values: [value],
            })),
          })),
        },
      },
      persistentVolumeReclaimPolicy: 'Delete',
      storageClassName: claim.spec.storageClassName,
    },
  });
  await cluster.patch('PersistentVolumeClaim', claim.metadata.name, { spec: { volumeName: name } });
  await cluster.patch(
    'PersistentVolumeClaim',
    claim.metadata.name,
    { status: { phase: 'Bound', capacity } },
    '/status',
  );
}

/** The volume bound to a claim. */
export async function volumeOf(cluster: Cluster, claim: string): Promise<Volume> {
  const { spec } = await cluster.get<Claim>('PersistentVolumeClaim', claim);
  return await cluster.get<Volume>('PersistentVolume', spec.volumeName ?? '');
}

/** Deletes a claim, then its volume in the cloud (reclaim policy Delete), then the PersistentVolume. */
export async function deleteClaim(cluster: Cluster, controller: CsiClient, claim: string): Promise<void> {
  const volume = await volumeOf(cluster, claim);
  await cluster.delete('PersistentVolumeClaim', claim);
  await controller.call('Controller', 'DeleteVolume', { volume_id: volume.spec.csi.volumeHandle });
  await cluster.delete('PersistentVolume', volume.metadata.name);
}

// ---- external-attacher ----

/** Makes the VolumeAttachment that the attach-detach controller would make, attaches, and records the answer in it. */
export async function attach(cluster: Cluster, controller: CsiClient, machine: Machine, volume: Volume): Promise<void> {
  const name = attachmentName(machine, volume);
  await cluster.create({
    apiVersion: 'storage.k8s.io/v1',
    kind: 'VolumeAttachment',
    metadata: { name, finalizers: [ATTACHER_FINALIZER] },
    spec: { attacher: DRIVER, nodeName: machine.server.name, source: { persistentVolumeName: volume.metadata.name } },
  });
  const { publish_context } = await controller.call<{ publish_context: object }>(
    'Controller',
    'ControllerPublishVolume',
    {
      volume_id: volume.spec.csi.volumeHandle,
      node_id: machine.server.name,
      volume_capability: capability(volume),
      volume_context: volume.spec.csi.volumeAttributes,
    },
  );
  await cluster.patch(
    'VolumeAttachment',
    name,
    { status: { attached: true, attachmentMetadata: publish_context } },
    '/status',
  );
}

/** Deletes the VolumeAttachment: detaches, then lets the finalizer go. */
export async function detach(cluster: Cluster, controller: CsiClient, machine: Machine, volume: Volume): Promise<void> {
  const name = attachmentName(machine, volume);
  await cluster.delete('VolumeAttachment', name);
  await controller.call('Controller', 'ControllerUnpublishVolume', {
    volume_id: volume.spec.csi.volumeHandle,
    node_id: machine.server.name,
  });
  await cluster.patch('VolumeAttachment', name, { metadata: { finalizers: null } });
}

// ---- external-resizer ----

/** Grows the disk to what the claim asks for and writes the new capacity into the PersistentVolume. */
export async function growDisk(cluster: Cluster, controller: CsiClient, claim: string): Promise<void> {
  const { spec } = await cluster.get<Claim>('PersistentVolumeClaim', claim);
  const volume = await volumeOf(cluster, claim);
  const grown = await controller.call<{ capacity_bytes: string }>('Controller', 'ControllerExpandVolume', {
    volume_id: volume.spec.csi.volumeHandle,
    capacity_range: { required_bytes: String(bytesOf(spec.resources.requests.storage)) },
    volume_capability: capability(volume),
  });
  await cluster.patch('PersistentVolume', volume.metadata.name, {
    spec: { capacity: { storage: quantityOf(grown.capacity_bytes) } },
  });
}

/** The kubelet's half of growing: the file system of a mounted volume. @throws CsiError when the driver can't. */
export async function growFileSystem(cluster: Cluster, machine: Machine, pod: Pod, claim: string): Promise<void> {
  const volume = await volumeOf(cluster, claim);
  await machine.csi.call('Node', 'NodeExpandVolume', {
    volume_id: volume.spec.csi.volumeHandle,
    volume_path: mountPath(machine, pod, volume),
    staging_target_path: stagingPath(machine, volume),
    capacity_range: { required_bytes: String(bytesOf(volume.spec.capacity.storage)) },
    volume_capability: capability(volume),
  });
}
