/** One measured line: `values` stand side by side, taken in the same run. */
export interface Figure {
  readonly what: string;
  readonly unit: string;
  readonly values: Readonly<Record<string, number>>;
}

/** One line for each figure. */
export function print({ what, unit, values }: Figure): void {
  const columns = Object.entries(values).map(([name, value]) => `${name}: ${number(value).padStart(8)}`);
  process.stdout.write(`${what.padEnd(70)} ${unit.padEnd(8)} ${columns.join('   ')}\n`);
}

function number(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: 1 });
}

/** Of an even number of values the upper one of the two in the middle; 0 of none. */
export function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0;
}
