import { createHash } from 'node:crypto';
import { mkdir, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { CsiClient } from '../../demo/csi-client.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../../kube/errors.ts';
import type { Informer } from '../../kube/informer.ts';
import type { KubeClient } from '../../kube/rest.ts';
import type { Node, Taint } from '../../kube/types.ts';
import { DRIVER } from './names.ts';
import { isReady, type Attachment, type Claim, type Container, type Pod, type Volume } from './objects.ts';
import { PlayedPod, type PlayedHost } from './played-pod.ts';

/** In the eyes of what runs on the node. */
const KUBELET_FOLDER = '/var/lib/kubelet';
const HEARTBEAT_MS = 3_000;
const RETRY_MS = 500;

export interface PlayedNodeOptions {
  readonly host: PlayedHost;
  readonly address: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Those that it registers with, besides the one for the cloud-controller-manager. */
  readonly taints?: readonly Taint[];
  readonly pods: Informer<Pod>;
  /** The next address for a pod. */
  readonly podAddress: () => string;
  readonly say: (line: string) => void;
}

interface Life {
  readonly pod: Pod;
  readonly played: PlayedPod;
  /** What has been mounted for it, or begun to be. */
  readonly volumes: Volume[];
}

/**
 * A node without a machine: what kubelet does for a node is done here, by the same objects of the API and the same calls to the driver's
 * node server, which runs. Volumes with file systems only.
 *
 * As with a kubelet, what fails is tried again; a pod's object goes when its containers are gone and its volumes unmounted.
 */
export class PlayedNode {
  readonly name: string;
  readonly #options: PlayedNodeOptions;
  readonly #kube: KubeClient;
  readonly #csi: CsiClient;
  /** By the pod's uid. */
  readonly #lives = new Map<string, Life>();
  /** Volumes that are staged or about to be, and the pods that use them. */
  readonly #uses = new Map<string, Set<string>>();
  /** Pods that ran when the power went, and are not here any more: what they had mounted has to be tidied up. */
  #orphans: readonly Life[] = [];
  #power = new AbortController();
  #running: Promise<unknown> | undefined;

  constructor(options: PlayedNodeOptions) {
    this.#options = options;
    this.name = options.host.name;
    this.#kube = options.host.kube;
    this.#csi = new CsiClient(join(options.host.kubeletFolder, 'plugins', DRIVER, 'csi.sock'));
  }

  /** How often programs of its pods ended by themselves. */
  get restarts(): number {
    return [...this.#lives.values()].reduce((sum, { played }) => sum + played.restarts, 0);
  }

  /** Boots: registers, and runs the pods that are bound to it. */
  async start(): Promise<void> {
    this.#power = new AbortController();
    const { signal } = this.#power;
    await this.#register();
    this.#running = Promise.all([
      this.#beat(signal),
      this.#follow(signal),
      this.#registerDriver(signal),
      this.#tidyUp(signal),
    ]).catch((error) => {
      if (!signal.aborted) this.#options.say(`${this.name}: ${String(error)}`);
    });
  }

  /** Loses its power: everything on it is gone at once, and nobody is told. Mounts go with the server's disks. */
  async crash(): Promise<void> {
    this.#power.abort(new Error('powered off'));
    await Promise.all([...this.#lives.values()].map(({ played }) => played.kill()));
    await this.#running;
    this.#orphans = [...this.#lives.values()];
    this.#lives.clear();
  }

  /** Without a word; it is started again. */
  async killContainer({ metadata }: Pod, container: string): Promise<void> {
    await this.#lives.get(metadata.uid ?? '')?.played.killContainer(container);
  }

  /** Ends with the test run. */
  async end(): Promise<void> {
    await this.crash();
    this.#csi.close();
  }

  async #register(): Promise<void> {
    const { address, labels = {}, taints = [] } = this.#options;
    const hostname = { 'kubernetes.io/hostname': this.name, 'kubernetes.io/os': 'linux' };
    const spec = {
      taints: [
        { key: 'node.cloudprovider.kubernetes.io/uninitialized', value: 'true', effect: 'NoSchedule' },
        ...taints,
      ],
    };
    const annotations = {
      'alpha.kubernetes.io/provided-node-ip': address,
      'volumes.kubernetes.io/controller-managed-attach-detach': 'true',
    };
    const metadata = { name: this.name, labels: { ...hostname, ...labels }, annotations };
    await this.#unlessThere(() => this.#create('/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata, spec }));
    const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: this.name } };
    await this.#unlessThere(() =>
      this.#create(LEASES, { ...lease, spec: { holderIdentity: this.name, leaseDurationSeconds: 40 } }),
    );
    await this.#sayReady();
  }

  async #sayReady(): Promise<void> {
    const resources = { cpu: '8', memory: '16Gi', pods: '110', 'ephemeral-storage': '100Gi' };
    const ready = { type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'played' };
    const now = new Date().toISOString();
    await this.#patchNode({
      capacity: resources,
      allocatable: resources,
      nodeInfo: { kubeletVersion: 'v1.36.0' },
      conditions: [{ ...ready, lastHeartbeatTime: now, lastTransitionTime: now }],
    });
  }

  async #beat(signal: AbortSignal): Promise<void> {
    for (;;) {
      await pause(HEARTBEAT_MS, undefined, { signal });
      try {
        const renewTime = new Date().toISOString().replace('Z', '000Z');
        await this.#kube.patch(`${LEASES}/${this.name}`, { spec: { renewTime } }, 'merge', { signal });
        const node = await this.#kube.get<Node>(this.#path, { signal });
        if (!isReady(node)) await this.#sayReady();
      } catch (error) {
        signal.throwIfAborted();
        if (isNotFound(error)) await this.#register().catch(() => undefined);
      }
    }
  }

  /** What kubelet does when the registrar has told it of the driver, and again whenever its server has started anew. */
  async #registerDriver(signal: AbortSignal): Promise<void> {
    for (let registered = false; ;) {
      await pause(RETRY_MS, undefined, { signal });
      const isUp = await this.#csi.ready();
      if (!isUp) registered = false;
      if (!isUp || registered) continue;
      try {
        const info = await this.#csi.call<NodeInfo>('Node', 'NodeGetInfo');
        const { segments } = info.accessible_topology;
        const allocatable = { count: Number(info.max_volumes_per_node) };
        const driver = { name: DRIVER, nodeID: info.node_id, topologyKeys: Object.keys(segments), allocatable };
        await this.#kube.patch(this.#path, { metadata: { labels: segments } }, 'merge', { signal });
        const csiNode = {
          apiVersion: 'storage.k8s.io/v1',
          kind: 'CSINode',
          metadata: { name: this.name, ownerReferences: [await this.#owner()] },
          spec: { drivers: [driver] },
        };
        await this.#unlessThere(() => this.#create('/apis/storage.k8s.io/v1/csinodes', csiNode));
        registered = true;
      } catch {
        signal.throwIfAborted();
      }
    }
  }

  async #owner(): Promise<object> {
    const { metadata } = await this.#kube.get<Node>(this.#path, { signal: soon() });
    return { apiVersion: 'v1', kind: 'Node', name: this.name, uid: metadata.uid };
  }

  /** What kubelet does after a reboot with the folders of pods that it finds. */
  async #tidyUp(signal: AbortSignal): Promise<void> {
    for (const { pod, volumes } of this.#orphans) {
      for (const volume of volumes) {
        for (let isDone = false; !isDone;) {
          await pause(RETRY_MS, undefined, { signal });
          isDone = await this.#unmount(pod, volume).then(
            () => true,
            () => false,
          );
        }
      }
    }
    this.#orphans = [];
  }

  async #follow(signal: AbortSignal): Promise<void> {
    for (;;) {
      const bound = this.#options.pods.list().filter(({ spec }) => spec.nodeName === this.name);
      for (const pod of bound) {
        const uid = pod.metadata.uid ?? '';
        if (this.#lives.has(uid)) continue;
        const life = { pod, played: new PlayedPod(pod, this.#options.host), volumes: [] };
        this.#lives.set(uid, life);
        void this.#live(life, signal).then(
          () => this.#lives.delete(uid),
          (error: unknown) => {
            if (!signal.aborted) this.#options.say(`${this.name}: ${pod.metadata.name}: ${String(error)}`);
          },
        );
      }
      await pause(RETRY_MS / 2, undefined, { signal });
    }
  }

  async #live({ pod, played, volumes }: Life, signal: AbortSignal): Promise<void> {
    const { name, uid = '' } = pod.metadata;
    const current = (): Pod | undefined => this.#options.pods.list().find(({ metadata }) => metadata.uid === uid);
    const isLeaving = (): boolean => (current()?.metadata ?? { deletionTimestamp: '' }).deletionTimestamp !== undefined;
    const patiently = async (what: string, attempt: () => Promise<void>, mayGiveUp = isLeaving): Promise<boolean> => {
      for (let told = ''; ;) {
        if (mayGiveUp()) return false;
        try {
          await attempt();
          return true;
        } catch (error) {
          signal.throwIfAborted();
          const text = `${this.name}: ${name}: ${what}: ${(error as Error).message}`;
          if (text !== told) this.#options.say(text);
          told = text;
          await pause(RETRY_MS, undefined, { signal });
        }
      }
    };
    const claims = (pod.spec.volumes ?? []).flatMap(({ persistentVolumeClaim: claim }) => claim?.claimName ?? []);
    for (const claim of claims) {
      await patiently(`volume of ${claim}`, async () => {
        const volume = await this.#volumeOf(pod, claim);
        if (!volumes.some(({ metadata }) => metadata.name === volume.metadata.name)) volumes.push(volume);
        await this.#mount(pod, volume, signal);
      });
    }
    const address = pod.spec.hostNetwork === true ? this.#options.address : this.#options.podAddress();
    await patiently('start', () => played.start(address));
    while (!isLeaving()) {
      // Also when the controller manager has taken the node for lost in between.
      const seen = current();
      if (seen !== undefined && !isReady(seen)) await patiently('status', () => this.#sayRunning(pod, address));
      await pause(RETRY_MS, undefined, { signal });
    }
    await played.stop();
    for (const volume of volumes) await patiently('unmount', () => this.#unmount(pod, volume), never);
    await patiently('removal', () => this.#remove(pod), never);
  }

  async #mount(pod: Pod, volume: Volume, signal: AbortSignal): Promise<void> {
    const { csi } = volume.spec;
    if (csi === undefined) throw new Error('not a CSI volume');
    const users = this.#uses.get(csi.volumeHandle) ?? new Set();
    this.#uses.set(csi.volumeHandle, users.add(pod.metadata.uid ?? ''));
    await this.#sayInUse();
    const attachment = await this.#attachment(volume);
    const isStaying = attachment.metadata.deletionTimestamp === undefined && (await this.#isReportedAttached(volume));
    if (attachment.status?.attached !== true || !isStaying) throw new Error('not attached yet');
    signal.throwIfAborted();
    const { fsType: fs_type = 'ext4', volumeAttributes = {} } = csi;
    const request = {
      volume_id: csi.volumeHandle,
      publish_context: attachment.status.attachmentMetadata ?? {},
      staging_target_path: stagingPath(csi.volumeHandle),
      volume_capability: {
        mount: { fs_type, mount_flags: volume.spec.mountOptions ?? [] },
        access_mode: { mode: 'SINGLE_NODE_WRITER' },
      },
      volume_context: volumeAttributes,
    };
    const target_path = mountPathIn(pod, volume);
    await mkdir(this.#here(request.staging_target_path), { recursive: true });
    await mkdir(this.#here(dirname(target_path)), { recursive: true });
    await this.#csi.call('Node', 'NodeStageVolume', request);
    await this.#csi.call('Node', 'NodePublishVolume', { ...request, target_path });
  }

  /** Before it detaches, the attach-detach controller takes a volume off the Node: who has not mounted it by then must not. */
  async #isReportedAttached({ spec }: Volume): Promise<boolean> {
    const { status } = await this.#kube.get<AttachingNode>(this.#path, { signal: soon() });
    return status?.volumesAttached?.some(({ name }) => name === uniqueName(spec.csi?.volumeHandle ?? '')) ?? false;
  }

  async #unmount(pod: Pod, volume: Volume): Promise<void> {
    const volume_id = volume.spec.csi?.volumeHandle ?? '';
    const target_path = mountPathIn(pod, volume);
    await this.#csi.call('Node', 'NodeUnpublishVolume', { volume_id, target_path });
    // rmdir, not rm: had the driver left the volume mounted, this must fail and not empty it.
    await rmdir(this.#here(dirname(target_path))).catch(ignoreMissing);
    const users = this.#uses.get(volume_id) ?? new Set();
    users.delete(pod.metadata.uid ?? '');
    if (users.size > 0) return;
    const staging_target_path = stagingPath(volume_id);
    await this.#csi.call('Node', 'NodeUnstageVolume', { volume_id, staging_target_path });
    await rmdir(this.#here(staging_target_path)).catch(ignoreMissing);
    this.#uses.delete(volume_id);
    await this.#sayInUse();
  }

  async #sayInUse(): Promise<void> {
    const volumesInUse = [...this.#uses.keys()].map(uniqueName);
    await this.#patchNode({ volumesInUse });
  }

  async #sayRunning(pod: Pod, address: string): Promise<void> {
    const now = new Date().toISOString();
    const condition = (type: string): object => ({ type, status: 'True', lastTransitionTime: now });
    const { namespace, name } = pod.metadata;
    const status = {
      phase: 'Running',
      podIP: address,
      podIPs: [{ ip: address }],
      hostIP: this.#options.address,
      startTime: now,
      conditions: ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map(condition),
      containerStatuses: pod.spec.containers.map((container) => running(container, now)),
      initContainerStatuses: (pod.spec.initContainers ?? []).map((container) => running(container, now)),
    };
    const path = `/api/v1/namespaces/${namespace}/pods/${name}/status`;
    await this.#kube.patch(path, { status }, 'merge', { signal: soon() });
  }

  async #remove({ metadata: { namespace, name, uid } }: Pod): Promise<void> {
    const body = { gracePeriodSeconds: 0, preconditions: { uid } };
    try {
      await this.#kube.delete(`/api/v1/namespaces/${namespace}/pods/${name}`, { body, signal: soon() });
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error;
    }
    // Until the informer knows, it would be started again.
    while (this.#options.pods.list().some((one) => one.metadata.uid === uid)) await pause(50);
  }

  async #volumeOf(pod: Pod, claim: string): Promise<Volume> {
    const path = `/api/v1/namespaces/${pod.metadata.namespace}/persistentvolumeclaims/${claim}`;
    const { spec } = await this.#kube.get<Claim>(path, { signal: soon() });
    return await this.#kube.get<Volume>(`/api/v1/persistentvolumes/${spec.volumeName}`, { signal: soon() });
  }

  async #attachment({ spec: { csi } }: Volume): Promise<Attachment> {
    const digest = createHash('sha256').update(`${csi?.volumeHandle}${DRIVER}${this.name}`).digest('hex');
    return await this.#kube.get<Attachment>(`/apis/storage.k8s.io/v1/volumeattachments/csi-${digest}`, {
      signal: soon(),
    });
  }

  async #patchNode(status: object): Promise<void> {
    await this.#kube.patch(`${this.#path}/status`, { status }, 'strategic', { signal: soon() });
  }

  async #create(path: string, object: object): Promise<void> {
    await this.#kube.create(path, object, { signal: soon() });
  }

  async #unlessThere(create: () => Promise<void>): Promise<void> {
    await create().catch((error: unknown) => {
      if (!isAlreadyExists(error)) throw error;
    });
  }

  get #path(): string {
    return `/api/v1/nodes/${this.name}`;
  }

  /** Where a path of the node is on this machine. */
  #here(path: string): string {
    return join(this.#options.host.kubeletFolder, path.slice(KUBELET_FOLDER.length));
  }
}

interface AttachingNode extends Node {
  readonly status?: Node['status'] & { readonly volumesAttached?: readonly { readonly name: string }[] };
}

/** What the attach-detach controller calls a volume. */
function uniqueName(volumeHandle: string): string {
  return `kubernetes.io/csi/${DRIVER}^${volumeHandle}`;
}

interface NodeInfo {
  readonly node_id: string;
  readonly max_volumes_per_node: string;
  readonly accessible_topology: { readonly segments: Readonly<Record<string, string>> };
}

const LEASES = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases';

function stagingPath(volumeHandle: string): string {
  const folder = createHash('sha256').update(volumeHandle).digest('hex');
  return join(KUBELET_FOLDER, 'plugins/kubernetes.io/csi', DRIVER, folder, 'globalmount');
}

function mountPathIn(pod: Pod, volume: Volume): string {
  return join(
    KUBELET_FOLDER,
    'pods',
    pod.metadata.uid ?? '',
    'volumes/kubernetes.io~csi',
    volume.metadata.name,
    'mount',
  );
}

const never = (): boolean => false;

function running({ name, image }: Container, startedAt: string): object {
  const state = { running: { startedAt } };
  return { name, image, imageID: 'played', ready: true, started: true, restartCount: 0, state };
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}

function soon(): AbortSignal {
  return AbortSignal.timeout(10_000);
}
