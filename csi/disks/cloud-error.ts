import { status } from '@grpc/grpc-js';
import {
  NifcloudError,
  isAuthFailure,
  isBusy,
  isInternalError,
  isMaintenance,
  isNotFound,
  isThrottled,
} from '../../nifcloud/errors.ts';
import { RpcError } from '../rpc-error.ts';

/**
 * Codes after which a sidecar repeats the same call. After any other, external-provisioner takes it that nothing was made and
 * csi-attacher that nothing was attached (docs/reference/csi.md B.1).
 */
const REPEATED: readonly status[] = [status.CANCELLED, status.DEADLINE_EXCEEDED, status.ABORTED, status.UNAVAILABLE];

/** The RPC error for a fault of the cloud: the code tells the sidecar how to retry. Other errors are returned as they are. */
export function asRpcError(error: unknown, doing: string): unknown {
  return error instanceof NifcloudError ? new RpcError(codeOf(error), `${doing} failed`, { cause: error }) : error;
}

/** The error for work that was begun and is to be finished by the same call made again, whatever went wrong. */
export function asUnfinished(error: unknown, doing: string): unknown {
  const known = asRpcError(error, doing);
  if (known instanceof RpcError && REPEATED.includes(known.code)) return known;
  return new RpcError(status.UNAVAILABLE, `${doing} is not finished`, { cause: error });
}

/** The cloud said no, for a reason that leaves no doubt. "Internal error" does: it may come after the effect. */
export function isSurelyNotDone(error: unknown): boolean {
  return (
    error instanceof NifcloudError && error.outcome !== 'unknown' && !isInternalError(error) && !isMaintenance(error)
  );
}

function codeOf(error: NifcloudError): status {
  const { code } = error;
  if (isAuthFailure(error)) {
    return code.includes('.AuthFailurePermission') ? status.PERMISSION_DENIED : status.UNAUTHENTICATED;
  }
  if (isBusy(error)) return status.ABORTED;
  // Only a Client error says for certain that nothing was done and that repeating does not help.
  if (isThrottled(error) || error.outcome !== 'refused' || !code.startsWith('Client.')) return status.UNAVAILABLE;
  // The disk or server was there when the call looked: it vanished meanwhile, so another look is due.
  if (isNotFound(error)) return status.ABORTED;
  return /^Client\.InvalidParameter(IllegalInput|Required)/.test(code) ? status.INVALID_ARGUMENT : status.INTERNAL;
}
