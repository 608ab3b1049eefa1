import { status } from '@grpc/grpc-js';
import type { ValidateVolumeCapabilitiesRequest__Output } from '../../proto/gen/csi/v1/ValidateVolumeCapabilitiesRequest.ts';
import type { ValidateVolumeCapabilitiesResponse } from '../../proto/gen/csi/v1/ValidateVolumeCapabilitiesResponse.ts';
import type { Volume } from '../disks/cloud.ts';
import type { Disks } from '../disks/disks.ts';
import { UNIQUE_ID_KEY } from '../disks/disks.ts';
import { RpcError } from '../rpc-error.ts';
import { requireCapabilities } from '../volume-capability.ts';
import type { ClassParameters } from './class-parameters.ts';
import { mismatches, parseClassParameters, parseMutableParameters } from './class-parameters.ts';
import { requireText } from './request.ts';

/**
 * ValidateVolumeCapabilities: whether an existing volume can be used so, and is what the parameters ask for. What is not confirmed
 * says why.
 */
export async function validateVolumeCapabilities(
  request: ValidateVolumeCapabilitiesRequest__Output,
  { disks }: { readonly disks: Disks },
  signal: AbortSignal,
): Promise<ValidateVolumeCapabilitiesResponse> {
  const volumeId = requireText(request, 'volume_id');
  const { volume_capabilities, volume_context, parameters, mutable_parameters } = request;
  if (volume_capabilities.length === 0) throw new RpcError(status.INVALID_ARGUMENT, 'volume_capabilities are empty');
  const found = await disks.find(volumeId, volume_context[UNIQUE_ID_KEY] || undefined, signal);
  if (found === undefined) throw new RpcError(status.NOT_FOUND, `volume ${volumeId} does not exist`);
  const message = whyNot(request, found.volume);
  if (message !== undefined) return { message };
  return { confirmed: { volume_capabilities, volume_context, parameters, mutable_parameters } };
}

function whyNot(request: ValidateVolumeCapabilitiesRequest__Output, volume: Volume): string | undefined {
  try {
    requireCapabilities(request.volume_capabilities);
    const complaints = mismatches(volume, wantedClass(request));
    return complaints.length === 0 ? undefined : `disk ${volume.id} is ${complaints.join(', ')}`;
  } catch (error) {
    if (error instanceof RpcError) return error.message;
    throw error;
  }
}

/** A request without parameters asks for nothing; one with some means the defaults of a class, too. */
function wantedClass(request: ValidateVolumeCapabilitiesRequest__Output): Partial<ClassParameters> {
  const { parameters, mutable_parameters: mutable } = request;
  if (Object.keys(parameters).length > 0) return parseClassParameters(parameters, mutable);
  const accountingType = parseMutableParameters(mutable);
  return accountingType === undefined ? {} : { accountingType };
}
