import type { Nifcloud } from '../../../nifcloud/nifcloud.ts';
import type { Fault } from '../../../simulator/nifcloud/api/fault.ts';

/** By wire name. A text `$NAME` stands for the id of the association with a route table that the router or elastic load balancer has. */
export type Parameters = Readonly<Record<string, string | number | boolean>>;

/** A call that is made before that of the row. */
export type Step = readonly [action: string, parameters: Parameters];

/**
 * What differs afterwards, by kind and name (`volumes.disk1`) as in the simulator's state. Null: it is gone; facts: these fields
 * and no others differ, but for what the facts leave open in them; no facts: it is only begun, and may show in any way. Nothing
 * that is not named here differs. `*` stands for a name that the cloud makes up.
 */
export type Changes = Readonly<Record<string, Facts | null>>;
export type Facts = Readonly<Record<string, unknown>>;

/** A rule of the facts sheet by example: one call, and what comes of it. */
export interface Row {
  /** In words, with the section of the sheet. */
  readonly rule: string;
  /** Replaces entries of `FLEET`. */
  readonly fleet?: Facts;
  /** What has been done, and has ended. */
  readonly given?: readonly Step[];
  /** What was begun after that, and has not ended. */
  readonly underway?: readonly Step[];
  /** How the cloud fails, where no state of the world makes it. */
  readonly fault?: Fault;
  /** Default: those of the cloud. */
  readonly keys?: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly action: string;
  readonly parameters: Parameters;
  /** The same call by the client. */
  readonly typed?: (cloud: Nifcloud, signal: AbortSignal, associationOf: (name: string) => string) => Promise<unknown>;
  /** The code; then nothing has changed. Default: accepted. */
  readonly refused?: string;
  /** The client refuses it by a RangeError or TypeError, and sends nothing. */
  readonly unsent?: true;
  /** Texts of the answer by their paths, as `volumeSet.item.0.status`; '' = empty, undefined = missing, an expression: fits. */
  readonly answer?: Facts;
  /** What the client makes of the answer, or a part of it. Default: nothing. */
  readonly returns?: unknown;
  /** When the call is answered. Default: nothing. */
  readonly now?: Changes;
  /** When all that was begun has ended. Default: not looked at. */
  readonly later?: Changes;
}

/** Rows that differ in little. */
export function each<T>(cases: readonly T[], row: (one: T) => Row): readonly Row[] {
  return cases.map(row);
}

/** The cloud in which all rows begin. */
export const FLEET: Facts = {
  region: 'jp-east-1',
  zones: ['east-11', 'east-12'],
  networks: [
    { name: 'lan1', id: 'net-0abc1def', zone: 'east-11', cidr: '192.168.0.0/24' },
    { name: 'lan2', id: 'net-0abc2def', zone: 'east-12', cidr: '192.168.2.0/24' },
  ],
  routeTables: [
    { id: 'rtb-0abc1def', routes: [{ destination: '10.0.0.0/24', ipAddress: '192.168.0.10' }] },
    { id: 'rtb-0abc2def' },
  ],
  routers: [
    {
      name: 'gateway',
      id: 'rtr-0abc1def',
      zone: 'east-11',
      interfaces: [{ network: 'lan1', ipAddress: '192.168.0.1' }],
      routeTable: 'rtb-0abc1def',
    },
    { name: 'spare', id: 'rtr-0abc2def', zone: 'east-11', interfaces: [{ network: 'net-COMMON_PRIVATE' }] },
  ],
  certificates: ['cert1', 'cert2'],
  groups: [
    {
      name: 'nodes11',
      zone: 'east-11',
      description: 'the nodes',
      rules: [
        { protocol: 'TCP', fromPort: 30_000, toPort: 32_767, cidr: '192.0.2.0/24', description: 'node ports' },
        { protocol: 'TCP', fromPort: 22, cidr: '198.51.100.7' },
        { protocol: 'ICMP', cidr: '0.0.0.0/0' },
        { protocol: 'ANY', direction: 'OUT', group: 'nodes11' },
      ],
    },
    { name: 'empty11', zone: 'east-11' },
    { name: 'nodes12', zone: 'east-12' },
  ],
  servers: [
    {
      name: 'node01',
      uniqueId: 'i-0abc0001',
      zone: 'east-11',
      type: 'e-medium8',
      privateAddress: '127.11.0.1',
      publicAddress: '203.0.113.1',
      firewallGroup: 'nodes11',
      description: 'a worker',
    },
    { name: 'node02', uniqueId: 'i-0abc0002', zone: 'east-11', state: 'stopped', privateNetwork: 'lan1' },
    { name: 'node03', uniqueId: 'i-0abc0003', zone: 'east-12', privateAddress: '127.12.0.3', firewallGroup: 'nodes12' },
    { name: 'busy01', uniqueId: 'i-0abc0009', zone: 'east-11', state: 'pending' },
  ],
  disks: [
    { id: 'disk1', uniqueId: 'vol-0abc0001', attachedTo: 'node01', slot: 1, description: 'pvc-1' },
    {
      id: 'disk2',
      uniqueId: 'vol-0abc0002',
      zone: 'east-11',
      sizeGB: 200,
      type: 'high-speed-a',
      accounting: 'monthly',
    },
    { id: 'disk3', uniqueId: 'vol-0abc0003', zone: 'east-12' },
    { id: 'disk4', uniqueId: 'vol-0abc0004', attachedTo: 'node02' },
  ],
  l4LoadBalancers: [
    {
      name: 'front',
      vip: '127.100.7.1',
      zones: ['east-11'],
      networkVolumeMbps: 20,
      ports: [
        {
          port: 80,
          instancePort: 30_080,
          balancing: 'least-connection',
          healthCheck: { target: 'TCP:30080', intervalSeconds: 10, unhealthyThreshold: 2 },
          filter: { type: 'allow', addresses: ['192.0.2.1', '198.51.100.0/24'] },
          targets: ['node01'],
        },
        {
          port: 443,
          instancePort: 30_443,
          filter: { type: 'deny', addresses: ['192.0.2.66'] },
          stickiness: { periodMinutes: 5 },
          sslCertificate: 'cert1',
          sslPolicy: '3',
        },
      ],
    },
  ],
  elasticLoadBalancers: [
    {
      name: 'inner',
      uniqueId: 'elb-0abc1def',
      zone: 'east-11',
      networkVolumeMbps: 20,
      routeTable: 'rtb-0abc1def',
      interfaces: [
        {
          network: 'lan1',
          ipAddress: '192.168.0.20',
          systemIpAddresses: ['192.168.0.21', '192.168.0.22'],
          vip: true,
        },
      ],
      listeners: [
        {
          protocol: 'HTTP',
          port: 80,
          instancePort: 30_080,
          description: 'web',
          healthCheck: { target: 'HTTP:30080', path: '/healthz', httpCodes: ['2xx', '3xx'] },
          stickiness: { method: 'cookie', periodMinutes: 60 },
          sorryPage: { redirectUrl: 'https://sorry.example/' },
          targets: ['node01'],
        },
        { protocol: 'HTTPS', port: 443, instancePort: 30_443, sslCertificate: 'cert1' },
      ],
    },
    {
      name: 'outer',
      uniqueId: 'elb-0abc2def',
      zone: 'east-11',
      listeners: [{ protocol: 'UDP', port: 53, instancePort: 30_053 }],
    },
  ],
};
