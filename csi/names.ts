import packageJson from '../package.json' with { type: 'json' };

/** The provisioner of StorageClasses and `spec.csi.driver` of volumes. Fixed for life: docs/reference/csi.md C.1. */
export const DRIVER_NAME = 'additional-storage.csi.nifcloud.com';

/** The one topology key, on nodes and volumes; its value is a zone such as `east-11`. */
export const ZONE_KEY = 'topology.additional-storage.csi.nifcloud.com/zone';

/** Of a Node in the Kubernetes API. */
export function nodePath(name: string): string {
  return `/api/v1/nodes/${encodeURIComponent(name)}`;
}

/** The version that GetPluginInfo and `--version` tell. */
export const DRIVER_VERSION = packageJson.version;
