import { createHash } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import { DISK_TYPES } from '../../nifcloud/volumes.ts';
import { RpcError } from '../rpc-error.ts';

/** What a StorageClass asks of a disk, in the cloud's codes (docs/reference/csi.md C.1). */
export interface ClassParameters {
  /** Types that satisfy it, as codes: one, or the two letters where the class names none. */
  readonly diskTypes: readonly string[];
  readonly accountingType: '1' | '2';
}

const DEFAULT_TYPE = 'standard-flash-a';
const DEFAULT_ACCOUNTING = 'hourly';

const ACCOUNTING_TYPES = { monthly: '1', hourly: '2' } as const;

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
 * @throws RpcError INVALID_ARGUMENT that lists what is allowed.
 */
export function parseClassParameters(parameters: Readonly<Record<string, string>>): ClassParameters {
  let type = DEFAULT_TYPE;
  let accounting = DEFAULT_ACCOUNTING;
  for (const [key, value] of Object.entries(parameters)) {
    if (key.startsWith(SIDECAR_PREFIX)) continue;
    switch (key.toLowerCase()) {
      case 'type':
        type = value;
        break;
      case 'accountingtype':
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
  if (accounting !== 'monthly' && accounting !== 'hourly') {
    throw refusedValue('accountingType', accounting, Object.keys(ACCOUNTING_TYPES));
  }
  return { diskTypes, accountingType: ACCOUNTING_TYPES[accounting] };
}

/** The type to make: the same at every try for one name. */
export function diskTypeFor(name: string, { diskTypes }: ClassParameters): string {
  const hash = createHash('sha256').update(name).digest().readUInt32BE();
  return diskTypes[hash % diskTypes.length] ?? '';
}

/** The answer texts of the types that satisfy a class, for a comparison with disks. */
export function isTypeOf(answer: string, { diskTypes }: ClassParameters): boolean {
  const known = DISK_TYPES.find((type) => type.answer === answer);
  // A text that nobody told us of proves nothing.
  return known === undefined || diskTypes.includes(known.code);
}

function refusedValue(key: string, value: string, allowed: readonly string[]): RpcError {
  return new RpcError(
    status.INVALID_ARGUMENT,
    `parameter ${key}: ${JSON.stringify(value)} is not allowed; allowed are ${allowed.join(', ')}`,
  );
}
