import { Refusal } from '../api/refusal.ts';
import type { Code } from '../api/refusal.ts';
import type { Parameters, XmlFields } from '../api/wire.ts';
import { noSuchServer, requireSettledServer, serverNamed, serverWithId } from '../world/servers.ts';
import type { Listener, Target } from '../world/listeners.ts';
import type { Server } from '../world/servers.ts';
import type { World } from '../world/world.ts';

/** What a call may name servers by: L4 load balancers know names only (docs/reference/nifcloud-api.md §4.3, §5.4). */
export type ServerKeys = 'names' | 'names-and-ids';

/**
 * The servers of `prefix.N`, each once; of `InstanceId` and `InstanceUniqueId` the latter wins (invented).
 * @throws Refusal when one does not exist
 */
export function namedServers(
  world: World,
  parameters: Parameters,
  keys: ServerKeys,
  prefix = 'Instances.member',
): readonly Server[] {
  const servers = parameters.indexes(prefix).map((index) => {
    const id = keys === 'names' ? undefined : parameters.text(`${prefix}.${index}.InstanceUniqueId`);
    if (id === undefined) return serverNamed(world, parameters.requiredText(`${prefix}.${index}.InstanceId`));
    const server = world.serversByUniqueId.get(id);
    if (server === undefined) throw noSuchServer(id);
    return server;
  });
  return [...new Set(servers)];
}

/** What the cloud makes of an empty list is unknown; it is refused. */
export function requiredServers(world: World, parameters: Parameters, keys: ServerKeys): readonly Server[] {
  const servers = namedServers(world, parameters, keys);
  if (servers.length === 0) parameters.requiredText('Instances.member.1.InstanceId');
  return servers;
}

/**
 * The listener's targets with these servers, which are out of service at first.
 * @param taken the code for a server that is registered already
 * @throws Refusal for the first server that can not be registered
 */
export function withTargets(listener: Listener, servers: readonly Server[], taken: Code): readonly Target[] {
  for (const server of servers) {
    if (targetOn(listener, server) !== undefined) {
      throw new Refusal(taken, `server ${server.name} is registered with this port already`);
    }
    requireSettledServer(server);
  }
  return [
    ...listener.targets,
    ...servers.map((server): Target => ({ serverUniqueId: server.uniqueId, state: 'OutOfService' })),
  ];
}

/** The targets that these servers are; all of the listener's for no servers. @throws Refusal */
export function targetsOf(listener: Listener, servers: readonly Server[]): readonly Target[] {
  if (servers.length === 0) return listener.targets;
  // A server that exists but is not registered is answered like one that does not exist (nifcloud-api.md §1.6).
  return servers.map((server) => {
    const target = targetOn(listener, server);
    if (target === undefined) throw noSuchServer(`${server.name} on this port`);
    return target;
  });
}

function targetOn(listener: Listener, server: Server): Target | undefined {
  return listener.targets.find((target) => target.serverUniqueId === server.uniqueId);
}

/** A member of `Instances`. */
export function instanceFields(world: World, serverUniqueId: string): XmlFields {
  return { InstanceId: serverWithId(world, serverUniqueId).name, InstanceUniqueId: serverUniqueId };
}

/** A member of `InstanceStates`. */
export function stateFields(world: World, target: Target): XmlFields {
  return {
    ...instanceFields(world, target.serverUniqueId),
    State: target.state,
    ReasonCode: target.state === 'InService' ? 'N/A' : 'ELB',
    Description: undefined,
  };
}

/** Of each server, by its unique id, what `fields` says of the listeners that it is a target of. */
export function memberships<L extends { readonly listener: Listener }>(
  listeners: Iterable<L>,
  fields: (listener: L, target: Target) => XmlFields,
): ReadonlyMap<string, readonly XmlFields[]> {
  const found = new Map<string, XmlFields[]>();
  for (const one of listeners) {
    for (const target of one.listener.targets) {
      const of = found.get(target.serverUniqueId) ?? [];
      found.set(target.serverUniqueId, of);
      of.push(fields(one, target));
    }
  }
  return found;
}
