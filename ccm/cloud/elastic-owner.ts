import type { Service } from '../../kube/types.ts';

/** Characters of a cluster's name that fit into a description of 500 besides a namespace and a name (docs/reference/nifcloud-api.md §5.1). */
const CLUSTER_LENGTH = 300;

/** The description of the listeners of a Service, `kubernetes:<cluster>/<namespace>/<name>`: a load balancer as a whole has none. */
export function ownerText(cluster: string, { metadata }: Service): string {
  return `${prefixOf(cluster)}${metadata.namespace ?? 'default'}/${metadata.name}`;
}

/** The description itself if it says whose a listener is; `undefined` for others, and for those of the Go program, which are empty. */
export function readOwner(description: string): string | undefined {
  return /^kubernetes:.*\/[^/]+\/[^/]+$/.test(description) ? description : undefined;
}

/** Whether what `readOwner` gives is a Service of this cluster, or of another one with the same name. */
export function isOfCluster(owner: string, cluster: string): boolean {
  const prefix = prefixOf(cluster);
  return owner.startsWith(prefix) && /^[^/]+\/[^/]+$/.test(owner.slice(prefix.length));
}

function prefixOf(cluster: string): string {
  return `kubernetes:${Array.from(cluster).slice(0, CLUSTER_LENGTH).join('')}/`;
}
