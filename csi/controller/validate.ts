import { status } from '@grpc/grpc-js';
import type { ValidateVolumeCapabilitiesRequest__Output } from '../../proto/gen/csi/v1/ValidateVolumeCapabilitiesRequest.ts';
import type { ValidateVolumeCapabilitiesResponse } from '../../proto/gen/csi/v1/ValidateVolumeCapabilitiesResponse.ts';
import type { Disks } from '../disks/disks.ts';
import { UNIQUE_ID_KEY } from '../disks/disks.ts';
import { RpcError } from '../rpc-error.ts';
import { parseClassParameters } from './class-parameters.ts';
import { requireText } from './request.ts';
import { whyUnsupported } from './volume-capability.ts';

/** ValidateVolumeCapabilities: whether an existing volume can be used so. What is not confirmed says why. */
export async function validateVolumeCapabilities(
  request: ValidateVolumeCapabilitiesRequest__Output,
  { disks }: { readonly disks: Disks },
  signal: AbortSignal,
): Promise<ValidateVolumeCapabilitiesResponse> {
  const volumeId = requireText(request, 'volume_id');
  const { volume_capabilities: capabilities, volume_context: context, parameters } = request;
  if (capabilities.length === 0) throw new RpcError(status.INVALID_ARGUMENT, 'volume_capabilities are empty');
  const found = await disks.find(volumeId, context[UNIQUE_ID_KEY], signal);
  if (found === undefined) throw new RpcError(status.NOT_FOUND, `volume ${volumeId} does not exist`);
  const message = whyNot(request);
  if (message !== undefined) return { message };
  return { confirmed: { volume_capabilities: capabilities, volume_context: context, parameters } };
}

function whyNot(request: ValidateVolumeCapabilitiesRequest__Output): string | undefined {
  const unsupported = request.volume_capabilities.map(whyUnsupported).find((reason) => reason !== undefined);
  if (unsupported !== undefined) return unsupported;
  const mutable = Object.keys(request.mutable_parameters);
  if (mutable.length > 0) return `mutable_parameters are not supported: ${mutable.join(', ')}`;
  try {
    parseClassParameters(request.parameters);
    return undefined;
  } catch (error) {
    if (error instanceof RpcError) return error.message;
    throw error;
  }
}
