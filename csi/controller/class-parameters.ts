import { createHash } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import { DISK_TYPES } from '../../nifcloud/volumes.ts';
import type { Volume } from '../disks/cloud.ts';
import { RpcError } from '../rpc-error.ts';

/** What a disk is charged by, in the cloud's codes. */
export type AccountingType = (typeof ACCOUNTING_TYPES)[keyof typeof ACCOUNTING_TYPES];

/** What a StorageClass asks of a disk, in the cloud's codes (docs/reference/csi.md C.1). */
export interface ClassParameters {
  /** Types that satisfy it, as codes: one, or the two letters where the class names none. */
  readonly diskTypes: readonly string[];
  readonly accountingType: AccountingType;
}

const DEFAULT_TYPE = 'standard-flash-a';
const DEFAULT_ACCOUNTING = 'hourly';

const ACCOUNTING_TYPES = { monthly: '1', hourly: '2' } as const;

/** `accountingType`, in lower case. */
const ACCOUNTING_KEY = 'accountingtype';

type Parameters = Readonly<Record<string, string>>;

/** external-provisioner's own keys; `--extra-create-metadata` adds some that the Go driver choked on. */
const SIDECAR_PREFIX = 'csi.storage.k8s.io/';

/** StorageClass name → codes. `high-speed` stands for `high-speed-a` or `high-speed-b`: separate systems of one class. */
const TYPES: ReadonlyMap<string, readonly string[]> = typesByName();

function typesByName(): ReadonlyMap<string, readonly string[]> {
  const types = new Map<string, readonly string[]>();
  for (const { storageClass, code } of DISK_TYPES) {
    types.set(storageClass, [code]);
    const withoutLetter = storageClass.replace(/-[ab]$/, '');
    if (withoutLetter !== storageClass) types.set(withoutLetter, [...(types.get(withoutLetter) ?? []), code]);
  }
  return types;
}

/**
 * Reads StorageClass parameters. Keys count without regard to case, as in the Go driver; `fstype` is accepted and means nothing.
 * @param mutable those of a VolumeAttributesClass, which win (docs/reference/csi.md A.4)
 * @throws RpcError INVALID_ARGUMENT that lists what is allowed.
 */
export function parseClassParameters(parameters: Parameters, mutable: Parameters): ClassParameters {
  let type = DEFAULT_TYPE;
  let accounting: string = DEFAULT_ACCOUNTING;
  for (const [key, value] of Object.entries(parameters)) {
    if (key.startsWith(SIDECAR_PREFIX)) continue;
    switch (key.toLowerCase()) {
      case 'type':
        type = value;
        break;
      case ACCOUNTING_KEY:
        accounting = value;
        break;
      case 'fstype': // deprecated there in favour of csi.storage.k8s.io/fstype, which arrives in the capability
        break;
      default:
        throw new RpcError(
          status.INVALID_ARGUMENT,
          `unknown parameter ${JSON.stringify(key)}: known are type, accountingType and ${SIDECAR_PREFIX}*`,
        );
    }
  }
  const diskTypes = TYPES.get(type);
  if (diskTypes === undefined) throw refusedValue('type', type, [...TYPES.keys()].sort());
  const accountingType = accountingCode(accounting);
  return { diskTypes, accountingType: parseMutableParameters(mutable) ?? accountingType };
}

/**
 * Reads the parameters of a VolumeAttributesClass: `accountingType` is all that the cloud can change about a disk
 * (docs/reference/nifcloud-api.md §3.7). `undefined` = it is to stay as it is.
 * @throws RpcError INVALID_ARGUMENT that lists what is allowed.
 */
export function parseMutableParameters(mutable: Parameters): AccountingType | undefined {
  let accountingType: AccountingType | undefined;
  for (const [key, value] of Object.entries(mutable)) {
    if (key.toLowerCase() !== ACCOUNTING_KEY) {
      throw new RpcError(
        status.INVALID_ARGUMENT,
        `mutable parameter ${JSON.stringify(key)} is not supported: a disk's accountingType can be changed, nothing else`,
      );
    }
    accountingType = accountingCode(value);
  }
  return accountingType;
}

/** @throws RpcError INVALID_ARGUMENT */
function accountingCode(accounting: string): AccountingType {
  if (accounting === 'monthly' || accounting === 'hourly') return ACCOUNTING_TYPES[accounting];
  throw refusedValue('accountingType', accounting, Object.keys(ACCOUNTING_TYPES));
}

/** The type to make: the same at every try for one name. */
export function diskTypeFor(name: string, { diskTypes }: ClassParameters): string {
  const hash = createHash('sha256').update(name).digest().readUInt32BE();
  return diskTypes[hash % diskTypes.length] ?? '';
}

/**
 * In which ways a disk is not what parameters ask for; each completes "it is …". What the cloud does not say proves nothing, and
 * neither does a type that nobody told us of.
 */
export function mismatches(volume: Volume, { diskTypes, accountingType }: Partial<ClassParameters>): readonly string[] {
  const complaints: string[] = [];
  const type = DISK_TYPES.find(({ answer }) => answer === volume.diskType);
  if (type !== undefined && diskTypes?.includes(type.code) === false) complaints.push(`of type ${volume.diskType}`);
  const accounting = [volume.accountingType, volume.nextMonthAccountingType].filter((code) => code !== '');
  if (accounting.length > 0 && accountingType !== undefined && !accounting.includes(accountingType)) {
    complaints.push(`charged ${accounting[0] === ACCOUNTING_TYPES.monthly ? 'monthly' : 'hourly'}`);
  }
  return complaints;
}

function refusedValue(key: string, value: string, allowed: readonly string[]): RpcError {
  return new RpcError(
    status.INVALID_ARGUMENT,
    `parameter ${key}: ${JSON.stringify(value)} is not allowed; allowed are ${allowed.join(', ')}`,
  );
}
