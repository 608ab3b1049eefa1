import { statfs } from 'node:fs/promises';
import { expect } from 'chai';
import { GO_DISK } from './cloud.ts';
import type { Pod } from './objects.ts';
import { Scenario } from './scenario.ts';
import { playedTogether } from './together.ts';
import { until } from './wait.ts';
import { claim, deployment, deploymentOf, inZone, onNode, podTemplate, type Selector } from './workloads.ts';

const GIB = 2 ** 30;

describe('volumes', () => {
  const scenario = playedTogether();

  scenario(
    'give each pod of a StatefulSet a disk in its own zone, and give it back after the pod was deleted',
    'stateful',
    async (story) => {
      await story.apply(statefulSet('db'));
      const pods = await story.ready('db', 3);
      const zones = new Set<string | undefined>();
      for (const pod of pods) {
        const claimName = `data-${pod.metadata.name}`;
        await story.write(pod, claimName, pod.metadata.name);
        const own = await story.disk(claimName);
        expect(own?.attachment?.serverName).to.equal(pod.spec.nodeName);
        zones.add(own?.zone);
      }
      expect([...zones]).to.have.members(['east-11', 'east-12', 'east-13']);

      await story.kubectl('delete', 'pods', '--selector=app=db', '--wait=false');
      const fresh = await story.ready('db', 3, { fresh: pods });
      for (const pod of fresh) {
        expect(await story.read(pod, `data-${pod.metadata.name}`)).to.equal(`${pod.metadata.name}\n`);
      }
    },
  );

  scenario(
    'move with their pod between two nodes of a zone, from the real one to a played one and back',
    'moving',
    async (story) => {
      await story.apply(claim('data'), deployment('app', 'data', inZone('east-11')));
      const first = await story.readyPod('app');
      await story.write(first, 'data', String(first.spec.nodeName));
      let pod = first;
      for (let moves = 0; moves < 2; moves++) {
        const from = pod.spec.nodeName ?? '';
        await story.cluster.kubectl('cordon', from);
        await story.kubectl('delete', 'pod', pod.metadata.name, '--wait=false');
        pod = await story.readyPod('app', { fresh: [pod] });
        await story.cluster.kubectl('uncordon', from);
        expect(pod.spec.nodeName).not.to.equal(from);
        await story.write(pod, 'data', String(pod.spec.nodeName));
      }
      expect(pod.spec.nodeName).to.equal(first.spec.nodeName);
      const way = (await story.read(pod, 'data')).trim().split('\n');
      expect(new Set(way)).to.have.all.keys('node01', 'node02');
      expect(way).to.have.length(3);
    },
  );

  scenario(
    'grow while a pod uses them (xfs: here the kernel refuses it for ext4), on the real node',
    'growing',
    async (story) => {
      await story.apply(
        claim('data', { storageClass: 'xfs' }),
        deployment('app', 'data', onNode(story.cluster.real.name)),
      );
      const pod = await story.readyPod('app');
      const bytes = async (): Promise<number> => {
        const { blocks, bsize } = await statfs(await story.folder(pod, 'data'));
        return blocks * bsize;
      };
      expect(await bytes()).to.be.within(98 * GIB, 100 * GIB);
      await story.kubectl('patch', 'pvc', 'data', '--patch', '{"spec":{"resources":{"requests":{"storage":"150Gi"}}}}');
      // Kubelet says what was asked for, not what there is.
      await until(
        'the claim to have grown',
        async () => (await story.claim('data')).status?.capacity?.storage === '150Gi',
      );
      expect(await bytes()).to.be.within(197 * GIB, 200 * GIB);
      expect(await story.disk('data')).to.include({ sizeGB: 200, status: 'in-use' });
      expect((await story.pods('app')).map(({ metadata }) => metadata.uid)).to.deep.equal([pod.metadata.uid]);
    },
  );

  scenario('are block devices where a claim asks for one, on the real node', 'raw', async (story) => {
    await story.apply(
      claim('raw', { volumeMode: 'Block' }),
      blockDeployment('app', 'raw', onNode(story.cluster.real.name)),
    );
    const first = await story.readyPod('app');
    const exec = async (pod: Pod, script: string): Promise<string> =>
      (await story.kubectl('exec', pod.metadata.name, '--', 'sh', '-c', script)).stdout;
    await exec(first, 'echo hello | dd of=/dev/xvda conv=fsync 2>/dev/null');
    expect(Number(await exec(first, 'blockdev --getsize64 /dev/xvda'))).to.equal(100 * GIB);
    await story.kubectl('delete', 'pod', first.metadata.name, '--wait=false');
    const second = await story.readyPod('app', { fresh: [first] });
    expect(await exec(second, 'dd if=/dev/xvda bs=512 count=1 2>/dev/null | head -c 5')).to.equal('hello');
  });

  scenario('change how they are billed with a VolumeAttributesClass', 'billed', async (story) => {
    await story.cluster.apply('manifests/examples/volume-attributes-class.yaml');
    await story.apply(claim('data'), deployment('app', 'data', inZone('east-12')));
    await story.readyPod('app');
    const billing = async (): Promise<string | undefined> => (await story.disk('data'))?.nextMonthAccountingType;
    expect(await billing()).to.equal('2');
    await story.kubectl('patch', 'pvc', 'data', '--patch', '{"spec":{"volumeAttributesClassName":"nifcloud-monthly"}}');
    await until('the claim to say so', async () => {
      const { status } = await story.claim('data');
      return status?.currentVolumeAttributesClassName === 'nifcloud-monthly';
    });
    expect(await billing()).to.equal('1');
  });

  scenario('stay when their class says Retain, and serve another claim', 'retained', async (story) => {
    await story.apply(claim('data', { storageClass: 'retained' }), deployment('app', 'data', inZone('east-13')));
    const pod = await story.readyPod('app');
    await story.write(pod, 'data', 'kept');
    const { metadata, spec } = await story.volume('data');
    await story.kubectl('delete', 'deployment/app', 'pvc/data');
    await until('the volume to be released', async () => {
      const released = await story.cluster.controlPlane.get<{ status: { phase: string } }>(
        `/api/v1/persistentvolumes/${metadata.name}`,
      );
      return released.status.phase === 'Released' && diskOf(story, spec.csi?.volumeHandle)?.attachment === null;
    });
    await story.cluster.kubectl('patch', 'pv', metadata.name, '--patch', '{"spec":{"claimRef":null}}');
    await story.apply(
      withVolume(claim('again', { storageClass: 'retained' }), metadata.name),
      deployment('app', 'again'),
    );
    expect(await story.read(await story.readyPod('app'), 'again')).to.equal('kept\n');

    // An operator who wants it gone says so.
    await story.cluster.kubectl(
      'patch',
      'pv',
      metadata.name,
      '--patch',
      '{"spec":{"persistentVolumeReclaimPolicy":"Delete"}}',
    );
  });

  scenario(
    'may be disks that the Go driver made: imported with what is on them, left alone at the end',
    'imported',
    async (story) => {
      await story.cluster.apply('manifests/examples/existing-disk.yaml', '--namespace', story.namespace);
      for (const node of ['node01', 'node02']) {
        await story.apply(deployment('app', 'existing', onNode(node)));
        const pod = await until('the pod to be there', async () => {
          const [found] = await story.ready('app');
          return found?.spec.nodeName === node && found;
        });
        expect(await story.read(pod, 'existing')).to.equal('written under the Go driver\n');
        expect(diskOf(story, GO_DISK)?.attachment?.serverName).to.equal(node);
      }
      await story.kubectl('delete', 'deployment/app', 'pvc/existing');
      await story.cluster.kubectl('delete', 'pv', 'existing');
      await until('the disk to be free', () => Promise.resolve(diskOf(story, GO_DISK)?.attachment === null));
    },
  );

  it('go with the namespace that they, their pods and a Service are in', async () => {
    const story = await Scenario.begin('doomed');
    await story.apply(
      ...['east-11', 'east-12', 'east-13'].flatMap((zone) => [
        claim(zone),
        deployment(zone, zone, inZone(zone)),
        {
          apiVersion: 'v1',
          kind: 'Service',
          metadata: { name: zone },
          spec: { type: 'LoadBalancer', selector: { app: zone }, ports: [{ port: 80 }] },
        },
      ]),
    );
    for (const zone of ['east-11', 'east-12', 'east-13']) {
      await story.readyPod(zone);
      await story.vip(zone);
    }
    expect(story.cluster.cloud.state().loadBalancers).to.have.length(3);
    await story.end();
  });
});

function statefulSet(app: string): object {
  const spread = {
    maxSkew: 1,
    topologyKey: 'topology.kubernetes.io/zone',
    whenUnsatisfiable: 'DoNotSchedule',
    labelSelector: { matchLabels: { app } },
  };
  const { metadata, spec } = podTemplate(app, 'data');
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: app },
    spec: {
      serviceName: app,
      replicas: 3,
      podManagementPolicy: 'Parallel',
      selector: { matchLabels: { app } },
      template: { metadata, spec: { ...spec, volumes: [], topologySpreadConstraints: [spread] } },
      volumeClaimTemplates: [claim('data')],
    },
  };
}

function blockDeployment(app: string, claimName: string, nodeSelector: Selector): object {
  const template = podTemplate(app, claimName, nodeSelector);
  const [container] = template.spec.containers;
  const containers = [{ ...container, volumeMounts: [], volumeDevices: [{ name: 'data', devicePath: '/dev/xvda' }] }];
  return deploymentOf(app, { ...template, spec: { ...template.spec, containers } });
}

function withVolume(object: object, volumeName: string): object {
  const { spec } = object as { spec: object };
  return { ...object, spec: { ...spec, volumeName } };
}

function diskOf({ cluster }: Scenario, id: string | undefined) {
  return cluster.cloud.state().volumes.find((one) => one.id === id);
}
