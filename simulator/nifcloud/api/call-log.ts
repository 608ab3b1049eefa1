import { closeSync, openSync, writeSync } from 'node:fs';
import type { FaultKind } from './fault.ts';

/** One answered call. */
export interface CallRecord {
  /** 1 for the first call of the run. */
  readonly number: number;
  /** When it arrived, RFC 3339. */
  readonly time: string;
  readonly action: string;
  /** As they were sent, without those of authentication. */
  readonly parameters: Readonly<Record<string, string>>;
  /** `ok`, the code of the refusal, or `not evaluated` where a fault struck before. */
  readonly outcome: string;
  /** The kind of the fault that struck it. */
  readonly fault?: FaultKind;
  readonly tookMs: number;
  /** Whether the action can change anything (it did if the outcome is ok). */
  readonly mutating: boolean;
  /** Parameters of a successful call that the action does not know: a typing error, or something the simulator lacks. */
  readonly ignoredParameters?: readonly string[];
}

/** At least so many calls are kept in memory; the file has all of them. */
const KEPT_CALLS = 20_000;

/** What was asked of the cloud: in memory, and as JSON lines in a file. */
export class CallLog {
  readonly #kept: CallRecord[] = [];
  #file: number | undefined;
  #count = 0;

  /** @param file appended to; each call is in it before its answer is sent */
  constructor(file?: string) {
    this.#file = file === undefined ? undefined : openSync(file, 'a');
  }

  add(call: Omit<CallRecord, 'number'>): void {
    const record = { number: ++this.#count, ...call };
    this.#kept.push(record);
    // Many at once: taking a single record off the front of a long array costs more than all the rest of a call.
    if (this.#kept.length >= 2 * KEPT_CALLS) this.#kept.splice(0, KEPT_CALLS);
    if (this.#file !== undefined) writeSync(this.#file, `${JSON.stringify(record)}\n`);
  }

  /** The number of the newest call: what was answered later is "since" this mark. */
  mark(): number {
    return this.#count;
  }

  /** @throws RangeError when some of them are no longer kept: a wrong count would be worse than none */
  since(mark: number): readonly CallRecord[] {
    const forgotten = this.#count - this.#kept.length;
    if (mark < forgotten) throw new RangeError(`calls up to number ${forgotten} are no longer kept in memory`);
    return this.#kept.slice(mark - forgotten);
  }

  /** Closes the file; later calls are kept in memory only. */
  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }
}

/** Calls by action. */
export function countByAction(calls: readonly CallRecord[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { action } of calls) counts[action] = (counts[action] ?? 0) + 1;
  return counts;
}
