import { reaches } from './firewall.ts';
import type { Gate } from './gate.ts';
import { answers, probeOf } from './probe.ts';
import type { Surroundings } from './surroundings.ts';
import { isUp } from '../world/servers.ts';
import type { Listener, ServingListener, Sources, Target } from '../world/listeners.ts';
import type { Server } from '../world/servers.ts';

/** How long a target has at least to answer, however fast time goes: its network does not go any faster. */
const MIN_PROBE_TIMEOUT_MS = 1_000;

/**
 * The health check of one listener.
 *
 * - All targets are checked at once, then again after each interval.
 * - One success brings a target into service; as many failures in a row as the threshold says take it out.
 * - A new check or a new target starts the rounds anew, at once; what was known of the other targets is kept.
 * - Only a server that is up, has an address and whose firewall lets all the load balancer's addresses in can be healthy,
 *   whatever answers there (that all of them check is invented).
 */
export class HealthChecks {
  readonly #listener: Listener;
  readonly #surroundings: Surroundings;
  readonly #gate: Gate;
  readonly #failures = new WeakMap<Target, number>();
  #sources: Sources;
  #followed: Pick<Listener, 'healthCheck' | 'targets'> | undefined;
  #rounds = new AbortController();

  /** @param gate what all probes of the data plane go through */
  constructor({ listener, sources }: ServingListener, surroundings: Surroundings, gate: Gate) {
    this.#listener = listener;
    this.#sources = sources;
    this.#surroundings = surroundings;
    this.#gate = gate;
  }

  /** Checks what the listener now says. */
  follow(sources: Sources): void {
    this.#sources = sources;
    const { healthCheck, targets } = this.#listener;
    if (this.#followed?.healthCheck === healthCheck && this.#followed.targets === targets) return;
    this.stop();
    this.#followed = { healthCheck, targets };
    this.#rounds = new AbortController();
    const { signal } = this.#rounds;
    this.#run(signal).catch((error: unknown) => {
      if (!signal.aborted) this.#surroundings.logger.error('Health checks ended', error);
    });
  }

  /** Takes servers that are no longer up out of service, without waiting for a check. */
  fail(fallen: ReadonlySet<string>): void {
    for (const target of this.#listener.targets) {
      if (fallen.has(target.serverUniqueId)) target.state = 'OutOfService';
    }
  }

  stop(): void {
    this.#rounds.abort();
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { clock, timeScale } = this.#surroundings;
    const { healthCheck, targets } = this.#listener;
    const intervalMs = (healthCheck.intervalSeconds * 1000) / timeScale;
    while (!signal.aborted && targets.length > 0) {
      await Promise.all(targets.map((target) => this.#check(target, intervalMs, signal)));
      await clock.sleep(intervalMs, signal);
    }
  }

  async #check(target: Target, intervalMs: number, signal: AbortSignal): Promise<void> {
    const { healthCheck } = this.#listener;
    const server = this.#surroundings.world.serversByUniqueId.get(target.serverUniqueId);
    const timeoutMs = Math.max(intervalMs, MIN_PROBE_TIMEOUT_MS);
    const healthy =
      server !== undefined &&
      this.#canAnswer(server) &&
      (await this.#gate.pass(() => answers(server.privateAddress, healthCheck, { timeoutMs, signal }))) &&
      isUp(server);
    if (signal.aborted) return;
    const failures = healthy ? 0 : (this.#failures.get(target) ?? 0) + 1;
    this.#failures.set(target, failures);
    if (healthy) target.state = 'InService';
    else if (failures >= healthCheck.unhealthyThreshold) target.state = 'OutOfService';
  }

  #canAnswer(server: Server): boolean {
    if (!isUp(server) || server.privateAddress === '') return false;
    const { protocol, port } = probeOf(this.#listener.healthCheck);
    const packet = { protocol: protocol === 'ICMP' ? protocol : ('TCP' as const), port };
    return reaches(this.#surroundings.world, server, this.#sources.probes, packet);
  }
}
