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
import { letEnd } from '../continued-calls.ts';
import { RpcError } from '../rpc-error.ts';
import { asRpcError, asUnfinished, isSurelyNotDone } from './cloud-error.ts';
import type { Cloud, ServerRef, Volume } from './cloud.ts';
import type { Cluster } from './cluster.ts';
import type { Growth } from './growth.ts';
import type { Holders } from './holders.ts';
import { claimForGood, onSomeHost } from './hosts.ts';
import type { Step } from './plan.ts';
import type { Slots } from './slots.ts';
import { UNBEGUN_MS, isSameServer, isSettled, serverOf } from './state.ts';
import { BUSY_PAUSE_MS, BUSY_TRIES, isServerBusy } from './turns.ts';
import type { Turns } from './turns.ts';

/**
 * A change whose answer got lost counts as not done when the disk has not begun to change for this long, in ms: several looks. It is
 * harmless to send any of them again too early, growth apart, which has its own rules. Our choice.
 */
const UNSEEN_MS = 10_000;

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
  readonly turns: Turns;
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
      this.#signal.throwIfAborted();
      try {
        await this.#apply(step);
      } catch (error) {
        if (isRefusedGrowth(error)) await this.#giveBack(steps.slice(at));
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
      case 'set-accounting':
        return this.#setAccounting(step.accountingType);
      case 'delete':
        return this.#delete();
    }
  }

  async #create(): Promise<void> {
    const { id, sizeGB, diskType, accountingType, description, zone } = this.#subject.disk;
    const wanted = { id, sizeGB, diskType, accountingType, description };
    const send = async (host: ServerRef): Promise<void> => {
      try {
        await this.#change((volumes, signal) => volumes.create({ ...wanted, serverName: host.name }, signal));
      } catch (error) {
        if (isDuplicate(error, 'Volume')) throw changed(`the disk ${id} exists though it was not listed`, error);
        throw error;
      }
    };
    // Not to be seen at once is not to be gone: nobody but us knows it yet.
    const born = await this.#onSomeHost<Volume>(zone, send, (lost) =>
      this.#untilChanged(
        id,
        lost,
        (now) => now !== undefined,
        (now) => (now !== undefined && isSettled(now) ? { volume: now } : undefined),
      ),
    );
    this.volume = born;
    this.#isNewborn = true;
    this.#host = serverOf(born); // it is ours wherever it was born, should the host's name have changed hands
  }

  async #attachToHost(): Promise<void> {
    const volume = this.#free();
    this.volume = await this.#onSomeHost(
      volume.zone,
      (host) => this.#sendAttach(volume, host),
      (lost, host) => this.#untilAttached(volume, host, lost),
    );
  }

  async #attachForGood(server: ServerRef): Promise<void> {
    const volume = this.#free();
    const { volumes } = this.#subject;
    this.#world.holders.forget(volume.id); // where its birth was ended by somebody else
    this.#claims.push(await claimForGood(this.#world, server, { id: volume.id, volumes }, this.#signal));
    this.volume = await this.#inTurn(
      server,
      () => this.#accepted(() => this.#sendAttach(volume, server)),
      (lost) => this.#untilAttached(volume, server, lost),
    );
  }

  /** AttachVolume knows names only: what it did is checked by the unique ids in its answer. */
  async #sendAttach(volume: Volume, server: ServerRef): Promise<void> {
    const names = { volumeId: volume.id, serverName: server.name };
    let attached;
    try {
      attached = await this.#patiently(
        () => this.#change((volumes, signal) => volumes.attach(names, signal)),
        isDiskBusy,
      );
    } catch (error) {
      if (isAlreadyAttached(error)) throw changed(`volume ${volume.id} was attached by somebody else meanwhile`, error);
      throw error;
    }
    const { serverUniqueId, volumeUniqueId } = attached;
    if (isUnlessSilent(serverUniqueId, server.uniqueId) && isUnlessSilent(volumeUniqueId, volume.uniqueId)) return;
    this.isAccepted = true;
    await this.#patiently(() => this.#change((volumes, signal) => volumes.detach(names, signal)));
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
    const hasLeft = (now: Volume | undefined): boolean => now === undefined || !isSameServer(serverOf(now), server);
    const wasDue = await this.#inTurn(
      server,
      () => this.#sendDetach(volume, server, isDue),
      async (sent) => {
        if (sent === 'not due') return false;
        if (sent === 'server gone') return true;
        this.volume = await this.#untilChanged<Volume | undefined>(
          volume.id,
          sent,
          (now) => now === undefined || hasLeft(now) || !isSettled(now),
          (now) => (now === undefined || (hasLeft(now) && isSettled(now)) ? { volume: now } : undefined),
        );
        return true;
      },
    );
    if (!wasDue) return false;
    this.#world.holders.forget(volume.id);
    if (this.volume === undefined) await this.#requireGone(volume);
    return true;
  }

  /** A disk that is not found by its name may have got another one. @throws RpcError ABORTED then */
  async #requireGone({ id, uniqueId }: Volume): Promise<void> {
    const volumes = await this.#world.cloud.volumes.list(this.#signal);
    if (volumes.some((one) => one.uniqueId === uniqueId)) throw changed(`volume ${id} was renamed meanwhile`);
  }

  async #sendDetach(
    volume: Volume,
    server: ServerRef,
    isDue: () => Promise<boolean>,
  ): Promise<Lost | 'not due' | 'server gone'> {
    try {
      return await this.#patiently(async () => {
        if (!(await isDue())) return 'not due';
        const names = { volumeId: volume.id, serverName: server.name };
        return this.#unlessLost(() => this.#change((volumes, signal) => volumes.detach(names, signal)));
      }, isDiskBusy);
    } catch (error) {
      if (isNotAttached(error) || isNotFound(error, 'Volume')) return undefined;
      if (!isNotFound(error, 'Instance')) throw error;
      // The name may have changed hands just now. A server that the cloud does not list either holds no disk, whatever that shows.
      const servers = await this.#world.cloud.servers.list(this.#signal);
      if (servers.some(({ uniqueId }) => uniqueId === server.uniqueId)) throw error;
      return 'server gone';
    }
  }

  async #extend(fromGB: number): Promise<void> {
    const { volume } = this;
    if (volume === undefined || volume.sizeGB !== fromGB) return;
    const server = serverOf(volume);
    if (server === undefined) throw changed(`volume ${volume.id} was detached while it was to grow`);
    const grown = await this.#world.growth.extend(
      volume,
      (send, ended) => this.#inTurn(server, () => this.#patiently(send, isDiskBusy), ended),
      this.#signal,
    );
    this.volume = grown === undefined || isSettled(grown) ? grown : await this.#untilSettled(grown.id);
  }

  async #setAccounting(accountingType: string): Promise<void> {
    const { volume } = this;
    if (volume === undefined) throw changed(`volume ${this.#subject.handle} vanished`);
    await this.#patiently(() =>
      this.#change((volumes, signal) => volumes.setAccountingType(volume.id, accountingType, signal)),
    );
  }

  async #delete(): Promise<void> {
    const volume = this.#free();
    let lost: Lost;
    try {
      lost = await this.#patiently(() =>
        this.#unlessLost(() => this.#change((volumes, signal) => volumes.delete(volume.id, signal))),
      );
    } catch (error) {
      if (!isNotFound(error, 'Volume')) throw error;
    }
    this.volume = await this.#untilChanged(
      volume.id,
      lost,
      (now) => now === undefined || !isSettled(now),
      (now) => (now === undefined ? { volume: now } : undefined),
    );
  }

  /** The disk, which nobody has. @throws RpcError ABORTED when it changed after it was planned with: the next try looks again. */
  #free(): Volume {
    const { volume } = this;
    if (volume === undefined) throw changed(`volume ${this.#subject.handle} vanished`);
    const server = serverOf(volume);
    if (server !== undefined) throw changed(`volume ${volume.id} is attached to server ${server.name} now`);
    return volume;
  }

  async #onSomeHost<T>(
    zone: string,
    send: (host: ServerRef) => Promise<void>,
    ended: (lost: Lost, host: ServerRef) => Promise<T>,
  ): Promise<T> {
    const { id } = this.#subject.disk;
    const attempt = (host: ServerRef, tries: number): Promise<T> =>
      this.#inTurn(
        host,
        () => this.#accepted(() => send(host)),
        (lost) => ended(lost, host),
        tries,
      );
    const need = { zone, volumeId: id, volumes: this.#subject.volumes, mayTryAnother: () => !this.isAccepted };
    const { result, host, release } = await onSomeHost(this.#world, need, attempt, this.#signal);
    this.#claims.push(release);
    this.#host = host;
    return result;
  }

  #inTurn<S, T>(
    server: ServerRef,
    send: () => Promise<S>,
    ended: (sent: S) => Promise<T>,
    tries: number = BUSY_TRIES,
  ): Promise<T> {
    return this.#world.turns.run(server.uniqueId, send, ended, { tries, signal: this.#signal });
  }

  #change<T>(send: (volumes: Cloud['volumes'], signal: AbortSignal) => Promise<T>): Promise<T> {
    return letEnd((signal) => send(this.#world.cloud.volumes, signal), this.#signal);
  }

  /** Sends what must not be taken for not done from then on. */
  async #accepted(send: () => Promise<unknown>): Promise<Lost> {
    const lost = await this.#unlessLost(send);
    this.isAccepted = true;
    return lost;
  }

  /** An answer that got lost is no failure: what became of the request, the disk tells. */
  async #unlessLost(send: () => Promise<unknown>): Promise<Lost> {
    try {
      await send();
      return undefined;
    } catch (error) {
      if (this.#signal.aborted || !(error instanceof NifcloudError) || isSurelyNotDone(error)) throw error;
      this.#world.logger.warn('The cloud may or may not have done it', { action: error.action, code: error.code });
      return error;
    }
  }

  /**
   * Sends again while something is in the middle of something else, which means that nothing was done.
   * @param passes what is waited out here; of a busy server, what takes its turns leaves to `Turns`
   */
  async #patiently<T>(send: () => Promise<T>, passes: (error: unknown) => boolean = isBusy): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await send();
      } catch (error) {
        if (!passes(error) || tries >= BUSY_TRIES) throw error;
        await this.#world.clock.sleep(BUSY_PAUSE_MS, this.#signal);
      }
    }
  }

  #untilAttached(volume: Volume, server: ServerRef, lost: Lost): Promise<Volume> {
    return this.#untilChanged(
      volume.id,
      lost,
      (now) => now === undefined || !isSettled(now) || serverOf(now) !== undefined,
      (now) => {
        if (now === undefined) throw changed(`volume ${volume.id} vanished while it was being attached`);
        // Settled and free: the request has not shown yet.
        if (!isSettled(now) || serverOf(now) === undefined) return undefined;
        if (!isSameServer(serverOf(now), server)) throw changed(`volume ${volume.id} was attached elsewhere meanwhile`);
        return { volume: now };
      },
    );
  }

  /**
   * @param lost why it is not known whether the change was taken up
   * @param hasBegun whether the disk is no longer as it was before
   * @throws `lost`, or RpcError ABORTED for what was accepted, when it has not begun to change for a while; ABORTED when it is again
   *   as it was before
   */
  #untilChanged<T extends Volume | undefined>(
    volumeId: string,
    lost: Lost,
    hasBegun: (now: Volume | undefined) => boolean,
    accept: (now: Volume | undefined) => { volume: T } | undefined,
  ): Promise<T> {
    const sentAtMs = this.#world.clock.monotonicMs();
    const patienceMs = lost === undefined ? UNBEGUN_MS : UNSEEN_MS;
    let isBegun = false;
    return this.#until(volumeId, (now) => {
      if (hasBegun(now)) isBegun = true;
      else if (isBegun) throw changed(`volume ${volumeId} began to change and is as it was before`, lost);
      else if (this.#world.clock.monotonicMs() - sentAtMs >= patienceMs) {
        throw lost ?? changed(`volume ${volumeId} did not change, though the cloud had accepted that`);
      }
      return accept(now);
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

/** Why the outcome of a request is not known; `undefined` = it was accepted. */
type Lost = NifcloudError | undefined;

/** What was planned with is no longer so. ABORTED is repeated soon, and looks anew. */
function changed(what: string, cause?: unknown): RpcError {
  return new RpcError(status.ABORTED, what, cause === undefined ? {} : { cause });
}

function isDiskBusy(error: unknown): boolean {
  return isBusy(error) && !isServerBusy(error);
}

function isUnlessSilent(answered: string, expected: string): boolean {
  return answered === '' || answered === expected;
}

/** The cloud refused the growth itself, and not merely for now. */
function isRefusedGrowth(error: unknown): boolean {
  if (!(error instanceof NifcloudError) || error.action !== 'ExtendVolumeSize') return false;
  return isSurelyNotDone(error) && !isBusy(error) && !isThrottled(error);
}
