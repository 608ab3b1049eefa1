import { expect } from 'chai';
import { parseAllDocuments } from 'yaml';
import type { KubeObject } from '../../kube/types.ts';
import { Cluster } from './cluster.ts';
import { Scenario } from './scenario.ts';
import { until } from './wait.ts';
import { claim, deployment, inZone, loadBalancer, onNode, webApp } from './workloads.ts';

describe('take-over from the Go programs', () => {
  let cluster: Cluster;
  let story: Scenario;
  before(async () => (cluster = await Cluster.get()));
  afterEach(() => story.end());

  it('works as a change of images alone, and from their manifests to ours and back, while volumes and Services are in use', async () => {
    story = await Scenario.begin('taken-over');
    const real = cluster.real.name;
    await story.apply(claim('on-real'), deployment('on-real', 'on-real', onNode(real)));
    await story.apply(claim('on-played'), deployment('on-played', 'on-played', inZone('east-12')));
    await story.apply(webApp('web', 2), loadBalancer('web'));
    const vip = await story.vip('web');
    const users = [await story.readyPod('on-real'), await story.readyPod('on-played')];
    for (const pod of users) await story.write(pod, claimOf(pod), 'before');

    const [ours, theirs] = [await objectsOf('test/e2e/kustomize'), await objectsOf('test/e2e/go-programs')];
    cluster.beginForeignRights();
    await replace(ours, theirs);
    await Promise.all([lives('under-theirs'), keepsWhatWas('under their manifests')]);
    await replace(theirs, ours);
    cluster.endForeignRights();
    await Promise.all([lives('under-ours'), keepsWhatWas('under ours again')]);

    /** Volumes and addresses stay, and pods that start anew find their data. */
    async function keepsWhatWas(when: string): Promise<void> {
      expect((await story.service('web')).status?.loadBalancer?.ingress?.[0]?.ip, when).to.equal(vip);
      expect(await story.answer(vip), when).to.contain('web-');
      await Promise.all(['on-real', 'on-played'].map((app) => findsItsData(app, when)));
    }

    async function findsItsData(app: string, when: string): Promise<void> {
      const pod = await story.readyPod(app);
      await story.write(pod, app, when);
      await story.kubectl('delete', 'pod', pod.metadata.name, '--wait=false');
      const next = await story.readyPod(app, { fresh: [pod] });
      expect(await story.read(next, app)).to.match(new RegExp(`^before\n[^]*${when}\n$`));
    }
  });

  /** The whole life of a volume and of a load balancer. */
  async function lives(name: string): Promise<void> {
    const apps = [`${name}-real`, `${name}-played`] as const;
    await story.apply(claim(apps[0]), deployment(apps[0], apps[0], onNode(cluster.real.name)));
    await story.apply(claim(apps[1], { storageClass: 'xfs' }), deployment(apps[1], apps[1], inZone('east-13')));
    await story.apply(webApp(name, 1), loadBalancer(name));
    for (const app of apps) {
      const pod = await story.readyPod(app);
      await story.write(pod, app, 'there');
    }
    expect(await story.answer(await story.vip(name))).to.contain(name);
    const disks = await Promise.all(apps.map(async (app) => (await story.disk(app))?.id));
    await story.kubectl(
      'delete',
      ...[...apps, name].map((app) => `deployment/${app}`),
      ...apps.map((app) => `pvc/${app}`),
      `service/${name}`,
    );
    await until('its disks to be deleted', () =>
      Promise.resolve(cluster.cloud.state().volumes.every(({ id }) => !disks.includes(id))),
    );
  }

  /** As the migration guide says: what only the old ones have goes, the new ones are applied. */
  async function replace(old: readonly KubeObject[], next: readonly KubeObject[]): Promise<void> {
    const staying = new Set(next.map(identity));
    const going = old.filter((object) => !staying.has(identity(object)) && object.kind !== 'Secret');
    await cluster.apply(`${next.map((object) => JSON.stringify(object)).join('\n---\n')}\n`);
    if (going.length > 0) {
      const text = going.map((object) => JSON.stringify(object)).join('\n---\n');
      await cluster.kubectlWithInput(['delete', '-f', '-'], text);
    }
    for (const workload of cluster.workloads) {
      await cluster.kubectl('rollout', 'status', '--namespace=kube-system', workload, '--timeout=180s');
    }
    await cluster.untilInstalled();
  }

  async function objectsOf(folder: string): Promise<readonly KubeObject[]> {
    return parseAllDocuments(await cluster.rendered(folder)).map((document) => document.toJS() as KubeObject);
  }
});

function identity({ kind, metadata }: KubeObject): string {
  return `${kind} ${metadata.namespace ?? ''}/${metadata.name}`;
}

function claimOf({ metadata }: KubeObject): string {
  return metadata.labels?.['app'] ?? '';
}
