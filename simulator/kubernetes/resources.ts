import {
  defaultClaim,
  defaultCsiDriver,
  defaultDaemonSet,
  defaultDeployment,
  defaultNamespace,
  defaultPod,
  defaultReplicaSet,
  defaultSecret,
  defaultStatefulSet,
  defaultStorageClass,
  defaultVolume,
} from './defaults.ts';
import { at, type Json, type JsonObject, type KubeObject, section, textAt, timestamp, without } from './objects.ts';
import { allocate, defaultService, validateService } from './services.ts';
import { type FieldError, refuse } from './status.ts';
import {
  claimSize,
  type NameRule,
  validateClaim,
  validateEvent,
  validateNode,
  validatePod,
  validateVolumeAttachment,
} from './validation.ts';

/** What the rules of a kind may know beside the object. */
export interface World {
  list(resource: Resource): readonly KubeObject[];
  readonly nowMs: number;
  readonly random: () => number;
}

/** What sets one kind apart from the others. */
export interface Resource {
  /** `''` for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly shortNames: readonly string[];
  /** Part of `kubectl get all`. */
  readonly inAll: boolean;
  readonly names: NameRule;
  /** Fields for `fieldSelector` beside name and namespace. */
  readonly fields: readonly string[];
  /** PUT of an object that does not exist makes it. */
  readonly createOnUpdate: boolean;
  /** A PUT may leave out resourceVersion. */
  readonly unconditionalUpdate: boolean;
  /** DELETE answers with the object that went, not with a Status. */
  readonly returnsDeleted: boolean;
  /** There is a status subresource: the object's own path leaves the status alone, the subresource leaves the rest. */
  readonly hasStatus: boolean;
  /** The status of a new object; none: what the client sent (a kubelet creates its Node with status). */
  readonly initialStatus?: (world: World) => JsonObject;
  /** Metadata that a write of the status can't change. */
  readonly statusKeeps: readonly string[];
  /** What `metadata.generation` counts the changes of; none: the kind has no generation. */
  readonly generationOf?: (object: KubeObject) => Json;
  /** Paths of fields that are MicroTimes. */
  readonly microTimes: readonly (readonly string[])[];
  /** Fills in what the client left out, in place. */
  readonly fillDefaults: (object: KubeObject) => void;
  /** Makes a new or changed object consistent with its former self and with the others, in place. @throws StatusError */
  readonly reconcile: (object: KubeObject, before: KubeObject | undefined, world: World) => void;
  readonly validate: (object: KubeObject, before: KubeObject | undefined) => FieldError[];
}

const ORDINARY = {
  shortNames: [],
  inAll: false,
  names: 'subdomain',
  fields: [],
  createOnUpdate: false,
  unconditionalUpdate: true,
  returnsDeleted: false,
  hasStatus: false,
  statusKeeps: [],
  microTimes: [],
  fillDefaults: () => {},
  reconcile: () => {},
  validate: () => [],
} satisfies Partial<Resource>;

type Own = Partial<Resource> & Pick<Resource, 'plural' | 'kind'>;

const cluster = (group: string, own: Own): Resource => ({
  ...ORDINARY,
  group,
  version: 'v1',
  namespaced: false,
  ...own,
});
const namespaced = (group: string, own: Own): Resource => ({ ...cluster(group, own), namespaced: true });

const spec = (object: KubeObject): Json => object['spec'] ?? null;
const withStatus = (initial: JsonObject): Pick<Resource, 'hasStatus' | 'initialStatus'> => ({
  hasStatus: true,
  initialStatus: () => structuredClone(initial),
});

export const NAMESPACES = cluster('', {
  plural: 'namespaces',
  kind: 'Namespace',
  shortNames: ['ns'],
  names: 'label',
  fields: ['status.phase'],
  returnsDeleted: true,
  ...withStatus({ phase: 'Active' }),
  fillDefaults: defaultNamespace,
});

export const SERVICES: Resource = namespaced('', {
  plural: 'services',
  kind: 'Service',
  shortNames: ['svc'],
  inAll: true,
  names: 'label',
  fields: ['spec.clusterIP', 'spec.type'],
  createOnUpdate: true,
  returnsDeleted: true,
  ...withStatus({ loadBalancer: {} }),
  fillDefaults: defaultService,
  reconcile: (service, before, world) =>
    allocate(service, before, { services: world.list(SERVICES), random: world.random }),
  validate: validateService,
});

export const PODS = namespaced('', {
  plural: 'pods',
  kind: 'Pod',
  shortNames: ['po'],
  inAll: true,
  fields: [
    'spec.nodeName',
    'spec.restartPolicy',
    'spec.schedulerName',
    'spec.serviceAccountName',
    'status.phase',
    'status.podIP',
    'status.nominatedNodeName',
  ],
  returnsDeleted: true,
  ...withStatus({ phase: 'Pending' }),
  statusKeeps: ['ownerReferences'],
  generationOf: spec,
  fillDefaults: defaultPod,
  validate: validatePod,
});

const STORAGE_CLASSES = cluster('storage.k8s.io', {
  plural: 'storageclasses',
  kind: 'StorageClass',
  shortNames: ['sc'],
  returnsDeleted: true,
  fillDefaults: defaultStorageClass,
});

const CLAIMS = namespaced('', {
  plural: 'persistentvolumeclaims',
  kind: 'PersistentVolumeClaim',
  shortNames: ['pvc'],
  returnsDeleted: true,
  ...withStatus({ phase: 'Pending' }),
  fillDefaults: defaultClaim,
  reconcile: (claim, before, world) => {
    // The admission plugin PersistentVolumeClaimResize.
    if (
      before === undefined ||
      claimSize(claim) <= claimSize(before) ||
      textAt(before, 'status', 'phase') !== 'Bound'
    ) {
      return;
    }
    const className = textAt(claim, 'spec', 'storageClassName');
    const storageClass = world.list(STORAGE_CLASSES).find((one) => one.metadata.name === className);
    if (at(storageClass, 'allowVolumeExpansion') === true) return;
    const why =
      'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize';
    throw refuse.forbidden(CLAIMS, claim.metadata.name, why);
  },
  validate: validateClaim,
});

export const SERVICE_ACCOUNTS = namespaced('', {
  plural: 'serviceaccounts',
  kind: 'ServiceAccount',
  shortNames: ['sa'],
  returnsDeleted: true,
});

/** Every resource that the server knows. */
export const RESOURCES: readonly Resource[] = [
  NAMESPACES,
  cluster('', {
    plural: 'nodes',
    kind: 'Node',
    shortNames: ['no'],
    fields: ['spec.unschedulable'],
    hasStatus: true,
    fillDefaults: (node) => {
      section(node, 'spec');
      section(node, 'status');
    },
    validate: validateNode,
  }),
  SERVICES,
  PODS,
  CLAIMS,
  cluster('', {
    plural: 'persistentvolumes',
    kind: 'PersistentVolume',
    shortNames: ['pv'],
    returnsDeleted: true,
    hasStatus: true,
    initialStatus: (world) => ({ phase: 'Pending', lastPhaseTransitionTime: timestamp(world.nowMs) }),
    fillDefaults: defaultVolume,
  }),
  namespaced('', {
    plural: 'events',
    kind: 'Event',
    shortNames: ['ev'],
    names: 'segment',
    fields: [
      ...['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'].map(
        (key) => `involvedObject.${key}`,
      ),
      'reason',
      'reportingComponent',
      'source',
      'type',
    ],
    createOnUpdate: true,
    microTimes: [['eventTime'], ['series', 'lastObservedTime']],
    validate: validateEvent,
  }),
  namespaced('', { plural: 'configmaps', kind: 'ConfigMap', shortNames: ['cm'] }),
  namespaced('', { plural: 'secrets', kind: 'Secret', fields: ['type'], fillDefaults: defaultSecret }),
  namespaced('', { plural: 'endpoints', kind: 'Endpoints', shortNames: ['ep'], createOnUpdate: true }),
  SERVICE_ACCOUNTS,
  namespaced('apps', {
    plural: 'deployments',
    kind: 'Deployment',
    shortNames: ['deploy'],
    inAll: true,
    ...withStatus({}),
    statusKeeps: ['labels'],
    // Annotations count because they are copied to the ReplicaSets.
    generationOf: (object) => [spec(object), object.metadata.annotations ?? {}],
    fillDefaults: defaultDeployment,
  }),
  namespaced('apps', {
    plural: 'replicasets',
    kind: 'ReplicaSet',
    shortNames: ['rs'],
    inAll: true,
    fields: ['status.replicas'],
    ...withStatus({ replicas: 0 }),
    generationOf: spec,
    fillDefaults: defaultReplicaSet,
  }),
  namespaced('apps', {
    plural: 'daemonsets',
    kind: 'DaemonSet',
    shortNames: ['ds'],
    inAll: true,
    ...withStatus({ currentNumberScheduled: 0, numberMisscheduled: 0, desiredNumberScheduled: 0, numberReady: 0 }),
    generationOf: spec,
    fillDefaults: defaultDaemonSet,
  }),
  namespaced('apps', {
    plural: 'statefulsets',
    kind: 'StatefulSet',
    shortNames: ['sts'],
    inAll: true,
    ...withStatus({ replicas: 0, availableReplicas: 0 }),
    generationOf: spec,
    fillDefaults: defaultStatefulSet,
  }),
  STORAGE_CLASSES,
  cluster('storage.k8s.io', {
    plural: 'csidrivers',
    kind: 'CSIDriver',
    unconditionalUpdate: false,
    returnsDeleted: true,
    fillDefaults: defaultCsiDriver,
  }),
  cluster('storage.k8s.io', {
    plural: 'csinodes',
    kind: 'CSINode',
    unconditionalUpdate: false,
    returnsDeleted: true,
  }),
  cluster('storage.k8s.io', {
    plural: 'volumeattachments',
    kind: 'VolumeAttachment',
    unconditionalUpdate: false,
    returnsDeleted: true,
    ...withStatus({ attached: false }),
    statusKeeps: ['labels', 'annotations', 'finalizers', 'ownerReferences'],
    validate: validateVolumeAttachment,
  }),
  namespaced('coordination.k8s.io', {
    plural: 'leases',
    kind: 'Lease',
    createOnUpdate: true,
    unconditionalUpdate: false,
    microTimes: [
      ['spec', 'acquireTime'],
      ['spec', 'renewTime'],
    ],
  }),
  namespaced('discovery.k8s.io', {
    plural: 'endpointslices',
    kind: 'EndpointSlice',
    generationOf: (slice) => without(slice, ['metadata']),
  }),
  namespaced('policy', {
    plural: 'poddisruptionbudgets',
    kind: 'PodDisruptionBudget',
    shortNames: ['pdb'],
    unconditionalUpdate: false,
    ...withStatus({ disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 }),
    generationOf: spec,
  }),
];

/** The key of a resource's objects in the store. */
export function collectionOf(resource: Resource): string {
  return resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`;
}

export function apiVersionOf(resource: Resource): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
}
