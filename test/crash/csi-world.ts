import { status } from '@grpc/grpc-js';
import { RpcError } from '../../csi/rpc-error.ts';
import type { Simulator } from '../../simulator/nifcloud/simulator.ts';
import { CrashWorld, type Moment, type Program } from './crash-world.ts';
import { CsiCluster, csiFleet } from './csi-cluster.ts';
import { CsiService, type Answer } from './csi-program.ts';
import { CsiMachine } from './csi-machine.ts';
import type { LifeWorld } from './csi-life.ts';
import type { Call } from './gate.ts';

/** Longer than anything takes, in virtual ms. */
const LIMIT_MS = 3_600_000;

/** What the caller of a process that dies is told (docs/reference/csi.md B.1, "connection lost"). */
const LOST: Answer = { code: status.UNAVAILABLE, text: 'the process died' };

/** What a moment of a call does to who made it, or to the call. */
type Verdict = 'killed' | 'lost' | void;

/** A call of the driver that is under way. */
export interface Pending {
  answer: Answer | undefined;
  readonly done: Promise<Answer>;
  /** The caller's deadline passes. */
  readonly giveUp: () => void;
}

interface Controller {
  readonly service: CsiService;
  readonly signal: AbortSignal;
}

/**
 * A simulated cloud and an embedded Kubernetes API, the controller of the CSI driver on them, and the node server of one node on a
 * machine whose disks are those of the cloud. Either can be killed at any call or command and is started anew when it is called next.
 * What other programs keep in Kubernetes (PersistentVolumes, VolumeAttachments) is written by the test.
 */
export class CsiWorld implements LifeWorld {
  /** Told of each moment of the controllers' calls and of the node server's commands, with a count that begins anew with `count`. */
  onMoment: (moment: Moment, call: Call) => Verdict = () => {};
  readonly machine: CsiMachine | undefined;
  /** Cloud and Kubernetes, and the controllers between them. */
  readonly apis: CrashWorld;
  #cluster: CsiCluster | undefined;
  readonly #controllers: Controller[] = [];
  readonly #log: (line: string) => void;

  private constructor(machine: CsiMachine | undefined, log: (line: string) => void) {
    this.machine = machine;
    this.#log = log;
    this.apis = new CrashWorld(this.#program);
    this.apis.onMoment = (moment, call) => this.onMoment(moment, call);
    if (machine === undefined) return;
    machine.onWork = (work) => void this.apis.time.during(work);
    machine.onMoment = (moment, call) => this.onMoment(moment, call);
  }

  /** @param options.withMachine whether the node server runs, too @param options.log for those who look for what went wrong */
  static async start(
    options: {
      readonly switches?: string;
      readonly withMachine?: boolean;
      readonly log?: (line: string) => void;
    } = {},
  ): Promise<CsiWorld> {
    const { switches = '', withMachine = false, log = () => {} } = options;
    const fleet = csiFleet();
    const node01 = fleet.servers.find(({ name }) => name === 'node01');
    const machine = withMachine ? await CsiMachine.boot(node01?.uniqueId ?? '', log) : undefined;
    const world = new CsiWorld(machine, log);
    await world.apis.start({ fleet, objects: [], ...(machine && { hosts: machine.hosts }) }, switches);
    world.#cluster = new CsiCluster(world.apis.api.store, fleet);
    return world;
  }

  async stop(): Promise<void> {
    await this.apis.stop();
    await this.machine?.stop();
  }

  get cloud(): Simulator {
    return this.apis.cloud;
  }

  get cluster(): CsiCluster {
    if (this.#cluster === undefined) throw new Error('the world has not started');
    return this.#cluster;
  }

  /** Begins to count calls and commands anew. */
  count(): void {
    this.apis.count();
    this.machine?.count();
  }

  // ---- time

  /** Lets time pass on the clock of cloud and controllers. */
  async pass(delayMs: number): Promise<void> {
    const { time } = this.apis;
    let isOver = false;
    void time.clock.sleep(delayMs).then(() => (isOver = true));
    await time.passUntil(() => isOver, delayMs);
  }

  /** Lets time pass until something is so. @throws after an hour of it */
  async until(isOver: () => boolean): Promise<void> {
    await this.apis.time.passUntil(isOver, LIMIT_MS);
  }

  // ---- the controller

  /** Makes sure that so many controllers run; a new one has come to rest when this resolves. */
  async startControllers(wanted = 1): Promise<void> {
    while (this.#alive().length < wanted) {
      const before = this.#controllers.length;
      await this.apis.run();
      while (this.#controllers.length === before && this.apis.isRunning) await turn();
      await this.apis.time.passUntil(() => true, 0);
    }
  }

  /** A call of a controller. @param which of those that run */
  beginControllerCall(rpc: string, request: object, which: number): Pending {
    const controller = this.#alive()[which];
    const caller = new AbortController();
    const answered = Promise.withResolvers<Answer>();
    const pending: Pending = {
      answer: undefined,
      done: answered.promise,
      giveUp: () => caller.abort(deadlinePassed()),
    };
    const answer = (given: Answer): void => {
      pending.answer ??= given;
      answered.resolve(pending.answer);
    };
    controller?.signal.addEventListener('abort', () => answer(LOST));
    if (controller === undefined) answer(LOST);
    else void controller.service.call(rpc, request, caller.signal).then(answer);
    return pending;
  }

  readonly #program: Program = async ({ environment, kubernetesUrl, clock }, signal) => {
    const env = { ...environment, NODE_NAME: 'node01' };
    const flags = ['--mode=controller', `--master=${kubernetesUrl}`, '--v=2'];
    const service = await CsiService.start('Controller', flags, env, { clock, signal, log: this.#log });
    this.#controllers.push({ service, signal });
    await new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error));
    });
  };

  #alive(): readonly Controller[] {
    return this.#controllers.filter(({ signal }) => !signal.aborted);
  }

  // ---- what the life needs

  async write(_target: string, diskUniqueId: string): Promise<void> {
    await this.machine?.state.writeData(diskUniqueId);
  }

  async isWritten(_target: string, diskUniqueId: string): Promise<boolean> {
    return this.machine?.state.hasData(diskUniqueId) === true;
  }

  isMounted(diskUniqueId: string): boolean {
    return this.machine?.state.mounted.includes(diskUniqueId) === true;
  }
}

/** What a call's signal is aborted with then. */
export function deadlinePassed(): Error {
  return new RpcError(status.DEADLINE_EXCEEDED, 'the deadline of the call has passed');
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
