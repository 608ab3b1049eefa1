import { systemClock } from '../../daemon/clock.ts';
import type { Clock } from '../../daemon/clock.ts';
import type { Logger } from '../../daemon/logger.ts';
import type { Slowed } from './api/answer-call.ts';
import { CallLog } from './api/call-log.ts';
import type { CallRecord } from './api/call-log.ts';
import { DataPlane } from './data-plane/data-plane.ts';
import { hostAndPort } from './data-plane/frontend.ts';
import { defaultFleet } from './world/fleet.ts';
import type { Fleet } from './world/fleet.ts';
import { createHosts } from './hosts/hosts.ts';
import type { Hosts } from './hosts/hosts.ts';
import { ControlPages } from './api/control.ts';
import { CredentialsFile } from './api/credentials-file.ts';
import type { Fault } from './api/fault.ts';
import { Faults } from './api/faults.ts';
import { FrontDoor } from './api/front-door.ts';
import { apiServer } from './api/server.ts';
import type { Credentials } from './api/signature.ts';
import { readTlsFiles } from './api/tls-files.ts';
import type { TlsFiles } from './api/tls-files.ts';
import { Incidents } from './world/incidents.ts';
import { snapshotOf } from './world/snapshot.ts';
import type { Snapshot } from './world/snapshot.ts';
import { parseSwitches } from './world/switches.ts';
import { DEFAULT_TRANSITION, parseTransitionTimes } from './world/transition.ts';
import type { Transition, TransitionKind } from './world/transition.ts';
import { Transitions } from './world/transitions.ts';
import { readState, StateFile } from './world/state-file.ts';
import { newWorld } from './world/world.ts';
import { plugIn } from './hosts/plug-in.ts';

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
  /** Whose keys are accepted instead (simulator/README.md, Keys). Default: none. */
  readonly credentialsFile?: string;
  /** Serves TLS too, on the same port. Default: plain HTTP alone. */
  readonly tls?: TlsFiles;
  /** In force from the start; more by `Simulator.faults`. */
  readonly faults?: readonly Fault[];
  /** How long each call waits before it is evaluated. */
  readonly latencyMs?: number;
  /** In the notation of `--transition`: `50ms`, `2s..5s`, `attach=2s`. */
  readonly transition?: string;
  /** In the notation of `--switch`: `new-disks=garbage,error-status=400`. */
  readonly switches?: string;
  /** Divides transitions, and the intervals and periods of load balancers. */
  readonly timeScale?: number;
  /** The first VIP to be given out; later ones count up. */
  readonly vipRange?: string;
  /** Where the world is kept; what the file holds wins over `fleet`. Default: nowhere. */
  readonly stateFile?: string;
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
  /** A key that it accepts at this moment. */
  readonly credentials: Credentials;
  readonly faults: Faults;
  readonly incidents: Incidents;
  state(): Snapshot;
  /** The calls answered since a mark; since the start without one. @throws RangeError when they are no longer kept */
  calls(sinceMark?: number): readonly CallRecord[];
  mark(): number;
  /** Closes all listeners and connections, ends all waiting, stops the hosts. */
  stop(): Promise<void>;
}

/**
 * Starts a cloud. When that fails, the hosts are still the caller's to stop.
 * @throws UsageError for an option that can not be used; what the system says when the address can not be bound or the call log
 * not be written
 */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const { clock = systemClock, random = Math.random, logger = NO_LOG, timeScale = 1 } = options;
  const {
    credentials = DEMO_CREDENTIALS,
    credentialsFile,
    latencyMs = DEFAULT_LATENCY_MS,
    vipRange = DEFAULT_VIP_RANGE,
  } = options;
  const tls = options.tls && readTlsFiles(options.tls);
  const file = credentialsFile === undefined ? undefined : new CredentialsFile(credentialsFile, logger);
  const accepted = (): readonly Credentials[] => file?.keys() ?? [credentials];
  const faults = new Faults();
  for (const fault of options.faults ?? []) faults.add(fault);
  const times = parseTransitionTimes(options.transition ?? DEFAULT_TRANSITION);
  const hosts = options.hosts ?? (await createHosts({ mode: 'none', stateDir: '', logger }));
  const stopping = new AbortController();
  const { signal } = stopping;
  const switches = parseSwitches(options.switches ?? '');
  const kept = options.stateFile === undefined ? undefined : readState(options.stateFile, switches);
  if (kept !== undefined)
    logger.info('Goes on from the state file, whatever fleet is given', { file: options.stateFile });
  const world = kept ?? newWorld(options.fleet ?? defaultFleet(), { firstVip: vipRange, switches, nowMs: clock.now() });
  const stateFile = options.stateFile === undefined ? undefined : new StateFile({ file: options.stateFile, world });
  const dataPlane = new DataPlane({ world, clock, timeScale, logger });
  const followWorld = async (): Promise<void> => {
    transitions.follow();
    await Promise.all([dataPlane.converge(), stateFile?.save()]);
  };
  const ended = (): void => {
    followWorld().catch((error: unknown) => logger.error('What runs beside the world does not follow', error));
  };
  const released = (faultId: number): Promise<void> => faults.removed(faultId, signal);
  const transitions = new Transitions({ world, hosts, clock, logger, signal, released, ended });
  const calls = new CallLog(options.callLog);

  const hostRoots = new Map<string, string>();
  const state = (): Snapshot =>
    snapshotOf(world, {
      hostRoot: (server) => hostRoots.get(server.uniqueId) ?? '',
      listensAt: (port) => dataPlane.addressOf(port),
    });

  const begin = <K extends TransitionKind>(kind: K, slowed?: Slowed): Transition & { readonly kind: K } => {
    const { minMs, maxMs } = times[kind];
    const lastsMs = (minMs + (maxMs - minMs) * random()) / timeScale + (slowed?.delayMs ?? 0);
    const isHeld = slowed !== undefined && slowed.delayMs === undefined;
    return { kind, endsAtMs: clock.now() + lastsMs, ...(isHeld ? { heldBy: slowed.id } : {}) };
  };
  const incidents = new Incidents({ world, hosts, clock, transition: begin, follow: followWorld });
  const answer = apiServer({
    region: world.region,
    switches,
    credentials: accepted,
    latencyMs,
    clock,
    calls,
    faults,
    logger,
    signal,
    perform: ({ handler }, parameters, slowed) =>
      handler({ world, parameters, nowMs: clock.now(), transition: (kind) => begin(kind, slowed), random }),
    followWorld,
    ...(options.control === true ? { control: new ControlPages({ state, calls, faults, incidents }) } : {}),
  });
  const door = new FrontDoor({ region: world.region, answer, logger, ...(tls === undefined ? {} : { tls }) });
  const shutDown = async (): Promise<void> => {
    stopping.abort(new Error('the simulator stops'));
    await door.close();
    await transitions.stopped();
    await stateFile?.save().catch((error: unknown) => logger.error('The state is not saved', error));
    await dataPlane.stop();
    await hosts.stop();
    calls.close();
  };
  let stopped: Promise<void> | undefined;

  let url: string;
  try {
    for (const one of world.servers.values()) hostRoots.set(one.uniqueId, await hosts.addServer(one));
    await plugIn(world, hosts);
    await followWorld();
    const { address, port } = await door.listen(options.port ?? 0, options.host ?? '127.0.0.1');
    url = `http://${hostAndPort(address, port)}/api/`;
  } catch (error) {
    stopping.abort(new Error('the simulator does not start'));
    await dataPlane.stop();
    calls.close();
    throw error;
  }
  return {
    url,
    get credentials() {
      return accepted()[0] ?? credentials;
    },
    faults,
    incidents,
    state,
    calls: (sinceMark = 0) => calls.since(sinceMark),
    mark: () => calls.mark(),
    stop: () => (stopped ??= shutDown()),
  };
}

const NO_LOG: Logger = { info: () => {}, warn: () => {}, error: () => {}, debug: () => {} };
