import type { Simulator } from '../simulator/nifcloud/simulator.ts';

/**
 * What a program needs to work with a simulated cloud.
 * @param endpoint where the program is to look for it, if not at the simulator itself
 */
export function cloudEnvironment(
  cloud: Simulator,
  endpoint = new URL(cloud.url).origin,
): Readonly<Record<string, string>> {
  return {
    NIFCLOUD_ENDPOINT: endpoint,
    NIFCLOUD_REGION: cloud.state().region,
    NIFCLOUD_ACCESS_KEY_ID: cloud.credentials.accessKeyId,
    NIFCLOUD_SECRET_ACCESS_KEY: cloud.credentials.secretAccessKey,
  };
}
