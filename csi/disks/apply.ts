import { status } from '@grpc/grpc-js';
import type { Clock } from '../../daemon/clock.ts';
import type { Logger } from '../../daemon/logger.ts';
import {
  NifcloudError,
  isAlreadyAttached,
  isBusy,
  isDuplicate,
  isNotAttached,
  isNotFound,
  isThrottled,
} from '../../nifcloud/errors.ts';
import { RpcError } from '../rpc-error.ts';
import { asRpcError, asUnfinished, isSurelyNotDone } from './cloud-error.ts';
import type { Cloud, ServerRef, Volume } from './cloud.ts';
import type { Cluster } from './cluster.ts';
import type { Growth } from './growth.ts';
import type { Holders } from './holders.ts';
import { rankHosts } from './hosts.ts';
import type { Step } from './plan.ts';
import type { Slots } from './slots.ts';
import { isSameServer, isSettled, serverOf } from './state.ts';

/** A server or disk that says "processing" is asked again after this long, in ms: as often as states are polled. */
const BUSY_PAUSE_MS = 3_000;

/** A minute of patience; then the sidecar's own back-off is the better one. */
const BUSY_TRIES = 20;

/** Hosts that are tried for a birth or a growth before giving up. */
const HOST_TRIES = 3;

/** Tells the operator of what the driver did by its own decision: a log line, and an event where there is a Kubernetes. */
export interface Notices {
  warn(
    about: { readonly kind: 'Node' | 'PersistentVolume'; readonly name: string },
    reason: string,
    message: string,
  ): void;
}

/** What steps are applied with; one for the life of the process. */
export interface World {
  readonly cloud: Cloud;
  /** `undefined` = no Kubernetes API is configured. */
  readonly cluster: Cluster | undefined;
  readonly holders: Holders;
  readonly slots: Slots;
  readonly growth: Growth;
  readonly notices: Notices;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A disk to be made; `diskType` and `accountingType` are the cloud's codes. */
export interface NewDisk {
  readonly id: string;
  readonly sizeGB: number;
  readonly diskType: string;
  readonly accountingType: string;
  readonly description: string;
  readonly zone: string;
}

/** What an RPC works on. */
export interface Subject {
  /** What the caller calls the volume. */
  readonly handle: string;
  /** All disks as they were read, by which slots are counted. */
  readonly volumes: readonly Volume[];
  /** The disk, settled; or the one to be made. */
  readonly disk: Volume | NewDisk;
}

/**
 * Applies a plan's steps in order, each until the cloud has done it.
 * @returns the disk as it was seen last; `undefined` = it is gone.
 * @throws RpcError: one that makes the sidecar repeat the call once a create or an attach was accepted; or the signal's reason.
 */
export async function applySteps(
  world: World,
  subject: Subject,
  steps: readonly Step[],
  signal: AbortSignal,
): Promise<Volume | undefined> {
  const run = new Run(world, subject, signal);
  try {
    await run.applyAll(steps);
    return run.volume;
  } catch (error) {
    const doing = `${steps.map(({ kind }) => kind).join(', ')} of volume ${subject.handle}`;
    throw run.isAccepted ? asUnfinished(error, doing) : asRpcError(error, doing);
  } finally {
    run.end();
  }
}

/** One application of one plan. */
class Run {
  /** As it was seen last. */
  volume: Volume | undefined;
  /** The cloud has taken a create or an attach: the caller must not be told that there is nothing. */
  isAccepted = false;
  readonly #world: World;
  readonly #subject: Subject;
  readonly #signal: AbortSignal;
  /** The host that was chosen, and whether the disk was born there just now. */
  #host: ServerRef | undefined;
  #isNewborn = false;
  readonly #claims: (() => void)[] = [];

  constructor(world: World, subject: Subject, signal: AbortSignal) {
    this.#world = world;
    this.#subject = subject;
    this.#signal = signal;
    this.volume = 'uniqueId' in subject.disk ? subject.disk : undefined;
  }

  end(): void {
    for (const release of this.#claims) release();
  }

  async applyAll(steps: readonly Step[]): Promise<void> {
    for (const [at, step] of steps.entries()) {
      try {
        await this.#apply(step);
      } catch (error) {
        if (step.kind === 'extend' && isRefusal(error)) await this.#giveBack(steps.slice(at));
        throw error;
      }
    }
  }

  /** After a refusal, which may be for good (a quota): repeated calls would never come to the release, and the slot stay taken. */
  async #giveBack(steps: readonly Step[]): Promise<void> {
    for (const step of steps) if (step.kind === 'release') await this.#release(step.server);
    this.isAccepted = false;
  }

  async #apply(step: Step): Promise<void> {
    this.#world.logger.debug(2, 'Applying', { volumeId: this.#subject.handle, step });
    switch (step.kind) {
      case 'create':
        return this.#create();
      case 'attach-to-host':
        return this.#attachToHost();
      case 'attach':
        return this.#attachForGood(step.server);
      case 'release':
        return this.#release(step.server);
      case 'detach':
        await this.#detach(step.server);
        return;
      case 'extend':
        return this.#extend(step.fromGB);
      case 'delete':
        return this.#delete();
    }
  }

  async #create(): Promise<void> {
    const { id, sizeGB, diskType, accountingType, description, zone } = this.#subject.disk;
    const wanted = { id, sizeGB, diskType, accountingType, description };
    await this.#onSomeHost(zone, async (host) => {
      try {
        await this.#world.cloud.volumes.create({ ...wanted, serverName: host.name }, this.#signal);
      } catch (error) {
        if (isDuplicate(error, 'Volume')) throw changed(`the disk ${id} exists though it was not listed`, error);
        throw error;
      }
      this.isAccepted = true;
    });
    this.#isNewborn = true;
    // Not to be seen at once is not to be gone: nobody but us knows it yet.
    this.volume = await this.#until(id, (volume) =>
      volume !== undefined && isSettled(volume) ? { volume } : undefined,
    );
    this.#host = serverOf(this.volume); // it is ours wherever it was born, should the host's name have changed hands
  }

  async #attachToHost(): Promise<void> {
    const volume = this.#free();
    await this.#onSomeHost(volume.zone, (host) => this.#sendAttach(volume, host));
    this.volume = await this.#untilAttached(volume, this.#host);
  }

  async #attachForGood(server: ServerRef): Promise<void> {
    const volume = this.#free();
    const { slots } = this.#world;
    if (slots.free(server.uniqueId, this.#subject.volumes) < 1) {
      throw new RpcError(status.RESOURCE_EXHAUSTED, `server ${server.name} has no free slot for another disk`);
    }
    this.#claims.push(slots.claim(server.uniqueId, volume.id));
    await this.#inTurn(server, () => this.#sendAttach(volume, server));
    this.volume = await this.#untilAttached(volume, server);
  }

  /** AttachVolume knows names only: what it did is checked by the unique ids in its answer. */
  async #sendAttach(volume: Volume, server: ServerRef): Promise<void> {
    const { volumes } = this.#world.cloud;
    const names = { volumeId: volume.id, serverName: server.name };
    let attached;
    try {
      attached = await volumes.attach(names, this.#signal);
    } catch (error) {
      if (isAlreadyAttached(error)) throw changed(`volume ${volume.id} was attached by somebody else meanwhile`, error);
      throw error;
    }
    const { serverUniqueId, volumeUniqueId } = attached;
    const isRight = isUnlessSilent(serverUniqueId, server.uniqueId) && isUnlessSilent(volumeUniqueId, volume.uniqueId);
    this.isAccepted = true;
    if (isRight) return;
    await this.#patiently(() => volumes.detach(names, this.#signal));
    this.isAccepted = false;
    throw new RpcError(
      status.FAILED_PRECONDITION,
      `volume ${volume.id} or server ${server.name} was renamed: attaching met ${volumeUniqueId} and ${serverUniqueId}, ` +
        `not ${volume.uniqueId} and ${server.uniqueId}; it was undone`,
    );
  }

  async #release(expected: ServerRef | 'host'): Promise<void> {
    const { volume } = this;
    if (volume === undefined) return;
    const { holders, notices } = this.#world;
    const { handle } = this.#subject;
    const server = expected === 'host' ? this.#host : expected;
    if (server === undefined || !isSameServer(serverOf(volume), server)) return;
    const isOurs = async (): Promise<boolean> => {
      const holder = await holders.holder(volume, handle, this.#signal);
      return holder?.standing === 'temporary' || (this.#isNewborn && holder?.standing === 'foreign');
    };
    if (!(await this.#detach(server, isOurs)) || expected === 'host') return;
    notices.warn(
      { kind: 'Node', name: server.name },
      'TemporaryAttachmentEnded',
      `disk ${handle} was attached without a VolumeAttachment, left over from its creation or growth; it was detached`,
    );
  }

  /**
   * @param isDue asked just before, each time that the call is sent: a publish in another process may have taken the attachment
   *   over, while this one waited for its turn, too
   * @returns whether it was due
   */
  async #detach(server: ServerRef, isDue: () => Promise<boolean> = () => Promise.resolve(true)): Promise<boolean> {
    const { volume } = this;
    if (volume === undefined) return false;
    const { volumes } = this.#world.cloud;
    try {
      const wasDue = await this.#inTurn(server, async () => {
        if (!(await isDue())) return false;
        await volumes.detach({ volumeId: volume.id, serverName: server.name }, this.#signal);
        return true;
      });
      if (!wasDue) return false;
    } catch (error) {
      if (!isNotAttached(error) && !isNotFound(error, 'Volume')) throw error;
    }
    this.volume = await this.#until(volume.id, (now) => {
      if (now === undefined) return { volume: now };
      const hasLeft = !isSameServer(serverOf(now), server);
      return hasLeft && isSettled(now) ? { volume: now } : undefined;
    });
    this.#world.holders.forget(volume.id);
    return true;
  }

  async #extend(fromGB: number): Promise<void> {
    const { volume } = this;
    if (volume === undefined || volume.sizeGB !== fromGB) return;
    const server = serverOf(volume);
    if (server === undefined) throw changed(`volume ${volume.id} was detached while it was to grow`);
    const grown = await this.#world.growth.extend(volume, (request) => this.#inTurn(server, request), this.#signal);
    this.volume = grown === undefined || isSettled(grown) ? grown : await this.#untilSettled(grown.id);
  }

  async #delete(): Promise<void> {
    const volume = this.#free();
    const { volumes } = this.#world.cloud;
    try {
      await this.#patiently(() => volumes.delete(volume.id, this.#signal));
    } catch (error) {
      if (!isNotFound(error, 'Volume')) throw error;
    }
    await this.#until(volume.id, (now) => (now === undefined ? { volume: now } : undefined));
    this.volume = undefined;
  }

  /** The disk, which nobody has. @throws RpcError ABORTED when it changed after it was planned with: the next try looks again. */
  #free(): Volume {
    const { volume } = this;
    if (volume === undefined) throw changed(`volume ${this.#subject.handle} vanished`);
    const server = serverOf(volume);
    if (server !== undefined) throw changed(`volume ${volume.id} is attached to server ${server.name} now`);
    return volume;
  }

  /**
   * Sends a request with the best host there is; with the next one where a host is refused. While only this process's own work
   * fills the hosts, it is waited for.
   * @throws RpcError RESOURCE_EXHAUSTED when there is none, which makes the scheduler look for another zone.
   */
  async #onSomeHost(zone: string, send: (host: ServerRef) => Promise<void>): Promise<void> {
    const { cloud, cluster, holders, slots } = this.#world;
    const { id } = this.#subject.disk;
    let { volumes } = this.#subject;
    const [servers, nodes] = await Promise.all([cloud.servers.list(this.#signal), cluster?.nodes(this.#signal)]);
    const refused = new Map<string, unknown>();
    for (;;) {
      const hosts = rankHosts(zone, servers, nodes, (uniqueId) => slots.free(uniqueId, volumes));
      const host = hosts.find(({ uniqueId }) => !refused.has(uniqueId));
      if (host === undefined || refused.size >= HOST_TRIES) {
        if (refused.size > 0) throw [...refused.values()].at(-1);
        const free = (uniqueId: string): number => slots.unattached(uniqueId, volumes);
        if (rankHosts(zone, servers, nodes, free).length === 0) throw noHost(zone, nodes !== undefined);
        await slots.untilReleased(this.#signal);
        volumes = await cloud.volumes.list(this.#signal); // what was attached for good meanwhile takes slots
        continue;
      }
      const release = slots.claim(host.uniqueId, id);
      holders.remember(id, host); // before it is sent: the answer may be lost
      try {
        await slots.inTurn(host.uniqueId, () => send(host), this.#signal);
        this.#claims.push(release);
        this.#host = host;
        return;
      } catch (error) {
        release();
        if (!this.#signal.aborted && (error instanceof RpcError || isSurelyNotDone(error))) holders.forget(id);
        if (!isAboutServer(error)) throw error;
        this.#world.logger.warn('A host refused a disk', { host: host.name, volumeId: id, code: error.code });
        refused.set(host.uniqueId, error);
      }
    }
  }

  #inTurn<T>(server: ServerRef, send: () => Promise<T>): Promise<T> {
    return this.#world.slots.inTurn(server.uniqueId, () => this.#patiently(send), this.#signal);
  }

  /** Sends again while the cloud says "processing", which means that nothing was done. */
  async #patiently<T>(send: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await send();
      } catch (error) {
        if (!isBusy(error) || tries >= BUSY_TRIES) throw error;
        await this.#world.clock.sleep(BUSY_PAUSE_MS, this.#signal);
      }
    }
  }

  #untilAttached(volume: Volume, server: ServerRef | undefined): Promise<Volume> {
    return this.#until(volume.id, (now) => {
      if (now === undefined) throw changed(`volume ${volume.id} vanished while it was being attached`);
      // Settled and free: the request has not shown yet.
      if (!isSettled(now) || serverOf(now) === undefined) return undefined;
      if (!isSameServer(serverOf(now), server)) throw changed(`volume ${volume.id} was attached elsewhere meanwhile`);
      return { volume: now };
    });
  }

  #untilSettled(volumeId: string): Promise<Volume | undefined> {
    return this.#until(volumeId, (now) => (now === undefined || isSettled(now) ? { volume: now } : undefined));
  }

  async #until<T extends Volume | undefined>(
    volumeId: string,
    accept: (now: Volume | undefined) => { volume: T } | undefined,
  ): Promise<T> {
    return (await this.#world.cloud.volumes.until(volumeId, accept, this.#signal)).volume;
  }
}

/** What was planned with is no longer so. ABORTED is repeated soon, and looks anew. */
function changed(what: string, cause?: unknown): RpcError {
  return new RpcError(status.ABORTED, what, cause === undefined ? {} : { cause });
}

function isUnlessSilent(answered: string, expected: string): boolean {
  return answered === '' || answered === expected;
}

/** The cloud said no, and not merely "not now". */
function isRefusal(error: unknown): boolean {
  return isSurelyNotDone(error) && !isBusy(error) && !isThrottled(error);
}

/** The cloud refused the server, not the disk: another server may do. */
function isAboutServer(error: unknown): error is NifcloudError {
  return error instanceof NifcloudError && error.outcome === 'refused' && /\.Instance(\.|$)/.test(error.code);
}

function noHost(zone: string, isCluster: boolean): RpcError {
  const who = isCluster ? 'running, schedulable node of this cluster' : 'running server';
  return new RpcError(
    status.RESOURCE_EXHAUSTED,
    `zone ${zone} has no ${who} with two free slots; a disk is born and grows attached to a server`,
  );
}
