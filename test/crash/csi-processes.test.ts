import { setTimeout as pause } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { expect } from 'chai';
import type { Moment } from './crash-world.ts';
import { brokenInTheCloud, PROCESS_LIFE, wrongConclusion, type Kept, type Step } from './csi-life.ts';
import { ProcessWorld } from './csi-processes.ts';
import type { Call } from './gate.ts';

/** Between two tries: what takes longer is waited for by the driver. */
const PAUSE_MS = 20;
const TRIES = 200;

/** A hundred restarts on a busy machine; half of that is usual. */
const LIMIT_MS = 400_000;

/** Lives of one volume after another, by the driver as processes. */
class Lives {
  readonly #world: ProcessWorld;
  readonly broken: string[] = [];
  /** Told of each moment of a step, by what is done then. @returns whether the process is killed */
  onMoment: (moment: string) => boolean = () => false;
  #isWritten = false;

  constructor(world: ProcessWorld) {
    this.#world = world;
  }

  /** @returns what was there after each step */
  async live(): Promise<readonly (readonly string[])[]> {
    const kept: Kept = { volumeContext: {}, publishContext: {} };
    const ends: (readonly string[])[] = [];
    this.#isWritten = false;
    await this.#world.beginLife();
    for (const step of PROCESS_LIFE) {
      step.before?.(this.#world);
      const response = await this.#untilDone(step, kept);
      await step.after?.(this.#world, response as never, kept);
      this.#isWritten ||= step.rpc === 'NodePublishVolume';
      this.#check(step);
      const { volumeUniqueId = '' } = kept.volumeContext;
      ends.push((await this.#world.state()).map((line) => line.replaceAll(volumeUniqueId, 'ours')));
    }
    return ends;
  }

  async #untilDone(step: Step, kept: Kept): Promise<object> {
    const { service, rpc, request } = step;
    const done = new Set<string>();
    for (let tries = 1; ; tries++) {
      this.#world.onMoment = (side, call) => this.#at(step, side, call, done);
      const { code, text, response } = await this.#world.call(service, rpc, request(kept, this.#world.kubelet));
      if (response !== undefined) return response;
      // Some machines refuse this to root, too; the next stage makes up for it.
      if (/CAP_SYS_RESOURCE/.test(text)) return {};
      const wrong = wrongConclusion(step, code, this.#world);
      if (wrong !== undefined) this.broken.push(`${step.name}: ${wrong} (${status[code]}: ${text})`);
      if (tries === TRIES)
        throw new Error(`${step.name} fails for ever: ${status[code]}: ${text}\n${this.#world.logs.slice(-2_000)}`);
      await pause(PAUSE_MS);
    }
  }

  #at(step: Step, side: Moment['side'], call: Call, done: Set<string>): boolean {
    if (side === 'before' && call.text.startsWith('mkfs') && this.#isWritten) {
      this.broken.push(`${step.name}: ${call.text} destroys data`);
    }
    this.#check(step);
    // Before a look it is as after what came before that.
    if (!call.mutating && side !== 'after') return false;
    const isKilled = this.onMoment(
      `${step.rpc}: ${side} ${nameOf(call)}, ${[...done].join(', ') || 'nothing'} done before`,
    );
    if (call.mutating && (side === 'after' || (side === 'during' && isKilled))) done.add(nameOf(call));
    return isKilled;
  }

  #check(step: Step): void {
    for (const rule of brokenInTheCloud(step, this.#world.cloud.state()))
      this.broken.push(`${step.name}: not so: ${rule}`);
  }
}

/** Without what differs from one life to another. */
function nameOf({ text }: Call): string {
  return text.replaceAll(/\/\S*\//g, '').replaceAll(/-U \S+/g, '');
}

describe('the driver as two processes', () => {
  let world: ProcessWorld;
  before(async () => {
    world = await ProcessWorld.start();
  });
  after(() => world.stop());

  it('brings a volume through its life although each process is killed once at each of its calls and commands', async () => {
    const lives = new Lives(world);
    const moments = new Set<string>();
    lives.onMoment = (moment) => (moments.add(moment), false);
    const undisturbed = await lives.live();
    const left = new Set(moments);
    lives.onMoment = (moment) => left.delete(moment);
    for (let kills = 0; left.size > 0;) {
      for (const [at, end] of (await lives.live()).entries()) {
        expect(end, PROCESS_LIFE[at]?.name).to.deep.equal(undisturbed[at]);
      }
      expect(lives.broken).to.deep.equal([]);
      expect(moments.size - left.size, 'nobody was killed').to.be.above(kills);
      kills = moments.size - left.size;
    }
  }).timeout(LIMIT_MS);
});
