import { get } from 'node:https';
import { expect } from 'chai';
import type { Node } from '../../kube/types.ts';
import { isReady, type Pod } from './objects.ts';
import { nothingLeft, Scenario } from './scenario.ts';
import { until } from './wait.ts';

describe('a cluster, from the first node to the last deletion', () => {
  let story: Scenario;
  before(async () => (story = await Scenario.begin('default')));

  it('has nodes that the cloud-controller-manager has initialised', async () => {
    const nodes = await story.cluster.list<Node>('/api/v1/nodes');
    const { servers } = story.cluster.cloud.state();
    for (const { metadata, spec, status } of nodes) {
      const server = servers.find(({ name }) => name === metadata.name);
      expect(spec?.providerID).to.equal(`nifcloud:///${server?.zone}/${server?.uniqueId}`);
      expect(metadata.labels).to.include({
        'topology.kubernetes.io/region': 'jp-east-1',
        'topology.kubernetes.io/zone': server?.zone,
        'topology.additional-storage.csi.nifcloud.com/zone': server?.zone,
      });
      expect(spec?.taints ?? []).to.deep.equal([]);
      expect(status?.addresses).to.deep.include({ type: 'InternalIP', address: server?.privateAddress });
    }
  });

  it('serves a Service at the address of a load balancer', async () => {
    await story.cluster.apply('demo/manifests/loadbalancer.yaml');
    const vip = await story.vip('nginx');
    const pods = await story.ready('nginx', 3);
    const names = new Set<string>();
    await until('an answer of every pod', async () => names.add(await story.answer(vip)).size === pods.length);
    expect([...names]).to.have.members(pods.map(({ metadata }) => metadata.name));
    const [loadBalancer] = story.cluster.cloud.state().loadBalancers;
    expect(loadBalancer).to.include({ vip, accountingType: '2' });
    const targets = loadBalancer?.ports[0]?.targets.map(({ serverName }) => serverName) ?? [];
    expect(targets).to.have.members((await story.cluster.list('/api/v1/nodes')).map(({ metadata }) => metadata.name));
  });

  it("keeps a pod's data on a disk of the cloud, on the real node", async () => {
    const others = story.cluster.nodeNames().filter((name) => name !== story.cluster.real.name);
    await story.cluster.kubectl('cordon', ...others);
    await story.cluster.apply('demo/manifests/volume.yaml');
    const first = await story.readyPod('app');
    const written = await until('data', async () => (await look(first)) !== '' && (await look(first)));
    const disk = await story.disk('nifcloud-as-claim');
    expect(disk).to.deep.include({ sizeGB: 100, zone: 'east-11', status: 'in-use' });
    expect(disk?.attachment).to.include({ serverName: story.cluster.real.name, status: 'attached' });

    await story.kubectl('delete', 'pod', first.metadata.name, '--grace-period=1');
    const second = await story.readyPod('app', { fresh: [first] });
    expect(await look(second)).to.satisfy((text: string) => text.startsWith(written));
    await story.cluster.kubectl('uncordon', ...others);
  });

  it('has nothing left when all is deleted', async () => {
    const files = ['demo/manifests/loadbalancer.yaml', 'demo/manifests/volume.yaml'];
    await story.cluster.kubectl('delete', ...files.flatMap((file) => ['-f', file]));
    await nothingLeft(story.cluster);
  });

  it('shows metrics of the cloud-controller-manager to those who have a right to them', async () => {
    const name = 'scraper';
    await story.kubectl('create', 'serviceaccount', name);
    const token = (await story.kubectl('create', 'token', name)).stdout.trim();
    const metrics = async (): Promise<number | undefined> => await statusOf('https://10.250.0.11:10258/metrics', token);
    expect(await metrics(), 'without a right').to.equal(403);
    await story.kubectl('create', 'clusterrole', name, '--verb=get', '--non-resource-url=/metrics');
    await story.kubectl(
      'create',
      'clusterrolebinding',
      name,
      `--clusterrole=${name}`,
      `--serviceaccount=default:${name}`,
    );
    // An answer is kept for a while.
    await until('the metrics', async () => (await metrics()) === 200);
    await story.kubectl('delete', `clusterrole/${name}`, `clusterrolebinding/${name}`, `serviceaccount/${name}`);
  });

  it('has had no program that ended by itself, but for the registrar that waited for a zone', async () => {
    const pods = await story.cluster.list<Pod>('/api/v1/namespaces/kube-system/pods');
    expect(pods.filter((pod) => !isReady(pod)).map(({ metadata }) => metadata.name)).to.deep.equal([]);
    const restarted = pods.flatMap(({ metadata, status }) =>
      (status?.containerStatuses ?? [])
        .filter(({ name, restartCount }) => restartCount > 0 && name !== 'node-driver-registrar')
        .map(({ name }) => `${metadata.name}/${name}`),
    );
    expect(restarted).to.deep.equal([]);
    expect(story.cluster.restarts()).to.equal(0);
  });

  /** What the app has written: what kubectl exec shows. */
  async function look(pod: Pod): Promise<string> {
    return (await story.kubectl('exec', pod.metadata.name, '--', 'cat', '/data/out.txt')).stdout;
  }
});

async function statusOf(url: string, token: string): Promise<number | undefined> {
  return await new Promise((resolve, reject) => {
    const options = { rejectUnauthorized: false, headers: { authorization: `Bearer ${token}` } };
    get(url, options, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).on('error', reject);
  });
}
