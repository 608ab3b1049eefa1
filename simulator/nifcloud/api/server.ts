import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Clock } from '../../../daemon/clock.ts';
import type { Logger } from '../../../daemon/logger.ts';
import { ACTIONS } from '../actions/actions.ts';
import type { Action } from '../actions/actions.ts';
import { countByAction } from './call-log.ts';
import type { CallLog } from './call-log.ts';
import { Refusal } from './refusal.ts';
import { authenticate, AUTHENTICATION_PARAMETERS } from './signature.ts';
import type { Credentials } from './signature.ts';
import { errorBody, illegal, Parameters, successBody } from './wire.ts';
import type { XmlFields } from './wire.ts';

const API_PATH = '/api/';

/** Larger than any call: the longest has 30 filter addresses or some hundred names. */
const MAX_BODY_BYTES = 1 << 20;

/** Longer than clients keep idle connections, so that none meets a connection that is just being closed. */
const KEEP_ALIVE_MS = 120_000;

export interface ApiServerOptions {
  readonly credentials: Credentials;
  /** How long a call waits before it is evaluated. */
  readonly latencyMs: number;
  readonly clock: Clock;
  readonly calls: CallLog;
  readonly logger: Logger;
  /** Ends the waiting of calls. */
  readonly signal: AbortSignal;
  /** Does what the action does. @throws Refusal */
  readonly perform: (action: Action, parameters: Parameters) => XmlFields | undefined;
  /** Lets what runs beside the world follow a change; the answer waits for it. */
  readonly followWorld: () => Promise<void>;
  /** Served as JSON at `/control/state`; without it there are no control pages. */
  readonly state?: () => unknown;
}

interface Answer {
  readonly status: number;
  readonly type: 'text/xml; charset=UTF-8' | 'application/json' | 'text/plain';
  readonly body: string;
}

/** The Computing API on `/api/` (docs/reference/nifcloud-api.md §1) and the control pages. Not listening yet. */
export function createApiServer(options: ApiServerOptions): Server {
  const server = createServer((request, response) => {
    answer(request, options).then(
      ({ status, type, body }) => send(response, status, type, body),
      (error: unknown) => {
        // A client that broke off, or the end of the simulator: nobody is left to be answered.
        options.logger.debug(2, 'Call not answered', { reason: String(error) });
        response.destroy();
      },
    );
  });
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  return server;
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) }).end(body);
}

async function answer(request: IncomingMessage, options: ApiServerOptions): Promise<Answer> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://simulator');
  if (pathname === API_PATH && request.method === 'GET') return answerCall(request, searchParams, options);
  if (pathname === API_PATH && request.method === 'POST') {
    return answerCall(request, new URLSearchParams(await readBody(request)), options);
  }
  const page = request.method === 'GET' ? controlPage(pathname, searchParams, options) : undefined;
  return page ?? { status: 404, type: 'text/plain', body: `nothing here; the API is GET or POST ${API_PATH}\n` };
}

/** One call: it waits the latency, is evaluated at once, and is answered when the rest of the simulator has followed. */
async function answerCall(request: IncomingMessage, form: URLSearchParams, options: ApiServerOptions): Promise<Answer> {
  const { clock, calls, latencyMs, signal, logger } = options;
  const time = new Date(clock.now()).toISOString();
  const startedMs = clock.monotonicMs();
  if (latencyMs > 0) await clock.sleep(latencyMs, signal);
  // Of a key that was sent twice the first value counts.
  const sent = new Map([...form].toReversed());
  const own = [...sent].filter(([name]) => !AUTHENTICATION_PARAMETERS.has(name));
  const parameters = new Parameters(own);
  const requestId = randomUUID();
  const name = parameters.text('Action') ?? '';
  const action = ACTIONS.get(name);
  let refusal: Refusal | undefined;
  let body = '';
  try {
    const { host = '' } = request.headers;
    authenticate({ method: request.method ?? '', host, path: API_PATH, parameters: sent }, options.credentials);
    parameters.text('Version');
    if (action === undefined) throw illegal('Action', `${name || 'nothing'} is not an action that the simulator knows`);
    const fields = options.perform(action, parameters);
    if (action.mutating) await options.followWorld();
    body = successBody(name, action.style, fields, requestId);
  } catch (error) {
    refusal = error instanceof Refusal ? error : fault(error, logger);
    body = errorBody(refusal.code, refusal.message, requestId);
  }
  const ignored = refusal === undefined ? parameters.unasked() : [];
  if (ignored.length > 0) logger.warn('Call has parameters that the action does not know', { action: name, ignored });
  calls.add({
    time,
    action: name,
    parameters: Object.fromEntries(own.filter(([key]) => key !== 'Action' && key !== 'Version')),
    outcome: refusal?.code ?? 'ok',
    tookMs: Math.round(clock.monotonicMs() - startedMs),
    mutating: action?.mutating ?? false,
    ...(ignored.length === 0 ? {} : { ignoredParameters: ignored }),
  });
  return { status: refusal?.httpStatus ?? 200, type: 'text/xml; charset=UTF-8', body };
}

function fault(error: unknown, logger: Logger): Refusal {
  logger.error('The simulator failed', error);
  return new Refusal('Server.InternalError', 'the simulator failed; its log says why');
}

/** The pages that tests and demos look at. */
function controlPage(path: string, query: URLSearchParams, { state, calls }: ApiServerOptions): Answer | undefined {
  if (state === undefined) return undefined;
  if (path === '/control/state') return json(state());
  if (path !== '/control/calls') return undefined;
  const since = query.get('since') ?? '0';
  if (!/^\d+$/.test(since)) return { status: 400, type: 'text/plain', body: 'since: a call number is allowed\n' };
  try {
    const list = calls.since(Number(since));
    return json({ mark: calls.mark(), counts: countByAction(list), calls: list });
  } catch (error) {
    return { status: 410, type: 'text/plain', body: `${String(error)}\n` };
  }
}

function json(value: unknown): Answer {
  return { status: 200, type: 'application/json', body: `${JSON.stringify(value, undefined, 2)}\n` };
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new Error(`the body is larger than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
