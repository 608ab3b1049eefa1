import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFile, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Service } from '../../kube/types.ts';
import { GO_DISK } from './cloud.ts';
import { Cluster } from './cluster.ts';
import { DRIVER } from './names.ts';
import { isReady, type Attachment, type Claim, type Pod, type Volume } from './objects.ts';
import { until } from './wait.ts';

/** Namespaces of scenarios that go on while others begin and end. */
const lasting = new Set<string>();

/** A namespace of its own in the cluster, and what tests look at there. */
export class Scenario {
  readonly cluster: Cluster;
  readonly namespace: string;

  private constructor(cluster: Cluster, namespace: string) {
    this.cluster = cluster;
    this.namespace = namespace;
  }

  static async begin(namespace: string): Promise<Scenario> {
    const cluster = await Cluster.get();
    if (namespace !== 'default') await cluster.kubectl('create', 'namespace', namespace);
    return new Scenario(cluster, namespace);
  }

  /** Deletes the namespace and all in it, as a user does; afterwards nothing is left of it anywhere. */
  async end(): Promise<void> {
    await this.deleteNamespace();
    lasting.delete(this.namespace);
    await nothingLeft(this.cluster);
  }

  async deleteNamespace(): Promise<void> {
    await this.cluster.kubectl('delete', 'namespace', this.namespace, '--wait=false');
    await until(
      'the namespace to be gone',
      async () => {
        const { stdout } = await this.kubectl('get', 'namespace', this.namespace, '--ignore-not-found', '-o', 'name');
        return stdout === '';
      },
      120_000,
    );
  }

  /** Lets others begin and end meanwhile: what is in the namespace is no left-over of theirs. */
  last(): void {
    lasting.add(this.namespace);
  }

  async kubectl(...args: readonly string[]): Promise<{ readonly stdout: string }> {
    return await this.cluster.kubectl('--namespace', this.namespace, ...args);
  }

  async apply(...objects: readonly object[]): Promise<void> {
    await this.cluster.apply(
      `${objects.map((object) => JSON.stringify(object)).join('\n---\n')}\n`,
      '--namespace',
      this.namespace,
    );
  }

  /** The pods of an app that are not being deleted. */
  async pods(app: string): Promise<readonly Pod[]> {
    const all = await this.cluster.list<Pod>(`/api/v1/namespaces/${this.namespace}/pods`);
    return all.filter(({ metadata }) => metadata.labels?.['app'] === app && metadata.deletionTimestamp === undefined);
  }

  /** Waits for so many pods of an app, all ready. @param fresh other ones than these */
  async ready(app: string, count = 1, { fresh = [], patienceMs = 90_000 }: Patience = {}): Promise<readonly Pod[]> {
    const old = new Set(fresh.map(({ metadata }) => metadata.uid));
    return await until(
      `${count} pods of ${app} to be ready`,
      async () => {
        const pods = await this.pods(app);
        return pods.length === count && pods.every((pod) => isReady(pod) && !old.has(pod.metadata.uid)) && pods;
      },
      patienceMs,
    );
  }

  /** Waits for the one pod of an app. */
  async readyPod(app: string, patience: Patience = {}): Promise<Pod> {
    const [pod] = await this.ready(app, 1, patience);
    if (pod === undefined) throw new Error('there is one');
    return pod;
  }

  async volume(claim: string): Promise<Volume> {
    const { spec } = await this.claim(claim);
    return await this.cluster.controlPlane.get<Volume>(`/api/v1/persistentvolumes/${spec.volumeName}`);
  }

  async claim(name: string): Promise<Claim> {
    return await this.cluster.controlPlane.get<Claim>(
      `/api/v1/namespaces/${this.namespace}/persistentvolumeclaims/${name}`,
    );
  }

  async service(name: string): Promise<Service> {
    return await this.cluster.controlPlane.get<Service>(`/api/v1/namespaces/${this.namespace}/services/${name}`);
  }

  /** Waits for the address of a Service. */
  async vip(service: string): Promise<string> {
    return await until(`an address of ${service}`, async () => {
      const { status } = await this.service(service);
      return status?.loadBalancer?.ingress?.[0]?.ip;
    });
  }

  /** Waits until an app answers through a Service's load balancer. @returns what it says: the name of a pod */
  async answer(vip: string): Promise<string> {
    return await until(`an answer through ${vip}`, async () => {
      const response = await fetch(`http://${vip}/`, { signal: AbortSignal.timeout(3_000) });
      return response.ok && (await response.text()).trim();
    });
  }

  /** Where a pod's containers find a claim's volume, on this machine. */
  async folder(pod: Pod, claim: string): Promise<string> {
    const { metadata } = await this.volume(claim);
    const root = this.cluster.kubeletFolder(pod.spec.nodeName ?? '');
    return join(root, 'pods', pod.metadata.uid ?? '', 'volumes/kubernetes.io~csi', metadata.name, 'mount');
  }

  async write(pod: Pod, claim: string, text: string): Promise<void> {
    await appendFile(join(await this.folder(pod, claim), 'notes'), `${text}\n`);
  }

  /** What was written is on the disk, also when the power goes. */
  async sync(pod: Pod, claim: string): Promise<void> {
    await promisify(execFile)('sync', ['--file-system', await this.folder(pod, claim)]);
  }

  async read(pod: Pod, claim: string): Promise<string> {
    return await readFile(join(await this.folder(pod, claim), 'notes'), 'utf8');
  }

  /** The disk of a claim, as the cloud has it. */
  async disk(claim: string): Promise<Disk | undefined> {
    const { spec } = await this.volume(claim);
    return this.cluster.cloud.state().volumes.find(({ id }) => id === spec.csi?.volumeHandle);
  }
}

type Disk = ReturnType<Cluster['cloud']['state']>['volumes'][number];

interface Patience {
  readonly fresh?: readonly Pod[];
  readonly patienceMs?: number;
}

/** Waits until neither the cloud, nor the API, nor a node has anything of a test any more, but of those that last. */
export async function nothingLeft(cluster: Cluster): Promise<void> {
  await until('nothing to be left', async () => {
    const known = (await cluster.list<Volume>('/api/v1/persistentvolumes')).filter(({ spec }) =>
      lasting.has(spec.claimRef?.namespace ?? ''),
    );
    const staying = [GO_DISK, ...lasting, ...known.flatMap(namesOf)];
    const left = [...leftInCloud(cluster), ...(await leftInApi(cluster)), ...(await leftOnNodes(cluster))];
    const unwanted = left.filter(({ of }) => !staying.includes(of));
    if (unwanted.length > 0) throw new Error(unwanted.map(({ what }) => what).join(', '));
    return true;
  });
}

/** What a volume is called: its object, its disk and record, and the folder where it is staged. */
function namesOf({ metadata, spec }: Volume): readonly string[] {
  const handle = spec.csi?.volumeHandle ?? '';
  return [metadata.name, handle, createHash('sha256').update(handle).digest('hex')];
}

/** Something that is there, and the name of what it belongs to. */
interface Left {
  readonly what: string;
  readonly of: string;
}

function leftInCloud({ cloud }: Cluster): readonly Left[] {
  const { volumes, loadBalancers, elasticLoadBalancers, firewallGroups } = cloud.state();
  return [
    ...volumes.map(({ id, status }) => ({ what: `disk ${id} (${status})`, of: id })),
    ...[...loadBalancers, ...elasticLoadBalancers].map(({ name }) => ({ what: `load balancer ${name}`, of: name })),
    ...firewallGroups.flatMap(({ name, rules }) => rules.map(() => ({ what: `a rule of ${name}`, of: name }))),
  ];
}

async function leftInApi(cluster: Cluster): Promise<readonly Left[]> {
  const services = await cluster.list<Service>('/api/v1/services');
  const attachments = await cluster.list<Attachment>('/apis/storage.k8s.io/v1/volumeattachments');
  return [
    ...(await cluster.list('/api/v1/persistentvolumes')).map(({ metadata: { name } }) => ({
      what: `volume ${name}`,
      of: name,
    })),
    ...(await cluster.list('/api/v1/persistentvolumeclaims')).map(({ metadata: { name, namespace = '' } }) => ({
      what: `claim ${name}`,
      of: namespace,
    })),
    ...attachments
      .filter(({ spec }) => spec.attacher === DRIVER)
      .map(({ metadata, spec }) => ({
        what: `attachment ${metadata.name}`,
        of: spec.source.persistentVolumeName ?? '',
      })),
    ...services
      .filter(({ spec }) => spec?.type === 'LoadBalancer')
      .map(({ metadata: { name, namespace = '' } }) => ({ what: `service ${name}`, of: namespace })),
  ];
}

async function leftOnNodes(cluster: Cluster): Promise<readonly Left[]> {
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').map((line) => line.split(' ')[4] ?? '');
  const left = mounts
    .filter((point) => /kubernetes\.io[~/]csi/.test(point))
    .map((point) => ({ what: `mount ${point}`, of: /([^/]+)\/(?:mount|globalmount)$/.exec(point)?.[1] ?? '' }));
  for (const node of cluster.nodeNames()) {
    const folder = join(cluster.kubeletFolder(node), 'plugins', `${DRIVER}.state`);
    const files = await readdir(folder).catch(() => []);
    for (const file of files.filter((one) => one.endsWith('.json'))) {
      left.push({ what: `record ${file} on ${node}`, of: file.replace('.json', '') });
    }
  }
  return left;
}
