import type { AddressInfo } from 'node:net';
import { systemClock } from '../../daemon/clock.ts';
import type { Clock } from '../../daemon/clock.ts';
import type { Logger } from '../../daemon/logger.ts';
import { CallLog } from './api/call-log.ts';
import type { CallRecord } from './api/call-log.ts';
import { DataPlane } from './data-plane/data-plane.ts';
import { defaultFleet } from './world/fleet.ts';
import type { Fleet } from './world/fleet.ts';
import { createHosts } from './hosts/hosts.ts';
import type { Hosts } from './hosts/hosts.ts';
import { createApiServer } from './api/server.ts';
import type { Credentials } from './api/signature.ts';
import { snapshotOf } from './world/snapshot.ts';
import type { Snapshot } from './world/snapshot.ts';
import { parseSwitches } from './world/switches.ts';
import { DEFAULT_TRANSITION, parseTransitionTimes } from './world/transition.ts';
import { Transitions } from './world/transitions.ts';
import { newWorld } from './world/world.ts';

/** Keys that open every simulator which was given no others. They are no secret. */
export const DEMO_CREDENTIALS: Credentials = {
  accessKeyId: 'DEMOACCESSKEY0000001',
  secretAccessKey: 'demoSecretAccessKey/of/the/simulator/001',
};

export const DEFAULT_LATENCY_MS = 200;
export const DEFAULT_VIP_RANGE = '127.100.0.1';

/** Everything has the default of the flag of the same meaning (simulator/README.md). */
export interface SimulatorOptions {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 0: any free port. */
  readonly port?: number;
  /** Default: three servers in three zones. */
  readonly fleet?: Fleet;
  readonly credentials?: Credentials;
  /** How long each call waits before it is evaluated. */
  readonly latencyMs?: number;
  /** In the notation of `--transition`: `50ms`, `2s..5s`, `attach=2s`. */
  readonly transition?: string;
  /** In the notation of `--switch`: `new-disks=garbage,error-status=400`. */
  readonly switches?: string;
  /** Divides transitions and the intervals of health checks. */
  readonly timeScale?: number;
  /** The first VIP to be given out; later ones count up. */
  readonly vipRange?: string;
  /** Where calls are appended as JSON lines. Default: nowhere. */
  readonly callLog?: string;
  /** Whether `/control/…` is served. */
  readonly control?: boolean;
  /** The servers' disks; the simulator stops them when it stops. Default: none. */
  readonly hosts?: Hosts;
  readonly clock?: Clock;
  /** From 0 up to 1. */
  readonly random?: () => number;
  /** Default: no log. */
  readonly logger?: Logger;
}

export interface Simulator {
  /** The API's address: `http://127.0.0.1:PORT/api/`. */
  readonly url: string;
  readonly credentials: Credentials;
  state(): Snapshot;
  /** The calls answered since a mark; since the start without one. @throws RangeError when they are no longer kept */
  calls(sinceMark?: number): readonly CallRecord[];
  mark(): number;
  /** Closes all listeners and connections, ends all waiting, stops the hosts. */
  stop(): Promise<void>;
}

/**
 * Starts a cloud. When that fails, the hosts are still the caller's to stop.
 * @throws what the system says when the address can not be bound or the call log not be written
 */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const { clock = systemClock, random = Math.random, logger = NO_LOG, timeScale = 1 } = options;
  const { credentials = DEMO_CREDENTIALS, latencyMs = DEFAULT_LATENCY_MS, vipRange = DEFAULT_VIP_RANGE } = options;
  const times = parseTransitionTimes(options.transition ?? DEFAULT_TRANSITION);
  const hosts = options.hosts ?? (await createHosts({ mode: 'none', stateDir: '', logger }));
  const stopping = new AbortController();
  const { signal } = stopping;
  const world = newWorld(options.fleet ?? defaultFleet(), {
    firstVip: vipRange,
    switches: parseSwitches(options.switches ?? ''),
    nowMs: clock.now(),
  });
  const dataPlane = new DataPlane({ world, clock, timeScale, logger });
  const followWorld = async (): Promise<void> => {
    transitions.follow();
    await dataPlane.converge();
  };
  const ended = (): void => {
    followWorld().catch((error: unknown) => logger.error('The data plane does not follow', error));
  };
  const transitions = new Transitions({ world, hosts, clock, logger, signal, ended });
  const calls = new CallLog(options.callLog);

  const hostRoots = new Map<string, string>();
  const state = (): Snapshot =>
    snapshotOf(world, {
      hostRoot: (server) => hostRoots.get(server.uniqueId) ?? '',
      listensAt: (port) => dataPlane.addressOf(port),
    });

  const server = createApiServer({
    credentials,
    latencyMs,
    clock,
    calls,
    logger,
    signal,
    perform: ({ handler }, parameters) =>
      handler({
        world,
        parameters,
        nowMs: clock.now(),
        transition: (kind) => {
          const { minMs, maxMs } = times[kind];
          return { kind, endsAtMs: clock.now() + (minMs + (maxMs - minMs) * random()) / timeScale };
        },
        random,
      }),
    followWorld,
    ...(options.control === true ? { state } : {}),
  });
  const shutDown = async (): Promise<void> => {
    stopping.abort(new Error('the simulator stops'));
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
    await transitions.stopped();
    await dataPlane.stop();
    await hosts.stop();
    calls.close();
  };
  let stopped: Promise<void> | undefined;

  try {
    for (const one of world.servers.values()) hostRoots.set(one.uniqueId, await hosts.addServer(one));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(options.port ?? 0, options.host ?? '127.0.0.1', resolve);
    });
  } catch (error) {
    calls.close();
    throw error;
  }
  const { address, port } = server.address() as AddressInfo;
  return {
    url: `http://${address}:${port}/api/`,
    credentials,
    state,
    calls: (sinceMark = 0) => calls.since(sinceMark),
    mark: () => calls.mark(),
    stop: () => (stopped ??= shutDown()),
  };
}

const NO_LOG: Logger = { info: () => {}, warn: () => {}, error: () => {}, debug: () => {} };
