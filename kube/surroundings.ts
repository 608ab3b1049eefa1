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

/** What a KubeClient tells of its requests (docs/reference/ccm.md A10, `rest_client_*`). `host` is name and port. */
export interface KubeRequestMetrics {
  /** A request had to wait this long, or not at all (0), for the client's own rate limit. */
  throttled(verb: string, host: string, seconds: number): void;
  /** One try was answered, with an HTTP status; `<error>` = it was not. */
  answered(verb: string, host: string, code: string): void;
  /** A request is sent again because of that answer. */
  retried(verb: string, host: string, code: string): void;
  /** A request that is no watch has ended, well or not, after all its tries. */
  finished(verb: string, host: string, seconds: number): void;
  /** Sizes of the bodies of one try, in bytes. */
  sent(verb: string, host: string, bytes: number): void;
  received(verb: string, host: string, bytes: number): void;
}

/** What a queue is like now. */
export interface QueueState {
  /** Keys that wait to be taken. */
  readonly depth: number;
  /** How long all that is being worked on has been so, added up, in s. */
  readonly unfinishedSeconds: number;
  /** How long the slowest of them has, in s. */
  readonly longestSeconds: number;
}

/** What a WorkQueue tells of itself (docs/reference/ccm.md A10, `workqueue_*`). */
export interface QueueMetrics {
  /** Once for each queue; `state` may be asked at any time. */
  register(queue: string, state: () => QueueState): void;
  added(queue: string): void;
  /** A key came with a delay, or with one of the limiter's. */
  retried(queue: string): void;
  /** A key was taken after it had waited. */
  taken(queue: string, waitedSeconds: number): void;
  /** A key is done. */
  done(queue: string, workedSeconds: number): void;
}

/** What an election tells of itself (docs/reference/ccm.md A10, `leader_election_*`). */
export interface ElectionMetrics {
  leading(lease: string, leads: boolean): void;
  /** A renewal had to read the lease first, because writing what was known failed. */
  slowPath(lease: string): void;
}
