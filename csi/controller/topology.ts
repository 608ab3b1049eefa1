import { status } from '@grpc/grpc-js';
import type { TopologyRequirement__Output } from '../../proto/gen/csi/v1/TopologyRequirement.ts';
import { ZONE_KEY } from '../names.ts';
import { RpcError } from '../rpc-error.ts';

/**
 * Zones from which the volume must be reachable, the one to make it in first: `preferred[0]`, else `requisite[0]`. Never another
 * zone in its place: the pod waits where it was scheduled (docs/reference/csi.md E.2). Empty = the caller does not mind.
 * @throws RpcError INVALID_ARGUMENT for a requirement without our key: falling back to some zone would strand the volume.
 */
export function requiredZones(requirement: TopologyRequirement__Output | null): readonly string[] {
  const topologies = [...(requirement?.preferred ?? []), ...(requirement?.requisite ?? [])];
  const zones = topologies.map(({ segments }) => segments[ZONE_KEY] ?? '').filter((zone) => zone !== '');
  if (topologies.length > 0 && zones.length === 0) {
    throw new RpcError(
      status.INVALID_ARGUMENT,
      `accessibility_requirements have no ${ZONE_KEY}; does every node run this driver?`,
    );
  }
  return [...new Set(zones)];
}
