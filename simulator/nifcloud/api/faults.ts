import { once } from 'node:events';
import { seededRandom } from '../../random.ts';
import { checkedFault, isNamed } from './fault.ts';
import type { Fault } from './fault.ts';

/** A fault that is in force, or was until its count was used up. */
export interface ListedFault extends Fault {
  readonly id: number;
  /** Calls that it fitted, and of those the ones that it struck. */
  readonly fitted: number;
  readonly struck: number;
}

interface Active {
  readonly fault: Fault;
  readonly random: () => number;
  readonly removal: AbortController;
  fitted: number;
  struck: number;
}

/** A call as faults look at it. */
interface Target {
  readonly action: string;
  readonly mutating: boolean;
  readonly parameters: ReadonlyMap<string, string>;
}

/**
 * The faults that are in force.
 *
 * - A call is struck by one fault at most: the oldest that strikes it. A fault counts only calls that no older one has struck.
 * - Which calls of a sequence are struck depends on the sequence and the seed alone.
 * - One whose count is used up strikes no more, and stays listed until it is removed.
 */
export class Faults {
  readonly #active = new Map<number, Active>();
  #lastId = 0;

  /**
   * @returns the id that `remove` takes
   * @throws UsageError naming the key, the value and what is allowed
   */
  add(fault: Fault): number {
    const checked = checkedFault(fault);
    const random = seededRandom(checked.seed ?? 1);
    this.#active.set(++this.#lastId, {
      fault: checked,
      random,
      removal: new AbortController(),
      fitted: 0,
      struck: 0,
    });
    return this.#lastId;
  }

  list(): readonly ListedFault[] {
    return [...this.#active].map(([id, { fault, fitted, struck }]) => ({ id, ...fault, fitted, struck }));
  }

  /** Also ends the transitions that it holds. @returns false when there is no such fault */
  remove(id: number): boolean {
    this.#active.get(id)?.removal.abort();
    return this.#active.delete(id);
  }

  clear(): void {
    for (const id of this.#active.keys()) this.remove(id);
  }

  /** The fault that strikes this call. It counts as struck from now on. */
  strike(target: Target): (Fault & { readonly id: number }) | undefined {
    for (const [id, active] of this.#active) {
      const { fault } = active;
      if (!fits(fault, target)) continue;
      active.fitted++;
      const { skip = 0, count = Infinity, probability = 1 } = fault;
      if (active.fitted <= skip || active.struck >= count || active.random() >= probability) continue;
      active.struck++;
      return { id, ...fault };
    }
    return undefined;
  }

  /**
   * Resolves when the fault is no longer there.
   * @throws the signal's reason when it is aborted first
   */
  async removed(id: number, signal: AbortSignal): Promise<void> {
    const removal = this.#active.get(id)?.removal.signal;
    if (removal === undefined) return;
    const either = AbortSignal.any([removal, signal]);
    if (!either.aborted) await once(either, 'abort');
    signal.throwIfAborted();
  }
}

function fits({ kind, action = '*', parameters = {} }: Fault, target: Target): boolean {
  // A call that only reads starts no transition.
  if (kind === 'slow-transition' && !target.mutating) return false;
  return (
    isNamed(action, target.action) &&
    Object.entries(parameters).every(([name, value]) => target.parameters.get(name) === value)
  );
}
