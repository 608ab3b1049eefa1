/** Where this folder's code writes what happened; any structured logger fits. */
export interface Logger {
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, error: unknown, fields?: Readonly<Record<string, unknown>>): void;
  /** Written only at a verbosity of at least `level`: 2 for what an operator may want, 4 for debugging. */
  debug(level: number, message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** Time as a parameter. */
export interface Clock {
  /** Wall-clock time in ms since the epoch. */
  now(): number;
  /** A clock that never jumps, in ms since an arbitrary origin. */
  monotonicMs(): number;
  /**
   * Resolves after `delayMs`.
   * @throws the signal's reason when it is aborted first.
   */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}
