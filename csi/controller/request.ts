import { status } from '@grpc/grpc-js';
import { RpcError } from '../rpc-error.ts';

/** @throws RpcError INVALID_ARGUMENT when a required text is empty. */
export function requireText(request: object, field: string): string {
  const value: unknown = (request as Record<string, unknown>)[field];
  if (typeof value === 'string' && value !== '') return value;
  throw new RpcError(status.INVALID_ARGUMENT, `${field} is missing`);
}
