import type { Clock } from '../../daemon/clock.ts';
import { startApiServer, type ApiServer } from '../../simulator/kubernetes/server.ts';
import type { KubeObject } from '../../simulator/kubernetes/objects.ts';
import { Store } from '../../simulator/kubernetes/store.ts';
import { startSimulator, type Simulator } from '../../simulator/nifcloud/simulator.ts';
import { seededRandom } from '../../simulator/random.ts';
import type { Hosts } from '../../simulator/nifcloud/hosts/hosts.ts';
import type { Fleet } from '../../simulator/nifcloud/world/fleet.ts';
import { Gate, type Call, type Disturbance, type Watchman } from './gate.ts';
import { VirtualTime } from './virtual-time.ts';
import { cloudEnvironment } from '../cloud-environment.ts';

/** What a run of a program gets to know of the world. */
interface Surroundings {
  /** `NIFCLOUD_…`. */
  readonly environment: Readonly<Record<string, string>>;
  readonly kubernetesUrl: string;
  readonly clock: Clock;
}

/** A program that runs in this process, until the signal is aborted. */
export type Program = (surroundings: Surroundings, signal: AbortSignal) => Promise<void>;

/** What there is in a world where nothing is under way. */
export interface Past {
  readonly fleet: Fleet;
  readonly objects: readonly { readonly resource: string; readonly object: KubeObject }[];
  /** Default: servers have no disks to look at. */
  readonly hosts?: Hosts;
}

/**
 * Before a call reaches its API, or after that has done its work and before the answer is there. Of commands of Linux, too: `during` one
 * that then goes on by itself, and `midway` through one that dies with who started it.
 */
export interface Moment {
  /** 1 for the first call that is counted. */
  readonly call: number;
  readonly side: 'before' | 'during' | 'midway' | 'after';
}

/** By what it is known that nothing is left to be done. */
export interface Quiet {
  /** In virtual ms, longer than any pause between two tries. */
  readonly forMs: number;
  readonly endsBy: (call: Call) => boolean;
}

/** Nothing at all is asked for. */
const QUIET: Quiet = { forMs: 400_000, endsBy: () => true };

/** The longest that anything takes, in virtual ms. */
const PATIENCE_MS = 3_600_000;

/**
 * A simulated cloud and an embedded Kubernetes API, and a program between them that can be killed at any of its calls: its signal is
 * aborted, nothing of it gets through any more, and a new one starts on what is there.
 */
export class CrashWorld {
  readonly time = new VirtualTime();
  /** What was called since `count`, without events and watches. */
  readonly calls: Call[] = [];
  /** Told of each moment of the calls that are counted. `lost`: the call, or its answer, gets no further. `killed`: all runs end. */
  onMoment: (moment: Moment, call: Call) => 'lost' | 'killed' | void = () => {};
  /** What goes wrong with a call that is counted, the first of which is number 1. */
  disturbs: (number: number, call: Call) => Disturbance | undefined = () => undefined;
  readonly #program: Program;
  readonly #quiet: Quiet;
  #apis: { readonly cloud: Simulator; readonly api: ApiServer } | undefined;
  /** Those that were not killed, the newest last. */
  readonly #runs: Run[] = [];
  #killAt: Moment | undefined;
  #lastCallMs = 0;

  constructor(program: Program, quiet: Quiet = QUIET) {
    this.#program = program;
    this.#quiet = quiet;
  }

  get cloud(): Simulator {
    return this.#started.cloud;
  }

  get api(): ApiServer {
    return this.#started.api;
  }

  get #started(): { readonly cloud: Simulator; readonly api: ApiServer } {
    if (this.#apis === undefined) throw new Error('the world has not started');
    return this.#apis;
  }

  /** Starts the APIs. What is made gets the same ids and names in every world. @param past what there is already @param switches of the simulator */
  async start(past?: Past, switches = ''): Promise<void> {
    const { clock } = this.time;
    const seed = past === undefined ? 1 : 2;
    // Health checks go by the time scale too: nobody here waits for them.
    const settings = { clock, switches, random: seededRandom(seed), latencyMs: 0, transition: '40ms', timeScale: 0.01 };
    // An address is never given twice, not even when what had it is gone.
    const begun = past && { fleet: past.fleet, vipRange: '127.100.1.1', ...(past.hosts && { hosts: past.hosts }) };
    const cloud = await startSimulator({ ...settings, ...begun });
    const store = new Store();
    for (const { resource, object } of past?.objects ?? []) store.put(resource, object);
    this.#apis = { cloud, api: await startApiServer({ clock, random: seededRandom(seed), store }) };
  }

  /** What there is now, for other worlds to begin with. */
  get past(): Past {
    const { loadBalancers, elasticLoadBalancers, firewallGroups, privateLans, ...rest } = this.cloud.state();
    const made = { createdAtMs: 0, transition: undefined };
    const fleet: Fleet = {
      ...rest,
      networks: privateLans,
      certificates: [],
      disks: [],
      groups: firewallGroups,
      l4LoadBalancers: loadBalancers.map((one) => ({ ...one, ...made })),
      elasticLoadBalancers: elasticLoadBalancers.map((one) => ({ ...one, ...made })),
    };
    const { store } = this.api;
    const objects = ['nodes', 'services'].flatMap((resource) =>
      store.list(resource).map((object) => ({ resource, object })),
    );
    return { fleet: structuredClone(fleet), objects };
  }

  async stop(): Promise<void> {
    this.kill();
    const { cloud, api } = this.#started;
    await Promise.all([cloud.stop(), api.stop()]);
  }

  /** Starts a new run of the program, beside those that there are. */
  async run(): Promise<void> {
    const { cloud, api } = this.#started;
    const stop = new AbortController();
    const { signal } = stop;
    const places = new Map<Call, number>();
    const watchman: Watchman = {
      leaves: (call) => {
        if (signal.aborted) return false;
        if (call.isAside) return true;
        if (this.#quiet.endsBy(call)) this.#lastCallMs = this.time.clock.monotonicMs();
        places.set(call, this.calls.push(call));
        return this.#survives({ call: this.calls.length, side: 'before' }, call);
      },
      returns: (call) => {
        if (signal.aborted) return false;
        return call.isAside || this.#survives({ call: places.get(call) ?? 0, side: 'after' }, call);
      },
      disturbs: (call) => this.disturbs(places.get(call) ?? 0, call),
      moved: () => this.time.moved(),
    };
    const { origin } = new URL(cloud.url);
    const gates = await Promise.all([Gate.open('cloud', origin, watchman), Gate.open('kubernetes', api.url, watchman)]);
    const environment = cloudEnvironment(cloud, gates[0].url);
    const run: Run = { stop, gates, failure: undefined };
    this.#runs.push(run);
    this.#program({ environment, kubernetesUrl: gates[1].url, clock: this.time.clock }, signal).then(
      () => (run.failure = new Error('the program ended by itself')),
      (error: unknown) => (run.failure = error),
    );
  }

  /** Starts to count calls anew. @param killAt when the program is to be killed, once */
  count(killAt?: Moment): void {
    this.calls.splice(0);
    this.#killAt = killAt;
  }

  /** Kills all runs. */
  kill(): void {
    for (const { stop, gates } of this.#runs.splice(0)) {
      stop.abort(new Error('killed'));
      for (const gate of gates) gate.close();
    }
  }

  /** Ends the watches of all runs: in order after this event, or without a word. */
  endWatches(lastEvent?: object): void {
    for (const { gates } of this.#runs) for (const gate of gates) gate.endWatches(lastEvent);
  }

  /** Whether a run is under way. @throws what it ended with by itself */
  get isRunning(): boolean {
    const failed = this.#runs.find(({ failure }) => failure !== undefined);
    if (failed !== undefined) throw failed.failure;
    return this.#runs.length > 0;
  }

  /** Lets time pass until all is done; what was killed is started anew. */
  async settle(): Promise<void> {
    this.#lastCallMs = this.time.clock.monotonicMs();
    for (;;) {
      const isQuiet = (): boolean => this.time.clock.monotonicMs() - this.#lastCallMs >= this.#quiet.forMs;
      await this.time.passUntil(() => !this.isRunning || isQuiet(), PATIENCE_MS);
      if (this.isRunning) return;
      await this.run();
    }
  }

  /** A request of the Kubernetes API by somebody else. */
  async kube<T = unknown>(method: string, path: string, body?: object): Promise<T> {
    const headers = { 'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json' };
    const init = body === undefined ? { method } : { method, headers, body: JSON.stringify(body) };
    const response = await fetch(new URL(path, this.api.url), init);
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  }

  #survives(moment: Moment, call: Call): boolean {
    const verdict = this.onMoment(moment, call);
    const isDue = moment.call === this.#killAt?.call && moment.side === this.#killAt.side;
    if (isDue) this.#killAt = undefined;
    if (isDue || verdict === 'killed') this.kill();
    else return verdict !== 'lost';
    return false;
  }
}

interface Run {
  readonly stop: AbortController;
  readonly gates: readonly Gate[];
  failure: unknown;
}
