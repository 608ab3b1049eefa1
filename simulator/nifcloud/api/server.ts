import type { IncomingMessage, RequestListener } from 'node:http';
import { send, sentence } from './answer.ts';
import type { Answer } from './answer.ts';
import { answerCall } from './answer-call.ts';
import type { CallSurroundings } from './answer-call.ts';
import type { ControlPages } from './control.ts';

const API_PATH = '/api/';
const CONTROL_PATH = '/control/';

/** Larger than any call: the longest has 30 filter addresses or some hundred names. */
const MAX_BODY_BYTES = 1 << 20;

export interface ApiServerOptions extends CallSurroundings {
  /** Default: there are none. */
  readonly control?: ControlPages;
}

/** Serves the Computing API on `/api/` (docs/reference/nifcloud-api.md §1) and the control pages. */
export function apiServer(options: ApiServerOptions): RequestListener {
  return (request, response) => {
    answer(request, options).then(
      (answered) => send(response, answered),
      (error: unknown) => {
        // A client that broke off, or the end of the simulator: nobody is left to be answered.
        options.logger.debug(2, 'Request not answered', { reason: String(error) });
        response.destroy();
      },
    );
  };
}

async function answer(request: IncomingMessage, options: ApiServerOptions): Promise<Answer> {
  const { method = '' } = request;
  const { host = '' } = request.headers;
  // Of a proxy's client this is the whole URL, else a path.
  const url = URL.parse(request.url ?? '', 'http://simulator');
  // Read in any case: a client that is still sending does not look at its answer.
  const body = await readBody(request);
  if (url === null) return sentence(400, 'this is no URL');
  if (body === undefined) return sentence(413, `the body is larger than ${MAX_BODY_BYTES} bytes`);
  const { pathname: path, searchParams } = url;
  if (path === API_PATH) {
    if (method === 'GET') return answerCall({ method, host, path, form: searchParams }, options);
    if (method !== 'POST') return sentence(405, `the API takes GET and POST, not ${method}`, { allow: 'GET, POST' });
    const type = request.headers['content-type'] ?? 'nothing';
    if (!isForm(type)) return sentence(415, `the API takes application/x-www-form-urlencoded in UTF-8, not ${type}`);
    return answerCall({ method, host, path, form: new URLSearchParams(body) }, options);
  }
  const { control } = options;
  if (control === undefined || !path.startsWith(CONTROL_PATH)) {
    return sentence(404, `nothing here; the API is GET or POST ${API_PATH}`);
  }
  return control.answer({ method, path: path.slice(CONTROL_PATH.length), query: searchParams, body });
}

/** With or without a charset: the SDKs differ (nifcloud-api.md §1.1). */
function isForm(type: string): boolean {
  return /^application\/x-www-form-urlencoded *(; *charset="?utf-8"?)? *$/i.test(type);
}

/** `undefined` = too large. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  return size > MAX_BODY_BYTES ? undefined : Buffer.concat(chunks).toString('utf8');
}
