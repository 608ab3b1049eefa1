import type { Volume as VolumeMessage } from '../../proto/gen/csi/v1/Volume.ts';
import type { Volume } from '../disks/cloud.ts';
import { UNIQUE_ID_KEY } from '../disks/disks.ts';
import { ZONE_KEY } from '../names.ts';
import { capacityBytes } from './capacity.ts';

/** A disk as the specification's `Volume`. @param handle what its caller calls it; the disk may have been renamed since */
export function volumeMessage({ sizeGB, uniqueId, zone }: Volume, handle: string): VolumeMessage {
  return {
    volume_id: handle,
    capacity_bytes: Number.isFinite(sizeGB) ? capacityBytes(sizeGB) : '0', // 0 = not known
    volume_context: { [UNIQUE_ID_KEY]: uniqueId },
    accessible_topology: zone === '' ? [] : [{ segments: { [ZONE_KEY]: zone } }],
  };
}
