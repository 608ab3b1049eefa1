import { Refusal } from '../api/refusal.ts';
import type { Transition } from './transition.ts';
import type { World } from './world.ts';

/**
 * States of a server (docs/reference/nifcloud-api.md §2.3). `pending` without a transition is a state that the fleet file or a
 * test has set for good; `warning` is a server that runs with a problem.
 */
export const SERVER_STATES = ['running', 'stopped', 'pending', 'warning'] as const;
export type ServerState = (typeof SERVER_STATES)[number];

export interface Server {
  /** InstanceId: chosen by the user, can be changed. Change it by `renameServer` only. */
  name: string;
  readonly uniqueId: string;
  readonly zone: string;
  type: string;
  state: ServerState;
  description: string;
  /** '' = none. */
  privateAddress: string;
  /** '' = none. */
  publicAddress: string;
  /** `net-COMMON_PRIVATE`, or the id of a private LAN. */
  privateNetworkId: string;
  /** Name; '' = none. */
  firewallGroup: string;
  readonly accountingType: string;
  nextMonthAccountingType: string;
  /** 0 in a fleet file: then the start of the simulator. */
  launchedAtMs: number;
  /** Its state shows as `pending` meanwhile, and is `to` at the end. `powersOff`: its machine goes off first, in order or by a power cut. */
  transition: (Transition & { readonly to: 'running' | 'stopped'; readonly powersOff?: 'clean' | 'cut' }) | undefined;
}

/** @throws Refusal when no server has this name */
export function serverNamed(world: World, name: string): Server {
  const server = world.servers.get(name);
  if (server === undefined) throw noSuchServer(name);
  return server;
}

/** The refusal for a server that does not exist, or is not where it was looked for. */
export function noSuchServer(name: string | undefined): Refusal {
  return new Refusal('Client.InvalidParameterNotFound.Instance', `there is no server ${name}`);
}

/** The server of an attachment or a target, which must exist: whoever removes a server removes those too. */
export function serverWithId(world: World, uniqueId: string): Server {
  const server = world.serversByUniqueId.get(uniqueId);
  if (server === undefined) throw new Error(`the world has no server ${uniqueId}`);
  return server;
}

/** Whether what runs on a server is at work. */
export function isUp(server: Server): boolean {
  return server.state === 'running' || server.state === 'warning';
}

/** @throws Refusal while the server is in transition, when the cloud changes nothing about it */
export function requireSettledServer(server: Server): void {
  if (server.state === 'pending') {
    throw new Refusal('Server.ResourceIncorrectState.Instance.Processing', `server ${server.name} is being processed`);
  }
}

/** Server names are 1 to 15 letters and digits (nifcloud-api.md §2.1). */
export const SERVER_NAME = /^[0-9A-Za-z]{1,15}$/;

/** Gives a server a name that is free. */
export function renameServer(world: World, server: Server, name: string): void {
  world.servers.delete(server.name);
  server.name = name;
  world.servers.set(name, server);
}
