import { DRIVER } from './names.ts';

/* What users write. */

export function storageClass(
  name: string,
  options: { readonly fstype?: string; readonly reclaimPolicy?: string } = {},
): object {
  return {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name },
    provisioner: DRIVER,
    parameters: { type: 'standard', 'csi.storage.k8s.io/fstype': options.fstype ?? 'ext4' },
    reclaimPolicy: options.reclaimPolicy ?? 'Delete',
    volumeBindingMode: 'WaitForFirstConsumer',
    allowVolumeExpansion: true,
  };
}

export interface ClaimOptions {
  readonly storageClass?: string;
  readonly volumeMode?: 'Block' | 'Filesystem';
}

export function claim(name: string, options: ClaimOptions = {}): object {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name },
    spec: {
      accessModes: ['ReadWriteOnce'],
      storageClassName: options.storageClass ?? 'ext4',
      volumeMode: options.volumeMode ?? 'Filesystem',
      resources: { requests: { storage: '100Gi' } },
    },
  };
}

/** Where a pod may run: `kubernetes.io/hostname` and the like. */
export type Selector = Readonly<Record<string, string>>;

export const onNode = (name: string): Selector => ({ 'kubernetes.io/hostname': name });
export const inZone = (zone: string): Selector => ({ 'topology.kubernetes.io/zone': zone });

/** A pod that sleeps, with a volume or without. */
export function podTemplate(app: string, claimName?: string, nodeSelector: Selector = {}) {
  const mounts = claimName === undefined ? [] : [{ name: 'data', mountPath: '/data' }];
  return {
    metadata: { labels: { app } },
    spec: {
      nodeSelector,
      terminationGracePeriodSeconds: 1,
      containers: [{ name: app, image: 'busybox:1.37.0', command: ['sleep', '1000000'], volumeMounts: mounts }],
      volumes: claimName === undefined ? [] : [{ name: 'data', persistentVolumeClaim: { claimName } }],
    },
  };
}

export function deployment(app: string, claimName?: string, nodeSelector: Selector = {}): object {
  return deploymentOf(app, podTemplate(app, claimName, nodeSelector));
}

/** One replica, which never overlaps with its successor. */
export function deploymentOf(app: string, template: object): object {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: app },
    spec: {
      replicas: 1,
      strategy: { type: 'Recreate' },
      selector: { matchLabels: { app } },
      template,
    },
  };
}

/** An app that says its pod's name to who asks by HTTP. */
export function webApp(app: string, replicas: number, nodeSelector: Selector = {}): object {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: app },
    spec: {
      replicas,
      selector: { matchLabels: { app } },
      template: {
        metadata: { labels: { app } },
        spec: {
          nodeSelector,
          terminationGracePeriodSeconds: 1,
          containers: [{ name: app, image: 'nginx:1.29.3', ports: [{ containerPort: 80 }] }],
        },
      },
    },
  };
}

export function loadBalancer(app: string, annotations: Readonly<Record<string, string>> = {}): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: app, annotations },
    spec: { type: 'LoadBalancer', selector: { app }, ports: [{ name: 'http', port: 80, targetPort: 80 }] },
  };
}
