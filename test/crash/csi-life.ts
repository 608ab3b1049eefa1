import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import type { CsiCluster } from './csi-cluster.ts';
import type { Simulator } from '../../simulator/nifcloud/simulator.ts';

const GIB = 2 ** 30;
const ZONE_KEY = 'topology.additional-storage.csi.nifcloud.com/zone';

/** The PersistentVolume of the volume whose life this is, and what the driver is to call its disk. */
const NAME = 'pvc-0b1c6cf2-9f6e-4d6e-8a36-0d2f7c4f1e11';
export const HANDLE = '0b1c6cf29f6e4d6e8a360d2f7c4f1e11';

/** What of its world a life needs. */
export interface LifeWorld {
  readonly cloud: Pick<Simulator, 'state'>;
  readonly cluster: CsiCluster;
  /** The pod writes what must outlive everything. @param target where it has the volume, seen from the kubelet's folder */
  write(target: string, diskUniqueId: string): Promise<void>;
  /** Whether that is still there. */
  isWritten(target: string, diskUniqueId: string): Promise<boolean>;
  /** Whether something is mounted from a disk. */
  isMounted(diskUniqueId: string): boolean;
}

/** What the callers keep of answers, and hand to later calls. */
export interface Kept {
  volumeContext: Readonly<Record<string, string>>;
  publishContext: Readonly<Record<string, string>>;
}

/** Who makes a call, and so how its errors are read (docs/reference/csi.md B.1). */
type Caller = 'provisioner' | 'attacher' | 'resizer' | 'kubelet';

/** One call in the life of a volume: made again and again until it succeeds. */
export interface Step {
  readonly name: string;
  readonly caller: Caller;
  readonly service: 'Controller' | 'Node';
  readonly rpc: string;
  /** @param kubelet the kubelet's folder as the node server sees it */
  readonly request: (kept: Kept, kubelet: string) => object;
  /** What somebody else does before. */
  readonly before?: (world: LifeWorld) => void;
  /** What the caller does with the answer. */
  readonly after?: (world: LifeWorld, response: never, kept: Kept) => Promise<void> | void;
  /** The node that has the disk all the way. */
  readonly heldBy?: string;
  /** No disk of this volume is ever larger. */
  readonly atMostGB: number;
}

export type Life = readonly Step[];

const mounted = (fileSystem: string) => ({
  mount: { fs_type: fileSystem, mount_flags: [] },
  access_mode: { mode: 'SINGLE_NODE_WRITER' },
});
const CAPABILITY = mounted('ext4');
const BLOCK = { block: {}, access_mode: { mode: 'SINGLE_NODE_WRITER' } };
const IN_ZONE = [{ segments: { [ZONE_KEY]: 'east-11' } }];

export const created: Step = {
  name: 'create',
  caller: 'provisioner',
  service: 'Controller',
  rpc: 'CreateVolume',
  request: () => ({
    name: NAME,
    capacity_range: { required_bytes: 10 * GIB },
    volume_capabilities: [CAPABILITY],
    parameters: { type: 'standard' },
    accessibility_requirements: { requisite: IN_ZONE, preferred: IN_ZONE },
  }),
  after: (world, { volume }: { volume: { volume_id: string; volume_context: Record<string, string> } }, kept) => {
    kept.volumeContext = volume.volume_context;
    world.cluster.addVolume(NAME, volume.volume_id, volume.volume_context['volumeUniqueId'] ?? '');
  },
  atMostGB: 100,
};

export const attached = (node: string, atMostGB: number): Step => ({
  name: `attach to ${node}`,
  caller: 'attacher',
  service: 'Controller',
  rpc: 'ControllerPublishVolume',
  before: (world) => world.cluster.attach(NAME, HANDLE, node),
  request: ({ volumeContext }) => ({
    volume_id: HANDLE,
    node_id: node,
    volume_capability: CAPABILITY,
    volume_context: volumeContext,
  }),
  after: (_world, { publish_context }: { publish_context: Record<string, string> }, kept) => {
    kept.publishContext = publish_context;
  },
  atMostGB,
});

export const detached = (node: string, atMostGB: number): Step => ({
  name: `detach from ${node}`,
  caller: 'attacher',
  service: 'Controller',
  rpc: 'ControllerUnpublishVolume',
  // It is being deleted: it is there until the attacher takes its finalizer.
  request: () => ({ volume_id: HANDLE, node_id: node }),
  after: (world) => world.cluster.detach(HANDLE, node),
  atMostGB,
});

export const grown = (toGB: number, how: string, heldBy?: string): Step => ({
  name: `grow to ${toGB} GB, ${how}`,
  caller: 'resizer',
  service: 'Controller',
  rpc: 'ControllerExpandVolume',
  request: () => ({
    volume_id: HANDLE,
    capacity_range: { required_bytes: toGB * GIB },
    volume_capability: CAPABILITY,
  }),
  ...(heldBy === undefined ? {} : { heldBy }),
  atMostGB: toGB,
});

export const deleted = (atMostGB: number): Step => ({
  name: 'delete',
  caller: 'provisioner',
  service: 'Controller',
  rpc: 'DeleteVolume',
  request: () => ({ volume_id: HANDLE }),
  after: (world) => world.cluster.removeVolume(NAME),
  atMostGB,
});

/** All that happens to a volume in the cloud. */
export const CLOUD_LIFE: Life = [
  created,
  attached('node01', 100),
  grown(200, 'attached', 'node01'),
  grown(400, 'attached, by two steps', 'node01'),
  detached('node01', 400),
  grown(500, 'detached'),
  attached('node02', 500),
  detached('node02', 500),
  deleted(500),
];

const staging = (kubelet: string): string => join(kubelet, 'plugins/kubernetes.io/csi', HANDLE, 'globalmount');
const target = (kubelet: string, pod: string): string => join(kubelet, 'pods', pod, 'mount');

type Capability = typeof CAPABILITY | typeof BLOCK;

const onNode = (name: string, rpc: string, request: Step['request'], atMostGB: number): Step => ({
  name,
  caller: 'kubelet',
  service: 'Node',
  rpc,
  request,
  heldBy: 'node01',
  atMostGB,
});

const staged = (capability: Capability, atMostGB: number): Step =>
  onNode(
    'stage',
    'NodeStageVolume',
    ({ publishContext, volumeContext }, kubelet) => ({
      volume_id: HANDLE,
      publish_context: publishContext,
      staging_target_path: staging(kubelet),
      volume_capability: capability,
      volume_context: volumeContext,
    }),
    atMostGB,
  );

const published = (capability: Capability, pod: string, readonly: boolean, atMostGB: number): Step => ({
  ...onNode(
    `publish to ${pod}${readonly ? ', read-only' : ''}`,
    'NodePublishVolume',
    ({ publishContext, volumeContext }, kubelet) => ({
      volume_id: HANDLE,
      publish_context: publishContext,
      staging_target_path: staging(kubelet),
      target_path: target(kubelet, pod),
      volume_capability: capability,
      readonly,
      volume_context: volumeContext,
    }),
    atMostGB,
  ),
  // The pod writes, or reads what one before it wrote.
  after: async (world, _response, { volumeContext }) => {
    const at = [target('', pod), volumeContext['volumeUniqueId'] ?? ''] as const;
    if (!readonly) await world.write(...at);
    else if (!(await world.isWritten(...at))) throw new Error(`what was written is not at ${pod}`);
  },
});

const unpublished = (pod: string, atMostGB: number): Step =>
  onNode(
    `unpublish from ${pod}`,
    'NodeUnpublishVolume',
    (_kept, kubelet) => ({ volume_id: HANDLE, target_path: target(kubelet, pod) }),
    atMostGB,
  );

const unstaged = (atMostGB: number): Step =>
  onNode(
    'unstage',
    'NodeUnstageVolume',
    (_kept, kubelet) => ({ volume_id: HANDLE, staging_target_path: staging(kubelet) }),
    atMostGB,
  );

const grownOnNode = (capability: Capability, pod: string, toGB: number): Step =>
  onNode(
    `grow to ${toGB} GB on the node`,
    'NodeExpandVolume',
    (_kept, kubelet) => ({
      volume_id: HANDLE,
      volume_path: target(kubelet, pod),
      capacity_range: { required_bytes: toGB * GIB },
      staging_target_path: staging(kubelet),
      volume_capability: capability,
    }),
    toGB,
  );

/** All that happens to a volume on a node, and as much in the cloud as that needs. */
const nodeLife = (capability: Capability): Life => [
  created,
  attached('node01', 100),
  staged(capability, 100),
  published(capability, 'pod1', false, 100),
  grown(200, 'in use', 'node01'),
  grownOnNode(capability, 'pod1', 200),
  published(capability, 'pod2', true, 200),
  unpublished('pod1', 200),
  unpublished('pod2', 200),
  unstaged(200),
  detached('node01', 200),
  grown(300, 'detached'),
  attached('node01', 300),
  staged(capability, 300),
  published(capability, 'pod3', false, 300),
  unpublished('pod3', 300),
  unstaged(300),
  detached('node01', 300),
  deleted(300),
];

export const NODE_LIFE = nodeLife(CAPABILITY);
export const XFS_LIFE = nodeLife(mounted('xfs'));

/** The same of a raw block volume, as far as it differs. */
export const BLOCK_LIFE: Life = [
  created,
  attached('node01', 100),
  staged(BLOCK, 100),
  published(BLOCK, 'pod1', false, 100),
  grown(200, 'in use', 'node01'),
  grownOnNode(BLOCK, 'pod1', 200),
  unpublished('pod1', 200),
  unstaged(200),
  detached('node01', 200),
  deleted(200),
];

/** As much of the life of a mounted volume as is done with processes and real time. */
export const PROCESS_LIFE: Life = [
  created,
  attached('node01', 100),
  staged(CAPABILITY, 100),
  published(CAPABILITY, 'pod1', false, 100),
  grown(200, 'in use', 'node01'),
  grownOnNode(CAPABILITY, 'pod1', 200),
  unpublished('pod1', 200),
  unstaged(200),
  detached('node01', 200),
  grown(300, 'detached'),
  attached('node01', 300),
  staged(CAPABILITY, 300),
  published(CAPABILITY, 'pod2', true, 300),
  unpublished('pod2', 300),
  unstaged(300),
  detached('node01', 300),
  deleted(300),
];

/** Codes after which the call may still be doing its work (docs/reference/csi.md B.1; of the kubelet: RESOURCE_EXHAUSTED, too). */
const UNDECIDED: ReadonlySet<status> = new Set([
  status.CANCELLED,
  status.DEADLINE_EXCEEDED,
  status.UNAVAILABLE,
  status.ABORTED,
]);

/** Codes after which the resizer asks the user for another size, or waits until no pod uses the volume. */
const STUCK: ReadonlySet<status> = new Set([
  status.INVALID_ARGUMENT,
  status.OUT_OF_RANGE,
  status.NOT_FOUND,
  status.FAILED_PRECONDITION,
]);

/** What is wrong with an error, given what is there: its caller draws a conclusion from the code. */
export function wrongConclusion({ caller, rpc }: Step, code: status, world: LifeWorld): string | undefined {
  if (UNDECIDED.has(code)) return undefined;
  const disk = world.cloud.state().volumes.find(({ id }) => id === HANDLE);
  switch (rpc) {
    case 'CreateVolume':
      return disk && `the ${caller} forgets the disk, which exists`;
    case 'ControllerPublishVolume':
      if (code === status.RESOURCE_EXHAUSTED || disk?.attachment === null) return undefined;
      return `the ${caller} takes the disk for detached, which is ${disk?.attachment?.status} to ${disk?.attachment?.serverName}`;
    case 'ControllerExpandVolume':
    case 'NodeExpandVolume':
      return STUCK.has(code) ? `the ${caller} does not try again` : undefined;
    case 'NodeStageVolume':
      if (code === status.RESOURCE_EXHAUSTED || !world.isMounted(disk?.uniqueId ?? '')) return undefined;
      return `the ${caller} takes the volume for not mounted, which it is`;
    default:
      return undefined;
  }
}

/** What is not as it must be in the cloud at any time of a step. */
export function brokenInTheCloud(step: Step, { volumes, servers }: ReturnType<Simulator['state']>): readonly string[] {
  const ours = volumes.filter(({ id, description }) => id === HANDLE || description === NAME);
  const others = volumes.filter((disk) => !ours.includes(disk));
  const isHeld = (disk: (typeof ours)[number]): boolean =>
    step.heldBy === undefined ||
    (disk.attachment?.serverName === step.heldBy && disk.attachment.status !== 'detaching');
  const rules: readonly (readonly [rule: string, isKept: boolean])[] = [
    ['there is one disk at most', ours.length <= 1],
    [`it has ${step.atMostGB} GB at most`, ours.every(({ sizeGB }) => sizeGB <= step.atMostGB)],
    [
      'it is on no server of others',
      ours.every(({ attachment }) => /^node0[12]$/.test(attachment?.serverName ?? 'node01')),
    ],
    ['disks of others stay', others.every(({ attachment }) => attachment?.status === 'attached')],
    ['no server is disturbed', servers.every(({ state }) => state === 'running')],
    [`${step.heldBy} keeps the disk`, ours.every(isHeld)],
  ];
  return rules.filter(([, isKept]) => !isKept).map(([rule]) => rule);
}

/** The disks of a cloud, as lines that differ whenever what matters does. */
export function disksIn({ volumes }: ReturnType<Simulator['state']>): readonly string[] {
  return volumes.map(({ attachment, transition, ...disk }) => {
    const where =
      attachment === null ? 'nowhere' : `${attachment.status} to ${attachment.serverName}, slot ${attachment.slot}`;
    return `${disk.id} (${disk.uniqueId}), ${disk.sizeGB} GB, ${disk.diskType}, ${disk.status}, ${where}, ${transition ?? 'settled'}`;
  });
}
