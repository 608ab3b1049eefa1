import { Refusal } from './refusal.ts';

/** The API's host of a region (docs/reference/nifcloud-api.md §1.1). */
export function apiHost(region: string): string {
  return `${region}.computing.api.nifcloud.com`;
}

/**
 * A simulator is one region, and of its services the Computing API: a request that was meant for another host of the cloud must
 * not find the things of this one. Any host outside the cloud's domain is an address of the simulator.
 * @param host a Host header
 * @throws Refusal
 */
export function requireOwnHost(host: string, region: string): void {
  const name = host.toLowerCase().replace(/:\d+$/, '');
  if (!name.endsWith('.nifcloud.com') || name === apiHost(region)) return;
  throw new Refusal(
    'Client.InvalidParameterNotFound.Region',
    `this is ${apiHost(region)}, and the request is for ${name}`,
  );
}
