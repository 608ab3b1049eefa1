import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { Cluster } from './cluster.ts';
import { Scenario } from './scenario.ts';
import { until } from './wait.ts';
import { claim, deployment, loadBalancer, webApp } from './workloads.ts';

/** Last of all: it takes the cluster to pieces. */
describe('the overlay simulator', () => {
  it('makes a cluster of one node its own cloud, with nothing played but kube-proxy', async () => {
    const cluster = await Cluster.get();
    for (const name of cluster.nodeNames()) if (name !== cluster.real.name) await cluster.leave(name);
    await mkdir(join(cluster.folder, 'overlay'));
    await cluster.bind('overlay', '/var/lib/nifcloud-simulator');
    await cluster.kubectl('delete', '-n', 'kube-system', 'poddisruptionbudget', '--all');
    await cluster.apply((await cluster.kubectl('kustomize', 'test/e2e/simulator')).stdout);
    for (const workload of ['deployment/nifcloud-simulator', ...cluster.workloads]) {
      await cluster.kubectl('rollout', 'status', '--namespace=kube-system', workload, '--timeout=120s');
    }
    await cluster.untilInstalled();

    const story = await Scenario.begin('own-cloud');
    await story.apply(claim('data'), deployment('app', 'data'), webApp('web', 1), loadBalancer('web'));
    const first = await story.readyPod('app');
    await story.kubectl('exec', first.metadata.name, '--', 'sh', '-c', 'echo hello > /data/notes');
    await story.kubectl('delete', 'pod', first.metadata.name, '--wait=false');
    const second = await story.readyPod('app', { fresh: [first] });
    expect((await story.kubectl('exec', second.metadata.name, '--', 'cat', '/data/notes')).stdout).to.equal('hello\n');
    expect(await story.answer(await story.vip('web'))).to.contain('web-');
    const { volumes, loadBalancers } = await cloud();
    expect([volumes.length, loadBalancers.length]).to.deep.equal([1, 1]);

    await story.end();
    await until('its cloud to be empty', async () => {
      const left = await cloud();
      return left.volumes.length + left.loadBalancers.length === 0;
    });
    await cluster.kubectl('delete', '-n', 'kube-system', 'deployment/nifcloud-simulator');
  });
});

async function cloud(): Promise<{ readonly volumes: readonly unknown[]; readonly loadBalancers: readonly unknown[] }> {
  const response = await fetch('http://127.0.0.1:8480/control/state');
  return (await response.json()) as Awaited<ReturnType<typeof cloud>>;
}
