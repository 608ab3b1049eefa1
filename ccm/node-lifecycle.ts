import type { Clock } from '../daemon/clock.ts';
import { describeError, type Logger } from '../daemon/logger.ts';
import { CONFLICT_POLICIES, retryOnConflict } from '../kube/conflict.ts';
import { isConflict, isNotFound } from '../kube/errors.ts';
import type { EventRecorder } from '../kube/events.ts';
import type { Informer } from '../kube/informer.ts';
import { taintsReplaced } from '../kube/patches.ts';
import type { KubeClient } from '../kube/rest.ts';
import type { Node } from '../kube/types.ts';
import type { Servers } from '../nifcloud/servers.ts';
import { isAnother, isDeletable, isReady, survey, taintsFor } from './cloud/lifecycle.ts';
import { inRounds } from './rounds.ts';

/** Rounds in a row in which a server has to be absent before its Node is deleted; one answer may come from a stale read. Our choice. */
const ABSENCES_TO_DELETE = 2;

/** What this controller needs of its surroundings. */
export interface NodeLifecycleOptions {
  readonly nodes: Pick<Informer<Node>, 'get' | 'list'>;
  readonly kube: Pick<KubeClient, 'get' | 'patch' | 'delete'>;
  readonly servers: Pick<Servers, 'list' | 'find'>;
  readonly events: Pick<EventRecorder, 'event'>;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: () => number;
  /** Between the end of one round and the start of the next, in ms. */
  readonly periodMs: number;
  /** A Node younger than this is not deleted, in ms: the cloud may not show its server yet. */
  readonly minAgeMs: number;
}

/**
 * cloud-node-lifecycle-controller: deletes Nodes whose server no longer exists, and taints those whose server is switched off
 * (`docs/reference/ccm.md` A4).
 *
 * - Nodes that are ready cost no call of the cloud. All others together cost one listing a round.
 * - A Node is deleted only when the cloud has shown twice in a row, in the full listing and by name, that its server is not there;
 *   when the Node has a provider id of ours and the minimum age; and when the listing is credible as a whole (see `survey`).
 * - No error is ever taken for absence; it also ends a row of absences.
 */
export class NodeLifecycleController {
  readonly #options: NodeLifecycleOptions;
  /** In how many rounds in a row the server of a Node, by its UID, was absent. Lost on restart, which only delays a deletion. */
  #absences = new Map<string, number>();
  /** UIDs of Nodes that have an event about the doubt that still holds. */
  readonly #told = new Set<string>();

  constructor(options: NodeLifecycleOptions) {
    this.#options = options;
  }

  /** Works until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, logger, periodMs } = this.#options;
    const pace = { afterEndMs: periodMs };
    const surroundings = { clock, logger, signal };
    // Apart from each other: a cloud that does not answer must not hold up what needs no answer.
    await Promise.all([
      inRounds('Taints of ready nodes are not looked at', pace, (until) => this.#untaintReady(until), surroundings),
      inRounds('Nodes that are not ready are not looked at', pace, (until) => this.#look(until), surroundings),
    ]);
  }

  async #untaintReady(signal: AbortSignal): Promise<void> {
    for (const node of this.#options.nodes.list().filter(isReady)) await this.#setTaint(node, undefined, signal);
  }

  async #look(signal: AbortSignal): Promise<void> {
    const before = this.#absences;
    this.#absences = new Map();
    const nodes = this.#options.nodes.list();
    if (nodes.every(isReady)) {
      this.#told.clear();
      return;
    }
    const servers = await this.#options.servers.list(signal);
    const { found, missing, doubt } = survey(nodes, servers);
    for (const { node, server } of found) await this.#setTaint(node, server.state, signal);
    if (doubt !== undefined) {
      this.#tell(missing, doubt);
      return;
    }
    this.#told.clear();
    for (const node of missing) await this.#judge(node, before, signal);
  }

  async #setTaint(node: Node, state: string | undefined, signal: AbortSignal): Promise<void> {
    const { clock, kube, random } = this.#options;
    let base: Node | undefined = node;
    const write = async (): Promise<void> => {
      const current: Node = base ?? (await kube.get<Node>(pathOf(node), { signal }));
      base = undefined; // after a conflict the cache may still hold what was refused
      const patch = taintsReplaced(current, taintsFor(current, state));
      if (patch !== undefined) await kube.patch(pathOf(node), patch, 'strategic', { signal });
    };
    try {
      await retryOnConflict(CONFLICT_POLICIES.nodeUpdate, write, { clock, signal, random });
    } catch (error) {
      signal.throwIfAborted();
      if (isNotFound(error)) return;
      this.#options.logger.error('The shutdown taint of a node is not updated', error, { node: node.metadata.name });
    }
  }

  /** Once for each node while the doubt lasts: what to do then only an operator can know. */
  #tell(missing: readonly Node[], doubt: string): void {
    const { events, logger } = this.#options;
    for (const node of missing) {
      const { name, uid = '' } = node.metadata;
      if (this.#told.has(uid)) continue;
      this.#told.add(uid);
      logger.warn('A node is kept although its server is not listed', { node: name, reason: doubt });
      const advice = 'if its server is really gone, delete the node by hand';
      events.event(node, 'Warning', 'NodeKept', `Not deleting node ${name}: ${doubt}; ${advice}`);
    }
  }

  async #judge(node: Node, before: ReadonlyMap<string, number>, signal: AbortSignal): Promise<void> {
    const { clock, logger, minAgeMs, nodes, servers } = this.#options;
    const { name, uid = '' } = node.metadata;
    if (!isDeletable(node, clock.now(), minAgeMs)) return;
    try {
      if (!isAnother(node, await servers.find(name, signal))) return;
    } catch (error) {
      signal.throwIfAborted();
      logger.error('Whether the server of a node exists is not known', error, { node: name });
      return;
    }
    const absences = (before.get(uid) ?? 0) + 1;
    this.#absences.set(uid, absences);
    const current = nodes.get(name);
    if (absences < ABSENCES_TO_DELETE || current?.metadata.uid !== uid || isReady(current)) return;
    await this.#delete(current, signal);
  }

  async #delete(node: Node, signal: AbortSignal): Promise<void> {
    const { events, kube, logger } = this.#options;
    const { name, uid = '' } = node.metadata;
    const reason = `Deleting node ${name} because it does not exist in the cloud provider`;
    logger.info('Deleting a node that does not exist in the cloud', { node: name, providerID: node.spec?.providerID });
    events.event(node, 'Normal', 'DeletingNode', reason);
    try {
      // The UID, so that a node which has joined anew under this name is not meant.
      await kube.delete(pathOf(node), { body: { preconditions: { uid } }, signal });
      this.#absences.delete(uid); // the cache may show it a little longer
    } catch (error) {
      signal.throwIfAborted();
      if (isNotFound(error) || isConflict(error)) return;
      logger.error('A node is not deleted', error, { node: name });
      events.event(node, 'Warning', 'DeletingNodeFailed', `Failed deleting node ${name}: ${describeError(error)}`);
    }
  }
}

function pathOf(node: Node): string {
  return `/api/v1/nodes/${node.metadata.name}`;
}
