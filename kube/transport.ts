import { request as requestHttp, type IncomingMessage } from 'node:http';
import { request as requestHttps, type RequestOptions } from 'node:https';
import type { Clock } from './surroundings.ts';

/**
 * Sends one request; resolves when the head of the answer is there. The body is the caller's to read or to destroy.
 * @throws the signal's reason when it is aborted first (the connection is closed then), else the system's error.
 */
export function send(
  url: URL,
  options: RequestOptions,
  body: string | undefined,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const request = (url.protocol === 'http:' ? requestHttp : requestHttps)(url, options);
    const onAbort = (): void => {
      request.destroy(signal.reason as Error);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    request.once('close', () => signal.removeEventListener('abort', onAbort));
    request.once('response', (response) => {
      signal.removeEventListener('abort', onAbort);
      resolve(response);
    });
    // Stays after the answer has begun: a fault of the connection is then reported here as well as to the reader of the body.
    request.on('error', (error) => reject(signal.aborted ? (signal.reason as Error) : error));
    // Node frames the body of a DELETE only when told to.
    if (body !== undefined) request.setHeader('content-length', Buffer.byteLength(body));
    request.end(body);
  });
}

/**
 * The whole body.
 * @throws the signal's reason when it is aborted first (the connection is closed then), else the system's error.
 */
export async function readBody(response: IncomingMessage, signal: AbortSignal): Promise<Buffer> {
  const stopListening = destroyOnAbort(response, signal);
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  } finally {
    stopListening();
  }
}

/** Closes the connection under `response` when the signal is aborted, now or later, until the returned function is called. */
export function destroyOnAbort(response: IncomingMessage, signal: AbortSignal): () => void {
  const onAbort = (): void => {
    response.destroy(signal.reason as Error);
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  return () => signal.removeEventListener('abort', onAbort);
}

/** Time ran out: `TIMEOUT` before an answer, `QUIET` in the middle of a stream. */
class TimedOut extends Error {
  override readonly name = 'TimedOut';
  readonly code: 'TIMEOUT' | 'QUIET';

  constructor(code: TimedOut['code'], message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * Runs `task` with a signal that is aborted with `signal`, or with TimedOut once `limitMs` have passed.
 * @throws the reason of that abort at once, even where the task does not heed it.
 */
export async function within<R>(
  limitMs: number,
  clock: Clock,
  signal: AbortSignal,
  task: (signal: AbortSignal) => Promise<R>,
): Promise<R> {
  signal.throwIfAborted();
  const limited = new AbortController();
  const onAbort = (): void => limited.abort(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  const finished = new AbortController();
  clock.sleep(limitMs, finished.signal).then(
    () => limited.abort(new TimedOut('TIMEOUT', `no answer within ${limitMs / 1000} s`)),
    () => undefined,
  );
  const aborted = new Promise<never>((_resolve, reject) => {
    limited.signal.addEventListener('abort', () => reject(limited.signal.reason as Error), { once: true });
  });
  try {
    return await Promise.race([task(limited.signal), aborted]);
  } finally {
    finished.abort();
    signal.removeEventListener('abort', onAbort);
  }
}

/** The chunks of a body; destroys it and throws TimedOut when none came for `limitMs`. */
export async function* untilQuiet(
  response: IncomingMessage,
  limitMs: number,
  clock: Clock,
): AsyncGenerator<Uint8Array, void, undefined> {
  const ended = new AbortController();
  let heardAtMs = clock.monotonicMs();
  // One sleep for each limit, not one for each chunk.
  const listen = async (): Promise<void> => {
    for (let leftMs = limitMs; leftMs > 0; leftMs = heardAtMs + limitMs - clock.monotonicMs()) {
      await clock.sleep(leftMs, ended.signal);
    }
    response.destroy(new TimedOut('QUIET', `nothing came for ${limitMs / 1000} s`));
  };
  listen().catch(() => undefined); // the stream ended first
  try {
    for await (const chunk of response) {
      heardAtMs = clock.monotonicMs();
      yield chunk as Uint8Array;
    }
  } finally {
    ended.abort();
  }
}
