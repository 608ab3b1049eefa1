import { connect } from 'node:net';
import { lstat, unlink } from 'node:fs/promises';
import { posix } from 'node:path';
import { UsageError } from '../daemon/flags.ts';

/** Where the driver listens. */
export type Endpoint =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly address: string };

/** Longest path of a unix socket in bytes (`sun_path` of 108 with its NUL); grpc-js cuts longer ones without a word. */
const SOCKET_PATH_MAX_BYTES = 107;

/** How long a socket may take to say whether somebody listens there. A live one answers in microseconds. */
const PROBE_TIMEOUT_MS = 2_000;

/**
 * Reads `--endpoint` as the Go driver does: host and path joined and, for `unix`, made absolute. So `unix://tmp/csi.sock`,
 * `unix:/tmp/csi.sock` and `unix:///tmp/csi.sock` are one place (docs/reference/csi.md C.1, G.3); a bare absolute path is, too.
 * @throws UsageError
 */
export function parseEndpoint(text: string): Endpoint {
  if (text.startsWith('/')) return unixEndpoint(text, text);
  const [, scheme = '', rest = ''] = /^([A-Za-z]+):(?:\/\/)?(.+)$/.exec(text) ?? [];
  switch (scheme.toLowerCase()) {
    case 'unix':
      return unixEndpoint(posix.join('/', rest), text);
    case 'tcp':
      if (!/^.*:\d+$/.test(rest)) throw new UsageError(`--endpoint=${text} is not allowed: tcp takes HOST:PORT`);
      return { kind: 'tcp', address: rest };
    default:
      throw new UsageError(
        `--endpoint=${text} is not allowed: it takes unix:///PATH, an absolute path or tcp://HOST:PORT`,
      );
  }
}

function unixEndpoint(path: string, text: string): Endpoint {
  const clean = posix.normalize(path);
  if (clean.endsWith('/')) throw new UsageError(`--endpoint=${text} is not allowed: it names no file`);
  const bytes = Buffer.byteLength(clean);
  if (bytes > SOCKET_PATH_MAX_BYTES) {
    throw new UsageError(
      `--endpoint=${text} is not allowed: a socket path has at most ${SOCKET_PATH_MAX_BYTES} bytes, not ${bytes}`,
    );
  }
  return { kind: 'unix', path: clean };
}

/**
 * Makes `path` free to be bound: removes the socket that a killed driver left behind.
 * @throws UsageError when somebody still listens on it (removing it would cut off a live sibling), or it is no socket.
 */
export async function removeStaleSocket(path: string): Promise<void> {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (found === undefined) return;
  if (!found.isSocket()) throw new UsageError(`--endpoint: ${path} exists and is no socket; it is left alone`);
  if (await isAnswered(path)) throw new UsageError(`--endpoint: another process is listening on ${path}`);
  await unlink(path);
}

/** Whether somebody accepts connections. Only a refusal proves that nobody does; a silent listener is alive. */
function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const settle = (answered: boolean): void => {
      socket.destroy();
      resolve(answered);
    };
    socket.setTimeout(PROBE_TIMEOUT_MS, () => settle(true));
    socket.once('connect', () => settle(true));
    socket.once('error', (error: NodeJS.ErrnoException) =>
      settle(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'),
    );
  });
}
