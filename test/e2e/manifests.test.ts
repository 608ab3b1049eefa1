import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { parseAllDocuments } from 'yaml';
import { Cluster, ROOT } from './cluster.ts';

const run = promisify(execFile);

const OVERLAYS = ['dev', 'single-replica', 'high-availability', 'simulator'];
const FILES = [
  'manifests/nifcloud-cloud-controller-manager.yaml',
  'manifests/nifcloud-additional-storage-csi-driver.yaml',
  'manifests/secret.yaml',
  'manifests/storage-classes.yaml',
  'manifests/examples',
];

interface Named {
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

describe('manifests', () => {
  let cluster: Cluster;
  before(async () => (cluster = await Cluster.get()));

  it('are those that kustomize/ renders', async () => {
    const env = { ...process.env, KUBECTL: cluster.programs.kubectl };
    await run(process.execPath, ['scripts/manifests.ts', '--check'], { cwd: ROOT, env });
  });

  for (const file of FILES) {
    it(`${file} is taken by the API server, field by field`, async () => {
      await cluster.kubectl('apply', '--dry-run=server', '--validate=strict', '-f', file);
    });
  }

  for (const overlay of OVERLAYS) {
    it(`the overlay ${overlay} is taken by the API server, field by field`, async () => {
      await cluster.kubectl('apply', '--dry-run=server', '--validate=strict', '-k', `kustomize/overlays/${overlay}`);
    });
  }

  it('let a node server change no Node but its own, and there nothing but the start-up taint', async () => {
    const nodeServer = '--as=system:serviceaccount:kube-system:nifcloud-additional-storage-csi-node-sa';
    const refusal = async (change: object, node: string, ...who: readonly string[]): Promise<string | undefined> => {
      const patch = ['patch', 'node', node, '--type=merge', '--patch', JSON.stringify(change), '--dry-run=server'];
      return await cluster.kubectl(...patch, nodeServer, ...who).then(
        () => undefined,
        ({ stderr }: { readonly stderr: string }) => stderr,
      );
    };
    const [own = '', other = ''] = cluster.nodeNames();
    const ofOwn = `--as-user-extra=authentication.kubernetes.io/node-name=${own}`;
    const untainted = { spec: { taints: null } };
    const another = 'a node server may not change another Node than the one that it runs on';
    expect(await refusal(untainted, own, ofOwn)).to.equal(undefined);
    expect(await refusal(untainted, other, ofOwn)).to.contain(another);
    expect(await refusal(untainted, own)).to.contain(another);
    const more = 'a node server may take the start-up taint off its Node, and change nothing else';
    const taint = { key: 'example.com/mine', effect: 'NoSchedule' };
    for (const change of [
      { spec: { taints: [taint] } },
      { spec: { unschedulable: true } },
      { metadata: { labels: { a: 'b' } } },
      { metadata: { annotations: { a: 'b' } } },
      // A Node whose owner is not there is collected as garbage.
      { metadata: { ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'none', uid: randomUUID() }] } },
      { metadata: { finalizers: ['example.com/mine'] } },
      { spec: { podCIDRs: ['10.9.0.0/24'] } },
    ]) {
      expect(await refusal(change, own, ofOwn), JSON.stringify(change)).to.contain(more);
    }
  });

  describe('of the Helm chart', () => {
    it('are by default those of the overlay high-availability', async () => {
      const overlay = await cluster.kubectl('kustomize', 'kustomize/overlays/high-availability');
      expect(sorted(await template(cluster.programs.helm))).to.deep.equal(sorted(overlay.stdout));
    });

    it('give the node server the right to take the start-up taint off, where that is wanted', async () => {
      const { stdout } = await cluster.kubectl('kustomize', 'kustomize/components/startup-taint');
      const more = sorted(await template(cluster.programs.helm, '--set=csi.node.startupTaint=true')).filter(
        ({ metadata }) => metadata.name.includes('startup-taint'),
      );
      expect(more).to.deep.equal(sorted(stdout));
    });

    it('are taken by the API server with every value set, field by field', async () => {
      const rendered = await template(
        cluster.programs.helm,
        '--set=csi.node.startupTaint=true,csi.controller.replicas=1,ccm.image=example.com/ccm:v1,csi.image=example.com/csi:v1',
        '--set-json=ccm.args=["--v=2"]',
        '--set-json=csi.node.env=[{"name":"NIFCLOUD_ZONE","value":"east-11"}]',
        '--set-json=storageClasses=[{"name":"fast","parameters":{"type":"high-speed-flash"},"allowVolumeExpansion":true}]',
      );
      await cluster.apply(rendered, '--dry-run=server', '--validate=strict');
      const objects = sorted(rendered) as readonly (Named & { readonly spec: unknown })[];
      expect(JSON.stringify(objects))
        .to.contain('example.com/ccm:v1')
        .and.to.contain('example.com/csi:v1')
        .and.to.contain('"--v=2"');
      expect(objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).to.include('StorageClass fast');
    });

    for (const [what, value, said] of [
      ['no region', '--set=nifcloud.region=', '/nifcloud/region'],
      ['a region that is none', '--set=nifcloud.region=tokyo', '/nifcloud/region'],
      ['a key that the chart does not know', '--set=csi.controller.replica=3', "'replica' not allowed"],
      ['replicas that are no number', '--set-string=csi.controller.replicas=many', '/csi/controller/replicas'],
      ['a switch that is no boolean', '--set-string=csi.node.startupTaint=maybe', '/csi/node/startupTaint'],
    ] as const) {
      it(`refuse ${what}`, async () => {
        const error = await template(cluster.programs.helm, value).then(
          () => undefined,
          ({ stderr }: { readonly stderr: string }) => stderr,
        );
        expect(error).to.contain(said);
      });
    }
  });
});

function sorted(text: string): readonly Named[] {
  const objects = parseAllDocuments(text)
    .map((document) => document.toJS() as Named | null)
    .filter((object) => object !== null);
  const key = ({ kind, metadata }: Named): string => `${kind} ${metadata.name}`;
  return objects.sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

async function template(helm: string, ...values: readonly string[]): Promise<string> {
  const args = [
    'template',
    'nifcloud',
    'helm',
    '--namespace=kube-system',
    // It does not ask a cluster.
    '--kube-version=1.34.0',
    '--set=nifcloud.region=jp-east-1',
    ...values,
  ];
  return (await run(helm, args, { cwd: ROOT, maxBuffer: 2 ** 24 })).stdout;
}
