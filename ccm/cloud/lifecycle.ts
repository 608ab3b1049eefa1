import type { Node, Taint } from '../../kube/types.ts';
import type { Server } from '../../nifcloud/servers.ts';
import { ownUniqueId } from './nodes.ts';

/** On nodes whose server is switched off, with effect NoSchedule (`docs/reference/ccm.md` A4). */
const SHUTDOWN_TAINT = 'node.cloudprovider.kubernetes.io/shutdown';

/** The only state of a server that counts as shut down (`docs/reference/nifcloud-api.md` §2.3). */
const SHUT_DOWN = 'stopped';

/** More than this share of the nodes never vanishes at once; a listing that says so is not believed. One node may always. Our choice. */
const BELIEVED_SHARE = 0.1;

/** Whether the kubelet says that it is well. A node without that word is not. */
export function isReady(node: Node): boolean {
  return node.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
}

/** What a full listing says about the nodes that are not ready. */
export interface Survey {
  readonly found: readonly { readonly node: Node; readonly server: Server }[];
  /** They have a provider id of ours, which the listing does not hold, and are not being deleted already. */
  readonly missing: readonly Node[];
  /** Why the listing is not believed about what is missing; `undefined` = it is. */
  readonly doubt: string | undefined;
}

/**
 * Compares all nodes with a full listing. Ready nodes are asked nothing, but the listing is judged by them too. Nodes with another
 * provider's id, and those without any that have no server of their name, are in neither list: nothing is known about them.
 */
export function survey(nodes: readonly Node[], servers: readonly Server[]): Survey {
  const byName = new Map(servers.map((server) => [server.name, server]));
  const byUniqueId = new Map(servers.map((server) => [server.uniqueId, server]));
  const found: { node: Node; server: Server }[] = [];
  const missing: Node[] = [];
  let ours = 0;
  for (const node of nodes) {
    const uniqueId = ownUniqueId(node);
    const hasNoId = (node.spec?.providerID ?? '') === '';
    const server = uniqueId === undefined ? hasNoId && byName.get(node.metadata.name) : byUniqueId.get(uniqueId);
    if (server) found.push({ node, server });
    if (uniqueId === undefined || node.metadata.deletionTimestamp !== undefined) continue;
    ours += 1;
    if (!server) missing.push(node);
  }
  return {
    found: found.filter(({ node }) => !isReady(node)),
    missing: missing.filter((node) => !isReady(node)),
    doubt: doubtOf(missing.length, ours),
  };
}

/** Whether a node is worth the question if it has vanished, and can be deleted without a mistake about which one is meant. */
export function isDeletable(node: Node, nowMs: number, minAgeMs: number): boolean {
  const { uid, creationTimestamp = '' } = node.metadata;
  return uid !== undefined && nowMs - Date.parse(creationTimestamp) >= minAgeMs;
}

/** Whether a server, or the lack of one, shows that the node's own server does not bear the node's name. */
export function isAnother(node: Node, server: Server | undefined): boolean {
  return server?.uniqueId !== ownUniqueId(node);
}

/**
 * The taints that a node should have.
 * @param state of its server; `undefined` = not asked. One that is neither `stopped` nor `running` leaves things as they are.
 */
export function taintsFor(node: Node, state: string | undefined): readonly Taint[] {
  const present = node.spec?.taints ?? [];
  const isShutdown = ({ key, effect }: Taint): boolean => key === SHUTDOWN_TAINT && effect === 'NoSchedule';
  // What runs again but is not ready yet has taints for that from others.
  if (isReady(node) || state === 'running') return present.filter((taint) => !isShutdown(taint));
  if (state !== SHUT_DOWN || present.some(isShutdown)) return present;
  return [...present, { key: SHUTDOWN_TAINT, effect: 'NoSchedule' }];
}

function doubtOf(missing: number, ours: number): string | undefined {
  if (missing === 0) return undefined;
  if (missing === ours) return 'the cloud lists no server of this cluster';
  const believed = Math.max(1, Math.floor(ours * BELIEVED_SHARE));
  if (missing <= believed) return undefined;
  return `the cloud lists no server for ${missing} of ${ours} nodes, and not more than ${believed} are believed to vanish at once`;
}
