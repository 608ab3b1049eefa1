import type { ControllerGetCapabilitiesResponse } from '../../proto/gen/csi/v1/ControllerGetCapabilitiesResponse.ts';
import { asRpcError } from '../disks/cloud-error.ts';
import type { Handler, Handlers } from '../server.ts';
import type { CreateSurroundings } from './create.ts';
import { createVolume } from './create.ts';
import { deleteVolume } from './delete.ts';
import { controllerExpandVolume } from './expand.ts';
import { controllerPublishVolume } from './publish.ts';
import type { UnpublishSurroundings } from './unpublish.ts';
import { controllerUnpublishVolume } from './unpublish.ts';
import { validateVolumeCapabilities } from './validate.ts';

export type ControllerSurroundings = CreateSurroundings & UnpublishSurroundings;

type Rpc = (request: never, surroundings: ControllerSurroundings, signal: AbortSignal) => Promise<object>;

/** The Controller service. RPCs that are not here answer UNIMPLEMENTED, and no capability promises them. */
export function createControllerService(surroundings: ControllerSurroundings): Handlers {
  const handlers: Readonly<Record<string, Rpc>> = {
    CreateVolume: createVolume,
    DeleteVolume: deleteVolume,
    ControllerPublishVolume: controllerPublishVolume,
    ControllerUnpublishVolume: controllerUnpublishVolume,
    ControllerExpandVolume: controllerExpandVolume,
    ValidateVolumeCapabilities: validateVolumeCapabilities,
    ControllerGetCapabilities: controllerGetCapabilities,
  };
  return Object.fromEntries(
    Object.entries(handlers).map(([name, rpc]) => [name, withCloudErrors(name, rpc, surroundings)]),
  );
}

/** ControllerGetCapabilities: what this driver does. */
async function controllerGetCapabilities(): Promise<ControllerGetCapabilitiesResponse> {
  const types = ['CREATE_DELETE_VOLUME', 'PUBLISH_UNPUBLISH_VOLUME', 'EXPAND_VOLUME'] as const;
  return { capabilities: types.map((type) => ({ rpc: { type } })) };
}

/** The one place where a fault of the cloud that no RPC has dealt with becomes a gRPC status. */
function withCloudErrors(name: string, rpc: Rpc, surroundings: ControllerSurroundings): Handler {
  return async (request, signal) => {
    try {
      return await rpc(request, surroundings, signal);
    } catch (error) {
      throw asRpcError(error, name);
    }
  };
}
