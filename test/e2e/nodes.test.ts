import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import type { VolumeAttachment } from '../../kube/types.ts';
import { Cluster } from './cluster.ts';
import { DRIVER } from './names.ts';
import { isReady, type Pod } from './objects.ts';
import { Scenario } from './scenario.ts';
import { until } from './wait.ts';
import { claim, deployment, inZone, loadBalancer, onNode, webApp } from './workloads.ts';

describe('nodes', () => {
  let cluster: Cluster;
  let story: Scenario;
  before(async () => (cluster = await Cluster.get()));
  afterEach(() => story.end());

  it('are drained in keeping with PodDisruptionBudgets; a pod whose disk is in a zone without another node waits', async () => {
    story = await Scenario.begin('drained');
    const budget = {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'web' },
      spec: { maxUnavailable: 1, selector: { matchLabels: { app: 'web' } } },
    };
    await story.apply(
      webApp('web', 2, inZone('east-11')),
      budget,
      loadBalancer('web'),
      claim('data'),
      deployment('alone', 'data', inZone('east-12')),
    );
    const vip = await story.vip('web');
    await story.ready('web', 2);
    await story.answer(vip);
    const lonely = await story.readyPod('alone');
    await story.write(lonely, 'data', 'before the drain');

    for (const node of ['node02', String(lonely.spec.nodeName)]) {
      const draining = cluster.kubectl(
        'drain',
        node,
        '--ignore-daemonsets',
        '--delete-emptydir-data',
        '--timeout=120s',
      );
      const served = untilSettled(draining, () => story.answer(vip));
      await draining;
      expect(await served, 'times without a pod that serves').to.equal(0);
    }
    await until('the disk to be free', async () => (await story.disk('data'))?.attachment === null);
    const [waiting] = await story.pods('alone');
    expect(waiting?.status?.phase).to.equal('Pending');

    await cluster.kubectl('uncordon', 'node02', String(lonely.spec.nodeName));
    expect(await story.read(await story.readyPod('alone'), 'data')).to.equal('before the drain\n');
  });

  it('keep their node server while they are drained, until the last volume is unmounted; not for an update', async () => {
    story = await Scenario.begin('stopping');
    const node = cluster.real.name;
    await story.apply(claim('data'), deployment('app', 'data', onNode(node)));
    await story.readyPod('app');
    const update = performance.now();
    await cluster.kubectl('delete', 'pod', '--namespace=kube-system', (await nodeServer(node)).metadata.name);
    expect(performance.now() - update, 'on a node that stays').to.be.below(30_000);
    await until('its successor', async () => isReady(await nodeServer(node)));

    await cluster.kubectl('cordon', node);
    const old = await nodeServer(node);
    const deleted = performance.now();
    await cluster.kubectl('delete', 'pod', '--namespace=kube-system', old.metadata.name, '--wait=false');
    await pause(6_000);
    expect((await nodeServer(node)).metadata.uid, 'while a volume is there').to.equal(old.metadata.uid);
    await story.kubectl('delete', 'deployment', 'app');
    await until('all to be unmounted and detached', async () => {
      const attachments = await cluster.list<VolumeAttachment>('/apis/storage.k8s.io/v1/volumeattachments');
      return attachments.every(({ spec }) => spec.attacher !== DRIVER || spec.nodeName !== node);
    });
    await until('the node server to end', async () => (await nodeServer(node)).metadata.uid !== old.metadata.uid);
    expect(performance.now() - deleted, 'not only when its grace period is over').to.be.below(60_000);
    await cluster.kubectl('uncordon', node);
    await until('the next one', async () => isReady(await nodeServer(node)));
  });

  it('are replaced one by one: the old one is drained and terminated when the new one is in service', async () => {
    story = await Scenario.begin('replaced');
    await story.apply(claim('data'), deployment('app', 'data', inZone('east-12')));
    await story.apply(webApp('web', 1, inZone('east-12')), loadBalancer('web'));
    const first = await story.readyPod('app');
    const old = String(first.spec.nodeName);
    await story.write(first, 'data', 'kept');
    const vip = await story.vip('web');

    await cluster.join('node06');
    await cluster.untilInstalled();
    await until('the load balancer to have it', () => Promise.resolve(targets().includes('node06')));
    await cluster.kubectl('drain', old, '--ignore-daemonsets', '--delete-emptydir-data', '--timeout=120s');
    const second = await story.readyPod('app', { fresh: [first] });
    expect(second.spec.nodeName).to.equal('node06');
    expect(await story.read(second, 'data')).to.equal('kept\n');
    await cluster.terminate(old);
    await until('its Node to be deleted', async () => (await cluster.node(old)) === undefined, 180_000);
    await until('the load balancer to have forgotten it', () => Promise.resolve(!targets().includes(old)));
    expect(await story.answer(vip)).to.contain('web-');
  });

  it('that lose their power are marked; once declared out of service their pods go elsewhere, and they may come back', async () => {
    story = await Scenario.begin('powerless');
    await cluster.kubectl('cordon', cluster.real.name);
    await story.apply(claim('data'), deployment('app', 'data', inZone('east-11')));
    const first = await story.readyPod('app');
    await story.write(first, 'data', 'synced');
    await story.sync(first, 'data');
    await cluster.kubectl('uncordon', cluster.real.name);
    const lost = String(first.spec.nodeName);
    await cluster.powerOff(lost);
    await until('the mark', () => hasTaint(lost, 'node.cloudprovider.kubernetes.io/shutdown'), 120_000);
    await cluster.kubectl('taint', 'node', lost, 'node.kubernetes.io/out-of-service=nodeshutdown:NoExecute');
    const second = await story.readyPod('app', { fresh: [first], patienceMs: 120_000 });
    expect(second.spec.nodeName).to.equal(cluster.real.name);
    expect(await story.read(second, 'data')).to.equal('synced\n');

    await cluster.kubectl('taint', 'node', lost, 'node.kubernetes.io/out-of-service-');
    await cluster.powerOn(lost);
    await until(
      'the mark to be gone',
      async () => !(await hasTaint(lost, 'node.cloudprovider.kubernetes.io/shutdown')),
    );
    await cluster.untilInstalled();
  });

  async function hasTaint(name: string, key: string): Promise<boolean> {
    return (await cluster.node(name))?.spec?.taints?.some((taint) => taint.key === key) ?? false;
  }

  function targets(): readonly string[] {
    const { loadBalancers } = cluster.cloud.state();
    return loadBalancers.flatMap(({ ports }) =>
      ports.flatMap((port) => port.targets.map(({ serverName }) => serverName)),
    );
  }

  /** The newest pod of the node server there. */
  async function nodeServer(name: string): Promise<Pod> {
    const pods = (await cluster.list<Pod>('/api/v1/namespaces/kube-system/pods')).filter(
      ({ metadata, spec }) =>
        spec.nodeName === name && metadata.name.startsWith('nifcloud-additional-storage-csi-node-'),
    );
    const [newest] = pods.sort((one, other) => bornAtMs(other) - bornAtMs(one));
    if (newest === undefined) throw new Error(`no node server on ${name}`);
    return newest;
  }
});

function bornAtMs({ metadata }: Pod): number {
  return Date.parse(metadata.creationTimestamp ?? '');
}

/** How often something failed while a command ran. */
async function untilSettled(command: Promise<unknown>, attempt: () => Promise<unknown>): Promise<number> {
  const over = command.then(
    () => true,
    () => true,
  );
  let failures = 0;
  while (!(await Promise.race([over, pause(100, false)]))) await attempt().catch(() => (failures += 1));
  return failures;
}
