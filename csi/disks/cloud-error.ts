import { status } from '@grpc/grpc-js';
import {
  NifcloudError,
  isAuthFailure,
  isBusy,
  isInternalError,
  isMaintenance,
  isNotFound,
  isProcessingFailure,
  isThrottled,
} from '../../nifcloud/errors.ts';
import { RpcError } from '../rpc-error.ts';

/**
 * Codes after which a sidecar repeats the same call. After any other, external-provisioner takes it that nothing was made and
 * csi-attacher that nothing was attached (docs/reference/csi.md B.1).
 */
const REPEATED: readonly status[] = [status.CANCELLED, status.DEADLINE_EXCEEDED, status.ABORTED, status.UNAVAILABLE];

/** No source has the codes for a full server or a spent quota (docs/reference/nifcloud-api.md §11, 6): these words say it. */
const NO_ROOM = /Limit|Quota|Exceed/;

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

/** The cloud said no, for a reason that leaves no doubt, unlike "internal error" and "processing failure", which may follow the effect. */
export function isSurelyNotDone(error: unknown): boolean {
  if (!(error instanceof NifcloudError) || error.outcome === 'unknown') return false;
  return !isInternalError(error) && !isMaintenance(error) && !isProcessingFailure(error);
}

function codeOf(error: NifcloudError): status {
  const { action, code } = error;
  // What could not be read may be there: a final code would make external-provisioner forget a disk, and csi-attacher an attachment.
  // Refused keys prevent any read, so the same holds for them; they are repaired, and then the same call succeeds.
  if (isAuthFailure(error) || action.startsWith('Describe')) return status.UNAVAILABLE;
  if (isBusy(error)) return status.ABORTED;
  // Only a Client error says for certain that nothing was done and that repeating does not help, unless the cloud had begun with it.
  if (isThrottled(error) || isProcessingFailure(error)) return status.UNAVAILABLE;
  if (error.outcome !== 'refused' || !code.startsWith('Client.')) return status.UNAVAILABLE;
  // The disk or server was there when the call looked: it vanished meanwhile, so another look is due.
  if (isNotFound(error)) return status.ABORTED;
  if (/^Client\.InvalidParameter(IllegalInput|Required)/.test(code)) return status.INVALID_ARGUMENT;
  return NO_ROOM.test(code) ? status.RESOURCE_EXHAUSTED : status.INTERNAL;
}
