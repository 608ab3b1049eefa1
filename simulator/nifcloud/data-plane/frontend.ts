/** The side of a listener that clients see: of one protocol, at one address. */
export interface Frontend {
  /** May be called again after it has failed. @throws what the system says when the address can not be bound */
  listen(port: number, host: string): Promise<void>;
  /** `host:port` where it really listens; undefined = nowhere. */
  readonly address: string | undefined;
  /** Resolves when nothing of it is left. */
  close(): Promise<void>;
}

/** `127.0.0.1:80`, `[::1]:80`. */
export function hostAndPort(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
