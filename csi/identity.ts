import type { GetPluginCapabilitiesResponse } from '../proto/gen/csi/v1/GetPluginCapabilitiesResponse.ts';
import type { GetPluginInfoResponse } from '../proto/gen/csi/v1/GetPluginInfoResponse.ts';
import type { ProbeResponse } from '../proto/gen/csi/v1/ProbeResponse.ts';
import { DRIVER_NAME, DRIVER_VERSION } from './names.ts';

/** The Identity service: the same answers in every mode, as the specification demands of one version. */
export const identity = {
  async GetPluginInfo(): Promise<GetPluginInfoResponse> {
    return { name: DRIVER_NAME, vendor_version: DRIVER_VERSION };
  },

  async GetPluginCapabilities(): Promise<GetPluginCapabilitiesResponse> {
    return {
      capabilities: [
        { service: { type: 'CONTROLLER_SERVICE' } },
        { service: { type: 'VOLUME_ACCESSIBILITY_CONSTRAINTS' } },
        { volume_expansion: { type: 'ONLINE' } },
      ],
    };
  },

  /**
   * Ready as soon as it answers. An unreachable cloud must not show here: the liveness probe would restart the pod, which
   * helps nobody and loses what the process knows of its running operations. /readyz, metrics and the log tell of it.
   */
  async Probe(): Promise<ProbeResponse> {
    return { ready: { value: true } };
  },
};
