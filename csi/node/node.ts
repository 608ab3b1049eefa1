import type { NodeExpandVolumeRequest__Output } from '../../proto/gen/csi/v1/NodeExpandVolumeRequest.ts';
import type { NodeExpandVolumeResponse } from '../../proto/gen/csi/v1/NodeExpandVolumeResponse.ts';
import type { NodeGetCapabilitiesResponse } from '../../proto/gen/csi/v1/NodeGetCapabilitiesResponse.ts';
import type { NodeGetInfoResponse } from '../../proto/gen/csi/v1/NodeGetInfoResponse.ts';
import type { NodeGetVolumeStatsRequest__Output } from '../../proto/gen/csi/v1/NodeGetVolumeStatsRequest.ts';
import type { NodeGetVolumeStatsResponse } from '../../proto/gen/csi/v1/NodeGetVolumeStatsResponse.ts';
import type { NodePublishVolumeRequest__Output } from '../../proto/gen/csi/v1/NodePublishVolumeRequest.ts';
import type { NodeStageVolumeRequest__Output } from '../../proto/gen/csi/v1/NodeStageVolumeRequest.ts';
import type { NodeUnpublishVolumeRequest__Output } from '../../proto/gen/csi/v1/NodeUnpublishVolumeRequest.ts';
import type { NodeUnstageVolumeRequest__Output } from '../../proto/gen/csi/v1/NodeUnstageVolumeRequest.ts';
import type { Clock } from '../../daemon/clock.ts';
import type { Logger } from '../../daemon/logger.ts';
import { BoundedLooks } from '../linux/bounded-looks.ts';
import { StageRecords } from '../linux/record.ts';
import { unlessAborted } from '../unless-aborted.ts';
import { VolumeLocks } from '../volume-locks.ts';
import { nodeExpandVolume } from './expand.ts';
import { nodeGetInfo } from './info.ts';
import { nodePublishVolume } from './publish.ts';
import type { NodeService } from './service.ts';
import { nodeStageVolume } from './stage.ts';
import { nodeGetVolumeStats } from './stats.ts';
import { sweepUntil } from './sweep.ts';
import { nodeUnpublishVolume } from './unpublish.ts';
import { nodeUnstageVolume } from './unstage.ts';
import { VolumeLimit } from './volume-limit.ts';
import type { VolumeLimitOptions } from './volume-limit.ts';

export interface NodeOptions extends VolumeLimitOptions {
  /** The node id: the name of the server. */
  readonly nodeName: string;
  /** Folder under which the host's `sys`, `dev` and `proc` are found; `/` on a real node. */
  readonly hostRoot: string;
  /** Folder of the records; it must outlive the driver and the machine's reboots. Made if missing. */
  readonly stateDir: string;
  /** The zone of this node; rejects while it is not known. */
  readonly zone: (signal?: AbortSignal) => Promise<string>;
  /** Dead disks are swept until this aborts; without it never. */
  readonly sweepUntil?: AbortSignal | undefined;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly locks: VolumeLocks;
  /** New disks may hold anything: one on which nothing is recognised is formatted though it is not zeros. */
  readonly formatNonzero: boolean;
  readonly attachedVolumes?: NodeService['attachedVolumes'];
}

type Rpc<Request, Response> = (request: Request, signal: AbortSignal) => Promise<Response>;
type Empty = Record<string, never>;

/** The RPCs of csi.v1.Node that are served. Their errors are RpcErrors, or mean INTERNAL. */
export interface NodeHandlers {
  readonly NodeStageVolume: Rpc<NodeStageVolumeRequest__Output, Empty>;
  readonly NodeUnstageVolume: Rpc<NodeUnstageVolumeRequest__Output, Empty>;
  readonly NodePublishVolume: Rpc<NodePublishVolumeRequest__Output, Empty>;
  readonly NodeUnpublishVolume: Rpc<NodeUnpublishVolumeRequest__Output, Empty>;
  readonly NodeExpandVolume: Rpc<NodeExpandVolumeRequest__Output, NodeExpandVolumeResponse>;
  readonly NodeGetVolumeStats: Rpc<NodeGetVolumeStatsRequest__Output, NodeGetVolumeStatsResponse>;
  readonly NodeGetCapabilities: Rpc<unknown, NodeGetCapabilitiesResponse>;
  readonly NodeGetInfo: Rpc<unknown, NodeGetInfoResponse>;
}

/** What the node service promises beyond the mandatory RPCs (docs/reference/csi.md B.3). */
const CAPABILITIES = [
  'STAGE_UNSTAGE_VOLUME',
  'EXPAND_VOLUME',
  'GET_VOLUME_STATS',
  'SINGLE_NODE_MULTI_WRITER',
  'VOLUME_CONDITION',
] as const;

/**
 * The node service: brings attached disks to the folders of pods, on this machine.
 *
 * When the signal of an RPC aborts, the RPC ends at once. The work goes on to its next safe point in the background,
 * since a tool that writes to a disk is never stopped halfway, and holds the lock of the volume until then.
 */
export async function createNodeService(options: NodeOptions): Promise<NodeHandlers> {
  const { clock, logger, hostRoot } = options;
  const service: NodeService = {
    host: { root: hostRoot, clock, logger },
    records: await StageRecords.open(options.stateDir, logger),
    locks: options.locks,
    slots: new VolumeLocks(),
    looks: new BoundedLooks(),
    formatNonzero: options.formatNonzero,
    attachedVolumes: options.attachedVolumes,
  };
  const limit = new VolumeLimit(service, options);
  if (options.sweepUntil !== undefined) void sweepUntil(service, options.sweepUntil);
  const rpc =
    <Request, Response>(
      serve: (service: NodeService, request: Request, signal: AbortSignal) => Promise<Response>,
    ): Rpc<Request, Response> =>
    async (request, signal) => {
      signal.throwIfAborted();
      const work = serve(service, request, signal);
      work.catch((error: unknown) => {
        if (signal.aborted && error !== signal.reason) logger.error('Work failed after its caller had gone', error);
      });
      return unlessAborted(work, signal);
    };
  return {
    NodeStageVolume: rpc(nodeStageVolume),
    NodeUnstageVolume: rpc(nodeUnstageVolume),
    NodePublishVolume: rpc(nodePublishVolume),
    NodeUnpublishVolume: rpc(nodeUnpublishVolume),
    NodeExpandVolume: rpc(nodeExpandVolume),
    NodeGetVolumeStats: rpc(nodeGetVolumeStats),
    NodeGetCapabilities: async () => ({ capabilities: CAPABILITIES.map((type) => ({ rpc: { type } })) }),
    NodeGetInfo: rpc((_service, _request, signal) => nodeGetInfo(options, limit, signal)),
  };
}
