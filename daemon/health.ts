import { createServer as createHttpServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import type { Certificate } from './certificate.ts';

/** One line of a health page. */
export interface Check {
  readonly name: string;
  /** Why it fails, or `undefined` when it is well. Must be cheap: probes come every few seconds. */
  failure(): string | undefined;
}

export interface HealthOptions {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  /** Absent: plain HTTP. */
  readonly tls?: Certificate;
  /** Decide /healthz and /livez: whether the process is worth keeping. */
  readonly healthChecks: readonly Check[];
  /** Decide /readyz: whether it can do its work now. */
  readonly readyChecks: readonly Check[];
  readonly registry: Registry;
  /** Paths served to everybody; all others are refused with 403. */
  readonly openPaths: readonly string[];
}

/** A running health server. */
export interface HealthServer {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Serves /healthz, /livez, /readyz (with `?verbose`) and /metrics in the format of Kubernetes components
 * (`docs/reference/ccm.md` A8), so existing probes and dashboards go on working.
 */
export async function serveHealth(options: HealthOptions): Promise<HealthServer> {
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    void respond(options, request, response);
  };
  const server = options.tls === undefined ? createHttpServer(answer) : createHttpsServer(options.tls, answer);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

const text = (status: number, body: string): Answer => ({ status, type: 'text/plain; charset=utf-8', body });

async function respond(options: HealthOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { status, type, body } = await page(options, request);
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-cache, private' });
  response.end(body);
}

async function page(options: HealthOptions, request: IncomingMessage): Promise<Answer> {
  const url = new URL(request.url ?? '/', 'http://health');
  if (!options.openPaths.includes(url.pathname)) {
    return text(
      403,
      `${url.pathname} is not among the paths served without authorization (${options.openPaths.join(', ')})\n`,
    );
  }
  const checks = { '/healthz': options.healthChecks, '/livez': options.healthChecks, '/readyz': options.readyChecks }[
    url.pathname
  ];
  if (checks !== undefined) return healthPage(url.pathname.slice(1), checks, url.searchParams.has('verbose'));
  if (url.pathname !== '/metrics') return text(404, '404 page not found\n');
  return { status: 200, type: options.registry.contentType, body: await options.registry.metrics() };
}

function healthPage(name: string, checks: readonly Check[], verbose: boolean): Answer {
  const failing = checks.some((check) => check.failure() !== undefined);
  if (!failing && !verbose) return text(200, 'ok');
  const lines = checks.map((check) => {
    const failure = check.failure();
    return failure === undefined ? `[+]${check.name} ok` : `[-]${check.name} failed: ${failure}`;
  });
  return text(
    failing ? 500 : 200,
    [...lines, failing ? `${name} check failed` : `${name} check passed`, ''].join('\n'),
  );
}
