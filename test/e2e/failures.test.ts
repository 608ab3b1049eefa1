import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'chai';
import { Cluster } from './cluster.ts';
import type { Pod } from './objects.ts';
import { Scenario } from './scenario.ts';
import { until } from './wait.ts';
import { claim, deployment, inZone, loadBalancer, webApp } from './workloads.ts';

const LEASE = '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/cloud-controller-manager';
const ELASTIC = { 'service.beta.kubernetes.io/nifcloud-load-balancer-type': 'elb' };

describe('in the middle of work', () => {
  let cluster: Cluster;
  let story: Scenario;
  before(async () => (cluster = await Cluster.get()));
  afterEach(() => story.end());

  it('a leader of the cloud-controller-manager dies: the other one finishes the load balancer, and there is one', async () => {
    story = await Scenario.begin('leaderless');
    const held = cluster.cloud.faults.add({
      kind: 'slow-transition',
      action: 'NiftyCreateElasticLoadBalancer',
      count: 1,
    });
    const mark = cluster.cloud.mark();
    await story.apply(webApp('web', 1), loadBalancer('web', ELASTIC));
    await until('the load balancer to be begun', () =>
      Promise.resolve(calls(mark).includes('NiftyCreateElasticLoadBalancer')),
    );
    const dead = await holder();
    await cluster.killContainer(await leaderPod(dead), 'nifcloud-cloud-controller-manager');
    cluster.cloud.faults.remove(held);
    await until('another leader', async () => ![dead, ''].includes(await holder()));
    const vip = await story.vip('web');
    await story.readyPod('web');
    expect(await story.answer(vip)).to.contain('web-');
    expect(cluster.cloud.state().elasticLoadBalancers.map((one) => one.vip)).to.deep.equal([vip]);
    expect(calls(mark).filter((action) => action === 'NiftyCreateElasticLoadBalancer')).to.have.length(1);
  });

  it('the API server goes away and comes back: a disk and a load balancer are made all the same, each once', async () => {
    story = await Scenario.begin('restarted');
    const mark = cluster.cloud.mark();
    await story.apply(claim('data'), deployment('app', 'data', inZone('east-12')));
    await story.apply(webApp('web', 1), loadBalancer('web'));
    await until('the disk to be begun', () => Promise.resolve(calls(mark).includes('CreateVolume')));
    // One that has just started refuses what it will allow once it has read the roles.
    cluster.beginForeignRights();
    await cluster.controlPlane.killApiServer();
    await pause(5_000);
    await cluster.controlPlane.startApiServer();
    await pause(1_000);
    cluster.endForeignRights();
    const vip = await story.vip('web');
    await story.readyPod('app', { patienceMs: 150_000 });
    expect(await story.answer(vip)).to.contain('web-');
    const made = calls(mark).filter((action) => action === 'CreateVolume' || action === 'CreateLoadBalancer');
    expect(made.sort()).to.deep.equal(['CreateLoadBalancer', 'CreateVolume']);
    await cluster.untilInstalled();
  });

  it('all controllers of the CSI driver die: started again they go on with the disk that was begun, and there is one', async () => {
    story = await Scenario.begin('half-made');
    const held = cluster.cloud.faults.add({ kind: 'slow-transition', action: 'CreateVolume', count: 1 });
    const mark = cluster.cloud.mark();
    await story.apply(claim('data'), deployment('app', 'data', inZone('east-11')));
    await until('the disk to be begun', () => Promise.resolve(calls(mark).includes('CreateVolume')));
    const replicas = await podsOf('nifcloud-additional-storage-csi-controller-');
    for (const pod of replicas) await cluster.killContainer(pod, 'controller');
    cluster.cloud.faults.remove(held);
    await story.readyPod('app', { patienceMs: 150_000 });
    expect(calls(mark).filter((action) => action === 'CreateVolume')).to.have.length(1);
    expect((await story.disk('data'))?.attachment?.status).to.equal('attached');
  });

  function calls(mark: number): string[] {
    return cluster.cloud.calls(mark).map(({ action }) => action);
  }

  async function holder(): Promise<string> {
    const { spec } = await cluster.controlPlane.get<{ spec: { holderIdentity?: string } }>(LEASE);
    return spec.holderIdentity ?? '';
  }

  async function podsOf(prefix: string): Promise<readonly Pod[]> {
    const pods = await cluster.list<Pod>('/api/v1/namespaces/kube-system/pods');
    return pods.filter(({ metadata }) => metadata.name.startsWith(prefix));
  }

  /** By its log: all share the name of this machine. */
  async function leaderPod(identity: string): Promise<Pod> {
    for (const pod of await podsOf('nifcloud-cloud-controller-manager-')) {
      const log = await cluster.logOf(pod, 'nifcloud-cloud-controller-manager');
      if (log.includes(`"Holds the lease"`) && log.includes(identity)) return pod;
    }
    throw new Error(`no pod is ${identity}`);
  }
});
