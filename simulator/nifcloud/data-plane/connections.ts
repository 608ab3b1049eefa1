/** What goes through one listener now, by the server that it goes to: TCP connections, HTTP requests, UDP sessions. */
export class Connections {
  readonly #cuts = new Map<string, Set<() => void>>();

  /** How many a server has. */
  count(serverUniqueId: string): number {
    return this.#cuts.get(serverUniqueId)?.size ?? 0;
  }

  /**
   * @param cut ends it; the caller forgets it then, as after any other end
   * @returns what forgets it
   */
  add(serverUniqueId: string, cut: () => void): () => void {
    const cuts = this.#cuts.get(serverUniqueId) ?? new Set();
    this.#cuts.set(serverUniqueId, cuts.add(cut));
    return () => {
      cuts.delete(cut);
      if (cuts.size === 0 && this.#cuts.get(serverUniqueId) === cuts) this.#cuts.delete(serverUniqueId);
    };
  }

  /** Ends those that go elsewhere than to the servers that stay. */
  cutExcept(stays: (serverUniqueId: string) => boolean): void {
    for (const [serverUniqueId, cuts] of this.#cuts) {
      if (!stays(serverUniqueId)) for (const cut of cuts) cut();
    }
  }
}
