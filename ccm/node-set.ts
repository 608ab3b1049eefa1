import type { Informer } from '../kube/informer.ts';
import type { Node } from '../kube/types.ts';

/** A node with this label takes no traffic from load balancers, unless its value says "false". */
const EXCLUSION_LABEL = 'node.kubernetes.io/exclude-from-external-load-balancers';

/** Set on nodes that the cluster autoscaler is about to remove. */
const AUTOSCALER_TAINT = 'ToBeDeletedByClusterAutoscaler';

/** What Go's strconv.ParseBool reads as false. */
const GO_FALSE: readonly string[] = ['0', 'f', 'F', 'false', 'FALSE', 'False'];

/**
 * The nodes behind load balancers: the framework's stable node set (`docs/reference/ccm.md` A5). Nodes that are not ready,
 * cordoned or not yet initialised stay in it: whether a node serves is for the health check to say.
 */
export function nodeSet(nodes: readonly Node[]): readonly Node[] {
  return nodes.filter(
    (node) =>
      node.metadata.deletionTimestamp === undefined &&
      !isExcluded(node) &&
      !(node.spec?.taints?.some((taint) => taint.key === AUTOSCALER_TAINT) ?? false),
  );
}

/** Whether a change of a node is a reason to look at all load balancers. */
export function concernsLoadBalancers(before: Node, after: Node): boolean {
  return isExcluded(before) !== isExcluded(after) || before.spec?.providerID !== after.spec?.providerID;
}

/** The nodes behind load balancers at one moment. */
export interface NodeSet {
  readonly nodes: readonly Node[];
  /** Equal for sets that mean the same to a load balancer. */
  readonly fingerprint: string;
}

/** The present node set; the same object as long as no node changes, for as many Services as ask. */
export class PresentNodeSet {
  readonly #all: Pick<Informer<Node>, 'list'>;
  #present: NodeSet | undefined;

  constructor(nodes: Pick<Informer<Node>, 'list' | 'onChange'>) {
    this.#all = nodes;
    const forget = (): void => {
      this.#present = undefined;
    };
    nodes.onChange({ added: forget, updated: forget, deleted: forget });
  }

  get(): NodeSet {
    if (this.#present === undefined) {
      const nodes = nodeSet(this.#all.list());
      this.#present = { nodes, fingerprint: fingerprint(nodes) };
    }
    return this.#present;
  }
}

/** Equal for node sets that mean the same to a load balancer. */
export function fingerprint(nodes: readonly Node[]): string {
  const byName = nodes.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  return JSON.stringify(byName.map((node) => [node.metadata.name, node.spec?.providerID ?? '']));
}

function isExcluded(node: Node): boolean {
  const value = node.metadata.labels?.[EXCLUSION_LABEL];
  return value !== undefined && !GO_FALSE.includes(value);
}
