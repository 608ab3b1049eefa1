import { request as httpRequest } from 'node:http';
import type { ClientRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { HealthCheck } from '../world/listeners.ts';

/** What a health check asks of a server; `port` is 0 for ICMP. */
export interface Probe {
  readonly protocol: 'TCP' | 'ICMP' | 'HTTP' | 'HTTPS';
  readonly port: number;
}

/** The answers that count as success when none were set. Invented. */
const DEFAULT_HTTP_CODES = ['2xx'];

/** Reads `ICMP`, `TCP:80`, `HTTP:80`, `HTTPS:443`. */
export function probeOf({ target }: Pick<HealthCheck, 'target'>): Probe {
  const [protocol, port = '0'] = target.split(':');
  return { protocol: protocol as Probe['protocol'], port: Number(port) };
}

/**
 * Whether a server that is up answers within the time: to ICMP always, to TCP by accepting a connection, to HTTP and HTTPS with
 * a status of the expected classes. Certificates are not verified, redirects not followed.
 */
export function answers(
  host: string,
  healthCheck: Pick<HealthCheck, 'target' | 'path' | 'httpCodes'>,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<boolean> {
  const { protocol, port } = probeOf(healthCheck);
  if (protocol === 'ICMP') return Promise.resolve(true);
  if (signal.aborted) return Promise.resolve(false);
  const codes = healthCheck.httpCodes.length === 0 ? DEFAULT_HTTP_CODES : healthCheck.httpCodes;
  return new Promise((resolve) => {
    const end = (healthy: boolean): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
      attempt.destroy();
      resolve(healthy);
    };
    // Not as an option of the connection: a refused one would leave its listener on the signal.
    const giveUp = (): void => end(false);
    signal.addEventListener('abort', giveUp);
    const timer = setTimeout(giveUp, timeoutMs);
    let attempt: Socket | ClientRequest;
    if (protocol === 'TCP') {
      attempt = connect({ host, port }).once('connect', () => end(true));
    } else {
      const options = { host, port, path: healthCheck.path || '/', agent: false, rejectUnauthorized: false };
      attempt = (protocol === 'HTTP' ? httpRequest : httpsRequest)(options).end();
      attempt.once('response', ({ statusCode = 0 }) => end(codes.includes(`${Math.floor(statusCode / 100)}xx`)));
    }
    attempt.on('error', giveUp);
  });
}
