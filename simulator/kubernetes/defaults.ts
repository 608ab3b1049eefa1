import { fill, type JsonObject, type KubeObject, objectsIn, section, textAt } from './objects.ts';

/*
 * What the server fills in when a client leaves it out, where a consumer of this project reads it.
 * Source: pkg/apis/{core,apps,storage}/v1/defaults.go of Kubernetes 1.36.
 */

export function defaultNamespace(namespace: KubeObject): void {
  section(namespace.metadata, 'labels')['kubernetes.io/metadata.name'] = namespace.metadata.name;
  fill(section(namespace, 'spec'), { finalizers: ['kubernetes'] });
}

export function defaultSecret(secret: KubeObject): void {
  fill(secret, { type: 'Opaque' });
  if (secret['stringData'] === undefined) return;
  for (const [key, value] of Object.entries(section(secret, 'stringData'))) {
    if (typeof value === 'string') section(secret, 'data')[key] = Buffer.from(value).toString('base64');
  }
  delete secret['stringData'];
}

function defaultPodSpec(spec: JsonObject): void {
  fill(spec, {
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: 30,
    dnsPolicy: 'ClusterFirst',
    securityContext: {},
    schedulerName: 'default-scheduler',
  });
  for (const container of [...objectsIn(spec['containers']), ...objectsIn(spec['initContainers'])]) {
    for (const port of objectsIn(container['ports'])) fill(port, { protocol: 'TCP' });
  }
}

export function defaultPod(pod: KubeObject): void {
  const spec = section(pod, 'spec');
  defaultPodSpec(spec);
  fill(spec, { enableServiceLinks: true });
}

export function defaultVolume(volume: KubeObject): void {
  fill(section(volume, 'spec'), { persistentVolumeReclaimPolicy: 'Retain', volumeMode: 'Filesystem' });
}

export function defaultClaim(claim: KubeObject): void {
  fill(section(claim, 'spec'), { volumeMode: 'Filesystem' });
}

export function defaultStorageClass(storageClass: KubeObject): void {
  fill(storageClass, { reclaimPolicy: 'Delete', volumeBindingMode: 'Immediate' });
}

export function defaultCsiDriver(driver: KubeObject): void {
  fill(section(driver, 'spec'), {
    attachRequired: true,
    podInfoOnMount: false,
    storageCapacity: false,
    fsGroupPolicy: 'ReadWriteOnceWithFSType',
    volumeLifecycleModes: ['Persistent'],
    requiresRepublish: false,
    seLinuxMount: false,
  });
}

function defaultTemplate(workload: KubeObject): void {
  const template = section(section(workload, 'spec'), 'template');
  section(template, 'metadata');
  defaultPodSpec(section(template, 'spec'));
}

export function defaultDeployment(deployment: KubeObject): void {
  const spec = section(deployment, 'spec');
  fill(spec, { replicas: 1, revisionHistoryLimit: 10, progressDeadlineSeconds: 600 });
  const strategy = section(spec, 'strategy');
  fill(strategy, { type: 'RollingUpdate' });
  if (textAt(strategy, 'type') === 'RollingUpdate') {
    fill(section(strategy, 'rollingUpdate'), { maxUnavailable: '25%', maxSurge: '25%' });
  }
  defaultTemplate(deployment);
}

export function defaultReplicaSet(replicaSet: KubeObject): void {
  fill(section(replicaSet, 'spec'), { replicas: 1 });
  defaultTemplate(replicaSet);
}

export function defaultDaemonSet(daemonSet: KubeObject): void {
  const spec = section(daemonSet, 'spec');
  fill(spec, {
    revisionHistoryLimit: 10,
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
  });
  defaultTemplate(daemonSet);
}

export function defaultStatefulSet(statefulSet: KubeObject): void {
  const spec = section(statefulSet, 'spec');
  fill(spec, {
    replicas: 1,
    revisionHistoryLimit: 10,
    podManagementPolicy: 'OrderedReady',
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
    persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' },
  });
  defaultTemplate(statefulSet);
}
