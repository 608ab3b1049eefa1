import type { Service } from '../kube/types.ts';
import { KIND_TEXTS, type Found } from './kind.ts';
import { CLEANUP_FINALIZER } from './service-change.ts';
import { ingressOf, isReplacing } from './service-status.ts';

/**
 * Whether a load balancer of a Service's name is the Service's (`docs/reference/ccm.md` E7 #16).
 *
 * - Where its listeners name owners, the Service must be the only one.
 * - Else the proof is that its address stands in the Service, or that none does while the finalizer is on: that is how things are
 *   between making it and writing down its address.
 * - The address of an elastic one in whose place an L4 one is being made does not speak against that.
 * @param owner how the Service would stand on a listener
 * @param other a load balancer of the other kind that is the Service's: its address does not speak against this one
 */
export function isOurs(found: Found, service: Service, owner: string, other?: Found): boolean {
  if (found.owners.length > 0) return found.owners.every((one) => one === owner);
  const addresses = ingressOf(service).filter((one) => other === undefined || one.ip !== other.vip);
  if (addresses.some((one) => one.ip === found.vip)) return true;
  if (addresses.length > 0 && !(found.kind === 'l4' && isReplacing(service))) return false;
  return service.metadata.finalizers?.includes(CLEANUP_FINALIZER) ?? false;
}

/** Why it is not touched, and what can be done about it. */
export function foreignText({ kind, name, vip, owners }: Found, owner: string): string {
  const what = `${KIND_TEXTS[kind]} ${name} (${vip || 'without address'}) is not this Service's`;
  const stranger = owners.find((one) => one !== owner);
  if (stranger !== undefined) {
    return `${what}: it belongs to ${stranger}, by the description of its listeners; it is left as it is`;
  }
  return (
    `${what}, which has another address: it is left as it is. Delete it in the control panel if nobody needs it; ` +
    `if it is this Service's, write its address into status.loadBalancer`
  );
}
