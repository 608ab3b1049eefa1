import { mkdir, open, readFile, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import type { Logger } from '../../daemon/logger.ts';
import { RpcError } from '../rpc-error.ts';
import { FILE_SYSTEMS } from '../volume-capability.ts';
import type { Capability } from '../volume-capability.ts';
import { errorCode } from './host.ts';

/** What must be known of a volume on this node after a crash, a restart or an upgrade of the driver. */
export interface StageRecord {
  readonly volumeId: string;
  /** `block` = nothing is mounted at the staging path: targets get the device itself. */
  readonly access: Capability['access'];
  /** `''` for block access. */
  readonly fileSystem: Capability['fileSystem'];
  /** N of `SCSI (0:N)`. */
  readonly slot: number;
  /** `sdb`; `''` = see `StageRecords.unstage`. */
  readonly device: string;
  /** `major:minor`; `''` = see `StageRecords.unstage`. */
  readonly number: string;
  /** Of the running kernel: after a reboot `device` and `number` mean nothing. `''` = not known. */
  readonly bootId: string;
  /** `''` = not known: attached by the Go driver. */
  readonly volumeUniqueId: string;
  /** At the time of the attach; 0 = not known. */
  readonly sizeGB: number;
  readonly mountFlags: readonly string[];
  /** mkfs was about to start and is not known to have ended well. */
  readonly formatting: boolean;
  /** Targets that are bound, or about to be, and not yet known to be read-only as they shall be. */
  readonly unfinishedReadOnly: readonly string[];
}

const FIELD_TYPES: Readonly<Record<keyof StageRecord, (value: unknown) => boolean>> = {
  volumeId: isText,
  access: (value) => value === 'mount' || value === 'block',
  fileSystem: (value) => ['', ...FILE_SYSTEMS].some((one) => one === value),
  slot: Number.isSafeInteger,
  device: isText,
  number: isText,
  bootId: isText,
  volumeUniqueId: isText,
  sizeGB: Number.isSafeInteger,
  mountFlags: isTexts,
  formatting: (value) => typeof value === 'boolean',
  unfinishedReadOnly: isTexts,
};

/** What records of before had not: then there was nothing else. */
const ADDED_FIELDS: Partial<StageRecord> = { access: 'mount', fileSystem: 'ext4' };

/** Volume ids are file names here. Those of NIFCLOUD are letters and digits. */
const VOLUME_ID = /^[A-Za-z0-9][\w.-]{0,127}$/;

const SUFFIX = '.json';

/**
 * The records of the volumes that are staged, or being staged, on this node: one small file each.
 *
 * - A record that was saved is on the disk, whole, whatever happens next (fsync of the file and of its folder, rename).
 * - The files are the only memory: nothing is cached.
 */
export class StageRecords {
  readonly #folder: string;
  readonly #logger: Logger;

  private constructor(folder: string, logger: Logger) {
    this.#folder = folder;
    this.#logger = logger;
  }

  /** Makes the folder if it is missing. */
  static async open(folder: string, logger: Logger): Promise<StageRecords> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return new StageRecords(folder, logger);
  }

  /** @throws RpcError INVALID_ARGUMENT for an id that no volume can have. */
  static requireVolumeId(volumeId: string): void {
    if (VOLUME_ID.test(volumeId)) return;
    throw new RpcError(status.INVALID_ARGUMENT, `volume_id ${JSON.stringify(volumeId)} is not the id of a volume`);
  }

  /**
   * Undefined: the volume is not staged here by this driver.
   * @throws RpcError INTERNAL when the record can't be read: that is not the same.
   */
  async get(volumeId: string): Promise<StageRecord | undefined> {
    if (!VOLUME_ID.test(volumeId)) return undefined;
    const path = this.#path(volumeId);
    try {
      return parse(await readFile(path, 'utf8'));
    } catch (cause) {
      if (errorCode(cause) === 'ENOENT') return undefined;
      throw new RpcError(status.INTERNAL, `the record ${path} can't be read; remove it when the volume is unmounted`, {
        cause,
      });
    }
  }

  /** The records of all volumes that are staged or being staged, as far as they can be read. */
  async all(): Promise<readonly StageRecord[]> {
    const records: StageRecord[] = [];
    for (const name of (await readdir(this.#folder)).filter((file) => file.endsWith(SUFFIX))) {
      try {
        const record = await this.get(name.slice(0, -SUFFIX.length));
        if (record !== undefined && isStaged(record)) records.push(record);
      } catch (error) {
        this.#logger.error('A record is skipped', error, { file: join(this.#folder, name) });
      }
    }
    return records;
  }

  /** Returns when the record is on the disk. */
  async save(record: StageRecord): Promise<void> {
    const path = this.#path(record.volumeId);
    const file = await open(`${path}.new`, 'w', 0o600);
    try {
      await file.writeFile(`${JSON.stringify(record)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(`${path}.new`, path);
    await this.#syncFolder();
  }

  /**
   * Forgets a volume that has left this node, but not that an mkfs of ours did not end on its disk: what it left is not empty,
   * and without the record it would be refused when it comes back, for ever. Without a record nothing happens.
   */
  async unstage(volumeId: string): Promise<void> {
    const record = await this.get(volumeId);
    if (record?.formatting !== true) return this.remove(volumeId);
    await rm(this.lockFile(volumeId), { force: true });
    if (isStaged(record)) await this.save({ ...record, device: '', number: '' });
  }

  /** Forgets a volume. Without a record nothing happens. */
  async remove(volumeId: string): Promise<void> {
    if (!VOLUME_ID.test(volumeId)) return;
    await rm(this.lockFile(volumeId), { force: true });
    await rm(this.#path(volumeId), { force: true });
    await this.#syncFolder();
  }

  /**
   * The file whose lock the tools hold that change the volume's disk.
   * @throws RpcError INVALID_ARGUMENT for an id that no volume can have: it would be a file elsewhere.
   */
  lockFile(volumeId: string): string {
    StageRecords.requireVolumeId(volumeId);
    return join(this.#folder, `${volumeId}.lock`);
  }

  #path(volumeId: string): string {
    StageRecords.requireVolumeId(volumeId);
    return join(this.#folder, `${volumeId}${SUFFIX}`);
  }

  async #syncFolder(): Promise<void> {
    const folder = await open(this.#folder, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }
}

function parse(text: string): StageRecord {
  const value = { ...ADDED_FIELDS, ...(JSON.parse(text) as Readonly<Record<string, unknown>>) };
  const wrong = Object.entries(FIELD_TYPES).find(([field, fits]) => !fits(value[field as keyof typeof value]));
  if (wrong !== undefined) throw new Error(`field ${wrong[0]} is missing or of another type`);
  return value as unknown as StageRecord;
}

/** Whether the volume is staged, or being staged: not so is one of which only an unfinished mkfs is left, see `StageRecords.unstage`. */
export function isStaged(record: StageRecord): boolean {
  return record.number !== '';
}

function isText(value: unknown): boolean {
  return typeof value === 'string';
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every(isText);
}
