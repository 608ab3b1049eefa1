/**
 * Checks of what a caller asks for, made before anything is sent. Only what docs/reference/nifcloud-api.md is sure of is checked
 * ([doc] or [model] there); everything else is for the cloud to say. `undefined` = not set: passes.
 */

/** @throws RangeError unless it is a whole number from `least` to `most` */
export function checkInteger(what: string, value: number | undefined, least: number, most: number): void {
  if (value === undefined || (Number.isInteger(value) && value >= least && value <= most)) return;
  throw new RangeError(`${what} is a whole number from ${least} to ${most}, not ${value}`);
}

/** @throws RangeError unless it is a port */
export function checkPort(what: string, value: number | undefined): void {
  checkInteger(what, value, 1, 65_535);
}

/** @throws RangeError unless it is one of `allowed` */
export function checkOneOf<T extends string | number>(what: string, value: T | undefined, allowed: readonly T[]): void {
  if (value === undefined || allowed.includes(value)) return;
  throw new RangeError(`${what} is one of ${allowed.join(', ')}, not ${JSON.stringify(value)}`);
}

/** @throws RangeError unless it consists of 1 to `most` letters and digits */
export function checkName(what: string, name: string | undefined, most: number): void {
  if (name === undefined || (name.length <= most && /^[0-9A-Za-z]+$/.test(name))) return;
  throw new RangeError(`${what} consists of 1 to ${most} letters and digits, unlike ${JSON.stringify(name)}`);
}

/** @throws RangeError when it has more than `most` characters */
export function checkLength(what: string, text: string | undefined, most: number): void {
  const length = Array.from(text ?? '').length;
  if (length > most) throw new RangeError(`${what} has at most ${most} characters, not ${length}`);
}

/**
 * For texts that must not be missing: the cloud takes an empty value for an absent one (§1.4), and does something else then.
 *
 * @throws TypeError when it is empty
 */
export function checkSet(what: string, text: string | undefined): void {
  if (text === '') throw new TypeError(`${what} is empty: the cloud would take it as not given`);
}

/** What the cloud charges by: `1` monthly, `2` hourly. */
export const ACCOUNTING_TYPES: readonly string[] = ['1', '2'];

/** 1 round robin, 2 least connections. */
export const BALANCING_TYPES: readonly number[] = [1, 2];
