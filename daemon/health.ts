import { constants } from 'node:crypto';
import { createServer as createHttpServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Counter, Gauge, Registry } from 'prom-client';
import type { User } from './authentication.ts';
import type { Attempt } from './authorization.ts';
import type { Certificate } from './certificate.ts';
import { describeError, type Logger } from './logger.ts';
import type { TlsSettings } from './tls.ts';

/** One line of a health page. */
export interface Check {
  readonly name: string;
  /** Why it fails, or `undefined` when it is well. Must be cheap: probes come every few seconds. */
  failure(): string | undefined;
}

/** Who may read which page. */
interface Access {
  /** @throws any error for a bad credential, which is refused with 401 on every path */
  authenticate(request: IncomingMessage): Promise<User>;
  /** @throws any error when it can't be found out, which is answered with 500 */
  authorize(attempt: Attempt): Promise<boolean>;
}

export interface HealthOptions {
  /** `0.0.0.0`, `::` or empty = every address of both families. */
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  /** Absent: plain HTTP. */
  readonly tls?: Certificate & TlsSettings;
  /** Decide /healthz and /livez: whether the process is worth keeping. Looked at anew for each request. */
  readonly healthChecks: readonly Check[];
  /** Decide /readyz: whether it can do its work now. Looked at anew for each request. */
  readonly readyChecks: readonly Check[];
  readonly registry: Registry;
  /** More pages, of JSON, by path. */
  readonly documents?: Readonly<Record<string, () => unknown>>;
  /** Absent: everybody may read everything. */
  readonly access?: Access;
  readonly logger?: Logger;
}

/** A running health server. */
export interface HealthServer {
  readonly port: number;
  /** Serves new connections with this certificate. @throws when the two do not belong together; the old one stays then */
  useCertificate(certificate: Certificate): void;
  close(): Promise<void>;
}

/**
 * Serves /healthz, /livez, /readyz (with `?verbose` and `?exclude=`), /metrics and /metrics/slis in the format of Kubernetes
 * components (`docs/reference/ccm.md` A8), so existing probes and dashboards go on working.
 */
export async function serveHealth(options: HealthOptions): Promise<HealthServer> {
  const pages = pagesOf(options);
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    void respond(options, pages, request, response);
  };
  // A certificate is asked for, and judged by `access`; without one the client is anonymous. Sessions are not resumed, since
  // a resumed one does not bring the certificate along.
  const tls = options.tls && { ...options.tls, secureOptions: constants.SSL_OP_NO_TICKET };
  const server =
    tls === undefined
      ? createHttpServer(answer)
      : createHttpsServer({ ...tls, requestCert: true, rejectUnauthorized: false }, answer);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(
      { port: options.port, ...(EVERY_ADDRESS.includes(options.host) ? {} : { host: options.host }) },
      resolve,
    );
  });
  return {
    port: (server.address() as AddressInfo).port,
    useCertificate: ({ cert, key }) => (server as HttpsServer).setSecureContext({ ...tls, cert, key }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const EVERY_ADDRESS = ['', '0.0.0.0', '::'];

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

type Pages = Readonly<Record<string, (query: URLSearchParams) => Answer | Promise<Answer>>>;

const text = (status: number, body: string): Answer => ({ status, type: 'text/plain; charset=utf-8', body });
const json = (status: number, body: unknown): Answer => ({
  status,
  type: 'application/json',
  body: `${JSON.stringify(body)}\n`,
});

function pagesOf({ healthChecks, readyChecks, registry, documents = {} }: HealthOptions): Pages {
  const slis = new Slis();
  return {
    '/healthz': (query) => healthPage('healthz', healthChecks, query, slis),
    '/livez': (query) => healthPage('livez', healthChecks, query, slis),
    '/readyz': (query) => healthPage('readyz', readyChecks, query, slis),
    '/metrics': () => metrics(registry),
    '/metrics/slis': () => metrics(slis.registry),
    ...Object.fromEntries(
      Object.entries(documents).map(([path, document]) => [path, () => json(200, document())] as const),
    ),
  };
}

async function metrics(registry: Registry): Promise<Answer> {
  return { status: 200, type: registry.contentType, body: await registry.metrics() };
}

async function respond(
  options: HealthOptions,
  pages: Pages,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { logger } = options;
  const { method, url } = request;
  let answer: Answer;
  try {
    answer = await page(options, pages, request);
  } catch (error) {
    logger?.error('A page could not be served', error, { method, url });
    answer = text(500, `Internal Server Error: ${JSON.stringify(url)}\n`);
  }
  logger?.debug(4, 'HTTP', { method, url, status: answer.status, from: request.socket.remoteAddress });
  const { status, type, body } = answer;
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-cache, private' });
  response.end(body);
}

async function page({ access, logger }: HealthOptions, pages: Pages, request: IncomingMessage): Promise<Answer> {
  const url = URL.parse(request.url ?? '/', 'http://health');
  const path = url?.pathname ?? '';
  const verb = (request.method ?? '').toLowerCase();
  let user: User | undefined;
  try {
    user = await access?.authenticate(request);
  } catch (error) {
    logger?.debug(2, 'Unable to authenticate a request', { path, reason: describeError(error) });
    return refusal(401, 'Unauthorized', 'Unauthorized');
  }
  const found = Object.hasOwn(pages, path) ? pages[path] : undefined;
  // Before anybody is asked: what does not exist needs no permission.
  if (url === null || found === undefined) return text(404, '404 page not found\n');
  if (user !== undefined && !(await access?.authorize({ user, verb, path }))) {
    return refusal(
      403,
      'Forbidden',
      `forbidden: User ${JSON.stringify(user.name)} cannot ${verb} path ${JSON.stringify(path)}`,
    );
  }
  return await found(url.searchParams);
}

/** As the API server words it, so that clients of Kubernetes show it well. */
function refusal(code: number, reason: string, message: string): Answer {
  return json(code, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code });
}

function healthPage(name: string, checks: readonly Check[], query: URLSearchParams, slis: Slis): Answer {
  const excluded = query.getAll('exclude').filter((one) => one !== '');
  const results = checks.map((check) => {
    if (excluded.includes(check.name)) return { failed: false, line: `[+]${check.name} excluded: ok` };
    const failure = check.failure();
    slis.count(check.name, name, failure === undefined);
    return failure === undefined
      ? { failed: false, line: `[+]${check.name} ok` }
      : { failed: true, line: `[-]${check.name} failed: ${failure}` };
  });
  const failing = results.some(({ failed }) => failed);
  if (!failing && !query.has('verbose')) return text(200, 'ok');
  const unknown = excluded.filter((one) => !checks.some((check) => check.name === one));
  const lines = [
    ...results.map(({ line }) => line),
    ...unknown.map((one) => `warn: some health checks cannot be excluded: no matches for ${JSON.stringify(one)}`),
    failing ? `${name} check failed` : `${name} check passed`,
    '',
  ];
  return text(failing ? 500 : 200, lines.join('\n'));
}

/** How the checks went, for /metrics/slis. */
class Slis {
  readonly registry = new Registry();
  readonly #now = new Gauge({
    name: 'kubernetes_healthcheck',
    help: 'The result of the newest look at a check, 1 = well',
    labelNames: ['name', 'type'] as const,
    registers: [this.registry],
  });
  readonly #all = new Counter({
    name: 'kubernetes_healthchecks_total',
    help: 'The results of all looks at a check',
    labelNames: ['name', 'type', 'status'] as const,
    registers: [this.registry],
  });

  count(name: string, type: string, isWell: boolean): void {
    this.#now.set({ name, type }, isWell ? 1 : 0);
    this.#all.inc({ name, type, status: isWell ? 'success' : 'error' });
  }
}
