import { Agent, createServer, request as send } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** A request of a program to one of its APIs. */
export interface Call {
  readonly api: 'cloud' | 'kubernetes';
  /** The cloud's action, or method and path. */
  readonly text: string;
  readonly mutating: boolean;
  /** An event, or the opening of a watch: no step of the program's work. */
  readonly isAside: boolean;
}

/** Who stands at a gate. A program that was killed does nothing any more: neither do its calls arrive, nor its answers. */
export interface Watchman {
  /** @returns whether the call goes on to the API */
  leaves(call: Call): boolean;
  /** The API has done its work, whatever came of it. @returns whether the answer goes on to the program */
  returns(call: Call): boolean;
  /** Something moved: a call, an answer, or news on a watch. */
  moved(): void;
}

/**
 * Stands between one run of a program and one API, which it knows by the address of the gate alone: programs need no hook to be killed
 * at their n-th call, whether they run in this process or in one of their own. All that goes through is left as it is.
 */
export class Gate {
  readonly url: string;
  readonly #server: Server;
  readonly #agent: Agent;

  private constructor(server: Server, agent: Agent) {
    this.#server = server;
    this.#agent = agent;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** @param origin of the API: `http://host:port` */
  static async open(api: Call['api'], origin: string, watchman: Watchman): Promise<Gate> {
    const agent = new Agent({ keepAlive: true });
    const server = createServer((request, response) => {
      pass(request, response).catch(() => response.destroy());
    });
    const pass = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      response.on('close', () => watchman.moved());
      const body = await buffer(request);
      const call = callOf(api, request, body);
      watchman.moved();
      if (!watchman.leaves(call)) return void response.destroy();
      const answer = await exchange(new URL(request.url ?? '/', origin), request, body, agent);
      watchman.moved();
      if (!watchman.returns(call) || response.destroyed) return void (answer.destroy(), response.destroy());
      response.writeHead(answer.statusCode ?? 0, answer.headers);
      response.flushHeaders();
      response.on('close', () => answer.destroy());
      answer.on('data', () => watchman.moved());
      answer.on('error', () => response.destroy());
      answer.pipe(response);
    };
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new Gate(server, agent);
  }

  /** Nothing goes through any more. */
  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
    this.#agent.destroy();
  }
}

function exchange(
  url: URL,
  { method, headers }: IncomingMessage,
  body: Buffer,
  agent: Agent,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    // With the Host that was signed.
    send(url, { method, headers, agent }, resolve).on('error', reject).end(body);
  });
}

function callOf(api: Call['api'], { method = '', url = '' }: IncomingMessage, body: Buffer): Call {
  if (api === 'cloud') {
    const text = new URLSearchParams(body.toString()).get('Action') ?? '';
    return { api, text, mutating: !/^(?:Nifty)?Describe/.test(text), isAside: false };
  }
  const mutating = method !== 'GET';
  return { api, text: `${method} ${url}`, mutating, isAside: url.includes(mutating ? '/events' : 'watch=true') };
}
