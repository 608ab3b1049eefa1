import type { Service } from '../../kube/types.ts';
import type { Problem } from './annotations.ts';
import { Cidr } from './cidr.ts';
import { MAX_FILTER_ENTRIES } from './l4-plan.ts';

/** Read when the spec gives no ranges (`docs/reference/ccm.md` A5). */
export const SOURCE_RANGES_ANNOTATION = 'service.beta.kubernetes.io/load-balancer-source-ranges';

const EVERYONE = '0.0.0.0/0';

/**
 * Who may connect, as entries of an L4 filter: addresses and CIDRs without host bits, each once, in the order given;
 * empty = everyone. A `/32` (and `/128`) is cut off, as the Go program does.
 */
export function sourceRanges(service: Service): readonly string[] | Problem {
  const stated = service.spec?.loadBalancerSourceRanges ?? [];
  const field = sourceRangesField(service);
  const annotation = service.metadata.annotations?.[SOURCE_RANGES_ANNOTATION]?.trim() || EVERYONE;
  const entries = new Set<string>();
  for (const text of stated.length > 0 ? stated : annotation.split(',')) {
    const entry = filterEntry(text.trim());
    if (entry === undefined) {
      return { field, value: text, allowed: 'allowed are CIDRs such as 192.0.2.0/24' };
    }
    entries.add(entry);
  }
  if (entries.has(EVERYONE)) return [];
  if (entries.size > MAX_FILTER_ENTRIES) {
    const allowed = `the filter of an L4 load balancer holds at most ${MAX_FILTER_ENTRIES}`;
    return { field, value: `${entries.size} ranges`, allowed };
  }
  return [...entries];
}

/** Where the ranges of a Service stand. */
export function sourceRangesField(service: Service): string {
  const isInSpec = (service.spec?.loadBalancerSourceRanges ?? []).length > 0;
  return isInSpec ? 'spec.loadBalancerSourceRanges' : SOURCE_RANGES_ANNOTATION;
}

/** `undefined` when `cidr` is none. */
function filterEntry(text: string): string | undefined {
  const cidr = text.includes('/') ? Cidr.parse(text) : undefined;
  return cidr?.canonical.replace(cidr.family === 'ipv4' ? /\/32$/ : /\/128$/, '');
}
