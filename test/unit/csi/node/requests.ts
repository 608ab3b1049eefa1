import { join } from 'node:path';
import { RpcError } from '../../../../csi/rpc-error.ts';
import { status } from '@grpc/grpc-js';
import type { NodeExpandVolumeRequest__Output } from '../../../../proto/gen/csi/v1/NodeExpandVolumeRequest.ts';
import type { NodePublishVolumeRequest__Output } from '../../../../proto/gen/csi/v1/NodePublishVolumeRequest.ts';
import type { NodeStageVolumeRequest__Output } from '../../../../proto/gen/csi/v1/NodeStageVolumeRequest.ts';
import type { VolumeCapability__Output } from '../../../../proto/gen/csi/v1/VolumeCapability.ts';
import type { FakeMachine } from './fake-machine.ts';

/** The signal of a caller that waits for ever. */
export const patient = new AbortController().signal;

export function mountCapability(...mountFlags: readonly string[]): VolumeCapability__Output {
  return {
    mount: { fs_type: 'ext4', mount_flags: [...mountFlags], volume_mount_group: '' },
    access_mode: { mode: 'SINGLE_NODE_WRITER' },
    access_type: 'mount',
  };
}

/** A capability with another file system than ext4. */
export function formattedWith(fsType: string, ...mountFlags: readonly string[]): VolumeCapability__Output {
  return {
    ...mountCapability(),
    mount: { fs_type: fsType, mount_flags: [...mountFlags], volume_mount_group: '' },
  };
}

export const BLOCK_CAPABILITY: VolumeCapability__Output = {
  block: {},
  access_mode: { mode: 'SINGLE_NODE_WRITER' },
  access_type: 'block',
};

export function stagingPath(machine: FakeMachine, volumeId = 'vol1'): string {
  return join(machine.home, 'kubelet/plugins/kubernetes.io/csi', volumeId, 'globalmount');
}

export function targetPath(machine: FakeMachine, pod = 'pod1'): string {
  return join(machine.home, 'kubelet/pods', pod, 'mount');
}

export function stageRequest(
  machine: FakeMachine,
  changes: Partial<NodeStageVolumeRequest__Output> & { readonly context?: Record<string, string> } = {},
): NodeStageVolumeRequest__Output {
  const { context, ...fields } = changes;
  return {
    volume_id: 'vol1',
    staging_target_path: stagingPath(machine, changes.volume_id),
    publish_context: context ?? { devicePath: 'SCSI (0:1)', volumeUniqueId: 'vol-unique1', sizeGB: '100' },
    volume_capability: mountCapability(),
    secrets: {},
    volume_context: {},
    ...fields,
  };
}

export function publishRequest(
  machine: FakeMachine,
  changes: Partial<NodePublishVolumeRequest__Output> = {},
): NodePublishVolumeRequest__Output {
  return {
    volume_id: 'vol1',
    staging_target_path: stagingPath(machine, changes.volume_id),
    target_path: targetPath(machine),
    publish_context: {},
    volume_capability: mountCapability(),
    readonly: false,
    secrets: {},
    volume_context: {},
    ...changes,
  };
}

export function expandRequest(
  machine: FakeMachine,
  changes: Partial<NodeExpandVolumeRequest__Output> = {},
): NodeExpandVolumeRequest__Output {
  return {
    volume_id: 'vol1',
    volume_path: stagingPath(machine),
    capacity_range: { required_bytes: String(200 * 2 ** 30), limit_bytes: '0' },
    staging_target_path: '',
    volume_capability: null,
    secrets: {},
    ...changes,
  };
}

/** The gRPC code and the text of an RPC's failure: `FAILED_PRECONDITION: …`. */
export async function failureOf(rpc: Promise<unknown>): Promise<string> {
  try {
    await rpc;
  } catch (error) {
    if (!(error instanceof RpcError)) return `no RpcError: ${String(error)}`;
    const cause = error.cause instanceof Error ? `: ${error.cause.message}` : '';
    return `${status[error.code]}: ${error.message}${cause}`;
  }
  return 'it did not fail';
}
