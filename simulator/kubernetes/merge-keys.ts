/**
 * How a strategic merge patch treats a value. A list without a shape is replaced as a whole (a Node's taints, a
 * load balancer's ingress), an object without one is merged key by key.
 * Source: the `patchStrategy` tags of k8s.io/api v0.36.
 */
export interface Shape {
  /** Elements of the list are matched by the value of this key. */
  readonly mergeKey?: string;
  /** The list is a set of plain values. */
  readonly set?: true;
  /** The object is replaced as a whole. */
  readonly replace?: true;
  /** Shapes of the fields of the object, or of the list's elements. */
  readonly fields?: Readonly<Record<string, Shape>>;
}

const by = (mergeKey: string, fields?: Shape['fields']): Shape => ({
  mergeKey,
  ...(fields === undefined ? {} : { fields }),
});
const object = (fields: NonNullable<Shape['fields']>): Shape => ({ fields });
const set: Shape = { set: true };

const metadata = object({ finalizers: set, ownerReferences: by('uid') });
const conditions = object({ conditions: by('type') });

const containers = by('name', {
  env: by('name'),
  ports: by('containerPort'),
  volumeMounts: by('mountPath'),
  volumeDevices: by('devicePath'),
});

const podSpec = object({
  containers,
  initContainers: containers,
  ephemeralContainers: containers,
  volumes: by('name'),
  imagePullSecrets: by('name'),
  hostAliases: by('ip'),
  topologySpreadConstraints: by('topologyKey'),
  schedulingGates: by('name'),
  resourceClaims: by('name'),
});

const workload = object({
  metadata,
  spec: object({ template: object({ metadata, spec: podSpec }) }),
  status: conditions,
});

const SHAPES: Readonly<Record<string, Shape>> = {
  Node: object({
    metadata,
    spec: object({ podCIDRs: set }),
    status: object({ conditions: by('type'), addresses: by('type') }),
  }),
  Service: object({ metadata, spec: object({ ports: by('port') }), status: conditions }),
  Pod: object({
    metadata,
    spec: podSpec,
    status: object({
      conditions: by('type'),
      podIPs: by('ip'),
      hostIPs: by('ip'),
      resourceClaimStatuses: by('name'),
    }),
  }),
  PersistentVolumeClaim: object({ metadata, status: conditions }),
  Namespace: object({ metadata, status: conditions }),
  ServiceAccount: object({ metadata, secrets: by('name') }),
  Deployment: workload,
  ReplicaSet: workload,
  DaemonSet: workload,
  StatefulSet: workload,
  CSINode: object({ metadata, spec: object({ drivers: by('name') }) }),
  PodDisruptionBudget: object({ metadata, spec: object({ selector: { replace: true } }), status: conditions }),
};

const PLAIN: Shape = object({ metadata });

/** The shape of the objects of a kind. */
export function shapeOf(kind: string): Shape {
  return SHAPES[kind] ?? PLAIN;
}
