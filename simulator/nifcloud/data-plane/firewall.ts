import { covers } from './address-ranges.ts';
import type { FirewallGroup, FirewallRule } from '../world/firewall-groups.ts';
import type { Server } from '../world/servers.ts';
import type { World } from '../world/world.ts';

/** What a load balancer sends to a server. */
export interface Packet {
  readonly protocol: 'TCP' | 'UDP' | 'ICMP';
  /** At the server; 0 for ICMP. */
  readonly port: number;
  readonly source: string;
}

/** Protocols of rules that stand for one port (docs/reference/nifcloud-api.md §6; all but L2TP's are the well-known ones). */
const SERVICES: Readonly<Record<string, Pick<Packet, 'protocol' | 'port'>>> = {
  SSH: { protocol: 'TCP', port: 22 },
  HTTP: { protocol: 'TCP', port: 80 },
  HTTPS: { protocol: 'TCP', port: 443 },
  RDP: { protocol: 'TCP', port: 3389 },
  L2TP: { protocol: 'UDP', port: 1701 },
};

/** Whether a rule of the group lets the packet in: all else is denied (nifcloud-api.md §6). */
export function admits({ rules }: Pick<FirewallGroup, 'rules'>, packet: Packet): boolean {
  return rules.some((rule) => rule.direction === 'IN' && isOf(rule, packet) && comesFrom(rule, packet.source));
}

/** Whether packets from all the sources get through to a server. Its firewall group decides; without one everything does. */
export function reaches(
  world: World,
  server: Server,
  sources: readonly string[],
  { protocol, port }: Pick<Packet, 'protocol' | 'port'>,
): boolean {
  const group = world.firewallGroups.get(server.firewallGroup);
  return group === undefined || sources.every((source) => admits(group, { protocol, port, source }));
}

function isOf(rule: FirewallRule, { protocol, port }: Packet): boolean {
  if (rule.protocol === 'ANY') return true;
  const service = SERVICES[rule.protocol];
  if (service !== undefined) return service.protocol === protocol && service.port === port;
  if (rule.protocol !== protocol) return false;
  return protocol === 'ICMP' || (rule.fromPort <= port && port <= rule.toPort);
}

/** A group as the peer means its servers: no load balancer is among them. */
function comesFrom({ cidr }: FirewallRule, source: string): boolean {
  return cidr !== '' && covers([cidr], source);
}
