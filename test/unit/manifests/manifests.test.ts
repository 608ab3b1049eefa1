import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { parse, parseAllDocuments } from 'yaml';
import { DRIVER_NAME } from '../../../csi/names.ts';
import { parseOptions } from '../../../csi/options.ts';
import { readOptions } from '../../../ccm/options.ts';
import packageJson from '../../../package.json' with { type: 'json' };

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

interface Container {
  readonly name: string;
  readonly image: string;
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value?: string; readonly valueFrom?: object }[];
  readonly securityContext?: Record<string, unknown>;
  readonly livenessProbe?: object;
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly resources?: { readonly requests?: Readonly<Record<string, string>> };
}

interface KubernetesObject {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly spec: {
    readonly selector: object;
    readonly template: {
      readonly spec: {
        readonly containers: readonly Container[];
        readonly initContainers?: readonly (Container & { readonly restartPolicy?: string })[];
        readonly priorityClassName?: string;
      };
    };
  };
}

async function objectsOf(file: string): Promise<readonly KubernetesObject[]> {
  const text = await readFile(join(ROOT, file), 'utf8');
  return parseAllDocuments(text).map((document) => {
    expect(document.errors, file).to.deep.equal([]);
    return document.toJS() as KubernetesObject;
  });
}

async function workload(file: string, kind: string, name: string): Promise<KubernetesObject['spec']> {
  const found = (await objectsOf(file)).find((one) => one.kind === kind && one.metadata.name === name);
  if (found === undefined) throw new Error(`${file} has no ${kind} ${name}`);
  return found.spec;
}

function containersOf({ template: { spec } }: KubernetesObject['spec']): readonly Container[] {
  return [...spec.containers, ...(spec.initContainers ?? [])];
}

const CCM = 'manifests/nifcloud-cloud-controller-manager.yaml';
const CSI = 'manifests/nifcloud-additional-storage-csi-driver.yaml';

const ccm = (): Promise<KubernetesObject['spec']> => workload(CCM, 'DaemonSet', 'nifcloud-cloud-controller-manager');
const controller = (): Promise<KubernetesObject['spec']> =>
  workload(CSI, 'Deployment', 'nifcloud-additional-storage-csi-controller');
const node = (): Promise<KubernetesObject['spec']> =>
  workload(CSI, 'DaemonSet', 'nifcloud-additional-storage-csi-node');

describe('manifests', () => {
  it('take the place of the charts of the Go programs: selectors cannot be changed', async () => {
    expect((await ccm()).selector).to.deep.equal({
      matchLabels: {
        'app.kubernetes.io/name': 'nifcloud-cloud-controller-manager',
        'app.kubernetes.io/instance': 'nifcloud-cloud-controller-manager',
      },
    });
    expect((await controller()).selector).to.deep.equal({
      matchLabels: { app: 'nifcloud-additional-storage-csi-controller' },
    });
    expect((await node()).selector).to.deep.equal({ matchLabels: { app: 'nifcloud-additional-storage-csi-node' } });
    const driver = (await objectsOf(CSI)).find(({ kind }) => kind === 'CSIDriver');
    expect(driver).to.deep.include({ metadata: { name: DRIVER_NAME } });
    expect(driver?.spec).to.include({ attachRequired: true, podInfoOnMount: false });
  });

  it('start the programs with flags that they know', async () => {
    const [own] = (await ccm()).template.spec.containers;
    const environment = { NIFCLOUD_REGION: 'jp-east-1', NIFCLOUD_ACCESS_KEY_ID: 'a', NIFCLOUD_SECRET_ACCESS_KEY: 'b' };
    expect(readOptions(own?.args ?? [], environment, '1')).to.have.property('region', 'jp-east-1');
    for (const spec of [await controller(), await node()]) {
      const [driver] = spec.template.spec.containers;
      expect(parseOptions(driver?.args ?? [])).to.have.property('mode');
    }
  });

  it('give no worker a key of the cloud', async () => {
    const containers = containersOf(await node());
    const names = containers.flatMap(({ env = [] }) => env.map(({ name }) => name));
    expect(names.filter((name) => name.includes('KEY'))).to.deep.equal([]);
    expect(
      containers.flatMap(({ env = [] }) => env.filter(({ valueFrom }) => 'secretKeyRef' in (valueFrom ?? {}))),
    ).to.deep.equal([]);
  });

  it('end the registrar after the node server, which may still have volumes to unmount: kubelet forgets a driver without it', async () => {
    const { initContainers = [] } = (await node()).template.spec;
    expect(initContainers.map(({ name, restartPolicy }) => [name, restartPolicy])).to.deep.equal([
      ['node-driver-registrar', 'Always'],
    ]);
  });

  it('look whether the registrar still answers: its exec probe says yes whatever happens (v2.17)', async () => {
    const { containers, initContainers = [] } = (await node()).template.spec;
    const [registrar] = initContainers;
    const port = registrar?.args?.find((arg) => arg.startsWith('--http-endpoint='))?.replace(/^.*:/, '');
    expect(registrar?.ports).to.deep.equal([{ name: 'reg-healthz', containerPort: Number(port), protocol: 'TCP' }]);
    expect(registrar?.livenessProbe).to.deep.include({ httpGet: { path: '/healthz', port: 'reg-healthz' } });
    // All containers of a pod share its ports.
    const others = containers.flatMap(({ ports = [] }) => ports.map(({ containerPort }) => containerPort));
    expect(others).not.to.include(Number(port));
  });

  it('pin every image, ours to this version', async () => {
    for (const spec of [await ccm(), await controller(), await node()]) {
      for (const { image } of containersOf(spec)) {
        expect(image).to.match(/^[a-z0-9./-]+:v\d+\.\d+\.\d+$/);
        if (image.includes('nifcloud')) expect(image).to.match(new RegExp(`:v${packageJson.version}$`));
      }
    }
    const chart = parse(await readFile(join(ROOT, 'helm/Chart.yaml'), 'utf8')) as Record<string, string>;
    expect(chart).to.include({ version: packageJson.version, appVersion: `v${packageJson.version}` });
  });

  it('leave every container with as little as it needs', async () => {
    for (const spec of [await ccm(), await controller(), await node()]) {
      expect(spec.template.spec.priorityClassName).to.match(/^system-/);
      for (const { name, securityContext = {}, resources } of containersOf(spec)) {
        expect(securityContext['readOnlyRootFilesystem'], name).to.equal(true);
        expect(Object.keys(resources?.requests ?? {}), name).to.have.members(['cpu', 'memory']);
        if (name === 'node-plugin') continue; // mounts and SCSI devices
        expect(securityContext, name).to.deep.include({
          allowPrivilegeEscalation: false,
          capabilities: { drop: ['ALL'] },
        });
      }
    }
  });

  it('are YAML throughout, also the examples and the sources', async () => {
    for (const folder of ['manifests', 'kustomize', 'demo/manifests']) {
      const files = await readdir(join(ROOT, folder), { recursive: true });
      const yaml = files.filter((file) => file.endsWith('.yaml'));
      expect(yaml).not.to.deep.equal([]);
      for (const file of yaml) await objectsOf(join(folder, file));
    }
  });
});
