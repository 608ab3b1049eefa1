/** How much a fleet holds. */
export interface FleetSize {
  readonly servers: number;
  readonly disks: number;
  /** Half of them L4, half elastic, each with 3 ports and 10 targets to each port. */
  readonly loadBalancers: number;
}

const ZONES = ['east-11', 'east-12', 'east-13'];
const PORTS = [80, 81, 82];
const TARGETS = 10;

/** A fleet file. Its load balancers check by ICMP, which asks the world alone, so that what is measured is the API. */
export function fleetFile(size: FleetSize): string {
  const zone = (at: number): string => ZONES[at % ZONES.length] ?? '';
  const servers = count(size.servers, (at) => ({
    name: `node${at}`,
    zone: zone(at),
    privateAddress: `127.11.${at >> 8}.${at & 255}`,
    firewallGroup: `nodes${at % ZONES.length}`,
    description: `worker ${at}`,
  }));
  const disks = count(size.disks, (at) => ({
    id: `disk${at}`,
    description: `pvc-00000000-0000-0000-0000-${String(at).padStart(12, '0')}`,
    attachedTo: `node${at % size.servers}`,
  }));
  const listeners = (at: number) =>
    PORTS.map((port) => ({
      port,
      instancePort: 30_000 + port,
      targets: count(TARGETS, (nth) => `node${(at * TARGETS + nth) % size.servers}`),
    }));
  const half = Math.floor(size.loadBalancers / 2);
  return JSON.stringify({
    zones: ZONES,
    groups: ZONES.map((name, at) => ({ name: `nodes${at}`, zone: name })),
    servers,
    disks,
    l4LoadBalancers: count(half, (at) => ({ name: `l4n${at}`, ports: listeners(at) })),
    elasticLoadBalancers: count(half, (at) => ({ name: `elb${at}`, zone: zone(at), listeners: listeners(at) })),
  });
}

function count<T>(length: number, make: (at: number) => T): readonly T[] {
  return Array.from({ length }, (_, at) => make(at));
}
