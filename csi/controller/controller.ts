import type { ControllerGetCapabilitiesResponse } from '../../proto/gen/csi/v1/ControllerGetCapabilitiesResponse.ts';
import type { ContinuedCalls } from '../continued-calls.ts';
import { asRpcError } from '../disks/cloud-error.ts';
import { volumeIdOf } from '../disks/identity.ts';
import type { Handler, Handlers } from '../server.ts';
import type { CreateSurroundings } from './create.ts';
import { createVolume } from './create.ts';
import { deleteVolume } from './delete.ts';
import { controllerExpandVolume } from './expand.ts';
import { controllerGetVolume } from './get.ts';
import { listVolumes } from './list.ts';
import { controllerModifyVolume } from './modify.ts';
import { controllerPublishVolume } from './publish.ts';
import type { UnpublishSurroundings } from './unpublish.ts';
import { controllerUnpublishVolume } from './unpublish.ts';
import { validateVolumeCapabilities } from './validate.ts';

export type ControllerSurroundings = CreateSurroundings &
  UnpublishSurroundings & {
    /** Of this process. */
    readonly calls: ContinuedCalls;
  };

type Rpc = (request: never, surroundings: ControllerSurroundings, signal: AbortSignal) => Promise<object>;

/** The Controller service. RPCs that are not here answer UNIMPLEMENTED, and no capability promises them. */
export function createControllerService(surroundings: ControllerSurroundings): Handlers {
  const changes: Readonly<Record<string, Rpc>> = {
    CreateVolume: createVolume,
    DeleteVolume: deleteVolume,
    ControllerPublishVolume: controllerPublishVolume,
    ControllerUnpublishVolume: controllerUnpublishVolume,
    ControllerExpandVolume: controllerExpandVolume,
    ControllerModifyVolume: controllerModifyVolume,
  };
  const looks: Readonly<Record<string, Rpc>> = {
    ControllerGetVolume: controllerGetVolume,
    ListVolumes: listVolumes,
    ValidateVolumeCapabilities: validateVolumeCapabilities,
    ControllerGetCapabilities: controllerGetCapabilities,
  };
  const handler = ([name, rpc]: readonly [string, Rpc]) => [name, withCloudErrors(name, rpc, surroundings)] as const;
  return {
    ...Object.fromEntries(Object.entries(looks).map(handler)),
    ...Object.fromEntries(
      Object.entries(changes)
        .map(handler)
        .map(([name, rpc]) => [name, continued(name, rpc, surroundings.calls)]),
    ),
  };
}

/** Goes on when its caller has gone, and equal calls for the volume share one run. */
function continued(name: string, rpc: Handler, calls: ContinuedCalls): Handler {
  return async (request: { readonly name?: string; readonly volume_id?: string }, signal) => {
    // A CreateVolume is that of the volume which its name decides. Without a volume there is nothing to do but to complain.
    const volumeId = request.name ? volumeIdOf(request.name) : request.volume_id;
    if (!volumeId) return rpc(request as never, signal);
    const text = `${name} ${JSON.stringify(request, keysInOrder)}`;
    return calls.run(volumeId, text, (until) => rpc(request as never, until), signal);
  };
}

/** For JSON.stringify: the sidecars send the entries of a map in any order, another one each time. */
function keysInOrder(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * What this driver does (docs/reference/csi.md B.3). SINGLE_NODE_MULTI_WRITER makes the sidecars tell ReadWriteOncePod from
 * ReadWriteOnce; the node server promises it, too.
 */
const CAPABILITIES = [
  'CREATE_DELETE_VOLUME',
  'PUBLISH_UNPUBLISH_VOLUME',
  'LIST_VOLUMES',
  'LIST_VOLUMES_PUBLISHED_NODES',
  'EXPAND_VOLUME',
  'GET_VOLUME',
  'VOLUME_CONDITION',
  'SINGLE_NODE_MULTI_WRITER',
  'MODIFY_VOLUME',
] as const;

/** ControllerGetCapabilities. */
async function controllerGetCapabilities(): Promise<ControllerGetCapabilitiesResponse> {
  return { capabilities: CAPABILITIES.map((type) => ({ rpc: { type } })) };
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
