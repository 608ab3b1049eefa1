import { BlockList, isIP } from 'node:net';

/** Whether an address is in one of the ranges: addresses and CIDRs of IPv4 and IPv6. What is no address is in none. */
export function covers(ranges: readonly string[], address: string): boolean {
  const version = isIP(address);
  if (version === 0) return false;
  const family = version === 4 ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  for (const range of ranges) {
    const [network = '', prefix] = range.split('/');
    // A list takes an IPv4 address for one of ::ffff:0:0/96.
    if (isIP(network) !== version) continue;
    if (prefix === undefined) list.addAddress(network, family);
    else list.addSubnet(network, Number(prefix), family);
  }
  return list.check(address, family);
}
