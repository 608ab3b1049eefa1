import { isIPv4, isIPv6 } from 'node:net';

/** A range of IP addresses of one family. */
export class Cidr {
  /** As it was written. */
  readonly text: string;
  /** The same for all ways to write it: without host bits, in the shortest notation. */
  readonly canonical: string;
  readonly family: 'ipv4' | 'ipv6';
  readonly #prefix: number;
  readonly #hostBits: bigint;
  /** The address without its host bits. */
  readonly #network: bigint;

  /** @param text `10.0.0.0/8`; host bits do not matter; an address alone is a range of one. `undefined` when it is none. */
  static parse(text: string): Cidr | undefined {
    const [, address = '', length] = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
    const bits = isIPv4(address) ? 32 : isIPv6(address) ? 128 : undefined;
    if (bits === undefined) return undefined;
    const prefix = length === undefined ? bits : Number(length);
    return prefix > bits ? undefined : new Cidr(text, address, bits, prefix);
  }

  private constructor(text: string, address: string, bits: 32 | 128, prefix: number) {
    this.text = text;
    this.family = bits === 32 ? 'ipv4' : 'ipv6';
    this.#prefix = prefix;
    this.#hostBits = BigInt(bits - prefix);
    this.#network = (toNumber(address) >> this.#hostBits) << this.#hostBits;
    this.canonical = `${(bits === 32 ? ipv4Text : ipv6Text)(this.#network)}/${prefix}`;
  }

  /** Whether all addresses of the other range are in this one. */
  holds(other: Cidr): boolean {
    const isNarrower = this.family === other.family && this.#prefix <= other.#prefix;
    return isNarrower && this.#network >> this.#hostBits === other.#network >> this.#hostBits;
  }
}

/**
 * The value of `--cluster-cidr`: one range, or one of each family (`docs/reference/ccm.md` A6).
 * @returns `undefined` when it is neither
 */
export function clusterCidrs(text: string): readonly Cidr[] | undefined {
  const cidrs: Cidr[] = [];
  for (const part of text.split(',')) {
    const cidr = part.includes('/') ? Cidr.parse(part.trim()) : undefined;
    if (cidr === undefined || cidrs.some(({ family }) => family === cidr.family)) return undefined;
    cidrs.push(cidr);
  }
  return cidrs;
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
