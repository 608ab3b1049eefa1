import { readFile, writeFile } from 'node:fs/promises';
import type { Server as HttpServer } from 'node:http';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Cluster, Resource } from './cluster.ts';
import type { CsiClient, CsiError } from './csi-client.ts';
import { eventually, expect, Mismatch } from './expect.ts';
import type { Report } from './report.ts';
import * as roles from './roles.ts';
import type { Machine, Pod, Volume } from './roles.ts';

/** Everything that the scenario acts on. */
export interface Scene {
  readonly cluster: Cluster;
  readonly controller: CsiClient;
  readonly machines: readonly Machine[];
  readonly report: Report;
  /** Aborts when the demo is to end. */
  readonly signal: AbortSignal;
  /** The cloud as it is now: what the simulator's control endpoint tells. */
  readonly cloud: () => Promise<CloudState>;
  /** The size of the file system on the only data disk of a machine. */
  readonly fileSystemBytes: (machine: Machine) => Promise<number>;
}

/** The part of the simulator's state that the scenario reads. */
export interface CloudState {
  readonly volumes: readonly { readonly id: string; readonly sizeGB: number; readonly zone: string }[];
  readonly loadBalancers: readonly {
    readonly name: string;
    readonly vip: string;
    readonly ports: readonly {
      readonly listensAt: string;
      readonly targets: readonly { readonly serverName: string }[];
    }[];
  }[];
  readonly firewallGroups: readonly unknown[];
}

const MANIFESTS = new URL('manifests/', import.meta.url);
const CLAIM = 'nifcloud-as-claim';
const GIB = 2 ** 30;

/**
 * The story of the demo, from the first node to the last deletion; `before` is the cloud as it was found.
 * @throws Mismatch when anything is not as it must be
 */
export async function play(scene: Scene, before: CloudState): Promise<void> {
  const { report } = scene;
  const listeners: HttpServer[] = [];
  try {
    await report.step('a Service gets its load balancer', () => exposeNginx(scene, listeners));
    const story = new VolumeStory(scene);
    await report.step('a claim gets its disk', () => story.provision());
    await report.step('the pod is replaced on its node', () => story.replacePod());
    await report.step('its node is drained: no other in the zone', () => story.drain());
    await report.step('its node comes back', () => story.uncordon());
    await report.step('the claim grows to 200Gi', () => story.grow());
    await report.step('the app and its claim are deleted', () => story.remove());
    await report.step('the Service is deleted', () => removeNginx(scene));
  } finally {
    for (const listener of listeners) listener.close();
  }
  await report.step('nothing of ours is left in the cloud', () => compare(scene, before));
}

/** What the CCM does for a node that a kubelet has registered, and then the kubelet for the driver's node server. */
export async function initialiseNodes(scene: Scene): Promise<void> {
  const { cluster, machines, report, signal } = scene;
  for (const { server } of machines) {
    const node = await eventually(`node ${server.name} is initialised`, signal, async () => {
      const seen = await cluster.get<roles.Node>('Node', server.name);
      return (seen.spec?.taints ?? []).length === 0 ? seen : undefined;
    });
    const labels = node.metadata.labels ?? {};
    expect(
      node.spec?.providerID === `nifcloud:///${server.zone}/${server.uniqueId}`,
      `${server.name} has provider id ${node.spec?.providerID}`,
    );
    expect(labels['topology.kubernetes.io/zone'] === server.zone, `${server.name} has no label for its zone`);
    report.fact(
      `${server.name}: ${node.spec?.providerID}, zone ${labels['topology.kubernetes.io/zone']}, region ` +
        `${labels['topology.kubernetes.io/region']}, type ${labels['node.kubernetes.io/instance-type']}; taint gone`,
    );
  }
  for (const machine of machines) await roles.registerDriver(cluster, machine);
}

interface LoadBalancerService extends Resource {
  readonly spec: { readonly ports: readonly { readonly nodePort: number }[] };
  readonly status?: { readonly loadBalancer?: { readonly ingress?: readonly { readonly ip: string }[] } };
}

async function exposeNginx(scene: Scene, listeners: HttpServer[]): Promise<void> {
  const { cluster, controller, machines, report, signal } = scene;
  await cluster.apply(new URL('loadbalancer.yaml', MANIFESTS));
  const service = await cluster.get<LoadBalancerService>('Service', 'nginx');
  const nodePort = service.spec.ports[0]?.nodePort ?? 0;
  report.fact(`kubectl apply -f demo/manifests/loadbalancer.yaml: 3 nginx pods, Service on node port ${nodePort}`);
  await roles.replicate(cluster, 'nginx');
  for (const pod of await roles.podsOf(cluster, 'nginx')) {
    const placed = await roles.schedule(cluster, controller, pod);
    expect('node' in placed, 'an nginx pod finds no node');
    const machine = machineOf(scene, placed.node);
    listeners.push(await roles.answerNodePort(machine, nodePort));
    await roles.startPod(cluster, machine, pod);
  }
  const vip = await eventually('the Service has an address', signal, async () => {
    const { status } = await cluster.get<LoadBalancerService>('Service', 'nginx');
    return status?.loadBalancer?.ingress?.[0]?.ip;
  });
  const [balancer] = (await scene.cloud()).loadBalancers;
  const port = balancer?.ports[0];
  expect(balancer?.vip === vip && port !== undefined, `the cloud's load balancer does not have the address ${vip}`);
  expect(
    port.targets.length === machines.length,
    `the load balancer has targets ${port.targets.map((target) => target.serverName).join(', ')}`,
  );
  report.fact(`load balancer ${balancer.name} (L4) with ${port.targets.length} targets; status.loadBalancer: ${vip}`);
  const answered = new Set<string>();
  await eventually('every node answers through the load balancer', signal, async () => {
    const name = await httpGet(port.listensAt).catch(() => undefined);
    if (name !== undefined) answered.add(name);
    return answered.size === machines.length || undefined;
  });
  const stand = port.listensAt === `${vip}:80` ? '' : ` (${port.listensAt} stands for it here)`;
  report.fact(`GET http://${vip}/${stand} is answered by ${[...answered].toSorted().join(', ')}`);
}

async function removeNginx(scene: Scene): Promise<void> {
  const { cluster, report } = scene;
  await cluster.delete('Service', 'nginx');
  await cluster.delete('Deployment', 'nginx');
  for (const pod of await roles.podsOf(cluster, 'nginx')) {
    await roles.stopPod(cluster, machineOf(scene, pod.spec.nodeName ?? ''), pod);
  }
  await eventually('the Service is gone', scene.signal, async () =>
    (await cluster.exists('Service', 'nginx')) ? undefined : true,
  );
  report.fact('load balancer deleted, finalizer removed, Service gone');
}

/** One pod, one claim, one disk. */
class VolumeStory {
  readonly #scene: Scene;

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  async provision(): Promise<void> {
    const { cluster, report } = this.#scene;
    await cluster.apply(new URL('volume.yaml', MANIFESTS));
    report.fact('kubectl apply -f demo/manifests/volume.yaml: StorageClass, claim of 10Gi, Deployment app');
    await roles.replicate(cluster, 'app');
    const { pod, machine, volume } = await this.#run();
    const [disk] = (await this.#scene.cloud()).volumes;
    expect(volume.spec.capacity.storage === '100Gi', `the PersistentVolume has ${volume.spec.capacity.storage}`);
    expect(disk?.zone === machine.server.zone, `the disk is in ${disk?.zone}, its pod in ${machine.server.zone}`);
    report.fact(`PersistentVolume ${volume.metadata.name} has ${volume.spec.capacity.storage}`);
    report.fact(`disk ${disk.id} in ${disk.zone}: created, attached to ${machine.server.name}, formatted, mounted`);
    await writeFile(join(roles.mountPath(machine, pod, volume), 'out.txt'), 'written by the first pod\n');
    report.fact('the pod writes /data/out.txt');
  }

  async replacePod(): Promise<void> {
    const { cluster, report } = this.#scene;
    const { pod, machine, volume } = await this.#running();
    await roles.stopPod(cluster, machine, pod, volume);
    await roles.replicate(cluster, 'app');
    const next = await this.#run({ attached: true });
    expect(next.machine === machine, `the new pod runs on ${next.machine.server.name}`);
    await this.#expectData(next);
    report.fact(
      `pod ${pod.metadata.name} deleted, ${next.pod.metadata.name} runs on ${machine.server.name}; the file is still there`,
    );
  }

  async drain(): Promise<void> {
    const { cluster, controller, report } = this.#scene;
    const { pod, machine, volume } = await this.#running();
    await roles.setSchedulable(cluster, machine.server.name, false);
    await roles.stopPod(cluster, machine, pod, volume);
    await roles.detach(cluster, controller, machine, volume);
    await roles.replicate(cluster, 'app');
    const placed = await roles.schedule(cluster, controller, await this.#pod());
    expect('unschedulable' in placed, 'the pod was placed in a zone that its disk cannot reach');
    report.fact(`kubectl drain ${machine.server.name}: pod evicted, disk detached`);
    report.fact(`the new pod is Pending: ${placed.unschedulable}`);
  }

  async uncordon(): Promise<void> {
    const { cluster, machines, report } = this.#scene;
    for (const { server } of machines) await roles.setSchedulable(cluster, server.name, true);
    const next = await this.#run();
    await this.#expectData(next);
    report.fact(
      `kubectl uncordon ${next.machine.server.name}: pod ${next.pod.metadata.name} runs there again, with its data`,
    );
  }

  async grow(): Promise<void> {
    const { cluster, controller, report, fileSystemBytes } = this.#scene;
    const { pod, machine, volume } = await this.#running();
    await cluster.patch('PersistentVolumeClaim', CLAIM, { spec: { resources: { requests: { storage: '200Gi' } } } });
    await roles.growDisk(cluster, controller, CLAIM);
    const [disk] = (await this.#scene.cloud()).volumes;
    expect(disk?.sizeGB === 200, `the disk has ${disk?.sizeGB} GB`);
    report.fact(`disk ${disk.id} has ${disk.sizeGB} GB`);
    let at = { pod, machine, volume };
    try {
      await roles.growFileSystem(cluster, machine, pod, CLAIM);
      report.fact('the file system has grown while mounted');
    } catch (error) {
      // The rest is what the tool printed.
      report.fact(`while mounted: ${(error as CsiError).details.split(' resize2fs ')[0]}`);
      await roles.stopPod(cluster, machine, pod, volume);
      await roles.replicate(cluster, 'app');
      at = await this.#run({ attached: true });
      report.fact('the next stage has grown it');
    }
    const bytes = await fileSystemBytes(at.machine);
    expect(bytes > 199 * GIB, `the file system has ${(bytes / GIB).toFixed(1)} GiB`);
    await this.#expectData(at);
    report.fact(`file system: ${(bytes / GIB).toFixed(1)} GiB, with its data`);
  }

  async remove(): Promise<void> {
    const { cluster, controller, report } = this.#scene;
    const { pod, machine, volume } = await this.#running();
    await cluster.delete('Deployment', 'app');
    await roles.stopPod(cluster, machine, pod, volume);
    await roles.detach(cluster, controller, machine, volume);
    await roles.deleteClaim(cluster, controller, CLAIM);
    await cluster.delete('StorageClass', 'nifcloud-additional-storage-standard');
    report.fact('pod, claim, PersistentVolume and disk are gone');
  }

  /** Schedules the waiting pod and starts it, its disk being attached first unless it still is. */
  async #run(state = { attached: false }): Promise<Running> {
    const { cluster, controller } = this.#scene;
    const pod = await this.#pod();
    const placed = await roles.schedule(cluster, controller, pod);
    expect('node' in placed, `pod ${pod.metadata.name} finds no node`);
    const machine = machineOf(this.#scene, placed.node);
    const volume = await roles.volumeOf(cluster, CLAIM);
    if (!state.attached) await roles.attach(cluster, controller, machine, volume);
    await roles.startPod(cluster, machine, pod, volume);
    return { pod, machine, volume };
  }

  async #running(): Promise<Running> {
    const pod = await this.#pod();
    return {
      pod,
      machine: machineOf(this.#scene, pod.spec.nodeName ?? ''),
      volume: await roles.volumeOf(this.#scene.cluster, CLAIM),
    };
  }

  async #pod(): Promise<Pod> {
    const [pod] = await roles.podsOf(this.#scene.cluster, 'app');
    expect(pod !== undefined, 'there is no pod of Deployment app');
    return pod;
  }

  async #expectData({ machine, pod, volume }: Running): Promise<void> {
    const text = await readFile(join(roles.mountPath(machine, pod, volume), 'out.txt'), 'utf8');
    expect(text === 'written by the first pod\n', `the file holds ${JSON.stringify(text)}`);
  }
}

interface Running {
  readonly pod: Pod;
  readonly machine: Machine;
  readonly volume: Volume;
}

function machineOf(scene: Scene, node: string): Machine {
  const machine = scene.machines.find(({ server }) => server.name === node);
  if (machine === undefined) throw new Mismatch(`there is no node ${node}`);
  return machine;
}

async function httpGet(address: string): Promise<string> {
  // The pods close each connection, so every request is balanced anew.
  return await (await fetch(`http://${address}/`, { signal: AbortSignal.timeout(2000) })).text();
}

async function compare(scene: Scene, before: CloudState): Promise<void> {
  const after = await scene.cloud();
  for (const part of ['volumes', 'loadBalancers', 'firewallGroups'] as const) {
    const same = isDeepStrictEqual(after[part], before[part]);
    expect(same, `${part} before: ${JSON.stringify(before[part])}\n${part} after: ${JSON.stringify(after[part])}`);
  }
  scene.report.fact('no disk, no load balancer, no filter, no firewall rule: the cloud is as it was');
}
