import { connect } from 'node:net';
import type { Clock } from '../../../daemon/clock.ts';
import type { Logger } from '../../../daemon/logger.ts';
import { serverWithId } from '../world/servers.ts';
import type { Listener, Target } from '../world/listeners.ts';
import type { World } from '../world/world.ts';

/** What the data plane works with. */
export interface Surroundings {
  readonly world: World;
  readonly clock: Clock;
  /** Divides the intervals of health checks. */
  readonly timeScale: number;
  readonly logger: Logger;
}

/**
 * The health check of one port definition.
 *
 * - All targets are checked at once, then again after each interval.
 * - One success brings a target into service; as many failures in a row as the threshold says take it out.
 * - A new check or a new target starts the rounds anew, at once; what was known of the other targets is kept.
 * - Only a running server with an address can be healthy, whatever answers there.
 */
export class HealthChecks {
  readonly #port: Listener;
  readonly #surroundings: Surroundings;
  readonly #failures = new Map<Target, number>();
  #followed: Pick<Listener, 'healthCheck' | 'targets'> | undefined;
  #rounds = new AbortController();

  constructor(port: Listener, surroundings: Surroundings) {
    this.#port = port;
    this.#surroundings = surroundings;
  }

  /** Checks what the port now says. */
  follow(): void {
    const { healthCheck, targets } = this.#port;
    if (this.#followed?.healthCheck === healthCheck && this.#followed.targets === targets) return;
    this.stop();
    this.#followed = { healthCheck, targets };
    this.#rounds = new AbortController();
    const { signal } = this.#rounds;
    this.#run(signal).catch((error: unknown) => {
      if (!signal.aborted) this.#surroundings.logger.error('Health checks ended', error);
    });
  }

  stop(): void {
    this.#rounds.abort();
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, timeScale } = this.#surroundings;
    const { healthCheck, targets } = this.#port;
    const intervalMs = (healthCheck.intervalSeconds * 1000) / timeScale;
    while (!signal.aborted && targets.length > 0) {
      await Promise.all(targets.map((target) => this.#check(target, intervalMs, signal)));
      await clock.sleep(intervalMs, signal);
    }
  }

  async #check(target: Target, timeoutMs: number, signal: AbortSignal): Promise<void> {
    const { healthCheck } = this.#port;
    const server = serverWithId(this.#surroundings.world, target.serverUniqueId);
    const checkedPort = healthCheck.target === 'ICMP' ? undefined : Number(healthCheck.target.slice('TCP:'.length));
    const healthy =
      server.state === 'running' &&
      server.privateAddress !== '' &&
      (checkedPort === undefined || (await accepts(server.privateAddress, checkedPort, timeoutMs, signal)));
    if (signal.aborted) return;
    const failures = healthy ? 0 : (this.#failures.get(target) ?? 0) + 1;
    this.#failures.set(target, failures);
    if (healthy) target.state = 'InService';
    else if (failures >= healthCheck.unhealthyThreshold) target.state = 'OutOfService';
  }
}

/** Whether a TCP connection can be made within the time. */
function accepts(host: string, port: number, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, signal, timeout: timeoutMs });
    const end = (outcome: boolean): void => {
      socket.destroy();
      resolve(outcome);
    };
    socket.once('connect', () => end(true));
    socket.once('timeout', () => end(false));
    socket.on('error', () => end(false));
  });
}
