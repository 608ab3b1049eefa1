import { isIPv4, isIPv6 } from 'node:net';
import type { Service } from '../../kube/types.ts';
import type { Problem } from './annotations.ts';
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
  const field = stated.length > 0 ? 'spec.loadBalancerSourceRanges' : SOURCE_RANGES_ANNOTATION;
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

/** `undefined` when `cidr` is none. */
function filterEntry(cidr: string): string | undefined {
  const [, address = '', length = ''] = /^([^/]+)\/(\d{1,3})$/.exec(cidr) ?? [];
  const bits = isIPv4(address) ? 32 : isIPv6(address) && !address.includes('%') ? 128 : undefined;
  const prefix = Number(length);
  if (bits === undefined || length === '' || prefix > bits) return undefined;
  const hostBits = BigInt(bits - prefix);
  const network = (toNumber(address) >> hostBits) << hostBits;
  const text = bits === 32 ? ipv4Text(network) : ipv6Text(network);
  return prefix === bits ? text : `${text}/${prefix}`;
}

function toNumber(address: string): bigint {
  const groups = isIPv4(address) ? address.split('.').map(Number) : ipv6Groups(address);
  const groupBits = isIPv4(address) ? 8n : 16n;
  return groups.reduce((number, group) => (number << groupBits) | BigInt(group), 0n);
}

/** The eight groups. The URL parser knows every notation of an address and writes the shortest. */
function ipv6Groups(address: string): number[] {
  const [head = [], tail = []] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::').map(hexGroups);
  return [...head, ...Array<number>(8 - head.length - tail.length).fill(0), ...tail];
}

function hexGroups(text: string): number[] {
  return text === '' ? [] : text.split(':').map((group) => parseInt(group, 16));
}

function ipv4Text(number: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (number >> shift) & 255n).join('.');
}

function ipv6Text(number: bigint): string {
  const groups = [112n, 96n, 80n, 64n, 48n, 32n, 16n, 0n].map((shift) => ((number >> shift) & 65535n).toString(16));
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}
