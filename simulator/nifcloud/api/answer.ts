import type { ServerResponse } from 'node:http';

/** What a request is answered with. */
export interface Answer {
  readonly status: number;
  readonly type: 'text/xml; charset=UTF-8' | 'text/html' | 'application/json' | 'text/plain';
  readonly body: string;
  /** Further headers. */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * What goes wrong on the way to the client. `lost`: the connection is closed without an answer; `cut-off`: it is closed in
   * the middle of the body; `never`: it stays open and silent until the client, or the simulator, closes it.
   */
  readonly mishap?: 'lost' | 'cut-off' | 'never';
}

/** A sentence for a person. */
export function sentence(status: number, text: string, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status, type: 'text/plain', body: `${text}\n`, headers };
}

export function json(value: unknown, status = 200): Answer {
  return { status, type: 'application/json', body: `${JSON.stringify(value, undefined, 2)}\n` };
}

export function send(response: ServerResponse, { status, type, body, headers, mishap }: Answer): void {
  if (mishap === 'never') return;
  if (mishap === 'lost') {
    response.destroy();
    return;
  }
  const bytes = Buffer.from(body);
  response.writeHead(status, { 'content-type': type, 'content-length': bytes.length, ...headers });
  if (mishap === 'cut-off') response.write(bytes.subarray(0, bytes.length / 2), () => response.destroy());
  else response.end(bytes);
}
