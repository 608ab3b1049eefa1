import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { goProgram, isThere } from '../go-programs.ts';

/** What a cluster is made of, each with its module here (`go/`), its package, and the variable that holds its version. */
const COMPONENTS = {
  etcd: { module: 'etcd', path: 'go.etcd.io/etcd/server/v3' },
  'kube-apiserver': kubernetes('kube-apiserver'),
  'kube-controller-manager': kubernetes('kube-controller-manager'),
  'kube-scheduler': kubernetes('kube-scheduler'),
  kubelet: kubernetes('kubelet'),
  kubectl: kubernetes('kubectl'),
  'csi-provisioner': sidecar('external-provisioner/v6', 'csi-provisioner'),
  'csi-attacher': sidecar('external-attacher/v4', 'csi-attacher'),
  'csi-resizer': sidecar('external-resizer/v2', 'csi-resizer'),
  helm: { module: 'helm', path: 'helm.sh/helm/v3/cmd/helm' },
} as const;

type Component = keyof typeof COMPONENTS;

/** Where each component is. */
export type Programs = Readonly<Record<Component, string>>;

interface Source {
  readonly module: string;
  readonly path: string;
  /** Whose version it is, and the variables that get it. */
  readonly versionOf?: string;
  readonly versionIn?: readonly string[];
}

function kubernetes(name: string): Source {
  return {
    module: 'kubernetes',
    path: `k8s.io/kubernetes/cmd/${name}`,
    versionOf: 'k8s.io/kubernetes',
    // Without it they call themselves v0.0.0-master, and refuse to work with each other.
    versionIn: ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'],
  };
}

function sidecar(repository: string, name: string): Source {
  const module = `github.com/kubernetes-csi/${repository}`;
  return { module: 'csi', path: `${module}/cmd/${name}`, versionOf: module, versionIn: ['main'] };
}

/**
 * The components of the versions that the modules in `go/` pin: those in the folder `KUBEBUILDER_ASSETS`, all others from the user's cache
 * folder, where they are built once (a quarter of an hour in all on two cores).
 * @param say gets a line about each one that has to be built
 */
export async function components(say: (line: string) => void): Promise<Programs> {
  const found: [Component, string][] = [];
  // One after the other: a build takes all cores.
  for (const name of Object.keys(COMPONENTS) as readonly Component[]) found.push([name, await component(name, say)]);
  return Object.fromEntries(found) as Programs;
}

async function component(name: Component, say: (line: string) => void): Promise<string> {
  const { KUBEBUILDER_ASSETS: assets = '' } = process.env;
  const given = join(assets, name);
  if (assets !== '' && (await isThere(given))) return given;
  const source: Source = COMPONENTS[name];
  const module = fileURLToPath(new URL(`go/${source.module}`, import.meta.url));
  const started = performance.now();
  const building = setTimeout(() => say(`building ${name}, once`), 2_000);
  try {
    return await goProgram({ name, module, path: source.path, variables: await versionVariables(source, module) });
  } finally {
    clearTimeout(building);
    const seconds = Math.round((performance.now() - started) / 1_000);
    if (seconds >= 2) say(`built ${name} in ${seconds} s`);
  }
}

async function versionVariables(source: Source, module: string): Promise<Readonly<Record<string, string>>> {
  if (source.versionOf === undefined) return {};
  const lines = (await readFile(join(module, 'go.mod'), 'utf8')).split('\n').map((line) => line.trim().split(' '));
  const version = lines.find(([name]) => name === source.versionOf)?.[1] ?? '';
  return Object.fromEntries(
    (source.versionIn ?? []).flatMap((where) =>
      where === 'main'
        ? [['main.version', version]]
        : [
            [`${where}.gitVersion`, version],
            [`${where}.gitMajor`, '1'],
            [`${where}.gitMinor`, version.split('.')[1] ?? ''],
            [`${where}.gitTreeState`, 'clean'],
          ],
    ),
  );
}
