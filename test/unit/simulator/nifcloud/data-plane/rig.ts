import { once } from 'node:events';
import type { Server as NetServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { DataPlane } from '../../../../../simulator/nifcloud/data-plane/data-plane.ts';
import { parseFleet } from '../../../../../simulator/nifcloud/world/fleet.ts';
import type { FirewallRule } from '../../../../../simulator/nifcloud/world/firewall-groups.ts';
import type { ElasticLoadBalancer, Listener } from '../../../../../simulator/nifcloud/world/listeners.ts';
import type { Server } from '../../../../../simulator/nifcloud/world/servers.ts';
import { parseSwitches } from '../../../../../simulator/nifcloud/world/switches.ts';
import { newWorld } from '../../../../../simulator/nifcloud/world/world.ts';
import type { World } from '../../../../../simulator/nifcloud/world/world.ts';
import { FakeClock } from '../../../../fake-clock.ts';

/** Where the servers a, b and c are. */
export const NODES = { a: '127.21.8.1', b: '127.22.8.1', c: '127.23.8.1' } as const;
type NodeName = keyof typeof NODES;

/** Of this process alone, so that two runs on one machine do not meet. */
export const VIP = `127.${128 + (process.pid % 100)}.${Math.floor(process.pid / 100) % 256}.9`;

/** Running servers a, b and c, and a firewall group that lets nothing in, of which none of them is. */
export function aWorld(switches = ''): World {
  const servers = Object.entries(NODES).map(
    ([name, address]) => `{ name: ${name}, zone: east-11, privateAddress: ${address} }`,
  );
  const text = `{ zones: [east-11], groups: [{ name: closed, zone: east-11 }], servers: [${servers.join(', ')}] }`;
  return newWorld(parseFleet(text, 'fleet'), { firstVip: VIP, switches: parseSwitches(switches), nowMs: 0 });
}

export function serverOf(world: World, name: string): Server {
  const server = world.servers.get(name);
  if (server === undefined) throw new Error(`no server ${name}`);
  return server;
}

/** Checked by ICMP: every server that is up is healthy. Nothing is registered with it. */
export function aListener(changes: Partial<Listener> = {}): Listener {
  return {
    protocol: 'TCP',
    loadBalancerPort: 18_099,
    instancePort: 1,
    balancingType: 1,
    description: '',
    healthCheck: { target: 'ICMP', intervalSeconds: 5, unhealthyThreshold: 1, path: '', httpCodes: [] },
    filter: { type: 'allow', addresses: [], emptied: false },
    stickiness: { enabled: false, method: 1, periodMinutes: 0 },
    sessionsClearedAtMs: 0,
    sorryPage: { enabled: false, statusCode: 0, redirectUrl: '' },
    sslCertificateId: '',
    sslPolicyId: '',
    targets: [],
    ...changes,
  };
}

/** One-arm, on the global network. */
function anElastic(listeners: Listener[], changes: Partial<ElasticLoadBalancer> = {}): ElasticLoadBalancer {
  return {
    name: 'elb',
    uniqueId: 'elb-00000001',
    zone: 'east-11',
    vip: VIP,
    networkVolumeMbps: 10,
    accountingType: '2',
    nextMonthAccountingType: '2',
    createdAtMs: 0,
    interfaces: [
      { networkId: 'net-COMMON_GLOBAL', networkName: '', ipAddress: VIP, systemIpAddresses: [], isVip: true },
    ],
    listeners,
    routeTableId: '',
    routeTableAssociationId: '',
    version: 'v2.0',
    transition: undefined,
    ...changes,
  };
}

export function aRule(changes: Partial<FirewallRule>): FirewallRule {
  return {
    protocol: 'TCP',
    fromPort: 1,
    toPort: 65_535,
    direction: 'IN',
    cidr: '0.0.0.0/0',
    group: '',
    description: '',
    addedAtMs: 0,
    ...changes,
  };
}

/** A data plane on a world that a test changes by hand, with time that moves only when the test says so. */
export class Rig {
  readonly world: World;
  readonly clock = new FakeClock();
  readonly plane: DataPlane;

  constructor(switches = '') {
    this.world = aWorld(switches);
    const logger = { info: () => {}, warn: () => {}, error: () => {}, debug: () => {} };
    this.plane = new DataPlane({ world: this.world, clock: this.clock, timeScale: 1, logger });
  }

  /** Puts an elastic load balancer with this one listener to work; the listener is the test's to change. */
  async serve(changes: Partial<Listener>, targets: readonly string[], balancer: Partial<ElasticLoadBalancer> = {}) {
    const listener = aListener(changes);
    const one = anElastic([listener], balancer);
    this.world.elasticLoadBalancers.set(one.name, one);
    await this.register(listener, targets);
    return listener;
  }

  /** The same of an L4 load balancer. */
  async serveL4(changes: Partial<Listener>, targets: readonly string[]): Promise<Listener> {
    const listener = aListener(changes);
    this.world.loadBalancers.set('l4', {
      name: 'l4',
      vip: VIP,
      ipVersion: 'v4',
      zones: ['east-11'],
      networkVolumeMbps: 10,
      accountingType: '2',
      nextMonthAccountingType: '2',
      policyType: 'standard',
      createdAtMs: 0,
      ports: [listener],
    });
    await this.register(listener, targets);
    return listener;
  }

  /** Makes these the targets, those that were so before with their state; resolves when ICMP checks of them have ended. */
  async register(listener: Listener, names: readonly string[]): Promise<void> {
    listener.targets = names.map((name) => {
      const serverUniqueId = serverOf(this.world, name).uniqueId;
      const known = listener.targets.find((target) => target.serverUniqueId === serverUniqueId);
      return known ?? { serverUniqueId, state: 'OutOfService' };
    });
    await this.follow();
  }

  /** To be called after each change of the world. */
  async follow(): Promise<void> {
    await this.plane.converge();
    await this.clock.advance(0);
  }

  states(listener: Listener): Record<string, string> {
    const names = listener.targets.map(({ serverUniqueId, state }) => {
      const server = this.world.serversByUniqueId.get(serverUniqueId);
      return [server?.name ?? serverUniqueId, state] as const;
    });
    return Object.fromEntries(names);
  }

  /** `host:port` where clients find the listener. */
  address(listener: Listener): string {
    return this.plane.addressOf(listener) ?? 'nowhere';
  }

  /** The same, for connect() and request(). */
  place(listener: Listener): { readonly host: string; readonly port: number } {
    const { hostname, port } = new URL(`tcp://${this.address(listener)}`);
    return { host: hostname, port: Number(port) };
  }
}

/** The servers listen on one free port, each at its node's address; returns the port. */
export async function listenOnNodes(servers: Readonly<Record<string, NetServer>>): Promise<number> {
  let port = 0;
  for (const [name, server] of Object.entries(servers)) {
    server.listen(port, NODES[name as NodeName]);
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
  }
  return port;
}
