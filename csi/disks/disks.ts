import { status } from '@grpc/grpc-js';
import type { Clock } from '../../daemon/clock.ts';
import type { Logger } from '../../daemon/logger.ts';
import { RpcError } from '../rpc-error.ts';
import { applySteps } from './apply.ts';
import type { NewDisk, Notices, World } from './apply.ts';
import type { Cloud, Server, ServerRef, Volume } from './cloud.ts';
import type { Cluster, ClusterNode } from './cluster.ts';
import { Growth } from './growth.ts';
import { Holders } from './holders.ts';
import { findDisk, persistentVolumeNameOf } from './identity.ts';
import { KeyedReads } from './keyed-reads.ts';
import type { Seen, Step } from './plan.ts';
import { Slots } from './slots.ts';
import { isSettled } from './state.ts';
import { Turns } from './turns.ts';

/** The key of a volume's context under which the disk's unique id stands. Volumes of the Go driver have none. */
export const UNIQUE_ID_KEY = 'volumeUniqueId';

/** A disk that was looked up, among all that were read with it. */
export interface Found {
  readonly handle: string;
  readonly volumes: readonly Volume[];
  readonly volume: Volume;
}

export interface DisksOptions {
  readonly cloud: Cloud;
  /** `undefined` = no Kubernetes API is configured. */
  readonly cluster: Cluster | undefined;
  readonly notices: Notices;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The disks of the region, as the controller's RPCs look at them and change them. One for the life of the process. */
export class Disks {
  readonly #world: World;
  /** By the server's name. */
  readonly #slots: KeyedReads<Awaited<ReturnType<Cloud['servers']['disks']>>>;

  constructor(options: DisksOptions) {
    this.#world = {
      ...options,
      holders: new Holders(options.cluster),
      slots: new Slots(),
      turns: new Turns(options.clock),
      growth: new Growth(options.cloud.volumes, options.clock),
    };
    const { cloud, clock } = options;
    this.#slots = new KeyedReads((serverName, signal) => cloud.servers.disks(serverName, signal), clock);
  }

  list(signal: AbortSignal): Promise<readonly Volume[]> {
    return this.#world.cloud.volumes.list(signal);
  }

  servers(signal: AbortSignal): Promise<readonly Server[]> {
    return this.#world.cloud.servers.list(signal);
  }

  /** The Node of this name; `undefined` = there is none, or no Kubernetes to ask. */
  async node(name: string, signal: AbortSignal): Promise<ClusterNode | undefined> {
    return this.#world.cluster?.node(name, signal);
  }

  /**
   * The disk that a handle means, in whatever state.
   * @param uniqueId from the volume's context, where the request has one; else the PersistentVolume is asked
   * @throws RpcError FAILED_PRECONDITION when the handle's name belongs to another disk now.
   */
  async find(handle: string, uniqueId: string | undefined, signal: AbortSignal): Promise<Found | undefined> {
    const volumes = await this.list(signal);
    const known = uniqueId ?? (await this.#recordedUniqueId(handle, volumes, signal));
    const volume = findDisk(volumes, handle, known);
    return volume && { handle, volumes, volume };
  }

  /**
   * The disk that a handle means, for calls that undo something: one that is gone has nothing left to undo, whichever disk bears its
   * name now.
   */
  async findLeft(handle: string, signal: AbortSignal): Promise<Found | undefined> {
    const volumes = await this.list(signal);
    const known = await this.#recordedUniqueId(handle, volumes, signal);
    const volume = volumes.find(({ id, uniqueId }) => (known === undefined ? id === handle : uniqueId === known));
    return volume && { handle, volumes, volume };
  }

  /** Waits out a transition: the cloud refuses everything before. `undefined` = the disk is gone after it. */
  async settle(found: Found, signal: AbortSignal): Promise<Found | undefined> {
    if (isSettled(found.volume)) return { ...found, volume: withKnownSize(found.volume) };
    const { volume } = await this.#world.cloud.volumes.until(
      found.volume.id,
      (now) => (now === undefined || isSettled(now) ? { volume: now } : undefined),
      signal,
    );
    return volume && { ...found, volume: withKnownSize(volume) };
  }

  /** What a plan needs to know of a settled disk. */
  async see({ volume, handle }: Found, signal: AbortSignal): Promise<Seen> {
    return { sizeGB: volume.sizeGB, holder: await this.#world.holders.holder(volume, handle, signal) };
  }

  /** @returns the disk as it was seen last; `undefined` = it is gone. See `applySteps`. */
  async apply(found: Found, steps: readonly Step[], signal: AbortSignal): Promise<Volume | undefined> {
    const { handle, volumes, volume } = found;
    const after = await applySteps(this.#world, { handle, volumes, disk: volume }, steps, signal);
    return after && withKnownSize(after);
  }

  /** Makes a disk: `apply` of the plan for one that does not exist. */
  async make(
    disk: NewDisk,
    volumes: readonly Volume[],
    steps: readonly Step[],
    signal: AbortSignal,
  ): Promise<Volume | undefined> {
    const after = await applySteps(this.#world, { handle: disk.id, volumes, disk }, steps, signal);
    return after && withKnownSize(after);
  }

  /**
   * The slot of an attached disk.
   * @throws RpcError UNAVAILABLE while the server does not show it; it did not change hands, so the next look may.
   */
  async slot(volume: Volume, server: ServerRef, signal: AbortSignal): Promise<number> {
    const { serverUniqueId, disks } = await this.#slots.get(server.name, signal);
    const disk = disks.find(({ volumeUniqueId }) => volumeUniqueId === volume.uniqueId);
    if (serverUniqueId !== server.uniqueId || disk === undefined || !Number.isInteger(disk.slot)) {
      throw new RpcError(
        status.UNAVAILABLE,
        `volume ${volume.id} is attached, but server ${server.name} does not show the slot of ${volume.uniqueId} yet`,
      );
    }
    return disk.slot;
  }

  /** Of several disks for one name, the one that a PersistentVolume uses. */
  async usedByPersistentVolume(
    name: string,
    disks: readonly Volume[],
    signal: AbortSignal,
  ): Promise<Volume | undefined> {
    const used = await this.#world.cluster?.persistentVolume(name, signal);
    return disks.find(({ id }) => id === used?.spec?.csi?.volumeHandle);
  }

  /** Notes that an attachment is in use now, whatever it was made for. */
  adopt(volume: Volume): void {
    this.#world.holders.forget(volume.id);
  }

  /** All Nodes; `undefined` = no Kubernetes to ask. */
  async nodes(signal: AbortSignal): Promise<readonly ClusterNode[] | undefined> {
    return this.#world.cluster?.nodes(signal);
  }

  get notices(): Notices {
    return this.#world.notices;
  }

  /** The unique id that a handle's PersistentVolume recorded. Its name follows from the handle, or stands in the Description. */
  async #recordedUniqueId(
    handle: string,
    volumes: readonly Volume[],
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { cluster } = this.#world;
    if (cluster === undefined) return undefined;
    const description = volumes.find(({ id }) => id === handle)?.description ?? '';
    const names = new Set([persistentVolumeNameOf(handle), description].filter((name) => name));
    for (const name of names) {
      const volume = isObjectName(name) ? await cluster.persistentVolume(name, signal) : undefined;
      if (volume?.spec?.csi?.volumeHandle === handle)
        return volume.spec.csi.volumeAttributes?.[UNIQUE_ID_KEY] || undefined;
    }
    return undefined;
  }
}

/** A name that a Kubernetes object can have: RFC 1123 subdomain. */
function isObjectName(text: string | undefined): text is string {
  return text !== undefined && /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(text);
}

/** @throws RpcError UNAVAILABLE when the cloud does not say how large the disk is: nothing can be decided then. */
function withKnownSize(volume: Volume): Volume {
  if (Number.isFinite(volume.sizeGB)) return volume;
  throw new RpcError(status.UNAVAILABLE, `the cloud does not say how large volume ${volume.id} is`);
}
