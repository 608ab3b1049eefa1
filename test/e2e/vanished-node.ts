import { expect } from 'chai';
import { Cluster } from './cluster.ts';
import { DRIVER } from './names.ts';
import { Scenario } from './scenario.ts';
import { until } from './wait.ts';
import { claim, deployment, inZone } from './workloads.ts';

let story: Scenario;

/** The first half; the second one is the end of the run, since Kubernetes takes its time. */
export function vanishes(): void {
  it('is deleted, and another one that joins in its place has the start-up taint until it can take volumes', async () => {
    const cluster = await Cluster.get();
    story = await Scenario.begin('vanishing');
    story.last();
    await story.apply(claim('data'), deployment('app', 'data', inZone('east-13')));
    const pod = await story.readyPod('app');
    await story.write(pod, 'data', 'synced');
    await story.sync(pod, 'data');
    const lost = String(pod.spec.nodeName);
    await cluster.join('node05');
    expect((await cluster.node('node05'))?.spec?.taints?.map(({ key }) => key)).to.include(`${DRIVER}/agent-not-ready`);
    await cluster.untilInstalled();
    await cluster.terminate(lost);
    await until('its Node to be deleted', async () => (await cluster.node(lost)) === undefined, 180_000);
  });
}

export function leavesItsDisks(): void {
  it('leaves its disks to pods on others, after the six minutes that Kubernetes waits', async () => {
    const pod = await story.readyPod('app', { patienceMs: 420_000 });
    expect(pod.spec.nodeName).to.equal('node05');
    expect(await story.read(pod, 'data')).to.equal('synced\n');
    await story.end();
  }).timeout(480_000);
}
