import { status } from '@grpc/grpc-js';
import type { Moment } from './crash-world.ts';
import type { Answer } from './csi-program.ts';
import { brokenInTheCloud, disksIn, wrongConclusion, type Kept, type Life, type Step } from './csi-life.ts';
import { CsiWorld, deadlinePassed, type Pending } from './csi-world.ts';
import type { Call } from './gate.ts';

/** Of the sidecars, `--retry-interval-start` and `-max` (docs/reference/csi.md E.1); the kubelet begins and ends sooner. */
const PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 300_000;

/** As many as come in several hours. */
const TRIES = 60;

/** Where in a life something happens. */
export interface Place {
  /** 0 for the first. */
  readonly step: number;
  readonly moment: Moment;
}

/** What may happen to a life. */
export interface Trouble {
  /**
   * Asked at each moment of each step. `killed`: the process that makes the call; `lost`: the call or its answer; `impatient`: the
   * caller's deadline passes, and it calls again; `rivalled`: another process takes the caller's place, and calls another controller.
   */
  readonly at?: (place: Place, call: Call) => 'killed' | 'lost' | 'impatient' | 'rivalled' | void;
  /** When a step begins. */
  readonly begin?: (world: CsiWorld, step: number) => void;
  /** Of the simulator. */
  readonly switches?: string;
  readonly controllers?: number;
}

/** How a life went. */
export interface Report {
  /** What was there after each step, without what may differ from one life to another. */
  readonly ends: readonly (readonly string[])[];
  /** The calls and commands of each step. */
  readonly calls: readonly (readonly Call[])[];
  /** Moments of a life to which nothing happens, with what was there at each. */
  readonly moments: readonly (Place & { readonly there: string; readonly call: Call })[];
  /** Rules that were broken at any time, each once. */
  readonly broken: readonly string[];
}

/** Lives a life in a world of its own. @param log for those who look for what went wrong */
export async function live(life: Life, trouble: Trouble = {}, log?: (line: string) => void): Promise<Report> {
  const withMachine = life.some(({ service }) => service === 'Node');
  const world = await CsiWorld.start({ switches: trouble.switches ?? '', withMachine, ...(log && { log }) });
  try {
    return await new Journey(life, trouble, world, log).run();
  } finally {
    await world.stop();
  }
}

class Journey {
  readonly #life: Life;
  readonly #trouble: Trouble;
  readonly #world: CsiWorld;
  readonly #log: (line: string) => void;
  readonly #kept: Kept = { volumeContext: {}, publishContext: {} };
  readonly #calls: Call[][] = [];
  readonly #moments: Report['moments'][number][] = [];
  readonly #broken = new Set<string>();
  /** What the present call is to suffer, apart from a death. */
  #onTrouble: (trouble: 'impatient' | 'rivalled') => void = () => {};

  constructor(life: Life, trouble: Trouble, world: CsiWorld, log: (line: string) => void = () => {}) {
    this.#life = life;
    this.#trouble = trouble;
    this.#world = world;
    this.#log = log;
  }

  async run(): Promise<Report> {
    const ends: (readonly string[])[] = [];
    for (const [number, step] of this.#life.entries()) {
      await this.#world.startControllers(this.#trouble.controllers);
      this.#calls[number] = [];
      this.#world.count();
      this.#world.onMoment = (moment, call) => this.#at({ step: number, moment }, step, call);
      step.before?.(this.#world);
      this.#trouble.begin?.(this.#world, number);
      const response = await this.#untilDone(step);
      await step.after?.(this.#world, response as never, this.#kept);
      this.#check(step, 'at its end');
      const { volumeUniqueId = '' } = this.#kept.volumeContext;
      ends.push(
        whatIsThere(this.#world)
          .map((line) => line.replaceAll(volumeUniqueId, 'ours'))
          .toSorted(),
      );
    }
    const calls = this.#calls;
    return { ends, calls, moments: this.#moments, broken: [...this.#broken] };
  }

  /** As sidecars and kubelet do. */
  async #untilDone(step: Step): Promise<object> {
    let pauseMs = PAUSE_MS;
    for (let tries = 1; ; tries++) {
      const answer = await (step.service === 'Controller' ? this.#askController(step) : this.#askNode(step));
      this.#log(`=== ${step.name}: ${status[answer.code]} ${answer.text}\n`);
      if (answer.response !== undefined) return answer.response;
      const wrong = wrongConclusion(step, answer.code, this.#world);
      if (wrong !== undefined) this.#broken.add(`${step.name}: ${wrong} (${status[answer.code]}: ${answer.text})`);
      if (tries === TRIES) throw new Error(`${step.name} fails for ever: ${status[answer.code]}: ${answer.text}`);
      await this.#world.pass(pauseMs);
      pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2);
    }
  }

  async #askController({ rpc, request }: Step): Promise<Answer> {
    const world = this.#world;
    await world.startControllers(this.#trouble.controllers);
    const asked = request(this.#kept, '');
    const calls: Pending[] = [world.beginControllerCall(rpc, asked, 0)];
    this.#onTrouble = (trouble) => {
      if (trouble === 'rivalled') calls.push(world.beginControllerCall(rpc, asked, 1));
      else calls.at(-1)?.giveUp();
    };
    await world.until(() => calls.every(({ answer }) => answer !== undefined));
    this.#onTrouble = () => {};
    return calls.at(-1)?.answer as Answer;
  }

  async #askNode({ rpc, request }: Step): Promise<Answer> {
    const { machine } = this.#world;
    if (machine === undefined) throw new Error('there is no machine');
    const caller = new AbortController();
    this.#onTrouble = () => caller.abort(deadlinePassed());
    const answer = await machine.call(rpc, (kubelet) => request(this.#kept, kubelet), caller.signal);
    this.#onTrouble = () => {};
    await machine.pass(PAUSE_MS);
    if (answer.code === status.ABORTED) await machine.comesToRest();
    return answer;
  }

  #at(place: Place, step: Step, call: Call): 'killed' | 'lost' | void {
    if (place.moment.side === 'before') this.#calls[place.step]?.push(call);
    this.#checkCall(step, place.moment, call);
    this.#check(step, `${place.moment.side} call ${place.moment.call}, ${call.text}`);
    const verdict = this.#trouble.at?.(place, call);
    if (this.#trouble.at === undefined) {
      this.#moments.push({ ...place, call, there: whatIsThere(this.#world).join('\n') });
    }
    if (verdict === 'impatient' || verdict === 'rivalled') this.#onTrouble(verdict);
    else return verdict;
  }

  // ---- rules

  #checkCall(step: Step, { side }: Moment, call: Call): void {
    const disk = this.#world.machine?.state.diskOf(call);
    if (side !== 'before' || disk === undefined || !call.text.startsWith('mkfs')) return;
    if (disk !== this.#kept.volumeContext['volumeUniqueId'])
      this.#broken.add(`${step.name}: ${call.text} is of ${disk}`);
    if (this.#world.machine?.state.hasData(disk) === true) this.#broken.add(`${step.name}: ${call.text} destroys data`);
  }

  #check(step: Step, when: string): void {
    for (const rule of brokenInTheCloud(step, this.#world.cloud.state())) {
      this.#broken.add(`${step.name}: ${rule}, but not ${when}`);
    }
  }
}

/** What there is now, as lines that differ whenever what matters does. */
function whatIsThere({ cloud, machine }: CsiWorld): readonly string[] {
  return [...disksIn(cloud.state()), ...(machine?.state.lines ?? [])];
}
