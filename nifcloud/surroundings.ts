/** What this folder needs of its surroundings. Structural, so that it imports nothing of the programs that use it. */

/** Receives constant messages with everything that varies as fields. */
export interface Logger {
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, error: unknown, fields?: Readonly<Record<string, unknown>>): void;
  /** 2: what an operator may want to see; 4: every request. */
  debug(level: number, message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** Time; tests hand in one that they step. */
export interface Clock {
  /** Wall-clock time in ms since the epoch (it signs requests). */
  now(): number;
  /** A clock that never jumps, in ms. */
  monotonicMs(): number;
  /** @throws the signal's reason when it is aborted first. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

/** Counts requests, one call for each that was answered or failed; requests that their caller aborted are not counted. */
export interface RequestMetrics {
  observe(action: string, tookSeconds: number, outcome: 'ok' | 'error' | 'throttled'): void;
}
