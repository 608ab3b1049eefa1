import { isNotFound } from './errors.ts';
import { ACCOUNTING_TYPES, checkLength, checkName, checkOneOf, checkSet } from './limits.ts';
import { numbered } from './parameters.ts';
import { eager, SharedPoll } from './shared-poll.ts';
import { SharedRead } from './shared-read.ts';
import type { Clock } from './surroundings.ts';
import type { Api } from './transport.ts';
import type { XmlElement } from './xml.ts';

/**
 * Types of disks: the code that CreateVolume takes, the text in answers, and the name in a StorageClass.
 * Source: docs/reference/nifcloud-api.md §3.2. Whether 2–5 can still be ordered is not known; the cloud decides.
 */
export const DISK_TYPES = [
  { code: '2', answer: 'Standard Storage', storageClass: 'standard' },
  { code: '3', answer: 'High-Speed Storage A', storageClass: 'high-speed-a' },
  { code: '4', answer: 'High-Speed Storage B', storageClass: 'high-speed-b' },
  { code: '5', answer: 'Flash Storage', storageClass: 'flash' },
  { code: '6', answer: 'Standard Flash Storage A', storageClass: 'standard-flash-a' },
  { code: '7', answer: 'Standard Flash Storage B', storageClass: 'standard-flash-b' },
  { code: '8', answer: 'High-Speed Flash Storage A', storageClass: 'high-speed-flash-a' },
  { code: '9', answer: 'High-Speed Flash Storage B', storageClass: 'high-speed-flash-b' },
] as const;

/** Of a volume's id, in letters and digits (docs/reference/nifcloud-api.md §3.1). */
const LONGEST_ID = 32;

/** Of a volume's description, in characters of any width (§3.1). */
const LONGEST_DESCRIPTION = 40;

/** A disk of additional storage. Texts that the cloud leaves empty are `''`. */
export interface Volume {
  /** `VolumeId`: chosen at creation, 1–32 letters and digits; can be changed. */
  readonly id: string;
  /** Never changes. */
  readonly uniqueId: string;
  /** In steps of 100. NaN when the answer does not say: no comparison with it holds, so nothing is grown or accepted by mistake. */
  readonly sizeGB: number;
  /** Text as in `DISK_TYPES`' `answer`. */
  readonly diskType: string;
  readonly zone: string;
  /** `1` monthly, `2` hourly. */
  readonly accountingType: string;
  readonly nextMonthAccountingType: string;
  /** `creating`, `in-use`, `available`, `configuring` or another text: docs/reference/nifcloud-api.md §3.4. */
  readonly status: string;
  readonly description: string;
  /** RFC 3339, as the cloud writes it. */
  readonly createdAt: string;
  readonly attachments: readonly Attachment[];
}

/** A disk's tie to a server. It counts as one even if its server is not named. */
export interface Attachment {
  readonly serverName: string;
  readonly serverUniqueId: string;
  /** `attaching` (also while the disk grows), `attached`, `detaching`, `detached` or another text. */
  readonly status: string;
  /** Such as `SCSI (0:1)`. */
  readonly device: string;
}

/** A disk to be made. It comes into being attached to a server, in that server's zone. */
export interface NewVolume {
  readonly id: string;
  /** A multiple of 100. */
  readonly sizeGB: number;
  /** Code as in `DISK_TYPES`. */
  readonly diskType: string;
  /** `1` monthly, `2` hourly. */
  readonly accountingType: string;
  /** At most 40 characters. */
  readonly description: string;
  /** A running or stopped server. */
  readonly serverName: string;
}

/** The disks of the region. */
export class Volumes {
  readonly #api: Api;
  readonly #list: SharedRead<readonly Volume[]>;
  readonly #poll: SharedPoll<Volume>;
  /** Polled volumes that the last look did not find: while there are any, a filtered look would fail as a whole. */
  #missing: ReadonlySet<string> = new Set();

  constructor(api: Api, clock: Clock, pollIntervalMs: number) {
    this.#api = api;
    this.#list = new SharedRead((signal) => this.#describe([], signal), clock);
    this.#poll = new SharedPoll((ids, signal) => this.#look(ids, signal), clock, eager(pollIntervalMs));
  }

  /**
   * All disks, in one call that is shared with whoever asks at the same moment. Never filtered: one unknown name fails a
   * filtered call as a whole.
   */
  list(signal: AbortSignal): Promise<readonly Volume[]> {
    return this.#list.get(signal);
  }

  /**
   * Waits until a disk is as `accept` wants it: the first look comes at most one poll interval after the call, later ones follow
   * sooner, and all who wait share each DescribeVolumes (see SharedPoll).
   *
   * @param accept is shown the disk, `undefined` = it does not exist; what it returns ends the wait, what it throws too
   */
  until<R>(volumeId: string, accept: (volume: Volume | undefined) => R | undefined, signal: AbortSignal): Promise<R> {
    return this.#poll.until(volumeId, accept, signal);
  }

  /**
   * Begins to make a disk; wait until it is `attached`.
   *
   * @throws RangeError for a size that the cloud would take for another, and for what it would refuse for sure (§3.1, §3.2)
   * @throws NifcloudError
   */
  async create(volume: NewVolume, signal: AbortSignal): Promise<Pick<Volume, 'id' | 'uniqueId' | 'zone' | 'sizeGB'>> {
    if (volume.sizeGB < 100 || volume.sizeGB % 100 !== 0) {
      throw new RangeError(`the size of a volume is a multiple of 100 GB, not ${volume.sizeGB}`); // 1–40 would mean hundreds of GB
    }
    checkName('the id of a volume', volume.id, LONGEST_ID);
    checkOneOf('the accounting type of a volume', volume.accountingType, ACCOUNTING_TYPES);
    checkLength('the description of a volume', volume.description, LONGEST_DESCRIPTION);
    const parameters = {
      VolumeId: volume.id,
      Size: volume.sizeGB,
      DiskType: volume.diskType,
      AccountingType: volume.accountingType,
      Description: volume.description,
      InstanceId: volume.serverName,
    };
    return this.#api.mutate('CreateVolume', parameters, parseCreated, signal);
  }

  /** Begins to attach a disk. What the answer leaves open is `''`. @throws NifcloudError; see `isAlreadyAttached` */
  attach(
    { volumeId, serverName }: { readonly volumeId: string; readonly serverName: string },
    signal: AbortSignal,
  ): Promise<{ readonly serverUniqueId: string; readonly volumeUniqueId: string; readonly device: string }> {
    return this.#api.mutate('AttachVolume', { VolumeId: volumeId, InstanceId: serverName }, parseAttached, signal);
  }

  /** Begins to detach a disk from this server and no other. @throws NifcloudError; see `isNotAttached` */
  async detach(
    { volumeId, serverName }: { readonly volumeId: string; readonly serverName: string },
    signal: AbortSignal,
  ): Promise<void> {
    if (serverName === '')
      throw new TypeError('detach needs a server: without one, the cloud removes every attachment');
    // Agreement: go on although the server is running (docs/reference/nifcloud-api.md §3.5).
    const parameters = { VolumeId: volumeId, InstanceId: serverName, Agreement: true };
    await this.#api.mutate('DetachVolume', parameters, () => {}, signal);
  }

  /** Begins to delete a disk that is `available`. */
  delete(volumeId: string, signal: AbortSignal): Promise<void> {
    return this.#api.mutate('DeleteVolume', { VolumeId: volumeId }, () => {}, signal);
  }

  /** Begins to add 100 GB to an attached disk, without a reboot. Each call adds again: never repeat one whose outcome is unknown. */
  extend(volumeId: string, signal: AbortSignal): Promise<void> {
    return this.#api.mutate('ExtendVolumeSize', { VolumeId: volumeId, NiftyReboot: 'false' }, () => {}, signal);
  }

  /**
   * Gives a disk another `id`; `uniqueId` stays.
   *
   * @throws RangeError when it is no possible id
   * @throws NifcloudError; `isNotFound(error, 'Volume')` = no disk has the old one
   */
  async rename(volumeId: string, newId: string, signal: AbortSignal): Promise<void> {
    checkName('the id of a volume', newId, LONGEST_ID);
    await this.#modify(volumeId, 'volumeName', newId, signal);
  }

  /** @param description at most 40 characters. @throws RangeError when it is longer, TypeError when it is empty: it can't be removed */
  async setDescription(volumeId: string, description: string, signal: AbortSignal): Promise<void> {
    checkSet('the description of a volume', description);
    checkLength('the description of a volume', description, LONGEST_DESCRIPTION);
    await this.#modify(volumeId, 'description', description, signal);
  }

  /**
   * Holds from next month on; `nextMonthAccountingType` shows it at once.
   *
   * @param accountingType `1` monthly, `2` hourly. @throws RangeError for any other
   */
  async setAccountingType(volumeId: string, accountingType: string, signal: AbortSignal): Promise<void> {
    checkOneOf('the accounting type of a volume', accountingType, ACCOUNTING_TYPES);
    await this.#modify(volumeId, 'accountingType', accountingType, signal);
  }

  /** The API takes one attribute a call (docs/reference/nifcloud-api.md §3.7). */
  #modify(volumeId: string, attribute: string, value: string, signal: AbortSignal): Promise<void> {
    const parameters = { VolumeId: volumeId, Attribute: attribute, Value: value };
    return this.#api.mutate('ModifyVolumeAttribute', parameters, () => {}, signal);
  }

  #describe(ids: readonly string[], signal: AbortSignal): Promise<readonly Volume[]> {
    return this.#api.read('DescribeVolumes', numbered('VolumeId', ids), parseVolumes, signal);
  }

  /** Disks that are waited for: by name while all exist, else in the full list. */
  async #look(ids: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, Volume>> {
    if (!ids.some((id) => this.#missing.has(id))) {
      const named = await this.#lookByName(ids, signal);
      if (named !== undefined) return named;
    }
    const all = byId(await this.list(signal));
    this.#missing = new Set(ids.filter((id) => !all.has(id)));
    return all;
  }

  async #lookByName(ids: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, Volume> | undefined> {
    try {
      const named = byId(await this.#describe(ids, signal));
      return ids.every((id) => named.has(id)) ? named : undefined;
    } catch (error) {
      if (!isNotFound(error, 'Volume')) throw error;
      // Of several names it may be any that does not exist; of one there is no doubt.
      return ids.length === 1 ? new Map() : undefined;
    }
  }
}

function byId(volumes: readonly Volume[]): ReadonlyMap<string, Volume> {
  return new Map(volumes.map((volume) => [volume.id, volume]));
}

/** An entry without a name makes the answer unreadable: leaving it out would say that some disk does not exist. */
function parseVolumes(answer: XmlElement): readonly Volume[] {
  return answer.items('volumeSet').map((item) => ({
    id: item.requiredText('volumeId'),
    uniqueId: item.text('volumeUniqueId'),
    sizeGB: item.number('size') ?? Number.NaN,
    diskType: item.text('diskType'),
    zone: item.text('availabilityZone'),
    accountingType: item.text('accountingType'),
    nextMonthAccountingType: item.text('nextMonthAccountingType'),
    status: item.text('status'),
    description: item.text('description'),
    createdAt: item.text('createTime'),
    attachments: item.items('attachmentSet').map((attachment) => ({
      serverName: attachment.text('instanceId'),
      serverUniqueId: attachment.text('instanceUniqueId'),
      status: attachment.text('status'),
      device: attachment.text('device'),
    })),
  }));
}

function parseCreated(answer: XmlElement): Pick<Volume, 'id' | 'uniqueId' | 'zone' | 'sizeGB'> {
  return {
    id: answer.requiredText('volumeId'),
    uniqueId: answer.requiredText('volumeUniqueId'),
    zone: answer.text('availabilityZone'),
    sizeGB: answer.number('size') ?? Number.NaN,
  };
}

function parseAttached(answer: XmlElement): { serverUniqueId: string; volumeUniqueId: string; device: string } {
  return {
    serverUniqueId: answer.text('instanceUniqueId'),
    volumeUniqueId: answer.text('volumeUniqueId'),
    device: answer.text('device'),
  };
}
