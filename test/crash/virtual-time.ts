import { FakeClock } from '../fake-clock.ts';

/** Turns of the event loop without a move after which nothing is under way between sockets of this process. */
const STILL_TURNS = 12;

/**
 * Time for programs and simulated APIs that share a process and talk through real sockets: it stands still while anything moves, and
 * jumps to what is waited for as soon as nothing does. Minutes of waiting pass in no time, in the same order as they would.
 */
export class VirtualTime {
  readonly clock = new FakeClock();
  #moves = 0;
  #underWay = 0;

  /** To be told of everything that moves between sockets. */
  moved(): void {
    this.#moves += 1;
  }

  /** Time stands still during work that does not show in sockets, such as that with files. */
  async during<T>(work: Promise<T>): Promise<T> {
    this.#underWay += 1;
    return await work.finally(() => (this.#underWay -= 1));
  }

  /**
   * Lets time pass.
   * @param isOver asked whenever nothing moves
   * @throws after `limitMs` of virtual time
   */
  async passUntil(isOver: () => boolean, limitMs: number): Promise<void> {
    const endMs = this.clock.monotonicMs() + limitMs;
    for (;;) {
      await this.#still();
      if (isOver()) return;
      const { nextDueMs } = this.clock;
      if (nextDueMs === undefined || nextDueMs > endMs) throw new Error(`not over after ${limitMs / 1000} s`);
      await this.clock.advance(Math.max(0, nextDueMs - this.clock.monotonicMs()));
    }
  }

  async #still(): Promise<void> {
    for (let turns = 0, seen = this.#moves; turns < STILL_TURNS; turns++) {
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      if (seen !== this.#moves || this.#underWay > 0) [turns, seen] = [0, this.#moves];
    }
  }
}
