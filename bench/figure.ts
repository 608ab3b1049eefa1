/** One measured line: `values` stand side by side, taken in the same run. */
export interface Figure {
  readonly what: string;
  readonly unit: string;
  readonly values: Readonly<Record<string, number>>;
}
