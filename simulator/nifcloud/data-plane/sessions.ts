/** How many sessions are kept at most; the oldest go first. Ours. */
const MAX_SESSIONS = 100_000;

/** Stickiness by source address: which server an address was last sent to, for a while. */
export class Sessions {
  readonly #sessions = new Map<string, { readonly serverUniqueId: string; readonly endsAtMs: number }>();
  #clearedAtMs = 0;

  /** undefined = the address has no session, or it has expired. */
  serverOf(address: string, nowMs: number): string | undefined {
    const session = this.#sessions.get(address);
    return session !== undefined && nowMs < session.endsAtMs ? session.serverUniqueId : undefined;
  }

  /** Starts a session, or replaces the one that the address has. */
  keep(address: string, serverUniqueId: string, endsAtMs: number): void {
    this.#sessions.delete(address);
    this.#sessions.set(address, { serverUniqueId, endsAtMs });
    const [oldest] = this.#sessions.keys();
    if (this.#sessions.size > MAX_SESSIONS && oldest !== undefined) this.#sessions.delete(oldest);
  }

  /** Ends all sessions if they were cleared since the last time. */
  followClearing(clearedAtMs: number): void {
    if (clearedAtMs !== this.#clearedAtMs) this.#sessions.clear();
    this.#clearedAtMs = clearedAtMs;
  }
}
