/*
 * The fields of Kubernetes objects that controllers read, as they stand in JSON. Answers are passed on unchanged, so an object
 * holds more than its type says; whoever replaces one whole (PUT) keeps the fields it does not know.
 * Everything is read-only: objects in an informer's store are shared. Copy before changing.
 */

interface ObjectMeta {
  readonly name: string;
  /** Absent on cluster-scoped objects. */
  readonly namespace?: string;
  readonly uid?: string;
  /** Opaque: to be compared for equality and handed back, nothing else. */
  readonly resourceVersion?: string;
  /** RFC 3339, whole seconds. */
  readonly creationTimestamp?: string;
  /** RFC 3339; set while finalizers hold back a deletion. */
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
}

/** What every object has. The API omits apiVersion and kind in the items of a list; an informer fills them in. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ObjectMeta;
}

interface ListMeta {
  readonly resourceVersion?: string;
  /** Token for the next page; empty or absent on the last one. */
  readonly continue?: string;
}

export interface KubeList<T extends KubeObject> {
  readonly apiVersion?: string;
  /** The items' kind followed by `List`. */
  readonly kind?: string;
  readonly metadata: ListMeta;
  readonly items: readonly T[];
}

interface StatusCause {
  readonly reason?: string;
  readonly message?: string;
  readonly field?: string;
}

export interface StatusDetails {
  readonly name?: string;
  readonly kind?: string;
  readonly causes?: readonly StatusCause[];
  readonly retryAfterSeconds?: number;
}

/** The body of a refusal, and the object of an ERROR event in a watch. */
export interface Status {
  readonly kind?: string;
  readonly status?: string;
  /** The HTTP status, also where the Status came inside a 200 stream. */
  readonly code?: number;
  /** A word for programs: `NotFound`, `Conflict`, `AlreadyExists`, `Expired` … */
  readonly reason?: string;
  /** A sentence for people. */
  readonly message?: string;
  readonly details?: StatusDetails;
}

/**
 * One line of a watch. ERROR lines are not among them: they end the stream as a thrown KubeError.
 * The object of a BOOKMARK has nothing but its kind and `metadata.resourceVersion`.
 */
export interface WatchEvent<T extends KubeObject> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  readonly object: T;
}

export interface Taint {
  readonly key: string;
  readonly value?: string;
  readonly effect: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute';
  readonly timeAdded?: string;
}

export interface NodeAddress {
  readonly type: 'Hostname' | 'InternalIP' | 'ExternalIP' | 'InternalDNS' | 'ExternalDNS';
  readonly address: string;
}

export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason?: string;
  readonly message?: string;
}

export interface Node extends KubeObject {
  readonly spec?: {
    readonly providerID?: string;
    readonly taints?: readonly Taint[];
    readonly unschedulable?: boolean;
    /** The ranges of its pods' addresses, one of each family. */
    readonly podCIDRs?: readonly string[];
  };
  readonly status?: {
    readonly addresses?: readonly NodeAddress[];
    readonly conditions?: readonly Condition[];
    readonly volumesInUse?: readonly string[];
  };
}

export interface ServicePort {
  readonly name?: string;
  /** Default: TCP. */
  readonly protocol?: 'TCP' | 'UDP' | 'SCTP';
  readonly port: number;
  /** 0 or absent until one is allocated. */
  readonly nodePort?: number;
  readonly targetPort?: number | string;
  readonly appProtocol?: string;
}

export interface LoadBalancerIngress {
  readonly ip?: string;
  readonly hostname?: string;
  readonly ipMode?: 'VIP' | 'Proxy';
  readonly ports?: readonly { readonly port: number; readonly protocol: string; readonly error?: string }[];
}

export interface Service extends KubeObject {
  readonly spec?: {
    readonly type?: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName';
    readonly ports?: readonly ServicePort[];
    readonly loadBalancerClass?: string;
    readonly loadBalancerIP?: string;
    readonly loadBalancerSourceRanges?: readonly string[];
    readonly externalIPs?: readonly string[];
    readonly externalTrafficPolicy?: 'Cluster' | 'Local';
    /** Where kube-proxy says whether this node has an endpoint; set for LoadBalancer with policy Local only. */
    readonly healthCheckNodePort?: number;
    readonly ipFamilies?: readonly string[];
    readonly sessionAffinity?: 'None' | 'ClientIP';
    readonly sessionAffinityConfig?: { readonly clientIP?: { readonly timeoutSeconds?: number } };
  };
  readonly status?: {
    readonly loadBalancer?: { readonly ingress?: readonly LoadBalancerIngress[] };
    readonly conditions?: readonly Condition[];
  };
}

export interface PersistentVolume extends KubeObject {
  readonly spec?: {
    readonly capacity?: { readonly storage?: string };
    readonly csi?: {
      readonly driver: string;
      readonly volumeHandle: string;
      readonly volumeAttributes?: Readonly<Record<string, string>>;
    };
    readonly claimRef?: { readonly namespace?: string; readonly name?: string; readonly uid?: string };
    readonly persistentVolumeReclaimPolicy?: 'Delete' | 'Retain' | 'Recycle';
  };
  readonly status?: { readonly phase?: string };
}

export interface VolumeAttachment extends KubeObject {
  readonly spec: {
    readonly attacher: string;
    readonly nodeName: string;
    readonly source: { readonly persistentVolumeName?: string };
  };
  readonly status?: {
    readonly attached: boolean;
    readonly attachmentMetadata?: Readonly<Record<string, string>>;
    readonly attachError?: { readonly time?: string; readonly message?: string };
    readonly detachError?: { readonly time?: string; readonly message?: string };
  };
}

/** coordination.k8s.io/v1 Lease. Times are RFC 3339 with six digits. */
export interface Lease extends KubeObject {
  readonly spec?: {
    /** Empty or absent: nobody. */
    readonly holderIdentity?: string;
    readonly leaseDurationSeconds?: number;
    readonly acquireTime?: string;
    readonly renewTime?: string;
    readonly leaseTransitions?: number;
  };
}

interface ObjectReference {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
}

/** core/v1 Event. */
export interface Event extends KubeObject {
  readonly involvedObject: ObjectReference;
  readonly reason: string;
  readonly message: string;
  readonly type: 'Normal' | 'Warning';
  readonly source: { readonly component: string };
  readonly reportingComponent: string;
  readonly count: number;
  /** RFC 3339, whole seconds; as lastTimestamp. */
  readonly firstTimestamp: string;
  readonly lastTimestamp: string;
}
