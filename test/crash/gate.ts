import { Agent, createServer, request as send } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** A request of a program to one of its APIs, or a command of Linux that it runs. */
export interface Call {
  readonly api: 'cloud' | 'kubernetes' | 'linux';
  /** The cloud's action; method and path; the command line. */
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
  /** @returns what goes wrong with a call on its way; default: nothing */
  disturbs?(call: Call): Disturbance | undefined;
  /** Something moved: a call, an answer, or news on a watch. */
  moved(): void;
}

/** What goes wrong with one call, before the API is asked or after it has answered. */
export interface Disturbance {
  readonly side: 'before' | 'after';
  /** The call, or its answer, goes on when this is over. */
  readonly delay?: () => Promise<void>;
  /** Comes in the place of the API's answer; `none` = the connection breaks. */
  readonly answer?:
    | 'none'
    | { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: string };
}

/**
 * Stands between one run of a program and one API, which it knows by the address of the gate alone: programs need no hook to be killed
 * at their n-th call, whether they run in this process or in one of their own. All that goes through is left as it is.
 */
export class Gate {
  readonly url: string;
  readonly #server: Server;
  readonly #agent: Agent;
  readonly #watches: Set<EndOfWatch>;

  private constructor(server: Server, agent: Agent, watches: Set<EndOfWatch>) {
    this.#server = server;
    this.#agent = agent;
    this.#watches = watches;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** @param origin of the API: `http://host:port` */
  static async open(api: Call['api'], origin: string, watchman: Watchman): Promise<Gate> {
    const agent = new Agent({ keepAlive: true });
    const watches = new Set<EndOfWatch>();
    const server = createServer((request, response) => {
      pass(request, response).catch(() => response.destroy());
    });
    const pass = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      response.on('close', () => watchman.moved());
      const body = await buffer(request);
      const call = callOf(api, request, body);
      watchman.moved();
      if (!watchman.leaves(call)) return void response.destroy();
      const disturbance = watchman.disturbs?.(call);
      if (disturbance?.side === 'before' && (await isAnswered(disturbance, response))) return;
      const answer = await exchange(new URL(request.url ?? '/', origin), request, body, agent);
      watchman.moved();
      if (disturbance?.side === 'after' && (await isAnswered(disturbance, response))) return void answer.destroy();
      if (!watchman.returns(call) || response.destroyed) return void (answer.destroy(), response.destroy());
      response.writeHead(answer.statusCode ?? 0, answer.headers);
      response.flushHeaders();
      response.on('close', () => answer.destroy());
      answer.on('data', () => watchman.moved());
      answer.on('error', () => response.destroy());
      answer.pipe(response);
      if (!call.isAside || call.mutating) return;
      const end: EndOfWatch = (lastLine) => {
        answer.unpipe(response);
        if (lastLine === undefined) response.destroy();
        else response.end(`${lastLine}\n`);
      };
      watches.add(end);
      response.on('close', () => watches.delete(end));
    };
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new Gate(server, agent, watches);
  }

  /** Ends all watches: in order after this event, or without a word. */
  endWatches(lastEvent?: object): void {
    for (const end of this.#watches) end(lastEvent && JSON.stringify(lastEvent));
  }

  /** Nothing goes through any more. */
  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
    this.#agent.destroy();
  }
}

type EndOfWatch = (lastLine: string | undefined) => void;

/** @returns whether there is no more to be done */
async function isAnswered({ delay, answer }: Disturbance, response: ServerResponse): Promise<boolean> {
  await delay?.();
  if (response.destroyed) return true; // whoever asked has given up
  if (answer === undefined) return false;
  if (answer === 'none') response.destroy();
  else response.writeHead(answer.status, answer.headers).end(answer.body);
  return true;
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
