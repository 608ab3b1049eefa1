import { status } from '@grpc/grpc-js';
import type { CapacityRange__Output } from '../../proto/gen/csi/v1/CapacityRange.ts';
import { STEP_GB } from '../disks/plan.ts';
import { RpcError } from '../rpc-error.ts';

/** The cloud's "n GB" is reported as n GiB, as the Go driver does. */
const GIB = 1024n ** 3n;

const STEP_BYTES = BigInt(STEP_GB) * GIB;

/** The largest disk that any source knows of (docs/reference/nifcloud-api.md §3.2); which types go that far, the cloud decides. */
const LARGEST_GB = 8_000;

/**
 * The size of a disk that satisfies a range: the smallest multiple of 100 GB. Without a lower bound it is 100.
 * @throws RpcError OUT_OF_RANGE when there is none.
 */
export function sizeInRange(range: CapacityRange__Output | null): number {
  const { required, limit } = bounds(range);
  const steps = required === 0n ? 1n : (required + STEP_BYTES - 1n) / STEP_BYTES;
  const sizeGB = steps * BigInt(STEP_GB);
  if (limit !== 0n && sizeGB * GIB > limit) {
    throw new RpcError(
      status.OUT_OF_RANGE,
      `disks come in steps of ${STEP_GB} GiB: none is from ${required} up to ${limit} bytes; the next is ${sizeGB} GiB`,
    );
  }
  if (sizeGB > BigInt(LARGEST_GB)) {
    throw new RpcError(status.OUT_OF_RANGE, `${required} bytes are more than the largest disk, ${LARGEST_GB} GiB`);
  }
  return Number(sizeGB);
}

/** Whether a disk of this size satisfies a range. */
export function isInRange(sizeGB: number, range: CapacityRange__Output | null): boolean {
  const { required, limit } = bounds(range);
  const bytes = BigInt(sizeGB) * GIB;
  return bytes >= required && (limit === 0n || bytes <= limit);
}

/** `capacity_bytes` for a disk of `sizeGB`. A string: the wire's int64 does not fit a number. */
export function capacityBytes(sizeGB: number): string {
  return (BigInt(sizeGB) * GIB).toString();
}

/** @throws RpcError INVALID_ARGUMENT for a negative bound. */
function bounds(range: CapacityRange__Output | null): { required: bigint; limit: bigint } {
  const required = BigInt(range?.required_bytes ?? 0);
  const limit = BigInt(range?.limit_bytes ?? 0);
  if (required < 0n || limit < 0n) {
    throw new RpcError(status.INVALID_ARGUMENT, `capacity_range is negative: ${required} to ${limit} bytes`);
  }
  return { required, limit };
}
