import { DRIVER_NAME } from './names.ts';

/** What of a Node tells which volumes are attached to it. */
export interface UsingNode {
  readonly status?: { readonly volumesAttached?: readonly { readonly name: string }[] };
}

/** How the attach-detach controller names a volume: this, then the volume handle (k8s.io/kubernetes, `pkg/volume/csi`). */
const NAME_PREFIX = `kubernetes.io/csi/${DRIVER_NAME}^`;

/** The ids of the volumes of this driver that Kubernetes has attached to a node. */
export function attachedVolumes({ status }: UsingNode): ReadonlySet<string> {
  const ours = (status?.volumesAttached ?? []).filter(({ name }) => name.startsWith(NAME_PREFIX));
  return new Set(ours.map(({ name }) => name.slice(NAME_PREFIX.length)));
}
