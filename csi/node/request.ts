import { isAbsolute } from 'node:path';
import { status } from '@grpc/grpc-js';
import { RpcError } from '../rpc-error.ts';

/** The error for a request that can never succeed as it is. */
export function invalid(message: string): RpcError {
  return new RpcError(status.INVALID_ARGUMENT, message);
}

/** @throws RpcError INVALID_ARGUMENT when the field is empty. */
export function required(field: string, value: string): string {
  if (value === '') throw invalid(`${field} is empty`);
  return value;
}

/** @throws RpcError INVALID_ARGUMENT unless the field is an absolute path. */
export function requiredPath(field: string, value: string): string {
  if (!isAbsolute(required(field, value))) throw invalid(`${field} ${JSON.stringify(value)} is not an absolute path`);
  return value;
}
