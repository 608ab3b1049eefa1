import { readFile, writeFile } from 'node:fs/promises';

/** One row of the summary. */
interface Step {
  readonly title: string;
  readonly tookMs: number;
  readonly calls: Readonly<Record<string, number>>;
}

/** The calls that the cloud has answered so far, by action. */
export type CountCalls = () => Promise<Readonly<Record<string, number>>>;

/** Prints what happens while it happens, and a table of it at the end; remembers every line for the recording. */
export class Report {
  readonly #lines: string[] = [];
  readonly #steps: Step[] = [];
  readonly #countCalls: CountCalls;

  constructor(countCalls: CountCalls) {
    this.#countCalls = countCalls;
  }

  say(line = ''): void {
    this.#lines.push(line);
    process.stdout.write(`${line}\n`);
  }

  /** Runs a step and notes its time and the cloud calls that it cost. */
  async step<T>(title: string, run: () => Promise<T>): Promise<T> {
    this.say(`\n▶ ${title}`);
    const before = await this.#countCalls();
    const startedMs = performance.now();
    const result = await run();
    const tookMs = performance.now() - startedMs;
    const after = await this.#countCalls();
    const calls: Record<string, number> = {};
    for (const [action, count] of Object.entries(after)) {
      const added = count - (before[action] ?? 0);
      if (added > 0) calls[action] = added;
    }
    this.#steps.push({ title, tookMs, calls });
    return result;
  }

  /** A fact of the step that is running. */
  fact(text: string): void {
    this.say(`  ${text}`);
  }

  table(): void {
    const rows = this.#steps.map((step) => [step.title, `${(step.tookMs / 1000).toFixed(1)} s`, callsText(step.calls)]);
    const total = this.#steps.reduce((sum, step) => sum + step.tookMs, 0);
    const calls = this.#steps.flatMap((step) => Object.values(step.calls)).reduce((sum, count) => sum + count, 0);
    const all = [['step', 'time', 'cloud calls'], ...rows, ['total', `${(total / 1000).toFixed(1)} s`, String(calls)]];
    const widths = [0, 1].map((column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
    const line = (row: string[]): string =>
      `  ${row[0]?.padEnd(widths[0] ?? 0)}  ${row[1]?.padStart(widths[1] ?? 0)}  ${row[2]}`;
    const rule = `  ${'─'.repeat((widths[0] ?? 0) + (widths[1] ?? 0) + 15)}`;
    this.say();
    for (const [at, row] of all.entries()) {
      if (at === 1 || at === all.length - 1) this.say(rule);
      this.say(line(row));
    }
  }

  /** Puts all that was printed between the markers of a document. */
  async record(document: URL): Promise<void> {
    const text = await readFile(document, 'utf8');
    const block = `<!-- demo:begin -->\n\n\`\`\`\n$ npm run demo\n${this.#lines.join('\n').trim()}\n\`\`\`\n\n<!-- demo:end -->`;
    const recorded = text.replace(/<!-- demo:begin -->.*<!-- demo:end -->/s, () => block);
    if (recorded === text && !text.includes(block))
      throw new Error(`${document.pathname} has no markers for the recording`);
    await writeFile(document, recorded);
  }
}

function callsText(calls: Readonly<Record<string, number>>): string {
  const total = Object.values(calls).reduce((sum, count) => sum + count, 0);
  if (total === 0) return '0';
  return `${total}: ${Object.entries(calls)
    .map(([action, count]) => (count === 1 ? action : `${count} ${action}`))
    .join(', ')}`;
}
