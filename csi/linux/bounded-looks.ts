import { runTool } from './tools.ts';
import type { ToolResult } from './tools.ts';

/** What answers at all does so in milliseconds; the kubelet waits 2 minutes for statistics. Our choice. */
const PATIENCE_MS = 5_000;

/** A tool that has given no answer is killed, this long after nobody waits for it any more. */
const KILL_AFTER_MS = 1_000;

/**
 * Looks at what may never answer, such as the mount of a disk that is gone.
 *
 * - By a tool of its own for each look: in this process, four calls that hang would take all of Node's threads for files, and
 *   everything else with them.
 * - Nobody waits longer than the patience, although a tool in an uninterruptible wait outlives its kill.
 * - Of equal looks one runs at a time. Who asks for one that is known to hang has his answer at once: there are never more such
 *   tools than things that hang.
 */
export class BoundedLooks {
  readonly #patienceMs: number;
  readonly #running = new Map<string, Promise<ToolResult | undefined>>();

  constructor(patienceMs: number = PATIENCE_MS) {
    this.#patienceMs = patienceMs;
  }

  /**
   * How the tool ended; undefined = it gave no answer in time.
   * @throws ToolError when it can't be started.
   */
  look(tool: string, ...args: readonly string[]): Promise<ToolResult | undefined> {
    const key = [tool, ...args].join('\0');
    const known = this.#running.get(key);
    if (known !== undefined) return known;
    const run = runTool(tool, args, { timeoutMs: this.#patienceMs + KILL_AFTER_MS });
    const answer = new Promise<ToolResult | undefined>((resolve, reject) => {
      const timer = setTimeout(() => resolve(undefined), this.#patienceMs);
      const end = (): void => {
        clearTimeout(timer);
        this.#running.delete(key);
      };
      run.finally(end).then(resolve, reject);
    });
    this.#running.set(key, answer);
    return answer;
  }
}
