import type { Transition } from './transition.ts';
import type { Server } from './servers.ts';

/** The transition that a power action begins. */
type Power = Transition & { readonly kind: 'power' };

/** How a server that is up goes down: `force` cuts its power, which loses what its Linux had not synced (invented). */
interface Manner {
  readonly force: boolean;
}

/** `stopped → pending → running` (docs/reference/nifcloud-api.md §2.3). */
export function startServer(server: Server, power: Power): void {
  begin(server, { ...power, to: 'running' });
}

/** `running → pending → stopped` (nifcloud-api.md §2.3). */
export function stopServer(server: Server, power: Power, manner: Manner): void {
  begin(server, { ...power, to: 'stopped', powersOff: powersOff(manner) });
}

/** `running → pending → running` (nifcloud-api.md §2.3). */
export function rebootServer(server: Server, power: Power, manner: Manner): void {
  begin(server, { ...power, to: 'running', powersOff: powersOff(manner) });
}

function begin(server: Server, transition: NonNullable<Server['transition']>): void {
  server.state = 'pending';
  server.transition = transition;
}

function powersOff({ force }: Manner): 'clean' | 'cut' {
  return force ? 'cut' : 'clean';
}
